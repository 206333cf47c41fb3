"""Loops over the units of one tile: activations, and linear algebra in a fixed order.

Rows of a tile are units in sequence, `simnn.device.normals.TILE` of them. Sums over a tile do not depend on the vector
width of a processor: lanes and the tree that adds them are written out.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device.normals import TILE
from simnn.device.targets import Target
from simnn.propagation import kernels

LANES = 64
"""Chains of partial sums of a tile; `dot` writes out the tree that adds them."""

STEPS = TILE // LANES
"""Products in each chain."""


class Tiles(NamedTuple):
    """Routines of one target (see `bind`)."""

    activate: Callable[..., Any]
    difference: Callable[..., Any]
    chain: Callable[..., Any]
    fold: Callable[..., Any]
    dot: Callable[..., Any]
    clear: Callable[..., Any]
    clear_tail: Callable[..., Any]
    combine: Callable[..., Any]
    combine_factor: Callable[..., Any]
    add_gram: Callable[..., Any]
    silent_units: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Tiles:
    """Bind the loops for a target.

    Parameters
    ----------
    target : Target
        Where they run. Threads of a block share loops over units.

    Returns
    -------
    Tiles
        ``activate(code, up, down, count, z, h, d)``: values and derivatives of an activation, see
        `simnn.propagation.kernels.Form`; ``difference(code, up, down, count, t, z, h, z0, h0, v)``: differences of its
        values. The others are described where they are defined.
    """
    return Tiles(*_bind_activations(target), *_bind_algebra(target))


def _bind_activations(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Loops over one tile; one for each activation, so that each vectorises."""
    kinked, tanh, erf, sigmoid, hard_tanh, gelu, silu, selu, sin = kernels.bind(target)
    between = kernels.bind_differences(target)
    d_kinked, d_tanh, d_erf, d_sigmoid, d_hard_tanh, d_gelu, d_silu, d_selu, d_sin = between

    @target.routine
    def activate(code, up, down, count, z, h, d):
        """``h = phi(z)`` and ``d = phi'(z)``."""
        if code == kernels.KINKED:
            for i in range(count):
                h[i], d[i] = kinked(z[i], up, down)
        elif code == kernels.TANH:
            for i in range(count):
                h[i], d[i] = tanh(z[i])
        elif code == kernels.ERF:
            for i in range(count):
                h[i], d[i] = erf(z[i])
        elif code == kernels.SIGMOID:
            for i in range(count):
                h[i], d[i] = sigmoid(z[i])
        elif code == kernels.HARD_TANH:
            for i in range(count):
                h[i], d[i] = hard_tanh(z[i])
        elif code == kernels.GELU:
            for i in range(count):
                h[i], d[i] = gelu(z[i])
        elif code == kernels.SILU:
            for i in range(count):
                h[i], d[i] = silu(z[i])
        elif code == kernels.SELU:
            for i in range(count):
                h[i], d[i] = selu(z[i])
        else:
            for i in range(count):
                h[i], d[i] = sin(z[i])

    @target.routine
    def difference(code, up, down, count, t, z, h, z0, h0, v):
        """``v = phi(z) - phi(z0)`` for ``t = z - z0``."""
        if code == kernels.KINKED:
            for i in range(count):
                v[i] = d_kinked(t[i], z[i], h[i], z0[i], h0[i], up, down)
        elif code == kernels.TANH:
            for i in range(count):
                v[i] = d_tanh(t[i], z[i], h[i], z0[i], h0[i])
        elif code == kernels.ERF:
            for i in range(count):
                v[i] = d_erf(t[i], z[i], h[i], z0[i], h0[i])
        elif code == kernels.SIGMOID:
            for i in range(count):
                v[i] = d_sigmoid(t[i], z[i], h[i], z0[i], h0[i])
        elif code == kernels.HARD_TANH:
            for i in range(count):
                v[i] = d_hard_tanh(t[i], z[i], h[i], z0[i], h0[i])
        elif code == kernels.GELU:
            for i in range(count):
                v[i] = d_gelu(t[i], z[i], h[i], z0[i], h0[i])
        elif code == kernels.SILU:
            for i in range(count):
                v[i] = d_silu(t[i], z[i], h[i], z0[i], h0[i])
        elif code == kernels.SELU:
            for i in range(count):
                v[i] = d_selu(t[i], z[i], h[i], z0[i], h0[i])
        else:
            for i in range(count):
                v[i] = d_sin(t[i], z[i], h[i], z0[i], h0[i])

    return activate, difference


def _bind_algebra(target: Target) -> tuple[Callable[..., Any], ...]:
    """Linear algebra over the units of one tile."""
    real, (lane, lanes_of_block, _) = target.real, target.block
    zero = real(0.0)

    @target.device
    def chain(a, i, b, j, k):
        """Sum of the products of units k, k + LANES, ..., in sequence."""
        partial = a[i, k] * b[j, k]
        for step in range(1, STEPS):
            partial += a[i, step * LANES + k] * b[j, step * LANES + k]
        return partial

    @target.device
    def fold(lanes):
        """Sum of 16 numbers."""
        even = ((lanes[0] + lanes[8]) + (lanes[4] + lanes[12])) + ((lanes[2] + lanes[10]) + (lanes[6] + lanes[14]))
        odd = ((lanes[1] + lanes[9]) + (lanes[5] + lanes[13])) + ((lanes[3] + lanes[11]) + (lanes[7] + lanes[15]))
        return even + odd

    @target.device
    def dot(a, i, b, j, lanes):
        """Product of row i of a and row j of b in a fixed order: LANES chains, and a tree that adds them.

        The order is one that blocks of a CUDA grid can keep. All of a row is used, so what is behind the last unit of
        a tile must be zero in one of the two. Written out like this, chains stay in registers: 25 ns, not 100.
        """
        for k in range(16):
            lanes[k] = (chain(a, i, b, j, k) + chain(a, i, b, j, k + 32)) + (
                chain(a, i, b, j, k + 16) + chain(a, i, b, j, k + 48)
            )
        return np.float64(fold(lanes))

    @target.routine
    def clear_tail(count, rows, first, matrix):
        """Zero what is behind the last unit of a tile, in that many rows."""
        for i in range(first, first + rows):
            # A view, since an index that might be negative makes the compiler scatter.
            tail = matrix[i, count:]
            for j in range(lane(), tail.shape[0], lanes_of_block()):
                tail[j] = zero

    @target.routine
    def clear(matrix):
        """Zero a matrix (a slice assignment costs seconds of compilation)."""
        for i in range(matrix.shape[0]):
            for j in range(matrix.shape[1]):
                matrix[i, j] = 0.0

    @target.routine
    def add_row(coefficient, x, i, fresh, count, z, j):
        """``z_j += coefficient x_i`` for rows of a tile; ``fresh``: instead of what z holds."""
        c = real(coefficient)
        if fresh:
            for k in range(lane(), count, lanes_of_block()):
                z[j, k] = c * x[i, k]
        else:
            for k in range(lane(), count, lanes_of_block()):
                z[j, k] += c * x[i, k]

    @target.routine
    def combine(matrix, count, x, first, z):
        """``z = matrix x``, of rows ``first, ...`` of x."""
        for i in range(matrix.shape[0]):
            for k in range(matrix.shape[1]):
                add_row(matrix[i, k], x, first + k, k == 0, count, z, i)

    @target.routine
    def combine_factor(factor, scale, count, x, first, fresh, z):
        """``z = scale C x``, or added to it unless ``fresh``; a row of C ends at its own column."""
        for position in range(factor.pivot.shape[0]):
            i = factor.pivot[position]
            for k in range(min(position + 1, factor.rank)):
                add_row(scale * factor.matrix[i, k], x, first + k, fresh and k == 0, count, z, i)
            if fresh and factor.rank == 0:
                add_row(0.0, x, first, True, count, z, i)

    @target.routine
    def add_gram(a, first_a, b, first_b, symmetric, lanes, total):
        """Add ``a b^T`` over the units of a tile to ``total``."""
        for i in range(total.shape[0]):
            for j in range(i + 1 if symmetric else total.shape[1]):
                total[i, j] += dot(a, first_a + i, b, first_b + j, lanes)

    @target.routine
    def silent_units(d, count, silent):
        """Number of units whose derivative vanishes for every input."""
        for j in range(count):
            silent[j] = 1 if d[0, j] == zero else 0
        for a in range(1, d.shape[0]):
            for j in range(count):
                silent[j] = silent[j] if d[a, j] == zero else 0
        total = 0
        for j in range(count):
            total += silent[j]
        return total

    return chain, fold, dot, clear, clear_tail, combine, combine_factor, add_gram, silent_units
