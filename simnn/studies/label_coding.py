"""Sparse labels: more patterns are stored than with balanced ones, but fewer bits."""

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

MODEL = "capacity"
TITLE = "Sparse labels: more patterns, fewer bits"
CAPTION = (
    "Labels that are +1 with probability f. (a) Capacity, patterns per weight: with a free threshold (line: Gardner's "
    "theory at infinite N), half of it if all weights must be positive, and 2 or 1 without a threshold, whatever f. "
    "The asymptote is 1/(2 f |ln f|); 1/(f |ln f|), often quoted, is twice that, and lies near the capacity at f = "
    "0.01 ... 0.1 by accident. (b) Information, capacity times the entropy of a label, in bits per weight: it falls to "
    "1/(2 ln 2), and to half of it (dashed), as f vanishes. (c) Mean largest separable prefix of a sequence, over the "
    "number of weights (N = {dimension}, and the threshold if there is one), against their inverse, with straight "
    "fits, over theory. Points of (a, b) are these fits at 1/N = 0. {trials} sequences of Gaussian patterns for each "
    "point, with standard errors; every end of a sequence is certified. Claims: CAP4, A3-40, A0-28."
)


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.capacity.stopping_time`, with ``dimension``, ``coding_level``, ``bias`` and ``constrained`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"dimension": 10, "coding_level": 10, "bias": 2, "constrained": 2}
    checked = studies.check(MODEL, parameters, axes=axes, may=("first_trial",))
    dimensions, levels = checked["dimension"], checked["coding_level"]
    studies.require(len(dimensions) > 1, "dimension", dimensions, "at least two values, for a line through them")
    for level in levels:
        studies.require(0.0 < level <= 0.5, "coding_level", level, "in (0, 0.5]; beyond, labels change their names")
    for fraction in checked["constrained"]:
        studies.require(fraction in (0.0, 1.0), "constrained", fraction, "0 or 1, where the capacity is known")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Largest separable prefixes of sequences.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.stopping_time`, with sequences for ``dimension``, ``coding_level``, ``bias`` and
        ``constrained`` only.

    Returns
    -------
    xarray.Dataset
        From `simnn.capacity.stopping_time`, with ``patterns_per_weight`` (dimension, coding_level, bias, constrained),
        its mean over the number of weights, a threshold included, and ``patterns_per_weight_stderr``.
    """
    from simnn import capacity

    dataset = capacity.stopping_time(**parameters).transpose("dimension", "coding_level", "bias", "constrained")
    weights = dataset["dimension"] + dataset["bias"].astype(int)
    for suffix, what in (("", "mean largest separable prefix over the number of weights"), ("_stderr", "its error")):
        ratio = (dataset[f"stopping_time{suffix}"] / weights).transpose(*dataset["stopping_time"].dims)
        dataset[f"patterns_per_weight{suffix}"] = ratio.assign_attrs(long_name=what, units="1")
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": parameters["trials"]}
    return dataset


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add Gardner's capacity, and what the measurements tend to as N grows.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With (coding_level, bias, constrained) ``capacity_theory``; ``capacity``, the value at 1/N = 0 of a straight
        line in the inverse of the number of weights, ``capacity_stderr`` and ``slope``, of that line; ``information``,
        ``information_stderr`` and ``information_theory``, in bits per weight.
    """
    from scipy.special import entr

    from simnn.capacity import theory

    levels, biases, fractions = (dataset[name].values.tolist() for name in ("coding_level", "bias", "constrained"))
    closed = np.empty((len(levels), len(biases), len(fractions)))
    fits = np.empty((3, *closed.shape))
    for i, level in enumerate(levels):
        for j, bias in enumerate(biases):
            for k, fraction in enumerate(fractions):
                # Half of it where all weights are positive; without a threshold, labels do not matter.
                closed[i, j, k] = theory.gardner_capacity(coding_level=level if bias else 0.5) * (1.0 - 0.5 * fraction)
                at = dataset.isel(coding_level=i, bias=j, constrained=k)
                fits[:, i, j, k] = studies.straight_line(
                    1.0 / (at["dimension"].values + bias),
                    at["patterns_per_weight"].values,
                    at["patterns_per_weight_stderr"].values,
                )
    entropy = ((entr(levels) + entr(1.0 - np.array(levels))) / np.log(2.0))[:, None, None]
    columns = {
        "capacity_theory": (closed, "patterns per weight at capacity, infinite N"),
        "capacity": (fits[0], "patterns per weight, straight line at 1/N = 0"),
        "capacity_stderr": (fits[1], "standard error of capacity"),
        "slope": (fits[2], "slope of the straight line in the inverse number of weights"),
        "information_theory": (closed * entropy, "bits per weight at capacity, infinite N"),
        "information": (fits[0] * entropy, "bits per weight, straight line at 1/N = 0"),
        "information_stderr": (fits[1] * entropy, "standard error of information"),
    }
    dims = ("coding_level", "bias", "constrained")
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Sparse labels need a threshold, store more patterns, and fewer bits; positive weights store half.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerance of what is extrapolated: the square of the relative 1/N correction at the smallest N, the size of what
        a straight line leaves out. Without a threshold the mean is exact at every N.
    """
    smallest = float(dataset["dimension"].min())
    tolerance = (dataset["slope"] / smallest) ** 2 / dataset["capacity_theory"]
    rows = []
    for bias in dataset["bias"].values.tolist():
        for fraction in dataset["constrained"].values.tolist():
            at = {"bias": bias, "constrained": fraction}
            part, weights = dataset.sel(at, drop=True), "positive weights" if fraction else "free weights"
            if bias:
                rows += Claim.worst(
                    "CAP4",
                    f"capacity with a free threshold, {weights}: {'half of Gardner' if fraction else 'Gardner'}'s, "
                    "extrapolated in 1/N",
                    prediction=part["capacity_theory"],
                    measured=part["capacity"],
                    stderr=part["capacity_stderr"],
                    tolerance=tolerance.sel(at, drop=True),
                )
            else:
                rows += Claim.worst(
                    "CAP4",
                    f"without a threshold biased labels do nothing, {weights}: mean number of patterns per weight",
                    prediction=part["capacity_theory"],
                    measured=part["patterns_per_weight"],
                    stderr=part["patterns_per_weight_stderr"],
                )
    if True in dataset["bias"].values and 0.0 in dataset["constrained"].values:
        rows += _sparse_claims(
            dataset.assign(tolerance=tolerance).sel(
                bias=True, constrained=0.0, coding_level=dataset["coding_level"].min()
            )
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


def _sparse_claims(sparsest: "xr.Dataset") -> list[Claim]:
    """What is said about sparse labels, at the sparsest ones."""
    from simnn.capacity import theory

    f = sparsest["coding_level"].item()
    quoted, leading = 2.0 * theory.sparse_capacity(f), theory.sparse_capacity(f)
    capacity, information, tolerance = (
        sparsest[name].item() for name in ("capacity_theory", "information_theory", "tolerance")
    )
    found = {"measured": sparsest["capacity"].item(), "stderr": sparsest["capacity_stderr"].item()}
    return [
        Claim.test(
            "CAP4",
            f"the capacity for sparse labels is 1/(f |ln f|), = {quoted:.3g} at f = {f:g}",
            prediction=capacity,
            tolerance=tolerance,
            correction=f"as f vanishes it is 1/(2 f |ln f|), here {leading:.3g}; at f = 0.01 ... 0.1 the truth happens "
            "to lie nearer to the other",
            **found,
        ),
        Claim.test(
            "A3-40",
            f"sparse coding makes a high-capacity memory: patterns per weight, f = {f:g}",
            prediction=capacity,
            tolerance=tolerance,
            correction="more patterns than the 2 of balanced labels, if there is a threshold; fewer bits",
            **found,
        ),
        Claim.test(
            "A0-28",
            f"sparsity makes representations more efficient: bits per weight, f = {f:g}",
            prediction=information,
            measured=sparsest["information"].item(),
            stderr=sparsest["information_stderr"].item(),
            tolerance=tolerance * information / capacity,
            correction="more patterns, and more bits per active label, but fewer bits per weight: 2 at f = 1/2, 1/(2 "
            "ln 2) as f vanishes",
        ),
    ]


def figure(dataset: "xr.Dataset") -> "Figure":
    """Capacity and information against the coding level, and how measurements approach theory.

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
    from simnn.capacity import theory

    biases, fractions = dataset["bias"].values.tolist(), dataset["constrained"].values.tolist()
    levels = dataset["coding_level"]
    fine, finer = np.geomspace(1e-3, 0.5, 120), np.geomspace(1e-8, 0.5, 120)
    leading = np.array([theory.sparse_capacity(f) for f in fine])
    patterns = np.array([theory.gardner_capacity(coding_level=f) for f in fine])
    bits = np.array([theory.information(f) for f in finer])
    with plotting.figure_style():
        fig, (capacity, information, approach) = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.6))
        capacity.plot(fine, leading, color="black", ls="--", lw=0.8, label=r"$1/(2f|\ln f|)$")
        capacity.plot(fine, 2.0 * leading, color="black", ls=":", lw=0.8, label=r"$1/(f|\ln f|)$")
        for bias in sorted(biases, reverse=True):
            for fraction in fractions:
                at, share, style = dataset.sel(bias=bias, constrained=fraction), 1.0 - 0.5 * fraction, _style(fraction)
                if bias:
                    capacity.plot(fine, share * patterns, color=style["color"])
                    information.plot(finer, share * bits, color=style["color"])
                    information.errorbar(levels, at["information"], yerr=at["information_stderr"], **style)
                    information.axhline(share / (2.0 * np.log(2.0)), color=style["color"], lw=0.8, ls="--", zorder=0)
                else:
                    style |= {"fmt": "D" if fraction == 0.0 else "^", "mfc": "white"}
                    capacity.plot(fine, np.full_like(fine, 2.0 * share), color=style["color"], lw=0.6)
                label = ("threshold" if bias else "no threshold") + (", $w > 0$" if fraction else "")
                capacity.errorbar(levels, at["capacity"], yerr=at["capacity_stderr"], label=label, **style)
        capacity.set(xlabel="coding level $f$", ylabel="capacity $P/N$", xscale="log", yscale="log", ylim=(0.8, 500.0))
        capacity.set_xticks([1e-3, 1e-2, 1e-1])
        information.set(xlabel="coding level $f$", ylabel="bits per weight", xscale="log", ylim=(0.0, 2.1))
        information.set_xticks([1e-8, 1e-6, 1e-4, 1e-2])
        _draw_approach(approach, dataset)
        capacity.legend(loc="upper right", handletextpad=0.4, labelspacing=0.3)
        for letter, ax in zip("abc", (capacity, information, approach), strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _style(fraction: float) -> dict[str, Any]:
    """Marker and colour of units with free weights, or with positive ones."""
    from simnn import plotting

    return {"fmt": "s" if fraction else "o", "color": plotting.COLORS[1 if fraction else 0]}


def _draw_approach(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Patterns per weight over theory, against the inverse number of weights, at the first and last coding level."""
    bias = bool(dataset["bias"].max())
    x = 1.0 / (dataset["dimension"].values + bias)
    ends = np.array([0.0, 1.1 * x.max()])
    levels = sorted(dataset["coding_level"].values.tolist())
    for fraction in dataset["constrained"].values.tolist():
        for level, face, dashes in zip((levels[0], *levels[1:][-1:]), (None, "white"), ("-", "--"), strict=False):
            at, style = dataset.sel(bias=bias, constrained=fraction, coding_level=level), _style(fraction)
            line, scale = at["capacity"].item() + at["slope"].item() * ends, at["capacity_theory"].item()
            ax.plot(ends, line / scale, color=style["color"], lw=0.8, ls=dashes)
            ax.errorbar(
                x, at["patterns_per_weight"] / scale, yerr=at["patterns_per_weight_stderr"] / scale,
                mfc=face or style["color"], label=f"$f = {level:g}$" + (", $w > 0$" if fraction else ""), **style,
            )  # fmt: skip
    low, high = ax.get_ylim()
    ax.axhline(1.0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="1 / number of weights", ylabel="patterns per weight / theory", ylim=(low, high + 0.4 * (high - low)))
    ax.legend(loc="upper left", handletextpad=0.2, labelspacing=0.3)
