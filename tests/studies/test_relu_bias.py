"""One ReLU under a bias: closed forms against quadrature and known numbers, and a simulation that may be split."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from simnn.studies import relu_bias

BIASES = np.linspace(-2.95, 2.95, 60)  # beside the atoms and edges of all laws
CONTINUOUS = {
    "gaussian": stats.norm(),
    "uniform": stats.uniform(-np.sqrt(3.0), 2.0 * np.sqrt(3.0)),
    "laplace": stats.laplace(0.0, np.sqrt(0.5)),
    "spike": stats.norm(0.0, np.sqrt(2.0)),
}


def closed(law, biases):
    """The closed forms as if they had been measured."""
    excess = relu_bias.excess(law, biases)
    return xr.Dataset(
        {
            "mean": ("bias", relu_bias.LAWS[law].mean(biases)),
            "excess": ("bias", excess),
            "excess_stderr": ("bias", np.zeros_like(excess)),
        },
        {"bias": biases},
    )


@pytest.mark.parametrize("law", CONTINUOUS)
def test_mean_output_is_the_integral_over_the_density(law):
    weight = 0.5 if law == "spike" else 1.0
    frozen = CONTINUOUS[law]
    low, high = frozen.support()
    for b in BIASES[::7]:
        expected = weight * frozen.expect(lambda x, b=b: x + b, lb=max(-b, low), ub=high) if -b < high else 0.0
        expected += (1.0 - weight) * max(b, 0.0)
        assert relu_bias.LAWS[law].mean(b) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("law", relu_bias.LAWS)
def test_slope_of_the_mean_output_is_the_active_fraction(law):
    step = 1e-5
    mean = relu_bias.LAWS[law].mean
    slope = (mean(BIASES + step) - mean(BIASES - step)) / (2.0 * step)
    np.testing.assert_allclose(relu_bias.LAWS[law].active_fraction(BIASES), slope, atol=1e-9)


@pytest.mark.parametrize("law", relu_bias.LAWS)
def test_laws_are_symmetric_with_variance_one(law):
    x = relu_bias.LAWS[law].draw(np.random.default_rng(1), 400_000)
    assert np.mean(x) == pytest.approx(0.0, abs=5.0 / np.sqrt(len(x)))
    assert np.mean(x**2) == pytest.approx(1.0, abs=5.0 * np.sqrt(np.var(x**2) / len(x)) + 1e-12)
    assert np.mean(x == 0.0) == pytest.approx(relu_bias.LAWS[law].atom, abs=5.0 * 0.5 / np.sqrt(len(x)))


def test_gaussian_mean_output_is_the_closed_form():
    b = np.array([-1.0, 0.0, 0.5])
    np.testing.assert_allclose(
        relu_bias.LAWS["gaussian"].mean(b), stats.norm.pdf(b) + b * stats.norm.cdf(b), rtol=1e-14
    )
    assert relu_bias.LAWS["gaussian"].mean(np.zeros(1)) == pytest.approx(np.sqrt(2.0 / np.pi) / 2.0)  # E|x|/2


@pytest.mark.parametrize(
    ("law", "density"),
    [
        ("gaussian", 0.3989422804),
        ("uniform", 0.2886751346),
        ("laplace", 0.7071067812),  # the largest
        ("rademacher", 0.0),
    ],
)
def test_excess_starts_with_half_the_density_at_zero_times_the_square(law, density):
    assert relu_bias.LAWS[law].density == pytest.approx(density, abs=1e-10)
    b = 1e-3
    assert relu_bias.excess(law, np.array(b)) / b**2 == pytest.approx(0.5 * density, abs=5e-4 * density + 1e-9)


def test_next_term_is_the_fourth_power_unless_the_density_has_a_cusp():
    b = np.array([-0.05, 0.05])
    curvature = -1.0 / np.sqrt(2.0 * np.pi)  # p''(0) of the Gaussian
    gaussian = relu_bias.excess("gaussian", b) - 0.5 * relu_bias.LAWS["gaussian"].density * b**2
    np.testing.assert_allclose(gaussian, curvature * b**4 / 24.0, rtol=2e-3)
    laplace = relu_bias.excess("laplace", b) - 0.5 * relu_bias.LAWS["laplace"].density * b**2
    np.testing.assert_allclose(laplace, -(np.abs(b) ** 3) / 6.0, rtol=0.02)  # p'(0+) = -1


@pytest.mark.parametrize(
    ("level", "side", "window"), [(0.01, -1, 0.130), (0.05, -1, 0.260), (0.01, 1, 0.155), (0.05, 1, 0.388)]
)
def test_windows_in_which_linear_is_good_enough(level, side, window):
    assert relu_bias.linear_window(level, side) == pytest.approx(window, abs=5.1e-4)
    for spacing in (0.05, 0.1):
        grid = np.arange(-30, 31) * spacing
        measured, _ = relu_bias.measured_window(closed("gaussian", grid), level, side)
        assert measured == pytest.approx(relu_bias.linear_window(level, side), abs=1e-4)


def test_window_beyond_the_grid_is_not_a_number():
    measured, stderr = relu_bias.measured_window(closed("gaussian", np.linspace(-0.1, 0.1, 21)), 0.05, -1)
    assert np.isnan(measured)
    assert np.isnan(stderr)


def test_active_fraction_is_half_at_zero_bias_unless_there_is_an_atom():
    zero = np.zeros(1)
    for law in relu_bias.LAWS:
        expected = 0.25 if law == "spike" else 0.5
        assert relu_bias.LAWS[law].active_fraction(zero) == pytest.approx(expected, abs=1e-15)
    np.testing.assert_allclose(relu_bias.LAWS["gaussian"].active_fraction(BIASES), stats.norm.cdf(BIASES), rtol=1e-13)


def test_rademacher_inputs_make_a_linear_unit_up_to_one_standard_deviation():
    b = np.linspace(-1.0, 1.0, 21)
    np.testing.assert_allclose(relu_bias.LAWS["rademacher"].mean(b), 0.5 + 0.5 * b, atol=1e-15)
    assert relu_bias.excess("rademacher", np.array(1.1)) == pytest.approx(0.05)
    measured = relu_bias.simulate(law=["rademacher"], bias=[-0.9, 0.4], trials=50, seed=1)
    assert np.all(measured.excess == 0.0)


def test_an_atom_makes_a_kink():
    b = 1e-6
    slopes = relu_bias.excess("spike", np.array([-b, b])) / b
    np.testing.assert_allclose(slopes, 0.25, atol=1e-6)


@pytest.mark.parametrize("law", relu_bias.LAWS)
def test_fit_of_the_expansion_is_as_good_as_its_tolerance(law):
    expected = relu_bias.LAWS[law]
    coefficients, _ = relu_bias.expansion(closed(law, np.arange(-30, 31) * 0.1), expected.atom > 0.0)
    assert coefficients[0] == pytest.approx(0.5 * expected.atom, rel=1e-4)
    assert coefficients[1] == pytest.approx(0.5 * expected.density, rel=2e-3, abs=1e-12)


def test_points_do_not_depend_on_how_the_sweep_is_split():
    sweep = {"law": ["gaussian", "spike"], "bias": [-1.0, 0.0, 0.5], "trials": 100, "seed": 3}
    whole = relu_bias.simulate(**sweep)
    part = relu_bias.simulate(**sweep | {"law": ["spike"], "bias": [0.5]})
    xr.testing.assert_equal(part, whole.sel(law=["spike"], bias=[0.5]))
    other = relu_bias.simulate(**sweep | {"seed": 4})
    assert not np.any(other["mean"] == whole["mean"])


def test_planted_error_of_two_percent_is_caught():
    # 10,000 inputs measure the mean output to 1/3 % at b = 3 sigma; 61 biases alarm falsely in 0.4 % of seeds.
    dataset = relu_bias.compare(
        relu_bias.simulate(law=["gaussian"], bias=np.arange(-30, 31) / 10.0, trials=10_000, seed=2)
    )
    assert all(row.verdict != "fails" for row in relu_bias.claims(dataset))
    wrong = dataset.assign(mean_theory=1.02 * dataset.mean_theory)
    assert any(row.verdict == "fails" for row in relu_bias.claims(wrong))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"law": ["cauchy"]}, ("law", "'cauchy'", "gaussian")),
        ({"law": "cauchy"}, ("law", "'cauchy'", "gaussian")),
        ({"trials": 1}, ("trials", "1", "at least 2")),
        ({"law": ["uniform", "uniform"]}, ("law", "repeats")),
        ({"bias": []}, ("bias", "[]", "one or more")),
        ({"bias": [True]}, ("bias", "True", "number")),
        ({"bias": [float("inf")]}, ("bias", "inf", "number")),
        ({"width": 3}, ("width", "unknown", "bias")),
    ],
)
def test_wrong_parameters_are_one_clear_line(change, words):
    with pytest.raises(ValueError, match=words[0]) as error:
        relu_bias.validate({"law": ["gaussian"], "bias": [0], "trials": 3} | change)
    for word in words:
        assert word in str(error.value)


def test_few_inputs_make_no_rows_that_need_many():
    dataset = relu_bias.compare(relu_bias.simulate(law=["gaussian", "spike"], bias=[-3.0, -1.0, 0.0, 1.0], trials=20))
    assert relu_bias.claims(dataset) == []


def test_valid_parameters_are_kept():
    assert relu_bias.validate({"law": ["gaussian"], "bias": [0], "trials": 3}) == {
        "law": ["gaussian"], "bias": [0.0], "trials": 3,
    }  # fmt: skip
