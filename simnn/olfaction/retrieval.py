r"""Codes as hashes: how well distances of codes find the nearest neighbors of what they encode.

The score is stated because published ones differ. Of P vectors, the n nearest to a query by Euclidean distance, itself
excluded, are its true neighbors. Codes rank the others by their own distance, ties in random order, and

    AP@n = (1/n) sum_{i <= n} hit_i precision_i

sums over the first n ranks: hit_i is 1 if the i-th is a true neighbor, precision_i is the share of true neighbors
among the first i. It is 1 if the first n are the true ones in any order. Averages over retrieved neighbors only, over
all ranks, or of the overlap of two lists are other numbers.

References
----------
.. [1] S. Dasgupta, C. F. Stevens, S. Navlakha, "A neural algorithm for a fundamental computing problem", Science 358,
   793 (2017).
.. [2] M. S. Charikar, "Similarity estimation techniques from rounding algorithms", Proceedings of the 34th Annual ACM
   Symposium on Theory of Computing, 380 (2002).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

_BLOCK = 2**22
"""Distances in one block: 32 MB."""


def _vectors(name: str, values: ArrayLike) -> Array:
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or min(array.shape) == 0:
        raise ValueError(f"{name}: shape {array.shape} is not allowed: should be a matrix of numbers, a vector per row")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: not allowed: should be finite")
    return array


def _count(name: str, value: int, most: int | None = None) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1 or (most is not None and value > most):
        allowed = "an integer >= 1" if most is None else f"an integer from 1 to {most}"
        raise ValueError(f"{name}: {value!r} is not allowed: should be {allowed}")
    return int(value)


def _queries(queries: ArrayLike, count: int) -> Indices:
    index = np.asarray(queries)
    if index.ndim != 1 or index.dtype.kind not in "iu" or index.size == 0 or index.min() < 0 or index.max() >= count:
        raise ValueError(f"queries: not allowed: should be row numbers from 0 to {count - 1}")
    return index.astype(np.intp)


def _distances(vectors: Array, queries: Indices) -> Array:
    """Squared Euclidean distances, (Q, P); sums in a fixed order, whatever the number of threads."""
    squares = np.einsum("pd,pd->p", vectors, vectors)
    products = np.einsum("qd,pd->qp", vectors[queries], vectors, optimize=False)
    return np.asarray(squares[queries, None] - 2.0 * products + squares)


def nearest_neighbors(vectors: ArrayLike, queries: ArrayLike, count: int) -> Indices:
    """True neighbors of some of the vectors.

    Parameters
    ----------
    vectors : (P, d) array
        One in each row.
    queries : (Q,) int array
        Rows whose neighbors are asked for.
    count : int
        Number n of neighbors, at most P - 1.

    Returns
    -------
    (Q, n) int array
        Rows, the nearest by Euclidean distance first; of equal distances the first row. The query itself is excluded.

    Raises
    ------
    ValueError
        If shapes or numbers do not fit.
    """
    x = _vectors("vectors", vectors)
    index, n = _queries(queries, len(x)), _count("count", count, len(x) - 1)
    found = np.empty((len(index), n), np.intp)
    step = max(1, _BLOCK // len(x))
    for first in range(0, len(index), step):
        part = index[first : first + step]
        distance = _distances(x, part)
        distance[np.arange(len(part)), part] = np.inf
        found[first : first + step] = np.argsort(distance, axis=1, kind="stable")[:, :n]
    return found


def average_precision(distance: ArrayLike, queries: ArrayLike, truth: ArrayLike, seed: int = 0) -> Array:
    """Score AP@n of a ranking (see the module), for each query.

    Parameters
    ----------
    distance : (Q, P) array
        Distances between codes of the queries and all codes; only their order counts.
    queries : (Q,) int array
        Rows of the queries, which are excluded from their own rankings.
    truth : (Q, n) int array
        True neighbors, from `nearest_neighbors`.
    seed : int
        Of the order of equal distances.

    Returns
    -------
    (Q,) array
        In [0, 1].

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    d = _vectors("distance", distance)
    index, true = _queries(queries, d.shape[1]), np.asarray(truth)
    if true.ndim != 2 or len(true) != len(d) or len(index) != len(d):
        raise ValueError(f"truth: shape {true.shape} is not allowed: should be a row for each of {len(d)} queries")
    n, rng = true.shape[1], np.random.default_rng(seed)
    rows = np.arange(len(d))
    d[rows, index] = np.inf
    limit = np.partition(d, n - 1, axis=1)[:, n - 1]
    ranked = np.empty((len(d), n), np.intp)
    for q in rows:
        near = np.flatnonzero(d[q] <= limit[q])
        ranked[q] = near[np.lexsort((rng.random(len(near)), d[q, near]))[:n]]
    hit = np.zeros(d.shape, bool)
    hit[rows[:, None], true] = True
    hits = np.take_along_axis(hit, ranked, axis=1).astype(np.float64)
    precision = np.cumsum(hits, axis=1) / np.arange(1, n + 1)
    return np.asarray((hits * precision).sum(axis=1) / n)


def projection_distances(
    vectors: ArrayLike, queries: ArrayLike, projections: int, *, signs: bool = False, seed: int = 0
) -> Array:
    """Distances of locality-sensitive hashes: dense Gaussian projections, or their signs.

    Parameters
    ----------
    vectors : (P, d) array
        One in each row; each is centred by its own mean, as for the fly's code.
    queries : (Q,) int array
        Rows of the queries.
    projections : int
        Number k of projections; they cost ``k d`` products for each vector.
    signs : bool
        Whether a hash keeps signs only, one bit each, compared by the number of bits that differ.
    seed : int
        Of the projections.

    Returns
    -------
    (Q, P) array
        Squared Euclidean distances, or numbers of bits.

    References
    ----------
    Dasgupta, Stevens, Navlakha 2017 [1]_; signs: Charikar 2002 [2]_.
    """
    x = _vectors("vectors", vectors)
    index, k = _queries(queries, len(x)), _count("projections", projections)
    directions = np.random.default_rng(seed).standard_normal((x.shape[1], k))
    hashes = np.einsum("pd,dk->pk", x - x.mean(axis=1, keepdims=True), directions, optimize=False)
    if signs:
        hashes = np.where(hashes > 0.0, 0.5, -0.5)
    return _distances(hashes, index)


def fly_codes(vectors: ArrayLike, cells: int, winners: int, *, share: float = 0.1, seed: int = 0) -> Any:
    """Sparse codes of the fly: each cell adds a share of the inputs, and the most active cells fire.

    Parameters
    ----------
    vectors : (P, d) array
        One in each row, computed with in single precision; centring each by its own mean would change no code.
    cells : int
        Number m of cells.
    winners : int
        Number k <= m of cells that fire; of equal drives the first cell.
    share : float
        Share of the inputs that a cell adds, in (0, 1]; at least one input. They cost ``m share d`` sums.
    seed : int
        Of the wiring.

    Returns
    -------
    (P, m) scipy.sparse.csr_array
        Ones where a cell fires.

    References
    ----------
    Dasgupta, Stevens, Navlakha 2017 [1]_.
    """
    from scipy.sparse import csr_array

    from simnn.olfaction.codes import encode
    from simnn.olfaction.wiring import given_wiring

    x = _vectors("vectors", vectors)
    m, k = _count("cells", cells), _count("winners", winners, cells)
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share: {share!r} is not allowed: should be in (0, 1]")
    inputs, rng = max(1, round(share * x.shape[1])), np.random.default_rng(seed)
    chosen = np.argsort(rng.random((m, x.shape[1])), axis=1)[:, :inputs]
    wiring: Any = csr_array((np.ones(chosen.size), chosen.ravel(), np.arange(m + 1) * inputs), shape=(m, x.shape[1]))
    if k == m:
        return csr_array(np.ones((len(x), m)))
    # Cells have equal numbers of inputs: centring would take the same from all their drives to a vector.
    fires = encode(x, given_wiring(wiring), k / m, sparsening="winners", packed=False)
    return csr_array(fires.astype(np.float64))


def code_distances(codes: Any, queries: ArrayLike) -> Array:
    """Numbers of cells in which codes differ.

    Parameters
    ----------
    codes : (P, m) array or sparse array
        Zeros and ones.
    queries : (Q,) int array
        Rows of the queries.

    Returns
    -------
    (Q, P) array
        Hamming distances.
    """
    from scipy.sparse import csr_array

    matrix = csr_array(codes, dtype=np.float64)
    index = _queries(queries, matrix.shape[0])
    active = np.asarray(matrix.sum(axis=1)).ravel()
    overlap = (matrix[index] @ matrix.T).toarray()
    return np.asarray(active[index, None] + active - 2.0 * overlap)
