r"""Closed forms of random wirings with given degrees: what a connectome would be if nothing but its degrees counted.

M Kenyon cells connect to N glomeruli, cell j to k_j of them, glomerulus i to F_i cells (its fan-out). If each cell
draws its glomeruli by itself, and sets of k of them have probabilities proportional to the products of their *odds*
w_i, then all wirings with the same degrees are equally likely, and the number o of glomeruli that two cells share has
the law

``P(o | a, b) ~ [x^a y^b z^o] prod_i (1 + w_i x + w_i y + w_i^2 x y z)``,

which a recursion over glomeruli gives exactly; with equal odds it is hypergeometric. Overlaps determine the dimension.
Seen from the other side, so do the numbers S of cells that pairs of glomeruli share: ``sum_jk o_jk^2 = sum_il S_il^2``.

References
----------
.. [1] X.-H. Chen, A. P. Dempster, J. S. Liu, "Weighted finite population sampling to maximize entropy", Biometrika 81,
   457 (1994).
.. [2] A. Litwin-Kumar, K. D. Harris, R. Axel, H. Sompolinsky, L. F. Abbott, "Optimal degrees of synaptic
   connectivity", Neuron 93, 1153 (2017).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.olfaction import theory
from simnn.olfaction.arguments import Array, choice, counts

_ROUNDS = 2000
_ACCURACY = 1e-12
_NODES = 200


def inclusions(odds: ArrayLike, most: int) -> Array:
    """Probabilities that a cell connects to each glomerulus.

    Parameters
    ----------
    odds : (N,) array
        w, positive.
    most : int
        Largest number of inputs, at most N.

    Returns
    -------
    (N, most + 1) array
        For cells with 0, 1, ... inputs; columns add up to these numbers.

    References
    ----------
    Chen, Dempster and Liu 1994 [1]_.
    """
    w = np.asarray(odds, np.float64)
    others = np.zeros((len(w), most + 1))
    others[:, 0] = 1.0
    for i, weight in enumerate(w):
        before = others[i].copy()
        others[:, 1:] += weight * others[:, :-1]
        others[i] = before
    chosen = np.zeros_like(others)
    chosen[:, 1:] = w[:, None] * others[:, :-1]
    return np.asarray(chosen / (others + chosen))


def odds_of(fan_out: ArrayLike, cells_with: ArrayLike) -> Array:
    """Odds for which glomeruli have given fan-outs, on average.

    Parameters
    ----------
    fan_out : (N,) array
        F, positive numbers of cells, not necessarily whole.
    cells_with : (n,) array of int
        Numbers of cells with 0, 1, ... inputs; they have as many connections as glomeruli have.

    Returns
    -------
    (N,) array
        w, scaled so that ``sum w / (1 + w)`` is the mean number of inputs.

    Raises
    ------
    ValueError
        If the numbers of connections differ, or a fan-out is out of reach: not positive, or nearly all cells.

    References
    ----------
    Chen, Dempster and Liu 1994 [1]_.
    """
    target, cells = np.asarray(fan_out, np.float64), counts("cells_with", cells_with, 0)
    total = cells @ np.arange(len(cells))
    if abs(target.sum() - total) > 1e-9 * total or target.min() <= 0.0 or target.max() >= cells.sum():
        raise ValueError(
            "fan_out: not allowed: should be positive, below the number of cells, and add up to all inputs"
        )
    share = target / cells.sum()
    odds: Array = share / (1.0 - share)
    for _ in range(_ROUNDS):
        ratio = target / (inclusions(odds, len(cells) - 1) @ cells)
        if np.abs(ratio - 1.0).max() < _ACCURACY:
            return odds
        odds = odds * ratio
    raise ValueError("fan_out: not allowed: no odds found; a glomerulus has nearly all cells")


def overlaps(odds: ArrayLike, most: int, fan_out: ArrayLike | None = None, cells: int | None = None) -> Array:
    """Law of the number of glomeruli that two cells share.

    Parameters
    ----------
    odds : (N,) array
        w.
    most : int
        Largest number of inputs.
    fan_out : (N,) array, optional
        F, if the two are among so many `cells` that have these fan-outs exactly, not on average. Then they avoid each
        other a little: to first order in 1 / M by the factor
        ``1 - sum_i (a_i - p_i) (b_i - p_i) / (M p_i (1 - p_i))``, ``p = F / M``, of a Gaussian law for what all other
        cells have.
    cells : int, optional
        M.

    Returns
    -------
    (most + 1, most + 1, most + 1) array
        Probabilities of o for cells with a and b inputs, ``[a, b, o]``.
    """
    w = np.asarray(odds, np.float64)
    none, one, both = np.ones(len(w)), w.copy(), w**2
    if fan_out is not None and cells is not None:
        share = np.asarray(fan_out, np.float64) / cells
        none *= 1.0 - share / (1.0 - share) / cells
        one *= 1.0 + 1.0 / cells
        both *= 1.0 - (1.0 - share) / share / cells
    law = np.zeros((most + 1,) * 3)
    law[0, 0, 0] = 1.0
    for absent, single, common in zip(none, one, both, strict=True):
        new = absent * law
        new[1:] += single * law[:-1]
        new[:, 1:] += single * law[:, :-1]
        new[1:, 1:, 1:] += common * law[:-1, :-1, :-1]
        law = new
    return np.asarray(law / law.sum(axis=2, keepdims=True))


def dimension(
    fan_out: ArrayLike,
    cells_with: ArrayLike,
    coding_level: ArrayLike,
    inhibition: theory.Inhibition = "none",
    fixed: bool = True,
) -> Array:
    """Dimension of random binary wirings with given degrees.

    Parameters
    ----------
    fan_out : (N,) array
        F; all the same for wirings that forget them.
    cells_with : (n,) array of int
        Numbers of cells with 0, 1, ... inputs; no cell is without.
    coding_level : float or array
        f, inside (0, 1).
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix is subtracted from its entries.
    fixed : bool
        Whether each wiring has these fan-outs, to first order in 1 / M, or wirings have them on average, exactly.

    Returns
    -------
    array
        ``M / (1 + (M - 1) E r^2)`` over pairs of cells, of the shape of ``coding_level``. See
        `simnn.olfaction.theory.matrix_dimension` for a given wiring.

    References
    ----------
    The role of the overlaps: Litwin-Kumar et al. 2017 [2]_.
    """
    balanced = choice("inhibition", inhibition, theory.INHIBITION) == "balanced"
    total, number = np.asarray(fan_out, np.float64), counts("cells_with", cells_with, 0)
    cells, most = number.sum(), len(number) - 1
    law = overlaps(odds_of(total, cells_with), most, *((total, int(cells)) if fixed else ()))
    k = np.arange(1.0, most + 1.0)
    mean = total.sum() / (cells * len(total)) if balanced else 0.0
    length = k - mean * (2.0 * k - mean * len(total))
    a, b, o = k[:, None, None], k[None, :, None], np.arange(most + 1.0)
    possible = o <= np.minimum(a, b)
    rho = (o - mean * (a + b - mean * len(total))) / np.sqrt(length[:, None, None] * length[None, :, None])
    pairs = np.outer(number[1:], number[1:]) - np.diag(number[1:])
    weight = np.where(possible, pairs[:, :, None] * law[1:, 1:], 0.0)
    f = np.asarray(coding_level, np.float64)
    r = theory.output_correlation(np.clip(np.where(possible, rho, 0.0), -1.0, 1.0), f[..., None, None, None])
    return np.asarray(cells / (1.0 + (weight * np.square(r)).sum(axis=(-3, -2, -1)) / cells))


def shared_cells(fan_out: ArrayLike, cells_with: ArrayLike) -> tuple[Array, Array]:
    """Law of the numbers of cells that pairs of glomeruli share in random wirings with given degrees.

    Parameters
    ----------
    fan_out : (N,) array
        F, positive.
    cells_with : (n,) array of int
        Numbers of cells with 0, 1, ... inputs.

    Returns
    -------
    mean, variance : (N, N) array
        Of `simnn.olfaction.nulls.shared_cells` after `simnn.olfaction.nulls.curveball`; F and 0 on the diagonal. To
        first order in 1 / M: variances are off by a part of about 1 / M, means by a few hundredths of a cell.

    Raises
    ------
    ValueError
        As `odds_of`.

    Notes
    -----
    Cells that draw by themselves include any glomeruli a, b, ... with the probability

    ``P(a, b, ... | k) ~ [z^k] prod_i (1 + w_i z) q_a q_b ..., q_i = w_i z / (1 + w_i z)``,

    whose coefficients a sum over roots of unity gives exactly. Fan-outs that are given, not only on average, take from
    the variance of S what a linear regression on them explains, ``cov(S, F) cov(F, F)^-1 cov(F, S)``, and multiply the
    rest by M / (M - 1), as in the hypergeometric law of two sets of cells.
    """
    number = counts("cells_with", cells_with, 0)
    odds = odds_of(fan_out, cells_with)
    size, cells = len(odds), int(number.sum())
    # An odd number of nodes leaves out -1, where 1 + w z can vanish; conjugate nodes count twice.
    nodes = size + 1 + size % 2
    circle = np.exp(2j * np.pi * np.arange(nodes // 2 + 1) / nodes)
    first, second = np.triu_indices(size, 1)
    pairs = np.arange(len(first))
    inputs = number @ np.arange(len(number)) / cells
    mean, variance = np.zeros(len(first)), np.zeros(len(first))
    slope, covariance = np.zeros((len(first), size)), np.zeros((size, size))
    for k in np.flatnonzero(number).tolist():
        # Near the saddle point, so that no digits cancel.
        z = circle * (k + 0.5) / (size - k + 0.5) * (size - inputs) / inputs
        u = z[:, None] * odds
        logarithm = np.log(1.0 + u).sum(axis=1) - k * np.log(z)
        weight = np.exp(logarithm - logarithm[0])
        weight[1:] *= 2.0
        weight /= weight.real.sum()
        q = u / (1.0 + u)
        product = weight[:, None] * q[:, first] * q[:, second]
        one, two, three = (weight @ q).real, product.real.sum(axis=0), (product.T @ q).real
        three[pairs, first] = three[pairs, second] = two
        both = np.diag(one)
        both[first, second] = both[second, first] = two
        mean += number[k] * two
        variance += number[k] * two * (1.0 - two)
        slope += number[k] * (three - np.outer(two, one))
        covariance += number[k] * (both - np.outer(one, one))
    # One direction is without variance, the sum of all fan-outs; adding 1 fills it and changes nothing else.
    variance -= (slope.T * np.linalg.solve(covariance + 1.0, slope.T)).sum(axis=0)
    variance[variance < _ACCURACY * cells] = 0.0
    means, variances = np.diag(np.asarray(fan_out, np.float64)), np.zeros((size, size))
    means[first, second] = means[second, first] = mean
    variances[first, second] = variances[second, first] = variance * cells / (cells - 1.0)
    return means, variances


def drawn_fan_out(fan_out: ArrayLike, cells_with: ArrayLike) -> tuple[Array, Array]:
    """Fan-outs after draws without replacement whose probabilities follow given ones: they are flatter.

    Parameters
    ----------
    fan_out : (N,) array
        F, positive: `simnn.olfaction.nulls.frequency_weighted` of a wiring that has them.
    cells_with : (n,) array of int
        Numbers of cells with 0, 1, ... inputs.

    Returns
    -------
    mean, variance : (N,) array
        Of the new fan-outs; relative accuracy 1e-6. Glomerulus i is among the k first of exponential clocks of rates F
        with probability ``int F_i exp(-F_i t) P(fewer than k others by t) dt``.
    """
    number = counts("cells_with", cells_with, 0)
    rate = np.asarray(fan_out, np.float64)
    rate = rate / rate.mean()
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    time = -np.log(0.5 - 0.5 * x)
    rung = -np.expm1(-rate * time[:, None])
    # Probabilities (node, glomerulus, n) that n of the other glomeruli have rung.
    others = np.zeros((_NODES, len(rate), len(number)))
    others[:, :, 0] = 1.0
    for i in range(len(rate)):
        p = rung[:, i, None, None]
        before = others[:, i].copy()
        others[:, :, 1:] += p * (others[:, :, :-1] - others[:, :, 1:])
        others[:, :, 0] *= 1.0 - p[:, :, 0]
        others[:, i] = before
    density = 0.5 * weights[:, None] * rate * np.exp((1.0 - rate) * time[:, None])
    chances = np.zeros((len(rate), len(number)))
    chances[:, 1:] = np.einsum("ti,tik->ik", density, others.cumsum(axis=2)[:, :, :-1])
    return np.asarray(chances @ number), np.asarray((chances * (1.0 - chances)) @ number)


def spread(fan_out: ArrayLike) -> float:
    """Coefficient of variation of fan-outs.

    Parameters
    ----------
    fan_out : (N,) array
        F.

    Returns
    -------
    float
    """
    values: NDArray[np.float64] = np.asarray(fan_out, np.float64)
    return float(values.std() / values.mean())
