"""Random-expansion circuits: receptors, projection neurons, Kenyon cells, readout; measured data, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

from simnn.olfaction.codes import (
    correlations,
    count_active,
    encode,
    gaussian_thresholds,
    overlaps,
    pack,
    thresholds,
    unpack,
)
from simnn.olfaction.connectome import load_connectome, match
from simnn.olfaction.odors import load_odors
from simnn.olfaction.receptors import heterogeneous_gains, layer_statistics, projection_neurons
from simnn.olfaction.simulate import draw_odors, simulate
from simnn.olfaction.synthetic import synthetic_connectome, synthetic_odors
from simnn.olfaction.wiring import Wiring, draw_wiring, given_wiring

if TYPE_CHECKING:
    import simnn.olfaction.citations as citations  # noqa: PLR0402 - mypy does not see a submodule otherwise
    import simnn.olfaction.degree_laws as degree_laws  # noqa: PLR0402
    import simnn.olfaction.nulls as nulls  # noqa: PLR0402
    import simnn.olfaction.presets as presets  # noqa: PLR0402
    import simnn.olfaction.retrieval as retrieval  # noqa: PLR0402
    import simnn.olfaction.statistics as statistics  # noqa: PLR0402
    import simnn.olfaction.theory as theory  # noqa: PLR0402

_MODULES = ("citations", "degree_laws", "nulls", "presets", "retrieval", "statistics", "theory")

__all__ = [
    "Wiring",
    "citations",
    "correlations",
    "count_active",
    "degree_laws",
    "draw_odors",
    "draw_wiring",
    "encode",
    "gaussian_thresholds",
    "given_wiring",
    "heterogeneous_gains",
    "layer_statistics",
    "load_connectome",
    "load_odors",
    "match",
    "nulls",
    "overlaps",
    "pack",
    "presets",
    "projection_neurons",
    "retrieval",
    "simulate",
    "statistics",
    "synthetic_connectome",
    "synthetic_odors",
    "theory",
    "thresholds",
    "unpack",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"simnn.olfaction.{name}")
    raise AttributeError(f"module 'simnn.olfaction' has no attribute {name!r}")
