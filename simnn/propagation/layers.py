"""Between layers: the small matrices of one network, and what becomes of them from layer to layer.

`simnn.propagation.cpu` has the formulas. A step up makes the factor of a layer's pre-activations out of the sums over
the units below; a step down the factors of the gradients below out of the sums over the units of a layer. Everything is
float64, whatever the precision of the units.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import philox, smallmatrix
from simnn.device.targets import Target
from simnn.propagation import basis, kernels
from simnn.propagation.units import Factor, Line

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
    kind : (depth,) int64 array
        Which line an activation is (see `Networks`).
    covariance, gram, xx : (K, K) array
        Covariance of pre-activations, and sums over units.
    distance, excess : (K, K) array
        Squared distances, and differences of squared lengths.
    xd, b, solved : (K, M) array
        ``X^T D / N``, and scratch for B and F of `simnn.propagation.cpu`.
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


class Layers(NamedTuple):
    """Routines of one target (see `bind`)."""

    start: Callable[..., Any]
    before: Callable[..., Any]
    line: Callable[..., Any]
    after: Callable[..., Any]
    finish: Callable[..., Any]
    turn: Callable[..., Any]
    below: Callable[..., Any]


def matrices(lead: tuple[int, ...], inputs: int, outputs: int, depth: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """Shapes and types of `Matrices`.

    Parameters
    ----------
    lead : tuple of int
        Axes before those of one network.
    inputs, outputs, depth : int
        Sizes: K, C with M = K C, and the number of layers of the deepest network.

    Returns
    -------
    dict of str to (shape, dtype)
        In the order of `Matrices`.
    """
    k, m = inputs, inputs * outputs
    real = {
        "factor": (depth, k, k), "cross": (depth, k, m), "covariance": (k, k), "gram": (k, k), "xx": (k, k),
        "distance": (k, k), "excess": (k, k), "xd": (k, m), "b": (k, m), "solved": (k, m), "feedback": (m, k),
        "root": (m, m), "overlap": (k,), "relative": (k,), "residual": (m,),
    }  # fmt: skip
    whole = {
        "pivot": (depth, k), "rank": (depth,), "parent": (depth + 1, k), "kind": (depth,), "root_pivot": (m,),
        "power": (m,),
    }  # fmt: skip
    return {
        name: ((*lead, *(real[name] if name in real else whole[name])), np.float64 if name in real else np.int64)
        for name in Matrices._fields
    }


@functools.cache
def bind(target: Target) -> Layers:
    """Bind the steps for a target.

    Parameters
    ----------
    target : Target
        Where they run, one thread for each network.

    Returns
    -------
    Layers
        In these, c is a network's row of `Networks`, ``row`` that of its trial in `Grams`, and layers count from 0.
        ``start(c, row, networks, grams, matrices)``: the inputs.
        ``before(c, row, layer, networks, grams, matrices)``: factor of the pre-activations of a layer.
        ``line(c, row, layer, networks, grams, matrices)``: its activation, once that is done.
        ``after(c, row, layer, networks, grams, matrices) -> bool``: from ``xx``, ``gram`` and ``cross``, sums over
        units, the Gram matrix of the activations; whether edges of the forest were cut or mended, so that the sums are
        wanted again, in the new basis (once: what is new lasts).
        ``finish(c, row, layer, networks, grams, matrices)``: the Gram matrix of the pre-activations.
        ``turn(matrices)``: the way back begins.
        ``below(c, row, layer, trial, key, networks, grams, matrices) -> rank``: from ``grams.gradient`` and
        ``xd``, sums over units, the gradients of a layer, and the factors of those below with the rank of ``root``.
    """
    finish_gram, copy, sandwich, covariance_of = _bind_matrices(target)
    start, before, line, after, finish = _bind_up(target, finish_gram, copy, sandwich, covariance_of)
    return Layers(start, before, line, after, finish, *_bind_down(target, finish_gram, line))


def _bind_matrices(target: Target) -> tuple[Callable[..., Any], ...]:
    """Arithmetic of small matrices."""

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

    return finish_gram, copy, sandwich, covariance_of


def _bind_lines(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What an activation is where pre-activations are far away from its bend, or close by."""
    real, names = target.real, target.operations
    floor, log2, isnan = names.floor, names.log2, names.isnan

    @target.routine
    def kind_of(lines, largest, exponent):
        """Row of ``lines`` for squared pre-activations up to ``largest * 4^exponent``, and their new exponent."""
        known = 0.0 < largest < np.inf
        magnitude = exponent + 0.5 * log2(largest) if known else 0.0
        kind = 1 if magnitude > _FAR else 2 if magnitude < _NEAR else 0
        if kind == 0 or isnan(lines[kind, 0]):
            return 0, 0
        return kind, int(floor(magnitude))

    @target.routine
    def line_of(code, lines, kind, exponent):
        """Activation of a layer whose pre-activations change their exponent by so much."""
        chosen = code if kind == 0 else kernels.KINKED
        return Line(chosen, real(lines[kind, 0]), real(lines[kind, 1]), math.ldexp(1.0, int(-exponent)))

    return kind_of, line_of


def _bind_up(target: Target, finish_gram: Any, copy: Any, sandwich: Any, covariance_of: Any) -> tuple[Any, ...]:
    """Steps of the way up."""
    cholesky = smallmatrix.bind(target).cholesky
    unfold, decorrelate, cut = basis.bind(target)
    kind_of, line_of = _bind_lines(target)
    tolerance = _PIVOT_ULP * float(np.finfo(target.real).eps)

    @target.routine
    def start(c, row, networks, grams, matrices):
        order, parent = networks.order, matrices.parent[0]
        copy(networks.gram[c], matrices.gram)
        for a in range(order.shape[0]):
            parent[a] = networks.parent[c, a]
        grams.power[row, 0] = 0
        unfold(
            order, parent, matrices.gram, grams.activation[row, 0], matrices.distance, matrices.excess,
            matrices.overlap, matrices.relative,
        )  # fmt: skip

    @target.routine
    def before(c, row, layer, networks, grams, matrices):
        sw, sb, power = networks.sigma_w[c], networks.sigma_b[c], grams.power[row]
        below, parent = matrices.parent[layer], matrices.parent[layer + 1]
        largest = covariance_of(sw, math.ldexp(sb, int(-power[layer])), below, matrices.gram, matrices.covariance)
        matrices.rank[layer] = cholesky(
            matrices.covariance, tolerance, matrices.factor[layer], matrices.pivot[layer], matrices.residual
        )
        kind, power[layer + 1] = kind_of(networks.lines[c], largest, power[layer])
        matrices.kind[layer] = kind
        for a in range(parent.shape[0]):
            parent[a] = below[a]

    @target.routine
    def line(c, row, layer, networks, grams, matrices):
        power = grams.power[row]
        return line_of(networks.code[c], networks.lines[c], matrices.kind[layer], power[layer + 1] - power[layer])

    @target.routine
    def after(c, row, layer, networks, grams, matrices):
        width, sw = networks.widths[c, layer], networks.sigma_w[c]
        bias = math.ldexp(networks.sigma_b[c], int(-grams.power[row, layer + 1]))
        parent, activation = matrices.parent[layer + 1], grams.activation[row, layer + 1]
        finish_gram(matrices.xx, width, True)
        finish_gram(matrices.gram, width, True)
        finish_gram(matrices.cross[layer], width, False)
        unfold(
            networks.order, parent, matrices.gram, activation, matrices.distance, matrices.excess, matrices.overlap,
            matrices.relative,
        )  # fmt: skip
        return cut(networks.tree, sw * sw, bias * bias, activation, matrices.distance, parent)

    @target.routine
    def finish(c, row, layer, networks, grams, matrices):
        scale = line(c, row, layer, networks, grams, matrices).scale
        factor = Factor(matrices.factor[layer], matrices.pivot[layer], matrices.rank[layer])
        distance, excess, preactivation = matrices.distance, matrices.excess, grams.preactivation[row, layer]
        sandwich(factor, matrices.xx, scale, distance, matrices.covariance)
        unfold(
            networks.order, matrices.parent[layer], matrices.covariance, preactivation, distance, excess,
            matrices.overlap, matrices.relative,
        )  # fmt: skip
        decorrelate(preactivation, distance, excess, grams.decorrelation[row, layer])

    return start, before, line, after, finish


def _bind_down(target: Target, finish_gram: Any, line: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Steps of the way down."""
    word, names = target.word, target.operations
    sqrt, floor, log2 = names.sqrt, names.floor, names.log2
    philox4x32, _, normal_pair = philox.bind(target)
    cholesky, solve_lower, solve_lower_transposed = smallmatrix.bind(target)
    tolerance = _PIVOT_ULP * float(np.finfo(target.real).eps)
    bias_stream = philox.BIAS_INPUT * philox.COLUMNS

    @target.routine
    def rescale(dd, xd, exponents):
        """Gradients at unit mean square, to a power of two; adds the powers to ``exponents``."""
        columns = dd.shape[0]
        for m in range(columns):
            if dd[m, m] > 0.0:
                power = int(floor(0.5 * log2(dd[m, m])))
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
    def step_down(
        sw, sb, width, fan_in, trial, layer, key, below, factor, cross, root, xd, b, solved, feedback
    ):  # fmt: skip
        """Factors of the step through the weights of a layer: ``feedback`` of V, and ``root`` of Y."""
        inputs, columns = xd.shape
        ratio = sqrt(width / fan_in)
        for m in range(columns):
            w0, w1, w2, w3 = philox4x32(
                word(0), word(trial), word(layer), word(bias_stream + m), word(key[0]), word(key[1])
            )
            y0, _ = normal_pair(w0, w1, w2, w3)
            for i in range(inputs):
                bias = sb * np.float64(y0) / sqrt(fan_in) if below[i] < 0 else 0.0
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
    def turn(matrices):
        for m in range(matrices.power.shape[0]):
            matrices.power[m] = 0

    @target.routine
    def below(c, row, layer, trial, key, networks, grams, matrices):
        widths, power, dd, xd = networks.widths[c], grams.power[row, layer], grams.gradient[row, layer], matrices.xd
        factor = Factor(matrices.factor[layer], matrices.pivot[layer], matrices.rank[layer])
        parent, scale = matrices.parent[layer], line(c, row, layer, networks, grams, matrices).scale
        finish_gram(dd, widths[layer], True)
        finish_gram(xd, widths[layer], False)
        rescale(dd, xd, matrices.power)
        for m in range(matrices.power.shape[0]):
            grams.gradient_power[row, layer, m] = matrices.power[m]
        align(parent, factor, xd, scale, matrices.overlap, grams.alignment[row, layer])
        if layer == 0:
            return 0
        rank = cholesky(dd, tolerance, matrices.root, matrices.root_pivot, matrices.residual)
        step_down(
            networks.sigma_w[c], math.ldexp(networks.sigma_b[c], int(-power)), widths[layer], widths[layer - 1],
            trial, layer + 1, key, parent, factor, matrices.cross[layer - 1],
            Factor(matrices.root, matrices.root_pivot, rank), xd, matrices.b, matrices.solved, matrices.feedback,
        )  # fmt: skip
        return rank

    return turn, below
