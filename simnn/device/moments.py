"""Running mean and variance over trials, in a fixed order."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from simnn.device.targets import Target


@functools.cache
def bind(target: Target) -> Callable[..., Any]:
    """Bind the accumulator for a target.

    Parameters
    ----------
    target : Target
        Where the kernel runs; sums are float64 on all of them.

    Returns
    -------
    callable
        ``add(cell, values, count, mean, deviation)``: Welford's update, one row of the (n, m) ``values`` after the
        other, of row ``cell[i]`` of the (cells, m) moments. ``deviation`` is the sum of squared deviations. NaN
        marks a statistic that a trial does not have, and is not counted. Since rows come in sequence, the
        result does not depend on how a run was cut into calls.
    """

    @target.kernel
    def add(cell, values, count, mean, deviation):
        for i in range(values.shape[0]):
            row, n, m, s = values[i], count[cell[i]], mean[cell[i]], deviation[cell[i]]
            for j in range(row.shape[0]):
                known = not np.isnan(row[j])
                n[j] += 1 if known else 0
                step = row[j] - m[j] if known else 0.0
                m[j] += step / max(n[j], 1)
                s[j] += step * (row[j] - m[j]) if known else 0.0

    return add
