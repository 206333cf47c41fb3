"""The largest margin of a set of patterns: how far the hull of the patterns times labels is from the origin."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from simnn.capacity import active_sets, dense, solvers
from simnn.device.targets import Target


@functools.cache
def bind(target: Target, algebra: dense.Dense | None = None) -> Callable[..., Any]:
    """Bind the routine for a target.

    Parameters
    ----------
    target : Target
        Where it runs.
    algebra : Dense, optional
        Linear algebra and sums that the threads of ``target.block`` share.

    Returns
    -------
    callable
        ``largest_margin(law, rows, columns, norm, share, label, work) -> (lower, upper, support, zero)``: bounds of the
        largest margin of what was drawn without the threshold, for patterns of length ``sqrt(dimension)``, and the
        numbers of support vectors and of constrained weights that vanish (0 and NaN if nothing separates).
    """
    combine = (dense.bind(target) if algebra is None else algebra).combine
    _, nearest, _, _, _, rounding, _ = solvers.bind(target, algebra)
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

    # Sums over patterns and weights are short against the solver: every thread makes them for itself.

    @target.routine
    def two_classes(law, label):
        total = 0.0
        for i in range(law.positive, law.positive + law.patterns):
            total += label[i]
        return abs(total) < law.patterns

    @target.routine
    def constrain(law, share, label):
        """Make constraints weak: ``w_k >= 0``, whatever the margin, and without a label."""
        for i in range(lane(), law.positive + law.patterns, lanes()):
            share[i] = 1.0 if i >= law.positive else 0.0
            label[i] *= share[i]
        sync()

    @target.routine
    def obey(law, columns, work):
        """Set weights to zero that rounding left below; fields are summed once more if there are any."""
        w, some = work.w, False
        for k in range(law.positive):
            some = some or w[k] < 0.0
        if some:
            sync()
            for k in range(lane(), law.positive, lanes()):
                w[k] = max(w[k], 0.0)
            sync()
            combine(w, work.order, w.shape[0], columns, work.mu)

    @target.routine
    def largest_margin(law, rows, columns, norm, share, label, work):
        w, mu, multiplier, count = work.w, work.mu, work.multiplier, law.positive + law.patterns
        constrain(law, share, label)
        if law.bias and not two_classes(law, label):
            return np.inf, np.inf, np.nan, np.nan
        verdict, _, threshold = nearest(rows, columns, norm, share, share, label, count, False, law.bias, work)
        obey(law, columns, work)
        smallest, total, support, zero, square = np.inf, 0.0, 0, 0, 0.0
        for i in range(law.positive):
            zero += 1 if multiplier[i] > 0.0 else 0
        for i in range(law.positive, count):
            smallest = min(smallest, mu[i] + (threshold * label[i] if law.bias else 0.0))
            total += multiplier[i]
            support += 1 if multiplier[i] > 0.0 else 0
        for k in range(law.dimension):
            square += w[k] * w[k]
        length, unit = sqrt(square), sqrt(np.float64(law.dimension))
        # With a threshold rows are longer than 1, by a component that stays out of the margin.
        separable = verdict == active_sets.OPTIMAL and smallest > 2.0 * rounding(w.shape[0]) * length
        lower = unit * smallest / length if separable else 0.0
        upper = unit * length / total if verdict == active_sets.OPTIMAL else np.inf
        if separable:
            return lower, upper, np.float64(support), np.float64(zero)
        return lower, upper, np.nan, np.nan

    return largest_margin
