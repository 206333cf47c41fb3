"""Random expansions into sparse codes: Cover's count of the cells, of patterns that differ and do not vanish."""

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
TITLE = "Sparse expansions: Cover's count of what is left to tell apart"
CAPTION = (
    "Codes of {dimension} cells, each driven by {claws} of n normal inputs, n = {inputs} (0: independent drives); the "
    "largest drives of a pattern win (top), or all above a fixed threshold (bottom), activity f. Random labels, "
    "{trials} sequences of patterns for each point; filled: no bias, open: with a bias, which adds nothing to winners. "
    "(a, d) Fraction of the sequences whose first P patterns are separable, at the activity named. Black: Cover's "
    "probability, for general position. Colours: the same for the patterns that differ, in as many dimensions as they "
    "span, times the probability 2^-d that d repeated ones get the labels they have, zero where one without a bias is "
    "silent: nothing can lie above, on average; winners of few inputs lie below, for what differs is not in general "
    "position either. (b, e) Fraction of the patterns at the last load that repeat another (filled), and that are "
    "silent (open); lines: exact for independent drives. (c, f) Mean number of patterns until they stop being "
    "separable, over N; lines: as in (a, d); dotted: 2 n/N, cells without a nonlinearity. Points are means with "
    "standard errors. Claims: CAP3, A3-39, A3-42, A0-28, A2-02, A2-13."
)

_ACTIVE = 8  # From so many active cells on, patterns that differ are found in general position, if cells differ.
_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.

_CELL = ("inputs", "ensemble", "activity")
_SAMPLES = {
    "stopping_time": (*_CELL, "bias"),
    "stopping_time_excess": (*_CELL, "bias"),
    "stopping_time_theory": (*_CELL, "bias"),
    "undecided_fraction": (*_CELL, "bias"),
    "impossible_fraction": (*_CELL, "bias"),
    "separable_fraction": (*_CELL, "bias", "load"),
    "separable_fraction_theory": (*_CELL, "bias", "load"),
    "consistent_fraction": (*_CELL, "load"),
    "consistent_fraction_theory": (*_CELL, "load"),
    "silent_fraction": _CELL,
    "duplicate_fraction": _CELL,
    "rank": _CELL,
    "linear_time": ("inputs",),
}  # what is measured of each sequence

_NAMES = {
    "ensemble": "which cells are active",
    "inputs": "inputs that drives are combinations of, 0 for none",
    "activity": "fraction of the cells that are active",
    "bias": "whether there is a threshold",
    "load": "patterns per cell",
    "stopping_time": "largest number of patterns of a sequence, up to the last load, that are still separable",
    "stopping_time_excess": "stopping time minus its bound given the patterns, stopping_time_theory",
    "stopping_time_theory": "bound of the mean stopping time given the patterns, sum of separable_fraction_theory",
    "separable_fraction": "fraction of sequences whose first patterns are separable",
    "separable_fraction_theory": "Cover's probability for the patterns that differ, times that of their repeats",
    "impossible_fraction": "fraction of sequences that are separable beyond a contradiction, or a silent pattern",
    "consistent_fraction": "fraction of sequences whose first patterns do not contradict each other",
    "consistent_fraction_theory": "2 to the minus number of repeated patterns",
    "silent_fraction": "fraction of the patterns at the last load that vanish",
    "duplicate_fraction": "fraction of the patterns at the last load that repeat an earlier one",
    "rank": "dimensions that the patterns at the last load span",
    "linear_time": "largest number of patterns that are still separable, cells without a nonlinearity",
    "undecided_fraction": "fraction of sequences without a certified end",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.capacity.stopping_time`, with ``inputs``, ``ensemble``, ``activity``, ``bias`` and ``load`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"inputs": 4, "ensemble": 2, "activity": 10, "bias": 2, "load": None}
    given = dict(parameters)
    # Claws are those of cells that have inputs; independent drives stand for any number of them.
    inputs = given.get("inputs", [])
    inputs = inputs if isinstance(inputs, list) else [inputs]
    if 0 in inputs:
        given["inputs"] = [n if n != 0 else 2**20 for n in inputs]
    checked = studies.check(MODEL, given, axes=axes, needs=("dimension", "claws"), may=("first_trial",))
    checked["inputs"] = [n if n != 2**20 else 0 for n in checked["inputs"]]
    for ensemble in checked["ensemble"]:
        studies.require(ensemble in ("winners", "threshold"), "ensemble", ensemble, "'winners' or 'threshold'")
    studies.require(checked["claws"] > 0, "claws", checked["claws"], "greater than 0")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Largest separable prefixes of sequences of codes, and what is degenerate among these patterns.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.stopping_time`, with sequences for ``inputs``, ``ensemble``, ``activity`` and ``bias`` only,
        and a sequence ``load``: patterns per cell at which separable sequences are counted.

    Returns
    -------
    xarray.Dataset
        ``stopping_time``, ``impossible_fraction``, ``undecided_fraction`` (inputs, ensemble, activity, bias),
        ``separable_fraction`` (..., load); ``silent_fraction``, ``duplicate_fraction``, ``rank`` (inputs, ensemble,
        activity), ``consistent_fraction`` (..., load); ``linear_time`` (inputs); as expected from the patterns, for any
        labels, ``stopping_time_theory``, ``separable_fraction_theory`` and ``consistent_fraction_theory``; and
        ``stopping_time_excess``, of a sequence over what its patterns let expect. Each with ``<name>_stderr``.
    """
    from simnn import capacity

    given = dict(parameters)
    axes = {name: np.atleast_1d(given.pop(name)).tolist() for name in (*_CELL, "bias", "load")}
    inputs, ensembles, activities, biases, loads = axes.values()
    claws, size, trials = given.pop("claws"), given["dimension"], given["trials"]
    first, seed = given.get("first_trial", 0), given.get("seed", 0)
    prefixes = np.array([round(load * size) for load in loads])
    samples = {name: np.empty((trials, *(len(axes[dim]) for dim in dims))) for name, dims in _SAMPLES.items()}
    for i, count in enumerate(inputs):
        drives = {"dimension": size} | ({"inputs": count, "claws": claws} if count > 0 else {})
        samples["linear_time"][:, i] = capacity.stopping_time(keep_trials=True, **given | drives)["stopping_time"]
        times = capacity.stopping_time(
            ensemble=ensembles, activity=activities, bias=biases, keep_trials=True, **given | drives
        ).transpose("trial", "ensemble", "activity", "bias")
        values = times["stopping_time"]
        samples["stopping_time"][:, i] = values.fillna(values.mean("trial")).clip(max=prefixes.max())
        samples["undecided_fraction"][:, i] = times["undecided_fraction"]
        for j, ensemble in enumerate(ensembles):
            for k, activity in enumerate(activities):
                for t in range(trials):
                    x, y = capacity.draw(
                        ensemble=ensemble, activity=activity, load=max(loads), trial=first + t, seed=seed, **drives
                    )
                    at = (t, i, j, k)
                    for name, value in _degenerate(x, y, samples["stopping_time"][at], biases, prefixes).items():
                        samples[name][at] = value
    dataset = studies.averages({name: (dims, samples[name]) for name, dims in _SAMPLES.items()}).assign_coords(axes)
    studies.describe(dataset, _NAMES)
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _degenerate(
    x: "Array", y: "Array", times: "Array", biases: list[bool], prefixes: "NDArray[np.int64]"
) -> dict[str, Any]:
    """What is known of one sequence of codes, by counting; ``times`` (bias) tells how long it is separable."""
    from simnn.capacity import theory

    _, first, same = np.unique(np.packbits(x > 0.0, axis=1), axis=0, return_index=True, return_inverse=True)
    earliest = first[same.ravel()]
    repeated, silent = earliest != np.arange(len(x)), ~x.any(axis=1)
    contradicts = y != y[earliest]
    # Numbers for all prefixes, of 1 pattern first.
    repeats, rank = np.cumsum(repeated), int(np.linalg.matrix_rank(x))
    fair = 0.5**repeats
    last = np.minimum(prefixes, len(x)) - 1
    columns = {
        "consistent_fraction": ~np.logical_or.accumulate(contradicts)[last],
        "consistent_fraction_theory": fair[last],
        "silent_fraction": silent.mean(),
        "duplicate_fraction": repeated.mean(),
        "rank": rank,
        "separable_fraction": times[:, None] >= prefixes,
    }
    # A bias is one dimension more, unless components have the same sum in all patterns.
    more = not np.all(x.sum(axis=1) == x[0].sum())
    curves, impossible = [], []
    for bias, time in zip(biases, times.tolist(), strict=True):
        spoiled = np.logical_or.accumulate(contradicts if bias else contradicts | silent)
        counted = theory.cover_probability(np.arange(1, len(x) + 1) - repeats, max(rank, 1), bias and more)
        lost = np.zeros_like(fair) if bias else np.logical_or.accumulate(silent)
        curves.append(np.where(lost, 0.0, fair * counted))
        impossible.append(time > np.count_nonzero(~spoiled))
    bounds = np.array(curves)
    return columns | {
        "separable_fraction_theory": bounds[:, last],
        "stopping_time_theory": bounds.sum(axis=1),
        "stopping_time_excess": times - bounds.sum(axis=1),
        "impossible_fraction": np.array(impossible, np.float64),
    }


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add what is known without the patterns.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With Cover's ``cover_theory`` (bias, load) and the mean stopping time ``cover_time_theory`` (ensemble, bias), of
        codes in general position; ``silent_fraction_theory`` and ``duplicate_fraction_theory`` (ensemble, activity),
        exact for independent drives; ``rank_theory`` (inputs), the expected number of cells with different claws;
        ``linear_time_theory`` (inputs), twice the number of inputs, or of cells if they are fewer.
    """
    from scipy.special import comb
    from scipy.stats import binom

    from simnn.capacity import theory

    given = studies.parameters(dataset)
    size, claws = given["dimension"], given["claws"]
    loads, inputs = dataset["load"].values.tolist(), dataset["inputs"].values
    biases, activities = dataset["bias"].values.tolist(), dataset["activity"].values.tolist()
    prefixes = np.array([round(load * size) for load in loads])
    winners = dataset["ensemble"].values == "winners"
    silent, duplicate = (np.zeros((len(winners), len(activities))) for _ in range(2))
    ones, total = np.arange(size + 1), int(prefixes.max())
    for k, activity in enumerate(activities):
        active = round(activity * size)
        for j, wins in enumerate(winners.tolist()):
            law = (ones == active).astype(float) if wins else binom.pmf(ones, size, activity)
            patterns = comb(size, ones)
            silent[j, k] = law[0]
            # Of each pattern that occurs at all, all but one are repeats.
            occur = -np.expm1(total * np.log1p(-np.minimum(law / patterns, 1.0 - 1e-16)))
            duplicate[j, k] = 1.0 - (patterns * occur).sum() / total
    kinds = comb(inputs, claws)
    with np.errstate(divide="ignore", invalid="ignore"):
        distinct = -kinds * np.expm1(size * np.log1p(-1.0 / kinds))
    columns = {
        "cover_theory": (
            ("bias", "load"),
            np.stack([np.asarray(theory.cover_probability(prefixes, size, bias)) for bias in biases]),
            "probability that patterns in general position are separable",
        ),
        "cover_time_theory": (
            ("ensemble", "bias"),
            # Winners have a constant sum: they need no bias.
            2.0 * (size + np.outer(~winners, biases)),
            "mean stopping time of patterns in general position, 2 N, and 2 more with a bias",
        ),
        "silent_fraction_theory": (
            ("ensemble", "activity"),
            silent,
            "fraction of patterns that vanish, independent drives",
        ),
        "duplicate_fraction_theory": (
            ("ensemble", "activity"),
            duplicate,
            "expected fraction of the patterns at the last load that repeat an earlier one, independent drives",
        ),
        "rank_theory": (
            "inputs",
            np.where(inputs > 0, distinct, float(size)),
            "expected number of cells that differ in their claws",
        ),
        "linear_time_theory": (
            "inputs",
            2.0 * np.where(inputs > 0, np.minimum(inputs, size), size),
            "mean stopping time without a nonlinearity, twice the number of inputs",
        ),
    }
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Cover's count bounds what is separable; it is reached by codes that differ, do not vanish, and are not too few.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Bounds are one-sided: what is compared with zero is what lies above. Standard errors of fractions are the
        binomial ones of the prediction; points where the rarer outcome is expected less than 25 times do not count.
        That patterns which differ are in general position, for 8 active cells or more and where cells have different
        claws, was found, not derived.
    """
    active, size = _active(dataset), studies.parameters(dataset)["dimension"]
    differ = dataset["rank_theory"] > size - 1.0
    time, bound = dataset["stopping_time"], dataset["stopping_time_theory"]
    spent = dataset["stopping_time_excess_stderr"]
    cover = dataset["cover_time_theory"]
    rows = Claim.worst(
        "CAP3",
        "codes never exceed Cover's 2 N (2 N + 2 with a bias, but for winners): mean stopping time above it",
        prediction=0.0 * time,
        measured=(time - cover).clip(0.0),
        stderr=dataset["stopping_time_stderr"],
    )
    rows += Claim.worst(
        "CAP3",
        "nor Cover's count of the patterns that differ, in the dimensions they span: mean stopping time above it",
        prediction=0.0 * bound,
        measured=(time - bound).clip(0.0),
        stderr=spent,
    )
    rows += Claim.worst(
        "CAP3",
        f"which is reached from {_ACTIVE} active cells on, if less than one cell repeats the claws of another: mean "
        "stopping time",
        prediction=bound.where(differ & (active >= _ACTIVE)),
        measured=time,
        stderr=spent,
    )
    rows += _degenerate_claims(dataset)
    rows += _quoted_claims(dataset)
    undecided = dataset["undecided_fraction"]
    rows += Claim.worst(
        "CAP3",
        "the end of every sequence is certified: fraction undecided",
        prediction=0.0 * undecided,
        measured=undecided,
        stderr=0.0 * undecided,
    )
    return rows


def _active(dataset: "xr.Dataset") -> "xr.DataArray":
    """Number of active cells, of thresholds its mean."""
    size: int = studies.parameters(dataset)["dimension"]
    return (dataset["activity"] * size).round()


def _degenerate_claims(dataset: "xr.Dataset") -> list[Claim]:
    """Patterns that vanish, repeat, or contradict each other."""
    given = studies.parameters(dataset)
    trials, most = given["trials"], round(max(given["load"]) * given["dimension"])
    inputs, impossible = dataset["inputs"], dataset["impossible_fraction"]
    rows = Claim.worst(
        "CAP3",
        "no sequence is separable beyond its first contradiction, or silent pattern without a bias: fraction of them",
        prediction=0.0 * impossible,
        measured=impossible,
        stderr=0.0 * impossible,
    )
    fair = dataset["consistent_fraction_theory"]
    rows += Claim.worst(
        "CAP3",
        "d repeated patterns do not contradict the others with probability 2^-d: fraction of sequences",
        prediction=fair.where(trials * np.minimum(fair, 1.0 - fair) >= _COUNTED),
        measured=dataset["consistent_fraction"],
        stderr=np.sqrt((fair * (1.0 - fair)).clip(0.0) / trials),
    )
    silent = dataset["silent_fraction_theory"]
    error = np.sqrt(silent * (1.0 - silent) / (trials * most))
    rows += Claim.worst(
        "CAP3",
        "(1 - f)^N of the patterns are silent if drives are independent and thresholds fixed: fraction",
        prediction=silent.where((inputs == 0) & (trials * most * silent >= _COUNTED)),
        measured=dataset["silent_fraction"],
        stderr=error,
    )
    rows += Claim.worst(
        "CAP3",
        "and more if cells share inputs (Slepian's inequality): fraction that is missing",
        prediction=0.0 * silent.where((inputs > 0) & (dataset["ensemble"] == "threshold")),
        measured=(silent - dataset["silent_fraction"]).clip(0.0),
        stderr=np.hypot(dataset["silent_fraction_stderr"], error),
    )
    repeated = dataset["duplicate_fraction_theory"]
    rows += Claim.worst(
        "CAP3",
        "patterns repeat as often as counting says if drives are independent: fraction",
        prediction=repeated.where((inputs == 0) & (trials * most * repeated >= _COUNTED)),
        measured=dataset["duplicate_fraction"],
        stderr=dataset["duplicate_fraction_stderr"],
    )
    at = dataset.sel(activity=dataset["activity"].max(), drop=True)
    if "threshold" in dataset["ensemble"].values:
        rank, size = dataset["rank_theory"], given["dimension"]
        rows += Claim.worst(
            "CAP3",
            f"fixed thresholds span as many dimensions as cells differ in their claws: mean rank of {most} patterns, f "
            f"= {dataset['activity'].max().item():g}",
            prediction=rank.where(rank < most / 2),
            measured=at["rank"].sel(ensemble="threshold", drop=True),
            # Coincidences of few are at most Poissonian.
            stderr=np.sqrt((size - rank).clip(0.0) / trials),
        )
    if "winners" in dataset["ensemble"].values and dataset.sizes["bias"] == 2:
        time = dataset["stopping_time"].sel(ensemble="winners", drop=True)
        without = time.sel(bias=False, drop=True)
        rows += Claim.worst(
            "CAP3",
            "a bias adds nothing to winners, whose number is constant: mean stopping time",
            prediction=without,
            measured=time.sel(bias=True, drop=True),
            stderr=0.0 * without,
        )
    return rows


def _quoted_claims(dataset: "xr.Dataset") -> list[Claim]:
    """What articles say of random weights, of linear functions, of sparse codes, and of 2 N."""
    size = studies.parameters(dataset)["dimension"]
    expanded = dataset.where(dataset["inputs"] > 0, drop=True)
    if expanded.sizes["inputs"] == 0:
        return []
    few, many = (expanded.sel(inputs=choose(expanded["inputs"])) for choose in (min, max))
    n = int(few["inputs"])
    rows = [
        Claim.test(
            "A2-13",
            f"linear functions can't learn complex patterns: number of random labels, cells linear, n = {n} inputs",
            prediction=few["linear_time_theory"].item(),
            measured=few["linear_time"].item(),
            stderr=few["linear_time_stderr"].item(),
            correction="they learn random labels of 2 n patterns, half of the times, however many linear cells there "
            "are; a linear unit on N nonlinear ones learns 2 N",
        )
    ]
    codes = many.where(_active(dataset) >= _ACTIVE, drop=True)
    if codes.sizes["activity"] == 0:
        return rows
    codes = codes.sel(activity=codes["activity"].min()).isel(bias=0)
    f, n = codes["activity"].item(), codes["inputs"].item()
    what = f"mean number of separable patterns, {size} cells, f = {f:g}, n = {n}"
    for claim, ensemble, statement, correction in (
        (
            "A3-39",
            "threshold",
            "the number of patterns grows as 2 N, fixed thresholds",
            "2 N is for patterns that differ and do not vanish: those that do without a bias, or contradict another, "
            "end a sequence long before",
        ),
        (
            "A2-02",
            "winners",
            "random weights produce garbage outputs",
            "random weights do for all layers but the last: a linear unit trained on N random cells learns 2 N "
            "random labels, twice the number of its weights",
        ),
        (
            "A3-42",
            "winners",
            "sparse firing creates a highly efficient code",
            "sparse codes store no more than dense ones, 2 N, without noise and with balanced labels",
        ),
        (
            "A0-28",
            "winners",
            "sparsity makes representations more efficient",
            "it does not change how many random labels can be told apart, 2 N, down to some 8 active cells; with "
            "fewer, patterns repeat, or fall silent",
        ),
    ):
        if ensemble in dataset["ensemble"].values:
            code = codes.sel(ensemble=ensemble)
            rows.append(
                Claim.test(
                    claim,
                    f"{statement}: {what}",
                    prediction=code["stopping_time_theory"].item(),
                    measured=code["stopping_time"].item(),
                    stderr=code["stopping_time_excess_stderr"].item(),
                    correction=correction,
                )
            )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Curves, degenerate patterns and capacity, of winners and of thresholds.

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

    codes = dataset["ensemble"].values.tolist()
    with plotting.figure_style():
        fig, axes = plt.subplots(len(codes), 3, figsize=(plotting.DOUBLE_COLUMN, 0.3 + 2.1 * len(codes)), squeeze=False)
        for row, ensemble in zip(axes, codes, strict=True):
            for ax, draw in zip(row, (_draw_curves, _draw_degenerate, _draw_capacity), strict=True):
                draw(ax, dataset.sel(ensemble=ensemble), ensemble)
        axes[0, 0].legend(loc="lower left", handletextpad=0.2, labelspacing=0.3)
        for letter, ax in zip("abcdef", axes.flat, strict=False):
            plotting.panel_label(ax, letter)
    return fig


def _styles(dataset: "xr.Dataset") -> list[tuple[int, str, str, str]]:
    """Number of inputs, label, colour and marker of each series."""
    from simnn import plotting

    return [
        (n, f"$n = {n}$" if n > 0 else "independent", color, marker)
        for n, color, marker in zip(dataset["inputs"].values.tolist(), plotting.COLORS, plotting.MARKERS, strict=False)
    ]


def _biases(dataset: "xr.Dataset") -> list[tuple[bool, str]]:
    """Values of bias that differ, and their line styles."""
    biases = dataset["bias"].values.tolist()
    return [
        (bias, "--" if bias else "-") for bias in (biases if dataset["ensemble"].item() == "threshold" else biases[:1])
    ]


def _draw_curves(ax: "Axes", dataset: "xr.Dataset", title: str) -> None:
    activities = sorted(dataset["activity"].values.tolist())
    activity = activities[min(1, len(activities) - 1)]
    at = dataset.sel(activity=activity)
    loads = dataset["load"]
    for bias, dashes in _biases(dataset):
        ax.plot(loads, at["cover_theory"].sel(bias=bias), color="black", ls=dashes, lw=0.8)
        for n, label, color, marker in _styles(dataset):
            part = at.sel(inputs=n, bias=bias)
            ax.plot(loads, part["separable_fraction_theory"], color=color, ls=dashes, lw=0.8)
            ax.errorbar(
                loads, part["separable_fraction"], yerr=part["separable_fraction_stderr"], fmt=marker, color=color,
                mfc="white" if bias else color, label=None if bias else label,
            )  # fmt: skip
    ax.set(
        xlabel="patterns per cell $P/N$", ylabel="P(separable)", title=f"{title}, $f = {activity:g}$", ylim=(-0.03, 1.1)
    )


def _draw_degenerate(ax: "Axes", dataset: "xr.Dataset", title: str) -> None:
    x = dataset["activity"]
    for n, _, color, marker in _styles(dataset):
        at = dataset.sel(inputs=n)
        for name, face in (("silent_fraction", "white"), ("duplicate_fraction", color)):
            values = at[name].where(at[name] > 0.0)
            # A logarithm has no room for errors as large as the value.
            errors = [np.minimum(at[f"{name}_stderr"], 0.9 * values), at[f"{name}_stderr"]]
            ax.errorbar(x, values, yerr=errors, fmt=marker, color=color, mfc=face)
            if n == 0:
                theory = at[f"{name}_theory"].where(at[f"{name}_theory"] > 0.0)
                ax.plot(x, theory, color=color, ls="--" if face == "white" else "-", lw=0.8)
    ax.set(ylabel="fraction of patterns", title=title, yscale="log", ylim=(3e-6, 1.5))
    _activity_axis(ax, dataset)


def _draw_capacity(ax: "Axes", dataset: "xr.Dataset", title: str) -> None:
    x, size = dataset["activity"], studies.parameters(dataset)["dimension"]
    for n, _, color, marker in _styles(dataset):
        if n > 0:
            ax.axhline(dataset["linear_time_theory"].sel(inputs=n).item() / size, color=color, ls=":", lw=0.8, zorder=0)
        for bias, dashes in _biases(dataset):
            at = dataset.sel(inputs=n, bias=bias)
            ax.plot(x, at["stopping_time_theory"] / size, color=color, ls=dashes, lw=0.8)
            ax.errorbar(
                x, at["stopping_time"] / size, yerr=at["stopping_time_stderr"] / size, fmt=marker, color=color,
                mfc="white" if bias else color,
            )  # fmt: skip
    ax.axhline(2.0, color="0.7", lw=0.6, zorder=0)
    ax.set(ylabel="mean of $P^*/N$", title=title, ylim=(0.0, 2.2))
    _activity_axis(ax, dataset)


def _activity_axis(ax: "Axes", dataset: "xr.Dataset") -> None:
    activities = dataset["activity"].values.tolist()
    ax.set(xlabel="activity $f$", xscale="log")
    ax.set_xticks(activities, [f"{activity:g}" for activity in activities])
    ax.set_xticks([], minor=True)
