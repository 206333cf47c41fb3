"""Random-expansion circuits: receptors, projection neurons, Kenyon cells, readout; measured odors and connectomes."""

import importlib
from typing import TYPE_CHECKING, Any

from simnn.olfaction.connectome import load_connectome, match
from simnn.olfaction.odors import load_odors
from simnn.olfaction.receptors import heterogeneous_gains, layer_statistics, projection_neurons
from simnn.olfaction.synthetic import synthetic_odors

if TYPE_CHECKING:
    import simnn.olfaction.nulls as nulls  # noqa: PLR0402 - mypy does not see a submodule otherwise

__all__ = [
    "heterogeneous_gains",
    "layer_statistics",
    "load_connectome",
    "load_odors",
    "match",
    "nulls",
    "projection_neurons",
    "synthetic_odors",
]


def __getattr__(name: str) -> Any:
    if name == "nulls":
        return importlib.import_module("simnn.olfaction.nulls")
    raise AttributeError(f"module 'simnn.olfaction' has no attribute {name!r}")
