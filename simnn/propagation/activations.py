"""Names of the activation functions, shared by the kernels and the theory."""

import math
import re
from dataclasses import dataclass

NAMES = (
    "linear",
    "relu",
    "leaky_relu",
    "tanh",
    "erf",
    "sigmoid",
    "hard_tanh",
    "gelu",
    "silu",
    "selu",
    "sin",
)
"""Activations that ``simulate`` and ``theory`` know; ``leaky_relu(0.2)`` sets the slope."""

LEAKY_RELU_SLOPE = 0.01
"""Slope of a bare ``leaky_relu``, the value most libraries use."""


@dataclass(frozen=True)
class Activation:
    """An activation function by name.

    Attributes
    ----------
    name : str
        One of `NAMES`.
    slope : float
        Slope for negative arguments, of ``leaky_relu`` only (0 elsewhere).
    """

    name: str
    slope: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}({self.slope!r})" if self.name == "leaky_relu" else self.name


def parse(activation: str | Activation) -> Activation:
    """Read the name of an activation, with the slope of ``leaky_relu(slope)``.

    Parameters
    ----------
    activation : str or Activation
        For instance ``"tanh"`` or ``"leaky_relu(0.2)"``.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If the name is not one of `NAMES`, or the slope is not a finite number.
    """
    if isinstance(activation, Activation):
        return activation
    match = re.fullmatch(r"\s*([a-z_]+)\s*(?:\(([^()]*)\))?\s*", activation) if isinstance(activation, str) else None
    name, argument = match.groups() if match else (None, None)
    if name not in NAMES or (argument is not None and name != "leaky_relu"):
        allowed = ", ".join("leaky_relu(slope)" if known == "leaky_relu" else known for known in NAMES)
        raise ValueError(f"activation: {activation!r} is unknown; allowed are {allowed}")
    if name != "leaky_relu":
        return Activation(name)
    try:
        slope = LEAKY_RELU_SLOPE if argument is None else float(argument)
    except ValueError:
        slope = math.nan
    if not math.isfinite(slope):
        raise ValueError(f"activation: the slope in {activation!r} must be a finite number")
    return Activation(name, slope)
