"""Odors from receptors to Kenyon cells: what makes them less alike, what spreads them out, and which are not seen."""

import json
from collections.abc import Callable, Mapping
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
    Codes = NDArray[np.bool_]

MODEL = "olfaction"
TITLE = "From receptors to Kenyon cells: normalization spreads odors out, sparse codes separate them"
CAPTION = (
    "(a-c) Correlations of all pairs of odors, sorted by their total receptor rate, across receptor neurons, "
    "projection neurons (divisive normalization, input gain {input_gain}) and {kenyon_cells} Kenyon cells, each with "
    "{claws} random inputs of weight 1, of which a fraction {coding_level} win, those with the largest drives. (d) "
    "The same for groups of pairs, from the least to the most alike: drives of Kenyon cells through the random wiring "
    "(open) correlate as projection neurons do (diagonal, exact on average); winners (filled) less, and less than the "
    "winners of Gaussian drives would (line). (e) Fraction of Kenyon cells that respond to an odor, odors sorted by "
    "it, if each cell has its own threshold, all have one, or the largest drives win; inputs are receptor (dashed) or "
    "projection neurons (solid). (f) Participation ratios of the responses of receptor neurons (R), projection "
    "neurons (P; cross: without lateral inhibition) and Kenyon cells (K, by input) to these odors, without correction "
    "for their number. {trials} random wirings; bands and error bars are standard deviations between them. Claims: "
    "OLF1, A3-36, A3-37."
)

LAYERS = ("receptor neurons", "no inhibition", "projection neurons")
"""Receptor neurons; projection neurons without and with lateral inhibition."""

INPUTS = ("receptor neurons", "projection neurons")
"""What Kenyon cells listen to."""

SPARSENING = ("cell", "global", "winners")
"""Whether each cell has its own threshold, all have one, or the cells with the largest drives to an odor win."""

_GROUPS = 20
_QUARTER = 0.25  # Words stand for numbers within a quarter of them: "doubles" for factors from 1.5 to 2.5.
_THIRDS = 1.0 / 12.0  # "Two thirds" is nearer than a half or five sixths.
_TWENTIETH = 0.05

_NAMES = {
    "layer": "layer",
    "input": "layer that Kenyon cells listen to",
    "sparsening": "what decides which Kenyon cells respond",
    "stage": "layer",
    "odor": "number of the odor, in the order of total receptor rates",
    "other_odor": "number of another odor",
    "group": "number of a group of pairs of odors, from the least to the most alike",
    "rank": "rank of an odor by its coding level",
    "odor_correlation": "mean correlation of two odors across the neurons of a layer",
    "channel_correlation": "mean absolute correlation of two neurons across odors",
    "dimension": "participation ratio of the responses of a layer",
    "layer_population_sparseness": "mean sparseness of the response of a layer to an odor",
    "layer_lifetime_sparseness": "mean sparseness of the responses of a neuron to odors",
    "dimension_gain": "dimension of projection neurons over that of receptor neurons",
    "channel_gain": "mean absolute correlation of projection neurons over that of receptor neurons",
    "odor_gain": "mean correlation of odors across projection neurons over that across receptor neurons",
    "code_dimension": "participation ratio of the codes of all odors",
    "code_population_sparseness": "mean sparseness of the code of an odor that is not silent",
    "code_lifetime_sparseness": "mean sparseness of a Kenyon cell that is not silent",
    "silent_odors": "fraction of odors that no Kenyon cell responds to",
    "silent_cells": "fraction of Kenyon cells that respond to no odor",
    "coding_level": "fraction of Kenyon cells that respond to the odor of this rank",
    "input_correlation": "correlation of two odors across the input, mean over a group",
    "drive_correlation": "correlation of two odors across drives of Kenyon cells, mean over a group",
    "drive_change": "correlation of two odors across drives minus that across the input, mean over all pairs",
    "code_correlation": "correlation of two odors across winners, mean over a group",
    "correlations": "correlation of two odors, first trial",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them; the checksum of a file is added.

    Parameters
    ----------
    parameters : mapping
        Of `simulate`; none of them is an axis.

    Returns
    -------
    dict
        The same.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    needs = ("kenyon_cells", "claws", "coding_level", "input_gain")
    checked = studies.check(None, parameters, axes={}, needs=needs, may=("odors", "odors_sha256"))
    studies.require(checked.get("backend", "auto") != "cuda", "backend", "cuda", "'auto' or 'cpu'")
    studies.require_number(checked, "kenyon_cells", 100, 20_000, whole=True)
    studies.require_number(checked, "claws", 1, 20, whole=True)
    studies.require_number(checked, "coding_level", 0.01, 0.5)
    studies.require_number(checked, "input_gain", 0, 100)
    return checked | studies.checksums(checked, "odors")


def simulate(
    *,
    kenyon_cells: int,
    claws: int,
    coding_level: float,
    input_gain: float,
    trials: int,
    seed: int = 0,
    backend: str = "auto",
    odors: str | None = None,
    odors_sha256: str | None = None,
) -> "xr.Dataset":
    """Responses to a table of odors, layer by layer, for random wirings.

    Parameters
    ----------
    kenyon_cells, claws : int
        M cells with K inputs each, of weight 1.
    coding_level : float
        f, the fraction of cells that respond, on average over odors or to each of them.
    input_gain : float
        Strength of lateral inhibition among projection neurons.
    trials : int
        Random wirings; trial t is the same in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Accepted for the pipeline's sake.
    odors : str, optional
        Table of Hallem & Carlson, a path from the working directory or a URL; absolute rates below zero are set to
        zero. Without it, each trial has a table of its own from `simnn.olfaction.synthetic_odors`.
    odors_sha256 : str, optional
        What its checksum should be.

    Returns
    -------
    xarray.Dataset
        Statistics of layers (layer), of codes (input, sparsening), ``coding_level`` (input, sparsening, rank), groups
        of pairs of odors (input, group), each with ``<name>_stderr``; ``correlations`` (stage, odor, other_odor).
    """
    from simnn import olfaction

    measured = None if odors is None else olfaction.load_odors(odors, sha256=odors_sha256, negative="clip")
    samples: list[dict[str, tuple[tuple[str, ...], Array]]] = []
    stages: list[Array] = []
    for trial in range(trials):
        table, wire = np.random.SeedSequence([seed, trial]).generate_state(2).tolist()
        rates = (olfaction.synthetic_odors(seed=table) if measured is None else measured).rate.values
        rates = rates[np.argsort(-rates.sum(axis=1), kind="stable")]
        layers = [rates, *(olfaction.projection_neurons(rates, input_gain=gain) for gain in (0.0, input_gain))]
        wiring = _wiring(np.random.default_rng(wire), kenyon_cells, rates.shape[1], claws)
        inputs = [layers[0], layers[2]]
        drives = [layer @ wiring.T for layer in inputs]
        codes = [
            [
                olfaction.unpack(olfaction.encode(layer, wiring, coding_level, sparsening=rule), kenyon_cells)
                for rule in SPARSENING
            ]
            for layer in inputs
        ]
        samples.append(_layers(layers) | _kenyon_cells(codes) | _pairs(inputs, drives, [row[2] for row in codes]))
        if trial == 0:
            stages = [np.corrcoef(values) for values in (*inputs, codes[1][2])]
    dataset = studies.averages(
        {name: (dims, np.stack([sample[name][1] for sample in samples])) for name, (dims, _) in samples[0].items()}
    )
    dataset["correlations"] = ("stage", "odor", "other_odor"), np.stack(stages)
    names = {"layer": list(LAYERS), "input": list(INPUTS), "sparsening": list(SPARSENING)}
    numbers = {name: np.arange(dataset.sizes[name]) for name in ("group", "rank", "odor", "other_odor")}
    dataset = dataset.assign_coords(names | numbers | {"stage": [*INPUTS, "Kenyon cells"]})
    studies.describe(dataset, _NAMES)
    parameters = {
        "kenyon_cells": kenyon_cells, "claws": claws, "coding_level": coding_level, "input_gain": input_gain,
        "trials": trials, "seed": seed, "backend": backend, "odors": odors, "odors_sha256": odors_sha256,
    }  # fmt: skip
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _wiring(rng: np.random.Generator, cells: int, channels: int, claws: int) -> "Array":
    if claws >= channels:
        raise ValueError(f"claws: {claws!r} is not allowed: should be below {channels}, the number of receptors")
    chosen = np.argsort(rng.random((cells, channels)), axis=1)[:, :claws]
    wiring = np.zeros((cells, channels))
    np.put_along_axis(wiring, chosen, 1.0, axis=1)
    return wiring


def _layers(layers: "list[Array]") -> "dict[str, tuple[tuple[str, ...], Array]]":
    from simnn import olfaction
    from simnn.olfaction import statistics

    found = [olfaction.layer_statistics(layer) for layer in layers]
    names = ("odor_correlation", "channel_correlation", "dimension")
    out = {name: (("layer",), np.array([row[name] for row in found])) for name in names}
    out["layer_population_sparseness"] = (
        ("layer",), np.array([np.nanmean(statistics.population_sparseness(layer)) for layer in layers])
    )  # fmt: skip
    out["layer_lifetime_sparseness"] = (
        ("layer",), np.array([np.nanmean(statistics.lifetime_sparseness(layer)) for layer in layers])
    )  # fmt: skip
    none: tuple[str, ...] = ()
    gains = {"dimension_gain": "dimension", "channel_gain": "channel_correlation", "odor_gain": "odor_correlation"}
    return out | {gain: (none, np.array(out[name][1][2] / out[name][1][0])) for gain, name in gains.items()}


def _kenyon_cells(codes: "list[list[Codes]]") -> "dict[str, tuple[tuple[str, ...], Array]]":
    from simnn.olfaction import statistics

    measures: dict[str, Callable[[Codes], Any]] = {
        "code_dimension": statistics.raw_dimension,
        "code_population_sparseness": lambda code: np.nanmean(statistics.population_sparseness(code)),
        "code_lifetime_sparseness": lambda code: np.nanmean(statistics.lifetime_sparseness(code)),
        "silent_odors": lambda code: 1.0 - code.any(axis=1).mean(),
        "silent_cells": lambda code: 1.0 - code.any(axis=0).mean(),
    }
    out: dict[str, tuple[tuple[str, ...], Array]] = {
        name: (("input", "sparsening"), np.array([[measure(code) for code in row] for row in codes]))
        for name, measure in measures.items()
    }
    levels = np.array([[np.sort(code.mean(axis=1))[::-1] for code in row] for row in codes])
    return out | {"coding_level": (("input", "sparsening", "rank"), levels)}


def _pairs(
    inputs: "list[Array]", drives: "list[Array]", winners: "list[Codes]"
) -> "dict[str, tuple[tuple[str, ...], Array]]":
    """Correlations of pairs of odors, in groups of pairs that are about as alike across the input."""
    above = np.triu_indices(len(inputs[0]), 1)
    groups, changes = [], []
    for layers in zip(inputs, drives, winners, strict=True):
        correlations = [np.corrcoef(layer)[above] for layer in layers]
        order = np.argsort(correlations[0], kind="stable")
        groups.append([[part.mean() for part in np.array_split(r[order], _GROUPS)] for r in correlations])
        changes.append((correlations[1] - correlations[0]).mean())
    out: dict[str, tuple[tuple[str, ...], Array]] = {
        f"{name}_correlation": (("input", "group"), np.array(groups)[:, k])
        for k, name in enumerate(("input", "drive", "code"))
    }
    return out | {"drive_change": (("input",), np.array(changes))}


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add what a random wiring does to correlations: nothing, on average.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``drive_correlation_theory`` (input, group): sums over random subsets of the channels have the covariance
        of the channels, times ``K (N - K) / (N - 1)`` whatever the odors; and ``winners_theory``, the fraction of cells
        that win.
    """
    given = studies.parameters(dataset)
    winners = round(given["coding_level"] * given["kenyon_cells"]) / given["kenyon_cells"]
    columns = {
        "drive_correlation_theory": (
            ("input", "group"),
            dataset["input_correlation"].values,
            "correlation of two odors across the drives of infinitely many cells, mean over a group",
        ),
        "winners_theory": ((), winners, "fraction of Kenyon cells that win"),
    }
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """What decorrelates, what normalization does, and who stays silent.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Words ("doubles", "halves") hold within a quarter of their numbers. Synthetic tables were fitted to the
        statistics of receptor and projection neurons of the measured one, so that rows on normalization are no news
        there; those on Kenyon cells are. Standard errors are those between wirings, and between synthetic tables.
    """
    given = studies.parameters(dataset)
    table = "synthetic tables, fitted to this" if given.get("odors") is None else "measured table"
    rows = Claim.worst(
        "A3-36",
        "the random projection acts as a decorrelator: mean correlation of odors across the drives of Kenyon cells",
        prediction=dataset["drive_correlation_theory"].mean("group"),
        measured=dataset["drive_correlation"].mean("group"),
        stderr=dataset["drive_change_stderr"],
        # Estimates from M cells are low by rho (1 - rho^2) / (2 M), at most.
        tolerance=0.2 / given["kenyon_cells"],
        correction="it keeps correlations; the competition of Kenyon cells lowers them",
    )
    for name, statement, prediction in (
        ("dimension_gain", "normalization doubles the dimension of the responses to odors", 2.0),
        ("channel_gain", "normalization halves the correlation of channels", 0.5),
    ):
        rows.append(
            Claim.test(
                "OLF1", f"{statement}: factor, {table}", prediction=prediction, measured=dataset[name].item(),
                stderr=dataset[f"{name}_stderr"].item(), tolerance=_QUARTER * prediction,
            )
        )  # fmt: skip
    rows.append(
        Claim.test(
            "OLF1", f"normalization makes odors less alike: factor of their mean correlation, {table}",
            prediction=1.125, measured=dataset["odor_gain"].item(), stderr=dataset["odor_gain_stderr"].item(),
            tolerance=0.125, correction="it does not; their correlation rises slightly, by up to a quarter",
        )
    )  # fmt: skip
    thresholds = {"sparsening": ["cell", "global"]}
    silent, stderr = (dataset[name].sel(thresholds) for name in ("silent_odors", "silent_odors_stderr"))
    receptors, projection = {"input": INPUTS[0]}, {"input": INPUTS[1]}
    rows += Claim.worst(
        "A3-37",
        "Kenyon cells fire very sparsely: fraction of odors that none responds to, inputs receptor neurons",
        prediction=0.0 * silent.sel(receptors) + 2.0 / 3.0,
        measured=silent.sel(receptors),
        stderr=stderr.sel(receptors),
        tolerance=_THIRDS,
        correction="with thresholds on receptor rates, two thirds of the odors are not seen at all",
    )
    rows += Claim.worst(
        "A3-37",
        "after normalization, thresholds leave next to no odor silent",
        prediction=0.0 * silent.sel(projection),
        measured=silent.sel(projection),
        stderr=stderr.sel(projection),
        tolerance=_TWENTIETH,
    )
    levels = dataset["coding_level"].sel(sparsening="winners")
    rows += Claim.worst(
        "A3-37",
        "if the largest drives win, every odor has the same coding level",
        prediction=0.0 * levels + dataset["winners_theory"],
        measured=levels,
        stderr=0.0 * levels,
        tolerance=1e-12,
    )
    return rows


def source(parameters: Mapping[str, Any]) -> str:
    """Where the odors come from.

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

    if parameters.get("odors") is None:
        return (
            "Odors: synthetic, with the statistics of Hallem & Carlson 2006, Cell 125, 143, a new table of 110 odors "
            "and 24 receptors for each wiring."
        )
    return f"Odors: {publication(parameters['odors_sha256'])}; absolute rates below zero set to zero."


def figure(dataset: "xr.Dataset") -> "Figure":
    """Correlation matrices, correlations before and after, coding levels, dimensions.

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
        fig, axes = plt.subplots(2, 3, figsize=(plotting.DOUBLE_COLUMN, 4.9))
        for ax, stage in zip(axes[0], dataset["stage"].values.tolist(), strict=True):
            values = dataset["correlations"].sel(stage=stage)
            ends = 0.5, len(values) + 0.5
            image = ax.imshow(values, vmin=-1.0, vmax=1.0, cmap="RdBu_r", extent=(*ends, *ends[::-1]))
            ax.set(title=stage, xlabel="odor")
        axes[0, 0].set(ylabel="odor")
        fig.colorbar(image, ax=axes[0].tolist(), shrink=0.8, label="correlation")
        for ax, draw in zip(axes[1], (_draw_pairs, _draw_levels, _draw_dimensions), strict=True):
            draw(ax, dataset)
        for letter, ax in zip("abcdef", axes.ravel(), strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _deviation(dataset: "xr.Dataset", name: str) -> "xr.DataArray":
    """Standard deviation between trials."""
    return dataset[f"{name}_stderr"] * float(np.sqrt(studies.parameters(dataset)["trials"]))


def _draw_pairs(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting
    from simnn.olfaction import theory

    at = dataset.sel(input=INPUTS[1])
    x = at["input_correlation"]
    ends = float(x.min()) - 0.1, 1.0
    ax.plot(ends, ends, color="0.6", lw=0.8)
    rho = np.linspace(ends[0], ends[1], 200)
    f = studies.parameters(dataset)["coding_level"]
    ax.plot(rho, np.asarray(theory.output_correlation(rho, f)), color=plotting.COLORS[0], label="Gaussian drives")
    for name, face, label in (("drive", "white", "drives"), ("code", plotting.COLORS[0], "winners")):
        ax.errorbar(
            x, at[f"{name}_correlation"], yerr=_deviation(at, f"{name}_correlation"), fmt="o", mfc=face,
            color=plotting.COLORS[0], label=label,
        )  # fmt: skip
    ax.set(xlabel="correlation across projection neurons", ylabel="correlation across Kenyon cells", xlim=ends)
    ax.legend(loc="upper left", handletextpad=0.4, labelspacing=0.3)


def _draw_levels(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    rank = dataset["rank"].values + 1.0
    for color, rule in zip(plotting.COLORS, SPARSENING, strict=False):
        for layer, dashes in zip(INPUTS, ("--", "-"), strict=True):
            at = {"input": layer, "sparsening": rule}
            level = dataset["coding_level"].sel(at)
            spread = _deviation(dataset, "coding_level").sel(at)
            ax.plot(rank, level, color=color, ls=dashes, lw=0.9, label=rule if dashes == "-" else None)
            ax.fill_between(rank, level - spread, level + spread, color=color, alpha=0.2, lw=0.0)
    ax.set(xlabel="rank of the odor", ylabel="coding level")
    ax.set_yscale("symlog", linthresh=0.01, linscale=0.5)
    ax.set(ylim=(0.0, 1.5), xlim=(1.0, len(rank)))
    ax.set_yticks([0.0, 0.01, 0.1, 1.0], ["0", "0.01", "0.1", "1"])
    ax.legend(loc="upper right", title="threshold", handletextpad=0.4, labelspacing=0.3)


def _draw_dimensions(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    spread = _deviation(dataset, "dimension")
    for x, layer, fmt in zip((0.0, 1.0, 1.0), LAYERS, "sxs", strict=True):
        ax.errorbar(
            x, dataset["dimension"].sel(layer=layer), yerr=spread.sel(layer=layer), fmt=fmt, color="0.3", mec="0.3"
        )  # fmt: skip
    for k, (color, rule) in enumerate(zip(plotting.COLORS, SPARSENING, strict=False)):
        at = dataset.sel(sparsening=rule)
        for x, layer, face in ((2.0, INPUTS[0], "white"), (3.0, INPUTS[1], color)):
            ax.errorbar(
                x + 0.15 * (k - 1), at["code_dimension"].sel(input=layer),
                yerr=_deviation(at, "code_dimension").sel(input=layer), fmt=plotting.MARKERS[k], color=color, mfc=face,
                label=rule if face == color else None,
            )  # fmt: skip
    ax.set(xlabel="layer (input)", ylabel="dimension", yscale="log", xlim=(-0.5, 3.5), ylim=(2.0, 100.0))
    ax.set_xticks([0.0, 1.0, 2.0, 3.0], ["R", "P", "K (R)", "K (P)"])
    ax.set_yticks([3.0, 10.0, 30.0, 100.0], ["3", "10", "30", "100"])
    ax.minorticks_off()
    ax.legend(loc="upper left", handletextpad=0.2, labelspacing=0.3)
