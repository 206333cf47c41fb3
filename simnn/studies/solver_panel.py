"""How hard it is to be certain: steps of two solvers, and what share of their verdicts comes with a proof."""

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
TITLE = "Solvers of separability: steps and certified verdicts"
CAPTION = (
    "Steps until it is certain whether P patterns with random labels are separable in N = {dimension} dimensions; "
    "means over {trials} sets with standard errors. (a) Finite Newton, Gaussian patterns: one step for P <= N, most at "
    "the transition, P = 2 N. (b) Nearest point of the hull, steps over N + 1: so many patterns, one for each step, "
    "have to cancel where a set is not separable, so that no point may lie below the lines, Cover's probability of "
    "that. (c) Steps at the load named, markers as in (d), colours of (c, d) as named here. (d) Share of the sets, all "
    "N together, that have a certified verdict; auto is finite Newton, and nearest point where that fails. Correlated: "
    "any two components of a Gaussian pattern correlate by {correlation}; what tells patterns apart is a thousandth of "
    "their length. Winners: codes of N cells, each driven by {claws} of {inputs} inputs, activity {activity}; patterns "
    "repeat, and components are equal. Claims: CAP1."
)

LAWS = ("gaussian", "correlated", "winners")
"""Patterns that solvers are tried on: easy ones, nearly parallel ones, and ones that are not in general position."""

_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.
_TITLES = {"newton": "finite Newton", "nearest": "nearest point", "auto": "auto"}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.capacity.simulate`, with ``law``, out of `LAWS`, ``dimension``, ``load`` and ``solver`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    from simnn.capacity import model

    given = dict(parameters)
    # A correlation is that of one law, inputs are those of another.
    studies.require("correlation" in given, "correlation", None, "given")
    alone = model.validate({"correlation": given.pop("correlation")})
    studies.require(not isinstance(alone["correlation"], list), "correlation", alone["correlation"], "a single value")
    axes = {"law": len(LAWS), "dimension": 6, "load": None, "solver": 3}
    checked = studies.check(MODEL, given, axes=axes, needs=("activity", "inputs", "claws"), may=("first_trial",))
    for law in checked["law"]:
        studies.require(law in LAWS, "law", law, ", ".join(LAWS))
    studies.require("gaussian" in checked["law"], "law", checked["law"], "gaussian, and others")
    return checked | alone


def simulate(**parameters: Any) -> "xr.Dataset":
    """Verdicts and steps of each solver on the same sets of patterns.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.simulate`, with sequences for ``dimension``, ``load`` and ``solver`` only, and a sequence
        ``law`` out of `LAWS`: Gaussian patterns, those with the given ``correlation``, or winners with the given
        ``activity``, ``inputs`` and ``claws``.

    Returns
    -------
    xarray.Dataset
        ``separable_fraction``, ``undecided_fraction`` and ``steps`` (law, dimension, load, solver), each with
        ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import capacity

    given = dict(parameters)
    codes = {name: given.pop(name) for name in ("activity", "inputs", "claws")} | {"ensemble": "winners"}
    laws = {"gaussian": {}, "correlated": {"correlation": given.pop("correlation")}, "winners": codes}
    axes = {name: np.atleast_1d(given.pop(name)).tolist() for name in ("law", "dimension", "load", "solver")}
    tried = axes.pop("law")
    parts = [capacity.simulate(**axes, **laws[law], **given) for law in tried]
    names = [
        f"{name}{suffix}"
        for name in ("separable_fraction", "undecided_fraction", "steps")
        for suffix in ("", "_stderr")
    ]
    dataset = xr.concat([part[names] for part in parts], "law", combine_attrs="drop_conflicts").assign_coords(law=tried)
    dataset["law"].attrs = {"long_name": "law of the patterns", "units": "1"}
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": given["trials"]}
    return dataset


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add Cover's probability, and what a proof takes.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With (dimension, load) ``separable_fraction_theory``, of Gaussian patterns, and ``proof_steps_theory``, mean
        number of patterns that have to cancel in those sets that are not separable, N + 1 in general position.
    """
    from simnn.capacity import theory

    n = dataset["dimension"].values
    patterns = np.array([[round(load * size) for load in dataset["load"].values.tolist()] for size in n.tolist()])
    cover = np.asarray(theory.cover_probability(patterns, n[:, None]))
    columns = {
        "separable_fraction_theory": (cover, "probability that Gaussian patterns are separable"),
        "proof_steps_theory": (
            (n[:, None] + 1.0) * (1.0 - cover),
            "mean number of patterns that must cancel in a proof",
        ),
    }
    return dataset.assign(
        {
            name: (("dimension", "load"), values, {"long_name": label, "units": "1"})
            for name, (values, label) in columns.items()
        }
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Both solvers together certify everything; alone, they say the same; and no proof is shorter than possible.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Standard errors of fractions are the binomial ones of the prediction; points where the rarer outcome is expected
        less than 25 times do not count; a share that is undecided may be either. What is exact in every set has no
        standard error. That everything is certified is not claimed of patterns that are all but parallel.
    """
    trials, solvers = studies.parameters(dataset)["trials"], dataset["solver"].values.tolist()
    gaussian = dataset.sel(law="gaussian", drop=True)
    p, undecided, general = (
        dataset["separable_fraction_theory"],
        dataset["undecided_fraction"],
        dataset["law"] != "winners",
    )
    rows = Claim.worst(
        "CAP1",
        "fraction of the sets that are separable is Cover's, whether components correlate or not",
        prediction=p.where((trials * np.minimum(p, 1.0 - p) >= _COUNTED) & general),
        measured=dataset["separable_fraction"],
        stderr=np.sqrt((p * (1.0 - p)).clip(0.0) / trials),
        tolerance=undecided,
    )
    if "auto" in solvers:
        auto = dataset.sel(solver="auto", drop=True)
        rows += Claim.worst(
            "CAP1",
            "every verdict of auto on Gaussian patterns, and on codes, is certified: share of the sets",
            prediction=(1.0 + 0.0 * auto["undecided_fraction"]).where(dataset["law"] != "correlated"),
            measured=1.0 - auto["undecided_fraction"],
            stderr=0.0 * auto["undecided_fraction"],
        )
        # Fractions of all sets: what one solver leaves open would be missing.
        separable = auto["separable_fraction"].where(undecided == 0.0)
        rows += Claim.worst(
            "CAP1",
            "each solver alone says the same of the same sets, where it decides all of them: fraction separable",
            prediction=separable,
            measured=dataset["separable_fraction"],
            stderr=0.0 * separable,
        )
    if "newton" in solvers:
        steps = gaussian["steps"].sel(solver="newton", drop=True)
        rows += Claim.worst(
            "CAP1",
            "finite Newton separates P <= N Gaussian patterns in one step",
            prediction=(1.0 + 0.0 * steps).where(dataset["load"] <= 1.0),
            measured=steps,
            stderr=0.0 * steps,
        )
    if "nearest" in solvers:
        at = gaussian.sel(solver="nearest", drop=True)
        refuted = 1.0 - at["separable_fraction"] - at["undecided_fraction"]
        short = ((at["dimension"] + 1.0) * refuted - at["steps"]).clip(0.0)
        rows += Claim.worst(
            "CAP1",
            "nearest point needs N + 1 steps or more for a set of Gaussian patterns that is not separable: mean number "
            "of steps that are missing",
            prediction=0.0 * short,
            measured=short,
            stderr=0.0 * short,
            tolerance=1e-9,
        )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Steps of either solver against the load and the dimension, and the share of certified verdicts.

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
        fig, axes = plt.subplots(2, 2, figsize=(plotting.DOUBLE_COLUMN, 4.4))
        _draw_steps(axes[0, 0], dataset, "newton")
        _draw_steps(axes[0, 1], dataset, "nearest")
        _draw_growth(axes[1, 0], dataset)
        _draw_certified(axes[1, 1], dataset)
        for letter, ax in zip("abcd", axes.flat, strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_steps(ax: "Axes", dataset: "xr.Dataset", solver: str) -> None:
    from simnn import plotting

    ax.set(title=f"{_TITLES[solver]}, Gaussian patterns", xlabel="load $P/N$")
    ax.set_ylabel("steps" if solver == "newton" else "steps / $(N + 1)$")
    if solver not in dataset["solver"].values:
        return
    loads = dataset["load"]
    for color, marker, n in zip(plotting.COLORS, plotting.MARKERS, dataset["dimension"].values.tolist(), strict=False):
        at = dataset.sel(law="gaussian", solver=solver, dimension=n)
        unit = 1.0 if solver == "newton" else n + 1.0
        if solver == "newton":
            ax.plot(loads, at["steps"], color=color, lw=0.5, alpha=0.5)
        else:
            ax.plot(loads, at["proof_steps_theory"] / unit, color=color, lw=0.8)
        ax.errorbar(
            loads, at["steps"] / unit, yerr=at["steps_stderr"] / unit, fmt=marker, color=color, label=f"$N = {n}$"
        )
    ax.axvline(2.0, color="0.7", lw=0.6, zorder=0)
    ax.set_ylim(0.0, None)
    if solver == "newton":
        ax.legend(loc="upper right", handletextpad=0.2, labelspacing=0.3)


_MARKERS = {"newton": ("o", True), "nearest": ("s", False), "auto": ("D", True)}  # and whether they are filled


def _draw_growth(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    load = min(dataset["load"].values.tolist(), key=lambda value: abs(value - 2.0))
    n = dataset["dimension"].values
    ax.plot(n, n + 1.0, color="black", ls="--", lw=0.8, label="$N + 1$")
    for color, law in zip(plotting.COLORS[3:], dataset["law"].values.tolist(), strict=False):
        for solver in ("newton", "nearest"):
            if solver in dataset["solver"].values:
                at, (marker, filled) = dataset.sel(law=law, solver=solver, load=load), _MARKERS[solver]
                ax.errorbar(
                    n, at["steps"], yerr=at["steps_stderr"], fmt=marker, color=color, mfc=color if filled else "white",
                    ls="-", lw=0.5,
                )  # fmt: skip
        ax.plot([], [], color=color, lw=2.0, label=law)
    low, high = float(n.min()), float(n.max())
    ax.set(
        xlabel="dimension $N$", ylabel=f"steps at $P = {load:g} N$", xscale="log", yscale="log",
        xlim=(0.85 * low, 1.15 * high), ylim=(0.8, 20.0 * high),
    )  # fmt: skip
    ax.set_xticks(n, [str(size) for size in n.tolist()])
    ax.set_xticks([], minor=True)
    ax.legend(loc="upper left", ncols=2, labelspacing=0.3, columnspacing=1.0)


def _draw_certified(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    trials = studies.parameters(dataset)["trials"] * dataset.sizes["dimension"]
    laws, solvers = dataset["law"].values.tolist(), dataset["solver"].values.tolist()
    for j, solver in enumerate(solvers):
        marker, filled = _MARKERS[solver]
        for i, (color, law) in enumerate(zip(plotting.COLORS[3:], laws, strict=False)):
            share = 1.0 - dataset["undecided_fraction"].sel(law=law, solver=solver).mean("dimension")
            ax.errorbar(
                # Side by side, for most of them are 1.
                dataset["load"] + 0.025 * (len(laws) * j + i - 4), share, yerr=np.sqrt(share * (1.0 - share) / trials),
                fmt=marker, ms=2.5, color=color, mfc=color if filled else "white",
            )  # fmt: skip
        ax.plot([], [], marker, color="0.4", mfc="0.4" if filled else "white", label=_TITLES[solver])
    ax.axhline(1.0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="load $P/N$", ylabel="share certified", ylim=(0.0, 1.1))
    ax.legend(loc="lower left", handletextpad=0.4, labelspacing=0.3)
