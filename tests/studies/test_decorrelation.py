"""Decorrelation: the law of winners by Monte Carlo, and every prediction is tested."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn import olfaction
from simnn.olfaction import theory
from simnn.studies import decorrelation

SMALL = {
    "claws": [7, 0], "sparsening": ["cell", "winners"], "coding_level": [0.05, 0.5],
    "input_correlation": [0.0, 0.5, 0.9], "noise": [0.01, 0.03],
    "glomeruli": 50, "kenyon_cells": 300, "odors": 150, "trials": 20, "seed": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return decorrelation.simulate(**SMALL)


def compared(dataset):
    return decorrelation.compare(dataset.assign_attrs(parameters=json.dumps(SMALL)))


@pytest.mark.parametrize("axis", ["claws", "input_correlation", "noise"])
def test_splitting_an_axis_into_jobs_changes_nothing(whole, axis):
    parts = [decorrelation.simulate(**SMALL | {axis: [value]}) for value in SMALL[axis]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    xr.testing.assert_identical(joined.drop_attrs().sel({axis: SMALL[axis]}), whole.drop_attrs())


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
def test_cosines_of_normal_vectors(rho):
    rng, size, draws = np.random.default_rng(1), 20, 40_000
    x, y = rng.standard_normal((2, draws, size))
    y = rho * x + np.sqrt(1.0 - rho * rho) * y
    sample = np.sum(x * y, axis=1) / np.sqrt(np.sum(x * x, axis=1) * np.sum(y * y, axis=1))
    c, p = decorrelation._cosines(rho, size)
    # Five standard errors: chance 6e-7.
    assert p @ c == pytest.approx(sample.mean(), abs=5.0 * sample.std() / np.sqrt(draws))
    square = (sample - p @ c) ** 2
    assert p @ (c - p @ c) ** 2 == pytest.approx(square.mean(), abs=5.0 * square.std() / np.sqrt(draws))


@pytest.mark.parametrize("claws", [7, 0])
def test_winners_are_like_thresholds_in_large_networks(claws):
    for rho, f in ((0.2, 0.05), (0.5, 0.1), (0.9, 0.3)):
        shift = [
            decorrelation.winners(rho, f, size, 40 * size, claws) - theory.output_correlation(rho, f)
            for size in (200, 400, 800)
        ]
        np.testing.assert_allclose([shift[0] / shift[1], shift[1] / shift[2]], 2.0, rtol=0.05)
    assert decorrelation.winners(0.0, 0.1, 50, 2000, claws) == 0.0


@pytest.mark.parametrize(("claws", "f", "rho"), [(7, 0.05, 0.5), (7, 0.05, 0.9), (0, 0.01, 0.9)])
def test_winners_follow_their_law_and_not_that_of_thresholds(claws, f, rho):
    """Six standard errors in nine runs: chance 1e-8; the law of thresholds is off by more than ten."""
    found = olfaction.simulate(
        kenyon_cells=500, claws=claws, weights="binary" if claws else "gaussian", sparsening="winners", coding_level=f,
        input_correlation=rho, odors=1000, trials=40 if claws else 15, pairs=4, seed=4,
    )  # fmt: skip
    law = decorrelation.winners(rho, f, 50, 500, claws)
    assert abs(found.output_correlation - law) < 6.0 * found.output_correlation_stderr
    assert abs(found.output_correlation - theory.output_correlation(rho, f)) > 8.0 * found.output_correlation_stderr


@pytest.mark.parametrize("name", ["drive_correlation", "output_correlation", "cluster_noise"])
def test_claims_fail_when_one_prediction_is_off(whole, name):
    dataset = compared(whole)
    assert all(row.verdict != "fails" for row in decorrelation.claims(dataset))
    wrong = dataset.assign({f"{name}_theory": 1.1 * dataset[f"{name}_theory"]})
    assert any(row.verdict == "fails" for row in decorrelation.claims(wrong))


def test_the_projection_is_corrected(whole):
    (row,) = [row for row in decorrelation.claims(compared(whole)) if row.verdict == "holds with correction"]
    assert row.claim == "A3-36"
    assert "0.204, 0.333 of 0.5 at f = 0.05, 0.5" in row.statement


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("claws", [1], "0, or 3 to 25"),
        ("sparsening", ["global"], "'cell' or 'winners'"),
        ("input_correlation", [1.0], "in .0, 1."),
        ("noise", [0.0], "above 0"),
        ("glomeruli", 8, "at least 10"),
        ("weights", "gaussian", "set by the study"),
    ],
)
def test_what_has_no_theory_is_refused(name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: .*{words}"):
        decorrelation.validate(SMALL | {name: value})
