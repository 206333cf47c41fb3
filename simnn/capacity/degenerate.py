"""Patterns that are not in general position: those that vanish, or repeat another one, and how many there are."""

import functools
from collections.abc import Callable
from typing import Any

from simnn.capacity import dense, patterns
from simnn.device.targets import Target


@functools.cache
def bind(target: Target, algebra: dense.Dense | None = None) -> Callable[..., Any]:
    """Bind the routine for a target.

    Parameters
    ----------
    target : Target
        Where it runs.
    algebra : Dense, optional
        Sums that the threads of ``target.block`` share.

    Returns
    -------
    callable
        ``count(law, rows, label, work) -> (silent, duplicate, contradictory)``: numbers of silent patterns, of those
        that repeat an earlier one, and that do so with the other label. Rows are patterns times labels.
    """
    algebra = dense.bind(target) if algebra is None else algebra
    dot, totals, chains = algebra.dot, algebra.totals, algebra.chains
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

    @target.routine
    def repeats(i, j, size, rows, label):
        different = 0
        for k in range(size):
            different += 1 if rows[i, k] * label[i] != rows[j, k] * label[j] else 0
        return different == 0

    @target.routine
    def count(law, rows, label, work):
        if law.ensemble == patterns.GAUSSIAN or law.extent > 0:
            return 0.0, 0.0, 0.0
        key, total, part, start = work.step[: law.dimension], work.mu, work.trial, law.positive
        for k in range(lane(), law.dimension, lanes()):
            key[k] = sqrt(k + 2.0)
        sync()
        end = start + law.patterns
        for c in range(lane(), chains, lanes()):
            silent = 0
            for i in range(start + c, end, chains):
                pattern = rows[i, : law.dimension]
                total[i] = dot(pattern, key) * label[i]
                silent += 1 if dot(pattern, pattern) == 0.0 else 0
            part[c] = silent
        silent, _ = totals(part)
        for c in range(lane(), chains, lanes()):
            duplicate, contradictory = 0, 0
            for i in range(start + c, end, chains):
                same, opposite, stop = False, False, i
                if law.ensemble == patterns.RELU:
                    # Of one rectified drive nothing is left but its sign.
                    stop = i if dot(rows[i, : law.dimension], rows[i, : law.dimension]) == 0.0 else start
                for j in range(start, stop):
                    # Equal patterns have equal sums, to the last bit; others hardly ever.
                    if total[j] == total[i] and repeats(i, j, law.dimension, rows, label):
                        same, opposite = True, opposite or label[i] != label[j]
                duplicate += 1 if same else 0
                contradictory += 1 if opposite else 0
            part[c], part[chains + c] = duplicate, contradictory
        duplicate, contradictory = totals(part)
        return silent, duplicate, contradictory

    return count
