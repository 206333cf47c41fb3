"""Pairs of cells with random weights: what the drives of two of them have in common.

Each cell draws K of N inputs without replacement, so that two cells share o of them, ``o ~ Hypergeometric(N, K, K)``,
and weights from one of the laws `simnn.olfaction.weights.WEIGHTS`. Over uncorrelated inputs of unit variance, their
drives have the correlation ``rho = J_i.J_j / (|J_i| |J_j|)``, whose law over
random pairs decides how many dimensions a large circuit has.
"""

import functools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from simnn.olfaction.weights import LOG_SIGMA

Array = NDArray[np.float64]

_NEGLIGIBLE = 1e-20
"""Overlaps that are less probable add less than this to a mean square."""

_BLOCK = 2**11
"""Pairs drawn at a time."""


def overlaps(glomeruli: int, claws: int) -> tuple[NDArray[np.int64], Array]:
    """Law of the number of inputs that two cells share.

    Parameters
    ----------
    glomeruli, claws : int
        N inputs, K of which each cell draws; 1 <= K <= N.

    Returns
    -------
    shared : (n,) int array
        Values that are not negligibly rare.
    probabilities : (n,) array
        Hypergeometric; relative accuracy 1e-12.
    """
    n, k = glomeruli, claws
    shared = np.arange(max(0, 2 * k - n), k + 1)
    o = shared[:-1].astype(np.float64)
    steps = np.log((k - o) ** 2 / ((o + 1.0) * (n - 2.0 * k + o + 1.0)))
    logarithm = np.concatenate([[0.0], np.cumsum(steps)])
    probabilities = np.exp(logarithm - logarithm.max())
    probabilities /= probabilities.sum()
    kept = probabilities > _NEGLIGIBLE
    return shared[kept], probabilities[kept]


def draw(weights: str, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Weights of existing connections.

    Parameters
    ----------
    weights : str
        One of `simnn.olfaction.weights.WEIGHTS`.
    shape : tuple of int
        Of the result.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array
    """
    if weights == "binary":
        return np.ones(shape)
    if weights == "uniform":
        return generator.random(shape)
    normal = generator.standard_normal(shape)
    if weights in LOG_SIGMA:
        return np.exp(LOG_SIGMA[weights] * normal)
    return np.abs(normal) if weights == "halfnormal" else normal


def mean(weights: str) -> float:
    """Mean of the weights that `draw` returns.

    Parameters
    ----------
    weights : str
        One of `simnn.olfaction.weights.WEIGHTS`.

    Returns
    -------
    float
    """
    if weights in LOG_SIGMA:
        return math.exp(0.5 * LOG_SIGMA[weights] ** 2)
    return {"binary": 1.0, "uniform": 0.5, "halfnormal": math.sqrt(2.0 / math.pi), "gaussian": 0.0}[weights]


def binary_correlations(
    glomeruli: int, claws: int, shared: NDArray[np.int64], balanced: bool, input_correlation: float
) -> Array:
    """Correlations of two drives through weights 1.

    Parameters
    ----------
    glomeruli, claws : int
        N and K.
    shared : int array
        Inputs that the two cells share.
    balanced : bool
        Whether the mean K / N of the weights is subtracted; K < N then. Inputs of any correlation then do the same,
        since all weights of a cell add up to zero.
    input_correlation : float
        Of any two inputs.

    Returns
    -------
    array
        Of the shape of ``shared``.
    """
    if balanced:
        return np.asarray((glomeruli * shared - claws**2) / float(claws * (glomeruli - claws)))
    common = input_correlation * claws**2
    own = 1.0 - input_correlation
    return np.asarray((own * shared + common) / (own * claws + common))


def gaussian_correlations(claws: int, shared: int, nodes: int = 64) -> tuple[Array, Array]:
    """Law of the correlation of two drives through weights of both signs, over uncorrelated inputs, as a quadrature.

    Given o shared inputs, ``rho = sqrt(B) C`` with independent ``B ~ Beta(o / 2, (K - o) / 2)`` and ``(1 + C) / 2 ~
    Beta((K - 1) / 2, (K - 1) / 2)``: the part of one unit vector of K components that lies within the shared ones, and
    the cosine of another with it. ``B = 1`` if all are shared.

    Parameters
    ----------
    claws : int
        K >= 1.
    shared : int
        o, from 0 to K.
    nodes : int
        Nodes of the quadrature in the angle of B; that of C has twice as many.

    Returns
    -------
    correlations, probabilities : (n,) array
        Nodes and weights. As functions of the two angles, output correlations have no cusp at ``rho = 1``.
    """
    if shared == 0:
        return np.zeros(1), np.ones(1)
    if claws == 1:
        cosines, chances = np.array([-1.0, 1.0]), np.full(2, 0.5)
    else:
        reach = min(0.5 * math.pi, 12.0 / math.sqrt(claws))
        cosines, chances = _angles(-reach, reach, 2 * nodes, 0, claws - 2)
    if shared == claws:
        return cosines, chances
    peak, reach = math.asin(math.sqrt(shared / claws)), 12.0 / math.sqrt(claws)
    low, high = max(0.0, peak - reach), min(0.5 * math.pi, peak + reach)
    sizes, parts = _angles(low, high, nodes, shared - 1, claws - shared - 1)
    return np.outer(sizes, cosines).ravel(), np.outer(parts, chances).ravel()


@functools.cache
def _nodes(number: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(number)


def _angles(low: float, high: float, nodes: int, sine: int, cosine: int) -> tuple[Array, Array]:
    """Sines of angles whose density is proportional to ``sin^sine cos^cosine``, with their probabilities."""
    x, w = _nodes(nodes)
    angle = 0.5 * (low + high) + 0.5 * (high - low) * x
    logarithm = cosine * np.log(np.cos(angle))
    if sine > 0:
        logarithm += sine * np.log(np.sin(angle))
    density = w * np.exp(logarithm - logarithm.max())
    return np.sin(angle), density / density.sum()


def sampled_correlations(
    weights: str,
    glomeruli: int,
    claws: int,
    shared: NDArray[np.int64],
    balanced: bool,
    input_correlation: float,
    pairs: int,
    seed: int,
) -> Iterator[Array]:
    """Correlations of the drives of random pairs of cells, each pair at every overlap.

    Parameters
    ----------
    weights : str
        One of `simnn.olfaction.weights.WEIGHTS`.
    glomeruli, claws : int
        N and K.
    shared : (n,) int array
        Numbers of inputs that two cells may share.
    balanced : bool
        Whether the expected mean of all weights, existing or not, is subtracted from each.
    input_correlation : float
        Of any two inputs.
    pairs : int
        Pairs of cells.
    seed : int
        Of the draws. Claw i of pair t has the same weights whatever the other parameters, so that results for different
        numbers of claws differ by less than their errors suggest.

    Yields
    ------
    (n, pairs of the block) array
        Correlations.
    """
    shift = balanced * mean(weights) * claws / glomeruli
    own, common = 1.0 - input_correlation, input_correlation
    square = glomeruli * shift**2
    for block, first in enumerate(range(0, pairs, _BLOCK)):
        generator = np.random.default_rng([seed, block])
        a, b = np.moveaxis(draw(weights, (claws, 2, min(_BLOCK, pairs - first)), generator), 1, 0)
        products = np.zeros((claws + 1, a.shape[1]))
        np.cumsum(a * b, axis=0, out=products[1:])
        total_a, sum_a, norm_a = _row(a, shift, glomeruli, own, common)
        total_b, sum_b, norm_b = _row(b, shift, glomeruli, own, common)
        dots = own * (products[shared] - shift * (total_a + total_b) + square) + common * sum_a * sum_b
        yield dots / (norm_a * norm_b)


def _row(weights: Array, shift: float, glomeruli: int, own: float, common: float) -> tuple[Array, Array, Array]:
    """Sum of the weights of each cell, the sum after the shift of all N of them, and the deviation of its drive."""
    total = weights.sum(axis=0)
    shifted = total - glomeruli * shift
    centred = np.square(weights).sum(axis=0) - 2.0 * shift * total + glomeruli * shift**2
    return total, shifted, np.sqrt(own * centred + common * shifted**2)
