"""Synthetic odors and wirings with the statistics of measured ones, so that everything runs with nothing downloaded."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

    Array = NDArray[np.float64]

# Fitted to summary numbers of the measured table (means, shares, correlations), not to its entries.
_SPONTANEOUS = (2.36, 0.75)  # mean and deviation of its logarithm
_LARGEST_SPONTANEOUS = 50.0
_SATURATION = 292.0
_OFFSET = -3.25
_BREADTH = 0.87
_STRENGTH = 1.11
_SENSITIVITY = 0.46
_FACTORS = 6
_TUNING = 1.21
_SPECIFIC = 0.78
_SUPPRESSION = 2.24

# Synapses of a Kenyon cell with a glomerulus, in the hemibrain at 5 or more synapses of a connection.
_SYNAPSES = (18.7, 0.5)  # mean, and standard deviation of the logarithm
_EVEN = 1e-3  # fan-outs that differ less are equal
_MOST = 0.9  # share of all cells that a glomerulus may connect to


def synthetic_odors(odors: int = 110, receptors: int = 24, seed: int = 0) -> "xr.Dataset":
    """Draw a table of odor responses whose statistics are those of Hallem & Carlson 2006.

    Parameters
    ----------
    odors, receptors : int
        How many, two or more of each.
    seed : int
        Of the random numbers.

    Returns
    -------
    xarray.Dataset
        As from `simnn.olfaction.load_odors` for the measured table: ``change``, ``rate`` and ``spontaneous_rate``,
        whole numbers of spikes/s.

    Raises
    ------
    ValueError
        If there are fewer than two odors or receptors, or the seed is negative.

    Notes
    -----
    Odor o excites receptor r up to a saturation and suppresses part of its spontaneous rate s_r,

    ``change_or = 292 g(z_or) - s_r g(2.24 n_or)``, g the logistic function,
    ``z_or = -3.25 + 0.87 b_r + 1.11 a_r u_o + 1.21 sum_k L_rk F_ok / sqrt(6) + 0.78 e_or``,

    with standard normal b (breadth of tuning), u (strength of the odor), L and F (six features of odors, and what each
    receptor makes of them), e and n; ``a = exp(0.46 c - 0.46^2 / 2)`` is how much a receptor follows the strength, and
    ``s = exp(2.36 + 0.75 d)``, between 1 and 50, with standard normal c and d. Values of b, c, d and u are not drawn
    independently but are the quantiles of their law in random order: that takes most of the variance out of small
    tables.

    How well tables of 110 x 24 match, mean over seeds (standard deviation of one table) and the measured number:

    =================================  ===============  ==============
    change: mean, spikes/s             26.2 (1.1)       26.8
    standard deviation                 52.4 (2.1)       52.6
    skewness                           2.38 (0.10)      2.32
    largest                            285 (4)          288
    shares >= 50, 100, 200, %          18.3, 9.2, 2.4   17.0, 8.9, 2.6
    shares < 0 and <= -10, %           29.6, 8.5        30.8, 10.5
    spontaneous rate: mean, deviation  13.7, 10.6       13.75, 10.3
    total rate of an odor, CV          0.642 (0.028)    0.598
    rates: correlation of odors        0.221 (0.034)    0.208
    absolute correlation of receptors  0.281 (0.020)    0.309
    share of the first component       0.404 (0.043)    0.407
    dimension                          4.86 (0.64)      4.81
    projection neurons: mean rate      46.5 (0.5)       48.1
    correlation of odors               0.247 (0.039)    0.243
    absolute correlation of receptors  0.170 (0.011)    0.169
    share of the first component       0.193 (0.021)    0.202
    dimension                          10.2 (0.7)       10.1
    =================================  ===============  ==============

    Rows on correlations and components are those of `simnn.olfaction.layer_statistics`; projection neurons are
    `simnn.olfaction.projection_neurons` of the rates, whose first component alone was not fitted. Not matched: rates
    here are never negative (3 % of the measured ones are), receptors have no names and no glomeruli, and odors no
    chemistry.

    References
    ----------
    Hallem & Carlson 2006, Cell 125, 143.

    Examples
    --------
    >>> from simnn import olfaction
    >>> ds = olfaction.synthetic_odors()
    >>> dict(ds.rate.sizes), bool((ds.rate >= 0.0).all())
    ({'odor': 110, 'receptor': 24}, True)
    """
    for name, value, least in (("odors", odors, 2), ("receptors", receptors, 2), ("seed", seed, 0)):
        if isinstance(value, bool) or value < least:
            raise ValueError(f"{name}: {value!r} is not allowed: should be {least} or more")
    import xarray as xr
    from scipy.special import expit

    rng = np.random.default_rng(seed)
    mean, deviation = _SPONTANEOUS
    spontaneous = np.exp(mean + deviation * _spread(rng, receptors)).clip(1.0, _LARGEST_SPONTANEOUS).round()
    breadth = _spread(rng, receptors)
    sensitivity = np.exp(_SENSITIVITY * _spread(rng, receptors) - _SENSITIVITY**2 / 2.0)
    strength = _spread(rng, odors)
    features = rng.standard_normal((odors, _FACTORS))
    tuning = rng.standard_normal((receptors, _FACTORS)) / np.sqrt(_FACTORS)
    specific, suppression = rng.standard_normal((2, odors, receptors))
    drive = _OFFSET + _BREADTH * breadth + _STRENGTH * strength[:, np.newaxis] * sensitivity
    drive += _TUNING * features @ tuning.T + _SPECIFIC * specific
    change = (_SATURATION * expit(drive) - spontaneous * expit(_SUPPRESSION * suppression)).round()
    both = ("odor", "receptor")
    return xr.Dataset(
        {
            "change": (both, change, {"long_name": "change of the firing rate", "units": "spikes/s"}),
            "rate": (both, change + spontaneous, {"long_name": "firing rate", "units": "spikes/s"}),
            "spontaneous_rate": (
                ("receptor",),
                spontaneous,
                {"long_name": "firing rate without odor", "units": "spikes/s"},
            ),
        },
        {
            "odor": ("odor", [f"odor {k + 1}" for k in range(odors)], {"long_name": "odor", "units": "1"}),
            "receptor": (
                "receptor",
                [f"receptor {k + 1}" for k in range(receptors)],
                {"long_name": "olfactory receptor", "units": "1"},
            ),
        },
        {"title": "Odor responses, synthetic", "source": "synthetic", "seed": str(seed)},
    )


def _spread(rng: np.random.Generator, count: int) -> "Array":
    """Quantiles of the standard normal law, in random order."""
    from scipy.special import ndtri

    out: Array = ndtri((rng.permutation(count) + 0.5) / count)
    return out


def synthetic_connectome(
    kenyon_cells: int = 1750,
    glomeruli: int = 57,
    *,
    claws: float = 5.26,
    fan_out_spread: float = 0.585,
    threshold: int = 5,
    seed: int = 0,
) -> "xr.DataArray":
    """Draw a wiring with skewed fan-out that is random in everything else.

    Parameters
    ----------
    kenyon_cells, glomeruli : int
        How many, two or more of each.
    claws : float
        Mean number of glomeruli that a cell listens to, at least 1.
    fan_out_spread : float
        Coefficient of variation of the numbers of cells that glomeruli connect to, >= 0.
    threshold : int
        Smallest number of synapses of a connection.
    seed : int
        Of the random numbers.

    Returns
    -------
    xarray.DataArray
        ``connections`` (kenyon_cell, glomerulus): numbers of synapses, as from `simnn.olfaction.load_connectome`. The
        defaults are those of the hemibrain, where connections of 5 or more synapses count.

    Raises
    ------
    ValueError
        If a parameter is out of range, or asks for glomeruli that nearly all cells would connect to.

    Notes
    -----
    A cell has 1 + Poisson(claws - 1) inputs (which gives the measured standard deviation, 2.05), at most all. Expected
    fan-outs are the quantiles of a gamma law, in random order. Cells draw their inputs independently, with the odds
    that give these fan-outs (`simnn.olfaction.degree_laws`): wirings with the same degrees are equally likely, and
    `simnn.olfaction.nulls.curveball` has nothing to destroy. Numbers of synapses are log-normal (mean 18.7, standard
    deviation of the logarithm 0.5), rounded, raised to the threshold, and independent of all else.

    Examples
    --------
    >>> from simnn import olfaction
    >>> dict(olfaction.synthetic_connectome().sizes)
    {'kenyon_cell': 1750, 'glomerulus': 57}
    """
    bounds = (
        ("kenyon_cells", kenyon_cells, 2), ("glomeruli", glomeruli, 2), ("claws", claws, 1),
        ("fan_out_spread", fan_out_spread, 0), ("threshold", threshold, 1), ("seed", seed, 0),
    )  # fmt: skip
    for name, value, least in bounds:
        if isinstance(value, bool) or not value >= least:
            raise ValueError(f"{name}: {value!r} is not allowed: should be {least} or more")
    import xarray as xr

    from simnn.olfaction import degree_laws

    rng = np.random.default_rng(seed)
    inputs = np.minimum(1 + rng.poisson(claws - 1.0, kenyon_cells), glomeruli)
    fan_out = rng.permutation(_skewed(glomeruli, fan_out_spread)) * inputs.sum()
    if fan_out.max() > _MOST * kenyon_cells:
        raise ValueError(
            f"fan_out_spread: {fan_out_spread!r} is not allowed: too large for {claws:g} of {glomeruli} glomeruli"
        )
    odds = degree_laws.odds_of(fan_out, np.bincount(inputs))
    wiring = _independent_rows(rng, odds, inputs)
    mean, deviation = _SYNAPSES
    drawn = np.exp(np.log(mean) - deviation**2 / 2.0 + deviation * rng.standard_normal(wiring.shape)).round()
    return xr.DataArray(
        np.where(wiring, np.maximum(drawn, threshold), 0.0),
        {
            "kenyon_cell": ("kenyon_cell", np.arange(1, kenyon_cells + 1), {"long_name": "Kenyon cell", "units": "1"}),
            "glomerulus": (
                "glomerulus",
                [f"glomerulus {k + 1}" for k in range(glomeruli)],
                {"long_name": "glomerulus", "units": "1"},
            ),
        },
        ("kenyon_cell", "glomerulus"),
        "connections",
        {
            "long_name": "connections from the projection neurons of a glomerulus onto a Kenyon cell",
            "units": "synapses",
            "source": "synthetic",
            "seed": str(seed),
            "threshold": threshold,
        },
    )


def _skewed(count: int, spread: float) -> "Array":
    """Quantiles of a gamma law, scaled to add up to one, whose coefficient of variation is the spread."""
    from scipy.optimize import brentq
    from scipy.special import gammaincinv

    levels = (np.arange(count) + 0.5) / count

    def shares(shape: float) -> "Array":
        quantiles = np.asarray(gammaincinv(shape, levels), np.float64)
        return np.asarray(quantiles / quantiles.sum())

    def excess(logarithm: float) -> float:
        return float(count * shares(np.exp(logarithm)).std()) - spread

    if spread < _EVEN:
        return np.full(count, 1.0 / count)
    flattest, most_skewed = np.log(2.0) - 2.0 * np.log(spread), -2.0 * np.log(spread) - 3.0
    if excess(most_skewed) < 0.0:
        raise ValueError(f"fan_out_spread: {spread!r} is not allowed: too large for {count} glomeruli")
    return shares(np.exp(brentq(excess, most_skewed, flattest)))


def _independent_rows(rng: np.random.Generator, odds: "Array", inputs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Sets of so many glomeruli for each cell, with probabilities proportional to the products of their odds."""
    # Sums over the sets of n glomeruli among the last ones, of the products of their odds.
    sums = np.zeros((len(odds) + 1, int(inputs.max()) + 1))
    sums[:, 0] = 1.0
    for i in range(len(odds) - 1, -1, -1):
        sums[i, 1:] = sums[i + 1, 1:] + odds[i] * sums[i + 1, :-1]
    left, chosen = inputs.copy(), np.zeros((len(inputs), len(odds)), bool)
    for i, weight in enumerate(odds):
        chance = np.where(left > 0, weight * sums[i + 1, left - 1] / sums[i, left], 0.0)
        chosen[:, i] = rng.random(len(left)) < chance
        left = left - chosen[:, i]
    return chosen
