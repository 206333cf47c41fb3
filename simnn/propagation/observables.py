"""From Gram matrices of one trial to the statistics that users ask for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grams:
    """Gram matrices over the units of each layer, divided by the width; one row for each task.

    Layers that a shallower network of the sweep does not have are NaN.

    Attributes
    ----------
    preactivation : (tasks, depth, K, K) float64 array
        ``z^l_a . z^l_b / N``.
    activation : (tasks, depth + 1, K, K) float64 array
        ``h^l_a . h^l_b / N``; entry 0 is the input.
    gradient : (tasks, depth, K, K) float64 array
        ``delta^l_a . delta^l_b / N`` for a gradient ~ N(0, I) at ``h^L``, the same for all inputs.
    silent : (tasks, depth) float64 array
        Fraction of units whose derivative vanishes for every input.
    """

    preactivation: "Array"
    activation: "Array"
    gradient: "Array"
    silent: "Array"

    @classmethod
    def empty(cls, tasks: int, depth: int, inputs: int) -> "Grams":
        """Arrays for that many tasks, filled with NaN.

        Parameters
        ----------
        tasks, depth, inputs : int
            Sizes.

        Returns
        -------
        Grams
        """
        return cls(
            np.full((tasks, depth, inputs, inputs), np.nan),
            np.full((tasks, depth + 1, inputs, inputs), np.nan),
            np.full((tasks, depth, inputs, inputs), np.nan),
            np.full((tasks, depth), np.nan),
        )


LAYER, INPUT, PAIR = ("layer",), ("layer", "input"), ("layer", "input", "other_input")

DESCRIPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "length": (INPUT, "mean square of the pre-activations, q^l = |z^l|^2 / N"),
    "correlation": (PAIR, "overlap of the pre-activations of two inputs"),
    "activation_length": (INPUT, "mean square of the activations, |h^l|^2 / N"),
    "gradient_norm": (
        INPUT,
        "mean square of dL/dz^l_i for a gradient ~ N(0, I) at the activations of the last layer",
    ),
    "gradient_correlation": (PAIR, "overlap of dL/dz^l of two inputs"),
    "weight_gradient_norm": (INPUT, "mean square of dL/dW^l_ij in the standard parametrisation"),
    "dead_fraction": (LAYER, "fraction of units with zero derivative for every input"),
    "ntk": (("input", "other_input"), "empirical tangent kernel, NTK parametrisation"),
}
"""Dimensions (after those of the sweep) and long name of each statistic; all are dimensionless."""


def _diagonal(gram: "Array") -> "Array":
    return np.asarray(np.einsum("...aa->...a", gram), np.float64)


def _overlap(gram: "Array") -> "Array":
    root = np.sqrt(_diagonal(gram))
    # Rounding must not push an overlap beyond 1, where its arc cosine ends.
    overlap: Array = np.clip(gram / (root[..., :, None] * root[..., None, :]), -1.0, 1.0)
    return overlap


def observe(grams: Grams, sigma_w: "Array", sigma_b: "Array") -> dict[str, "Array"]:
    """Statistics of each task.

    Parameters
    ----------
    grams : Grams
        Gram matrices of the tasks.
    sigma_w, sigma_b : (tasks,) float64 array
        Of each task's network.

    Returns
    -------
    dict of str to float64 array
        Arrays of shape (tasks, ...), keyed and ordered as `DESCRIPTIONS`. The overlap with a vanished vector is
        NaN.

    Notes
    -----
    The readout ``f = sigma_w / sqrt(N) v . h^L + sigma_b beta`` shares its direction v with the output gradient, so
    ``Theta = sum_l sigma_w^2 D^l o (sigma_w^2 H^(l-1) + sigma_b^2) + sigma_w^2 H^L + sigma_b^2`` with the Gram
    matrices D of gradients and H of activations (Jacot, Gabriel & Hongler 2018, eq. 1-3).
    """
    variance_w, variance_b = (np.square(sigma)[:, None, None, None] for sigma in (sigma_w, sigma_b))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        covariance = variance_w * grams.activation + variance_b
        depth = np.sum(np.isfinite(grams.silent), axis=1)
        readout = covariance[np.arange(len(depth)), depth]
        gradient_norm, activation_length = _diagonal(grams.gradient), _diagonal(grams.activation)
        return {
            "length": _diagonal(grams.preactivation),
            "correlation": _overlap(grams.preactivation),
            "activation_length": activation_length[:, 1:],
            "gradient_norm": gradient_norm,
            "gradient_correlation": _overlap(grams.gradient),
            "weight_gradient_norm": gradient_norm * activation_length[:, :-1],
            "dead_fraction": grams.silent,
            "ntk": readout + np.nansum(variance_w * grams.gradient * covariance[:, :-1], axis=1),
        }
