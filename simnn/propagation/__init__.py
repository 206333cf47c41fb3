"""Signal propagation in deep random networks: forward and backward statistics, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

from simnn.propagation.simulate import simulate

if TYPE_CHECKING:
    import simnn.propagation.theory as theory  # noqa: PLR0402 - mypy does not see a submodule otherwise

__all__ = ["simulate", "theory"]


def __getattr__(name: str) -> Any:
    if name == "theory":
        return importlib.import_module("simnn.propagation.theory")
    raise AttributeError(f"module 'simnn.propagation' has no attribute {name!r}")
