"""What a network of finite width does to norms: the mean is kept, the typical value decays, the spread grows."""

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

MODEL = "propagation"
TITLE = "Norms at finite width: typical is not mean"
CAPTION = (
    "Squared norms of signals and gradients, relative to where they enter, in critical ReLU networks without biases; "
    "widths {width}, depths {depth}. (a) Density of the logarithm of the gradient norm at equal depth over width, "
    "centred and scaled by the log-normal limit N(-beta/2, beta), beta = 5 L/n. (b) Variance and mean of log norms of "
    "gradients (filled) and signals (open) collapse on depth over width, and (c) per layer approach 5/n and -5/2n as "
    "the width n grows. (d) The mean gradient norm (open) stays 1 while the median (filled) decays. Solid lines: exact "
    "laws at each width; dashed: the limit. Points: {trials} networks, with standard errors; means are shown where "
    "their exact relative error is below 10 %. Claims: SIG2, A3-10."
)

DIRECTIONS = ("forward", "backward")

_BINS = np.linspace(-6.0, 4.0, 26)
_EXPECTED_COUNT = 10.0
"""Bins that the exact law gives fewer networks are left out of the chi-square statistic."""
_WIDE = 100
"""The law 5/n is claimed from this width on."""


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters of a study of critical ReLU networks.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``width`` and ``depth`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    needs = {"activation": "relu", "sigma_w": np.sqrt(2.0), "sigma_b": 0.0}
    checked = studies.check(
        MODEL, parameters, axes={"width": 6, "depth": None}, needs=needs, may=("dtype", "method", "first_trial")
    )
    studies.require(checked["trials"] >= 100, "trials", checked["trials"], "at least 100, to fill a histogram")
    studies.require(checked["activation"] == "relu", "activation", checked["activation"], "'relu'")
    for name in ("sigma_w", "sigma_b"):
        fits = bool(np.isclose(checked[name], needs[name], atol=1e-9))
        studies.require(fits, name, checked[name], f"{needs[name]:.11g}, as exact laws are those of critical networks")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Statistics of log norms over networks, in both directions.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`, with sequences for ``width`` and ``depth`` only; critical ReLU networks.

    Returns
    -------
    xarray.Dataset
        ``log_norm_mean``, ``log_norm_variance``, ``log_norm_median`` of networks that are alive and ``norm_mean`` of
        all (direction, width, depth), with standard errors, and ``density`` (width, depth, deviation) of the backward
        log norm in units of its log-normal limit.
    """
    import xarray as xr

    from simnn import propagation

    axes = {name: np.atleast_1d(parameters.pop(name)).tolist() for name in ("width", "depth")}
    shape = tuple(len(axis) for axis in axes.values())
    values: dict[str, NDArray[np.float64]] = {}
    density, density_stderr = (np.empty((*shape, len(_BINS) - 1)) for _ in range(2))
    for i, width in enumerate(axes["width"]):
        for j, depth in enumerate(axes["depth"]):
            trials = propagation.simulate(**parameters, width=width, depth=depth, keep_trials=True)
            # A gradient ~ N(0, I) at the activations counts the active units of the last layer: half of them.
            norms = {
                "forward": trials.activation_length.isel(layer=-1, input=0).values,
                "backward": 2.0 * trials.gradient_norm.isel(layer=0, input=0).values,
            }
            for k, direction in enumerate(DIRECTIONS):
                for name, value in _statistics(norms[direction]).items():
                    values.setdefault(name, np.empty((len(DIRECTIONS), *shape)))[k, i, j] = value
            density[i, j], density_stderr[i, j] = _density(norms["backward"], 5.0 * depth / width)
    names = {
        "log_norm_mean": "mean of the log norm of networks that are alive",
        "log_norm_variance": "variance of the log norm of networks that are alive",
        "log_norm_median": "median of the log norm of networks that are alive",
        "norm_mean": "mean of the squared norm of all networks",
    }
    units = {"units": "1"}
    bins = ("width", "depth", "deviation")
    return xr.Dataset(
        {
            name: (("direction", *axes), array, {"long_name": names.get(name, "standard error"), **units})
            for name, array in values.items()
        }
        | {
            "density": (bins, density, {"long_name": "density of the backward log norm", **units}),
            "density_stderr": (bins, density_stderr, {"long_name": "standard error", **units}),
        },
        {
            "direction": ("direction", list(DIRECTIONS), {"long_name": "signal or gradient", **units}),
            "width": ("width", axes["width"], {"long_name": "units of a hidden layer", **units}),
            "depth": ("depth", axes["depth"], {"long_name": "number of hidden layers", **units}),
            "deviation": (
                "deviation",
                0.5 * (_BINS[1:] + _BINS[:-1]),
                {"long_name": "(ln norm + beta / 2) / sqrt(beta), centre of a bin", **units},
            ),
        },
        {"parameters": json.dumps(parameters | axes, sort_keys=True), "trials": parameters["trials"]},
    )


def _statistics(norm: "NDArray[np.float64]") -> dict[str, float]:
    log_norm = np.sort(np.log(norm[norm > 0.0]))
    n = len(log_norm)
    centred = log_norm - log_norm.mean()
    variance = centred.var(ddof=1)
    # Ranks one standard deviation to either side of the median.
    low, high = round(0.5 * (n - np.sqrt(n))), min(round(0.5 * (n + np.sqrt(n))), n - 1)
    return {
        "log_norm_mean": log_norm.mean(),
        "log_norm_mean_stderr": np.sqrt(variance / n),
        "log_norm_variance": variance,
        "log_norm_variance_stderr": np.sqrt((np.mean(centred**4) - variance**2) / n),
        "log_norm_median": np.median(log_norm),
        "log_norm_median_stderr": 0.5 * (log_norm[high] - log_norm[low]),
        "norm_mean": norm.mean(),
        "norm_mean_stderr": norm.std(ddof=1) / np.sqrt(len(norm)),
    }


def _density(norm: "NDArray[np.float64]", beta: float) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    deviation = (np.log(norm[norm > 0.0]) + 0.5 * beta) / np.sqrt(beta)
    share = np.histogram(deviation, _BINS)[0] / len(deviation)
    return share / np.diff(_BINS), np.sqrt(share * (1.0 - share) / len(deviation)) / np.diff(_BINS)


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add exact laws.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``log_norm_mean_theory``, ``log_norm_variance_theory``, ``log_norm_median_theory``, ``norm_mean_theory``
        and ``norm_square_theory`` (width, depth) and ``density_theory`` (width, depth, deviation), the average over a
        bin.
    """
    from simnn.propagation import finite_width

    shape = dataset.sizes["width"], dataset.sizes["depth"]
    mean, variance, median, square = (np.empty(shape) for _ in range(4))
    density = np.empty((*shape, len(_BINS) - 1))
    for i, width in enumerate(dataset.width.values.tolist()):
        for j, depth in enumerate(dataset.depth.values.tolist()):
            widths = [width] * depth
            mean[i, j], variance[i, j] = finite_width.log_norm_moments(widths)
            median[i, j] = finite_width.log_norm_quantile(0.5, widths)
            square[i, j] = finite_width.norm_moment(2, widths)
            beta = finite_width.log_normal_variance(widths)
            edges = np.sqrt(beta) * _BINS - 0.5 * beta
            density[i, j] = np.diff(finite_width.log_norm_cdf(edges, widths)) / np.diff(_BINS)
    dims = ("width", "depth")

    def exact(name: str) -> dict[str, str]:
        return {"long_name": f"exact {name}", "units": "1"}

    return dataset.assign(
        log_norm_mean_theory=(dims, mean, exact("mean of the log norm")),
        log_norm_variance_theory=(dims, variance, exact("variance of the log norm")),
        log_norm_median_theory=(dims, median, exact("median of the log norm")),
        norm_mean_theory=(dims, np.ones(shape), exact("mean of the squared norm")),
        norm_square_theory=(dims, square, exact("mean square of the squared norm")),
        density_theory=((*dims, "deviation"), density, exact("density of the log norm, mean over a bin")),
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Laws of the log norm are exact at every width; what is kept on average decays typically.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    rows = [
        _worst(dataset.sel(width=[width]), quantity, "SIG2", f"n = {width}: {name} is exact")
        for width in dataset.width.values
        for quantity, name in (("log_norm_mean", "mean log norm"), ("log_norm_variance", "variance of the log norm"))
    ]
    rows.append(_shape(dataset))
    for width in dataset.width.values:
        cell = dataset.sel(width=width, direction="backward").isel(depth=-1)
        depth = int(cell.depth)
        measured, stderr = cell.log_norm_variance.item() / depth, cell.log_norm_variance_stderr.item() / depth
        exact = cell.log_norm_variance_theory.item() / depth
        if width >= _WIDE:
            rows.append(
                Claim.test(
                    "SIG2",
                    f"n = {width}: variance of the log norm is 5/n per layer, up to its next order 18.5/n^2",
                    prediction=5.0 / width,
                    measured=measured,
                    stderr=stderr,
                    tolerance=18.5 / width**2,
                )
            )
        elif width == dataset.width.min():
            rows.append(
                Claim.test(
                    "SIG2",
                    f"n = {width}: variance of the log norm is 5/n per layer",
                    prediction=exact,
                    measured=measured,
                    stderr=stderr,
                    correction=f"it is {exact * width / 5.0:.2f} times as much at this width, and 5/n to 5 % only for "
                    f"n >= {_WIDE}",
                )
            )
    return rows + _typical(dataset)


def _worst(dataset: "xr.Dataset", quantity: str, claim: str, statement: str) -> Claim:
    """The direction and network that deviate most, in standard errors."""
    names = [quantity, f"{quantity}_theory", f"{quantity}_stderr"]
    flat = dataset[names].stack(cell=("direction", "width", "depth")).dropna("cell")
    deviation = abs(flat[quantity] - flat[f"{quantity}_theory"]) / flat[f"{quantity}_stderr"]
    cell = flat.isel(cell=int(deviation.argmax("cell")))
    return Claim.test(
        claim,
        f"{statement}; worst of {flat.sizes['cell']}, {cell.direction.item()}, n = {cell.width.item()}, "
        f"L = {cell.depth.item()}",
        prediction=cell[f"{quantity}_theory"].item(),
        measured=cell[quantity].item(),
        stderr=cell[f"{quantity}_stderr"].item(),
    )


def _shape(dataset: "xr.Dataset") -> Claim:
    """Chi-square of the histogram that deviates most from its exact law."""
    bin_width = _BINS[1] - _BINS[0]
    share = (dataset.density_theory * bin_width).clip(0.0, 1.0)
    variance = share * (1.0 - share) / dataset.attrs["trials"] / bin_width**2
    used = share * dataset.attrs["trials"] >= _EXPECTED_COUNT
    square = ((dataset.density - dataset.density_theory) ** 2 / variance).where(used)
    flat = square.stack(cell=("width", "depth"))
    bins = flat.count("deviation")
    statistic, stderr = flat.mean("deviation"), np.sqrt(2.0 / bins)
    worst = int(((statistic - 1.0) / stderr).argmax("cell").item())
    cell = statistic.isel(cell=worst)
    return Claim.test(
        "SIG2",
        f"log gradient norms have the exact density, chi^2 per bin; worst of {flat.sizes['cell']}, "
        f"n = {cell.width.item()}, L = {cell.depth.item()}",
        prediction=1.0,
        measured=cell.item(),
        stderr=stderr.isel(cell=worst).item(),
    )


def _typical(dataset: "xr.Dataset") -> list[Claim]:
    mild = dataset.norm_square_theory <= np.e  # beyond, sample means are no measurement: their tails are too heavy
    median = dataset.sel(direction="backward", width=dataset.width.max())
    cell = median.isel(depth=-1)
    width, depth = int(cell.width), int(cell.depth)
    return [
        _worst(
            dataset.where(mild),
            "norm_mean",
            "A3-10",
            "norms are preserved on average, where their mean square is below e",
        ),
        Claim.test(
            "A3-10",
            f"gradients are preserved in a random network; ln(typical norm), n = {width}, L = {depth}",
            prediction=cell.log_norm_median_theory.item(),
            measured=cell.log_norm_median.item(),
            stderr=cell.log_norm_median_stderr.item(),
            correction="on average only; the typical (median) squared norm decays as exp(-5 L / 2n)",
        ),
    ]


def figure(dataset: "xr.Dataset") -> "Figure":
    """Density of the log norm, collapse of its moments, typical against mean.

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

    colors = dict(zip(dataset.width.values.tolist(), plotting.COLORS, strict=False))
    with plotting.figure_style():
        fig, axes = plt.subplots(2, 2, figsize=(plotting.DOUBLE_COLUMN, 4.6))
        _draw_density(axes[0, 0], dataset, colors)
        _draw_collapse(axes[0, 1], dataset, colors)
        _draw_step(axes[1, 0], dataset)
        _draw_typical(axes[1, 1], dataset, colors)
        for ax, letter in zip(axes.ravel(), "abcd", strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_density(ax: "Axes", dataset: "xr.Dataset", colors: dict[int, str]) -> None:
    from simnn import plotting
    from simnn.propagation import finite_width

    aspects = [round(depth / width, 6) for width in colors for depth in dataset.depth.values.tolist()]
    aspect = max(sorted(set(aspects)), key=aspects.count)
    fine = np.linspace(_BINS[0], _BINS[-1], 400)
    for width, color in colors.items():
        depth = round(aspect * width)
        if depth not in dataset.depth or not np.isclose(depth / width, aspect):
            continue
        cell = dataset.sel(width=width, depth=depth)
        beta = 5.0 * depth / width
        exact = finite_width.log_norm_density(np.sqrt(beta) * fine - 0.5 * beta, [width] * depth) * np.sqrt(beta)
        ax.plot(fine, exact, color=color)
        seen = cell.density > 0.0
        ax.errorbar(
            cell.deviation[seen], cell.density[seen], yerr=cell.density_stderr[seen], color=color,
            fmt=plotting.MARKERS[list(colors).index(width)], label=f"$n = {width}$",
        )  # fmt: skip
    ax.plot(fine, np.exp(-0.5 * fine**2) / np.sqrt(2.0 * np.pi), "--", color="black", label="limit")
    ax.set(
        xlabel=r"$(\ln|\delta^1|^2 + \beta/2)/\sqrt{\beta}$",
        ylabel="density",
        yscale="log",
        ylim=(3e-4, 1.0),
        title=f"$L/n = {aspect:g}$",
    )
    ax.legend()


def _draw_collapse(ax: "Axes", dataset: "xr.Dataset", colors: dict[int, str]) -> None:
    from simnn import plotting

    ends = np.array([dataset.depth.min() / dataset.width.max(), dataset.depth.max() / dataset.width.min()])
    for quantity, sign, limit in (("log_norm_mean", -1.0, 2.5), ("log_norm_variance", 1.0, 5.0)):
        ax.plot(ends, limit * ends, "--", color="black", zorder=3)
        for marker, (width, color) in zip(plotting.MARKERS, colors.items(), strict=False):
            cut = dataset.sel(width=width)
            ax.plot(cut.depth / width, sign * cut[f"{quantity}_theory"], color=color)
            for direction in DIRECTIONS:
                filled = direction == "backward"
                point = cut.sel(direction=direction)
                ax.errorbar(
                    cut.depth / width, sign * point[quantity], yerr=point[f"{quantity}_stderr"], fmt=marker,
                    color=color, mfc=color if filled else "white", ms=2.6 if filled else 4.4,
                    zorder=2.2 if filled else 2.1,
                )  # fmt: skip
    ax.annotate("variance", (0.30, 0.54), xycoords="axes fraction", ha="right")
    ax.annotate(r"$-$ mean", (0.30, 0.14), xycoords="axes fraction")
    ax.set(xlabel="depth / width", ylabel=r"moments of $\ln|\cdot|^2$", xscale="log", yscale="log")


def _draw_step(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting
    from simnn.propagation import finite_width

    deepest = dataset.isel(depth=-1)
    layers = deepest.depth.item()
    fine = np.unique(np.geomspace(0.8 * dataset.width.min(), 1.25 * dataset.width.max(), 60).astype(int))
    exact = np.array([finite_width.log_step_moments(int(width)) for width in fine]).T
    rows = (("log_norm_variance", 5.0, "variance / (5/n)"), ("log_norm_mean", -2.5, "mean / (-5/2n)"))
    for color, marker, (quantity, limit, label) in zip(plotting.COLORS, plotting.MARKERS, rows, strict=False):
        ax.plot(fine, exact[0 if quantity == "log_norm_mean" else 1] * fine / limit, color=color)
        scale = deepest.width / limit / layers
        for direction in DIRECTIONS:
            filled = direction == "backward"
            point = deepest.sel(direction=direction)
            ax.errorbar(
                deepest.width * (1.03 if filled else 0.97), point[quantity] * scale,
                yerr=point[f"{quantity}_stderr"] * np.abs(scale), fmt=marker, color=color,
                mfc=color if filled else "white", label=label if filled else None,
            )  # fmt: skip
    ax.axhline(1.0, ls="--", color="black")
    ax.set(xlabel="width n", ylabel="per layer, relative to the limit", xscale="log")
    ax.legend()


def _draw_typical(ax: "Axes", dataset: "xr.Dataset", colors: dict[int, str]) -> None:
    from simnn import plotting

    backward = dataset.sel(direction="backward")
    resolved = backward.norm_square_theory < 0.01 * dataset.attrs["trials"]
    for marker, (width, color) in zip(plotting.MARKERS, colors.items(), strict=False):
        cut = backward.sel(width=width)
        cut = cut.where(cut.depth <= 2 * width, drop=True)
        if cut.sizes["depth"] == 0:
            continue
        aspect, median = cut.depth / width, np.exp(cut.log_norm_median)
        ax.plot(aspect, np.exp(cut.log_norm_median_theory), color=color)
        ax.errorbar(
            aspect, median, yerr=median * cut.log_norm_median_stderr, fmt=marker, color=color, label=f"$n = {width}$"
        )
        mean = cut.norm_mean.where(resolved.sel(width=width))
        ax.errorbar(aspect, mean, yerr=cut.norm_mean_stderr, fmt=marker, color=color, mfc="white", ms=3.4)
    fine = np.linspace(0.0, 2.0, 100)
    ax.plot(fine, np.ones_like(fine), color="0.3")
    ax.plot(fine, np.exp(-2.5 * fine), "--", color="black")
    ax.annotate("mean", (1.6, 1.25))
    ax.annotate(r"median, $e^{-5L/2n}$", (0.95, 0.16))
    ax.set(xlabel="depth / width", ylabel=r"squared norm $|\delta^1|^2$", yscale="log", ylim=(2e-3, 4.0))
    ax.legend(loc="lower left")
