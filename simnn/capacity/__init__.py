"""Linear separability of labelled patterns: certified verdicts, their statistics, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

from simnn.capacity.conic import projected
from simnn.capacity.separability import Margin, Verdict, margin, separable
from simnn.capacity.simulate import draw, largest_margin, simulate, stopping_time

if TYPE_CHECKING:
    import simnn.capacity.theory as theory  # noqa: PLR0402 - mypy does not see a submodule otherwise

__all__ = [
    "Margin",
    "Verdict",
    "draw",
    "largest_margin",
    "margin",
    "projected",
    "separable",
    "simulate",
    "stopping_time",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name == "theory":
        return importlib.import_module("simnn.capacity.theory")
    raise AttributeError(f"module 'simnn.capacity' has no attribute {name!r}")
