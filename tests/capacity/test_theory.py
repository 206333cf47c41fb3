"""The theory of separability against published, counted and separately computed numbers."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from simnn.capacity import theory


def printed(value, digits):
    """Match a number printed with that many decimals."""
    return pytest.approx(value, abs=0.51 * 10.0**-digits, rel=0)


# --- counting ---------------------------------------------------------------------------------------------------

LOADS = (1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 3.0)
COVER = {
    5: (0.890625, 0.773438, 0.636719, 0.5, 0.376953, 0.274414, 0.089783),
    10: (0.953857, 0.849121, 0.685471, 0.5, 0.331812, 0.202436, 0.030714),
    20: (0.990421, 0.925194, 0.750220, 0.5, 0.271192, 0.121480, 0.004321),
    50: (0.999878, 0.988090, 0.855452, 0.5, 0.169093, 0.033146, 0.000018),
    100: (1.0, 0.999283, 0.932638, 0.5, 0.088204, 0.004763, 0.0),
    200: (1.0, 0.999997, 0.982692, 0.5, 0.028063, 0.000125, 0.0),
    1000: (1.0, 1.0, 0.999999, 0.5, 0.000010, 0.0, 0.0),
}


@pytest.mark.parametrize(
    ("patterns", "dimension", "count"),
    [(4, 2, 8), (4, 3, 14), (5, 3, 22), (6, 3, 32), (10, 5, 512), (20, 10, 524288), (3, 7, 8), (1, 1, 2)],
)
def test_dichotomies_are_counted(patterns, dimension, count):
    assert theory.dichotomies(patterns, dimension) == count
    assert theory.cover_probability(patterns, dimension) == pytest.approx(count / 2**patterns, rel=1e-14)


@pytest.mark.parametrize("dimension", COVER)
def test_the_probability_of_cover_is_the_table(dimension):
    patterns = np.array([round(load * dimension) for load in LOADS])
    assert theory.cover_probability(patterns, dimension) == printed(np.array(COVER[dimension]), 6)
    assert theory.cover_probability(2 * dimension, dimension) == pytest.approx(0.5, rel=1e-13)


def test_small_probabilities_keep_their_digits():
    assert theory.cover_probability(300, 100) == pytest.approx(2.6e-9, rel=0.02)
    exact = theory.dichotomies(400, 100) / 2**400
    assert theory.cover_probability(400, 100) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(
    ("patterns", "dimension", "probability", "digits"),
    [
        (3, 2, 1.0, 12), (4, 2, 0.875, 12), (5, 2, 0.6875, 12), (20, 10, 0.676197, 6), (22, 10, 0.5, 12),
        (200, 100, 0.556348, 6), (202, 100, 0.5, 12),
    ],
)  # fmt: skip
def test_a_threshold_is_one_more_dimension(patterns, dimension, probability, digits):
    assert theory.cover_probability(patterns, dimension, bias=True) == printed(probability, digits)


def test_no_pattern_is_separable():
    assert theory.cover_probability(0, 1) == 1.0


@pytest.mark.parametrize(("dimension", "bias"), [(1, False), (5, False), (20, True), (300, False)])
def test_the_stopping_time_is_negative_binomial(dimension, bias):
    heads = dimension + bias
    values = np.arange(0, 4 * heads + 60 * math.isqrt(heads))
    law = theory.stopping_time_probability(values, dimension, bias)
    assert law == pytest.approx(stats.nbinom.pmf(values - heads, heads, 0.5), abs=1e-13)
    assert law.sum() == pytest.approx(1.0, abs=1e-9)
    assert law @ values == pytest.approx(2 * heads, rel=1e-9)
    assert law @ values**2 - (2 * heads) ** 2 == pytest.approx(2 * heads, rel=1e-8)
    survival = 1.0 - np.concatenate([[0.0], np.cumsum(law)[:-1]])
    assert theory.cover_probability(values, dimension, bias) == pytest.approx(survival, abs=1e-11)


@pytest.mark.parametrize(("dimension", "width"), [(20, 3.6001), (100, 3.6197), (1000, 3.6243)])
def test_the_transition_narrows_as_one_over_root_n(dimension, width):
    patterns = np.arange(dimension, 4 * dimension)
    falling = theory.cover_probability(patterns, dimension)
    high, low = np.interp([-0.9, -0.1], -falling, patterns)
    assert (low - high) / math.sqrt(dimension) == printed(width, 4)


def test_threshold_functions_fall_below_general_position():
    bounds = [2, *(theory.dichotomies(2**n, n + 1) for n in range(1, 6))]
    assert bounds == [2, 4, 14, 128, 3882, 412736]
    assert theory.THRESHOLD_FUNCTIONS == (2, 4, 14, 104, 1882)


@pytest.mark.parametrize(
    ("dimension", "patterns", "constrained", "probability", "digits"),
    [
        (20, 20, 20, 0.5, 12), (20, 16, 20, 0.750220, 6), (20, 24, 20, 0.271192, 6), (20, 30, 10, 0.5, 12),
        (50, 50, 50, 0.5, 12), (12, 6, 12, 0.928, 3), (12, 9, 12, 0.748, 3), (12, 15, 12, 0.279, 3),
        (12, 18, 12, 0.132, 3),
    ],
)  # fmt: skip
def test_each_sign_constraint_is_one_more_pattern(dimension, patterns, constrained, probability, digits):
    assert theory.sign_constrained_probability(patterns, dimension, constrained) == printed(probability, digits)


# --- margins ----------------------------------------------------------------------------------------------------

CAPACITY = {
    -2.0: 173.348479, -1.0: 13.273200, -0.5: 4.770099, 0.0: 2.0, 0.1: 1.709632, 0.2: 1.469208, 0.25: 1.364643,
    0.3: 1.269132, 0.5: 0.961205, 0.75: 0.697230, 1.0: 0.519572, 1.5: 0.309871, 2.0: 0.200231, 3.0: 0.100002,
}  # fmt: skip


@pytest.mark.parametrize("margin", CAPACITY)
def test_capacity_with_a_margin_is_the_table(margin):
    assert theory.gardner_capacity(margin) == printed(CAPACITY[margin], 6)


MARGIN = {
    0.25: 1.735578, 0.5: 1.034314, 0.75: 0.691234, 1.0: 0.470655, 1.25: 0.310578, 1.5: 0.186108, 1.75: 0.084903,
    1.9: 0.032322, 2.0: 0.0,
}  # fmt: skip


@pytest.mark.parametrize("load", MARGIN)
def test_the_largest_margin_is_the_table(load):
    assert theory.gardner_margin(load) == printed(MARGIN[load], 6)


@pytest.mark.parametrize(("load", "fraction"), [(0.5, 0.849505), (1.0, 0.681057), (1.5, 0.573820), (2.0, 0.5)])
def test_the_fraction_of_support_vectors_is_the_table(load, fraction):
    assert theory.support_vector_fraction(load) == printed(fraction, 6)


@pytest.mark.parametrize("margin", [-4.0, -0.3, 0.0, 2.0, 12.0])
@pytest.mark.parametrize("coding_level", [0.5, 0.1])
def test_the_largest_margin_inverts_the_capacity(margin, coding_level):
    load = theory.gardner_capacity(margin, coding_level)
    assert theory.gardner_margin(load, coding_level) == pytest.approx(margin, abs=1e-9)


@pytest.mark.parametrize("constrained", [0.0, 0.3, 1.0])
def test_a_sign_constraint_takes_half_a_dimension(constrained):
    assert theory.gardner_capacity(constrained=constrained) == pytest.approx(2.0 - constrained, rel=1e-14)
    for margin, coding_level in ((0.0, 0.1), (1.0, 0.5), (0.4, 0.25)):
        load = theory.gardner_capacity(margin, coding_level, constrained)
        free = theory.gardner_capacity(margin, coding_level)
        assert load == pytest.approx((1.0 - 0.5 * constrained) * free, rel=1e-14)
        assert theory.gardner_margin(load, coding_level, constrained) == pytest.approx(margin, abs=1e-9)


def test_constrained_weights_of_sparse_labels_store_half():
    assert theory.gardner_capacity(coding_level=0.1, constrained=1.0) == printed(1.9565, 4)


BIASED = {
    0.5: (2.0, 4), 0.4: (2.0527, 4), 0.3: (2.2361, 4), 0.25: (2.4059, 4), 0.2: (2.6676, 4), 0.1: (3.9129, 4),
    0.05: (6.0828, 4), 0.02: (11.5085, 4), 0.01: (19.1973, 4), 0.005: (32.656, 3), 0.001: (118.85, 2), 1e-4: (834.4, 1),
}  # fmt: skip


@pytest.mark.parametrize("coding_level", BIASED)
def test_capacity_for_biased_labels_is_the_table(coding_level):
    value, digits = BIASED[coding_level]
    assert theory.gardner_capacity(coding_level=coding_level) == printed(value, digits)
    assert theory.gardner_capacity(coding_level=1.0 - coding_level) == pytest.approx(
        theory.gardner_capacity(coding_level=coding_level), rel=1e-12
    )


@pytest.mark.parametrize(
    ("coding_level", "capacity"), [(0.5, 0.5196), (0.25, 0.6410), (0.1, 1.1106), (0.05, 1.8204), (0.01, 6.4655)]
)
def test_capacity_for_biased_labels_with_a_margin_is_the_table(coding_level, capacity):
    assert theory.gardner_capacity(1.0, coding_level) == printed(capacity, 4)


@pytest.mark.parametrize(("coding_level", "threshold"), [(0.5, 0.0), (0.1, 0.8616), (0.05, 1.1402), (0.01, 1.7174)])
def test_the_best_threshold_is_the_table(coding_level, threshold):
    assert theory.gardner_threshold(coding_level=coding_level) == printed(threshold, 4)
    assert theory.gardner_threshold(coding_level=1.0 - coding_level) == pytest.approx(
        -theory.gardner_threshold(coding_level=coding_level)
    )


def test_the_asymptote_for_sparse_labels_has_the_factor_two():
    # The form without the 2 is within 12 % from 0.01 to 0.1, by accident.
    levels = np.array([0.1, 0.01, 1e-6, 1e-12, 1e-24])
    ratios = np.array([theory.gardner_capacity(coding_level=f) / theory.sparse_capacity(f) for f in levels]) / 2.0
    assert np.all(np.abs(ratios[:2] - 0.9) < 0.02)
    assert ratios[2] == printed(0.70, 2)
    assert np.all(np.diff(ratios[2:]) < 0.0)
    assert 0.5 < ratios[-1] < 0.6


@pytest.mark.parametrize(
    ("coding_level", "bits"), [(0.5, 2.0), (0.1, 1.835), (0.01, 1.551), (1e-4, 1.229), (1e-8, 1.003)]
)
def test_information_per_weight_is_the_table(coding_level, bits):
    assert theory.information(coding_level) == printed(bits, 3)
    assert theory.information(coding_level) > 0.5 / math.log(2.0)


# --- Hebbian storage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("load", "error"), [(0.1, 0.0008), (0.5, 0.0786), (1.0, 0.1587), (2.0, 0.2398)])
def test_hebbian_errors_are_the_table(load, error):
    assert theory.hebbian_error(load) == printed(error, 4)
    assert theory.hebbian_error(load, 10**6) == pytest.approx(theory.hebbian_error(load), rel=1e-4)


@pytest.mark.parametrize(("load", "dimension"), [(0.1, 5), (0.5, 10), (1.0, 7), (2.0, 3), (2.0, 50)])
def test_hebbian_errors_are_exact_at_every_size(load, dimension):
    signs = (max(round(load * dimension), 1) - 1) * dimension
    heads = np.arange(signs + 1)
    law, field = stats.binom.pmf(heads, signs, 0.5), dimension - signs + 2 * heads
    expected = law[field < 0].sum() + 0.5 * law[field == 0].sum()
    assert theory.hebbian_error(load, dimension) == pytest.approx(expected, rel=1e-10, abs=1e-15)


def test_hebbian_errors_of_arrays():
    table = theory.hebbian_error([0.0, 0.5, 1.0], np.array([[10], [500]]))
    assert table.shape == (2, 3)
    assert table[1, 2] == theory.hebbian_error(1.0, 500)
    assert theory.hebbian_error(0.0) == 0.0
    with pytest.raises(ValueError, match=r"^load: -1.0 is not allowed"):
        theory.hebbian_error(-1.0)


def test_the_hopfield_network_has_the_published_capacity():
    capacity = theory.hopfield_capacity()
    assert capacity == printed(0.138, 3)
    assert capacity == pytest.approx(0.137905566, abs=1e-9)
    assert theory.hopfield_overlap(capacity) == printed(0.967, 3)
    assert theory.hopfield_overlap(0.0) == 1.0
    with pytest.raises(ValueError, match=r"^load: 0.14 is not allowed"):
        theory.hopfield_overlap(0.14)


@pytest.mark.parametrize("load", [1e-4, 0.02, 0.1, 0.13, 0.1379])
def test_overlaps_solve_the_equations_of_the_hopfield_network(load):
    # As published: m = erf(m / sqrt(2 load r)), r = (1 - C)^-2, C = sqrt(2 / pi load r) exp(-m^2 / 2 load r).
    overlap = theory.hopfield_overlap(load)
    noise = load
    for _ in range(5000):
        c = math.sqrt(2.0 / (math.pi * noise)) * math.exp(-(overlap**2) / (2.0 * noise))
        noise = load / (1.0 - c) ** 2
    assert math.erf(overlap / math.sqrt(2.0 * noise)) == pytest.approx(overlap, abs=1e-9)


# --- manifolds --------------------------------------------------------------------------------------------------

RADII = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 5.0)
BALLS = {
    1: (1.7748, 1.5983, 1.4587, 1.2576, 1.1251, 1.0000, 0.8300, 0.7276),
    2: (1.6544, 1.3976, 1.2055, 0.9499, 0.7973, 0.6667, 0.5136, 0.4377),
    5: (1.4502, 1.0914, 0.8525, 0.5765, 0.4367, 0.3333, 0.2344, 0.1967),
    10: (1.2616, 0.8473, 0.6043, 0.3600, 0.2529, 0.1818, 0.1216, 0.1018),
    20: (1.0471, 0.6120, 0.3949, 0.2085, 0.1380, 0.0952, 0.0617, 0.0516),
    50: (0.7438, 0.3502, 0.1984, 0.0926, 0.0584, 0.0392, 0.0249, 0.0208),
}


@pytest.mark.parametrize("dimension", BALLS)
def test_the_capacity_of_balls_is_the_table(dimension):
    assert [theory.ball_capacity(radius, dimension) for radius in RADII] == printed(np.array(BALLS[dimension]), 4)


@pytest.mark.parametrize("dimension", [1, 2, 7, 60, 1000])
def test_the_capacity_of_balls_is_exact_in_its_corners(dimension):
    assert theory.ball_capacity(1.0, dimension) == pytest.approx(2.0 / (dimension + 1), rel=1e-10)
    assert theory.ball_capacity(1e4, dimension) == pytest.approx(1.0 / (dimension + 0.5), rel=2e-4)
    assert theory.ball_capacity(0.0, dimension, 0.7) == theory.gardner_capacity(0.7)


@pytest.mark.parametrize(("margin", "capacity"), [(0.25, 0.4468), (0.5, 0.3533), (1.0, 0.2326)])
def test_the_capacity_of_balls_with_a_margin_is_the_table(margin, capacity):
    assert theory.ball_capacity(0.5, 5, margin) == printed(capacity, 4)


def test_segments_are_balls_of_dimension_one():
    for radius in (0.1, 0.6, 3.0):
        assert theory.segment_capacity(radius) == pytest.approx(theory.ball_capacity(radius, 1), rel=1e-10)
        # As written for pairs of points, with the angle between them.
        psi = 2.0 / math.pi * math.atan(1.0 / radius)
        assert theory.segment_capacity(radius) == pytest.approx(2.0 / (3.0 - 2.0 * psi), rel=1e-12)
    assert theory.segment_capacity(0.6) == printed(1.1848, 4)
    assert theory.segment_capacity(1.0) == pytest.approx(1.0, rel=1e-15)


def test_balls_of_many_dimensions_are_points_with_a_margin():
    # Published: (1 + R^2) / G(R sqrt(D)) = 0.7426 instead of 0.7438 for R = 0.1, D = 50.
    approximation = 1.01 * theory.gardner_capacity(0.1 * math.sqrt(50.0))
    assert approximation == printed(0.7426, 4)
    assert theory.ball_capacity(0.1, 50) == pytest.approx(approximation, rel=2e-3)


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: theory.cover_probability(2.5, 3), "patterns"),
        (lambda: theory.cover_probability(2, 0), "dimension"),
        (lambda: theory.dichotomies(0, 3), "patterns"),
        (lambda: theory.dichotomies(True, 3), "patterns"),
        (lambda: theory.gardner_capacity(math.nan), "margin"),
        (lambda: theory.gardner_capacity(0.0, 1.0), "coding_level"),
        (lambda: theory.gardner_margin(0.0), "load"),
        (lambda: theory.gardner_capacity(constrained=1.1), "constrained"),
        (lambda: theory.support_vector_fraction(2.1), "load"),
        (lambda: theory.ball_capacity(-1.0, 3), "radius"),
        (lambda: theory.sign_constrained_probability(5, 3, 4), "constrained"),
    ],
)
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: .* not allowed: should be"):
        call()


def test_theory_does_not_load_kernels():
    program = "import sys; from simnn.capacity import theory; theory.gardner_margin(1.0); print('numba' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
