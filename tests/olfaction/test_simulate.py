"""Simulated circuits: against dense oracles trial by trial, against closed forms and published numbers, however run."""

import json
import math
import os
import pathlib
import subprocess
import sys

import numba
import numpy as np
import pytest
from scipy import stats
from sklearn import svm

from simnn import capacity, olfaction, running
from simnn.olfaction import model, statistics, theory
from tests.naive import olfaction as naive
from tests.naive import separability as naive_margins

# About 80 comparisons of means below, at 6 standard errors each: a false alarm in 1 of 6e6 runs of these tests.
SIGMAS = 6.0


def identical(a, b):
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


# --- one trial, step by step --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsening", ["cell", "global", "winners"])
@pytest.mark.parametrize(
    ("inhibition", "convention", "correlation"),
    [("none", "normalised", 0.0), ("balanced", "additive", 0.0), ("none", "additive", 0.2)],
)
def test_a_trial_is_what_dense_matrices_give(sparsening, inhibition, convention, correlation):
    drawn = {"glomeruli": 20, "odors": 150, "channel_correlation": correlation, "trial": 4, "seed": 5}
    given = {"kenyon_cells": 130, "claws": 5, "weights": "cortical", "inhibition": inhibition, "glomeruli": 20}
    level, rho, noise = 0.1, 0.7, 0.2
    ds = olfaction.simulate(
        **given, sparsening=sparsening, coding_level=level, odors=150, input_correlation=rho, noise=noise,
        convention=convention, channel_correlation=correlation, pairs=100, trials=1, first_trial=4, seed=5,
    )  # fmt: skip
    amplitude = theory.noise_amplitude(noise, convention)
    copies = {"keep": 1.0 - noise if convention == "normalised" else 1.0, "add": amplitude, "column": 2}
    partners = {"keep": rho, "add": math.sqrt(1.0 - rho * rho), "column": 1}
    wiring = olfaction.draw_wiring(**given, trial=4, seed=5)
    law = {"thresholds": None}
    if sparsening != "winners":
        law["thresholds"] = olfaction.gaussian_thresholds(
            wiring, level, sparsening=sparsening, channel_correlation=correlation
        )
    code, partner, noisy = (
        olfaction.encode(
            olfaction.draw_odors(**drawn, **what), wiring, level, sparsening=sparsening, packed=False, **law
        ).astype(float)
        for what in ({}, partners, copies)
    )
    by_odor, by_cell = code.mean(axis=1), code.mean(axis=0)
    weights = wiring.sparse().toarray() - (wiring.mean if inhibition == "balanced" else 0.0)
    drives = [olfaction.draw_odors(**drawn, **what)[:100].astype(float) @ weights.T for what in ({}, partners)]
    assert float(ds.drive_correlation) == pytest.approx(naive.correlation(*drives), abs=2e-6)
    expected = {
        "dimension": statistics.pair_dimension(code[:100]),
        "raw_dimension": statistics.raw_dimension(code[:100]),
        "output_correlation": naive.correlation(code, partner),
        "cluster_noise": 1.0 - naive.correlation(code, noisy),
        "activity": code.mean(),
        "odor_activity_deviation": by_odor.std(),
        "cell_activity_deviation": by_cell.std(),
        "silent_fraction": np.mean(by_cell == 0.0),
        "silent_odor_fraction": np.mean(by_odor == 0.0),
        "population_sparseness": np.nanmean(statistics.population_sparseness(code)),
        "lifetime_sparseness": np.nanmean(statistics.lifetime_sparseness(code)),
    }
    for name, value in expected.items():
        assert float(ds[name]) == pytest.approx(value, rel=1e-10), name
    labels = labels_of(150, 4, 5)
    assert float(ds.readout_error) == pytest.approx(naive.wrong_answers(code, noisy, labels, level), abs=1e-12)


@pytest.mark.parametrize("convention", ["normalised", "additive"])
def test_all_members_of_a_cluster_count(convention):
    given, level = {"kenyon_cells": 130, "claws": 5, "glomeruli": 20}, 0.1
    drawn = {"glomeruli": 20, "odors": 150, "trial": 4, "seed": 5}
    call = given | {"odors": 150, "noise": 0.2, "convention": convention, "seed": 5, "trials": 1, "first_trial": 4}
    ds = olfaction.simulate(**call, coding_level=level, members=[1, 4])
    wiring = olfaction.draw_wiring(**given, trial=4, seed=5)
    add = theory.noise_amplitude(0.2, convention)
    keep, law = 0.8 if convention == "normalised" else 1.0, olfaction.gaussian_thresholds(wiring, level)
    odors = [olfaction.draw_odors(**drawn)]
    odors += [olfaction.draw_odors(**drawn, keep=keep, add=add, column=column) for column in (2, 5, 6, 7)]
    code, *noisy = (olfaction.encode(x, wiring, thresholds=law, packed=False).astype(float) for x in odors)
    labels = labels_of(150, 4, 5)
    for members in (1, 4):
        at, centres, copies = ds.sel(members=members), np.tile(code, (members, 1)), np.concatenate(noisy[:members])
        assert at.cluster_noise == pytest.approx(1.0 - naive.correlation(centres, copies), rel=1e-10)
        wrong = np.mean([naive.wrong_answers(code, copy, labels, level) for copy in noisy[:members]])
        assert at.readout_error == pytest.approx(wrong, abs=1e-12)
    identical(ds.sel(members=1), olfaction.simulate(**call, coding_level=level))


def test_members_make_noise_more_certain():
    """Deviations between trials of the same odors: copies are half of what varies here, at least."""
    call = {"kenyon_cells": 500, "odors": 50, "noise": 0.3, "pairs": 4, "trials": 100, "seed": 8}
    ds = olfaction.simulate(**call, members=[1, 16])
    one, many = ds.sel(members=1), ds.sel(members=16)
    for name in ("cluster_noise", "readout_error"):
        assert abs(one[name] - many[name]) < SIGMAS * one[f"{name}_stderr"]
        assert many[f"{name}_stderr"] < 0.75 * one[f"{name}_stderr"]


def labels_of(count, trial, seed):
    from simnn.device import philox, targets
    from simnn.olfaction import cpu

    label, key = np.empty(count, np.int8), np.array([seed, 0], np.uint64)
    cpu.bound().learn(np.zeros((count, 1), np.uint64), 0, trial, key, label, np.zeros(64, int), np.zeros(64, int))
    words = philox.bind(targets.python(np.float32)).philox4x32(
        *map(np.uint64, (1, trial, 0, philox.ODORS * philox.COLUMNS + 3)), *key
    )
    assert label[4:8].tolist() == [1 if int(word) >= 2**31 else -1 for word in words]
    return label.astype(float)


def test_odors_and_their_copies_have_their_law():
    x, partner, copy = (
        olfaction.draw_odors(glomeruli=5, odors=40000, channel_correlation=0.3, **what).astype(float)
        for what in ({}, {"keep": 0.6, "add": 0.8, "column": 1}, {"keep": 1.0, "add": 0.5, "column": 2})
    )
    both = np.cov(np.hstack([x, partner, copy]).T)
    one = 0.7 * np.eye(5) + 0.3
    expected = np.kron([[1.0, 0.6, 1.0], [0.6, 1.0, 0.6], [1.0, 0.6, 1.25]], one)
    # Sample covariances of normal numbers: variance C_ij^2 + C_ii C_jj over the number of odors.
    spread = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / 40000)
    assert np.all(np.abs(both - expected) < SIGMAS * spread)
    assert np.all(np.abs(x.mean(axis=0)) < SIGMAS / 200.0)
    assert stats.kstest(x[:, 0], "norm").pvalue > 1e-8


def test_odors_do_not_depend_on_their_number():
    few, many = (olfaction.draw_odors(glomeruli=7, odors=odors, trial=3, seed=2**33) for odors in (70, 300))
    np.testing.assert_array_equal(few, many[:70])


def test_chunks_of_odors_change_nothing(monkeypatch):
    call = {"kenyon_cells": 70, "odors": 300, "trials": 2, "sparsening": ["cell", "winners"]}
    reference = olfaction.simulate(**call)
    monkeypatch.setattr(sys.modules["simnn.olfaction.simulate"], "_CHUNK", 128)
    identical(reference, olfaction.simulate(**call))


# --- theory and published numbers ---------------------------------------------------------------------------------


def test_dimensions_are_those_of_theory():
    given = {"claws": [1, 3, 7, 15], "coding_level": [0.05, 0.1], "odors": 1500, "pairs": 1500, "trials": 16}
    for inhibition in ("none", "balanced"):
        ds = olfaction.simulate(**given, inhibition=inhibition, seed=1)
        expected = theory.dimension(50, 2000, np.array([[1], [3], [7], [15]]), np.array([0.05, 0.1]), inhibition)
        tolerance = SIGMAS * ds.dimension_stderr + 0.002 * expected
        assert np.all(np.abs(ds.dimension - expected) < tolerance)
        assert not np.any(np.abs(ds.dimension - 1.3 * expected) < tolerance)
        assert np.all(ds.raw_dimension < ds.dimension)
        if inhibition == "balanced":
            # What one matrix and a few thousand odors may differ by; without inhibition a few directions dominate.
            np.testing.assert_allclose(ds.dimension, expected, rtol=0.04)


def test_the_estimate_of_the_dimension_does_not_depend_on_the_number_of_odors():
    for pairs in (50, 100, 500):
        ds = olfaction.simulate(inhibition="balanced", odors=pairs, pairs=pairs, trials=8000 // pairs, seed=2)
        # A ratio of unbiased estimates: its bias falls as the inverse of the number of pairs, 0.8% at 50 odors.
        assert abs(ds.dimension - 295.19) < 4.0 * ds.dimension_stderr + 400.0 / pairs
        assert ds.raw_dimension < (150.0 if pairs <= 100 else 200.0)


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_dense_gaussian_weights_have_their_dimension(level):
    ds = olfaction.simulate(
        glomeruli=20, kenyon_cells=300, claws=0, weights="gaussian", coding_level=level, odors=1000, trials=8, seed=3
    )
    expected = theory.dimension(20, 300, 20, level, weights="gaussian")
    assert abs(ds.dimension - expected) < SIGMAS * ds.dimension_stderr + 0.005 * expected


@pytest.mark.parametrize("weights", ["cerebellar", "cortical", "uniform", "halfnormal"])
def test_other_weights_have_their_dimension(weights):
    ds = olfaction.simulate(weights=weights, odors=1000, trials=6, inhibition=["none", "balanced"], seed=4)
    for inhibition in ("none", "balanced"):
        found, expected = ds.sel(inhibition=inhibition), theory.dimension(50, 2000, 7, 0.1, inhibition, weights)
        assert abs(found.dimension - expected) < SIGMAS * found.dimension_stderr + 0.01 * expected


def test_global_thresholds_and_winners_have_the_published_dimensions():
    ds = olfaction.simulate(
        inhibition=["none", "balanced"], sparsening=["cell", "global", "winners"], odors=2000, pairs=2000, trials=4
    )
    published = [[141.0, 144.0, 305.0], [295.5, 295.5, 305.0]]
    np.testing.assert_allclose(ds.dimension, published, rtol=0.04)
    winners = ds.sel(sparsening="winners").drop_vars(["drive_correlation", "drive_correlation_stderr"])
    identical(winners.sel(inhibition="none"), winners.sel(inhibition="balanced"))
    assert np.all(winners.activity == 0.1)
    assert np.all(winners.odor_activity_deviation < 1e-15)


def test_correlations_of_codes_are_those_of_theory():
    rho = [0.2, 0.5, 0.8, 0.95]
    ds = olfaction.simulate(
        inhibition="balanced", coding_level=0.05, input_correlation=rho, odors=10000, pairs=4, trials=4
    )
    np.testing.assert_allclose(ds.output_correlation, theory.output_correlation(rho, 0.05), atol=0.0025)
    assert np.all(np.abs(ds.output_correlation - theory.output_correlation(rho, 0.055)) > 0.0005)
    assert np.any(np.abs(ds.output_correlation - theory.output_correlation(rho, 0.055)) > 0.0025)
    # One network of this size, published: within its tolerance.
    np.testing.assert_allclose(ds.output_correlation, [0.0532, 0.2100, 0.4696, 0.7341], atol=0.01)
    ends = olfaction.simulate(kenyon_cells=100, input_correlation=[-1.0, 0.0, 1.0], odors=20000, pairs=4, trials=2)
    assert ends.output_correlation.sel(input_correlation=1.0) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(ends.output_correlation[:2], [-0.1 / 0.9, 0.0], atol=0.005)


@pytest.mark.parametrize("given", [
    {}, {"inhibition": "balanced"}, {"weights": "cortical"}, {"channel_correlation": 0.3},
    {"claws": 0, "weights": "gaussian"},
])  # fmt: skip
def test_the_projection_alone_keeps_correlations(given):
    rho = [-0.5, 0.2, 0.5, 0.8, 1.0]
    ds = olfaction.simulate(**given, kenyon_cells=500, input_correlation=rho, odors=2000, pairs=2000, trials=8, seed=7)
    rho, found, error = np.array(rho), ds.drive_correlation, ds.drive_correlation_stderr
    # The sample correlation is biased by rho (1 - rho^2) / (2 P) per independent direction, of which there are several.
    assert np.all(np.abs(found - rho) < SIGMAS * error + 1e-3)
    assert np.all(error < 0.02)
    assert found.sel(input_correlation=1.0) == pytest.approx(1.0, abs=1e-9)
    assert np.all(ds.output_correlation[1:4] < found[1:4] - 0.03)


def test_drives_of_given_odors_have_the_correlation_of_their_covariances():
    """Noise of partners is independent from channel to channel, so that of their covariance rho^2 remains."""
    rng = np.random.default_rng(12)
    rates = rng.gamma(2.0, 20.0, (3000, 3)) @ rng.random((3, 15))
    ds = olfaction.simulate(
        responses=rates, kenyon_cells=200, claws=4, input_correlation=0.6, pairs=3000, trials=6, keep_trials=True
    )
    covariance = np.cov(rates.T)
    for trial in range(6):
        weights = olfaction.draw_wiring(glomeruli=15, kenyon_cells=200, claws=4, trial=trial).sparse().toarray()
        gram = weights.T @ weights
        own, alone = np.trace(gram @ covariance), np.diag(gram) @ np.diag(covariance)
        expected = 0.6 * own / math.sqrt(own * (0.36 * own + 0.64 * alone))
        # Deviations of correlations of 3000 odors: about (1 - r^2) / sqrt(3000), 0.01.
        assert ds.drive_correlation[trial] == pytest.approx(expected, abs=0.05)
        assert abs(expected - 0.6) > 0.1


def test_noise_of_clusters_is_amplified_as_in_theory():
    noise = [0.01, 0.046061, 0.2, 0.5]
    ds = olfaction.simulate(
        inhibition="balanced", coding_level=[0.05, 0.1, 0.5], noise=noise, odors=10000, pairs=4, trials=4
    )
    expected = theory.cluster_noise(np.array(noise), np.array([[0.05], [0.1], [0.5]]))
    np.testing.assert_allclose(ds.cluster_noise, expected, atol=0.004)
    assert not np.any(np.abs(ds.cluster_noise - 1.1 * expected) < 0.004)
    np.testing.assert_allclose(ds.cluster_noise.sel(noise=0.046061), [0.261167, 0.235518, 0.193973], atol=0.004)


# Published simulations: (glomeruli, cells, coding level, odors, eps, claws), error and its standard error.
READOUTS = [
    ((100, 2000, 0.1, 400, 0.3, 0), 0.1778, 0.0008),
    ((100, 2000, 0.05, 400, 0.5, 0), 0.1969, 0.0009),
    ((100, 2000, 0.3, 400, 0.5, 0), 0.3021, 0.0028),
    ((100, 500, 0.1, 100, 0.3, 0), 0.0898, 0.0007),
    ((50, 2000, 0.1, 200, 0.3, 7), 0.1769, 0.0009),
    ((50, 2000, 0.05, 400, 0.3, 7), 0.2072, 0.0009),
    ((50, 2000, 0.05, 200, 0.6, 7), 0.2352, 0.0011),
    ((50, 2000, 0.2, 200, 0.3, 7), 0.2311, 0.0009),
    ((100, 2000, 0.01, 400, 0.5, 0), 0.1817, 0.0030),
]


@pytest.mark.parametrize(("case", "published", "error"), READOUTS)
def test_errors_of_readouts_are_the_published_ones(case, published, error):
    glomeruli, cells, level, odors, amplitude, claws = case
    weights, inhibition = ("binary", "balanced") if claws else ("gaussian", "none")
    ds = olfaction.simulate(
        glomeruli=glomeruli, kenyon_cells=cells, claws=claws, weights=weights, inhibition=inhibition,
        coding_level=level, odors=odors, noise=theory.input_noise(amplitude), pairs=4, trials=60, seed=6,
    )  # fmt: skip
    deviation = math.hypot(float(ds.readout_error_stderr), error)
    assert abs(ds.readout_error - published) < 4.0 * deviation
    if level >= 0.05:
        size = theory.dimension(glomeruli, cells, claws or glomeruli, level, inhibition, weights)
        predicted = theory.hebbian_error(size, odors, theory.input_noise(amplitude), level)
        assert abs(ds.readout_error - predicted) < 0.010 + 2.0 * ds.readout_error_stderr


# --- measured odors and wirings -----------------------------------------------------------------------------------

HALLEM_CARLSON = "hallem_carlson_2006/Hallem_Carlson_2006_drosolf.csv"

# Of 20 wirings: raw dimension and its standard deviation over them, for thresholds of cells, one for all, and winners.
MEASURED = {
    "receptors": ((6.65, 3.97, 41.6), (0.09, 0.06, 0.8)),
    "projection neurons": ((47.8, 23.8, 41.7), (0.9, 0.7, 0.9)),
}


@pytest.mark.parametrize("layer", MEASURED)
def test_measured_odors_have_the_published_dimensions(measured, layer):
    rates = olfaction.load_odors(measured(HALLEM_CARLSON), negative="clip").rate.values
    ds = olfaction.simulate(
        responses=rates,
        normalization="divisive" if layer == "projection neurons" else "none",
        coding_level=0.05,
        sparsening=["cell", "global", "winners"],
        pairs=110,
        trials=20,
    )
    dimensions, deviations = map(np.array, MEASURED[layer])
    # Two means over 20 wirings each.
    assert np.all(np.abs(ds.raw_dimension - dimensions) < 4.0 * deviations * math.sqrt(2.0 / 20.0))
    silent = {"receptors": (67 / 110, 72 / 110, 0.0), "projection neurons": (0.0, 0.0, 0.0)}[layer]
    np.testing.assert_allclose(ds.silent_odor_fraction, silent, atol=0.02)
    shared = {"receptors": 0.23, "projection neurons": 0.27}[layer]
    assert ds.silent_fraction.sel(sparsening="global") == pytest.approx(shared, abs=0.01)
    assert ds.silent_fraction.sel(sparsening="cell") == 0.0
    # 5.5 odors of 110 cannot be; ties take a little, except from winners.
    np.testing.assert_allclose(ds.activity, [6 / 110, 0.05, 0.05], atol=1e-3)
    assert ds.activity.sel(sparsening="winners") == 0.05


def test_given_odors_are_drawn_without_replacement():
    responses = np.random.default_rng(7).gamma(2.0, 20.0, (60, 24)).round()
    call = {"responses": responses, "kenyon_cells": 100, "claws": 4, "pairs": 60}
    every = olfaction.simulate(**call, trials=2, keep_trials=True)
    wiring = olfaction.draw_wiring(glomeruli=24, kenyon_cells=100, claws=4)
    code = olfaction.encode(responses, wiring, 0.1, packed=False)
    assert every.raw_dimension[0] == pytest.approx(statistics.raw_dimension(code), rel=1e-10)
    assert every.activity[0] == pytest.approx(code.mean(), rel=1e-12)
    some = olfaction.simulate(**call, odors=[20, 59], trials=3, sparsening="winners", noise=0.0, input_correlation=1.0)
    assert np.all(np.abs(some.cluster_noise) < 1e-12)
    assert np.all(np.abs(some.output_correlation - 1.0) < 1e-12)
    assert some.raw_dimension[0] < some.raw_dimension[1]


def test_given_connections_and_frequencies():
    rng = np.random.default_rng(8)
    wiring = (rng.random((300, 30)) < 0.2) * 1.0
    wiring[:, 0] = 1.0
    ds = olfaction.simulate(connections=wiring, inhibition=["none", "balanced"], odors=2000, pairs=2000, trials=4)
    expected = [theory.matrix_dimension(wiring, 0.1, inhibition) for inhibition in ("none", "balanced")]
    np.testing.assert_allclose(ds.dimension, expected, rtol=0.04)
    skewed, even = (
        olfaction.simulate(frequencies=shares, kenyon_cells=500, odors=500, trials=4).dimension
        for shares in (np.arange(1.0, 51.0) ** 2, np.ones(50))
    )
    assert skewed < 0.8 * even


@pytest.mark.parametrize("sparsening", ["cell", "global", "winners"])
@pytest.mark.parametrize(("convention", "gain"), [("normalised", 10.63), ("additive", 0.0)])
def test_normalised_circuits_are_what_the_chain_of_layers_gives(sparsening, convention, gain):
    rates = np.random.default_rng(21).gamma(1.5, 30.0, (150, 24)).astype(np.float32)
    given = {"kenyon_cells": 130, "claws": 5, "weights": "cortical"}
    level, rho, noise, run = 0.1, 0.6, 0.2, {"trial": 3, "seed": 5}
    ds = olfaction.simulate(
        responses=rates, odors=140, **given, normalization="divisive", input_gain=gain, sparsening=sparsening,
        coding_level=level, input_correlation=rho, noise=noise, convention=convention, trials=1, first_trial=3, seed=5,
    )  # fmt: skip
    module = sys.modules["simnn.olfaction.simulate"]
    experiment = model.Experiment(glomeruli=24, odors=140, claws=5)
    order = module._source(experiment, rates, 3, np.array([5, 0], np.uint64)).order
    assert sorted(set(order)) == sorted(order)
    everything = rates.astype(float)
    eta = [olfaction.draw_odors(glomeruli=24, odors=140, keep=0.0, add=1.0, column=column, **run) for column in (1, 2)]
    kept = 1.0 - noise if convention == "normalised" else 1.0
    how = [(rho, math.sqrt(1.0 - rho**2)), (kept, theory.noise_amplitude(noise, convention))]
    mean, deviation = everything.mean(axis=0), everything.std(axis=0)
    receptors = [everything[order]]
    receptors += [
        mean + keep * (receptors[0] - mean) + add * deviation * n for (keep, add), n in zip(how, eta, strict=True)
    ]
    wires = olfaction.draw_wiring(glomeruli=24, **given, **run).sparse().toarray()
    drives, *others = (naive.projection_neurons(layer, gain) @ wires.T for layer in receptors)
    code, partner, noisy = (c.astype(float) for c in naive.given_codes(drives, others, level, sparsening))
    assert (receptors[2] < 0.0).mean() > 0.01
    assert float(ds.drive_correlation) == pytest.approx(naive.correlation(drives, others[0]), abs=1e-5)
    expected = {
        "raw_dimension": statistics.raw_dimension(code),
        "output_correlation": naive.correlation(code, partner),
        "cluster_noise": 1.0 - naive.correlation(code, noisy),
        "activity": code.mean(),
        "odor_activity_deviation": code.mean(axis=1).std(),
        "readout_error": naive.wrong_answers(code, noisy, labels_of(140, 3, 5), level),
    }
    for name, value in expected.items():
        assert float(ds[name]) == pytest.approx(value, rel=1e-10), name


def test_normalization_inside_is_that_of_projection_neurons():
    rates = np.random.default_rng(22).gamma(1.5, 30.0, (60, 24)).round()
    call = {"kenyon_cells": 200, "claws": 5, "sparsening": ["cell", "global", "winners"], "trials": 3}
    names = ["raw_dimension", "activity", "silent_odor_fraction", "population_sparseness"]
    for gain in (0.0, 10.63, 40.0):
        before = np.asarray(olfaction.projection_neurons(rates, input_gain=gain))
        inside = olfaction.simulate(responses=rates, normalization="divisive", input_gain=gain, **call)
        outside = olfaction.simulate(responses=before, **call)
        for name in names:
            np.testing.assert_allclose(inside[name], outside[name], rtol=1e-3, err_msg=name)
    both = olfaction.simulate(responses=rates, normalization=["none", "divisive"], **call)
    identical(both.sel(normalization="none"), olfaction.simulate(responses=rates, **call))
    assert np.all(both.raw_dimension.sel(normalization="divisive", sparsening=["cell", "global"]) >
                  both.raw_dimension.sel(normalization="none", sparsening=["cell", "global"]))  # fmt: skip


# --- readouts with the largest margin -------------------------------------------------------------------------------

MARGIN = ("margin", "separable_fraction", "capacity", "undecided_fraction")


@pytest.mark.parametrize("sparsening", ["cell", "winners"])
@pytest.mark.parametrize("odors", [12, 30])
def test_the_readout_with_the_largest_margin_is_that_of_general_solvers(sparsening, odors):
    given = {"kenyon_cells": 16, "claws": 3, "glomeruli": 10}
    law = {"coding_level": 0.4, "sparsening": sparsening}
    ds = olfaction.simulate(**given, **law, odors=odors, noise=0.2, readout="max_margin", trials=12, keep_trials=True)
    assert not ds.undecided_fraction.any()
    assert 0.0 < ds.separable_fraction.mean() < 1.0 or odors == 12
    for trial in range(12):
        drawn, at = {"glomeruli": 10, "odors": odors, "trial": trial}, ds.isel(trial=trial)
        wiring = olfaction.draw_wiring(**given, trial=trial)
        thresholds = None if sparsening == "winners" else olfaction.gaussian_thresholds(wiring, 0.4)
        add = theory.noise_amplitude(0.2)
        code, noisy = (
            olfaction.encode(x, wiring, 0.4, sparsening=sparsening, thresholds=thresholds, packed=False).astype(float)
            for x in (olfaction.draw_odors(**drawn), olfaction.draw_odors(**drawn, keep=0.8, add=add))
        )
        labels = labels_of(odors, trial, 0)
        assert at.capacity == naive_margins.separable_prefix(code, labels, bias=True)
        assert (at.separable_fraction == 1.0) == (at.capacity == odors)
        if at.separable_fraction == 0.0:
            assert np.isnan(at.margin)
            assert np.isnan(at.readout_error)
            continue
        deviation = math.sqrt(code.mean() * (1.0 - code.mean()))
        assert at.margin == pytest.approx(naive_margins.largest_margin(code, labels, bias=True) / deviation, rel=1e-6)
        machine = svm.SVC(kernel="linear", C=1e9, tol=1e-10).fit(code, labels)
        fields = machine.decision_function(noisy) * labels
        zero = np.abs(fields) < 1e-6
        expected = np.mean((fields < 0.0) & ~zero) + 0.5 * np.mean(zero)
        assert at.readout_error == pytest.approx(expected, abs=1e-12)


def test_independent_cells_have_gardners_margin():
    """Two means of about 100 trials; cells share 1000 inputs, which leaves 97% of their dimensions."""
    cells, load = 100, 0.6
    ds = olfaction.simulate(
        glomeruli=1000, kenyon_cells=cells, claws=0, weights="gaussian", coding_level=[0.2, 0.5], sparsening="winners",
        odors=60, readout="max_margin", trials=60, seed=3,
    )  # fmt: skip
    for level in (0.2, 0.5):
        at = ds.sel(coding_level=level)
        # Of the same winners without inputs in common, for codes of length sqrt(cells), which leaves f (1 - f) / f.
        random = capacity.largest_margin(
            dimension=cells, load=load, ensemble="winners", activity=level, bias=True, trials=200, seed=4
        )
        finite = random.largest_margin / math.sqrt(1.0 - level)
        error = SIGMAS * math.hypot(at.margin_stderr, random.largest_margin_stderr / math.sqrt(1.0 - level))
        assert abs(at.margin - finite) < error + 0.03 * finite
        assert at.margin == pytest.approx(capacity.theory.gardner_margin(load), rel=0.08)


def test_equal_codes_are_separable_until_the_first_other_label():
    rates = np.tile([[4.0, 3.0, 2.0, 1.0, 0.0]], (20, 1))
    ds = olfaction.simulate(
        responses=rates, kenyon_cells=30, claws=2, sparsening="winners", readout="max_margin", trials=8,
        keep_trials=True,
    )  # fmt: skip
    for trial in range(8):
        labels = labels_of(20, trial, 0)
        assert ds.capacity[trial] == np.flatnonzero(labels != labels[0])[0]
    assert not ds.separable_fraction.any()
    assert ds.margin.isnull().all()
    assert ds.readout_error.isnull().all()


def test_one_class_has_a_readout_without_margin():
    ds = olfaction.simulate(
        kenyon_cells=100, odors=4, sparsening="winners", readout="max_margin", trials=60, keep_trials=True, seed=2
    )
    alone = np.array([abs(labels_of(8, trial, 2)[:4].sum()) == 4.0 for trial in range(60)])
    assert alone.any()
    np.testing.assert_array_equal(ds.margin.isnull(), alone)
    assert np.all(ds.capacity[alone] == 4.0)
    assert np.all(ds.separable_fraction[alone] == 1.0)
    assert np.all(ds.readout_error[alone] == 0.0)
    assert not ds.undecided_fraction.any()


def test_margins_are_measured_where_they_are_asked_for():
    call = {"kenyon_cells": 100, "odors": 30, "trials": 2, "coding_level": [0.1, 0.3], "sparsening": "winners"}
    hebbian = olfaction.simulate(**call)
    assert not set(MARGIN) & set(hebbian.data_vars)
    both = olfaction.simulate(**call, readout=["hebbian", "max_margin"])
    identical(hebbian, both.sel(readout="hebbian"))
    identical(olfaction.simulate(**call, readout="max_margin"), both.sel(readout="max_margin"))
    for name in MARGIN:
        assert both[name].sel(readout="hebbian").isnull().all()
        assert both[name].sel(readout="max_margin").notnull().all()


def test_what_is_undecided_is_not_known(monkeypatch):
    from simnn.capacity import separability

    def undecided(x, y, bias, stop):
        return separability.Margin("undecided", math.nan, math.inf, None, math.nan, np.zeros(0, np.intp))

    monkeypatch.setattr(separability, "checked_margin", undecided)
    ds = olfaction.simulate(kenyon_cells=50, odors=30, trials=2, readout="max_margin", keep_trials=True)
    assert np.all(ds.undecided_fraction == 1.0)
    for name in ("margin", "separable_fraction", "capacity", "readout_error"):
        assert ds[name].isnull().all()


# --- independence of how it is run --------------------------------------------------------------------------------

CALLS = {
    "drawn": {"claws": [2, 7], "sparsening": ["cell", "global", "winners"], "kenyon_cells": 90, "odors": 130},
    "dense": {"claws": 0, "weights": ["gaussian", "cortical"], "kenyon_cells": 70, "inhibition": ["none", "balanced"]},
    "given": {
        "responses": np.random.default_rng(9).gamma(2.0, 20.0, (40, 12)).round(),
        "kenyon_cells": 80,
        "claws": [2, 5],
        "sparsening": ["cell", "winners"],
        "odors": 30,
    },
    "normalised": {
        "responses": np.random.default_rng(9).gamma(2.0, 20.0, (300, 12)).round(),
        "normalization": ["none", "divisive"],
        "input_gain": [0.0, 10.63],
        "kenyon_cells": 80,
        "claws": 4,
        "odors": 290,
    },
    "margins": {
        "members": 3,
        "readout": ["max_margin"],
        "sparsening": ["cell", "winners"],
        "kenyon_cells": 120,
        "odors": 40,
    },
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("slice_seconds", [0.0, 10.0])
@pytest.mark.parametrize("name", CALLS)
def test_bits_do_not_depend_on_threads_or_slices(monkeypatch, name, threads, slice_seconds):
    reference = olfaction.simulate(**CALLS[name], trials=5, seed=9)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr(running, "SLICE_SECONDS", slice_seconds)
    identical(reference, olfaction.simulate(**CALLS[name], trials=5, seed=9))


@pytest.mark.parametrize("name", CALLS)
def test_trials_are_numbered(name):
    few, many = (olfaction.simulate(**CALLS[name], trials=trials, seed=1, keep_trials=True) for trials in (2, 6))
    identical(few, many.isel(trial=slice(2)))
    later = olfaction.simulate(**CALLS[name], trials=4, first_trial=2, seed=1, keep_trials=True)
    identical(later, many.isel(trial=slice(2, None)))
    mean = olfaction.simulate(**CALLS[name], trials=6, seed=1)
    for statistic in many.data_vars:
        np.testing.assert_allclose(mean[statistic], many[statistic].mean("trial"), rtol=1e-12, atol=1e-14)
        stderr = many[statistic].std("trial", ddof=1) / np.sqrt(many[statistic].notnull().sum("trial"))
        np.testing.assert_allclose(mean[f"{statistic}_stderr"], stderr, rtol=1e-9, atol=1e-12)


def test_a_point_of_a_sweep_is_the_same_alone():
    sweep = olfaction.simulate(**CALLS["drawn"], trials=2, seed=1)
    alone = olfaction.simulate(claws=7, sparsening="winners", kenyon_cells=90, odors=130, trials=2, seed=1)
    identical(alone, sweep.sel(claws=7, sparsening="winners"))


def test_different_seeds_give_different_circuits():
    a, b = (olfaction.simulate(kenyon_cells=50, odors=50, trials=1, seed=seed).dimension for seed in (1, 2**33 + 1))
    assert a != b


# --- datasets and what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_datasets_describe_themselves(name):
    ds = olfaction.simulate(**CALLS[name], trials=2)
    for variable in (*ds.data_vars, *ds.coords):
        assert ds[variable].attrs["units"] == "1", variable
        assert ds[variable].attrs["long_name"], variable
    parameters = json.loads(ds.attrs["parameters"])
    assert parameters["coding_level"] == 0.1
    assert parameters["pairs"] == 1000
    assert ("responses" in parameters) is (name in ("given", "normalised"))
    swept = [key for key, value in CALLS[name].items() if isinstance(value, list)]
    assert list(ds.dimension.dims) == swept
    assert all(f"{variable}_stderr" in ds for variable in ds.data_vars if not variable.endswith("_stderr"))


EYE = np.eye(3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"glomeruli": 0}, "glomeruli: 0 is not allowed: should be greater than or equal to 1"),
        ({"kenyon_cells": 2.5}, "kenyon_cells: 2.5 is not allowed: should be a valid integer"),
        ({"claws": 51}, "claws: 51 is not allowed with glomeruli 50: that is more than there are"),
        ({"claws": [3, 60], "glomeruli": [55, 70]}, "claws: 60 is not allowed with glomeruli 55"),
        ({"claws": []}, "claws: an empty sequence"),
        ({"claws": [3, 3]}, "claws: .3, 3. repeats a value"),
        ({"coding_level": 0.0}, "coding_level: 0.0 is not allowed: should be greater than 0"),
        ({"coding_level": 1.0}, "coding_level: 1.0 is not allowed: should be less than 1"),
        ({"coding_level": math.nan}, "coding_level: nan is not allowed"),
        ({"coding_level": 1e-4, "sparsening": "winners"}, "coding_level: 0.0001 is not allowed with kenyon_cells 2000"),
        ({"weights": "pareto"}, "weights: 'pareto' is not allowed: should be 'binary', 'cerebellar'"),
        ({"inhibition": "row"}, "inhibition: 'row' is not allowed: should be 'none' or 'balanced'"),
        ({"sparsening": "top"}, "sparsening: 'top' is not allowed: should be 'cell', 'global' or 'winners'"),
        ({"inhibition": "balanced", "claws": 50}, "inhibition: 'balanced' is not allowed with equal weights on all"),
        ({"replacement": 1}, "replacement: 1 is not allowed: should be a valid boolean"),
        ({"odors": 3}, "odors: 3 is not allowed"),
        ({"channel_correlation": 1.0}, "channel_correlation: 1.0 is not allowed"),
        ({"input_correlation": 1.5}, "input_correlation: 1.5 is not allowed"),
        ({"noise": -0.1}, "noise: -0.1 is not allowed"),
        ({"noise": 1.0, "convention": "additive"}, "noise: 1.0 is not allowed with convention 'additive'"),
        ({"normalization": "top"}, "normalization: 'top' is not allowed: should be 'none' or 'divisive'"),
        ({"normalization": "divisive"}, "normalization: 'divisive' is not allowed without responses: Gaussian odors"),
        ({"members": 0}, "members: 0 is not allowed: should be greater than or equal to 1"),
        ({"members": 2**15 + 1}, "members: 32769 is not allowed: should be less than or equal to 32768"),
        ({"readout": "svm"}, "readout: 'svm' is not allowed: should be 'hebbian' or 'max_margin'"),
        ({"input_gain": -1.0}, "input_gain: -1.0 is not allowed: should be greater than or equal to 0"),
        (
            {"normalization": ["none", "divisive"], "responses": np.eye(5) - 0.5, "claws": 2},
            r"responses: -0.5 at \[0, 1\] is not allowed with normalization 'divisive': should be rates of receptor",
        ),
        (
            {"normalization": "divisive", "responses": 1e7 * np.eye(5), "claws": 2},
            r"responses: 1e\+07 at \[0, 0\] is not allowed with normalization 'divisive'",
        ),
        ({"responses": EYE, "glomeruli": 3}, "glomeruli: not allowed with responses"),
        ({"responses": np.eye(5), "claws": 2, "odors": 6}, "odors: 6 is not allowed: 5 are given"),
        ({"responses": EYE[0]}, r"responses: shape \(3,\) is not allowed"),
        ({"responses": np.full((5, 3), np.nan)}, "responses: not allowed: should be finite"),
        ({"responses": np.eye(5), "connections": EYE}, "responses: 5 glomeruli are not allowed"),
        ({"connections": EYE, "claws": 2}, "claws: not allowed with connections"),
        ({"connections": EYE, "frequencies": [1.0]}, "frequencies: not allowed with connections"),
        ({"connections": np.eye(3, 4, 1) * [[1], [1], [0]]}, "wiring: not allowed: nothing drives cell 2"),
        ({"frequencies": np.eye(1, 9)[0], "claws": 2}, "frequencies: not allowed: should be positive for at least 2"),
        ({"frequencies": EYE}, r"frequencies: shape \(3, 3\) is not allowed"),
        ({"pairs": 3}, "pairs: 3 is not allowed"),
        ({"trials": 0}, "trials: 0 is not allowed"),
        ({"first_trial": 2**32 - 1, "trials": 2}, "trials: 2 is not allowed"),
        ({"backend": "cuda"}, "backend: 'cuda' is not allowed"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        olfaction.simulate(**given)
    assert "\n" not in str(error.value)


def test_unknown_names_are_refused():
    with pytest.raises(TypeError, match="claw"):
        olfaction.simulate(claw=2)
    with pytest.raises(ValueError, match=r"^claw: unknown parameter"):
        model.validate({"claw": 2})


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(MemoryError, match="GiB"):
        olfaction.simulate(odors=2**30, kenyon_cells=2**20)
    with pytest.raises(MemoryError, match=r"^100000 patterns in 20001 dimensions need about"):
        olfaction.simulate(odors=100_000, kenyon_cells=20_000, readout=["hebbian", "max_margin"])


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="reads peak memory from /proc")
def test_no_matrix_of_odors_and_cells_is_formed():
    program = """
from simnn import olfaction
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
olfaction.simulate(odors=100, trials=1)
before = peak()
olfaction.simulate(odors=200_000, trials=1)
print(peak() - before)
"""
    environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    # Packed codes take 51 MB; truth values would take 400.
    assert int(run.stdout) < 100_000


def test_nothing_has_a_name():
    none = {"normalization": "none", "inhibition": "none"}
    assert model.validate(dict.fromkeys(none)) == none


def test_validation_gives_every_value_its_type():
    assert model.validate({"claws": [5], "noise": 0, "replacement": True, "trials": 3}) == {
        "claws": [5], "noise": 0.0, "replacement": True, "trials": 3
    }  # fmt: skip
