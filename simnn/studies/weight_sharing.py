"""Labels that do not change when a pattern is shifted: the capacity is that of the invariant weights."""

import json
from collections.abc import Mapping, Sequence
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
TITLE = "Invariant labels: capacity counts channels, not weights"
CAPTION = (
    "A linear unit with free weights on C channels of n positions is asked to give all n cyclic shifts of a pattern "
    "one label; Gaussian patterns, random labels, no threshold, {trials} sequences of patterns, C = {channels}, n = "
    "{positions}. (a) Fraction of the sequences whose first P orbits are separable, against P/C. Lines: Cover's "
    "probability in C dimensions, exact at every C and n, for only weights that are equal at all positions matter; "
    "points of different n lie side by side. (b) Mean number of patterns until they stop being separable: 2 C orbits "
    "(solid), whatever n, against 2 C n patterns without their shifts (dashed, open). Points are means with standard "
    "errors; every verdict is certified, on all C n weights. Claims: CAP5, A3-13, A3-46."
)

_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.

_NAMES = {
    "channels": "channels C",
    "positions": "positions n, the number of cyclic shifts",
    "load": "patterns per channel",
    "stopping_time": "largest number of orbits of a sequence that are still separable",
    "separable_fraction": "fraction of sequences whose first orbits are separable",
    "single_stopping_time": "largest number of patterns of a sequence that are still separable, without their shifts",
    "undecided": "fraction of sequences without a certified end, with shifts or without",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``channels``, ``positions``, ``load`` (sequences), ``trials``, ``seed``, ``backend``.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    checked = studies.check(MODEL, parameters, axes={"channels": 6, "positions": 6, "load": None})
    for name in ("channels", "positions"):
        for value in checked[name]:
            integer = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            studies.require(integer, name, value, "an integer of at least 1")
    return checked


def simulate(
    *,
    channels: Sequence[int],
    positions: Sequence[int],
    load: Sequence[float],
    trials: int,
    seed: int = 0,
    backend: str = "auto",
) -> "xr.Dataset":
    """Largest separable prefixes of sequences of orbits, and of the patterns alone.

    Parameters
    ----------
    channels, positions : sequence of int
        A pattern has as many components as their product.
    load : sequence of float
        Patterns per channel at which separable sequences are counted.
    trials : int
        Sequences for each point; trial t is the same sequence in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Accepted for the pipeline's sake: verdicts are found on the CPU.

    Returns
    -------
    xarray.Dataset
        ``stopping_time``, ``single_stopping_time``, ``undecided`` (channels, positions) and ``separable_fraction``
        (channels, positions, load), each with ``<name>_stderr``.
    """
    import xarray as xr

    rows = [
        xr.concat([studies.averages(_samples(c, n, list(load), trials, seed)) for n in positions], "positions")
        for c in channels
    ]
    axes = {"channels": list(channels), "positions": list(positions), "load": list(load)}
    dataset = xr.concat(rows, "channels").assign_coords(axes)
    studies.describe(dataset, _NAMES)
    parameters = axes | {"trials": trials, "seed": seed, "backend": backend}
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _samples(
    channels: int, positions: int, loads: list[float], trials: int, seed: int
) -> "dict[str, tuple[tuple[str, ...], Array]]":
    from simnn import capacity

    times = np.array([_stopping_time(seed, trial, channels, positions) for trial in range(trials)])
    single = capacity.stopping_time(dimension=channels * positions, trials=trials, seed=seed, keep_trials=True)
    alone = single["stopping_time"].values
    undecided = np.isnan(times) | np.isnan(alone)
    # What is undecided is told, and put at the mean.
    times, alone = (np.where(np.isnan(column), np.nanmean(column), column) for column in (times, alone))
    patterns = np.array([round(load * channels) for load in loads])
    return {
        "stopping_time": ((), times),
        "single_stopping_time": ((), alone),
        "separable_fraction": (("load",), (times[:, None] >= patterns).astype(np.float64)),
        "undecided": ((), undecided.astype(np.float64)),
    }


def _stopping_time(seed: int, trial: int, channels: int, positions: int) -> float:
    """Largest number of orbits that are separable, NaN if that could not be decided."""
    from simnn import capacity

    key, counter = np.array([seed, trial], np.uint64), np.array([0, 0, channels, positions], np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    orbits, labels = np.empty((0, positions, channels * positions)), np.empty(0, int)
    low, high = 0, 0  # separable, and not (0: unknown)
    while high != low + 1:
        probe = (low + high) // 2 if high else max(2 * channels, low + channels)
        while len(labels) < probe:
            # In blocks of a fixed size: what is tried does not change what is drawn.
            orbits = np.concatenate([orbits, _orbits(generator.standard_normal((channels, channels, positions)))])
            labels = np.concatenate([labels, generator.integers(0, 2, channels)])
        rows = orbits[:probe].reshape(-1, channels * positions)
        status = capacity.separable(rows, np.repeat(labels[:probe], positions)).status
        if status == "undecided":
            return np.nan
        low, high = (probe, high) if status == "separable" else (low, probe)
    return float(low)


def _orbits(patterns: "Array") -> "Array":
    """All cyclic shifts of patterns (P, channels, positions), (P, positions, channels * positions)."""
    shifts = [np.roll(patterns, shift, axis=2).reshape(len(patterns), -1) for shift in range(patterns.shape[2])]
    return np.stack(shifts, axis=1)


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add Cover's law in as many dimensions as there are invariant weights.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``stopping_time_theory`` (channels), 2 C, ``single_stopping_time_theory`` (channels, positions), 2 C n, and
        ``separable_fraction_theory`` (channels, load), all exact.
    """
    from simnn.capacity import theory

    channels, positions, loads = (dataset[name].values for name in ("channels", "positions", "load"))
    patterns = np.array([[round(load * c) for load in loads.tolist()] for c in channels.tolist()])
    columns = {
        "stopping_time_theory": (("channels",), 2.0 * channels, "mean number of separable orbits, 2 C"),
        "single_stopping_time_theory": (
            ("channels", "positions"),
            2.0 * channels[:, None] * positions,
            "mean number of separable patterns without their shifts, 2 C n",
        ),
        "separable_fraction_theory": (
            ("channels", "load"),
            theory.cover_probability(patterns, channels[:, None]),
            "probability that orbits are separable",
        ),
    }
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Invariance divides the capacity by the number of positions; what is left learns any labels.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Standard errors of fractions are the binomial ones of the prediction; points where the rarer outcome is expected
        less than 25 times do not count.
    """
    trials = studies.parameters(dataset)["trials"]
    p = dataset["separable_fraction_theory"]
    counted = trials * np.minimum(p, 1.0 - p) >= _COUNTED
    rows = Claim.worst(
        "CAP5",
        "orbits are separable as patterns in C dimensions, whatever n: Cover's probability, exactly",
        prediction=p.where(counted),
        measured=dataset["separable_fraction"],
        stderr=np.sqrt((p * (1.0 - p)).clip(0.0) / trials),
    )
    for name, what in (("stopping_time", "orbits is 2 C"), ("single_stopping_time", "patterns alone is 2 C n")):
        rows += Claim.worst(
            "CAP5",
            f"mean number of separable {what}",
            prediction=dataset[f"{name}_theory"],
            measured=dataset[name],
            stderr=dataset[f"{name}_stderr"],
        )
    c, n = int(dataset["channels"].max()), int(dataset["positions"].max())
    widest = dataset.sel(channels=c, positions=n)
    rows.append(
        Claim.test(
            "A3-13",
            f"translation invariance dramatically reduces the capacity: mean number of orbits, C = {c}, n = {n}",
            prediction=widest["stopping_time_theory"].item(),
            measured=widest["stopping_time"].item(),
            stderr=widest["stopping_time_stderr"].item(),
            correction=f"by the number of positions: 2 C of the 2 C n = {2 * c * n}, when all shifts share a label",
        )
    )
    few = dataset["load"].values[dataset["load"].values <= 1.0]
    if len(few):
        at = widest.sel(load=few.max())
        rows.append(
            Claim.test(
                "A3-46",
                f"sharing prevents learning arbitrary functions: fraction of random labels of {round(few.max() * c)} "
                "orbits that are learnt",
                prediction=at["separable_fraction_theory"].item(),
                measured=at["separable_fraction"].item(),
                stderr=0.0,
                correction="it prevents functions that shifts change; arbitrary labels of C orbits are always learnt, "
                "and half of those of 2 C",
            )
        )
    rows += Claim.worst(
        "CAP5",
        "the end of every sequence is certified: fraction undecided",
        prediction=0.0 * dataset["undecided"],
        measured=dataset["undecided"],
        stderr=0.0 * dataset["undecided"],
    )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Cover's curves of orbits, and capacity against the number of positions.

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

    channels, positions = (dataset[name].values.tolist() for name in ("channels", "positions"))
    with plotting.figure_style():
        fig, (curves, capacity) = plt.subplots(1, 2, figsize=(0.8 * plotting.DOUBLE_COLUMN, 2.5))
        fills = np.linspace(0.0, 1.0, len(positions))
        for color, c in zip(plotting.COLORS, channels, strict=False):
            patterns = np.arange(1, int(float(dataset["load"].max()) * c) + 1)
            curves.plot(patterns / c, theory.cover_probability(patterns, c), color=color, lw=0.8)
            capacity.plot(positions, np.full(len(positions), 2.0 * c), color=color)
            capacity.plot(positions, 2.0 * c * np.array(positions), color=color, ls="--", lw=0.8)
            at = dataset.sel(channels=c)
            for marker, fill, n in zip(plotting.MARKERS, fills, positions, strict=False):
                point = at.sel(positions=n)
                curves.errorbar(
                    dataset["load"] + 0.05 * (fill - 0.5), point["separable_fraction"],
                    yerr=point["separable_fraction_stderr"], fmt=marker, color=color,
                )  # fmt: skip
            for name, face in (("stopping_time", color), ("single_stopping_time", "white")):
                capacity.errorbar(
                    positions, at[name], yerr=at[f"{name}_stderr"], fmt="o", color=color, mfc=face,
                    label=f"$C = {c}$" if face == color else None,
                )  # fmt: skip
        for marker, n in zip(plotting.MARKERS, positions, strict=False):
            curves.plot([], [], marker, color="0.4", label=f"$n = {n}$")
        curves.set(xlabel="orbits per channel $P/C$", ylabel="P(separable)")
        capacity.set(xlabel="positions $n$", ylabel="mean of $P^*$", xscale="log", yscale="log")
        capacity.set_xticks(positions, [str(n) for n in positions])
        capacity.minorticks_off()
        curves.legend(loc="upper right", handletextpad=0.2)
        capacity.legend(loc="upper left", handletextpad=0.2)
        for letter, ax in zip("ab", (curves, capacity), strict=True):
            plotting.panel_label(ax, letter)
    return fig
