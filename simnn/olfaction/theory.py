r"""Closed forms of random expansions: correlations, noise, dimension and readout of sparse codes.

N input channels (glomeruli) carry an odor x, a Gaussian pattern of unit variance. M cells (Kenyon cells, granule
cells) have drives ``h = J x`` through K inputs (claws) each, and fire, m = 1, where the drive exceeds a threshold; each
cell has its own, so that it fires for a fraction f of odors (the coding level). Two drives of correlation rho, of two
cells or of one cell to two odors, become codes of correlation r(rho; f). A cluster of odors is a centre and its
noisy copies. Its noise is 1 - correlation of a copy with the centre: 0 for identical odors, 1 for unrelated ones. All
quantities are dimensionless.

References
----------
.. [1] B. Babadi, H. Sompolinsky, "Sparseness and expansion in sensory representations", Neuron 83, 1213 (2014).
.. [2] A. Litwin-Kumar, K. D. Harris, R. Axel, H. Sompolinsky, L. F. Abbott, "Optimal degrees of synaptic
   connectivity", Neuron 93, 1153 (2017).
.. [3] D. B. Owen, "Tables for computing bivariate normal probabilities", Annals of Mathematical Statistics 27, 1075
   (1956).
.. [4] L. F. Abbott, K. Rajan, H. Sompolinsky, "Interactions between intrinsic and stimulus-evoked activity in
   recurrent neural networks", in: The Dynamic Brain, Oxford University Press (2011), arXiv:0912.3832.
.. [5] M. Xie, S. P. Muscinelli, K. D. Harris, A. Litwin-Kumar, "Task-dependent optimal representations for cerebellar
   learning", eLife 12, e82914 (2023).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.olfaction import drive_pairs
from simnn.olfaction.arguments import Array, choice, counts, numbers, same_kind
from simnn.olfaction.weights import WEIGHTS

Convention = Literal["normalised", "additive"]
Inhibition = Literal["none", "balanced"]
Weights = Literal["binary", "cerebellar", "cortical", "uniform", "halfnormal", "gaussian"]

CONVENTIONS = ("normalised", "additive")
"""How noise eta ~ N(0, I) enters an odor: ``sqrt(1 - eps^2) x + eps eta``, or ``x + eps eta``."""

INHIBITION = ("none", "balanced")
"""Whether the mean of all entries of J, one number for the whole matrix, is subtracted from each of them."""

_PAIRS = 2**16
"""Random pairs of cells in averages without a closed form."""

_CLASSES = 64
"""Most kinds of cells, alike in the sum and the sum of squares of integer weights, whose overlaps are counted."""

_COUNTABLE = 2**14
"""Largest sum of squares of integer weights whose overlaps are counted."""

_BLOCK = 2**20
"""Pairs of cells in one block: 8 MB for each intermediate array."""

_SPARSE = 0.1
"""Fraction of non-zero weights below which products of sparse matrices are faster."""


def _levels(coding_level: ArrayLike) -> Array:
    return numbers("coding_level", coding_level, 0.0, 1.0, strict=True)


# --- one pair of drives -----------------------------------------------------------------------------------------


@overload
def threshold(coding_level: float) -> float: ...
@overload
def threshold(coding_level: ArrayLike) -> float | Array: ...
def threshold(coding_level: ArrayLike) -> float | Array:
    """Threshold of a drive of unit variance; that of cell i is ``|J_i|`` times this.

    Parameters
    ----------
    coding_level : float or array
        Probability f that the cell fires, inside (0, 1).

    Returns
    -------
    float or array
        theta, the upper f-quantile of a standard normal number.

    References
    ----------
    Babadi and Sompolinsky 2014 [1]_.
    """
    from scipy.special import ndtri

    return same_kind(-ndtri(_levels(coding_level)))


def _transfer(slope: Array, coding_level: Array) -> Array:
    """``2 T(theta, a) / (f (1 - f))``, T Owen's function: one minus a correlation of codes."""
    from scipy.special import ndtri, owens_t

    return 2.0 * owens_t(ndtri(coding_level), slope) / (coding_level * (1.0 - coding_level))


@overload
def output_correlation(input_correlation: float, coding_level: float) -> float: ...
@overload
def output_correlation(input_correlation: ArrayLike, coding_level: ArrayLike) -> float | Array: ...
def output_correlation(input_correlation: ArrayLike, coding_level: ArrayLike) -> float | Array:
    """Correlation of the codes of two drives, ``r = 1 - 2 T(theta, sqrt((1 - rho) / (1 + rho))) / (f (1 - f))``.

    T is Owen's function. For f = 1/2 this is ``(2 / pi) asin rho``. Between 0 and 1, r is at most rho.

    Parameters
    ----------
    input_correlation : float or array
        rho of the drives, in [-1, 1].
    coding_level : float or array
        f, inside (0, 1).

    Returns
    -------
    float or array
        Broadcast; absolute accuracy 1e-14. Exactly 0 and 1 at rho = 0 and 1; at 1 it has a cusp, where it falls as
        ``sqrt(1 - rho)``.

    References
    ----------
    Owen 1956 [3]_.
    """
    rho, f = numbers("input_correlation", input_correlation, -1.0, 1.0), _levels(coding_level)
    with np.errstate(divide="ignore"):
        r = 1.0 - _transfer(np.sqrt((1.0 - rho) / (1.0 + rho)), f)
    return same_kind(np.where(rho == 0.0, 0.0, r))


@overload
def output_slope(coding_level: float) -> float: ...
@overload
def output_slope(coding_level: ArrayLike) -> float | Array: ...
def output_slope(coding_level: ArrayLike) -> float | Array:
    """Slope of `output_correlation` at a correlation of 0, ``phi(theta)^2 / (f (1 - f))``.

    Parameters
    ----------
    coding_level : float or array
        f, inside (0, 1).

    Returns
    -------
    float or array
        phi is the standard normal density; 2 / pi at f = 1/2, where it is largest.

    References
    ----------
    Owen 1956 [3]_.
    """
    from scipy.special import ndtri

    f = _levels(coding_level)
    return same_kind(np.exp(-(ndtri(f) ** 2)) / (2.0 * math.pi * f * (1.0 - f)))


# --- noise ------------------------------------------------------------------------------------------------------


@overload
def cluster_noise(noise: float, coding_level: float) -> float: ...
@overload
def cluster_noise(noise: ArrayLike, coding_level: ArrayLike) -> float | Array: ...
def cluster_noise(noise: ArrayLike, coding_level: ArrayLike) -> float | Array:
    """Noise of a cluster of codes, ``DeltaC = 2 T(theta, sqrt(DeltaS / (2 - DeltaS))) / (f (1 - f))``.

    It is at least that of the inputs, for every f: expansions amplify noise, and more so in sparser codes.

    Parameters
    ----------
    noise : float or array
        DeltaS of the inputs, 1 - correlation of a copy with its centre, in [0, 2]; see `input_noise`.
    coding_level : float or array
        f, inside (0, 1).

    Returns
    -------
    float or array
        Broadcast; relative accuracy 1e-13 however small the noise.

    References
    ----------
    Babadi and Sompolinsky 2014 [1]_ defined both noises; this form is one minus `output_correlation`.
    """
    delta, f = numbers("noise", noise, 0.0, 2.0), _levels(coding_level)
    with np.errstate(divide="ignore"):
        return same_kind(_transfer(np.sqrt(delta / (2.0 - delta)), f))


@overload
def small_cluster_noise(noise: float, coding_level: float) -> float: ...
@overload
def small_cluster_noise(noise: ArrayLike, coding_level: ArrayLike) -> float | Array: ...
def small_cluster_noise(noise: ArrayLike, coding_level: ArrayLike) -> float | Array:
    """Limit of `cluster_noise` for little noise, ``exp(-theta^2 / 2) sqrt(DeltaS / 2) / (pi f (1 - f))``.

    Parameters
    ----------
    noise : float or array
        DeltaS of the inputs, in [0, 2].
    coding_level : float or array
        f, inside (0, 1).

    Returns
    -------
    float or array
        Broadcast; within 1% of `cluster_noise` for DeltaS up to 0.046 and f from 0.05 to 0.5, within 2% at f = 0.01.

    References
    ----------
    Leading term of Owen's function [3]_.
    """
    from scipy.special import ndtri

    delta, f = numbers("noise", noise, 0.0, 2.0), _levels(coding_level)
    return same_kind(np.exp(-0.5 * ndtri(f) ** 2) * np.sqrt(0.5 * delta) / (math.pi * f * (1.0 - f)))


@overload
def input_noise(amplitude: float, convention: Convention = "normalised") -> float: ...
@overload
def input_noise(amplitude: ArrayLike, convention: Convention = "normalised") -> float | Array: ...
def input_noise(amplitude: ArrayLike, convention: Convention = "normalised") -> float | Array:
    """Noise DeltaS of a cluster of odors, from the amplitude of what is added to its centre.

    Parameters
    ----------
    amplitude : float or array
        Standard deviation eps of the noise in each channel: in [0, 1] if normalised, >= 0 and finite if additive. Where
        noise is given as its share nu of the variance, eps is the root of nu.
    convention : {"normalised", "additive"}
        ``x' = sqrt(1 - eps^2) x + eps eta``, as in [5]_, or ``x' = x + eps eta``, as in [2]_.

    Returns
    -------
    float or array
        ``1 - sqrt(1 - eps^2)``, or ``1 - 1 / sqrt(1 + eps^2)``, without loss of digits for small eps.

    References
    ----------
    Xie et al. 2023 [5]_; Litwin-Kumar et al. 2017 [2]_.
    """
    if choice("convention", convention, CONVENTIONS) == "normalised":
        square = numbers("amplitude", amplitude, 0.0, 1.0) ** 2
        return same_kind(square / (1.0 + np.sqrt(1.0 - square)))
    length = np.hypot(1.0, numbers("amplitude", amplitude, 0.0, 1e100))
    return same_kind((np.asarray(amplitude) / length) ** 2 * (length / (1.0 + length)))


@overload
def noise_amplitude(noise: float, convention: Convention = "normalised") -> float: ...
@overload
def noise_amplitude(noise: ArrayLike, convention: Convention = "normalised") -> float | Array: ...
def noise_amplitude(noise: ArrayLike, convention: Convention = "normalised") -> float | Array:
    """Amplitude of the noise in each channel, the inverse of `input_noise`.

    Parameters
    ----------
    noise : float or array
        DeltaS, in [0, 1]; below 1 if additive.
    convention : {"normalised", "additive"}
        See `input_noise`.

    Returns
    -------
    float or array
        eps: ``sqrt(DeltaS (2 - DeltaS))``, over ``1 - DeltaS`` if additive.

    References
    ----------
    Xie et al. 2023 [5]_; Litwin-Kumar et al. 2017 [2]_.
    """
    additive = choice("convention", convention, CONVENTIONS) == "additive"
    delta = numbers("noise", noise, 0.0, float(np.nextafter(1.0, 0.0)) if additive else 1.0)
    return same_kind(np.sqrt(delta * (2.0 - delta)) / (1.0 - delta if additive else 1.0))


@overload
def noisy_coding_level(amplitude: float, coding_level: float) -> float: ...
@overload
def noisy_coding_level(amplitude: ArrayLike, coding_level: ArrayLike) -> float | Array: ...
def noisy_coding_level(amplitude: ArrayLike, coding_level: ArrayLike) -> float | Array:
    """Coding level of odors with additive noise, if thresholds are those for odors without.

    Normalised noise does not change coding levels. Additive noise moves them towards 1/2, and the formulas that have
    one f for both (`cluster_noise`, `hebbian_error`) then hold only if thresholds are scaled by ``sqrt(1 + eps^2)``.

    Parameters
    ----------
    amplitude : float or array
        eps >= 0, finite.
    coding_level : float or array
        f without noise, inside (0, 1).

    Returns
    -------
    float or array
        ``Q(theta / sqrt(1 + eps^2))``, Q the upper tail of the normal distribution; broadcast.

    References
    ----------
    The convention is that of Litwin-Kumar et al. 2017 [2]_.
    """
    from scipy.special import ndtr, ndtri

    eps, f = numbers("amplitude", amplitude, 0.0, 1e100), _levels(coding_level)
    return same_kind(ndtr(ndtri(f) / np.hypot(1.0, eps)))


# --- dimension --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeanSquare:
    """Mean square of the correlations of codes over random pairs of cells.

    Attributes
    ----------
    value : float or array
        ``E r^2``.
    stderr : float or array
        Its standard error; 0 where it is exact.
    """

    value: float | Array
    stderr: float | Array


def mean_square_correlation(
    glomeruli: ArrayLike,
    claws: ArrayLike,
    coding_level: ArrayLike,
    inhibition: Inhibition = "none",
    weights: Weights = "binary",
    input_correlation: ArrayLike = 0.0,
    pairs: int = _PAIRS,
    seed: int = 0,
) -> MeanSquare:
    """Mean square of `output_correlation` over random pairs of cells, each with K of N inputs.

    Cells share o inputs with hypergeometric probability. The average over o is always exact. The average over weights
    is exact for ``"binary"``, by quadrature for ``"gaussian"`` without input correlations (relative accuracy 1e-9), and
    by sampling otherwise.

    Parameters
    ----------
    glomeruli : int or array of int
        N >= 1 inputs.
    claws : int or array of int
        K, from 1 to N.
    coding_level : float or array
        f, inside (0, 1).
    inhibition : {"none", "balanced"}
        Whether the expected mean of all entries of the matrix is subtracted from each entry, as strong unspecific
        inhibition does. Weights of both signs have mean 0, and stay as they are.
    weights : str
        One of `simnn.olfaction.weights.WEIGHTS`.
    input_correlation : float or array
        Of any two channels, in [0, 1).
    pairs : int
        Random pairs of cells that are drawn for each K, where weights are sampled, at least 2.
    seed : int
        Of these draws.

    Returns
    -------
    MeanSquare
        Value and standard error, broadcast. Errors of different f, N and M are not independent: pairs are the same.

    Raises
    ------
    ValueError
        If a parameter is out of range, or K = N equal weights are balanced: nothing is left of them.

    References
    ----------
    The role of the overlaps: Litwin-Kumar et al. 2017 [2]_.
    """
    n, k = counts("glomeruli", glomeruli, 1), counts("claws", claws, 1)
    f, c = _levels(coding_level), numbers("input_correlation", input_correlation, 0.0, float(np.nextafter(1.0, 0.0)))
    balanced = choice("inhibition", inhibition, INHIBITION) == "balanced"
    choice("weights", weights, WEIGHTS)
    counts("pairs", pairs, 2)
    counts("seed", seed, 0)
    if np.any(k > n):
        raise ValueError(f"claws: {claws!r} is not allowed: should be at most the number of glomeruli")
    if balanced and weights == "binary" and np.any(k == n):
        raise ValueError(f"claws: {claws!r} is not allowed: balanced weights of cells with all inputs vanish")
    n, k, f, c = np.broadcast_arrays(n, k, f, c)
    value, stderr = np.empty(n.shape), np.zeros(n.shape)
    settings, which = np.unique(np.stack([n, k, c], axis=-1).reshape(-1, 3), axis=0, return_inverse=True)
    which = which.reshape(n.shape)
    for index, (inputs, draws, common) in enumerate(settings):
        here = which == index
        wiring = (int(inputs), int(draws), balanced, float(common))
        if weights == "binary" or (weights == "gaussian" and common == 0.0):
            value[here] = _exact_mean_square(weights, *wiring, f[here])
        else:
            value[here], stderr[here] = _sampled_mean_square(weights, *wiring, f[here], pairs, seed)
    return MeanSquare(same_kind(value), same_kind(stderr))


def _exact_mean_square(weights: str, n: int, k: int, balanced: bool, common: float, f: Array) -> Array:
    shared, probabilities = drive_pairs.overlaps(n, k)
    if weights == "binary":
        rho = drive_pairs.binary_correlations(n, k, shared, balanced, common)
        return np.asarray(probabilities @ np.square(output_correlation(rho[:, None], f)))
    levels, which = np.unique(f, return_inverse=True)
    curves = [_Curve(float(level)) for level in levels]
    total = np.zeros(levels.shape)
    for o, probability in zip(shared.tolist(), probabilities, strict=True):
        rho, law = drive_pairs.gaussian_correlations(k, o)
        total += [probability * float(law @ np.square(curve(rho))) for curve in curves]
    return total[which]


def _sampled_mean_square(
    weights: str, n: int, k: int, balanced: bool, common: float, f: Array, pairs: int, seed: int
) -> tuple[Array, Array]:
    shared, probabilities = drive_pairs.overlaps(n, k)
    levels, which = np.unique(f, return_inverse=True)
    curves = [_Curve(float(level)) for level in levels]
    sums, squares = np.zeros(len(levels)), np.zeros(len(levels))
    for rho in drive_pairs.sampled_correlations(weights, n, k, shared, balanced, common, pairs, seed):
        for index, curve in enumerate(curves):
            values = probabilities @ np.square(curve(rho))
            sums[index] += values.sum()
            squares[index] += values @ values
    means = sums / pairs
    variances = np.maximum(squares / pairs - means**2, 0.0) / (pairs - 1)
    return means[which], np.sqrt(variances)[which]


class _Curve:
    """`output_correlation` of one coding level for many correlations: cubics in asin(rho), within 1e-12."""

    _STEPS = 4096

    def __init__(self, coding_level: float):
        angles = np.linspace(-0.5 * math.pi, 0.5 * math.pi, self._STEPS + 1)
        step, rho = math.pi / self._STEPS, np.sin(angles)
        rho[self._STEPS // 2] = 0.0
        values = np.asarray(output_correlation(rho, coding_level))
        # 1 + sin(angle) to its last digit; the slope vanishes with all its derivatives at rho = -1.
        above = 2.0 * np.sin(0.5 * angles + 0.25 * math.pi) ** 2
        squared = float(threshold(coding_level)) ** 2
        exponent = np.divide(-squared, above, out=np.full(angles.shape, -np.inf), where=above > 1e-300)
        if squared == 0.0:
            exponent[:] = 0.0
        slopes = step * np.exp(exponent) / (2.0 * math.pi * coding_level * (1.0 - coding_level))
        rise = np.diff(values)
        self._cubic = (
            values[:-1], slopes[:-1], 3.0 * rise - 2.0 * slopes[:-1] - slopes[1:], slopes[:-1] + slopes[1:] - 2.0 * rise
        )  # fmt: skip

    def __call__(self, rho: Array) -> Array:
        place = np.arcsin(np.clip(rho, -1.0, 1.0))  # by rounding alone is a correlation out of bounds
        place *= self._STEPS / math.pi
        place += 0.5 * self._STEPS
        index = np.minimum(place.astype(np.int32), self._STEPS - 1)
        place -= index
        result: Array = self._cubic[3][index]
        for coefficient in self._cubic[2::-1]:
            result *= place
            result += coefficient[index]
        return result


@overload
def dimension(
    glomeruli: int,
    kenyon_cells: float,
    claws: int,
    coding_level: float,
    inhibition: Inhibition = "none",
    weights: Weights = "binary",
    input_correlation: float = 0.0,
    pairs: int = _PAIRS,
    seed: int = 0,
) -> float: ...
@overload
def dimension(
    glomeruli: ArrayLike,
    kenyon_cells: ArrayLike,
    claws: ArrayLike,
    coding_level: ArrayLike,
    inhibition: Inhibition = "none",
    weights: Weights = "binary",
    input_correlation: ArrayLike = 0.0,
    pairs: int = _PAIRS,
    seed: int = 0,
) -> float | Array: ...
def dimension(
    glomeruli: ArrayLike,
    kenyon_cells: ArrayLike,
    claws: ArrayLike,
    coding_level: ArrayLike,
    inhibition: Inhibition = "none",
    weights: Weights = "binary",
    input_correlation: ArrayLike = 0.0,
    pairs: int = _PAIRS,
    seed: int = 0,
) -> float | Array:
    """Dimension of the codes of many odors, ``(tr C)^2 / tr C^2 = M / (1 + (M - 1) E r^2)``.

    C is the covariance of the M cells over Gaussian odors, each cell with the threshold that gives it the coding
    level, and r the correlation of the codes of two of them (`mean_square_correlation`). The number of claws for which
    this is largest depends on the law of the weights, on what is held fixed as claws vary (cells, or synapses: see
    `kenyon_cells_of`), and on inhibition.

    Parameters
    ----------
    glomeruli : int or array of int
        N >= 1 inputs.
    kenyon_cells : float or array
        M >= 1 cells, not necessarily whole (`kenyon_cells_of`); ``math.inf`` for ``1 / E r^2``, the ceiling.
    claws : int or array of int
        K, from 1 to N.
    coding_level : float or array
        f, inside (0, 1).
    inhibition : {"none", "balanced"}
        Whether the mean of the whole matrix is subtracted from its entries.
    weights : str
        ``"binary"``, ``"gaussian"``, ``"cerebellar"``, ``"cortical"``, ``"uniform"`` or ``"halfnormal"``; see
        `simnn.olfaction.weights.WEIGHTS`. ``"gaussian"`` with K = N is the dense Gaussian matrix.
    input_correlation : float or array
        Of any two channels, in [0, 1).
    pairs, seed : int
        Where weights are sampled: pairs of cells, and the seed of their draws. `mean_square_correlation` says what is
        exact, and what the standard errors are: relative to a sampled dimension at most as large as to ``E r^2``.

    Returns
    -------
    float or array
        Broadcast. Single random matrices (`matrix_dimension`) scatter around it: by 0.13% at N = 50, M = 2000, K = 7.

    Raises
    ------
    ValueError
        If a parameter is out of range, or K = N equal weights are balanced: nothing is left of them.

    References
    ----------
    Litwin-Kumar et al. 2017 [2]_; the measure is that of Abbott et al. 2011 [4]_.
    """
    cells = numbers("kenyon_cells", kenyon_cells, 1.0, math.inf)
    square = mean_square_correlation(
        glomeruli, claws, coding_level, inhibition, weights, input_correlation, pairs, seed
    ).value
    return same_kind(1.0 / (1.0 / cells + (1.0 - 1.0 / cells) * square))


@overload
def kenyon_cells_of(synapses: float, claws: int) -> float: ...
@overload
def kenyon_cells_of(synapses: ArrayLike, claws: ArrayLike) -> float | Array: ...
def kenyon_cells_of(synapses: ArrayLike, claws: ArrayLike) -> float | Array:
    """Number of cells that a fixed number of synapses can give so many claws.

    Parameters
    ----------
    synapses : int or array of int
        S, at least the number of claws.
    claws : int or array of int
        K >= 1.

    Returns
    -------
    float or array
        ``S / K``, as `dimension` takes it, not rounded: steps of whole cells would be wiggles in a curve over K.

    References
    ----------
    Xie et al. 2023 [5]_ hold S fixed as K varies.
    """
    cells = counts("synapses", synapses, 1) / counts("claws", claws, 1)
    if np.any(cells < 1.0):
        raise ValueError(f"synapses: {synapses!r} is not allowed: should be at least the number of claws")
    return same_kind(cells)


# --- the dimension of a given matrix ----------------------------------------------------------------------------


@overload
def matrix_dimension(
    weights: Any, coding_level: float, inhibition: Inhibition = "none", input_correlation: float = 0.0
) -> float: ...
@overload
def matrix_dimension(
    weights: Any, coding_level: ArrayLike, inhibition: Inhibition = "none", input_correlation: float = 0.0
) -> float | Array: ...
def matrix_dimension(
    weights: Any, coding_level: ArrayLike, inhibition: Inhibition = "none", input_correlation: float = 0.0
) -> float | Array:
    """Dimension of the codes that a given matrix makes of Gaussian odors: `dimension`, without its average.

    Overlaps of small integer weights are counted, so that each value is transformed once; others are transformed pair
    by pair, in blocks of 8 MB. Sparse matrices cost what their products cost, unless inhibition or input correlations
    let all pairs of cells correlate.

    Parameters
    ----------
    weights : (M, N) array or scipy sparse array
        J, one cell in each row.
    coding_level : float or array
        f, inside (0, 1), the same for all cells.
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix is subtracted from its entries.
    input_correlation : float
        Of any two channels, in [0, 1).

    Returns
    -------
    float or array
        Of the shape of ``coding_level``; relative accuracy 1e-7 or better (1e-10 if no two rows are parallel).

    Raises
    ------
    ValueError
        If a parameter is out of range, or a cell has no drive: a row of zeros, or of equal weights that inhibition
        cancels.

    References
    ----------
    Litwin-Kumar et al. 2017 [2]_.
    """
    from scipy import sparse

    f = _levels(coding_level)
    common = float(numbers("input_correlation", input_correlation, 0.0, float(np.nextafter(1.0, 0.0))))
    balanced = choice("inhibition", inhibition, INHIBITION) == "balanced"
    matrix: Any = weights if sparse.issparse(weights) else np.asarray(weights)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf" or 0 in matrix.shape:
        raise ValueError("weights: not allowed: should be a matrix of numbers, one cell in each row")
    matrix = sparse.csr_array(matrix, dtype=np.float64)
    if not np.isfinite(matrix.data).all():
        raise ValueError("weights: not allowed: should be finite")
    drives = _Drives(matrix, balanced, common)
    levels, which = np.unique(f, return_inverse=True)
    total = drives.sum_over_pairs(levels)
    cells = matrix.shape[0]
    return same_kind((cells / (1.0 + total / cells))[which].reshape(f.shape))


class _Drives:
    """Correlations of the drives of all pairs of cells of one matrix, block by block."""

    def __init__(self, matrix: Any, balanced: bool, common: float):
        cells, inputs = matrix.shape
        self._common = common
        self._own = 1.0 - common
        self._shift = balanced * float(matrix.sum()) / (cells * inputs)
        self._inputs = inputs
        self._sums = np.asarray(matrix.sum(axis=1))
        self._squares = np.asarray(matrix.multiply(matrix).sum(axis=1))
        self._lengths = self._squares.copy()
        if balanced or common > 0.0:
            rows = np.arange(cells)
            self._lengths = self._covariance(self._squares, rows, rows)
        silent = self._lengths <= 1e-14 * (self._squares + inputs * self._shift**2)
        if silent.any():
            raise ValueError(f"weights: not allowed: nothing drives the cell of row {int(np.argmax(silent))}")
        self._independent = not (self._shift or common)
        self._sparse = matrix.nnz < _SPARSE * cells * inputs
        self._matrix = matrix if self._sparse else matrix.toarray()

    def _covariance(self, dots: Array, rows: NDArray[np.intp], others: NDArray[np.intp]) -> Array:
        """Covariances from the products ``J_i.J_j`` of cells i in ``rows`` and j in ``others``."""
        a, b, m = self._sums[rows], self._sums[others], self._shift
        square = self._inputs * m * m
        centred = dots - m * (a + b) + square
        return np.asarray(self._own * centred + self._common * (a - self._inputs * m) * (b - self._inputs * m))

    def sum_over_pairs(self, levels: Array) -> Array:
        """Sum of r^2 over ordered pairs of different cells, for each coding level."""
        kinds = self._kinds()
        if kinds is not None:
            return sum(
                (number @ np.square(output_correlation(rho[:, None], levels)) for rho, number in self._counted(kinds)),
                np.zeros(levels.shape),
            )
        curves = [_Curve(float(level)) for level in levels]
        total = np.zeros(levels.shape)
        for rho in self._pairs():
            total += [2.0 * float(np.square(curve(rho)).sum()) for curve in curves]
        return total

    def _pairs(self) -> Iterator[Array]:
        """Correlations of each pair i < j once, and zeros."""
        from scipy import sparse

        cells = len(self._sums)
        norms, step = np.sqrt(self._lengths), max(32, _BLOCK // cells)
        for first in range(0, cells, step):
            last = min(first + step, cells)
            dots = self._matrix[first:last] @ self._matrix[first:].T
            if self._sparse and self._independent:
                above = sparse.triu(dots, 1)
                i, j = above.coords
                yield above.data / (norms[first + i] * norms[first + j])
                continue
            dots = dots.toarray() if self._sparse else dots
            if not self._independent:
                dots = self._covariance(dots, np.arange(first, last)[:, None], np.arange(first, cells))
            yield np.triu(dots / np.outer(norms[first:last], norms[first:]), 1)

    def _kinds(self) -> list[NDArray[np.intp]] | None:
        """Rows alike in the sum and the sum of squares of their small integer weights, if kinds are few."""
        values = self._matrix.data if self._sparse else self._matrix
        if self._squares.max() > _COUNTABLE or np.any(values != np.rint(values)):
            return None
        alike, kind = np.unique(np.stack([self._sums, self._squares], axis=1), axis=0, return_inverse=True)
        if len(alike) > _CLASSES:
            return None
        return [np.flatnonzero(kind.ravel() == index) for index in range(len(alike))]

    def _counted(self, kinds: list[NDArray[np.intp]]) -> Iterator[tuple[Array, Array]]:
        """Distinct correlations and the number of ordered pairs that have them, for each pair of kinds."""
        bound = int(self._squares.max())
        # Products of integers this small are exact in single precision.
        matrix = self._matrix.astype(np.float32)
        parts = [matrix[rows] for rows in kinds]
        for first, one in enumerate(kinds):
            for second in range(first, len(kinds)):
                other = kinds[second]
                number = np.zeros(2 * bound + 1)
                step = max(32, _BLOCK // len(other))
                for start in range(0, len(one), step):
                    dots = parts[first][start : start + step] @ parts[second].T
                    found = dots.data if self._sparse else dots.ravel()
                    number += np.bincount(found.astype(np.int64) + bound, minlength=len(number))
                    number[bound] += math.prod(dots.shape) - found.size
                if first == second:
                    number[bound + int(self._squares[one[0]])] -= len(one)
                else:
                    number *= 2.0
                values = np.flatnonzero(number)
                covariance = self._covariance((values - bound).astype(np.float64), one[:1], other[:1])
                rho = covariance / np.sqrt(self._lengths[one[0]] * self._lengths[other[0]])
                yield np.clip(rho, -1.0, 1.0), number[values]


# --- readout ----------------------------------------------------------------------------------------------------


@overload
def hebbian_error(dimension: float, odors: float, noise: float, coding_level: float) -> float: ...
@overload
def hebbian_error(
    dimension: ArrayLike, odors: ArrayLike, noise: ArrayLike, coding_level: ArrayLike
) -> float | Array: ...
def hebbian_error(dimension: ArrayLike, odors: ArrayLike, noise: ArrayLike, coding_level: ArrayLike) -> float | Array:
    """Error of a Hebbian readout of noisy odors, ``Q(sqrt(dim (1 - DeltaC)^2 / P))``.

    The readout ``sign(w.(m - f))`` with ``w = sum_mu y_mu (m_mu - f)`` has learnt P odors with random labels +-1, and
    sees noisy copies of them. The formula counts the interference of the other odors, and takes it as Gaussian.

    Parameters
    ----------
    dimension : float or array
        Of the codes, >= 1: from `dimension` or `matrix_dimension`.
    odors : float or array
        P >= 1.
    noise : float or array
        DeltaS of the odors (not the amplitude: see `input_noise`), in [0, 2].
    coding_level : float or array
        f, inside (0, 1).

    Returns
    -------
    float or array
        Broadcast. For f >= 0.05 and M f >= 50 it is right to 0.01, on the low side (by up to 0.007 at f = 0.05).
        Sparser codes with a threshold for each cell make more errors, since the number of active cells varies with the
        length of an odor, in all cells together: more cells do not help, more glomeruli do. At N = 100, P = 400 and eps
        = 0.5 it is low by 0.011 to 0.014 at f = 0.02, from M f = 10 (M = 500) to 160; by 0.019 to 0.029 at f = 0.01 and
        0.03 to 0.045 at f = 0.005. At P = 4 N and f = 0.02 by 0.030, 0.014, 0.009 and 0.004 for N = 50, 100, 200, 400.

    References
    ----------
    Babadi and Sompolinsky 2014 [1]_; Litwin-Kumar et al. 2017 [2]_.
    """
    from scipy.special import ndtr

    ratio = numbers("dimension", dimension, 1.0, math.inf) / numbers("odors", odors, 1.0, 1e300)
    return same_kind(ndtr((np.asarray(cluster_noise(noise, coding_level)) - 1.0) * np.sqrt(ratio)))
