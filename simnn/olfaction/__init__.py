"""Random expansions of olfactory signals: receptors, sparse codes, what a readout makes of them, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import simnn.olfaction.presets as presets  # noqa: PLR0402 - mypy does not see a submodule otherwise
    import simnn.olfaction.statistics as statistics  # noqa: PLR0402
    import simnn.olfaction.theory as theory  # noqa: PLR0402

__all__ = ["presets", "statistics", "theory"]


def __getattr__(name: str) -> Any:
    if name in ("presets", "statistics", "theory"):
        return importlib.import_module(f"simnn.olfaction.{name}")
    raise AttributeError(f"module 'simnn.olfaction' has no attribute {name!r}")
