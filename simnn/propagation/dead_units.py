r"""Dead ReLUs at initialisation: how often a unit, an input or a whole network passes no signal.

A unit is dead on a set of inputs if its pre-activation is negative for all of them: it then passes no gradient of
any of them. A network is born dead if every input ends in a layer without an active unit; its output is constant
then, and no gradient reaches its weights. "Dead" is a statement about these inputs and these weights: a unit may
revive when weights below it change. All of this is for slope 0: a leaky ReLU is never dead.

References
----------
.. [1] L. Lu, Y. Shin, Y. Su, G. E. Karniadakis, "Dying ReLU and initialization: theory and numerical examples",
   Communications in Computational Physics 28 (2020) 1671-1706, arXiv:1903.06733.
.. [2] S. S. Gupta, "Probability integrals of multivariate normal and multivariate t", Annals of Mathematical
   Statistics 34 (1963) 792-828, for equicorrelated normals.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.propagation.arguments import count, number, numbers, same_kind

Array = NDArray[np.float64]

# Integrands that contain a normal density are below 1e-16 of their maximum outside this range.
_TAIL = 9.0


def _integral(f: Callable[[float], float], breaks: Sequence[float]) -> float:
    """Integral between the ends of ``breaks``, adaptive between them; absolute accuracy 1e-12 or better."""
    from scipy.integrate import quad

    pieces = itertools.pairwise(breaks)
    return float(sum(quad(f, *piece, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for piece in pieces))


# --- networks -------------------------------------------------------------------------------------------------


def input_death(widths: Sequence[int]) -> Array:
    """Probability that one input is dead at each layer of a bias-free ReLU network.

    A unit is active with probability 1/2, independently of the others, whatever the activations below: a layer of n
    units has none active with probability ``2^-n``, and nothing revives an input that died. Hence
    ``1 - prod_l (1 - 2^-n_l)``, exactly, for any symmetric law of the weights without atoms.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer, from the first.

    Returns
    -------
    (layers,) float64 array
        For each layer the probability that the input is dead there.

    Raises
    ------
    ValueError
        If there is no layer, or a width is no integer >= 1.

    References
    ----------
    Lu et al. 2020 [1]_, who give the last entry as an upper bound for the whole network.
    """
    if len(widths) == 0:
        raise ValueError(f"widths: must name at least one layer, not {widths!r}")
    alive = [math.log1p(-(2.0 ** -count("widths", width))) for width in widths]
    return np.asarray(-np.expm1(np.cumsum(alive)), np.float64)


def network_death_bounds(width: int, depth: int) -> tuple[float, float]:
    """Bounds of the probability that a bias-free ReLU network with a scalar input is born dead.

    A scalar input matters through its sign only, so that the network is dead if the inputs +1 and -1 are. The lower
    bound is exact up to two hidden layers, where the inputs share no active unit in the first.

    Parameters
    ----------
    width : int
        Units of each hidden layer.
    depth : int
        Number of hidden layers.

    Returns
    -------
    lower, upper : float
        The upper bound is the probability that one given input is dead.

    Raises
    ------
    ValueError
        If an argument is no integer >= 1.

    References
    ----------
    Lu et al. 2020 [1]_, whose L counts the output layer too: L = depth + 1.
    """
    n, layers = count("width", width), count("depth", depth)
    half = 2.0**-n
    one_sided, two_sided = 1.0 - half, 1.0 - 2.0 * half - (n - 1.0) * half**2
    weight = (1.0 - 2.0 * half) * (1.0 - half) / (1.0 + (n - 1.0) * half)
    survival = one_sided ** (layers - 1)
    lower = 1.0 - survival + weight * (two_sided ** (layers - 1) - survival)
    return lower, float(input_death([n] * layers)[-1])


# --- units ----------------------------------------------------------------------------------------------------


@overload
def unit_death(bias: float, points: int, norm: float = 1.0) -> float: ...
@overload
def unit_death(bias: Array | Sequence[float], points: int, norm: float = 1.0) -> Array: ...
def unit_death(bias: ArrayLike, points: int, norm: float = 1.0) -> float | Array:
    """Probability that a unit of given weight norm is dead on independent Gaussian inputs, ``Phi(-b / s)^m``.

    Parameters
    ----------
    bias : float or array
        Bias b of the unit.
    points : int
        Number m of inputs x ~ N(0, I).
    norm : float
        Norm s of the weight vector, > 0: the pre-activations are then independent N(b, s^2).

    Returns
    -------
    float or array
        Of the shape of ``bias``.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    from scipy.special import log_ndtr

    shift = numbers("bias", bias)
    scale = number("norm", norm, positive=True)
    return same_kind(np.exp(count("points", points) * log_ndtr(-shift / scale)), bias)


@overload
def mean_unit_death(bias: float, points: int, dimension: int, sigma_w: float = 1.0) -> float: ...
@overload
def mean_unit_death(bias: Array | Sequence[float], points: int, dimension: int, sigma_w: float = 1.0) -> Array: ...
def mean_unit_death(bias: ArrayLike, points: int, dimension: int, sigma_w: float = 1.0) -> float | Array:
    """Probability that a unit with Gaussian weights is dead on independent Gaussian inputs.

    The average of `unit_death` over the norm s of weights ``w_i ~ N(0, sigma_w^2 / d)``, where ``s^2`` is
    ``sigma_w^2 chi^2_d / d``. Inputs share the weights, so that this is more than the power of a mean.

    Parameters
    ----------
    bias : float or array
        Bias of the unit.
    points : int
        Number of inputs x ~ N(0, I).
    dimension : int
        Components d of an input.
    sigma_w : float
        Standard deviation of the weights times sqrt(fan in), > 0.

    Returns
    -------
    float or array
        Of the shape of ``bias``; absolute accuracy 1e-11.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    from scipy.special import log_ndtr

    shifts, m, d = numbers("bias", bias), count("points", points), count("dimension", dimension)
    scale, root = number("sigma_w", sigma_w, positive=True), math.sqrt(d)

    def density(r: float) -> float:
        # Of the norm r of d normals, about sqrt(d) +- 1 / sqrt(2), relative to that at r = sqrt(d).
        distance = r / root - 1.0
        return math.exp((d - 1.0) * math.log1p(distance) - d * distance * (1.0 + 0.5 * distance))

    range_of_r = [max(root - _TAIL, 1e-12), root, root + _TAIL]
    total = _integral(density, range_of_r)

    def mean(b: float) -> float:
        def integrand(r: float) -> float:
            return density(r) * math.exp(m * float(log_ndtr(-b * root / (scale * r))))

        return _integral(integrand, range_of_r) / total

    return same_kind(np.array([mean(b) for b in shifts.ravel().tolist()]).reshape(shifts.shape), bias)


@overload
def layer_death(overlap: float, points: int) -> float: ...
@overload
def layer_death(overlap: Array | Sequence[float], points: int) -> Array: ...
def layer_death(overlap: ArrayLike, points: int) -> float | Array:
    """Fraction of the units of an infinitely wide, bias-free layer that are dead on a set of inputs.

    Pre-activations of m inputs with equal overlaps c are ``sqrt(c) t + sqrt(1 - c) x_a`` with one t for all of them;
    hence ``E_t Phi(sqrt(c) t / sqrt(1 - c))^m``: ``2^-m`` for orthogonal inputs, 1/2 for collinear ones. With
    the overlap of `simnn.propagation.theory.propagate` it is the fraction at any depth.

    Parameters
    ----------
    overlap : float or array
        Overlap c of the pre-activations of any two inputs, in [0, 1].
    points : int
        Number m of inputs.

    Returns
    -------
    float or array
        Of the shape of ``overlap``; absolute accuracy 1e-11.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    Gupta 1963 [2]_, section 2.2.
    """
    overlaps, m = numbers("overlap", overlap, 0.0, 1.0), count("points", points)
    fractions = np.array([_all_negative(c, m) for c in overlaps.ravel().tolist()])
    return same_kind(fractions.reshape(overlaps.shape), overlap)


def _all_negative(c: float, m: int) -> float:
    """Probability that m equicorrelated normals are negative."""
    from scipy.special import log_ndtr, ndtr

    if c == 1.0:
        return 0.5
    slope = math.sqrt(c / (1.0 - c))

    def integrand(t: float) -> float:
        return math.exp(m * float(log_ndtr(slope * t)) - 0.5 * t * t) / math.sqrt(2.0 * math.pi)

    # Phi(slope t)^m rises within a few units of slope t; above, it is 1.
    rise = min(_TAIL / max(slope, 1e-300), _TAIL)
    return _integral(integrand, [-_TAIL, -rise, 0.0, rise]) + float(ndtr(-rise) if rise < _TAIL else 0.0)
