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


def random_network(rng, width, fan_in, depth, sigma_w, sigma_b):
    """Weights and biases of the hidden layers, standard parametrisation."""
    sizes = [fan_in] + [width] * depth
    weights = [rng.normal(0.0, sigma_w / np.sqrt(a), (b, a)) for a, b in itertools.pairwise(sizes)]
    return weights, [rng.normal(0.0, sigma_b, width) for _ in range(depth)]


def statistics(inputs, weights, biases, output_gradient, activation, sigma_w, sigma_b):
    """Every observable of `simnn.propagation.simulate` for one network; inputs are (K, n_in)."""
    phi, derivative = ACTIVATIONS[activation]
    h, z = [inputs.T], []
    for matrix, bias in zip(weights, biases, strict=True):
        z.append(matrix @ h[-1] + bias[:, None])
        h.append(phi(z[-1]))
    deltas = [None] * len(weights)
    u = np.repeat(output_gradient[:, None], len(inputs), axis=1)
    for l in reversed(range(len(weights))):
        deltas[l] = derivative(z[l]) * u
        u = weights[l].T @ deltas[l]
    return {
        "length": np.array([np.mean(a**2, axis=0) for a in z]),
        "correlation": np.array([_overlap(a) for a in z]),
        "activation_length": np.array([np.mean(a**2, axis=0) for a in h[1:]]),
        "gradient_norm": np.array([np.mean(a**2, axis=0) for a in deltas]),
        "gradient_correlation": np.array([_overlap(a) for a in deltas]),
        "weight_gradient_norm": np.array(
            [
                [np.mean(np.outer(d[:, k], a[:, k]) ** 2) for k in range(len(inputs))]
                for d, a in zip(deltas, h[:-1], strict=True)
            ]
        ),
        "dead_fraction": np.array([np.mean(np.all(derivative(a) == 0.0, axis=1)) for a in z]),
        "ntk": tangent_kernel(h, deltas, sigma_w, sigma_b),
    }


def tangent_kernel(h, deltas, sigma_w, sigma_b):
    """Sum of the Gram matrices of explicit gradients with respect to every NTK parameter."""
    width = len(h[-1])
    total = 0.0
    for delta, below in zip(deltas, h[:-1], strict=True):
        # f = sigma_w / sqrt(N) g . h^L: its gradient at z^l is sigma_w / sqrt(N) delta.
        output = sigma_w / np.sqrt(width) * delta
        weight_gradients = [
            sigma_w / np.sqrt(len(below)) * np.outer(output[:, k], below[:, k]).ravel() for k in range(delta.shape[1])
        ]
        bias_gradients = sigma_b * output.T
        parameters = np.concatenate([np.array(weight_gradients), bias_gradients], axis=1)
        total = total + parameters @ parameters.T
    readout = np.concatenate([sigma_w / np.sqrt(width) * h[-1].T, np.full((h[-1].shape[1], 1), sigma_b)], axis=1)
    return total + readout @ readout.T


def _overlap(columns):
    gram = columns.T @ columns
    root = np.sqrt(np.diag(gram))
    with np.errstate(invalid="ignore", divide="ignore"):
        return gram / np.outer(root, root)
