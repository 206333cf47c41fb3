"""Sign constraints: the published row, the exception, and every prediction is tested by some claim."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn import capacity
from simnn.capacity import theory
from simnn.studies import sign_constraints

SMALL = {
    "ensemble": ["gaussian", "rademacher"], "dimension": [12, 30], "constrained": [0.0, 0.5, 1.0],
    "load": [0.5, 0.75, 1.0, 1.25, 1.5], "margin_dimension": [20, 40, 80], "margin_load": [0.2, 0.5],
    "margin_trials": 100, "trials": 600, "seed": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return sign_constraints.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return sign_constraints.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [sign_constraints.simulate(**SMALL | {"ensemble": [value]}) for value in SMALL["ensemble"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_the_published_row_of_twelve_positive_weights(compared):
    row = compared.sel(ensemble="gaussian", dimension=12, constrained=1.0)
    assert row.patterns.values.tolist() == [6, 9, 12, 15, 18]
    expected = np.array([0.928, 0.748, 0.500, 0.279, 0.132])
    np.testing.assert_allclose(row.separable_fraction_theory, expected, atol=5.1e-4)
    # Five binomial fractions beyond 4.5 standard errors: 3e-5.
    error = np.sqrt(expected * (1.0 - expected) / SMALL["trials"])
    assert np.all(np.abs(row.separable_fraction - expected) < 4.5 * error)


def test_patterns_of_signs_are_an_exception_that_goes_away(compared):
    # Of 12 patterns in 12 dimensions, two pairs exclude each other on average; claims leave such sizes out.
    signs = compared.sel(ensemble="rademacher", constrained=1.0)
    assert signs.stopping_time.sel(dimension=12) < 10.0
    pairs = signs.excluding_pairs
    assert pairs.sel(dimension=12).item() == pytest.approx(66 * 0.75**12)
    rows = [row.statement for row in sign_constraints.claims(compared) if "excluding" in row.statement]
    assert len(rows) == 2
    assert all("fewer than 0.01" in row and "dimension = 12" not in row for row in rows)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("stopping_time_theory", 1.1), ("separable_fraction_theory", 0.7), ("largest_margin_theory", 0.85),
        ("zero_weight_fraction_theory", 1.15),
    ],
)  # fmt: skip
def test_claims_fail_when_one_prediction_is_off(compared, name, factor):
    assert all(row.verdict != "fails" for row in sign_constraints.claims(compared))
    wrong = compared.assign({name: factor * compared[name]})
    assert any(row.verdict == "fails" for row in sign_constraints.claims(wrong))


def test_claims_fail_where_patterns_exclude_each_other(compared):
    rows = sign_constraints.claims(compared.assign(excluding_pairs=0.0 * compared.excluding_pairs))
    assert {row.verdict for row in rows if "excluding" in row.statement} == {"fails"}


def test_margins_of_no_constraint_are_those_without(compared):
    # Of as many patterns in one half as many dimensions, theory says.
    at = compared.largest_margin_theory
    assert at.sel(constrained=1.0, margin_load=0.2).item() == pytest.approx(theory.gardner_margin(0.4))
    ds = capacity.largest_margin(dimension=40, load=0.5, trials=100, seed=4)
    row = compared.sel(ensemble="gaussian", margin_dimension=40, constrained=0.0, margin_load=0.5)
    assert row.largest_margin.item() == ds.largest_margin.item()
    assert np.isnan(row.zero_weight_fraction)


def test_silent_weights_are_an_honest_claim(compared):
    (row,) = (row for row in sign_constraints.claims(compared) if "silent" in row.statement)
    assert (row.verdict, row.prediction) == ("holds with correction", 0.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"margin_load": [1.5]}, r"^margin_load: 1.5 is not allowed: should be in \(0, 1\]"),
        ({"margin_load": [0.01]}, r"^margin_load: 0.01 is not allowed"),
        ({"margin_dimension": [20]}, r"^margin_dimension: \[20\] is not allowed: should be at least two"),
        ({"margin_dimension": [20, 0.5]}, r"^margin_dimension: 0.5 is not allowed: should be an integer"),
        ({"margin_trials": 1}, r"^margin_trials: 1 is not allowed: should be an integer >= 2"),
    ],
)
def test_margins_that_make_no_sense_are_refused(given, message):
    assert sign_constraints.validate(SMALL) == SMALL
    with pytest.raises(ValueError, match=message):
        sign_constraints.validate(SMALL | given)
