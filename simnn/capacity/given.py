"""Data that a user gives: patterns, labels, and whether they fit into memory."""

import os

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def finite_matrix(name: str, values: ArrayLike) -> Array:
    """Check a matrix that a user gave.

    Parameters
    ----------
    name : str
        Of the parameter.
    values : (P, N) array_like
        What was given.

    Returns
    -------
    (P, N) array
        Float64, in C order.

    Raises
    ------
    ValueError
        If it is empty, not a matrix, or not finite.
    """
    try:
        x = np.ascontiguousarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: not allowed: should be real numbers, as many in each row") from None
    if np.ndim(values) != 2 or x.size == 0:
        raise ValueError(f"{name}: shape {np.shape(values)} is not allowed: should be (P, N) with P, N >= 1")
    if not np.all(np.isfinite(x)):
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"{name}: {x[row, column]} at [{row}, {column}] is not allowed: should be finite")
    return x


def signs(labels: ArrayLike, count: int) -> Array:
    """Check labels that a user gave.

    Parameters
    ----------
    labels : (P,) array_like
        -1 and +1, or 0 and 1, or False and True.
    count : int
        Number P of patterns.

    Returns
    -------
    (P,) array
        -1.0 and 1.0.

    Raises
    ------
    ValueError
        If there are not as many, or they are not two-valued.
    """
    given = np.asarray(labels)
    if given.shape != (count,):
        raise ValueError(f"labels: shape {given.shape} is not allowed: should be {(count,)}, one for each pattern")
    values = set(given.tolist())
    if not (values <= {-1, 1} or values <= {0, 1}):
        shown = ", ".join(repr(value) for value in sorted(values, key=str)[:4])
        raise ValueError(f"labels: {shown} is not allowed: should be -1 and +1, or 0 and 1, or False and True")
    return np.where(given == 1, 1.0, -1.0)


def check_memory(patterns: int, dimension: int, threads: int = 1, shared: int = 0) -> None:
    """Refuse a problem that does not fit into this machine's memory.

    Parameters
    ----------
    patterns, dimension : int
        Size of the problem, with the threshold if there is one.
    threads : int
        How many problems are solved at a time.
    shared : int
        Numbers that are needed once, besides what each thread has for itself.

    Raises
    ------
    MemoryError
        If it does not fit.
    """
    from simnn.capacity import dense

    small = min(patterns, dimension)
    own = patterns * (7 * dimension + 3 * dense.STRIDE) + 5 * (small + dense.STRIDE) ** 2
    needed = 8 * (threads * own + shared)
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise MemoryError(
            f"{patterns} patterns in {dimension} dimensions need about {needed / 2**30:.1f} GiB and this machine has "
            f"{available / 2**30:.1f} GiB"
        )
