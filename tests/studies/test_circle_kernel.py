"""Kernels on the circle: Fourier coefficients in closed form, and what is exact in every network."""

import numpy as np
import pytest
import xarray as xr

from simnn.studies import circle_kernel as circle

HE = np.sqrt(2.0)
GRID = 4096


def spectrum(depth, kernel, activation="relu", points=GRID):
    """Coefficients of the limit on a grid; the kernel is even in the angle."""
    half = circle.limit(depth, activation, HE, 2.0 * np.pi * np.arange(points // 2 + 1) / points)[kernel]
    return circle.coefficients(np.concatenate([half, half[-2:0:-1]]))


@pytest.fixture(scope="module")
def one_layer():
    return {biases: spectrum(1, biases) for biases in circle.BIASES}


@pytest.fixture(scope="module")
def small():
    return {
        "activation": ["relu"], "depth": [1], "points": 32, "sigma_w": HE, "width": 20, "trials": 2000, "seed": 1,
        "dtype": "float64",
    }  # fmt: skip


@pytest.fixture(scope="module")
def sampled(small):
    return circle.compare(circle.simulate(**small))


# --- infinite width -------------------------------------------------------------------------------------------------


def test_one_hidden_layer_of_relus_has_the_arc_cosine_kernels():
    t = np.linspace(0.0, np.pi, 9)
    u = np.cos(t)
    k0, k1 = (np.pi - t) / np.pi, (u * (np.pi - t) + np.sin(t)) / np.pi
    kernels = circle.limit(1, "relu", HE, t)
    np.testing.assert_allclose(kernels["none"], u * k0 + k1, atol=1e-12)
    np.testing.assert_allclose(kernels["trained"], u * k0 + k1 + k0 + 1.0, atol=1e-12)
    np.testing.assert_allclose(kernels["covariance"], u, atol=1e-12)
    np.testing.assert_allclose(circle.limit(2, "relu", HE, t)["covariance"], k1, atol=1e-12)


def test_spectrum_of_one_hidden_layer_without_biases(one_layer):
    even = np.arange(0, 33, 2.0)
    found = one_layer["none"]
    assert found[0] == pytest.approx(6.0 / np.pi**2, abs=1e-6)
    assert found[1] == pytest.approx(0.5, abs=1e-6)
    expected = 2.0 * (even**2 + 3.0) / (np.pi**2 * (even**2 - 1.0) ** 2)
    np.testing.assert_allclose(found[:33:2], expected, atol=1e-6)
    np.testing.assert_allclose(found[3::2], 0.0, atol=1e-12)


def test_trained_biases_add_the_odd_modes(one_layer):
    odd = np.arange(1, 33, 2.0)
    added = one_layer["trained"] - one_layer["none"]
    assert added[0] == pytest.approx(0.5 + 1.0, abs=1e-6)  # 1 is the bias of the readout
    np.testing.assert_allclose(added[1:33:2], 2.0 / (np.pi**2 * odd**2), atol=1e-6)
    np.testing.assert_allclose(added[2::2], 0.0, atol=1e-12)
    k = np.array([100, 101])
    np.testing.assert_allclose(k**2 * one_layer["trained"][k], 0.2026, atol=2e-3)


def test_covariance_of_the_outputs_of_one_hidden_layer():
    even = np.arange(2, 33, 2.0)
    found = spectrum(2, "covariance")
    np.testing.assert_allclose(found[2:33:2], 4.0 / (np.pi**2 * (even**2 - 1.0) ** 2), atol=1e-9)
    np.testing.assert_allclose(found[3::2], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("depth", "kernel", "exponent"), [(1, "none", -2.0), (2, "none", -2.0), (2, "covariance", -4.0)]
)
def test_power_laws(depth, kernel, exponent):
    k = np.arange(60, 120, 2)
    found = spectrum(depth, kernel)[k]
    assert np.polyfit(np.log(k), np.log(found), 1)[0] == pytest.approx(exponent, abs=0.01)


@pytest.mark.parametrize(("depth", "agreement"), [(2, 0.30), (10, 0.01)])
def test_odd_and_even_modes_agree_to_leading_order_in_deep_networks(depth, agreement):
    even, odd = circle.leading_constants(depth)
    assert abs(odd / even - 1.0) < agreement


def test_leading_constants_are_limits():
    k = np.array([200, 201])
    np.testing.assert_allclose(k**2 * spectrum(2, "none")[k], circle.leading_constants(2), rtol=0.01)


def test_leading_constants_of_one_hidden_layer():
    even, odd = circle.leading_constants(1)
    assert 2.0 * even == pytest.approx(4.0 / np.pi**2, rel=1e-15)  # 0.4053, the coefficient of cos k theta
    assert odd == 0.0
    assert circle.leading_constants(1, 1.0)[0] == pytest.approx(even / 4.0)


@pytest.mark.parametrize("points", [32, 64])
@pytest.mark.parametrize("depth", [1, 2, 5, 10])
def test_constants_are_read_off_few_points(depth, points):
    found = spectrum(depth, "none", points=points)[:-1]
    for parity, constant in enumerate(circle.leading_constants(depth)):
        assert found @ circle.constant_weights(points, parity) == pytest.approx(constant, rel=3e-3, abs=1e-12)


def test_linear_networks_have_one_frequency():
    for biases, rank in (("none", 2), ("trained", 3)):
        found = spectrum(1, biases, "linear", points=64)
        np.testing.assert_allclose(found[2:], 0.0, atol=1e-14)
        assert np.sum(found[:2] > 1e-10) == rank - 1  # frequency 1 counts twice
        assert found[1] == pytest.approx(2.0)  # two layers of weights, each of variance 2


def test_smooth_activations_decay_geometrically():
    found = spectrum(1, "none", "erf", points=64)
    np.testing.assert_allclose(found[::2], 0.0, atol=1e-15)
    # The kernel is singular where 2 q cos(t) = 1 + 2 q, here with q = 1: t = i arccosh(3/2).
    steps = np.log(found[3:15:2] / found[1:13:2]) / 2.0
    assert np.all(np.diff(steps) > 0.0)
    assert steps[-1] == pytest.approx(-np.arccosh(1.5), abs=0.05)


def test_aliases_add_up():
    fine, coarse = spectrum(2, "none"), spectrum(2, "none", points=32)
    k = 5
    assert coarse[k] == pytest.approx(
        fine[k] + sum(fine[m * 32 - k] + fine[m * 32 + k] for m in range(1, 63)), rel=2e-3
    )


# --- simulation -----------------------------------------------------------------------------------------------------


def test_coefficients_are_eigenvalues_of_circulant_matrices():
    angles = circle._angles(32)
    kernel = 0.3 + np.cos(angles[:, None] - angles) + 0.1 * np.cos(7 * (angles[:, None] - angles))
    found = circle._coefficients(kernel[None], angles)[0]
    expected = np.zeros(16)
    expected[[0, 1, 7]] = 0.3, 0.5, 0.05
    np.testing.assert_allclose(found, expected, atol=1e-15)
    assert circle._rank(kernel) == 5


@pytest.mark.parametrize("points", range(32, 65, 2))
def test_inputs_are_all_points_of_the_circle(points):
    np.testing.assert_allclose(np.sort(circle._angles(points)), 2.0 * np.pi * np.arange(points) / points)


def test_odd_modes_vanish_in_every_network_without_biases(small):
    values = circle.simulate(**small | {"width": 5, "trials": 20}).spectrum.isel(activation=0, depth=0)
    assert np.all(np.abs(values.sel(biases="none").values[:, 3::2]) < 1e-14)
    assert np.all(values.sel(biases="trained").values[:, 3::2] > 1e-4)


def test_spread_over_networks_of_one_hidden_layer(sampled):
    # 2,000 networks of 20 units know the spread to 2 % (k = 0) and 3 % (high k).
    dataset = sampled.isel(activation=0, depth=0)
    expected = dataset.spread_theory.sel(biases="none").values
    assert expected[0] == pytest.approx(np.sqrt(2.0 / 3.0), abs=1e-3)
    assert expected[1] == pytest.approx(np.sqrt(3.0 / 4.0), abs=1e-3)
    assert expected[14] == pytest.approx(np.sqrt(2.0), abs=0.02)
    for biases in circle.BIASES:
        row = dataset.sel(biases=biases)
        measured, stderr = circle.spread(row.spectrum.values, 20)
        known = np.isfinite(row.spread_theory.values)
        assert np.array_equal(known, np.isfinite(measured))
        assert np.all(np.abs(measured - row.spread_theory.values)[known] < 5.0 * stderr[known])
        assert np.all(stderr[known] < 0.05 * measured[known])


def test_finite_width_shifts_deep_modes_as_stated(small):
    # Two more layers of 24 units: the constants are known to 1.5 %, and shift by -5.6 %.
    depth, width = 3, 24
    deep = small | {"depth": [depth], "width": width, "trials": 1000}
    dataset = circle.compare(circle.simulate(**deep)).isel(activation=0, depth=0)
    order = (depth - 1) / width
    for biases in circle.BIASES:
        row = dataset.sel(biases=biases)
        mean, stderr = circle._mean(row.spectrum.values / row.spectrum_theory.values)
        assert np.all(np.abs(mean - 1.0) < 3.0 * order + 4.0 * stderr)
    row = dataset.sel(biases="none")
    for parity, constant in enumerate(circle.leading_constants(depth)):
        mean, stderr = circle._mean(row.spectrum.values @ circle.constant_weights(32, parity) / constant)
        assert mean - 1.0 == pytest.approx(-2.0 / 3.0 * order, abs=4.0 * stderr + order**2 + 3e-3)
        assert stderr < 0.02


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nearly_singular_kernels_of_many_inputs_are_sampled_right(small, dtype):
    # In natural order of the points the same run is off by factors.
    few = {"activation": ["erf"], "depth": [2], "points": 64, "width": 100, "trials": 20, "dtype": dtype}
    row = circle.compare(circle.simulate(**small | few)).isel(activation=0, depth=0)
    for biases in circle.BIASES:
        mean, stderr = circle._mean(row.spectrum.sel(biases=biases).values)
        expected = row.spectrum_theory.sel(biases=biases).values
        assert np.all(np.abs(mean - expected)[:4] < 5.0 * stderr[:4] + 0.05 * expected[:4] + 1e-6)


def test_a_job_is_a_part_of_the_sweep(small):
    sweep = small | {"activation": ["linear", "relu"], "depth": [1, 2], "trials": 3}
    part = circle.simulate(**sweep | {"activation": ["relu"], "depth": [2]})
    xr.testing.assert_equal(part, circle.simulate(**sweep).sel(activation=["relu"], depth=[2]))


@pytest.mark.parametrize(("name", "factor"), [("spectrum_theory", 1.05), ("spread_theory", 1.15)])
def test_planted_errors_are_caught(sampled, name, factor):
    # 2,000 networks of 20 units know a mode to 0.7 % and its spread to 3 %; the worst of 32 modes, which go together,
    # alarms falsely in at most 0.2 % of seeds.
    assert all(row.verdict != "fails" for row in circle.claims(sampled))
    assert any(row.verdict == "fails" for row in circle.claims(sampled.assign({name: factor * sampled[name]})))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": 31}, ("points", "31", "even")),
        ({"points": 66}, ("points", "66", "64")),
        ({"points": True}, ("points", "True")),
        ({"sigma_b": 0.1}, ("sigma_b", "set by the study")),
        ({"activation": ["linear", "erf"]}, ("activation", "'relu'")),
        ({"activation": ["relu", "gelu"]}, ("activation", "'gelu'", "tanh")),
        ({"depth": [2]}, ("depth", "[2]", "1")),
        ({"activation": ["softmax"]}, ("activation", "softmax", "relu")),
    ],
)
def test_wrong_parameters_are_one_clear_line(change, words):
    given = {"activation": ["relu"], "depth": [1], "sigma_w": 1.4, "width": 10, "trials": 3}
    assert circle.validate(given)["points"] == circle.POINTS
    with pytest.raises(ValueError, match=words[0]) as error:
        circle.validate(given | change)
    for word in words:
        assert word in str(error.value)
