"""Closed forms of random wirings with given degrees: enumerated at small sizes, drawn at large ones, and measured."""

import itertools
import math

import numpy as np
import pytest
from scipy import special

from simnn import olfaction
from simnn.olfaction import degree_laws, nulls, synthetic, theory

LEVELS = np.array([0.05, 0.1])
ODDS = np.array([0.2, 0.5, 1.0, 1.7, 3.0])


def sets(odds, k):
    """All sets of k glomeruli as rows of zeros and ones, and their probabilities."""
    rows = np.array([[i in chosen for i in range(len(odds))] for chosen in itertools.combinations(range(len(odds)), k)])
    chances = np.where(rows, odds, 1.0).prod(axis=1)
    return rows, chances / chances.sum()


def test_inclusions_are_those_of_all_sets():
    found = degree_laws.inclusions(ODDS, 5)
    for k in range(6):
        rows, chances = sets(ODDS, k)
        np.testing.assert_allclose(found[:, k], chances @ rows, rtol=1e-12)


def test_overlaps_are_those_of_all_pairs_of_sets():
    law = degree_laws.overlaps(ODDS, 4)
    for a, b in itertools.product(range(5), repeat=2):
        (one, p), (other, q) = sets(ODDS, a), sets(ODDS, b)
        shared = one.astype(int) @ other.T.astype(int)
        expected = [np.outer(p, q)[shared == o].sum() for o in range(5)]
        np.testing.assert_allclose(law[a, b], expected, atol=1e-14)


def test_overlaps_of_equal_odds_are_hypergeometric():
    law = degree_laws.overlaps(np.full(57, 0.3), 12)
    for a, b in ((1, 1), (5, 5), (3, 12), (12, 12)):
        o = np.arange(min(a, b) + 1)
        exact = [math.comb(a, k) * math.comb(57 - a, b - k) / math.comb(57, b) for k in o.tolist()]
        np.testing.assert_allclose(law[a, b, : len(o)], exact, rtol=1e-12)


@pytest.mark.parametrize("inhibition", ["none", "balanced"])
def test_equal_degrees_have_the_dimension_of_the_binary_ensemble(inhibition):
    cells_with = np.zeros(8, int)
    cells_with[7] = 2000
    found = degree_laws.dimension(np.full(50, 280.0), cells_with, LEVELS, inhibition, fixed=False)
    np.testing.assert_allclose(found, theory.dimension(50, 2000, 7, LEVELS, inhibition), rtol=1e-12)
    published = {"none": (235.22, 143.52), "balanced": (504.61, 295.19)}[inhibition]
    np.testing.assert_allclose(found, published, atol=0.005)


def test_odds_give_the_fan_out_they_are_asked_for():
    cells_with, fan_out = np.array([0, 40, 30, 30]), np.array([70.0, 55.0, 30.0, 20.0, 10.0, 5.0])
    odds = degree_laws.odds_of(fan_out, cells_with)
    np.testing.assert_allclose(degree_laws.inclusions(odds, 3) @ cells_with, fan_out, rtol=1e-11)


@pytest.mark.parametrize("fan_out", [[100.0, 40.0, 50.0], [0.0, 90.0, 100.0], [60.0, 60.0, 60.0], [-5.0, 95.0, 100.0]])
def test_fan_outs_out_of_reach_are_refused(fan_out):
    with pytest.raises(ValueError, match=r"^fan_out: not allowed"):
        degree_laws.odds_of(fan_out, np.array([0, 10, 90]))


def test_draws_that_follow_the_fan_out_are_enumerated():
    # Two draws without replacement of three glomeruli: first by rate, then among the others.
    rate = np.array([5.0, 3.0, 2.0])
    share = rate / rate.sum()
    second = [sum(share[j] * share[i] / (1.0 - share[j]) for j in range(3) if j != i) for i in range(3)]
    mean, variance = degree_laws.drawn_fan_out(rate, np.array([0, 4, 6]))
    np.testing.assert_allclose(mean, 4.0 * share + 6.0 * (share + second), rtol=1e-6)
    both = share + second
    np.testing.assert_allclose(variance, 4.0 * share * (1.0 - share) + 6.0 * both * (1.0 - both), rtol=1e-6)


def skewed(cells):
    """Degrees of a small synthetic wiring."""
    wiring = (olfaction.synthetic_connectome(cells, 40, claws=4.0, fan_out_spread=0.6, seed=5) > 0).values
    return wiring, wiring.sum(axis=0), np.bincount(wiring.sum(axis=1))


@pytest.mark.parametrize("inhibition", ["none", "balanced"])
def test_curveball_has_the_dimension_of_its_degrees(inhibition):
    """60 draws; two levels within 4.5 standard errors (false alarm 2e-5); without 1 / M it is 7 to 12 off."""
    wiring, fan_out, cells_with = skewed(400)
    found = np.array([theory.matrix_dimension(nulls.curveball(wiring, seed=s), LEVELS, inhibition) for s in range(60)])
    stderr = found.std(axis=0, ddof=1) / np.sqrt(60.0)
    expected = degree_laws.dimension(fan_out, cells_with, LEVELS, inhibition)
    order = (len(fan_out) / fan_out.sum()) ** 2
    assert np.all(np.abs(found.mean(axis=0) - expected) < 4.5 * stderr + order * expected)
    naive = degree_laws.dimension(fan_out, cells_with, LEVELS, inhibition, fixed=False)
    assert np.all(found.mean(axis=0) - naive > 4.0 * stderr)


def pairs_of_four(fan_out):
    """Exact mean and variance of the pairs of 4 glomeruli that share cells, where each cell has two: all 6 numbers."""
    f = np.asarray(fan_out)
    s01, s02 = np.meshgrid(*2 * [np.arange(f[0] + 1)], indexing="ij")
    s12 = (f[0] + f[1] + f[2] - f[3]) // 2 - s01 - s02
    shared = np.array([s01, s02, f[0] - s01 - s02, s12, f[1] - s01 - s12, f[2] - s02 - s12])
    # Ways to deal so many cells with each pair of glomeruli.
    ways = np.where(shared.min(axis=0) >= 0, -special.gammaln(np.maximum(shared, 0) + 1.0).sum(axis=0), -np.inf)
    chances = np.exp(ways - ways.max()) / np.exp(ways - ways.max()).sum()
    mean = (chances * shared).sum(axis=(1, 2))
    return mean, (chances * shared**2).sum(axis=(1, 2)) - mean**2


@pytest.mark.parametrize("cells", [40, 160, 640])
@pytest.mark.parametrize("share", [(0.25, 0.25, 0.25, 0.25), (0.4, 0.3, 0.2, 0.1)])
def test_shared_cells_are_enumerated_to_first_order(cells, share):
    fan_out = np.rint(np.array(share) * 2 * cells).astype(int)
    mean, variance = pairs_of_four(fan_out)
    upper = np.triu_indices(4, 1)
    found, spread = (law[upper] for law in degree_laws.shared_cells(fan_out, [0, 0, cells]))
    np.testing.assert_allclose(found, mean, atol=0.02)
    np.testing.assert_allclose(spread / variance, 1.0, atol=1.0 / cells)
    assert np.abs(spread / variance - 1.0).max() > 0.2 / cells


def test_shared_cells_without_a_choice_have_no_variance():
    """Of three glomeruli, a cell with two lacks one; a cell with one shares nothing; a cell with all is certain."""
    fan_out = np.array([30.0, 50.0, 40.0])
    for extra in (0, 7):
        mean, variance = degree_laws.shared_cells(fan_out + extra, [0, 0, 60, extra])
        np.testing.assert_allclose(mean[np.triu_indices(3, 1)], np.array([20.0, 10.0, 30.0]) + extra, rtol=1e-10)
        np.testing.assert_array_equal(variance, 0.0)
        np.testing.assert_array_equal(np.diag(mean), fan_out + extra)
    mean, variance = degree_laws.shared_cells(fan_out, [0, 120])
    np.testing.assert_allclose(mean, np.diag(fan_out), atol=1e-12)
    np.testing.assert_array_equal(variance, 0.0)


def test_shared_cells_agree_with_inclusions_however_unequal_cells_are():
    """Cells with 1 to 50 of 57 inputs: what a glomerulus shares with all others, and what all share."""
    cells_with = np.r_[0, np.full(10, 100), np.zeros(38, int), 1, 1]
    fan_out = np.linspace(1.0, 9.0, 57)
    fan_out *= cells_with @ np.arange(51) / fan_out.sum()
    mean, variance = degree_laws.shared_cells(fan_out, cells_with)
    others = degree_laws.inclusions(degree_laws.odds_of(fan_out, cells_with), 50) @ (cells_with * (np.arange(51) - 1))
    np.testing.assert_allclose(mean.sum(axis=1) - fan_out, others, rtol=1e-11)
    np.testing.assert_array_equal(variance, variance.T)
    assert np.all(variance[~np.eye(57, dtype=bool)] > 0.0)


def test_curveball_shares_the_cells_that_its_degrees_say():
    """80 draws; mean chi squares of 780 pairs and of the draws within 5 of their errors (false alarm 1e-6)."""
    wiring, fan_out, cells_with = skewed(200)
    mean, variance = degree_laws.shared_cells(fan_out, cells_with)
    upper = np.triu_indices(len(fan_out), 1)
    shared = np.array([nulls.shared_cells(nulls.curveball(wiring, sweeps=40, seed=s))[upper] for s in range(80)])
    scores = (shared - mean[upper]) / np.sqrt(variance[upper])
    assert np.mean(80.0 * np.square(scores.mean(axis=0))) == pytest.approx(1.0, abs=5.0 * np.sqrt(2.0 / 780.0))
    squares = np.square(scores).mean(axis=1)
    assert squares.mean() == pytest.approx(1.0, abs=5.0 * squares.std() / np.sqrt(80.0) + 1.0 / 200.0)
    # Cells that do not know each other, with the same odds, vary more: given fan-outs explain a sixth.
    odds, inputs = degree_laws.odds_of(fan_out, cells_with), wiring.sum(axis=1)
    rows = [synthetic._independent_rows(np.random.default_rng(s), odds, inputs) for s in range(80)]
    free = np.array([nulls.shared_cells(row)[upper] for row in rows])
    assert np.mean(free.var(axis=0) / variance[upper]) == pytest.approx(1.2, abs=0.1)


def test_fan_outs_of_frequency_weighted_draws():
    """200 draws; 40 means within 5 standard errors (false alarm 2e-5)."""
    wiring, fan_out, cells_with = skewed(400)
    found = np.mean([nulls.frequency_weighted(wiring, seed=s).sum(axis=0) for s in range(200)], axis=0)
    mean, variance = degree_laws.drawn_fan_out(fan_out, cells_with)
    assert mean.sum() == pytest.approx(fan_out.sum(), rel=1e-6)
    assert np.all(np.abs(found - mean) < 5.0 * np.sqrt(variance / 200.0))
    assert degree_laws.spread(mean) < degree_laws.spread(fan_out)


def test_the_hemibrain_has_the_published_nulls(measured):
    connectome = olfaction.load_connectome(
        measured("hemibrain_pnkc/conn_PNKC.csv"),
        neurons=measured("hemibrain_pnkc/neuron_PNKC.csv"), threshold=5, unconnected="drop",
    )  # fmt: skip
    wiring = (connectome.values > 0)[:, connectome.values.any(axis=0)]
    fan_out, cells_with = wiring.sum(axis=0), np.bincount(wiring.sum(axis=1))
    # Means of 8 curveball wirings with errors .5 / sqrt(8) and .3 / sqrt(8).
    degrees = degree_laws.dimension(fan_out, cells_with, LEVELS)
    np.testing.assert_allclose(degrees, (216.9, 137.4), atol=0.4)
    uniform = degree_laws.dimension(np.full(57, fan_out.mean()), cells_with, LEVELS, fixed=False)
    np.testing.assert_allclose(uniform, (316.6, 200.8), atol=0.5)
    np.testing.assert_allclose(1.0 - degrees / uniform, 0.32, atol=0.01)
    np.testing.assert_allclose(1.0 - theory.matrix_dimension(wiring, LEVELS) / degrees, 0.075, atol=0.01)
