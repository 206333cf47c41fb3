"""Weights of prescribed sign: each costs exactly one pattern, at every size, and half of them vanish."""

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
    "(d) Largest margin kappa of patterns of length sqrt(N), N the largest of {margin_dimension}, {margin_trials} "
    "sets, weights positive or zero; lines: Gardner's theory at infinite N, with half a dimension less for each "
    "constraint. (e) Its distance from theory against 1/N, with straight fits (solid: Gaussian). (f) Fraction of the "
    "constrained weights that vanish at the largest margin, those of (d): 1/2, whatever the margin; somewhat less in "
    "those sets that are still separable at capacity, where it is zero. Colours of (d-f) as in (a). Points carry "
    "standard errors, smaller than most symbols. Claims: CAP4."
)

_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.
_SEPARABLE = 0.99  # Where so many sets are separable at the smallest N, margins of zero do not bend the line in 1/N.
_EXCLUDED = 0.01  # Expected number of pairs of +-1 patterns that exclude each other, from where on they hardly matter.

_MARGINS = ("largest_margin", "zero_weight_fraction")

_NAMES = {
    "ensemble": "law of the patterns",
    "dimension": "components of a pattern",
    "constrained": "fraction of the weights that must be positive",
    "load": "patterns per dimension",
    "stopping_time": "largest number of patterns of a sequence that are still separable",
    "separable_fraction": "fraction of sequences whose first patterns are separable",
    "undecided_fraction": "fraction of sequences without a certified end",
    "margin_dimension": "components of a pattern, for margins",
    "margin_load": "patterns per dimension, for margins",
    "largest_margin": "largest margin for patterns of length sqrt(dimension), 0 if nothing separates",
    "zero_weight_fraction": "fraction of the constrained weights that vanish at the largest margin",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.capacity.stopping_time`, with ``ensemble``, ``dimension``, ``constrained`` and ``load`` as axes;
        ``margin_dimension`` and ``margin_load``, two more, and ``margin_trials``.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {
        "ensemble": 2, "dimension": 6, "constrained": 10, "load": None, "margin_dimension": 6, "margin_load": None,
    }  # fmt: skip
    checked = studies.check(MODEL, parameters, axes=axes, needs=("margin_trials",), may=("first_trial",))
    numbers = [("margin_dimension", value) for value in checked["margin_dimension"]]
    for name, value in (*numbers, ("margin_trials", checked["margin_trials"])):
        whole = isinstance(value, int) and not isinstance(value, bool)
        studies.require(whole and value >= 2, name, value, "an integer >= 2")
    sizes, loads = checked["margin_dimension"], checked["margin_load"]
    studies.require(len(sizes) > 1, "margin_dimension", sizes, "at least two values, for a line through them")
    for load in loads:
        number = isinstance(load, int | float) and not isinstance(load, bool)
        studies.require(
            number and 0.0 < load <= 1.0 and round(load * min(sizes)) > 0, "margin_load", load,
            "in (0, 1], where positive weights separate, and one pattern or more",
        )  # fmt: skip
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Largest separable prefixes of sequences, how often so many patterns are separable, and largest margins.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.stopping_time`, with sequences for ``ensemble``, ``dimension`` and ``constrained`` only, and
        a sequence ``load``: patterns per dimension at which separable sequences are counted. Largest margins are those
        of ``margin_trials`` sets for each of the sequences ``margin_dimension`` and ``margin_load``.

    Returns
    -------
    xarray.Dataset
        ``stopping_time``, ``undecided_fraction`` (ensemble, dimension, constrained) and ``separable_fraction`` (...,
        load), ``largest_margin`` and ``zero_weight_fraction`` (ensemble, margin_dimension, constrained, margin_load),
        each with ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import capacity

    given = dict(parameters)
    axes = {name: np.atleast_1d(given.pop(name)).tolist() for name in ("ensemble", "dimension", "constrained", "load")}
    sizes, margin_loads = (np.atleast_1d(given.pop(f"margin_{name}")).tolist() for name in ("dimension", "load"))
    margin_trials = given.pop("margin_trials")
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
    margins = capacity.largest_margin(
        ensemble=axes["ensemble"],
        dimension=sizes,
        constrained=axes["constrained"],
        load=margin_loads,
        **given | {"trials": margin_trials},
    ).rename(dimension="margin_dimension", load="margin_load")
    columns = [f"{name}{suffix}" for name in _MARGINS for suffix in ("", "_stderr")]
    dataset = dataset.assign(margins[columns].data_vars)
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
        signs, at capacity, that exclude each other. ``largest_margin_theory``, ``zero_weight_fraction_theory``
        (constrained, margin_load), at infinite N, and for both ``<name>_limit`` (ensemble, constrained, margin_load),
        the value at 1/N = 0 of a straight line in 1/N, ``<name>_limit_stderr``, and ``<name>_slope``, of that line.
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
    dataset = dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )
    return _add_margins(dataset)


def _add_margins(dataset: "xr.Dataset") -> "xr.Dataset":
    """Largest margins and silent weights: theory, and what measurements tend to as N grows."""
    from simnn.capacity import theory

    loads, fractions = dataset["margin_load"].values.tolist(), dataset["constrained"].values.tolist()
    inverse = 1.0 / dataset["margin_dimension"].values
    closed = {
        # Nothing separates beyond the capacity.
        "largest_margin": [
            [max(theory.gardner_margin(load, constrained=fraction), 0.0) for load in loads] for fraction in fractions
        ],
        "zero_weight_fraction": [[0.5 if fraction > 0.0 else np.nan for _ in loads] for fraction in fractions],
    }
    variables: dict[str, Any] = {}
    for name in _MARGINS:
        label, dims = _NAMES[name], ("ensemble", "constrained", "margin_load")
        values, errors = (dataset[key].transpose(*dims, "margin_dimension").values for key in (name, f"{name}_stderr"))
        fits = np.full((3, *values.shape[:-1]), np.nan)
        for at in np.ndindex(values.shape[:-1]):
            if np.all(errors[at] > 0.0):
                fits[(slice(None), *at)] = studies.straight_line(inverse, values[at], errors[at])
        text = f"theory at infinite N: {label}"
        variables[f"{name}_theory"] = dims[1:], np.array(closed[name]), {"long_name": text, "units": "1"}
        for suffix, column, what in zip(
            ("limit", "limit_stderr", "slope"),
            fits,
            ("straight line in 1/N, at 1/N = 0", "standard error of the value at 1/N = 0", "slope of the line in 1/N"),
            strict=True,
        ):
            variables[f"{name}_{suffix}"] = dims, column, {"long_name": f"{what}: {label}", "units": "1"}
    return dataset.assign(variables)


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
        expected. Margins count where 99 % of Gaussian sets are separable at the smallest N; their tolerance is the
        square of the relative 1/N correction there, the size of what a straight line leaves out.
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
    rows += _margin_claims(dataset)
    undecided = dataset["undecided_fraction"]
    rows += Claim.worst(
        "CAP4",
        "the end of every sequence is certified: fraction undecided",
        prediction=0.0 * undecided,
        measured=undecided,
        stderr=0.0 * undecided,
    )
    return rows


def _margin_claims(dataset: "xr.Dataset") -> list[Claim]:
    """Margins are Gardner's in fewer dimensions; half of the constrained weights are silent."""
    from simnn.capacity import theory

    smallest = int(dataset["margin_dimension"].min())
    fractions, loads = dataset["constrained"].values, dataset["margin_load"].values
    patterns = np.array([round(load * smallest) for load in loads.tolist()])
    fixed = np.array([round(fraction * smallest) for fraction in fractions.tolist()])
    probability = theory.sign_constrained_probability(patterns, smallest, fixed[:, None])
    separable = (("constrained", "margin_load"), np.asarray(probability) >= _SEPARABLE)
    counted = dataset.assign(separable=separable)["separable"]
    rows = []
    for name, what in (
        ("largest_margin", "the largest margin with constraints tends to Gardner's for (1 - c/2) N dimensions"),
        ("zero_weight_fraction", "the fraction of constrained weights that vanish tends to 1/2, whatever the margin"),
    ):
        expected = dataset[f"{name}_theory"]
        tolerance = (dataset[f"{name}_slope"] / smallest) ** 2 / expected
        for ensemble in dataset["ensemble"].values.tolist():
            rows += Claim.worst(
                "CAP4",
                f"{what}, extrapolated in 1/N, {ensemble} patterns",
                prediction=expected.where(counted),
                measured=dataset[f"{name}_limit"].sel(ensemble=ensemble, drop=True),
                stderr=dataset[f"{name}_limit_stderr"].sel(ensemble=ensemble, drop=True),
                tolerance=tolerance.sel(ensemble=ensemble, drop=True),
            )
    all_positive = dataset["constrained"].max().item()
    quoted = dataset.sel(constrained=all_positive, margin_load=loads.min()).isel(ensemble=0)
    if all_positive > 0.0:
        zero, slope = quoted["zero_weight_fraction_theory"].item(), quoted["zero_weight_fraction_slope"].item()
        rows.append(
            Claim.test(
                "CAP4",
                f"at least half of the synapses are silent: fraction of weights that vanish, P/N = {loads.min():g}, "
                f"N_c/N = {all_positive:g}",
                prediction=zero,
                measured=quoted["zero_weight_fraction_limit"].item(),
                stderr=quoted["zero_weight_fraction_limit_stderr"].item(),
                tolerance=(slope / smallest) ** 2 / zero,
                correction="half of them, at every margin and load, for patterns of mean zero and many weights",
            )
        )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Curves at the smallest size, their collapse, and the capacity; margins, their approach, and silent weights.

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
        fig, axes = plt.subplots(2, 3, figsize=(plotting.DOUBLE_COLUMN, 4.7))
        panels = (_draw_curves, _draw_collapse, _draw_capacity, _draw_margins, _draw_approach, _draw_silent)
        for letter, ax, draw in zip("abcdef", axes.flat, panels, strict=True):
            draw(ax, dataset)
            plotting.panel_label(ax, letter)
    return fig


def _face(ensemble: str, color: str) -> str:
    return color if ensemble == "gaussian" else "white"


def _chosen(dataset: "xr.Dataset") -> list[tuple[str, str, float]]:
    """Colour, marker and value of some fractions of constrained weights."""
    from simnn import plotting

    fractions = dataset["constrained"].values.tolist()
    some = fractions[:: max(1, (len(fractions) - 1) // 2)]
    return list(zip(plotting.COLORS, plotting.MARKERS, some, strict=False))


def _draw_curves(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn.capacity import theory

    size = int(dataset["dimension"].min())
    patterns = np.arange(1, int(dataset["load"].max() * size) + 1)
    for color, marker, fraction in _chosen(dataset):
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


def _draw_margins(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn.capacity import theory

    loads, size = dataset["margin_load"], int(dataset["margin_dimension"].max())
    for color, marker, fraction in _chosen(dataset):
        fine = np.linspace(0.9 * float(loads.min()), min(1.05 * float(loads.max()), 2.0 - fraction), 100)
        ax.plot(fine, [theory.gardner_margin(load, constrained=fraction) for load in fine], color=color, lw=0.8)
        for ensemble in dataset["ensemble"].values.tolist():
            at = dataset.sel(ensemble=ensemble, constrained=fraction, margin_dimension=size)
            ax.errorbar(
                loads, at["largest_margin"], yerr=at["largest_margin_stderr"], fmt=marker, color=color,
                mfc=_face(ensemble, color),
                label=f"$N_c/N = {fraction:g}$" if ensemble == dataset["ensemble"][0] else None,
            )  # fmt: skip
    ax.set(xlabel="load $P/N$", ylabel=r"largest margin $\kappa$", title=f"$N = {size}$", ylim=(0.0, None))
    ax.legend(loc="upper right", handletextpad=0.2, labelspacing=0.3)


def _draw_approach(ax: "Axes", dataset: "xr.Dataset") -> None:
    loads = sorted(dataset["margin_load"].values.tolist())
    load = loads[(len(loads) - 1) // 2]
    x = 1.0 / dataset["margin_dimension"].values
    ends = np.array([0.0, 1.05 * x.max()])
    for color, marker, fraction in _chosen(dataset):
        for ensemble in dataset["ensemble"].values.tolist():
            at = dataset.sel(ensemble=ensemble, constrained=fraction, margin_load=load)
            theory = at["largest_margin_theory"].item()
            line = at["largest_margin_limit"].item() + at["largest_margin_slope"].item() * ends - theory
            ax.plot(ends, line, color=color, lw=0.8, ls="-" if ensemble == "gaussian" else "--")
            ax.errorbar(
                x, at["largest_margin"] - theory, yerr=at["largest_margin_stderr"], fmt=marker, color=color,
                mfc=_face(ensemble, color),
            )  # fmt: skip
    ax.axhline(0.0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="$1/N$", ylabel=r"$\kappa$ minus theory", title=f"$P/N = {load:g}$")


def _draw_silent(ax: "Axes", dataset: "xr.Dataset") -> None:
    loads, size = dataset["margin_load"], int(dataset["margin_dimension"].max())
    for color, marker, fraction in _chosen(dataset):
        for ensemble in dataset["ensemble"].values.tolist() if fraction > 0.0 else []:
            at = dataset.sel(ensemble=ensemble, constrained=fraction, margin_dimension=size)
            ax.errorbar(
                loads, at["zero_weight_fraction"], yerr=at["zero_weight_fraction_stderr"], fmt=marker, color=color,
                mfc=_face(ensemble, color),
            )  # fmt: skip
    ax.axhline(0.5, color="black", lw=0.8, zorder=0)
    ax.set(xlabel="load $P/N$", ylabel="weights that vanish", title=f"$N = {size}$", ylim=(0.4, 0.6))
