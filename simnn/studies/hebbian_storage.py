"""Hebb's local rule: what it stores, and what the best weights would."""

import json
from collections.abc import Mapping, Sequence
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
    Single = NDArray[np.float32]

MODEL = "capacity"
TITLE = "Hebbian storage: local, and far from the best"
CAPTION = (
    "Weights by Hebb's rule, the sum over P patterns of +-1 of input times output; N = {dimension}, {trials} sets of "
    "patterns for each point. (a) One unit: fraction of the stored patterns that come out wrong. The line is "
    "H(1/sqrt(P/N)), the limit of a law that is exact at every N; the best weights make no error up to P = 2 N "
    "(dotted). (b-d) Hopfield network started at each of {starts} stored patterns, all units updated at once, until it "
    "rests, alternates, or has lost the pattern (overlap below 0.8), {steps} times at most. (b) Overlap of what is "
    "recalled. Line: theory of Amit, Gutfreund and Sompolinsky, up to its capacity, 0.138 N (dotted). (c) Fraction of "
    "the patterns that are recalled. (d) Load at which that is one half, with straight fits in 1/N and in 1/sqrt(N), "
    "for the power is not known; square: capacity. Points are means with standard errors. Claims: CAP6, A0-20, A3-40."
)

_LOST = 0.8  # theory has overlaps above 0.96, or none
_SAFE = 0.12  # up to this load networks of hundreds of units lose hardly a pattern
_COUNTED = 25.0  # errors expected in all trials, for standard errors to mean something
# Sums of signs in single precision are exact, in whatever order, up to this size.
_EXACT = 2**24
# Second words of the counters of random numbers.
_INPUTS, _OUTPUTS, _NETWORK = range(3)

_NAMES = {
    "dimension": "components of a pattern, units of the network",
    "load": "patterns per dimension",
    "recall_load": "patterns per unit of the network",
    "error": "fraction of the stored patterns that one unit gets wrong",
    "overlap": "overlap of recalled states with the stored patterns",
    "recalled": "fraction of the stored patterns that the network recalls",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``dimension``, ``load``, ``recall_load`` (sequences), ``starts``, ``steps``, ``trials``, ``seed``, ``backend``.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"dimension": 6, "load": None, "recall_load": None}
    checked = studies.check(MODEL, parameters, axes=axes, needs=("starts", "steps"))
    for name in ("starts", "steps"):
        value = checked[name]
        studies.require(
            isinstance(value, int) and not isinstance(value, bool) and value >= 1, name, value, "an integer >= 1"
        )
    for load in checked["recall_load"]:
        number = isinstance(load, int | float) and not isinstance(load, bool)
        studies.require(number and 0.0 < load < 1.0, "recall_load", load, "a number between 0 and 1")
    most = max(checked["load"] + checked["recall_load"])
    for size in checked["dimension"]:
        studies.require(
            most * size**2 < _EXACT, "dimension", size, f"less than the root of 2^24 / {most:g}, for sums to be exact"
        )
    return checked


def simulate(
    *,
    dimension: Sequence[int],
    load: Sequence[float],
    recall_load: Sequence[float],
    starts: int,
    steps: int,
    trials: int,
    seed: int = 0,
    backend: str = "auto",
) -> "xr.Dataset":
    """Store patterns of signs in one unit and in a network, and ask for them.

    Parameters
    ----------
    dimension : sequence of int
        Components of a pattern.
    load, recall_load : sequence of float
        Patterns per component, of the unit and of the network.
    starts : int
        Patterns that a network is asked for.
    steps : int
        Most updates of a network.
    trials : int
        Sets of patterns for each point; trial t is the same set in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Accepted for the pipeline's sake: NumPy does it all, in whole numbers.

    Returns
    -------
    xarray.Dataset
        ``error`` (dimension, load), ``recalled`` and ``overlap`` (dimension, recall_load), the last over recalled
        patterns only, each with ``<name>_stderr``.
    """
    import xarray as xr

    cells = []
    for size in dimension:
        errors = np.array([[_error(seed, trial, size, a) for a in load] for trial in range(trials)])
        found = np.array(
            [[_recall(seed, trial, size, a, starts, steps) for a in recall_load] for trial in range(trials)]
        )
        recalled = found > _LOST
        count = recalled.mean(axis=2)
        total = np.where(recalled, found, 0.0).mean(axis=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = total.mean(axis=0) / count.mean(axis=0)
            # A ratio of means, and its deviations to first order.
            overlap = ratio + (total - ratio * count) / count.mean(axis=0)
        cells.append(
            studies.averages(
                {
                    "error": (("load",), errors),
                    "recalled": (("recall_load",), count),
                    "overlap": (("recall_load",), overlap),
                }
            )
        )
    axes = {"dimension": list(dimension), "load": list(load), "recall_load": list(recall_load)}
    dataset = xr.concat(cells, "dimension").assign_coords(axes)
    studies.describe(dataset, _NAMES)
    parameters = axes | {"starts": starts, "steps": steps, "trials": trials, "seed": seed, "backend": backend}
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _signs(seed: int, trial: int, purpose: int, patterns: int, size: int) -> "Single":
    """Independent signs; a function of its arguments alone."""
    key, counter = np.array([seed, trial], np.uint64), np.array([0, purpose, size, patterns], np.uint64)
    words = np.random.Generator(np.random.Philox(key=key, counter=counter)).bytes(-(-patterns * size // 8))
    bits = np.unpackbits(np.frombuffer(words, np.uint8), count=patterns * size)
    signs = bits.reshape(patterns, size).astype(np.float32)
    return 2.0 * signs - np.float32(1.0)


def _error(seed: int, trial: int, size: int, load: float) -> float:
    """Fraction of the patterns that one unit gets wrong; half an error if its field is zero."""
    patterns = max(round(load * size), 1)
    inputs = _signs(seed, trial, _INPUTS, patterns, size)
    outputs = _signs(seed, trial, _OUTPUTS, patterns, 1)[:, 0]
    fields = outputs * (inputs @ (outputs @ inputs))
    return float(np.mean(fields < 0.0) + 0.5 * np.mean(fields == 0.0))


def _recall(seed: int, trial: int, size: int, load: float, starts: int, steps: int) -> "Array":
    """Overlaps of the states in which a network ends with the patterns where it started, (starts,)."""
    patterns = max(round(load * size), starts)
    stored = _signs(seed, trial, _NETWORK, patterns, size)
    overlap, live = np.ones(starts), np.arange(starts)
    before = now = np.ascontiguousarray(stored[:starts].T)
    for _ in range(steps):
        # Couplings are sums over patterns, without the diagonal; a field of zero changes nothing.
        fields = stored.T @ (stored @ now) - np.float32(patterns) * now
        after = np.where(fields == 0.0, now, np.sign(fields))
        overlap[live] = np.einsum("ij,ji->i", stored[live], after, dtype=np.float64) / size
        at_rest = np.all(after == now, axis=0) | np.all(after == before, axis=0)
        going = ~at_rest & (overlap[live] > _LOST)
        before, now, live = now[:, going], after[:, going], live[going]
        if len(live) == 0:
            break
    return overlap


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add theory, and the load at which half of the patterns are recalled.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``error_theory`` (dimension, load), exact; ``overlap_theory`` (recall_load) and ``half_load_theory``, the
        capacity, at infinite size; ``half_load`` and ``half_load_stderr`` (dimension), missing where the grid of loads
        does not reach.
    """
    from simnn.capacity import theory

    sizes, loads, recall = (dataset[name].values for name in ("dimension", "load", "recall_load"))
    capacity = theory.hopfield_capacity()
    halves = np.array([_half(dataset.sel(dimension=size).sortby("recall_load")) for size in sizes])
    columns = {
        "error_theory": (
            ("dimension", "load"),
            theory.hebbian_error(loads, sizes[:, None]),
            "probability that one unit gets a stored pattern wrong",
        ),
        "overlap_theory": (
            ("recall_load",),
            [theory.hopfield_overlap(load) if load <= capacity else np.nan for load in recall.tolist()],
            "overlap of recalled states at infinite size",
        ),
        "half_load_theory": ((), capacity, "capacity of the network at infinite size"),
        "half_load": (("dimension",), halves[:, 0], "load at which half of the patterns are recalled"),
        "half_load_stderr": (("dimension",), halves[:, 1], "standard error of half_load"),
    }
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def _half(curve: "xr.Dataset") -> tuple[float, float]:
    """Load at which one half is recalled, between two points of the curve, and its standard error."""
    load, recalled, error = (curve[name].values for name in ("recall_load", "recalled", "recalled_stderr"))
    below = np.flatnonzero(recalled < 0.5)
    if len(below) == 0 or below[0] == 0:
        return np.nan, np.nan
    i, j = below[0] - 1, below[0]
    step, fall = load[j] - load[i], recalled[i] - recalled[j]
    over, under = recalled[i] - 0.5, 0.5 - recalled[j]
    return load[i] + step * over / fall, step / fall**2 * np.hypot(under * error[i], over * error[j])


def _extrapolated(dataset: "xr.Dataset") -> dict[str, tuple[float, float, float]]:
    """Lines through the loads of one half, in powers of 1/N."""
    known = dataset.sel(dimension=np.isfinite(dataset["half_load"].values))
    if known.sizes["dimension"] < 2:
        return {}
    y, stderr, inverse = known["half_load"].values, known["half_load_stderr"].values, 1.0 / known["dimension"].values
    return {
        "1/N": studies.straight_line(inverse, y, stderr),
        "1/sqrt(N)": studies.straight_line(np.sqrt(inverse), y, stderr),
    }


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Errors of the local rule, recall of a network, and where it ends.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Errors are exact at every N; points where fewer than 25 are expected do not count. Tolerances: 1/N for overlaps,
        the part of the field that a unit does not give itself; for the capacity, half the difference of extrapolations
        in 1/N and in 1/sqrt(N), between which it is measured.
    """
    trials = studies.parameters(dataset)["trials"]
    expected = trials * dataset["dimension"] * dataset["load"] * dataset["error_theory"]
    largest = dataset.sel(dimension=dataset["dimension"].max())
    rows = Claim.worst(
        "CAP6",
        "Hebbian errors follow the exact law, which tends to H(1/sqrt(P/N))",
        prediction=dataset["error_theory"].where(expected >= _COUNTED),
        measured=dataset["error"],
        stderr=dataset["error_stderr"],
    )
    if 1.0 in dataset["load"].values:
        full = largest.sel(load=1.0)
        rows.append(
            Claim.test(
                "A0-20",
                "synapses can learn from the activity of the two neurons that they connect: fraction of wrong outputs "
                f"at P = N = {full['dimension'].item()}",
                prediction=full["error_theory"].item(),
                measured=full["error"].item(),
                stderr=full["error_stderr"].item(),
                correction="they can, at a price: the best weights, which need the errors, make none up to 2 N",
            )
        )
    rows += Claim.worst(
        "CAP6",
        f"overlap of recalled states at loads up to {_SAFE:g}, N = {largest['dimension'].item()}",
        prediction=largest["overlap_theory"].where(largest["recall_load"] <= _SAFE),
        measured=largest["overlap"],
        stderr=largest["overlap_stderr"],
        tolerance=1.0 / largest["dimension"].item(),
    )
    lines = list(_extrapolated(dataset).values())
    if lines:
        ends = [line[0] for line in lines]
        found = {
            "prediction": dataset["half_load_theory"].item(),
            "measured": float(np.mean(ends)),
            "stderr": max(line[1] for line in lines),
            "tolerance": 0.5 * float(np.ptp(ends)),
        }
        rows += [
            Claim.test("CAP6", "load at which half of the patterns are recalled, extrapolated in N", **found),
            Claim.test(
                "A3-40",
                "an associative memory has a high capacity: patterns per unit",
                correction="for a local rule 0.138 N, 14 times fewer than the 2 N of the best weights",
                **found,
            ),
        ]
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Errors of one unit; overlap, recall and capacity of a network.

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
    from simnn.capacity import theory

    loads, capacity = dataset["load"].values, theory.hopfield_capacity()
    fine, recall = np.geomspace(0.9 * loads.min(), 1.2 * loads.max(), 200), np.linspace(0.03, capacity, 100)
    with plotting.figure_style():
        fig, ((error, overlap), (recalled, half)) = plt.subplots(2, 2, figsize=(0.8 * plotting.DOUBLE_COLUMN, 4.4))
        error.plot(fine, theory.hebbian_error(fine), color="black", label=r"$H(1/\sqrt{P/N})$")
        error.axvline(2.0, color="black", ls=":", lw=0.8)
        overlap.plot(recall, [theory.hopfield_overlap(load) for load in recall.tolist()], color="black", label="theory")
        for ax in (overlap, recalled):
            ax.axvline(capacity, color="black", ls=":", lw=0.8)
        for color, marker, size in zip(
            plotting.COLORS, plotting.MARKERS, dataset["dimension"].values.tolist(), strict=False
        ):
            at = dataset.sel(dimension=size)
            for ax, x, name in (
                (error, "load", "error"), (overlap, "recall_load", "overlap"), (recalled, "recall_load", "recalled"),
            ):  # fmt: skip
                ax.errorbar(
                    at[x], at[name], yerr=at[f"{name}_stderr"], fmt=marker, color=color, label=f"$N = {size}$"
                )  # fmt: skip
            recalled.plot(at["recall_load"], at["recalled"], color=color, lw=0.6)
        error.set(xlabel="load $P/N$", ylabel="fraction wrong", xscale="log", yscale="log")
        error.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        error.xaxis.set_major_formatter("{x:g}")
        error.xaxis.set_minor_formatter(NullFormatter())
        error.legend(loc="lower right", bbox_to_anchor=(0.92, 0.0), handletextpad=0.4)
        overlap.set(xlabel="load $P/N$", ylabel="overlap of what is recalled")
        overlap.legend(loc="lower left", handletextpad=0.4)
        recalled.set(xlabel="load $P/N$", ylabel="fraction recalled", ylim=(-0.03, 1.05))
        _draw_half(half, dataset)
        for letter, ax in zip("abcd", (error, overlap, recalled, half), strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_half(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    inverse = 1.0 / dataset["dimension"].values
    fine = np.linspace(0.0, 1.1 * inverse.max(), 200)
    for (name, (end, _, slope)), x, dashes in zip(
        _extrapolated(dataset).items(), (fine, np.sqrt(fine)), ("--", "-."), strict=False
    ):
        label = name if name == "1/N" else r"$1/\sqrt{N}$"
        ax.plot(fine, end + slope * x, color="0.5", ls=dashes, lw=0.8, label=f"line in {label}")
    ax.plot([0.0], [dataset["half_load_theory"].item()], "s", ms=4, color="black", clip_on=False, label="capacity")
    ax.errorbar(
        inverse, dataset["half_load"], yerr=dataset["half_load_stderr"], fmt="o", color=plotting.COLORS[4]
    )  # fmt: skip
    ax.set(xlabel="$1/N$", ylabel="load of half recall", xlim=(0.0, None))
    ax.legend(loc="lower right", handletextpad=0.4)
