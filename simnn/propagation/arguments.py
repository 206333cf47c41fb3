"""Arguments of closed forms: checked, with one line that names the argument, what is allowed, and what was given."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def numbers(
    name: str, values: ArrayLike, low: float = -math.inf, high: float = math.inf, positive: bool = False
) -> Array:
    """A number or an array of numbers.

    Parameters
    ----------
    name : str
        Of the argument.
    values : float or array
        What was given.
    low, high : float
        Bounds, themselves allowed.
    positive : bool
        Whether zero is refused.

    Returns
    -------
    float64 array

    Raises
    ------
    ValueError
        If it holds text or truth values, or a number that is not finite or out of bounds.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    numeric = array.dtype.kind in "iuf"
    fits = np.isfinite(array) & (array >= low) & (array <= high) & ((array > 0) | (not positive)) if numeric else False
    if not np.all(fits):
        given = array[~fits][0].item() if numeric else values
        bounds = ["> 0"] * positive + [f">= {low:g}"] * math.isfinite(low) + [f"<= {high:g}"] * math.isfinite(high)
        raise ValueError(f"{name}: must be {' and '.join(['finite', *bounds])}, not {given!r}")
    return array.astype(np.float64)


def number(name: str, value: float, low: float = -math.inf, high: float = math.inf, positive: bool = False) -> float:
    """A single number; the same as `numbers` otherwise.

    Parameters
    ----------
    name : str
        Of the argument.
    value : float
        What was given.
    low, high : float
        Bounds, themselves allowed.
    positive : bool
        Whether zero is refused.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        See `numbers`.
    """
    array = numbers(name, value, low, high, positive)
    if array.ndim > 0:
        raise ValueError(f"{name}: must be a single number, not {value!r}")
    return float(array)


def count(name: str, value: int, least: int = 1, most: float = math.inf) -> int:
    """An integer.

    Parameters
    ----------
    name : str
        Of the argument.
    value : int
        What was given.
    least, most : int
        Bounds, themselves allowed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is no integer, or out of bounds.
    """
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (integer and least <= value <= most):
        limit = f"an integer >= {least}" if math.isinf(most) else f"an integer from {least} to {most}"
        raise ValueError(f"{name}: must be {limit}, not {value!r}")
    return int(value)


def same_kind(values: Array, like: ArrayLike) -> float | Array:
    """A number for a number, an array for an array.

    Parameters
    ----------
    values : float64 array
        Result.
    like : float or array
        Argument that decides.

    Returns
    -------
    float or array
    """
    return float(values) if np.ndim(like) == 0 else values
