"""Finite Newton: the squared hinge ``1/2 sum_i max(0, 1 - z_i.w)^2`` of signed patterns z_i.

It is convex and piecewise quadratic; Newton steps with exact line search reach the minimum after finitely many of them.
Where patterns are separable, w is on its way there; where they are not, the positive parts of ``1 - z_i.w`` at the
minimum are the combination that vanishes (`simnn.capacity.certificates`).

References
----------
O. L. Mangasarian, "A finite Newton method for classification", Optimization Methods and Software 17, 913 (2002).
S. S. Keerthi, D. DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs", Journal of
Machine Learning Research 6, 341 (2005).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from simnn.capacity import dense
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, UNDECIDED, Certificates
from simnn.device.targets import Target

# Of the step that is taken at full rank, and else: relative to the mean eigenvalue.
_RIDGE, _RIDGE_SINGULAR = 1e-13, 1e-10
_STEPS, _SEARCH_STEPS, _REPEATS = 300, 60, 4


def bind(target: Target, algebra: dense.Dense, certificates: Certificates) -> Callable[..., Any]:
    """Bind the solver for a target.

    Parameters
    ----------
    target : Target
        Where it runs.
    algebra : Dense
        Linear algebra and sums that the threads of ``target.block`` share.
    certificates : Certificates
        Bound for the same target.

    Returns
    -------
    callable
        ``newton(rows, columns, norm, p, work) -> (verdict, steps)``, see `simnn.capacity.solvers`.
    """
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
        while steps < _STEPS:
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
