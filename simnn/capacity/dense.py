"""Dense linear algebra of the solvers: sums over rows that vectorise in a fixed order.

Everything adds multiples of rows to rows, several at a time: that vectorises without a licence to reorder sums, so
results do not depend on the width of the processor's vectors, nor on threads (those of a BLAS do). All numbers are
float64.

A symmetric matrix lives in its upper triangle, cut into tiles of columns. Rows of a tile lie a constant stride apart:
the compiler then sees that four of them do not overlap, and works on all four at once (three times faster). Below the
diagonal is rubbish.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device.targets import Target

PANEL = 8
"""Rows that are added at a time, to `BLOCK` rows of a matrix."""

BLOCK = 4

TILE = 128
"""Columns of a tile."""

STRIDE = TILE + 8
"""Distance of its rows; powers of two would fall on the same lines of the cache."""

S = STRIDE
_CACHED = 32  # rows of a tile that stay in the first cache while panels pass


class Panels(NamedTuple):
    """Scratch of one thread.

    Attributes
    ----------
    rows : (tiles, P / PANEL, PANEL * STRIDE) array
        A copy of the rows that are added, tile by tile.
    sign : (P / PANEL, PANEL) array
        Their signs; zero fills up the last panel.
    """

    rows: Any
    sign: Any


class Dense(NamedTuple):
    """Routines of one target (see `bind`)."""

    dot: Callable[..., Any]
    combine: Callable[..., Any]
    clear: Callable[..., Any]
    add_gram: Callable[..., Any]
    trace: Callable[..., Any]
    factorise: Callable[..., Any]
    solve: Callable[..., Any]
    product: Callable[..., Any]
    smallest: Callable[..., Any]
    totals: Callable[..., Any]
    substitute: Callable[..., Any]
    chains: int


def panels(rows: int, size: int) -> Panels:
    """Scratch for sums over rows.

    Parameters
    ----------
    rows, size : int
        Their largest number, and their length.

    Returns
    -------
    Panels
    """
    count = (rows - 1) // PANEL + 1
    return Panels(np.zeros(((size - 1) // TILE + 1, count, PANEL * STRIDE)), np.zeros((count, PANEL)))


def symmetric(size: int) -> Any:
    """A symmetric matrix, zero.

    Parameters
    ----------
    size : int
        Number of its rows.

    Returns
    -------
    (tiles, rows * STRIDE) array
        Entry (j, k) of the upper triangle is ``[k // TILE, j * STRIDE + k % TILE]``.
    """
    return np.zeros(((size - 1) // TILE + 1, ((size - 1) // BLOCK + 1) * BLOCK * STRIDE))


@functools.cache
def bind(target: Target) -> Dense:
    """Bind the routines for a target.

    Parameters
    ----------
    target : Target
        Where they run.

    Returns
    -------
    Dense
        ``dot(a, b)``: product of two vectors.
        ``combine(coefficients, index, count, rows, out)``: ``out = sum_i c_i rows[index[i]]``, i < count.
        ``clear(matrix)``: zero a symmetric matrix.
        ``add_gram(sign, index, count, rows, panels, matrix, stop)``: add ``sum_i sign_i z_i z_i^T`` of the same rows;
        what is there is of no use once ``stop[0]`` is not zero.
        ``trace(size, matrix)``.
        ``factorise(size, ridge, matrix, panels, factor, stop) -> bool``: U with ``U^T U = matrix + ridge``; False if a
        pivot is not positive, or the work is not wanted any more.
        ``solve(factor, x)``: overwrite x by the solution of ``U^T U x' = x``.
        ``product(a, b, part)``, ``smallest(x, part)``: of two vectors, and of the entries of one.
        ``totals(part)``: sums of ``part[c]`` and of ``part[chains + c]`` over those that share a sum, ``chains`` in
        number: one here.
        ``substitute(triangle, first, size, x)``: overwrite entries first, ... of x by the solution of ``L x' = x``
        with a lower triangle L; those before are part of it already.
    """

    @target.routine
    def dot(a, b):
        # Eight chains: one would wait four cycles for each term.
        s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        end = a.shape[0] - a.shape[0] % 8
        for k in range(0, end, 8):
            s0 += a[k] * b[k]
            s1 += a[k + 1] * b[k + 1]
            s2 += a[k + 2] * b[k + 2]
            s3 += a[k + 3] * b[k + 3]
            s4 += a[k + 4] * b[k + 4]
            s5 += a[k + 5] * b[k + 5]
            s6 += a[k + 6] * b[k + 6]
            s7 += a[k + 7] * b[k + 7]
        total = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
        for k in range(end, a.shape[0]):
            total += a[k] * b[k]
        return total

    @target.routine
    def combine(coefficients, index, count, rows, out):
        size = out.shape[0]
        for k in range(size):
            out[k] = 0.0
        full = count - count % 4
        for i in range(0, full, 4):
            c0, c1, c2, c3 = coefficients[i], coefficients[i + 1], coefficients[i + 2], coefficients[i + 3]
            r0, r1, r2, r3 = rows[index[i]], rows[index[i + 1]], rows[index[i + 2]], rows[index[i + 3]]
            for k in range(size):
                out[k] = out[k] + c0 * r0[k] + c1 * r1[k] + c2 * r2[k] + c3 * r3[k]
        for i in range(full, count):
            c0, r0 = coefficients[i], rows[index[i]]
            for k in range(size):
                out[k] += c0 * r0[k]

    @target.routine
    def clear(matrix):
        for tile in range(matrix.shape[0]):
            row = matrix[tile]
            for k in range(row.shape[0]):
                row[k] = 0.0

    @target.routine
    def add_block(sign, left, right, count, out):
        """Add combinations of the rows of a panel to the rows of a block: ``sum_m sign_m left_m right_m^T``."""
        s0, s1, s2, s3, s4, s5, s6, s7 = sign[0], sign[1], sign[2], sign[3], sign[4], sign[5], sign[6], sign[7]
        a0, b0, c0, d0 = s0 * left[0], s0 * left[1], s0 * left[2], s0 * left[3]
        a1, b1, c1, d1 = s1 * left[S], s1 * left[S + 1], s1 * left[S + 2], s1 * left[S + 3]
        a2, b2, c2, d2 = s2 * left[2 * S], s2 * left[2 * S + 1], s2 * left[2 * S + 2], s2 * left[2 * S + 3]
        a3, b3, c3, d3 = s3 * left[3 * S], s3 * left[3 * S + 1], s3 * left[3 * S + 2], s3 * left[3 * S + 3]
        a4, b4, c4, d4 = s4 * left[4 * S], s4 * left[4 * S + 1], s4 * left[4 * S + 2], s4 * left[4 * S + 3]
        a5, b5, c5, d5 = s5 * left[5 * S], s5 * left[5 * S + 1], s5 * left[5 * S + 2], s5 * left[5 * S + 3]
        a6, b6, c6, d6 = s6 * left[6 * S], s6 * left[6 * S + 1], s6 * left[6 * S + 2], s6 * left[6 * S + 3]
        a7, b7, c7, d7 = s7 * left[7 * S], s7 * left[7 * S + 1], s7 * left[7 * S + 2], s7 * left[7 * S + 3]
        for k in range(count):
            x0, x1, x2, x3 = right[k], right[k + S], right[k + 2 * S], right[k + 3 * S]
            x4, x5, x6, x7 = right[k + 4 * S], right[k + 5 * S], right[k + 6 * S], right[k + 7 * S]
            a, b, c, d = out[k], out[k + S], out[k + 2 * S], out[k + 3 * S]
            out[k] = a + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4 + a5 * x5 + a6 * x6 + a7 * x7
            out[k + S] = b + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3 + b4 * x4 + b5 * x5 + b6 * x6 + b7 * x7
            out[k + 2 * S] = c + c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3 + c4 * x4 + c5 * x5 + c6 * x6 + c7 * x7
            out[k + 3 * S] = d + d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3 + d4 * x4 + d5 * x5 + d6 * x6 + d7 * x7

    @target.routine
    def add_panel(sign, panels, group, tile, first, last, size, matrix):
        """Add what a panel adds to one tile of the rows first, ..., last."""
        end = min(TILE, size - tile * TILE)
        for j in range(first, last, BLOCK):
            start = max(j - tile * TILE, 0)
            left, right = panels.rows[j // TILE, group, j % TILE :], panels.rows[tile, group, start:]
            add_block(sign, left, right, end - start, matrix[tile, j * S + start :])

    @target.routine
    def load(source, destination):
        for k in range(source.shape[0]):
            destination[k] = source[k]

    @target.routine
    def add_gram(sign, index, count, rows, panels, matrix, stop):
        size = rows.shape[1]
        groups = (count - 1) // PANEL + 1
        for i in range(groups * PANEL):
            panels.sign[i // PANEL, i % PANEL] = sign[i] if i < count else 0.0
        for i in range(count):
            for tile in range(matrix.shape[0]):
                load(rows[index[i], tile * TILE : (tile + 1) * TILE], panels.rows[tile, i // PANEL, i % PANEL * S :])
        for tile in range(matrix.shape[0]):
            last = min((tile + 1) * TILE, size)
            for first in range(0, last, _CACHED):
                # Both loops that take seconds in thousands of dimensions look every few milliseconds.
                if stop[0] != 0:
                    return
                for group in range(groups):
                    add_panel(panels.sign[group], panels, group, tile, first, min(first + _CACHED, last), size, matrix)

    @target.routine
    def trace(size, matrix):
        total = 0.0
        for j in range(size):
            total += matrix[j // TILE, j * S + j % TILE]
        return total

    @target.routine
    def add_row(c, x, y):
        for k in range(y.shape[0]):
            y[k] += c * x[k]

    @target.routine
    def scale_row(c, y):
        for k in range(y.shape[0]):
            y[k] *= c

    @target.device
    def part(size, tile, j, first):
        """Where the entries of row j in a tile stand, from a column on."""
        return j * S + max(first - tile * TILE, 0), j * S + min(TILE, size - tile * TILE)

    @target.routine
    def factorise(size, ridge, matrix, panels, factor, stop):
        tiles = matrix.shape[0]
        for tile in range(tiles):
            load(matrix[tile], factor[tile])
        for j in range(size):
            factor[j // TILE, j * S + j % TILE] += ridge
        for m in range(PANEL):
            panels.sign[0, m] = -1.0
        for top in range(0, size, PANEL):
            if stop[0] != 0:
                return False
            bottom = min(top + PANEL, size)
            for k in range(top, bottom):
                for tile in range(k // TILE, tiles):
                    low, high = part(size, tile, k, k)
                    for l in range(top, k):
                        shift = (k - l) * S
                        above = factor[tile, low - shift : high - shift]
                        add_row(-factor[k // TILE, l * S + k % TILE], above, factor[tile, low:high])
                pivot = factor[k // TILE, k * S + k % TILE]
                if not pivot > 0.0:
                    return False
                for tile in range(k // TILE, tiles):
                    low, high = part(size, tile, k, k)
                    scale_row(1.0 / np.sqrt(pivot), factor[tile, low:high])
            if bottom < size:
                for tile in range(bottom // TILE, tiles):
                    load(factor[tile, top * S : bottom * S], panels.rows[tile, 0])
                    last = min((tile + 1) * TILE, size)
                    add_panel(panels.sign[0], panels, 0, tile, bottom, last, size, factor)
        return True

    @target.routine
    def solve(factor, x):
        size, tiles = x.shape[0], factor.shape[0]
        for k in range(size):
            x[k] /= factor[k // TILE, k * S + k % TILE]
            for tile in range((k + 1) // TILE, tiles):
                low, high = part(size, tile, k, k + 1)
                add_row(-x[k], factor[tile, low:high], x[max(k + 1, tile * TILE) : (tile + 1) * TILE])
        for k in range(size - 1, -1, -1):
            total = x[k]
            for tile in range((k + 1) // TILE, tiles):
                low, high = part(size, tile, k, k + 1)
                total -= dot(factor[tile, low:high], x[max(k + 1, tile * TILE) : (tile + 1) * TILE])
            x[k] = total / factor[k // TILE, k * S + k % TILE]

    @target.routine
    def product(a, b, _part):
        return dot(a, b)

    @target.routine
    def smallest(x, _part):
        # Four chains of comparisons.
        a, b, c, d = x[0], x[0], x[0], x[0]
        end = x.shape[0] - x.shape[0] % 4
        for i in range(0, end, 4):
            a, b, c, d = min(a, x[i]), min(b, x[i + 1]), min(c, x[i + 2]), min(d, x[i + 3])
        for i in range(end, x.shape[0]):
            a = min(a, x[i])
        return min(a, b, c, d)

    @target.device
    def totals(part):
        return part[0], part[1]

    @target.routine
    def substitute(triangle, first, size, x):
        for a in range(first, size):
            x[a] = (x[a] - dot(x[:a], triangle[a, :a])) / triangle[a, a]

    return Dense(dot, combine, clear, add_gram, trace, factorise, solve, product, smallest, totals, substitute, 1)
