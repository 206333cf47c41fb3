"""Statistics of codes against definitions, and against circuits whose dimension is known."""

import math

import numpy as np
import pytest

from simnn.olfaction import statistics, theory
from tests.naive import olfaction as naive


@pytest.fixture
def small():
    return np.random.default_rng(0).random((8, 6)) < 0.4


def ratio_of_traces(codes):
    covariance = np.cov(np.asarray(codes, float).T)
    return np.trace(covariance) ** 2 / np.trace(covariance @ covariance)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_estimators_take_every_kind_of_code(small, kind):
    codes = small.astype(kind)
    raw = ratio_of_traces(small)
    assert statistics.raw_dimension(codes) == pytest.approx(raw, rel=1e-13)
    assert statistics.corrected_dimension(codes) == pytest.approx(1.0 / (1.0 / raw - 1.0 / 8), rel=1e-13)
    assert statistics.pair_dimension(codes) == pytest.approx(naive.pair_dimension(np.asarray(small, float)), rel=1e-11)
    centred = small - 0.4
    gram, different = centred @ centred.T, ~np.eye(8, dtype=bool)
    expected = np.outer(np.diag(gram), np.diag(gram))[different].sum() / np.square(gram)[different].sum()
    for level in (0.4, np.full(6, 0.4)):
        assert statistics.pair_dimension(codes, level) == pytest.approx(expected, rel=1e-12)


def test_more_cells_than_odors_and_fewer_agree_with_the_definition():
    generator = np.random.default_rng(1)
    for shape in ((30, 200), (200, 30)):
        codes = generator.standard_normal(shape) * generator.random(shape[1]) + 100.0
        assert statistics.raw_dimension(codes) == pytest.approx(ratio_of_traces(codes), rel=1e-11)


def test_tiles_change_nothing(monkeypatch):
    codes = np.random.default_rng(2).random((150, 170)) < 0.2
    estimates = (
        statistics.raw_dimension,
        statistics.pair_dimension,
        lambda x: statistics.pair_dimension(x, 0.2),
        lambda x: statistics.raw_dimension(x.T),
    )
    whole = [estimate(codes) for estimate in estimates]
    monkeypatch.setattr(statistics, "_TILE", 1000)
    assert [estimate(codes) for estimate in estimates] == pytest.approx(whole, rel=1e-12)


# The matrix of the fly with balanced weights: N = 50, M = 2000, K = 7, f = 0.1.


@pytest.fixture(scope="module")
def circuit():
    matrix = naive.wiring(2000, 50, 7, np.random.default_rng(3))
    matrix -= matrix.mean()
    return matrix, theory.matrix_dimension(matrix, 0.1)


@pytest.mark.parametrize(
    # Published for one matrix of dimension 294.7, the raw estimate and the corrected one for that of 295.2: mean of the
    # pair estimate and its scatter between samples.
    ("odors", "samples", "raw", "corrected", "pair", "scatter"),
    [(50, 40, None, None, 296.5, 11.3), (100, 30, 72, 258, 292.9, 7.6), (500, 6, 183, 288.5, 295.1, 3.0)],
)
def test_estimates_have_the_published_bias(circuit, odors, samples, raw, corrected, pair, scatter):
    matrix, dimension = circuit
    generator = np.random.default_rng(odors)
    sets = [naive.codes(matrix, generator.standard_normal((odors, 50)), 0.1) for _ in range(samples)]
    assert pair == pytest.approx(294.7, abs=3.0)
    for known in (0.1, None):
        estimates = np.array([statistics.pair_dimension(codes, known) for codes in sets])
        # 5 standard errors with the published scatter, times 1.4 for its own error: false alarm 1e-6 or less each.
        assert estimates.mean() == pytest.approx(dimension, abs=5.0 * 1.4 * scatter / math.sqrt(samples))
        assert 0.5 * scatter < estimates.std(ddof=1) < 2.0 * scatter
    if raw is not None:
        measured = np.mean([statistics.raw_dimension(codes) for codes in sets])
        assert measured == pytest.approx(raw, rel=0.01)
        assert np.mean([statistics.corrected_dimension(codes) for codes in sets]) == pytest.approx(corrected, rel=0.025)


@pytest.mark.parametrize(
    ("claws", "inhibition", "published"),
    [(1, "none", 48.71), (3, "none", 193.1), (7, "none", 142.8), (15, "none", 46.5), (7, "balanced", 294.8)],
)
def test_simulated_circuits_have_the_dimension_of_theory(claws, inhibition, published):
    # Published from 20000 odors. 2000 here: the scatter of the estimate is 1%, and that of matrices 0.3%; within 4%.
    generator = np.random.default_rng(claws)
    matrix = naive.wiring(2000, 50, claws, generator)
    matrix -= matrix.mean() * (inhibition == "balanced")
    codes = naive.codes(matrix, generator.standard_normal((2000, 50)), 0.1)
    expected = theory.dimension(50, 2000, claws, 0.1, inhibition)
    assert published == pytest.approx(expected, rel=0.04)
    assert statistics.pair_dimension(codes, 0.1) == pytest.approx(expected, rel=0.04)


def test_estimates_without_variation_or_with_too_little():
    assert math.isnan(statistics.raw_dimension(np.full((5, 3), 0.1)))
    assert math.isnan(statistics.corrected_dimension(np.zeros((5, 3), bool)))
    assert math.isnan(statistics.pair_dimension(np.full((5, 3), 0.1)))
    assert math.isnan(statistics.pair_dimension(np.zeros((5, 3)), 0.0))
    assert statistics.pair_dimension(np.eye(2), 0.0) == math.inf  # two codes without a common cell


# --- sparseness -------------------------------------------------------------------------------------------------


def test_sparseness_of_binary_codes_is_their_activity():
    codes = np.random.default_rng(4).random((40, 30)) < 0.2
    active = codes.mean(axis=1)
    assert statistics.activity_ratio(codes) == pytest.approx(active, rel=1e-13)
    assert statistics.population_sparseness(codes) == pytest.approx((1 - active) / (1 - 1 / 30), rel=1e-12)
    over_odors = codes.mean(axis=0)
    assert statistics.activity_ratio(codes, axis=0) == pytest.approx(over_odors, rel=1e-13)
    assert statistics.lifetime_sparseness(codes) == pytest.approx((1 - over_odors) / (1 - 1 / 40), rel=1e-12)


def test_sparseness_of_rates():
    rates = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 5.0, 0.0], [3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert statistics.population_sparseness(rates) == pytest.approx([0.0, 1.0, 0.8, math.nan], nan_ok=True)
    assert statistics.lifetime_sparseness(rates) == pytest.approx(statistics.population_sparseness(rates.T))
    # Exponential rates: <r>^2 / <r^2> = 1/2.
    rates = np.random.default_rng(5).exponential(size=(2, 100_000))
    assert statistics.activity_ratio(rates) == pytest.approx(0.5, abs=0.01)


def test_small_integers_do_not_overflow():
    rates = np.full((2, 300), 200, np.uint8)
    assert statistics.activity_ratio(rates) == pytest.approx(1.0)
    codes = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]], np.uint8)
    assert statistics.raw_dimension(codes) == pytest.approx(ratio_of_traces(codes), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.raw_dimension(np.ones(3)), "codes: not allowed: should be a matrix of numbers"),
        (lambda: statistics.raw_dimension(np.ones((1, 3))), "should hold at least 2 odors, not 1"),
        (lambda: statistics.pair_dimension(np.ones((3, 3))), "should hold at least 4 odors, not 3"),
        (lambda: statistics.raw_dimension([[1.0, math.nan], [0.0, 1.0]]), "codes: not allowed: should be finite"),
        (lambda: statistics.raw_dimension([["a"], ["b"]]), "codes: not allowed: should be a matrix of numbers"),
        (lambda: statistics.pair_dimension(np.eye(4), [0.1, 0.2]), "coding_level: not allowed: should be one finite"),
        (lambda: statistics.population_sparseness([[-1.0, 1.0]]), "sparseness is that of responses >= 0"),
        (lambda: statistics.population_sparseness([[1.0], [2.0]]), "at least two values to compare"),
        (lambda: statistics.activity_ratio(np.eye(2), axis=2), "axis: 2 is not allowed"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(call, message):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        call()
    assert message in str(error.value)
