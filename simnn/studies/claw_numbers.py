"""Claws of Kenyon cells: which number gives codes the most dimensions, and what that depends on."""

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
TITLE = "How many claws: dimension of sparse codes"
CAPTION = (
    "Dimension of the codes that M = {kenyon_cells} Kenyon cells with K claws (inputs) make of Gaussian odors in N = "
    "{glomeruli} glomeruli, at coding levels f = {coding_level}; harmonic means over {trials} wirings with standard "
    "errors. (a, b) Lines: M/(1 + (M - 1) E r^2), r the correlation of the codes of two cells, for laws of weights "
    "(binary, or log-normal as measured in cerebellum or cortex), with M or with the synapses S = 7 M fixed, without "
    "inhibition or with the mean weight subtracted (balanced); stars: best number, where it is in the range. 7 claws "
    "are the best for some of these choices and not for others, and no property of the architecture. Presets with "
    "these choices: mushroom_body (binary, M fixed, no inhibition, f = 0.1), mushroom_body_cortical (f = 0.05), "
    "mushroom_body_balanced (binary, S fixed, balanced, f = 0.05). (c) What decides which cells fire, for binary "
    "weights and M fixed: a threshold for each cell, one for all (the same, where weights are equal), or as many "
    "winners for each odor. These have the dimension of odors of equal length under balanced inhibition (dotted), with "
    "or without inhibition. (d) Participation ratio of P odors (line: theory to the order 1/P), and the estimate over "
    "pairs of odors, which has no such bias; dashed: dimension of all odors. Claims: OLF3, A3-37."
)

QUOTED = 7
"""Claws that are said to be the best."""

_TWINS = 3  # Up to so many claws cells with the same ones are not rare; of winners with equal drives one is the first.
_PAIRS = 2**15  # of cells, where the average over weights is sampled

_NAMES = {
    "circuit": "law of the weights, what stays fixed as claws vary, and inhibition",
    "coding_level": "fraction of active cells",
    "claws": "inputs of each cell",
    "odors": "number of odors",
    "inputs": "inputs of each cell, all numbers",
    "dimension": "dimension of the codes, each cell with its threshold",
    "winners_dimension": "dimension of codes of winners, binary weights, M fixed, no inhibition",
    "global_dimension": "dimension with one threshold for all cells, binary weights, M fixed, no inhibition",
    "raw_dimension": "participation ratio of the codes of so many odors, binary weights, balanced, 7 claws",
    "pair_dimension": "dimension estimated over pairs of so many odors, binary weights, balanced, 7 claws",
}


def _circuit(name: Any) -> list[Any]:
    """Law of the weights, constraint and inhibition."""
    from simnn.olfaction.weights import WEIGHTS

    parts = name.split() if isinstance(name, str) else []
    fits = (
        len(parts) == 3
        and parts[0] in WEIGHTS
        and parts[1] in ("cells", "synapses")
        and parts[2] in ("none", "balanced")
    )
    studies.require(
        fits, "circuit", name,
        f"a law of weights ({', '.join(WEIGHTS)}), what is fixed (cells, synapses) and inhibition (none, "
        "balanced), with spaces between",
    )  # fmt: skip
    return parts


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
    axes = {"circuit": 6, "coding_level": 2, "claws": None, "odors": None}
    checked = studies.check(MODEL, parameters, axes=axes, needs=("glomeruli", "kenyon_cells", "pairs"))
    for name in checked["circuit"]:
        _circuit(name)
    levels = checked["coding_level"]
    studies.require(max(levels) < 0.5, "coding_level", levels, "below 0.5, as the theory of winners needs")
    claws, odors, glomeruli = checked["claws"], checked["odors"], checked["glomeruli"]
    studies.require(QUOTED in claws, "claws", claws, f"a list with {QUOTED} in it, which are said to be the best")
    studies.require(min(claws) >= 1 and max(claws) < glomeruli, "claws", claws, "from 1 to below the glomeruli")
    studies.require(len(claws) > 1, "claws", claws, "two or more numbers, for a comparison")
    studies.require(min(odors) >= 50, "odors", odors, "at least 50")
    return checked


def simulate(
    *,
    circuit: Sequence[str],
    coding_level: Sequence[float],
    claws: Sequence[int],
    odors: Sequence[int],
    glomeruli: int,
    kenyon_cells: int,
    pairs: int,
    trials: int,
    seed: int = 0,
    backend: str = "auto",
) -> "xr.Dataset":
    """Dimension of codes for numbers of claws, and how its estimates depend on the number of odors.

    Parameters
    ----------
    circuit : sequence of str
        Law of the weights, what is fixed (``cells`` or ``synapses``) and inhibition, such as ``"binary cells none"``.
    coding_level : sequence of float
        Fraction of active cells.
    claws : sequence of int
        Inputs of each cell.
    odors : sequence of int
        Numbers of odors whose dimensions are compared.
    glomeruli, kenyon_cells : int
        Of circuits with 7 claws: others have as many synapses as these, if synapses are fixed.
    pairs : int
        Odors of all other measurements, all pairs of which are compared.
    trials, seed, backend
        As for `simnn.olfaction.simulate`.

    Returns
    -------
    xarray.Dataset
        ``dimension`` (circuit, coding_level, claws), ``winners_dimension``, ``global_dimension`` (coding_level, claws),
        ``raw_dimension``, ``pair_dimension`` (odors), each with ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import olfaction

    run: dict[str, Any] = {"glomeruli": glomeruli, "trials": trials, "seed": seed, "backend": backend}

    def over_claws(which: str, **how: Any) -> "list[xr.DataArray]":
        weights, constraint, inhibition = _circuit(which)
        parts = [
            olfaction.simulate(
                kenyon_cells=kenyon_cells if constraint == "cells" else round(kenyon_cells * QUOTED / k),
                claws=[k], weights=weights, inhibition=inhibition, coding_level=list(coding_level), odors=pairs,
                pairs=pairs, keep_trials=True, **run, **how,
            )["dimension"]
            for k in claws
        ]  # fmt: skip
        return _harmonic(xr.concat(parts, "claws").transpose("coding_level", "claws", "trial"))

    found = [xr.concat(both, "circuit") for both in zip(*(over_claws(which) for which in circuit), strict=True)]
    columns = dict(zip(("dimension", "dimension_stderr"), found, strict=True))
    for sparsening, name in (("winners", "winners_dimension"), ("global", "global_dimension")):
        columns[name], columns[f"{name}_stderr"] = over_claws("binary cells none", sparsening=sparsening)
    few = olfaction.simulate(
        kenyon_cells=kenyon_cells, claws=QUOTED, inhibition="balanced", coding_level=max(coding_level),
        odors=list(odors), pairs=max(odors), keep_trials=True, **run,
    )  # fmt: skip
    for name, values in (("raw_dimension", few["raw_dimension"]), ("pair_dimension", few["dimension"])):
        columns[name], columns[f"{name}_stderr"] = _harmonic(values)
    dataset = xr.Dataset(columns).assign_coords(circuit=list(circuit))
    studies.describe(dataset, _NAMES)
    axes = {"circuit": circuit, "coding_level": coding_level, "claws": claws, "odors": odors}
    parameters = (
        {name: list(axis) for name, axis in axes.items()} | run | {"kenyon_cells": kenyon_cells, "pairs": pairs}
    )
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _harmonic(values: "xr.DataArray") -> "list[xr.DataArray]":
    """Harmonic mean over trials, and its standard error.

    Sums over pairs of odors estimate ``tr C^2`` without bias, and the trace hardly varies: so does the inverse of a
    dimension, while the mean of the dimensions is too large, where few directions have most of the variance.
    """
    inverse = 1.0 / values
    mean, stderr = inverse.mean("trial"), inverse.std("trial", ddof=1) / math.sqrt(values.sizes["trial"])
    return [1.0 / mean, stderr / mean**2]


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add closed forms.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``curve_theory`` (circuit, coding_level, inputs), for all numbers of claws, ``dimension_theory`` at those
        that are simulated and ``dimension_sampling``, its standard error; ``binary_theory``, ``winners_theory``
        and its ``winners_correction`` (coding_level, inputs); ``raw_dimension_theory`` (odors);
        ``all_odors_theory``.
    """
    import xarray as xr

    from simnn.olfaction import theory

    given = studies.parameters(dataset)
    n, m = given["glomeruli"], given["kenyon_cells"]
    circuits, levels, claws, odors = (dataset[name].values for name in ("circuit", "coding_level", "claws", "odors"))
    inputs = np.arange(1, int(claws.max()) + 1)
    curve, sampling = np.empty((2, len(circuits), len(levels), len(inputs)))
    for i, name in enumerate(circuits.tolist()):
        weights, constraint, inhibition = _circuit(name)
        cells = m + 0.0 * inputs if constraint == "cells" else theory.kenyon_cells_of(m * QUOTED, inputs)
        square = theory.mean_square_correlation(n, inputs, levels[:, None], inhibition, weights, pairs=_PAIRS)
        curve[i] = 1.0 / (1.0 / cells + (1.0 - 1.0 / cells) * square.value)
        sampling[i] = curve[i] ** 2 * square.stderr
    winners = np.array(
        [
            [[winners_dimension(n, m, k, f, order) for k in inputs.tolist()] for f in levels.tolist()]
            for order in (True, False)
        ]
    )
    at = np.searchsorted(inputs, claws)
    three = ("circuit", "coding_level")
    whole = float(theory.dimension(n, m, QUOTED, levels.max(), "balanced"))
    columns = {
        "curve_theory": ((*three, "inputs"), curve, "dimension of the codes, in theory"),
        "dimension_theory": ((*three, "claws"), curve[:, :, at], "dimension of the codes, in theory"),
        "dimension_sampling": ((*three, "claws"), sampling[:, :, at], "standard error of the theory, by sampled pairs"),
        "binary_theory": (
            ("coding_level", "inputs"),
            theory.dimension(n, m, inputs, levels[:, None]),
            "dimension for binary weights, M fixed, no inhibition, in theory",
        ),
        "winners_theory": (("coding_level", "inputs"), winners[0], "dimension of codes of winners, in theory"),
        "winners_correction": (
            ("coding_level", "inputs"),
            winners[0] - winners[1],
            "part of the theory of winners that is of the first order in 1 / M",
        ),
        "raw_dimension_theory": (
            ("odors",),
            _raw_dimension(n, m, levels.max(), odors.astype(np.float64), whole),
            "participation ratio of so many odors, in theory",
        ),
        "all_odors_theory": ((), whole, "dimension of all odors, binary weights, balanced, 7 claws, in theory"),
    }
    return dataset.assign(
        {
            name: xr.Variable(dims, values, {"long_name": label, "units": "1"})
            for name, (dims, values, label) in columns.items()
        }
    ).assign_coords(inputs=("inputs", inputs, {"long_name": _NAMES["inputs"], "units": "1"}))


def _raw_dimension(glomeruli: int, cells: int, f: float, odors: "Array", dimension: float) -> "Array":
    """Participation ratio of the sample covariance of P codes: ``1 / ((1 - 1/P) / dim + 1/(P - 1) + V/P)``.

    Ratio of the means of ``(tr C)^2`` and ``tr C^2`` over samples, with the fourth cumulants of the codes: they enter
    through V, the relative variance of the squared length of a code. Its distance from the mean code is, up to a
    constant, ``1 - 2 f`` times the number of active cells.
    """
    from simnn.olfaction import drive_pairs, theory

    shared, probabilities = drive_pairs.overlaps(glomeruli, QUOTED)
    rho = drive_pairs.binary_correlations(glomeruli, QUOTED, shared, True, 0.0)
    mean = float(probabilities @ np.asarray(theory.output_correlation(rho, f)))
    spread = (1.0 - 2.0 * f) ** 2 * (1.0 / cells + (1.0 - 1.0 / cells) * mean) / (f * (1.0 - f))
    return np.asarray(1.0 / ((1.0 - 1.0 / odors) / dimension + 1.0 / (odors - 1.0) + spread / odors))


def winners_dimension(
    glomeruli: int, kenyon_cells: int, claws: int, coding_level: float, correction: bool = True
) -> float:
    """Dimension of codes of winners, for binary weights, to the first order in 1 / M.

    Winners do not depend on the mean nor on the length of an odor: they are the cells whose balanced drive exceeds a
    threshold, for an odor on the sphere in N - 1 dimensions. Two drives of correlation rho, cosines of the odor with
    two directions of angle a, both exceed t with probability
    ``(1/pi) int_{a/2}^{acos t} (1 - (t / cos x)^2)^((N - 3)/2) dx``. In a finite circuit the threshold moves with the
    drives of all cells, which makes codes of correlation r anticorrelate: by 1 / M if the drives do not correlate, and
    more if they do. With v = f (1 - f), p and p2 the densities of one drive and of both at the threshold, and Q
    the probability that one is above if the other is at it,
    ``M dr = p2 / p^2 - (2 / v) (f^2 + (1 - 2 f) Q + (1/2 - f) (Q - f))``:
    one cell or the other at the threshold moved by each of the two cells, and both at it, moved by all.

    Parameters
    ----------
    glomeruli, kenyon_cells, claws : int
        N >= 4, M, K < N.
    coding_level : float
        f, inside (0, 1/2).
    correction : bool
        Whether dr counts.

    Returns
    -------
    float
        Cells with the same inputs, of which the first wins, are not accounted for: they are rare from K = 4 on.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    from simnn.olfaction import drive_pairs, theory

    f, power = coding_level, 0.5 * (glomeruli - 3)
    x, weight = np.polynomial.legendre.leggauss(200)

    def both(angle: float, t: float) -> float:
        half = 0.5 * (math.acos(t) - 0.5 * angle)
        if half <= 0.0:
            return 0.0
        inside = 1.0 - (t / np.cos(0.5 * angle + half * (1.0 + x))) ** 2
        return half * float(weight @ np.maximum(inside, 0.0) ** power) / math.pi

    shared, probabilities = drive_pairs.overlaps(glomeruli, claws)
    rho = drive_pairs.binary_correlations(glomeruli, claws, shared, True, 0.0)
    t = brentq(lambda t: both(0.0, t) - f, 0.0, 1.0 - 1e-9)
    v = f * (1.0 - f)
    r = np.array([both(math.acos(c), t) - f * f for c in np.clip(rho, -1.0, 1.0).tolist()]) / v
    # The correction is small: Gaussian drives will do. Cells with the same inputs move alike.
    theta, c = theory.threshold(f), np.minimum(rho, 1.0 - 1e-12)
    other = ndtr(-theta * np.sqrt((1.0 - c) / (1.0 + c)))
    ratio = np.exp(theta**2 * c / (1.0 + c)) / np.sqrt(1.0 - c * c)
    shift = ratio - 2.0 / v * (f * f + (1.0 - 2.0 * f) * other + (0.5 - f) * (other - f))
    shift = np.where(rho < 1.0, correction * shift / kenyon_cells, 0.0)
    square = float(probabilities @ (r * r + 2.0 * r * shift))
    return 1.0 / (1.0 / kenyon_cells + (1.0 - 1.0 / kenyon_cells) * square)


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Dimensions are those of theory; 7 claws are the best for some choices only.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerance: four standard errors of the theory, where it is an average over sampled weights; for winners half of
        the correction of the first order in 1 / M.
    """
    rows = []
    for name in dataset["circuit"].values.tolist():
        at = dataset.sel(circuit=name, drop=True)
        rows += Claim.worst(
            "OLF3",
            f"dimension of codes is M/(1 + (M - 1) E r^2); {_words(name)}",
            prediction=at["dimension_theory"],
            measured=at["dimension"],
            stderr=at["dimension_stderr"],
            tolerance=studies.STANDARD_ERRORS * at["dimension_sampling"],
        )
    for name in dataset["circuit"].values.tolist():
        for level in dataset["coding_level"].values.tolist():
            rows.append(_quoted(dataset.sel(circuit=name, coding_level=level), _words(name)))
    rows.append(_sparse(dataset))
    closed = dataset[["binary_theory", "winners_theory", "winners_correction"]].sel(inputs=dataset["claws"])
    rows += Claim.worst(
        "OLF3",
        "winners have the dimension of odors of equal length under balanced inhibition, without any",
        prediction=closed["winners_theory"].where(dataset["claws"] > _TWINS),
        measured=dataset["winners_dimension"],
        stderr=dataset["winners_dimension_stderr"],
        tolerance=0.5 * abs(closed["winners_correction"]),
    )
    rows += Claim.worst(
        "OLF3",
        "one threshold for all cells is as good as one for each, for equal weights",
        prediction=closed["binary_theory"],
        measured=dataset["global_dimension"],
        stderr=dataset["global_dimension_stderr"],
    )
    for kind, text, theory in (
        (
            "raw",
            "participation ratio of P odors falls short as 1/dim + (1 + V)/P says",
            dataset["raw_dimension_theory"],
        ),
        ("pair", "the estimate over pairs of odors has no such bias", dataset["all_odors_theory"]),
    ):
        rows += Claim.worst(
            "OLF3",
            text,
            prediction=theory,
            measured=dataset[f"{kind}_dimension"],
            stderr=dataset[f"{kind}_dimension_stderr"],
        )
    return rows


def _words(circuit: str) -> str:
    weights, constraint, inhibition = _circuit(circuit)
    return f"{weights} weights, {'M' if constraint == 'cells' else 'S'} fixed, {inhibition.replace('none', 'no')} " + (
        "inhibition"
    )


def _ratio(at: "xr.Dataset", first: int, second: int) -> dict[str, float]:
    """Dimension with so many claws over that with others."""
    a, b = (at.sel(claws=k) for k in (first, second))
    measured = a["dimension"].item() / b["dimension"].item()
    parts = [part[f"dimension{end}"].item() for part in (a, b) for end in ("_stderr", "")]
    sampled = [part["dimension_sampling"].item() / part["dimension_theory"].item() for part in (a, b)]
    prediction = a["dimension_theory"].item() / b["dimension_theory"].item()
    return {
        "prediction": prediction,
        "measured": measured,
        "stderr": measured * math.hypot(parts[0] / parts[1], parts[2] / parts[3]),
        "tolerance": studies.STANDARD_ERRORS * prediction * math.hypot(*sampled),
    }


def _quoted(at: "xr.Dataset", words: str) -> Claim:
    """Whether 7 claws are the best: their dimension over the best of the others that were simulated."""
    others = at["dimension_theory"].where(at["claws"] != QUOTED, -np.inf)
    rival = int(at["claws"].values[others.values.argmax()])
    best = _best(at)
    values = _ratio(at, QUOTED, rival)
    share = at["curve_theory"].sel(inputs=QUOTED).item() / at["curve_theory"].max().item()
    near = at["inputs"].values[at["curve_theory"].values >= 0.99 * at["curve_theory"].max().item()]
    tie = f"; {', '.join(map(str, near))} are within 1% in theory" if best == QUOTED and len(near) > 1 else ""
    correction = f"{best} are the best in theory; 7 have {share:.3g} of that: no property of the architecture"
    return Claim.test(
        "OLF3",
        f"{QUOTED} claws are the best, f = {at['coding_level'].item():g}, {words}: dimension over that with {rival}"
        f"{tie}",
        correction=None if best == QUOTED else correction,
        **values,
    )


def _best(at: "xr.Dataset") -> int:
    return int(at["inputs"].values[at["curve_theory"].values.argmax()])


def _sparse(dataset: "xr.Dataset") -> Claim:
    """Sparse wirings beat dense ones, at the smallest coding level of the first circuit."""
    name = dataset["circuit"].values.tolist()[0]
    at = dataset.sel(circuit=name, coding_level=dataset["coding_level"].min())
    few, many = int(at["claws"].values[at["dimension_theory"].values.argmax()]), int(at["claws"].max())
    return Claim.test(
        "A3-37",
        f"cells are randomly wired to the receptors and fire sparsely, f = {at['coding_level'].item():g}: dimension "
        f"with {few} over that with {many} claws, {_words(name)}",
        correction="few random inputs serve the dimension where nothing balances them; how many are the best depends "
        "on weights, constraint and inhibition",
        **_ratio(at, few, many),
    )


def figure(dataset: "xr.Dataset") -> "Figure":
    """Dimension against claws for all circuits, what decides which cells fire, and the bias of few odors.

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

    levels = sorted(dataset["coding_level"].values.tolist())
    with plotting.figure_style():
        fig, axes = plt.subplots(2, 2, figsize=(plotting.DOUBLE_COLUMN, 5.2))
        for ax, level in zip(axes[0], levels, strict=False):
            _draw_circuits(ax, dataset.sel(coding_level=level))
        axes[0, len(levels) - 1].legend(loc="upper right", ncols=3, columnspacing=0.8, **_TIGHT)
        axes[0, 1].set_visible(len(levels) == 2)
        _draw_modes(axes[1, 0], dataset.sel(coding_level=levels[-1]))
        _draw_bias(axes[1, 1], dataset)
        for letter, ax in zip("abcd", axes.flat, strict=True):
            plotting.panel_label(ax, letter)
    return fig


_TIGHT = {"handletextpad": 0.3, "labelspacing": 0.25}


def _ticks(at: "xr.Dataset") -> list[int]:
    return [1, *range(5, int(at["inputs"].max()) + 1, 5)]


def _draw_circuits(ax: "Axes", at: "xr.Dataset") -> None:
    from simnn import plotting

    for color, marker, name in zip(plotting.COLORS, plotting.MARKERS, at["circuit"].values.tolist(), strict=False):
        weights, constraint, inhibition = _circuit(name)
        one, best = at.sel(circuit=name), _best(at.sel(circuit=name))
        label = (
            weights + (", $S$" if constraint == "synapses" else "") + (", balanced" if inhibition == "balanced" else "")
        )
        ax.plot(at["inputs"], one["curve_theory"], color=color, lw=0.9)
        ax.errorbar(
            at["claws"], one["dimension"], yerr=one["dimension_stderr"], fmt=marker, color=color, ms=3.5, label=label
        )
        if best < int(at["inputs"].max()):
            ax.plot(best, one["curve_theory"].sel(inputs=best), "*", color=color, mec="black", mew=0.6, ms=10, zorder=5)
    ax.axvline(QUOTED, color="0.8", lw=0.8, zorder=0)
    ax.set_xticks(_ticks(at))
    ax.set_ylim(0.0, 1.35 * float(at["curve_theory"].max()))
    ax.set(
        xlabel="claws $K$", ylabel="dimension", title=f"$f = {at['coding_level'].item():g}$",
    )  # fmt: skip


def _draw_modes(ax: "Axes", at: "xr.Dataset") -> None:
    from simnn import plotting

    x = at["claws"]
    ax.plot(at["inputs"], at["binary_theory"], color=plotting.COLORS[0], lw=0.9)
    ax.plot(at["inputs"], at["winners_theory"], color=plotting.COLORS[2], ls=":")
    for name, label, style in (
        ("global", "one threshold for all", {"fmt": "o", "color": plotting.COLORS[1], "mfc": "none", "ms": 6.5}),
        ("winners", "winners", {"fmt": "D", "color": plotting.COLORS[2]}),
    ):
        ax.errorbar(x, at[f"{name}_dimension"], yerr=at[f"{name}_dimension_stderr"], label=label, **style)
    for name, label, color, marker in (
        ("binary cells none", "one threshold for each", plotting.COLORS[0], "o"),
        ("binary cells balanced", "one for each, balanced", plotting.COLORS[3], "v"),
    ):
        if name in at["circuit"].values:
            one = at.sel(circuit=name)
            ax.plot(at["inputs"], one["curve_theory"], color=color, lw=0.8)
            ax.errorbar(x, one["dimension"], yerr=one["dimension_stderr"], fmt=marker, color=color, ms=3.5, label=label)
    ax.set(xlabel="claws $K$", ylabel="dimension", title=f"binary, $f = {at['coding_level'].item():g}$")
    ax.set_ylim(0.0, 1.5 * float(at["winners_dimension"].max()))
    ax.set_xticks(_ticks(at))
    ax.legend(loc="upper right", ncols=2, columnspacing=0.8, **_TIGHT)


def _draw_bias(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    given, x, whole = studies.parameters(dataset), dataset["odors"], dataset["all_odors_theory"].item()
    fine = np.geomspace(float(x.min()), float(x.max()), 100)
    curve = _raw_dimension(given["glomeruli"], given["kenyon_cells"], max(given["coding_level"]), fine, whole)
    ax.plot(fine, curve, color=plotting.COLORS[0])
    ax.axhline(whole, color="black", lw=0.8, ls="--")
    for index, name, label in (
        (0, "raw_dimension", "participation ratio"),
        (1, "pair_dimension", "estimate over pairs"),
    ):
        ax.errorbar(
            x, dataset[name], yerr=dataset[f"{name}_stderr"], fmt=plotting.MARKERS[index], color=plotting.COLORS[index],
            label=label,
        )  # fmt: skip
    ax.set(xlabel="odors $P$", ylabel="dimension", xscale="log", ylim=(0.0, 1.2 * whole))
    ax.set_title(f"binary, balanced, $K = {QUOTED}$, $f = {max(given['coding_level']):g}$")
    ax.legend(loc="lower right", handletextpad=0.3)
