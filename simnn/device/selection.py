"""The largest of some numbers."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from simnn.device.targets import Target


class Selection(NamedTuple):
    """Array routines of one target (see `bind`)."""

    kth_largest: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Selection:
    """Bind the routines for a target.

    Parameters
    ----------
    target : Target
        Where they run.

    Returns
    -------
    Selection
        ``kth_largest(values, k, scratch)``: the k-th largest value, k >= 1; ``scratch`` is as long as ``values``.

    References
    ----------
    C. A. R. Hoare, "Algorithm 65: find", Communications of the ACM 4, 321 (1961).
    """

    @target.routine
    def kth_largest(values, k, scratch):
        for i in range(values.shape[0]):
            scratch[i] = values[i]
        low, high = 0, values.shape[0] - 1
        while low < high:
            # Larger numbers go to the left of the pivot, smaller ones to the right.
            pivot, i, j = scratch[(low + high) // 2], low, high
            while i <= j:
                while scratch[i] > pivot:
                    i += 1
                while scratch[j] < pivot:
                    j -= 1
                if i <= j:
                    scratch[i], scratch[j] = scratch[j], scratch[i]
                    i += 1
                    j -= 1
            if k - 1 <= j:
                high = j
            elif k - 1 >= i:
                low = i
            else:
                break
        return scratch[k - 1]

    return Selection(kth_largest)
