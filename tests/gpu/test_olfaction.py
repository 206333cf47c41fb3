"""Random expansions at a real size: codes and sums of a GPU against those of the CPU, and against its own."""

import importlib

import numpy as np
import pytest
import xarray as xr

from simnn import olfaction, sweeps
from simnn.olfaction import codes, cpu, cuda, kernels, model
from tests.gpu import needs_gpu

pytestmark = needs_gpu

simulate = importlib.import_module("simnn.olfaction.simulate")

GO_ON = np.zeros(1, np.int64)
SIZE = {"glomeruli": 50, "kenyon_cells": 2000, "claws": 7}

# Additions of 7 terms of at most 6, and of 50 of them for inhibition, each rounded by at most 2^-24 of 42 and of 300.
ROUNDING = 7 * 42 * 2.0**-23 + 50 * 300 * 2.0**-23 * 7 / 50


def circuit(responses=None, **given):
    experiment = sweeps.checked(model.Experiment, SIZE | given)
    return experiment, simulate._circuit(experiment, simulate._Data(responses), 1000, 5, 2)


@pytest.mark.parametrize("inhibition", ["none", "balanced"])
def test_codes_by_threshold_differ_only_at_the_thresholds(inhibition):
    wiring = olfaction.draw_wiring(**SIZE, inhibition=inhibition)
    odors, level = olfaction.draw_odors(odors=20_000), olfaction.gaussian_thresholds(wiring, 0.1)
    call = {"odors": odors, "wiring": wiring, "thresholds": level, "packed": False}
    found, wanted = olfaction.encode(**call, backend="cuda"), olfaction.encode(**call)
    odor, cell = np.nonzero(found != wanted)
    drives = np.einsum("ij,ij->i", odors[odor].astype(np.float64), wiring.matrix()[cell])
    assert np.all(np.abs(drives - level[cell]) < ROUNDING)
    # 4e7 drives with a density of at most 0.07 at their thresholds.
    assert len(odor) <= 4e7 * 0.07 * 2 * ROUNDING
    assert 0.09 < wanted.mean() < 0.11


def test_winners_differ_only_where_drives_are_equal_up_to_rounding():
    wiring = olfaction.draw_wiring(**SIZE, weights="uniform")
    odors = olfaction.draw_odors(odors=20_000)
    call = {"odors": odors, "wiring": wiring, "sparsening": "winners", "packed": False}
    found, wanted = olfaction.encode(**call, backend="cuda"), olfaction.encode(**call)
    assert np.all(found.sum(axis=1) == 200)
    odor, cell = np.nonzero(found != wanted)
    assert len(np.unique(odor)) <= 400
    drives = odors[odor].astype(np.float64) @ wiring.matrix().T
    weakest = np.partition(drives, -200, axis=1)[:, -200]
    assert np.all(np.abs(np.take_along_axis(drives, cell[:, None], 1)[:, 0] - weakest) < ROUNDING)


@pytest.mark.parametrize("sparsening", ["cell", "winners"])
@pytest.mark.parametrize("cells", [2000, 70_000])
def test_exact_drives_have_the_codes_of_the_cpu(sparsening, cells):
    """Integers: many ties, of cells whose numbers have up to three digits."""
    odors = np.random.default_rng(1).integers(0, 9, (20_000 if cells == 2000 else 300, 50)).astype(np.float32)
    wiring = olfaction.draw_wiring(**SIZE | {"kenyon_cells": cells})
    level = None if sparsening == "winners" else np.full(cells, 35.0, np.float32)
    call = {"odors": odors, "wiring": wiring, "sparsening": sparsening, "thresholds": level}
    found, wanted = olfaction.encode(**call, backend="cuda"), olfaction.encode(**call)
    np.testing.assert_array_equal(found, wanted)
    law = codes.rule(wiring, 0.1, level)
    for threads, groups in ((64, None), (512, 3)):
        np.testing.assert_array_equal(cuda.encode(odors, wiring.wires, law, threads=threads, groups=groups), wanted)


@pytest.mark.parametrize("sparsening", ["cell", "global"])
def test_thresholds_of_exact_drives_are_those_of_the_cpu(sparsening):
    odors = np.random.default_rng(2).integers(-9, 10, (20_000, 50)).astype(np.float32)
    wiring = olfaction.draw_wiring(**SIZE)
    wanted = olfaction.thresholds(odors, wiring, 0.1, sparsening=sparsening)
    chosen = codes.chosen_of(20_000, wiring, 0.1, sparsening)
    for sizes in ({}, {"threads": 512}, {"threads": 64, "cells": 333}):
        found = cuda.fit(odors, wiring.wires, 0.0, chosen, sparsening == "global", **sizes)
        np.testing.assert_array_equal(found, wanted)
    call = {"odors": odors, "wiring": wiring, "sparsening": sparsening}
    np.testing.assert_array_equal(olfaction.encode(**call, backend="cuda"), olfaction.encode(**call))


@pytest.mark.parametrize("sparsening", ["cell", "global"])
def test_thresholds_of_odors_give_them_the_coding_level(sparsening):
    odors, wiring = olfaction.draw_odors(odors=20_000), olfaction.draw_wiring(**SIZE, inhibition="balanced")
    chosen = codes.chosen_of(20_000, wiring, 0.1, sparsening)
    found = cuda.fit(odors, wiring.wires, wiring.mean, chosen, sparsening == "global")
    wanted = olfaction.thresholds(odors, wiring, 0.1, sparsening=sparsening)
    np.testing.assert_allclose(found, wanted, rtol=0.0, atol=ROUNDING)
    packed = olfaction.encode(odors, wiring, 0.1, sparsening=sparsening, backend="cuda")
    active = olfaction.count_active(packed, axis=0, kenyon_cells=2000)
    # Drives of a cell are about 7e-4 apart at its threshold, and within rounding of each other for 1 cell in 500.
    assert np.abs(active - chosen).sum() <= 20 if sparsening == "cell" else abs(int(active.sum()) - chosen) <= 100


def test_drawn_odors_are_those_of_the_cpu_up_to_rounding():
    _, given = circuit(odors=20_000, channel_correlation=0.2)
    drawn = cuda.draw(given.source, 2, given.key, 20_000)
    wanted = olfaction.draw_odors(odors=20_000, channel_correlation=0.2, trial=2, seed=5)
    np.testing.assert_allclose(drawn, wanted, rtol=0.0, atol=4e-6)


def test_projection_neurons_are_those_of_the_cpu_up_to_rounding():
    rates = np.random.default_rng(3).gamma(1.5, 30.0, (20_000, 50)).astype(np.float32)
    _, given = circuit(rates, odors=20_000, normalization="divisive")
    space, out = kernels.space(50, 1, False), np.empty((20_000, 50), np.float32)
    for source in (given.source, given.partners):
        cpu.bound().draw(source, 2, given.key, 0, 20_000, space, out)
        # Rates of 165 at most; noise and its rounding are relative to a deviation of 37.
        np.testing.assert_allclose(cuda.draw(source, 2, given.key, 20_000), out, rtol=0.0, atol=1e-3)
    call = {"responses": rates, "normalization": "divisive", "odors": 20_000, "trials": 1}
    here, there = (olfaction.simulate(**call, sparsening=["cell", "global"], backend=on) for on in ("cuda", "cpu"))
    xr.testing.assert_allclose(here, there, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("sparsening", ["cell", "winners"])
def test_a_trial_is_that_of_the_cpu_and_the_same_bits_in_every_run(sparsening):
    experiment, given = circuit(odors=20_000, sparsening=sparsening)
    found, wanted = cuda.count(given, GO_ON), simulate._count(given, False, GO_ON)
    for threads, groups in ((256, None), (64, 40), (512, 7)):
        for a, b in zip(found, cuda.count(given, GO_ON, threads=threads, groups=groups), strict=True):
            np.testing.assert_array_equal(a, b)
    # Of 4e6 active cells in each of three sets of codes, a few hundred at most are within rounding of a threshold.
    for name in ("total", "other_total", "copy_total", "active"):
        assert np.abs(getattr(found, name) - getattr(wanted, name)).sum() <= 400, name
    for name in ("both", "both_copies", "errors"):
        assert abs(getattr(found, name) - getattr(wanted, name)) <= 400, name
    assert abs(found.drives - wanted.drives) < 1e-6
    here, there = simulate._statistics(found, experiment), simulate._statistics(wanted, experiment)
    np.testing.assert_allclose(here, there, rtol=1e-3, atol=1e-12)
