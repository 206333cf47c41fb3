"""Random patterns: drives and codes have the laws they claim, and what is degenerate is counted."""

import math

import numpy as np
import pytest
from scipy import stats

from simnn import capacity
from simnn.capacity import cpu, model, patterns, solvers, theory
from simnn.device import targets

# Some 60 comparisons below: 1e-8 each keeps false alarms of a run below 1e-6.
FALSE_ALARM = 1e-8

SOURCES = [{}, {"correlation": 0.4}, {"inputs": 6}, {"inputs": 6, "claws": 2}]
CODES = ["rademacher", "relu", "threshold", "winners"]


def binomial_test(fraction, trials, probability):
    """Two-sided probability of so large a deviation; a shift of 6 standard errors fails in all but 4 % of cases."""
    return stats.binomtest(round(float(fraction) * trials), trials, float(probability)).pvalue


def naive_code(drives, ensemble, activity):
    if ensemble == "rademacher":
        return np.where(drives >= 0.0, 1.0, -1.0)
    if ensemble == "relu":
        return np.maximum(drives, 0.0)
    if ensemble == "threshold":
        return (drives > stats.norm.isf(activity)).astype(float)
    ranks = np.argsort(np.argsort(-drives, axis=1, kind="stable"), axis=1)
    return (ranks < round(activity * drives.shape[1])).astype(float)


# --- drives and codes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ensemble", "source"),
    # Independent signs are drawn as bits.
    [(code, source) for code in CODES for source in SOURCES if source or code != "rademacher"],
    ids=str,
)
def test_codes_are_functions_of_the_drives(ensemble, source):
    for trial in range(5):
        given = {"dimension": 20, "load": 3.0, "trial": trial, "seed": 3, **source}
        drives, labels = capacity.draw(**given)
        x, same = capacity.draw(ensemble=ensemble, activity=0.2, **given)
        np.testing.assert_array_equal(x, naive_code(drives, ensemble, 0.2))
        np.testing.assert_array_equal(labels, same)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_drives_are_standard_normal(source):
    # One pattern of each of 4000 sets: drives of a set of claws are correlated.
    x = np.array([capacity.draw(dimension=8, load=0.125, trial=t, seed=4, **source)[0][0] for t in range(4000)])
    assert stats.kstest(x[:, 0], "norm").pvalue > FALSE_ALARM
    assert stats.kstest(x[:, 7], "norm").pvalue > FALSE_ALARM
    between = np.corrcoef(x.T)[~np.eye(8, dtype=bool)]
    expected = source.get("correlation", source.get("claws", 0) / 6)  # two claws meet in the same input
    assert np.abs(between - expected).max() < 7.0 / math.sqrt(4000.0)


def test_combinations_of_a_set_span_its_inputs():
    for claws in (0, 1, 3):
        x, _ = capacity.draw(dimension=30, load=2.0, inputs=5, claws=claws, seed=1)
        assert np.linalg.matrix_rank(x, tol=1e-9) == 5
    # With claws, weights on the inputs are equal: a few distinct rows only.
    x, _ = capacity.draw(dimension=40, load=2.0, inputs=4, claws=3, seed=1)
    assert len(np.unique(x.round(6), axis=1).T) == math.comb(4, 3)


def test_claws_are_distinct_and_uniform():
    space = cpu.space(1, 2000, np.zeros(1, np.int64), patterns.draws(2000, 7))
    law = patterns.Law(1, 2000, source=patterns.CLAWS, claws=3)
    cpu.kernels().raw(law, 0, np.array([1, 0], np.uint64), np.empty((1, 2000)), np.empty(1), space.draws)
    chosen = space.draws.matrix > 0.0
    assert np.all(chosen.sum(axis=1) == 3)
    np.testing.assert_allclose(space.draws.matrix[chosen], 1.0 / math.sqrt(3.0), rtol=1e-15)
    subsets = np.unique(chosen, axis=0, return_counts=True)[1]
    assert len(subsets) == math.comb(7, 3)
    assert stats.chisquare(subsets).pvalue > FALSE_ALARM


def test_a_given_covariance_is_that_of_the_drives():
    rng = np.random.default_rng(2)
    factor = rng.standard_normal((6, 4))
    covariance = factor @ factor.T
    x, _ = capacity.draw(covariance=covariance, load=3000.0, seed=2)
    error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / len(x))
    assert np.abs((x.T @ x / len(x) - covariance) / error).max() < 7.0
    assert np.linalg.matrix_rank(x[:50], tol=1e-9) == 4
    # Thresholds follow the deviation of each drive.
    codes, _ = capacity.draw(covariance=covariance, load=3000.0, ensemble="threshold", activity=0.1, seed=2)
    assert np.abs(codes.mean(axis=0) - 0.1).max() < 7.0 * math.sqrt(0.09 / len(codes))


def test_given_patterns_come_in_random_order_and_once():
    x = np.arange(12.0).reshape(12, 1) + 1.0
    firsts = np.zeros((12, 12))
    for trial in range(1200):
        drawn, _ = capacity.draw(patterns=x, trial=trial, seed=5)
        order = drawn[:, 0].astype(int) - 1
        assert sorted(order) == list(range(12))
        firsts[np.arange(12), order] += 1
        if trial < 5:
            few, _ = capacity.draw(patterns=x, load=7.0, trial=trial, seed=5)
            np.testing.assert_array_equal(few, drawn[:7])
    for row in (*firsts, *firsts.T):
        assert stats.chisquare(row).pvalue > FALSE_ALARM


# --- verdicts on them -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("source", SOURCES, ids=str)
@pytest.mark.parametrize("ensemble", ["gaussian", *CODES])
def test_verdicts_and_counts_are_those_of_the_patterns_drawn(ensemble, source, bias):
    given = {"dimension": 10, "load": 1.2, "ensemble": ensemble, "activity": 0.2, **source}
    ds = capacity.simulate(bias=bias, trials=20, seed=6, keep_trials=True, **given)
    for trial in range(20):
        x, y = capacity.draw(trial=trial, seed=6, **given)
        verdict, row = capacity.separable(x, y, bias), ds.isel(trial=trial)
        assert verdict.status == ("separable" if row.separable_fraction else "not separable")
        same = (x[:, None] == x[None]).all(axis=-1) & np.tri(len(x), k=-1, dtype=bool)
        opposite = same & (y[:, None] != y[None])
        silent = (x == 0.0).all(axis=1)
        assert row.silent_fraction * len(x) == pytest.approx(silent.sum())
        assert row.duplicate_fraction * len(x) == pytest.approx(same.any(axis=1).sum())
        assert row.contradictory_fraction * len(x) == pytest.approx(opposite.any(axis=1).sum())
        assert not (row.separable_fraction and (opposite.any() or (silent.any() and not bias)))


@pytest.mark.parametrize("solver", ["newton", "nearest"])
def test_each_solver_alone_gives_the_same_verdicts(solver):
    given = {"dimension": [5, 20], "load": [1.5, 2.0], "ensemble": ["gaussian", "winners"], "activity": 0.2}
    alone, both = (capacity.simulate(solver=s, trials=50, seed=7, keep_trials=True, **given) for s in (solver, "auto"))
    decided = alone.undecided_fraction == 0.0
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(alone.separable_fraction.where(decided), both.separable_fraction.where(decided))
    assert np.all(both.undecided_fraction == 0.0)
    assert np.all(alone.steps >= 0.0)


def test_stopping_times_and_verdicts_are_of_the_same_patterns():
    for ensemble in CODES:
        given = {
            "dimension": 12, "ensemble": ensemble, "activity": 0.2, "inputs": 8, "trials": 60, "seed": 8,
            "keep_trials": True,
        }  # fmt: skip
        times = capacity.stopping_time(**given).stopping_time.values
        for load in (0.2, 0.5, 1.0, 1.5, 2.0):
            separable = capacity.simulate(load=load, **given).separable_fraction.values
            np.testing.assert_array_equal(separable, times >= round(12 * load))


@pytest.mark.parametrize("bias", [False, True])
def test_margins_of_sparse_patterns_are_those_of_given_data(bias):
    given = {"dimension": 10, "load": 1.0, "ensemble": "threshold", "activity": 0.3}
    ds = capacity.largest_margin(bias=bias, trials=30, seed=9, keep_trials=True, **given)
    assert np.all(ds.undecided_fraction == 0.0)
    assert 0.1 < ds.separable_fraction.mean() < 0.999
    for trial in range(30):
        x, y = capacity.draw(trial=trial, seed=9, **given)
        length = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
        best = capacity.margin(x / length, y, bias)
        if abs(y.sum()) < len(y) or not bias:
            expected = math.sqrt(10.0) * best.margin
            assert ds.largest_margin[trial].item() == pytest.approx(expected, rel=1e-7, abs=1e-9)


# --- capacity ---------------------------------------------------------------------------------------------------


def test_capacity_counts_the_rank_whatever_the_correlations():
    trials = 1000
    rng = np.random.default_rng(1)
    factor = rng.standard_normal((30, 20))
    for given in (
        {"dimension": 20, "correlation": 0.9, "load": 2.0},
        {"dimension": 60, "inputs": 20, "load": 2.0 / 3.0},
        {"dimension": 60, "inputs": 20, "claws": 7, "load": 2.0 / 3.0},
        {"covariance": factor @ factor.T, "load": 4.0 / 3.0},
    ):
        fraction = capacity.simulate(trials=trials, seed=10, **given).separable_fraction
        assert binomial_test(fraction, trials, 0.5) > FALSE_ALARM, given
        # One dimension more would be noticed.
        assert binomial_test(fraction, trials, theory.cover_probability(40, 22)) < 1e-3


@pytest.mark.parametrize(
    ("ensemble", "activity"), [("relu", 0.5), ("threshold", 0.5), ("winners", 0.5), ("winners", 0.2), ("winners", 0.1)]
)
def test_nonlinear_expansions_reach_the_count_of_their_cells(ensemble, activity):
    # 20 inputs, 60 cells. Published: 1.0 / .51 / .00-.02 at P = 96 / 120 / 144.
    trials = 200
    ds = capacity.simulate(
        dimension=60, inputs=20, load=[1.6, 2.0, 2.4], ensemble=ensemble, activity=activity, trials=trials, seed=11
    )
    for load in (1.6, 2.0, 2.4):
        expected = theory.cover_probability(round(60 * load), 60)
        assert binomial_test(ds.separable_fraction.sel(load=load), trials, expected) > FALSE_ALARM


def test_silent_patterns_spoil_sparse_thresholds_and_a_bias_mends_some():
    # 20 inputs, 60 cells, a tenth active: .18-.25 at P = 96 instead of .993; nothing at a twentieth.
    given = {"dimension": 60, "inputs": 20, "load": 1.6, "ensemble": "threshold", "trials": 200, "seed": 12}
    ds = capacity.simulate(activity=[0.05, 0.1], bias=[False, True], **given)
    fraction = ds.separable_fraction.sel(bias=False)
    error = ds.separable_fraction_stderr.sel(bias=False, activity=0.1)
    assert abs(fraction.sel(activity=0.1) - 0.215) < 0.035 + 6.0 * error
    assert fraction.sel(activity=0.05) < 0.02
    assert ds.silent_fraction.sel(activity=0.1, bias=False) > 0.0
    # Patterns that repeat remain.
    assert 0.4 < ds.separable_fraction.sel(activity=0.1, bias=True) < 0.9
    assert ds.contradictory_fraction.sel(activity=0.1, bias=True) > 0.0


@pytest.mark.parametrize(
    ("inputs", "activity", "load", "published", "trials"),
    [
        # CAP3: 80 cells, 7 claws.
        (50, 0.05, 2.0, 0.60, 40), (50, 0.1, 2.0, 0.40, 40), (50, 0.5, 2.0, 0.48, 40),
        (10, 0.05, 1.0, 0.16, 40), (10, 0.1, 1.0, 0.92, 40), (10, 0.1, 2.0, 0.04, 40),
    ],
)  # fmt: skip
def test_kenyon_codes_break_down_where_inputs_are_few(inputs, activity, load, published, trials):
    ds = capacity.simulate(
        dimension=80, inputs=inputs, claws=7, ensemble="winners", activity=activity, load=load, trials=200, seed=13
    )
    table = [
        [round(float(ds.separable_fraction) * 200), round(published * trials)],
        [200 - round(float(ds.separable_fraction) * 200), trials - round(published * trials)],
    ]
    assert stats.fisher_exact(table).pvalue > FALSE_ALARM
    assert ds.undecided_fraction == 0.0
    assert (ds.duplicate_fraction > 0.001) == (inputs == 10)


def agree(fractions, trials, published, of):
    """Whether frequencies are those of a table made of a few trials."""
    return [
        stats.fisher_exact(
            [[round(a * trials), round(b * of)], [trials - round(a * trials), of - round(b * of)]]
        ).pvalue
        > FALSE_ALARM
        for a, b in zip(np.asarray(fractions).tolist(), published, strict=True)
    ]


@pytest.mark.parametrize(
    ("inputs", "claws", "activity", "published"),
    [
        (50, 7, 0.1, (1.0, 0.83, 0.63, 0.03, 0.0)), (50, 7, 0.2, (1.0, 0.90, 0.60, 0.20, 0.0)),
        (20, 5, 0.2, (1.0, 0.83, 0.40, 0.03, 0.0)), (10, 3, 0.2, (0.83, 0.30, 0.13, 0.0, 0.0)),
    ],
)  # fmt: skip
def test_winners_reach_the_published_curves(inputs, claws, activity, published):
    loads = [1.6, 1.8, 2.0, 2.2, 2.4]
    ds = capacity.simulate(
        dimension=100,
        inputs=inputs,
        claws=claws,
        ensemble="winners",
        activity=activity,
        load=loads,
        trials=100,
        seed=15,
    )
    assert all(agree(ds.separable_fraction, 100, published, 30))


@pytest.mark.parametrize(
    ("inputs", "claws", "activity", "published"),
    [
        (20, 5, 0.1, (0.10, 0.03, 0.0, 0.03, 0.0)), (50, 7, 0.1, (0.60, 0.43, 0.20, 0.0, 0.0)),
        (50, 7, 0.2, (1.0, 0.95, 0.65, 0.03, 0.0)),
    ],
)  # fmt: skip
def test_fixed_thresholds_reach_the_published_curves_if_wiring_is_balanced(inputs, claws, activity, published):
    # Inhibition that takes the mean input from each cell; without it, more patterns are silent.
    rng = np.random.default_rng(16)
    wirings = [np.argsort(rng.random((60, inputs)), axis=1) < claws for _ in range(10)]
    fractions = {}
    for mean in (claws / inputs, 0.0):
        runs = [
            capacity.simulate(
                covariance=(wiring - mean) @ (wiring - mean).T, ensemble="threshold", activity=activity,
                load=[1.5, 1.75, 2.0, 2.25, 2.5], trials=20, seed=seed,
            ).separable_fraction.values
            for seed, wiring in enumerate(wirings)
        ]  # fmt: skip
        fractions[mean] = np.mean(runs, axis=0)
    assert all(agree(fractions[claws / inputs], 200, published, 40))
    assert np.all(fractions[0.0][:3] < fractions[claws / inputs][:3])


# --- parity -----------------------------------------------------------------------------------------------------


def test_plain_python_and_compiled_patterns_are_the_same_bits():
    key, given = np.array([7, 0], np.uint64), np.arange(12.0).reshape(4, 3)
    laws = [
        (patterns.Law(3, 5, code, source=source, correlation=0.3, claws=2, level=0.4, winners=2), patterns.draws(5, 4))
        for code in range(5)
        for source in (patterns.INDEPENDENT, patterns.COMMON, patterns.DENSE, patterns.CLAWS)
    ]
    laws.append((patterns.Law(4, 3, patterns.GIVEN), patterns.draws(3, 0, given)))
    laws.append((patterns.Law(4, 4, source=patterns.MATRIX), patterns.draws(4, 0, given)))
    results = []
    for target in (targets.python, targets.strict):
        kernels = cpu.bind(target(np.float64), target(np.float32))
        for law, draws in laws:
            out, labels = np.empty((law.patterns, law.dimension)), np.empty(law.patterns)
            kernels.raw(law, 2, key, out, labels, draws)
            results += [out, labels]
    half = len(results) // 2
    for plain, compiled in zip(results[:half], results[half:], strict=True):
        np.testing.assert_array_equal(plain, compiled)


def test_codes_of_the_model_are_those_of_the_kernels():
    names = {name: getattr(patterns, name.upper()) for name in model.ENSEMBLES}
    assert list(names.values()) == list(range(len(model.ENSEMBLES)))
    assert [getattr(solvers, name.upper()) for name in model.SOLVERS] == [0, 1, 2]
