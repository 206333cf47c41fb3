"""Sparse expansions: what is counted, what Cover's count of it allows, and that each prediction is tested."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn import capacity
from simnn.capacity import theory
from simnn.studies import expansion_codes

SMALL = {
    "dimension": 40, "claws": 4, "inputs": [0, 6, 20], "ensemble": ["winners", "threshold"],
    "activity": [0.05, 0.2, 0.5], "bias": [False, True], "load": [0.5, 1.0, 2.0, 3.0], "trials": 80, "seed": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return expansion_codes.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return expansion_codes.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [expansion_codes.simulate(**SMALL | {"inputs": [value]}) for value in SMALL["inputs"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_counts_are_those_of_the_model(whole):
    # The same patterns, judged set by set and counted in kernels.
    for ensemble in SMALL["ensemble"]:
        for load in SMALL["load"]:
            ds = capacity.simulate(
                dimension=40, inputs=6, claws=4, ensemble=ensemble, activity=SMALL["activity"], bias=SMALL["bias"],
                load=load, trials=80, seed=4, keep_trials=True,
            )  # fmt: skip
            ours = whole.sel(inputs=6, ensemble=ensemble)
            np.testing.assert_allclose(
                ours.separable_fraction.sel(load=load), ds.separable_fraction.mean("trial"), rtol=1e-12
            )
            counted = ds.sel(bias=False)
            consistent = (counted.contradictory_fraction == 0.0).mean("trial")
            np.testing.assert_allclose(ours.consistent_fraction.sel(load=load), consistent, rtol=1e-12)
            if load == max(SMALL["load"]):
                for name in ("silent_fraction", "duplicate_fraction"):
                    np.testing.assert_allclose(ours[name], counted[name].mean("trial"), rtol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_bounds_count_the_separable_labelings_of_patterns_that_differ(bias):
    # All labelings of a few patterns, one of them repeated: Cover's count of the five others, in two dimensions.
    x = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=float)
    x = x if bias else x[:4]
    labelings = 2.0 * ((np.arange(2 ** len(x))[:, None] >> np.arange(len(x))) & 1) - 1.0
    separable = sum(capacity.separable(x, y, bias).status == "separable" for y in labelings)
    counts = expansion_codes._degenerate(x, labelings[0], np.array([0.0]), [bias], np.array([len(x)]))
    bound = counts["separable_fraction_theory"].item()
    different = len(x) - 1
    assert bound == 0.5 * theory.cover_probability(different, 2, bias)
    # With a bias four points are the corners of a square, not in general position: 14 labelings of 16, as Cover says.
    assert separable == round(bound * 2 ** len(x))
    assert counts["duplicate_fraction"] * len(x) == 1.0
    assert counts["silent_fraction"] * len(x) == float(bias)


def test_a_silent_pattern_ends_what_has_no_bias():
    x = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], dtype=float)
    counts = expansion_codes._degenerate(x, np.ones(4), np.array([2.0, 4.0]), [False, True], np.array([2, 3, 4]))
    expected = [[1.0, 0.0, 0.0], [1.0, 1.0, theory.cover_probability(4, 2, True)]]
    assert counts["separable_fraction_theory"].tolist() == expected
    assert counts["impossible_fraction"].tolist() == [0.0, 0.0]
    counts = expansion_codes._degenerate(x, np.ones(4), np.array([3.0, 4.0]), [False, True], np.array([2, 3, 4]))
    assert counts["impossible_fraction"].tolist() == [1.0, 0.0]


def test_closed_forms_of_degenerate_patterns(compared):
    at = compared.sel(ensemble="threshold")
    np.testing.assert_allclose(at.silent_fraction_theory, (1.0 - np.array(SMALL["activity"])) ** 40, rtol=1e-12)
    assert np.all(compared.silent_fraction_theory.sel(ensemble="winners") == 0.0)
    # Two winners of 40: 780 patterns, of which 120 draws repeat as many as birthdays would.
    repeats = 1.0 - 780.0 * (1.0 - (1.0 - 1.0 / 780.0) ** 120) / 120.0
    assert compared.duplicate_fraction_theory.sel(ensemble="winners", activity=0.05).item() == pytest.approx(repeats)
    # 40 cells with four of six inputs each: 15 kinds.
    assert compared.rank_theory.sel(inputs=6).item() == pytest.approx(15.0 * (1.0 - (14.0 / 15.0) ** 40))
    assert compared.rank_theory.sel(inputs=0).item() == 40.0
    assert compared.linear_time_theory.values.tolist() == [80.0, 12.0, 40.0]


def test_few_inputs_break_codes_down_and_claims_say_where(compared):
    few = compared.sel(inputs=6, activity=0.2)
    assert np.all(few.stopping_time < 0.7 * few.cover_time_theory)
    reached = [row for row in expansion_codes.claims(compared) if "is reached" in row.statement]
    assert len(reached) == 1
    assert "inputs = 6" not in reached[0].statement


PREDICTIONS = (
    "stopping_time_theory", "consistent_fraction_theory", "silent_fraction_theory", "duplicate_fraction_theory",
    "rank_theory", "linear_time_theory", "cover_time_theory",
)  # fmt: skip


@pytest.mark.parametrize("name", PREDICTIONS)
def test_claims_fail_when_one_prediction_is_off(compared, name):
    assert all(row.verdict != "fails" for row in expansion_codes.claims(compared))
    rows = expansion_codes.claims(compared.assign({name: 0.7 * compared[name]}))
    assert any(row.verdict == "fails" for row in rows)


def test_other_ensembles_are_refused():
    given = SMALL | {"ensemble": ["relu"]}
    with pytest.raises(ValueError, match=r"^ensemble: 'relu' is not allowed"):
        expansion_codes.validate(given)
    assert expansion_codes.validate(SMALL) == SMALL
    with pytest.raises(ValueError, match=r"^claws: 4 is not allowed with inputs 3"):
        expansion_codes.validate(SMALL | {"inputs": [0, 3]})
