"""The largest margin of random patterns: Gardner's capacity, approached as 1/N."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MODEL = "capacity"
TITLE = "Largest margins and Gardner's capacity"
CAPTION = (
    "Largest margin kappa with which P Gaussian patterns of length sqrt(N) and random labels can be separated, N = "
    "{dimension}; means over {trials} sets of patterns with standard errors, between bounds that agree to 1e-9. "
    "(a) Margin against the load: the line is Gardner's theory at infinite N; read sideways, it is the capacity for a "
    "margin. (b) Fraction of the patterns that lie at the margin (support vectors): the line is Phi(kappa). (c) "
    "Distance of the margin from theory against 1/N, with straight fits: what is left at 1/N = 0 is compared with "
    "theory. Claims: CAP4."
)


def simulate(**parameters: Any) -> "xr.Dataset":
    """Largest margins and support vectors.

    Parameters
    ----------
    **parameters
        Of `simnn.capacity.largest_margin`, with sequences for ``dimension`` and ``load`` only.

    Returns
    -------
    xarray.Dataset
        From `simnn.capacity.largest_margin`.
    """
    from simnn import capacity

    dataset = capacity.largest_margin(**parameters).transpose("dimension", "load")
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": parameters["trials"]}
    return dataset


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add Gardner's theory, and what the measurements tend to as N grows.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``largest_margin_theory`` and ``support_fraction_theory`` (load), and for both ``<name>_limit``, the value
        at 1/N = 0 of a straight line in 1/N, ``<name>_limit_stderr``, and ``<name>_slope``, of that line.
    """
    from simnn.capacity import theory

    loads = dataset["load"].values.tolist()
    closed = {
        "largest_margin": [theory.gardner_margin(load) for load in loads],
        "support_fraction": [theory.support_vector_fraction(load) for load in loads],
    }
    inverse = 1.0 / dataset["dimension"].values
    variables = {}
    for name, values in closed.items():
        label = dataset[name].attrs["long_name"]
        fits = [
            studies.straight_line(inverse, *(dataset[key].sel(load=load).values for key in (name, f"{name}_stderr")))
            for load in loads
        ]
        columns = np.array(fits).T
        for suffix, column, what in (
            ("theory", values, "Gardner's theory at infinite N"),
            ("limit", columns[0], "straight line in 1/N, at 1/N = 0"),
            ("limit_stderr", columns[1], "standard error of the value at 1/N = 0"),
            ("slope", columns[2], "slope of the straight line in 1/N"),
        ):
            variables[f"{name}_{suffix}"] = "load", np.asarray(column), {"long_name": f"{what}: {label}", "units": "1"}
    return dataset.assign(variables)


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Margins and support vectors tend to Gardner's theory.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerance: the square of the 1/N correction at the smallest N, the size of what a straight line leaves out.
    """
    smallest = float(dataset["dimension"].min())
    rows = []
    for name, what in (
        ("largest_margin", "the largest margin tends to Gardner's"),
        ("support_fraction", "the fraction of support vectors tends to Phi(kappa)"),
    ):
        rows += Claim.worst(
            "CAP4",
            f"{what}, extrapolated in 1/N",
            prediction=dataset[f"{name}_theory"],
            measured=dataset[f"{name}_limit"],
            stderr=dataset[f"{name}_limit_stderr"],
            tolerance=(dataset[f"{name}_slope"] / smallest) ** 2,
        )
    undecided = dataset["undecided_fraction"]
    rows += Claim.worst(
        "CAP4",
        "lower and upper bound of every margin agree: fraction undecided",
        prediction=0.0 * undecided,
        measured=undecided,
        stderr=0.0 * undecided,
    )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Margins, support vectors, and how they approach theory.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt
    from scipy.special import ndtr

    from simnn import plotting
    from simnn.capacity import theory

    loads, dimensions = dataset["load"].values, dataset["dimension"].values.tolist()
    fine = np.linspace(0.8 * loads.min(), 2.0, 120)
    kappa = np.array([theory.gardner_margin(load) for load in fine])
    with plotting.figure_style():
        fig, (margin, support, approach) = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.5))
        margin.plot(fine, kappa, color="black")
        support.plot(fine, ndtr(kappa), color="black")
        for color, marker, n in zip(plotting.COLORS, "osD^vP", dimensions, strict=False):
            at = dataset.sel(dimension=n)
            for ax, name in ((margin, "largest_margin"), (support, "support_fraction")):
                ax.errorbar(
                    loads, at[name], yerr=at[f"{name}_stderr"], fmt=marker, color=color, label=f"$N = {n}$"
                )  # fmt: skip
        margin.set(xlabel="load $P/N$", ylabel=r"largest margin $\kappa$", ylim=(0.0, None))
        support.set(xlabel="load $P/N$", ylabel="fraction of support vectors")
        x, ends = 1.0 / dataset["dimension"].values, np.array([0.0, 1.05 / min(dimensions)])
        chosen = loads[:: max(1, (len(loads) - 1) // 2)][:3]
        for color, marker, load in zip(plotting.COLORS[4:], "vPX", chosen, strict=False):
            at = dataset.sel(load=load)
            theory_value = at["largest_margin_theory"].item()
            line = at["largest_margin_limit"].item() + at["largest_margin_slope"].item() * ends - theory_value
            approach.plot(ends, line, color=color, lw=0.8)
            approach.errorbar(
                x, at["largest_margin"] - theory_value, yerr=at["largest_margin_stderr"], fmt=marker, color=color,
                label=f"$P/N = {load:g}$",
            )  # fmt: skip
        approach.axhline(0.0, color="0.7", lw=0.6, zorder=0)
        approach.set(xlabel="$1/N$", ylabel=r"$\kappa$ minus theory")
        margin.legend(loc="upper right", handletextpad=0.2)
        approach.legend(loc="upper left", handletextpad=0.2)
        for letter, ax in zip("abc", (margin, support, approach), strict=True):
            plotting.panel_label(ax, letter)
    return fig
