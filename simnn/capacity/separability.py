"""Is a set of labelled patterns linearly separable, and by how much? Answers for given data, each with its proof."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.capacity.given import check_memory, finite_matrix, signs
from simnn.running import interruptible

if TYPE_CHECKING:
    from simnn.capacity.cpu import Data, Problem

Array = NDArray[np.float64]

_SMALL = 2**16
# Products of numbers in one step of a solver from which on it runs on a thread of its own: those take 10 ms and more.
_LARGE = 2**26
_NEVER = np.zeros(1, np.int64)
_last = threading.local()

Status = Literal["separable", "not separable", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """Answer of `separable`.

    Attributes
    ----------
    status : {"separable", "not separable", "undecided"}
        The answer. *Separable* is strict: ``y_i (w.x_i + b) > 0`` for all patterns. Patterns that can be put on the
        right side of a hyperplane only if some lie on it are *not separable*.
    certificate : array or None
        If separable: weights w, followed by b if there is a threshold, together of length 1. If not: one number
        ``lambda_i >= 0`` for each pattern, the largest 1, with ``sum_i lambda_i y_i x_i = 0`` to rounding (and ``sum_i
        lambda_i y_i = 0`` if there is a threshold). None if undecided.
    bound : float
        What the certificate proves, beyond all rounding errors, for data in which first every component is scaled to a
        largest value between 1/2 and 1, then every pattern to length 1 (with a threshold, a component 1 included). If
        separable: a smallest margin of these weights. If not: the largest margin that any weights of length 1 could
        have; it is about 1e-12 at most, and 0 if a pattern vanishes. NaN if undecided.
    """

    status: Status
    certificate: Array | None
    bound: float


def separable(patterns: ArrayLike, labels: ArrayLike, bias: bool = False) -> Verdict:
    """Decide whether patterns can be separated by the sign of a linear function, with a certificate.

    Parameters
    ----------
    patterns : (P, N) array_like
        One pattern in each row. They may repeat, vanish, be collinear, or differ in scale by hundreds of orders.
    labels : (P,) array_like
        -1 and +1, or 0 and 1, or False and True; a single class is allowed.
    bias : bool
        Whether there is a threshold: ``y_i (w.x_i + b) > 0`` instead of ``y_i w.x_i > 0``.

    Returns
    -------
    Verdict
        The certificate was checked in float64 on the patterns as given. ``"undecided"`` means that neither a separating
        hyperplane nor a proof of its absence stands out from rounding.

    Raises
    ------
    ValueError
        If shapes do not fit, the data are empty or not finite, or labels are not two-valued.
    MemoryError
        If the solver's matrices would not fit into this machine's memory.

    Notes
    -----
    A margin between rounding (1e-14) and 1e-12 may be called "not separable"; `Verdict.bound` says what was proved.

    References
    ----------
    Gordan's theorem: either some w has ``y_i w.x_i > 0`` for all i, or a combination of the ``y_i x_i`` with
    non-negative coefficients, not all zero, vanishes. Solvers: `simnn.capacity.solvers`.

    Examples
    --------
    >>> from simnn import capacity
    >>> square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> capacity.separable(square, [0, 0, 0, 1], bias=True).status
    'separable'
    >>> capacity.separable(square, [0, 1, 1, 0], bias=True).status
    'not separable'
    """
    x = finite_matrix("patterns", patterns)
    y = signs(labels, len(x))
    count, size = len(x), x.shape[1] + bias
    check_memory(count, size)
    if count * size * min(count, size) < _LARGE:
        return _verdict(x, y, bias, _NEVER)
    return interruptible(lambda stop: _verdict(x, y, bias, stop))


@dataclass(frozen=True)
class Margin:
    """Answer of `margin`.

    Attributes
    ----------
    status : {"separable", "not separable", "undecided"}
        As in `Verdict`.
    margin : float
        Distance of the nearest pattern from the hyperplane that these weights and this threshold make, as computed
        from the patterns; 0 if they are not separable, NaN if undecided.
    bound : float
        No hyperplane keeps a larger distance, to rounding. The largest margin lies between the two.
    weights : (N,) array or None
        w, of length 1; zero if a threshold alone separates a single class. None unless separable.
    threshold : float
        b in ``y_i (w.x_i + b) >= margin``; 0 without a threshold, NaN unless separable.
    support : (S,) int array
        Patterns on which the solution rests: they lie at the margin.
    """

    status: Status
    margin: float
    bound: float
    weights: Array | None
    threshold: float
    support: NDArray[np.intp]


def margin(patterns: ArrayLike, labels: ArrayLike, bias: bool = False) -> Margin:
    """Find the hyperplane that separates patterns by the largest margin.

    Parameters
    ----------
    patterns : (P, N) array_like
        One pattern in each row; their lengths matter.
    labels : (P,) array_like
        -1 and +1, or 0 and 1, or False and True.
    bias : bool
        Whether there is a threshold, free of cost: the margin is then half the distance of the two classes.

    Returns
    -------
    Margin
        With lower and upper bound, which agree to 1e-9 of the length of the longest pattern, or better. For patterns of
        equal length r, the margin kappa of the theory is ``sqrt(N) / r`` times this one.

    Raises
    ------
    ValueError
        As `separable`.
    MemoryError
        As `separable`.

    References
    ----------
    The margin is the distance of the origin from the convex hull of the ``y_i x_i``, or half that of the hulls of the
    two classes. Solver: `simnn.capacity.solvers`.

    Examples
    --------
    >>> from simnn import capacity
    >>> best = capacity.margin([[0, 0], [2, 0], [3, 1]], [0, 1, 1], bias=True)
    >>> best.margin, best.weights.round(6).tolist(), best.support.tolist()
    (1.0, [1.0, 0.0], [0, 1])
    """
    x = finite_matrix("patterns", patterns)
    y = signs(labels, len(x))
    check_memory(len(x), x.shape[1] + bias)
    if bias and abs(y.sum()) == len(y):
        return Margin("separable", np.inf, np.inf, np.zeros(x.shape[1]), float(y[0]), np.zeros(0, np.intp))
    if len(x) * (x.shape[1] + bias) * min(x.shape) < _LARGE:
        return checked_margin(x, y, bias, _NEVER)
    return interruptible(lambda stop: checked_margin(x, y, bias, stop))


def checked_margin(x: Array, y: Array, bias: bool, stop: NDArray[np.int64]) -> Margin:
    """`margin` of data that were checked, with both classes if there is a threshold.

    Parameters
    ----------
    x : (P, N) array
        Patterns, float64 and finite, in C order.
    y : (P,) array
        -1.0 and 1.0.
    bias : bool
        Whether there is a threshold.
    stop : (1,) int64 array
        Not zero once nobody waits for the answer any more, which is then undecided.

    Returns
    -------
    Margin
    """
    multipliers, weights = _nearest(x, y, bias, stop)
    bound = np.inf
    if multipliers is not None:
        shares = multipliers / multipliers.sum()
        if bias:
            # A point in the hull of each class; half their distance.
            shares = np.where(
                y > 0.0, multipliers / multipliers[y > 0.0].sum(), multipliers / multipliers[y < 0.0].sum()
            )
            shares *= 0.5
        bound = float(np.sqrt(np.square((shares * y) @ (x - x[0] if bias else x)).sum()))
        found = _hyperplane(x, y, bias, weights)
        if found is not None:
            support = np.flatnonzero(multipliers > 1e-12 * multipliers.max())
            return Margin("separable", found[0], max(found[0], bound), weights, found[1], support)
    verdict = _verdict(x, y, bias, stop)
    nothing = np.zeros(0, np.intp)
    if verdict.status == "separable" and verdict.certificate is not None:
        weights = verdict.certificate[: x.shape[1]] / np.sqrt(np.square(verdict.certificate[: x.shape[1]]).sum())
        distance, threshold = _hyperplane(x, y, bias, weights) or (0.0, float("nan"))
        return Margin("separable", distance, max(distance, bound), weights, threshold, nothing)
    known = verdict.status == "not separable"
    return Margin(verdict.status, 0.0 if known else np.nan, bound if known else np.inf, None, np.nan, nothing)


def checked_prefix(x: Array, y: Array, bias: bool, stop: NDArray[np.int64]) -> int | None:
    """Largest number of patterns, from the first one on, that are separable: those before are, with one more none are.

    Parameters
    ----------
    x, y, bias, stop
        As of `checked_margin`; one class will do.

    Returns
    -------
    int or None
        None if a verdict on the way there is undecided.
    """
    # What is left of a separable set is separable, so that halving finds the end.
    least, most = 0, len(x)
    while least < most:
        count = (least + most + 1) // 2
        status = _verdict(x[:count], y[:count], bias, stop).status
        if status == "undecided":
            return None
        least, most = (count, most) if status == "separable" else (least, count - 1)
    return least


def _verdict(x: Array, y: Array, bias: bool, stop: NDArray[np.int64]) -> Verdict:
    """Decide data that were checked; undecided if nobody waits for it any more."""
    from simnn.capacity import cpu

    if stop[0] != 0:
        return Verdict("undecided", None, np.nan)
    count, size = len(x), x.shape[1] + bias
    rows = np.empty((count, size))
    np.multiply(x, y[:, None], out=rows[:, : x.shape[1]])
    rows[:, x.shape[1] :] = y[:, None]
    data = cpu.Data(rows, np.empty(count), np.empty(count, np.int64), np.empty(size, np.int64), np.empty((2, size)))
    silent = cpu.kernels().balance(data)
    if silent >= 0:
        return Verdict("not separable", np.eye(1, count, silent)[0], 0.0)
    if size > count:
        # In coordinates of what the patterns span: there are fewer.
        directions, coordinates = np.linalg.qr(data.rows.T)
        verdict = _decide(data, np.ascontiguousarray(coordinates.T), directions, stop)
    else:
        verdict = _decide(data, data.rows, np.empty((0, 0)), stop)
    if verdict.status != "undecided" or stop[0] != 0:
        return verdict
    # Once more in orthonormal coordinates of what the patterns span: components may be nearly collinear.
    basis, scale, directions = np.linalg.svd(data.rows, full_matrices=False)
    kept = scale > count * np.finfo(np.float64).eps * scale[0]
    back = np.ascontiguousarray(directions[kept].T / scale[kept])
    return _decide(data, np.ascontiguousarray(basis[:, kept]), back, stop)


def _decide(data: "Data", coordinates: Array, back: Array, stop: NDArray[np.int64]) -> Verdict:
    """Solve in these coordinates; accept only what stands the test on the data."""
    from simnn.capacity import cpu
    from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE

    weights, multipliers = np.empty(data.rows.shape[1]), np.empty(len(data.rows))
    problem = _problem(len(coordinates), coordinates.shape[1], stop)
    answer, bound = cpu.kernels().judge(data, coordinates, back, problem, weights, multipliers)
    if answer == SEPARABLE:
        return Verdict("separable", weights, bound)
    if answer == NOT_SEPARABLE:
        return Verdict("not separable", multipliers, bound)
    return Verdict("undecided", None, bound)


def _problem(patterns: int, dimension: int, stop: NDArray[np.int64]) -> "Problem":
    """Scratch; that of the last small problem is kept, for the next one of the same size."""
    from simnn.capacity import cpu

    kept: Problem | None = getattr(_last, "problem", None)
    if kept is None or kept.rows.shape != (patterns, dimension):
        kept = cpu.problem(patterns, dimension, stop)
        _last.problem = kept if kept.rows.size < _SMALL else None
    return kept


def _rounding(terms: int) -> float:
    """Relative error of a sum of so many products, in any order (Higham, section 3.1)."""
    error = terms * 2.0**-53
    return error / (1.0 - error)


def _nearest(x: Array, y: Array, bias: bool, stop: NDArray[np.int64]) -> tuple[Array | None, Array]:
    """Multipliers and weights of the nearest point of the hull; no multipliers if the solver gave up."""
    from simnn.capacity import active_sets, cpu, solvers

    # A free threshold makes the origin arbitrary.
    rows = y[:, None] * (x - x.mean(axis=0) if bias else x)
    lengths = np.sqrt(np.square(rows / max(np.abs(rows).max(), 1e-300)).sum(axis=1))
    rows = rows / max(np.abs(rows).max(), 1e-300) / max(lengths.max(), 1e-300)
    directions = None
    if rows.shape[1] > len(rows):
        # In coordinates of what the patterns span: there are fewer.
        directions, triangle = np.linalg.qr(rows.T)
        rows = triangle.T
    size = rows.shape[1]
    if bias:
        rows = np.hstack([rows, y[:, None]])
    work = solvers.work(len(rows), rows.shape[1], stop)
    norm = np.sqrt(np.square(rows).sum(axis=1))
    rows = np.ascontiguousarray(rows)
    columns = np.ascontiguousarray(rows.T)
    answer, _, _ = cpu.kernels().nearest(rows, columns, norm, work.unit, work.unit, y, False, bias, work)
    weights = work.w[:size] if directions is None else directions @ work.w[:size]
    length = np.sqrt(np.square(weights).sum())
    return work.multiplier if answer == active_sets.OPTIMAL else None, weights / max(length, 1e-300)


def _hyperplane(x: Array, y: Array, bias: bool, weights: Array) -> tuple[float, float] | None:
    """Margin of these weights of length 1 and their best threshold, if it stands out from rounding."""
    fields = x @ weights
    error = 2.0 * _rounding(x.shape[1] + 8) * float(np.sqrt(np.square(x).sum(axis=1).max()))
    if bias:
        low, high = float(fields[y < 0.0].max()), float(fields[y > 0.0].min())
        distance, threshold = 0.5 * (high - low), -0.5 * (high + low)
    else:
        distance, threshold = float((y * fields).min()), 0.0
    return (distance, threshold) if distance > error else None
