"""Lengths and correlations against depth, in the ordered phase, near criticality and in chaos."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``activation`` and ``sigma_w`` as axes and two inputs.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    return studies.check(
        MODEL, parameters, axes={"activation": 8, "sigma_w": 10},
        needs=("sigma_b", "width", "depth", "correlation", "input_length"), may=("dtype", "method", "first_trial"),
    )  # fmt: skip


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
    tolerance = 2.0 * (1.0 + dataset.layer) / width
    rows: list[Claim] = []
    for activation in dataset.activation.values:
        panel = dataset.sel(activation=activation, input=0, drop=True)
        near, stderr = (panel[name].sel(other_input=1, drop=True) for name in ("decorrelation", "decorrelation_stderr"))
        pairs = [
            ("q", panel.length, panel.length_stderr, panel.length_theory.where(panel.length_theory > 0.0)),
            ("1 - c", near, stderr, panel.decorrelation_theory.where(panel.decorrelation_theory > 0.0)),
        ]
        for quantity, mean, error, theory in pairs:
            rows += Claim.worst(
                "SIG1",
                f"{activation}: {quantity} follows its map at every depth, measured / mean-field",
                prediction=theory / theory,
                measured=mean / theory,
                stderr=error / theory,
                tolerance=tolerance,
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
