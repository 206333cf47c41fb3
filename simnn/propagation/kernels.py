"""Activations, their slopes and their differences, element by element, for any target.

Linear, ReLU and leaky ReLU are one function: a line with a kink. Seen from far away, or from close by, so are others;
see `FAR` and `NEAR`.
"""

import functools
import math
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


Line = tuple[float, float]

FAR: dict[int, Line] = {GELU: (1.0, 0.0), SILU: (1.0, 0.0), SELU: (SELU_SCALE, 0.0)}
"""Slopes above and below zero of activations that are a line with a kink at large arguments."""

NEAR: dict[int, Line] = {
    TANH: (1.0, 1.0),
    ERF: (2.0 / math.sqrt(math.pi), 2.0 / math.sqrt(math.pi)),
    HARD_TANH: (1.0, 1.0),
    GELU: (0.5, 0.5),
    SILU: (0.5, 0.5),
    SELU: (SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    SIN: (1.0, 1.0),
}
"""Slopes above and below zero of activations that vanish at zero, at small arguments."""

_NO_LINE = (math.nan, math.nan)


class Form(NamedTuple):
    """How an activation is computed.

    Attributes
    ----------
    code : int
        Which function.
    line : tuple of float
        Slopes of ``KINKED`` above and below zero.
    far, near : tuple of float
        Slopes of the line that the activation is at large and at small arguments; NaN if it is none.
    """

    code: int
    line: Line
    far: Line
    near: Line


def form(activation: str) -> Form:
    """Look up how an activation is computed.

    Parameters
    ----------
    activation : str
        A name that `simnn.propagation.activations.parse` accepts.

    Returns
    -------
    Form
    """
    parsed = parse(activation)
    code = CODES[parsed.name]
    if code == KINKED:
        line = (1.0, 1.0 if parsed.name == "linear" else parsed.slope)
        return Form(code, line, line, line)
    return Form(code, (1.0, 1.0), FAR.get(code, _NO_LINE), NEAR.get(code, _NO_LINE))


class Activations(NamedTuple):
    """Functions of one target (see `bind`), in the order of their codes."""

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
        ``kinked(z, up, down)`` and the others ``(z)``: value and derivative at ``z``. The derivative at a kink is
        the one from the left, so that a silent ReLU (z = 0) passes no gradient.
    """
    real = target.real
    f = elementary.bind(target)
    tanh_slope, f_erf, exp, expm1 = f.tanh_slope, f.erf, f.exp, f.expm1
    normal_cdf, normal_pdf, sincos = f.normal_cdf, f.normal_pdf, f.sincos
    logistic = _bind_logistic(target)
    zero, one = real(0.0), real(1.0)
    erf_slope = real(2.0 / np.sqrt(np.pi))
    selu_scale, selu_product = real(SELU_SCALE), real(SELU_SCALE * SELU_ALPHA)

    @target.device
    def kinked(z, up, down):
        derivative = up if z > zero else down
        return z * derivative, derivative

    @target.device
    def tanh(z):
        return tanh_slope(z)

    @target.device
    def erf(z):
        return f_erf(z), erf_slope * exp(-z * z)

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


def _bind_logistic(target: Target) -> Callable[..., Any]:
    """``(s(z), s(-z))`` of the logistic function s."""
    real = target.real
    exp = elementary.bind(target).exp
    zero, one = real(0.0), real(1.0)

    @target.device
    def logistic(z):
        # One exponential of a negative argument gives both without cancellation in either tail.
        small = exp(-abs(z))
        large_side = one / (one + small)
        small_side = small * large_side
        return (large_side, small_side) if z > zero else (small_side, large_side)

    return logistic


@functools.cache
def bind_differences(target: Target) -> Activations:
    """Bind differences of activations for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    Activations
        ``kinked(t, z, h, z0, h0, up, down)`` and the others ``(t, z, h, z0, h0)``: ``phi(z) - phi(z0)`` for ``t = z -
        z0``, ``h = phi(z)``, ``h0 = phi(z0)``, to the relative precision of t however small it is. Subtracting the
        values would leave nothing of inputs that have come as close as rounding.
    """
    real = target.real
    f = elementary.bind(target)
    f_tanh, exp, expm1, normal_cdf, sincos = f.tanh, f.exp, f.expm1, f.normal_cdf, f.sincos
    logistic, copysign = _bind_logistic(target), target.operations.copysign
    zero, one, two, half, quarter = real(0.0), real(1.0), real(2.0), real(0.5), real(0.25)
    erf_slope, root_half = real(2.0 / np.sqrt(np.pi)), real(np.sqrt(0.5))
    selu_scale, selu_product = real(SELU_SCALE), real(SELU_SCALE * SELU_ALPHA)
    # Below this distance four terms of a series beat the subtraction of two values.
    close = real(0.25 if target.single else 1.0 / 64.0)
    c2, c4, c6 = real(1.0 / 6.0), real(1.0 / 120.0), real(1.0 / 5040.0)

    @target.device
    def kinked(t, z, h, z0, h0, up, down):
        above, below = (z > zero) and (z0 > zero), (z <= zero) and (z0 <= zero)
        return up * t if above else (down * t if below else h - h0)

    @target.device
    def tanh(t, z, h, z0, h0):
        return f_tanh(t) * (one - h * h0)

    @target.device
    def erf_close(t, middle):
        """``erf(middle + t/2) - erf(middle - t/2)``: even Hermite polynomials, integrated over t."""
        x, step = middle * middle, quarter * t * t
        second = two * (two * x - one)
        fourth = real(16.0) * x * x - real(48.0) * x + real(12.0)
        sixth = ((real(64.0) * x - real(480.0)) * x + real(720.0)) * x - real(120.0)
        series = one + step * (c2 * second + step * (c4 * fourth + step * (c6 * sixth)))
        return erf_slope * exp(-x) * t * series

    @target.device
    def erf(t, z, h, z0, h0):
        return erf_close(t, half * (z + z0)) if abs(t) < close else h - h0

    @target.device
    def logistic_difference(t, s, s0):
        return half * f_tanh(half * t) * (one - (two * s - one) * (two * s0 - one))

    @target.device
    def sigmoid(t, z, h, z0, h0):
        return logistic_difference(t, h, h0)

    @target.device
    def hard_tanh(t, z, h, z0, h0):
        return t if h == z and h0 == z0 else h - h0

    @target.device
    def gelu(t, z, h, z0, h0):
        middle = half * (z + z0)
        cdf, cdf0 = normal_cdf(z), normal_cdf(z0)
        step = half * erf_close(root_half * t, root_half * middle) if abs(t) < close else cdf - cdf0
        return t * half * (cdf + cdf0) + middle * step

    @target.device
    def silu(t, z, h, z0, h0):
        s, s0 = logistic(z)[0], logistic(z0)[0]
        return t * half * (s + s0) + half * (z + z0) * logistic_difference(t, s, s0)

    @target.device
    def selu(t, z, h, z0, h0):
        top = max(z, z0)
        below = copysign(selu_product * exp(min(top, zero)) * expm1(-abs(t)), t)
        same_side = selu_scale * t if min(z, z0) > zero else below
        return same_side if min(z, z0) > zero or top <= zero else h - h0

    @target.device
    def sin(t, z, h, z0, h0):
        return two * sincos(half * (z + z0))[1] * sincos(half * t)[0]

    return Activations(kinked, tanh, erf, sigmoid, hard_tanh, gelu, silu, selu, sin)
