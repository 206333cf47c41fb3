"""Weights of prescribed sign: each costs exactly one pattern, at every size."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MODEL = "capacity"
TITLE = "Weights of prescribed sign cost one pattern each"
CAPTION = (
    "Capacity of a linear unit of which N_c of the N weights must be positive; random labels, no threshold, {trials} "
    "sequences of patterns for each point. (a) Fraction of the sequences whose first P patterns are separable, at the "
    "smallest N: lines are Pr[Bin(P + N_c - 1, 1/2) <= N - 1], exact at every N for Gaussian patterns (filled). "
    "Patterns of components +-1 (open) are the exception: they are not in general position with the axes; some two add "
    "up to nothing positive, and no positive weights separate them. (b) All of them, N = {dimension}, against (2 N - "
    "N_c - P)/sqrt(P + N_c): they fall onto the normal distribution function as N grows, those of +-1 later. (c) Mean "
    "number of patterns until they stop being separable, over N: 2 - N_c/N, exact at every N for Gaussian patterns. "
    "Points carry standard errors, smaller than most symbols. Claims: CAP4."
)

_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.
_EXCLUDED = 0.01  # Expected number of pairs of +-1 patterns that exclude each other, from where on they hardly matter.

_NAMES = {
    "ensemble": "law of the patterns",
    "dimension": "components of a pattern",
    "constrained": "fraction of the weights that must be positive",
    "load": "patterns per dimension",
    "stopping_time": "largest number of patterns of a sequence that are still separable",
    "separable_fraction": "fraction of sequences whose first patterns are separable",
    "undecided_fraction": "fraction of sequences without a certified end",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.capacity.stopping_time`, with ``ensemble``, ``dimension``, ``constrained`` and ``load`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"ensemble": 2, "dimension": 6, "constrained": 10, "load": None}
    return studies.check(MODEL, parameters, axes=axes, may=("first_trial",))


def simulate(**parameters: Any) -> "xr.Dataset":
    """Largest separable prefixes of sequences, and from them how often so many patterns are separable.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.stopping_time`, with sequences for ``ensemble``, ``dimension`` and ``constrained`` only, and
        a sequence ``load``: patterns per dimension at which separable sequences are counted.

    Returns
    -------
    xarray.Dataset
        ``stopping_time``, ``undecided_fraction`` (ensemble, dimension, constrained) and ``separable_fraction`` (...,
        load), each with ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import capacity

    given = dict(parameters)
    axes = {name: np.atleast_1d(given.pop(name)).tolist() for name in ("ensemble", "dimension", "constrained", "load")}
    times = capacity.stopping_time(
        ensemble=axes["ensemble"],
        dimension=axes["dimension"],
        constrained=axes["constrained"],
        keep_trials=True,
        **given,
    )
    values = times["stopping_time"]
    values = values.fillna(values.mean("trial"))  # `undecided_fraction` tells
    patterns = xr.DataArray(_patterns(axes["dimension"], axes["load"]), dims=("dimension", "load"))
    samples = {
        "stopping_time": values,
        "separable_fraction": (values >= patterns).astype(np.float64),
        "undecided_fraction": times["undecided_fraction"],
    }
    dims = ("ensemble", "dimension", "constrained", "load")
    dataset = studies.averages(
        {
            name: (
                tuple(dim for dim in dims if dim in array.dims),
                array.transpose("trial", *dims, missing_dims="ignore").values,
            )
            for name, array in samples.items()
        }
    ).assign_coords(axes)
    studies.describe(dataset, _NAMES)
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": given["trials"]}
    return dataset


def _patterns(dimensions: list[int], loads: list[float]) -> "NDArray[np.int64]":
    return np.array([[round(load * dimension) for load in loads] for dimension in dimensions])


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the exact law.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``patterns`` (dimension, load) and ``positive_weights`` (dimension, constrained), their numbers;
        ``stopping_time_theory`` (dimension, constrained) and ``separable_fraction_theory`` (..., load), exact for
        Gaussian patterns; ``excluding_pairs`` (dimension, constrained), the expected number of pairs of patterns of
        signs, at capacity, that exclude each other.
    """
    from simnn.capacity import theory

    n, loads, fractions = (dataset[name].values for name in ("dimension", "load", "constrained"))
    patterns = _patterns(n.tolist(), loads.tolist())
    fixed = np.array([[round(fraction * size) for fraction in fractions.tolist()] for size in n.tolist()])
    mean = 2.0 * n[:, None] - fixed
    # Two signed patterns add up to nothing positive where weights are positive, and to zero elsewhere.
    pairs = 0.5 * mean * (mean - 1.0) * 0.75**fixed * 0.5 ** (n[:, None] - fixed)
    columns = {
        "patterns": (("dimension", "load"), patterns, "number of patterns"),
        "positive_weights": (("dimension", "constrained"), fixed, "number of weights that must be positive"),
        "stopping_time_theory": (("dimension", "constrained"), mean, "mean stopping time, 2 N - N_c"),
        "separable_fraction_theory": (
            ("dimension", "constrained", "load"),
            theory.sign_constrained_probability(patterns[:, None], n[:, None, None], fixed[:, :, None]),
            "probability that the patterns are separable",
        ),
        "excluding_pairs": (
            ("dimension", "constrained"),
            pairs,
            "expected number of pairs of patterns of signs that exclude each other, at capacity",
        ),
    }
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Each constraint is one more pattern: exactly for Gaussian patterns, as N grows for patterns of signs.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Standard errors of fractions are the binomial ones of the prediction; points where the rarer outcome is expected
        less than 25 times do not count. Patterns of signs count where fewer than 0.01 pairs that exclude each other are
        expected.
    """
    trials = studies.parameters(dataset)["trials"]
    p = dataset["separable_fraction_theory"]
    counted = trials * np.minimum(p, 1.0 - p) >= _COUNTED
    rows = []
    for ensemble in dataset["ensemble"].values.tolist():
        at = dataset.sel(ensemble=ensemble, drop=True)
        exact = ensemble == "gaussian"
        general = (at["excluding_pairs"] < _EXCLUDED) | exact
        where = "exactly at every N" if exact else f"where fewer than {_EXCLUDED:g} excluding pairs are expected"
        rows += Claim.worst(
            "CAP4",
            f"mean number of separable patterns is 2 N - N_c {where}, {ensemble} patterns",
            prediction=at["stopping_time_theory"].where(general),
            measured=at["stopping_time"],
            stderr=at["stopping_time_stderr"],
        )
        rows += Claim.worst(
            "CAP4",
            f"P patterns and N_c constraints are separable as P + N_c patterns are {where}, {ensemble} patterns",
            prediction=p.where(counted & general),
            measured=at["separable_fraction"],
            stderr=np.sqrt((p * (1.0 - p)).clip(0.0) / trials),
        )
    undecided = dataset["undecided_fraction"]
    rows += Claim.worst(
        "CAP4",
        "the end of every sequence is certified: fraction undecided",
        prediction=0.0 * undecided,
        measured=undecided,
        stderr=0.0 * undecided,
    )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Curves at the smallest size, their collapse, and the capacity.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    from simnn import plotting

    with plotting.figure_style():
        fig, axes = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.5))
        for letter, ax, draw in zip("abc", axes, (_draw_curves, _draw_collapse, _draw_capacity), strict=True):
            draw(ax, dataset)
            plotting.panel_label(ax, letter)
    return fig


def _face(ensemble: str, color: str) -> str:
    return color if ensemble == "gaussian" else "white"


def _draw_curves(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting
    from simnn.capacity import theory

    size = int(dataset["dimension"].min())
    patterns = np.arange(1, int(dataset["load"].max() * size) + 1)
    fractions = dataset["constrained"].values
    for color, marker, fraction in zip(
        plotting.COLORS, plotting.MARKERS, fractions[:: max(1, (len(fractions) - 1) // 2)], strict=False
    ):
        at = dataset.sel(dimension=size, constrained=fraction)
        curve = theory.sign_constrained_probability(patterns, size, at["positive_weights"].item())
        ax.plot(patterns / size, curve, color=color, lw=0.8)
        for ensemble in dataset["ensemble"].values.tolist():
            points = at.sel(ensemble=ensemble)
            ax.errorbar(
                dataset["load"], points["separable_fraction"], yerr=points["separable_fraction_stderr"], fmt=marker,
                color=color, mfc=_face(ensemble, color),
                label=f"$N_c/N = {fraction:g}$" if ensemble == dataset["ensemble"][0] else None,
            )  # fmt: skip
    ax.set(xlabel="load $P/N$", ylabel="P(separable)", title=f"$N = {size}$", ylim=(-0.03, 1.33))
    ax.set_yticks([0.0, 0.5, 1.0])
    ax.legend(loc="upper right", handletextpad=0.2, labelspacing=0.3)


def _draw_collapse(ax: "Axes", dataset: "xr.Dataset") -> None:
    from scipy.special import ndtr

    from simnn import plotting

    x = np.linspace(-4.0, 4.0, 200)
    ax.plot(x, ndtr(x), color="black", label=r"$\Phi$")
    for color, marker, size in zip(
        plotting.COLORS[3:], plotting.MARKERS[3:], dataset["dimension"].values.tolist(), strict=False
    ):
        at = dataset.sel(dimension=size)
        count = at["patterns"] + at["positive_weights"]
        x = ((2.0 * size - count) / np.sqrt(count)).transpose("constrained", "load").values.ravel()
        for ensemble in dataset["ensemble"].values.tolist():
            points = at.sel(ensemble=ensemble).transpose("constrained", "load", ...)
            ax.errorbar(
                x, points["separable_fraction"].values.ravel(), yerr=points["separable_fraction_stderr"].values.ravel(),
                fmt=marker, color=color, mfc=_face(ensemble, color), mew=0.6,
                label=f"$N = {size}$" if ensemble == dataset["ensemble"][0] else None,
            )  # fmt: skip
    ax.set(xlim=(-4.0, 4.0), xlabel=r"$(2N - N_c - P)/\sqrt{P + N_c}$", ylim=(-0.03, 1.33))
    ax.set_yticks([0.0, 0.5, 1.0])
    ax.legend(loc="upper left", handletextpad=0.2, labelspacing=0.3, ncols=2, columnspacing=1.0)


def _draw_capacity(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    ax.plot([0.0, 1.0], [2.0, 1.0], color="black", label="$2 - N_c/N$")
    for color, marker, size in zip(
        plotting.COLORS[3:], plotting.MARKERS[3:], dataset["dimension"].values.tolist(), strict=False
    ):
        for ensemble in dataset["ensemble"].values.tolist():
            at = dataset.sel(dimension=size, ensemble=ensemble)
            ax.errorbar(
                at["positive_weights"] / size, at["stopping_time"] / size, yerr=at["stopping_time_stderr"] / size,
                fmt=marker, color=color, mfc=_face(ensemble, color),
            )  # fmt: skip
    for ensemble, label in (("gaussian", "Gaussian patterns"), ("rademacher", r"patterns of $\pm 1$")):
        if ensemble in dataset["ensemble"].values:
            ax.plot([], [], "o", color="0.4", mfc=_face(ensemble, "0.4"), label=label)
    ax.set(xlabel="constrained weights $N_c/N$", ylabel="mean of $P^*/N$")
    ax.legend(loc="lower left", handletextpad=0.4)
