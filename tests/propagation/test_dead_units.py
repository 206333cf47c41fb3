"""The probabilities that units, inputs and networks are dead, against published, closed and simulated numbers."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
from scipy import special

from simnn.propagation import dead_units, theory


@pytest.mark.parametrize(
    ("width", "depth", "alive"), [(2, 5, 0.237), (3, 10, 0.263), (4, 20, 0.275), (3, 10, 1.0 - 0.7369)]
)
def test_inputs_survive_with_the_published_probabilities(width, depth, alive):
    assert 1.0 - dead_units.input_death([width] * depth)[-1] == pytest.approx(alive, abs=5.1e-4)


def test_input_death_is_the_product_over_layers_of_any_widths():
    widths = [3, 1, 7, 60]
    death = dead_units.input_death(widths)
    assert death == pytest.approx(1.0 - np.cumprod([1.0 - 2.0**-n for n in widths]), rel=1e-14)
    # However rare: nothing cancels.
    assert dead_units.input_death([60] * 3)[-1] == pytest.approx(3.0 * 2.0**-60, rel=1e-12)


@pytest.mark.parametrize(
    ("width", "depth", "lower"), [(2, 2, 0.15625), (2, 3, 0.32617), (2, 5, 0.59966), (2, 10, 0.90257), (4, 30, 0.74955)]
)
def test_lower_bounds_of_scalar_networks_are_the_table(width, depth, lower):
    bounds = dead_units.network_death_bounds(width, depth)
    assert bounds[0] == pytest.approx(lower, abs=5.1e-6)
    assert bounds[1] == dead_units.input_death([width] * depth)[-1]


@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_lower_bound_is_exact_up_to_two_layers(width):
    # First layer: no unit is dead for both signs. Second: the signs share no active unit below, if both live.
    half = 2.0**-width
    one_dead = 2.0 * half if width > 1 else 1.0
    exact = one_dead * half + (1.0 - one_dead) * half**2
    assert dead_units.network_death_bounds(width, 1)[0] == pytest.approx(0.0, abs=1e-15)
    assert dead_units.network_death_bounds(width, 2)[0] == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("width", [1, 2, 5, 10])
def test_lower_bounds_stay_below_upper_bounds(width):
    bounds = np.array([dead_units.network_death_bounds(width, depth) for depth in range(1, 60)])
    assert np.all(bounds[:, 0] <= bounds[:, 1])
    assert np.all(np.diff(bounds, axis=0) >= 0.0)


def test_unit_death_is_a_power_of_the_normal_distribution():
    assert dead_units.unit_death(0.0, 3) == pytest.approx(0.125, rel=1e-14)
    biases = np.array([-2.0, 0.5])
    assert dead_units.unit_death(biases, 10, norm=0.5) == pytest.approx(special.ndtr(-biases / 0.5) ** 10, rel=1e-13)
    # So many inputs that the plain power would underflow.
    assert dead_units.unit_death(-9.0, 10**6) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("bias", "measured"), [(-1.0, 0.2086), (-2.0, 0.7939)])
def test_mean_unit_death_is_what_was_measured(bias, measured):
    # 10 inputs, w ~ N(0, I/20). The reference simulations are of unknown size; 0.001 is four standard errors at
    # 250,000 units. Extended precision gives 0.20850107 and 0.79356641.
    value = dead_units.mean_unit_death(bias, 10, 20)
    assert value == pytest.approx(measured, abs=1e-3)
    with mpmath.workdps(20):
        weight = mpmath.mpf(2) ** 9 * mpmath.gamma(10)
        exact = mpmath.quad(
            lambda r: mpmath.ncdf(-bias * mpmath.sqrt(20) / r) ** 10 * r**19 * mpmath.exp(-r * r / 2) / weight,
            [0, 3, 5, 8, 15],
        )
    assert value == pytest.approx(float(exact), abs=1e-11)


def test_mean_unit_death_tends_to_that_at_the_mean_norm():
    assert dead_units.mean_unit_death(-1.0, 5, 10**6, sigma_w=2.0) == pytest.approx(
        dead_units.unit_death(-1.0, 5, norm=2.0), abs=2e-6
    )
    assert dead_units.mean_unit_death([0.0, 0.0], 4, 1).tolist() == pytest.approx([2.0**-4] * 2, abs=1e-12)


def test_layer_death_has_the_known_orthant_probabilities():
    c = np.linspace(0.0, 1.0, 11)
    assert dead_units.layer_death(c, 1) == pytest.approx(np.full(11, 0.5), abs=1e-12)
    assert dead_units.layer_death(c, 2) == pytest.approx(0.25 + np.arcsin(c) / (2.0 * np.pi), abs=1e-12)
    assert dead_units.layer_death(c, 3) == pytest.approx(0.125 + 3.0 * np.arcsin(c) / (4.0 * np.pi), abs=1e-12)
    # At an overlap of 1/2 each of m + 1 exchangeable normals is the highest equally often.
    for points in (1, 5, 1000):
        assert dead_units.layer_death(0.5, points) == pytest.approx(1.0 / (points + 1.0), abs=1e-12)
        assert dead_units.layer_death(0.0, points) == pytest.approx(0.5**points, abs=1e-12)


@pytest.mark.parametrize("distance", [1e-4, 1e-8, 1e-14])
def test_layer_death_keeps_its_digits_near_collinear_inputs(distance):
    c = 1.0 - distance
    assert dead_units.layer_death(c, 2) == pytest.approx(0.5 - np.arccos(c) / (2.0 * np.pi), abs=1e-12)
    assert dead_units.layer_death(c, 1000) < 0.5


def test_layer_death_tends_to_a_half_with_depth():
    path = theory.propagate(2000, "relu", np.sqrt(2.0), 0.0, input_correlation=0.0)
    fractions = dead_units.layer_death(1.0 - path.decorrelation[[0, 9, 99, 1999]], 10)
    assert np.all(np.diff(fractions) > 0.0)
    # The highest of 10 standard normals is 1.53875 on average, and 1 - c_l ~ 9 pi^2 / (2 l^2).
    expected = 0.5 - 1.5387527 * np.sqrt(path.decorrelation[-1] / (2.0 * np.pi))
    assert fractions[-1] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: dead_units.input_death([]), "widths"),
        (lambda: dead_units.input_death([2, 0]), "widths"),
        (lambda: dead_units.network_death_bounds(2.5, 3), "width"),
        (lambda: dead_units.network_death_bounds(2, 0), "depth"),
        (lambda: dead_units.unit_death(np.nan, 3), "bias"),
        (lambda: dead_units.unit_death(0.0, 0), "points"),
        (lambda: dead_units.unit_death(0.0, 3, norm=0.0), "norm"),
        (lambda: dead_units.mean_unit_death(0.0, 3, 0), "dimension"),
        (lambda: dead_units.mean_unit_death(0.0, 3, 5, sigma_w=-1.0), "sigma_w"),
        (lambda: dead_units.mean_unit_death("0", 3, 5), "bias"),
        (lambda: dead_units.mean_unit_death(0.0, 3, 5, sigma_w="1"), "sigma_w"),
        (lambda: dead_units.layer_death(-0.1, 3), "overlap"),
        (lambda: dead_units.layer_death(np.nan, 3), "overlap"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()


@pytest.mark.parametrize("module", ["dead_units", "linear_products"])
def test_closed_forms_import_no_kernels(module):
    code = (
        "import sys, types, pathlib, simnn; package = types.ModuleType('simnn.propagation');"
        "package.__path__ = [str(pathlib.Path(simnn.__file__).parent / 'propagation')];"
        f"sys.modules['simnn.propagation'] = package; import simnn.propagation.{module};"
        "bad = {'numba', 'scipy', 'simnn.device', 'simnn.propagation.kernels'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
