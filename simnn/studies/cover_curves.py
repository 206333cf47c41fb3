"""How many random patterns a linear unit can separate: Cover's curves, exact at every size, and their collapse."""

from typing import TYPE_CHECKING

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MODEL = "capacity"
TITLE = "Cover's curves: how many patterns a linear unit separates"
CAPTION = (
    "Probability that P Gaussian patterns with random labels are linearly separable in N = {dimension} dimensions, "
    "against the load P/N: (a) without, (b) with a threshold. Lines are exact at each N (steps where P/N rounds to the "
    "same P); points are fractions of {trials} sets of patterns with binomial standard errors. Every verdict is "
    "certified: a weight vector whose margins exceed all rounding, or a combination of the patterns that vanishes. "
    "(c) All of them against (2 N' - P)/sqrt(P), with N' = N, or N + 1 with a threshold, fall onto the normal "
    "distribution function as N grows. Claims: CAP1, A3-39."
)

# Binomial errors are normal where so many of the rarer outcome are expected.
_COUNTED = 25.0


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add Cover's probabilities.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simnn.capacity.simulate` with dimensions ``dimension``, ``load`` and ``bias``.

    Returns
    -------
    xarray.Dataset
        With ``separable_theory`` (dimension, load, bias), exact, and ``patterns`` (dimension, load), their number.
    """
    from simnn.capacity import theory

    dimensions, loads = dataset["dimension"].values, dataset["load"].values
    patterns = np.array([[round(load * dimension) for load in loads.tolist()] for dimension in dimensions.tolist()])
    curves = [theory.cover_probability(patterns, dimensions[:, None], bool(bias)) for bias in dataset["bias"].values]
    return dataset.assign(
        separable_theory=(
            ("dimension", "load", "bias"),
            np.stack([np.asarray(curve) for curve in curves], axis=-1),
            {"long_name": "probability that the patterns are separable", "units": "1"},
        ),
        patterns=(("dimension", "load"), patterns, {"long_name": "number of patterns", "units": "1"}),
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Cover's probability is exact at every size; capacity is 2 N at every size; nothing stays undecided.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Standard errors are the binomial ones of the prediction; points where the rarer outcome is expected less than 25
        times do not count.
    """
    trials = studies.parameters(dataset)["trials"]
    p = dataset["separable_theory"]
    stderr = np.sqrt((p * (1.0 - p)).clip(0.0) / trials)
    told = p.where(trials * np.minimum(p, 1.0 - p) >= _COUNTED)
    rows = []
    for bias in dataset["bias"].values.tolist():
        at = {"bias": bias}
        rows += Claim.worst(
            "CAP1",
            f"fraction separable {'with' if bias else 'without'} a threshold is Cover's, exactly at every N",
            prediction=told.sel(at, drop=True),
            measured=dataset["separable_fraction"].sel(at, drop=True),
            stderr=stderr.sel(at, drop=True),
        )
    if False in dataset["bias"].values and 2.0 in dataset["load"].values:
        for n in (int(dataset["dimension"].min()), int(dataset["dimension"].max())):
            half = dataset.sel(bias=False, load=2.0, dimension=n)
            rows.append(
                Claim.test(
                    "A3-39",
                    f"the number of patterns grows as 2 N: fraction of sets of 2 N that are separable, N = {n}",
                    prediction=half["separable_theory"].item(),
                    measured=half["separable_fraction"].item(),
                    stderr=0.5 / np.sqrt(trials),
                    correction="1/2 at every N, not only as N grows; for random labels, patterns in general position "
                    "and the best weights",
                )
            )
    undecided = dataset["undecided_fraction"]
    rows += Claim.worst(
        "CAP1",
        "every verdict is certified: fraction undecided",
        prediction=0.0 * undecided,
        measured=undecided,
        stderr=0.0 * undecided,
    )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Curves without and with a threshold, and their collapse.

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

    dimensions, biases = dataset["dimension"].values.tolist(), dataset["bias"].values.tolist()
    low, high = float(dataset["load"].min()), float(dataset["load"].max())
    fine = np.linspace(low, high, 801)
    with plotting.figure_style():
        fig, axes = plt.subplots(1, len(biases) + 1, figsize=(plotting.DOUBLE_COLUMN, 2.5), squeeze=False)
        *curves, collapse = axes[0]
        for ax, bias in zip(curves, biases, strict=True):
            for color, marker, n in zip(plotting.COLORS, "osD^vP", dimensions, strict=False):
                at = dataset.sel(dimension=n, bias=bias)
                ax.plot(fine, theory.cover_probability(np.round(fine * n).astype(int), n, bias), color=color, lw=0.8)
                style = {"fmt": marker, "color": color}
                values, errors = at["separable_fraction"], at["separable_fraction_stderr"]
                ax.errorbar(at["load"], values, yerr=errors, label=f"$N = {n}$", **style)
                x = (2.0 * (n + bias) - at["patterns"]) / np.sqrt(at["patterns"])
                collapse.errorbar(x, values, yerr=errors, **style)
            ax.axvline(2.0, color="0.7", lw=0.6, zorder=0)
            ax.set(xlabel="load $P/N$", title="with threshold" if bias else "no threshold")
        normal = np.linspace(-4.0, 4.0, 200)
        collapse.plot(normal, ndtr(normal), color="black", label=r"$\Phi$")
        collapse.set(xlim=(-4.0, 4.0), xlabel=r"$(2N' - P)/\sqrt{P}$")
        collapse.legend(loc="upper left")
        curves[0].set_ylabel("P(separable)")
        curves[0].legend(loc="lower left", handletextpad=0.2)
        for letter, ax in zip("abc", axes[0], strict=False):
            plotting.panel_label(ax, letter)
    return fig
