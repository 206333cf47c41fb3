"""Gradients under the initialisations that people use: exploding, vanishing, and neither."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MODEL = "propagation"
TITLE = "Gradients under common initialisations"
CAPTION = (
    "Mean square gradient against layer for the weight scales of common initialisations, no biases, width {width}, "
    "depth {depth}. Lines: mean-field theory. Points: means over {trials} networks with standard errors. PyTorch's "
    "default draws uniform weights of variance 1/(3 fan in); Gaussian weights of that variance are used here. "
    "Claims: SIG1, SIG3, A0-11, A0-12."
)

SCHEMES = {
    np.sqrt(1.0 / 3.0): "PyTorch default",
    1.0: "LeCun, Glorot",
    np.sqrt(2.0): "He",
    5.0 / 3.0: "tanh gain 5/3",
}
"""Weight scale sigma_w of an initialisation of square layers, and its name."""


def scheme(sigma_w: float) -> str:
    """Name of the initialisation with this weight scale.

    Parameters
    ----------
    sigma_w : float
        Standard deviation of the weights times sqrt(fan in).

    Returns
    -------
    str
        One of `SCHEMES`, or the value itself.
    """
    known = [name for scale, name in SCHEMES.items() if np.isclose(scale, sigma_w, rtol=1e-4)]
    return known[0] if known else f"$\\sigma_w = {sigma_w:.3g}$"


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``activation`` and ``sigma_w`` as axes.

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
        MODEL, parameters, axes={"activation": 8, "sigma_w": 10}, needs=("sigma_b", "width", "depth", "input_length"),
        may=("dtype", "method", "first_trial"),
    )  # fmt: skip
    studies.require(checked["depth"] >= 2, "depth", checked["depth"], "at least 2: a factor is a ratio of layers")
    length = checked["input_length"]
    studies.require(length > 0.0, "input_length", length, "greater than 0: gradients would vanish with the input")
    for sigma_w in checked["sigma_w"]:
        studies.require(sigma_w > 0.0, "sigma_w", sigma_w, "greater than 0: a factor is a ratio of gradients")
    return checked


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add mean-field gradients.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simnn.propagation.simulate` with dimensions ``activation`` and ``sigma_w``.

    Returns
    -------
    xarray.Dataset
        With ``gradient_norm_theory`` (activation, sigma_w, layer).
    """
    from simnn.propagation import theory

    parameters = studies.parameters(dataset)
    dims = ("activation", "sigma_w", "layer")
    expected = np.empty(tuple(dataset.sizes[dim] for dim in dims))
    for i, activation in enumerate(dataset.activation.values):
        for j, sigma_w in enumerate(dataset.sigma_w.values):
            expected[i, j] = theory.propagate(
                dataset.sizes["layer"], str(activation), float(sigma_w), parameters["sigma_b"],
                input_length=parameters["input_length"],
            ).gradient_norm  # fmt: skip
    return dataset.assign(
        gradient_norm_theory=(dims, expected, {"long_name": "mean-field gradient norm", "units": "1"})
    )


def factor(dataset: "xr.Dataset") -> tuple[float, float]:
    """Growth factor of the squared gradient norm per layer, between the outer quarters of a network.

    Parameters
    ----------
    dataset : xarray.Dataset
        One activation and weight scale.

    Returns
    -------
    tuple of float
        Geometric mean of the factor, and its standard error.
    """
    depth = dataset.sizes["layer"]
    low, high = depth // 4, depth - depth // 4 - 1
    norm, stderr = (
        dataset.gradient_norm.isel(input=0).values,
        dataset.gradient_norm_stderr.isel(input=0).values,
    )
    mean = (norm[low] / norm[high]) ** (1.0 / (high - low))
    relative = np.hypot(stderr[low] / norm[low], stderr[high] / norm[high]) / (high - low)
    return float(mean), float(mean * relative)


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """The factor per layer is chi: weights decide, not the slope of the activation.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    parameters = studies.parameters(dataset)
    expected = dataset.assign(
        gradient_norm=dataset.gradient_norm_theory.expand_dims(input=1, axis=-1),
        gradient_norm_stderr=0.0 * dataset.gradient_norm_stderr.isel(input=[0]),
    )
    rows = []
    for activation in dataset.activation.values:
        for sigma_w in dataset.sigma_w.values:
            point = {"activation": activation, "sigma_w": sigma_w}
            prediction, _ = factor(expected.sel(point))
            measured, stderr = factor(dataset.sel(point))
            rows.append(
                Claim.test(
                    "SIG3" if activation == "sigmoid" else "SIG1",
                    f"{activation}, {scheme(sigma_w)}: factor of the squared gradient norm per layer",
                    prediction=prediction,
                    measured=measured,
                    stderr=stderr,
                    tolerance=3.0 / parameters["width"] * prediction,
                )
            )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """One panel per activation, one line per initialisation.

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
        fig, axes = plt.subplots(1, dataset.sizes["activation"], figsize=(plotting.DOUBLE_COLUMN, 2.4), squeeze=False)
        for ax, letter, activation in zip(axes[0], "abcdefgh", dataset.activation.values, strict=False):
            for color, sigma_w in zip(plotting.COLORS, dataset.sigma_w.values, strict=False):
                curve = dataset.sel(activation=activation, sigma_w=sigma_w)
                plotting.theory_and_simulation(
                    ax, curve.layer, curve.gradient_norm_theory, curve.gradient_norm.isel(input=0),
                    curve.gradient_norm_stderr.isel(input=0), label=scheme(sigma_w), color=color, every=3,
                )  # fmt: skip
            ax.set(title=str(activation), xlabel="layer", yscale="log")
            plotting.panel_label(ax, letter)
        axes[0, 0].set_ylabel(r"gradient norm $|\delta^l|^2/N$")
        axes[0, 0].legend()
    return fig
