"""Conditional sampler on the CPU: tiles of units, streaming through the layers.

Given the inputs of a layer, its weights matter only through the Gaussian vectors ``W h`` (forward) and
``W^T delta`` (backward), whose joint law is known in closed form: ``docs/theory.md`` derives it. With the
bias as the weight of one constant input, a layer of N units and K inputs needs K forward and K backward normals
for each unit and no weight matrix:

forward     ``z_i = C x_i``, ``C C^T = sw^2 H^T H / N + sb^2``, x_i normal;
backward    ``u_j = sw (sw F^T h_j + R^T y_j)``, ``R^T R = D^T D / N``, y_j normal, and
            ``F = C^-T (X^T D / N - C^-1 B R)``, ``B = sw H^T Y / N + sb 1 y_0^T / sqrt(N)``.

Between layers only these K x K matrices survive; they are float64. Units are regenerated from their counters in the
backward sweep, so memory does not grow with the width. Sums over units have a fixed order, independent of
threads: lanes inside a tile, a tree over the lanes, tiles in sequence.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import normals, philox, smallmatrix
from simnn.device.normals import TILE
from simnn.device.targets import Target
from simnn.propagation import kernels

LANES = 64
"""Partial sums of a tile: enough independent chains to hide the latency of the adder."""

# A pivot is zero when rounding in the Gram matrix could have made it: some units in the last place.
_PIVOT_ULP = 8.0


class Tile(NamedTuple):
    """Scratch for the units of one tile.

    Attributes
    ----------
    x, y : (K, TILE) array
        Forward and backward normals.
    z, h, d : (K, TILE) array
        Pre-activations, activations and derivatives.
    words : (4, TILE) uint32 array
        Random words.
    lanes : (LANES,) array
        Partial sums.
    silent : (TILE,) int32 array
        Marks of units that pass no gradient.
    """

    x: Any
    y: Any
    z: Any
    h: Any
    d: Any
    words: Any
    lanes: Any
    silent: Any


class Routines(NamedTuple):
    """Parts of the sampler bound for one target (see `bind`)."""

    activate: Callable[..., Any]
    dot: Callable[..., Any]
    sample: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Routines:
    """Bind the sampler for a target.

    Parameters
    ----------
    target : Target
        A CPU target.

    Returns
    -------
    Routines
        ``sample``: the kernel, see `simnn.propagation.simulate`; the others are parts of it, for tests.
    """
    real, word = target.real, target.word
    philox4x32, _, normal_pair = philox.bind(target)
    pairs, _ = normals.bind(target)
    cholesky, solve_lower, solve_lower_transposed = smallmatrix.bind(target)
    kinked, tanh, erf, sigmoid, hard_tanh, gelu, silu, selu, sin = kernels.bind(target)
    tolerance = _PIVOT_ULP * float(np.finfo(real).eps)
    zero = real(0.0)
    units_stream = philox.UNITS * philox.COLUMNS
    bias_stream = philox.BIAS_INPUT * philox.COLUMNS

    @target.routine
    def activate(code, slope, count, z, h, d):
        """``h = phi(z)`` and ``d = phi'(z)``; one loop each, so that each vectorises."""
        if code == kernels.KINKED:
            for i in range(count):
                h[i], d[i] = kinked(z[i], slope)
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
    def dot(a, b, count, lanes):
        """Sum of products in a fixed order: strided lanes, then a tree (CUDA blocks can add in the same order)."""
        for j in range(LANES):
            lanes[j] = zero
        whole = count // LANES * LANES
        for start in range(0, whole, LANES):
            for j in range(LANES):
                lanes[j] += a[start + j] * b[start + j]
        for j in range(count - whole):
            lanes[j] += a[whole + j] * b[whole + j]
        width = LANES // 2
        while width > 0:
            for j in range(width):
                lanes[j] += lanes[width + j]
            width //= 2
        return np.float64(lanes[0])

    @target.routine
    def clear(count, rows):
        """Zero the first ``count`` entries of each row (a slice assignment costs seconds of compilation)."""
        for a in range(rows.shape[0]):
            row = rows[a]
            for j in range(count):
                row[j] = 0.0

    @target.routine
    def combine(factor, lower, scale, count, x, z):
        """Add ``scale * factor x`` to ``z``, both (K, units); ``lower``: the factor is triangular."""
        size = factor.shape[0]
        for a in range(size):
            for b in range(a + 1 if lower else size):
                coefficient = real(scale * factor[a, b])
                row, source = z[a], x[b]
                for j in range(count):
                    row[j] += coefficient * source[j]

    @target.routine
    def silent_units(d, count, silent):
        """Number of units whose derivative vanishes for every input."""
        for j in range(count):
            silent[j] = 1
        for a in range(d.shape[0]):
            row = d[a]
            for j in range(count):
                silent[j] = silent[j] if row[j] == zero else 0
        total = 0
        for j in range(count):
            total += silent[j]
        return total

    @target.routine
    def units(start, count, trial, layer, key, factor, code, slope, tile):
        """Normals, pre-activations, activations and derivatives of one tile."""
        for a in range(tile.x.shape[0]):
            pairs(start, count, trial, layer, units_stream + a, key, tile.words, tile.x[a], tile.y[a])
        clear(count, tile.z)
        combine(factor, True, 1.0, count, tile.x, tile.z)
        for a in range(tile.x.shape[0]):
            activate(code, slope, count, tile.z[a], tile.h[a], tile.d[a])

    @target.routine
    def add_gram(a, b, symmetric, count, lanes, total):
        """Add ``a b^T`` over the units of a tile to the (K, K) ``total``."""
        size = a.shape[0]
        for i in range(size):
            for j in range(i + 1 if symmetric else size):
                total[i, j] += dot(a[i], b[j], count, lanes)

    @target.routine
    def finish_gram(total, width, symmetric):
        """Divide sums over units by their number and fill the upper triangle."""
        size = total.shape[0]
        for i in range(size):
            for j in range(i + 1 if symmetric else size):
                total[i, j] /= width
                if symmetric:
                    total[j, i] = total[i, j]

    @target.routine
    def sandwich(factor, middle, out):
        """``out = C M C^T`` for a lower factor C."""
        size = factor.shape[0]
        for i in range(size):
            for j in range(i + 1):
                entry = 0.0
                for k in range(i + 1):
                    for m in range(j + 1):
                        entry += factor[i, k] * middle[k, m] * factor[j, m]
                out[i, j] = entry
                out[j, i] = entry

    @target.routine
    def unit_diagonal(gram, unit, scale):
        """``unit``: the Gram matrix scaled to unit diagonal; ``scale``: root of the diagonal, zero where silent."""
        size = gram.shape[0]
        for i in range(size):
            scale[i] = np.sqrt(gram[i, i])
        for i in range(size):
            for j in range(size):
                product = scale[i] * scale[j]
                unit[i, j] = gram[i, j] / product if product > 0.0 else 0.0

    @target.routine
    def backward_factors(sw, sb, width, trial, layer, key, factor, cross, xd, root, b, feedback):
        """The transposed matrix F of the backward step through the weights of ``layer`` (module docstring)."""
        size = factor.shape[0]
        for j in range(size):
            pair = philox4x32(word(0), word(trial), word(layer), word(bias_stream + j), word(key[0]), word(key[1]))
            y0, _ = normal_pair(pair[0], pair[1], pair[2], pair[3])
            for i in range(size):
                b[i, j] = sw * cross[i, j] + sb * y0 / np.sqrt(width)
        solve_lower(factor, b)
        for i in range(size):
            for k in range(size):
                entry = xd[i, k]
                for m in range(k + 1):
                    entry -= b[i, m] * root[k, m]
                feedback[i, k] = entry
        solve_lower_transposed(factor, feedback)
        for i in range(size):
            for k in range(i):
                feedback[i, k], feedback[k, i] = feedback[k, i], feedback[i, k]

    @target.routine
    def forward(code, slope, width, trial, layer, key, factor, tile, xx, hh, hy):
        """Sums over the units of a layer: normals, activations, activations times backward normals."""
        size = xx.shape[0]
        clear(size, xx)
        clear(size, hh)
        clear(size, hy)
        silent = 0
        for start in range(0, width, TILE):
            count = min(TILE, width - start)
            units(start, count, trial, layer, key, factor, code, slope, tile)
            add_gram(tile.x, tile.x, True, count, tile.lanes, xx)
            add_gram(tile.h, tile.h, True, count, tile.lanes, hh)
            add_gram(tile.h, tile.y, False, count, tile.lanes, hy)
            silent += silent_units(tile.d, count, tile.silent)
        finish_gram(xx, width, True)
        finish_gram(hh, width, True)
        finish_gram(hy, width, False)
        return silent / width

    @target.routine
    def backward(code, slope, sw, width, trial, layer, key, top, factor, feedback, root, tile, dd, xd):
        """Sums over the units of a layer: gradients, forward normals times gradients."""
        size = dd.shape[0]
        clear(size, dd)
        clear(size, xd)
        for start in range(0, width, TILE):
            count = min(TILE, width - start)
            units(start, count, trial, layer, key, factor, code, slope, tile)
            # From here on z holds the gradient u with respect to the activations, and d that of z.
            clear(count, tile.z)
            if top:
                for i in range(size):
                    for j in range(count):
                        tile.z[i, j] = tile.y[0, j]
            else:
                combine(feedback, False, sw * sw, count, tile.h, tile.z)
                combine(root, True, sw, count, tile.y, tile.z)
            for i in range(size):
                u, delta = tile.z[i], tile.d[i]
                for j in range(count):
                    delta[j] *= u[j]
            add_gram(tile.d, tile.d, True, count, tile.lanes, dd)
            add_gram(tile.x, tile.d, False, count, tile.lanes, xd)
        finish_gram(dd, width, True)
        finish_gram(xd, width, False)

    @target.kernel
    def sample(
        codes, slopes, sigma_w, sigma_b, widths, depths, key, cell, trial,
        preactivation, activation, gradient, silent_fraction,
    ):  # fmt: skip
        size, depth = activation.shape[2], preactivation.shape[1]
        tile = Tile(
            np.empty((size, TILE), real), np.empty((size, TILE), real), np.empty((size, TILE), real),
            np.empty((size, TILE), real), np.empty((size, TILE), real),
            np.empty((4, TILE), np.uint32), np.empty(LANES, real), np.empty(TILE, np.int32),
        )  # fmt: skip
        factors, crosses = np.empty((depth, size, size)), np.empty((depth, size, size))
        covariance, sums, b = np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
        root, feedback = np.empty((size, size)), np.empty((size, size))
        step, scale = np.empty(size), np.empty(size)
        for t in range(cell.shape[0]):
            c = cell[t]
            code, slope, width, depth, sw, sb = (
                codes[c],
                real(slopes[c]),
                widths[c],
                depths[c],
                sigma_w[c],
                sigma_b[c],
            )

            for layer in range(depth):
                for i in range(size):
                    for j in range(size):
                        covariance[i, j] = sw * sw * activation[t, layer, i, j] + sb * sb
                factor, hh = factors[layer], activation[t, layer + 1]
                cholesky(covariance, tolerance, factor)
                silent_fraction[t, layer] = forward(
                    code, slope, width, trial[t], layer + 1, key, factor, tile, sums, hh, crosses[layer]
                )
                sandwich(factor, sums, preactivation[t, layer])

            for i in range(size):
                scale[i] = 1.0
            for layer in range(depth - 1, -1, -1):
                top, factor, dd = layer == depth - 1, factors[layer], gradient[t, layer]
                backward(
                    code,
                    slope,
                    sw,
                    width,
                    trial[t],
                    layer + 1,
                    key,
                    top,
                    factor,
                    feedback,
                    root,
                    tile,
                    dd,
                    sums,
                )
                # Gradients are carried at unit mean square, so that no depth underflows float32.
                unit_diagonal(dd, covariance, step)
                for i in range(size):
                    for j in range(size):
                        dd[i, j] *= scale[i] * scale[j]
                        sums[i, j] = sums[i, j] / step[j] if step[j] > 0.0 else 0.0
                for i in range(size):
                    scale[i] *= step[i]
                if layer > 0:
                    cholesky(covariance, tolerance, root)
                    backward_factors(
                        sw,
                        sb,
                        width,
                        trial[t],
                        layer + 1,
                        key,
                        factor,
                        crosses[layer - 1],
                        sums,
                        root,
                        b,
                        feedback,
                    )

    return Routines(activate, dot, sample)
