r"""Products of Gaussian matrices: the spectrum of a deep linear network, which is one matrix but not a random one.

``J = W_L ... W_1`` with independent n x n matrices of entries ``N(0, 1/n)``. The squared singular values of J have mean
1 at every depth, but the deeper the product the wider they spread: at fixed depth and large n they follow the
Fuss-Catalan law, at fixed n and large depth ``s_i ~ exp(L lambda_i)`` with the Lyapunov exponents below. A product of
orthogonal matrices has no spectrum to speak of: all its singular values are 1.

References
----------
.. [1] K. A. Penson, K. Zyczkowski, "Product of Ginibre matrices: Fuss-Catalan and Raney distributions", Physical
   Review E 83 (2011) 061118, arXiv:1103.3453.
.. [2] P. J. Forrester, D.-Z. Liu, "Raney distributions and random matrix theory", Journal of Statistical Physics 158
   (2015) 1051-1082, arXiv:1404.5759.
.. [3] C. M. Newman, "The distribution of Lyapunov exponents: exact results for random matrices", Communications in
   Mathematical Physics 103 (1986) 121-126.
.. [4] I. M. Johnstone, "On the distribution of the largest eigenvalue in principal components analysis", Annals of
   Statistics 29 (2001) 295-327.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.propagation.arguments import count, same_kind

Array = NDArray[np.float64]
Partition = tuple[int, ...]

MAX_ORDER = 5
"""Largest order of `mean_moment`: it sums over (2k - 1)!! pairings for each partition of k."""

_TRACY_WIDOM_MEAN = -1.2065335745820
"""Mean of the Tracy-Widom law of real matrices (beta = 1)."""


# --- moments --------------------------------------------------------------------------------------------------


def fuss_catalan(depth: int, order: int) -> int:
    """Moment of the squared singular values at infinite width, ``C((L + 1) k, k) / (L k + 1)``.

    Parameters
    ----------
    depth : int
        Number L of factors.
    order : int
        k, of ``E[(1/n) tr (J^T J)^k]``.

    Returns
    -------
    int
        1 for k = 1 and L + 1 for k = 2.

    Raises
    ------
    ValueError
        If an argument is no integer >= 1.

    References
    ----------
    Penson & Zyczkowski 2011 [1]_, eq. 3.
    """
    layers, k = count("depth", depth), count("order", order)
    return math.comb((layers + 1) * k, k) // (layers * k + 1)


def mean_moment(depth: int, order: int, width: int) -> float:
    """Moment of the squared singular values at any width, exactly: ``E[(1/n) tr (J^T J)^k]``.

    Given the product M of the layers below, a layer maps products of power sums of ``M M^T`` to their expectation
    by Wick's theorem. This map is a matrix over the partitions of k, applied once for each layer. For k = 2 it is
    ``a <- (1 + 1/n) a + b``, ``b <- b + 2 a / n^2``, whence ``L + 1 + L (L + 1) / (2 n) + O(1/n^2)``: real matrices
    approach `fuss_catalan` as 1/n, complex ones would as 1/n^2.

    Parameters
    ----------
    depth : int
        Number L of factors.
    order : int
        k, at most `MAX_ORDER`.
    width : int
        Rows and columns n of each factor.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is no integer in range.
    """
    layers, k, n = count("depth", depth), count("order", order, most=MAX_ORDER), count("width", width)
    partitions, loops = _wick(k)
    # Power sums of the identity, each divided by n: all 1. A trace is n times its normalised value.
    factors = np.array(
        [
            [
                sum(count * float(n) ** (free + len(out) - k - len(into)) for free, count in loops[into, out].items())
                for out in partitions
            ]
            for into in partitions
        ]
    )
    values = np.ones(len(partitions))
    for _ in range(layers):
        values = factors @ values
    return float(values[partitions.index((k,))])


@functools.cache
def _wick(k: int) -> tuple[list[Partition], dict[tuple[Partition, Partition], dict[int, int]]]:
    """Pairings of the 2k weights in products of traces of ``W M W^T``, counted by what they leave.

    For a product of traces of ``W M W^T`` (a partition) and one of M (another): how many pairings turn the one into
    the other, by the number of free row sums.

    ``W M W^T`` number a of a cycle holds weight 2a with its row index and weight 2a + 1 with that of its successor.
    Indices of paired weights agree, so that both the row and the column indices fall into loops.
    """
    partitions = list(_partitions(k, k))
    loops: dict[tuple[Partition, Partition], dict[int, int]] = {}
    columns = [a ^ 1 for a in range(2 * k)]
    for into in partitions:
        rows, first = [0] * (2 * k), 0
        for length in into:
            for a in range(length):
                one, other = 2 * (first + a) + 1, 2 * (first + (a + 1) % length)
                rows[one], rows[other] = other, one
            first += length
        for out in partitions:
            loops[into, out] = {}
        for pairing in _pairings(list(range(2 * k))):
            out = tuple(sorted(_loops(columns, pairing), reverse=True))
            free = len(_loops(rows, pairing))
            loops[into, out][free] = loops[into, out].get(free, 0) + 1
    return partitions, loops


def _partitions(total: int, most: int) -> Iterator[Partition]:
    if total == 0:
        yield ()
    for first in range(min(total, most), 0, -1):
        for rest in _partitions(total - first, first):
            yield (first, *rest)


def _pairings(items: list[int]) -> Iterator[dict[int, int]]:
    if not items:
        yield {}
        return
    first, *rest = items
    for partner in rest:
        for pairing in _pairings([item for item in rest if item != partner]):
            yield pairing | {first: partner, partner: first}


def _loops(one: Sequence[int], other: dict[int, int]) -> list[int]:
    """Half the lengths of the loops of two perfect matchings."""
    lengths, seen = [], set()
    for start in range(len(one)):
        length, item = 0, start
        while item not in seen:
            seen |= {item, one[item]}
            item = other[one[item]]
            length += 1
        if length:
            lengths.append(length)
    return lengths


# --- spectrum -------------------------------------------------------------------------------------------------


def spectral_edge(depth: int) -> float:
    """Largest squared singular value at infinite width, ``(L + 1)^(L + 1) / L^L``.

    Parameters
    ----------
    depth : int
        Number L of factors.

    Returns
    -------
    float
        4 for one matrix; about e (L + 1/2) for many.

    Raises
    ------
    ValueError
        If ``depth`` is no integer >= 1.

    References
    ----------
    Penson & Zyczkowski 2011 [1]_, section II.
    """
    layers = count("depth", depth)
    return (layers + 1) * (1.0 + 1.0 / layers) ** layers


def mean_largest(depth: int, width: int) -> float:
    """Mean of the largest squared singular value at large width.

    The density ends as ``(a / pi) sqrt(x* - x)`` at the edge x*, where the largest of n values fluctuates by
    ``(n a)^(-2/3)`` with the Tracy-Widom law of real matrices, of mean -1.2065:
    ``x* (1 - 1.2065 L (2 (L + 1))^(-1/3) n^(-2/3))``.

    Parameters
    ----------
    depth : int
        Number L of factors.
    width : int
        Rows and columns n of each factor.

    Returns
    -------
    float
        The next corrections are of relative order L / n.

    Raises
    ------
    ValueError
        If an argument is no integer >= 1.

    References
    ----------
    Johnstone 2001 [4]_ for one matrix; the density at the edge is that of `spectral_density`.
    """
    layers, n = count("depth", depth), count("width", width)
    scale = layers / math.cbrt(2.0 * (layers + 1) * n * n)
    return spectral_edge(layers) * (1.0 + _TRACY_WIDOM_MEAN * scale)


@overload
def spectral_density(x: float, depth: int) -> float: ...
@overload
def spectral_density(x: Array | Sequence[float], depth: int) -> Array: ...
def spectral_density(x: ArrayLike, depth: int) -> float | Array:
    """Density of the squared singular values at infinite width, the Fuss-Catalan law.

    With ``x = sin^(L+1)((L + 1) phi) / (sin(phi) sin^L(L phi))``, ``0 < phi < pi / (L + 1)``, it is
    ``sin(phi) sin((L + 1) phi) / (pi x sin(L phi))``.

    Parameters
    ----------
    x : float or array
        Squared singular values, >= 0.
    depth : int
        Number L of factors.

    Returns
    -------
    float or array
        Of the shape of ``x``; infinite at 0, and 0 from `spectral_edge` on. Relative accuracy 1e-12, divided by
        the relative distance from the edge.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    Forrester & Liu 2015 [2]_, section 1.
    """
    values, (inside, phi, theta) = _positions(x, depth), _angles(x, depth)
    density = np.where(values > 0.0, 0.0, np.inf)
    density[inside] = np.sin(phi) * np.sin(theta) / (np.pi * values[inside] * np.sin(theta + phi))
    return same_kind(density, x)


@overload
def spectral_cdf(x: float, depth: int) -> float: ...
@overload
def spectral_cdf(x: Array | Sequence[float], depth: int) -> Array: ...
def spectral_cdf(x: ArrayLike, depth: int) -> float | Array:
    """Fraction of the squared singular values below x at infinite width.

    ``1 - [(L + 1) phi - L sin(phi) sin((L + 1) phi) / sin(L phi)] / pi``, phi as in `spectral_density`: the integral
    of the resolvent G, ``z G = w``, ``w^(L+1) = z (w - 1)``, is ``L w - ln(w - 1)``.

    Parameters
    ----------
    x : float or array
        Squared singular values, >= 0.
    depth : int
        Number L of factors.

    Returns
    -------
    float or array
        Of the shape of ``x``.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    values, (inside, phi, theta) = _positions(x, depth), _angles(x, depth)
    fraction = np.where(values > 0.0, 1.0, 0.0)
    fraction[inside] = (theta + depth * np.sin(phi) * np.sin(theta) / np.sin(theta + phi)) / np.pi
    return same_kind(fraction, x)


def _positions(x: ArrayLike, depth: int) -> Array:
    count("depth", depth)
    values = np.asarray(x, np.float64)
    if not np.all(values >= 0.0):
        raise ValueError(f"x: must be >= 0, not {x!r}")
    return values


def _angles(x: ArrayLike, depth: int) -> tuple[NDArray[np.bool_], Array, Array]:
    """Where x lies inside the support, and there phi and ``theta = pi - (L + 1) phi``.

    theta, which vanishes with x, keeps the digits of small x.
    """
    values = _positions(x, depth)
    inside = (values > 0.0) & (values < spectral_edge(depth))
    target = np.log(values[inside])
    # In ln theta, which goes as ln x / (L + 1); x increases with theta.
    low, high = np.full_like(target, -400.0), np.full_like(target, math.log(math.pi))
    for _ in range(80):
        middle = 0.5 * (low + high)
        theta = np.exp(middle)
        phi = (np.pi - theta) / (depth + 1)
        log_x = (depth + 1) * np.log(np.sin(theta)) - np.log(np.sin(phi)) - depth * np.log(np.sin(theta + phi))
        low, high = np.where(log_x < target, middle, low), np.where(log_x < target, high, middle)
    return inside, phi, theta


# --- large depth ----------------------------------------------------------------------------------------------


def lyapunov_exponents(width: int) -> Array:
    """Lyapunov exponents of products of Gaussian matrices, ``(1/2) [psi((n - i + 1) / 2) + ln(2 / n)]``.

    A layer multiplies the squared volume spanned by k vectors by ``prod_(i <= k) chi^2_(n - i + 1) / n``, independently
    of all other layers; the sum of the first k exponents is half the mean logarithm of that. So volumes grow by these
    exponents in every layer, not only in the limit of many.

    Parameters
    ----------
    width : int
        Rows and columns n of each factor.

    Returns
    -------
    (width,) float64 array
        From the largest.

    Raises
    ------
    ValueError
        If ``width`` is no integer >= 1.

    References
    ----------
    Newman 1986 [3]_.
    """
    from scipy.special import digamma

    n = count("width", width)
    return np.asarray(0.5 * (digamma(0.5 * np.arange(n, 0, -1)) + math.log(2.0 / n)), np.float64)
