"""Active sets for non-negative least squares: the nearest point of hulls and cones of signed patterns z_i.

With numbers s_i (shares) and b_i (pulls), they solve

    min over lambda >= 0 of  1/2 |sum_i lambda_i z_i|^2 + 1/2 (sum_i s_i lambda_i)^2 - sum_i b_i lambda_i,

if wanted with ``sum_i lambda_i y_i = 0``, whose multiplier is a free threshold. Three problems have this form:

- s = b = 1: the point of the convex hull of the z_i that is nearest to the origin (Wolfe). Left to run to the end it
  gives the largest margin.
- The same with some s = b = 0: the rays along these z_i are added to the hull, and weights obey ``z_i.w >= 0`` there.
- s = 0, ``b_i = z_i.t``: the point nearest to t of the cone that the z_i span.

References
----------
P. Wolfe, "Finding the nearest point in a polytope", Mathematical Programming 11, 128 (1976).
C. L. Lawson, R. J. Hanson, "Solving least squares problems" (1974), chapter 23.
"""

from collections.abc import Callable
from typing import Any

from simnn.capacity import dense
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, UNDECIDED, Certificates
from simnn.device.targets import Target

OPTIMAL = 2
"""The answer of a run to the end, without a certificate being asked for."""


def bind(
    target: Target, algebra: dense.Dense, certificates: Certificates
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """Bind the solvers for a target.

    Parameters
    ----------
    target, algebra, certificates
        As of `simnn.capacity.newton.bind`.

    Returns
    -------
    tuple of callable
        ``nearest(rows, columns, norm, share, pull, label, p, feasibility, free, work) -> (verdict, steps, threshold)``,
        ``project(gram, pull, label, p, free, work) -> (verdict, steps, threshold)``, and
        ``lift(height, size, work)``, see `simnn.capacity.solvers`.
    """
    dot, combine, smallest = algebra.dot, algebra.combine, algebra.smallest
    substitute, chains = algebra.substitute, algebra.chains
    unconstrained, descend = _bind_passive_set(target, algebra)
    separates, vanishes = certificates.separates, certificates.vanishes
    lane, lanes, sync = target.block
    sqrt = target.operations.sqrt

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


def _bind_passive_set(target: Target, algebra: dense.Dense) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Minimum over the passive set, by the triangle of the products of its members."""
    dot, substitute = algebra.dot, algebra.substitute
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

    return unconstrained, descend
