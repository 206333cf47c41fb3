"""Parameters that may be swept: checked, with errors of one line, and expanded. Light to import."""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, ParamSpec, TypeVar, cast

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from simnn.device.backends import Backend

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


class Run(Strict):
    """How a sweep is run.

    Attributes
    ----------
    trials : int
        Random realisations of each point of the sweep.
    first_trial : int
        Number of the first one; trial t is the same in every run.
    seed : int
        Key of all random numbers.
    backend : str
        Where kernels run, see `simnn.device.backends.choose`.
    keep_trials : bool
        Whether the dataset has one entry for each trial instead of mean and standard error.
    """

    trials: Annotated[Integer, Field(ge=1, le=2**32)] = 100
    first_trial: Annotated[Integer, Field(ge=0, le=2**32 - 1)] = 0
    seed: Annotated[Integer, Field(ge=0, le=2**64 - 1)] = 0
    backend: Backend = "auto"
    keep_trials: bool = False


M = TypeVar("M", bound=Strict)
E = TypeVar("E", bound=Strict)
Q = TypeVar("Q", bound=Run)


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


def run_of(model: type[Q], parameters: Mapping[str, Any], allowed: Sequence[str]) -> Q:
    """Check the names of all parameters, and those that say how a sweep is run.

    Parameters
    ----------
    model : type
        These parameters.
    parameters : mapping
        All parameters.
    allowed : sequence of str
        Their names.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    for name in parameters:
        if name not in allowed:
            raise ValueError(f"{name}: unknown parameter; allowed are {', '.join(allowed)}")
    run = checked(model, {name: value for name, value in parameters.items() if name in model.model_fields})
    if run.first_trial + run.trials > 2**32:
        raise ValueError(f"trials: {run.trials!r} is not allowed: trials are numbered below 2^32")
    return run


@dataclass(frozen=True)
class Sweep(Generic[E, Q]):
    """Experiments of a sweep, in C order of its axes.

    Attributes
    ----------
    axes : dict of str to tuple
        Values of each swept parameter, in the order given.
    experiments : tuple
        One for each combination.
    run : Run
        How they are run.
    """

    axes: dict[str, tuple[Any, ...]]
    experiments: tuple[E, ...]
    run: Q

    def validated(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that were given, with values of their own type, and lists for sequences.

        Parameters
        ----------
        parameters : mapping
            What was given.

        Returns
        -------
        dict
        """
        scalars = self.experiments[0].model_dump(mode="json") | self.run.model_dump()
        return {name: list(self.axes[name]) if name in self.axes else scalars[name] for name in parameters}


def expand(experiment: type[E], run: type[Q], parameters: Mapping[str, Any]) -> Sweep[E, Q]:
    """Validate parameters and expand their sequences.

    Parameters
    ----------
    experiment : type
        Parameters that may be swept.
    run : type
        Those that may not.
    parameters : mapping
        Scalars, or sequences of scalars.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    how = run_of(run, parameters, (*experiment.model_fields, *run.model_fields))
    given = {name: value for name, value in parameters.items() if name in experiment.model_fields}
    swept = axes(experiment, given)
    fixed = checked(experiment, {name: value for name, value in given.items() if name not in swept})
    return Sweep(swept, tuple(fixed.model_copy(update=point) for point in points(swept)), how)


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
