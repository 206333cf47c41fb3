"""Conditional sampler on the CPU: tiles of units, streaming through the layers.

Given the inputs of a layer, its weights matter only through the Gaussian vectors ``W h`` (forward) and
``W^T delta`` (backward), whose joint law is known in closed form: ``docs/theory.md`` derives it. With the bias as the
weight of one constant input, and V the activations in a basis of K columns (`simnn.propagation.basis`), a layer of N
units with n below it needs for each unit K forward and M backward normals, and no weight matrix:

forward     ``t_i = C x_i``, ``C C^T = sw^2 V^T V / n + sb^2 e e^T``, e the roots of the basis, x_i normal;
backward    ``u_j = r sw (sw F^T v_j + R^T y_j)``, ``R^T R = D^T D / N``, y_j normal, ``r^2 = N / n``,
            ``F = C^-T (r X^T D / N - C^-1 B R)``, ``B = sw V^T Y / n + sb e y_0^T / sqrt(n)``.

Between layers only these small matrices survive; they are float64. Units are regenerated from their counters in the
backward sweep, so memory does not grow with the width; normals that are still in a fixed ring of scratch are not drawn
again. Sums over units have a fixed order, independent of threads: lanes inside a tile, a tree over the lanes, tiles in
sequence.

Lengths and gradients carry binary exponents, so that no depth overflows: a network whose activations leave
``2^-40 ... 2^40`` goes on with the straight lines that its activation is there (`simnn.propagation.kernels.FAR`).
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import normals, philox, smallmatrix
from simnn.device.normals import TILE
from simnn.device.targets import Target
from simnn.propagation import basis, kernels, tiles
from simnn.propagation.tiles import LANES

RING_BYTES = 2**23
"""Scratch of a thread for normals, for networks of up to a million units (one input, single precision).

Their normals are then drawn once, not twice: 6 ns for each unit instead of 8. Keeping activations too would save
another nanosecond as long as they fit, and so make wide networks look dearer than they are.
"""

# A pivot is zero when rounding in the Gram matrix could have made it: some units in the last place.
_PIVOT_ULP = 8.0
# Beyond these powers of two a squared length leaves single precision soon.
_FAR, _NEAR = 40.0, -40.0


class Networks(NamedTuple):
    """Points of a sweep, one row each.

    Attributes
    ----------
    code : (cells,) int64 array
        See `simnn.propagation.kernels.Form`.
    lines : (cells, 3, 2) float64 array
        Slopes of an activation: its own, from far away, from close by.
    sigma_w, sigma_b : (cells,) float64 array
        Standard deviations of weights (times sqrt(fan in)) and biases.
    widths : (cells, deepest) int64 array
        Units of each layer.
    depth : (cells,) int64 array
        Number of layers.
    gram : (cells, K, K) float64 array
        Gram matrix of the inputs in their basis.
    parent : (cells, K) int64 array
        Forest of the inputs, see `simnn.propagation.basis.Basis`.
    order, tree : (K,) int64 array
        Tree of the inputs.
    """

    code: Any
    lines: Any
    sigma_w: Any
    sigma_b: Any
    widths: Any
    depth: Any
    gram: Any
    parent: Any
    order: Any
    tree: Any


class Results(NamedTuple):
    """Arrays of `simnn.propagation.observables.Grams`, in its order."""

    preactivation: Any
    decorrelation: Any
    activation: Any
    power: Any
    gradient: Any
    gradient_power: Any
    alignment: Any
    silent: Any


class Ring(NamedTuple):
    """Normals of tiles of units, the newest of a network in a fixed number of slots.

    Attributes
    ----------
    tag : (slots,) int64 array
        Number of the tile in a slot.
    x : (slots * K, TILE) array
        Forward normals.
    y : (slots * M, TILE) array
        Backward normals.
    """

    tag: Any
    x: Any
    y: Any


class Scratch(NamedTuple):
    """Scratch for one tile.

    Attributes
    ----------
    t, z : (K, TILE) array
        Pre-activations in the basis, and of the inputs.
    v, h : (K, TILE) array
        Activations in the basis, and of the inputs.
    d : (K, TILE) array
        Derivatives.
    u : (M, TILE) array
        Gradients.
    words : (4, TILE) uint32 array
        Random words.
    lanes : (LANES // 4,) array
        Partial sums.
    silent : (TILE,) int32 array
        Marks of units that pass no gradient.
    stop : (1,) int64 array
        Not zero once the caller wants no more: the kernel then returns soon, with results of no meaning.
    """

    t: Any
    z: Any
    v: Any
    h: Any
    d: Any
    u: Any
    words: Any
    lanes: Any
    silent: Any
    stop: Any


class Matrices(NamedTuple):
    """Small float64 matrices of the layers of one network (K inputs, M gradients).

    Attributes
    ----------
    factor : (depth, K, K) array
        C of each layer.
    pivot : (depth, K) int64 array
        Order of its rows.
    rank : (depth,) int64 array
        Number of its columns.
    cross : (depth, K, M) array
        ``V^T Y / N`` of each layer.
    parent : (depth + 1, K) int64 array
        Forest of the activations of each layer, and of the pre-activations of the next; entry 0 is the input.
    kind, first_tile : (depth,) int64 array
        Which line an activation is (see `Networks`), and the number of its first tile.
    covariance, gram, xx : (K, K) array
        Covariance of pre-activations, and sums over units.
    distance, excess : (K, K) array
        Squared distances, and differences of squared lengths.
    xd, b, solved : (K, M) array
        ``X^T D / N``, and scratch for B and F of the module docstring.
    feedback : (M, K) array
        ``r sw^2 F^T``.
    root : (M, M) array
        ``r sw R^T``.
    root_pivot : (M,) int64 array
        Order of its rows.
    overlap, relative : (K,) array
        Scratch.
    residual : (M,) array
        Scratch.
    power : (M,) int64 array
        Binary exponents of the gradients.
    """

    factor: Any
    pivot: Any
    rank: Any
    cross: Any
    parent: Any
    kind: Any
    first_tile: Any
    covariance: Any
    gram: Any
    xx: Any
    distance: Any
    excess: Any
    xd: Any
    b: Any
    solved: Any
    feedback: Any
    root: Any
    root_pivot: Any
    overlap: Any
    relative: Any
    residual: Any
    power: Any


def workspace(real: type, inputs: int, outputs: int, depth: int, stop: Any) -> tuple[Ring, Scratch, Matrices]:
    """Scratch of one thread.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.
    inputs, outputs, depth : int
        Sizes: K, C with M = K C, and the number of layers of the deepest network.
    stop : (1,) int64 array
        The caller's flag, see `Scratch`.

    Returns
    -------
    tuple of Ring, Scratch and Matrices
        About `RING_BYTES`, and (K + M)^2 numbers for each layer; the width does not matter.
    """
    columns = inputs * outputs
    slots = max(1, RING_BYTES // ((inputs + columns) * TILE * np.dtype(real).itemsize))

    def rows(count: int) -> Any:
        # Finite from the start: what is behind the last unit of a tile is multiplied by zero.
        return np.zeros((count, TILE), real)

    ring = Ring(np.full(slots, -1), rows(slots * inputs), rows(slots * columns))
    scratch = Scratch(
        rows(inputs), rows(inputs), rows(inputs), rows(inputs), rows(inputs), rows(columns),
        np.empty((4, TILE), np.uint32), np.empty(LANES // 4, real), np.empty(TILE, np.int32), stop,
    )  # fmt: skip
    square, mixed = (inputs, inputs), (inputs, columns)
    matrices = Matrices(
        np.empty((depth, *square)), np.empty((depth, inputs), np.int64), np.empty(depth, np.int64),
        np.empty((depth, *mixed)), np.empty((depth + 1, inputs), np.int64),
        np.empty(depth, np.int64), np.empty(depth, np.int64),
        np.empty(square), np.empty(square), np.empty(square), np.empty(square), np.empty(square),
        np.empty(mixed), np.empty(mixed), np.empty(mixed), np.empty((columns, inputs)), np.empty((columns, columns)),
        np.empty(columns, np.int64), np.empty(inputs), np.empty(inputs), np.empty(columns), np.empty(columns, np.int64),
    )  # fmt: skip
    return ring, scratch, matrices


class Factor(NamedTuple):
    """Root of a covariance, see `simnn.device.smallmatrix`.

    Attributes
    ----------
    matrix : (K, K) float64 array
        C, with ``C C^T`` the covariance.
    pivot : (K,) int64 array
        Rows in the order of their columns.
    rank : int
        Columns that are not zero.
    """

    matrix: Any
    pivot: Any
    rank: Any


class Draw(NamedTuple):
    """What fixes the normals of a layer, and the forests of its inputs.

    Attributes
    ----------
    trial, layer : int
        Counters.
    key : (2,) uint64 array
        Words of the seed.
    order : (K,) int64 array
        See `simnn.propagation.basis.Basis`.
    below, parent : (K,) int64 array
        Forests of the pre-activations and of the activations.
    """

    trial: Any
    layer: Any
    key: Any
    order: Any
    below: Any
    parent: Any


class Line(NamedTuple):
    """Activation of a layer, and the factor of its pre-activations.

    Attributes
    ----------
    code : int
        See `simnn.propagation.kernels.CODES`.
    up, down : real
        Slopes of a line with a kink.
    scale : float
        Of the pre-activations: a power of two.
    """

    code: Any
    up: Any
    down: Any
    scale: Any


@functools.cache
def bind(target: Target) -> Callable[..., Any]:
    """Bind the sampler for a target.

    Parameters
    ----------
    target : Target
        A CPU target.

    Returns
    -------
    callable
        ``sample(networks, key, cell, trial, results, ring, scratch, matrices)``: the kernel. Task i is trial
        ``trial[i]`` of network ``cell[i]``, and row i of the results; the last three are the `workspace`.
    """
    real, word, zero = target.real, target.word, target.real(0.0)
    philox4x32, _, normal_pair = philox.bind(target)
    pairs, _ = normals.bind(target)
    cholesky, solve_lower, solve_lower_transposed = smallmatrix.bind(target)
    unfold, decorrelate, cut = basis.bind(target)
    activate, difference, _, clear, clear_tail, combine, combine_factor, add_gram, silent_units = tiles.bind(target)
    tolerance = _PIVOT_ULP * float(np.finfo(real).eps)
    units_stream = philox.UNITS * philox.COLUMNS
    bias_stream = philox.BIAS_INPUT * philox.COLUMNS

    @target.routine
    def draw_normals(number, start, count, draw, ring, scratch):
        """Slot of a tile in the ring, its normals drawn if they are not there."""
        slot = number % ring.tag.shape[0]
        if ring.tag[slot] == number:
            return slot
        ring.tag[slot] = number
        inputs, columns = scratch.t.shape[0], scratch.u.shape[0]
        first_x, first_y = slot * inputs, slot * columns
        for a in range(inputs):
            x, y = ring.x[first_x + a], ring.y[first_y + a]
            pairs(start, count, draw.trial, draw.layer, units_stream + a, draw.key, scratch.words, x, y)
        clear_tail(count, inputs, first_x, ring.x)
        for m in range(inputs, columns, 2):
            # More columns than inputs: both normals of a pair are backward ones; an odd last one goes to scratch.
            y, last = ring.y[first_y + m], ring.y[first_y + m + 1] if m + 1 < columns else scratch.z[0]
            pairs(start, count, draw.trial, draw.layer, units_stream + m, draw.key, scratch.words, y, last)
        return slot

    @target.routine
    def units(number, start, count, draw, factor, line, ring, scratch):
        """Normals (their slot is returned), activations and derivatives of a tile."""
        slot = draw_normals(number, start, count, draw, ring, scratch)
        inputs = scratch.t.shape[0]
        combine_factor(factor, line.scale, count, ring.x, slot * inputs, True, scratch.t)
        for step in range(inputs):
            a = draw.order[step]
            t, z, v, h, d = scratch.t[a], scratch.z[a], scratch.v[a], scratch.h[a], scratch.d[a]
            if inputs == 1:
                activate(line.code, line.up, line.down, count, t, v, d)
                continue
            near = draw.below[a]
            for j in range(count):
                z[j] = t[j] + (scratch.z[near, j] if near >= 0 else zero)
            activate(line.code, line.up, line.down, count, z, h, d)
            near = draw.parent[a]
            if near < 0:
                for j in range(count):
                    v[j] = h[j]
            else:
                z0, h0 = scratch.z[near], scratch.h[near]
                if near != draw.below[a]:
                    for j in range(count):
                        t[j] = z[j] - z0[j]
                difference(line.code, line.up, line.down, count, t, z, h, z0, h0, v)
        clear_tail(count, inputs, 0, scratch.v)
        return slot

    @target.routine
    def forward(number, width, draw, factor, line, ring, scratch, xx, vv, vy):
        """Sums over the units of a layer: normals, activations, activations times backward normals."""
        clear(xx)
        clear(vv)
        clear(vy)
        inputs, columns = vy.shape
        silent = 0
        for start in range(0, width, TILE):
            if scratch.stop[0] != 0:
                break
            count = min(TILE, width - start)
            slot = units(number + start // TILE, start, count, draw, factor, line, ring, scratch)
            first_x, first_y = slot * inputs, slot * columns
            add_gram(ring.x, first_x, ring.x, first_x, True, scratch.lanes, xx)
            add_gram(scratch.v, 0, scratch.v, 0, True, scratch.lanes, vv)
            add_gram(scratch.v, 0, ring.y, first_y, False, scratch.lanes, vy)
            silent += silent_units(scratch.d, count, scratch.silent)
        finish_gram(xx, width, True)
        finish_gram(vv, width, True)
        finish_gram(vy, width, False)
        return silent / width

    @target.routine
    def backward(number, width, draw, factor, line, ring, scratch, top, feedback, root, dd, xd):
        """Sums over the units of a layer: gradients, forward normals times gradients."""
        clear(dd)
        clear(xd)
        inputs, columns = xd.shape
        u = scratch.u
        # From the last tile to the first: the newest normals are still in the ring.
        for start in range((width - 1) // TILE * TILE, -1, -TILE):
            if scratch.stop[0] != 0:
                break
            count = min(TILE, width - start)
            slot = units(number + start // TILE, start, count, draw, factor, line, ring, scratch)
            first_x, first_y = slot * inputs, slot * columns
            if top:
                for m in range(columns):
                    row = first_y + m // inputs
                    for j in range(count):
                        u[m, j] = ring.y[row, j]
            else:
                combine(feedback, count, scratch.v, 0, u)
                combine_factor(root, 1.0, count, ring.y, first_y, False, u)
            for m in range(columns):
                row = m % inputs
                for j in range(count):
                    u[m, j] *= scratch.d[row, j]
            clear_tail(count, columns, 0, u)
            add_gram(u, 0, u, 0, True, scratch.lanes, dd)
            add_gram(ring.x, first_x, u, 0, False, scratch.lanes, xd)
        finish_gram(dd, width, True)
        finish_gram(xd, width, False)

    @target.routine
    def finish_gram(total, width, symmetric):
        """Divide sums over units by their number and fill the upper triangle."""
        for i in range(total.shape[0]):
            for j in range(i + 1 if symmetric else total.shape[1]):
                total[i, j] /= width
                if symmetric:
                    total[j, i] = total[i, j]

    @target.routine
    def copy(source, out):
        """Copy a small matrix."""
        for i in range(source.shape[0]):
            for j in range(source.shape[1]):
                out[i, j] = source[i, j]

    @target.routine
    def sandwich(factor, middle, scale, half, out):
        """``out = scale^2 C M C^T``, by way of ``half = C M``."""
        size = out.shape[0]
        for i in range(size):
            for j in range(factor.rank):
                entry = 0.0
                for k in range(factor.rank):
                    entry += factor.matrix[i, k] * middle[k, j]
                half[i, j] = entry
        for i in range(size):
            for j in range(i + 1):
                entry = 0.0
                for k in range(factor.rank):
                    entry += half[i, k] * factor.matrix[j, k]
                out[i, j] = scale * scale * entry
                out[j, i] = out[i, j]

    @target.routine
    def covariance_of(sw, sb, parent, gram, out):
        """Covariance of pre-activations in the basis; returns its largest diagonal entry."""
        largest = 0.0
        for i in range(gram.shape[0]):
            for j in range(gram.shape[0]):
                # Biases drop out of differences.
                bias = sb if parent[i] < 0 and parent[j] < 0 else 0.0
                out[i, j] = sw * sw * gram[i, j] + bias * bias
            largest = max(largest, out[i, i])
        return largest

    @target.routine
    def kind_of(lines, largest, exponent):
        """Row of ``lines`` for squared pre-activations up to ``largest * 4^exponent``, and their new exponent."""
        known = 0.0 < largest < np.inf
        magnitude = exponent + 0.5 * np.log2(largest) if known else 0.0
        kind = 1 if magnitude > _FAR else 2 if magnitude < _NEAR else 0
        if kind == 0 or np.isnan(lines[kind, 0]):
            return 0, 0
        return kind, int(np.floor(magnitude))

    @target.routine
    def line_of(code, lines, kind, exponent):
        """Activation of a layer whose pre-activations change their exponent by so much."""
        chosen = code if kind == 0 else kernels.KINKED
        return Line(chosen, real(lines[kind, 0]), real(lines[kind, 1]), math.ldexp(1.0, int(-exponent)))

    @target.routine
    def rescale(dd, xd, exponents):
        """Gradients at unit mean square, to a power of two; adds the powers to ``exponents``."""
        columns = dd.shape[0]
        for m in range(columns):
            if dd[m, m] > 0.0:
                power = int(np.floor(0.5 * np.log2(dd[m, m])))
                factor = math.ldexp(1.0, int(-power))
                exponents[m] += power
                for i in range(columns):
                    dd[i, m] *= factor
                for i in range(columns):
                    dd[m, i] *= factor
                for i in range(xd.shape[0]):
                    xd[i, m] *= factor

    @target.routine
    def align(parent, factor, xd, scale, overlap, alignment):
        """Pre-activations times gradients, averaged over units, for the input and output of each column."""
        inputs, columns = xd.shape
        for m in range(columns):
            a = m % inputs
            for i in range(inputs):
                overlap[i] = 0.0
                for k in range(factor.rank):
                    overlap[i] += factor.matrix[i, k] * xd[k, m]
            total = overlap[a]
            while parent[a] >= 0:
                a = parent[a]
                total += overlap[a]
            alignment[m] = scale * total

    @target.routine
    def step_down(sw, sb, width, fan_in, draw, factor, cross, root, xd, b, solved, feedback):
        """Factors of the step through the weights of a layer: ``feedback`` of V, and ``root`` of Y."""
        inputs, columns = xd.shape
        ratio = np.sqrt(width / fan_in)
        for m in range(columns):
            w0, w1, w2, w3 = philox4x32(
                word(0), word(draw.trial), word(draw.layer), word(bias_stream + m), word(draw.key[0]), word(draw.key[1])
            )
            y0, _ = normal_pair(w0, w1, w2, w3)
            for i in range(inputs):
                bias = sb * np.float64(y0) / np.sqrt(fan_in) if draw.below[i] < 0 else 0.0
                b[i, m] = sw * cross[i, m] + bias
        solve_lower(factor.matrix, factor.pivot, factor.rank, b, solved)
        for i in range(inputs):
            for m in range(columns):
                entry = ratio * xd[i, m]
                for k in range(root.rank):
                    entry -= solved[i, k] * root.matrix[m, k]
                b[i, m] = entry
        solve_lower_transposed(factor.matrix, factor.pivot, factor.rank, b, solved)
        for m in range(columns):
            for i in range(inputs):
                feedback[m, i] = sw * sw * ratio * solved[i, m]
            for k in range(columns):
                root.matrix[m, k] *= sw * ratio

    @target.routine
    def ascend(c, trial, key, row, networks, results, ring, scratch, matrices, number):
        """Forward sweep of one network; returns the number of the next tile."""
        sw, sb, widths, lines = networks.sigma_w[c], networks.sigma_b[c], networks.widths[c], networks.lines[c]
        order, gram, covariance, xx = networks.order, matrices.gram, matrices.covariance, matrices.xx
        distance, excess, power = matrices.distance, matrices.excess, results.power[row]
        overlap, relative = matrices.overlap, matrices.relative
        copy(networks.gram[c], gram)
        for a in range(order.shape[0]):
            matrices.parent[0, a] = networks.parent[c, a]
        power[0] = 0
        unfold(order, matrices.parent[0], gram, results.activation[row, 0], distance, excess, overlap, relative)
        for layer in range(networks.depth[c]):
            width, below, parent = widths[layer], matrices.parent[layer], matrices.parent[layer + 1]
            largest = covariance_of(sw, math.ldexp(sb, int(-power[layer])), below, gram, covariance)
            matrices.rank[layer] = cholesky(
                covariance, tolerance, matrices.factor[layer], matrices.pivot[layer], matrices.residual
            )
            factor = Factor(matrices.factor[layer], matrices.pivot[layer], matrices.rank[layer])
            kind, power[layer + 1] = kind_of(lines, largest, power[layer])
            line = line_of(networks.code[c], lines, kind, power[layer + 1] - power[layer])
            bias, activation = math.ldexp(sb, int(-power[layer + 1])), results.activation[row, layer + 1]
            for a in range(order.shape[0]):
                parent[a] = below[a]
            draw, changed = Draw(trial, layer + 1, key, order, below, parent), True
            while changed:
                # Again where an edge is cut or mended (once: what is new lasts): sums in the new basis are exact.
                results.silent[row, layer] = forward(
                    number, width, draw, factor, line, ring, scratch, xx, gram, matrices.cross[layer]
                )
                unfold(order, parent, gram, activation, distance, excess, overlap, relative)
                changed = cut(networks.tree, sw * sw, bias * bias, activation, distance, parent)
            sandwich(factor, xx, line.scale, distance, covariance)
            unfold(order, below, covariance, results.preactivation[row, layer], distance, excess, overlap, relative)
            decorrelate(results.preactivation[row, layer], distance, excess, results.decorrelation[row, layer])
            matrices.kind[layer], matrices.first_tile[layer] = kind, number
            number += (width - 1) // TILE + 1
        return number

    @target.routine
    def descend(c, trial, key, row, networks, results, ring, scratch, matrices):
        """Backward sweep of one network."""
        sw, sb, widths, lines = networks.sigma_w[c], networks.sigma_b[c], networks.widths[c], networks.lines[c]
        order, powers, xd = networks.order, results.power[row], matrices.xd
        top, root = networks.depth[c] - 1, Factor(matrices.root, matrices.root_pivot, np.int64(0))
        for m in range(matrices.power.shape[0]):
            matrices.power[m] = 0
        for layer in range(top, -1, -1):
            factor = Factor(matrices.factor[layer], matrices.pivot[layer], matrices.rank[layer])
            dd, power, below = results.gradient[row, layer], powers[layer], matrices.parent[layer]
            line = line_of(networks.code[c], lines, matrices.kind[layer], powers[layer + 1] - power)
            draw = Draw(trial, layer + 1, key, order, below, matrices.parent[layer + 1])
            backward(
                matrices.first_tile[layer], widths[layer], draw, factor, line, ring, scratch, layer == top,
                matrices.feedback, root, dd, xd,
            )  # fmt: skip
            rescale(dd, xd, matrices.power)
            for m in range(matrices.power.shape[0]):
                results.gradient_power[row, layer, m] = matrices.power[m]
            align(below, factor, xd, line.scale, matrices.overlap, results.alignment[row, layer])
            if layer > 0:
                rank = cholesky(dd, tolerance, matrices.root, matrices.root_pivot, matrices.residual)
                root = Factor(matrices.root, matrices.root_pivot, rank)
                step_down(
                    sw, math.ldexp(sb, int(-power)), widths[layer], widths[layer - 1], draw, factor,
                    matrices.cross[layer - 1], root, xd, matrices.b, matrices.solved, matrices.feedback,
                )  # fmt: skip

    @target.kernel
    def sample(networks, key, cell, trial, results, ring, scratch, matrices):
        number, slots = 0, ring.tag.shape[0]
        for row in range(cell.shape[0]):
            if scratch.stop[0] != 0:
                break
            # Each network starts at the first slot: a small one stays in the cache.
            number = (number + slots - 1) // slots * slots
            number = ascend(cell[row], trial[row], key, row, networks, results, ring, scratch, matrices, number)
            descend(cell[row], trial[row], key, row, networks, results, ring, scratch, matrices)

    return sample
