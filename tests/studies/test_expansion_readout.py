"""Readout of expansions: the fluctuating law and its limits, the best coding level, and every prediction is tested."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.olfaction import theory
from simnn.studies import expansion_readout as readout

SMALL = {
    "sparsening": ["cell", "winners"], "kenyon_cells": [250, 1000, 2000], "noise": [0.1, 0.3],
    "coding_level": [0.005, 0.01, 0.02, 0.05, 0.1, 0.3], "glomeruli": 50, "claws": 7, "odors": 200, "trials": 12,
    "seed": 18,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return readout.simulate(**SMALL)


def compared(dataset):
    return readout.compare(dataset.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [readout.simulate(**SMALL | {"sparsening": [rule]}) for rule in SMALL["sparsening"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


@pytest.mark.parametrize("rule", ["cell", "winners"])
@pytest.mark.parametrize("level", [0.02, 0.2, 0.5])
def test_without_fluctuations_one_signal_to_noise_ratio_is_left(rule, level):
    found = readout.fluctuating_error(300.0, 200, 0.1, level, 10**6, 10**8, rule)
    assert found == pytest.approx(theory.hebbian_error(300.0, 200, 0.1, level), abs=1e-3)


def test_winners_fluctuate_less_than_cells_with_thresholds():
    cell, winners = (readout.fluctuating_error(912.0, 200, 0.02, 0.02, 50, 2000, rule) for rule in ("cell", "winners"))
    assert theory.hebbian_error(912.0, 200, 0.02, 0.02) < winners < 0.05
    assert cell > 0.06


def test_the_best_level_is_the_vertex_of_a_parabola():
    logs = np.log([0.01, 0.5, 0.02, 0.05, 0.1])
    best, inside = readout._best(logs, np.exp([0.3 * (logs - np.log(0.03)) ** 2 - 1.0, logs, -logs]))
    np.testing.assert_allclose(np.exp(best), [0.03, 0.01, 0.5])
    assert inside.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("name", "factor"), [("readout_error", 1.2), ("fluctuating_error", 1.3), ("cluster_noise", 1.1)]
)
def test_claims_fail_when_one_prediction_is_off(whole, name, factor):
    dataset = compared(whole)
    assert all(row.verdict != "fails" for row in readout.claims(dataset))
    wrong = dataset.assign({f"{name}_theory": factor * dataset[f"{name}_theory"]})
    assert any(row.verdict == "fails" for row in readout.claims(wrong))


def test_claims_fail_when_the_best_level_does_not_move(whole):
    dataset = compared(whole)
    flat = dataset.assign(best_coding_level=dataset.best_coding_level * 0.0 + 0.02)
    flat["best_coding_level_stderr"] = flat.best_coding_level * 0.05
    assert sum(row.verdict == "fails" for row in readout.claims(flat)) == 2
    # Nothing is claimed where data cannot tell.
    flat["best_coding_level_stderr"] = flat.best_coding_level * 2.0
    assert not any("best coding level" in row.statement for row in readout.claims(flat))


def test_the_law_fails_where_few_cells_are_active_and_the_ledger_says_so(whole):
    dataset = compared(whole)
    few = dataset.sel(sparsening="cell", kenyon_cells=2000, noise=0.1, coding_level=0.005)
    assert few.readout_error - few.readout_error_theory > 6.0 * few.readout_error_stderr
    assert not readout._domain(dataset, "cell").sel(kenyon_cells=2000, coding_level=0.005)
    rows = {row.claim: row for row in readout.claims(dataset) if row.verdict == "holds with correction"}
    assert set(rows) == {"OLF2", "A0-28", "A3-42"}
    assert "one signal-to-noise ratio" in rows["OLF2"].statement


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("claws", 2, "3 to 25"),
        ("coding_level", [0.1, 0.2], "three values or more"),
        ("coding_level", [0.1, 0.2, 0.6], "in .0, 0.5."),
        ("noise", [0.0], "in .0, 1."),
        ("sparsening", ["global"], "'cell' or 'winners'"),
        ("inhibition", "none", "set by the study"),
    ],
)
def test_what_has_no_theory_is_refused(name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: .*{words}"):
        readout.validate(SMALL | {name: value})
