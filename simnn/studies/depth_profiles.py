"""Lengths and correlations against depth, in the ordered phase, near criticality and in chaos."""

from typing import TYPE_CHECKING

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MODEL = "propagation"
TITLE = "Length and correlation against depth"
CAPTION = (
    "Mean square of the pre-activations q (top) and distance 1 - c between two inputs (bottom) against depth, for "
    "several activations and weight scales; sigma_b = {sigma_b}, width {width}. Lines: mean-field maps. Points: "
    "means over {trials} networks, with standard errors. Claims: SIG1, A0-30."
)


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the mean-field maps.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simnn.propagation.simulate` with dimensions ``activation`` and ``sigma_w`` and two inputs.

    Returns
    -------
    xarray.Dataset
        With ``length_theory`` and ``decorrelation_theory`` (activation, sigma_w, layer).
    """
    from simnn.propagation import theory

    parameters = studies.parameters(dataset)
    shape = tuple(dataset.sizes[dim] for dim in ("activation", "sigma_w", "layer"))
    length, decorrelation = np.empty(shape), np.empty(shape)
    for i, activation in enumerate(dataset.activation.values):
        for j, sigma_w in enumerate(dataset.sigma_w.values):
            profile = theory.propagate(
                dataset.sizes["layer"], str(activation), float(sigma_w), parameters["sigma_b"],
                input_length=parameters["input_length"], input_correlation=parameters["correlation"],
            )  # fmt: skip
            length[i, j], decorrelation[i, j] = profile.length, profile.decorrelation
    dims = ("activation", "sigma_w", "layer")
    return dataset.assign(
        length_theory=(dims, length, {"long_name": "mean-field length", "units": "1"}),
        decorrelation_theory=(dims, decorrelation, {"long_name": "mean-field 1 - overlap", "units": "1"}),
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Lengths and correlations follow their maps at every depth.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        For each activation the worst layer and weight scale, for lengths and for distances 1 - c. The tolerance allows
        for deviations of order layer / width.
    """
    width = studies.parameters(dataset)["width"]
    rows = []
    for activation in dataset.activation.values:
        flat = dataset.sel(activation=activation, input=0).stack(point=("sigma_w", "layer"))
        near, near_stderr = (flat[name].sel(other_input=1) for name in ("decorrelation", "decorrelation_stderr"))
        pairs = [
            ("q", flat.length, flat.length_stderr, flat.length_theory),
            ("1 - c", near, near_stderr, flat.decorrelation_theory),
        ]
        for quantity, mean, error, theory in pairs:
            measured, stderr, tolerance = mean / theory, error / theory, 2.0 * (1.0 + flat.layer) / width
            worst = int((np.abs(measured - 1.0) - 4.0 * stderr - tolerance).argmax("point"))
            point = flat.isel(point=worst)
            rows.append(
                Claim.test(
                    "SIG1",
                    f"{activation}: {quantity} follows its map at every depth, measured / mean-field; worst at "
                    f"sigma_w = {point.sigma_w.item():.3g}, layer {point.layer.item()}",
                    prediction=1.0,
                    measured=measured.isel(point=worst).item(),
                    stderr=stderr.isel(point=worst).item(),
                    tolerance=tolerance.isel(point=worst).item(),
                )
            )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """One column per activation: lengths above, distances below.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    from simnn import plotting

    columns = dataset.sizes["activation"]
    with plotting.figure_style():
        fig, axes = plt.subplots(2, columns, figsize=(plotting.DOUBLE_COLUMN, 3.6), sharex=True, squeeze=False)
        for column, activation in enumerate(dataset.activation.values):
            panel = dataset.sel(activation=activation, input=0)
            for color, sigma_w in zip(plotting.COLORS, dataset.sigma_w.values, strict=False):
                curve = panel.sel(sigma_w=sigma_w)
                label = rf"$\sigma_w = {sigma_w:.3g}$"
                above, below = axes[:, column]
                plotting.theory_and_simulation(
                    above, curve.layer, curve.length_theory, curve.length, curve.length_stderr, label=label,
                    color=color, every=3,
                )  # fmt: skip
                near, stderr = (curve[name].sel(other_input=1) for name in ("decorrelation", "decorrelation_stderr"))
                plotting.theory_and_simulation(
                    below, curve.layer, curve.decorrelation_theory, near, stderr, label=label, color=color, every=3
                )
            above.set(title=str(activation), yscale="log")
            above.margins(y=0.15)
            above.yaxis.set_minor_formatter(NullFormatter())
            below.set(xlabel="layer", yscale="log")
            plotting.panel_label(above, "abcdefgh"[column])
        axes[0, 0].set_ylabel("length $q$")
        axes[1, 0].set_ylabel("distance $1 - c$")
        axes[1, 0].legend()
    return fig
