"""Statistics of networks are those that NumPy makes of their Gram matrices, on every target."""

import numpy as np
import pytest

from simnn.device import targets
from simnn.propagation import observables
from tests.naive import observables as naive

SIZES = {"one input": (3, 4, 1, 1), "two inputs": (5, 3, 2, 1), "outputs": (4, 3, 3, 2), "only outputs": (2, 2, 1, 4)}


def some_grams(rows, depth, inputs, outputs):
    rng, grams = np.random.default_rng(0), observables.empty(rows, depth, inputs, outputs)
    for name, array in grams._asdict().items():
        array[...] = rng.integers(-3, 4, array.shape) if name.endswith("power") else rng.random(array.shape)
    for array in (grams.preactivation, grams.activation, grams.gradient):
        vectors = rng.standard_normal((*array.shape[:-1], 9))
        array[...] = vectors @ vectors.swapaxes(-1, -2)
    return grams


def observed(target, grams, cell, sigma_w, sigma_b, widths, depths):
    rows, depth, inputs, _ = grams.preactivation.shape
    out = np.full((rows, observables.columns(depth, inputs, grams.gradient.shape[-1] // inputs)), 7.0)
    observables.bind(target).kernel(cell, sigma_w, sigma_b, widths, depths, grams, out)
    return out


@pytest.mark.parametrize(
    "target", [targets.cpu(np.float64), targets.python(np.float64)], ids=lambda target: target.name
)
@pytest.mark.parametrize("size", SIZES)
def test_statistics_are_those_of_numpy(size, target):
    rows, depth, inputs, outputs = SIZES[size]
    rng, grams = np.random.default_rng(1), some_grams(rows, depth, inputs, outputs)
    grams.gradient[0, 0, 0], grams.gradient[0, 0, :, 0] = 0.0, 0.0  # no gradient: an overlap that is not a number
    cell, widths, depths = rng.integers(0, 2, rows), rng.integers(3, 9, (2, depth)), np.array([depth, 1])
    sigma_w, sigma_b = np.array([1.3, 0.4]), np.array([0.2, 0.0])
    out = observed(target, grams, cell, sigma_w, sigma_b, widths, depths)
    expected = naive.observe(grams, sigma_w[cell], sigma_b[cell], widths[cell], depths[cell], outputs)
    assert list(expected) == list(observables.DESCRIPTIONS)
    shapes, first = observables.shapes(depth, inputs, outputs), 0
    for name, values in expected.items():
        size_of = int(np.prod(shapes[name]))
        np.testing.assert_allclose(
            out[:, first : first + size_of].reshape(rows, *shapes[name]), values.reshape(rows, *shapes[name]),
            rtol=1e-13, err_msg=name,
        )  # fmt: skip
        first += size_of
    assert first == out.shape[1]


def test_powers_of_two_beyond_float64_overflow_and_their_logarithms_do_not():
    grams = observables.empty(1, 2, 1, 1)
    for array in (grams.preactivation, grams.activation, grams.gradient):
        array[...] = 1.0
    grams.power[0], grams.gradient_power[0, :, 0] = (0, 600, -600), (-600, 600)
    out = observed(
        targets.cpu(np.float64), grams, np.zeros(1, int), *np.ones((2, 1)), np.ones((1, 2), int), np.array([2])
    )
    np.testing.assert_array_equal(out[0, :2], [np.inf, 0.0])
    np.testing.assert_allclose(out[0, 2:4], np.array([1200, -1200]) * np.log(2.0))
