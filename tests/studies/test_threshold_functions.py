"""Threshold functions: lines of the figure separate, and wrong counts fail."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.studies import threshold_functions

SMALL = {"dimension": [1, 2, 3], "trials": 2, "seed": 5}


@pytest.fixture(scope="module")
def whole():
    return threshold_functions.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return threshold_functions.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [threshold_functions.simulate(**SMALL | {"dimension": [n]}) for n in SMALL["dimension"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_counts_are_the_published_ones(compared):
    assert compared.threshold_functions.values.tolist() == [4, 14, 104]
    assert compared.cover_bound.values.tolist() == [4, 14, 128]
    assert np.all(compared.separable_fraction_stderr == 0.0)


def test_lines_through_squares_separate_their_corners(whole):
    corners = np.array([[-1, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1]])
    for code, line in enumerate(whole.boundary.values):
        if code in (0b0110, 0b1001):
            assert np.all(np.isnan(line))
        else:
            assert np.array_equal(corners @ line > 0.0, code >> np.arange(4) & 1)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("threshold_functions", 1), ("undecided", 1), ("separable_fraction", 2.0**-8), ("cover_bound", -1),
        ("boundary", np.nan),
    ],
)  # fmt: skip
def test_claims_fail_when_a_number_is_off(compared, name, change):
    assert all(row.verdict == "holds" for row in threshold_functions.claims(compared))
    rows = threshold_functions.claims(compared.assign({name: compared[name] + change}))
    assert any(row.verdict == "fails" for row in rows)


def test_five_inputs_are_too_many():
    with pytest.raises(ValueError, match=r"^dimension: 5 is not allowed: should be at most 4"):
        threshold_functions.validate(SMALL | {"dimension": [5]})
