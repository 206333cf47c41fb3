"""The theory of random expansions against published numbers, other ways to the same ones, and explicit circuits."""

import math
import time
import tracemalloc

import mpmath
import numpy as np
import pytest
from scipy import sparse, stats

from simnn.capacity.theory import cover_probability
from simnn.olfaction import drive_pairs, theory
from tests.naive import olfaction as naive


def printed(value, digits):
    """Match a number printed with that many decimals."""
    return pytest.approx(np.asarray(value), abs=0.51 * 10.0**-digits, rel=0)


# --- one pair of drives -----------------------------------------------------------------------------------------

RHO = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99])
OUTPUT = {  # coding level: slope at 0, then at each rho
    0.01: (0.071751, 0.009359, 0.024133, 0.046094, 0.077360, 0.120598, 0.179441, 0.259434, 0.370603, 0.537344, 0.666613,
           0.848671),
    0.02: (0.119608, 0.014693, 0.035723, 0.064508, 0.102705, 0.152413, 0.216568, 0.299810, 0.410802, 0.571205, 0.692554,
           0.861002),
    0.05: (0.223936, 0.025532, 0.057799, 0.097571, 0.145837, 0.203988, 0.274162, 0.359985, 0.468568, 0.618269, 0.728051,
           0.877673),
    0.1: (0.342218, 0.037060, 0.079958, 0.129072, 0.185039, 0.248906, 0.322416, 0.408655, 0.513808, 0.654055, 0.754672,
          0.890043),
    0.2: (0.489867, 0.050736, 0.105093, 0.163411, 0.226286, 0.294691, 0.370216, 0.455636, 0.556462, 0.687078, 0.778990,
          0.901256),
    0.3: (0.575667, 0.058414, 0.118787, 0.181632, 0.247670, 0.317940, 0.394040, 0.478660, 0.577049, 0.702795, 0.790489,
          0.906532),
    0.5: (0.636620, 0.063769, 0.128188, 0.193973, 0.261980, 0.333333, 0.409666, 0.493633, 0.590334, 0.712867, 0.797835,
          0.909893),
}  # fmt: skip
NEGATIVE = {
    0.05: (-0.019473, -0.042976, -0.051372, -0.052632),
    0.1: (-0.031431, -0.077786, -0.102904, -0.111111),
    0.2: (-0.047251, -0.130900, -0.197264, -0.249977),
}


def test_thresholds_are_the_table():
    levels = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]
    expected = [2.326348, 2.053749, 1.644854, 1.281552, 0.841621, 0.524401, 0.0]
    assert theory.threshold(levels) == printed(expected, 6)
    assert isinstance(theory.threshold(0.1), float)


@pytest.mark.parametrize("level", OUTPUT)
def test_output_correlations_are_the_table(level):
    slope, *values = OUTPUT[level]
    assert theory.output_correlation(RHO, level) == printed(values, 6)
    assert theory.output_slope(level) == printed(slope, 6)
    assert theory.output_correlation(1e-7, level) / 1e-7 == pytest.approx(theory.output_slope(level), abs=1e-6)


def test_negative_correlations_are_the_table():
    rho, levels = np.array([-0.1, -0.3, -0.5, -0.9]), np.array(list(NEGATIVE))
    assert theory.output_correlation(rho, levels[:, None]) == printed(list(NEGATIVE.values()), 6)


@pytest.mark.parametrize("level", [0.01, 0.1, 0.3, 0.5, 0.8])
def test_output_correlations_are_those_of_the_bivariate_normal(level):
    for rho in (-0.95, -0.4, 0.0, 0.2, 0.7, 0.99):
        assert theory.output_correlation(rho, level) == pytest.approx(naive.output_correlation(rho, level), abs=1e-12)


@pytest.mark.parametrize("level", [1e-9, 1e-3, 0.1, 0.9])
def test_output_correlations_keep_their_digits(level):
    with mpmath.workdps(30):
        f = mpmath.mpf(level)
        theta = mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * f)
        for rho in (-0.5, 1e-6, 0.5, 0.9999, 1.0 - 1e-12):
            angles = mpmath.linspace(0, mpmath.asin(mpmath.mpf(rho)), 5)
            integral = mpmath.quad(lambda angle: mpmath.exp(-(theta**2) / (1 + mpmath.sin(angle))), angles)
            exact = float(integral / (2 * mpmath.pi * f * (1 - f)))
            assert theory.output_correlation(rho, level) == pytest.approx(exact, abs=1e-14)


def test_end_points_are_exact():
    levels = np.array([0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7])
    assert np.all(theory.output_correlation(1.0, levels) == 1.0)
    assert np.all(theory.output_correlation(0.0, levels) == 0.0)
    lowest = -np.minimum(levels, 1 - levels) / np.maximum(levels, 1 - levels)
    assert theory.output_correlation(-1.0, levels) == pytest.approx(lowest, abs=1e-14)


def test_the_cusp_is_not_rounded_off():
    assert theory.output_correlation(0.999, 0.1) == printed(0.9652, 4)
    near = 1.0 - theory.output_correlation(1.0 - 1e-12, 0.1)
    assert near == pytest.approx(theory.small_cluster_noise(1e-12, 0.1), rel=1e-4)
    assert near > 5e-7


def test_half_the_odors_give_the_arcsine_law():
    rho = np.linspace(-1.0, 1.0, 41)
    assert theory.output_correlation(rho, 0.5) == pytest.approx(2.0 / math.pi * np.arcsin(rho), abs=2e-15)


def test_expansions_decorrelate():
    rho, levels = np.linspace(0.0, 1.0, 101), np.array([0.001, 0.01, 0.1, 0.4, 0.5, 0.9])[:, None]
    output = theory.output_correlation(rho, levels)
    assert np.all(output <= rho + 1e-15)
    assert np.all(output >= 0.0)
    assert np.all(np.diff(output) > 0.0)
    assert output == pytest.approx(theory.output_correlation(rho, 1.0 - levels), abs=1e-13)


def test_measured_pairs_have_that_correlation():
    # Published from 4e6 pairs, to 0.0015; and 4e5 pairs here: 5 standard errors, false alarm 6e-7 each.
    rho = np.array([0.2, 0.5, 0.8, 0.95])
    expected = theory.output_correlation(rho, 0.05)
    assert np.array([0.0568, 0.2052, 0.4676, 0.7289]) == pytest.approx(expected, abs=0.0015)
    generator, theta = np.random.default_rng(1), theory.threshold(0.05)
    for one, output in zip(rho, expected, strict=True):
        x, y = generator.standard_normal((2, 400_000))
        products = ((x > theta) - 0.05) * ((one * x + math.sqrt(1 - one**2) * y > theta) - 0.05) / (0.05 * 0.95)
        assert abs(products.mean() - output) < 5.0 * products.std() / math.sqrt(len(products))


@pytest.mark.parametrize(
    ("glomeruli", "measured"),
    [(50, (0.0532, 0.2100, 0.4696, 0.7341)), (1000, (0.0582, 0.2036, 0.4697, 0.7273))],
)
def test_published_networks_have_that_correlation(glomeruli, measured):
    expected = theory.output_correlation([0.2, 0.5, 0.8, 0.95], 0.05)
    assert np.array(measured) == pytest.approx(expected, abs=0.01), glomeruli


def test_a_network_has_that_correlation():
    # Every cell sees 20000 pairs of odors; cells share few inputs: between pairs the error of the mean is 0.002.
    generator = np.random.default_rng(2)
    matrix = naive.wiring(200, 50, 7, generator)
    x, y = generator.standard_normal((2, 20_000, 50))
    one, other = (naive.codes(matrix, odors, 0.1) - 0.1 for odors in (x, 0.8 * x + 0.6 * y))
    assert np.mean(one * other) / 0.09 == pytest.approx(theory.output_correlation(0.8, 0.1), abs=0.01)


# --- noise ------------------------------------------------------------------------------------------------------


def test_cluster_noise_is_the_table():
    levels = [0.05, 0.1, 0.2, 0.5]
    assert theory.cluster_noise(theory.input_noise(0.3), levels) == printed([0.261167, 0.235518, 0.212105, 0.193973], 6)
    assert theory.cluster_noise(0.01, levels) == printed([0.122327, 0.109957, 0.098744, 0.090107], 6)


def test_cluster_noise_is_the_complement_of_correlation():
    noise, levels = np.linspace(0.0, 2.0, 41), np.array([0.01, 0.1, 0.5, 0.8])[:, None]
    output = theory.cluster_noise(noise, levels)
    assert output == pytest.approx(1.0 - theory.output_correlation(1.0 - noise, levels), abs=1e-13)
    # Noise never shrinks: neither below that of unrelated odors, nor above (where codes are less anticorrelated).
    assert np.all(output[:, noise <= 1.0] >= noise[noise <= 1.0] - 1e-15)
    assert theory.cluster_noise(noise, 0.5) == pytest.approx(2.0 / math.pi * np.arccos(1.0 - noise), abs=1e-14)
    assert np.all(theory.cluster_noise(0.0, levels) == 0.0)


def test_sparser_codes_amplify_more():
    assert np.all(np.diff(theory.cluster_noise(0.1, np.array([0.001, 0.01, 0.05, 0.1, 0.2, 0.5]))) < 0.0)


def test_little_noise_is_amplified_as_its_root():
    noise = np.logspace(-30, np.log10(0.046), 60)
    for level, tolerance in ((0.5, 0.01), (0.1, 0.01), (0.05, 0.01), (0.01, 0.02)):
        ratio = theory.small_cluster_noise(noise, level) / theory.cluster_noise(noise, level)
        assert ratio == pytest.approx(1.0, abs=tolerance)
        assert ratio[:30] == pytest.approx(1.0, abs=1e-12)


def test_noise_conventions():
    assert theory.input_noise([0.3, 0.5, 0.6, 0.7]) == printed([0.046061, 0.133975, 0.2, 0.285857], 6)
    amplitude = np.array([0.0, 1e-12, 1e-3, 0.3, 0.9, 1.0])
    for convention in theory.CONVENTIONS:
        noise = theory.input_noise(amplitude, convention)
        assert theory.noise_amplitude(noise, convention) == pytest.approx(amplitude, rel=1e-12)
        assert noise[1] == pytest.approx(0.5e-24, rel=1e-12)
    assert theory.input_noise(1.0, "additive") == pytest.approx(1.0 - math.sqrt(0.5), rel=1e-14)
    assert theory.noise_amplitude(1.0) == 1.0


def test_additive_noise_raises_the_coding_level():
    generator = np.random.default_rng(3)
    x = generator.standard_normal(400_000) + 0.5 * generator.standard_normal(400_000)
    expected = theory.noisy_coding_level(0.5, 0.1)
    assert expected == printed(0.1258, 4)
    # 5 standard errors
    assert np.mean(x > theory.threshold(0.1)) == pytest.approx(expected, abs=5.0 * math.sqrt(0.11 / 400_000))
    assert theory.noisy_coding_level(0.0, 0.1) == pytest.approx(0.1, rel=1e-14)


# --- dimension --------------------------------------------------------------------------------------------------

LEVELS = np.array([0.05, 0.1, 0.2])
FLY = {  # claws: (M = 2000, none), (M = 2000, balanced), (S = 14000, balanced), each at LEVELS
    1: (48.80, 48.80, 48.80, 48.76, 48.69, 48.58, 49.78, 49.71, 49.59),
    2: (218.57, 162.11, 123.18, 235.63, 172.07, 127.79, 257.19, 183.27, 133.85),
    3: (291.57, 194.19, 134.35, 352.70, 227.80, 150.64, 392.12, 243.60, 157.37),
    4: (302.07, 193.20, 128.87, 415.36, 255.84, 160.35, 455.85, 270.62, 166.03),
    5: (287.97, 180.09, 117.89, 455.60, 273.62, 166.12, 487.26, 284.71, 170.13),
    6: (263.38, 162.31, 105.12, 483.80, 286.04, 170.01, 501.09, 291.98, 172.08),
    7: (235.22, 143.52, 92.38, 504.61, 295.19, 172.81, 504.61, 295.19, 172.81),
    8: (207.08, 125.55, 80.58, 520.52, 302.18, 174.93, 501.88, 295.82, 172.78),
    9: (180.78, 109.24, 70.07, 533.01, 307.69, 176.57, 495.35, 294.76, 172.25),
    10: (157.08, 94.84, 60.92, 543.04, 312.10, 177.89, 486.50, 292.59, 171.39),
    12: (118.03, 71.60, 46.34, 557.95, 318.68, 179.83, 465.34, 286.19, 169.03),
    15: (77.37, 47.81, 31.55, 572.23, 324.99, 181.69, 431.36, 274.20, 164.67),
    20: (40.03, 25.97, 17.92, 584.24, 330.30, 183.24),
    25: (21.98, 15.13, 10.98, 587.63, 331.81, 183.67),
}
CEREBELLUM = {  # inputs: at 0.01, 0.05, 0.1, 0.2
    1: (6941.9, 6941.9, 6941.9, 6941.9), 2: (93085.6, 38157.0, 26433.8, 19212.1),
    3: (132508.8, 50157.9, 31867.7, 21242.2), 4: (134060.4, 54727.7, 33982.8, 21865.3),
    5: (123753.7, 55643.6, 34600.0, 21956.6), 6: (111611.0, 54778.0, 34458.4, 21796.4),
    7: (100420.1, 53069.7, 33913.8, 21504.7), 10: (75489.9, 46634.7, 31363.3, 20315.8),
    15: (52500.4, 37285.9, 26879.1, 18191.0),
}  # fmt: skip


def test_dimensions_of_the_fly_are_the_table():
    claws = np.array(list(FLY))[:, None]
    none, balanced = (theory.dimension(50, 2000, claws, LEVELS, kind) for kind in theory.INHIBITION)
    fixed = theory.dimension(50, theory.kenyon_cells_of(14000, claws[:-2]), claws[:-2], LEVELS, "balanced")
    table = np.array([row for row in FLY.values() if len(row) == 9])
    short = np.array([row for row in FLY.values() if len(row) == 6])
    assert none == printed(np.vstack([table[:, :3], short[:, :3]]), 2)
    assert balanced == printed(np.vstack([table[:, 3:6], short[:, 3:6]]), 2)
    assert fixed == printed(table[:, 6:], 2)


def test_dimensions_of_the_cerebellum_are_the_table():
    inputs = np.array(list(CEREBELLUM))[:, None]
    cells = theory.kenyon_cells_of(836_000, inputs)
    values = theory.dimension(7000, cells, inputs, np.array([0.01, 0.05, 0.1, 0.2]))
    assert values == printed(list(CEREBELLUM.values()), 1)


def test_the_dimension_saturates_with_expansion():
    cells = 7000 * np.array([1, 5, 10, 30, 60, 100, 300])
    expected = [5970, 18792, 25689, 34009, 37006, 38357, 39812]
    assert theory.dimension(7000, cells, 4, 0.1) == printed(expected, 0)
    ceiling = theory.dimension(7000, math.inf, 4, 0.1)
    assert theory.dimension(7000, 30 * 7000, 4, 0.1) / ceiling == printed(0.84, 2)
    assert theory.dimension(50, math.inf, 7, LEVELS) == printed([266.4, 154.5, 96.8], 1)
    assert theory.dimension(50, math.inf, 7, LEVELS, "balanced") == printed([674.5, 346.1, 189.1], 1)
    # Dense Gaussian weights: cosines are small, and r is the slope at 0 times them.
    dense = theory.dimension(10_000, math.inf, 10_000, LEVELS, weights="gaussian")
    assert dense == pytest.approx(10_000 / theory.output_slope(LEVELS) ** 2, rel=0.01)


def test_correlated_inputs_lower_the_dimension_and_the_best_number_of_claws():
    claws, common = np.arange(1, 10)[:, None], np.array([0.0, 0.05, 0.1, 0.2])
    for level, best, most in (
        (0.1, [3, 2, 2, 1], [194.19, 114.84, 72.29, 37.38]),
        (0.05, [4, 2, 2, 2], [302.07, 161.13, 107.07, 46.53]),
    ):
        values = theory.dimension(50, 2000, claws, level, input_correlation=common)
        assert (1 + values.argmax(axis=0)).tolist() == best
        assert values.max(axis=0) == printed(most, 2)
    assert theory.dimension(50, 2000, 7, 0.1, input_correlation=0.1) == printed(13.892, 3)
    balanced = theory.dimension(50, 2000, 7, 0.1, "balanced", input_correlation=common)
    assert balanced == pytest.approx(theory.dimension(50, 2000, 7, 0.1, "balanced"), rel=1e-14)


def test_balanced_dimensions_do_not_tell_claws_from_gaps():
    claws = np.arange(1, 50)
    values = theory.dimension(50, 2000, claws, 0.1, "balanced")
    assert values == pytest.approx(values[::-1], rel=1e-12)
    assert 1 + values.argmax() == 25


def test_overlaps_are_hypergeometric():
    for glomeruli, claws in ((50, 7), (50, 1), (50, 50), (60, 50), (3000, 1500)):
        shared, probabilities = drive_pairs.overlaps(glomeruli, claws)
        assert probabilities == pytest.approx(stats.hypergeom(glomeruli, claws, claws).pmf(shared), rel=1e-9)
        assert probabilities.sum() == pytest.approx(1.0, abs=1e-14)


def best(weights, levels, claws, cells=2000, inhibition="none", pairs=2**16):
    """Best number of claws and all dimensions, for each coding level."""
    values = theory.dimension(50, cells, claws, np.reshape(levels, (-1, 1)), inhibition, weights, pairs=pairs)
    return list(zip(claws[values.argmax(axis=1)].tolist(), values, strict=True))


@pytest.mark.parametrize(
    ("weights", "claws", "dimension"),
    # For each coding level of 0.05 and 0.1: claws that may be best, and the dimension there.
    [
        ("cerebellar", ({5}, {4}), (274, 183)), ("uniform", ({6}, {5}), (271, 180)),
        ("halfnormal", ({6, 7}, {5, 6}), (254.5, 172)), ("cortical", ({7, 8}, {6, 7}), (229.9, 160)),
    ],
)  # fmt: skip
def test_the_best_number_of_claws_depends_on_the_weights(weights, claws, dimension):
    # Published from single matrices of 2000 cells, whose dimensions scatter by 0.5% (1% for cortical weights). Standard
    # errors here are 1% or less; those of differences between neighbouring numbers of claws a third of that.
    results = best(weights, (0.05, 0.1), np.arange(3, 10), pairs=2**17)
    for (found, values), allowed, expected in zip(results, claws, dimension, strict=True):
        assert found in allowed
        assert values.max() == pytest.approx(expected, rel=0.025)


@pytest.mark.parametrize(
    ("weights", "claws", "seventh"),
    [
        ("cerebellar", ({9}, {9, 10}), (0.98, 0.98)), ("uniform", ({9, 10}, {10, 11}), (0.97, 0.97)),
        ("cortical", ({11, 12, 13}, {12, 13}), (0.93, 0.95)), ("halfnormal", ({11, 12}, {12, 13}), (0.935, 0.945)),
    ],
)  # fmt: skip
def test_the_best_number_of_claws_of_so_many_synapses(weights, claws, seventh):
    # Published: 9 and 9, 9 and 11, 13 and 13, 11 and 12, on maxima so flat that neighbours differ by 0.3%.
    numbers = np.arange(5, 16)
    results = best(weights, (0.05, 0.1), numbers, theory.kenyon_cells_of(14_000, numbers), "balanced")
    for (found, values), allowed, ratio in zip(results, claws, seventh, strict=True):
        assert found in {one + step for one in allowed for step in (-1, 0, 1)}
        assert values[2] / values.max() == pytest.approx(ratio, abs=0.012)


@pytest.mark.parametrize(
    ("inhibition", "level", "claws", "dimension"),
    [("none", 0.05, 4, 322.9), ("none", 0.1, 3, 205.5), ("balanced", 0.05, 7, 504.61), ("balanced", 0.1, 8, 295.82),
     ("balanced", 0.2, 7, 172.81)],
)  # fmt: skip
def test_the_best_number_of_claws_with_equal_weights(inhibition, level, claws, dimension):
    numbers = np.arange(1, 31)
    [(found, values)] = best("binary", level, numbers, theory.kenyon_cells_of(14_000, numbers), inhibition)
    assert found == claws
    assert values.max() == pytest.approx(dimension, abs=0.06)


@pytest.mark.parametrize(("level", "claws", "dimension"), [(0.05, 7, 517), (0.1, 6, 317)])
@pytest.mark.parametrize("inhibition", theory.INHIBITION)
def test_the_best_number_of_claws_with_weights_of_both_signs(inhibition, level, claws, dimension):
    numbers = np.arange(2, 16)
    [(found, values)] = best("gaussian", level, numbers, theory.kenyon_cells_of(14_000, numbers), inhibition)
    assert found == claws
    assert values.max() == pytest.approx(dimension, rel=0.005)


def test_the_best_number_of_inputs_in_the_cerebellum():
    inputs = np.arange(2, 40)
    for level, of_cells, of_synapses in ((0.01, 26, 4), (0.05, 21, 5), (0.1, 18, 5), (0.2, 14, 5)):
        assert inputs[theory.dimension(7000, 209_000, inputs, level).argmax()] == of_cells
        cells = theory.kenyon_cells_of(836_000, inputs)
        for inhibition in theory.INHIBITION:
            values = theory.dimension(7000, cells, inputs, level, inhibition)
            assert inputs[values.argmax()] == of_synapses
            assert values[2] / values.max() > 0.98
    assert theory.dimension(7000, 209_000, [21, 18], [0.05, 0.1]) == printed([74028, 41701], 0)


def test_the_cerebellum_with_unequal_weights():
    inputs = np.arange(2, 10)
    cells = theory.kenyon_cells_of(836_000, inputs)
    for level, claws, fourth in ((0.05, {6}, 0.94), (0.1, {6, 7}, 0.955), (0.01, {5}, 0.995)):
        values = theory.dimension(7000, cells, inputs, level, weights="cerebellar")
        assert inputs[values.argmax()] in claws
        assert values[2] / values.max() == pytest.approx(fourth, abs=0.01)


def test_sampling_meets_the_closed_forms():
    # Equal weights leave nothing to sample; Gaussian ones do: 5 standard errors, false alarm 6e-7 each.
    for common in (0.0, 0.1):
        for balanced in (False, True):
            wiring = ("binary", 50, 7, balanced, common)
            exact = theory._exact_mean_square(*wiring, LEVELS)
            sampled, stderr = theory._sampled_mean_square(*wiring, LEVELS, 100, 0)
            assert sampled == pytest.approx(exact, rel=1e-11)
            assert stderr == pytest.approx(0.0, abs=1e-9)
    for glomeruli, claws in ((50, 1), (50, 2), (50, 7), (10, 10), (12, 9)):
        wiring = ("gaussian", glomeruli, claws, False, 0.0)
        exact = theory._exact_mean_square(*wiring, LEVELS)
        sampled, stderr = theory._sampled_mean_square(*wiring, LEVELS, 100_000, 0)
        assert np.all(np.abs(sampled - exact) < 5.0 * stderr + 1e-15)
        assert np.all(stderr < 0.02 * exact)


@pytest.mark.parametrize(("claws", "tolerance"), [(2, 1e-9), (3, 1e-11), (7, 1e-12), (50, 1e-12), (400, 1e-12)])
def test_the_quadrature_has_converged(claws, tolerance):
    shared, probabilities = drive_pairs.overlaps(1000, claws)

    def mean_square(nodes):
        total = 0.0
        for one, probability in zip(shared.tolist(), probabilities, strict=True):
            if probability > 1e-6:
                rho, law = drive_pairs.gaussian_correlations(claws, one, nodes)
                total += probability * law @ np.square(theory._Curve(0.05)(rho))
        return total

    assert mean_square(64) == pytest.approx(mean_square(144), rel=tolerance)


def test_the_cosine_of_dense_gaussian_weights_follows_the_beta_law():
    for glomeruli in (2, 3, 50, 1000):
        rho, law = drive_pairs.gaussian_correlations(glomeruli, glomeruli)
        beta = stats.beta((glomeruli - 1) / 2, (glomeruli - 1) / 2, loc=-1, scale=2)
        assert law @ rho**2 == pytest.approx(1.0 / glomeruli, rel=1e-11)
        assert law @ rho**4 == pytest.approx(beta.moment(4), rel=1e-9)


def test_standard_errors_are_those_between_seeds():
    runs = [theory.mean_square_correlation(50, 7, 0.1, weights="uniform", pairs=500, seed=seed) for seed in range(300)]
    spread = np.std([run.value for run in runs], ddof=1)
    # The spread of 300 values is known to 4%: 5 standard errors.
    assert spread == pytest.approx(np.mean([run.stderr for run in runs]), rel=0.2)
    assert theory.mean_square_correlation(50, 7, 0.1).stderr == 0.0


def test_samples_depend_on_nothing_around_them():
    one = theory.dimension(50, 2000, 7, 0.1, weights="uniform", pairs=5000)
    many = theory.dimension(50, 2000, [3, 7], np.array([[0.05], [0.1]]), weights="uniform", pairs=5000)
    assert many[1, 1] == one
    assert theory.dimension(50, 2000, 7, 0.1, weights="uniform", pairs=5000, seed=1) != one


def test_curves_are_output_correlations():
    rho = np.concatenate([np.random.default_rng(0).uniform(-1, 1, 5000), 1 - np.logspace(-15, -2, 50), [-1, 0, 1]])
    for level in (1e-9, 1e-3, 0.1, 0.5, 0.9):
        assert theory._Curve(level)(rho) == pytest.approx(theory.output_correlation(rho, level), abs=2e-13)


def test_tables_are_fast():
    def tables():
        claws = np.array(list(FLY))[:, None]
        for kind in theory.INHIBITION:
            theory.dimension(50, 2000, claws, LEVELS, kind)
        theory.dimension(50, theory.kenyon_cells_of(14_000, claws), claws, LEVELS, "balanced")

    def curve():
        inputs = np.arange(2, 61)[:, None]
        theory.dimension(7000, theory.kenyon_cells_of(836_000, inputs), inputs, np.array([0.01, 0.05, 0.1, 0.2]))

    for work, limit in ((tables, 0.1), (curve, 0.25)):
        seconds = []
        for _ in range(5):
            start = time.process_time()
            work()
            seconds.append(time.process_time() - start)
        assert min(seconds) < limit


# --- the dimension of a given matrix ----------------------------------------------------------------------------


@pytest.mark.parametrize("inhibition", theory.INHIBITION)
@pytest.mark.parametrize("common", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["binary", "sparse binary", "counts", "signed counts", "reals", "sparse reals"])
def test_dimensions_of_matrices_are_those_of_every_pair(kind, inhibition, common):
    generator = np.random.default_rng(4)
    make = {
        "binary": lambda: naive.wiring(16, 20, 5, generator),
        "sparse binary": lambda: naive.wiring(16, 60, 3, generator),
        "counts": lambda: generator.integers(0, 4, (16, 6)) + np.eye(16, 6, dtype=int),
        "signed counts": lambda: generator.integers(-3, 4, (16, 12)),
        "reals": lambda: naive.wiring(16, 20, 5, generator, generator.standard_exponential),
        "sparse reals": lambda: naive.wiring(16, 60, 3, generator, generator.standard_exponential),
    }
    matrix = make[kind]()
    expected = [naive.matrix_dimension(matrix, level, inhibition, common) for level in (0.05, 0.4)]
    # Where rows are parallel the other way loses digits at the cusp, by clipping.
    assert theory.matrix_dimension(matrix, [0.05, 0.4], inhibition, common) == pytest.approx(expected, rel=2e-4)
    for form in (sparse.csr_array, sparse.coo_matrix):
        value = theory.matrix_dimension(form(matrix), 0.05, inhibition, common)
        assert value == pytest.approx(theory.matrix_dimension(matrix, 0.05, inhibition, common), rel=1e-12)
    scaled = theory.matrix_dimension(matrix * math.pi, 0.05, inhibition, common)
    assert scaled == pytest.approx(theory.matrix_dimension(matrix, 0.05, inhibition, common), rel=1e-7)


def test_blocks_change_nothing(monkeypatch):
    generator = np.random.default_rng(5)
    matrices = [naive.wiring(300, 20, 5, generator), naive.wiring(300, 20, 5, generator, generator.random),
                sparse.csr_array(naive.wiring(300, 100, 5, generator, generator.random))]  # fmt: skip
    whole = [theory.matrix_dimension(matrix, LEVELS, kind) for matrix in matrices for kind in theory.INHIBITION]
    monkeypatch.setattr(theory, "_BLOCK", 300 * 32)
    parts = [theory.matrix_dimension(matrix, LEVELS, kind) for matrix in matrices for kind in theory.INHIBITION]
    assert np.array(parts) == pytest.approx(np.array(whole), rel=1e-12)


@pytest.mark.parametrize("weights", ["binary", "gaussian", "uniform"])
@pytest.mark.parametrize("inhibition", theory.INHIBITION)
def test_random_matrices_have_the_expected_dimension(weights, inhibition):
    # Single matrices of 1500 cells scatter by 0.3% (uniform weights: 0.5%); the mean of four by half of that.
    generator = np.random.default_rng(6)
    draws = {"binary": None, "gaussian": generator.standard_normal, "uniform": generator.random}
    matrices = [naive.wiring(1500, 50, 7, generator, draws[weights]) for _ in range(4)]
    measured = np.mean([theory.matrix_dimension(matrix, 0.1, inhibition) for matrix in matrices])
    assert measured == pytest.approx(theory.dimension(50, 1500, 7, 0.1, inhibition, weights, pairs=2**18), rel=0.015)


@pytest.mark.parametrize("weights", ["binary", "gaussian"])
def test_no_matrix_of_all_pairs_is_formed(weights):
    matrix = naive.wiring(4000, 50, 7, np.random.default_rng(8))
    matrix *= 1.0 if weights == "binary" else np.linspace(1.0, 2.0, 50)
    theory.matrix_dimension(matrix[:50], 0.1, "balanced")
    tracemalloc.start()
    theory.matrix_dimension(matrix, 0.1, "balanced")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6  # all pairs in double precision: 128e6


def test_special_matrices():
    assert theory.matrix_dimension(np.eye(7), 0.1) == 7.0
    assert theory.matrix_dimension(np.ones((7, 3)), 0.1) == 1.0
    assert theory.matrix_dimension([[1.0, 2.0]], 0.1) == 1.0
    assert theory.matrix_dimension(np.array([[True, False], [False, True]]), 0.5, "balanced") == pytest.approx(1.0)


# --- readout ----------------------------------------------------------------------------------------------------

HEBB = [  # N, M, f, P, eps, K (0: dense Gaussian), simulated, its standard error, theory, dimension
    (100, 2000, 0.1, 400, 0.3, 0, 0.1778, 0.0008, 0.1768, 589),
    (100, 2000, 0.05, 400, 0.5, 0, 0.1969, 0.0009, 0.1926, 960),
    (100, 2000, 0.3, 400, 0.5, 0, 0.3021, 0.0028, 0.2985, 260.5),
    (100, 500, 0.1, 100, 0.3, 0, 0.0898, 0.0007, 0.0882, 313),
    (50, 2000, 0.1, 200, 0.3, 7, 0.1769, 0.0009, 0.1765, 295.2),
    (50, 2000, 0.05, 400, 0.3, 7, 0.2072, 0.0009, 0.2033, 504.6),
    (50, 2000, 0.05, 200, 0.6, 7, 0.2352, 0.0011, 0.2284, 504.6),
    (50, 2000, 0.2, 200, 0.3, 7, 0.2311, 0.0009, 0.2320, 172.8),
    (1000, 10_000, 0.05, 2000, 0.7, 0, 0.2457, 0.0017, 0.2479, 6640),
]


def circuit_dimension(glomeruli, cells, claws, level):
    if claws == 0:
        return theory.dimension(glomeruli, cells, glomeruli, level, weights="gaussian")
    return theory.dimension(glomeruli, cells, claws, level, "balanced")


@pytest.mark.parametrize("row", HEBB)
def test_hebbian_errors_are_the_table(row):
    glomeruli, cells, level, odors, amplitude, claws, simulated, stderr, error, dimension = row
    found = circuit_dimension(glomeruli, cells, claws, level)
    # Published dimensions of Gaussian weights are those of one matrix.
    assert found == pytest.approx(dimension, rel=0.003)
    noise = theory.input_noise(amplitude)
    assert theory.hebbian_error(found, odors, noise, level) == pytest.approx(error, abs=0.0003)
    assert theory.hebbian_error(found, odors, noise, level) == pytest.approx(simulated, abs=0.01 + 2.0 * stderr)


def test_hebbian_errors_of_few_active_cells_are_larger():
    dimension = circuit_dimension(100, 2000, 0, 0.01)
    assert dimension == printed(1743, 0)
    error = theory.hebbian_error(dimension, 400, theory.input_noise(0.5), 0.01)
    assert error == printed(0.1625, 3)
    assert error < 0.1817 - 5 * 0.0030


def test_a_coding_level_is_best():
    levels = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
    dimension = theory.dimension(100, 2000, 100, levels, weights="gaussian")
    errors = theory.hebbian_error(dimension, 600, theory.input_noise(0.5), levels)
    assert errors == pytest.approx([0.219, 0.211, 0.213, 0.239, 0.276, 0.315, 0.333, 0.344], abs=0.0011)
    simulated = np.array([0.255, 0.229, 0.233, 0.249, 0.278, 0.314, 0.333, 0.342])
    assert errors[3:] == pytest.approx(simulated[3:], abs=0.02)
    assert levels[errors.argmin()] == 0.01


def test_expansion_lowers_the_error_until_it_saturates():
    cells = 100 * np.array([1, 2, 5, 10, 20, 50, 100])
    dimension = theory.dimension(100, cells, 100, 0.1, weights="gaussian")
    errors = theory.hebbian_error(dimension, 400, theory.input_noise(0.5), 0.1)
    assert errors == pytest.approx([0.388, 0.351, 0.298, 0.261, 0.233, 0.211, 0.202], abs=0.0011)
    simulated = np.array([0.388, 0.339, 0.302, 0.257, 0.223, 0.206, 0.209])  # to 0.003 ... 0.008
    assert errors == pytest.approx(simulated, abs=0.026)


def test_an_explicit_readout_makes_that_error():
    # 60 sets of 200 odors: 5 standard errors of about 0.005, and 0.010 for what the formula leaves out.
    generator = np.random.default_rng(7)
    matrix = naive.wiring(1000, 50, 7, generator)
    matrix -= matrix.mean()
    errors = naive.hebbian_errors(matrix, 0.1, 200, 0.3, 60, generator)
    error = theory.hebbian_error(theory.matrix_dimension(matrix, 0.1), 200, theory.input_noise(0.3), 0.1)
    assert errors.mean() == pytest.approx(error, abs=0.01 + 5.0 * errors.std() / math.sqrt(60))


# Published errors, N = 100, Gaussian weights, eps = 0.5; standard errors 0.005, and 0.003 to 0.008.
BY_LEVEL = {0.005: 0.255, 0.01: 0.229, 0.02: 0.233, 0.05: 0.249, 0.1: 0.278, 0.2: 0.314, 0.3: 0.333, 0.5: 0.342}
BY_EXPANSION = {1: 0.388, 2: 0.339, 5: 0.302, 10: 0.257, 20: 0.223, 50: 0.206, 100: 0.209}


def circuits(count, *settings, seed):
    """Mean over circuits, and its standard error."""
    rng = np.random.default_rng(seed)
    errors = np.array([naive.circuit_errors(*settings, 10, rng) for _ in range(count)])
    return errors.mean(axis=0), errors.std(axis=0, ddof=1) / math.sqrt(count)


def test_readouts_have_the_errors_of_the_table_at_each_coding_level():
    levels = np.array(list(BY_LEVEL))
    found, stderr = circuits(12, 100, 2000, levels, 600, 0.5, seed=21)
    # 4.5 standard errors with 11 degrees of freedom, and of the table: one false alarm in 1000 for the curve.
    assert np.all(np.abs(found - list(BY_LEVEL.values())) < 4.5 * np.hypot(stderr, 0.005))
    dimension = theory.dimension(100, 2000, 100, levels, weights="gaussian")
    errors = theory.hebbian_error(dimension, 600, theory.input_noise(0.5), levels)
    close = levels >= 0.05
    assert np.all(np.abs(found - errors)[close] < 0.01 + 2.0 * stderr[close])
    # A dimension that is 1.3 times as large would be seen.
    planted = theory.hebbian_error(1.3 * dimension, 600, theory.input_noise(0.5), levels)
    assert np.any(np.abs(found - planted)[close] > 0.01 + 4.5 * stderr[close])
    # At 0.02, 0.01 and 0.005 the formula is low, and the lower the sparser.
    low = (found - errors)[2::-1]
    assert np.all(low > 4.5 * stderr[2::-1])
    assert np.all(np.diff(low) > 0.0)


def test_more_cells_do_not_mend_the_formula_of_sparse_codes():
    # M f is 10 and 80: low by 0.012 at both, standard errors 0.002.
    for cells in (500, 4000):
        found, stderr = circuits(8, 100, cells, [0.02], 400, 0.5, seed=23)
        dimension = theory.dimension(100, cells, 100, 0.02, weights="gaussian")
        error = theory.hebbian_error(dimension, 400, theory.input_noise(0.5), 0.02)
        assert found[0] - error == pytest.approx(0.012, abs=0.010)
        assert found[0] - error > 2.0 * stderr[0]


def test_readouts_have_the_errors_of_the_table_at_each_expansion():
    for expansion, published in BY_EXPANSION.items():
        found, stderr = circuits(6, 100, 100 * expansion, [0.1], 400, 0.5, seed=expansion)
        # 5 standard errors, and 4 of the table.
        assert abs(found[0] - published) < 5.0 * stderr[0] + 4.0 * 0.008
        dimension = theory.dimension(100, 100 * expansion, 100, 0.1, weights="gaussian")
        errors = theory.hebbian_error(np.array([1.0, 1.3]) * dimension, 400, theory.input_noise(0.5), 0.1)
        if 100 * expansion * 0.1 >= 50:
            assert abs(found[0] - errors[0]) < 0.01 + 5.0 * stderr[0]
        if expansion >= 20:
            assert abs(found[0] - errors[1]) > 0.01 + 5.0 * stderr[0]


def test_a_readout_of_many_cells_has_the_error_of_the_table():
    # The last row; ten readouts of one circuit err by chance by 0.0031 together, and the table by 0.0017: 4.5 of both.
    found = naive.circuit_errors(1000, 10_000, [0.05], 2000, 0.7, 10, np.random.default_rng(22))
    assert found[0] == pytest.approx(HEBB[-1][6], abs=4.5 * 0.0035)


def test_capacity_is_at_most_that_of_covers_count():
    loads = np.array([1.5, 1.75, 2.0, 2.25, 2.5])
    counted = cover_probability(np.rint(60 * loads).astype(int), 60)
    assert counted == printed([0.999332, 0.929522, 0.5, 0.097428, 0.006856], 6)


# --- arguments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.threshold(0.0), "coding_level: 0.0 is not allowed: should be inside [0, 1]"),
        (lambda: theory.threshold(True), "coding_level: True is not allowed"),
        (lambda: theory.threshold([0.1, math.nan]), "coding_level: nan is not allowed"),
        (lambda: theory.output_correlation(1.1, 0.1), "input_correlation: 1.1 is not allowed: should be in [-1, 1]"),
        (lambda: theory.cluster_noise(-0.1, 0.1), "noise: -0.1 is not allowed"),
        (lambda: theory.input_noise(1.1), "amplitude: 1.1 is not allowed"),
        (lambda: theory.input_noise(0.1, "relative"), "convention: 'relative' is not allowed: should be one of"),
        (lambda: theory.noise_amplitude(1.0, "additive"), "noise: 1.0 is not allowed"),
        (lambda: theory.dimension(50, 2000, 7, 0.1, "strong"), "inhibition: 'strong' is not allowed"),
        (lambda: theory.dimension(50, 2000, 7, 0.1, weights="lognormal"), "weights: 'lognormal' is not allowed"),
        (lambda: theory.dimension(50, 2000, 7.0, 0.1), "claws: 7.0 is not allowed: should be an integer >= 1"),
        (lambda: theory.dimension(50, 2000, [0, 7], 0.1), "claws: 0 is not allowed"),
        (lambda: theory.dimension(50, 0, 7, 0.1), "kenyon_cells: 0 is not allowed"),
        (lambda: theory.dimension(50, 2000, 51, 0.1), "claws: 51 is not allowed: should be at most"),
        (lambda: theory.dimension(50, 2000, 50, 0.1, "balanced"), "claws: 50 is not allowed: balanced weights"),
        (lambda: theory.dimension(50, 2000, 7, 0.1, input_correlation=1.0), "input_correlation: 1.0 is not allowed"),
        (lambda: theory.dimension(50, 2000, 7, 0.1, weights="uniform", pairs=1), "pairs: 1 is not allowed"),
        (lambda: theory.kenyon_cells_of(5, 7), "synapses: 5 is not allowed: should be at least"),
        (lambda: theory.matrix_dimension(np.ones(3), 0.1), "weights: not allowed: should be a matrix"),
        (lambda: theory.matrix_dimension(np.ones((0, 3)), 0.1), "weights: not allowed: should be a matrix"),
        (lambda: theory.matrix_dimension([[1.0, math.inf]], 0.1), "weights: not allowed: should be finite"),
        (lambda: theory.matrix_dimension([[1, 1], [0, 0]], 0.1), "nothing drives the cell of row 1"),
        (lambda: theory.matrix_dimension(np.ones((3, 4)), 0.1, "balanced"), "nothing drives the cell of row 0"),
        (lambda: theory.hebbian_error(0.5, 10, 0.1, 0.1), "dimension: 0.5 is not allowed"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named_in_one_line(call, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        call()
    assert message in str(error.value)
