"""A connectome against random wirings that keep less and less of it: what its degrees cost, and what its pairs do."""

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

MODEL = "olfaction"
TITLE = "Connectomes: skewed fan-out costs dimensions, the rest is nearly random"
CAPTION = (
    "Dimension of the codes that a wiring of projection neurons onto Kenyon cells makes of Gaussian odors, in closed "
    "form, and that of {trials} random wirings of each kind: degrees kept (of every Kenyon cell and every "
    "glomerulus), draws with probabilities that follow the fan-out of glomeruli, and uniform draws; all keep the "
    "number of glomeruli of each cell. Each panel has one kind of weights and of inhibition; colors are coding levels "
    "f. Large open symbols: the wiring itself. Filled symbols: means of random wirings, with the standard deviation "
    "of single ones, smaller than most symbols. Long lines: theory of uniform draws, from the hypergeometric law of "
    "overlaps; short lines: of random wirings with the given degrees. With synapses, each cell deals its numbers of "
    "them out at random among its new glomeruli. Matrix: Kenyon cells that two glomeruli share, as a z-score against "
    "mean and variance of random wirings with the given degrees, in closed form; glomeruli are next to "
    "those that hierarchical clustering of these scores finds similar. Above the diagonal: the wiring itself; below: a "
    "random one with its degrees, in the same order. Histogram: all pairs of both, with mean squares of the scores. "
    "Claims: OLF3, A3-37."
)

WEIGHTS = ("binary", "synapses")
"""Whether connections are 1, or their numbers of synapses."""

NULLS = ("degrees", "frequency", "uniform")
"""Random wirings: `curveball`, `frequency_weighted` and `uniform` of `simnn.olfaction.nulls`."""

_FILES = ("connectome", "neurons", "glomerulus_names")
_KEYS = tuple(f"{name}_sha256" for name in _FILES)
_SYNTHETIC = ("kenyon_cells", "glomeruli", "claws", "fan_out_spread")

_PUBLISHED = {"skew": (0.32, 0.01), "pairs": (0.075, 0.01)}  # "about 32%", and "a further 7-8%", of the hemibrain
_PUBLISHED_LEVELS = (0.05, 0.1)
_SHOWN = 3  # pairs that converge most
_DARKEST, _NAMED = 5.0, 64  # z-scores of the darkest colors; as many names of glomeruli fit along two sides

_NAMES = {
    "weights": "what stands for a connection",
    "inhibition": "whether the mean of the matrix is subtracted",
    "coding_level": "fraction of odors that a Kenyon cell responds to",
    "null": "kind of random wiring",
    "glomerulus": "glomerulus",
    "other_glomerulus": "another glomerulus",
    "inputs": "glomeruli that a Kenyon cell listens to",
    "dimension": "dimension of the codes of the wiring",
    "null_dimension": "dimension of the codes of random wirings",
    "null_spread": "squared coefficient of variation of the fan-outs of random wirings",
    "fan_out": "Kenyon cells that a glomerulus connects to",
    "cells_with": "Kenyon cells with so many inputs",
    "shared_cells": "Kenyon cells that listen to both glomeruli",
    "null_shared_cells": "Kenyon cells that listen to both glomeruli in one random wiring with the same degrees",
    "null_mean_square": "mean square z-score of shared cells over pairs of glomeruli in wirings with the same degrees",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them; checksums of files are added.

    Parameters
    ----------
    parameters : mapping
        Of `simulate`, with ``weights``, ``inhibition`` and ``coding_level`` as axes.

    Returns
    -------
    dict
        The same with lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"weights": len(WEIGHTS), "inhibition": 2, "coding_level": 4}
    checked = studies.check(None, parameters, axes=axes, needs=("threshold", *_SYNTHETIC), may=(*_FILES, *_KEYS))
    for name, allowed in (("weights", WEIGHTS), ("inhibition", ("none", "balanced"))):
        for value in checked[name]:
            studies.require(value in allowed, name, value, " or ".join(map(repr, allowed)))
    studies.require(checked.get("backend", "auto") != "cuda", "backend", "cuda", "'auto' or 'cpu'")
    studies.require_number(checked, "coding_level", 0.001, 0.5)
    studies.require_number(checked, "threshold", 1, 1000, whole=True)
    studies.require_number(checked, "kenyon_cells", 50, 20_000, whole=True)
    studies.require_number(checked, "glomeruli", 10, 200, whole=True)
    studies.require_number(checked, "claws", 1, checked["glomeruli"] / 8)
    studies.require_number(checked, "fan_out_spread", 0, 1)
    return checked | studies.checksums(checked, *_FILES)


def simulate(
    *,
    weights: Sequence[str],
    inhibition: Sequence[str],
    coding_level: Sequence[float],
    trials: int,
    seed: int = 0,
    backend: str = "auto",
    connectome: str | None = None,
    connectome_sha256: str | None = None,
    neurons: str | None = None,
    neurons_sha256: str | None = None,
    glomerulus_names: str | None = None,
    glomerulus_names_sha256: str | None = None,
    threshold: int = 5,
    kenyon_cells: int = 1750,
    glomeruli: int = 57,
    claws: float = 5.26,
    fan_out_spread: float = 0.585,
) -> "xr.Dataset":
    """Dimensions of a wiring and of random ones.

    Parameters
    ----------
    weights, inhibition, coding_level : sequence
        Axes: "binary" or "synapses", "none" or "balanced", f.
    trials : int
        Random wirings of each kind; trial t is the same in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Accepted for the pipeline's sake.
    connectome, neurons, glomerulus_names : str, optional
        Files of `simnn.olfaction.load_connectome`, paths from the working directory or URLs (`glomerulus_names` are its
        ``glomeruli``). Without the first, the wiring is `simnn.olfaction.synthetic_connectome`.
    connectome_sha256, neurons_sha256, glomerulus_names_sha256 : str, optional
        What their checksums should be.
    threshold : int
        Smallest number of synapses of a connection. Cells and glomeruli that are left without any do not count.
    kenyon_cells, glomeruli, claws, fan_out_spread
        Of the synthetic wiring.

    Returns
    -------
    xarray.Dataset
        ``dimension`` (weights, inhibition, coding_level), ``null_dimension`` (null, weights, inhibition, coding_level)
        and ``null_spread`` (null), each with ``<name>_stderr``; the degrees of the wiring, ``fan_out`` (glomerulus) and
        ``cells_with`` (inputs); ``shared_cells`` (glomerulus, other_glomerulus) of the wiring,
        ``null_shared_cells`` of the first random one with its degrees, and ``null_mean_square``, the mean square over
        pairs of their z-scores in all of these, with its standard error.
    """
    from simnn import olfaction
    from simnn.olfaction import degree_laws, nulls, theory

    if connectome is None:
        wiring = olfaction.synthetic_connectome(
            kenyon_cells, glomeruli, claws=claws, fan_out_spread=fan_out_spread, threshold=threshold, seed=seed
        )
    else:
        wiring = olfaction.load_connectome(
            connectome, neurons=neurons, glomeruli=glomerulus_names, threshold=threshold, unconnected="drop",
            sha256=connectome_sha256, neurons_sha256=neurons_sha256, glomeruli_sha256=glomerulus_names_sha256,
        )  # fmt: skip
    wiring = wiring[:, wiring.values.any(axis=0)]
    given = wiring.values
    axes = {"weights": list(weights), "inhibition": list(inhibition), "coding_level": list(coding_level)}

    dimension: Any = theory.matrix_dimension

    def dimensions(synapses: "Array") -> "Array":
        matrices: dict[str, Any] = {"binary": synapses > 0, "synapses": synapses}
        return np.array([[dimension(matrices[w], coding_level, i) for i in inhibition] for w in weights])

    drawn = [[_null(kind, given, seed, trial) for kind in NULLS] for trial in range(trials)]
    fan_outs = np.array([[(matrix > 0).sum(axis=0) for matrix in row] for row in drawn])
    cells_with = np.bincount((given > 0).sum(axis=1))
    shared = np.array([nulls.shared_cells(row[NULLS.index("degrees")] > 0) for row in drawn])
    scores = _z_scores(shared, *degree_laws.shared_cells((given > 0).sum(axis=0), cells_with))
    dataset = studies.averages(
        {
            "null_dimension": (("null", *axes), np.array([[dimensions(matrix) for matrix in row] for row in drawn])),
            "null_spread": (("null",), fan_outs.var(axis=2) / fan_outs.mean(axis=2) ** 2),
            "null_mean_square": ((), _mean_square(scores)),
        }
    )
    dataset["dimension"] = tuple(axes), dimensions(given)
    dataset["fan_out"] = "glomerulus", (given > 0).sum(axis=0)
    dataset["cells_with"] = "inputs", cells_with
    pair = ("glomerulus", "other_glomerulus")
    dataset["shared_cells"] = pair, nulls.shared_cells(given > 0)
    dataset["null_shared_cells"] = pair, shared[0]
    names = {
        "null": list(NULLS), "inputs": np.arange(len(cells_with)), **dict.fromkeys(pair, wiring.glomerulus.values)
    }  # fmt: skip
    dataset = dataset.assign_coords(axes | names)
    studies.describe(dataset, _NAMES)
    parameters = axes | {
        "trials": trials, "seed": seed, "backend": backend, "connectome": connectome, "threshold": threshold,
        "connectome_sha256": connectome_sha256,
    }  # fmt: skip
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _null(kind: str, given: "Array", seed: int, trial: int) -> "Array":
    """Random wiring; each cell deals its numbers of synapses out among its new glomeruli."""
    from simnn.olfaction import nulls

    wire, deal = np.random.SeedSequence([seed, trial, NULLS.index(kind)]).generate_state(2).tolist()
    draw: dict[str, Any] = {
        "degrees": nulls.curveball, "frequency": nulls.frequency_weighted, "uniform": nulls.uniform
    }  # fmt: skip
    wiring = draw[kind](given > 0, seed=wire)
    keys = np.where(given > 0, np.random.default_rng(deal).random(given.shape), 2.0)
    dealt = np.take_along_axis(given, np.argsort(keys, axis=1), axis=1)
    out = np.empty_like(given)
    np.put_along_axis(out, np.argsort(-wiring, axis=1, kind="stable"), dealt, axis=1)
    return out


def _z_scores(shared: "Array", mean: "Array", variance: "Array") -> "Array":
    """Deviations from the mean in standard deviations; 0 where degrees leave no choice."""
    return np.divide(shared - mean, np.sqrt(variance), out=np.zeros(shared.shape), where=variance > 0.0)


def _mean_square(scores: "Array") -> "Array":
    """Over pairs of different glomeruli."""
    first, second = np.triu_indices(scores.shape[-1], 1)
    return np.asarray(np.square(scores[..., first, second]).mean(axis=-1))


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the laws of random wirings with the degrees of the given one.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With, for binary weights (NaN for others), ``uniform_theory`` (weights, inhibition, coding_level), from the
        hypergeometric law of overlaps, ``degrees_theory``, exact to first order in the inverse number of cells, and
        ``degrees_error``, the size of the next order; with ``frequency_spread_theory``, the exact mean of
        ``null_spread`` of draws that follow the fan-out; and with ``shared_cells_theory`` and
        ``shared_cells_deviation`` (glomerulus, other_glomerulus), mean and standard deviation for given degrees, the
        ``z_score`` and ``null_z_score`` of each pair that follow, and ``mean_square_theory``, what they are on average.
    """
    from simnn.olfaction import degree_laws

    fan_out, cells_with = dataset["fan_out"].values.astype(np.float64), dataset["cells_with"].values
    levels, cells = dataset["coding_level"].values, int(cells_with.sum())
    even = np.full(len(fan_out), fan_out.mean())
    shape = tuple(dataset.sizes[name] for name in ("weights", "inhibition", "coding_level"))
    uniform, degrees = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, inhibition in enumerate(dataset["inhibition"].values.tolist()):
        binary = dataset["weights"].values == "binary"
        uniform[binary, i] = degree_laws.dimension(even, cells_with, levels, inhibition, fixed=False)
        degrees[binary, i] = degree_laws.dimension(fan_out, cells_with, levels, inhibition)
    mean, drawn = degree_laws.drawn_fan_out(fan_out, cells_with)
    spread = np.square(mean).mean() + drawn.mean()
    order = len(fan_out) / fan_out.sum()  # 1 / (M p), p the mean probability of a connection
    shared, variance = degree_laws.shared_cells(fan_out, cells_with)
    scores, null_scores = (
        _z_scores(dataset[name].values, shared, variance) for name in ("shared_cells", "null_shared_cells")
    )
    dims, pair = ("weights", "inhibition", "coding_level"), ("glomerulus", "other_glomerulus")
    columns = {
        "uniform_theory": (dims, uniform, f"dimension of {cells} cells with these numbers of inputs, uniform draws"),
        "degrees_theory": (dims, degrees, "dimension of random wirings with all degrees of the given one"),
        "degrees_error": (dims, degrees * order**2, "size of what degrees_theory leaves out"),
        "frequency_spread_theory": (
            (),
            spread / mean.mean() ** 2 - 1.0,
            "squared coefficient of variation of fan-outs after draws that follow the given ones",
        ),
        "shared_cells_theory": (pair, shared, "mean number of cells that two glomeruli share for given degrees"),
        "shared_cells_deviation": (pair, np.sqrt(variance), "standard deviation of shared_cells for given degrees"),
        "z_score": (pair, scores, "deviation of shared_cells from its mean for given degrees, over the standard one"),
        "null_z_score": (pair, null_scores, "the same for null_shared_cells, of one random wiring"),
        "mean_square_theory": ((), _mean_square(np.sign(variance)), "mean square z-score for given degrees"),
    }
    return dataset.assign(
        {name: (d, values, {"long_name": label, "units": "1"}) for name, (d, values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Laws of the random wirings; what of the wiring is not random; what the published costs are here.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        The wiring is one draw: its standard error is the standard deviation of random wirings, and that of their mean.
        Published costs are those of the hemibrain; they are compared with measured wirings only.
    """
    given = studies.parameters(dataset)
    nulls, errors = dataset["null_dimension"], dataset["null_dimension_stderr"]
    degrees, uniform = (nulls.sel(null=name, drop=True) for name in ("degrees", "uniform"))
    degrees_stderr, uniform_stderr = (errors.sel(null=name, drop=True) for name in ("degrees", "uniform"))
    rows = Claim.worst(
        "OLF3",
        "uniform draws have the dimension of hypergeometric overlaps, exactly",
        prediction=dataset["uniform_theory"],
        measured=uniform,
        stderr=uniform_stderr,
    )
    rows += Claim.worst(
        "OLF3",
        "degrees determine the dimension of random wirings, to first order in the inverse number of cells",
        prediction=dataset["degrees_theory"],
        measured=degrees,
        stderr=degrees_stderr,
        tolerance=dataset["degrees_error"],
    )
    kept, kept_stderr = _ratio(degrees, degrees_stderr, uniform, uniform_stderr)
    cost = 1.0 - dataset["degrees_theory"] / dataset["uniform_theory"]
    spread = float(np.sqrt((dataset["fan_out"].var() / dataset["fan_out"].mean() ** 2).item()))
    rows += Claim.worst(
        "OLF3",
        f"fan-out of coefficient of variation {spread:.2f} costs this part of the dimension of uniform draws",
        prediction=cost,
        measured=1.0 - kept,
        stderr=kept_stderr,
        tolerance=dataset["degrees_error"] / dataset["uniform_theory"],
    )
    deviation = degrees_stderr * np.sqrt(given["trials"] + 1.0)
    for weights in dataset["weights"].values.tolist():
        one = {"weights": weights}
        rows += Claim.worst(
            "A3-37",
            f"randomly wired to the receptors, weights: {weights}",
            prediction=degrees.sel(one),
            measured=dataset["dimension"].sel(one),
            stderr=deviation.sel(one),
            correction="at random for given degrees; those of glomeruli are far from equal",
        )
    rows.append(
        Claim.test(
            "OLF3",
            "draws that follow the fan-out keep it: squared coefficient of variation",
            prediction=dataset["frequency_spread_theory"].item(),
            measured=dataset["null_spread"].sel(null="frequency").item(),
            stderr=dataset["null_spread_stderr"].sel(null="frequency").item(),
            correction=f"draws without replacement flatten it, from {spread**2:.3f}; keep degrees to see what pairs do",
        )
    )
    rows += _converging(dataset, degrees, deviation)
    if given.get("connectome") is not None:
        rows += _published(dataset, kept, kept_stderr, degrees, deviation)
    return rows


def _converging(dataset: "xr.Dataset", degrees: "xr.DataArray", deviation: "xr.DataArray") -> list[Claim]:
    """Whether pairs of glomeruli share the cells that degrees say: random wirings do; connectomes are said not to."""
    given = studies.parameters(dataset)
    random, stderr = dataset["null_mean_square"].item(), dataset["null_mean_square_stderr"].item()
    expected, found = dataset["mean_square_theory"].item(), float(_mean_square(dataset["z_score"].values))
    order = expected / float(dataset["cells_with"].sum())  # what variances leave out
    single = stderr * np.sqrt(given["trials"])
    rows = [
        Claim.test(
            "OLF3",
            "degrees determine mean and variance of the cells that two glomeruli share: mean square z-score of random "
            "wirings",
            prediction=expected,
            measured=random,
            stderr=stderr,
            tolerance=order,
        )
    ]
    if given.get("connectome") is None:
        statement = "pairs of glomeruli converge as degrees say if all else is random: mean square z-score"
        return [
            *rows,
            Claim.test("OLF3", statement, prediction=expected, measured=found, stderr=single, tolerance=order),
        ]
    names, shared = dataset["glomerulus"].values.tolist(), dataset["shared_cells"].values
    first, second = np.triu_indices(len(names), 1)
    most = [
        f"{names[i]} and {names[j]}, {shared[i, j]:.0f} for {dataset['shared_cells_theory'].values[i, j]:.1f}"
        for k in np.argsort(-dataset["z_score"].values[first, second], kind="stable")[:_SHOWN]
        for i, j in [(first[k], second[k])]
    ]
    rows.append(
        Claim.test(
            "OLF3",
            "connectomes over-converge, pairs of glomeruli share more cells than degrees say: what the mean square "
            f"z-score, {found:.2f} against {expected:.2f} \u00b1 {single:.2f}, lacks to exceed four deviations; most "
            f"for {'; '.join(most)}",
            prediction=0.0,
            measured=max(expected + order + studies.STANDARD_ERRORS * single - found, 0.0),
            stderr=0.0,
        )
    )
    excess = (dataset["dimension"] - degrees + studies.STANDARD_ERRORS * deviation).clip(0.0)
    return rows + Claim.worst(
        "OLF3",
        "over-convergence lowers the dimension: what exceeds four deviations below random wirings",
        prediction=0.0 * degrees,
        measured=excess,
        stderr=0.0 * degrees,
    )


def _ratio(a: "xr.DataArray", a_err: "xr.DataArray", b: "xr.DataArray", b_err: "xr.DataArray") -> Any:
    """Ratio of independent measurements, and its standard error."""
    ratio = a / b
    return ratio, ratio * np.hypot(a_err / a, b_err / b)


def _published(
    dataset: "xr.Dataset",
    kept: "xr.DataArray",
    kept_stderr: "xr.DataArray",
    degrees: "xr.DataArray",
    deviation: "xr.DataArray",
) -> list[Claim]:
    """Costs as they were found in the hemibrain, with weights 1 and without inhibition."""
    levels = [level for level in dataset["coding_level"].values.tolist() if level in _PUBLISHED_LEVELS]
    if "binary" not in dataset["weights"] or "none" not in dataset["inhibition"] or not levels:
        return []
    at = {"weights": "binary", "inhibition": "none", "coding_level": levels}
    pairs = 1.0 - dataset["dimension"] / degrees
    rows = []
    for name, statement, measured, stderr in (
        ("skew", "skewed fan-out costs about 32% of the dimension, as in the hemibrain", 1.0 - kept, kept_stderr),
        ("pairs", "pairing costs a further 7-8%, as in the hemibrain", pairs, (1.0 - pairs) * deviation / degrees),
    ):
        prediction, tolerance = _PUBLISHED[name]
        found = measured.sel(at)
        rows += Claim.worst(
            "OLF3", statement, prediction=0.0 * found + prediction, measured=found, stderr=stderr.sel(at),
            tolerance=tolerance,
        )  # fmt: skip
    return rows


def source(parameters: Mapping[str, Any]) -> str:
    """Where the wiring comes from.

    Parameters
    ----------
    parameters : mapping
        From `validate`.

    Returns
    -------
    str
        A sentence for the caption.
    """
    from simnn.olfaction.citations import publication

    if parameters.get("connectome") is None:
        return (
            f"Wiring: synthetic, {parameters['kenyon_cells']} cells with {parameters['claws']:g} of "
            f"{parameters['glomeruli']} glomeruli on average, coefficient of variation of the fan-out "
            f"{parameters['fan_out_spread']:g}, random in everything else."
        )
    return (
        f"Wiring: {publication(parameters['connectome_sha256'])}; connections have a weight of "
        f"{parameters['threshold']} or more."
    )


def figure(dataset: "xr.Dataset") -> "Figure":
    """Dimensions of the wiring and of random ones, by kind of weights and inhibition; pairs of glomeruli below.

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

    kinds = [(w, i) for w in dataset["weights"].values.tolist() for i in dataset["inhibition"].values.tolist()]
    with plotting.figure_style():
        fig = plt.figure(figsize=(plotting.DOUBLE_COLUMN, 6.5))
        (upper,), (lower,) = fig.subfigures(2, 1, squeeze=False, height_ratios=(2.7, 3.8))
        axes = upper.subplots(1, len(kinds), sharey=True, squeeze=False)
        for letter, ax, (weights, inhibition) in zip("abcd", axes[0], kinds, strict=False):
            _draw(ax, dataset.sel(weights=weights, inhibition=inhibition))
            ax.set_title(f"{weights}, {'no inhibition' if inhibition == 'none' else inhibition}")
            plotting.panel_label(ax, letter)
        axes[0, 0].set(ylabel="dimension", ylim=(0.0, None))
        axes[0, 0].set_ylim(0.0, 1.22 * axes[0, 0].get_ylim()[1])
        axes[0, 0].legend(loc="upper left", handletextpad=0.2, labelspacing=0.3)
        matrix, histogram = lower.subplots(1, 2, width_ratios=(4.3, 2.0))
        _draw_pairs(matrix, dataset)
        _draw_scores(histogram, dataset)
        for letter, ax in zip("abcdef"[len(kinds) :], (matrix, histogram), strict=False):
            plotting.panel_label(ax, letter)
    return fig


def _draw_pairs(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Z-scores, similar glomeruli side by side: of the wiring above the diagonal, of a random one below."""
    from scipy.cluster import hierarchy
    from scipy.spatial import distance

    distances = distance.pdist(dataset["z_score"].values)
    order = hierarchy.leaves_list(hierarchy.linkage(distances, "average", optimal_ordering=True))
    size = len(order)
    given, random = (dataset[name].values[np.ix_(order, order)] for name in ("z_score", "null_z_score"))
    scores = np.where(np.eye(size, dtype=bool), np.nan, np.triu(given) + np.tril(random))
    ax.set_facecolor("0.8")
    image = ax.imshow(scores, cmap="RdBu_r", vmin=-_DARKEST, vmax=_DARKEST, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, shrink=0.7, pad=0.02, extend="both", label="z-score of shared Kenyon cells")
    names = [str(name).removeprefix("glomerulus ") for name in dataset["glomerulus"].values[order]]
    # Names take turns on both sides, where there is twice the room.
    step = 2 * -(-size // _NAMED)
    for axis, rotation in ((ax.xaxis, 90.0), (ax.yaxis, 0.0)):
        axis.set_ticks(range(0, size, step), names[::step], rotation=rotation)
        axis.set_ticks(range(step // 2, size, step), names[step // 2 :: step], rotation=rotation, minor=True)
    ax.tick_params(which="major", labelsize=5.0, length=1.5, pad=1.0)
    ax.tick_params(
        which="minor", labelsize=5.0, length=1.5, pad=1.0, left=False, labelleft=False, right=True, labelright=True,
        bottom=False, labelbottom=False, top=True, labeltop=True,
    )  # fmt: skip
    ax.set(xlabel="glomerulus", ylabel="glomerulus", title="given (above) and random (below)")


def _draw_scores(ax: "Axes", dataset: "xr.Dataset") -> None:
    """How many pairs have which z-score."""
    from simnn import plotting

    first, second = np.triu_indices(dataset.sizes["glomerulus"], 1)
    given, random = (dataset[name].values[first, second] for name in ("z_score", "null_z_score"))
    lowest, highest = np.floor(min(given.min(), random.min())), np.ceil(max(given.max(), random.max()))
    bins = np.arange(lowest, highest + 0.75, 0.5).tolist()
    ax.hist(random, bins, histtype="stepfilled", color="0.7", label=f"random, {np.square(random).mean():.2f}")
    ax.hist(given, bins, histtype="step", color=plotting.COLORS[0], label=f"given, {np.square(given).mean():.2f}")
    ax.set(xlabel="z-score", ylabel="pairs of glomeruli", yscale="log")
    ax.set_ylim(0.5, 5.0 * ax.get_ylim()[1])
    ax.legend(loc="upper right", title="mean square")


def _draw(ax: "Axes", at: "xr.Dataset") -> None:
    from simnn import plotting

    trials = studies.parameters(at)["trials"]
    places = np.arange(1.0, len(NULLS) + 1.0)
    for color, marker, level in zip(
        plotting.COLORS, plotting.MARKERS, at["coding_level"].values.tolist(), strict=False
    ):
        point = at.sel(coding_level=level)
        if np.isfinite(point["uniform_theory"]):
            ax.plot([-0.4, len(NULLS) + 0.4], np.full(2, point["uniform_theory"]), color=color, lw=0.6, zorder=1)
            ax.plot([0.6, 1.4], np.full(2, point["degrees_theory"]), color=color, lw=0.8, zorder=1)
        ax.plot(0.0, point["dimension"], marker, color=color, mfc="white", ms=6.0)
        ax.errorbar(
            places, point["null_dimension"].sel(null=list(NULLS)),
            yerr=point["null_dimension_stderr"].sel(null=list(NULLS)) * np.sqrt(trials), fmt=marker, color=color,
            label=f"$f = {level:g}$",
        )  # fmt: skip
    ax.set(xlim=(-0.5, len(NULLS) + 0.5), xlabel="wiring")
    ax.set_xticks([0.0, *places], ["given", *NULLS], rotation=45, ha="right", rotation_mode="anchor")
    ax.minorticks_off()
