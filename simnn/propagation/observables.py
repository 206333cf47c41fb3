"""From the Gram matrices of a network to the statistics that users ask for, on any target."""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from simnn.device.targets import Target


class Grams(NamedTuple):
    """Sums over the units of each layer, divided by its width; one row for each network.

    K inputs and C outputs make M = K C gradients, column ``c K + k`` for input k and output c. Lengths and gradients
    carry powers of two, so that no depth overflows. Layers that a shallower network of the sweep does not have hold
    anything.

    Attributes
    ----------
    preactivation : (rows, depth, K, K) float64 array
        ``z^l_a . z^l_b / N``, in units of ``4^power``.
    decorrelation : (rows, depth, K, K) float64 array
        1 - c of the pre-activations of two inputs, however close they are; NaN where one has no length.
    activation : (rows, depth + 1, K, K) float64 array
        ``h^l_a . h^l_b / N``, in the same units; entry 0 is the input.
    power : (rows, depth + 1) int64 array
        Binary exponent of the pre-activations and activations of a layer; entry 0 is the input.
    gradient : (rows, depth, M, M) float64 array
        ``delta^l_m . delta^l_n / N``, in units of ``2^(gradient_power_m + gradient_power_n)``; output c has a gradient
        ~ N(0, I) at ``h^L``, the same for all inputs.
    gradient_power : (rows, depth, M) int64 array
        Binary exponents of the gradients.
    alignment : (rows, depth, M) float64 array
        ``z^l . delta^l / N``, in units of ``2^(power + gradient_power)``.
    silent : (rows, depth) float64 array
        Fraction of units whose derivative vanishes for every input.
    """

    preactivation: Any
    decorrelation: Any
    activation: Any
    power: Any
    gradient: Any
    gradient_power: Any
    alignment: Any
    silent: Any


def grams(rows: int, depth: int, inputs: int, outputs: int) -> dict[str, tuple[tuple[int, ...], type]]:
    """Shapes and types of `Grams`.

    Parameters
    ----------
    rows, depth, inputs, outputs : int
        Networks, layers of the deepest of them, K and C.

    Returns
    -------
    dict of str to (shape, dtype)
        In the order of `Grams`.
    """
    k, m = inputs, inputs * outputs
    layers = {
        "preactivation": (depth, k, k), "decorrelation": (depth, k, k), "activation": (depth + 1, k, k),
        "power": (depth + 1,), "gradient": (depth, m, m), "gradient_power": (depth, m), "alignment": (depth, m),
        "silent": (depth,),
    }  # fmt: skip
    return {
        name: ((rows, *shape), np.int64 if name.endswith("power") else np.float64) for name, shape in layers.items()
    }


def empty(rows: int, depth: int, inputs: int, outputs: int) -> Grams:
    """Gram matrices to be filled in.

    Parameters
    ----------
    rows, depth, inputs, outputs : int
        As of `grams`.

    Returns
    -------
    Grams
        Zeros.
    """
    return Grams(*(np.zeros(shape, kind) for shape, kind in grams(rows, depth, inputs, outputs).values()))


_INPUT, _PAIR = ("layer", "input"), ("layer", "input", "other_input")
_OUTPUT, _OUTPUT_PAIR = ("output",), ("output", "other_output")

DESCRIPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "length": (_INPUT, "mean square of the pre-activations, q^l = |z^l|^2 / N"),
    "log_length": (_INPUT, "natural logarithm of the length, where it is not zero"),
    "correlation": (_PAIR, "overlap of the pre-activations of two inputs"),
    "decorrelation": (_PAIR, "1 - overlap of the pre-activations of two inputs, however close they are"),
    "activation_length": (_INPUT, "mean square of the activations, |h^l|^2 / N"),
    "gradient_norm": (
        _INPUT + _OUTPUT,
        "mean square of dL/dz^l_i for a gradient ~ N(0, I) at the activations of the last layer",
    ),
    "log_gradient_norm": (_INPUT + _OUTPUT, "natural logarithm of the gradient norm, where it is not zero"),
    "gradient_correlation": (_PAIR + _OUTPUT_PAIR, "overlap of dL/dz^l of two inputs"),
    "gradient_alignment": (_INPUT + _OUTPUT, "pre-activations times gradients, z^l . dL/dz^l / N"),
    "weight_gradient_norm": (_INPUT + _OUTPUT, "mean square of dL/dW^l_ij in the standard parametrisation"),
    "dead_fraction": (("layer",), "fraction of units with zero derivative for every input"),
    "ntk": (_PAIR[1:] + _OUTPUT_PAIR, "empirical tangent kernel, NTK parametrisation"),
}
"""Dimensions (after those of the sweep) and long name of each statistic; all are dimensionless."""


def dimensions(statistic: str, outputs: int) -> tuple[str, ...]:
    """Dimensions of a statistic of one network.

    Parameters
    ----------
    statistic : str
        Key of `DESCRIPTIONS`.
    outputs : int
        Number of outputs; a single one makes no dimension.

    Returns
    -------
    tuple of str
    """
    dims = DESCRIPTIONS[statistic][0]
    return dims if outputs > 1 else tuple(dim for dim in dims if dim not in _OUTPUT_PAIR)


def shapes(depth: int, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    """Shape of each statistic of one network.

    Parameters
    ----------
    depth, inputs, outputs : int
        As of `grams`.

    Returns
    -------
    dict of str to tuple of int
        Keyed and ordered as `DESCRIPTIONS`.
    """
    sizes = {"layer": depth, "input": inputs, "other_input": inputs, "output": outputs, "other_output": outputs}
    return {name: tuple(sizes[dim] for dim in dimensions(name, outputs)) for name in DESCRIPTIONS}


def columns(depth: int, inputs: int, outputs: int) -> int:
    """Number of all statistics of one network.

    Parameters
    ----------
    depth, inputs, outputs : int
        As of `grams`.

    Returns
    -------
    int
    """
    return sum(map(math.prod, shapes(depth, inputs, outputs).values()))


class Observables(NamedTuple):
    """Statistics on one target (see `bind`)."""

    routine: Callable[..., Any]
    kernel: Callable[..., Any]


@functools.cache
def bind(target: "Target") -> Observables:
    """Bind the statistics for a target.

    Parameters
    ----------
    target : Target
        Where they are computed; they are float64 on all of them. Threads of a block share the work.

    Returns
    -------
    Observables
        ``routine(row, sigma_w, sigma_b, widths, depth, grams, out)``: the statistics of one network, joined in the
        order of `DESCRIPTIONS`, into ``out`` (columns,). ``kernel(cell, sigma_w, sigma_b, widths, depth, grams, out)``,
        on the host: those of network ``cell[row]`` of a sweep, for all rows. The overlap with a vanished vector is NaN,
        and so are the logarithm of its length, and layers that a network does not have.

    Notes
    -----
    The readouts ``f_c = sigma_w / sqrt(N) v_c . h^L + sigma_b beta_c`` share their directions v_c with the output
    gradients, so ``Theta = sum_l sigma_w^2 N_l / N_L D^l o S^l + S^(L+1) o 1_(c = c')`` with the Gram matrices D of
    gradients, and ``S^l = sigma_w^2 H^(l-1) + sigma_b^2`` from those of activations (Jacot, Gabriel & Hongler 2018,
    eq. 1-3).
    """
    lane, lanes, _ = target.block
    sqrt, log, ldexp = target.operations.sqrt, target.operations.log, target.operations.ldexp
    log4, nan = math.log(4.0), math.nan

    @target.device
    def logarithm(value, power):
        """``ln(value 4^power)``."""
        return log(value) + log4 * power if value > 0.0 else nan

    @target.device
    def clipped(overlap):
        """Rounding must not push an overlap beyond 1, where its arc cosine ends."""
        return 1.0 if overlap > 1.0 else -1.0 if overlap < -1.0 else overlap

    @target.routine
    def of_inputs(row, depth, grams, out):
        """All but gradients; returns the number of the first column that is left."""
        deepest, inputs = grams.preactivation.shape[1], grams.preactivation.shape[2]
        single, pair = deepest * inputs, deepest * inputs * inputs
        correlation, decorrelation, activation = 2 * single, 2 * single + pair, 2 * single + 2 * pair
        for item in range(lane(), single, lanes()):
            layer, a = item // inputs, item % inputs
            known, power = layer < depth, grams.power[row, layer + 1]
            length = grams.preactivation[row, layer, a, a]
            out[item] = ldexp(length, 2 * power) if known else nan
            out[single + item] = logarithm(length, power) if known else nan
            out[activation + item] = ldexp(grams.activation[row, layer + 1, a, a], 2 * power) if known else nan
            for b in range(inputs):
                apart = grams.decorrelation[row, layer, a, b] if known else nan
                out[correlation + item * inputs + b] = 1.0 - apart
                out[decorrelation + item * inputs + b] = apart
        return activation + single

    @target.routine
    def of_gradients(row, depth, grams, first, out):
        """Gradients, and units that pass none."""
        deepest, inputs, columns = grams.silent.shape[1], grams.preactivation.shape[2], grams.gradient.shape[2]
        outputs, single = columns // inputs, deepest * columns
        logarithms, overlaps = first + single, first + 2 * single
        alignment = overlaps + single * columns
        weight, dead = alignment + single, alignment + 2 * single
        for item in range(lane(), single, lanes()):
            layer, a, c = item // columns, item % columns // outputs, item % outputs
            m, known, gradient = c * inputs + a, layer < depth, grams.gradient[row, layer]
            norm, power = gradient[m, m], grams.gradient_power[row, layer, m]
            below, here = grams.power[row, layer], grams.power[row, layer + 1]
            activity = grams.activation[row, layer, a, a]
            out[first + item] = ldexp(norm, 2 * power) if known else nan
            out[logarithms + item] = logarithm(norm, power) if known else nan
            out[alignment + item] = ldexp(grams.alignment[row, layer, m], power + here) if known else nan
            out[weight + item] = ldexp(norm * activity, 2 * (power + below)) if known else nan
            for n in range(columns):
                b, e = n % inputs, n // inputs
                place = ((layer * inputs + a) * inputs + b) * outputs * outputs + c * outputs + e
                scale = sqrt(norm) * sqrt(gradient[n, n]) if known else 0.0
                out[overlaps + place] = clipped(gradient[m, n] / scale) if scale > 0.0 else nan
        for layer in range(lane(), deepest, lanes()):
            out[dead + layer] = grams.silent[row, layer] if layer < depth else nan
        return dead + deepest

    @target.routine
    def tangent_kernel(row, sw, sb, widths, depth, grams, first, out):
        inputs, columns = grams.preactivation.shape[2], grams.gradient.shape[2]
        outputs, top = columns // inputs, widths[depth - 1]
        for item in range(lane(), columns * columns, lanes()):
            pair, c, e = item // (outputs * outputs), item // outputs % outputs, item % outputs
            a, b = pair // inputs, pair % inputs
            m, n, total = c * inputs + a, e * inputs + b, 0.0
            for layer in range(depth + 1):
                power = grams.power[row, layer]
                covariance = sw * sw * grams.activation[row, layer, a, b] + ldexp(sb * sb, -2 * power)
                if layer < depth:
                    gradient = sw * sw * (widths[layer] / top) * grams.gradient[row, layer, m, n]
                    powers = grams.gradient_power[row, layer, m] + grams.gradient_power[row, layer, n]
                    total += ldexp(gradient * covariance, powers + 2 * power)
                elif c == e:
                    total += ldexp(covariance, 2 * power)
            out[first + item] = total

    @target.routine
    def observe(row, sigma_w, sigma_b, widths, depth, grams, out):
        gradients = of_inputs(row, depth, grams, out)
        kernel = of_gradients(row, depth, grams, gradients, out)
        tangent_kernel(row, sigma_w, sigma_b, widths, depth, grams, kernel, out)

    @target.kernel
    def observe_all(cell, sigma_w, sigma_b, widths, depth, grams, out):
        for row in range(cell.shape[0]):
            c = cell[row]
            observe(row, sigma_w[c], sigma_b[c], widths[c], depth[c], grams, out[row])

    return Observables(observe, observe_all)
