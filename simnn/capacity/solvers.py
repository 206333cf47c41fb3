"""Two solvers of one question: has any w ``z_i.w > 0`` for all signed patterns ``z_i = y_i x_i``.

By Gordan's theorem either such a w exists, or a combination ``sum_i lambda_i z_i = 0`` with ``lambda >= 0``, not all
zero. Whichever a solver finds is its certificate, and is checked in floating point:

(a) ``fl(z_i.w) > 2 gamma_{N+2} |z_i| |w|`` for all i, ``gamma_n = n u / (1 - n u)``, ``u = 2^-53``: twice the largest
    error that any order of summation can make, so w separates beyond rounding;
(b) ``|sum_i lambda_i z_i| <= TOLERANCE sum_i lambda_i |z_i|``: for every unit vector w some ``z_i.w / |z_i|`` is at
    most that small. Nothing separates by a larger margin.

*Finite Newton* minimises the squared hinge ``1/2 sum_i max(0, 1 - z_i.w)^2``. It is convex and piecewise quadratic;
Newton steps with exact line search reach the minimum after finitely many of them, and there the positive parts of
``1 - z_i.w`` are lambda. *Active sets* solve non-negative least squares, with numbers s_i (shares) and b_i (pulls):

    min over lambda >= 0 of  1/2 |sum_i lambda_i z_i|^2 + 1/2 (sum_i s_i lambda_i)^2 - sum_i b_i lambda_i,

if wanted with ``sum_i lambda_i y_i = 0``, whose multiplier is a free threshold. Three problems have this form:

- s = b = 1: the point of the convex hull of the z_i that is nearest to the origin (Wolfe). Left to run to the end it
  gives the largest margin.
- The same with some s = b = 0: the rays along these z_i are added to the hull, and weights obey ``z_i.w >= 0`` there.
- s = 0, ``b_i = z_i.t``: the point nearest to t of the cone that the z_i span.

References
----------
O. L. Mangasarian, "A finite Newton method for classification", Optimization Methods and Software 17, 913 (2002).
S. S. Keerthi, D. DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs", Journal of
Machine Learning Research 6, 341 (2005).
P. Wolfe, "Finding the nearest point in a polytope", Mathematical Programming 11, 128 (1976).
C. L. Lawson, R. J. Hanson, "Solving least squares problems" (1974), chapter 23.
N. J. Higham, "Accuracy and stability of numerical algorithms", 2nd ed., section 3.1 (gamma_n).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.capacity import dense
from simnn.device.targets import Target

TOLERANCE = 1e-12
"""Largest length of a combination that counts as vanishing, relative to the lengths of its terms."""

SEPARABLE, NOT_SEPARABLE, UNDECIDED = 1, 0, -1
"""Verdicts."""

AUTO, NEWTON, NEAREST, NONE = 0, 1, 2, -1
"""Which solver decides, in the order of `simnn.capacity.model.SOLVERS`; none, if patterns are to be counted only."""

OPTIMAL = 2
"""What `Solvers.nearest` answers when it has run to the end without a certificate being asked for."""

_UNIT_ROUNDOFF = 2.0**-53
# Of the step that is taken at full rank, and else: relative to the mean eigenvalue.
_RIDGE, _RIDGE_SINGULAR = 1e-13, 1e-10
_NEWTON_STEPS, _SEARCH_STEPS, _REPEATS = 300, 60, 4


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
    certificates = _bind_certificates(target, algebra)
    newton = _bind_newton(target, algebra, certificates)
    nearest, project, lift = _bind_active_sets(target, algebra, certificates)
    silent = certificates.silent

    @target.routine
    def decide(rows, columns, norm, p, solver, work):
        if silent(norm, p, work):
            return NOT_SEPARABLE, 0
        verdict, steps = UNDECIDED, 0
        if solver != NEAREST:
            verdict, steps = newton(rows, columns, norm, p, work)
        if solver != NEWTON and verdict == UNDECIDED and work.stop[0] == 0:
            # There are no labels without a free threshold; any array of numbers will do.
            verdict, more, _ = nearest(rows, columns, norm, work.unit, work.unit, norm, p, True, False, work)
            steps += more
        return verdict, steps

    return Solvers(newton, nearest, project, lift, decide, certificates.rounding, silent)


class _Certificates(NamedTuple):
    rounding: Callable[..., Any]
    separates: Callable[..., Any]
    vanishes: Callable[..., Any]
    silent: Callable[..., Any]


def _bind_certificates(target: Target, algebra: dense.Dense) -> _Certificates:
    """Whether weights separate, or a combination vanishes, beyond rounding."""
    product_of, smallest, totals, chains = algebra.product, algebra.smallest, algebra.totals, algebra.chains
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

    @target.device
    def rounding(n):
        terms = (n + 2) * _UNIT_ROUNDOFF
        return 2.0 * terms / (1.0 - terms)

    @target.routine
    def separates(norm, p, w, mu, part):
        """Certificate (a), for fields mu that were just summed."""
        if not smallest(mu[:p], part) > 0.0:
            return False
        bound = rounding(w.shape[0]) * sqrt(product_of(w, w, part))
        for c in range(lane(), chains, lanes()):
            count = 0
            for i in range(c, p, chains):
                count += 1 if mu[i] > bound * norm[i] else 0
            part[c] = count
        count, _ = totals(part)
        return count == p

    @target.routine
    def vanishes(norm, p, multiplier, residual, part):
        """Certificate (b), for a residual that was just summed."""
        scale = product_of(multiplier[:p], norm[:p], part)
        return scale > 0.0 and sqrt(product_of(residual, residual, part)) <= TOLERANCE * scale

    @target.routine
    def silent(norm, p, work):
        """Whether a pattern vanishes: it is a certificate by itself."""
        if smallest(norm[:p], work.trial) > 0.0:
            return False
        first = -1
        for i in range(p):
            first = i if first < 0 and norm[i] == 0.0 else first
        for i in range(lane(), p, lanes()):
            work.multiplier[i] = 1.0 if i == first else 0.0
        sync()
        return True

    return _Certificates(rounding, separates, vanishes, silent)


def _bind_newton(target: Target, algebra: dense.Dense, certificates: _Certificates) -> Callable[..., Any]:
    """Finite Newton."""
    combine, clear, add_gram, trace = algebra.combine, algebra.clear, algebra.add_gram, algebra.trace
    factorise, solve, totals, chains = algebra.factorise, algebra.solve, algebra.totals, algebra.chains
    separates, vanishes = certificates.separates, certificates.vanishes
    lane, lanes, sync = target.block

    @target.routine
    def copy(source, destination):
        for k in range(lane(), destination.shape[0], lanes()):
            destination[k] = source[k]

    @target.device
    def change(i, work):
        """Whether a pattern becomes active (1), or is not any more (-1), with the fields mu."""
        return (1 if work.mu[i] < 1.0 else 0) - work.active[i]

    @target.device
    def before(c, part):
        """How many the chains before this one have found."""
        count = 0.0
        for earlier in range(c):
            count += part[earlier]
        return int(count)

    @target.routine
    def list_changes(p, work):
        """Update which patterns are active; returns how many changed, and how many more are active now."""
        part, length = work.trial, (p + chains - 1) // chains
        for c in range(lane(), chains, lanes()):
            changed, more = 0, 0
            for i in range(c * length, min((c + 1) * length, p)):
                now = change(i, work)
                changed += now * now
                more += now
            part[c], part[chains + c] = changed, more
        sync()
        for c in range(lane(), chains, lanes()):
            place = before(c, part)
            for i in range(c * length, min((c + 1) * length, p)):
                now = change(i, work)
                if now != 0:
                    work.chosen[place], work.sign[place] = i, np.float64(now)
                    work.active[i] += now
                    place += 1
        changed, more = totals(part)
        return int(changed), int(more)

    @target.routine
    def list_active(p, work):
        part, length = work.trial, (p + chains - 1) // chains
        for c in range(lane(), chains, lanes()):
            count = 0
            for i in range(c * length, min((c + 1) * length, p)):
                count += work.active[i]
            part[c] = count
        sync()
        for c in range(lane(), chains, lanes()):
            place = before(c, part)
            for i in range(c * length, min((c + 1) * length, p)):
                if work.active[i] != 0:
                    work.chosen[place], work.sign[place] = i, 1.0
                    place += 1
        sync()

    @target.routine
    def update(rows, p, size, fresh, work):
        """Active patterns of the fields mu, and their sums; returns how many changed, and how many there are."""
        changed, more = list_changes(p, work)
        size += more
        count, fresh = changed, fresh or (changed > 0 and 2 * changed >= size - more)
        if fresh:
            list_active(p, work)
            count = size
            clear(work.gram)
            for k in range(lane(), work.right.shape[0], lanes()):
                work.right[k] = 0.0
            sync()
        if count > 0:
            add_gram(work.sign, work.chosen, count, rows, work.panels, work.gram, work.stop)
            combine(work.sign, work.chosen, count, rows, work.residual)
            for k in range(lane(), work.right.shape[0], lanes()):
                work.right[k] += work.residual[k]
            sync()
        return changed, size

    @target.routine
    def newton_point(columns, p, ridge, start, work):
        """``step = (A + ridge)^-1 (right + ridge start)`` and its fields."""
        step = work.step
        for k in range(lane(), step.shape[0], lanes()):
            step[k] = work.right[k] + ridge * start[k]
        sync()
        solve(work.factor, step)
        combine(step, work.order, step.shape[0], columns, work.forward[:p])

    @target.routine
    def gordan(rows, columns, norm, p, size, work):
        """Whether the residuals of the Newton point are a vanishing combination."""
        multiplier, part = work.multiplier, work.trial
        for c in range(lane(), chains, lanes()):
            total, below = 0.0, 0
            for i in range(c, p, chains):
                slack = 1.0 - work.forward[i] if work.active[i] != 0 else 0.0
                below += 1 if slack < -1e-10 else 0
                multiplier[i] = max(slack, 0.0)
                total += multiplier[i]
            part[c], part[chains + c] = total, below
        total, below = totals(part)
        if below > 0 or total <= 1e-9 * size:
            return False
        for _ in range(_REPEATS):
            combine(multiplier, work.order, p, rows, work.residual)
            if vanishes(norm, p, multiplier, work.residual, part):
                return True
            # What is left is the ridge times the last step, and rounding of fields that are large near the transition:
            # the least change of the coefficients that makes it vanish.
            solve(work.factor, work.residual)
            combine(work.residual, work.order, work.residual.shape[0], columns, work.sign[:p])
            for i in range(lane(), p, lanes()):
                if work.active[i] != 0:
                    multiplier[i] = max(multiplier[i] - work.sign[i], 0.0)
            sync()
        return False

    @target.routine
    def line_search(mu, forward, p, part):
        """Minimum over t of ``sum_i max(0, 1 - mu_i - t (forward_i - mu_i))^2``."""
        t, low, high = 1.0, 0.0, -1.0
        for _ in range(_SEARCH_STEPS):
            for c in range(lane(), chains, lanes()):
                slope, curvature = 0.0, 0.0
                for i in range(c, p, chains):
                    delta = forward[i] - mu[i]
                    slack = max(1.0 - mu[i] - t * delta, 0.0)
                    slope -= slack * delta
                    curvature += delta * delta if slack > 0.0 else 0.0
                part[c], part[chains + c] = slope, curvature
            slope, curvature = totals(part)
            if abs(slope) <= 1e-14 * (1.0 + curvature):
                break
            if slope > 0.0:
                high = t
            else:
                low = t
            next_t = t - slope / curvature if curvature > 0.0 else low
            if not (next_t > low and (high < 0.0 or next_t < high)):
                next_t = 0.5 * (low + high) if high >= 0.0 else 2.0 * t
            done = abs(next_t - t) <= 1e-15 * t
            t = next_t
            if done:
                break
        return t

    @target.routine
    def newton(rows, columns, norm, p, work):
        w, step, mu, forward, part = work.w, work.step, work.mu, work.forward, work.trial
        n = w.shape[0]
        for k in range(lane(), n, lanes()):
            w[k] = 0.0
        for i in range(lane(), work.multiplier.shape[0], lanes()):
            work.multiplier[i] = 0.0
        for i in range(lane(), p, lanes()):
            mu[i], work.active[i] = 0.0, 0
        sync()
        steps, size, t, mean, boost, ridge_scale, fresh, failures = 0, 0, 0.0, 0.0, 1.0, 1.0, True, 0
        while steps < _NEWTON_STEPS:
            changed, size = update(rows, p, size, fresh, work)
            if changed == 0 and not fresh and abs(t - 1.0) < 1e-6:
                break
            if steps == 0 and failures == 0:
                mean = trace(n, work.gram) / n
            ridge = ridge_scale * mean * (_RIDGE if size > n else _RIDGE_SINGULAR)
            if not factorise(n, ridge, work.gram, work.panels, work.factor, work.stop):
                # Rounding of updates made it indefinite: once more from scratch, and more cautiously from now on.
                fresh, ridge_scale, boost, failures = True, 1000.0 * boost, 1000.0, failures + 1
                if failures > 1:
                    break
                continue
            fresh, ridge_scale, failures, steps = False, boost, 0, steps + 1
            if work.stop[0] != 0:
                break
            newton_point(columns, p, ridge, w, work)
            if separates(norm, p, step, forward, part):
                copy(step, w)
                sync()
                return SEPARABLE, steps
            if gordan(rows, columns, norm, p, size, work):
                return NOT_SEPARABLE, steps
            t = line_search(mu, forward, p, part)
            for k in range(lane(), n, lanes()):
                w[k] += t * (step[k] - w[k])
            sync()
            combine(w, work.order, n, columns, mu[:p])
            if separates(norm, p, w, mu, part):
                return SEPARABLE, steps
        return UNDECIDED, steps

    return newton


def _bind_active_sets(
    target: Target, algebra: dense.Dense, certificates: _Certificates
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Active sets: nearest point of hulls and cones."""
    dot, combine, smallest = algebra.dot, algebra.combine, algebra.smallest
    substitute, chains = algebra.substitute, algebra.chains
    separates, vanishes = certificates.separates, certificates.vanishes
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

    @target.routine
    def forward_from(c, size, right, members, triangle, x):
        """Solve with the triangle of the passive set, for the right sides of its members; the first c are known."""
        for a in range(c + lane(), size, lanes()):
            x[a] = right[members[a]]
        sync()
        substitute(triangle, c, size, x)

    @target.routine
    def remove(c, pull, label, size, free, work):
        """Take member c out of the passive set: rotations restore the triangle."""
        triangle = work.triangle
        for a in range(c, size - 1):
            for b in range(lane(), a + 2, lanes()):
                triangle[a, b] = triangle[a + 1, b]
        if lane() == 0:
            for a in range(c, size - 1):
                work.chosen[a] = work.chosen[a + 1]
        sync()
        for a in range(c, size - 1):
            x, y = triangle[a, a], triangle[a, a + 1]
            h = sqrt(x * x + y * y)
            cosine, sine = x / h, y / h
            sync()
            for b in range(a + lane(), size - 1, lanes()):
                left, right = triangle[b, a], triangle[b, a + 1]
                triangle[b, a] = cosine * left + sine * right
                triangle[b, a + 1] = cosine * right - sine * left
            sync()
        forward_from(c, size - 1, pull, work.chosen, triangle, work.pulls)
        if free:
            forward_from(c, size - 1, label, work.chosen, triangle, work.signs)

    @target.routine
    def unconstrained(size, free, work):
        """Minimum on the passive set, whatever its signs; returns the threshold."""
        trial, triangle, threshold = work.solution, work.triangle, 0.0
        if free:
            threshold = dot(work.signs[:size], work.pulls[:size]) / dot(work.signs[:size], work.signs[:size])
        for a in range(lane(), size, lanes()):
            trial[a] = work.pulls[a] - (threshold * work.signs[a] if free else 0.0)
        sync()
        for a in range(size - 1, -1, -1):
            found = trial[a] / triangle[a, a]
            for b in range(lane(), a, lanes()):
                trial[b] -= found * triangle[a, b]
            sync()
            if lane() == 0:
                trial[a] = found
        sync()
        return threshold

    @target.routine
    def descend(pull, label, size, free, work):
        """Move to the minimum on the passive set, dropping members that would become negative; returns what is left."""
        multiplier, trial = work.multiplier, work.solution
        while True:
            threshold = unconstrained(size, free, work)
            reach, blocking = 1.0, -1
            for a in range(size):
                if trial[a] <= 0.0:
                    here = multiplier[work.chosen[a]]
                    ratio = here / (here - trial[a]) if here > 0.0 else 0.0
                    if blocking < 0 or ratio < reach:
                        reach, blocking = ratio, a
            sync()
            for a in range(lane(), size, lanes()):
                i = work.chosen[a]
                multiplier[i] = trial[a] if blocking < 0 else multiplier[i] + reach * (trial[a] - multiplier[i])
            sync()
            if blocking < 0:
                return size, threshold
            if lane() == 0:
                multiplier[work.chosen[blocking]] = 0.0
                work.active[work.chosen[blocking]] = 0
            sync()
            remove(blocking, pull, label, size, free, work)
            size -= 1

    @target.device
    def product(rows, share, label, i, j):
        return dot(rows[i], rows[j]) + share[i] * share[j]

    @target.routine
    def sums(rows, columns, share, label, p, size, work):
        """Combination of the passive set and its products with all rows; returns its share."""
        total = 0.0
        for a in range(size):
            # Every thread adds up for itself.
            i = work.chosen[a]
            total += share[i] * work.multiplier[i]
        for a in range(lane(), size, lanes()):
            work.sign[a] = work.multiplier[work.chosen[a]]
        sync()
        combine(work.sign, work.chosen, size, rows, work.w)
        combine(work.w, work.order, work.w.shape[0], columns, work.mu[:p])
        return total

    @target.device
    def known_product(gram, share, label, i, j):
        return label[i] * label[j] * gram[j, i]

    @target.routine
    def known_sums(gram, columns, share, label, p, size, work):
        for a in range(size):
            i = work.chosen[a]
            work.sign[a] = label[i] * work.multiplier[i]
        combine(work.sign, work.chosen, size, gram, work.mu[:p])
        for i in range(p):
            work.mu[i] *= label[i]
        return 0.0

    @target.routine
    def exceed(mu, label, threshold, pull, share, common, out):
        for i in range(lane(), out.shape[0], lanes()):
            out[i] = mu[i] + threshold * label[i] - (pull[i] - share[i] * common)

    @target.routine
    def lowest(x, limit, part):
        """Where the smallest entry stands first, if it is below the limit; else -1."""
        value = smallest(x, part)
        if not value < limit:
            return -1
        for c in range(lane(), chains, lanes()):
            i = c
            while i < x.shape[0] and x[i] != value:
                i += chains
            part[c] = i
        return int(smallest(part[:chains], part[chains:]))

    def active_sets(product: Callable[..., Any], sums: Callable[..., Any], tolerance: float) -> Callable[..., Any]:
        """Non-negative least squares, from products of two rows, and of combinations with all of them."""

        @target.routine
        def insert(rows, share, pull, label, j, size, free, work):
            """Add pattern j to the passive set: a row of the factor of ``z_a.z_b + s_a s_b``."""
            triangle = work.triangle
            row, norm = triangle[size], product(rows, share, label, j, j)
            rest = norm
            for a in range(lane(), size, lanes()):
                row[a] = product(rows, share, label, work.chosen[a], j)
            sync()
            substitute(triangle, 0, size, row)
            for a in range(size):
                rest -= row[a] * row[a]
            pivot = sqrt(max(rest, 1e-15 * norm))
            pulled = (pull[j] - dot(row[:size], work.pulls[:size])) / pivot
            signed = (label[j] - dot(row[:size], work.signs[:size])) / pivot if free else 0.0
            if lane() == 0:
                row[size], work.pulls[size], work.signs[size] = pivot, pulled, signed
                work.chosen[size], work.active[j], work.multiplier[j] = j, 1, 0.0
            sync()

        @target.routine
        def strongest(pull, label, wanted, p):
            """Member of a class that pulls most."""
            found = -1
            for i in range(p):
                if label[i] == wanted and (found < 0 or pull[i] > pull[found]):
                    found = i
            return found

        @target.routine
        def run(rows, columns, norm, share, pull, label, p, feasibility, free, work):
            n = work.w.shape[0]
            w, mu, multiplier, active = work.w, work.mu, work.multiplier, work.active
            for i in range(lane(), p, lanes()):
                multiplier[i], active[i] = 0.0, 0
            sync()
            size, threshold, newest = 0, 0.0, -1
            slack = 0.1 * tolerance if feasibility else tolerance
            if free:
                # Combinations need a member of each class. Where no pair pulls, the threshold stands in between.
                one, other = strongest(pull, label, -1.0, p), strongest(pull, label, 1.0, p)
                threshold = 0.5 * (pull[other] - pull[one])
                if pull[one] + pull[other] > slack:
                    insert(rows, share, pull, label, one, 0, free, work)
                    insert(rows, share, pull, label, other, 1, free, work)
                    size, threshold = descend(pull, label, 2, free, work)
            for steps in range(1, 3 * (p + n) + 100):
                common = sums(rows, columns, share, label, p, size, work)
                if feasibility and size > 0:
                    if separates(norm, p, w, mu, work.trial):
                        return SEPARABLE, steps, threshold
                    if vanishes(norm, p, multiplier, w, work.trial):
                        return NOT_SEPARABLE, steps, threshold
                excess = work.forward[:p]
                exceed(mu, label, threshold, pull, share, common, excess)
                sync()
                for a in range(lane(), size, lanes()):
                    excess[work.chosen[a]] = 0.0
                if newest >= 0:
                    # What left at once would come back for ever.
                    excess[newest] = 0.0
                sync()
                chosen = lowest(excess, -slack, work.trial)
                if work.stop[0] != 0:
                    return UNDECIDED, steps, threshold
                if chosen < 0 or size > n:
                    return UNDECIDED if feasibility else OPTIMAL, steps, threshold
                insert(rows, share, pull, label, chosen, size, free, work)
                size, threshold = descend(pull, label, size + 1, free, work)
                newest = chosen if active[chosen] == 0 else -1
            return UNDECIDED, 3 * (p + n) + 100, threshold

        return run

    nearest, nearest_known = active_sets(product, sums, 1e-12), active_sets(known_product, known_sums, 1e-10)

    @target.routine
    def project(gram, pull, label, p, free, work):
        return nearest_known(gram, gram, pull, work.unit, pull, label, p, False, free, work)

    @target.routine
    def lift(height, size, work):
        for a in range(size):
            row = work.triangle[a]
            work.pulls[a] = (height[work.chosen[a]] - dot(row[:a], work.pulls[:a])) / row[a]
        unconstrained(size, False, work)

    return nearest, project, lift
