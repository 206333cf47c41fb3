"""Linear algebra that the threads of a block share: what `simnn.capacity.dense` is for one thread.

Every number is made by one thread, in an order that does not depend on how many threads there are: results are the
same bits for every size of a block. Sums over vectors run in `CHAINS` chains, and over these in a fixed order.

A symmetric matrix is a square array, of which the upper triangle counts. Products of rows are summed in registers: a
thread makes 16 entries from 8 numbers of each row, those of two *classes* of four columns, a constant stride apart, so
that threads side by side read numbers side by side. Every pair of classes is made once, on either side of the diagonal:
half of the square. The factor holds the reciprocals of its diagonal.

A routine begins after a barrier on all that it reads, and ends with one on all that it wrote.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from simnn.capacity import dense
from simnn.capacity.dense import Dense
from simnn.device.targets import Target

CHAINS = 32
"""Partial sums of a vector; routines take scratch for twice so many, which the threads of a block share."""

PANEL = 4
"""Rows of a factor that are made at a time."""


class Scratch(NamedTuple):
    """Scratch of one block, for up to P patterns in N dimensions: what `solvers.Work` is for one thread.

    Other fields are those of `solvers.Work`.

    Attributes
    ----------
    gram, factor : (N, N) array
        Sum over active patterns, and its factor.
    panels : Panels
        Constants.
    trial : (2 * CHAINS,) array
        Shared by the threads of the block: sums on their way.
    triangle, solution, pulls, signs : (K, K) and (K,) array
        Of active sets; K is 1 if only finite Newton runs.
    """

    w: Any
    step: Any
    right: Any
    residual: Any
    mu: Any
    forward: Any
    multiplier: Any
    sign: Any
    active: Any
    chosen: Any
    order: Any
    gram: Any
    factor: Any
    panels: Any
    stop: Any
    trial: Any
    triangle: Any
    solution: Any
    pulls: Any
    signs: Any


class Panels(NamedTuple):
    """Constants of a factorisation: what a panel is multiplied by, and 0, 1, 2, ..."""

    sign: Any
    order: Any


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
        As `simnn.capacity.dense.bind`, but matrices are (N, N) arrays. A single thread may call ``dot``.
    """
    totals, product, smallest, combine = _bind_sums(target)
    clear, add_products, add_gram, trace = _bind_gram(target)
    factorise, solve = _bind_factor(target, add_products)
    dot = dense.bind(target).dot
    lane, lanes, sync = target.block

    @target.routine
    def substitute(triangle, first, size, x):
        for a in range(first + lane(), size, lanes()):
            x[a] -= dot(x[:first], triangle[a, :first])
        sync()
        for a in range(first, size):
            found = x[a] / triangle[a, a]
            for b in range(a + 1 + lane(), size, lanes()):
                x[b] -= triangle[b, a] * found
            sync()
            if lane() == 0:
                x[a] = found
        sync()

    return Dense(dot, combine, clear, add_gram, trace, factorise, solve, product, smallest, totals, substitute, CHAINS)


def _bind_sums(target: Target) -> tuple[Callable[..., Any], ...]:
    """Sums and minima that threads share: chains that do not depend on how many threads there are."""
    lane, lanes, sync = target.block

    @target.routine
    def totals(part):
        sync()
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for k in range(0, CHAINS, 2):
            a, b = a + part[k], b + part[k + 1]
            c, d = c + part[CHAINS + k], d + part[CHAINS + k + 1]
        sync()
        return a + b, c + d

    @target.routine
    def product(x, y, part):
        for c in range(lane(), CHAINS, lanes()):
            total = 0.0
            for k in range(c, x.shape[0], CHAINS):
                total += x[k] * y[k]
            part[c] = total
        total, _ = totals(part)
        return total

    @target.routine
    def smallest(x, part):
        for c in range(lane(), CHAINS, lanes()):
            least = x[min(c, x.shape[0] - 1)]
            for k in range(c + CHAINS, x.shape[0], CHAINS):
                least = min(least, x[k])
            part[c] = least
        sync()
        a, b = part[0], part[1]
        for c in range(2, CHAINS, 2):
            a, b = min(a, part[c]), min(b, part[c + 1])
        sync()
        return min(a, b)

    @target.routine
    def combine(coefficients, index, count, rows, out):
        for k in range(lane(), out.shape[0], lanes()):
            total, full = 0.0, count - count % 4
            for i in range(0, full, 4):
                # Four loads under way at a time.
                a, b, c, d = rows[index[i], k], rows[index[i + 1], k], rows[index[i + 2], k], rows[index[i + 3], k]
                total += coefficients[i] * a
                total += coefficients[i + 1] * b
                total += coefficients[i + 2] * c
                total += coefficients[i + 3] * d
            for i in range(full, count):
                total += coefficients[i] * rows[index[i], k]
            out[k] = total
        sync()

    return totals, product, smallest, combine


def _bind_gram(target: Target) -> tuple[Callable[..., Any], ...]:
    """Sums of products of rows with themselves, four by four entries to a thread."""
    lane, lanes, sync = target.block

    @target.routine
    def clear(matrix):
        size = matrix.shape[0]
        for j in range(size):
            for k in range(lane(), size, lanes()):
                matrix[j, k] = 0.0
        sync()

    @target.device
    def add(matrix, first, j, k, value):
        """Add to an entry of the part of a matrix from row and column ``first`` on, if there is one."""
        low, high = first + min(j, k), first + max(j, k)
        if high < matrix.shape[0]:
            matrix[low, high] += value

    @target.routine
    def add_products(sign, index, count, rows, first, matrix):
        """Add ``sum_m sign_m v_m v_m^T``, ``v_m = rows[index[m]]``, from row and column ``first`` on."""
        last = matrix.shape[0] - 1
        # An odd number of classes: pairs of them then fill a rectangle.
        step = ((last - first) // 4 + 1) | 1
        for task in range(lane(), step * ((step + 1) // 2), lanes()):
            q, r = task // step, task % step
            a, b = (q, r) if r >= q else (step - q, step - 1 - r)
            j0, k0 = min(first + a, last), min(first + b, last)
            j1, k1 = min(j0 + step, last), min(k0 + step, last)
            j2, k2 = min(j1 + step, last), min(k1 + step, last)
            j3, k3 = min(j2 + step, last), min(k2 + step, last)
            s00, s01, s02, s03 = 0.0, 0.0, 0.0, 0.0
            s10, s11, s12, s13 = 0.0, 0.0, 0.0, 0.0
            s20, s21, s22, s23 = 0.0, 0.0, 0.0, 0.0
            s30, s31, s32, s33 = 0.0, 0.0, 0.0, 0.0
            for m in range(count):
                row, scale = rows[index[m]], sign[m]
                x0, x1, x2, x3 = scale * row[j0], scale * row[j1], scale * row[j2], scale * row[j3]
                y0, y1, y2, y3 = row[k0], row[k1], row[k2], row[k3]
                s00, s01, s02, s03 = s00 + x0 * y0, s01 + x0 * y1, s02 + x0 * y2, s03 + x0 * y3
                s10, s11, s12, s13 = s10 + x1 * y0, s11 + x1 * y1, s12 + x1 * y2, s13 + x1 * y3
                s20, s21, s22, s23 = s20 + x2 * y0, s21 + x2 * y1, s22 + x2 * y2, s23 + x2 * y3
                s30, s31, s32, s33 = s30 + x3 * y0, s31 + x3 * y1, s32 + x3 * y2, s33 + x3 * y3
            add(matrix, first, a, b, s00)
            add(matrix, first, a, b + step, s01)
            add(matrix, first, a, b + 2 * step, s02)
            add(matrix, first, a, b + 3 * step, s03)
            add(matrix, first, a + step, b + step, s11)
            add(matrix, first, a + step, b + 2 * step, s12)
            add(matrix, first, a + step, b + 3 * step, s13)
            add(matrix, first, a + 2 * step, b + 2 * step, s22)
            add(matrix, first, a + 2 * step, b + 3 * step, s23)
            add(matrix, first, a + 3 * step, b + 3 * step, s33)
            if a < b:
                add(matrix, first, a + step, b, s10)
                add(matrix, first, a + 2 * step, b, s20)
                add(matrix, first, a + 2 * step, b + step, s21)
                add(matrix, first, a + 3 * step, b, s30)
                add(matrix, first, a + 3 * step, b + step, s31)
                add(matrix, first, a + 3 * step, b + 2 * step, s32)
        sync()

    @target.routine
    def add_gram(sign, index, count, rows, _panels, matrix, _stop):
        add_products(sign, index, count, rows, 0, matrix)

    @target.routine
    def trace(size, matrix):
        total = 0.0
        for j in range(size):
            total += matrix[j, j]
        return total

    return clear, add_products, add_gram, trace


def _bind_factor(target: Target, add_products: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Factor of a positive definite matrix, panel by panel, and its solutions."""
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

    @target.device
    def entry(matrix, j, k):
        """Entry of a matrix that goes on as the identity."""
        return matrix[j, k] if k < matrix.shape[0] else (1.0 if j == k else 0.0)

    @target.device
    def root(x):
        """Reciprocal of the root of a pivot, 0 if that is not positive."""
        return 1.0 / sqrt(x) if x > 0.0 else 0.0

    @target.device
    def put(matrix, j, k, value):
        if k < matrix.shape[0]:
            matrix[j, k] = value

    @target.routine
    def factorise(size, ridge, matrix, panels, factor, stop):
        if stop[0] != 0:
            return False
        for j in range(size):
            for k in range(j + lane(), size, lanes()):
                factor[j, k] = matrix[j, k] + (ridge if k == j else 0.0)
        sync()
        for top in range(0, size, PANEL):
            # Every thread factorises the square on the diagonal for itself.
            i0, i1, i2, i3 = top, top + 1, top + 2, top + 3
            r0 = root(factor[i0, i0])
            u01, u02, u03 = entry(factor, i0, i1) * r0, entry(factor, i0, i2) * r0, entry(factor, i0, i3) * r0
            r1 = root(entry(factor, i1, i1) - u01 * u01)
            u12, u13 = (entry(factor, i1, i2) - u01 * u02) * r1, (entry(factor, i1, i3) - u01 * u03) * r1
            r2 = root(entry(factor, i2, i2) - u02 * u02 - u12 * u12)
            u23 = (entry(factor, i2, i3) - u02 * u03 - u12 * u13) * r2
            r3 = root(entry(factor, i3, i3) - u03 * u03 - u13 * u13 - u23 * u23)
            if not (r0 > 0.0 and r1 > 0.0 and r2 > 0.0 and r3 > 0.0):
                return False
            for k in range(top + PANEL + lane(), size, lanes()):
                a = factor[i0, k] * r0
                b = (factor[i1, k] - u01 * a) * r1
                c = (factor[i2, k] - u02 * a - u12 * b) * r2
                d = (factor[i3, k] - u03 * a - u13 * b - u23 * c) * r3
                factor[i0, k], factor[i1, k], factor[i2, k], factor[i3, k] = a, b, c, d
            sync()
            if lane() == 0:
                put(factor, i0, i0, r0)
                put(factor, i0, i1, u01)
                put(factor, i0, i2, u02)
                put(factor, i0, i3, u03)
                put(factor, i1, i1, r1)
                put(factor, i1, i2, u12)
                put(factor, i1, i3, u13)
                put(factor, i2, i2, r2)
                put(factor, i2, i3, u23)
                put(factor, i3, i3, r3)
            if top + PANEL < size:
                add_products(panels.sign, panels.order[top:], PANEL, factor, top + PANEL, factor)
        sync()
        return True

    @target.device
    def value(x, k):
        return x[k] if k < x.shape[0] else 0.0

    @target.device
    def assign(x, top, a, b, c, d):
        size = x.shape[0]
        x[top] = a
        if top + 1 < size:
            x[top + 1] = b
        if top + 2 < size:
            x[top + 2] = c
        if top + 3 < size:
            x[top + 3] = d

    @target.routine
    def solve(factor, x):
        size = x.shape[0]
        for top in range(0, size, PANEL):
            i0, i1, i2, i3 = top, top + 1, top + 2, top + 3
            a = x[i0] * factor[i0, i0]
            b = (value(x, i1) - entry(factor, i0, i1) * a) * entry(factor, i1, i1)
            c = (value(x, i2) - entry(factor, i0, i2) * a - entry(factor, i1, i2) * b) * entry(factor, i2, i2)
            d = value(x, i3) - entry(factor, i0, i3) * a - entry(factor, i1, i3) * b - entry(factor, i2, i3) * c
            d *= entry(factor, i3, i3)
            for k in range(top + PANEL + lane(), size, lanes()):
                x[k] -= factor[i0, k] * a + factor[i1, k] * b + factor[i2, k] * c + factor[i3, k] * d
            sync()
            if lane() == 0:
                assign(x, top, a, b, c, d)
        sync()
        for top in range((size - 1) // PANEL * PANEL, -1, -PANEL):
            i0, i1, i2, i3 = top, top + 1, top + 2, top + 3
            d = value(x, i3) * entry(factor, i3, i3)
            c = (value(x, i2) - entry(factor, i2, i3) * d) * entry(factor, i2, i2)
            b = (value(x, i1) - entry(factor, i1, i3) * d - entry(factor, i1, i2) * c) * entry(factor, i1, i1)
            a = x[i0] - entry(factor, i0, i3) * d - entry(factor, i0, i2) * c - entry(factor, i0, i1) * b
            a *= factor[i0, i0]
            for k in range(lane(), top, lanes()):
                left = factor[k, i0] * a + entry(factor, k, i1) * b + entry(factor, k, i2) * c
                x[k] -= left + entry(factor, k, i3) * d
            sync()
            if lane() == 0:
                assign(x, top, a, b, c, d)
        sync()

    return factorise, solve
