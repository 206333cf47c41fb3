"""How random the tangent kernel of a finite network is, and how far its mean is from infinite width."""

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
TITLE = "Fluctuations of the tangent kernel"
CAPTION = (
    "Tangent kernel Theta of critical networks at initialisation, widths {width}, depths {depth}: {activation}; ReLU "
    "without biases, sigma_b = {sigma_b} otherwise; two inputs of overlap {correlation}. (a) Second moment of "
    "Theta(x, x), ReLU: exact at each width (colours) and its limit at fixed depth over width (black); exp(5 L/n), "
    "dotted, holds up to constants only. (b) Variance of ln Theta, ReLU: exact scalar recursion (lines). (c) Mean "
    "kernel and (d) its overlap between the two inputs (first activation filled, second open) against the recursion at "
    "infinite width (lines), whose overlap tends to 1/4 and 1/3 (dotted). Points: {trials} networks, with standard "
    "errors; crosses: their extrapolation to infinite width. Claims: DYN1, A3-14."
)

_RESOLVED = 1.0 / 8.0
"""Largest depth / width at which the tails of Theta^2 let a sample mean be trusted."""
_RECURSION_TRIALS = 50_000
_LIMITS = {"relu": 0.25, "tanh": 1.0 / 3.0}
"""Overlap of the kernel at infinite depth on the critical line."""


def critical_point(activation: str, sigma_b: float) -> tuple[float, float]:
    """Weights and biases of the critical network: ReLU networks are critical without biases only.

    Parameters
    ----------
    activation : str
        Activation function.
    sigma_b : float
        Standard deviation of the biases of other networks.

    Returns
    -------
    sigma_w, sigma_b : float
    """
    from simnn.propagation import theory

    sigma_b = 0.0 if activation == "relu" else sigma_b
    return theory.critical_sigma_w(activation, sigma_b), sigma_b


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``activation``, ``width`` and ``depth`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    checked = studies.check(
        MODEL, parameters, axes={"activation": 2, "width": 6, "depth": None}, needs=("sigma_b", "correlation"),
        may=("dtype", "method", "first_trial"),
    )  # fmt: skip
    for activation in checked["activation"]:
        studies.require(activation in ("relu", "tanh"), "activation", activation, "'relu' or 'tanh'")
    widths, shallowest = checked["width"], min(checked["depth"])
    studies.require(len(widths) > 1, "width", widths, "at least two values, to extrapolate from")
    studies.require(min(widths) >= 32, "width", min(widths), "at least 32: a dead network has no logarithm")
    most = int(_RESOLVED * min(widths))
    studies.require(shallowest <= most, "depth", checked["depth"], f"{most} or less for one, to trust a sample mean")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Statistics of the kernel over networks.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`, with sequences for ``activation``, ``width`` and ``depth`` only, an overlap of
        two inputs, and without ``sigma_w``, which is the critical one.

    Returns
    -------
    xarray.Dataset
        ``ntk_mean``, ``ntk_second_moment`` (relative to the squared mean), ``log_ntk_variance``, ``ntk_overlap`` and
        ``ntk_cross_variance`` (activation, width, depth), with standard errors.
    """
    import xarray as xr

    from simnn import propagation

    axes = {name: np.atleast_1d(parameters.pop(name)).tolist() for name in ("activation", "width", "depth")}
    sigma_b = parameters.pop("sigma_b")
    values: dict[str, NDArray[np.float64]] = {}
    for i, activation in enumerate(axes["activation"]):
        sigma_w, bias = critical_point(activation, sigma_b)
        for j, width in enumerate(axes["width"]):
            for k, depth in enumerate(axes["depth"]):
                kernel = propagation.simulate(
                    **parameters, activation=activation, sigma_w=sigma_w, sigma_b=bias, width=width, depth=depth,
                    keep_trials=True,
                ).ntk.values  # fmt: skip
                for name, value in _statistics(kernel).items():
                    values.setdefault(name, np.empty(tuple(map(len, axes.values()))))[i, j, k] = value
    names = {
        "ntk_mean": "mean of the kernel at one input",
        "ntk_second_moment": "mean square of the kernel at one input over its squared mean",
        "log_ntk_variance": "variance of the logarithm of the kernel at one input",
        "ntk_overlap": "mean kernel between two inputs over that at one",
        "ntk_cross_variance": "variance of the kernel between two inputs",
    }
    units = {"units": "1"}
    return xr.Dataset(
        {
            name: (tuple(axes), array, {"long_name": names.get(name, "standard error"), **units})
            for name, array in values.items()
        },
        {
            "activation": ("activation", axes["activation"], {"long_name": "activation function", **units}),
            "width": ("width", axes["width"], {"long_name": "units of a hidden layer", **units}),
            "depth": ("depth", axes["depth"], {"long_name": "number of hidden layers", **units}),
        },
        {
            "parameters": json.dumps(parameters | axes | {"sigma_b": sigma_b}, sort_keys=True),
            "trials": parameters["trials"],
        },
    )


def _statistics(kernel: "NDArray[np.float64]") -> dict[str, float]:
    """Statistics of (trials, 2, 2) kernels; errors of ratios and variances to first order in the deviations."""
    own, cross = np.einsum("taa->ta", kernel), kernel[:, 0, 1]
    one, square = own.mean(axis=1), np.mean(own**2, axis=1)
    mean = one.mean()
    second = square.mean() / mean**2
    overlap = cross.mean() / mean
    log_kernel = np.log(own)
    log_square = np.mean((log_kernel - log_kernel.mean()) ** 2, axis=1)
    cross_square = (cross - cross.mean()) ** 2
    rows = {
        "ntk_mean": (mean, one),
        "ntk_second_moment": (second, square / mean**2 - 2.0 * second * one / mean),
        "log_ntk_variance": (log_square.mean(), log_square),
        "ntk_overlap": (overlap, (cross - overlap * one) / mean),
        "ntk_cross_variance": (cross.var(ddof=1), cross_square),
    }
    root = np.sqrt(len(kernel))
    return {name: value for name, (value, _) in rows.items()} | {
        f"{name}_stderr": influence.std(ddof=1) / root for name, (_, influence) in rows.items()
    }


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add exact laws of ReLU networks, and the recursion at infinite width.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``ntk_mean_theory`` and ``ntk_overlap_theory`` (activation, depth) at infinite width, and, for ReLU at each
        width, ``ntk_second_moment_theory``, ``log_ntk_variance_theory`` with its standard error (width, depth) and
        ``ntk_cross_variance_theory`` (width) of one hidden layer. ``ntk_mean_extrapolated`` and
        ``ntk_overlap_extrapolated`` (activation, depth), with standard errors, are intercepts of a polynomial in
        1 / width through the simulated widths, where depth is at most half of the least of them.
    """
    from simnn.propagation import finite_width, theory

    given = studies.parameters(dataset)
    c = given["correlation"]
    widths, depths = dataset.width.values.tolist(), dataset.depth.values.tolist()
    mean, overlap = (np.empty((dataset.sizes["activation"], len(depths))) for _ in range(2))
    for i, activation in enumerate(dataset.activation.values):
        sigma_w, bias = critical_point(str(activation), given["sigma_b"])
        for k, depth in enumerate(depths):
            kernel = theory.tangent_kernel(depth, str(activation), sigma_w, bias, [[1.0, c], [c, 1.0]])
            mean[i, k], overlap[i, k] = kernel[0, 0], kernel[0, 1] / kernel[0, 0]
    second, variance, stderr = (np.empty((len(widths), len(depths))) for _ in range(3))
    for j, width in enumerate(widths):
        for k, depth in enumerate(depths):
            second[j, k] = finite_width.ntk_second_moment([width] * depth)
            drawn = finite_width.sample_norms([width] * depth, _RECURSION_TRIALS, given["seed"]).log_ntk
            deviation = (drawn - drawn.mean()) ** 2
            variance[j, k], stderr[j, k] = deviation.mean(), deviation.std() / np.sqrt(_RECURSION_TRIALS)
    cross = finite_width.two_layer_ntk_moments(c)[1] / np.array(widths)

    def says(text: str) -> dict[str, str]:
        return {"long_name": text, "units": "1"}

    shallow = dataset.depth.values <= 0.5 * dataset.width.values.min()
    extrapolated: dict[str, Any] = {}
    for name in ("ntk_mean", "ntk_overlap"):
        found = np.full((2, *mean.shape), np.nan)
        for i, k in np.ndindex(*mean.shape):
            cut = dataset.isel(activation=i, depth=k)
            fit = _fit(1.0 / dataset.width.values, cut[name].values, cut[f"{name}_stderr"].values, _degree(dataset))
            found[:, i, k] = fit[0] if shallow[k] else np.nan
        for suffix, array in zip(("", "_stderr"), found, strict=True):
            extrapolated[f"{name}_extrapolated{suffix}"] = (
                ("activation", "depth"), array, says(f"{name}, 1 / width -> 0{suffix.replace('_', ', ')}"),
            )  # fmt: skip
    infinite, finite = ("activation", "depth"), ("width", "depth")
    return dataset.assign(extrapolated).assign(
        ntk_mean_theory=(infinite, mean, says("kernel at one input, infinite width")),
        ntk_overlap_theory=(infinite, overlap, says("overlap of the kernel, infinite width")),
        ntk_second_moment_theory=(finite, second, says("exact second moment of the kernel, ReLU")),
        log_ntk_variance_theory=(finite, variance, says("variance of ln kernel by the scalar recursion, ReLU")),
        log_ntk_variance_theory_stderr=(finite, stderr, says("standard error of log_ntk_variance_theory")),
        ntk_cross_variance_theory=("width", cross, says("exact variance of the kernel, one hidden layer, ReLU")),
    )


def _degree(dataset: "xr.Dataset") -> int:
    """Degree of the polynomial in 1 / width."""
    return min(2, dataset.sizes["width"] - 1)


def _fit(
    x: "NDArray[np.float64]", y: "NDArray[np.float64]", stderr: "NDArray[np.float64]", degree: int
) -> list[tuple[float, float]]:
    """Coefficients of a weighted polynomial, lowest first, with their standard errors."""
    columns = np.vander(x, degree + 1, increasing=True) / stderr[:, None]
    inverse = np.linalg.pinv(columns)
    errors = np.sqrt(np.sum(inverse**2, axis=1))
    return list(zip((inverse @ (y / stderr)).tolist(), errors.tolist(), strict=True))


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """The kernel at one input has its exact moments; at infinite width it is that of the recursion.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Moments of ReLU networks are exact at every width and have no tolerance. Values at infinite width are
        extrapolated from the widths by a polynomial in 1 / width; the tolerance is its next order in depth / width,
        with a coefficient of one.
    """
    rows = []
    if "relu" in dataset.activation:
        rows = _relu_claims(dataset.sel(activation="relu"))
    for activation in dataset.activation.values:
        network = dataset.sel(activation=activation)
        rows.append(_deterministic(network))
        if activation != "relu":  # ReLU: exact at every width
            rows.append(_infinite(network, "ntk_mean", "mean kernel at one input"))
        rows.append(_infinite(network, "ntk_overlap", "kernel between two inputs over that at one"))
    return rows


def _relu_claims(dataset: "xr.Dataset") -> list[Claim]:
    aspect = dataset.depth / dataset.width
    mild = dataset.where(aspect <= 2.0 * _RESOLVED)
    resolved = dataset.where(aspect <= _RESOLVED)
    rows = [
        _worst(mild, "ntk_mean", "mean kernel is sigma_w^2 (L + 1) |x|^2 / n_0 at every width"),
        _worst(resolved, "ntk_second_moment", "second moment of the kernel is exact at every width"),
        _worst(dataset, "log_ntk_variance", "variance of ln kernel is that of the scalar recursion"),
    ]
    if 1 in dataset.depth:
        shallow = dataset.sel(depth=[1])
        rows.append(
            _worst(shallow, "ntk_cross_variance", "one hidden layer: variance of the kernel between two inputs")
        )
    wide = dataset.isel(width=-1)
    cell = wide.sel(depth=wide.depth[wide.depth / wide.width <= _RESOLVED].max())
    return [*rows, _constant(cell)]


def _worst(dataset: "xr.Dataset", quantity: str, statement: str) -> Claim:
    """The network that deviates most, in standard errors."""
    names = [name for name in dataset if str(name).startswith(quantity)]
    flat = dataset[names].stack(cell=("width", "depth")).dropna("cell")
    stderr = flat[f"{quantity}_stderr"]
    if f"{quantity}_theory_stderr" in flat:
        stderr = (stderr**2 + flat[f"{quantity}_theory_stderr"] ** 2) ** 0.5
    worst = int((abs(flat[quantity] - flat[f"{quantity}_theory"]) / stderr).argmax("cell"))
    cell = flat.isel(cell=worst)
    return Claim.test(
        "DYN1",
        f"relu: {statement}; worst of {flat.sizes['cell']}, n = {cell.width.item()}, L = {cell.depth.item()}",
        prediction=cell[f"{quantity}_theory"].item(),
        measured=cell[quantity].item(),
        stderr=stderr.isel(cell=worst).item(),
    )


def _constant(cell: "xr.Dataset") -> Claim:
    """Hanin and Nica's exponential, with its constant."""
    from simnn.propagation import finite_width

    width, depth = cell.width.item(), cell.depth.item()
    limit = float(finite_width.ntk_second_moment_limit(depth / width))
    high = np.exp(5.0 * depth / width) / limit - 1.0
    return Claim.test(
        "DYN1",
        f"relu: E Theta^2 / (E Theta)^2 is exp(5 L/n), n = {width}, L = {depth}",
        prediction=limit,
        measured=cell.ntk_second_moment.item(),
        stderr=cell.ntk_second_moment_stderr.item(),
        tolerance=abs(limit - finite_width.ntk_second_moment([width] * depth)),
        correction=f"up to a constant; here exp(5 L/n) is {high:.0%} too high, it lacks the factor "
        "1/3 + 4/3 (x - 1 + exp(-x)) / x^2, x = 6 L/n",
    )


def _deterministic(dataset: "xr.Dataset") -> Claim:
    """How the relative variance of the kernel of one hidden layer falls with the width: exactly as 1 / n."""
    shallow = dataset.isel(depth=0)
    excess = shallow.ntk_second_moment - 1.0
    relative = shallow.ntk_second_moment_stderr / excess
    slope, stderr = _fit(np.log(dataset.width.values), np.log(excess.values), relative.values, degree=1)[1]
    return Claim.test(
        "A3-14",
        f"{dataset.activation.item()}: a wide network is a kernel machine; exponent of the relative variance of its "
        f"kernel against width, {dataset.depth.values[0]} hidden layer(s)",
        prediction=-1.0,
        measured=slope,
        stderr=stderr,
        tolerance=float(dataset.depth[0] - 1) / float(dataset.width.min()),
        correction="at initialisation and at fixed depth only; at fixed depth / width the kernel stays random",
    )


def _infinite(dataset: "xr.Dataset", quantity: str, statement: str) -> Claim:
    """Worst depth of an extrapolation to infinite width."""
    rows = dataset.dropna("depth", subset=[f"{quantity}_extrapolated"])
    aspect = np.sort(rows.depth.values[:, None] / dataset.width.values, axis=1)
    rows = rows.assign(tolerance=rows[f"{quantity}_theory"] * np.prod(aspect[:, -_degree(dataset) - 1 :], axis=1))
    deviation = abs(rows[f"{quantity}_extrapolated"] - rows[f"{quantity}_theory"]) - rows.tolerance
    row = rows.isel(depth=int((deviation / rows[f"{quantity}_extrapolated_stderr"]).argmax("depth")))
    return Claim.test(
        "DYN1",
        f"{dataset.activation.item()}: {statement} follows the recursion as n -> infinity; worst of "
        f"{rows.sizes['depth']} depths, L = {row.depth.item()}",
        prediction=row[f"{quantity}_theory"].item(),
        measured=row[f"{quantity}_extrapolated"].item(),
        stderr=row[f"{quantity}_extrapolated_stderr"].item(),
        tolerance=row.tolerance.item(),
    )


def figure(dataset: "xr.Dataset") -> "Figure":
    """Second moment and variance of the logarithm (ReLU), mean and overlap against the recursion.

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
        if "relu" in dataset.activation:
            _draw_second_moment(axes[0, 0], dataset.sel(activation="relu"))
            _draw_log_variance(axes[0, 1], dataset.sel(activation="relu"))
        _draw_mean(axes[1, 0], dataset.isel(activation=-1))
        _draw_overlap(axes[1, 1], dataset)
        for ax, letter in zip(axes.ravel(), "abcd", strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _points(ax: "Axes", dataset: "xr.Dataset", quantity: str, against: str, **style: Any) -> None:
    """Points of one quantity, one colour for each width."""
    from simnn import plotting

    for color, marker, width in zip(plotting.COLORS, plotting.MARKERS, dataset.width.values, strict=False):
        cut = dataset.sel(width=width).dropna("depth", subset=[quantity])
        x = cut.depth / width if against == "aspect" else cut.depth
        look = {"fmt": marker, "color": color, "label": f"$n = {width}$"} | style
        ax.errorbar(x, cut[quantity], yerr=cut[f"{quantity}_stderr"], **look)


def _draw_second_moment(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting
    from simnn.propagation import finite_width

    most = 2.0 * _RESOLVED
    fine = np.linspace(0.0, 1.05 * most, 100)
    for color, width in zip(plotting.COLORS, dataset.width.values.tolist(), strict=False):
        depths = np.arange(1, round(1.05 * most * width) + 1)
        exact = [finite_width.ntk_second_moment([width] * int(depth)) for depth in depths]
        ax.plot(depths / width, exact, color=color)
    ax.plot(fine, finite_width.ntk_second_moment_limit(fine), color="black", label="limit")
    ax.plot(fine, np.exp(5.0 * fine), ":", color="black", label="$e^{5L/n}$")
    _points(ax, dataset.where(dataset.depth / dataset.width <= most), "ntk_second_moment", "aspect")
    ax.set(xlabel="depth / width", ylabel=r"$\mathrm{E}\,\Theta^2/(\mathrm{E}\,\Theta)^2$", title="ReLU")
    ax.legend()


def _draw_log_variance(ax: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    for color, width in zip(plotting.COLORS, dataset.width.values, strict=False):
        ax.plot(dataset.depth / width, dataset.log_ntk_variance_theory.sel(width=width), color=color)
    _points(ax, dataset, "log_ntk_variance", "aspect")
    ax.set(xlabel="depth / width", ylabel=r"$\mathrm{Var}\,\ln\Theta$", xscale="log", yscale="log", title="ReLU")
    ax.legend()


def _infinite_width(dataset: "xr.Dataset", depths: "NDArray[np.int64]", activation: str) -> "NDArray[np.float64]":
    """Kernels of the recursion, (depths, 2, 2)."""
    from simnn.propagation import theory

    given = studies.parameters(dataset)
    c, (sigma_w, bias) = given["correlation"], critical_point(activation, given["sigma_b"])
    gram = [[1.0, c], [c, 1.0]]
    return np.array([theory.tangent_kernel(int(depth), activation, sigma_w, bias, gram) for depth in depths])


def _draw_mean(ax: "Axes", dataset: "xr.Dataset") -> None:
    activation = str(dataset.activation.item())
    depths = np.unique(np.geomspace(1, 1.2 * dataset.depth.max(), 16).astype(int))
    ax.plot(depths, _infinite_width(dataset, depths, activation)[:, 0, 0], color="black", label=r"$n = \infty$")
    _points(ax, dataset, "ntk_mean", "depth")
    _draw_extrapolated(ax, dataset, "ntk_mean")
    ax.set(xlabel="depth", ylabel=r"$\mathrm{E}\,\Theta(x, x)$", title=_title(activation))
    ax.legend()


def _title(activation: str) -> str:
    return "ReLU" if activation == "relu" else activation


def _draw_extrapolated(ax: "Axes", dataset: "xr.Dataset", quantity: str) -> Any:
    return ax.errorbar(
        dataset.depth, dataset[f"{quantity}_extrapolated"], yerr=dataset[f"{quantity}_extrapolated_stderr"],
        fmt="x", color="black", ms=4.0, zorder=3,
    )  # fmt: skip


def _draw_overlap(ax: "Axes", dataset: "xr.Dataset") -> None:
    depths = np.unique(np.geomspace(1, 20 * dataset.depth.max(), 16).astype(int))
    for i, activation in enumerate(dataset.activation.values.tolist()):
        kernel, cut = _infinite_width(dataset, depths, activation), dataset.sel(activation=activation)
        overlap = kernel[:, 0, 1] / kernel[:, 0, 0]
        ax.plot(depths, overlap, color="black")
        ax.annotate(_title(activation), (depths[-1], overlap[-1]), (0, 5), textcoords="offset points", ha="right")
        _points(ax, cut, "ntk_overlap", "depth", **({} if i == 0 else {"mfc": "white"}))
        crosses = _draw_extrapolated(ax, cut, "ntk_overlap")
        if activation in _LIMITS:
            ax.axhline(_LIMITS[activation], ls=":", lw=0.8, color="0.4", zorder=0)
    ax.set(xlabel="depth", ylabel=r"$\mathrm{E}\,\Theta(x, x')/\mathrm{E}\,\Theta(x, x)$", xscale="log")
    ax.legend([crosses], [r"$n \to \infty$"], loc="upper right")
