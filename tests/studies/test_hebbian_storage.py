"""Hebbian storage: whole numbers, as loops over synapses give them, and every prediction is tested by some claim."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.studies import hebbian_storage as hebbian

SMALL = {
    "dimension": [400, 800], "load": [0.2, 0.5, 1.0, 2.0], "recall_load": [0.1, 0.12, 0.15, 0.17, 0.19, 0.21],
    "starts": 8, "steps": 100, "trials": 30, "seed": 7,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return hebbian.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return hebbian.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


@pytest.mark.parametrize("axis", ["dimension", "load", "recall_load"])
def test_splitting_an_axis_into_jobs_changes_nothing(whole, axis):
    parts = [hebbian.simulate(**SMALL | {axis: [value]}) for value in SMALL[axis][:2]]
    for value, part in zip(SMALL[axis], parts, strict=False):
        for name in ("error", "overlap", "recalled"):
            if axis in part[name].dims:
                xr.testing.assert_identical(part[name], whole[name].sel({axis: [value]}))


def test_signs_are_fair_and_independent():
    signs = hebbian._signs(1, 2, 0, 300, 401)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 5.0 / np.sqrt(signs.size)
    overlaps = (signs @ signs.T)[np.triu_indices(300, 1)] / np.sqrt(401.0)
    # 44,850 normal numbers: the largest is near 4.2, and 6.5 has a chance of 1e-6.
    assert np.abs(overlaps).max() < 6.5
    assert overlaps.std() == pytest.approx(1.0, rel=0.03)
    assert np.all(hebbian._signs(1, 2, 0, 300, 401) == signs)
    assert np.any(hebbian._signs(1, 3, 0, 300, 401) != signs)


@pytest.mark.parametrize(("size", "load"), [(1, 1.0), (12, 1.0), (31, 2.0)])
def test_errors_are_those_of_integers(size, load):
    count = round(load * size)
    x, y = hebbian._signs(3, 1, 0, count, size).astype(int), hebbian._signs(3, 1, 1, count, 1).astype(int)[:, 0]
    weights = [sum(int(y[m]) * int(x[m, i]) for m in range(count)) for i in range(size)]
    fields = [int(y[m]) * sum(weights[i] * int(x[m, i]) for i in range(size)) for m in range(count)]
    expected = sum(1.0 if field < 0 else 0.5 if field == 0 else 0.0 for field in fields) / count
    assert hebbian._error(3, 1, size, load) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("load", "trial"), [(0.1, 0), (0.2, 1), (0.3, 2), (0.5, 3)])
def test_recall_is_that_of_a_network_of_couplings(load, trial):
    size, starts, steps = 60, 5, 30
    x = hebbian._signs(4, trial, 2, max(round(load * size), starts), size).astype(int)
    couplings = x.T @ x
    np.fill_diagonal(couplings, 0)
    for k, found in enumerate(hebbian._recall(4, trial, size, load, starts, steps)):
        states = [x[k]]
        for _ in range(steps):
            field = couplings @ states[-1]
            states.append(np.where(field == 0, states[-1], np.sign(field)))
            if states[-1] @ x[k] <= 0.8 * size or np.array_equal(states[-1], states[-2]):
                break
            if len(states) > 2 and np.array_equal(states[-1], states[-3]):
                break
        assert found == states[-1] @ x[k] / size


def test_the_load_of_one_half_lies_between_two_points():
    curve = xr.Dataset(
        {"recalled": ("recall_load", [1.0, 0.8, 0.3]), "recalled_stderr": ("recall_load", [0.0, 0.05, 0.1])},
        {"recall_load": [0.1, 0.14, 0.16]},
    )
    half, stderr = hebbian._half(curve)
    assert half == pytest.approx(0.152)
    # By differences: how far the crossing moves with either point.
    moved = [
        hebbian._half(curve.assign(recalled=curve.recalled + shift))[0] - half
        for shift in (
            xr.DataArray([0.0, 1e-6, 0.0], dims="recall_load"),
            xr.DataArray([0, 0, 1e-6], dims="recall_load"),
        )
    ]
    assert stderr == pytest.approx(np.hypot(moved[0] * 0.05e6, moved[1] * 0.1e6), rel=1e-4)
    assert np.isnan(hebbian._half(curve.isel(recall_load=[0, 1]))).all()


@pytest.mark.parametrize("name", ["error_theory", "overlap_theory", "half_load_theory"])
def test_claims_fail_when_one_prediction_is_off(compared, name):
    assert all(row.verdict != "fails" for row in hebbian.claims(compared))
    rows = hebbian.claims(compared.assign({name: 1.3 * compared[name]}))
    assert any(row.verdict == "fails" for row in rows)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("dimension", [500, 4000], "4000 is not allowed: should be less than the root of 2.24 / 2"),
        ("recall_load", [1.5], "a number between 0 and 1"),
        ("starts", 0, "an integer >= 1"),
        ("steps", 1.5, "an integer >= 1"),
    ],
)
def test_what_would_not_be_exact_is_refused(name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: .*{words}"):
        hebbian.validate(SMALL | {name: value})
