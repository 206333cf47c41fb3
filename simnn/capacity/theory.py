r"""Closed forms of linear separability: how many labelled patterns a linear unit can store.

P patterns in N dimensions carry labels y = +-1, and are *separable* if one weight vector w has ``y_i w.x_i > 0`` for
all of them. With a threshold, ``y_i (w.x_i + b) > 0``. The load is ``alpha = P / N``; the margin kappa is the distance
of the nearest pattern from the hyperplane, for patterns of length ``sqrt(N)``; the coding level f is the probability
of y = +1. All quantities are dimensionless.

References
----------
.. [1] T. M. Cover, "Geometrical and statistical properties of systems of linear inequalities with applications in
   pattern recognition", IEEE Transactions on Electronic Computers EC-14, 326 (1965).
.. [2] E. Gardner, "The space of interactions in neural network models", Journal of Physics A 21, 257 (1988).
.. [3] S. Chung, D. D. Lee, H. Sompolinsky, "Classification and geometry of general perceptual manifolds", Physical
   Review X 8, 031003 (2018).
.. [4] D. J. Amit, K. Y. M. Wong, C. Campbell, "Perceptron learning with sign-constrained weights", Journal of Physics A
   22, 2039 (1989).
.. [5] D. J. Amit, H. Gutfreund, H. Sompolinsky, "Storing infinite numbers of patterns in a spin-glass model of neural
   networks", Physical Review Letters 55, 1530 (1985).
.. [6] Y. Gordon, "On Milman's inequality and random subspaces which escape through a mesh in R^n", Lecture Notes in
   Mathematics 1317, 84 (1988).
.. [7] R. Rubin, L. F. Abbott, H. Sompolinsky, "Balanced excitation and inhibition are required for high-capacity,
   noise-robust neuronal selectivity", Proceedings of the National Academy of Sciences 114, E9366 (2017).
"""

import itertools
import math
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

THRESHOLD_FUNCTIONS = (2, 4, 14, 104, 1882)
"""Number of labelings of the vertices of the n-cube that a threshold separates, n = 0, ..., 4 (OEIS A000609).

From n = 3 on fewer than `dichotomies` of 2^n patterns in n + 1 dimensions: vertices are not in general position."""


def _integer(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}: {value!r} is not allowed: should be an integer >= {least}")
    return int(value)


def _integers(name: str, values: ArrayLike, least: int) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or np.any(array < least):
        raise ValueError(f"{name}: {values!r} is not allowed: should be integers >= {least}")
    return array.astype(np.float64)


def _number(name: str, value: float, low: float, high: float, strict: bool = False) -> float:
    if math.isfinite(value) and (low < value < high if strict else low <= value <= high):
        return float(value)
    raise ValueError(f"{name}: {value!r} is not allowed: should be {'inside' if strict else 'in'} [{low:g}, {high:g}]")


# --- counting -------------------------------------------------------------------------------------------------


def dichotomies(patterns: int, dimension: int) -> int:
    """Number of separable labelings of patterns in general position, ``C(P, N) = 2 sum_{k<N} binom(P - 1, k)``.

    Parameters
    ----------
    patterns, dimension : int
        P >= 1 and N >= 1; a threshold counts as one dimension.

    Returns
    -------
    int
        Exact, out of 2^P.

    References
    ----------
    Cover 1965 [1]_, the function-counting theorem.
    """
    p, n = _integer("patterns", patterns, 1), _integer("dimension", dimension, 1)
    return 2 * sum(math.comb(p - 1, k) for k in range(min(n, p)))


@overload
def cover_probability(patterns: int, dimension: int, bias: bool = False) -> float: ...
@overload
def cover_probability(patterns: ArrayLike, dimension: ArrayLike, bias: bool = False) -> float | Array: ...
def cover_probability(patterns: ArrayLike, dimension: ArrayLike, bias: bool = False) -> float | Array:
    """Probability that random labels of patterns in general position are separable.

    Exact for every law of patterns in general position: ``Pr[Bin(P - 1, 1/2) <= N - 1]``.

    Parameters
    ----------
    patterns : int or array of int
        P >= 0.
    dimension : int or array of int
        N >= 1, without the threshold.
    bias : bool
        Whether there is a threshold, which counts as one more dimension.

    Returns
    -------
    float or array
        1/2 at P = 2 N (without a threshold).

    References
    ----------
    Cover 1965 [1]_.
    """
    from scipy.special import betainc

    p, n = _integers("patterns", patterns, 0), _integers("dimension", dimension, 1) + bool(bias)
    free = np.maximum(p - n, 1.0)
    values = np.where(p > n, betainc(free, n, 0.5), 1.0)
    return float(values) if values.ndim == 0 else values


@overload
def stopping_time_probability(patterns: int, dimension: int, bias: bool = False) -> float: ...
@overload
def stopping_time_probability(patterns: ArrayLike, dimension: ArrayLike, bias: bool = False) -> float | Array: ...
def stopping_time_probability(patterns: ArrayLike, dimension: ArrayLike, bias: bool = False) -> float | Array:
    """Law of the largest separable prefix P* of a sequence of patterns with random labels.

    P* is distributed as the number of tosses of a fair coin up to the N-th head: ``Pr[P* >= P]`` is
    `cover_probability`, the mean is 2 N and the variance is 2 N, at every N.

    Parameters
    ----------
    patterns : int or array of int
        Value of P*, >= 0.
    dimension : int or array of int
        N >= 1, without the threshold.
    bias : bool
        Whether there is a threshold, which counts as one more dimension.

    Returns
    -------
    float or array
        ``Pr[P* = P] = binom(P - 1, N - 1) / 2^P``.

    References
    ----------
    Cover 1965 [1]_, on the capacity as a waiting time.
    """
    from scipy.special import gammaln

    p, n = _integers("patterns", patterns, 0), _integers("dimension", dimension, 1) + bool(bias)
    inside = p >= n
    q = np.where(inside, p, n)
    logarithm = gammaln(q) - gammaln(n) - gammaln(q - n + 1.0) - q * np.log(2.0)
    values = np.where(inside, np.exp(logarithm), 0.0)
    return float(values) if values.ndim == 0 else values


@overload
def sign_constrained_probability(patterns: int, dimension: int, constrained: int) -> float: ...
@overload
def sign_constrained_probability(
    patterns: ArrayLike, dimension: ArrayLike, constrained: ArrayLike
) -> float | Array: ...
def sign_constrained_probability(patterns: ArrayLike, dimension: ArrayLike, constrained: ArrayLike) -> float | Array:
    """Probability that random labels are separable by weights of which some have a prescribed sign.

    Exact at every N for patterns whose law does not change when the sign of one coordinate does, and which are in
    general position together with the axes: each constraint ``w_k > 0`` then counts as one more pattern. Gaussian
    patterns are; patterns of signs are not (at N = 20 and P = 16, with all weights constrained, 0.60 instead of 0.75
    are separable).

    Parameters
    ----------
    patterns : int or array of int
        P >= 0.
    dimension : int or array of int
        N >= 1.
    constrained : int or array of int
        Number of weights whose sign is prescribed, 0 <= N_c <= N.

    Returns
    -------
    float or array
        ``Pr[Bin(P + N_c - 1, 1/2) <= N - 1]``; 1/2 at ``P = 2 N - N_c``.

    References
    ----------
    Amit, Wong, Campbell 1989 [4]_ for the capacity; the law at finite N follows from Cover's count [1]_.
    """
    n, fixed = _integers("dimension", dimension, 1), _integers("constrained", constrained, 0)
    if np.any(fixed > n):
        raise ValueError(f"constrained: {constrained!r} is not allowed: should be at most the dimension")
    total = (_integers("patterns", patterns, 0) + fixed).astype(np.int64)
    return cover_probability(total, n.astype(np.int64))


# --- margins and biased labels ----------------------------------------------------------------------------------


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _partial(x: float, end: float) -> float:
    """``E (x - t)^2`` over t < end, t a standard normal number."""
    from scipy.special import ndtr

    return float((1.0 + x * x) * ndtr(end)) + (2.0 * x - end) * _density(end)


def _cost(x: float) -> float:
    """``G(x) = E (t + x)_+^2 = (1 + x^2) Phi(x) + x phi(x)``."""
    return _partial(x, x)


def _best_threshold(coding_level: float, margin: float) -> tuple[float, float]:
    """Threshold b that minimises ``f G(kappa + b) + (1 - f) G(kappa - b)``, and the minimum."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    f, kappa = coding_level, margin

    def mean(x: float) -> float:
        return float(x * ndtr(x)) + _density(x)

    def slope(b: float) -> float:
        return f * mean(kappa + b) - (1.0 - f) * mean(kappa - b)

    end = 1.0
    while f != 0.5 and math.copysign(1.0, slope(end)) == math.copysign(1.0, slope(-end)):
        end *= 2.0
    b = 0.0 if f == 0.5 else float(brentq(slope, -end, end, xtol=1e-14, rtol=1e-14))
    return b, f * _cost(kappa + b) + (1.0 - f) * _cost(kappa - b)


def _room(constrained: float) -> float:
    """Statistical dimension of the weights, per weight: each sign constraint takes half a dimension."""
    return 1.0 - 0.5 * _number("constrained", constrained, 0.0, 1.0)


def gardner_capacity(margin: float = 0.0, coding_level: float = 0.5, constrained: float = 0.0) -> float:
    """Largest load at which random labels are separable with a margin, as N grows.

    ``(1 - c/2) / alpha_c = min_b [f G(kappa + b) + (1 - f) G(kappa - b)]`` with ``G(x) = E (t + x)_+^2``, t a standard
    normal number, and b a free threshold (zero for f = 1/2).

    Parameters
    ----------
    margin : float
        kappa, in [-20, 1e6]. Below zero the replica-symmetric formula is a bound only.
    coding_level : float
        Fraction f of labels +1, inside (0, 1). Without a threshold biased labels change nothing.
    constrained : float
        Fraction c of the weights that must be positive or zero, in [0, 1], for patterns whose components have mean
        zero. Half of these weights vanish at the largest margin, whatever margin, load and coding level are.

    Returns
    -------
    float
        2 - c for kappa = 0 and f = 1/2; ``1 / (2 f |ln f|)`` for small f and c = 0, but slowly so.

    Notes
    -----
    By Gordon's comparison [6]_ weights of length 1 out of a convex cone separate P Gaussian patterns if P times the
    mean square of what is missing, ``E (t + kappa)_+^2``, is below the statistical dimension of the cone, the mean
    square length of a Gaussian vector's projection on it. That is N without constraints, and N - N_c/2 if N_c
    components must not be negative: the projection sets those to zero that are, which are half of them. The weights
    point in the direction of such a projection.

    References
    ----------
    Gardner 1988 [2]_; with sign constraints Amit, Wong, Campbell 1989 [4]_ (kappa = 0) and Rubin, Abbott, Sompolinsky
    2017 [7]_ (biased labels).
    """
    kappa = _number("margin", margin, -20.0, 1e6)
    return _room(constrained) / _best_threshold(_number("coding_level", coding_level, 0.0, 1.0, strict=True), kappa)[1]


def gardner_threshold(margin: float = 0.0, coding_level: float = 0.5) -> float:
    """Threshold of the best unit at capacity, in units of the standard deviation of its input.

    Parameters
    ----------
    margin : float
        kappa, in [-20, 1e6].
    coding_level : float
        Fraction f of labels +1, inside (0, 1).

    Returns
    -------
    float
        b* >= 0 for f <= 1/2: the unit fires where its input exceeds it.

    References
    ----------
    Gardner 1988 [2]_.
    """
    kappa = _number("margin", margin, -20.0, 1e6)
    return _best_threshold(_number("coding_level", coding_level, 0.0, 1.0, strict=True), kappa)[0]


def gardner_margin(load: float, coding_level: float = 0.5, constrained: float = 0.0) -> float:
    """Largest margin at which random labels are separable, as N grows: the inverse of `gardner_capacity`.

    Parameters
    ----------
    load : float
        alpha = P / N, inside (0, 1e6).
    coding_level : float
        Fraction f of labels +1, inside (0, 1).
    constrained : float
        Fraction of the weights that must be positive or zero, in [0, 1], as in `gardner_capacity`.

    Returns
    -------
    float
        kappa_max; zero at the capacity, negative above.

    References
    ----------
    Gardner 1988 [2]_.
    """
    from scipy.optimize import brentq

    alpha, f = _number("load", load, 0.0, 1e6, strict=True), _number("coding_level", coding_level, 0.0, 1.0, True)
    room = _room(constrained)

    def excess(kappa: float) -> float:
        return math.log(alpha / room * _best_threshold(f, kappa)[1])

    low, high = -1.0, 1.0
    while excess(low) > 0.0:
        low *= 2.0
    while excess(high) < 0.0:
        high *= 2.0
    return float(brentq(excess, low, high, xtol=1e-13, rtol=1e-14))


def support_vector_fraction(load: float) -> float:
    """Fraction of patterns that lie at the largest margin, for unbiased labels.

    Parameters
    ----------
    load : float
        alpha = P / N, inside (0, 2].

    Returns
    -------
    float
        Phi(kappa_max); 1/2 at capacity.

    References
    ----------
    Gardner 1988 [2]_: the distribution of the stabilities has an atom at kappa.
    """
    from scipy.special import ndtr

    return float(ndtr(gardner_margin(_number("load", load, 0.0, 2.0))))


def sparse_capacity(coding_level: float) -> float:
    """Leading term ``1 / (2 f |ln f|)`` of the capacity for sparse labels and a free threshold.

    Parameters
    ----------
    coding_level : float
        f, inside (0, 1).

    Returns
    -------
    float
        A factor of two below the form ``1 / (f |ln f|)`` that is often quoted, which happens to be closer at f = 0.01
        ... 0.1 and is wrong as f vanishes.

    References
    ----------
    Gardner 1988 [2]_.
    """
    f = _number("coding_level", coding_level, 0.0, 1.0, strict=True)
    return 1.0 / (2.0 * f * abs(math.log(f)))


def information(coding_level: float) -> float:
    """Bits that one weight stores at capacity, ``alpha_c H_2(f)``.

    Parameters
    ----------
    coding_level : float
        f, inside (0, 1).

    Returns
    -------
    float
        2 for f = 1/2; tends to ``1 / (2 ln 2)`` as f vanishes.

    References
    ----------
    Gardner 1988 [2]_.
    """
    f = _number("coding_level", coding_level, 0.0, 1.0, strict=True)
    entropy = -(f * math.log2(f) + (1.0 - f) * math.log1p(-f) / math.log(2.0))
    return gardner_capacity(coding_level=f) * entropy


# --- Hebbian storage --------------------------------------------------------------------------------------------


@overload
def hebbian_error(load: float, dimension: int | None = None) -> float: ...
@overload
def hebbian_error(load: ArrayLike, dimension: ArrayLike | None = None) -> float | Array: ...
def hebbian_error(load: ArrayLike, dimension: ArrayLike | None = None) -> float | Array:
    """Probability that Hebbian weights ``w = sum_i y_i x_i`` give a stored pattern the wrong label.

    Parameters
    ----------
    load : float or array
        alpha = P / N >= 0.
    dimension : int or array of int, optional
        N, for patterns of signs: the field of a pattern is N plus (P - 1) N independent signs, of which a zero counts
        as half an error; P is the nearest integer to ``load * dimension``, at least 1. By default N is infinite.

    Returns
    -------
    float or array
        ``H(1 / sqrt(alpha))``, H the tail of the normal distribution; exact at every N if ``dimension`` is given.

    References
    ----------
    Amit, Gutfreund, Sompolinsky 1985 [5]_ for the noise of the other patterns. It is the error of the first step of a
    Hopfield network, too.
    """
    from scipy.special import betainc, ndtr

    alpha = np.asarray(load, np.float64)
    if not np.all(np.isfinite(alpha) & (alpha >= 0.0)):
        raise ValueError(f"load: {load!r} is not allowed: should be numbers >= 0")
    if dimension is None:
        with np.errstate(divide="ignore"):
            values = np.asarray(ndtr(-1.0 / np.sqrt(alpha)), np.float64)
    else:
        n = _integers("dimension", dimension, 1)
        signs = (np.maximum(np.round(alpha * n), 1.0) - 1.0) * n

        def at_most(heads: Array) -> Array:
            # Probability of so many +1 among the signs, or fewer.
            inside = heads >= 0.0
            return np.where(
                inside, betainc(np.where(inside, signs - heads, 1.0), np.where(inside, heads, 0.0) + 1, 0.5), 0.0
            )

        # The field is N - signs + 2 heads.
        values = 0.5 * (at_most(np.floor(0.5 * (signs - n))) + at_most(np.ceil(0.5 * (signs - n)) - 1.0))
    return float(values) if values.ndim == 0 else values


def _retrieval_load(y: float) -> float:
    """Load at which a Hopfield network recalls with overlap erf(y)."""
    return 0.5 * (math.erf(y) / y - 2.0 / math.sqrt(math.pi) * math.exp(-y * y)) ** 2


def _last_retrieval() -> float:
    """The y of the largest load."""
    from scipy.optimize import brentq

    def slope(y: float) -> float:
        # Of erf(y) / y - 2 exp(-y^2) / sqrt(pi), times y^2.
        return 2.0 / math.sqrt(math.pi) * math.exp(-y * y) * y * (1.0 + 2.0 * y * y) - math.erf(y)

    return float(brentq(slope, 1.0, 3.0, xtol=1e-14, rtol=1e-14))


def hopfield_capacity() -> float:
    """Largest load at which a Hopfield network recalls its patterns, as N grows.

    Returns
    -------
    float
        0.137906, in the replica-symmetric theory at zero temperature; breaking that symmetry adds less than 0.001.

    References
    ----------
    Amit, Gutfreund, Sompolinsky 1985 [5]_.
    """
    return _retrieval_load(_last_retrieval())


def hopfield_overlap(load: float) -> float:
    """Overlap of the state that a Hopfield network recalls with the stored pattern, as N grows.

    ``m = erf(y)`` with ``sqrt(2 alpha) = erf(y) / y - 2 exp(-y^2) / sqrt(pi)``, the largest solution.

    Parameters
    ----------
    load : float
        alpha = P / N, in [0, `hopfield_capacity`].

    Returns
    -------
    float
        1 for few patterns, 0.967 at capacity.

    References
    ----------
    Amit, Gutfreund, Sompolinsky 1985 [5]_, replica-symmetric, at zero temperature.
    """
    from scipy.optimize import brentq

    last = _last_retrieval()
    alpha = _number("load", load, 0.0, _retrieval_load(last))
    if alpha == 0.0:
        return 1.0
    # erf(y) / y < 1 / y bounds y from above.
    end = max(1.0 / math.sqrt(2.0 * alpha), last)
    return math.erf(brentq(lambda y: math.sqrt(_retrieval_load(y)) - math.sqrt(alpha), last, end, xtol=1e-14))


# --- manifolds --------------------------------------------------------------------------------------------------


def segment_capacity(radius: float) -> float:
    """Number of line segments with random labels per dimension that can be separated, as N grows.

    Parameters
    ----------
    radius : float
        Half the length over the distance of the centre from the origin, R >= 0; axes are random.

    Returns
    -------
    float
        ``1 / (1/2 + (2 / pi) atan R)``: 2 for points, 1 at R = 1, 2/3 for lines.

    References
    ----------
    Chung, Lee, Sompolinsky 2018 [3]_.
    """
    r = _number("radius", radius, 0.0, math.inf)
    return 1.0 / (0.5 + 2.0 / math.pi * math.atan(r))


def ball_capacity(radius: float, dimension: int, margin: float = 0.0) -> float:
    """Number of balls with random labels per dimension of space that can be separated with a margin, as N grows.

    Parameters
    ----------
    radius : float
        R, over the distance of the centre from the origin; axes are random. In [0, 1e4].
    dimension : int
        D >= 1 of each ball.
    margin : float
        kappa, in [0, 20].

    Returns
    -------
    float
        1 / G(kappa) for R = 0, 2 / (D + 1) for R = 1 (kappa = 0), 1 / (D + 1/2) for large R.

    References
    ----------
    Chung, Lee, Sompolinsky 2018 [3]_.
    """
    from scipy.integrate import quad
    from scipy.special import gammaln, ndtr

    big, kappa = _number("radius", radius, 0.0, 1e4), _number("margin", margin, 0.0, 20.0)
    d = _integer("dimension", dimension, 1)
    if big == 0.0:
        return gardner_capacity(kappa)
    constant = (1.0 - 0.5 * d) * math.log(2.0) - float(gammaln(0.5 * d))

    def integrand(r: float) -> float:
        # The nearest point of a ball is inside its boundary, on it, or its tip, depending on the field t of its centre.
        touching, embedded = kappa + big * r, kappa - r / big
        inside = _partial(kappa, embedded) + r * r * float(ndtr(embedded))
        rim = (_cost(touching) - _partial(touching, embedded)) / (1.0 + big * big)
        weight = math.exp(constant + (d - 1) * math.log(r) - 0.5 * r * r) if r > 0.0 else float(d == 1)
        return weight * (inside + rim)

    centre = math.sqrt(d)
    edges = [max(0.0, centre + step) for step in (-12.0, -3.0, 0.0, 3.0, 12.0)]
    pieces = [quad(integrand, a, b, epsabs=0.0, epsrel=1e-11)[0] for a, b in itertools.pairwise(edges) if b > a]
    return 1.0 / math.fsum(pieces)
