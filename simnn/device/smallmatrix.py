"""Small K x K factors that may be singular: the linear algebra between two layers.

A covariance G of rank r < K (duplicate inputs, a dead layer) is legal. Its factor C has zero columns where a
pivot vanished, and the solvers skip them: on the kept rows ``C`` is an ordinary lower Cholesky factor, and the
solvers act as its inverse there and return zeros elsewhere. All arithmetic is float64.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device.targets import Target


class SmallMatrix(NamedTuple):
    """Device functions on small matrices (see `bind`)."""

    cholesky: Callable[..., Any]
    solve_lower: Callable[..., Any]
    solve_lower_transposed: Callable[..., Any]


@functools.cache
def bind(target: Target) -> SmallMatrix:
    """Bind the functions for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    SmallMatrix
        ``cholesky(gram, tolerance, factor) -> rank``: lower factor of a (K, K) positive semidefinite matrix; a
        pivot below ``tolerance`` times its diagonal entry counts as zero.
        ``solve_lower(factor, right)``: ``factor^-1 right`` in place of the (K, M) array ``right``.
        ``solve_lower_transposed(factor, right)``: ``factor^-T right`` in place.
    """

    @target.device
    def cholesky(gram, tolerance, factor):
        size = gram.shape[0]
        rank = 0
        for j in range(size):
            pivot = gram[j, j]
            for k in range(j):
                pivot -= factor[j, k] * factor[j, k]
            kept = pivot > tolerance * gram[j, j]
            root = np.sqrt(pivot) if kept else 0.0
            rank += kept
            for i in range(size):
                entry = 0.0
                if i == j:
                    entry = root
                elif i > j and kept:
                    entry = gram[i, j]
                    for k in range(j):
                        entry -= factor[i, k] * factor[j, k]
                    entry /= root
                factor[i, j] = entry
        return rank

    @target.device
    def solve_lower(factor, right):
        size, columns = right.shape
        for i in range(size):
            kept = factor[i, i] > 0.0
            for m in range(columns):
                entry = 0.0
                if kept:
                    entry = right[i, m]
                    for k in range(i):
                        entry -= factor[i, k] * right[k, m]
                    entry /= factor[i, i]
                right[i, m] = entry

    @target.device
    def solve_lower_transposed(factor, right):
        size, columns = right.shape
        for i in range(size - 1, -1, -1):
            kept = factor[i, i] > 0.0
            for m in range(columns):
                entry = 0.0
                if kept:
                    entry = right[i, m]
                    for k in range(i + 1, size):
                        # A dropped row keeps its factor entries, but its right-hand side is zero by now.
                        entry -= factor[k, i] * right[k, m]
                    entry /= factor[i, i]
                right[i, m] = entry

    return SmallMatrix(cholesky, solve_lower, solve_lower_transposed)
