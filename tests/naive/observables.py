"""Statistics of networks from their Gram matrices, all networks at once with NumPy: the oracle of the kernel."""

import numpy as np


def observe(grams, sigma_w, sigma_b, widths, depths, outputs):
    """Arrays (networks, ...), keyed and ordered as `simnn.propagation.observables.DESCRIPTIONS`.

    ``sigma_w``, ``sigma_b``, ``depths`` (networks,) and ``widths`` (networks, deepest) are those of each network. What
    the Gram matrices hold beyond the depth of a network does not matter.
    """
    networks, deepest, inputs, _ = grams.preactivation.shape
    per_output = (networks, deepest, outputs, inputs)
    power = grams.power[:, 1:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        length, activation_length = diagonal(grams.preactivation), diagonal(grams.activation)
        gradient_norm, gradient_power = diagonal(grams.gradient), grams.gradient_power
        weight_gradient = gradient_norm.reshape(per_output) * activation_length[:, :-1, None]
        weight_power = gradient_power.reshape(per_output) + grams.power[:, :-1, None, None]
        alignment_power = gradient_power.reshape(per_output) + power[..., None]
        statistics = {
            "length": np.ldexp(length, 2 * power),
            "log_length": logarithm(length, power),
            "correlation": 1.0 - grams.decorrelation,
            "decorrelation": grams.decorrelation,
            "activation_length": np.ldexp(activation_length[:, 1:], 2 * power),
            "gradient_norm": inputs_first(np.ldexp(gradient_norm, 2 * gradient_power), outputs),
            "log_gradient_norm": inputs_first(logarithm(gradient_norm, gradient_power), outputs),
            "gradient_correlation": pairs_first(overlap(grams.gradient), outputs),
            "gradient_alignment": np.ldexp(grams.alignment.reshape(per_output), alignment_power).swapaxes(-1, -2),
            "weight_gradient_norm": np.ldexp(weight_gradient, 2 * weight_power).swapaxes(-1, -2),
            "dead_fraction": grams.silent,
        }
        missing = np.arange(deepest) >= np.asarray(depths)[:, None]
        for name, values in statistics.items():
            statistics[name] = np.where(missing.reshape(missing.shape + (1,) * (values.ndim - 2)), np.nan, values)
        return statistics | {"ntk": tangent_kernel(grams, sigma_w, sigma_b, widths, depths, outputs)}


def diagonal(gram):
    """Entries of the diagonal, as the last axis."""
    return np.einsum("...aa->...a", gram)


def overlap(gram):
    """Overlaps of vectors with these products."""
    root = np.sqrt(diagonal(gram))
    return np.clip(gram / (root[..., :, None] * root[..., None, :]), -1.0, 1.0)


def logarithm(values, power):
    """``ln(values 4^power)``, NaN where they vanish."""
    return np.log(np.where(values > 0.0, values, np.nan)) + np.log(4.0) * power


def inputs_first(values, outputs):
    """(..., M) as (..., input, output)."""
    return values.reshape(*values.shape[:-1], outputs, -1).swapaxes(-1, -2)


def pairs_first(values, outputs):
    """(..., M, M) as (..., input, other_input, output, other_output)."""
    split = values.reshape(*values.shape[:-2], outputs, values.shape[-1] // outputs, outputs, -1)
    return np.moveaxis(split, (-4, -2), (-2, -1))


def tangent_kernel(grams, sigma_w, sigma_b, widths, depths, outputs):
    """Empirical tangent kernel, (networks, K, K, C, C)."""
    networks, last = np.arange(len(widths)), np.asarray(depths)
    variance_w, variance_b = np.square(sigma_w)[:, None, None, None], np.square(sigma_b)[:, None, None, None]
    power = grams.power[:, :, None, None]
    covariance = variance_w * grams.activation + np.ldexp(variance_b, -2 * power)
    readout = np.ldexp(covariance[networks, last], 2 * power[networks, last])
    weight = variance_w * (widths / widths[networks, last - 1][:, None])[:, :, None, None]
    gradients = pairs_first(weight * grams.gradient, outputs)
    pair_power = pairs_first(grams.gradient_power[..., :, None] + grams.gradient_power[..., None, :], outputs)
    layers = np.ldexp(
        gradients * covariance[:, :-1, :, :, None, None], pair_power + 2 * power[:, :-1, :, :, None, None]
    )
    inside = np.arange(widths.shape[1]) < last[:, None]
    total = np.sum(layers, axis=1, where=inside[:, :, None, None, None, None])
    return total + readout[..., None, None] * np.eye(outputs)
