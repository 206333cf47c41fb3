"""Published circuits by name, each with all that its dimension depends on.

A number of claws is the best one for a law of the weights, a constraint and a kind of inhibition, never for an
architecture as such. So each preset names them all, and a preset with the claws of an animal need not be at its
optimum: with equal weights, a fixed number of cells and no inhibition 3 or 4 claws are best in the fly, and 18 (coding
level 0.1) in the cerebellum.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from simnn.olfaction import theory
from simnn.olfaction.arguments import Array, choice, counts, same_kind
from simnn.sweeps import Integer, Number, Strict


class Circuit(Strict):
    """A random expansion, and what is held fixed when its claws vary.

    Attributes
    ----------
    glomeruli : int
        N input channels.
    kenyon_cells : int
        M cells of the expansion, whatever the animal calls them.
    claws : int
        K inputs of each, at most N.
    coding_level : float
        Fraction of odors that a cell responds to.
    weights : str
        Law of the weights, one of `simnn.olfaction.weights.WEIGHTS`.
    constraint : {"cells", "synapses"}
        What other numbers of claws leave as it is.
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix is subtracted from its entries.
    source : str
        Where the numbers come from, and which of them are assumed.
    """

    glomeruli: Annotated[Integer, Field(ge=1)]
    kenyon_cells: Annotated[Integer, Field(ge=1)]
    claws: Annotated[Integer, Field(ge=1)]
    coding_level: Annotated[Number, Field(gt=0.0, lt=1.0)]
    weights: Literal["binary", "cerebellar", "cortical", "uniform", "halfnormal", "gaussian"]
    constraint: Literal["cells", "synapses"]
    inhibition: Literal["none", "balanced"]
    source: str

    @model_validator(mode="after")
    def _fits(self) -> "Circuit":
        if self.claws > self.glomeruli:
            raise ValueError(f"claws: {self.claws!r} is not allowed: should be at most the number of glomeruli")
        return self

    @property
    def synapses(self) -> int:
        """Number of connections, S = M K."""
        return self.kenyon_cells * self.claws

    def cells(self, claws: ArrayLike) -> float | Array:
        """Number of cells with other numbers of claws, under the constraint.

        Parameters
        ----------
        claws : int or array of int
            K >= 1.

        Returns
        -------
        float or array
            M, or ``S / K``.
        """
        if self.constraint == "synapses":
            return theory.kenyon_cells_of(self.synapses, claws)
        return same_kind(self.kenyon_cells + 0.0 * counts("claws", claws, 1))

    def dimension(self, claws: ArrayLike | None = None, coding_level: ArrayLike | None = None) -> float | Array:
        """Dimension of the codes, also with other claws, under the constraint, or another coding level.

        Parameters
        ----------
        claws : int or array of int, optional
            K; by default that of the circuit.
        coding_level : float or array, optional
            f; by default that of the circuit.

        Returns
        -------
        float or array
            From `simnn.olfaction.theory.dimension`; broadcast.
        """
        draws = self.claws if claws is None else claws
        level = self.coding_level if coding_level is None else coding_level
        return theory.dimension(self.glomeruli, self.cells(draws), draws, level, self.inhibition, self.weights)


_FLY = (
    "6.8 +- 1.7 claws by light microscopy: Caron, Ruta, Abbott, Axel, Nature 497, 113 (2013); about 50 glomeruli and "
    "2000 cells per hemisphere; 5-10% of the cells respond: Turner, Bazhenov, Laurent, J. Neurophysiol. 99, 734 (2008)"
)
_WEIGHTS = "law of the weights: Litwin-Kumar, Harris, Axel, Sompolinsky, Abbott, Neuron 93, 1153 (2017)"
_SYNAPSES = "synapses held fixed: Xie, Muscinelli, Harris, Litwin-Kumar, eLife 12, e82914 (2023)"

PRESETS: Mapping[str, Circuit] = MappingProxyType(
    {
        "mushroom_body": Circuit(
            glomeruli=50, kenyon_cells=2000, claws=7, coding_level=0.1, weights="binary", constraint="cells",
            inhibition="none", source=f"{_FLY}; equal weights are assumed, and best with 3 claws",
        ),
        "mushroom_body_cortical": Circuit(
            glomeruli=50, kenyon_cells=2000, claws=7, coding_level=0.05, weights="cortical", constraint="cells",
            inhibition="none", source=f"{_FLY}; {_WEIGHTS}; best with 7 or 8 claws, which 2000 cells do not tell apart",
        ),
        "mushroom_body_balanced": Circuit(
            glomeruli=50, kenyon_cells=2000, claws=7, coding_level=0.05, weights="binary", constraint="synapses",
            inhibition="balanced", source=f"{_FLY}; {_SYNAPSES}; equal weights are assumed, and best with 7 claws",
        ),
        "mushroom_body_large": Circuit(
            glomeruli=50, kenyon_cells=10000, claws=7, coding_level=0.1, weights="binary", constraint="synapses",
            inhibition="none", source=f"numbers of inputs, cells and claws, {_SYNAPSES}; the rest is assumed",
        ),
        "mushroom_body_connectome": Circuit(
            glomeruli=58, kenyon_cells=1776, claws=5, coding_level=0.05, weights="binary", constraint="cells",
            inhibition="none",
            source="hemibrain, 5.3 distinct glomeruli per cell at 5 or more synapses per connection: Scheffer et al., "
            "eLife 9, e57443 (2020); coding level as in the fly above, equal weights and random wiring are assumed",
        ),
        "cerebellum": Circuit(
            glomeruli=7000, kenyon_cells=209000, claws=4, coding_level=0.1, weights="binary", constraint="synapses",
            inhibition="none",
            source=f"{_SYNAPSES}; about 2e5 granule cells for 7000 mossy fibres; equal weights are assumed, and best "
            "with 5 inputs, 4 being 2% below (4 are best at a coding level of 0.01)",
        ),
        "cerebellum_lognormal": Circuit(
            glomeruli=7000, kenyon_cells=209000, claws=4, coding_level=0.1, weights="cerebellar", constraint="synapses",
            inhibition="none", source=f"{_SYNAPSES}; {_WEIGHTS}; best with 6 or 7 inputs, 4 being 5% below",
        ),
        "piriform": Circuit(
            glomeruli=1000, kenyon_cells=500000, claws=40, coding_level=0.1, weights="binary", constraint="cells",
            inhibition="none",
            source="orders of magnitude in the mouse: half a million neurons, Srinivasan, Stevens, bioRxiv 099002 "
            "(2017), each with inputs from 40 glomeruli or more, Miyamichi et al., Nature 472, 191 (2011), as quoted "
            "by others; number of glomeruli rounded; coding level and equal weights assumed, recurrence left out",
        ),
    }
)  # fmt: skip
"""Circuits by name."""


def preset(name: str) -> Circuit:
    """Look up a circuit.

    Parameters
    ----------
    name : str
        A key of `PRESETS`, for instance ``"mushroom_body"``.

    Returns
    -------
    Circuit

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    return PRESETS[choice("preset", name, tuple(PRESETS))]
