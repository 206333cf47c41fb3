"""Random patterns: exact in law, independent of how they are run, certified, refused where they make no sense."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numba
import numpy as np
import pytest
from scipy import stats

from simnn import capacity, running
from simnn.capacity import cpu, dense, model, patterns, separability, solvers, theory
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, UNDECIDED
from simnn.device import targets
from tests.naive import separability as naive

# About 60 comparisons of frequencies below: 1e-8 each keeps false alarms of a run of these tests below 1e-6.
FALSE_ALARM = 1e-8


def identical(a, b):
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


def binomial_test(fraction, trials, probability):
    """Two-sided probability of so large a deviation; a shift of 6 standard errors fails in all but 4 % of cases."""
    return stats.binomtest(round(float(fraction) * trials), trials, float(probability)).pvalue


# --- exactness in law -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dimension", [1, 2, 5, 20, 50])
def test_separable_fractions_are_those_of_cover(dimension, bias):
    loads, trials = [1.0, 1.6, 2.0, 2.4], 4000 if dimension < 50 else 600
    ds = capacity.simulate(dimension=dimension, load=loads, bias=bias, trials=trials, seed=1)
    assert np.all(ds.undecided_fraction == 0.0)
    for load in loads:
        expected = theory.cover_probability(round(load * dimension), dimension, bias)
        assert binomial_test(ds.separable_fraction.sel(load=load), trials, expected) > FALSE_ALARM, load


def test_a_wrong_dimension_would_be_noticed():
    fraction = capacity.simulate(dimension=20, load=2.0, trials=4000, seed=1).separable_fraction
    assert binomial_test(fraction, 4000, theory.cover_probability(40, 21)) < FALSE_ALARM


def test_sparse_labels_are_easier_only_with_a_threshold():
    without, free = (
        capacity.simulate(dimension=20, load=2.0, coding_level=0.05, bias=bias, trials=2000, seed=2).separable_fraction
        for bias in (False, True)
    )
    assert binomial_test(without, 2000, 0.5) > FALSE_ALARM
    assert free > 0.99


@pytest.mark.parametrize(
    ("dimension", "load", "constrained"), [(20, 1.0, 1.0), (20, 0.8, 1.0), (20, 1.5, 0.5), (50, 1.0, 1.0)]
)
def test_each_sign_constraint_costs_one_pattern(dimension, load, constrained):
    trials = 4000 if dimension < 50 else 600
    ds = capacity.simulate(dimension=dimension, load=load, constrained=constrained, trials=trials, seed=10)
    patterns, count = round(load * dimension), round(constrained * dimension)
    expected = theory.sign_constrained_probability(patterns, dimension, count)
    assert ds.undecided_fraction == 0.0
    assert binomial_test(ds.separable_fraction, trials, expected) > FALSE_ALARM
    assert binomial_test(ds.separable_fraction, trials, theory.cover_probability(patterns, dimension)) < FALSE_ALARM


def test_patterns_of_signs_are_not_in_general_position_with_the_axes():
    ds = capacity.simulate(dimension=20, load=0.8, constrained=1.0, ensemble="rademacher", trials=1000, seed=10)
    assert abs(ds.separable_fraction - 0.60) < 0.08
    assert theory.sign_constrained_probability(16, 20, 20) > 0.75


def test_sign_constraints_of_sparse_labels_halve_what_a_threshold_can_store():
    # Rubin, Abbott and Sompolinsky 2017; at N = 50 published as 2.079(31) patterns per dimension, 1.9565 at infinite N.
    ds = capacity.stopping_time(dimension=50, bias=True, coding_level=0.1, constrained=1.0, trials=200, seed=11)
    assert ds.undecided_fraction == 0.0
    assert abs(ds.stopping_time / 50 - 2.079) < 5.0 * math.hypot(ds.stopping_time_stderr / 50, 0.031)


def test_patterns_of_signs_follow_cover_when_they_are_many():
    ds = capacity.simulate(dimension=20, load=2.0, ensemble=["gaussian", "rademacher"], trials=4000, seed=3)
    for fraction in ds.separable_fraction.values:
        assert binomial_test(fraction, 4000, 0.5) > FALSE_ALARM


@pytest.mark.parametrize("ensemble", ["gaussian", "rademacher"])
def test_components_and_labels_have_the_right_law(ensemble):
    law = patterns.Law(64, 300, model.ENSEMBLES.index(ensemble), False, 0.3)
    space = cpu.space(64, 300, np.zeros(1, np.int64))
    rows, labels = [], []
    for trial in range(40):
        cpu.kernels().verdicts(law, solvers.AUTO, np.array([5, 0], np.uint64), trial, np.empty((1, 5)), space)
        rows.append(space.rows * space.label[:, None])
        labels.append(space.label.copy())
    x, y = np.concatenate(rows) * math.sqrt(300.0), np.concatenate(labels)
    assert stats.binomtest(int((y > 0).sum()), y.size, 0.3).pvalue > FALSE_ALARM
    assert np.square(x).sum(axis=1) == pytest.approx(300.0, rel=1e-12)
    if ensemble == "rademacher":
        assert np.abs(x) == pytest.approx(1.0, rel=1e-12)
        assert stats.binomtest(int((x > 0).sum()), x.size, 0.5).pvalue > FALSE_ALARM
    else:
        # Components of a random direction: sqrt(N) times a beta variable, with a random sign.
        assert (
            stats.kstest(x.ravel(), lambda v: stats.beta.cdf((1.0 + v / math.sqrt(300.0)) / 2.0, 149.5, 149.5)).pvalue
            > 1e-8
        )
    # Patterns of a set, components, trials: none repeats another one.
    assert np.abs(np.corrcoef(x[:64]) - np.eye(64)).max() < 7.0 / math.sqrt(300.0)
    assert np.abs(np.corrcoef(x.T) - np.eye(300)).max() < 7.0 / math.sqrt(len(x))


def test_verdicts_are_those_of_a_linear_program_on_the_same_patterns():
    space = cpu.space(24, 13, np.zeros(1, np.int64))
    out = np.empty((1, 5))
    for trial in range(60):
        law = patterns.Law(24, 12, trial % 2, True, 0.4)
        cpu.kernels().verdicts(law, solvers.AUTO, np.array([6, 0], np.uint64), trial, out, space)
        assert out[0, 0] == (naive.boxed_margin(space.rows) > 1e-9)


@pytest.mark.parametrize(
    ("dimension", "trials", "mean", "variance"), [(5, 4000, 10, 10), (10, 4000, 20, 20), (20, 2000, 40, 40)]
)
def test_stopping_times_are_negative_binomial(dimension, trials, mean, variance):
    times = capacity.stopping_time(dimension=dimension, trials=trials, seed=4, keep_trials=True).stopping_time.values
    assert np.all(times == np.round(times))
    error = math.sqrt(variance / trials)
    assert abs(times.mean() - mean) < 6.0 * error
    assert times.var() == pytest.approx(variance, rel=6.0 * math.sqrt(2.3 / trials))
    edges = np.array([0, *range(mean - int(1.2 * math.sqrt(mean)), mean + int(2.0 * math.sqrt(mean)), 2), 10 * mean])
    law = theory.stopping_time_probability(np.arange(10 * mean), dimension)
    expected = np.add.reduceat(law, edges[:-1]) * trials
    observed = np.histogram(times, edges)[0]
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > FALSE_ALARM
    # The same law with one dimension more would fail.
    shifted = np.add.reduceat(theory.stopping_time_probability(np.arange(10 * mean), dimension + 1), edges[:-1])
    assert stats.chisquare(observed, shifted * observed.sum() / shifted.sum()).pvalue < FALSE_ALARM


@pytest.mark.parametrize(
    ("bias", "coding_level", "constrained"),
    [(False, 0.5, 0.0), (True, 0.5, 0.0), (True, 0.2, 0.0), (False, 0.5, 0.5), (True, 0.3, 1.0)],
)
def test_stopping_times_and_verdicts_are_of_the_same_patterns(bias, coding_level, constrained):
    given = {
        "dimension": 12, "bias": bias, "coding_level": coding_level, "constrained": constrained, "trials": 200,
        "seed": 5, "keep_trials": True,
    }  # fmt: skip
    times = capacity.stopping_time(**given).stopping_time.values
    for load in (0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5):
        separable = capacity.simulate(load=load, **given).separable_fraction.values
        np.testing.assert_array_equal(separable, times >= round(12 * load))


@pytest.mark.parametrize(
    ("coding_level", "dimension", "published"), [(0.25, 25, 2.515), (0.1, 25, 4.195), (0.05, 25, 6.577)]
)
def test_biased_labels_with_a_threshold_store_more(coding_level, dimension, published):
    ds = capacity.stopping_time(dimension=dimension, bias=True, coding_level=coding_level, trials=600, seed=6)
    assert ds.undecided_fraction == 0.0
    # Published means are of a few hundred realisations, with standard errors up to 1.5 %.
    assert abs(ds.stopping_time / dimension - published) < 6.0 * math.hypot(
        ds.stopping_time_stderr / dimension, 0.015 * published
    )


def test_margins_are_those_of_gardner_with_the_published_corrections():
    published = {0.5: {25: 1.136, 50: 1.066, 100: 1.045}, 1.0: {25: 0.490, 50: 0.493, 100: 0.463}}
    for load, row in published.items():
        for dimension, margin in row.items():
            ds = capacity.largest_margin(dimension=dimension, load=load, trials=300, seed=7)
            assert abs(ds.largest_margin - margin) < 6.0 * math.hypot(ds.largest_margin_stderr, 0.012)
            assert ds.undecided_fraction == 0.0
    for load, margin in ((0.5, 1.037), (1.0, 0.459)):
        ds = capacity.largest_margin(dimension=200, load=load, trials=40, seed=7)
        assert abs(ds.largest_margin - margin) < 6.0 * math.hypot(ds.largest_margin_stderr, 0.014)
    assert abs(ds.support_fraction - theory.support_vector_fraction(1.0)) < 6.0 * ds.support_fraction_stderr + 2.0 / 200


@pytest.mark.parametrize(
    ("dimension", "trials", "published", "error"), [(20, 12000, 0.88, 0.03), (50, 4000, 0.85, 0.05)]
)
def test_margins_near_zero_are_as_rare_as_published(dimension, trials, published, error):
    # At P = 2 N a tolerance of delta for patterns of length 1 would hide a fraction 0.9 N delta of the sets.
    delta = 0.002
    ds = capacity.largest_margin(dimension=dimension, load=2.0, trials=trials, seed=13, keep_trials=True)
    geometric = ds.largest_margin.values / math.sqrt(dimension)
    rate = np.count_nonzero((geometric > 0.0) & (geometric < delta)) / trials / (dimension * delta)
    spread = math.sqrt(0.9 / (trials * dimension * delta))
    assert abs(rate - published) < 6.0 * math.hypot(spread, error)
    assert abs(rate - 0.9) < 6.0 * spread
    # Half as many again, or half of them, would be noticed. Sets whose bounds disagree, which are left out, are rarer.
    assert min(abs(rate - 1.35), abs(rate - 0.45)) > 6.0 * spread
    assert ds.undecided_fraction.mean() < 1e-3


def test_margins_of_a_set_are_those_of_the_function_for_given_data():
    for bias in (False, True):
        law, space = patterns.Law(9, 6, 0, bias, 0.5), cpu.space(9, 6 + bias, np.zeros(1, np.int64))
        out = np.empty((1, 4))
        for trial in range(30):
            cpu.kernels().margins(law, np.array([8, 0], np.uint64), trial, out, space)
            x = space.rows[:, :6] * space.label[:, None]
            best = capacity.margin(x, space.label, bias)
            assert out[0, 0] == pytest.approx(math.sqrt(6.0) * best.margin, rel=1e-7, abs=1e-12)
            assert out[0, 0] <= out[0, 1] * (1.0 + 1e-12)


@pytest.mark.parametrize(("bias", "constrained"), [(False, 0.0), (False, 0.7), (True, 1.0)])
def test_a_prescribed_margin_is_kept_by_those_whose_largest_is_larger(bias, constrained):
    given = {
        "dimension": 15, "load": 1.0, "bias": bias, "constrained": constrained, "trials": 100, "seed": 9,
        "keep_trials": True,
    }  # fmt: skip
    largest = capacity.largest_margin(**given).largest_margin
    ds = capacity.simulate(margin=[0.0, 0.2, 0.5, 0.9], **given)
    for margin in (0.2, 0.5, 0.9):
        np.testing.assert_array_equal(ds.separable_fraction.sel(margin=margin), largest >= margin)
    if not bias:  # else lengths matter, which a margin refers to
        np.testing.assert_array_equal(ds.separable_fraction.sel(margin=0.0), largest > 0.0)
    assert np.all(ds.undecided_fraction == 0.0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("constrained", [1, 4, 9])
def test_margins_with_constraints_are_those_of_a_program_on_the_same_patterns(bias, constrained):
    law, out, compared = patterns.Law(9, 9, 0, bias, 0.5, constrained), np.empty((1, 4)), 0
    space = cpu.space(constrained + 9, 9 + bias, np.zeros(1, np.int64))
    for trial in range(40):
        cpu.kernels().margins(law, np.array([8, 0], np.uint64), trial, out, space)
        label, w = space.label[constrained:], space.work.w
        x = space.rows[constrained:, :9] * label[:, None]
        if out[0, 0] > 0.0 and abs(label.sum()) < 9:
            assert w[:constrained].min() >= 0.0
            fields = label * (x @ w[:9])
            low, high = fields[label < 0.0].min(), fields[label > 0.0].min()
            kept = 0.5 * (low + high) if bias else min(low, high)
            assert out[0, 0] == pytest.approx(3.0 * kept / np.linalg.norm(w[:9]), rel=1e-9)
            assert out[0, 0] <= out[0, 1] * (1.0 + 1e-12)
            assert out[0, 0] == pytest.approx(3.0 * naive.largest_margin(x, label, bias, constrained), rel=1e-5)
            assert out[0, 3] == np.count_nonzero(w[:constrained] < 1e-9)
            compared += 1
    assert compared > 5


@pytest.mark.parametrize(
    ("load", "bias", "coding_level", "constrained"),
    [(0.5, False, 0.5, 1.0), (0.5, False, 0.5, 0.5), (0.8, True, 0.2, 0.5), (1.0, True, 0.1, 1.0)],
)
def test_margins_with_constraints_are_those_of_gordon_s_comparison(load, bias, coding_level, constrained):
    given = {"load": load, "bias": bias, "coding_level": coding_level, "constrained": constrained, "seed": 12}
    small, large = (
        capacity.largest_margin(dimension=n, trials=trials, **given) for n, trials in ((40, 400), (160, 60))
    )
    # What is left at 1/N = 0. Normal deviations beyond 6 have probability 2e-9.
    limit = (4.0 * large.largest_margin - small.largest_margin) / 3.0
    error = math.hypot(4.0 * large.largest_margin_stderr, small.largest_margin_stderr) / 3.0
    assert abs(limit - theory.gardner_margin(load, coding_level, constrained)) < 6.0 * error
    # Constraints that cost nothing, or one dimension each, would be noticed.
    assert abs(limit - theory.gardner_margin(load, coding_level)) > 6.0 * error
    assert abs(limit - theory.gardner_margin(load / (1.0 - 0.9 * constrained), coding_level)) > 6.0 * error
    half = large.zero_weight_fraction
    assert abs(half - 0.5) < 6.0 * large.zero_weight_fraction_stderr + 1.0 / 160
    assert large.undecided_fraction == 0.0
    assert np.isnan(capacity.largest_margin(dimension=5, trials=2).zero_weight_fraction)


def test_a_single_class_with_a_threshold_has_no_largest_margin():
    ds = capacity.largest_margin(dimension=3, load=1.0, bias=True, coding_level=1.0, trials=3)
    assert np.isnan(ds.largest_margin)
    assert np.isnan(ds.support_fraction)
    assert ds.separable_fraction == 1.0
    assert ds.undecided_fraction == 0.0
    assert capacity.simulate(dimension=3, load=1.0, bias=True, coding_level=1.0, margin=9.0).separable_fraction == 1.0


# --- independence of threads, slices, order -----------------------------------------------------------------------

SWEEP = {"dimension": [3, 17], "load": [1.5, 2.0], "bias": [False, True]}
CALLS = {
    "simulate": lambda **given: capacity.simulate(**SWEEP, margin=[0.0, 0.3], **given),
    "largest_margin": lambda **given: capacity.largest_margin(**SWEEP, constrained=[0.0, 0.6], **given),
    "winners": lambda **given: capacity.simulate(
        dimension=[8, 17], ensemble=["relu", "winners"], inputs=[5, 6], claws=[0, 2], activity=0.2, **given
    ),
    "balls": lambda **given: capacity.stopping_time(dimension=[7, 17], extent=[1, 3], radius=[0.2, 0.5], **given),
    "stopping_time": lambda **given: capacity.stopping_time(dimension=[3, 17], bias=[False, True], **given),
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("slice_seconds", [0.0, 0.001, 10.0])
@pytest.mark.parametrize("name", CALLS)
def test_bits_do_not_depend_on_threads_or_slices(monkeypatch, name, threads, slice_seconds):
    reference = CALLS[name](trials=23, seed=9)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr(running, "SLICE_SECONDS", slice_seconds)
    identical(reference, CALLS[name](trials=23, seed=9))


@pytest.mark.parametrize("name", CALLS)
def test_trials_are_numbered(name):
    few, many = (CALLS[name](trials=trials, seed=1, keep_trials=True) for trials in (3, 8))
    identical(few, many.isel(trial=slice(3)))
    identical(CALLS[name](trials=5, first_trial=3, seed=1, keep_trials=True), many.isel(trial=slice(3, None)))
    mean = CALLS[name](trials=8, seed=1)
    for statistic in many.data_vars:
        np.testing.assert_allclose(mean[statistic], many[statistic].mean("trial"), rtol=1e-12, atol=1e-15)
        known = many[statistic].count("trial")
        stderr = many[statistic].std("trial", ddof=1) / np.sqrt(known)
        np.testing.assert_allclose(mean[f"{statistic}_stderr"], stderr.where(known > 1), rtol=1e-9, atol=1e-12)


def test_a_point_of_a_sweep_is_the_same_alone():
    sweep = capacity.simulate(**SWEEP, trials=5, seed=1)
    alone = capacity.simulate(dimension=17, load=2.0, bias=True, trials=5, seed=1)
    identical(alone, sweep.sel(dimension=17, load=2.0, bias=True))


def test_a_larger_load_adds_patterns():
    ds = capacity.simulate(dimension=9, load=list(np.arange(1.0, 4.0, 0.25)), trials=50, seed=1, keep_trials=True)
    assert np.all(ds.separable_fraction.diff("load") <= 0.0)


def test_different_seeds_give_different_patterns():
    a, b = (capacity.largest_margin(dimension=9, trials=2, seed=seed).largest_margin for seed in (1, 2**33 + 1))
    assert a != b


def test_plain_python_and_compiled_kernels_are_the_same_bits():
    def run(double, single):
        kernels, key, results = cpu.bind(double, single), np.array([7, 0], np.uint64), []
        for ensemble, bias in ((0, False), (1, True)):
            law, space = patterns.Law(9, 4, ensemble, bias, 0.5), cpu.space(9, 4 + bias, np.zeros(1, np.int64))
            verdicts, margins = np.empty((4, 5)), np.empty((4, 4))
            kernels.verdicts(law, solvers.AUTO, key, 3, verdicts, space)
            kernels.margins(law, key, 3, margins, space)
            results += [verdicts, margins, space.rows, space.work.multiplier, space.work.gram]
        return results

    plain = run(targets.python(np.float64), targets.python(np.float32))
    compiled = run(targets.strict(np.float64), targets.strict(np.float32))
    for a, b in zip(plain, compiled, strict=True):
        np.testing.assert_array_equal(a, b)


def test_given_data_are_judged_alike_in_plain_python():
    rng = np.random.default_rng(2)
    plain = cpu.bind(targets.python(np.float64), targets.python(np.float32))
    for count, size in ((2, 1), (4, 3), (9, 4), (7, 5)):
        patterns, labels = rng.standard_normal((count, size)), rng.integers(0, 2, count)
        rows = naive.signed(patterns, labels)
        data = cpu.Data(rows, np.empty(count), np.empty(count, int), np.empty(size, int), np.empty((2, size)))
        weights, multipliers, none = np.empty(size), np.empty(count), np.empty((0, 0))
        assert plain.balance(data) == -1
        problem = cpu.problem(count, size, np.zeros(1, np.int64))
        answer, bound = plain.judge(data, data.rows, none, problem, weights, multipliers)
        verdict = capacity.separable(patterns, labels)
        assert {SEPARABLE: "separable", NOT_SEPARABLE: "not separable"}[answer] == verdict.status
        certificate = weights if answer == SEPARABLE else multipliers
        np.testing.assert_allclose(certificate, verdict.certificate, atol=1e-9)
        assert bound == pytest.approx(verdict.bound, abs=1e-11)


# --- the solvers' linear algebra ----------------------------------------------------------------------------------


def full(matrix, size):
    rows = range(size)
    upper = [
        [matrix[k // dense.TILE, j * dense.STRIDE + k % dense.TILE] if k >= j else 0.0 for k in rows] for j in rows
    ]
    return np.array(upper)


@pytest.mark.parametrize(
    ("count", "size"), [(1, 1), (3, 2), (8, 8), (17, 9), (41, 20), (150, 127), (140, 128), (140, 131), (300, 260)]
)
def test_factors_and_solutions_are_those_of_numpy(count, size):
    algebra, rng = dense.bind(targets.cpu(np.float64)), np.random.default_rng(size)
    rows, sign, index = rng.standard_normal((count, size)), rng.choice([-1.0, 1.0], count), rng.permutation(count)
    panels, gram, factor = dense.panels(count, size), dense.symmetric(size), dense.symmetric(size)
    go = np.zeros(1, np.int64)
    algebra.add_gram(sign, index, count, rows, panels, gram, go)
    chosen = rows[index]
    np.testing.assert_allclose(full(gram, size), np.triu(chosen.T @ (sign[:, None] * chosen)), atol=1e-13 * count)
    algebra.clear(gram)
    algebra.add_gram(np.ones(count), index, count, rows, panels, gram, go)
    matrix = rows.T @ rows + 0.5 * np.eye(size)
    assert algebra.trace(size, gram) == pytest.approx(np.trace(matrix) - 0.5 * size, rel=1e-13)
    assert algebra.factorise(size, 0.5, gram, panels, factor, go)
    np.testing.assert_allclose(full(factor, size), np.linalg.cholesky(matrix).T, rtol=1e-10, atol=1e-11 * count)
    x = rng.standard_normal(size)
    solution = x.copy()
    algebra.solve(factor, solution)
    np.testing.assert_allclose(matrix @ solution, x, atol=1e-12 * count)
    assert not algebra.factorise(size, -1e9, gram, panels, factor, go)
    assert not algebra.factorise(size, 0.5, gram, panels, factor, go + 1)
    out = np.empty(size)
    algebra.combine(sign, index, count, rows, out)
    np.testing.assert_allclose(out, sign @ chosen, atol=1e-13 * count)
    assert algebra.dot(x, solution) == pytest.approx(x @ solution, abs=1e-13 * count)


def test_work_that_is_not_wanted_stays_undecided():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((60, 30))
    space = cpu.space(60, 30, np.ones(1, np.int64))
    columns, norm = np.ascontiguousarray(rows.T), np.linalg.norm(rows, axis=1)
    verdict, *_ = cpu.kernels().nearest(rows, columns, norm, norm, norm, norm, False, False, space.work)
    assert verdict == UNDECIDED
    out = np.empty((2, 5))
    cpu.kernels().verdicts(patterns.Law(60, 30), solvers.AUTO, np.array([1, 0], np.uint64), 0, out, space)
    assert np.all(out[:, 0] == UNDECIDED)


# --- datasets and what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_datasets_describe_themselves(name):
    ds = CALLS[name](trials=2)
    for variable in (*ds.data_vars, *ds.coords):
        assert ds[variable].attrs["units"] == "1", variable
        assert ds[variable].attrs["long_name"], variable
    parameters = json.loads(ds.attrs["parameters"])
    assert parameters["dimension"] == ds.dimension.values.tolist()
    assert ("load" in parameters, "margin" in parameters) == {
        "simulate": (True, True), "largest_margin": (True, False), "stopping_time": (False, False),
        "winners": (True, True), "balls": (False, False),
    }[name]  # fmt: skip


def test_dimensions_come_in_the_order_given():
    ds = capacity.simulate(load=[1.0, 2.0], ensemble=["gaussian"], dimension=[2, 3, 4], trials=2)
    assert ds.separable_fraction.dims == ("load", "ensemble", "dimension")
    assert capacity.simulate(dimension=np.array([2, 3]), load=np.float64(1.5), trials=2).sizes == {"dimension": 2}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dimension": 0}, "dimension: 0 is not allowed: should be greater than or equal to 1"),
        ({"dimension": 2.5}, "dimension: 2.5 is not allowed: should be a valid integer"),
        ({"dimension": []}, "dimension: an empty sequence"),
        ({"dimension": [3, 3]}, "dimension: .3, 3. repeats a value"),
        ({"load": -1.0}, "load: -1.0 is not allowed"),
        ({"load": math.nan}, "load: nan is not allowed"),
        ({"load": 0.1, "dimension": 3}, "load: 0.1 is not allowed with dimension 3"),
        ({"load": np.ones((2, 2))}, r"load: shape \(2, 2\) is not allowed: should be a scalar or 1-D"),
        ({"ensemble": "cauchy"}, "ensemble: 'cauchy' is not allowed: should be 'gaussian', 'rademacher', 'relu'"),
        ({"bias": 1}, "bias: 1 is not allowed: should be a valid boolean"),
        ({"coding_level": 1.5}, "coding_level: 1.5 is not allowed"),
        ({"margin": -0.1}, "margin: -0.1 is not allowed"),
        ({"constrained": 1.5}, "constrained: 1.5 is not allowed"),
        ({"solver": "simplex"}, "solver: 'simplex' is not allowed: should be 'auto', 'newton' or 'nearest'"),
        ({"activity": 0.0}, "activity: 0.0 is not allowed"),
        ({"ensemble": "winners", "activity": 0.01, "dimension": 20}, "activity: 0.01 is not allowed with dimension 20"),
        ({"correlation": 1.0}, "correlation: 1.0 is not allowed"),
        ({"correlation": 0.5, "inputs": 5}, "correlation: 0.5 is not allowed with inputs 5"),
        ({"extent": 2, "radius": 0.1, "ensemble": "relu"}, "ensemble: 'relu' is not allowed with extent 2"),
        ({"extent": 2, "margin": 0.1}, "extent: 2 is not allowed with a margin"),
        ({"extent": 5, "dimension": 5}, "extent: 5 is not allowed with dimension 5"),
        ({"radius": 0.1}, "radius: 0.1 is not allowed with extent 0: patterns are points"),
        ({"claws": 6, "inputs": 5}, "claws: 6 is not allowed with inputs 5: that is more than there are"),
        ({"ensemble": "given"}, "load: 2.0 is not allowed: that is 200 patterns of 0"),
        ({"patterns": np.eye(3), "load": 2.0}, "load: 2.0 is not allowed: that is 6 patterns of 3"),
        ({"patterns": np.eye(3), "dimension": 3}, "dimension: not allowed with patterns"),
        ({"patterns": np.eye(3), "inputs": 3}, "inputs: not allowed with patterns"),
        ({"patterns": [1.0, 2.0]}, r"patterns: shape \(2,\) is not allowed"),
        ({"patterns": [[np.nan]]}, r"patterns: nan at \[0, 0\] is not allowed"),
        ({"patterns": np.eye(3), "covariance": np.eye(3)}, "patterns: not allowed with covariance"),
        ({"covariance": np.ones((2, 3))}, r"covariance: shape \(2, 3\) is not allowed"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "covariance: an eigenvalue -1 is not allowed"),
        ({"covariance": np.eye(3), "correlation": 0.1}, "correlation: not allowed with covariance"),
        ({"trials": 0}, "trials: 0 is not allowed"),
        ({"first_trial": 2**32 - 1, "trials": 2}, "trials: 2 is not allowed"),
        ({"backend": "cuda", "extent": 2}, "backend: 'cuda' is not allowed with extent 2"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        capacity.simulate(**given)
    assert "\n" not in str(error.value)


def test_a_class_that_never_ends_is_refused():
    for given in ({"bias": True}, {"ensemble": "threshold"}):
        with pytest.raises(ValueError, match=r"^coding_level: 1.0 is not allowed with a threshold"):
            capacity.stopping_time(coding_level=1.0, **given)


def test_unknown_names_are_refused():
    with pytest.raises(TypeError, match="loads"):
        capacity.simulate(loads=2.0)
    with pytest.raises(TypeError, match="margin"):
        capacity.largest_margin(margin=1.0)
    with pytest.raises(ValueError, match=r"^loads: unknown parameter"):
        model.validate({"loads": 2.0})


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(MemoryError, match="GiB"):
        capacity.simulate(dimension=2**20, load=2.0)


def test_validation_gives_every_value_its_type():
    assert model.validate({"dimension": [5], "load": 2, "bias": True, "trials": 3}) == {
        "dimension": [5], "load": 2.0, "bias": True, "trials": 3
    }  # fmt: skip


def test_interrupt_is_heard_inside_one_large_problem():
    program = "from simnn import capacity; print('go', flush=True); capacity.simulate(dimension=1500, trials=100)"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "go\n"
    time.sleep(4.0)
    start = time.perf_counter()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert time.perf_counter() - start < 10.0


@pytest.mark.parametrize("function", ["separable", "margin"])
def test_interrupt_is_heard_while_data_that_are_given_are_decided(function):
    program = f"""
import numpy as np
from simnn import capacity
rng = np.random.default_rng(0)
x, y = rng.standard_normal((5000, 2500)), rng.integers(0, 2, 5000)
capacity.{function}(np.eye(2), [0, 1])  # loads the kernels
print("go", flush=True)
try:
    capacity.{function}(x, y)
except KeyboardInterrupt:
    print("heard", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "go\n"
        time.sleep(1.5)
        start = time.perf_counter()
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "heard\n"
        assert time.perf_counter() - start < 1.0
        # The kernel is told to stop: alone it would go on for many seconds.
        assert process.wait(timeout=60) == 0
        assert time.perf_counter() - start < 8.0


def test_solvers_stop_when_their_work_is_not_wanted():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((400, 200)), rng.choice([-1.0, 1.0], 400)
    for call in (separability._verdict, separability.checked_margin):
        assert call(x, y, False, np.zeros(1, np.int64)).status == "not separable"
        assert call(x, y, False, np.ones(1, np.int64)).status == "undecided"


def test_large_problems_run_on_a_thread_of_their_own(monkeypatch):
    seen = []
    monkeypatch.setattr(separability, "interruptible", lambda run: seen.append(run) or run(np.zeros(1, np.int64)))
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((500, 400)), rng.integers(0, 2, 500)
    for call in (capacity.separable, capacity.margin):
        for bias in (False, True):
            assert call(x, y, bias).status == call(x[:100], y[:100], bias).status == "separable"
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"solver": "nearest"}, "solver 'nearest'"),
        ({"extent": 2, "radius": 0.1}, "extent 2"),
    ],
)
def test_what_a_gpu_does_not_do_is_refused_by_name(parameters, named):
    with pytest.raises(ValueError, match=f"backend: 'cuda' is not allowed with {named}, only with .*; use 'cpu'"):
        capacity.simulate(**parameters, backend="cuda")
    assert model.without_cuda(model.Experiment(ensemble="winners", inputs=5, constrained=0.5, margin=0.1)) is None
