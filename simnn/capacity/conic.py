"""Separability of given patterns after a random projection, for every number of dimensions from one set of draws."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from simnn import sweeps
from simnn.capacity.given import check_memory, finite_matrix, signs
from simnn.capacity.separability import separable
from simnn.sweeps import Integer, Strict

if TYPE_CHECKING:
    import xarray as xr

    from simnn.capacity.faces import Cloud

Array = NDArray[np.float64]

_SLICE_TASKS = 2**16


class _Run(Strict):
    bias: Annotated[bool, Field(strict=True)]
    draws: Annotated[Integer, Field(ge=1, le=2**32)]
    first_draw: Annotated[Integer, Field(ge=0, le=2**32 - 1)]
    seed: Annotated[Integer, Field(ge=0, le=2**64 - 1)]


def projected(
    patterns: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    bias: bool = False,
    draws: int = 1000,
    first_draw: int = 0,
    seed: int = 0,
    progress: bool | None = None,
) -> "xr.Dataset":
    """Estimate how often patterns stay separable after a random projection to n dimensions, for all n at once.

    The projection is a matrix of n rows with independent Gaussian entries, as in a random layer of n linear units. The
    answer for every n follows from the conic intrinsic volumes of the cone that patterns times labels span, and these
    from the faces in which Gaussian vectors, projected on the cone, come to lie.

    Parameters
    ----------
    patterns : (P, N) array_like
        One pattern in each row.
    labels : (P,) array_like, optional
        -1 and +1, or 0 and 1, or False and True. By default each draw has random labels, fair and independent from
        manifold to manifold.
    groups : (P,) array_like of int, optional
        Which manifold a pattern belongs to; patterns of one manifold have the same label. By default each pattern is
        its own.
    bias : bool
        Whether there is a threshold, free as the weights are.
    draws : int
        Gaussian vectors.
    first_draw : int
        Number of the first one; draw d is the same vector, with the same random labels, in every run.
    seed : int
        In [0, 2^64).
    progress : bool, optional
        Show progress; by default only on a terminal.

    Returns
    -------
    xarray.Dataset
        Over ``projection`` n = 1, ..., min(P, N) (further on nothing changes): ``separable_fraction``. Over ``face`` k:
        ``intrinsic_volume``, the probability that a Gaussian vector is nearest to a face of dimension k.
        ``statistical_dimension``, their mean k, and ``capacity``, manifolds per statistical dimension. All of these
        with ``<name>_stderr``. ``separable_labels_fraction`` of draws whose labels are separable before any projection,
        1 for given labels; ``undecided_fraction`` of draws whose face or labels could not be certified, which count for
        nothing else.

        Random labels that are not separable to begin with stay so under every projection: such a draw counts for
        ``separable_fraction``, as not separable at every n, and is left out of intrinsic volumes, statistical dimension
        and capacity. With a threshold, labels of one class only are separable at every n; their cone is a point, of
        statistical dimension 0.

    Raises
    ------
    ValueError
        If shapes do not fit, data are not finite, labels are not two-valued or differ within a manifold, a parameter is
        out of bounds, a pattern vanishes without a threshold, or the given labels are not separable to begin with.
    MemoryError
        If the products of all pairs of patterns would not fit into this machine's memory.

    Notes
    -----
    A random subspace of codimension n meets a cone C that is not a subspace only in the origin with the probability
    ``1 - 2 (v_{n+1} + v_{n+3} + ...)``. Since both the odd and the even v_k of such a cone sum up to 1/2, that is the
    probability that k < n among those k that differ from n by an odd number. The fraction of draws is taken in this
    form: a draw has the variance ``2 p (1 - p)`` instead of ``1 - p^2``, twice that of one projection to n dimensions,
    and serves all n.

    Products of pairs of patterns are all that is used: without a threshold, patterns that differ by less than 1e-5 of
    their length may be left undecided. With a threshold, what all patterns have in common is taken off first.

    Results depend neither on the number of threads nor on how a run is cut into pieces; without a threshold, not on the
    lengths of patterns, and with one, not on their common origin, to rounding.

    References
    ----------
    D. Amelunxen, M. Lotz, M. B. McCoy, J. A. Tropp, "Living on the edge: phase transitions in convex programs with
    random data", Information and Inference 3, 224 (2014): the kinematic formula.
    M. B. McCoy, J. A. Tropp, "From Steiner formulas for cones to concentration of intrinsic volumes", Discrete and
    Computational Geometry 51, 926 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from simnn import capacity
    >>> ds = capacity.projected(np.eye(12), draws=4000)
    >>> exact = capacity.theory.cover_probability(12, ds.projection.values)
    >>> bool(np.all(np.abs(ds.separable_fraction - exact) < 0.06))
    True
    """
    x = finite_matrix("patterns", patterns)
    y = None if labels is None else signs(labels, len(x))
    group, manifolds = _check_groups(groups, len(x), y)
    given = {"bias": bias, "draws": draws, "first_draw": first_draw, "seed": seed}
    run = sweeps.checked(_Run, {name: sweeps.plain(name, value) for name, value in given.items()})
    if run.first_draw + run.draws > 2**32:
        raise ValueError(f"draws: {run.draws!r} is not allowed: draws are numbered below 2^32")
    counts = _count(_cloud(x, y, group, run.bias), run, progress)
    dataset = _dataset(counts, manifolds)
    dataset.attrs = {
        "title": "Separability of given patterns after a random projection",
        "parameters": json.dumps(
            run.model_dump()
            | {"patterns": len(x), "dimension": x.shape[1], "manifolds": manifolds}
            | {"labels": "random" if y is None else "given"},
            sort_keys=True,
        ),
        "seed": str(run.seed),
        "draws": run.draws,
        "backend": "cpu",
    }
    return dataset


def _check_groups(groups: ArrayLike | None, count: int, y: Array | None) -> tuple[NDArray[np.int64], int]:
    """Numbers 0, 1, ... of the manifolds, and how many there are."""
    if groups is None:
        return np.arange(count), count
    given = np.asarray(groups)
    if given.shape != (count,):
        raise ValueError(f"groups: shape {given.shape} is not allowed: should be {(count,)}, one for each pattern")
    if given.dtype.kind not in "iu":
        raise ValueError(f"groups: type {given.dtype} is not allowed: should be integers")
    names, numbers = np.unique(given, return_inverse=True)
    if y is not None:
        mixed = np.abs(np.bincount(numbers, y)) < np.bincount(numbers)
        if np.any(mixed):
            raise ValueError(f"labels: both in group {names[mixed][0]} is not allowed: a manifold has one label")
    return numbers.astype(np.int64), len(names)


def _cloud(x: Array, y: Array | None, group: NDArray[np.int64], bias: bool) -> "Cloud":
    """Patterns in coordinates of what they span, and of length 1 at most."""
    from simnn.capacity import faces
    from simnn.device.targets import threads

    check_memory(len(x), min(x.shape) + bias, threads(), len(x) ** 2)
    if not bias and not np.all(np.any(x != 0.0, axis=1)):
        row = int(np.argmin(np.any(x != 0.0, axis=1)))
        raise ValueError(f"patterns: zeros at [{row}] are not allowed without a threshold: no labels are separable")
    if y is not None:
        status = separable(x, y, bias).status
        if status != "separable":
            raise ValueError(f"labels: {status} before any projection: no projection could tell more")
    top = np.abs(x).max(axis=1, keepdims=True)
    largest = max(float(top.max()), 1e-300)
    # A free threshold makes the origin arbitrary; without one, lengths are.
    rows = x / largest - (x / largest).mean(axis=0) if bias else x / top
    if rows.shape[1] > len(rows):
        rows = np.linalg.qr(rows.T)[1].T
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    if bias:
        rows, height = np.hstack([rows / max(lengths.max(), 1e-300), np.ones((len(x), 1))]), np.ones(len(x))
    else:
        given = (np.maximum(top / largest, 1e-300) * lengths)[:, 0]
        rows, height = rows / lengths, given.min() / given
    rows = np.ascontiguousarray(rows)
    label = np.zeros(0) if y is None else y
    return faces.Cloud(rows, np.ascontiguousarray(rows.T), rows @ rows.T, group, height, label, bias)


def _count(cloud: "Cloud", run: _Run, progress: bool | None) -> NDArray[np.int64]:
    """How many draws had each answer; the one that is not a face first."""
    from simnn.capacity import cpu, faces
    from simnn.progress import track
    from simnn.running import in_slices

    key = np.array([run.seed & 0xFFFFFFFF, run.seed >> 32], np.uint64)
    kernel, lowest = faces.kernel(), faces.UNDECIDED
    counts = np.zeros(min(cloud.rows.shape) + 1 - lowest, np.int64)

    def some(first: int, last: int, stop: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.empty(last - first, np.int64)
        space = cpu.space(len(cloud.rows), cloud.rows.shape[1], stop)
        pull, listed = np.empty(len(cloud.rows)), np.empty(len(cloud.rows), np.int64)
        kernel(cloud, key, run.first_draw + first, out, pull, listed, space)
        return out

    with track(run.draws, "draw", progress) as advance:
        for answers in in_slices(run.draws, _SLICE_TASKS, some):
            counts += np.bincount(answers - lowest, minlength=len(counts))
            advance(len(answers))
    return counts


def _dataset(counts: NDArray[np.int64], manifolds: int) -> "xr.Dataset":
    import xarray as xr

    undecided, inseparable, one_class = (int(count) for count in counts[:3])
    regular = counts[3:].astype(np.float64)
    face = np.arange(len(regular))
    projection = face[1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction, error = _separable(regular, one_class, inseparable, projection)
        volume = regular + one_class * (face == 0)
        separable_draws = volume.sum()
        volume /= separable_draws
        mean = volume @ face
        mean_error = np.sqrt(volume @ (face - mean) ** 2 / (separable_draws - 1.0))
        values: dict[str, tuple[str, Any, str]] = {
            "separable_fraction": ("projection", fraction, "probability that the patterns are separable"),
            "separable_fraction_stderr": ("projection", error, "standard error of separable_fraction"),
            "intrinsic_volume": ("face", volume, "probability that the nearest face has this dimension"),
            "intrinsic_volume_stderr": (
                "face",
                np.sqrt(volume * (1.0 - volume) / (separable_draws - 1.0)),
                "standard error of intrinsic_volume",
            ),
            "statistical_dimension": ("", mean, "mean dimension of the nearest face"),
            "statistical_dimension_stderr": ("", mean_error, "standard error of statistical_dimension"),
            "capacity": ("", manifolds / mean, "manifolds per statistical dimension"),
            "capacity_stderr": ("", manifolds / mean**2 * mean_error, "standard error of capacity"),
            "separable_labels_fraction": (
                "",
                separable_draws / (separable_draws + inseparable),
                "fraction of draws with labels that are separable before any projection",
            ),
            "undecided_fraction": ("", undecided / counts.sum(), "fraction of draws without a certified answer"),
        }
    dataset = xr.Dataset(
        {
            name: ((dims,) if dims else (), array, {"long_name": label, "units": "1"})
            for name, (dims, array, label) in values.items()
        },
        {"projection": projection, "face": face},
    )
    dataset["projection"].attrs = {"long_name": "dimensions after the projection", "units": "1"}
    dataset["face"].attrs = {"long_name": "dimension of a face of the cone", "units": "1"}
    return dataset


def _separable(regular: Array, one_class: int, inseparable: int, projection: NDArray[np.intp]) -> tuple[Array, Array]:
    """Probability of separability after each projection, and its standard error.

    Draws are of three kinds, whose shares are estimated as well: cones proper, for which faces tell; one class, always
    separable; not separable, never.
    """
    face = np.arange(len(regular))
    proper = regular.sum()
    total = proper + one_class + inseparable
    always, shares = one_class / total, proper / total
    odd = (projection[:, None] - face) % 2 == 1
    those = odd @ regular
    below = (
        np.where(odd & (face < projection[:, None]), regular, 0.0).sum(axis=1) / those if proper > 0 else 0.0 * those
    )
    fraction = always + shares * below
    between = (always + shares * below**2 - fraction**2) / (total - 1.0)
    within = shares**2 * below * (1.0 - below) / (those - 1.0) if proper > 0 else 0.0
    return fraction, np.sqrt(np.maximum(between, 0.0) + within)
