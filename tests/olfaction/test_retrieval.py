"""Codes as hashes: the score is the one that is stated, and the published table of the digits comes out."""

import math

import numpy as np
import pytest

from simnn.olfaction import retrieval

DIGITS = {
    # k: LSH, fly with 10 d cells, fly with 20 k cells; means of 20 trials with standard deviations of .008 to .028.
    2: (0.033, 0.091, 0.052), 4: (0.108, 0.178, 0.126), 8: (0.278, 0.309, 0.256), 16: (0.483, 0.447, 0.424),
    32: (0.644, 0.572, 0.569),
}  # fmt: skip


def naive_score(ranking, truth):
    hits, total = 0, 0.0
    for rank, item in enumerate(ranking[: len(truth)], start=1):
        if item in set(truth):
            hits += 1
            total += hits / rank
    return total / len(truth)


def test_neighbors_are_the_nearest_rows():
    rng = np.random.default_rng(1)
    x, queries = rng.standard_normal((40, 5)), np.array([3, 17, 39])
    found = retrieval.nearest_neighbors(x, queries, 6)
    for q, row in zip(queries, found, strict=True):
        distance = np.linalg.norm(x - x[q], axis=1)
        assert q not in row
        np.testing.assert_array_equal(row, np.argsort(distance)[1:7])


def test_the_score_is_its_definition():
    rng = np.random.default_rng(2)
    distance, queries = rng.random((4, 30)), np.arange(4)
    truth = np.array([rng.choice(np.arange(4, 30), 5, replace=False) for _ in range(4)])
    scores = retrieval.average_precision(distance, queries, truth)
    for q in range(4):
        ranking = [i for i in np.argsort(distance[q]) if i != q]
        assert scores[q] == pytest.approx(naive_score(ranking, truth[q]), rel=1e-14)
    # Right neighbors in any order score 1, none of them 0.
    best = np.full((4, 30), 2.0)
    np.put_along_axis(best, truth, rng.random(truth.shape), axis=1)
    np.testing.assert_array_equal(retrieval.average_precision(best, queries, truth), 1.0)
    np.testing.assert_array_equal(retrieval.average_precision(-best, queries, truth), 0.0)


def test_ties_are_broken_at_random():
    distance, queries, truth = np.zeros((400, 21)), np.zeros(400, int), np.ones((400, 1), int)
    scores = retrieval.average_precision(distance, queries, truth, seed=3)
    # One true neighbor of 20 that look alike: the score is 1 with probability 1/20 (5 standard errors).
    assert scores.mean() == pytest.approx(0.05, abs=5.0 * math.sqrt(0.05 * 0.95 / 400.0))
    np.testing.assert_array_equal(scores, retrieval.average_precision(distance, queries, truth, seed=3))
    assert np.any(scores != retrieval.average_precision(distance, queries, truth, seed=4))


def test_codes_have_as_many_winners_and_cells_as_many_inputs():
    x = np.random.default_rng(4).integers(0, 3, (50, 20)).astype(float)  # sums tie
    codes = retrieval.fly_codes(x, 60, 7, share=0.15, seed=5).toarray()
    assert set(np.unique(codes)) == {0.0, 1.0}
    np.testing.assert_array_equal(codes.sum(axis=1), 7.0)
    # One-hot inputs show the wiring: a cell with the input is above all others.
    hot = retrieval.fly_codes(np.eye(20), 60, 60, share=0.15, seed=5)
    assert hot.shape == (20, 60)
    distance = retrieval.code_distances(codes, np.arange(50))
    np.testing.assert_array_equal(distance, (codes[:, None] != codes[None]).sum(axis=-1))


def test_signs_differ_in_the_share_of_the_angle():
    # Two vectors at an angle differ in a sign with probability angle / pi (Charikar 2002); 5 standard errors.
    x = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0]])
    share = retrieval.projection_distances(x, [0], 20000, signs=True, seed=6)[0, 1] / 20000
    assert share == pytest.approx(1.0 / 3.0, abs=5.0 * math.sqrt(2.0 / 9.0 / 20000.0))


def test_digits_are_found_as_often_as_published():
    datasets = pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")
    x = datasets.load_digits().data
    queries = np.random.default_rng(7).choice(len(x), 300, replace=False)
    truth, trials = retrieval.nearest_neighbors(x, queries, 36), 6

    def scores(distances):
        return [retrieval.average_precision(distances(seed), queries, truth, seed).mean() for seed in range(trials)]

    for k, published in DIGITS.items():
        measured = (
            scores(lambda seed, k=k: retrieval.projection_distances(x, queries, k, seed=seed)),
            scores(lambda seed, k=k: retrieval.code_distances(retrieval.fly_codes(x, 640, k, seed=seed), queries)),
            scores(lambda seed, k=k: retrieval.code_distances(retrieval.fly_codes(x, 20 * k, k, seed=seed), queries)),
        )
        for values, mean in zip(measured, published, strict=True):
            # Trials of both, and the choice of the queries, which shifts all of them by up to .01.
            error = 0.028 * math.sqrt(1.0 / trials + 1.0 / 20.0)
            assert abs(np.mean(values) - mean) < 4.0 * error + 0.01, (k, mean)
    # The order that the table shows: sparse codes win with few winners, projections with many.
    assert DIGITS[2][1] > DIGITS[2][0]
    assert np.mean(measured[0]) > np.mean(measured[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: retrieval.nearest_neighbors(np.ones(3), [0], 1), r"vectors: shape \(3,\) is not allowed"),
        (lambda: retrieval.nearest_neighbors(np.eye(3), [3], 1), "queries: not allowed: should be row numbers"),
        (lambda: retrieval.nearest_neighbors(np.eye(3), [0], 3), "count: 3 is not allowed: should be an integer"),
        (lambda: retrieval.nearest_neighbors([[np.nan], [1.0]], [0], 1), "vectors: not allowed: should be"),
        (lambda: retrieval.average_precision(np.eye(3), [0, 1, 2], [[1]]), r"truth: shape \(1, 1\) is not allowed"),
        (lambda: retrieval.fly_codes(np.eye(3), 5, 6), "winners: 6 is not allowed: should be an integer from 1 to 5"),
        (lambda: retrieval.fly_codes(np.eye(3), 5, 2, share=0.0), "share: 0.0 is not allowed"),
        (lambda: retrieval.projection_distances(np.eye(3), [0], True), "projections: True is not allowed"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
