"""The obvious NumPy network: draw every weight, multiply, differentiate by the chain rule."""

import itertools

import numpy as np
from scipy import special, stats

ACTIVATIONS = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(float)),
    "leaky_relu(0.2)": (lambda z: np.where(z > 0.0, z, 0.2 * z), lambda z: np.where(z > 0.0, 1.0, 0.2)),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "erf": (special.erf, lambda z: 2.0 / np.sqrt(np.pi) * np.exp(-(z**2))),
    "sigmoid": (special.expit, lambda z: special.expit(z) * special.expit(-z)),
    "hard_tanh": (lambda z: np.clip(z, -1.0, 1.0), lambda z: (np.abs(z) < 1.0).astype(float)),
    "gelu": (lambda z: z * stats.norm.cdf(z), lambda z: stats.norm.cdf(z) + z * stats.norm.pdf(z)),
    "silu": (
        lambda z: z * special.expit(z),
        lambda z: special.expit(z) * (1.0 + z * special.expit(-z)),
    ),
    "selu": (
        lambda z: 1.0507009873554805 * np.where(z > 0.0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0.0))),
        lambda z: 1.0507009873554805 * np.where(z > 0.0, 1.0, 1.6732632423543772 * np.exp(np.minimum(z, 0.0))),
    ),
    "sin": (np.sin, np.cos),
}


def random_network(rng, widths, fan_in, sigma_w, sigma_b):
    """Weights and biases of the hidden layers, standard parametrisation."""
    sizes = [fan_in, *widths]
    weights = [rng.normal(0.0, sigma_w / np.sqrt(a), (b, a)) for a, b in itertools.pairwise(sizes)]
    return weights, [rng.normal(0.0, sigma_b, width) for width in widths]


def statistics(inputs, weights, biases, output_gradients, activation, sigma_w, sigma_b):
    """Every observable of `simnn.propagation.simulate` for one network.

    Inputs are (K, n_in), output gradients (N, C); with a single output the dimensions of outputs are dropped.
    """
    phi, derivative = ACTIVATIONS[activation]
    h, z = [inputs.T], []
    for matrix, bias in zip(weights, biases, strict=True):
        z.append(matrix @ h[-1] + bias[:, None])
        h.append(phi(z[-1]))
    deltas = [None] * len(weights)
    u = np.repeat(output_gradients[:, None, :], len(inputs), axis=1)  # (units, input, output)
    for l in reversed(range(len(weights))):
        deltas[l] = derivative(z[l])[:, :, None] * u
        u = np.einsum("ij,ikc->jkc", weights[l], deltas[l])
    with np.errstate(divide="ignore"):
        found = {
            "length": np.array([np.mean(a**2, axis=0) for a in z]),
            "log_length": np.array([np.log(np.mean(a**2, axis=0)) for a in z]),
            "correlation": np.array([_overlap(a) for a in z]),
            "decorrelation": np.array([1.0 - _overlap(a) for a in z]),
            "activation_length": np.array([np.mean(a**2, axis=0) for a in h[1:]]),
            "gradient_norm": np.array([np.mean(a**2, axis=0) for a in deltas]),
            "log_gradient_norm": np.array([np.log(np.mean(a**2, axis=0)) for a in deltas]),
            "gradient_correlation": np.array([_overlaps(a) for a in deltas]),
            "gradient_alignment": np.array(
                [np.mean(a[:, :, None] * d, axis=0) for a, d in zip(z, deltas, strict=True)]
            ),
            "weight_gradient_norm": np.array(
                [
                    np.mean(np.square(np.einsum("ikc,jk->ijkc", d, a)), axis=(0, 1))
                    for d, a in zip(deltas, h[:-1], strict=True)
                ]
            ),
            "dead_fraction": np.array([np.mean(np.all(derivative(a) == 0.0, axis=1)) for a in z]),
            "ntk": tangent_kernel(h, deltas, sigma_w, sigma_b),
        }
    for name in OUTPUT_AXES if output_gradients.shape[1] == 1 else ():
        found[name] = found[name].squeeze(OUTPUT_AXES[name])
    return found


OUTPUT_AXES = {
    "gradient_norm": (-1,),
    "log_gradient_norm": (-1,),
    "gradient_correlation": (-2, -1),
    "gradient_alignment": (-1,),
    "weight_gradient_norm": (-1,),
    "ntk": (-2, -1),
}


def tangent_kernel(h, deltas, sigma_w, sigma_b):
    """Gram matrix of explicit gradients with respect to every NTK parameter, (K, K, C, C)."""
    inputs, outputs = deltas[0].shape[1:]
    width = len(h[-1])
    rows = []
    for k in range(inputs):
        for c in range(outputs):
            # f = sigma_w / sqrt(N) g . h^L: its gradient at z^l is sigma_w / sqrt(N) delta.
            gradients = [sigma_w / np.sqrt(width) * delta[:, k, c] for delta in deltas]
            parts = [
                np.outer(gradient, sigma_w / np.sqrt(len(below)) * below[:, k]).ravel()
                for gradient, below in zip(gradients, h[:-1], strict=True)
            ]
            readout = np.zeros((outputs, width + 1))
            readout[c] = [*(sigma_w / np.sqrt(width) * h[-1][:, k]), sigma_b]
            rows.append(np.concatenate([*parts, *(sigma_b * gradient for gradient in gradients), readout.ravel()]))
    parameters = np.array(rows).reshape(inputs, outputs, -1)
    return np.einsum("kcp,ldp->klcd", parameters, parameters)


def _overlaps(deltas):
    """(K, K, C, C) overlaps of gradients."""
    columns = deltas.reshape(len(deltas), -1)
    inputs, outputs = deltas.shape[1:]
    return _overlap(columns).reshape(inputs, outputs, inputs, outputs).transpose(0, 2, 1, 3)


def _overlap(columns):
    gram = columns.T @ columns
    root = np.sqrt(np.diag(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        return gram / np.outer(root, root)
