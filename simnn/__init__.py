"""Simulations that answer "why do neural networks work?", set against their theory.

Importing ``simnn`` is light: the models, and with them Numba, load at first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from simnn._startup import collector_paused

__version__ = "0.1.0"
__all__ = ["capacity", "olfaction", "propagation"]

if TYPE_CHECKING:
    from simnn import capacity, olfaction, propagation


def __getattr__(name: str) -> Any:
    if name in __all__:
        with collector_paused():
            return importlib.import_module(f"simnn.{name}")
    raise AttributeError(f"module 'simnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
