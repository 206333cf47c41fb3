"""The fly's code as a hash, against locality-sensitive ones: the correlations it keeps, the neighbors it finds."""

import json
import math
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

MODEL = "olfaction"
TITLE = "The fly's code as a hash: better for its length, not for its operations"
CAPTION = (
    "{vectors} vectors in d = {dimension} dimensions, in {clusters} clusters of different width; {trials} sets of "
    "them, each with a wiring and projections of its own. Fly: m cells add a share {share} of the inputs, the k most "
    "active fire. (a) Correlation of codes against that of vectors, in bins: for signs of projections and for the fly "
    "with 10 d cells. Solid lines: law of a threshold at coding level 1/2, exact, and k/m, with its first corrections "
    "in 1/k and 1/d; dotted: without them. (b) Score AP@{neighbors} of the {neighbors} nearest neighbors against the "
    "length k of the hash: projections, their signs, fly. (c) The same scores against sums or products for each "
    "vector, with the scores of as many projections as cost what the fly's codes do (crosses). Points are means with "
    "standard errors, mostly smaller than the symbols; lines in (b, c) guide the eye. Claims: OLF4, OLF1, A3-42."
)

_CELLS_PER_DIMENSION = 10
_CELLS_PER_WINNER = 20
_WIDTH = 0.1  # of the bins of correlations
_EDGES = np.arange(-10, 11) * _WIDTH
_LONG, _SHORT = 2, 15  # Hashes are long from d / 2 on, and short up to d / 15.
_PAIRS = 20  # A bin counts where every set of vectors has so many.
_COMMON = 25.0  # It counts where so many winners are expected in common.
_SAME = 0.02  # Costs that differ by this share are the same.
_LAST = 0.96  # The first corrections are too large where correlations approach 1.

_RIVALS = ("projections", "signs")
_FLIES = ("fly, m = 10 d", "fly, m = 20 k")
_BINARY = ("signs", *_FLIES)
_HASHES = (*_RIVALS, *_FLIES)

_NAMES = {
    "winners": "length k of the hash: projections, or cells that fire",
    "hash": "kind of hash; fly: with m cells",
    "binary": "kind of hash of zeros and ones",
    "code": "kind of the fly's code, by its number of cells",
    "rival": "kind of hash by projections",
    "bin": "middle of a bin of correlations of vectors",
    "precision": "score AP@n of nearest neighbors",
    "operations": "sums or products for each vector",
    "gain": "score of the fly's code less that of a hash by projections of the same length",
    "matched_projections": "number of projections that cost what the fly's code does",
    "matched_precision": "score AP@n of projections that cost what the fly's code does",
    "matched_gain": "score of the fly's code less that of projections of the same cost",
    "pairs": "mean number of pairs of vectors in a bin",
    "input_correlation": "mean correlation of the pairs of vectors in a bin",
    "input_square": "mean squared correlation of the pairs of vectors in a bin",
    "code_correlation": "mean correlation of the codes of the pairs in a bin; missing if some trial has few pairs",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simulate`.

    Returns
    -------
    dict
        The same with values of their own type, and a list of winners.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    numbers = ("narrowest", "widest", "share")
    counts = {"vectors": 50, "dimension": 10, "clusters": 1, "queries": 20, "neighbors": 1}
    known = ("winners", *counts, *numbers, "trials", "seed", "backend")
    checked: dict[str, Any] = {"backend": "auto", "seed": 0} | dict(parameters)
    for name in checked:
        if name not in known:
            raise ValueError(f"{name}: unknown, or set by the study; allowed are {', '.join(known)}")
    for name in known:
        if name not in checked:
            raise ValueError(f"{name}: missing; this study needs {', '.join(known[:-2])}")
    for name, least in (*counts.items(), ("trials", 2), ("seed", 0)):
        checked[name] = _integer(name, checked[name], least)
    for name in numbers:
        number = isinstance(checked[name], int | float) and not isinstance(checked[name], bool)
        studies.require(number and 0.0 < checked[name] < math.inf, name, checked[name], "a number greater than 0")
        checked[name] = float(checked[name])
    studies.require(checked["share"] <= 1.0, "share", checked["share"], "a number in (0, 1]")
    studies.require(checked["backend"] in ("auto", "cpu"), "backend", checked["backend"], "'auto' or 'cpu'")
    for name in ("clusters", "queries", "neighbors"):
        studies.require(checked[name] < checked["vectors"], name, checked[name], "less than the number of vectors")
    widest = checked["widest"]
    studies.require(widest >= checked["narrowest"], "widest", widest, f"at least narrowest, {checked['narrowest']}")
    winners = checked["winners"] if isinstance(checked["winners"], list) else [checked["winners"]]
    studies.require(len(winners) > 0, "winners", winners, "a list of one or more values")
    studies.require(len(set(winners)) == len(winners), "winners", winners, "a list that repeats no value")
    cells = _CELLS_PER_DIMENSION * checked["dimension"]
    for k in winners:
        studies.require(_integer("winners", k, 1) < cells, "winners", k, f"less than the number of cells, {cells}")
    return checked | {"winners": [int(k) for k in winners]}


def _integer(name: str, value: Any, least: int) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    studies.require(whole and not isinstance(value, bool) and value >= least, name, value, f"an integer >= {least}")
    return int(value)


def simulate(
    *,
    vectors: int,
    dimension: int,
    clusters: int,
    narrowest: float,
    widest: float,
    queries: int,
    neighbors: int,
    share: float,
    winners: Sequence[int],
    trials: int,
    seed: int = 0,
    backend: str = "auto",
) -> "xr.Dataset":
    """Score hashes of random vectors, and correlate the binary ones.

    Vectors are the centers of their clusters, which are standard normal, plus normal numbers whose standard deviation
    is that of the cluster; those of all clusters are in geometric progression.

    Parameters
    ----------
    vectors, dimension, clusters : int
        P vectors in d dimensions; all clusters have the same size, as nearly as may be.
    narrowest, widest : float
        Smallest and largest standard deviation within a cluster.
    queries : int
        Vectors whose neighbors are looked for.
    neighbors : int
        Number n of true neighbors of each.
    share : float
        Share of the inputs that a cell adds.
    winners : sequence of int
        Lengths k of hashes.
    trials : int
        Sets of vectors, each with its own wiring and projections; trial t is the same in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Accepted for the pipeline's sake: hashes are made on the CPU.

    Returns
    -------
    xarray.Dataset
        ``precision`` (hash, winners), ``gain``, ``matched_precision`` and ``matched_gain`` (rival, code, winners),
        ``code_correlation`` (binary, winners, bin), each with ``<name>_stderr``; ``pairs``, ``input_correlation``,
        ``input_square`` (bin); ``operations`` (hash, winners), ``matched_projections`` (code, winners).
    """
    lengths = [int(k) for k in winners]
    costs = np.array([[_operations(name, k, dimension, share) for k in lengths] for name in _HASHES])
    matched = np.maximum(1, np.rint(costs[len(_RIVALS) :] / dimension)).astype(int)
    rows = []
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial])
        widths = np.geomspace(narrowest, widest, clusters)[np.arange(vectors) % clusters, None]
        centers = rng.standard_normal((clusters, dimension))[np.arange(vectors) % clusters]
        x = centers + widths * rng.standard_normal((vectors, dimension))
        asked = rng.choice(vectors, queries, replace=False)
        rows.append(_trial(x, asked, neighbors, share, lengths, matched, rng.integers(2**62, size=2).tolist()))
    sums = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    both = ("rival", "code", "winners")
    dataset = studies.averages(
        {
            "precision": (("hash", "winners"), sums["precision"]),
            "gain": (both, sums["gain"]),
            "matched_precision": (both, sums["matched"]),
            "matched_gain": (both, sums["precision"][:, None, len(_RIVALS) :] - sums["matched"]),
            "code_correlation": (("binary", "winners", "bin"), sums["code"]),
        }
    ).assign(
        pairs=("bin", sums["pairs"].mean(axis=0)),
        input_correlation=("bin", sums["input"].mean(axis=0)),
        input_square=("bin", sums["square"].mean(axis=0)),
        operations=(("hash", "winners"), costs),
        matched_projections=(("code", "winners"), matched),
    )
    middles = (_EDGES[1:] + _EDGES[:-1]) / 2.0
    axes = {"hash": list(_HASHES), "binary": list(_BINARY), "code": list(_FLIES), "rival": list(_RIVALS)}
    dataset = dataset.assign_coords(axes | {"winners": lengths, "bin": middles.round(12)})
    studies.describe(dataset, _NAMES)
    dataset.attrs = {
        "parameters": json.dumps(
            {
                "vectors": vectors, "dimension": dimension, "clusters": clusters, "narrowest": narrowest,
                "widest": widest, "queries": queries, "neighbors": neighbors, "share": share, "winners": lengths,
                "trials": trials, "seed": seed, "backend": backend,
            },
            sort_keys=True,
        ),
        "trials": trials,
    }  # fmt: skip
    return dataset


def _inputs(share: float, dimension: int) -> int:
    """Inputs of a cell."""
    return max(1, round(share * dimension))


def _cells(name: str, winners: int, dimension: int) -> int:
    return _CELLS_PER_DIMENSION * dimension if name == _FLIES[0] else _CELLS_PER_WINNER * winners


def _operations(name: str, winners: int, dimension: int, share: float) -> int:
    """Sums or products for a vector."""
    if name in _RIVALS:
        return winners * dimension
    return _cells(name, winners, dimension) * _inputs(share, dimension)


def _trial(
    x: "Array", queries: "NDArray[np.int64]", neighbors: int, share: float, lengths: list[int],
    matched: "NDArray[np.int64]", seeds: list[int],
) -> "dict[str, Array]":  # fmt: skip
    """Scores and correlations of one set of vectors; seeds of the hashes, and of the order of equal distances."""
    from simnn.olfaction import retrieval

    truth = retrieval.nearest_neighbors(x, queries, neighbors)
    dimension = x.shape[1]
    known: dict[tuple[str, int], tuple[float, Array]] = {}

    def hashed(name: str, k: int) -> "tuple[float, Array]":
        if (name, k) not in known:
            if name in _RIVALS:
                distance = retrieval.projection_distances(x, queries, k, signs=name == "signs", seed=seeds[0])
            else:
                codes = retrieval.fly_codes(x, _cells(name, k, dimension), k, share=share, seed=seeds[0])
                distance = retrieval.code_distances(codes, queries)
            score = retrieval.average_precision(distance, queries, truth, seeds[1]).mean()
            known[name, k] = float(score), distance
        return known[name, k]

    y = x - x.mean(axis=1, keepdims=True)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    rho = np.einsum("qd,pd->qp", y[queries], y, optimize=False)
    place = np.digitize(rho, _EDGES[1:-1])
    place[np.arange(len(queries)), queries] = len(_EDGES) - 1  # no pairs
    place = place.ravel()
    number = np.bincount(place, minlength=len(_EDGES))[:-1]

    def binned(values: "Array") -> "Array":
        total = np.bincount(place, values.ravel(), len(_EDGES))[:-1]
        return np.asarray(np.divide(total, number, out=np.full(len(number), np.nan), where=number >= _PAIRS))

    precision = np.array([[hashed(name, k)[0] for k in lengths] for name in _HASHES])
    code = np.empty((len(_BINARY), len(lengths), len(number)))
    for i, name in enumerate(_BINARY):
        for j, k in enumerate(lengths):
            # Bits that differ, over what they would be if codes were independent.
            cells = _cells(name, k, dimension)
            independent = k / 2.0 if name == "signs" else 2.0 * k * (1.0 - k / cells)
            code[i, j] = 1.0 - binned(hashed(name, k)[1]) / independent
    rivals = np.array([[[hashed(name, int(k))[0] for k in row] for row in matched] for name in _RIVALS])
    gain = precision[None, len(_RIVALS) :] - precision[: len(_RIVALS), None]
    return {
        "precision": precision, "gain": gain, "matched": rivals, "code": code, "input": binned(rho),
        "square": binned(rho**2), "pairs": number.astype(np.float64),
    }  # fmt: skip


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    r"""Add the law of correlations.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With (binary, winners, bin) ``code_correlation_theory``, exact for signs, ``threshold_correlation_theory``,
        without corrections, and ``next_order``, an estimate of what comes after the corrections.

    Notes
    -----
    Drives of two vectors, over random choices of inputs, have exactly the correlation rho of the vectors, each about
    its own mean. With C(u, u') the copula of their upper tails, a threshold at level f gives C(f, f). Two corrections:

    *Winners.* A cell fires if it is above the k-th of the m - 1 others, which is the level U of a beta law of mean
    k / m exactly and variance ``f (1 - f) / m``; levels of two vectors are correlated as their codes are, by r. So
    ``E C(U, U') - C(f, f) = f (1 - f) (C_11 + r C_12) / m``, and for normal drives

    ``r_m - r = -(rho - r) g / m``, ``g = phi(a) / (sqrt(1 - rho^2) phi(theta))``,
    ``a = theta sqrt((1 - rho) / (1 + rho))``.

    *Length.* All cells have weights of the same length, so that over vectors of any direction in the d - 1 dimensions
    about their mean a drive is the projection of a fixed length: the square of its scale has a variance of ``v = -2 /
    (d + 1)`` in comparison with normal drives. The level moves with it by ``phi(theta) theta / 2``, and

    ``r_d - r = v g (1 - rho) (phi(theta) theta)^2 / (4 f (1 - f))``.

    Left out are terms smaller by 1/k, and by ``theta^2 / d`` and by the inverse number of inputs of a cell.
    """
    given = studies.parameters(dataset)
    mean = dataset["input_correlation"].values
    spread = np.sqrt(np.maximum(dataset["input_square"].values - mean**2, 0.0))
    # Two points have the mean and the variance of the bin.
    rho = np.clip(np.stack([mean - spread, mean + spread]), -1.0, 1.0)
    shape = tuple(dataset.sizes[name] for name in ("binary", "winners", "bin"))
    columns = np.empty((3, *shape))
    for i, name in enumerate(dataset["binary"].values.tolist()):
        for j, k in enumerate(dataset["winners"].values.tolist()):
            columns[:, i, j] = _law(rho, name, k, given["dimension"], given["share"]).mean(axis=1)
    labels = {
        "code_correlation_theory": "correlation of codes",
        "threshold_correlation_theory": "correlation of codes of normal drives beyond a threshold",
        "next_order": "estimate of what the theory leaves out",
    }
    return dataset.assign(
        {
            name: (("binary", "winners", "bin"), values, {"long_name": label, "units": "1"})
            for (name, label), values in zip(labels.items(), columns, strict=True)
        }
    )


def _law(rho: "Array", name: str, winners: int, dimension: int, share: float) -> "Array":
    """Correlation of codes, that of a threshold, and an estimate of what is left out; NaN where rho is."""
    from simnn.olfaction import theory

    cells = _cells(name, winners, dimension)
    level = 0.5 if name == "signs" else winners / cells
    there = np.isfinite(rho)
    x = np.where(there, rho, 0.0)
    r = np.asarray(theory.output_correlation(x, level))
    if name == "signs":
        return np.where(there, np.stack([r, r, np.zeros_like(r)]), np.nan)
    by_winners, by_length = _corrections(x, winners, cells, dimension)
    tail = 2.0 * theory.threshold(level) ** 2 / (dimension + 1.0)
    left = np.abs(by_winners) / winners + np.abs(by_length) * (1.0 / _inputs(share, dimension) + tail)
    return np.where(there, np.stack([r + by_winners + by_length, r, left]), np.nan)


def _corrections(rho: "Array", winners: int, cells: int, dimension: int) -> "tuple[Array, Array]":
    """What winners and weights of equal length add to the law of a threshold; see `compare`."""
    from scipy.stats import norm

    from simnn.olfaction import theory

    level = winners / cells
    r, theta = theory.output_correlation(rho, level), theory.threshold(level)
    x, density = np.clip(rho, -1.0 + 1e-9, 1.0 - 1e-9), norm.pdf(theta)
    slope = norm.pdf(theta * np.sqrt((1.0 - x) / (1.0 + x))) / (np.sqrt(1.0 - x**2) * density)
    variance = -2.0 / (dimension + 1.0)
    by_length = variance * slope * (1.0 - x) * (density * theta) ** 2 / (4.0 * level * (1.0 - level))
    return np.asarray(-(x - r) * slope / cells), np.asarray(by_length)


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Codes follow the law of a threshold; short ones find more than projections, which find more for their cost.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        That one score is larger than another holds if the mean difference in the same trials exceeds four of its
        standard errors; what is missing is ``measured``. Bins of correlations count where every trial has 20 pairs, and
        25 winners are expected in common.
    """
    rows = []
    for name in dataset["binary"].values.tolist():
        at = dataset.sel(binary=name, drop=True)
        law = "(2/pi) asin rho" if name == "signs" else "r(rho, k/m) of a threshold, with corrections in 1/k and 1/d"
        rows += Claim.worst(
            "OLF1",
            f"correlation of codes, {name}: {law}",
            prediction=at["code_correlation_theory"].where(_counted(dataset, name)),
            measured=at["code_correlation"],
            stderr=at["code_correlation_stderr"],
            tolerance=at["next_order"],
        )
    dimension, winners = studies.parameters(dataset)["dimension"], dataset["winners"].values
    rows.append(_threshold_claim(dataset))
    short, long = winners <= dimension / _SHORT, winners >= dimension / _LONG
    pairs = dataset.assign(
        rival_precision=dataset["precision"].sel(hash=list(_RIVALS)).rename(hash="rival"),
        fly_precision=dataset["precision"].sel(hash=list(_FLIES)).rename(hash="code"),
    )
    costs = pairs["operations"].sel(hash=list(_FLIES)).rename(hash="code")
    pairs["excess_cost"] = pairs["matched_projections"] * dimension / costs - 1.0
    projections, signs = (pairs.sel(rival=name, drop=True) for name in _RIVALS)
    same, matched = ("gain", "rival_precision"), ("matched_gain", "matched_precision")
    rows += _larger(
        "OLF4",
        f"the fly's hash finds more neighbors than projections of its length, k <= d/{_SHORT}",
        projections.isel(winners=short),
        *same,
        correction=f"for short hashes; and k of m cells are log2 C(m, k) bits, {_bits(dimension, winners)}",
    )
    rows += _larger(
        "OLF4",
        f"the fly's hash finds fewer neighbors than projections of its length, k >= d/{_LONG}",
        projections.isel(winners=long),
        *same,
        fewer=True,
    )
    rows += _larger("OLF4", "the fly's hash finds more neighbors than signs of its length, whatever k", signs, *same)
    rows += _larger(
        "A3-42",
        "sparse firing creates a highly efficient code: neighbors found, and by projections of its cost",
        projections,
        *matched,
        fewer=True,
        correction="for the length of a short hash; with as many operations, real projections find more",
    )
    rows += _larger(
        "OLF4",
        f"the fly's hash finds more neighbors than signs of its cost, k >= d/{_LONG}",
        signs.isel(winners=long),
        *matched,
    )
    return rows


def _counted(dataset: "xr.Dataset", name: str) -> "xr.DataArray":
    """Which bins and lengths have enough pairs, and winners in common, for standard errors to be known."""
    given, winners = studies.parameters(dataset), dataset["winners"]
    at = dataset.sel(binary=name, drop=True)
    counted = at["code_correlation"].notnull()
    if name != "signs":
        level = winners / [_cells(name, k, given["dimension"]) for k in winners.values.tolist()]
        common = given["trials"] * dataset["pairs"] * winners * (level + at["code_correlation_theory"] * (1.0 - level))
        counted &= common >= _COMMON
    return counted


def _bits(dimension: int, winners: "NDArray[np.int64]") -> str:
    k, cells = int(winners.min()), _CELLS_PER_DIMENSION * dimension
    return f"{math.log2(math.comb(cells, k)):.0f} for k = {k} of {cells}"


def _threshold_claim(dataset: "xr.Dataset") -> Claim:
    """The law of the threshold itself, at the longest code and the middle of the correlations."""
    k = int(dataset["winners"].max())
    at = (
        dataset.sel(binary=_FLIES[0], winners=k)
        .dropna("bin", subset=["code_correlation"])
        .sel(bin=0.5, method="nearest")
    )
    rho, cells = at["input_correlation"].item(), _CELLS_PER_DIMENSION * studies.parameters(dataset)["dimension"]
    return Claim.test(
        "OLF4",
        f"winners keep the correlation {rho:.3g} of vectors as a threshold does, k = {k} of {cells} cells",
        prediction=at["code_correlation_theory"].item(),
        measured=at["code_correlation"].item(),
        stderr=at["code_correlation_stderr"].item(),
        tolerance=at["next_order"].item(),
        correction=f"r(rho, k/m), here {at['threshold_correlation_theory'].item():.3g}, is the limit of many winners "
        "and dimensions, which codes stay below",
    )


def _larger(
    claim: str, statement: str, points: "xr.Dataset", gain: str, rival: str, *, fewer: bool = False,
    correction: str | None = None,
) -> list[Claim]:  # fmt: skip
    """That the fly's scores are larger, or smaller, than those of a rival, as one row; none if there are no points.

    What is measured is what the least certain difference lacks to exceed four of its standard errors.
    """
    sign = -1.0 if fewer else 1.0
    excess = (sign * points[gain] - studies.STANDARD_ERRORS * points[f"{gain}_stderr"]).fillna(-np.inf)
    if gain == "matched_gain":
        # Projections are whole numbers: what they cost may differ.
        excess = excess.where(np.abs(points["excess_cost"]) <= _SAME, np.inf)
    if not (excess < np.inf).any():
        return []
    row = points.isel(excess.argmin(...))
    values = {name: row[name].item() for name in ("fly_precision", rival, gain, f"{gain}_stderr")}
    shown = f"{values['fly_precision']:.3f} against {values[rival]:.3f}"
    error = f"{values[gain]:+.3f} \u00b1 {values[f'{gain}_stderr']:.3f}"
    return [
        Claim.test(
            claim,
            f"{statement}; least certain: {row['code'].item()}, k = {row['winners'].item()}: {shown}, {error}",
            prediction=0.0,
            measured=min(excess.min().item(), 0.0),
            stderr=0.0,
            correction=correction,
        )
    ]


def figure(dataset: "xr.Dataset") -> "Figure":
    """Correlations that codes keep, and scores against the length of hashes and against their cost.

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

    winners = dataset["winners"].values
    with plotting.figure_style():
        fig, (law, length, cost) = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.5))
        _draw_law(law, dataset)
        for name, color, marker in zip(_HASHES, plotting.COLORS, plotting.MARKERS, strict=False):
            at, style = dataset.sel(hash=name), {"color": color, "lw": 0.8}
            order = np.argsort(winners)
            score, stderr = at["precision"].values[order], at["precision_stderr"].values[order]
            length.errorbar(winners[order], score, yerr=stderr, fmt=f"{marker}-", label=_label(name), **style)
            x = at["operations"].values[order]
            cost.errorbar(x, score, yerr=stderr, fmt=marker, **style)
            if name in _RIVALS:
                same = dataset.sel(rival=name)
                number = same["matched_projections"].values.ravel() * studies.parameters(dataset)["dimension"]
                scores, errors = (same[f"matched_precision{end}"].values.ravel() for end in ("", "_stderr"))
                number, first = np.unique(number, return_index=True)
                cost.errorbar(number, scores[first], yerr=errors[first], fmt="x", ms=5.0, **style)
                x, score = np.concatenate([x, number]), np.concatenate([score, scores[first]])
                ascending = np.argsort(x, kind="stable")
                x, score = x[ascending], score[ascending]
            cost.plot(x, score, **style)
        neighbors = studies.parameters(dataset)["neighbors"]
        for ax in (length, cost):
            ax.set(xscale="log", ylabel=f"AP@{neighbors}", ylim=(0.0, None))
        length.set_xticks(winners, [str(k) for k in winners.tolist()])
        length.minorticks_off()
        length.set(xlabel="length of the hash $k$")
        ticks = np.outer(10.0 ** np.arange(8), [1.0, 3.0]).ravel()
        low, high = cost.get_xlim()
        ticks = ticks[(low <= ticks) & (ticks <= high)]
        cost.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
        cost.minorticks_off()
        cost.set(xlabel="operations for each vector", xlim=(low, high))
        length.legend(loc="upper left", handletextpad=0.4, labelspacing=0.3)
        for letter, ax in zip("abc", (law, length, cost), strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _label(name: str) -> str:
    return name.replace("m = 10 d", r"$m = 10\,d$").replace("m = 20 k", r"$m = 20\,k$")


def _draw_law(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Correlation of codes: signs at the longest hash, the fly at the shortest, a middle and the longest one."""
    from simnn import plotting

    given = studies.parameters(dataset)
    lengths = sorted(given["winners"])
    shown = [("signs", lengths[-1], plotting.COLORS[1], plotting.MARKERS[1])]
    chosen = sorted({lengths[0], lengths[len(lengths) // 2], lengths[-1]}, reverse=True)
    shown += [
        (_FLIES[0], k, color, marker)
        for k, color, marker in zip(
            chosen, (plotting.COLORS[2], plotting.COLORS[4], plotting.COLORS[5]), "D^v", strict=False
        )
    ]
    fine = np.linspace(float(dataset["input_correlation"].min()), 1.0, 200)
    for name, k, color, marker in shown:
        corrected, threshold, _ = _law(fine, name, k, given["dimension"], given["share"])
        inside = (fine < _LAST) | (name == "signs")  # where the corrections are small
        ax.plot(fine[inside], corrected[inside], color=color, lw=0.9)
        ax.plot(fine, threshold, color=color, lw=0.9, ls=":")
        at = dataset.sel(binary=name, winners=k)
        label = "signs" if name == "signs" else f"fly, $k = {k}$"
        ax.errorbar(
            dataset["input_correlation"], at["code_correlation"], yerr=at["code_correlation_stderr"], fmt=marker,
            color=color, label=label,
        )  # fmt: skip
    ax.set(xlabel=r"correlation of vectors $\rho$", ylabel="correlation of codes $r$")
    ax.legend(loc="upper left", handletextpad=0.2, labelspacing=0.3)
