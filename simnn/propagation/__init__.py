"""Signal propagation in deep random networks: forward and backward statistics, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

from simnn.propagation.simulate import simulate

if TYPE_CHECKING:
    # Not `from simnn.propagation import ...`: mypy does not see a submodule then.
    import simnn.propagation.finite_width as finite_width  # noqa: PLR0402
    import simnn.propagation.theory as theory  # noqa: PLR0402

__all__ = ["finite_width", "simulate", "theory"]


def __getattr__(name: str) -> Any:
    if name in ("finite_width", "theory"):
        return importlib.import_module(f"simnn.propagation.{name}")
    raise AttributeError(f"module 'simnn.propagation' has no attribute {name!r}")
