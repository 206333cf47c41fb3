"""How long a sequence of random patterns stays separable: a negative binomial law, one number for each realisation."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MODEL = "capacity"
TITLE = "How long a sequence of patterns stays separable"
CAPTION = (
    "Largest separable prefix P* of a sequence of random patterns with random labels, no threshold, N = {dimension}; "
    "{trials} sequences. (a) Law of P* of Gaussian patterns in units of its spread, (P* - 2N)/sqrt(2N): steps are the "
    "negative binomial law (the toss of a fair coin that shows the N-th head), exact at each N, summed over the same "
    "bins. (b) Mean over 2N, exact line at 1, and (c) variance, exact line 2N: patterns of components +-1 are not in "
    "general position when they are few (some repeat, or are opposite), and fall below. Points are means with standard "
    "errors. Claims: CAP1, A3-39."
)

_EDGES = np.linspace(-3.0, 3.0, 13)  # of bins of (P* - 2N) / sqrt(2N)
# From here on two of 2 N patterns of signs are equal or opposite in fewer than 2 sets of 1000.
_GENERAL = 20

_COUNTED = 10.0

_NAMES = {
    "ensemble": "law of the patterns",
    "dimension": "components of a pattern",
    "deviation": "(P* - 2 N) / sqrt(2 N), middle of a bin",
    "stopping_time": "largest number of patterns of a sequence that are still separable",
    "variance": "squared deviation of the stopping time from its mean over sequences",
    "probability": "fraction of stopping times in a bin",
    "undecided": "fraction of sequences without a certified end",
}


def simulate(**parameters: Any) -> "xr.Dataset":
    """Mean, variance and histogram of stopping times.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.stopping_time`, with sequences for ``ensemble`` and ``dimension`` only.

    Returns
    -------
    xarray.Dataset
        ``stopping_time``, ``variance``, ``undecided`` (ensemble, dimension) and ``probability`` (ensemble, dimension,
        deviation), each with ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import capacity

    given = dict(parameters)
    ensembles, dimensions = (np.atleast_1d(given.pop(name)).tolist() for name in ("ensemble", "dimension"))
    cells = []
    for ensemble in ensembles:
        times = capacity.stopping_time(ensemble=ensemble, dimension=dimensions, keep_trials=True, **given)
        cells.append(
            xr.concat([studies.averages(_samples(times.sel(dimension=n), n)) for n in dimensions], "dimension")
        )
    dataset = xr.concat(cells, "ensemble").assign_coords(
        ensemble=ensembles, dimension=dimensions, deviation=0.5 * (_EDGES[1:] + _EDGES[:-1])
    )
    studies.describe(dataset, _NAMES)
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": given["trials"]}
    return dataset


def _samples(times: "xr.Dataset", dimension: int) -> "dict[str, tuple[tuple[str, ...], Array]]":
    value = times["stopping_time"].values
    known = np.where(np.isnan(value), np.nanmean(value), value)  # `undecided` tells
    trials = len(value)
    return {
        "stopping_time": ((), known),
        "variance": ((), np.square(known - known.mean()) * trials / (trials - 1.0)),
        "probability": (("deviation",), _bins(value, dimension)),
        "undecided": ((), times["undecided_fraction"].values),
    }


def _bins(values: "Array", dimension: int) -> "Array":
    """Ones where a stopping time falls into a bin, (values, bins)."""
    deviation = (values[:, None] - 2.0 * dimension) / np.sqrt(2.0 * dimension)
    return np.asarray((deviation >= _EDGES[:-1]) & (deviation < _EDGES[1:]), np.float64)


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the negative binomial law.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``stopping_time_theory`` and ``variance_theory`` (dimension), 2 N both, and ``probability_theory``
        (dimension, deviation).
    """
    from simnn.capacity import theory

    dimensions = dataset["dimension"].values
    binned = []
    for n in dimensions.tolist():
        values = np.arange(0, 10 * n + 50)
        law = np.asarray(theory.stopping_time_probability(values, n))
        binned.append(law @ _bins(values, n))
    return dataset.assign(
        stopping_time_theory=("dimension", 2.0 * dimensions, {"long_name": "mean stopping time, 2 N", "units": "1"}),
        variance_theory=("dimension", 2.0 * dimensions, {"long_name": "variance of stopping times, 2 N", "units": "1"}),
        probability_theory=(
            ("dimension", "deviation"),
            np.array(binned),
            {"long_name": "negative binomial probability of a bin", "units": "1"},
        ),
    )


def _score(measured: "xr.DataArray", law: "xr.DataArray", trials: int) -> "xr.DataArray":
    """Chi-square of a histogram, bins of fewer than 10 expected counts left out, as a standard normal number.

    The cube root of chi-square over its degrees of freedom k is nearly normal (Wilson and Hilferty 1931): mean
    ``1 - 2 / 9k``, variance ``2 / 9k``. k is the mean of chi-square: the number of bins less their probability.
    """
    expected = trials * law
    counted = expected >= _COUNTED
    chi_square = (trials * (measured - law) ** 2 / law.where(counted)).sum("deviation")
    k = (counted * (1.0 - law)).sum("deviation")
    score: xr.DataArray = ((chi_square / k) ** (1.0 / 3.0) - 1.0 + 2.0 / (9.0 * k)) / (2.0 / (9.0 * k)) ** 0.5
    return score


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Stopping times are negative binomial at every N in general position, which patterns of signs reach as N grows.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    trials = studies.parameters(dataset)["trials"]
    rows = []
    p = dataset["probability_theory"]
    for ensemble in dataset["ensemble"].values.tolist():
        at = dataset.sel(ensemble=ensemble, drop=True)
        if ensemble != "gaussian":
            at = at.sel(dimension=at["dimension"] >= _GENERAL)
        if at.sizes["dimension"] == 0:
            continue
        where = "at every N" if ensemble == "gaussian" else f"from N = {_GENERAL} on"
        for name, what in (("stopping_time", "mean"), ("variance", "variance")):
            rows += Claim.worst(
                "CAP1",
                f"{what} of the stopping time is 2 N {where}, {ensemble} patterns",
                prediction=at[f"{name}_theory"],
                measured=at[name],
                stderr=at[f"{name}_stderr"],
            )
        score = _score(at["probability"], p.sel(dimension=at["dimension"]), trials)
        rows += Claim.worst(
            "CAP1",
            f"stopping times are negative binomial {where}, {ensemble} patterns: normal score of chi-square",
            prediction=0.0 * abs(score),
            measured=score,
            stderr=1.0 + 0.0 * abs(score),
        )
        rows += Claim.worst(
            "CAP1",
            f"the end of every sequence is certified, {ensemble} patterns: fraction undecided",
            prediction=0.0 * at["undecided"],
            measured=at["undecided"],
            stderr=0.0 * at["undecided"],
        )
    gaussian = dataset.sel(ensemble="gaussian") if "gaussian" in dataset["ensemble"].values else None
    if gaussian is not None:
        smallest = gaussian.sel(dimension=gaussian["dimension"].min())
        rows.append(
            Claim.test(
                "A3-39",
                f"storage grows as 2 N: mean number of patterns until they stop being separable, N = "
                f"{smallest['dimension'].item()}",
                prediction=smallest["stopping_time_theory"].item(),
                measured=smallest["stopping_time"].item(),
                stderr=smallest["stopping_time_stderr"].item(),
                correction="2 N on average at every N, spread by sqrt(2 N); few patterns of signs stop earlier",
            )
        )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Law, mean and variance of stopping times.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    from simnn import plotting

    dimensions, ensembles = dataset["dimension"].values.tolist(), dataset["ensemble"].values.tolist()
    first = dataset.isel(ensemble=0)
    with plotting.figure_style():
        fig, (law, mean, variance) = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.5))
        shown = dimensions[:: max(1, (len(dimensions) - 1) // 2)][-3:]
        for color, marker, n in zip(plotting.COLORS, "osD", shown, strict=False):
            curve = first.sel(dimension=n)
            law.stairs(curve["probability_theory"], _EDGES, color=color, lw=1.0)
            law.errorbar(
                curve["deviation"], curve["probability"], yerr=curve["probability_stderr"], fmt=marker, color=color,
                label=f"$N = {n}$",
            )  # fmt: skip
        law.set(xlabel=r"$(P^* - 2N)/\sqrt{2N}$", ylabel="probability of a bin", ylim=(0.0, None))
        law.legend(loc="upper right", handletextpad=0.2)
        for color, marker, ensemble in zip(plotting.COLORS[3:], "^v", ensembles, strict=False):
            curve = dataset.sel(ensemble=ensemble)
            scale = 2.0 * dataset["dimension"]
            style = {"fmt": marker, "color": color, "label": ensemble}
            mean.errorbar(
                dataset["dimension"],
                curve["stopping_time"] / scale,
                yerr=curve["stopping_time_stderr"] / scale,
                **style,
            )
            variance.errorbar(dataset["dimension"], curve["variance"], yerr=curve["variance_stderr"], **style)
        mean.plot(dimensions, np.ones(len(dimensions)), color="black")
        variance.plot(dimensions, dataset["variance_theory"], color="black", label="$2N$")
        mean.set(xlabel="dimension $N$", ylabel=r"mean of $P^*/2N$", xscale="log")
        variance.set(xlabel="dimension $N$", ylabel=r"variance of $P^*$", xscale="log", yscale="log")
        for axis in (mean.xaxis, variance.xaxis, variance.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        mean.legend(loc="lower right")
        variance.legend(loc="upper left")
        for letter, ax in zip("abc", (law, mean, variance), strict=True):
            plotting.panel_label(ax, letter)
    return fig
