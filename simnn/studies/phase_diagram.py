"""Where gradients explode and where they vanish: the phase diagram of a deep random network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MODEL = "propagation"
TITLE = "Phase diagram of signal propagation"
CAPTION = (
    "Per-layer growth of the squared gradient norm in random {activation} networks of width {width} and depth "
    "{depth}. (a) Measured growth (colour), the mean-field line chi = 1 (solid), and where growth vanishes: measured "
    "(circles) and in mean-field theory at this depth (dashed; without biases lengths decay as 1/l only, so that a "
    "finite network turns later). (b) Cuts at fixed sigma_b: lines are mean-field theory at this depth, points are "
    "means over {trials} networks with standard errors, smaller than the symbols. "
    "Claims: SIG1, A3-09, A0-12."
)

# Layers left out on either side: lengths relax from the input below, and the output gradient is isotropic above.
_SKIP_BELOW, _SKIP_ABOVE = 0.4, 2


def _window(depth: int) -> tuple[int, int]:
    """First and last layer over which growth is measured."""
    return max(1, round(_SKIP_BELOW * depth)), max(2, depth - _SKIP_ABOVE)


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``sigma_w`` and ``sigma_b`` as axes.

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
        MODEL, parameters, axes={"sigma_w": None, "sigma_b": None}, needs=("activation", "width", "depth"),
        may=("dtype", "method", "first_trial"),
    )  # fmt: skip
    studies.require(checked["depth"] >= 2, "depth", checked["depth"], "at least 2: growth is a difference of layers")
    for sigma_w in checked["sigma_w"]:
        studies.require(sigma_w > 0.0, "sigma_w", sigma_w, "greater than 0: growth is a logarithm")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Growth of the gradient over the interior layers.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`; one input, one depth.

    Returns
    -------
    xarray.Dataset
        ``gradient_growth`` (sweep): mean over layers of ``ln E|delta^l|^2 - ln E|delta^(l+1)|^2``, with its standard
        error over trials.
    """
    import xarray as xr

    from simnn import propagation

    trials = propagation.simulate(**parameters, keep_trials=True)
    low, high = _window(trials.sizes["layer"])
    norm = trials.gradient_norm.isel(input=0, drop=True)
    below, above = norm.sel(layer=low, drop=True), norm.sel(layer=high, drop=True)
    growth = np.log(below.mean("trial") / above.mean("trial")) / (high - low)
    # To first order in the spread of the norms, each network shifts the logarithm by its relative deviations.
    shift = (below / below.mean("trial") - above / above.mean("trial")) / (high - low)
    stderr = shift.std("trial", ddof=1) / np.sqrt(shift.sizes["trial"])
    return xr.Dataset(
        {
            "gradient_growth": growth.assign_attrs(
                long_name="logarithmic growth of the mean squared gradient norm per layer", units="1"
            ),
            "gradient_growth_stderr": stderr.assign_attrs(long_name="standard error of gradient_growth", units="1"),
        },
        attrs=trials.attrs,
    )


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add mean-field theory.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`, with dimensions ``sigma_w`` and ``sigma_b``.

    Returns
    -------
    xarray.Dataset
        With ``gradient_growth_theory`` (sigma_w, sigma_b), the same average over layers of ``ln chi_l``, and
        ``critical_sigma_w`` (sigma_b).
    """
    from simnn.propagation import theory

    given = studies.parameters(dataset)
    activation, depth = given["activation"], given["depth"]
    low, high = _window(depth)
    expected = np.empty((dataset.sizes["sigma_w"], dataset.sizes["sigma_b"]))
    for i, sigma_w in enumerate(dataset.sigma_w.values):
        for j, sigma_b in enumerate(dataset.sigma_b.values):
            norm = theory.propagate(depth, activation, float(sigma_w), float(sigma_b)).gradient_norm
            expected[i, j] = (np.log(norm[low - 1]) - np.log(norm[high - 1])) / (high - low)
    critical = [_critical(activation, float(sigma_b)) for sigma_b in dataset.sigma_b.values]
    return dataset.assign(
        gradient_growth_theory=(
            ("sigma_w", "sigma_b"),
            expected,
            {
                "long_name": "mean-field growth of the squared gradient norm per layer (logarithm)",
                "units": "1",
            },
        ),
        critical_sigma_w=(("sigma_b",), critical, {"long_name": "sigma_w with chi = 1", "units": "1"}),
    )


def _critical(activation: str, sigma_b: float) -> float:
    """The critical sigma_w, NaN where an activation has none at this sigma_b (GELU without biases)."""
    from simnn.propagation import theory

    try:
        return float(theory.critical_sigma_w(activation, sigma_b))
    except ValueError:
        return float("nan")


def crossings(dataset: "xr.Dataset", variable: str) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Where growth crosses zero, for each sigma_b.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.
    variable : str
        ``"gradient_growth"`` or ``"gradient_growth_theory"``.

    Returns
    -------
    tuple of (sigma_b,) arrays
        The crossing in sigma_w, by a parabola through the four points around it, and its standard error; NaN where
        growth does not change sign inside the grid.
    """
    sigma_w = dataset.sigma_w.values
    rows = dataset[variable].transpose("sigma_b", "sigma_w").values
    errors = dataset.gradient_growth_stderr.transpose("sigma_b", "sigma_w").values
    found = [_crossing(sigma_w, growth, stderr) for growth, stderr in zip(rows, errors, strict=True)]
    return np.array([root for root, _ in found]), np.array([error for _, error in found])


def _crossing(
    sigma_w: "NDArray[np.float64]", growth: "NDArray[np.float64]", stderr: "NDArray[np.float64]"
) -> tuple[float, float]:
    above = np.flatnonzero(growth > 0.0)
    if len(above) == 0 or above[0] == 0:
        return np.nan, np.nan
    near = slice(max(0, above[0] - 2), above[0] + 2)
    x, y = sigma_w[near], growth[near]
    curve = np.polynomial.Polynomial.fit(x, y, min(2, len(x) - 1))
    roots = curve.roots()
    middle = 0.5 * (sigma_w[above[0] - 1] + sigma_w[above[0]])
    root = float(np.real(roots[np.argmin(np.abs(roots - middle))]))
    # Points of a cut share their random networks, so their errors add up instead of averaging out.
    return root, float(np.mean(stderr[near]) / abs(curve.deriv()(root)))


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Growth is ln chi in every cell, and changes sign on the critical line.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    width = studies.parameters(dataset)["width"]
    flat = dataset.stack(cell=("sigma_w", "sigma_b"))
    slack = np.abs(flat.gradient_growth - flat.gradient_growth_theory) - 4.0 * flat.gradient_growth_stderr
    worst = flat.isel(cell=int(slack.argmax("cell")))
    rows = [
        Claim.test(
            "SIG1",
            f"gradients grow by ln chi per layer; worst of {flat.sizes['cell']} cells, "
            f"sigma_w = {worst.sigma_w.item():.3g}, sigma_b = {worst.sigma_b.item():.3g}",
            prediction=worst.gradient_growth_theory.item(),
            measured=worst.gradient_growth.item(),
            stderr=worst.gradient_growth_stderr.item(),
            tolerance=3.0 / width,
        )
    ]
    for sigma_b, critical, measured, stderr in zip(
        dataset.sigma_b.values, dataset.critical_sigma_w.values, *crossings(dataset, "gradient_growth"), strict=True
    ):
        if sigma_b > 0.0 and np.isfinite(measured) and np.isfinite(critical):
            rows.append(
                Claim.test(
                    "SIG1",
                    f"gradients turn from vanishing to exploding at the critical sigma_w^2, sigma_b = {sigma_b:.3g}",
                    prediction=critical**2,
                    measured=measured**2,
                    stderr=2.0 * measured * stderr,
                    tolerance=0.01,
                )
            )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Heat map with the critical line, and cuts with theory.

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

    dataset = dataset.transpose("sigma_b", "sigma_w")
    with plotting.figure_style():
        fig, (left, right) = plt.subplots(1, 2, figsize=(plotting.DOUBLE_COLUMN, 2.7))
        limit = float(np.abs(dataset.gradient_growth).quantile(0.95))
        mesh = left.pcolormesh(
            dataset.sigma_w, dataset.sigma_b, dataset.gradient_growth, cmap="RdBu_r", vmin=-limit, vmax=limit,
            rasterized=True,
        )  # fmt: skip
        fig.colorbar(mesh, ax=left, label=r"$\ln(E|\delta^{l}|^2/E|\delta^{l+1}|^2)$", extend="both")
        left.plot(dataset.critical_sigma_w, dataset.sigma_b, color="black", label=r"theory, $\chi = 1$")
        expected, _ = crossings(dataset, "gradient_growth_theory")
        measured, _ = crossings(dataset, "gradient_growth")
        left.plot(expected, dataset.sigma_b, "--", color="black", label="theory at this depth")
        left.plot(measured, dataset.sigma_b, "o", color="black", mfc="white", label="measured crossing")
        left.set(
            xlabel=r"$\sigma_w$",
            ylabel=r"$\sigma_b$",
            xlim=_limits(dataset.sigma_w),
            ylim=_limits(dataset.sigma_b),
        )
        left.annotate("vanishing", (0.03, 0.92), xycoords="axes fraction", color="white")
        left.annotate("exploding", (0.68, 0.06), xycoords="axes fraction")
        left.legend(loc="center right")
        chosen = dataset.sigma_b.values[np.unique(np.linspace(0, dataset.sizes["sigma_b"] - 1, 3).astype(int))]
        for color, sigma_b in zip(plotting.COLORS, chosen, strict=False):
            cut = dataset.sel(sigma_b=sigma_b)
            plotting.theory_and_simulation(
                right, cut.sigma_w, cut.gradient_growth_theory, cut.gradient_growth, cut.gradient_growth_stderr,
                label=rf"$\sigma_b = {sigma_b:.3g}$", color=color, every=2,
            )  # fmt: skip
        right.axhline(0.0, color="0.6", lw=0.6, zorder=0)
        right.set(xlabel=r"$\sigma_w$", ylabel=r"$\ln(E|\delta^{l}|^2/E|\delta^{l+1}|^2)$")
        right.legend()
        for label, ax in zip("ab", (left, right), strict=True):
            plotting.panel_label(ax, label)
    return fig


def _limits(axis: "xr.DataArray") -> tuple[float, float]:
    half = 0.5 * float(axis.diff(axis.name).mean()) if axis.size > 1 else 0.5
    return float(axis.min()) - half, float(axis.max()) + half
