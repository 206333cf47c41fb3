r"""Exact laws at finite width: critical bias-free ReLU and linear networks that see one input.

Such a network multiplies the squared norm of its signal by an independent random factor X in each layer,
``|h^l|^2 / N_l = X_l |h^(l-1)|^2 / N_(l-1)``. With n units, ``X = (2/n) chi^2_K`` where K ~ Binomial(n, 1/2) counts the
active units (ReLU, ``sigma_w^2 = 2``), or ``X = chi^2_n / n`` (linear, ``sigma_w^2 = 1``). The squared norm of a
gradient that is carried down has the same law: ``2 |delta^1|^2 / N`` (linear: without the 2) is a product of L factors
for a gradient ~ N(0, I) at ``h^L``. Both directions share K in each layer, so that they depend on each other.

Everything follows from the moments ``E[X^s]``, which are ratios of Gamma functions. All quantities are dimensionless;
logarithms are natural; "norm" below stands for the squared norm relative to that of the input.

References
----------
.. [1] B. Hanin, M. Nica, "Products of many large random matrices and gradients in deep neural networks", Commun. Math.
   Phys. 376 (2020), arXiv:1812.05994.
.. [2] B. Hanin, M. Nica, "Finite depth and width corrections to the neural tangent kernel", ICLR 2020,
   arXiv:1909.05989.
.. [3] J. A. Zavatone-Veth, C. Pehlevan, "Exact marginal prior distributions of finite Bayesian neural networks",
   NeurIPS 2021, arXiv:2104.11734.
.. [4] L. Lu, Y. Shin, Y. Su, G. E. Karniadakis, "Dying ReLU and initialization: theory and numerical examples",
   Commun. Comput. Phys. 28 (2020), arXiv:1903.06733.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

Array: TypeAlias = NDArray[np.float64]
Widths: TypeAlias = int | Sequence[int] | NDArray[np.integer[Any]]

_NEGLIGIBLE = -100.0
"""Logarithm of probabilities of K that are left out."""

_TAIL = -40.0
"""Logarithm of the mass outside of the window in which a density is evaluated."""


_WEIGHT_VARIANCE = {"relu": 2.0, "linear": 1.0}
"""Critical ``sigma_w^2``; n times the scale s of ``X = s chi^2_K``."""

_GROWTH = {"relu": 5.0, "linear": 2.0}
"""``n (E X^2 - 1)``."""

_DECAY = {"relu": 6.0, "linear": 3.0}
"""``n (E X^2 - s E[X chi^2_(K-1)])``: how fast the contributions of layers to a kernel become independent."""


def _constant(table: dict[str, float], activation: str) -> float:
    if activation not in table:
        raise ValueError(f"activation: must be 'relu' or 'linear', not {activation!r}")
    return table[activation]


# --- one layer --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """The factor ``X = scale * chi^2_k`` of one layer, its probabilities of k > 0, and their sum."""

    scale: float
    alive: float
    k: Array
    weight: Array

    @classmethod
    def of(cls, width: int, activation: str) -> "_Step":
        scale = _constant(_WEIGHT_VARIANCE, activation) / width
        if activation == "linear":
            return cls(scale, 1.0, np.array([float(width)]), np.ones(1))
        k = np.arange(1.0, width + 1.0)
        logs = special.gammaln(width + 1.0) - special.gammaln(k + 1.0) - special.gammaln(width - k + 1.0)
        logs -= width * math.log(2.0)
        k, weight = k[logs > _NEGLIGIBLE], np.exp(logs[logs > _NEGLIGIBLE])
        alive = -math.expm1(-width * math.log(2.0))
        return cls(scale, alive, k, alive * weight / weight.sum())

    def mean(self, values: Array) -> float:
        """Mean of a function of k, given that the layer is alive."""
        return float(values @ self.weight) / self.alive

    def transform(self, s: NDArray[Any]) -> NDArray[Any]:
        """``E[X^s; X > 0]`` for ``Re s > -min(k) / 2``."""
        half, exponent = 0.5 * self.k, s[..., None]
        logs = special.loggamma(half + exponent) - special.gammaln(half) + exponent * math.log(2.0 * self.scale)
        return np.asarray(np.exp(logs) @ self.weight)


def _layers(widths: Widths) -> list[int]:
    layers = np.atleast_1d(np.asarray(widths))
    if layers.ndim != 1 or len(layers) == 0 or layers.dtype.kind not in "iu" or np.any(layers < 1):
        raise ValueError(f"widths: must be integers >= 1, one for each hidden layer, not {widths!r}")
    return [int(width) for width in layers]


def _steps(widths: Widths, activation: str) -> list[tuple[_Step, int]]:
    """The factor of each different width, and of how many layers."""
    return [(_Step.of(width, activation), count) for width, count in sorted(Counter(_layers(widths)).items())]


def log_step_moments(width: int, activation: str = "relu") -> tuple[float, float]:
    """Mean and variance of ln X, given that the layer is alive (K > 0).

    To leading order they are ``-5/(2n)`` and ``5/n``, with relative corrections ``1.63/n`` and ``3.7/n`` (ReLU).

    Parameters
    ----------
    width : int
        Units n of the layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    mean, variance : float
        ``E[ln(4/n) + psi(K/2)]`` and ``E psi'(K/2) + Var psi(K/2)``; linear: ``ln(2/n) + psi(n/2)``, twice the largest
        Lyapunov exponent of a product of Gaussian matrices, and ``psi'(n/2)``.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    ((step, _),) = _steps([width], activation)
    psi = special.digamma(0.5 * step.k)
    mean = step.mean(psi)
    variance = step.mean(special.polygamma(1, 0.5 * step.k)) + step.mean((psi - mean) ** 2)
    return math.log(2.0 * step.scale) + mean, variance


# --- the norm after many layers --------------------------------------------------------------------------


def norm_moment(order: float, widths: Widths, activation: str = "relu") -> float:
    """Moment ``E[(|h^L|^2 / |h^0|^2)^order]`` of the squared norm, and of that of a gradient.

    One layer has ``E X = 1`` and ``E X^2 = 1 + 5/n`` (linear: ``1 + 2/n``); moments of layers multiply. The output of a
    Gaussian readout has the kurtosis ``3 norm_moment(2, widths)``.

    Parameters
    ----------
    order : float
        Not necessarily an integer; > 0. A dead network counts as norm 0.
    widths : sequence of int
        Units of each hidden layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float
        Relative accuracy 1e-13 for each layer.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Hanin & Nica 2020 [1]_.
    """
    if not (math.isfinite(order) and order > 0.0):
        raise ValueError(f"order: must be a finite number > 0, not {order!r}")
    return math.prod(
        float(((2.0 * step.scale) ** order * special.poch(0.5 * step.k, order)) @ step.weight) ** layers
        for step, layers in _steps(widths, activation)
    )


def alive_probability(widths: Widths, activation: str = "relu") -> float:
    """Probability ``prod(1 - 2^-n_l)`` that no layer is dead for the one input.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Lu et al. 2020 [4]_, where it bounds the probability that a network is dead for all inputs.
    """
    return math.prod(step.alive**layers for step, layers in _steps(widths, activation))


def log_norm_moments(widths: Widths, activation: str = "relu") -> tuple[float, float]:
    """Mean and variance of the log norm ``ln(|h^L|^2 / |h^0|^2)``, given that the network is alive.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    mean, variance : float
        Sums of `log_step_moments` over layers.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    counts = Counter(_layers(widths))
    moments = np.array([log_step_moments(width, activation) for width in counts])
    mean, variance = (np.array(list(counts.values())) @ moments).tolist()
    return mean, variance


def log_normal_variance(widths: Widths, activation: str = "relu") -> float:
    """Variance beta of the log-normal limit: for wide and deep networks the log norm is ``N(-beta/2, beta)``.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float
        ``5 sum(1/n_l)``; linear ``2 sum(1/n_l)``.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Hanin & Nica 2020 [1]_, theorem 1, for the limit.
    """
    return _constant(_GROWTH, activation) * sum(1.0 / width for width in _layers(widths))


class _Law:
    """Law of the log norm given that the network is alive, as a Fourier series on a window that holds its mass.

    The characteristic function ``E[X^(it)]`` decays exponentially, so that the trapezoidal rule, which this is,
    converges faster than any power.
    """

    def __init__(self, widths: Widths, activation: str) -> None:
        self.steps = _steps(widths, activation)
        self.log_alive = sum(layers * math.log(step.alive) for step, layers in self.steps)
        self.low, self.high = self._window(math.sqrt(log_norm_moments(widths, activation)[1]))
        span = self.high - self.low
        count = 64
        while abs(self._characteristic(np.array(2.0 * math.pi * count / span))) > math.exp(_TAIL):
            count *= 2
        self.frequency = 2.0 * math.pi * np.arange(1, count + 1) / span
        self.coefficient = self._characteristic(self.frequency) / span

    def _log_transform(self, s: NDArray[Any]) -> NDArray[Any]:
        """Logarithm of ``E[norm^s]`` given that the network is alive."""
        logs = [layers * np.log(step.transform(s)) for step, layers in self.steps]
        return np.asarray(sum(logs) - self.log_alive)

    def _characteristic(self, t: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
        return np.asarray(np.exp(self._log_transform(1j * t)), np.complex128)

    def _window(self, deviation: float) -> tuple[float, float]:
        """Ends beyond which Chernoff's bound ``E[norm^s] exp(-s x)`` leaves no mass."""
        scale = np.geomspace(1e-2, 2.0, 60) * math.sqrt(-2.0 * _TAIL) / deviation
        # E[norm^s] exists for s > -k / 2, k the least number of active units.
        down = np.minimum(scale, 0.499 * min(step.k[0] for step, _ in self.steps))
        low = np.max((_TAIL - self._log_transform(-down)) / down)
        high = np.min((self._log_transform(scale) - _TAIL) / scale)
        return float(low), float(high)

    def density(self, x: Array) -> Array:
        phase = np.exp(-1j * x[..., None] * self.frequency)
        series = 2.0 * np.real(phase @ self.coefficient) + 1.0 / (self.high - self.low)
        inside = (x > self.low) & (x < self.high)
        return np.where(inside, np.maximum(series, 0.0), 0.0)

    def cdf(self, x: Array) -> Array:
        x = np.clip(x, self.low, self.high)
        phase = np.exp(-1j * x[..., None] * self.frequency) - np.exp(-1j * self.low * self.frequency)
        series = 2.0 * np.real(phase @ (1j * self.coefficient / self.frequency))
        return np.asarray(np.clip(series + (x - self.low) / (self.high - self.low), 0.0, 1.0))


def log_norm_density(x: ArrayLike, widths: Widths, activation: str = "relu") -> Array:
    """Exact density of the log norm ``ln(|h^L|^2 / |h^0|^2)``, given that the network is alive.

    Parameters
    ----------
    x : array_like
        Where to evaluate it.
    widths : sequence of int
        Units of each hidden layer; they may differ.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float64 array
        Of the shape of ``x``; absolute accuracy 1e-10 of the peak.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    The characteristic function of the sum of independent ``ln X_l`` is the product of ``E[X_l^(it)]``, a binomial
    mixture of ``(4/n)^(it) Gamma(K/2 + it) / Gamma(K/2)``; its inverse is the Meijer G-function of Zavatone-Veth &
    Pehlevan 2021 [3]_, who state it for the output of a network.
    """
    return _Law(widths, activation).density(_finite(x, "x"))


def log_norm_cdf(x: ArrayLike, widths: Widths, activation: str = "relu") -> Array:
    """Exact distribution function of the log norm, given that the network is alive.

    Parameters
    ----------
    x : array_like
        Where to evaluate it.
    widths : sequence of int
        Units of each hidden layer; they may differ.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float64 array
        Of the shape of ``x``; absolute accuracy 1e-10.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    return _Law(widths, activation).cdf(_finite(x, "x"))


def log_norm_quantile(probability: float, widths: Widths, activation: str = "relu") -> float:
    """Quantile of the log norm, given that the network is alive; at 1/2 the logarithm of the typical norm.

    Parameters
    ----------
    probability : float
        Between 1e-9 and 1 - 1e-9.
    widths : sequence of int
        Units of each hidden layer; they may differ.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    if not 1e-9 <= probability <= 1.0 - 1e-9:
        raise ValueError(f"probability: must lie between 1e-9 and 1 - 1e-9, not {probability!r}")
    law = _Law(widths, activation)
    return float(optimize.brentq(lambda x: float(law.cdf(np.asarray(x))) - probability, law.low, law.high, xtol=1e-12))


def _finite(values: ArrayLike, name: str) -> Array:
    array = np.asarray(values, np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name}: must be finite, not {values!r}")
    return array


# --- forward and backward together --------------------------------------------------------------------------


@dataclass(frozen=True)
class JointNorms:
    """Norms of random networks in both directions; minus infinity where a network is dead.

    Attributes
    ----------
    log_forward : (trials, depth) float64 array
        ``ln(|h^l|^2 / N_l)`` for an input of mean square 1.
    log_backward : (trials, depth) float64 array
        ``ln |df/dz^l|^2`` for the readout ``f = sqrt(sigma_w^2 / N_L) v . h^L``, v ~ N(0, I); so
        ``|dL/dz^l|^2 / N_L`` for ``L = v . h^L``, times ``sigma_w^2``.
    log_ntk : (trials,) float64 array
        Logarithm of the tangent kernel of f at the input, NTK parametrisation.
    """

    log_forward: Array
    log_backward: Array
    log_ntk: Array


def sample_norms(
    widths: Widths, trials: int, seed: int | np.random.Generator = 0, activation: str = "relu"
) -> JointNorms:
    """Draw norms in both directions from their exact joint law, at a cost per layer that no width changes.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer.
    trials : int
        Number of networks.
    seed : int or numpy.random.Generator
        Source of random numbers.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    JointNorms

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    With ``a_l = |h^l|^2 / N_l``, ``d_l = |df/dz^l|^2`` and s = 2/n (linear: 1/n) of layer l,

        a_l = a_(l-1) s chi^2_K,      f^2 = sigma_w^2 a_L chi^2_1,
        d_l = s (a_L / a_l) chi^2_1 + s chi^2_(K-1) d_(l+1),      d_(L+1) = 1.

    The gradient at ``h^l`` has a component along ``h^l`` that homogeneity fixes, ``h^l . df/dh^l = f``, and K - 1
    active components that are independent of it; K and the chi^2_1 of the readout are the same throughout. The
    kernel is ``sigma_w^2 (a_L + sum_l a_(l-1) d_l)``. The recursion below carries ``d_l a_(l-1) / a_L``, which neither
    grows nor decays with depth.
    """
    layers, variance = _layers(widths), _constant(_WEIGHT_VARIANCE, activation)
    if trials < 1:
        raise ValueError(f"trials: must be at least 1, not {trials!r}")
    rng = np.random.default_rng(seed)
    units = np.repeat(np.array(layers)[:, None], trials, axis=1)
    active = units if activation == "linear" else rng.binomial(units, 0.5)
    scale = variance / units
    factor = scale * _chi_square(rng, active)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_forward = np.cumsum(np.log(factor), axis=0)
        readout = rng.standard_normal(trials) ** 2
        share, contributions = np.ones(trials), []
        for l in reversed(range(len(layers))):
            share = scale[l] * (readout + _chi_square(rng, active[l] - 1) * share) / factor[l]
            contributions.append(share)
        shares = np.array(contributions[::-1])
        log_below = np.concatenate([np.zeros((1, trials)), log_forward[:-1]])
        log_backward = np.log(shares) + log_forward[-1] - log_below
        log_ntk = np.log(variance * (1.0 + shares.sum(axis=0))) + log_forward[-1]
    dead = np.any(active == 0, axis=0)
    log_backward[:, dead] = log_ntk[dead] = -np.inf
    return JointNorms(log_forward.T, log_backward.T, log_ntk)


def _chi_square(rng: np.random.Generator, freedom: NDArray[np.int64]) -> Array:
    """Chi-square variables; 0 without degrees of freedom."""
    return 2.0 * rng.standard_gamma(0.5 * np.maximum(freedom, 0))


# --- the tangent kernel --------------------------------------------------------------------------


def ntk_mean(depth: int, activation: str = "relu", input_length: float = 1.0) -> float:
    """Mean of the tangent kernel at one input, the same at every width.

    Parameters
    ----------
    depth : int
        Number of hidden layers, >= 1.
    activation : {"relu", "linear"}
        Kind of network.
    input_length : float
        Mean square of the components of the input, >= 0.

    Returns
    -------
    float
        ``sigma_w^2 (depth + 1) input_length``.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Hanin & Nica 2020 [2]_, theorem 1, in another parametrisation.
    """
    if depth < 1:
        raise ValueError(f"depth: must be at least 1, not {depth!r}")
    if not (math.isfinite(input_length) and input_length >= 0.0):
        raise ValueError(f"input_length: must be a finite number >= 0, not {input_length!r}")
    return _constant(_WEIGHT_VARIANCE, activation) * (depth + 1) * input_length


def ntk_layer_moments(widths: Widths, activation: str = "relu") -> Array:
    """Second moments of the contributions of the layers to the tangent kernel at one input, exact at every width.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    (depth + 1, depth + 1) float64 array
        ``E[Theta_l Theta_m]``, each contribution divided by its mean; the readout is the last. For wide and deep
        networks ``exp(5 L/n) (1 + 2 exp(-6 |l - m| / n)) / 3``; linear: 2 and 3 instead of 5 and 6.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Notes
    -----
    In the recursion of `sample_norms`, multiplied by ``a_L``, the pair (chi^2_1, share) times the norm of the layers
    passed so far is multiplied by an independent random matrix in each layer, ``[[X, 0], [s, s chi^2_(K-1)]]``.
    Second moments therefore follow a linear recursion whose coefficients are moments of K.
    """
    layers = _layers(widths)
    steps, depth = {width: _Step.of(width, activation) for width in set(layers)}, len(layers)
    moments = np.zeros((depth + 1, depth + 1))
    # Of P chi^2_1 (u) and P share (e), P the norm of the layers passed: E[uu], E[ue], E[ee] ...
    uu, ue, ee = 3.0, 1.0, 1.0
    # ... and with the contributions of the layers above.
    u_above, e_above = np.array([1.0]), np.array([1.0])
    moments[depth, depth] = 1.0
    for l in reversed(range(depth)):
        step = steps[layers[l]]
        s, alive = step.scale, step.alive
        one, two = alive * step.mean(step.k), alive * step.mean(step.k**2)
        square, mixed = s * s * (two + 2.0 * one), s * s * (two - one)
        uu, ue, ee = (
            square * uu,
            s * uu + mixed * ue,
            s * s * (alive * uu + 2.0 * (one - alive) * ue + (two - alive) * ee),
        )
        u_above, e_above = square * u_above, s * u_above + mixed * e_above
        moments[l + 1 :, l + 1 :] *= square
        moments[l, l + 1 :] = moments[l + 1 :, l] = e_above
        moments[l, l] = ee
        u_above, e_above = np.concatenate([[ue], u_above]), np.concatenate([[ee], e_above])
    return moments


def ntk_second_moment(widths: Widths, activation: str = "relu") -> float:
    """Second moment ``E[Theta^2] / E[Theta]^2`` of the tangent kernel at one input, exact at every width.

    Parameters
    ----------
    widths : sequence of int
        Units of each hidden layer.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float
        Mean over the pairs of `ntk_layer_moments`.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    return float(np.mean(ntk_layer_moments(widths, activation)))


def ntk_second_moment_limit(aspect: ArrayLike, activation: str = "relu") -> Array:
    """Limit of `ntk_second_moment` for wide and deep networks, a function of depth over width alone.

    Parameters
    ----------
    aspect : array_like
        ``sum(1/n_l)``, depth / width for equal layers; >= 0.
    activation : {"relu", "linear"}
        Kind of network.

    Returns
    -------
    float64 array
        ``exp(5 aspect) [1/3 + (2/3) g(6 aspect)]`` with ``g(x) = 2 (x - 1 + exp(-x)) / x^2``; linear: 2 and 3.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    The double integral over layers of the limit in `ntk_layer_moments`. Hanin & Nica 2020 [2]_, theorem 1, has
    ``exp(5 aspect)`` up to constants.
    """
    growth, decay = _constant(_GROWTH, activation), _constant(_DECAY, activation)
    ratio = _finite(aspect, "aspect")
    if np.any(ratio < 0.0):
        raise ValueError(f"aspect: must be >= 0, not {aspect!r}")
    x = decay * ratio
    safe = np.where(x > 1e-4, x, 1.0)  # the series is exact below
    mean_overlap = np.where(x > 1e-4, 2.0 * (safe + np.expm1(-safe)) / safe**2, 1.0 - x / 3.0 + x * x / 12.0)
    return np.asarray(np.exp(growth * ratio) * (1.0 + 2.0 * mean_overlap) / 3.0)


def two_layer_ntk_moments(correlation: float) -> tuple[float, float]:
    """Tangent kernel of a ReLU network with one hidden layer at two inputs: its mean, and n times its variance.

    Parameters
    ----------
    correlation : float
        Overlap of the two inputs, whose components have mean square 1; in [-1, 1].

    Returns
    -------
    mean, variance : float
        Both exact at every width n, for ``sigma_w^2 = 2`` and no biases, readout included. The kernel is the mean over
        units of independent terms ``2 h_a h_b + 4 c phi'(z_a) phi'(z_b) v^2``.

    Raises
    ------
    ValueError
        If the correlation is out of range.
    """
    if not abs(correlation) <= 1.0:
        raise ValueError(f"correlation: must lie between -1 and 1, not {correlation!r}")
    angle = math.acos(correlation)
    sine = math.sin(angle)
    both_active = (math.pi - angle) / (2.0 * math.pi)
    product = (correlation * (math.pi - angle) + sine) / (2.0 * math.pi)
    square = (3.0 * sine * correlation + (math.pi - angle) * (1.0 + 2.0 * correlation**2)) / (2.0 * math.pi)
    mean = 4.0 * (product + correlation * both_active)
    second = 16.0 * (square + 2.0 * correlation * product + 3.0 * correlation**2 * both_active)
    return mean, second - mean**2
