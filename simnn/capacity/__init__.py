"""Linear separability of labelled patterns: certified verdicts, their statistics, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import simnn.capacity.theory as theory  # noqa: PLR0402 - mypy does not see a submodule otherwise

__all__ = ["theory"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"simnn.capacity.{name}")
    raise AttributeError(f"module 'simnn.capacity' has no attribute {name!r}")
