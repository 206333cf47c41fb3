"""Activations and their slopes, element by element, for any target.

Each function returns ``(phi(z), phi'(z))``. Linear, ReLU and leaky ReLU are one function: a line with a kink.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import elementary
from simnn.device.targets import Target
from simnn.propagation.activations import parse

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

KINKED, TANH, ERF, SIGMOID, HARD_TANH, GELU, SILU, SELU, SIN = range(9)

CODES = {
    "linear": KINKED,
    "relu": KINKED,
    "leaky_relu": KINKED,
    "tanh": TANH,
    "erf": ERF,
    "sigmoid": SIGMOID,
    "hard_tanh": HARD_TANH,
    "gelu": GELU,
    "silu": SILU,
    "selu": SELU,
    "sin": SIN,
}
"""Which function computes an activation."""


def code_and_slope(activation: str) -> tuple[int, float]:
    """Code of the function that computes an activation, and its slope for negative arguments.

    Parameters
    ----------
    activation : str
        A name that `simnn.propagation.activations.parse` accepts.

    Returns
    -------
    tuple of int and float
        The slope matters to ``KINKED`` only.
    """
    parsed = parse(activation)
    return CODES[parsed.name], 1.0 if parsed.name == "linear" else parsed.slope


class Activations(NamedTuple):
    """Activation functions of one target (see `bind`)."""

    kinked: Callable[..., Any]
    tanh: Callable[..., Any]
    erf: Callable[..., Any]
    sigmoid: Callable[..., Any]
    hard_tanh: Callable[..., Any]
    gelu: Callable[..., Any]
    silu: Callable[..., Any]
    selu: Callable[..., Any]
    sin: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Activations:
    """Bind the activations for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    Activations
        ``kinked(z, slope)`` and the others ``(z)``: value and derivative at ``z``. The derivative at a kink is
        the one from the left, so that a silent ReLU (z = 0) passes no gradient.
    """
    real = target.real
    f = elementary.bind(target)
    f_tanh, f_erf, exp, expm1 = f.tanh, f.erf, f.exp, f.expm1
    normal_cdf, normal_pdf, sincos = f.normal_cdf, f.normal_pdf, f.sincos
    zero, one = real(0.0), real(1.0)
    erf_slope = real(2.0 / np.sqrt(np.pi))
    selu_scale, selu_product = real(SELU_SCALE), real(SELU_SCALE * SELU_ALPHA)

    @target.device
    def kinked(z, slope):
        derivative = one if z > zero else slope
        return z * derivative, derivative

    @target.device
    def tanh(z):
        value = f_tanh(z)
        return value, one - value * value

    @target.device
    def erf(z):
        return f_erf(z), erf_slope * exp(-z * z)

    @target.device
    def logistic(z):
        # One exponential of a negative argument gives s(z) and s(-z) without cancellation in either tail.
        small = exp(-abs(z))
        large_side = one / (one + small)
        small_side = small * large_side
        return (large_side, small_side) if z > zero else (small_side, large_side)

    @target.device
    def sigmoid(z):
        value, complement = logistic(z)
        return value, value * complement

    @target.device
    def hard_tanh(z):
        value = min(max(z, -one), one)
        derivative = one if value == z else zero
        return value, derivative

    @target.device
    def gelu(z):
        cdf = normal_cdf(z)
        return z * cdf, cdf + z * normal_pdf(z)

    @target.device
    def silu(z):
        value, complement = logistic(z)
        return z * value, value + z * value * complement

    @target.device
    def selu(z):
        below = expm1(min(z, zero))
        value = selu_scale * z if z > zero else selu_product * below
        derivative = selu_scale if z > zero else selu_product * (below + one)
        return value, derivative

    @target.device
    def sin(z):
        return sincos(z)

    return Activations(kinked, tanh, erf, sigmoid, hard_tanh, gelu, silu, selu, sin)
