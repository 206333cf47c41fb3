"""Largest margins: between their bounds, equal to those of a general-purpose solver, exact where geometry says."""

import numpy as np
import pytest
from scipy.optimize import brentq

from simnn import capacity
from tests.naive import separability as naive


def check(patterns, labels, bias=False):
    """A margin whose bounds agree, and whose weights keep it."""
    best = capacity.margin(patterns, labels, bias)
    x, y = np.asarray(patterns, float), np.where(np.asarray(labels) == 1, 1.0, -1.0)
    assert best.status == capacity.separable(patterns, labels, bias).status
    if best.status == "separable":
        fields = y * (x @ best.weights + best.threshold)
        scale = np.linalg.norm(x, axis=1).max()
        assert np.linalg.norm(best.weights) == pytest.approx(1.0, abs=1e-14)
        assert fields.min() == pytest.approx(best.margin, abs=1e-13 * scale)
        assert best.margin <= best.bound <= best.margin + 1e-9 * scale
        assert np.all(fields[best.support] <= best.margin + 1e-9 * scale)
        assert bias or best.threshold == 0.0
    else:
        assert best.margin == 0.0
        assert best.weights is None
        assert best.bound < 1e-9
    return best


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_margins_agree_with_quadratic_programming(size, bias):
    rng = np.random.default_rng(size)
    compared = 0
    for _ in range(30):
        count = int(rng.integers(2, size + 4))
        x, labels = rng.standard_normal((count, size)), rng.integers(0, 2, count)
        if bias and labels.min() == labels.max():
            continue
        best = check(x, labels, bias)
        if best.status == "separable":
            assert best.margin == pytest.approx(naive.largest_margin(x, labels, bias), rel=1e-5)
            compared += 1
    assert compared > 5


def test_two_points_are_half_their_distance_apart():
    best = check([[1.0, 1.0, 5.0], [4.0, 5.0, 5.0]], [0, 1], bias=True)
    assert best.margin == pytest.approx(2.5, rel=1e-14)
    assert best.weights == pytest.approx([0.6, 0.8, 0.0], abs=1e-14)
    assert best.support.tolist() == [0, 1]


def test_a_free_threshold_does_not_care_where_the_origin_is():
    rng = np.random.default_rng(1)
    x, labels = rng.standard_normal((12, 10)), np.arange(12) % 2
    best = check(x, labels, bias=True)
    for shift in (1.0, 1e4, 1e7):
        moved = capacity.margin(x + shift, labels, bias=True)
        assert moved.margin == pytest.approx(best.margin, rel=1e-13 * shift + 1e-11)
        assert moved.support.tolist() == best.support.tolist()


def test_margins_scale_with_the_data():
    rng = np.random.default_rng(2)
    x, labels = rng.standard_normal((20, 15)), rng.integers(0, 2, 20)
    best = check(x, labels)
    for power in (-900, -30, 500):
        assert capacity.margin(np.ldexp(x, power), labels).margin == pytest.approx(
            np.ldexp(best.margin, power), rel=1e-9
        )


def test_margins_of_orthogonal_patterns_are_known():
    # The nearest point of the hull of n orthonormal vectors is their mean.
    for n in (1, 2, 7, 50):
        best = check(np.eye(n), np.arange(n) % 2)
        assert best.margin == pytest.approx(1.0 / np.sqrt(n), rel=1e-13)
        assert len(best.support) == n


def test_the_right_margin_of_a_plane_problem_is_that_of_the_best_angle():
    angles, labels = np.array([0.1, 0.5, 1.2, -0.3]), np.ones(4)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    middle = brentq(lambda a: np.cos(a - 1.2) - np.cos(a + 0.3), 0.0, 1.5)
    assert check(x, labels).margin == pytest.approx(np.cos(middle - 1.2), rel=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_many_components_cost_nothing(bias):
    rng = np.random.default_rng(4)
    x, labels = rng.standard_normal((12, 7)), np.arange(12) % 2
    rotation, _ = np.linalg.qr(rng.standard_normal((3000, 7)))
    best, rotated = check(x[:6], labels[:6], bias), check(x[:6] @ rotation.T, labels[:6], bias)
    assert rotated.margin == pytest.approx(best.margin, rel=1e-9)
    assert rotated.support.tolist() == best.support.tolist()


def test_degenerate_data():
    x = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 3.0], [0.0, -1.0]])
    best = check(x, [1, 1, 1, 0])
    assert best.margin == pytest.approx(1.0)
    assert check(x, [1, 0, 1, 0]).status == "not separable"
    assert check(np.zeros((2, 3)), [1, 1]).status == "not separable"
    assert check(np.ones((3, 2)), [1, 0, 1], bias=True).status == "not separable"
    with_silent = check([[0.0, 0.0], [2.0, 0.0]], [0, 1], bias=True)
    assert with_silent.margin == pytest.approx(1.0)


def test_a_single_class_with_a_threshold_has_no_largest_margin():
    best = capacity.margin([[1.0, 2.0], [3.0, -1.0]], [0, 0], bias=True)
    assert best.margin == np.inf
    assert best.weights.tolist() == [0.0, 0.0]
    assert best.threshold == -1.0


@pytest.mark.parametrize("margin", [1e-3, 1e-6])
def test_small_margins_keep_their_digits(margin):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((40, 10))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x = np.hstack([np.full((40, 1), margin), x])
    # Pairs of opposite patterns: nothing but the first component separates.
    x[20:, 1:] = -x[:20, 1:]
    best = capacity.margin(x, np.ones(40))
    assert best.status == "separable"
    assert best.margin == pytest.approx(margin, abs=1e-9)
    assert margin * (1.0 - 1e-9) <= best.bound < margin + 1e-9


def test_bad_data_are_refused():
    with pytest.raises(ValueError, match="labels: shape"):
        capacity.margin([[1.0]], [1, 0])
