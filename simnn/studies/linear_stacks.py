"""Deep linear networks: one linear map whatever the depth, but not the map of one random matrix."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Samples = Mapping[str, tuple[tuple[str, ...], Array]]

MODEL = "propagation"
TITLE = "Linear stacks collapse, but not to one random matrix"
CAPTION = (
    "Stacks of L = {depth} linear layers, each an n x n Gaussian matrix of variance 1/n, n = {width}; means over "
    "{trials} stacks with standard errors. (a) Singular values s of the widest stacks: lines are Fuss-Catalan laws; "
    "those of orthogonal layers are all 1 (grey). (b) Mean of the squared singular values to the power k: solid "
    "lines are exact at each n, dashed ones the Fuss-Catalan numbers of infinite n. Where L is not small against n, "
    "rare stacks carry the mean, and the points may miss them: nothing is claimed there. (c) Growth of the k-th axis "
    "per layer (of the volume of k vectors over that of k - 1), by the conditional sampler, which forms no matrix: "
    "lines are Lyapunov exponents, exact at each n. Claims: SIG6, A0-10."
)

ENSEMBLES = ("gaussian", "orthogonal")
"""Laws of the layers. Orthogonal ones are the Q factors of the Gaussian ones."""

_ORDERS = (2, 3)
_EDGES = np.linspace(-5.1, 2.1, 37)  # of the bins of ln s, 0 in the middle of one
_VECTORS, _LAYERS = 8, 10
# Volumes of nearly as many vectors as there are units shrink to rounding.
_NARROWEST = 10
# Orthogonal stacks differ by rounding only.
_ORTHOGONAL_TRIALS = 10
# Means of high powers are carried by rare stacks when depth / width is large: too few trials see them.
_LARGEST_RATIO = 0.2

_ENSEMBLE = "law of the layers"
_NAMES = {
    "ensemble": _ENSEMBLE,
    "width": "rows and columns of a layer",
    "depth": "number of layers",
    "order": "power of the squared singular values",
    "log_singular_value": "logarithm of a singular value, middle of a bin",
    "layer": "layer, from 1",
    "exponent": "number of vectors k",
    "collapse_error": "relative distance of the output, layer by layer, from that of the product matrix",
    "moment": "mean of the squared singular values to the power of order",
    "largest": "largest squared singular value",
    "isometry_error": "largest distance of a squared singular value from 1",
    "density": "density of the logarithm of the singular values",
    "layer_growth": "logarithmic growth per layer of the volume of k vectors over that of k - 1",
    "lyapunov": "mean of layer_growth over the layers",
}


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
    checked = studies.check(MODEL, parameters, axes={"width": 10, "depth": 10}, may=("method", "first_trial"))
    for width in checked["width"]:
        studies.require(width >= _NARROWEST, "width", width, f"at least {_NARROWEST}: {_VECTORS} vectors span a volume")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Spectra of stacks with explicit weights, and growth of volumes without any.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`, with sequences for ``width`` and ``depth`` only. Layer l of trial t is the
        same matrix whatever the depths.

    Returns
    -------
    xarray.Dataset
        ``collapse_error``, ``largest``, ``isometry_error`` (ensemble, width, depth), ``moment`` (..., order) and
        ``density`` (..., log_singular_value) of the stacks; ``layer_growth`` (width, layer, exponent) and
        ``lyapunov`` (width, exponent) of the conditional sampler; each with ``<name>_stderr``.

    """
    import xarray as xr

    widths, depths = (np.atleast_1d(parameters.pop(name)).tolist() for name in ("width", "depth"))
    trials, seed = parameters["trials"], parameters.get("seed", 0)
    cells = []
    for width in widths:
        spectra = [
            studies.averages(_spectra(ensemble, width, depths, count, seed))
            for ensemble, count in zip(ENSEMBLES, (trials, min(trials, _ORTHOGONAL_TRIALS)), strict=True)
        ]
        cells.append(xr.merge([xr.concat(spectra, "ensemble"), studies.averages(_volumes(width, parameters))]))
    dataset = xr.concat(cells, "width", data_vars="all").assign_coords(
        ensemble=list(ENSEMBLES), width=widths, depth=depths, order=list(_ORDERS),
        log_singular_value=0.5 * (_EDGES[1:] + _EDGES[:-1]),
        layer=np.arange(1, _LAYERS + 1), exponent=np.arange(1, _VECTORS + 1),
    ).transpose("ensemble", "width", ...)  # fmt: skip
    studies.describe(dataset, _NAMES)
    dataset.attrs = {
        "parameters": json.dumps(parameters | {"width": widths, "depth": depths}, sort_keys=True),
        "trials": trials,
    }
    return dataset


def _spectra(ensemble: str, width: int, depths: list[int], trials: int, seed: int) -> "Samples":
    """Statistics of explicit stacks, trial by trial."""
    squares = np.empty((trials, len(depths), width))
    errors = np.empty((trials, len(depths)))
    for trial in range(trials):
        product = np.eye(width)
        start = _normals(seed, trial, width, 0)[0]
        output = start
        for layer in range(1, max(depths) + 1):
            factor = _normals(seed, trial, width, layer) / np.sqrt(width)
            if ensemble == "orthogonal":
                factor = np.linalg.qr(factor).Q
            product, output = factor @ product, factor @ output
            for i in np.flatnonzero(np.asarray(depths) == layer):
                squares[trial, i] = np.linalg.svd(product, compute_uv=False) ** 2
                errors[trial, i] = np.linalg.norm(output - product @ start) / np.linalg.norm(output)
    logarithms = np.digitize(0.5 * np.log(squares), _EDGES)
    bins = np.arange(1, len(_EDGES))
    return {
        "collapse_error": (("depth",), errors),
        "largest": (("depth",), squares.max(axis=-1)),
        "isometry_error": (("depth",), np.abs(squares - 1.0).max(axis=-1)),
        "moment": (("depth", "order"), np.stack([np.mean(squares**k, axis=-1) for k in _ORDERS], axis=-1)),
        "density": (
            ("depth", "log_singular_value"),
            np.stack([np.mean(logarithms == i, axis=-1) for i in bins], axis=-1) / np.diff(_EDGES),
        ),
    }


def _normals(seed: int, trial: int, width: int, layer: int) -> "Array":
    """The matrix of a layer before scaling; layer 0 holds the input. A function of its arguments alone."""
    key, counter = np.array([seed, trial], np.uint64), np.array([0, 0, width, layer], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).standard_normal((width, width))


def _volumes(width: int, parameters: Mapping[str, Any]) -> "Samples":
    """Growth of the volumes that orthogonal vectors span, trial by trial, without a matrix."""
    from simnn import propagation

    given = dict(parameters) | {
        "activation": "linear", "sigma_w": 1.0, "sigma_b": 0.0, "width": width, "depth": _LAYERS,
        "dtype": "float64", "keep_trials": True,
    }  # fmt: skip
    networks = propagation.simulate(**given, inputs=np.sqrt(_VECTORS) * np.eye(_VECTORS))
    # Row k of the Cholesky factor of a Gram matrix ends in the part of vector k orthogonal to those before it.
    factor = np.linalg.cholesky(networks.correlation.transpose("trial", "layer", ...).values)
    heights = np.einsum("...kk->...k", factor) * np.sqrt(networks.length.transpose("trial", "layer", ...).values)
    growth = np.diff(np.log(heights), axis=1, prepend=0.0)
    return {"layer_growth": (("layer", "exponent"), growth), "lyapunov": (("exponent",), growth.mean(axis=1))}


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the theory of products of random matrices.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``moment_theory`` (ensemble, width, depth, order), exact, and ``moment_limit`` (depth, order), its limit at
        infinite width; ``largest_theory`` (width, depth) and ``density_theory`` (depth, log_singular_value) at large
        width; ``lyapunov_theory`` (width, exponent), exact.
    """
    from simnn.propagation import linear_products

    widths, depths, orders = (dataset[name].values.tolist() for name in ("width", "depth", "order"))
    exact = [[[linear_products.mean_moment(l, k, n) for k in orders] for l in depths] for n in widths]
    edges = np.exp(2.0 * _EDGES)
    return dataset.assign(
        moment_theory=(
            ("ensemble", "width", "depth", "order"),
            np.stack([exact, np.ones_like(exact)]),
            {"long_name": "exact mean of the squared singular values to the power of order", "units": "1"},
        ),
        moment_limit=(
            ("depth", "order"),
            [[float(linear_products.fuss_catalan(l, k)) for k in orders] for l in depths],
            {"long_name": "Fuss-Catalan number, the moment of Gaussian layers at infinite width", "units": "1"},
        ),
        largest_theory=(
            ("width", "depth"),
            [[linear_products.mean_largest(l, n) for l in depths] for n in widths],
            {"long_name": "largest squared singular value of Gaussian layers at large width", "units": "1"},
        ),
        density_theory=(
            ("depth", "log_singular_value"),
            [np.diff(linear_products.spectral_cdf(edges, l)) / np.diff(_EDGES) for l in depths],
            {"long_name": "density of ln s of Gaussian layers at infinite width, mean over a bin", "units": "1"},
        ),
        lyapunov_theory=(
            ("width", "exponent"),
            [linear_products.lyapunov_exponents(n)[: dataset.sizes["exponent"]] for n in widths],
            {"long_name": "Lyapunov exponent", "units": "1"},
        ),
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """A stack is one matrix; its spectrum is that of a product, and its volumes grow by the Lyapunov exponents.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerances: rounding for collapse and isometry; depth / width, relative, for the largest singular value, which
        theory knows to that order; half a singular value for a bin of the density. Moments and exponents are
        exact.
    """
    gaussian, orthogonal = (dataset.sel(ensemble=name, drop=True) for name in ENSEMBLES)
    widest = gaussian.sel(width=dataset.width.max())
    deepest = widest.sel(depth=dataset.depth.max(), order=2)
    ratio = dataset.depth / dataset.width
    told = ratio <= _LARGEST_RATIO
    rows = [
        *Claim.worst(
            "A0-10",
            "a stack of linear layers is one linear map: relative deviation of its output",
            prediction=0.0 * dataset.collapse_error,
            measured=dataset.collapse_error,
            stderr=dataset.collapse_error_stderr,
            tolerance=dataset.depth * dataset.width * np.finfo(np.float64).eps,
        ),
        Claim.test(
            "A0-10",
            f"{deepest.depth.item()} random layers of width {deepest.width.item()} collapse into one map: its mean s^4",
            prediction=deepest.moment_theory.item(),
            measured=deepest.moment.item(),
            stderr=deepest.moment_stderr.item(),
            correction="into one map, but not into one random layer, whose mean s^4 is 2: depth widens the spectrum",
        ),
        *Claim.worst(
            "SIG6",
            "all singular values of orthogonal stacks are 1: largest |s^2 - 1|",
            prediction=0.0 * orthogonal.isometry_error,
            measured=orthogonal.isometry_error,
            stderr=orthogonal.isometry_error_stderr,
            tolerance=1e-10,
        ),
    ]
    for k in dataset.order.values.tolist():
        moment = gaussian.sel(order=k)
        rows += Claim.worst(
            "SIG6",
            f"mean s^{2 * k} is the Fuss-Catalan moment at finite width",
            prediction=moment.moment_theory.where(told),
            measured=moment.moment,
            stderr=moment.moment_stderr,
        )
    rows += [
        *Claim.worst(
            "SIG6",
            "the largest s^2 lies at the edge (L + 1)^(L + 1) / L^L, less its fluctuation",
            prediction=gaussian.largest_theory.where(told),
            measured=gaussian.largest,
            stderr=gaussian.largest_stderr,
            tolerance=ratio * gaussian.largest_theory,
        ),
        *Claim.worst(
            "SIG6",
            f"density of ln s at width {widest.width.item()} is the Fuss-Catalan law",
            prediction=widest.density_theory,
            measured=widest.density,
            stderr=widest.density_stderr,
            tolerance=0.5 / (widest.width.item() * float(np.diff(_EDGES).mean())),
        ),
    ]
    for name, statement in (
        ("layer_growth", "volumes grow by the Lyapunov exponents in each layer"),
        ("lyapunov", f"volumes grow by the Lyapunov exponents, mean over {dataset.sizes['layer']} layers"),
    ):
        rows += Claim.worst(
            "SIG6",
            statement,
            prediction=dataset.lyapunov_theory,
            measured=dataset[name],
            stderr=dataset[f"{name}_stderr"],
        )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Spectra, their moments against depth, and Lyapunov exponents.

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
    from simnn.propagation import linear_products

    gaussian = dataset.sel(ensemble="gaussian")
    with plotting.figure_style():
        fig, axes = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.6))
        left, middle, right = axes
        widest = gaussian.sel(width=dataset.width.max())
        middles = np.exp(dataset.log_singular_value)
        for color, depth in zip(plotting.COLORS, dataset.depth.values.tolist(), strict=False):
            curve = widest.sel(depth=depth)
            fine = np.geomspace(np.exp(_EDGES[0]), np.sqrt(linear_products.spectral_edge(depth)), 400)
            left.plot(fine, 2.0 * fine**2 * linear_products.spectral_density(fine**2, depth), color=color)
            left.errorbar(
                middles, curve.density.where(curve.density > 0.0), yerr=curve.density_stderr,
                fmt="osD^vP"[plotting.COLORS.index(color) % 6], color=color, label=f"$L = {depth}$",
            )  # fmt: skip
        left.axvline(1.0, color="0.6", zorder=0, label="orthogonal")
        left.set(xlabel="singular value $s$", ylabel=r"density of $\ln s$", xscale="log", ylim=(0.0, None))
        left.legend(loc="upper left", title=f"$n = {widest.width.item()}$")
        for color, width in zip(plotting.COLORS, dataset.width.values.tolist(), strict=False):
            for order in dataset.order.values.tolist():
                curve = gaussian.sel(width=width, order=order)
                plotting.theory_and_simulation(
                    middle, dataset.depth, curve.moment_theory, curve.moment, curve.moment_stderr,
                    label=f"$n = {width}$" if order == dataset.order.values[0] else "", color=color,
                )  # fmt: skip
            scaled = width * dataset.sel(width=width)
            plotting.theory_and_simulation(
                right, dataset.exponent, scaled.lyapunov_theory, scaled.lyapunov, scaled.lyapunov_stderr,
                label=f"$n = {width}$", color=color,
            )  # fmt: skip
        for order in dataset.order.values.tolist():
            limit = dataset.moment_limit.sel(order=order)
            middle.plot(dataset.depth, limit, "--", color="black", zorder=3)
            middle.annotate(
                f"$k = {order}$", (dataset.depth.values[-1], limit.values[-1]), (0, -16), textcoords="offset points",
                ha="right",
            )  # fmt: skip
        middle.set(xlabel="layers $L$", ylabel=r"mean of $s^{2k}$", yscale="log")
        middle.legend(loc="upper left")
        right.set(xlabel="number of vectors $k$", ylabel=r"Lyapunov exponent, $n\lambda_k$")
        right.legend(loc="lower left")
        for letter, ax in zip("abc", axes, strict=True):
            plotting.panel_label(ax, letter)
    return fig
