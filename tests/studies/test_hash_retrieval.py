"""Fly hash: the law of correlations has the right corrections, scores are compared at equal cost, rows can fail."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn.studies import hash_retrieval

SMALL = {
    "vectors": 500, "dimension": 60, "clusters": 10, "narrowest": 0.3, "widest": 2.0, "queries": 50, "neighbors": 10,
    "share": 0.1, "winners": [4, 30], "trials": 32, "seed": 17,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return hash_retrieval.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return hash_retrieval.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_lengths_into_jobs_changes_nothing(whole):
    parts = [hash_retrieval.simulate(**SMALL | {"winners": [k]}) for k in SMALL["winners"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


def overlap(first, second, winners):
    """Correlation of the codes of rows of drives, mean and standard error over rows."""
    level = winners / first.shape[1]
    cuts = (-np.sort(-h, axis=1)[:, winners - 1, None] for h in (first, second))
    one, other = (h >= cut for h, cut in zip((first, second), cuts, strict=True))
    r = ((one & other).mean(axis=1) - level**2) / (level * (1.0 - level))
    return r.mean(), r.std() / np.sqrt(len(r))


@pytest.mark.parametrize("winners", [4, 16])
@pytest.mark.parametrize("rho", [-0.3, 0.5, 0.8])
def test_corrections_are_those_of_cells_that_are_independent(rho, winners):
    rng, rows, dimension, cells = np.random.default_rng([winners, int(10 * rho) + 10]), 5000, 20, 200
    law, plain, left = hash_retrieval._law(np.array([rho]), "fly, m = 10 d", winners, dimension, 1.0)[:, 0]
    by_winners, by_length = (
        values.item() for values in hash_retrieval._corrections(np.array([rho]), winners, cells, dimension)
    )
    assert law == pytest.approx(plain + by_winners + by_length)
    # Normal drives feel the winners only, a pair of axes seen from directions in d - 1 dimensions the length too.
    sides = rng.standard_normal((rows, cells, dimension - 1))
    lengths = np.linalg.norm(sides, axis=-1, keepdims=True)
    for drives, expected, slack in (
        (sides[..., :2], plain + by_winners, abs(by_winners) / winners),
        (sides[..., :2] / lengths, law, left),
    ):
        first, other = np.moveaxis(drives, -1, 0)
        found, error = overlap(first, rho * first + np.sqrt(1.0 - rho**2) * other, winners)
        # Twelve comparisons beyond 5 standard errors: 7e-6.
        assert abs(found - expected) < 5.0 * error + slack
    assert abs(found - plain) > 5.0 * error  # the corrections are seen


def test_costs_are_compared_where_they_are_equal(compared):
    # 6 of 60 inputs: 10 d cells cost 3600 sums, as 60 projections do; 20 k cells cost what 2 k do.
    np.testing.assert_array_equal(compared.matched_projections, [[60, 60], [8, 60]])
    np.testing.assert_array_equal(compared.operations.sel(hash="signs"), [240, 1800])
    np.testing.assert_array_equal(compared.operations.sel(hash="fly, m = 10 d"), 3600)
    same = compared.sel(rival="projections").matched_precision
    np.testing.assert_array_equal(same.sel(code="fly, m = 10 d"), same.sel(code="fly, m = 20 k", winners=30))
    unequal = compared.assign(matched_projections=2 * compared.matched_projections)
    rows = [row for row in hash_retrieval.claims(unequal) if row.claim == "A3-42"]
    assert rows == []


@pytest.mark.parametrize("name", ["gain", "matched_gain"])
def test_claims_fail_when_one_score_is_not_larger(compared, name):
    for change in (-compared[name], compared[name] * np.nan):
        wrong = [row for row in hash_retrieval.claims(compared.assign({name: change})) if row.verdict == "fails"]
        assert {row.claim for row in wrong} == ({"OLF4"} if name == "gain" else {"OLF4", "A3-42"})


def test_each_law_is_tested(compared):
    theory = compared.code_correlation_theory
    for name in compared.binary.values:
        wrong = compared.assign(code_correlation_theory=theory.where(theory.binary != name, 1.3 * theory))
        rows = [row for row in hash_retrieval.claims(wrong) if row.verdict == "fails"]
        assert any(name in row.statement for row in rows)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("vectors", 49, "an integer >= 50"),
        ("dimension", True, "an integer >= 10"),
        ("queries", 500, "less than the number of vectors"),
        ("share", 1.5, r"a number in \(0, 1\]"),
        ("narrowest", 0.0, "a number greater than 0"),
        ("widest", 0.2, "at least narrowest, 0.3"),
        ("winners", [2, 2], "a list that repeats no value"),
        ("winners", [600], "less than the number of cells, 600"),
        ("winners", [2.5], "an integer >= 1"),
        ("trials", 1, "an integer >= 2"),
        ("backend", "cuda", "'auto' or 'cpu'"),
    ],
)
def test_parameters_are_checked_in_one_line(name, value, allowed):
    with pytest.raises(ValueError, match=rf"^{name}: .* is not allowed: should be {allowed}$"):
        hash_retrieval.validate(SMALL | {name: value})


def test_parameters_are_known_and_complete():
    assert hash_retrieval.validate(SMALL | {"winners": 4, "trials": 32.0}) == SMALL | {
        "winners": [4],
        "backend": "auto",
    }
    with pytest.raises(ValueError, match=r"^claws: unknown"):
        hash_retrieval.validate(SMALL | {"claws": 7})
    with pytest.raises(ValueError, match=r"^share: missing; this study needs winners, vectors"):
        hash_retrieval.validate({name: value for name, value in SMALL.items() if name != "share"})
