"""Expectations of activations over one or two Gaussians: closed forms where they exist, else quadrature.

Gauss-Hermite rules of fixed order fail here: as the variance q of the pre-activation u grows, all that an
activation does happens in a window of width 1/sqrt(q) of the standard normal (or at a kink, which no polynomial
resolves). The rules below are Gauss-Legendre on panels instead, refined geometrically towards the places where an
activation bends and cut at its kinks. They are right to about 1e-13 at any q.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.propagation.activations import Activation, parse

Array = NDArray[np.float64]

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772

# --- activations --------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """An activation on NumPy arrays, its derivatives, and where it bends.

    Attributes
    ----------
    value, slope, curvature : callable
        phi, phi' and phi'' (away from the kinks).
    difference : callable
        ``difference(u1, u2, u1 - u2)`` is phi(u1) - phi(u2) to full relative precision, however close they are.
    width : float
        Half width of the central window that holds a smooth bend; beyond 32 widths the activation is a
        straight line on either side, to double precision. Infinite for piecewise linear activations.
    kinks, jumps : tuple of float
        Where phi' jumps, and by how much.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    curvature: Callable[[Array], Array]
    difference: Callable[[Array, Array, Array], Array]
    width: float
    kinks: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()


def _normal_cdf(u: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(u))


def _normal_density(u: Array) -> Array:
    return np.exp(-0.5 * u**2) / math.sqrt(2.0 * math.pi)


def _erf(u: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(u))


def _sech2(u: Array) -> Array:
    # 1 - tanh^2 would lose all digits in the tails.
    decay = np.exp(-2.0 * np.abs(u))
    return 4.0 * decay / (1.0 + decay) ** 2


def _logistic(u: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * u))


def _logistic_slope(u: Array) -> Array:
    return 0.25 * _sech2(0.5 * u)


def _tanh_difference(u1: Array, u2: Array, t: Array) -> Array:
    return np.tanh(t) * (1.0 - np.tanh(u1) * np.tanh(u2))


def _logistic_difference(u1: Array, u2: Array, t: Array) -> Array:
    return 0.5 * _tanh_difference(0.5 * u1, 0.5 * u2, 0.5 * t)


def _silu_difference(u1: Array, u2: Array, t: Array) -> Array:
    mean = 0.5 * (_logistic(u1) + _logistic(u2))
    return t * mean + 0.5 * (u1 + u2) * _logistic_difference(u1, u2, t)


def _normal_cdf_difference(u1: Array, u2: Array, t: Array) -> Array:
    middle, half = 0.5 * (u1 + u2), 0.5 * np.clip(t, -0.5, 0.5)
    mean_density = np.zeros_like(middle)
    for node, weight in zip(*np.polynomial.legendre.leggauss(6), strict=True):
        mean_density += 0.5 * weight * _normal_density(middle + half * node)
    return np.where(np.abs(t) < 0.5, t * mean_density, _normal_cdf(u1) - _normal_cdf(u2))


def _gelu_difference(u1: Array, u2: Array, t: Array) -> Array:
    mean = 0.5 * (_normal_cdf(u1) + _normal_cdf(u2))
    return t * mean + 0.5 * (u1 + u2) * _normal_cdf_difference(u1, u2, t)


def _hard_tanh_difference(u1: Array, u2: Array, t: Array) -> Array:
    inside = (np.abs(u1) <= 1.0) & (np.abs(u2) <= 1.0)
    return np.where(inside, t, np.clip(u1, -1.0, 1.0) - np.clip(u2, -1.0, 1.0))


def _selu(u: Array) -> Array:
    return SELU_SCALE * np.where(u > 0.0, u, SELU_ALPHA * np.expm1(np.minimum(u, 0.0)))


def _selu_exponential(u: Array) -> Array:
    return SELU_SCALE * SELU_ALPHA * np.exp(np.minimum(u, 0.0))


def _selu_difference(u1: Array, u2: Array, t: Array) -> Array:
    upper, lower = np.maximum(u1, u2), np.minimum(u1, u2)
    both_negative = -np.sign(t) * _selu_exponential(upper) * np.expm1(-np.abs(t))
    same_side = np.where(lower > 0.0, SELU_SCALE * t, both_negative)
    return np.where((lower > 0.0) | (upper <= 0.0), same_side, _selu(u1) - _selu(u2))


def _plain_difference(value: Callable[[Array], Array]) -> Callable[[Array, Array, Array], Array]:
    return lambda u1, u2, t: value(u1) - value(u2)


def _line_with_kink(slope: float) -> Shape:
    def value(u: Array) -> Array:
        return np.where(u > 0.0, u, slope * u)

    return Shape(
        value=value,
        slope=lambda u: np.where(u > 0.0, 1.0, slope),
        curvature=np.zeros_like,
        difference=_plain_difference(value),
        width=math.inf,
        kinks=() if slope == 1.0 else (0.0,),
        jumps=() if slope == 1.0 else (1.0 - slope,),
    )


_SHAPES = {
    "tanh": Shape(np.tanh, _sech2, lambda u: -2.0 * np.tanh(u) * _sech2(u), _tanh_difference, width=1.0),
    "erf": Shape(
        _erf,
        lambda u: 2.0 / math.sqrt(math.pi) * np.exp(-(u**2)),
        lambda u: -4.0 / math.sqrt(math.pi) * u * np.exp(-(u**2)),
        _plain_difference(_erf),
        width=0.75,
    ),
    "sigmoid": Shape(
        _logistic,
        _logistic_slope,
        lambda u: -np.tanh(0.5 * u) * _logistic_slope(u),
        _logistic_difference,
        width=2.0,
    ),
    "hard_tanh": Shape(
        lambda u: np.clip(u, -1.0, 1.0),
        lambda u: np.where(np.abs(u) < 1.0, 1.0, 0.0),
        np.zeros_like,
        _hard_tanh_difference,
        width=math.inf,
        kinks=(-1.0, 1.0),
        jumps=(1.0, -1.0),
    ),
    "gelu": Shape(
        lambda u: u * _normal_cdf(u),
        lambda u: _normal_cdf(u) + u * _normal_density(u),
        lambda u: (2.0 - u**2) * _normal_density(u),
        _gelu_difference,
        width=1.0,
    ),
    "silu": Shape(
        lambda u: u * _logistic(u),
        lambda u: _logistic(u) + u * _logistic_slope(u),
        lambda u: (2.0 - u * np.tanh(0.5 * u)) * _logistic_slope(u),
        _silu_difference,
        width=2.0,
    ),
    "selu": Shape(
        _selu,
        lambda u: np.where(u > 0.0, SELU_SCALE, _selu_exponential(u)),
        lambda u: np.where(u > 0.0, 0.0, _selu_exponential(u)),
        _selu_difference,
        width=2.0,
        kinks=(0.0,),
        jumps=(SELU_SCALE * (1.0 - SELU_ALPHA),),
    ),
    "sin": Shape(np.sin, np.cos, lambda u: -np.sin(u), _plain_difference(np.sin), width=1.0),
}


def shape(activation: str | Activation) -> Shape:
    """Activation, derivatives and kinks, by name.

    Parameters
    ----------
    activation : str or Activation
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.

    Returns
    -------
    Shape

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    parsed = parse(activation)
    if parsed.name in _SHAPES:
        return _SHAPES[parsed.name]
    return _line_with_kink(1.0 if parsed.name == "linear" else parsed.slope)


# --- quadrature --------------------------------------------------------------------------

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)

_TAIL = 9.0
"""Standard deviations kept on either side; what is cut off weighs 2e-19."""

_GAUSSIAN_EDGES = np.linspace(-_TAIL, _TAIL, 7)
"""Panels three standard deviations wide, on which 14 nodes resolve the Gaussian to 1e-15."""

_DOUBLINGS = 2.0 ** np.arange(6)

_TINY = 1e-100
"""Smallest standard deviation; keeps a variance of zero out of the denominators."""


def _gaussian_rule(sigma: Array, breaks: Array, lowest: float = -_TAIL) -> tuple[Array, Array]:
    """Nodes and weights for E[f(x)], x ~ N(0, sigma^2), with f smooth between breaks of shape (..., B).

    ``lowest`` (in standard deviations) is where the integral begins.
    """
    fixed = np.broadcast_to(_GAUSSIAN_EDGES, (*breaks.shape[:-1], _GAUSSIAN_EDGES.size))
    edges = np.concatenate([fixed, breaks / sigma[..., None]], axis=-1)
    edges = np.sort(np.clip(edges, lowest, _TAIL), axis=-1)
    # Panels that are empty everywhere (breaks beyond the tails, repeated edges) need no nodes.
    half = 0.5 * np.diff(edges, axis=-1)
    used = np.any(half > 0.0, axis=tuple(range(half.ndim - 1)))
    half, middle = half[..., used], (edges[..., :-1] + half)[..., used]
    z = middle[..., None] + half[..., None] * _NODES
    weights = half[..., None] * _WEIGHTS * _normal_density(z)
    flat = (*z.shape[:-2], z.shape[-2] * z.shape[-1])
    return sigma[..., None] * z.reshape(flat), weights.reshape(flat)


def _panels(width: float, largest: float) -> Array:
    """Edges of panels that double in width away from a bend at 0, as far as the largest Gaussian reaches."""
    doublings = width * _DOUBLINGS
    doublings = doublings[doublings < 2.0 * _TAIL * largest]
    return np.concatenate([-doublings, doublings])


class _PairRule(NamedTuple):
    """Nodes of two Gaussians u1 and u2, t = u1 - u2 without cancellation, and the weights; these broadcast."""

    u1: Array
    u2: Array
    t: Array
    weights: Array


def _pair_rule(shape: Shape, q1: float, q2: float, d: float) -> _PairRule:
    """Rule for E[f(u1, u2)], f symmetric, with Var u1 = q1, Var u2 = q2 and E[(u1 - u2)^2] = 2 d.

    The principal axes x1 (major) and x2 (minor) of the pair are integrated one inside the other:
    u1 + u2 = sqrt(2) (cos(psi) x1 + sin(psi) x2) and u1 - u2 = sqrt(2) (sin(psi) x1 - cos(psi) x2), where psi is
    0 for equal variances and positive covariance. Along x1, at fixed x2, phi(u1) and phi(u2) bend at known
    places. Along x2 only the points matter where two such places meet, because x1 has the larger variance.
    """
    mean, skew = 0.5 * (q1 + q2), 0.5 * (q1 - q2)
    covariance = mean - d
    major = mean + math.hypot(skew, covariance)
    minor = max(d / major * (2.0 * mean - d) - skew / major * skew, 0.0) if major > 0.0 else 0.0
    sigma1, sigma2 = (max(math.sqrt(variance), _TINY) for variance in (major, minor))
    psi = 0.5 * math.atan2(skew, covariance)
    theta = 0.25 * math.pi - psi  # u1 = cos(theta) x1 - sin(theta) x2, u2 = sin(theta) x1 + cos(theta) x2
    cos, sin = math.cos(theta), math.sin(theta)

    exchangeable = psi == 0.0  # then f is even in x2
    outer, outer_weights = _gaussian_rule(
        np.array(sigma2), _outer_breaks(shape, cos, sin, sigma2, skew != 0.0), 0.0 if exchangeable else -_TAIL
    )
    outer, outer_weights = outer[:, None], outer_weights[:, None] * (2.0 if exchangeable else 1.0)
    bends = np.concatenate([shape.kinks, _panels(shape.width, 2.0 * sigma1)])
    steep_cos, steep_sin = (math.copysign(max(abs(s), 1e-12), s) for s in (cos, sin))
    breaks = np.concatenate([(bends + sin * outer) / steep_cos, (bends - cos * outer) / steep_sin], axis=1)
    if exchangeable and not shape.kinks and _TAIL * sigma2 < 0.25 * shape.width:
        breaks = math.sqrt(2.0) * bends[None, :]  # phi(u1) and phi(u2) bend as good as together, for all x2
    inner, inner_weights = _gaussian_rule(np.full(len(breaks), sigma1), breaks)

    total = math.sqrt(2.0) * (math.cos(psi) * inner + math.sin(psi) * outer)
    t = -math.sqrt(2.0) * outer  # one column: fewer functions to evaluate
    if not exchangeable:
        t = math.sqrt(2.0) * (math.sin(psi) * inner - math.cos(psi) * outer)
    return _PairRule(0.5 * (total + t), 0.5 * (total - t), t, outer_weights * inner_weights)


def _outer_breaks(shape: Shape, cos: float, sin: float, sigma2: float, skewed: bool) -> Array:
    """Find breaks along the minor axis: bends around 0, and where a kink of phi(u1) meets one of phi(u2)."""
    smooth = _panels(shape.width, sigma2)
    meetings = [cos * k2 - sin * k1 for k1 in shape.kinks for k2 in shape.kinks]
    if not skewed:
        return np.concatenate([smooth, meetings])
    # With unequal variances a bend of phi(u2) may run almost along the major axis; the inner integral then leaves
    # a bend of any narrowness at k2 / cos, or at -k1 / sin. Seen from far away, smooth bends are such kinks at 0.
    crossings = [k / s for k in shape.kinks for s in (cos, -sin) if abs(s) > 1e-12]
    steps = sigma2 * 2.0 ** -np.arange(30.0)
    if not shape.kinks:
        steps = steps[steps > shape.width]
    points = np.unique([*meetings, *crossings, 0.0])
    return np.concatenate([smooth, points, *(point + side * steps for point in points for side in (-1.0, 1.0))])


# --- expectations --------------------------------------------------------------------------


class Expectations:
    """Expectations over u ~ N(0, q), or over two such u with variances q1, q2, by quadrature.

    Two Gaussians are given by q1, q2 and half their mean square distance d = E[(u1 - u2)^2] / 2, that is
    d = q (1 - c) for equal variances: nothing cancels as the correlation c approaches 1.

    Parameters
    ----------
    shape : Shape
        The activation phi.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def mean(self, f: Callable[[Array], Array], q: Array) -> Array:
        """E[f(u)] of a function that bends where phi does.

        Parameters
        ----------
        f : callable
            Function on arrays of u.
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        sigma = np.maximum(np.sqrt(q), _TINY)
        breaks = np.concatenate([self.shape.kinks, _panels(self.shape.width, float(np.max(sigma, initial=_TINY)))])
        u, weights = _gaussian_rule(sigma, np.broadcast_to(breaks, (*sigma.shape, breaks.size)))
        return np.asarray(np.sum(weights * f(u), axis=-1))

    def mean_square(self, q: Array) -> Array:
        """E[phi(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return self.mean(lambda u: self.shape.value(u) ** 2, q)

    def gain(self, q: Array) -> Array:
        """E[phi'(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return self.gain_moment(q, 1)

    def gain_moment(self, q: Array, order: int) -> Array:
        """E[phi'(u)^(2 order)].

        Parameters
        ----------
        q : array
            Variances, of any shape.
        order : int
            Power of phi'^2.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return self.mean(lambda u: self.shape.slope(u) ** (2 * order), q)

    def bending(self, q: Array) -> Array:
        """E[phi(u) phi''(u)]: dE[phi^2]/dq = E[phi'^2] + E[phi phi''].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        smooth = self.mean(lambda u: self.shape.value(u) * self.shape.curvature(u), q)
        # phi'' holds a delta function wherever phi' jumps.
        for kink, jump in zip(self.shape.kinks, self.shape.jumps, strict=True):
            weight = jump * float(self.shape.value(np.array(kink)))
            sigma = np.maximum(np.sqrt(q), _TINY)
            smooth = smooth + weight * _normal_density(np.minimum(abs(kink) / sigma, 100.0)) / sigma
        return smooth

    def curvature_square(self, q: Array) -> Array:
        """E[phi''(u)^2]; infinite if phi has a kink.

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        if any(self.shape.jumps):
            return np.full(np.shape(q), np.inf)
        return self.mean(lambda u: self.shape.curvature(u) ** 2, q)

    def distance(self, q1: float, q2: float, d: float) -> float:
        """E[(phi(u1) - phi(u2))^2] / 2, to full relative precision for equal variances.

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        rule = _pair_rule(self.shape, q1, q2, d)
        return 0.5 * float(np.sum(rule.weights * self.shape.difference(rule.u1, rule.u2, rule.t) ** 2))

    def slope_product(self, q1: float, q2: float, d: float) -> float:
        """E[phi'(u1) phi'(u2)].

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        rule = _pair_rule(self.shape, q1, q2, d)
        return float(np.sum(rule.weights * self.shape.slope(rule.u1) * self.shape.slope(rule.u2)))


class KinkedLine(Expectations):
    """Closed forms for phi(u) = u for u > 0, a u otherwise: linear, ReLU and leaky ReLU.

    Parameters
    ----------
    slope : float
        Slope a.

    References
    ----------
    Cho & Saul, Kernel methods for deep learning, NeurIPS 2009, eqs. 3-7: the arc-cosine kernels.
    """

    def __init__(self, slope: float) -> None:
        super().__init__(_line_with_kink(slope))
        self.slope = slope

    def mean_square(self, q: Array) -> Array:
        """E[phi(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return self.gain(q) * q

    def gain_moment(self, q: Array, order: int) -> Array:
        """E[phi'(u)^(2 order)], the same at every q.

        Parameters
        ----------
        q : array
            Variances, of any shape.
        order : int
            Power of phi'^2.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return np.full(np.shape(q), 0.5 * (1.0 + self.slope ** (2 * order)))

    def bending(self, q: Array) -> Array:
        """E[phi(u) phi''(u)] = 0: phi vanishes at its kink.

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return np.zeros(np.shape(q))

    def distance(self, q1: float, q2: float, d: float) -> float:
        """E[(phi(u1) - phi(u2))^2] / 2.

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        geometric_mean, angle = _angle(q1, q2, d)
        # m - sqrt(q1 q2) J(angle), with m = (q1 + q2) / 2 and the arc-cosine map J.
        gap = 0.5 * (q1 + q2) - geometric_mean + geometric_mean * _arc_cosine_decorrelation(angle)
        return self.slope * d + 0.5 * (1.0 - self.slope) ** 2 * gap

    def slope_product(self, q1: float, q2: float, d: float) -> float:
        """E[phi'(u1) phi'(u2)].

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        return self.slope + (1.0 - self.slope) ** 2 * (math.pi - _angle(q1, q2, d)[1]) / (2.0 * math.pi)


def _angle(q1: float, q2: float, d: float) -> tuple[float, float]:
    """Geometric mean of two variances, and the angle arccos(c) of the two Gaussians."""
    geometric_mean = q1 if q1 == q2 else math.sqrt(q1) * math.sqrt(q2)
    if geometric_mean == 0.0:
        return 0.0, 0.5 * math.pi
    decorrelation = (d - 0.5 * (math.sqrt(q1) - math.sqrt(q2)) ** 2) / geometric_mean
    return geometric_mean, 2.0 * math.asin(math.sqrt(0.5 * min(max(decorrelation, 0.0), 2.0)))


def _arc_cosine_decorrelation(angle: float) -> float:
    """1 - [sin(t) + (pi - t) cos(t)] / pi at the angle t."""
    if angle > 0.5:
        rest = math.sin(angle) - angle * math.cos(angle)
    else:  # the two terms agree up to t^3 / 3: sum the series of their difference
        x = angle**2
        rest = angle * x * (1 / 3 - x * (1 / 30 - x * (1 / 840 - x * (1 / 45360 - x * (1 / 3991680 - x / 518918400)))))
    return 2.0 * math.sin(0.5 * angle) ** 2 - rest / math.pi


class Erf(Expectations):
    """Closed forms for the error function.

    References
    ----------
    Williams, Computing with infinite networks, NeurIPS 1996, eq. 11: E[erf(u1) erf(u2)].
    """

    def __init__(self) -> None:
        super().__init__(_SHAPES["erf"])

    def mean_square(self, q: Array) -> Array:
        """E[erf(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        # asin(x) of an x next to 1 would lose digits.
        return 2.0 / math.pi * np.arctan2(2.0 * q, np.sqrt(1.0 + 4.0 * q))

    def gain_moment(self, q: Array, order: int) -> Array:
        """E[erf'(u)^(2 order)].

        Parameters
        ----------
        q : array
            Variances, of any shape.
        order : int
            Power of phi'^2.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return (4.0 / math.pi) ** order / np.sqrt(1.0 + 4.0 * order * q)

    def curvature_square(self, q: Array) -> Array:
        """E[erf''(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return 16.0 / math.pi * q / (1.0 + 4.0 * q) ** 1.5

    def bending(self, q: Array) -> Array:
        """E[erf(u) erf''(u)].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return -8.0 / math.pi * q / ((1.0 + 2.0 * q) * np.sqrt(1.0 + 4.0 * q))

    def distance(self, q1: float, q2: float, d: float) -> float:
        """E[(erf(u1) - erf(u2))^2] / 2.

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        covariance = 0.5 * (q1 + q2) - d
        # The angles of sin(A) = 2 k / sqrt((1 + 2 q1)(1 + 2 q2)) and of the two equal-argument cases.
        root = math.sqrt(_erf_determinant(q1, q2, d))
        mixed = math.atan2(2.0 * covariance, root)
        if q1 != q2:
            own = sum(math.atan2(2.0 * q, math.sqrt(1.0 + 4.0 * q)) for q in (q1, q2))
            return (own - 2.0 * mixed) / math.pi
        # tan(A - B) of two angles with the same hypotenuse 1 + 2 q.
        alone = math.sqrt(1.0 + 4.0 * q1)
        sine = 2.0 * q1 * root - 2.0 * covariance * alone
        if covariance > 0.0:  # the same without cancellation
            sine = 4.0 * (1.0 + 2.0 * q1) ** 2 * d * (2.0 * q1 - d) / (2.0 * q1 * root + 2.0 * covariance * alone)
        return 2.0 / math.pi * math.atan2(sine, root * alone + 4.0 * q1 * covariance)

    def slope_product(self, q1: float, q2: float, d: float) -> float:
        """E[erf'(u1) erf'(u2)].

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        return 4.0 / math.pi / math.sqrt(_erf_determinant(q1, q2, d))


def _erf_determinant(q1: float, q2: float, d: float) -> float:
    """(1 + 2 q1)(1 + 2 q2) - 4 k^2 for the covariance k = (q1 + q2) / 2 - d."""
    determinant = d * (q1 + q2 - d) - 0.25 * (q1 - q2) ** 2
    return 1.0 + 2.0 * (q1 + q2) + 4.0 * max(determinant, 0.0)


class Sine(Expectations):
    """Closed forms for the sine, from E[exp(i k u)] = exp(-k^2 q / 2)."""

    def __init__(self) -> None:
        super().__init__(_SHAPES["sin"])

    def mean_square(self, q: Array) -> Array:
        """E[sin(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return -0.5 * np.expm1(-2.0 * q)

    def gain_moment(self, q: Array, order: int) -> Array:
        """E[cos(u)^(2 order)].

        Parameters
        ----------
        q : array
            Variances, of any shape.
        order : int
            Power of phi'^2.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        binomial = [math.comb(2 * order, j) for j in range(2 * order + 1)]
        terms = [b * np.exp(-2.0 * (order - j) ** 2 * q) for j, b in enumerate(binomial)]
        return np.asarray(sum(terms)) / 4.0**order

    def curvature_square(self, q: Array) -> Array:
        """E[sin(u)^2].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return self.mean_square(q)

    def bending(self, q: Array) -> Array:
        """E[sin(u) sin''(u)].

        Parameters
        ----------
        q : array
            Variances, of any shape.

        Returns
        -------
        array
            Of the shape of ``q``.
        """
        return -self.mean_square(q)

    def distance(self, q1: float, q2: float, d: float) -> float:
        """E[(sin(u1) - sin(u2))^2] / 2.

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        equal = -0.5 * math.expm1(-d) * (1.0 + math.exp(d - q1 - q2))
        return equal - 0.25 * (math.exp(-q1) - math.exp(-q2)) ** 2

    def slope_product(self, q1: float, q2: float, d: float) -> float:
        """E[cos(u1) cos(u2)].

        Parameters
        ----------
        q1, q2 : float
            Variances of u1 and u2.
        d : float
            ``E[(u1 - u2)^2] / 2``.

        Returns
        -------
        float
        """
        return 0.5 * (math.exp(-d) + math.exp(d - q1 - q2))


@functools.cache
def _expectations(activation: Activation) -> Expectations:
    if activation.name in {"linear", "relu", "leaky_relu"}:
        return KinkedLine(1.0 if activation.name == "linear" else activation.slope)
    if activation.name == "erf":
        return Erf()
    return Sine() if activation.name == "sin" else Expectations(_SHAPES[activation.name])


def expectations(activation: str | Activation) -> Expectations:
    """Gaussian expectations of an activation, by name.

    Parameters
    ----------
    activation : str or Activation
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.

    Returns
    -------
    Expectations
        Closed forms for linear, ReLU, leaky ReLU, erf and sin; quadrature for the others.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return _expectations(parse(activation))
