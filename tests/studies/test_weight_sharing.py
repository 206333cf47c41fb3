"""Weight sharing: verdicts on orbits are those on their means, and every prediction is tested by some claim."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn import capacity
from simnn.studies import weight_sharing

SMALL = {"channels": [2, 4], "positions": [1, 5], "load": [1.0, 1.5, 2.0, 2.5, 3.0], "trials": 200, "seed": 6}


@pytest.fixture(scope="module")
def whole():
    return weight_sharing.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return weight_sharing.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


@pytest.mark.parametrize("axis", ["channels", "positions"])
def test_splitting_an_axis_into_jobs_changes_nothing(whole, axis):
    parts = [weight_sharing.simulate(**SMALL | {axis: [value]}) for value in SMALL[axis]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def test_orbits_are_all_cyclic_shifts():
    orbit = weight_sharing._orbits(np.array([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]))
    assert orbit.tolist() == [[[1, 2, 3, 4, 5, 6], [3, 1, 2, 6, 4, 5], [2, 3, 1, 5, 6, 4]]]


def test_orbits_are_separable_as_their_means_are():
    # A hyperplane may be averaged over the shifts; a sum over an orbit is its mean, repeated.
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(60):
        patterns, labels = rng.standard_normal((7, 3, 4)), rng.integers(0, 2, 7)
        rows = weight_sharing._orbits(patterns).reshape(28, 12)
        status = capacity.separable(rows, np.repeat(labels, 4)).status
        assert status == capacity.separable(patterns.mean(axis=2), labels).status
        seen.add(status)
    assert seen == {"separable", "not separable"}


def test_four_channels_follow_the_published_row(compared):
    row = compared.sel(channels=4, positions=5, load=[1.5, 2.0, 2.5, 3.0])
    expected = np.array([0.81, 0.50, 0.25, 0.11])
    np.testing.assert_allclose(row.separable_fraction_theory, expected, atol=5e-3)
    # Four fractions of 200 beyond 4.5 standard errors: 3e-5.
    exact = row.separable_fraction_theory
    assert np.all(np.abs(row.separable_fraction - exact) < 4.5 * np.sqrt(exact * (1.0 - exact) / SMALL["trials"]))


@pytest.mark.parametrize(
    "name", ["stopping_time_theory", "single_stopping_time_theory", "separable_fraction_theory", "undecided"]
)
def test_claims_fail_when_one_prediction_is_off(compared, name):
    assert all(row.verdict != "fails" for row in weight_sharing.claims(compared))
    wrong = compared.assign({name: 1.3 * compared[name] + (name == "undecided")})
    assert any(row.verdict == "fails" for row in weight_sharing.claims(wrong))


@pytest.mark.parametrize("value", [0, 1.5, True])
def test_positions_are_counted(value):
    with pytest.raises(ValueError, match=r"^positions: .* an integer of at least 1"):
        weight_sharing.validate(SMALL | {"positions": [value]})
