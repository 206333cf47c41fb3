"""Separability and largest margins by general-purpose solvers: slow, and right wherever margins stand out."""

import numpy as np
from scipy.optimize import linprog, minimize


def signed(patterns, labels, bias=False):
    """Rows ``y_i (x_i, 1)``, or ``y_i x_i`` without a threshold."""
    x = np.asarray(patterns, float)
    x = np.hstack([x, np.ones((len(x), 1))]) if bias else x
    return np.where(np.asarray(labels) == 1, 1.0, -1.0)[:, None] * x


def boxed_margin(rows):
    """Largest t with ``z_i.w >= t`` for some w in the unit box, for rows scaled to length 1: positive iff separable."""
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    if np.any(lengths == 0.0):
        return 0.0
    count, size = rows.shape
    result = linprog(
        np.eye(1, size + 1, size)[0] * -1.0,
        A_ub=np.hstack([-rows / lengths, np.ones((count, 1))]),
        b_ub=np.zeros(count),
        bounds=[(-1.0, 1.0)] * size + [(None, None)],
        method="highs",
    )
    return float(result.x[-1])


def largest_margin(patterns, labels, bias=False, constrained=0):
    """Distance of the nearest pattern from the best hyperplane, by sequential quadratic programming.

    The first ``constrained`` weights must not be negative.
    """
    x, y = np.asarray(patterns, float), np.where(np.asarray(labels) == 1, 1.0, -1.0)
    size = x.shape[1]

    def fields(v):
        return y * (x @ v[:size] + (v[size] if bias else 0.0))

    bounds = [(0.0, None)] * constrained + [(None, None)] * (size - constrained)
    bounds += [(None, None)] if bias else [(0.0, 0.0)]
    start = linprog(np.zeros(size + 1), A_ub=-signed(x, y, True), b_ub=-np.ones(len(x)), bounds=bounds).x
    best = minimize(
        lambda v: 0.5 * v[:size] @ v[:size],
        start,
        jac=lambda v: np.append(v[:size], 0.0),
        bounds=bounds,
        constraints={"type": "ineq", "fun": lambda v: fields(v) - 1.0},
        options={"maxiter": 1000, "ftol": 1e-14},
    ).x
    return float(fields(best).min() / np.sqrt(best[:size] @ best[:size]))


def separable_prefix(patterns, labels, bias=False):
    """Largest number of first patterns with a positive margin, one pattern at a time."""
    rows, count = signed(patterns, labels, bias), 0
    while count < len(rows) and boxed_margin(rows[: count + 1]) > 1e-9:
        count += 1
    return count
