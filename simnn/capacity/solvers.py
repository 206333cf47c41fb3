"""Two solvers of one question: has any w ``z_i.w > 0`` for all signed patterns ``z_i = y_i x_i``.

Finite Newton (`simnn.capacity.newton`) is fast, and active sets (`simnn.capacity.active_sets`), which find largest
margins too, decide what it leaves undecided. What they find is proved by `simnn.capacity.certificates`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.capacity import active_sets, certificates, dense, newton
from simnn.capacity.certificates import NOT_SEPARABLE, UNDECIDED
from simnn.device.targets import Target

AUTO, NEWTON, NEAREST, NONE = 0, 1, 2, -1
"""Which solver decides, in the order of `simnn.capacity.model.SOLVERS`; none, if patterns are to be counted only."""


class Work(NamedTuple):
    """Scratch of one thread, for up to P patterns in N dimensions (see `work`).

    Attributes
    ----------
    w, step, right, residual : (N,) array
        Weights, Newton point, right side of its equations, combination of patterns.
    mu, forward : (P,) array
        Fields ``z_i.w`` of the weights and of the Newton point, or by how much they exceed what a member would have.
    multiplier : (P,) array
        lambda; the certificate of verdict 0.
    active : (P,) int8 array
        Patterns with ``z_i.w < 1``, or members of the passive set.
    unit : (P,) array
        Ones: shares and pulls of the hull.
    chosen, order : (P or N,) int64 array
        Scratch, and 0, 1, 2, ...
    sign : (P,) array
        Scratch.
    gram, factor : array
        Sum over active patterns and its factor, as of `simnn.capacity.dense.symmetric`.
    triangle : (K, K) array
        Lower factor of the passive set, ``K = min(P, N + 1) + 1``.
    trial : (2,) array
        Sums on their way.
    solution, pulls, signs : (K,) array
        Solution on the passive set, and right sides behind the factor.
    panels : Panels
        Scratch of `simnn.capacity.dense`.
    stop : (1,) int64 array
        Not zero once the work is not wanted any more; what is not decided then stays so.
    """

    w: Any
    step: Any
    right: Any
    residual: Any
    mu: Any
    forward: Any
    multiplier: Any
    active: Any
    unit: Any
    chosen: Any
    order: Any
    sign: Any
    gram: Any
    factor: Any
    triangle: Any
    trial: Any
    solution: Any
    pulls: Any
    signs: Any
    panels: Any
    stop: Any


class Solvers(NamedTuple):
    """Routines of one target (see `bind`)."""

    newton: Callable[..., Any]
    nearest: Callable[..., Any]
    project: Callable[..., Any]
    lift: Callable[..., Any]
    decide: Callable[..., Any]
    rounding: Callable[..., Any]
    silent: Callable[..., Any]


def work(patterns: int, dimension: int, stop: NDArray[np.int64] | None = None) -> Work:
    """Scratch of one thread.

    Parameters
    ----------
    patterns, dimension : int
        Largest numbers P and N.
    stop : (1,) int64 array, optional
        See `Work`.

    Returns
    -------
    Work
    """
    p, n = patterns, dimension
    size = min(p, n + 1) + 1
    return Work(
        w=np.zeros(n),
        step=np.zeros(n),
        right=np.zeros(n),
        residual=np.zeros(n),
        mu=np.zeros(p),
        forward=np.zeros(p),
        multiplier=np.zeros(p),
        active=np.zeros(p, np.int8),
        unit=np.ones(p),
        chosen=np.zeros(p, np.int64),
        order=np.arange(max(p, n)),
        sign=np.zeros(p),
        gram=dense.symmetric(n),
        factor=dense.symmetric(n),
        triangle=np.zeros((size, size)),
        trial=np.zeros(2),
        solution=np.zeros(size),
        pulls=np.zeros(size),
        signs=np.zeros(size),
        panels=dense.panels(p, n),
        stop=np.zeros(1, np.int64) if stop is None else stop,
    )


@functools.cache
def bind(target: Target, algebra: dense.Dense | None = None) -> Solvers:
    """Bind the solvers for a target.

    Parameters
    ----------
    target : Target
        Where they run.
    algebra : Dense, optional
        Linear algebra and sums that the threads of ``target.block`` share, for finite Newton, which they run together.

    Returns
    -------
    Solvers
        They take ``rows`` (P, N), ``columns`` (N, P), its transpose, ``norm`` (P,), the lengths of the rows, and the
        number ``p`` of patterns to look at, the first ones. Rows should have lengths of order 1.
        ``newton(rows, columns, norm, p, work) -> (verdict, steps)``;
        ``nearest(rows, columns, norm, share, pull, label, p, feasibility, free, work) -> (verdict, steps, threshold)``:
        active sets. With ``feasibility`` it stops at the first certificate, for the hull; with ``free``, combinations
        obey ``sum_i lambda_i label_i = 0``, and rows must end with the label. A label may be 0;
        ``project(gram, pull, label, p, free, work) -> (verdict, steps, threshold)``: the same without shares, for rows
        ``label_i x_i`` of which only the products ``x_i.x_j`` are known (with ``free``, plus 1). ``work.mu`` are then
        the products of the solution with the rows;
        ``lift(height, size, work)``: coefficients ``work.solution`` with which the passive set that either left behind,
        ``size`` members ``work.chosen``, combines to something whose product with each member i is ``height[i]``;
        ``decide(rows, columns, norm, p, solver, work) -> (verdict, steps)``: finite Newton, and nearest point if that
        fails, or one of them alone. The certificate is ``work.w`` or ``work.multiplier``. A silent pattern has norm 0.
        ``rounding(n)``: largest ratio ``fl(z.w) / |z| |w|`` that certificate (a) takes for rounding, n components;
        ``silent(norm, p, work)``: whether a pattern vanishes; writes its certificate.
    """
    algebra = dense.bind(target) if algebra is None else algebra
    proofs = certificates.bind(target, algebra)
    silent, run_newton = proofs.silent, newton.bind(target, algebra, proofs)
    nearest, project, lift = active_sets.bind(target, algebra, proofs)

    @target.routine
    def decide(rows, columns, norm, p, solver, work):
        if silent(norm, p, work):
            return NOT_SEPARABLE, 0
        verdict, steps = UNDECIDED, 0
        if solver != NEAREST:
            verdict, steps = run_newton(rows, columns, norm, p, work)
        if solver != NEWTON and verdict == UNDECIDED and work.stop[0] == 0:
            # There are no labels without a free threshold; any array of numbers will do.
            verdict, more, _ = nearest(rows, columns, norm, work.unit, work.unit, norm, p, True, False, work)
            steps += more
        return verdict, steps

    return Solvers(run_newton, nearest, project, lift, decide, proofs.rounding, silent)
