"""How the norms of signals and gradients depend on each other, and what homogeneity fixes in every single network."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim, finite_width

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MODEL = "propagation"
TITLE = "Joint law of forward and backward norms"
CAPTION = (
    "Squared norms of the last signal and of the first gradient in critical ReLU networks without biases, widths "
    "{width}, depths {depth}. (a) Networks (dots) at the width and depth named above, and the mean log gradient in "
    "each tenth of the log signal. (b) Pearson (filled, solid) and rank (open, dashed) correlation of the logarithms; "
    "dotted: 1/5, what the shared active units alone would give. (c) Mean product of the norms, 1 if they were "
    "independent. (d) Largest difference, over networks, between z . dL/dz of a layer and of the last one, relative to "
    "|z| |dL/dz|: nothing but rounding. Lines: exact scalar recursion (a, b) and exact moments (c). Points: {trials} "
    "networks, with standard errors. Claims: SIG2."
)

HOMOGENEOUS = {"relu": 2.0, "leaky_relu(0.2)": 2.0 / 1.04, "linear": 1.0}
"""Activations with ``phi(a z) = a phi(z)`` for a > 0, and their critical ``sigma_w^2``."""

_RECURSION_TRIALS = 50_000
_TENTHS = 10
_BLOCKS = 50
"""Blocks of networks whose scatter gives the standard error of a correlation."""
_RESOLVED = 0.1
"""Largest depth / width at which the tails of the product let a sample mean be trusted."""
_ROUNDING = 1e-12


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

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
    checked = finite_width.validate(parameters)
    trials = checked["trials"]
    studies.require(trials >= 10 * _BLOCKS, "trials", trials, f"at least {10 * _BLOCKS}, for correlations in blocks")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Log norms of single networks, and the identity of homogeneous networks.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`, with sequences for ``width`` and ``depth`` only; critical ReLU networks.

    Returns
    -------
    xarray.Dataset
        ``log_forward`` and ``log_backward`` (width, depth, trial), NaN in dead networks, and ``alignment_error``
        (width, homogeneous, layer), the largest over networks.
    """
    import xarray as xr

    from simnn import propagation

    axes = {name: np.atleast_1d(parameters.pop(name)).tolist() for name in ("width", "depth")}
    deepest, trials = max(axes["depth"]), parameters["trials"]
    norms = np.empty((2, len(axes["width"]), len(axes["depth"]), trials))
    errors = np.empty((len(axes["width"]), len(HOMOGENEOUS), deepest))
    for i, width in enumerate(axes["width"]):
        for j, depth in enumerate(axes["depth"]):
            networks = propagation.simulate(**parameters, width=width, depth=depth, keep_trials=True).isel(input=0)
            signal = networks.activation_length.isel(layer=-1)
            norms[0, i, j] = np.log(signal.where(signal > 0.0))
            # A gradient ~ N(0, I) at the activations counts the active units of the last layer: half of them.
            norms[1, i, j] = networks.log_gradient_norm.isel(layer=0) + np.log(2.0)
        for k, (activation, variance) in enumerate(HOMOGENEOUS.items()):
            other = {"activation": activation, "sigma_w": np.sqrt(variance), "dtype": "float64"}
            networks = propagation.simulate(**parameters | other, width=width, depth=deepest, keep_trials=True)
            errors[i, k] = _alignment_error(networks.isel(input=0))
    units = {"units": "1"}
    dims = (*axes, "trial")
    return xr.Dataset(
        {
            "log_forward": (dims, norms[0], {"long_name": "ln of the mean square of the last activations", **units}),
            "log_backward": (dims, norms[1], {"long_name": "ln of the squared norm of the first gradient", **units}),
            "alignment_error": (
                ("width", "homogeneous", "layer"),
                errors,
                {"long_name": "largest difference of z . dL/dz from the last layer's, over |z| |dL/dz|", **units},
            ),
        },
        {
            "width": ("width", axes["width"], {"long_name": "units of a hidden layer", **units}),
            "depth": ("depth", axes["depth"], {"long_name": "number of hidden layers", **units}),
            "trial": ("trial", np.arange(trials), {"long_name": "random network", **units}),
            "homogeneous": ("homogeneous", list(HOMOGENEOUS), {"long_name": "activation function", **units}),
            "layer": ("layer", np.arange(1, deepest + 1), {"long_name": "hidden layer, from 1", **units}),
        },
        {"parameters": json.dumps(parameters | axes, sort_keys=True), "trials": trials},
    )


def _alignment_error(networks: "xr.Dataset") -> "NDArray[np.float64]":
    """Largest relative difference from the last layer, for each layer; dead networks have nothing to compare."""
    size = np.sqrt(networks.length * networks.gradient_norm)
    difference = abs(networks.gradient_alignment - networks.gradient_alignment.isel(layer=-1)) / size.where(size > 0.0)
    return np.asarray(difference.max("trial").transpose("layer").values, np.float64)


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add correlations and profiles, and what the exact recursion gives for them.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``pearson``, ``spearman`` and ``product_mean`` (width, depth) and ``profile`` (width, depth, tenth), the
        mean log gradient in each tenth of the exact law of the log signal; each with ``_stderr`` and ``_theory``, all
        but the product with ``_theory_stderr``. ``signal_theory`` is the mean log signal in each tenth.
    """
    from simnn.propagation import finite_width as laws

    seed = studies.parameters(dataset)["seed"]
    depths = dataset.depth.values.tolist()
    shape = dataset.sizes["width"], len(depths)
    values: dict[str, NDArray[np.float64]] = {}

    def put(name: str, i: int, j: int, value: "float | NDArray[np.float64]") -> None:
        values.setdefault(name, np.empty((*shape, *np.shape(value))))[i, j] = value

    for i, width in enumerate(dataset.width.values.tolist()):
        drawn = laws.sample_norms([width] * max(depths), _RECURSION_TRIALS, seed)
        alive = np.isfinite(drawn.log_ntk)
        below, backward = np.pad(drawn.log_forward[alive], ((0, 0), (1, 0))), drawn.log_backward[alive]
        for j, depth in enumerate(depths):
            widths = [width] * depth
            edges = [laws.log_norm_quantile(p / _TENTHS, widths) for p in range(1, _TENTHS)]
            cell = dataset.isel(width=i, depth=j)
            measured = np.array([cell.log_forward.values, cell.log_backward.values])
            measured = measured[:, np.all(np.isfinite(measured), axis=0)]
            # The last layers of a deep network are a shallower one.
            expected = np.array([below[:, -1] - below[:, -1 - depth], backward[:, -depth]])
            for suffix, norms in (("", measured), ("_theory", expected)):
                for name, statistic in (("pearson", _pearson), ("spearman", _spearman)):
                    put(f"{name}{suffix}", i, j, statistic(norms))
                    put(f"{name}{suffix}_stderr", i, j, _scatter(statistic, norms))
                signal, profile, stderr = _profile(norms, edges)
                put(f"profile{suffix}", i, j, profile)
                put(f"profile{suffix}_stderr", i, j, stderr)
                if suffix:
                    put("signal_theory", i, j, signal)
            product = np.exp(measured.sum(axis=0))
            share = len(product) / dataset.sizes["trial"]  # the others are dead: their product is 0
            put("product_mean", i, j, share * product.mean())
            put("product_mean_stderr", i, j, share * product.std(ddof=1) / np.sqrt(len(product)))
            put("product_mean_theory", i, j, laws.ntk_layer_moments(widths)[0, -1])
    return dataset.assign_coords(
        tenth=("tenth", np.arange(_TENTHS), {"long_name": "tenth of the law of the log signal", "units": "1"})
    ).assign(
        {
            name: (("width", "depth", "tenth")[: array.ndim], array, {"long_name": _long_name(name), "units": "1"})
            for name, array in values.items()
        }
    )


def _long_name(name: str) -> str:
    stems = {
        "pearson": "correlation of log signal and log gradient",
        "spearman": "rank correlation of signal and gradient",
        "profile": "mean log gradient in a tenth of the log signal",
        "signal": "mean log signal in a tenth of its law",
        "product": "mean product of the squared norms",
    }
    text = stems[name.split("_", maxsplit=1)[0]]
    text = f"{text}, exact law" if "_theory" in name else text
    return f"standard error of: {text}" if name.endswith("_stderr") else text


def _pearson(norms: "NDArray[np.float64]") -> float:
    return float(np.corrcoef(norms[0], norms[1])[0, 1])


def _spearman(norms: "NDArray[np.float64]") -> float:
    return _pearson(np.argsort(np.argsort(norms, axis=1), axis=1).astype(np.float64))


def _scatter(statistic: "Callable[[NDArray[np.float64]], float]", norms: "NDArray[np.float64]") -> float:
    """Standard error of a statistic of all networks, from its scatter over blocks of them."""
    blocks = [statistic(block) for block in np.array_split(norms, _BLOCKS, axis=1)]
    return float(np.std(blocks, ddof=1) / np.sqrt(_BLOCKS))


def _profile(
    norms: "NDArray[np.float64]", edges: list[float]
) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    """Means of signal and gradient, and the standard error of the latter, in bins of the signal."""
    tenth = np.digitize(norms[0], edges)
    bins = [norms[:, tenth == b] for b in range(_TENTHS)]
    means = np.array([rows.mean(axis=1) for rows in bins]).T
    return means[0], means[1], np.array([rows[1].std(ddof=1) / np.sqrt(rows.shape[1]) for rows in bins])


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Signals and gradients depend on each other as the recursion says; homogeneity holds in every network.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        The laws are exact: nothing has a tolerance but rounding.
    """
    rows = []
    for width in dataset.width.values:
        network = dataset.sel(width=[width])
        rows.append(_worst(network, "pearson", "correlation of log signal and log gradient"))
        rows.append(_worst(network, "spearman", "rank correlation of signal and gradient"))
    rows.append(_worst(dataset, "profile", "mean log gradient in each tenth of the log signal"))
    mild = dataset.where(dataset.depth / dataset.width <= _RESOLVED)
    rows.append(
        _worst(mild, "product_mean", "mean product of the norms, (1 + 2 exp(-6 L/n)) exp(5 L/n) / 3 in the limit")
    )
    for activation in dataset.homogeneous.values:
        rows.append(
            Claim.test(
                "SIG2",
                f"{activation}: z . dL/dz is the same in every layer of every network; largest relative difference",
                prediction=0.0,
                measured=dataset.alignment_error.sel(homogeneous=activation).max().item(),
                stderr=0.0,
                tolerance=_ROUNDING,
            )
        )
    return rows


def _worst(dataset: "xr.Dataset", quantity: str, statement: str) -> Claim:
    """The point that deviates most, in standard errors of measurement and recursion together."""
    names = [name for name in dataset if str(name).startswith(quantity)]
    flat = dataset[names].stack(cell=dataset[quantity].dims).dropna("cell")
    stderr = flat[f"{quantity}_stderr"]
    if f"{quantity}_theory_stderr" in flat:
        stderr = (stderr**2 + flat[f"{quantity}_theory_stderr"] ** 2) ** 0.5
    worst = int((abs(flat[quantity] - flat[f"{quantity}_theory"]) / stderr).argmax("cell"))
    cell = flat.isel(cell=worst)
    return Claim.test(
        "SIG2",
        f"{statement}; worst of {flat.sizes['cell']}, n = {cell.width.item()}, L = {cell.depth.item()}",
        prediction=cell[f"{quantity}_theory"].item(),
        measured=cell[quantity].item(),
        stderr=stderr.isel(cell=worst).item(),
    )


def figure(dataset: "xr.Dataset") -> "Figure":
    """Scatter with its profile, correlations, mean product, and the identity.

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
        fig, axes = plt.subplots(2, 2, figsize=(plotting.DOUBLE_COLUMN, 4.6))
        _draw_networks(axes[0, 0], dataset.isel(width=dataset.sizes["width"] // 2, depth=dataset.sizes["depth"] // 2))
        _draw_correlations(axes[0, 1], dataset)
        _draw_product(axes[1, 0], dataset)
        _draw_identity(axes[1, 1], dataset)
        for ax, letter in zip(axes.ravel(), "abcd", strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_networks(ax: "Axes", cell: "xr.Dataset") -> None:
    from simnn import plotting

    ax.plot(cell.log_forward[:1000], cell.log_backward[:1000], ".", color="0.75", ms=1.5, zorder=0, rasterized=True)
    ax.plot(cell.signal_theory, cell.profile_theory, color=plotting.COLORS[0])
    ax.errorbar(cell.signal_theory, cell.profile, yerr=cell.profile_stderr, fmt="o", color=plotting.COLORS[0])
    ax.set(
        xlabel=r"$\ln|h^L|^2$",
        ylabel=r"$\ln|\delta^1|^2$",
        title=f"$n = {cell.width.item()}$, $L = {cell.depth.item()}$",
    )


def _draw_correlations(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    for color, marker, width in zip(plotting.COLORS, plotting.MARKERS, dataset.width.values, strict=False):
        cut = dataset.sel(width=width)
        aspect = cut.depth / width
        for name, style, fill in (("pearson", "-", color), ("spearman", "--", "white")):
            ax.plot(aspect, cut[f"{name}_theory"], style, color=color)
            ax.errorbar(
                aspect, cut[name], yerr=cut[f"{name}_stderr"], fmt=marker, color=color, mfc=fill,
                label=f"$n = {width}$" if name == "pearson" else None,
            )  # fmt: skip
    ax.axhline(0.2, ls=":", lw=0.8, color="0.4", zorder=0)
    ax.set(xlabel="depth / width", ylabel="correlation of the logarithms", xscale="log")
    ax.legend()


def _draw_product(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting
    from simnn.propagation import finite_width as laws

    fine = np.linspace(0.0, 1.1 * _RESOLVED, 100)
    ax.plot(fine, np.exp(5.0 * fine) * (1.0 + 2.0 * np.exp(-6.0 * fine)) / 3.0, color="black", label="limit")
    for color, marker, width in zip(plotting.COLORS, plotting.MARKERS, dataset.width.values.tolist(), strict=False):
        cut = dataset.sel(width=width)
        cut = cut.where(cut.depth / width <= _RESOLVED, drop=True)
        if cut.sizes["depth"] > 0:
            depths = np.arange(1, round(1.1 * _RESOLVED * width) + 1)
            exact = [laws.ntk_layer_moments([width] * int(depth))[0, -1] for depth in depths]
            ax.plot(depths / width, exact, color=color)
            ax.errorbar(
                cut.depth / width, cut.product_mean, yerr=cut.product_mean_stderr, fmt=marker, color=color,
                label=f"$n = {width}$",
            )  # fmt: skip
    ax.set(xlabel="depth / width", ylabel=r"$\mathrm{E}\,|h^L|^2|\delta^1|^2$")
    ax.legend()


def _draw_identity(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    deepest = dataset.alignment_error.max("width")
    for color, marker, activation in zip(plotting.COLORS, plotting.MARKERS, deepest.homogeneous.values, strict=False):
        error = deepest.sel(homogeneous=activation).isel(layer=slice(0, -1))
        ax.plot(error.layer, error, marker, color=color, label=str(activation))
    ax.set(xlabel="layer", ylabel="largest relative difference", yscale="log", ylim=(1e-17, 1e-11))
    ax.axhline(_ROUNDING, ls=":", lw=0.8, color="0.4", zorder=0)
    ax.legend()
