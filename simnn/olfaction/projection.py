"""Projection neurons with lateral inhibition: arithmetic of the kernels, for any target."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from simnn.device.targets import Target


class Functions(NamedTuple):
    """Functions of one target (see `bind`)."""

    suppression: Callable[..., float]
    response: Callable[..., float]


@functools.cache
def bind(target: Target) -> Functions:
    """Bind the functions for a target.

    Parameters
    ----------
    target : Target
        Where they run.

    Returns
    -------
    Functions
        ``suppression(half, gain, total)``: ``half + (gain total)^1.5``, of all receptor neurons that an odor drives.
        ``response(ceiling, rate, suppression)``: ``ceiling rate^1.5 / (rate^1.5 + suppression)``, as
        `simnn.olfaction.projection_neurons`; rates are not negative.
    """
    sqrt = target.operations.sqrt

    @target.device
    def suppression(half, gain, total):
        inhibition = gain * total
        return half + inhibition * sqrt(inhibition)

    @target.device
    def response(ceiling, rate, suppression):
        driven = rate * sqrt(rate)
        return ceiling * driven / (driven + suppression)

    return Functions(suppression, response)
