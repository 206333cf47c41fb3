"""Sign constraints: the published row, the exception, and every prediction is tested by some claim."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.studies import sign_constraints

SMALL = {
    "ensemble": ["gaussian", "rademacher"], "dimension": [12, 30], "constrained": [0.0, 0.5, 1.0],
    "load": [0.5, 0.75, 1.0, 1.25, 1.5], "trials": 600, "seed": 4,
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
    rows = [row.statement for row in sign_constraints.claims(compared) if "rademacher" in row.statement]
    assert len(rows) == 2
    assert all("fewer than 0.01" in row and "dimension = 12" not in row for row in rows)


@pytest.mark.parametrize(("name", "factor"), [("stopping_time_theory", 1.1), ("separable_fraction_theory", 0.7)])
def test_claims_fail_when_one_prediction_is_off(compared, name, factor):
    assert all(row.verdict != "fails" for row in sign_constraints.claims(compared))
    wrong = compared.assign({name: factor * compared[name]})
    assert any(row.verdict == "fails" for row in sign_constraints.claims(wrong))


def test_claims_fail_where_patterns_exclude_each_other(compared):
    rows = sign_constraints.claims(compared.assign(excluding_pairs=0.0 * compared.excluding_pairs))
    assert {row.verdict for row in rows if "rademacher" in row.statement} == {"fails"}
