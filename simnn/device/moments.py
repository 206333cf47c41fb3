"""Running mean and variance over trials, in a fixed order."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simnn.device.targets import Target, cpu


@functools.cache
def bind_step(target: Target) -> Callable[..., Any]:
    """Bind Welford's update for a target.

    Parameters
    ----------
    target : Target
        Where it runs, in float64.

    Returns
    -------
    callable
        ``step(value, count, mean, deviation) -> (count, mean, deviation)``, where the deviation is the sum of squared
        deviations. NaN marks a statistic that a trial does not have, and is not counted.
    """
    isnan = target.operations.isnan

    @target.device
    def step(value, count, mean, deviation):
        known = not isnan(value)
        count += 1 if known else 0
        change = value - mean if known else 0.0
        mean += change / max(count, 1)
        deviation += change * (value - mean) if known else 0.0
        return count, mean, deviation

    return step


@functools.cache
def bind(target: Target) -> Callable[..., Any]:
    """Bind the accumulator of the host.

    Parameters
    ----------
    target : Target
        Of the CPU, or plain Python.

    Returns
    -------
    callable
        ``add(cell, values, count, mean, deviation)``: steps with one row of the (n, m) ``values`` after the other, of
        row ``cell[i]`` of the (cells, m) moments. Since rows come in sequence, the result does not depend on how a run
        was cut into calls.
    """
    step = bind_step(target)

    @target.kernel
    def add(cell, values, count, mean, deviation):
        for i in range(values.shape[0]):
            row, n, m, s = values[i], count[cell[i]], mean[cell[i]], deviation[cell[i]]
            for j in range(row.shape[0]):
                n[j], m[j], s[j] = step(row[j], n[j], m[j], s[j])

    return add


class Moments:
    """Moments of the statistics of every cell of a sweep.

    Parameters
    ----------
    cells, columns : int
        Of the sweep, and statistics of each.
    """

    def __init__(self, cells: int, columns: int) -> None:
        self.count = np.zeros((cells, columns), np.int64)
        self.mean, self.deviation = np.zeros((cells, columns)), np.zeros((cells, columns))

    def add(self, cell: NDArray[np.integer[Any]], rows: Any) -> None:
        """Add trials.

        Parameters
        ----------
        cell : (n,) int array
            Cell of each.
        rows : (n, columns) float64 array
            Their statistics, NaN where a trial does not have one.
        """
        # What is infinite in one trial has an infinite mean, with a standard error of NaN.
        with np.errstate(invalid="ignore"):
            bind(cpu(np.float64))(cell, rows, self.count, self.mean, self.deviation)

    def averages(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means and standard errors.

        Returns
        -------
        tuple of (cells, columns) float64 array
            Of the trials that have a statistic; NaN if none has it, or, the standard error, only one.
        """
        count = self.count.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            stderr = np.sqrt(self.deviation / ((count - 1.0) * count))
        stderr[count < 2.0] = np.nan
        return np.where(count > 0.0, self.mean, np.nan), stderr
