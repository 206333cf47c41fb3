"""Readout of codes with the largest margin: the one place where `simnn.olfaction` knows `simnn.capacity`."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simnn.olfaction import codes

Array = NDArray[np.float64]

COLUMNS = {
    "margin": "largest margin of the codes in standard deviations of a cell, of sets that are separable",
    "separable_fraction": "fraction of sets of odors whose codes are linearly separable",
    "capacity": "largest number of odors, from the first one on, whose codes are separable",
    "undecided_fraction": "fraction of sets of odors without a certified answer",
}
"""Names of what is measured, and long names."""

ROUNDING = 1e-9
"""Fields of weights of length 1 that are smaller, times the length of the longest code that may be, are zero."""

_GAP = 1e-9
"""Bounds of a largest margin that agree to this, times that length, are one number."""


@dataclass(frozen=True)
class Readout:
    """What `learn` finds.

    Attributes
    ----------
    weights : (64 W,) array
        Of cells, together of length 1, and zeros for the other bits of packed codes; NaN if there is no such readout.
    threshold : float
        What is added to weighted codes.
    margin : float
        Distance of the nearest code from the hyperplane; NaN if there is none, or for a single class.
    separable : float
        1 or 0; NaN if undecided.
    capacity : float
        Number of odors, from the first one on, that are separable; NaN if undecided.
    """

    weights: Array
    threshold: float
    margin: float
    separable: float
    capacity: float

    def statistics(self, activity: float) -> list[float]:
        """Measures in the order of `COLUMNS`.

        Parameters
        ----------
        activity : float
            Fraction of active cells, mean over odors.

        Returns
        -------
        list of float
        """
        undecided = math.isnan(self.capacity) or (self.separable == 1.0 and math.isnan(self.threshold))
        deviation = math.sqrt(activity * (1.0 - activity))
        kappa = self.margin / deviation if deviation > 0.0 else math.nan
        return [kappa, self.separable, self.capacity, float(undecided)]


def learn(packed: NDArray[np.uint64], label: NDArray[np.int8], cells: int, stop: NDArray[np.int64]) -> Readout:
    """Separate codes by the largest margin, with a free threshold, or find how many can be separated.

    Parameters
    ----------
    packed : (P, W) uint64 array
        Codes.
    label : (P,) int8 array
        -1 or 1.
    cells : int
        M.
    stop : (1,) int64 array
        Not zero once the answer is not wanted any more.

    Returns
    -------
    Readout
    """
    from simnn.capacity import separability

    odors, bits = len(packed), 64 * packed.shape[1]
    x, y = codes.unpack(packed, cells).astype(np.float64), label.astype(np.float64)
    none = np.full(bits, math.nan)
    if abs(y.sum()) == odors:
        return Readout(np.zeros(bits), float(y[0]), math.nan, 1.0, float(odors))
    found = separability.checked_margin(x, y, True, stop)
    if found.status == "undecided":
        return Readout(none, math.nan, math.nan, math.nan, math.nan)
    if found.status == "not separable":
        prefix = separability.checked_prefix(x[:-1], y[:-1], True, stop)
        return Readout(none, math.nan, math.nan, 0.0, math.nan if prefix is None else float(prefix))
    if found.weights is None or found.bound - found.margin > _GAP * math.sqrt(cells):
        return Readout(none, math.nan, math.nan, 1.0, float(odors))
    return Readout(np.pad(found.weights, (0, bits - cells)), found.threshold, found.margin, 1.0, float(odors))


def check_memory(odors: int, kenyon_cells: int, threads: int) -> None:
    """Refuse codes that `learn` could not hold as numbers.

    Parameters
    ----------
    odors, kenyon_cells : int
        P and M.
    threads : int
        How many sets of codes are read at a time.

    Raises
    ------
    MemoryError
        If that does not fit into this machine's memory.
    """
    from simnn.capacity import given

    given.check_memory(odors, kenyon_cells + 1, threads)
