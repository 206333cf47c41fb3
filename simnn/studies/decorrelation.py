"""What decorrelates odors: not the random projection but the threshold, which amplifies noise by the same law."""

import json
import math
from collections.abc import Mapping
from itertools import zip_longest
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
TITLE = "What decorrelates: the threshold, not the projection"
CAPTION = (
    "{kenyon_cells} cells with {claws} inputs each of {glomeruli} (0: all of them, Gaussian weights; else weights of "
    "1), {odors} pairs of Gaussian odors, {trials} wirings. (a) Correlation of the two drives of a cell (black), which "
    "is that of the odors, and of its responses (colors) if it has a threshold that lets a fraction f of the odors "
    "pass. (b) Noise of the responses, 1 - correlation, against noise of the odors: threshold and all, the same law. "
    "It grows as a square root (dashed): codes amplify noise, sparse ones more. (c) If the cells with the largest "
    "drives win instead, whatever the odor, correlations deviate from (a) by terms of order 1/{glomeruli} (solid, "
    "dashed: first, second number of inputs). Filled: first number of inputs, open: second. Lines: closed forms, exact "
    "at every size in (a, b). Points: means with standard "
    "errors. Claims: OLF1, A3-36."
)

_NAMES = {
    "claws": "inputs of each Kenyon cell, 0 for all glomeruli",
    "sparsening": "what decides which cells are active",
    "coding_level": "fraction of active cells that is asked for",
    "input_correlation": "correlation of an odor and its partner",
    "noise": "1 - correlation of a noisy copy with its odor",
    "drive_correlation": "correlation of the drives to an odor and its partner",
    "output_correlation": "correlation of the codes of an odor and its partner",
    "cluster_noise": "1 - correlation of the codes of an odor and its noisy copy",
    "activity": "fraction of active cells, reached",
    "odor_activity_deviation": "standard deviation over odors of the fraction of active cells",
}

_BOTH = ("cluster_noise", "cluster_noise_theory")

_SMALL_NOISE = 0.03  # up to here the local exponent of cluster noise is near 1/2


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``claws``, ``sparsening``, ``coding_level``, ``input_correlation`` and ``noise`` as axes; ``glomeruli``,
        ``kenyon_cells`` and ``odors``.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"claws": 2, "sparsening": 2, "coding_level": 5, "input_correlation": None, "noise": None}
    checked = studies.check(MODEL, parameters, axes=axes, needs=("glomeruli", "kenyon_cells", "odors"))
    size = checked["glomeruli"]
    studies.require(size >= 10, "glomeruli", size, "at least 10, for the terms of order 1/N to be small")
    for claws in checked["claws"]:
        fits = claws == 0 or 3 <= claws <= size // 2
        studies.require(fits, "claws", claws, f"0, or 3 to {size // 2}, where drives to an odor are nearly normal")
    for rule in checked["sparsening"]:
        studies.require(rule != "global", "sparsening", rule, "'cell' or 'winners'")
    for rho in checked["input_correlation"]:
        studies.require(0.0 <= rho < 1.0, "input_correlation", rho, "in [0, 1)")
    for noise in checked["noise"]:
        studies.require(noise > 0.0, "noise", noise, "above 0, for its logarithm")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Correlations of odors before and after the threshold.

    Parameters
    ----------
    **parameters
        Of `simnn.olfaction.simulate`, with sequences for ``claws``, ``sparsening``, ``coding_level``,
        ``input_correlation`` and ``noise`` only. Weights are binary, and Gaussian where claws are 0.

    Returns
    -------
    xarray.Dataset
        ``drive_correlation`` (claws, input_correlation), ``output_correlation`` (claws, sparsening, coding_level,
        input_correlation), ``cluster_noise`` (..., noise), ``activity`` and ``odor_activity_deviation`` (claws,
        sparsening, coding_level), each with ``<name>_stderr``.
    """
    import xarray as xr

    from simnn import olfaction

    given = dict(parameters)
    names = ("claws", "sparsening", "coding_level", "input_correlation", "noise")
    axes = {name: np.atleast_1d(given.pop(name)).tolist() for name in names}
    partners, noises = axes["input_correlation"], axes["noise"]
    parts = []
    for claws in axes["claws"]:
        # Partners and noisy copies do not know of each other: one run serves one of each.
        runs = [
            olfaction.simulate(
                claws=[claws], weights=_weights(claws), sparsening=axes["sparsening"],
                coding_level=axes["coding_level"], input_correlation=partners[-1] if rho is None else rho,
                noise=noises[-1] if noise is None else noise, pairs=4, **given,
            )
            for rho, noise in zip_longest(partners, noises)
        ]  # fmt: skip
        columns = {}
        for suffix in ("", "_stderr"):
            for name, axis in (("output_correlation", "input_correlation"), ("cluster_noise", "noise")):
                joined = xr.concat([run[name + suffix] for run in runs[: len(axes[axis])]], axis)
                columns[name + suffix] = joined.assign_coords({axis: axes[axis]}).transpose(*names[:3], axis)
            for name in ("activity", "odor_activity_deviation"):
                columns[name + suffix] = runs[0][name + suffix]
        # Drives know of no threshold: one will do, and all odors count.
        linear = olfaction.simulate(
            claws=[claws], weights=_weights(claws), input_correlation=partners, pairs=given["odors"], **given
        )
        parts.append(xr.Dataset(columns).merge(linear[["drive_correlation", "drive_correlation_stderr"]]))
    dataset = xr.concat(parts, "claws", data_vars="all")
    studies.describe(dataset, _NAMES)
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": given["trials"]}
    return dataset


def _weights(claws: int) -> str:
    return "binary" if claws else "gaussian"


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add closed forms.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``drive_correlation_theory`` (input_correlation) and ``cluster_noise_theory`` (coding_level, noise), exact
        for thresholds; ``output_correlation_theory`` (claws, sparsening, coding_level, input_correlation), exact for
        thresholds, and with terms of order 1/N and 1/M for winners; ``finite_size`` (same), what these terms add.
    """
    from simnn.olfaction import theory

    parameters = studies.parameters(dataset)
    size, cells = parameters["glomeruli"], parameters["kenyon_cells"]
    levels, rho, noise = (dataset[name].values for name in ("coding_level", "input_correlation", "noise"))
    exact = theory.output_correlation(rho, levels[:, np.newaxis])
    law = np.array(
        [
            [
                exact if rule == "cell" else [[winners(r, f, size, cells, claws) for r in rho] for f in levels]
                for rule in dataset["sparsening"].values
            ]
            for claws in dataset["claws"].values.tolist()
        ]
    )
    dims = ("claws", "sparsening", "coding_level", "input_correlation")
    columns = {
        "drive_correlation_theory": (dims[3:], rho, "correlation of the drives to an odor and its partner"),
        "output_correlation_theory": (dims, law, "correlation of the codes of an odor and its partner"),
        "finite_size": (dims, law - exact, "what a finite number of glomeruli and cells adds to the correlation"),
        "cluster_noise_theory": (
            ("coding_level", "noise"),
            theory.cluster_noise(noise, levels[:, np.newaxis]),
            "1 - correlation of the codes of an odor and its noisy copy, each cell with a threshold",
        ),
    }
    return dataset.assign(
        {name: (names, values, {"long_name": label, "units": "1"}) for name, (names, values, label) in columns.items()}
    )


def winners(input_correlation: float, coding_level: float, glomeruli: int, kenyon_cells: int, claws: int) -> float:
    """Correlation of the codes of two odors if cells with the largest drives win, to order 1/N and 1/M.

    Drives of all cells to two odors x, y that are given have the correlation c of these odors, a random number. Without
    claws they are normal, and c is the cosine of x and y; with claws of weight 1 the mean of an odor does not count, so
    that c is the correlation over glomeruli, and drives are not quite normal: over all odors they are, so that
    their fourth cumulants, given the odors, make up for fluctuations of their covariance,
    ``E k_ijkl = -(cov(S_ij, S_kl) + cov(S_ik, S_jl) + cov(S_il, S_jk))``, S the sample covariance of x and y. M cells
    make the threshold of an odor fluctuate, by ``s = f (1 - f) / (M phi^2)`` in square, for two odors with correlation
    r(c): as if drives had the correlation ``(c + s r(c)) / (1 + s)``. Last, cells with long rows of weights win more
    often, which over odors is no covariance; it is what is left for independent odors.

    Parameters
    ----------
    input_correlation : float
        rho of the odors, in [0, 1).
    coding_level : float
        f, inside (0, 1).
    glomeruli, kenyon_cells : int
        N >= 10 and M.
    claws : int
        K; 0 for Gaussian weights of all glomeruli.

    Returns
    -------
    float

    References
    ----------
    The law of c is Fisher's (Biometrika 10, 507, 1915), in the form of Hotelling (J. R. Stat. Soc. B 15, 193, 1953).
    """
    size = glomeruli - (claws > 0)

    def over_cells(rho: float) -> float:
        from simnn.olfaction import theory

        cosine, weight = _cosines(rho, size)
        shift = 1.0 / (kenyon_cells * float(theory.output_slope(coding_level)))
        drives = (cosine + shift * theory.output_correlation(cosine, coding_level)) / (1.0 + shift)
        mean = float(weight @ theory.output_correlation(np.clip(drives, -1.0, 1.0), coding_level))
        return mean + (_cumulants(rho, coding_level, size) if claws else 0.0)

    alone = over_cells(0.0)
    return (over_cells(input_correlation) - alone) / (1.0 - alone)


def _cosines(rho: float, size: int) -> tuple["Array", "Array"]:
    """Cosines of two normal vectors of so many components and correlation rho, and their probabilities."""
    from scipy.special import hyp2f1

    z = math.atanh(rho) + np.linspace(-8.0, 8.0, 401) / math.sqrt(size - 2.0)
    c = np.tanh(z)
    # The density of the correlation of size + 1 samples; one of them pays for the mean, which cosines do not subtract.
    log = 0.5 * (size - 1.0) * np.log1p(-c * c) - (size - 0.5) * np.log1p(-rho * c)
    density = np.exp(log - log.max()) * hyp2f1(0.5, 0.5, size + 0.5, 0.5 * (1.0 + rho * c))
    return c, density / density.sum()


def _cumulants(rho: float, f: float, size: int) -> float:
    """What the fourth cumulants of drives, given two odors, add to the correlation of codes of coding level f."""
    from scipy.special import ndtri

    t, w = -float(ndtri(f)), math.sqrt(1.0 - rho * rho)
    k40, k31, k22 = -6.0 / size, -6.0 * rho / size, -(2.0 + 4.0 * rho**2) / size
    joint = math.exp(-t * t / (1.0 + rho)) / (2.0 * math.pi * w)
    slope = t / (1.0 + rho)  # of minus the logarithm of the joint density, at (t, t)
    along, across = joint * (slope**2 - 1.0 / w**2), joint * (slope**2 + rho / w**2)
    # Of phi(s) Q((t - rho s) / w) at s = t, the third derivative without its part in Q: a moved threshold undoes that.
    a, g = rho / w, t * (1.0 - rho) / w
    own, other = math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi), math.exp(-0.5 * g * g) / math.sqrt(2.0 * math.pi)
    third = own * other * (3.0 * (t * t - 1.0) * a - 3.0 * t * a * a * g - a**3 * (1.0 - g * g))
    return (8.0 * k31 * along + 6.0 * k22 * across - 2.0 * k40 * third) / (24.0 * f * (1.0 - f))


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Projections keep correlations, thresholds remove them and amplify noise.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerance: the bias of a ratio of averages over P odors, at most r/P times the relative variance of what is
        averaged: of the variance of drives, or of activity. For winners also what is left out beyond order 1/N: the
        square of the relative correction, and ``theta^2/(3 K)`` of it, for drives through few claws are skewed by odors
        that are: ``k3^2 He5/72`` against ``k4 He3/24`` in Edgeworth's series, with variance ``6/(N K)`` of the skewness
        k3, ``k4 = -6/N``, and He5/He3 near theta^2.
    """
    odors = studies.parameters(dataset)["odors"]
    drive, expected = dataset["drive_correlation"], dataset["drive_correlation_theory"]
    rows = Claim.worst(
        "OLF1",
        "a linear projection keeps correlations: correlation of drives",
        prediction=expected,
        measured=drive,
        stderr=dataset["drive_correlation_stderr"],
        tolerance=2.0 * expected / odors,
    )
    spread = (dataset["odor_activity_deviation"] / dataset["activity"]) ** 2
    predicted, extra = dataset["output_correlation_theory"], dataset["finite_size"]
    beyond = (extra**2 / predicted.where(predicted > 0.0)).fillna(0.0)
    beyond = beyond + abs(extra) * _skewness(dataset["claws"], dataset["coding_level"])
    tolerance = predicted * spread / odors + beyond
    statements = {
        "cell": "thresholds remove correlations: correlation of codes, r(rho; f), at every size",
        "winners": "winners take all: the same with terms of order 1/N and 1/M",
    }
    for rule in dataset["sparsening"].values.tolist():
        at = {"sparsening": rule}
        rows += Claim.worst(
            "OLF1",
            statements[rule],
            prediction=predicted.sel(at),
            measured=dataset["output_correlation"].sel(at),
            stderr=dataset["output_correlation_stderr"].sel(at),
            tolerance=tolerance.sel(at),
        )
    if "cell" in dataset["sparsening"].values:
        at = {"sparsening": "cell"}
        rows += _noise_claims(dataset.sel(at), spread.sel(at) / odors)
    # Where correlations are neither weak nor at the cusp.
    middle = dataset.sel(input_correlation=0.5, method="nearest").isel(claws=0)
    rho, f = middle["input_correlation"].item(), dataset["coding_level"].values
    from simnn.olfaction import theory

    left = ", ".join(f"{theory.output_correlation(rho, level):.3f}" for level in f)
    rows.append(
        Claim.test(
            "A3-36",
            f"the random projection acts as a decorrelator: correlation of drives, {rho:g} of odors",
            prediction=middle["drive_correlation_theory"].item(),
            measured=middle["drive_correlation"].item(),
            stderr=middle["drive_correlation_stderr"].item(),
            tolerance=2.0 * rho / odors,
            correction="it keeps correlations; the threshold leaves "
            f"{left} of {rho:g} at f = {', '.join(f'{level:g}' for level in f)}",
        )
    )
    return rows


def _skewness(claws: "xr.DataArray", coding_level: "xr.DataArray") -> "xr.DataArray":
    """Relative size of what skewed drives add to terms of order 1/N; nothing if weights are Gaussian."""
    from scipy.special import ndtri

    square = coding_level.copy(data=ndtri(coding_level.values) ** 2)
    return (square / (3.0 * claws.clip(1))).where(claws > 0, 0.0)


def _noise_claims(cells: "xr.Dataset", bias: "xr.DataArray") -> list[Claim]:
    """Cells with thresholds amplify noise, as its root."""
    theory, measured = cells["cluster_noise_theory"], cells["cluster_noise"]
    rows = Claim.worst(
        "OLF1",
        "thresholds amplify noise: 1 - correlation of codes, 1 - r(1 - noise; f), at every size",
        prediction=theory,
        measured=measured,
        stderr=cells["cluster_noise_stderr"],
        tolerance=(1.0 - theory) * bias,
    )
    small = cells.sel(noise=cells["noise"] <= _SMALL_NOISE).isel(claws=0)
    if small.sizes["noise"] < 2:
        return rows
    weight = (small["cluster_noise"] / small["cluster_noise_stderr"]) ** 2
    x = np.log(small["noise"])
    x = x - (weight * x).sum("noise") / weight.sum("noise")
    square = (weight * x**2).sum("noise")
    found, exact = ((weight * x * np.log(small[name])).sum("noise") / square for name in _BOTH)
    return rows + Claim.worst(
        "OLF1",
        f"noise of codes grows as the square root of that of odors: exponent up to {_SMALL_NOISE:g}",
        prediction=0.5 + 0.0 * exact,
        measured=found,
        stderr=square**-0.5,
        tolerance=abs(exact - 0.5),
    )


def figure(dataset: "xr.Dataset") -> "Figure":
    """Correlations before and after the threshold, the noise that it adds, and how winners differ.

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
        fig, axes = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.6))
        for letter, ax, draw in zip("abc", axes, (_draw_correlations, _draw_noise, _draw_winners), strict=True):
            draw(ax, dataset)
            plotting.panel_label(ax, letter)
    return fig


def _styles(dataset: "xr.Dataset") -> list[tuple[float, str, str]]:
    """Coding levels, their colors and markers."""
    from simnn import plotting

    levels = sorted(dataset["coding_level"].values.tolist())
    return list(zip(levels, plotting.COLORS, plotting.MARKERS, strict=False))


def _points(ax: "Axes", part: "xr.Dataset", x: str, y: str, color: str, marker: str, difference: bool = False) -> None:
    """Measurements, filled for the first number of claws, and larger and open for the second."""
    for claws, face, size in zip(part["claws"].values.tolist(), (color, "white"), (2.2, 4.2), strict=False):
        at, order = part.sel(claws=claws), 3.0 - 0.1 * size
        less = at[f"{y}_theory"] - at["finite_size"] if difference else 0.0
        ax.errorbar(
            part[x], at[y] - less, yerr=at[f"{y}_stderr"], fmt=marker, color=color, mfc=face, ms=size, mew=0.6,
            zorder=order,
        )  # fmt: skip


def _draw_correlations(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn.olfaction import theory

    rho = np.linspace(0.0, 1.0, 201)
    ax.plot(rho, rho, color="black", label="drives")
    _points(ax, dataset, "input_correlation", "drive_correlation", "black", "x")
    for f, color, marker in _styles(dataset):
        ax.plot(rho, theory.output_correlation(rho, f), color=color, label=f"$f = {f:g}$")
        if "cell" in dataset["sparsening"].values:
            part = dataset.sel(sparsening="cell", coding_level=f)
            _points(ax, part, "input_correlation", "output_correlation", color, marker)
    ax.set(xlabel=r"correlation of odors $\rho$", ylabel="correlation of drives, codes")
    ax.legend(loc="upper left", labelspacing=0.3)


def _draw_noise(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn.olfaction import theory

    values = dataset["noise"].values
    noise = np.geomspace(0.5 * values.min(), 1.0, 200)
    ax.plot(noise, noise, color="black", lw=0.6)
    for f, color, marker in _styles(dataset):
        ax.plot(noise, theory.cluster_noise(noise, f), color=color)
        ax.plot(noise, theory.small_cluster_noise(noise, f), color=color, lw=0.8, ls="--")
        if "cell" in dataset["sparsening"].values:
            _points(ax, dataset.sel(sparsening="cell", coding_level=f), "noise", "cluster_noise", color, marker)
    ax.text(0.02, 0.01, r"$\Delta C = \Delta S$", fontsize=7, ha="left")
    ax.set(xlabel=r"noise of odors $\Delta S$", ylabel=r"noise of codes $\Delta C$", xscale="log", yscale="log")
    ax.set_ylim(0.7 * noise[0], 1.5)


def _draw_winners(ax: "Axes", dataset: "xr.Dataset") -> None:
    parameters = studies.parameters(dataset)
    ax.axhline(0.0, color="0.7", lw=0.6)
    rho = np.linspace(0.0, 0.97, 60)
    if "winners" in dataset["sparsening"].values:
        from simnn.olfaction import theory

        for f, color, marker in _styles(dataset):
            for claws, dashes in zip(dataset["claws"].values.tolist(), ("-", "--"), strict=False):
                law = [winners(r, f, parameters["glomeruli"], parameters["kenyon_cells"], claws) for r in rho]
                ax.plot(rho, law - np.asarray(theory.output_correlation(rho, f)), color=color, ls=dashes, lw=0.8)
            part = dataset.sel(sparsening="winners", coding_level=f)
            _points(ax, part, "input_correlation", "output_correlation", color, marker, difference=True)
    ax.set(xlabel=r"correlation of odors $\rho$", ylabel="winners $-$ thresholds")
