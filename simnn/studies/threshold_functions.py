"""What one unit with a threshold can say about binary inputs: all labelings of the cube, one verdict each."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MODEL = "capacity"
TITLE = "Threshold functions: what one unit can say"
CAPTION = (
    "One linear unit with a threshold; every verdict is certified. (a) Labelings of the 2^n vertices of the n-cube, n "
    "= {dimension}, that it separates (points: all 2^(2^n) of them tried), on the number of threshold functions "
    "(line); Cover's count for points in general position (dashed) is a bound, reached for n <= 2 only; dotted: all "
    "labelings. (b) The sixteen functions of two binary inputs, 1 filled, 0 open, with the line that the solver found: "
    "XOR and XNOR have none. (c) Fraction of the labelings of m random points in n dimensions that it separates. "
    "Lines: C(m, n + 1)/2^m, exact for every set in general position: n + 1 points are always shattered, n + 2 never, "
    "so that the VC dimension is n + 1. Points: {trials} Gaussian sets of each size, all labelings of each, which give "
    "the same number every time: standard errors are zero. Claims: CAP2, A3-18."
)

_LARGEST = 4  # inputs: five would be 2^32 labelings
_POINTS = 8

_NAMES = {
    "dimension": "number of inputs n",
    "points": "number of random points m",
    "function": "number of a function of two inputs: its values on 00, 01, 10, 11 are the bits, last first",
    "coefficient": "weight of either input, then threshold",
    "threshold_functions": "labelings of the vertices of the n-cube that a threshold separates",
    "undecided": "labelings of vertices and of random points without a certified verdict",
    "separable_fraction": "fraction of the labelings of random points that a threshold separates",
    "boundary": "weights and threshold that separate a function of two inputs; missing if none do",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``dimension`` (sequence), ``trials``, ``seed``, ``backend``.

    Returns
    -------
    dict
        The same with values of their own type, and a list of dimensions.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    checked = studies.check(MODEL, parameters, axes={"dimension": _LARGEST})
    for size in checked["dimension"]:
        studies.require(size <= _LARGEST, "dimension", size, f"at most {_LARGEST}: more would be 2^32 labelings")
    return checked


def simulate(*, dimension: Sequence[int], trials: int, seed: int = 0, backend: str = "auto") -> "xr.Dataset":
    """Decide all labelings of cubes and of random points.

    Parameters
    ----------
    dimension : sequence of int
        Numbers of inputs, 1 to 4.
    trials : int
        Random sets of each number of points, 1 to 8.
    seed : int
        Key of all random numbers; trial t is the same set in every run.
    backend : str
        Accepted for the pipeline's sake: verdicts are found on the CPU.

    Returns
    -------
    xarray.Dataset
        ``threshold_functions``, ``undecided`` (dimension), ``separable_fraction`` (dimension, points) with its standard
        error over the sets, and ``boundary`` (function, coefficient) of the functions of two inputs.
    """
    import xarray as xr

    cells = []
    for size in dimension:
        counts = _count(_vertices(size))
        fractions, undecided = np.empty((trials, _POINTS)), counts["undecided"]
        for trial in range(trials):
            points = _points(seed, trial, size)
            for m in range(1, _POINTS + 1):
                found = _count(points[:m])
                fractions[trial, m - 1] = found["separable"] / 2**m
                undecided += found["undecided"]
        cell = studies.averages({"separable_fraction": (("points",), fractions)})
        cells.append(cell.assign(threshold_functions=counts["separable"], undecided=undecided))
    dataset = xr.concat(cells, "dimension").assign_coords(
        dimension=list(dimension), points=np.arange(1, _POINTS + 1), function=np.arange(16), coefficient=np.arange(3)
    )
    dataset["boundary"] = ("function", "coefficient"), _boundaries()
    studies.describe(dataset, _NAMES)
    parameters = {"dimension": list(dimension), "trials": trials, "seed": seed, "backend": backend}
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": trials}
    return dataset


def _vertices(size: int) -> "Array":
    """Vertices of the cube of edge 2 around the origin."""
    return np.array(list(itertools.product([-1.0, 1.0], repeat=size)))


def _points(seed: int, trial: int, size: int) -> "Array":
    """Random points; their number does not change the first ones."""
    key, counter = np.array([seed, trial], np.uint64), np.array([0, 0, size, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).standard_normal((_POINTS, size))


def _count(points: "Array") -> dict[str, int]:
    """Numbers of labelings by their verdict."""
    from simnn import capacity

    count = {"separable": 0, "not separable": 0, "undecided": 0}
    for labels in itertools.product([0, 1], repeat=len(points)):
        count[capacity.separable(points, labels, bias=True).status] += 1
    return count


def _boundaries() -> "Array":
    from simnn import capacity

    found = np.full((16, 3), np.nan)
    for code in range(16):
        verdict = capacity.separable(_vertices(2), code >> np.arange(4) & 1, bias=True)
        if verdict.status == "separable":
            found[code] = verdict.certificate
    return found


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add published numbers of threshold functions, and Cover's counts.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``threshold_functions_theory`` and ``cover_bound`` (dimension), and ``separable_fraction_theory``
        (dimension, points).
    """
    from simnn.capacity import theory

    sizes = dataset["dimension"].values.tolist()
    columns = {
        "threshold_functions_theory": (
            ("dimension",),
            [theory.THRESHOLD_FUNCTIONS[n] for n in sizes],
            "number of threshold functions (OEIS A000609)",
        ),
        "cover_bound": (
            ("dimension",),
            [theory.dichotomies(2**n, n + 1) for n in sizes],
            "separable labelings of 2^n points in general position",
        ),
        "separable_fraction_theory": (
            ("dimension", "points"),
            [[theory.dichotomies(m, n + 1) / 2**m for m in dataset["points"].values.tolist()] for n in sizes],
            "fraction of the labelings of points in general position that a threshold separates",
        ),
    }
    return dataset.assign(
        {name: (dims, values, {"long_name": label, "units": "1"}) for name, (dims, values, label) in columns.items()}
    )


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Numbers of threshold functions, XOR, the VC dimension: integers, which agree or do not.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    exact = 0.0 * dataset["threshold_functions"]
    excess = (dataset["threshold_functions"] - dataset["cover_bound"]).clip(0)
    reached = dataset["dimension"] <= 2
    impossible = np.flatnonzero(np.isnan(dataset["boundary"].values).any(axis=-1)).tolist()
    # Points beyond the first number that are not shattered do not count.
    shattered = dataset["separable_fraction"].where(dataset["separable_fraction"] == 1.0)
    return [
        *Claim.worst(
            "CAP2",
            "number of labelings of the n-cube that a threshold separates",
            prediction=dataset["threshold_functions_theory"],
            measured=dataset["threshold_functions"],
            stderr=exact,
        ),
        *Claim.worst(
            "CAP2",
            "Cover's bound C(2^n, n + 1) is reached for one and two inputs",
            prediction=dataset["cover_bound"].where(reached),
            measured=dataset["threshold_functions"],
            stderr=exact,
        ),
        *Claim.worst(
            "CAP2",
            "Cover's bound is never exceeded: number of labelings beyond it",
            prediction=exact,
            measured=excess,
            stderr=exact,
        ),
        Claim.test(
            "A3-18",
            "a single unit cannot compute XOR: number of functions of two inputs that it cannot",
            prediction=2.0,
            measured=len(impossible),
            stderr=0.0,
        ),
        Claim.test(
            "A3-18",
            "these are XOR and XNOR: number of the two among them",
            prediction=2.0,
            measured=len({0b0110, 0b1001}.intersection(impossible)),
            stderr=0.0,
        ),
        *Claim.worst(
            "CAP2",
            "the fraction of separable labelings is C(m, n + 1)/2^m for every set of m random points",
            prediction=dataset["separable_fraction_theory"],
            measured=dataset["separable_fraction"],
            stderr=0.0 * dataset["separable_fraction"],
        ),
        *Claim.worst(
            "CAP2",
            "the VC dimension is n + 1: largest number of random points that are always shattered",
            prediction=dataset["dimension"] + 1,
            measured=(shattered * dataset["points"]).max("points"),
            stderr=exact,
        ),
        *Claim.worst(
            "CAP2",
            "every verdict is certified: number of labelings undecided",
            prediction=exact,
            measured=dataset["undecided"],
            stderr=exact,
        ),
    ]


def figure(dataset: "xr.Dataset") -> "Figure":
    """Numbers of threshold functions, the functions of two inputs, and random points.

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

    sizes = dataset["dimension"]
    with plotting.figure_style():
        fig, (cube, functions, points) = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.5))
        cube.plot(sizes, 2.0 ** (2.0**sizes), color="0.5", ls=":", label="all labelings")
        cube.plot(sizes, dataset["cover_bound"], color="black", ls="--", lw=0.8, label="$C(2^n, n + 1)$")
        cube.plot(sizes, dataset["threshold_functions_theory"], color=plotting.COLORS[0], label="A000609")
        cube.errorbar(
            sizes, dataset["threshold_functions"], yerr=0.0 * sizes, fmt="o", color=plotting.COLORS[0], label="counted"
        )  # fmt: skip
        cube.set(xlabel="inputs $n$", ylabel="labelings of the cube", yscale="log", xticks=sizes.values)
        cube.legend(loc="upper left")
        _draw_functions(functions, dataset["boundary"].values)
        for color, marker, n in zip(plotting.COLORS, plotting.MARKERS, sizes.values.tolist(), strict=False):
            at = dataset.sel(dimension=n)
            points.plot(at["points"], at["separable_fraction_theory"], color=color, lw=0.8)
            points.errorbar(
                at["points"], at["separable_fraction"], yerr=at["separable_fraction_stderr"], fmt=marker, color=color,
                label=f"$n = {n}$",
            )  # fmt: skip
        points.set(xlabel="random points $m$", ylabel="fraction of labelings", ylim=(0.0, 1.05), xticks=[2, 4, 6, 8])
        points.legend(loc="lower left", handletextpad=0.2)
        for letter, ax in zip("abc", (cube, functions, points), strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_functions(ax: "Axes", boundary: "Array") -> None:
    """Sixteen squares with their corners and the line between them."""
    from simnn import plotting

    corners, reach = _vertices(2), 1.7
    for code, (first, second, threshold) in enumerate(boundary):
        centre = np.array([5.0 * (code % 4), -5.0 * (code // 4)])
        none = np.isnan(threshold)
        color = plotting.COLORS[3 if none else 0]
        for k, corner in enumerate(corners):
            ax.plot(*(centre + corner), "o", ms=3.2, mew=0.8, color=color, mfc=color if code >> k & 1 else "white")
        if none:
            name = "XOR" if code == 0b0110 else "XNOR"
            ax.text(centre[0], centre[1], name, color=color, ha="center", va="center", fontsize=6)
        # Lines that miss the square separate a constant function.
        ends = [
            end
            for s in (-reach, reach)
            for end in (
                (s, -(threshold + first * s) / second if second else np.inf),
                (-(threshold + second * s) / first if first else np.inf, s),
            )
            if max(map(abs, end)) <= reach
        ]
        if len(ends) > 1:
            ax.plot(*(centre + np.array([min(ends), max(ends)])).T, color=color, lw=0.8, zorder=0)
    ax.set(aspect="equal", xticks=[], yticks=[], xlabel="functions of two inputs")
    ax.spines[["left", "bottom"]].set_visible(False)
