r"""Mean-field theory of deep random networks: what the simulations tend to at infinite width.

A layer is ``z = W h + b``, ``h = phi(z)`` with ``W_ij ~ N(0, sigma_w^2 / fan_in)`` and ``b_i ~ N(0, sigma_b^2)``.
As the width grows, the pre-activations z become Gaussian, with a variance q (the length) and a correlation c between
two inputs that follow deterministic maps from layer to layer. Below, ``u, u1, u2`` stand for Gaussians of variance q
and correlation c. All quantities are dimensionless; ``sigma_w`` and ``sigma_b`` are standard deviations.

References
----------
.. [1] B. Poole, S. Lahiri, M. Raghu, J. Sohl-Dickstein, S. Ganguli, "Exponential expressivity in deep neural networks
   through transient chaos", NeurIPS 2016, arXiv:1606.05340.
.. [2] S. S. Schoenholz, J. Gilmer, S. Ganguli, J. Sohl-Dickstein, "Deep information propagation", ICLR 2017,
   arXiv:1611.01232.
.. [3] S. Hayou, A. Doucet, J. Rousseau, "On the impact of the activation function on deep neural networks training",
   ICML 2019, arXiv:1902.06853.
.. [4] J. Pennington, S. S. Schoenholz, S. Ganguli, "Resurrecting the sigmoid in deep learning through dynamical
   isometry", NeurIPS 2017, arXiv:1711.04735.
.. [5] A. Jacot, F. Gabriel, C. Hongler, "Neural tangent kernel: convergence and generalization in neural networks",
   NeurIPS 2018, arXiv:1806.07572.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from simnn.propagation.activations import Activation
from simnn.propagation.arguments import count, number, numbers, same_kind
from simnn.propagation.expectations import Array, Expectations, KinkedLine, expectations, shape

_CRITICAL = 1e-12
"""A growth factor this close to 1 counts as 1: q* and sigma_w carry rounding errors."""


_LARGEST = 1e50
"""Largest standard deviation: its fourth power is finite."""

_LARGEST_CRITICAL = 1e5
"""Largest sigma_b of a critical point, where chi differs from its limit at infinite length by 1e-12."""

_PER_DECADE = 25
"""Points of the grids on which roots are looked for."""


def _variances(sigma_w: float, sigma_b: float) -> tuple[float, float]:
    return number("sigma_w", sigma_w, 0.0, _LARGEST) ** 2, number("sigma_b", sigma_b, 0.0, _LARGEST) ** 2


# --- maps from one layer to the next --------------------------------------------------------------------------


@overload
def length_map(q: float, activation: str | Activation, sigma_w: float, sigma_b: float) -> float: ...
@overload
def length_map(q: Array | Sequence[float], activation: str | Activation, sigma_w: float, sigma_b: float) -> Array: ...
def length_map(q: ArrayLike, activation: str | Activation, sigma_w: float, sigma_b: float) -> float | Array:
    """Variance of the pre-activations of the next layer, ``sigma_w^2 E[phi(u)^2] + sigma_b^2``.

    Parameters
    ----------
    q : float or array
        Variance of the pre-activations, >= 0.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.

    Returns
    -------
    float or array
        Of the shape of ``q``; relative accuracy 1e-13.

    Raises
    ------
    ValueError
        If a parameter is negative or not finite, or the activation is unknown.

    References
    ----------
    Poole et al. 2016 [1]_, eq. 3.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    lengths = numbers("q", q, 0.0)
    return same_kind(variance_w * expectations(activation).mean_square(lengths) + variance_b, q)


@overload
def decorrelation_map(e: float, q: float, activation: str | Activation, sigma_w: float, sigma_b: float) -> float: ...
@overload
def decorrelation_map(
    e: Array | Sequence[float], q: float, activation: str | Activation, sigma_w: float, sigma_b: float
) -> Array: ...
def decorrelation_map(
    e: ArrayLike, q: float, activation: str | Activation, sigma_w: float, sigma_b: float
) -> float | Array:
    """Decorrelation ``e = 1 - c`` of two inputs in the next layer.

    Carrying e instead of c keeps all digits as two inputs converge: with ``q' = length_map(q)``, nothing cancels in
    ``e' = sigma_w^2 E[(phi(u1) - phi(u2))^2] / (2 q')``.

    Parameters
    ----------
    e : float or array
        1 - correlation of the pre-activations, in [0, 2].
    q : float
        Variance of the pre-activations, the same for both inputs, > 0.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.

    Returns
    -------
    float or array
        Of the shape of ``e``; relative accuracy 1e-12, however small ``e``.

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Poole et al. 2016 [1]_, eq. 5, subtracted from its value at c = 1.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    length, decorrelations = number("q", q, positive=True), numbers("e", e, 0.0, 2.0)
    mean = expectations(activation)
    next_length = variance_w * float(mean.mean_square(np.asarray(length))) + variance_b
    distances = [mean.distance(length, length, length * one) for one in decorrelations.ravel().tolist()]
    with np.errstate(invalid="ignore"):  # sigma_w = sigma_b = 0 leaves nothing to correlate: nan
        ratio = variance_w * np.asarray(distances) / np.float64(next_length)
    return same_kind(ratio.reshape(decorrelations.shape), e)


@overload
def correlation_map(c: float, q: float, activation: str | Activation, sigma_w: float, sigma_b: float) -> float: ...
@overload
def correlation_map(
    c: Array | Sequence[float], q: float, activation: str | Activation, sigma_w: float, sigma_b: float
) -> Array: ...
def correlation_map(
    c: ArrayLike, q: float, activation: str | Activation, sigma_w: float, sigma_b: float
) -> float | Array:
    """Correlation of two inputs in the next layer, ``(sigma_w^2 E[phi(u1) phi(u2)] + sigma_b^2) / q'``.

    ``q' = length_map(q)``, so that c = 1 is a fixed point at any q. Iterate `decorrelation_map` instead where c comes
    close to 1.

    Parameters
    ----------
    c : float or array
        Correlation of the pre-activations, in [-1, 1].
    q : float
        Variance of the pre-activations, the same for both inputs, > 0.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.

    Returns
    -------
    float or array
        Of the shape of ``c``; absolute accuracy 1e-14.

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Poole et al. 2016 [1]_, eq. 5.
    """
    return same_kind(1.0 - decorrelation_map(1.0 - numbers("c", c, -1.0, 1.0), q, activation, sigma_w, sigma_b), c)


def kernel_map(covariance: ArrayLike, activation: str | Activation, sigma_w: float, sigma_b: float) -> Array:
    """Covariance of the pre-activations of the next layer, for any number of inputs of any lengths.

    Parameters
    ----------
    covariance : (K, K) array
        Covariance of the pre-activations of K inputs; variances may differ, and may be 0.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.

    Returns
    -------
    (K, K) float64 array
        ``sigma_w^2 E[phi(u_a) phi(u_b)] + sigma_b^2``.

    Raises
    ------
    ValueError
        If the covariance is not a symmetric positive semidefinite matrix, or a parameter is out of range.

    References
    ----------
    Poole et al. 2016 [1]_, eqs. 3 and 5.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    return _next_pairs(_Pairs.of(covariance, "covariance"), expectations(activation), variance_w, variance_b).kernel()


@dataclass(frozen=True)
class _Pairs:
    """A covariance matrix as its diagonal and half the mean square distances, which do not cancel."""

    length: Array
    distance: Array

    @classmethod
    def of(cls, covariance: ArrayLike, name: str) -> "_Pairs":
        matrix = np.array(numbers(name, covariance), ndmin=2)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"{name}: must be a square matrix of finite numbers")
        length = np.diag(matrix).copy()
        bound = np.sqrt(np.abs(np.outer(length, length))) * (1.0 + 1e-9)
        if np.any(length < 0.0) or np.any(np.abs(matrix) > bound) or not np.allclose(matrix, matrix.T, rtol=1e-9):
            raise ValueError(f"{name}: must be symmetric and positive semidefinite")
        return cls(length, np.maximum(0.5 * (length[:, None] + length) - 0.5 * (matrix + matrix.T), 0.0))

    def kernel(self) -> Array:
        return 0.5 * (self.length[:, None] + self.length) - self.distance

    def each(self, f: Callable[[float, float, float], float], diagonal: Array) -> Array:
        """Symmetric matrix with f(q_a, q_b, d_ab) off the diagonal; f runs once for equal arguments."""
        out = np.diag(diagonal)
        known: dict[tuple[float, float, float], float] = {}
        for a in range(len(out)):
            for b in range(a):
                pair = float(self.length[a]), float(self.length[b]), float(self.distance[a, b])
                if pair not in known:
                    known[pair] = f(*pair)
                out[a, b] = out[b, a] = known[pair]
        return out


def _next_pairs(pairs: _Pairs, mean: Expectations, variance_w: float, variance_b: float) -> _Pairs:
    length = variance_w * mean.mean_square(pairs.length) + variance_b
    return _Pairs(length, variance_w * pairs.each(mean.distance, np.zeros_like(length)))


# --- fixed points and phases --------------------------------------------------------------------------


def fixed_point(
    activation: str | Activation, sigma_w: float, sigma_b: float, q_start: float = 1.0
) -> tuple[float, float]:
    """Length and correlation that a deep network settles to.

    Parameters
    ----------
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.
    q_start : float
        Variance of the pre-activations from which `length_map` is iterated. It matters where several fixed points
        exist (GELU, SiLU), and where every length is one (critical, bias-free ReLU: ``q_start`` is returned).

    Returns
    -------
    q_star : float
        Fixed point of `length_map` reached from ``q_start``; 0 where the length decays to nothing, ``inf`` where it
        grows without bound.
    c_star : float
        Stable fixed point of `correlation_map` at ``q_star``: 1 in the ordered phase and on the critical line, less
        in the chaotic phase. Where q* is 0 or ``inf`` it is the limit of the correlations: 1 if the activation has a
        kink there (ReLU, or any activation that is a ReLU seen from far away), ``nan`` if it is a straight line
        (smooth activations at q* = 0, linear networks), because then every correlation freezes where it is.

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Poole et al. 2016 [1]_, section 3.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    q_star = _length_fixed_point(activation, variance_w, variance_b, q_start)
    return q_star, 1.0 - _stable_decorrelation(activation, variance_w, variance_b, q_star)


def _length_fixed_point(
    activation: str | Activation, variance_w: float, variance_b: float, q_start: float = 1.0
) -> float:
    q_start = number("q_start", q_start, high=_LARGEST**2, positive=True)
    mean = expectations(activation)
    if isinstance(mean, KinkedLine):
        return _homogeneous_fixed_point(variance_w * float(mean.gain(np.asarray(1.0))), variance_b, q_start)

    def growth(q: Array) -> Array:
        return (variance_w * mean.mean_square(q) + variance_b) / q - 1.0

    start = float(growth(np.asarray(q_start)))
    if abs(start) < _CRITICAL:
        return q_start
    # The length map increases with q, so that its iteration stops at the first fixed point on its way. Where growth
    # tends to 1, at large lengths and without a bias at small ones, rounding is no fixed point.
    if start > 0.0:
        grid = _grid(q_start, 1e15 * max(1.0, q_start, variance_w + variance_b))
        return _first_root(growth, grid, slack=_CRITICAL, otherwise=math.inf)
    lowest = variance_w * float(mean.mean_square(np.asarray(0.0))) + variance_b
    grid = _grid(q_start, min(max(0.5 * lowest, 1e-14), 0.5 * q_start))
    return _first_root(lambda q: -growth(q), grid, slack=_CRITICAL if lowest == 0.0 else 0.0, otherwise=0.0)


def _homogeneous_fixed_point(factor: float, variance_b: float, q_start: float) -> float:
    """Fixed point of q' = factor q + sigma_b^2."""
    if variance_b == 0.0 and abs(factor - 1.0) < _CRITICAL:
        return q_start
    if factor > 1.0 - _CRITICAL:
        return math.inf
    return variance_b / (1.0 - factor)


def _grid(start: float, stop: float) -> Array:
    return np.geomspace(start, stop, 2 + round(_PER_DECADE * abs(math.log10(stop / start))))


def _first_root(f: Callable[[Array], Array], grid: Array, slack: float, otherwise: float) -> float:
    """Root of f where it first falls below ``-slack``, on its way along the grid from a point at which f > 0."""
    values = f(grid)
    dips = _dips(f, grid, values, slack)
    if dips:
        grid = np.sort([*grid, *dips])[:: 1 if grid[-1] > grid[0] else -1]
        values = f(grid)
    below = np.flatnonzero(values < -slack)
    if len(below) == 0:
        return otherwise
    last = np.flatnonzero(values[: below[0]] > 0.0)[-1]
    return _root(lambda q: float(f(np.asarray(q))), float(grid[last]), float(grid[below[0]]))


def _dips(f: Callable[[Array], Array], grid: Array, values: Array, slack: float) -> list[float]:
    """Minima of f that may lie below zero between points of the grid at which it is positive."""
    from scipy.optimize import minimize_scalar

    before, middle, after = values[:-2], values[1:-1], values[2:]
    bend = before + after - 2.0 * middle  # of a parabola; its minimum lies less than an eighth of it below the middle
    low = (middle < before) & (middle < after) & (middle > slack) & (middle < 0.125 * bend)
    dips = []
    for i in np.flatnonzero(low):
        ends = math.log(min(grid[i], grid[i + 2])), math.log(max(grid[i], grid[i + 2]))
        dip = minimize_scalar(lambda x: float(f(np.exp(x))), bounds=ends, method="bounded", options={"xatol": 1e-12})
        dips.append(math.exp(dip.x))
    return dips


def _root(f: Callable[[float], float], low: float, high: float) -> float:
    """Root between two points > 0; the better end where rounding hides the change of sign."""
    from scipy.optimize import brentq

    def of_log(x: float) -> float:
        return f(math.exp(x))

    ends = of_log(math.log(low)), of_log(math.log(high))
    if np.sign(ends[0]) == np.sign(ends[1]):
        return low if abs(ends[0]) < abs(ends[1]) else high
    return math.exp(brentq(of_log, math.log(low), math.log(high), xtol=1e-15, rtol=1e-15))


def _stable_decorrelation(activation: str | Activation, variance_w: float, variance_b: float, q_star: float) -> float:
    """``1 - c*``; see `fixed_point` for the limits."""
    mean = expectations(activation)
    chi1 = _chi(activation, variance_w, q_star, 0.0)
    if _is_limit(activation, variance_b, q_star):
        # A straight line keeps e q, so that e tends to a constant, unless biases of relative weight 1/l add up.
        frozen = _limit(activation, q_star)[1].slope == 1.0
        return math.nan if frozen and (variance_b == 0.0 or chi1 > 1.0 + _CRITICAL) else 0.0
    # E[phi(u1) phi(u2)] is a power series in c with coefficients >= 0: if its slope at c = 1 exceeds 1,
    # exactly one fixed point lies in 0 <= c < 1.
    if chi1 <= 1.0 + _CRITICAL:
        return 0.0

    def growth(e: float) -> float:
        return variance_w * mean.distance(q_star, q_star, q_star * e) / (q_star * e) - 1.0

    if growth(1.0) > -_CRITICAL:
        return 1.0
    for decade in range(1, 15):
        if growth(10.0**-decade) > 0.0:
            return _root(growth, 10.0**-decade, 10.0 ** (1 - decade))
    return 0.0


def _is_limit(activation: str | Activation, variance_b: float, q_star: float) -> bool:
    """Whether the network settles to a state in which only ratios of lengths have a meaning."""
    homogeneous = isinstance(expectations(activation), KinkedLine)
    return q_star == 0.0 or math.isinf(q_star) or (homogeneous and variance_b == 0.0)


def _limit(activation: str | Activation, q_star: float) -> tuple[float, KinkedLine]:
    """Scale and kinked line that an activation looks like at a length of 0 or infinity."""
    far = 1e30 if math.isinf(q_star) else 1e-30
    left, right = shape(activation).slope(np.array([-far, far])).tolist()
    return right, KinkedLine(left / right)


def _chi(activation: str | Activation, variance_w: float, q: float, e: float) -> float:
    if q == 0.0 or math.isinf(q):
        scale, line = _limit(activation, q)
        return variance_w * scale**2 * line.slope_product(1.0, 1.0, e)
    mean = expectations(activation)
    return variance_w * (mean.slope_product(q, q, q * e) if e > 0.0 else float(mean.gain(np.asarray(q))))


def chi(activation: str | Activation, sigma_w: float, sigma_b: float, c: float = 1.0, q: float | None = None) -> float:
    """Growth factor of the squared gradient per layer, ``sigma_w^2 E[phi'(u1) phi'(u2)]``.

    At c = 1 it is also the factor by which two close inputs separate (> 1, chaos) or converge (< 1, order).

    Parameters
    ----------
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.
    c : float
        Correlation of u1 and u2, in [-1, 1].
    q : float, optional
        Variance of u1 and u2; by default q* of `fixed_point`, its limit where that is 0 or infinite.

    Returns
    -------
    float
        Relative accuracy 1e-12 at given ``q``.

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Poole et al. 2016 [1]_, eq. 6; Schoenholz et al. 2017 [2]_, section 4, for the gradient.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    correlation = number("c", c, -1.0, 1.0)
    at = _length_fixed_point(activation, variance_w, variance_b) if q is None else number("q", q, 0.0)
    return _chi(activation, variance_w, at, 1.0 - correlation)


@dataclass(frozen=True)
class DepthScales:
    """Numbers of layers over which signals forget; negative where they grow instead, infinite at criticality.

    Attributes
    ----------
    length : float
        xi_q, of deviations of the length from q*: ``-1 / ln(chi_1 + sigma_w^2 E[phi phi''])``.
    correlation : float
        xi_c, of deviations of the correlation from c*: ``-1 / ln chi(c*)``; infinite where c* is only a limit
        (q* 0 or infinite, bias-free ReLU), since the approach is then no exponential.
    gradient : float
        xi_grad, of the squared gradient norm: ``-1 / ln chi_1``.
    """

    length: float
    correlation: float
    gradient: float


def depth_scales(activation: str | Activation, sigma_w: float, sigma_b: float) -> DepthScales:
    """Depth scales of lengths, correlations and gradients.

    Parameters
    ----------
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.

    Returns
    -------
    DepthScales
        In layers.

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Schoenholz et al. 2017 [2]_, sections 3 and 4.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    q_star = _length_fixed_point(activation, variance_w, variance_b)
    chi1 = _chi(activation, variance_w, q_star, 0.0)
    if q_star == 0.0 or math.isinf(q_star):
        bending = 0.0
    else:
        bending = variance_w * float(expectations(activation).bending(np.asarray(q_star)))
    if _is_limit(activation, variance_b, q_star):
        correlation = math.inf
    else:
        e_star = _stable_decorrelation(activation, variance_w, variance_b, q_star)
        correlation = _depth_scale(_chi(activation, variance_w, q_star, e_star))
    return DepthScales(_depth_scale(chi1 + bending), correlation, _depth_scale(chi1))


def _depth_scale(factor: float) -> float:
    if factor <= 0.0:
        return 0.0
    return math.inf if abs(math.log(factor)) < _CRITICAL else -1.0 / math.log(factor)


# --- criticality --------------------------------------------------------------------------


def critical_sigma_w(activation: str | Activation, sigma_b: float) -> float:
    """Weight scale of the edge of chaos: where chi is 1 at a stable fixed point of the length.

    For linear, ReLU and leaky ReLU chi does not depend on the length, and the answer ``sqrt(2 / (1 + slope^2))`` is
    returned for every ``sigma_b``, although with ``sigma_b > 0`` the length then grows by ``sigma_b^2`` per layer.
    Of other activations the point counts only if `fixed_point` finds its length, so that ``chi`` there is 1.

    Parameters
    ----------
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_b : float
        Standard deviation of the biases, at most 1e5.

    Returns
    -------
    float
        ``sigma_w``; relative accuracy 1e-12.

    Raises
    ------
    ValueError
        If no such point exists (GELU below ``sigma_b^2 = 0.173``, SiLU below 0.555), or ``sigma_b`` is out of range.

    References
    ----------
    Poole et al. 2016 [1]_, section 3; Schoenholz et al. 2017 [2]_, section 3.
    """
    return 1.0 / math.sqrt(float(expectations(activation).gain(np.asarray(_critical_length(activation, sigma_b)))))


def _critical_length(activation: str | Activation, sigma_b: float) -> float:
    """Length at which sigma_w^2 = 1 / E[phi'^2] keeps both chi = 1 and the length itself.

    Along the curve chi = 1, sigma_b^2 is a function of the length: ``q - E[phi^2] / E[phi'^2]``.
    """
    variance_b = number("sigma_b", sigma_b, 0.0, _LARGEST_CRITICAL) ** 2
    mean = expectations(activation)
    if isinstance(mean, KinkedLine):
        return 1.0

    def excess(q: Array) -> Array:
        return q - mean.mean_square(q) / mean.gain(q) - variance_b

    def stable(q: float) -> bool:
        return float(mean.bending(np.asarray(q))) <= _CRITICAL * float(mean.gain(np.asarray(q)))

    def reached(q: float) -> bool:
        variance_w = 1.0 / float(mean.gain(np.asarray(q)))
        q_star = _length_fixed_point(activation, variance_w, variance_b)
        return abs(_chi(activation, variance_w, q_star, 0.0) - 1.0) < 1e-9

    # The length grows as sigma_b^4 if the activation tends to a line on one side, otherwise as sigma_b^2.
    grid = _grid(1e-6, 1e10 * max(1.0, variance_b**2))
    values = excess(grid)
    # Below the grid lies the point q = 0 of activations with phi(0) = 0; sigma_b around 1e-9 or less counts as 0.
    if float(mean.mean_square(np.asarray(0.0))) < 1e-150 and values[0] >= -1e-21 and stable(grid[0]):
        return 0.0
    for before in np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) <= 0.0):
        low, high = grid[before : before + 2].tolist()
        root = _root(lambda q: float(excess(np.asarray(q))), low, high)
        if stable(root) and reached(root):
            return root
    raise ValueError(
        f"sigma_b: at {sigma_b!r} no critical sigma_w of {activation} has a stable length that is reached from q = 1"
    )


def correlation_decay(activation: str | Activation, sigma_b: float) -> float:
    """Constant kappa of ``1 - c_l ~ kappa / l``, the convergence of two inputs on the critical line.

    ``kappa = 2 E[phi'^2] / (q* E[phi''^2])``, for smooth activations with ``q* > 0``.

    Parameters
    ----------
    activation : str
        A smooth activation, for instance ``"tanh"``.
    sigma_b : float
        Standard deviation of the biases; `critical_sigma_w` goes with it.

    Returns
    -------
    float
        kappa, in layers.

    Raises
    ------
    ValueError
        If the activation has a kink or none has a bend (the decay of ReLU is ``9 pi^2 / (2 l^2)``; linear networks
        have none), if there is no critical point, or if it lies at a length of 0, where correlations freeze.

    References
    ----------
    Hayou et al. 2019 [3]_.
    """
    mean = expectations(activation)
    if mean.shape.jumps or isinstance(mean, KinkedLine):
        raise ValueError(f"activation: the 1/l law holds for smooth, bent activations, not for {activation}")
    q = np.asarray(_critical_length(activation, sigma_b))
    if q == 0.0:
        raise ValueError(f"sigma_b: correlations freeze at the critical point of {activation} at {sigma_b!r}")
    return float(2.0 * mean.gain(q) / (q * mean.curvature_square(q)))


@overload
def moment_ratio(q: float, activation: str | Activation) -> float: ...
@overload
def moment_ratio(q: Array | Sequence[float], activation: str | Activation) -> Array: ...
def moment_ratio(q: ArrayLike, activation: str | Activation) -> float | Array:
    """``E[phi'^4] / E[phi'^2]^2``, which sets the spread of the singular values of the Jacobian.

    At criticality the variance of the squared singular values after L layers of Gaussian weights is
    ``L * moment_ratio`` times their squared mean, of orthogonal weights ``L * (moment_ratio - 1)``.

    Parameters
    ----------
    q : float or array
        Variance of the pre-activations, >= 0.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.

    Returns
    -------
    float or array
        Of the shape of ``q``; relative accuracy 1e-13.

    Raises
    ------
    ValueError
        If ``q`` is out of range or the activation is unknown.

    References
    ----------
    Pennington et al. 2017 [4]_.
    """
    lengths = numbers("q", q, 0.0)
    mean = expectations(activation)
    return same_kind(mean.gain_moment(lengths, 2) / mean.gain(lengths) ** 2, q)


# --- networks of finite depth --------------------------------------------------------------------------


@dataclass(frozen=True)
class Trajectory:
    """Statistics of layers l = 1, ..., depth; arrays of shape (depth,).

    Attributes
    ----------
    length : array
        q_l, the variance of the pre-activations z^l.
    decorrelation : array
        1 - c_l of two inputs; ``nan`` if none were given, and from where a length is 0 or overflows.
    chi : array
        ``sigma_w^2 E[phi'(u)^2]`` at q_l.
    gradient_norm : array
        Mean square of dL/dz^l_i for a gradient ~ N(0, I) at the output h^depth of the last layer.
    """

    length: Array
    decorrelation: Array
    chi: Array
    gradient_norm: Array


def propagate(
    depth: int,
    activation: str | Activation,
    sigma_w: float,
    sigma_b: float,
    input_length: float = 1.0,
    input_correlation: float | None = None,
) -> Trajectory:
    """Follow lengths, correlations and gradients through a network.

    Parameters
    ----------
    depth : int
        Number of layers ``h^l = phi(z^l)``.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases.
    input_length : float
        Mean square of the entries of the input(s), so that ``q_1 = sigma_w^2 input_length + sigma_b^2``.
    input_correlation : float, optional
        Overlap of two inputs of that length.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Poole et al. 2016 [1]_, eqs. 3 and 5; Schoenholz et al. 2017 [2]_, section 4, for the gradient.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    depth, input_length = count("depth", depth), number("input_length", input_length, 0.0)
    if input_correlation is not None:
        input_correlation = number("input_correlation", input_correlation, -1.0, 1.0)
    mean = expectations(activation)
    length = np.full(depth, math.inf)
    distance = np.full(depth, math.nan)  # q e: the bias drops out
    length[0] = variance_w * input_length + variance_b
    if input_correlation is not None:
        distance[0] = variance_w * input_length * (1.0 - input_correlation)
    # Exploding lengths and gradients end at infinity.
    with np.errstate(over="ignore", invalid="ignore"):
        for l in range(1, depth):
            if not math.isfinite(length[l - 1]):
                break
            length[l] = variance_w * mean.mean_square(length[l - 1]) + variance_b
            if math.isfinite(distance[l - 1]):
                q = float(length[l - 1])
                distance[l] = variance_w * mean.distance(q, q, float(distance[l - 1]))
        chi = variance_w * mean.gain(np.minimum(length, 1e300))
        factors = chi.copy()
        factors[-1] = mean.gain(np.minimum(length[-1], 1e300))
        gradient_norm = np.cumprod(factors[::-1], dtype=np.float64)[::-1]
        decorrelation = np.where(length > 0.0, distance / np.maximum(length, 1e-320), math.nan)
    return Trajectory(length, decorrelation, chi, gradient_norm)


def tangent_kernel(
    depth: int, activation: str | Activation, sigma_w: float, sigma_b: float, inputs_gram: ArrayLike
) -> Array:
    """Neural tangent kernel of an infinitely wide network with a linear scalar readout.

    In the NTK parametrisation, ``z = sigma_w / sqrt(fan_in) w h + sigma_b beta`` with w, beta ~ N(0, 1), readout
    included: ``Theta^0 = Sigma^0 = sigma_w^2 gram + sigma_b^2`` and, for each hidden layer,
    ``Theta <- sigma_w^2 E[phi'(u_a) phi'(u_b)] Theta + Sigma'``.

    Parameters
    ----------
    depth : int
        Number of hidden layers, >= 0.
    activation : str
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.
    sigma_w, sigma_b : float
        Standard deviations of weights (times sqrt(fan_in)) and biases, of the readout too.
    inputs_gram : (K, K) array
        ``x_a . x_b / n_0`` of K inputs with n_0 entries; a number stands for one input.

    Returns
    -------
    (K, K) float64 array

    Raises
    ------
    ValueError
        If a parameter is out of range or the activation is unknown.

    References
    ----------
    Jacot et al. 2018 [5]_, theorem 1.
    """
    variance_w, variance_b = _variances(sigma_w, sigma_b)
    layers = count("depth", depth, least=0)
    gram = _Pairs.of(inputs_gram, "inputs_gram")
    pairs = _Pairs(variance_w * gram.length + variance_b, variance_w * gram.distance)
    mean = expectations(activation)
    theta = pairs.kernel()
    for _ in range(layers):
        slopes = variance_w * pairs.each(mean.slope_product, mean.gain(pairs.length))
        pairs = _next_pairs(pairs, mean, variance_w, variance_b)
        theta = slopes * theta + pairs.kernel()
    return theta
