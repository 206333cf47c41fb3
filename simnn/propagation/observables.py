"""From Gram matrices of one trial to the statistics that users ask for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Powers = NDArray[np.int64]


@dataclass(frozen=True)
class Grams:
    """Sums over the units of each layer, divided by its width; one row for each task.

    K inputs and C outputs make M = K C gradients, column ``c K + k`` for input k and output c. Lengths and gradients
    carry powers of two, so that no depth overflows. Layers that a shallower network of the sweep does not have are NaN.

    Attributes
    ----------
    preactivation : (tasks, depth, K, K) float64 array
        ``z^l_a . z^l_b / N``, in units of ``4^power``.
    decorrelation : (tasks, depth, K, K) float64 array
        1 - c of the pre-activations of two inputs, however close they are; NaN where one has no length.
    activation : (tasks, depth + 1, K, K) float64 array
        ``h^l_a . h^l_b / N``, in the same units; entry 0 is the input.
    power : (tasks, depth + 1) int64 array
        Binary exponent of the pre-activations and activations of a layer; entry 0 is the input.
    gradient : (tasks, depth, M, M) float64 array
        ``delta^l_m . delta^l_n / N``, in units of ``2^(gradient_power_m + gradient_power_n)``; output c has a gradient
        ~ N(0, I) at ``h^L``, the same for all inputs.
    gradient_power : (tasks, depth, M) int64 array
        Binary exponents of the gradients.
    alignment : (tasks, depth, M) float64 array
        ``z^l . delta^l / N``, in units of ``2^(power + gradient_power)``.
    silent : (tasks, depth) float64 array
        Fraction of units whose derivative vanishes for every input.
    """

    preactivation: "Array"
    decorrelation: "Array"
    activation: "Array"
    power: "Powers"
    gradient: "Array"
    gradient_power: "Powers"
    alignment: "Array"
    silent: "Array"

    @classmethod
    def empty(cls, tasks: int, depth: int, inputs: int, outputs: int) -> "Grams":
        """Arrays for that many tasks, filled with NaN.

        Parameters
        ----------
        tasks, depth, inputs, outputs : int
            Sizes.

        Returns
        -------
        Grams
        """
        columns = inputs * outputs
        return cls(
            preactivation=np.full((tasks, depth, inputs, inputs), np.nan),
            decorrelation=np.full((tasks, depth, inputs, inputs), np.nan),
            activation=np.full((tasks, depth + 1, inputs, inputs), np.nan),
            power=np.zeros((tasks, depth + 1), np.int64),
            gradient=np.full((tasks, depth, columns, columns), np.nan),
            gradient_power=np.zeros((tasks, depth, columns), np.int64),
            alignment=np.full((tasks, depth, columns), np.nan),
            silent=np.full((tasks, depth), np.nan),
        )


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


def _diagonal(gram: "Array") -> "Array":
    return np.asarray(np.einsum("...aa->...a", gram), np.float64)


def _overlap(gram: "Array") -> "Array":
    root = np.sqrt(_diagonal(gram))
    # Rounding must not push an overlap beyond 1, where its arc cosine ends.
    overlap: Array = np.clip(gram / (root[..., :, None] * root[..., None, :]), -1.0, 1.0)
    return overlap


def _logarithm(values: "Array", power: Any) -> "Array":
    """``ln(values 4^power)``, NaN where they vanish."""
    logarithm: Array = np.log(np.where(values > 0.0, values, np.nan)) + np.log(4.0) * power
    return logarithm


def observe(grams: Grams, sigma_w: "Array", sigma_b: "Array", widths: "Powers", outputs: int) -> dict[str, "Array"]:
    """Statistics of each task.

    Parameters
    ----------
    grams : Grams
        Gram matrices of the tasks.
    sigma_w, sigma_b : (tasks,) float64 array
        Of each task's network.
    widths : (tasks, depth) int64 array
        Units of each layer; what stands behind a network's depth does not matter.
    outputs : int
        Number of outputs.

    Returns
    -------
    dict of str to float64 array
        Arrays of shape (tasks, ...), keyed and ordered as `DESCRIPTIONS`. The overlap with a vanished vector is
        NaN, and so is the logarithm of its length.

    Notes
    -----
    The readouts ``f_c = sigma_w / sqrt(N) v_c . h^L + sigma_b beta_c`` share their directions v_c with the output
    gradients, so ``Theta = sum_l sigma_w^2 N_l / N_L D^l o S^l + S^(L+1) o 1_(c = c')`` with the Gram matrices D of
    gradients, and ``S^l = sigma_w^2 H^(l-1) + sigma_b^2`` from those of activations (Jacot, Gabriel & Hongler 2018,
    eq. 1-3).
    """
    tasks, depth, inputs, _ = grams.preactivation.shape
    per_output = (tasks, depth, outputs, inputs)
    power = grams.power[:, 1:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        length, activation_length = _diagonal(grams.preactivation), _diagonal(grams.activation)
        gradient_norm, gradient_power = _diagonal(grams.gradient), grams.gradient_power
        weight_gradient = gradient_norm.reshape(per_output) * activation_length[:, :-1, None]
        weight_power = gradient_power.reshape(per_output) + grams.power[:, :-1, None, None]
        alignment_power = gradient_power.reshape(per_output) + power[..., None]
        return {
            "length": np.ldexp(length, 2 * power),
            "log_length": _logarithm(length, power),
            "correlation": 1.0 - grams.decorrelation,
            "decorrelation": grams.decorrelation,
            "activation_length": np.ldexp(activation_length[:, 1:], 2 * power),
            "gradient_norm": _inputs_first(np.ldexp(gradient_norm, 2 * gradient_power), outputs),
            "log_gradient_norm": _inputs_first(_logarithm(gradient_norm, gradient_power), outputs),
            "gradient_correlation": _pairs_first(_overlap(grams.gradient), outputs),
            "gradient_alignment": np.ldexp(grams.alignment.reshape(per_output), alignment_power).swapaxes(-1, -2),
            "weight_gradient_norm": np.ldexp(weight_gradient, 2 * weight_power).swapaxes(-1, -2),
            "dead_fraction": grams.silent,
            "ntk": _tangent_kernel(grams, sigma_w, sigma_b, widths, outputs),
        }


def _inputs_first(values: "Array", outputs: int) -> "Array":
    """(..., M) as (..., input, output)."""
    return values.reshape(*values.shape[:-1], outputs, -1).swapaxes(-1, -2)


def _pairs_first(values: Any, outputs: int) -> Any:
    """(..., M, M) as (..., input, other_input, output, other_output)."""
    split = values.reshape(*values.shape[:-2], outputs, values.shape[-1] // outputs, outputs, -1)
    return np.moveaxis(split, (-4, -2), (-2, -1))


def _tangent_kernel(grams: Grams, sigma_w: "Array", sigma_b: "Array", widths: "Powers", outputs: int) -> "Array":
    """Empirical tangent kernel, (tasks, K, K, C, C)."""
    variance_w, variance_b = np.square(sigma_w)[:, None, None, None], np.square(sigma_b)[:, None, None, None]
    power = grams.power[:, :, None, None]
    covariance = variance_w * grams.activation + np.ldexp(variance_b, -2 * power)
    tasks, last = np.arange(len(widths)), np.sum(np.isfinite(grams.silent), axis=1)
    readout = np.ldexp(covariance[tasks, last], 2 * power[tasks, last])
    weight = variance_w * (widths / widths[tasks, last - 1][:, None])[:, :, None, None]
    gradients = _pairs_first(weight * grams.gradient, outputs)
    pair_power = _pairs_first(grams.gradient_power[..., :, None] + grams.gradient_power[..., None, :], outputs)
    layers = np.ldexp(
        gradients * covariance[:, :-1, :, :, None, None], pair_power + 2 * power[:, :-1, :, :, None, None]
    )
    kernel: Array = np.nansum(layers, axis=1) + readout[..., None, None] * np.eye(outputs)
    return kernel
