"""Materialised weights through BLAS: the oracle of the conditional sampler, and home of users' own matrices.

One weight matrix lives at a time; the backward sweep draws it again from its counters.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simnn.device import normals, philox
from simnn.device.targets import Target, cpu
from simnn.propagation import kernels, tiles
from simnn.propagation.model import Network
from simnn.propagation.observables import Grams

Matrix = NDArray[np.floating[Any]]


@functools.cache
def _bind(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    activate = tiles.bind(target).activate

    @target.kernel
    def activate_units(code, up, down, z, h, d):  # type: ignore[no-untyped-def]
        activate(code, up, down, z.shape[0], z, h, d)

    return activate_units, normals.bind(target).fill


class _Layers:
    """Weights and biases of one trial, drawn when asked for or given by the user."""

    def __init__(
        self,
        network: Network,
        trial: int,
        key: NDArray[np.uint64],
        dtype: Any,
        given: Sequence[Matrix] | None,
    ) -> None:
        self.network, self.trial, self.key, self.given = network, trial, key, given
        self.dtype = dtype
        self.fill = _bind(cpu(dtype))[1]

    def normals(self, layer: int, stream: int, shape: tuple[int, ...], scale: float) -> Matrix:
        out: Matrix = np.empty(int(np.prod(shape)), self.dtype)
        words, tile = np.empty((4, normals.TILE), np.uint32), np.empty((2, normals.TILE), self.dtype)
        self.fill(self.trial, layer, stream * philox.COLUMNS, self.key, self.dtype(scale), words, tile, out)
        return out.reshape(shape)

    def weights(self, layer: int, fan_in: int) -> Matrix:
        if self.given is not None:
            return np.ascontiguousarray(self.given[layer], self.dtype)
        shape = (self.network.layers[layer], fan_in)
        return self.normals(layer, philox.WEIGHTS, shape, self.network.sigma_w / np.sqrt(fan_in))

    def biases(self, layer: int) -> Matrix:
        return self.normals(layer, philox.BIASES, (self.network.layers[layer],), self.network.sigma_b)


def sample(
    network: Network,
    inputs: Matrix,
    outputs: int,
    trial: int,
    key: NDArray[np.uint64],
    dtype: Any,
    grams: Grams,
    row: int,
    stop: NDArray[np.int64],
    given: Sequence[Matrix] | None = None,
) -> None:
    """Gram matrices of one trial of one network, written to ``grams`` at ``row``.

    Parameters
    ----------
    network : Network
        What is simulated.
    inputs : (K, n_in) array
        Input patterns.
    outputs : int
        Number of output gradients.
    trial : int
        Number of the trial.
    key : (2,) uint64 array
        Low and high word of the seed.
    dtype : type
        ``numpy.float32`` or ``numpy.float64``.
    grams : Grams
        Where results go.
    row : int
        Row of the task.
    stop : (1,) int64 array
        Not zero once the caller wants no more.
    given : sequence of (N, fan_in) arrays, optional
        The user's own weight matrices.
    """
    activate = _bind(cpu(dtype))[0]
    layers = _Layers(network, trial, key, dtype, given)
    form, widths = kernels.form(network.activation), network.layers
    up, down = (dtype(slope) for slope in form.line)

    h: Matrix = np.ascontiguousarray(inputs.T, dtype)
    grams.activation[row, 0] = _gram(h)
    grams.power[row] = 0
    derivatives, preactivations = [], []
    for layer in range(len(widths)):
        if stop[0]:
            return
        z = layers.weights(layer, len(h)) @ h + layers.biases(layer)[:, None]
        h, d = np.empty_like(z), np.empty_like(z)
        activate(form.code, up, down, z.reshape(-1), h.reshape(-1), d.reshape(-1))
        derivatives.append(d)
        preactivations.append(z)
        grams.preactivation[row, layer] = _gram(z)
        grams.decorrelation[row, layer] = _decorrelation(z)
        grams.activation[row, layer + 1] = _gram(h)
        grams.silent[row, layer] = np.mean(np.all(d == 0.0, axis=1))

    count = inputs.shape[0]
    output_gradients = layers.normals(len(widths), philox.OUTPUT_GRADIENT, (widths[-1], outputs), 1.0)
    u = np.repeat(output_gradients, count, axis=1)
    for layer in range(len(widths) - 1, -1, -1):
        if stop[0]:
            return
        delta = np.tile(derivatives[layer], outputs) * u
        grams.gradient[row, layer] = _gram(delta)
        grams.alignment[row, layer] = np.mean(np.tile(preactivations[layer], outputs) * delta, axis=0, dtype=np.float64)
        if layer > 0:
            u = layers.weights(layer, widths[layer - 1]).T @ delta


def _gram(columns: Matrix) -> NDArray[np.float64]:
    wide = columns.astype(np.float64)
    return wide.T @ wide / len(wide)


def _decorrelation(columns: Matrix) -> NDArray[np.float64]:
    """1 - c of all pairs, half the squared distance of the directions."""
    wide = columns.astype(np.float64).T
    with np.errstate(invalid="ignore", divide="ignore"):
        directions = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return np.array([0.5 * np.square(directions - direction).sum(axis=1) for direction in directions])
