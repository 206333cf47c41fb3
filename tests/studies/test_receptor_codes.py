"""Odors from receptors to Kenyon cells: published numbers of the measured table, rules of sparsening, verdicts."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from simnn import olfaction
from simnn.olfaction import theory
from simnn.pipeline import config, stages
from simnn.studies import receptor_codes

TABLE = "hallem_carlson_2006/Hallem_Carlson_2006_drosolf.csv"
SMALL = {"kenyon_cells": 300, "claws": 7, "coding_level": 0.05, "input_gain": 10.63, "trials": 5, "seed": 4}


def compared(**changes):
    given = receptor_codes.validate(SMALL | changes)
    dataset = receptor_codes.simulate(**given)
    return receptor_codes.compare(dataset.assign_attrs(parameters=json.dumps(given)))


@pytest.fixture(scope="module")
def small():
    return compared()


@pytest.fixture(scope="module")
def table(measured):
    return compared(odors=str(measured(TABLE)), kenyon_cells=2000, trials=20)


def test_layers_have_the_published_statistics(table):
    for layer, odors, channels, dimension in (
        ("receptor neurons", 0.2081, 0.3085, 4.8082),
        ("no inhibition", 0.1960, 0.3132, 5.4720),
        ("projection neurons", 0.2433, 0.1689, 10.1311),
    ):
        at = table.sel(layer=layer)
        assert at["odor_correlation"].item() == pytest.approx(odors, abs=5.1e-5)
        assert at["channel_correlation"].item() == pytest.approx(channels, abs=5.1e-5)
        assert at["dimension"].item() == pytest.approx(dimension, abs=5.1e-5)


@pytest.mark.parametrize(
    ("layer", "sparsening", "dimension", "deviation"),
    [
        ("receptor neurons", "cell", 6.65, 0.09),
        ("receptor neurons", "global", 3.97, 0.06),
        ("receptor neurons", "winners", 41.6, 0.8),
        ("projection neurons", "cell", 47.8, 0.9),
        ("projection neurons", "global", 23.8, 0.7),
        ("projection neurons", "winners", 41.7, 0.9),
    ],
)
def test_codes_have_the_published_dimensions(table, layer, sparsening, dimension, deviation):
    """Two means of 20 wirings within 5 standard errors of their difference (false alarm 6e-7), and rounding."""
    found = table["code_dimension"].sel(input=layer, sparsening=sparsening).item()
    assert abs(found - dimension) < 5.0 * deviation * np.sqrt(2.0 / 20.0) + 0.05


def test_coding_levels_are_the_published_ones(table):
    levels = table["coding_level"]
    for layer, sparsening, low, high in (
        ("receptor neurons", "cell", 0.0, 0.58),
        ("receptor neurons", "global", 0.0, 0.43),
        ("projection neurons", "cell", 0.008, 0.16),
        ("projection neurons", "global", 0.003, 0.136),
    ):
        at = levels.sel(input=layer, sparsening=sparsening)
        assert at[-1].item() == pytest.approx(low, abs=2e-3)
        assert at[0].item() == pytest.approx(high, abs=1.2e-2)
    silent = table["silent_odors"].sel(sparsening=["cell", "global"])
    np.testing.assert_allclose(silent.sel(input="receptor neurons") * 110.0, (67, 72), atol=1.5)
    assert not silent.sel(input="projection neurons").any()
    np.testing.assert_allclose(table["silent_cells"].sel(sparsening="global"), (0.23, 0.27), atol=0.01)


def test_claims_hold_on_the_measured_table(table):
    rows = receptor_codes.claims(table)
    assert all(row.verdict.startswith("holds") for row in rows)
    assert sum("measured table" in row.statement for row in rows) == 3
    assert "Hallem & Carlson 2006" in receptor_codes.source(json.loads(table.attrs["parameters"]))


def test_synthetic_tables_are_said_to_be_fitted(small):
    rows = receptor_codes.claims(small)
    assert sum("synthetic tables, fitted to this" in row.statement for row in rows) == 3
    assert "synthetic" in receptor_codes.source(SMALL)


@pytest.mark.parametrize(
    "name",
    ["drive_correlation_theory", "winners_theory", "dimension_gain", "channel_gain", "odor_gain", "silent_odors"],
)
def test_claims_fail_when_one_number_is_off(small, name):
    assert all(row.verdict.startswith("holds") for row in receptor_codes.claims(small))
    wrong = small.assign({name: 1.6 * small[name]})
    assert any(row.verdict == "fails" for row in receptor_codes.claims(wrong))


def test_a_random_wiring_keeps_correlations_of_odors():
    """400 small wirings; 10 pairs within 5 standard errors (false alarm 6e-6)."""
    rng = np.random.default_rng(2)
    odors = np.exp(rng.standard_normal((5, 10)))
    centred = odors - odors.mean(axis=1, keepdims=True)
    drives = [odors @ receptor_codes._wiring(np.random.default_rng(s), 50, 10, 4).T for s in range(400)]
    found = np.array([np.cov(drive, bias=True) for drive in drives])
    expected = 4.0 * 6.0 / 9.0 * centred @ centred.T / 10.0 * 49.0 / 50.0
    stderr = found.std(axis=0) / np.sqrt(400.0)
    assert np.all(np.abs(found.mean(axis=0) - expected) < 5.0 * stderr)


def test_winners_are_less_alike_than_those_of_gaussian_drives(table):
    at = table.sel(input="projection neurons")
    gaussian = theory.output_correlation(at["input_correlation"].values, 0.05)
    assert np.all(at["code_correlation"] < gaussian)
    assert np.all(at["code_correlation"][5:] < at["input_correlation"][5:])


DRIVES = np.array([[4.0, 1.0, 4.0, 4.0], [0.0, 2.0, 0.0, 1.0], [3.0, 3.0, 5.0, 0.0]])


def codes_of(drives, coding_level, sparsening):
    """Codes of cells that listen to one channel each."""
    packed = olfaction.encode(drives, np.eye(4), coding_level, sparsening=sparsening)
    return olfaction.unpack(packed, 4)


def test_equal_drives_and_winners():
    codes = codes_of(DRIVES, 0.5, "winners")
    assert codes.astype(int).tolist() == [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]


def test_each_cell_has_its_own_threshold():
    codes = codes_of(DRIVES, 1.0 / 3.0, "cell")
    assert codes.astype(int).tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]]


def test_all_cells_have_one_threshold_and_equal_drives_share_a_fate():
    assert codes_of(DRIVES, 1.0 / 12.0, "global").sum() == 1
    # Two of twelve: three drives are 4, and none of them is taken.
    assert codes_of(DRIVES, 2.0 / 12.0, "global").sum() == 1
    assert codes_of(DRIVES, 4.0 / 12.0, "global").sum() == 4


def test_every_trial_is_the_same_in_every_run():
    short, long = (receptor_codes.simulate(**SMALL | {"trials": trials}) for trials in (2, 3))
    np.testing.assert_array_equal(short["correlations"], long["correlations"])
    same = receptor_codes.simulate(**SMALL | {"trials": 2})
    assert same.identical(short)


def test_more_claws_than_receptors_are_refused():
    with pytest.raises(ValueError, match=r"^claws: 9 is not allowed: should be below 9"):
        receptor_codes._wiring(np.random.default_rng(0), 10, 9, 9)


def test_figures_of_the_measured_table_and_their_caption(table, measured):
    figure = receptor_codes.figure(table)
    assert len(figure.axes) == 7
    plt.close(figure)
    model = {name: SMALL[name] for name in ("kenyon_cells", "claws", "coding_level", "input_gain")}
    raw = {"model": model | {"odors": str(measured(TABLE))}, "trials": 3}
    block = config.parse({"studies": {"receptor_codes": raw}})["receptor_codes"]
    assert stages.caption(block).endswith(
        "Hallem & Carlson 2006, Cell 125, 143; absolute rates below zero set to zero."
    )
