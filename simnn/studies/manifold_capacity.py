"""Manifolds instead of points: how many segments and balls a linear unit separates, and what samples of them say."""

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
TITLE = "Manifolds: capacity of segments and balls"
CAPTION = (
    "Linear separability of manifolds with random labels, no threshold. (a) Capacity of balls of dimension D = "
    "{extent} (D = 1: segments) in random directions against their radius R, relative to the distance of their centres "
    "from the origin. Lines: mean-field theory at infinite N, 2 for points (R = 0) and 2/(D + 1) at R = 1. Points: "
    "mean largest separable prefix of {trials} sequences, over N, extrapolated in 1/N from N = {dimension}; verdicts "
    "are on all of a ball, not on samples, and certified. (b) Capacity of M random points on the sphere instead of all "
    "of its ball (lines), R = 1: exact for one and two points (crosses). In many dimensions samples overstate the "
    "capacity of their ball by far. Points: manifolds over statistical dimension, from {draws} draws for 10 samples "
    "each. (c) One set of 16 labelled balls, R = 0.7, D = 3, of 20 points each, in 80 dimensions: fraction of Gaussian "
    "projections to n dimensions that leave it separable. Line and band of one standard error: conic intrinsic "
    "volumes, all n from {draws} draws; points: {projections} projections each, decided one by one. Error bars are "
    "standard errors. Claims: MAN1."
)

# Panel (b): at this radius the capacity of balls is 2 / (D + 1).
_SAMPLED_RADIUS, _SAMPLES = 1.0, 10
# Panel (c).
_MANIFOLDS, _POINTS, _EXTENT, _RADIUS, _DIMENSION = 16, 20, 3, 0.7, 80
_COUNTED = 25.0  # Binomial errors are normal where so many of the rarer outcome are expected.
_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0)
# Third words of the counters of random numbers.
_SAMPLE, _CLOUD, _PROJECTION = range(3)

_NAMES = {
    "dimension": "components of a pattern",
    "extent": "dimension of the balls",
    "radius": "radius of the balls over the distance of their centres",
    "balls_per_dimension": "mean largest separable prefix over the number of dimensions",
    "undecided": "fraction of sequences without a certified end",
    "sampled_extent": "dimension of the balls that points are taken from",
    "points": "points of each ball",
    "sampled_capacity": "manifolds of so many points per statistical dimension",
    "sampled_undecided": "fraction of draws without a certified face",
    "projection": "dimensions after the projection",
    "direct": "fraction of projections that leave the cloud separable",
    "direct_undecided": "fraction of projections without a certified verdict",
    "size": "dimensions after the projection, all of them",
    "conic": "probability that the cloud is separable, from conic intrinsic volumes",
    "parity": "whether the dimension of the face is odd",
    "volume": "sum of the conic intrinsic volumes of one parity",
    "conic_undecided": "fraction of draws without a certified face",
}


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``dimension``, ``extent``, ``radius``, ``sampled_extent``, ``points``, ``projection`` (sequences), ``draws``,
        ``projections``, ``trials``, ``seed``, ``backend``.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    axes = {"dimension": 10, "extent": 6, "radius": None, "sampled_extent": 6, "points": None, "projection": None}
    checked = studies.check(MODEL, parameters, axes=axes, needs=("draws", "projections"))
    most = {"sampled_extent": 2**10, "points": 2**14, "projection": _DIMENSION, "draws": 2**32, "projections": 2**32}
    least = {"draws": 2 * _SAMPLES, "projections": 2}
    for name, limit in most.items():
        low = least.get(name, 1)
        for value in checked[name] if isinstance(checked[name], list) else [checked[name]]:
            integer = isinstance(value, int) and not isinstance(value, bool) and low <= value <= limit
            studies.require(integer, name, value, f"an integer from {low} to {limit}")
    dimensions = checked["dimension"]
    studies.require(len(dimensions) > 1, "dimension", dimensions, "at least two values, for a line through them")
    for extent in checked["extent"]:
        wide = 1 <= extent < min(dimensions)
        studies.require(wide, "extent", extent, "at least 1, and less than the smallest dimension")
    return checked


def simulate(
    *,
    dimension: Sequence[int],
    extent: Sequence[int],
    radius: Sequence[float],
    sampled_extent: Sequence[int],
    points: Sequence[int],
    projection: Sequence[int],
    draws: int,
    projections: int,
    trials: int,
    seed: int = 0,
    backend: str = "auto",
) -> "xr.Dataset":
    """Sequences of balls, samples of balls, and one cloud of points under random projections.

    Parameters
    ----------
    dimension, extent, radius : sequence
        Of `simnn.capacity.stopping_time`: components of a pattern, dimension and radius of the balls.
    sampled_extent, points : sequence of int
        Dimension of the balls of which points are taken, and how many.
    projection : sequence of int
        Dimensions to which the cloud is projected.
    draws : int
        Gaussian vectors for the conic intrinsic volumes of the cloud, and of all samples of a ball.
    projections : int
        Random projections of the cloud.
    trials : int
        Sequences of balls.
    seed : int
        Key of all random numbers.
    backend : str
        Of `simnn.capacity.stopping_time`; all else is done by the CPU.

    Returns
    -------
    xarray.Dataset
        ``balls_per_dimension``, ``undecided`` (extent, radius, dimension), ``sampled_capacity``, ``sampled_undecided``
        (sampled_extent, points), ``conic`` (size), ``volume`` (parity), ``direct``, ``direct_undecided`` (projection)
        and ``conic_undecided``; what fluctuates with ``<name>_stderr``.
    """
    from simnn import capacity

    balls: dict[str, Any] = {"dimension": list(dimension), "extent": list(extent), "radius": list(radius)}
    times = capacity.stopping_time(**balls, trials=trials, seed=seed, backend=backend)
    dims = ("extent", "radius", "dimension")
    dataset = times[[]].assign(
        {
            f"balls_per_dimension{suffix}": (times[f"stopping_time{suffix}"] / times["dimension"]).transpose(*dims)
            for suffix in ("", "_stderr")
        }
    )
    dataset["undecided"] = times["undecided_fraction"].transpose(*dims)
    dataset = dataset.merge(_samples(list(sampled_extent), list(points), draws, seed))
    dataset = dataset.merge(_cloud(list(projection), draws, projections, seed))
    studies.describe(dataset, _NAMES)
    axes = {"sampled_extent": list(sampled_extent), "points": list(points), "projection": list(projection)}
    counts = {"draws": draws, "projections": projections, "trials": trials, "seed": seed, "backend": backend}
    dataset.attrs = {"parameters": json.dumps(balls | axes | counts, sort_keys=True), "trials": trials}
    return dataset


def _generator(seed: int, number: int, purpose: int) -> np.random.Generator:
    key, counter = np.array([seed, number], np.uint64), np.array([0, 0, purpose, 0], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def _sphere(generator: np.random.Generator, count: int, extent: int) -> "Array":
    """Random points on the unit sphere, (count, extent)."""
    vectors = generator.standard_normal((count, extent))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _samples(extents: list[int], points: list[int], draws: int, seed: int) -> "xr.Dataset":
    """Capacity of points of a ball: one manifold is enough, as those of others lie in other directions."""
    import xarray as xr

    from simnn import capacity

    found = np.empty((_SAMPLES, len(extents), len(points)))
    undecided = np.zeros(found.shape[1:])
    for i, extent in enumerate(extents):
        for sample in range(_SAMPLES):
            sphere = _sphere(_generator(seed, sample, _SAMPLE), max(points), extent)
            for j, count in enumerate(points):
                rows = np.hstack([np.ones((count, 1)), _SAMPLED_RADIUS * sphere[:count]])
                ds = capacity.projected(
                    rows, np.ones(count), groups=np.zeros(count, np.int64),
                    draws=draws // _SAMPLES, first_draw=sample * (draws // _SAMPLES), seed=seed,
                )  # fmt: skip
                found[sample, i, j] = ds["statistical_dimension"].item()
                undecided[i, j] += ds["undecided_fraction"].item() / _SAMPLES
    dims = ("sampled_extent", "points")
    average = studies.averages({"statistical_dimension": (dims, found)})
    mean = average["statistical_dimension"]
    return xr.Dataset(
        {
            "sampled_capacity": 1.0 / mean,
            "sampled_capacity_stderr": average["statistical_dimension_stderr"] / mean**2,
            "sampled_undecided": (dims, undecided),
        },
        {"sampled_extent": extents, "points": points},
    )


def _cloud(sizes: list[int], draws: int, projections: int, seed: int) -> "xr.Dataset":
    """One labelled cloud: separability in every number of dimensions at once, and projection by projection."""
    import xarray as xr

    from simnn import capacity

    generator = _generator(seed, 0, _CLOUD)
    centres = _sphere(generator, _MANIFOLDS, _DIMENSION)
    axes = np.linalg.qr(generator.standard_normal((_MANIFOLDS, _DIMENSION, _EXTENT)))[0].transpose(0, 2, 1)
    sphere = _sphere(generator, _MANIFOLDS * _POINTS, _EXTENT).reshape(_MANIFOLDS, _POINTS, _EXTENT)
    rows = (centres[:, None] + _RADIUS * sphere @ axes).reshape(-1, _DIMENSION)
    labels = np.repeat(generator.permutation(np.arange(_MANIFOLDS) % 2), _POINTS)
    groups = np.repeat(np.arange(_MANIFOLDS), _POINTS)
    ds = capacity.projected(rows, labels, groups=groups, draws=draws, seed=seed)
    verdicts = np.empty((projections, len(sizes)))
    for trial in range(projections):
        # The first columns of one matrix.
        matrix = _generator(seed, trial, _PROJECTION).standard_normal((_DIMENSION, max(sizes)))
        for j, size in enumerate(sizes):
            status = capacity.separable(rows @ matrix[:, :size], labels).status
            verdicts[trial, j] = np.nan if status == "undecided" else status == "separable"
    undecided = np.isnan(verdicts)
    odd = ds["intrinsic_volume"].groupby(ds["face"] % 2).sum().values
    known = 1.0 - ds["undecided_fraction"].item()
    return xr.Dataset(
        {
            "conic": ("size", ds["separable_fraction"].values),
            "conic_stderr": ("size", ds["separable_fraction_stderr"].values),
            "volume": ("parity", odd),
            "volume_stderr": ("parity", np.sqrt(odd * (1.0 - odd) / (known * draws))),
            "conic_undecided": ds["undecided_fraction"].item(),
            "direct": ("projection", np.nanmean(verdicts, axis=0)),
            "direct_stderr": ("projection", np.nanstd(verdicts, axis=0) / np.sqrt(projections - 1.0)),
            "direct_undecided": ("projection", undecided.mean(axis=0)),
        },
        {"size": ds["projection"].values, "projection": sizes, "parity": [False, True]},
    )


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add mean-field theory, and what the measurements tend to as N grows.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With (extent, radius) ``capacity_theory``; ``capacity``, the value at 1/N = 0 of a straight line in 1/N,
        ``capacity_stderr`` and ``slope``, of that line. ``segments_theory`` (radius, dimension), balls of dimension 1
        with their 1/N correction; ``ball_theory`` (sampled_extent) and ``pair_theory`` (sampled_extent, points), exact
        for M <= 2 points. ``volume_theory``, 1/2.
    """
    from simnn.capacity import theory

    extents, radii = dataset["extent"].values.tolist(), dataset["radius"].values.tolist()
    closed = np.array([[theory.ball_capacity(radius, extent) for radius in radii] for extent in extents])
    inverse = 1.0 / dataset["dimension"].values
    fits = np.empty((3, *closed.shape))
    for i in range(len(extents)):
        for j in range(len(radii)):
            at = dataset.isel(extent=i, radius=j)
            fits[:, i, j] = studies.straight_line(
                inverse, at["balls_per_dimension"].values, at["balls_per_dimension_stderr"].values
            )
    segments = np.array([[_segments(radius, 1.0 / x) for x in inverse.tolist()] for radius in radii])
    sampled = dataset["sampled_extent"].values.tolist()
    few = np.array([[_few_points(extent, count) for count in dataset["points"].values.tolist()] for extent in sampled])
    balls = np.array([theory.ball_capacity(_SAMPLED_RADIUS, extent) for extent in sampled])
    dims = ("extent", "radius")
    columns: dict[str, tuple[tuple[str, ...], Any, str]] = {
        "capacity_theory": (dims, closed, "balls per dimension at capacity, infinite N"),
        "capacity": (dims, fits[0], "balls per dimension, straight line at 1/N = 0"),
        "capacity_stderr": (dims, fits[1], "standard error of capacity"),
        "slope": (dims, fits[2], "slope of the straight line in 1/N"),
        "segments_theory": (("radius", "dimension"), segments, "segments per dimension, to order 1/N"),
        "ball_theory": (("sampled_extent",), balls, "capacity of balls, infinite N"),
        "pair_theory": (("sampled_extent", "points"), few, "capacity of one or two points of a ball"),
        "volume_theory": ((), 0.5, "sum of the conic intrinsic volumes of one parity"),
    }
    return dataset.assign(
        {name: (where, values, {"long_name": label, "units": "1"}) for name, (where, values, label) in columns.items()}
    )


def _segments(radius: float, dimension: float) -> float:
    """Mean largest separable prefix of segments over N, to order 1/N.

    Segments with independent Gaussian ends are a projection of as many orthogonal ones, whose cones have dimensions k
    = 0, 1, 2 with probabilities 1/2 - v, 1/2, v = atan(R)/pi. By the kinematic formula and renewal theory, their mean
    prefix is ``N/d + s^2/(2 d^2) - 1/2``, up to what falls exponentially with N, with d and s^2 the mean and variance
    of k. There R fluctuates, with variance 1/N of its logarithm; to fix it adds ``N (E d(R') - d(R)) / d^2``, to
    leading order.
    """
    angle = np.arctan(radius) / np.pi
    d = 0.5 + 2.0 * angle
    variance = 0.5 + 4.0 * angle - d * d
    fixed = radius * (1.0 - radius**2) / (np.pi * (1.0 + radius**2) ** 2)
    return float(1.0 / d + (0.5 * variance / d**2 - 0.5 + fixed / d**2) / dimension)


def _few_points(extent: int, count: int) -> float:
    """Capacity of one or two random points on the sphere, NaN for more: 1 / (1/2 + E angle / pi)."""
    from scipy.integrate import quad

    if count == 1:
        return 2.0
    if count > 2:
        return float("nan")
    square = _SAMPLED_RADIUS**2
    if extent == 1:  # the same end twice, or both
        return float(1.0 / (0.5 + 0.5 * np.arccos((1.0 - square) / (1.0 + square)) / np.pi))
    weight = quad(lambda x: np.sin(x) ** (extent - 2), 0.0, np.pi)[0]
    angle = quad(
        lambda x: np.sin(x) ** (extent - 2) * np.arccos((1.0 + square * np.cos(x)) / (1.0 + square)), 0.0, np.pi
    )[0]
    return float(1.0 / (0.5 + angle / weight / np.pi))


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Balls have the capacity of mean-field theory, samples of them a larger one, and the conic route is exact.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Tolerance of what is extrapolated: the square of the relative 1/N correction at the smallest N, the size of what
        a straight line leaves out; for segments, whose 1/N correction is known, 1/N^2. (That P* is a whole number
        shifts its mean by ``exp(-2 pi^2 s^2) / pi`` at most, s its spread: 0.02 patterns where s = 0.38, as for the
        largest balls.) Projections count where the rarer outcome is expected 25 times or more.
    """
    smallest = float(dataset["dimension"].min())
    dataset = dataset.assign(tolerance=(dataset["slope"] / smallest) ** 2 / dataset["capacity_theory"])
    rows = Claim.worst(
        "MAN1",
        "capacity of balls is that of mean-field theory, extrapolated in 1/N",
        prediction=dataset["capacity_theory"],
        measured=dataset["capacity"],
        stderr=dataset["capacity_stderr"],
        tolerance=dataset["tolerance"],
    )
    if 1 in dataset["extent"].values:
        rows += Claim.worst(
            "MAN1",
            "segments: 1/(1/2 + (2/pi) atan R) per dimension, and the correction of order 1/N, at each N",
            prediction=dataset["segments_theory"],
            measured=dataset["balls_per_dimension"].sel(extent=1),
            stderr=dataset["balls_per_dimension_stderr"].sel(extent=1),
            tolerance=1.0 / dataset["dimension"] ** 2.0,
        )
    for radius, closed, what in (
        (0.0, 2.0 + 0.0 * dataset["extent"], "balls without a radius are points: capacity 2"),
        (1.0, 2.0 / (dataset["extent"] + 1.0), "balls as large as their distance span self-dual cones: 2/(D + 1)"),
    ):
        if radius in dataset["radius"].values:
            at = dataset.sel(radius=radius)
            rows += Claim.worst(
                "MAN1",
                f"{what}, extrapolated in 1/N",
                prediction=closed,
                measured=at["capacity"],
                stderr=at["capacity_stderr"],
                tolerance=at["tolerance"],
            )
    return rows + _sample_claims(dataset) + _cloud_claims(dataset)


def _sample_claims(dataset: "xr.Dataset") -> list[Claim]:
    """What is said about points of balls instead of balls."""
    found, error, ball = (dataset[name] for name in ("sampled_capacity", "sampled_capacity_stderr", "ball_theory"))
    rows = Claim.worst(
        "MAN1",
        "one or two random points of a ball: 1 / (1/2 + mean angle / pi)",
        prediction=dataset["pair_theory"],
        measured=found,
        stderr=error,
    )
    many, widest = int(dataset["points"].max()), int(dataset["sampled_extent"].max())
    excess = float(found.sel(points=many, sampled_extent=widest) / ball.sel(sampled_extent=widest)) - 1.0
    rows += Claim.worst(
        "MAN1",
        f"points never understate the capacity of their ball, relative to it ({many} points of {widest} dimensions "
        f"overstate it by {100.0 * excess:.0f} %)",
        prediction=0.0 * found,
        measured=(found / ball - 1.0).clip(max=0.0),
        stderr=error / ball,
    )
    if 2 in dataset["sampled_extent"].values and many >= 20:
        disc = ball.sel(sampled_extent=2).item()
        rows.append(
            Claim.test(
                "MAN1",
                f"{many} points of a circle have the capacity of its disc",
                prediction=disc,
                measured=found.sel(sampled_extent=2, points=many).item(),
                stderr=error.sel(sampled_extent=2, points=many).item(),
                # In a random direction the last point falls short of the circle by (pi / M)^2, as if R were less.
                tolerance=(np.pi / many) ** 2 * disc,
            )
        )
    return rows


def _cloud_claims(dataset: "xr.Dataset") -> list[Claim]:
    """What is said about one cloud under projections, and about verdicts."""
    trials = studies.parameters(dataset)["projections"]
    conic = dataset[["conic", "conic_stderr"]].sel(size=dataset["projection"]).drop_vars("size")
    p = conic["conic"].clip(0.0, 1.0)
    rows = Claim.worst(
        "MAN1",
        "separability after a random projection follows from conic intrinsic volumes: fraction of projections",
        prediction=p.where(trials * np.minimum(p, 1.0 - p) >= _COUNTED),
        measured=dataset["direct"],
        stderr=np.sqrt(p * (1.0 - p) / trials + conic["conic_stderr"] ** 2),
    )
    rows += Claim.worst(
        "MAN1",
        "intrinsic volumes of either parity sum up to 1/2",
        prediction=dataset["volume_theory"] + 0.0 * dataset["volume"],
        measured=dataset["volume"],
        stderr=dataset["volume_stderr"],
    )
    sequences = studies.parameters(dataset)["trials"] * dataset["undecided"].size
    rows.append(
        Claim.test(
            "MAN1",
            "the end of all sequences of balls but one in a thousand is certified: fraction undecided",
            prediction=0.0,
            measured=dataset["undecided"].mean().item(),
            stderr=0.0,
            # Cutting planes give up where the margin is below 1e-6: in about one sequence of ten thousand.
            tolerance=max(1e-3, 1.0 / sequences),
        )
    )
    for name, what in (
        ("sampled_undecided", "face of sampled balls"),
        ("conic_undecided", "face of the cloud"),
        ("direct_undecided", "projection"),
    ):
        lost = dataset[name].max().item()
        text = f"every {what} is certified: fraction undecided"
        rows.append(Claim.test("MAN1", text, prediction=0.0, measured=lost, stderr=0.0))
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Capacity against radius, samples against their balls, and one cloud under projections.

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
    from simnn.capacity import theory

    radii = dataset["radius"].values
    fine = np.linspace(0.0, 1.05 * radii.max(), 60)
    with plotting.figure_style():
        fig, (balls, samples, cloud) = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.6))
        colors: dict[int, str] = {}
        for extent in [*dataset["extent"].values.tolist(), *dataset["sampled_extent"].values.tolist()]:
            colors.setdefault(extent, plotting.COLORS[len(colors) % len(plotting.COLORS)])
        for marker, extent in zip(plotting.MARKERS, dataset["extent"].values.tolist(), strict=False):
            at, color = dataset.sel(extent=extent), colors[extent]
            balls.plot(fine, [theory.ball_capacity(radius, extent) for radius in fine], color=color)
            balls.errorbar(
                radii, at["capacity"], yerr=at["capacity_stderr"], fmt=marker, color=color, label=f"$D = {extent}$"
            )
        balls.set(xlabel="radius $R$", ylabel="capacity $P/N$")
        _draw_samples(samples, dataset, colors)
        _draw_cloud(cloud, dataset)
        for ax in (balls, samples):
            ax.set_yscale("log")
            ax.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
            ax.minorticks_off()
        balls.set_ylim(top=4.0)
        balls.legend(loc="upper right", handletextpad=0.2, ncols=2)
        for letter, ax in zip("abc", (balls, samples, cloud), strict=True):
            plotting.panel_label(ax, letter)
    return fig


def _draw_samples(ax: "Axes", dataset: "xr.Dataset", colors: Mapping[int, str]) -> None:
    """Capacity of points of balls against their number, over that of the balls."""
    from simnn import plotting

    points = dataset["points"].values
    for marker, extent in zip(plotting.MARKERS, dataset["sampled_extent"].values.tolist(), strict=False):
        at, color = dataset.sel(sampled_extent=extent), colors[extent]
        ax.axhline(at["ball_theory"].item(), color=color, lw=0.8)
        ax.plot(points, at["pair_theory"], "x", color="black", ms=4, mew=0.8, zorder=4)
        ax.errorbar(
            points, at["sampled_capacity"], yerr=at["sampled_capacity_stderr"], fmt=marker, color=color,
            label=f"$D = {extent}$",
        )  # fmt: skip
    ax.set(xlabel="points of each ball $M$", ylabel="capacity $P/N$", xscale="log")
    ax.legend(loc="upper right", handletextpad=0.2)


def _draw_cloud(ax: "Axes", dataset: "xr.Dataset") -> None:
    """Fraction of the projections that leave the cloud separable."""
    from simnn import plotting

    size, conic, error = (dataset[name].values for name in ("size", "conic", "conic_stderr"))
    ax.fill_between(size, conic - error, conic + error, color=plotting.COLORS[0], alpha=0.3, lw=0.0)
    ax.plot(size, conic, color=plotting.COLORS[0], label="conic")
    ax.errorbar(
        dataset["projection"], dataset["direct"], yerr=dataset["direct_stderr"], fmt="o", color="black", ms=3,
        label="one by one",
    )  # fmt: skip
    ends = np.array([dataset["projection"].min(), dataset["projection"].max()]) + np.array([-4, 4])
    ax.set(xlabel="dimensions after projection $n$", ylabel="P(separable)", xlim=ends)
    ax.legend(loc="upper left", handletextpad=0.4)
