"""Kenyon capacity: what is counted, margins from second moments, and what the sheet measured."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn import capacity
from simnn.studies import kenyon_capacity

SMALL = {
    "code": ["gaussian 50 winners", "gaussian 10 winners", "gaussian 20 cell", "synthetic 24 cell"],
    "kenyon_cells": 40, "claws": 7, "coding_level": [0.1, 0.25], "load": [1.0, 2.0], "margin_load": [0.5],
    "labelings": 4, "trials": 16, "seed": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return kenyon_capacity.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return kenyon_capacity.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [kenyon_capacity.simulate(**SMALL | {"code": [code]}) for code in SMALL["code"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop").sel(code=SMALL["code"])
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_silent_odors_and_contradictions_are_never_separable(whole):
    silent = whole.sel(code="gaussian 20 cell", coding_level=0.1)
    assert (silent.silent_fraction > 0.01).all()
    assert (silent.separable_fraction <= silent.counted_fraction + 0.01).all()
    assert (silent.counted_fraction < 0.2).all()


def test_codes_of_few_inputs_stay_below_cover(compared):
    few = compared.sel(code="gaussian 10 winners", load=2.0, coding_level=0.1)
    assert few.separable_fraction < few.separable_fraction_theory - 0.25
    many = compared.sel(code="gaussian 50 winners", load=2.0, coding_level=0.25)
    assert abs(many.separable_fraction.item() - 0.5) < 4.5 * (0.25 / 64) ** 0.5  # one false alarm in 1e5


def test_a_count_takes_silence_contradictions_and_duplicates_into_account():
    dims = ("load", "trial")
    verdicts = xr.Dataset(
        {
            "silent_fraction": (dims, [[0.0, 0.1, 0.0, 0.0]]),
            "contradictory_fraction": (dims, [[0.0, 0.0, 0.1, 0.0]]),
            "duplicate_fraction": (dims, [[0.0, 0.0, 0.1, 0.2]]),
        }
    )
    found = kenyon_capacity._counted(verdicts, np.array([10]), 4)
    cover = capacity.theory.cover_probability
    np.testing.assert_allclose(found, [[cover(10, 4), 0.0, 0.0, cover(8, 4)]])


def test_margins_from_second_moments_are_gardners_for_equal_ones():
    for load in (0.3, 1.0, 1.8):
        expected = capacity.theory.gardner_margin(load)
        assert kenyon_capacity.moment_margin(np.ones(50), 50 * load) == pytest.approx(expected, abs=1e-7)
    # Components without variance do not count, and the others have twice the variance.
    expected = np.sqrt(2.0) * capacity.theory.gardner_margin(0.6)
    assert kenyon_capacity.moment_margin(np.repeat([2.0, 0.0], 50), 30.0) == pytest.approx(expected, abs=1e-5)


def test_margins_from_second_moments_are_those_of_correlated_gaussian_patterns():
    n, load = 100, 0.7
    moments = np.geomspace(0.2, 5.0, n)
    moments *= n / moments.sum()
    closed = kenyon_capacity.moment_margin(moments, n * load)
    found = capacity.largest_margin(covariance=np.diag(moments), load=load, trials=100, seed=2)
    # A relative 2/n is what patterns of finite size differ by.
    assert abs(found.largest_margin.item() - closed) < 4.5 * found.largest_margin_stderr.item() + 2.0 / n * closed
    assert closed < 0.9 * capacity.theory.gardner_margin(load)


@pytest.mark.parametrize("name", ["separable_fraction_theory", "odors_separable_fraction_theory",
                                  "largest_margin_theory", "counted_fraction"])  # fmt: skip
def test_claims_fail_when_one_prediction_is_off(compared, name):
    assert all(row.verdict != "fails" for row in kenyon_capacity.claims(compared))
    wrong = compared.assign({name: 0.5 * compared[name]})
    assert any(row.verdict == "fails" for row in kenyon_capacity.claims(wrong))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("code", ["gaussian winners"], "odors .gaussian, synthetic."),
        ("code", ["gaussian 5 winners"], "at most the glomeruli"),
        ("labelings", 0, "at least 1"),
        ("coding_level", [0.001], "some cells win"),
        ("weights", "binary", "set by the study"),
    ],
)
def test_what_the_study_is_not_made_for_is_refused(name, value, words):
    with pytest.raises(ValueError, match=words):
        kenyon_capacity.validate(SMALL | {name: value})
