"""Activations element by element: differences to full relative precision, and the lines far away and close by."""

import mpmath
import numpy as np
import pytest

from simnn.device import targets
from simnn.propagation import activations, kernels, tiles
from simnn.propagation.expectations import shape

REALS = [np.float32, np.float64]
NAMES = [name if name != "leaky_relu" else "leaky_relu(0.2)" for name in activations.NAMES]


def evaluate(name, real, z0, t):
    """``phi(z0)``, ``phi(z0 + t)`` and their difference, as the sampler computes them."""
    form = kernels.form(name)
    up, down = (real(slope) for slope in form.line)
    routines = tiles.bind(targets.cpu(real))
    z = z0 + t
    h0, h, d, v = (np.empty_like(z) for _ in range(4))
    routines.activate(form.code, up, down, len(z), z0, h0, d)
    routines.activate(form.code, up, down, len(z), z, h, d)
    routines.difference(form.code, up, down, len(z), t, z, h, z0, h0, v)
    return h0, h, v


MPMATH = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0),
    "leaky_relu(0.2)": lambda x: x if x > 0 else mpmath.mpf("0.2") * x,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "hard_tanh": lambda x: max(min(x, 1), -1),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "selu": lambda x: kernels.SELU_SCALE * (x if x > 0 else kernels.SELU_ALPHA * mpmath.expm1(x)),
    "sin": mpmath.sin,
}


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1e-20, 1e-7, 1e-3, 0.3, 3.0])
def test_differences_keep_their_relative_precision(name, real, size):
    rng = np.random.default_rng(3)
    z0, t = (2.0 * rng.standard_normal(60)).astype(real), (size * rng.standard_normal(60)).astype(real)
    _, _, v = evaluate(name, real, z0, t)
    with mpmath.workdps(60):
        pairs = [(mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(z0, t, strict=True)]
        exact = np.array([float(MPMATH[name](a + b) - MPMATH[name](a)) for a, b in pairs])
    # Where two values are subtracted, their rounding counts: at steps of 1/64 (double) and 1/4 (single) or more.
    # The argument z0 + t itself is rounded: a slope of the slope of order 1 makes that an error relative to t.
    eps = np.finfo(real).eps
    subtracted = 4.0 * eps * (1.0 + np.abs(z0)) if size > 1e-2 else 0.0
    assert np.all(np.abs(v - exact) <= 12.0 * eps * np.abs(t) * (1.0 + np.abs(z0)) + subtracted)


def test_subtracting_values_would_not_do():
    z0, t = np.array([0.5]), np.array([1e-14])
    h0, h, v = evaluate("tanh", np.float64, z0, t)
    exact = 1e-14 * (1.0 - np.tanh(0.5) ** 2)
    assert abs(v[0] / exact - 1.0) < 1e-13
    assert abs((h - h0)[0] / exact - 1.0) > 1e-4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("kind", "scale"), [("far", 2.0**45), ("near", 2.0**-45)])
def test_activations_are_the_lines_that_they_are_said_to_be(name, kind, scale):
    line = getattr(kernels.form(name), kind)
    z = scale * np.linspace(-3.0, 3.0, 13)
    z = z[z != 0.0]
    value = shape(activations.parse(name)).value(z)
    if np.isnan(line[0]):
        # No line: bounded far away, or not zero at zero.
        assert np.max(np.abs(value)) < 1e3
        assert kind == "far" or np.min(np.abs(value)) > 0.1
        return
    np.testing.assert_allclose(value, z * np.where(z > 0.0, line[0], line[1]), atol=2.0**-38 * scale)
