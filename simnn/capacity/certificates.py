"""What proves a verdict: weights that separate beyond rounding, or a combination of patterns that vanishes.

By Gordan's theorem either some w has ``z_i.w > 0`` for all signed patterns ``z_i = y_i x_i``, or a combination
``sum_i lambda_i z_i = 0`` with ``lambda >= 0``, not all zero. Whichever a solver finds is its certificate, and is
checked in floating point:

(a) ``fl(z_i.w) > 2 gamma_{N+2} |z_i| |w|`` for all i, ``gamma_n = n u / (1 - n u)``, ``u = 2^-53``: twice the largest
    error that any order of summation can make, so w separates beyond rounding;
(b) ``|sum_i lambda_i z_i| <= TOLERANCE sum_i lambda_i |z_i|``: for every unit vector w some ``z_i.w / |z_i|`` is at
    most that small. Nothing separates by a larger margin.

References
----------
N. J. Higham, "Accuracy and stability of numerical algorithms", 2nd ed., section 3.1 (gamma_n).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simnn.capacity import dense
from simnn.device.targets import Target

TOLERANCE = 1e-12
"""Largest length of a combination that counts as vanishing, relative to the lengths of its terms."""

SEPARABLE, NOT_SEPARABLE, UNDECIDED = 1, 0, -1
"""Verdicts."""

_UNIT_ROUNDOFF = 2.0**-53


class Certificates(NamedTuple):
    """Routines of one target (see `bind`)."""

    rounding: Callable[..., Any]
    separates: Callable[..., Any]
    vanishes: Callable[..., Any]
    silent: Callable[..., Any]


def bind(target: Target, algebra: dense.Dense) -> Certificates:
    """Bind the routines for a target.

    Parameters
    ----------
    target : Target
        Where they run.
    algebra : Dense
        Sums that the threads of ``target.block`` share.

    Returns
    -------
    Certificates
        ``rounding(n)``: largest ratio ``fl(z.w) / |z| |w|`` that certificate (a) takes for rounding, n components;
        ``separates(norm, p, w, mu, part)``: certificate (a), for fields mu that were just summed;
        ``vanishes(norm, p, multiplier, residual, part)``: certificate (b), for a residual that was just summed;
        ``silent(norm, p, work)``: whether a pattern vanishes, which is a certificate by itself; writes it.
    """
    product_of, smallest, totals, chains = algebra.product, algebra.smallest, algebra.totals, algebra.chains
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

    @target.device
    def rounding(n):
        terms = (n + 2) * _UNIT_ROUNDOFF
        return 2.0 * terms / (1.0 - terms)

    @target.routine
    def separates(norm, p, w, mu, part):
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
        scale = product_of(multiplier[:p], norm[:p], part)
        return scale > 0.0 and sqrt(product_of(residual, residual, part)) <= TOLERANCE * scale

    @target.routine
    def silent(norm, p, work):
        if smallest(norm[:p], work.trial) > 0.0:
            return False
        first = -1
        for i in range(p):
            first = i if first < 0 and norm[i] == 0.0 else first
        for i in range(lane(), p, lanes()):
            work.multiplier[i] = 1.0 if i == first else 0.0
        sync()
        return True

    return Certificates(rounding, separates, vanishes, silent)
