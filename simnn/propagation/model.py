"""What is simulated: one network, the sweep over networks, and how it is run. Light to import."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from simnn import sweeps
from simnn.device.backends import on_cuda
from simnn.propagation import activations
from simnn.sweeps import Integer, Number, Strict

MAX_INPUTS = 64
"""Largest number of inputs that are followed together."""

MAX_GRADIENTS = 1024
"""Largest number of inputs times outputs."""


_Width = Annotated[Integer, Field(ge=1, le=2**31 - 1)]


class Network(Strict):
    """A fully connected random network; every field may be swept.

    Attributes
    ----------
    activation : str
        See `simnn.propagation.activations.NAMES`.
    sigma_w : float
        ``W_ij ~ N(0, sigma_w^2 / fan_in)``.
    sigma_b : float
        ``b_i ~ N(0, sigma_b^2)``.
    width : int
        Units of each hidden layer.
    depth : int
        Number of hidden layers.
    correlation : float or None
        Overlap of two inputs of equal length; None for one input.
    input_length : float
        Mean square of the components of an input.
    widths : tuple of int or None
        Units of each hidden layer where they differ; then width and depth say nothing. Not swept.
    """

    activation: Annotated[str, BeforeValidator(lambda name: str(activations.parse(name)))] = "tanh"
    sigma_w: Annotated[Number, Field(ge=0.0)] = 1.0
    sigma_b: Annotated[Number, Field(ge=0.0)] = 0.0
    width: _Width = 1000
    depth: Annotated[Integer, Field(ge=1, le=2**24)] = 50
    correlation: Annotated[Number, Field(ge=-1.0, le=1.0)] | None = None
    input_length: Annotated[Number, Field(ge=0.0)] = 1.0
    widths: Annotated[tuple[_Width, ...], Field(min_length=1)] | None = None

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return (self.width,) * self.depth if self.widths is None else self.widths


class Run(sweeps.Run):
    """How a sweep of networks is run.

    Attributes
    ----------
    method : {"conditional", "dense"}
        Exact in law without weights, or with materialised weights.
    weights : {"gaussian"}
        Law of the weights.
    block : {"plain"}
        How layers are joined.
    normalization : None
        Normalisation before the activation.
    dtype : {"float32", "float64"}
        Precision of the units; sums over units are finished in float64.
    outputs : int
        Independent output gradients that are followed backwards.
    """

    method: Literal["conditional", "dense"] = "conditional"
    weights: Literal["gaussian"] = "gaussian"
    block: Literal["plain"] = "plain"
    normalization: None = None
    dtype: Literal["float32", "float64"] = "float32"
    outputs: Annotated[Integer, Field(ge=1, le=MAX_GRADIENTS)] = 1


SWEPT = tuple(name for name in Network.model_fields if name != "widths")
"""Parameters that may be a scalar or a sequence."""

PARAMETERS = (*Network.model_fields, *Run.model_fields)
"""All parameters of ``simulate`` that are plain values."""


@dataclass(frozen=True)
class Sweep:
    """A validated sweep; its networks come in C order of its axes.

    Attributes
    ----------
    axes : dict of str to tuple
        Values of each swept parameter, in the order given.
    fixed : Network
        All other parameters.
    run : Run
        How networks are run.
    """

    axes: dict[str, tuple[Any, ...]]
    fixed: Network
    run: Run

    @property
    def size(self) -> int:
        """Number of networks."""
        return math.prod(len(axis) for axis in self.axes.values())

    @property
    def depth(self) -> int:
        """Layers of the deepest network."""
        widths = self.fixed.widths
        return max(self.axes.get("depth", (self.fixed.depth,))) if widths is None else len(widths)

    @property
    def width(self) -> int:
        """Units of the widest layer."""
        return max(self.fixed.widths or self.axes.get("width", (self.fixed.width,)))

    @functools.cached_property
    def networks(self) -> tuple[Network, ...]:
        """One for each combination; a sweep may be too large to ask for them, see `simnn.propagation.memory`."""
        return tuple(self.fixed.model_copy(update=point) for point in sweeps.points(self.axes))


def sweep(parameters: Mapping[str, Any]) -> Sweep:
    """Validate parameters.

    Parameters
    ----------
    parameters : mapping
        Fields of `Network`, each a scalar or a sequence of scalars, and of `Run`.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    run = sweeps.run_of(Run, parameters, PARAMETERS)
    if run.method == "dense" and on_cuda(run.backend):
        raise ValueError(f"backend: {run.backend!r} is not allowed with method 'dense': should be 'auto' or 'cpu'")
    given = {name: value for name, value in parameters.items() if name in Network.model_fields}
    if given.get("widths") is not None:
        for name in ("width", "depth"):
            if name in given:
                raise ValueError(f"{name}: {given[name]!r} is not allowed together with widths, one for each layer")
    axes = sweeps.axes(Network, {name: value for name, value in given.items() if name in SWEPT})
    if None in axes.get("correlation", ()):
        raise ValueError("correlation: None (one input) cannot be swept together with overlaps of two inputs")
    fixed = sweeps.checked(Network, {name: value for name, value in given.items() if name not in axes})
    return Sweep(axes, fixed, run)


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as ``simnn.propagation.simulate`` would, without running anything.

    Parameters
    ----------
    parameters : mapping
        Scalars, or sequences for swept parameters.

    Returns
    -------
    dict
        The same parameters with values of their own type: ``sigma_w=1`` becomes 1.0, sequences become lists.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    plan = sweep(parameters)
    scalars = plan.fixed.model_dump(mode="json") | plan.run.model_dump()
    return {name: list(plan.axes[name]) if name in plan.axes else scalars[name] for name in parameters}
