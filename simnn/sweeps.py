"""Parameters that may be swept: checked, with errors of one line, and expanded. Light to import."""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar, cast

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

P = ParamSpec("P")
R = TypeVar("R")


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number, not a boolean")
    return value


Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
"""Type of a finite number."""

Integer = Annotated[int, BeforeValidator(_not_bool)]
"""Type of an integer."""


class Strict(BaseModel):
    """A frozen set of parameters without unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


M = TypeVar("M", bound=Strict)


def checked(model: type[M], values: Mapping[str, Any]) -> M:
    """Build a model, or say in one line what is wrong.

    Parameters
    ----------
    model : type
        The parameters and what they may be.
    values : mapping
        Their values.

    Returns
    -------
    Strict

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        reason = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if first["type"] == "less_than_equal":  # the message has lost the last digits of 2^64 - 1
            reason = f"less than or equal to {first['ctx']['le']}"
        if reason.startswith(f"{name}:"):
            raise ValueError(reason) from None
        raise ValueError(f"{name}: {values[name]!r} is not allowed: should be {reason}") from None


def axes(model: type[Strict], values: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Check those parameters that are sequences.

    Parameters
    ----------
    model : type
        The parameters and what they may be.
    values : mapping
        Scalars and sequences.

    Returns
    -------
    dict of str to tuple
        The sequences, in the order given.

    Raises
    ------
    ValueError
        If a sequence is empty, repeats a value, or holds one that is not allowed.
    """
    return {name: _axis(model, name, value) for name, value in values.items() if _is_sequence(value)}


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _axis(model: type[Strict], name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    if len(values) == 0:
        raise ValueError(f"{name}: an empty sequence has no values to sweep")
    accepted = tuple(getattr(checked(model, {name: value}), name) for value in values)
    if len(set(accepted)) < len(accepted):
        raise ValueError(f"{name}: {list(values)!r} repeats a value; swept values must differ")
    return accepted


def points(swept: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Combinations of the values of all axes, the last axis first.

    Parameters
    ----------
    swept : mapping of str to sequence
        From `axes`.

    Yields
    ------
    dict
        One value for each axis.
    """
    for values in itertools.product(*swept.values()):
        yield dict(zip(swept, values, strict=True))


def plain(name: str, value: Any) -> Any:
    """Python scalars and lists from NumPy arrays and other sequences.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : object
        What a caller gave.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it is an array of two or more dimensions.
    """
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.ndim > 1:
            raise ValueError(f"{name}: shape {array.shape} is not allowed: should be a scalar or 1-D")
        return array.tolist()
    if isinstance(value, range | tuple | list):
        return [plain(name, item) for item in value]
    return value


def in_order_given(call: Callable[[dict[str, Any]], Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn a signature into a call with the caller's keywords in the caller's order: that of the dimensions.

    Parameters
    ----------
    call : callable
        Does the work, given the keywords.

    Returns
    -------
    callable
        Decorator of a function without a body.
    """

    def decorate(signature: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(signature)
        def wrapper(*args: P.args, **given: P.kwargs) -> R:
            known = inspect.signature(signature)
            for name in given:
                if name not in known.parameters:
                    raise TypeError(f"{name}: unknown parameter; allowed are {', '.join(known.parameters)}")
            known.bind(*args, **given)
            return cast(R, call(given))

        return wrapper

    return decorate
