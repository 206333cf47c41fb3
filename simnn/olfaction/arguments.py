"""Arguments of closed forms: checked, with one line that names the argument, what was given, and what is allowed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def numbers(name: str, values: ArrayLike, low: float, high: float, strict: bool = False) -> Array:
    """A number or an array of numbers.

    Parameters
    ----------
    name : str
        Of the argument.
    values : float or array
        What was given.
    low, high : float
        Bounds.
    strict : bool
        Whether the bounds themselves are refused.

    Returns
    -------
    float64 array

    Raises
    ------
    ValueError
        If it holds text, truth values, NaN, or a number out of bounds.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iuf":
        inside = (low < array) & (array < high) if strict else (low <= array) & (array <= high)
        if inside.all():
            return array.astype(np.float64)
        values = array[~inside][0].item()
    raise ValueError(f"{name}: {values!r} is not allowed: should be {'inside' if strict else 'in'} [{low:g}, {high:g}]")


def counts(name: str, values: ArrayLike, least: int) -> Array:
    """An integer or an array of integers.

    Parameters
    ----------
    name : str
        Of the argument.
    values : int or array
        What was given.
    least : int
        Smallest value that is allowed.

    Returns
    -------
    float64 array

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        if (array >= least).all():
            return array.astype(np.float64)
        values = array[array < least][0].item()
    raise ValueError(f"{name}: {values!r} is not allowed: should be an integer >= {least}, or an array of them")


def choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """One of several words.

    Parameters
    ----------
    name : str
        Of the argument.
    value : str
        What was given.
    allowed : sequence of str
        What may be given.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is not allowed: should be one of {', '.join(allowed)}")
    return value


def same_kind(values: Array) -> float | Array:
    """A number where nothing was an array.

    Parameters
    ----------
    values : float64 array
        Result.

    Returns
    -------
    float or array
    """
    return float(values) if np.ndim(values) == 0 else values
