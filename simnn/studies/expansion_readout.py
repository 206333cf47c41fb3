"""Sparse expansions and a Hebbian readout: error falls with expansion and sparseness, down to an interior optimum."""

import json
import math
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

MODEL = "olfaction"
TITLE = "Sparse expansions: the best coding level is not the smallest"
CAPTION = (
    "Hebbian readout that has learnt {odors} odors of {glomeruli} glomeruli with random labels, and sees noisy copies, "
    "through M cells of {claws} inputs, {trials} wirings. (a, b) Error against the coding level f, at the second "
    "largest M, for several noises Delta S of the odors: (a) each cell has a threshold, (b) f M winners. Solid: "
    "Q(sqrt(dim (1 - Delta C)^2/P)), where dim, the dimension of the codes, falls with f, and Delta C, their noise, "
    "grows as f vanishes. Dashed: the same, averaged over how many cells are active, and active again, for an odor. "
    "Open: points where fewer than 20 cells are active, or a cell has learnt fewer than 4 odors, or, with thresholds, "
    "activity follows the length of the odor (f < 0.05): the solid law fails there, and nothing is claimed for it. "
    "(c) Error against M/{glomeruli} at the middle noise, and the limit of many cells (dotted); filled: thresholds, "
    "open: winners. (d) Best coding level against M, colors as in (a), symbols as in (c); lines: best level of the "
    "dashed law (dotted: winners), too low where few cells are active. Points: means with standard errors. Claims: "
    "OLF2, A0-28, A3-42."
)

_FEW_CELLS, _FEW_ODORS = 20.0, 4.0
"""Active cells, and odors that a cell has learnt, that a sum needs to be nearly normal."""

_LENGTHS = 0.05
"""Coding level from where on thresholds follow the lengths of odors too closely for one signal-to-noise ratio."""

_MANY = 100.0
"""Expansion M/N from where on more cells hardly matter."""

_POWER = 3.0
"""Expected change of the best coding level, in standard errors, from where on data can tell whether it changes."""

_ACCURACY = 0.01
"""Of the laws of the readout, where they hold."""

_SAMPLES = 2**14
_RESAMPLES = 400

_NAMES = {
    "sparsening": "what decides which cells are active",
    "kenyon_cells": "Kenyon cells",
    "noise": "1 - correlation of a noisy copy with its odor",
    "coding_level": "fraction of active cells that is asked for",
    "readout_error": "fraction of noisy copies that a Hebbian readout of all odors gets wrong",
    "cluster_noise": "1 - correlation of the codes of an odor and its noisy copy",
    "dimension": "dimension of the codes",
    "odor_activity_deviation": "standard deviation over odors of the fraction of active cells",
}

_DIMS = ("sparsening", "kenyon_cells", "noise", "coding_level")


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.olfaction.simulate`, with ``sparsening``, ``kenyon_cells``, ``noise`` and ``coding_level`` as axes;
        ``glomeruli``, ``claws`` and ``odors``.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"sparsening": 2, "kenyon_cells": 6, "noise": 4, "coding_level": 12}
    checked = studies.check(MODEL, parameters, axes=axes, needs=("glomeruli", "claws", "odors"))
    size, claws = checked["glomeruli"], checked["claws"]
    studies.require(size >= 10, "glomeruli", size, "at least 10, for drives to an odor to be nearly normal")
    studies.require(3 <= claws <= size // 2, "claws", claws, f"3 to {size // 2}, for drives to be nearly normal")
    for rule in checked["sparsening"]:
        studies.require(rule != "global", "sparsening", rule, "'cell' or 'winners'")
    for noise in checked["noise"]:
        studies.require(0.0 < noise < 1.0, "noise", noise, "in (0, 1)")
    studies.require(
        len(checked["coding_level"]) > 2, "coding_level", checked["coding_level"], "three values or more, for a minimum"
    )
    for level in checked["coding_level"]:
        studies.require(level <= 0.5, "coding_level", level, "in (0, 0.5]")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Errors of a Hebbian readout of random expansions.

    Parameters
    ----------
    **parameters
        Of `simnn.olfaction.simulate`, with sequences for ``sparsening``, ``kenyon_cells``, ``noise`` and
        ``coding_level`` only. Weights are binary and balanced by inhibition.

    Returns
    -------
    xarray.Dataset
        ``readout_error``, ``cluster_noise``, ``dimension`` and ``odor_activity_deviation`` (sparsening, kenyon_cells,
        noise, coding_level), each with ``<name>_stderr``.
    """
    from simnn import olfaction

    given = parameters | {name: np.atleast_1d(parameters[name]).tolist() for name in _DIMS}
    found = olfaction.simulate(inhibition="balanced", **given).transpose(*_DIMS)
    names = [name for name in _NAMES if name not in _DIMS]
    dataset = found[[*names, *(f"{name}_stderr" for name in names)]]
    studies.describe(dataset, _NAMES)
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": given["trials"]}
    return dataset


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the signal-to-noise law, what fluctuations of activity do to it, and best coding levels.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``dimension_theory`` (kenyon_cells, coding_level) and ``readout_error_theory`` (kenyon_cells, noise,
        coding_level) for cells with thresholds; ``limit_theory`` (noise, coding_level), its value for infinitely many
        cells; ``cluster_noise_theory`` (noise, coding_level); ``fluctuating_error_theory`` (sparsening, kenyon_cells,
        noise, coding_level), see `fluctuating_error`, of winners with the dimension that was measured;
        ``best_coding_level``, ``best_coding_level_stderr`` and ``best_coding_level_theory``, of the fluctuating law
        (sparsening, kenyon_cells, noise), by a parabola through the logarithms of the smallest error and its
        neighbors, missing where the smallest error is at an end.
    """
    from simnn.olfaction import theory

    parameters = studies.parameters(dataset)
    glomeruli, claws, odors = (parameters[name] for name in ("glomeruli", "claws", "odors"))
    rules, cells, noises, levels = (dataset[name].values for name in _DIMS)
    extent, limit = (
        np.array([[theory.dimension(glomeruli, m, claws, f, "balanced") for f in levels] for m in sizes])
        for sizes in (cells.tolist(), [math.inf])
    )
    plain, saturated = (
        np.asarray(theory.hebbian_error(d[:, None], odors, noises[:, None], levels)) for d in (extent, limit)
    )
    shape = tuple(dataset.sizes[name] for name in _DIMS)
    law = np.empty(shape)
    for index in np.ndindex(shape):
        rule, m, noise, f = (values[i] for values, i in zip((rules, cells, noises, levels), index, strict=True))
        own = dataset["dimension"].values[index] if rule == "winners" else extent[index[1], index[3]]
        law[index] = fluctuating_error(float(own), odors, float(noise), float(f), glomeruli, int(m), str(rule))
    logs, error = np.log(levels), dataset["readout_error"].values
    draws = np.random.default_rng(0).standard_normal((_RESAMPLES, *shape))
    deviation = _best(logs, error + draws * dataset["readout_error_stderr"].values)[0].std(axis=0)
    (best, inside), (expected, expected_inside) = _best(logs, error), _best(logs, law)
    columns = {
        "dimension_theory": (_DIMS[1::2], extent, "dimension of the codes of cells with thresholds"),
        "readout_error_theory": (_DIMS[1:], plain, "error of the readout, one signal-to-noise ratio for all odors"),
        "limit_theory": (_DIMS[2:], saturated[0], "error of the readout of infinitely many cells"),
        "cluster_noise_theory": (
            _DIMS[2:],
            theory.cluster_noise(noises[:, None], levels),
            "1 - correlation of the codes of an odor and its noisy copy, each cell with a threshold",
        ),
        "fluctuating_error_theory": (_DIMS, law, "error of the readout, averaged over numbers of active cells"),
        "best_coding_level": (_DIMS[:3], np.where(inside, np.exp(best), np.nan), "coding level of the smallest error"),
        "best_coding_level_stderr": (_DIMS[:3], np.exp(best) * deviation, "standard error of best_coding_level"),
        "best_coding_level_theory": (
            _DIMS[:3],
            np.where(expected_inside, np.exp(expected), np.nan),
            "coding level of the smallest error, averaged over numbers of active cells",
        ),
    }
    return dataset.assign(
        {name: (names, values, {"long_name": label, "units": "1"}) for name, (names, values, label) in columns.items()}
    )


def fluctuating_error(
    dimension: float, odors: int, noise: float, coding_level: float, glomeruli: int, kenyon_cells: int, sparsening: str
) -> float:
    """Error of a Hebbian readout, averaged over the numbers of active cells.

    The signal of an odor that made n cells active, and n' at its noisy copy, n11 of them both times, is ``n11 - f (n +
    n') + M f^2``, and the variance of the interference ``P f (1 - f) M |m' - f|^2 / dim``. Given the odor and the copy,
    cells are independent: with thresholds, each is active with the probability that a normal drive exceeds its
    threshold, the variance of which is that of the odor over glomeruli, and follows its length. Winners are f M
    whatever the odor, n11 of them again.

    Parameters
    ----------
    dimension : float
        Of the codes.
    odors : int
        P.
    noise, coding_level : float
        DeltaS in (0, 1), f in (0, 0.5].
    glomeruli, kenyon_cells : int
        N, M.
    sparsening : {"cell", "winners"}
        Whether cells have thresholds.

    Returns
    -------
    float
        Mean over 2^14 odors; standard error below 0.002.
    """
    from scipy.special import ndtr, ndtri, owens_t

    f, m, size, rho = coding_level, kenyon_cells, glomeruli - 1, 1.0 - noise
    rng, w, t = np.random.default_rng(0), math.sqrt(1.0 - rho * rho), -float(ndtri(f))
    # Lengths of an odor and its copy about their means, and their cosine: Bartlett's decomposition.
    first = np.sqrt(rng.chisquare(size, _SAMPLES))
    along = rho * first + w * rng.standard_normal(_SAMPLES)
    second = np.hypot(along, w * np.sqrt(rng.chisquare(size - 1, _SAMPLES)))
    cosine, sine = along / second, np.sqrt(1.0 - (along / second) ** 2)
    equal = sparsening == "winners" or t == 0.0
    a, b = (np.full(_SAMPLES, t) if equal else t * math.sqrt(size) / length for length in (first, second))
    p, q = ndtr(-a), ndtr(-b)
    if t == 0.0:
        both = 0.25 + np.arcsin(cosine) / (2.0 * math.pi)
    else:
        both = 0.5 * (p + q) - owens_t(a, (b - cosine * a) / (a * sine)) - owens_t(b, (a - cosine * b) / (b * sine))
    if sparsening == "winners":
        active = again = np.full(_SAMPLES, round(f * m))
        common = rng.binomial(active, np.clip(both / p, 0.0, 1.0))
    else:
        active = rng.binomial(m, p)
        common = rng.binomial(active, np.clip(both / p, 0.0, 1.0))
        again = common + rng.binomial(m - active, np.clip((q - both) / (1.0 - p), 0.0, 1.0))
    signal = common - f * (active + again) + m * f * f
    square = again * (1.0 - 2.0 * f) + m * f * f
    return float(ndtr(-signal / np.sqrt(odors / dimension * f * (1.0 - f) * m * square)).mean())


def _best(logs: "Array", error: "Array") -> tuple["Array", "NDArray[np.bool_]"]:
    """Logarithm of the coding level of the smallest error, along the last axis, and whether it is not at an end."""
    order = np.argsort(logs)
    x, y = logs[order], np.log(np.maximum(error[..., order], 1e-9))
    least = y.argmin(axis=-1)
    inside = (least > 0) & (least < len(x) - 1)
    k = np.clip(least, 1, len(x) - 2)
    below, at, above = (np.take_along_axis(y, (k + step)[..., None], -1)[..., 0] for step in (-1, 0, 1))
    falls, rises = (at - below) / (x[k] - x[k - 1]), (above - at) / (x[k + 1] - x[k])
    bend = np.where(rises > falls, rises - falls, np.inf)
    vertex = 0.5 * (x[k - 1] + x[k]) - falls * 0.5 * (x[k + 1] - x[k - 1]) / bend
    return np.where(inside, vertex, x[least]), inside


def _domain(dataset: "xr.Dataset", rule: str) -> "xr.DataArray":
    """Where one signal-to-noise ratio stands for all odors, (kenyon_cells, coding_level)."""
    f, odors = dataset["coding_level"], studies.parameters(dataset)["odors"]
    good: xr.DataArray = (dataset["kenyon_cells"] * f >= _FEW_CELLS) & (odors * f >= _FEW_ODORS)
    return good if rule == "winners" else good & (f >= _LENGTHS)


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """The law of the readout where it holds, what fluctuations do where it fails, and the best coding level.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerance of errors: 0.01, the stated accuracy of `simnn.olfaction.theory.hebbian_error`, which takes
        interference as Gaussian and equal for all odors; winners have a somewhat larger dimension than cells with
        thresholds, for which it is computed. That the best coding level depends on noise and on the number of cells, in
        95% of resamples, is claimed where the law with fluctuations predicts three standard errors. The error of a
        hundredfold expansion is within 10% of its limit.
    """
    error, stderr = dataset["readout_error"], dataset["readout_error_stderr"]
    statements = {"cell": f"cells with thresholds, f >= {_LENGTHS:g}", "winners": "winners"}
    rows = []
    for rule in dataset["sparsening"].values.tolist():
        rows += Claim.worst(
            "OLF2",
            f"readout error Q(sqrt(dim (1 - DeltaC)^2/P)), {statements[rule]}, M f >= {_FEW_CELLS:g}",
            prediction=dataset["readout_error_theory"].where(_domain(dataset, rule)),
            measured=error.sel(sparsening=rule),
            stderr=stderr.sel(sparsening=rule),
            tolerance=_ACCURACY,
        )
    if "cell" in dataset["sparsening"].values:
        rows += _cell_claims(dataset.sel(sparsening="cell"))
    for axis, statement, sign in (
        ("noise", "the best coding level rises with noise", 1.0),
        ("kenyon_cells", "the best coding level falls with the number of cells", -1.0),
    ):
        rows += _share(statement, dataset.sortby(axis).isel({axis: [0, -1]}), axis, sign)
    return rows


def _share(statement: str, ends: "xr.Dataset", axis: str, sign: float) -> list[Claim]:
    """Whether the best level changes as it should in 95% of resamples, averaged over all but the rule of sparsening."""
    import xarray as xr
    from scipy.special import ndtr

    def change(levels: xr.DataArray) -> xr.DataArray:
        last, first = (levels.isel({axis: k}, drop=True) for k in (-1, 0))
        return xr.DataArray(sign * np.log(last / first))

    found, expected = change(ends["best_coding_level"]), change(ends["best_coding_level_theory"])
    variance = ((ends["best_coding_level_stderr"] / ends["best_coding_level"]) ** 2).sum(axis, skipna=False)
    known = found.notnull() & expected.notnull()
    others = [dim for dim in found.dims if dim != "sparsening"]
    deviation = variance.where(known).sum(others) ** 0.5
    found, expected = (values.where(known).sum(others) / deviation for values in (found, expected))
    return Claim.worst(
        "OLF2",
        f"{statement}: share of resamples",
        prediction=xr.ones_like(found).where(expected >= _POWER),
        measured=found.copy(data=ndtr(found.values)),
        stderr=xr.zeros_like(found),
        tolerance=0.05,
    )


def _cell_claims(cells: "xr.Dataset") -> list[Claim]:
    """What is said about sparse codes of cells with thresholds: at the second largest M and the middle noise."""
    odors, sizes = studies.parameters(cells)["odors"], np.sort(cells["kenyon_cells"].values)
    middle = np.sort(cells["noise"].values)[cells.sizes["noise"] // 2]
    largest = cells.sel(kenyon_cells=sizes[-1], noise=middle)
    expansion, rows = sizes[-1] / studies.parameters(cells)["glomeruli"], []
    if expansion >= _MANY:
        rows += Claim.worst(
            "OLF2",
            f"error saturates: at M = {expansion:g} N that of infinitely many cells within 10%",
            prediction=largest["limit_theory"].where(_domain(cells, "cell").sel(kenyon_cells=sizes[-1])),
            measured=largest["readout_error"],
            stderr=largest["readout_error_stderr"],
            tolerance=0.1 * largest["limit_theory"],
        )
    at = cells.sel(kenyon_cells=sizes[-2:][0], noise=middle).sortby("coding_level")
    levels, cell_count = at["coding_level"].values, int(at["kenyon_cells"])
    found, stderr, plain, law = (
        at[name].values
        for name in ("readout_error", "readout_error_stderr", "readout_error_theory", "fluctuating_error_theory")
    )
    best = int(found.argmin())
    sparse = np.flatnonzero((levels < _LENGTHS) & (cell_count * levels >= _FEW_CELLS) & (odors * levels >= _FEW_ODORS))
    if len(sparse):
        k = sparse[0]
        rows.append(
            Claim.test(
                "OLF2",
                f"the readout error of cells with thresholds at f = {levels[k]:g}, M f = {cell_count * levels[k]:g}",
                prediction=law[k],
                measured=found[k],
                stderr=stderr[k],
                tolerance=_ACCURACY,
                correction="an average over odors, as activity follows their lengths; one signal-to-noise ratio for "
                f"all would make {plain[k]:.3f}",
            )
        )
    correction = f"down to f = {levels[best]:g} only"
    if best > 0:
        correction += (
            f": at f = {levels[0]:g}, M f = {cell_count * levels[0]:g}, it is {found[0]:.3f} +- {stderr[0]:.3f}, where "
            f"the law of one signal-to-noise ratio makes {plain[0]:.3f}, and {law[0]:.3f} with fluctuations"
        )
    rows.append(
        Claim.test(
            "A0-28",
            f"sparsity makes representations more efficient: readout error at the best level, M = {cell_count}",
            prediction=law[best],
            measured=found[best],
            stderr=stderr[best],
            tolerance=_ACCURACY,
            correction=correction,
        )
    )
    noise = {name: at[name].values[best] for name in ("cluster_noise", "cluster_noise_stderr", "cluster_noise_theory")}
    dense = at["cluster_noise_theory"].values[-1]
    spread = (at["odor_activity_deviation"].values[best] / levels[best]) ** 2 / odors
    rows.append(
        Claim.test(
            "A3-42",
            f"sparse firing makes a highly efficient code: noise of codes at f = {levels[best]:g}, {middle:g} of odors",
            prediction=noise["cluster_noise_theory"],
            measured=noise["cluster_noise"],
            stderr=noise["cluster_noise_stderr"],
            tolerance=(1.0 - noise["cluster_noise_theory"]) * spread,
            correction=f"sparse codes amplify noise more, {dense:.3f} at f = {levels[-1]:g}; what pays is their "
            "dimension",
        )
    )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Errors against the coding level and the expansion, and the best coding level.

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

    ordered = dataset.sortby(["kenyon_cells", "noise", "coding_level"])
    with plotting.figure_style():
        fig, axes = plt.subplots(2, 2, figsize=(0.85 * plotting.DOUBLE_COLUMN, 4.8))
        (cell, winners), (expansion, best) = axes
        for ax, rule, title in ((cell, "cell", "thresholds"), (winners, "winners", "winners")):
            if rule in ordered["sparsening"].values:
                _draw_errors(ax, ordered, rule)
            ax.set(xlabel="coding level $f$", ylabel="readout error", xscale="log", title=title, ylim=(0.0, 0.5))
        _draw_expansion(expansion, ordered)
        _draw_best(best, ordered)
        for letter, ax in zip("abcd", axes.flat, strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_errors(ax: "Axes", dataset: "xr.Dataset", rule: str) -> None:
    from simnn import plotting
    from simnn.olfaction import theory

    parameters = studies.parameters(dataset)
    at = dataset.isel(kenyon_cells=-min(2, dataset.sizes["kenyon_cells"]))
    inside = _domain(dataset, rule).sel(kenyon_cells=at["kenyon_cells"])
    fine = np.geomspace(dataset["coding_level"].min(), dataset["coding_level"].max(), 60)
    size = parameters["glomeruli"], at["kenyon_cells"].item(), parameters["claws"]
    extent = [theory.dimension(*size, f, "balanced") for f in fine]
    for color, marker, noise in zip(plotting.COLORS, plotting.MARKERS, dataset["noise"].values.tolist(), strict=False):
        part, x = at.sel(noise=noise), dataset["coding_level"]
        law = theory.hebbian_error(extent, parameters["odors"], noise, fine)
        ax.plot(fine, law, color=color, label=rf"$\Delta S = {noise:g}$")
        part = part.sel(sparsening=rule)
        ax.plot(x, part["fluctuating_error_theory"], color=color, ls="--", lw=0.8)
        for good, face in ((inside, color), (~inside, "white")):
            y, yerr = part["readout_error"].where(good), part["readout_error_stderr"]
            ax.errorbar(x, y, yerr=yerr, fmt=marker, color=color, mfc=face, mew=0.6)
    ax.text(0.97, 0.03, f"$M = {at['kenyon_cells'].item()}$", transform=ax.transAxes, ha="right", fontsize=7)
    ax.legend(loc="upper left", ncols=3, columnspacing=1.0, handletextpad=0.4)


def _draw_expansion(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    ratio = dataset["kenyon_cells"] / studies.parameters(dataset)["glomeruli"]
    at = dataset.isel(noise=dataset.sizes["noise"] // 2)
    levels = [f for f in dataset["coding_level"].values.tolist() if f >= _LENGTHS][:3]
    for color, marker, f in zip(plotting.COLORS[3:], plotting.MARKERS[3:], levels, strict=False):
        part = at.sel(coding_level=f)
        ax.plot(ratio, part["readout_error_theory"], color=color, label=f"$f = {f:g}$")
        ax.axhline(part["limit_theory"].item(), color=color, ls=":", lw=0.8)
        for rule in dataset["sparsening"].values.tolist():
            points, face = part.sel(sparsening=rule), color if rule == "cell" else "white"
            ax.errorbar(
                ratio, points["readout_error"], yerr=points["readout_error_stderr"], fmt=marker, color=color, mfc=face,
                mew=0.6,
            )  # fmt: skip
    ax.set(xlabel="expansion $M/N$", ylabel="readout error", xscale="log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(loc="upper right")


def _draw_best(ax: "Axes", dataset: "xr.Dataset") -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    from simnn import plotting

    for color, marker, noise in zip(plotting.COLORS, plotting.MARKERS, dataset["noise"].values.tolist(), strict=False):
        for rule in dataset["sparsening"].values.tolist():
            part = dataset.sel(noise=noise, sparsening=rule)
            face, dashes, side = (color, "--", 0.97) if rule == "cell" else ("white", ":", 1.03)
            ax.plot(part["kenyon_cells"], part["best_coding_level_theory"], color=color, ls=dashes, lw=0.8)
            ax.errorbar(
                side * part["kenyon_cells"], part["best_coding_level"], yerr=part["best_coding_level_stderr"],
                fmt=marker, color=color, mfc=face, mew=0.6,
            )  # fmt: skip
    ax.set(xlabel="cells $M$", ylabel="best coding level", xscale="log", yscale="log")
    ax.xaxis.set_major_locator(FixedLocator(dataset["kenyon_cells"].values.tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
