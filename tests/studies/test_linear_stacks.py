"""Linear stacks: pieces give the whole, and every prediction is tested by some claim."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.studies import linear_stacks

SMALL = {"width": [10, 40], "depth": [1, 3], "trials": 40, "seed": 11}


@pytest.fixture(scope="module")
def whole():
    return linear_stacks.simulate(**SMALL)


@pytest.mark.parametrize("axis", ["width", "depth"])
def test_splitting_an_axis_into_jobs_changes_nothing(whole, axis):
    parts = [linear_stacks.simulate(**SMALL | {axis: [value]}) for value in SMALL[axis]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_trials_are_independent_matrices():
    rows = [linear_stacks._normals(11, trial, 10, layer).ravel() for trial in range(20) for layer in range(20)]
    overlaps = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]
    # 79,800 overlaps of 100 components scatter by 0.1: the largest is near 0.45, and 0.65 has a chance of 1e-6.
    assert np.abs(overlaps).max() < 0.65
    assert overlaps.std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("name", ["moment", "largest", "density", "lyapunov"])
def test_claims_fail_when_one_prediction_is_off(whole, name):
    compared = linear_stacks.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))
    assert all(row.verdict != "fails" for row in linear_stacks.claims(compared))
    wrong = compared.assign({f"{name}_theory": 1.3 * compared[f"{name}_theory"]})
    assert any(row.verdict == "fails" for row in linear_stacks.claims(wrong))


def test_claims_fail_when_layers_are_not_orthogonal_or_do_not_collapse(whole):
    compared = linear_stacks.compare(whole)
    for name in ("isometry_error", "collapse_error"):
        rows = linear_stacks.claims(compared.assign({name: compared[name] + 1e-8}))
        assert sum(row.verdict == "fails" for row in rows) == 1


def test_narrow_layers_cannot_hold_the_volumes():
    with pytest.raises(ValueError, match=r"^width: 4 "):
        linear_stacks.validate({"width": [4], "depth": [1], "trials": 2})
