"""How deep a network remembers its input: the depth scales xi_q and xi_c, diverging at criticality.

The rate at which a small perturbation of the input decays is measured with common random numbers: the same networks
see two inputs (or pairs of inputs) that differ slightly, and the logarithm of the difference falls linearly with depth.
"""

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

MODEL = "propagation"
TITLE = "Depth scales of signal propagation"
CAPTION = (
    "Depth scales of the correlation between two inputs (xi_c) and of the length of one input (xi_q) against the "
    "variance of the weights; {activation}, sigma_b = {sigma_b}, width {width}. Lines: mean-field theory. Points: "
    "decay of a small perturbation, {trials} networks, with standard errors. xi_c diverges on the critical line "
    "(dotted), xi_q does not. Claims: SIG1, A1-17."
)

_LENGTH_STEP = 0.05
_OVERLAP_STEP = 0.01
_COLLINEAR_STEP = 1e-4
# xi_q is near one layer: later layers would measure rounding.
_LENGTH_WINDOW = slice(1, 12)
_OVERLAP_WINDOW = slice(3, None)

BOUNDED = ("tanh", "erf", "sigmoid", "hard_tanh", "sin")
"""Activations whose lengths settle, with biases, to a finite value at every weight scale."""


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``sigma_w`` as axis.

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
        MODEL, parameters, axes={"sigma_w": None}, needs=("activation", "sigma_b", "width", "depth"),
        may=("method", "first_trial"),
    )  # fmt: skip
    activation, sigma_b, depth = checked["activation"], checked["sigma_b"], checked["depth"]
    studies.require(activation in BOUNDED, "activation", activation, f"one of {', '.join(BOUNDED)}: lengths settle")
    studies.require(sigma_b > 0.0, "sigma_b", sigma_b, "greater than 0: without biases lengths settle to 0 in order")
    studies.require(depth >= 5, "depth", depth, "at least 5: slopes are fitted from the fourth layer on")
    for sigma_w in checked["sigma_w"]:
        studies.require(sigma_w > 0.0, "sigma_w", sigma_w, "greater than 0: nothing else passes a perturbation")
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Measure the logarithmic decay of small perturbations per layer.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`, with sequences for ``sigma_w`` and ``sigma_b`` only.

    Returns
    -------
    xarray.Dataset
        ``length_decay`` and ``correlation_decay`` (sigma_w, sigma_b): ``1 / xi``, with standard errors over trials.
    """
    import xarray as xr

    axes = {name: np.atleast_1d(parameters.pop(name)).tolist() for name in ("sigma_w", "sigma_b")}
    shape = tuple(len(axis) for axis in axes.values())
    names = {"length_decay": "1 / xi_q", "correlation_decay": "1 / xi_c"}
    values = {name: np.empty(shape) for stem in names for name in (stem, f"{stem}_stderr")}
    for i, sigma_w in enumerate(axes["sigma_w"]):
        for j, sigma_b in enumerate(axes["sigma_b"]):
            for stem, measure in (("length_decay", _length_decay), ("correlation_decay", _correlation_decay)):
                values[stem][i, j], values[f"{stem}_stderr"][i, j] = measure(sigma_w, sigma_b, parameters)
    dataset = xr.Dataset(
        {
            name: (tuple(axes), array, {"long_name": names.get(name, "standard error"), "units": "1"})
            for name, array in values.items()
        },
        axes,
        {"parameters": json.dumps(parameters | axes, sort_keys=True), "trials": parameters["trials"]},
    )
    dataset.sigma_w.attrs = {
        "long_name": "standard deviation of the weights times sqrt(fan in)",
        "units": "1",
    }
    dataset.sigma_b.attrs = {"long_name": "standard deviation of the biases", "units": "1"}
    return dataset


def _start(sigma_w: float, sigma_b: float, parameters: dict[str, Any]) -> tuple[float, float, float]:
    """Fixed point (q*, c*), and the input length that puts the first layer at q*."""
    from simnn.propagation import theory

    length, overlap = theory.fixed_point(parameters["activation"], sigma_w, sigma_b)
    return length, overlap, (length - sigma_b**2) / sigma_w**2


def _length_decay(sigma_w: float, sigma_b: float, parameters: dict[str, Any]) -> tuple[float, float]:
    from simnn import propagation

    _, _, start = _start(sigma_w, sigma_b, parameters)
    pair = propagation.simulate(
        **parameters, sigma_w=sigma_w, sigma_b=sigma_b, keep_trials=True, dtype="float64",
        input_length=[start * (1.0 - _LENGTH_STEP), start * (1.0 + _LENGTH_STEP)],
    ).length.isel(input=0)  # fmt: skip
    difference = pair.isel(input_length=1) - pair.isel(input_length=0)
    return _decay(difference.transpose("trial", "layer").values[:, _LENGTH_WINDOW])


def _correlation_decay(sigma_w: float, sigma_b: float, parameters: dict[str, Any]) -> tuple[float, float]:
    from simnn import propagation

    length, overlap, start = _start(sigma_w, sigma_b, parameters)
    ends = np.array([1.0 - _COLLINEAR_STEP, 1.0])
    if overlap < 1.0 - _OVERLAP_STEP:
        ends = overlap + np.array([-_OVERLAP_STEP, _OVERLAP_STEP])
    pair = propagation.simulate(
        **parameters, sigma_w=sigma_w, sigma_b=sigma_b, keep_trials=True, dtype="float64", input_length=start,
        correlation=((ends * length - sigma_b**2) / (length - sigma_b**2)).tolist(),
    ).correlation.isel(input=0, other_input=1)  # fmt: skip
    difference = pair.isel(input_correlation=1) - pair.isel(input_correlation=0)
    return _decay(difference.transpose("trial", "layer").values[:, _OVERLAP_WINDOW])


def _decay(difference: "NDArray[np.float64]") -> tuple[float, float]:
    """Mean over trials, and its error, of minus the least-squares slope of ``ln |difference|`` against the layer."""
    layers = np.arange(difference.shape[1])
    slopes = -np.polynomial.polynomial.polyfit(layers, np.log(np.abs(difference)).T, 1)[1]
    return float(slopes.mean()), float(slopes.std(ddof=1) / np.sqrt(len(slopes)))


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add mean-field depth scales.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``length_decay_theory`` and ``correlation_decay_theory`` (sigma_w, sigma_b) and ``critical_sigma_w``
        (sigma_b).
    """
    from simnn.propagation import theory

    activation = studies.parameters(dataset)["activation"]
    shape = (dataset.sizes["sigma_w"], dataset.sizes["sigma_b"])
    length, correlation = np.empty(shape), np.empty(shape)
    for i, sigma_w in enumerate(dataset.sigma_w.values):
        for j, sigma_b in enumerate(dataset.sigma_b.values):
            scales = theory.depth_scales(activation, float(sigma_w), float(sigma_b))
            length[i, j], correlation[i, j] = 1.0 / scales.length, 1.0 / scales.correlation
    critical = [theory.critical_sigma_w(activation, float(sigma_b)) for sigma_b in dataset.sigma_b.values]
    dims = ("sigma_w", "sigma_b")
    return dataset.assign(
        length_decay_theory=(dims, length, {"long_name": "mean-field 1 / xi_q", "units": "1"}),
        correlation_decay_theory=(dims, correlation, {"long_name": "mean-field 1 / xi_c", "units": "1"}),
        critical_sigma_w=("sigma_b", critical, {"long_name": "sigma_w with chi = 1", "units": "1"}),
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Decay rates are those of the maps, and the one of correlations vanishes at criticality.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        One for each rate and weight scale. The tolerance allows for deviations of order 1 / width.
    """
    width = studies.parameters(dataset)["width"]
    rows = []
    for stem, symbol in (("correlation_decay", "1/xi_c"), ("length_decay", "1/xi_q")):
        for _, point in dataset.stack(point=("sigma_w", "sigma_b")).groupby("point"):
            row = point.isel(point=0)
            rows.append(
                Claim.test(
                    "SIG1",
                    f"{symbol} at sigma_w^2 = {row.sigma_w.item() ** 2:.3g}, sigma_b = {row.sigma_b.item():.3g}",
                    prediction=row[f"{stem}_theory"].item(),
                    measured=row[stem].item(),
                    stderr=row[f"{stem}_stderr"].item(),
                    tolerance=5.0 / width,
                )
            )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Depth scales against the variance of the weights.

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
    from simnn.propagation import theory

    parameters = studies.parameters(dataset)
    dataset = dataset.isel(sigma_b=0)
    fine = np.linspace(float(dataset.sigma_w.min()), float(dataset.sigma_w.max()), 200)
    scales = [theory.depth_scales(parameters["activation"], float(s), dataset.sigma_b.item()) for s in fine]
    with plotting.figure_style():
        fig, ax = plt.subplots(figsize=(plotting.SINGLE_COLUMN, 2.6))
        curves = [("correlation", r"$\xi_c$"), ("length", r"$\xi_q$")]
        for color, marker, (name, label) in zip(plotting.COLORS, "os", curves, strict=False):
            rate, stderr = dataset[f"{name}_decay"], dataset[f"{name}_decay_stderr"]
            ax.plot(fine**2, [getattr(scale, name) for scale in scales], color=color)
            ax.errorbar(dataset.sigma_w**2, 1.0 / rate, yerr=stderr / rate**2, fmt=marker, color=color, label=label)
        ax.axvline(dataset.critical_sigma_w.item() ** 2, color="0.4", ls=":", label=r"$\chi = 1$")
        ax.set(xlabel=r"$\sigma_w^2$", ylabel="depth scale (layers)", yscale="log", ylim=(0.5, 500.0))
        ax.legend()
    return fig
