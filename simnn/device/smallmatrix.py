"""Small K x K factors that may be singular: the linear algebra between two layers.

A covariance G of rank r < K (duplicate inputs, a dead layer, more inputs than a smooth activation tells apart) is
legal. Its factor C is made column by column, each for the row that the columns so far explain least of, and ends where
they explain everything to rounding: r columns, ``C C^T = G``, and a triangle in the rows ``pivot[:r]``. Without that
order, 64 neighbouring points on a circle lose all digits. All arithmetic is float64.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

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
        ``cholesky(gram, tolerance, factor, pivot, residual) -> rank``: factor of a (K, K) positive semidefinite matrix;
        what is left of a row counts as zero below ``tolerance`` times its diagonal entry. ``pivot`` is the (K,) int64
        permutation of the rows, ``residual`` (K,) scratch; columns from the rank on are zero.
        ``solve_lower(factor, pivot, rank, right, solution)``: x of r numbers with ``C x = right`` in the pivot rows,
        for each column of the (K, M) array ``right``; rows from the rank on are zero.
        ``solve_lower_transposed(factor, pivot, rank, right, solution)``: x of K numbers, zero outside the pivot rows,
        with ``C^T x = right``.

    References
    ----------
    Higham, "Accuracy and stability of numerical algorithms", 2nd ed., section 10.3 (complete pivoting).
    """
    sqrt = target.operations.sqrt

    @target.routine
    def cholesky(gram, tolerance, factor, pivot, residual):
        size = gram.shape[0]
        for i in range(size):
            pivot[i] = i
            residual[i] = gram[i, i]
            for k in range(size):
                factor[i, k] = 0.0
        for k in range(size):
            chosen, largest = -1, tolerance
            for position in range(k, size):
                i = pivot[position]
                share = 0.0 if gram[i, i] == 0.0 else residual[i] / gram[i, i]
                if not share <= largest:  # NaN is chosen, so that it shows
                    chosen, largest = position, share
            if chosen < 0:
                return k
            row = pivot[chosen]
            pivot[chosen] = pivot[k]
            pivot[k] = row
            root = sqrt(residual[row])
            factor[row, k] = root
            for position in range(k + 1, size):
                i = pivot[position]
                entry = gram[i, row]
                for m in range(k):
                    entry -= factor[i, m] * factor[row, m]
                entry /= root
                factor[i, k] = entry
                residual[i] -= entry * entry
        return size

    @target.routine
    def solve_lower(factor, pivot, rank, right, solution):
        size, columns = right.shape
        for k in range(size):
            row = pivot[k]
            for m in range(columns):
                entry = 0.0
                if k < rank:
                    entry = right[row, m]
                    for j in range(k):
                        entry -= factor[row, j] * solution[j, m]
                    entry /= factor[row, k]
                solution[k, m] = entry

    @target.routine
    def solve_lower_transposed(factor, pivot, rank, right, solution):
        size, columns = right.shape
        for k in range(size - 1, -1, -1):
            row = pivot[k]
            for m in range(columns):
                entry = 0.0
                if k < rank:
                    entry = right[k, m]
                    for j in range(k + 1, rank):
                        entry -= factor[pivot[j], k] * solution[pivot[j], m]
                    entry /= factor[row, k]
                solution[row, m] = entry

    return SmallMatrix(cholesky, solve_lower, solve_lower_transposed)
