"""Label coding: every prediction is tested by some claim, and the fits are those of the lines they should find."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.studies import label_coding

SMALL = {
    "dimension": [10, 20, 40], "coding_level": [0.1, 0.5], "bias": [False, True], "constrained": [0.0, 1.0],
    "trials": 100, "seed": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return label_coding.simulate(**SMALL)


def compared(dataset):
    return label_coding.compare(dataset.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [label_coding.simulate(**SMALL | {"constrained": [value]}) for value in SMALL["constrained"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_straight_lines_give_their_value_at_infinite_size(whole):
    weights = whole.dimension + whole.bias.astype(int)
    line = (3.0 + 2.0 / weights + 0.0 * whole.patterns_per_weight).transpose(*whole.patterns_per_weight.dims)
    found = compared(whole.assign(patterns_per_weight=line))
    np.testing.assert_allclose(found.capacity, 3.0)
    np.testing.assert_allclose(found.slope, 2.0)
    np.testing.assert_allclose(found.information.sel(coding_level=0.1), 3.0 * 0.4689956, rtol=1e-6)


def test_theory_is_gardners_or_half_of_it_or_blind_to_labels(whole):
    closed = compared(whole).capacity_theory.sel(coding_level=0.1)
    expected = [[2.0, 1.0], [3.9129, 1.9565]]
    np.testing.assert_allclose(closed.transpose("bias", "constrained"), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["capacity_theory", "information_theory"])
def test_claims_fail_when_one_prediction_is_off(whole, name):
    dataset = compared(whole)
    assert all(row.verdict != "fails" for row in label_coding.claims(dataset))
    wrong = dataset.assign({name: 1.3 * dataset[name]})
    assert any(row.verdict == "fails" for row in label_coding.claims(wrong))


def test_verdicts_on_loose_words_carry_their_correction(whole):
    rows = {row.claim: row for row in label_coding.claims(compared(whole)) if row.verdict == "holds with correction"}
    assert set(rows) == {"CAP4", "A3-40", "A0-28"}
    assert "1/(2 f |ln f|), here 2.17" in rows["CAP4"].statement


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("dimension", [20], "at least two values"),
        ("coding_level", [0.7], "in .0, 0.5."),
        ("constrained", [0.5], "0 or 1"),
        ("load", [1.0], "set by the study"),
    ],
)
def test_what_has_no_theory_is_refused(name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: .*{words}"):
        label_coding.validate(SMALL | {name: value})
