"""Capacity of a readout of Kenyon cells: Cover's, where codes are in general position, and what else."""

import json
import math
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

MODEL = "olfaction"
TITLE = "Capacity of a readout of Kenyon cells"
CAPTION = (
    "A linear readout without threshold of the codes that M = {kenyon_cells} Kenyon cells with {claws} claws make of P "
    "odors, random labels; coding levels f = {coding_level} (filled, open); {trials} wirings and sets of odors, "
    "{labelings} labelings of each, with standard errors; every verdict is certified. Codes (odors, glomeruli, what "
    "decides which cells fire): {code}. Synthetic odors have the statistics of measured ones, and reach the cells as "
    "rates of projection neurons. (a) Winners: fraction of the sets that are separable. Line: Cover's probability in M "
    "dimensions, reached with many inputs; codes of few inputs, and of odors that resemble each other, stay below it. "
    "(b) A threshold for each cell: some odors activate no cell, or the same cells as others. Lines: count of distinct "
    "codes, which is Cover's probability for their number and rank, and zero if one is silent or two equal ones have "
    "different labels; gray: Cover. (c) The same count for all codes: a bound, which is reached (diagonal) where "
    "distinct codes are in general position. (d) Largest margin of winners of Gaussian odors, for codes of length "
    "sqrt(M). Lines: Gaussian patterns with the second moments of the codes, M large; black: Gaussian patterns with "
    "independent components, and Gardner's theory. Claims: CAP3, CAP4, A3-39, A2-02, A2-13."
)

_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.
_INPUTS = 20  # From so many glomeruli on codes of Gaussian odors are taken to be in general position.
_LARGE = 2000  # Odors whose codes have the second moments.

_NAMES = {
    "code": "odors, glomeruli, and what decides which cells fire",
    "coding_level": "fraction of active cells",
    "load": "odors per cell",
    "margin_load": "odors per cell, where margins are measured",
    "component": "number of the eigenvalue",
    "separable_fraction": "fraction of sets of codes that are separable",
    "undecided_fraction": "fraction of sets of codes without a certified verdict",
    "silent_fraction": "fraction of odors that activate no cell",
    "duplicate_fraction": "fraction of odors with the code of another",
    "counted_fraction": "probability if distinct codes were in general position within their rank",
    "counted_variance": "variance of a verdict of that probability",
    "odors_separable_fraction": "fraction of sets of odors that are separable without the expansion",
    "rank": "rank of the largest set of codes",
    "largest_margin": "largest margin of codes of length sqrt(cells)",
    "margin_undecided_fraction": "fraction of sets of codes without a certified margin",
    "gaussian_margin": "largest margin of Gaussian patterns with as many independent components",
    "second_moments": "eigenvalues of the second moments of codes of length sqrt(cells)",
}


def _code(name: Any) -> tuple[str, int, str]:
    """Law of the odors, number of glomeruli, and what decides which cells fire."""
    parts = name.split() if isinstance(name, str) else []
    fits = (
        len(parts) == 3
        and parts[0] in ("gaussian", "synthetic")
        and parts[1].isdecimal()
        and int(parts[1]) > 1
        and parts[2] in ("winners", "cell", "global")
    )
    allowed = "odors (gaussian, synthetic), glomeruli and winners, cell or global, as in 'gaussian 50 winners'"
    studies.require(fits, "code", name, allowed)
    return parts[0], int(parts[1]), parts[2]


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        As of `simulate`.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"code": 6, "coding_level": 2, "load": None, "margin_load": None}
    checked = studies.check(MODEL, parameters, axes=axes, needs=("kenyon_cells", "claws", "labelings"))
    for name in checked["code"]:
        studies.require(
            checked["claws"] <= _code(name)[1], "claws", checked["claws"], f"at most the glomeruli of {name!r}"
        )
    labelings, cells = checked["labelings"], checked["kenyon_cells"]
    integer = isinstance(labelings, int) and not isinstance(labelings, bool) and labelings >= 1
    studies.require(integer, "labelings", labelings, "an integer of at least 1")
    for level in checked["coding_level"]:
        studies.require(0 < round(level * cells) < cells, "coding_level", level, "such that some cells win, not all")
    for axis in ("load", "margin_load"):
        studies.require(min(checked[axis]) * cells >= 1.0, axis, checked[axis], "such that there are patterns")
    return checked


def simulate(
    *,
    code: Sequence[str],
    coding_level: Sequence[float],
    load: Sequence[float],
    margin_load: Sequence[float],
    kenyon_cells: int,
    claws: int,
    labelings: int,
    trials: int,
    seed: int = 0,
    backend: str = "auto",
) -> "xr.Dataset":
    """Verdicts on the separability of codes, and their largest margins.

    Parameters
    ----------
    code : sequence of str
        Odors, number of glomeruli and what decides which cells fire, such as ``"gaussian 50 winners"``. Odors are
        standard normal, or rates of `simnn.olfaction.projection_neurons` for `simnn.olfaction.synthetic_odors`.
        Thresholds are those of all Gaussian odors, or of the synthetic odors of the trial.
    coding_level : sequence of float
        Fraction of active cells.
    load, margin_load : sequence of float
        Odors per cell, for verdicts and for margins.
    kenyon_cells, claws : int
        M and K.
    labelings : int
        Random labels, and orders, of each set of codes.
    trials : int
        Wirings, each with its odors; trial t is the same in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Accepted for the pipeline's sake: this study runs on the CPU.

    Returns
    -------
    xarray.Dataset
        ``separable_fraction``, ``undecided_fraction``, ``silent_fraction``, ``duplicate_fraction``,
        ``counted_fraction``, ``counted_variance`` (code, coding_level, load), ``odors_separable_fraction`` (code,
        load), ``rank`` (code, coding_level), ``largest_margin``, ``margin_undecided_fraction`` (code, coding_level,
        margin_load), ``second_moments`` (code, coding_level, component) and ``gaussian_margin`` (margin_load), each
        with ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import capacity

    counts = [round(value * kenyon_cells) for value in load]
    number = max(*counts, *(round(value * kenyon_cells) for value in margin_load))
    run: list[dict[str, Any]] = [
        {"trials": labelings, "first_trial": t * labelings, "seed": seed, "progress": False} for t in range(trials)
    ]
    rows = []
    for name in code:
        odors = [_odors(name, number, trial, seed) for trial in range(trials)]
        levels = []
        for level in coding_level:
            samples = []
            for trial in range(trials):
                wiring = _wiring(name, kenyon_cells, claws, trial, seed)
                codes = _encode(name, odors[trial], wiring, level)
                samples.append(_readout(codes, number, list(load), list(margin_load), run[trial]))
            levels.append(_averages(samples))
        plain = [
            capacity.simulate(patterns=x[:number], load=[count / x.shape[1] for count in counts], **how)
            for x, how in zip(odors, run, strict=True)
        ]
        verdicts: list[dict[str, tuple[tuple[str, ...], Array]]] = [
            {"odors_separable_fraction": (("load",), part["separable_fraction"].values)} for part in plain
        ]
        rows.append(xr.concat(levels, "coding_level").merge(_averages(verdicts)))
    dataset = xr.concat(rows, "code")
    margins = capacity.largest_margin(
        dimension=kenyon_cells, load=list(margin_load), trials=trials * labelings, seed=seed
    )
    for end in ("", "_stderr"):
        dataset[f"gaussian_margin{end}"] = "margin_load", margins[f"largest_margin{end}"].values
    axes = {"code": code, "coding_level": coding_level, "load": load, "margin_load": margin_load}
    dataset = dataset.assign_coords({name: list(axis) for name, axis in axes.items()})
    dataset = dataset.assign_coords(component=np.arange(kenyon_cells))
    studies.describe(dataset, _NAMES)
    fixed = {"kenyon_cells": kenyon_cells, "claws": claws, "labelings": labelings}
    parameters: dict[str, Any] = {name: list(axis) for name, axis in axes.items()} | fixed
    parameters |= {"trials": trials, "seed": seed, "backend": backend}
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _averages(samples: "list[dict[str, tuple[tuple[str, ...], Array]]]") -> "xr.Dataset":
    return studies.averages(
        {name: (dims, np.array([sample[name][1] for sample in samples])) for name, (dims, _) in samples[0].items()}
    )


def _odors(name: str, number: int, trial: int, seed: int) -> "NDArray[Any]":
    """Odors of a trial, at least as many as asked for: more where they can be had, for second moments."""
    from simnn import olfaction

    law, glomeruli, _ = _code(name)
    if law == "gaussian":
        return olfaction.draw_odors(glomeruli=glomeruli, odors=max(number, _LARGE), trial=trial, seed=seed)
    rates = olfaction.synthetic_odors(number, glomeruli, seed=2**32 * seed + trial)["rate"]
    return np.asarray(olfaction.projection_neurons(rates).values)


def _wiring(name: str, cells: int, claws: int, trial: int, seed: int) -> Any:
    from simnn import olfaction

    return olfaction.draw_wiring(glomeruli=_code(name)[1], kenyon_cells=cells, claws=claws, trial=trial, seed=seed)


def _encode(name: str, odors: "NDArray[Any]", wiring: Any, level: float) -> "Array":
    from simnn import olfaction

    law, _, sparsening = _code(name)
    thresholds = None
    if law == "gaussian" and sparsening != "winners":
        thresholds = olfaction.gaussian_thresholds(wiring, level, sparsening=sparsening)
    packed = olfaction.encode(odors, wiring, level, sparsening=sparsening, thresholds=thresholds)
    return olfaction.unpack(packed, wiring.kenyon_cells).astype(np.float64)


def _readout(
    codes: "Array", number: int, loads: list[float], margin_loads: list[float], run: dict[str, Any]
) -> "dict[str, tuple[tuple[str, ...], Array]]":
    """Verdicts and margins of one set of codes: means over labelings."""
    from simnn import capacity

    cells, few = codes.shape[1], codes[:number]
    rank = int(np.linalg.matrix_rank(few))
    verdicts = capacity.simulate(patterns=few, load=loads, keep_trials=True, **run).transpose("load", "trial")
    margins = capacity.largest_margin(patterns=few, load=margin_loads, **run)
    scaled = codes * np.sqrt(cells / np.maximum(codes.sum(axis=1, keepdims=True), 1.0))
    names = ("separable_fraction", "undecided_fraction", "silent_fraction", "duplicate_fraction")
    means = {key: (("load",), verdicts[key].values.mean(axis=-1)) for key in names}
    counted = _counted(verdicts, np.array([round(load * cells) for load in loads]), rank)
    return means | {
        "counted_fraction": (("load",), counted.mean(axis=-1)),
        "counted_variance": (("load",), (counted * (1.0 - counted)).mean(axis=-1)),
        "rank": ((), np.array(float(rank))),
        "largest_margin": (("margin_load",), margins["largest_margin"].values),
        "margin_undecided_fraction": (("margin_load",), margins["undecided_fraction"].values),
        "second_moments": (("component",), np.linalg.eigvalsh(scaled.T @ scaled / len(scaled))),
    }


def _counted(verdicts: "xr.Dataset", patterns: "NDArray[np.int64]", rank: int) -> "Array":
    """Probability that labels of P codes are separable, if the D distinct ones are in general position: (load, trial).

    None if one of them is silent, or if two that are the same have different labels; else Cover's, in as many
    dimensions as the rank.
    """
    from simnn.capacity import theory

    distinct = np.rint((1.0 - verdicts["duplicate_fraction"].values) * patterns[:, np.newaxis]).astype(np.int64)
    possible = (verdicts["silent_fraction"].values == 0.0) & (verdicts["contradictory_fraction"].values == 0.0)
    return np.asarray(possible * theory.cover_probability(distinct, rank))


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add Cover's probability and Gardner's margins.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``separable_fraction_theory`` (load), in as many dimensions as cells; ``odors_separable_fraction_theory``
        (code, load), in as many as glomeruli; ``gaussian_margin_theory`` (margin_load); ``largest_margin_theory``
        (code, coding_level, margin_load), from second moments; ``general`` (code), whether codes of winners should be
        in general position.
    """
    from simnn.capacity import theory

    cells = studies.parameters(dataset)["kenyon_cells"]
    names = [_code(name) for name in dataset["code"].values.tolist()]
    patterns = np.array([round(value * cells) for value in dataset["load"].values.tolist()])
    moments = dataset["second_moments"].transpose("code", "coding_level", "component").values
    loads = dataset["margin_load"].values.tolist()
    margins = np.array([[[moment_margin(row, load * cells) for load in loads] for row in part] for part in moments])
    gaussian = np.array([law == "gaussian" and sparsening == "winners" for law, _, sparsening in names])
    general = gaussian & np.array([glomeruli >= _INPUTS for _, glomeruli, _ in names])
    glomeruli = np.array([glomeruli for _, glomeruli, _ in names])
    columns = {
        "separable_fraction_theory": (
            ("load",), theory.cover_probability(patterns, cells), "probability in as many dimensions as cells",
        ),
        "odors_separable_fraction_theory": (
            ("code", "load"), theory.cover_probability(patterns, glomeruli[:, None]),
            "probability in as many dimensions as glomeruli",
        ),
        "gaussian_margin_theory": (
            ("margin_load",), np.array([theory.gardner_margin(load) for load in loads]),
            "largest margin of patterns with independent components, infinite N",
        ),
        "largest_margin_theory": (
            ("code", "coding_level", "margin_load"), np.where(gaussian[:, None, None], margins, np.nan),
            "largest margin of Gaussian patterns with the second moments of codes of winners, infinite N",
        ),
        "general": (("code",), general, "whether codes are winners of many Gaussian inputs"),
    }  # fmt: skip
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def moment_margin(eigenvalues: "Array", patterns: float) -> float:
    """Largest margin of Gaussian patterns whose components have given second moments, for many components.

    By Gordon's comparison weights w of length 1 reach the margin kappa for P patterns of second moments S if
    ``P E (kappa + q t)_+^2 <= (h.S^(1/2) w)^2`` with ``q^2 = w.S w``, t and the components of h standard normal. The
    best of them are ``w ~ (1 + b S)^-1 S^(1/2) h``, b free. With the sums ``s_jk`` of ``l^j / (1 + b l)^k`` over the
    eigenvalues l, ``q^2 = s_22 / s_12``, and ``kappa / q`` is Gardner's margin at the load ``P s_22 / s_11^2``.
    Random labels turn codes of any mean into patterns of mean zero with the same second moments.

    Parameters
    ----------
    eigenvalues : (N,) array
        Of the second moments; not negative, not all zero.
    patterns : float
        P.

    Returns
    -------
    float
        `simnn.capacity.theory.gardner_margin` if all are 1.
    """
    from scipy.optimize import minimize_scalar

    from simnn.capacity import theory

    values = np.maximum(eigenvalues, 0.0)
    largest = float(values.max())

    def loss(logarithm: float) -> float:
        shrunk = 1.0 + (math.exp(logarithm) - 1.0) * values / largest  # 1 + b l, positive for all of them
        s11, s12 = float((values / shrunk).sum()), float((values / shrunk**2).sum())
        s22 = float((values**2 / shrunk**2).sum())
        return -math.sqrt(s22 / s12) * theory.gardner_margin(patterns * s22 / s11**2)

    return -float(minimize_scalar(loss, bounds=(-10.0, 10.0), method="bounded", options={"xatol": 1e-6}).fun)


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Codes in general position reach Cover's capacity, of cells and not of inputs; others stay below.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Standard errors of fractions are the binomial ones of the prediction. For Cover's probability, points where the
        rarer outcome is expected less than 25 times do not count; counts have a tolerance of one set of codes.
        Tolerance of margins: the part by which Gaussian patterns of the same size differ from their theory.
    """
    given = studies.parameters(dataset)
    sets = given["trials"] * given["labelings"]
    general = dataset["code"].values[dataset["general"].values].tolist()
    binary = [name for name in dataset["code"].values.tolist() if _code(name)[2] != "winners"]
    rows = []
    measured, cover = dataset["separable_fraction"], dataset["separable_fraction_theory"]
    if general:
        rows += Claim.worst(
            "CAP3",
            "winners of many inputs are in general position: Cover's probability in as many dimensions as cells",
            prediction=cover.where(sets * np.minimum(cover, 1.0 - cover) >= _COUNTED),
            measured=measured.sel(code=general),
            stderr=np.sqrt((cover * (1.0 - cover)).clip(0.0) / sets),
        )
        rows += _words(dataset.sel(code=general[-1]), general[-1], sets)
        rows += _margins(dataset.sel(code=general))
    counted, stderr = dataset["counted_fraction"], np.sqrt(dataset["counted_variance"] / sets)
    rows += Claim.worst(
        "CAP3",
        "no codes exceed the count of the distinct ones within their rank",
        prediction=counted.where(measured > counted),
        measured=measured,
        stderr=stderr,
        tolerance=1.0 / sets,
    )
    if binary:
        rows += Claim.worst(
            "CAP3",
            "codes by thresholds: none is separable if one is silent, else those as distinct ones in general position",
            prediction=counted.sel(code=binary),
            measured=measured.sel(code=binary),
            stderr=stderr.sel(code=binary),
            tolerance=1.0 / sets,
        )
    for name in ("undecided_fraction", "margin_undecided_fraction"):
        rows += Claim.worst(
            "CAP3",
            f"every {'margin' if 'margin' in name else 'verdict'} is certified: fraction undecided",
            prediction=0.0 * dataset[name],
            measured=dataset[name],
            stderr=0.0 * dataset[name],
        )
    return rows


def _words(at: "xr.Dataset", name: str, sets: int) -> list[Claim]:
    """What is said about the capacity, at the code with the fewest inputs of those in general position."""
    first = at.isel(coding_level=-1)
    half = first.sel(load=first["load"][int(abs(first["load"] - 2.0).values.argmin())])
    below = first.sel(load=first["load"].min())
    cells, odors = (below[f"{kind}separable_fraction_theory"].item() for kind in ("", "odors_"))
    found, plain = (below[f"{kind}separable_fraction"].item() for kind in ("", "odors_"))
    error = math.hypot(*(math.sqrt(max(p * (1.0 - p), 0.0) / sets) for p in (cells, odors)))
    p, load = half["separable_fraction_theory"].item(), below["load"].item()
    return [
        Claim.test(
            "A3-39",
            f"the capacity is linear in the number of neurons and approaches 2 for each: fraction separable at "
            f"{half['load'].item():g} odors per cell, {name}",
            prediction=p,
            measured=half["separable_fraction"].item(),
            stderr=math.sqrt(max(p * (1.0 - p), 0.0) / sets),
            correction="a bound at every size, reached by codes in general position: with few inputs, odors that "
            "resemble each other or thresholds that leave odors silent it is less",
        ),
        *(
            Claim.test(
                claim,
                f"{words}: fraction separable with the expansion less that without, {load:g} odors per cell, {name}",
                prediction=cells - odors,
                measured=found - plain,
                stderr=max(error, 1.0 / sets),
                correction=correction,
            )
            for claim, words, correction in (
                ("A2-13", "linear functions cannot learn complex patterns",
                 "not those of few inputs; a linear readout of many sparse cells can"),
                ("A2-02", "random weights produce garbage",
                 "not if the readout is learnt: random inputs of the cells are what makes odors separable"),
            )
        ),
    ]  # fmt: skip


def _margins(at: "xr.Dataset") -> list[Claim]:
    """Margins of codes in general position."""
    finite = abs(at["gaussian_margin"] / at["gaussian_margin_theory"] - 1.0)
    noise = studies.STANDARD_ERRORS * at["gaussian_margin_stderr"] / at["gaussian_margin_theory"]
    rows = Claim.worst(
        "CAP3",
        "margins of winners are those of Gaussian patterns with the same second moments",
        prediction=at["largest_margin_theory"],
        measured=at["largest_margin"],
        stderr=at["largest_margin_stderr"],
        tolerance=at["largest_margin_theory"] * (finite + noise),
    )
    point = at.isel(code=-1, coding_level=-1, margin_load=-1)
    level, prediction = point["coding_level"].item(), point["largest_margin_theory"].item()
    share = prediction / point["gaussian_margin_theory"].item()
    rows.append(
        Claim.test(
            "CAP4",
            f"the margin is Gardner's, {point['margin_load'].item():g} odors per cell, {point['code'].item()}, f = "
            f"{level:g}",
            prediction=prediction,
            measured=point["largest_margin"].item(),
            stderr=point["largest_margin_stderr"].item(),
            tolerance=prediction * (finite + noise).sel(margin_load=point["margin_load"]).item(),
            correction=f"{share:.3g} of it: of a code of length 1 the mean, which is no use, leaves sqrt(1 - f) = "
            f"{math.sqrt(1.0 - level):.3g}, and correlations of the cells less",
        )
    )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Separability of winners and of codes by thresholds, what counting tells, and margins.

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
        fig, axes = plt.subplots(2, 2, figsize=(plotting.DOUBLE_COLUMN, 5.2))
        _draw_fractions(axes[0, 0], dataset, winners=True)
        _draw_fractions(axes[0, 1], dataset, winners=False)
        _draw_count(axes[1, 0], dataset)
        _draw_margins(axes[1, 1], dataset)
        for letter, ax in zip("abcd", axes.flat, strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _styles(dataset: "xr.Dataset") -> "list[tuple[str, float, dict[str, Any], str | None]]":
    """Name, coding level, style and label of each series."""
    from simnn import plotting

    found: list[tuple[str, float, dict[str, Any], str | None]] = []
    for color, marker, name in zip(plotting.COLORS, plotting.MARKERS, dataset["code"].values.tolist(), strict=False):
        law, glomeruli, sparsening = _code(name)
        label = f"{glomeruli} {'Gaussian' if law == 'gaussian' else 'synthetic'}"
        label += {"winners": "", "cell": "", "global": ", one threshold"}[sparsening]
        for face, level in zip((color, "white"), dataset["coding_level"].values.tolist(), strict=False):
            style = {"fmt": marker, "color": color, "mfc": face, "mew": 0.8}
            found.append((name, level, style, label if face == color else None))
    return found


def _draw_fractions(ax: "Axes", dataset: "xr.Dataset", winners: bool) -> None:
    from simnn.capacity import theory

    cells = studies.parameters(dataset)["kenyon_cells"]
    loads = dataset["load"].values
    patterns = np.arange(round(loads.min() * cells), round(loads.max() * cells) + 1)
    cover = theory.cover_probability(patterns, cells)
    ax.plot(patterns / cells, cover, color="black" if winners else "0.75", lw=1.0, zorder=0)
    for name, level, style, label in _styles(dataset):
        if (_code(name)[2] == "winners") != winners:
            continue
        at = dataset.sel(code=name, coding_level=level)
        if not winners:
            ax.plot(loads, at["counted_fraction"], color=style["color"], lw=0.9, ls="-" if label else "--")
        ax.errorbar(loads, at["separable_fraction"], yerr=at["separable_fraction_stderr"], label=label, **style)
    ax.set(xlabel="load $P/M$", ylabel="P(separable)", ylim=(-0.04, 1.1), title="winners" if winners else "thresholds")
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc="lower left" if winners else "upper right", handletextpad=0.3, labelspacing=0.3)


def _draw_count(ax: "Axes", dataset: "xr.Dataset") -> None:
    ax.plot([0.0, 1.0], [0.0, 1.0], color="black", lw=0.8, zorder=0)
    for name, level, style, _ in _styles(dataset):
        at = dataset.sel(code=name, coding_level=level)
        ax.errorbar(
            at["counted_fraction"], at["separable_fraction"], xerr=at["counted_fraction_stderr"],
            yerr=at["separable_fraction_stderr"], **style,
        )  # fmt: skip
    ax.set(xlabel="count of distinct codes", ylabel="P(separable)", xlim=(-0.04, 1.06), ylim=(-0.04, 1.06))


def _draw_margins(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn.capacity import theory

    cells, x = studies.parameters(dataset)["kenyon_cells"], dataset["margin_load"].values
    fine = np.linspace(0.8 * x.min(), 1.1 * x.max(), 60)
    ax.plot(fine, [theory.gardner_margin(load) for load in fine], color="black")
    ax.errorbar(
        x, dataset["gaussian_margin"], yerr=dataset["gaussian_margin_stderr"], fmt="P", color="black",
        label="Gaussian patterns",
    )  # fmt: skip
    for name, level, style, label in _styles(dataset):
        at = dataset.sel(code=name, coding_level=level)
        if not np.isfinite(at["largest_margin_theory"]).all():
            continue
        curve = [moment_margin(at["second_moments"].values, load * cells) for load in fine]
        ax.plot(fine, curve, color=style["color"], lw=0.9, ls="-" if label else "--")
        ax.errorbar(x, at["largest_margin"], yerr=at["largest_margin_stderr"], label=label, **style)
    ax.set(xlabel="load $P/M$", ylabel=r"largest margin $\kappa$", title="winners")
    ax.legend(loc="upper right", handletextpad=0.3, labelspacing=0.3)
