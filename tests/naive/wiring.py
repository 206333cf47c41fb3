"""The dimension of the code of a given wiring, pair by pair, and trades between rows one at a time."""

import numpy as np
from scipy.special import owens_t
from scipy.stats import norm


def dimension(weights, coding_level):
    """M / (1 + (M - 1) E[r^2]) over pairs of rows, r the correlation of two thresholded drives with Gaussian inputs."""
    weights = np.asarray(weights, float)
    length = np.linalg.norm(weights, axis=1)
    cosine = (weights @ weights.T / length / length[:, np.newaxis])[np.triu_indices(len(weights), 1)]
    rho, count = np.unique(np.round(np.clip(cosine, -1.0, 1.0), 12), return_counts=True)
    tail = 2.0 * owens_t(norm.isf(coding_level), np.sqrt((1.0 - rho) / (1.0 + rho)))
    r = 1.0 - tail / (coding_level * (1.0 - coding_level))
    return len(weights) / (1.0 + (len(weights) - 1) * np.average(r**2, weights=count))


def trades(wiring, count, seed):
    """Curveball: two random rows shuffle among them what only one of them has, `count` times."""
    rng = np.random.default_rng(seed)
    rows = [set(np.flatnonzero(row)) for row in wiring]
    for _ in range(count):
        a, b = rng.choice(len(rows), 2, replace=False)
        mine, shared = rows[a] - rows[b], rows[a] & rows[b]
        pool = rng.permutation(sorted(rows[a] ^ rows[b]))
        rows[a] = shared | set(pool[: len(mine)])
        rows[b] = shared | set(pool[len(mine) :])
    out = np.zeros(np.shape(wiring))
    for k, row in enumerate(rows):
        out[k, list(row)] = 1.0
    return out
