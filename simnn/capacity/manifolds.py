"""Balls instead of points: a pattern is any point of a ball around a centre, in a few random directions.

A hyperplane w separates a ball ``{c + R sum_j s_j u_j, |s| <= 1}``, ``u_j`` orthonormal, with label y if its nearest
point is on the right side: ``y c.w - R |U w| > 0``. That is an exact condition for all of the ball; for one direction,
of a segment, it is that of its two ends.

The solvers of points decide it by cutting planes: they are given the centres; where the hyperplane that they find cuts
a ball, the point of the ball that lies farthest on the wrong side joins the points that they are given, until no ball
is cut, or no hyperplane is left. Both ends are certified: all of the balls by the condition above, beyond rounding, and
their inseparability by a vanishing combination of some of their points.

References
----------
S. Chung, D. D. Lee, H. Sompolinsky, "Classification and geometry of general perceptual manifolds", Physical Review X 8,
031003 (2018); "Learning data manifolds with a cutting plane method", Neural Computation 30, 2593 (2018).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.capacity import dense, patterns, solvers
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, UNDECIDED
from simnn.device.targets import Target

ROUNDS, _UNDECIDED = 200, 5
"""Rounds of cutting planes after which a set of balls stays undecided; fewer, if points are what is undecided."""

_POINTS_OF_BALL, _POINTS_OF_DIMENSION = 32, 40


class Balls(NamedTuple):
    """Balls of one thread, and the points of them that the solvers have been given (see `balls`).

    Attributes
    ----------
    frame : (P, 1 + D, N) array
        Centre times label, of length 1, and directions times the radius. With a threshold, N counts it too.
    fields : (D,) array
        Scratch: fields of the directions of one ball.
    point : (A, N) array
        Points of length 1, in the order in which they joined.
    owner : (A,) int64 array
        Their balls.
    count : (1,) int64 array
        Their number.
    """

    frame: Any
    fields: Any
    point: Any
    owner: Any
    count: Any


class Manifolds(NamedTuple):
    """Routines of one target (see `bind`)."""

    draw: Callable[..., Any]
    cut: Callable[..., Any]
    decide: Callable[..., Any]


def balls(count: int, extent: int, size: int) -> Balls:
    """Scratch of one thread.

    Parameters
    ----------
    count, extent, size : int
        Largest number of balls, their dimension D, and the number of weights, with the threshold if there is one.

    Returns
    -------
    Balls
    """
    # Near the transition as many points hold a hyperplane in place as there are dimensions, some rounds of each.
    room = _POINTS_OF_BALL * count + _POINTS_OF_DIMENSION * size
    return Balls(
        frame=np.zeros((count, 1 + extent, size)),
        fields=np.zeros(extent),
        point=np.zeros((room, size)),
        owner=np.zeros(room, np.int64),
        count=np.zeros(1, np.int64),
    )


@functools.cache
def bind(target: Target, single: Target) -> Manifolds:
    """Bind the routines for a target.

    Parameters
    ----------
    target : Target
        Where they run, in double precision.
    single : Target
        The same in single precision, as of `simnn.capacity.patterns`.

    Returns
    -------
    Manifolds
        ``draw(law, trial, i, key, draws, balls)``: ball i of a trial; its centre joins the points.
        ``cut(i, w, balls) -> bool``: whether w does not separate ball i beyond rounding.
        ``decide(p, rows, columns, norm, solver, balls, work) -> (verdict, rounds)``: on the first p balls. The
        certificate is ``work.w``, or ``work.multiplier`` for ``rows``.
    """
    _, components, draw_label, *_ = patterns.bind(target, single)
    *_, decide_points, rounding, _ = solvers.bind(target)
    dot = dense.bind(target).dot

    @target.routine
    def scale(x, factor):
        for k in range(x.shape[0]):
            x[k] *= factor

    @target.routine
    def add(factor, x, y):
        for k in range(y.shape[0]):
            y[k] += factor * x[k]

    @target.routine
    def join(i, balls):
        """Let the point behind the last one join, scaled to length 1."""
        last = balls.count[0]
        point = balls.point[last]
        scale(point, 1.0 / np.sqrt(dot(point, point)))
        balls.owner[last] = i
        balls.count[0] = last + 1

    @target.routine
    def draw(law, trial, i, key, draws, balls):
        count, size = balls.frame.shape[1], law.dimension
        frame, label = balls.frame[i], draw_label(trial, i, law.coding_level, key)
        for j in range(count):
            direction = frame[j, :size]
            components(law, trial, i * count + j, key, draws, direction)
            for other in range(1, j):
                add(-dot(direction, frame[other, :size]), frame[other, :size], direction)
            scale(direction, (label if j == 0 else 1.0) / np.sqrt(dot(direction, direction)))
            if law.bias:
                frame[j, size] = label / np.sqrt(np.float64(size)) if j == 0 else 0.0
        for j in range(1, count):
            scale(frame[j], law.radius)
        point = balls.point[balls.count[0]]
        for k in range(point.shape[0]):
            point[k] = frame[0, k]
        join(i, balls)

    @target.routine
    def cut(i, w, balls):
        frame, total, square = balls.frame[i], 0.0, dot(balls.frame[i, 0], balls.frame[i, 0])
        for j in range(1, frame.shape[0]):
            balls.fields[j - 1] = dot(frame[j], w)
            total += balls.fields[j - 1] * balls.fields[j - 1]
            square += dot(frame[j], frame[j])
        bound = rounding(w.shape[0] + 2 * frame.shape[0]) * np.sqrt(square * dot(w, w))
        return not dot(frame[0], w) - np.sqrt(total) > bound

    @target.routine
    def join_farthest(i, balls):
        """The point of ball i that is farthest on the wrong side of the hyperplane that ``cut`` was called with."""
        frame, fields, point = balls.frame[i], balls.fields, balls.point[balls.count[0]]
        length = np.sqrt(dot(fields, fields))
        for k in range(point.shape[0]):
            point[k] = frame[0, k]
        for j in range(fields.shape[0]):
            if length > 0.0:
                add(-fields[j] / length, frame[j + 1], point)
        join(i, balls)

    @target.routine
    def gather(p, rows, columns, norm, balls):
        """Points of the first p balls; returns their number."""
        count = 0
        for a in range(balls.count[0]):
            if balls.owner[a] < p:
                for k in range(rows.shape[1]):
                    rows[count, k] = columns[k, count] = balls.point[a, k]
                norm[count] = 1.0
                count += 1
        return count

    @target.routine
    def decide(p, rows, columns, norm, solver, balls, work):
        left = _UNDECIDED
        for rounds in range(1, ROUNDS + 1):
            count = gather(p, rows, columns, norm, balls)
            verdict, _ = decide_points(rows, columns, norm, count, solver, work)
            if verdict == NOT_SEPARABLE:
                return verdict, rounds
            left -= 1 if verdict == UNDECIDED else 0
            if left == 0 or work.stop[0] != 0:
                return UNDECIDED, rounds
            # Of an undecided problem, too, the last hyperplane says where to cut.
            before = balls.count[0]
            for i in range(p):
                if cut(i, work.w, balls):
                    if balls.count[0] == balls.owner.shape[0]:
                        return UNDECIDED, rounds
                    join_farthest(i, balls)
            if balls.count[0] == before:
                return SEPARABLE, rounds
        return UNDECIDED, ROUNDS

    return Manifolds(draw, cut, decide)
