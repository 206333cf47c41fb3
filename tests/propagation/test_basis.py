"""The tree of differences: nearest parents, and a way back to Gram matrix and distances that loses no digits."""

import mpmath
import numpy as np
import pytest

from simnn.device import targets
from simnn.propagation import basis
from simnn.propagation.basis import Basis

TARGETS = [targets.python(np.float64), targets.cpu(np.float64)]


def unfold(target, tree):
    size = len(tree.order)
    gram, distance, excess = (np.empty((size, size)) for _ in range(3))
    routines = basis.bind(target)
    routines.unfold(tree.order, tree.parent, tree.gram, gram, distance, excess, np.empty(size), np.empty(size))
    decorrelation = np.empty((size, size))
    routines.decorrelate(gram, distance, excess, decorrelation)
    return gram, distance, decorrelation


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_edges_are_cut_where_inputs_are_shorter_than_differences_and_mended(target):
    x = clusters(np.random.default_rng(2), 1e-6)
    forest, cut = Basis.of_patterns(x), basis.bind(target).cut
    assert 2 <= np.sum(forest.parent < 0) <= 3  # three clusters far apart
    gram, distance, _ = unfold(target, forest)
    parent = forest.parent.copy()
    assert not cut(forest.tree, 1.0, 0.0, gram, distance, parent)
    # Biases bring pre-activations together: all edges of the tree are worth it.
    assert cut(forest.tree, 1.0, 100.0, gram, distance, parent)
    np.testing.assert_array_equal(parent, forest.tree)
    # An input that falls silent is cut off, and only that one.
    silent = forest.order[-1]
    gram[silent, silent], distance[silent, forest.tree[silent]] = 0.0, 1.0
    parent = forest.parent.copy()
    assert cut(forest.tree, 1.0, 0.0, gram, distance, parent)
    assert list(np.flatnonzero(parent != forest.parent)) == [silent]


def clusters(rng, gap):
    """Three points far apart, each with neighbours at distances of about ``gap``, ``gap^1.5``."""
    centres = rng.standard_normal((3, 9))
    near = centres + gap * rng.standard_normal((3, 9))
    nearer = near + gap**1.5 * rng.standard_normal((3, 9))
    return np.concatenate([centres, near, nearer])[rng.permutation(9)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_unfolding_gives_gram_matrix_and_distances_of_the_patterns(target, size):
    x = np.random.default_rng(size).standard_normal((size, 7))
    gram, distance, decorrelation = unfold(target, Basis.of_patterns(x))
    np.testing.assert_allclose(gram, x @ x.T / 7, atol=1e-14)
    np.testing.assert_allclose(distance, np.square(x[:, None] - x).sum(-1) / 7, atol=1e-14)
    direction = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(decorrelation, 1.0 - direction @ direction.T, atol=1e-14)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_distances_inside_clusters_keep_their_digits(gap):
    x = clusters(np.random.default_rng(0), gap)
    _, distance, decorrelation = unfold(TARGETS[1], Basis.of_patterns(x))
    # Differences of the given numbers are exact to rounding; the Gram matrix would lose all digits below 1e-8.
    np.testing.assert_allclose(distance, np.square(x[:, None] - x).sum(-1) / 9, rtol=1e-12)
    with mpmath.workdps(60):
        rows = [[mpmath.mpf(value) for value in row] for row in x.tolist()]
        norms = [mpmath.sqrt(mpmath.fsum(value * value for value in row)) for row in rows]
        exact = [[float(1 - mpmath.fdot(a, b) / (m * n)) for b, n in zip(rows, norms, strict=True)]
                 for a, m in zip(rows, norms, strict=True)]  # fmt: skip
    np.testing.assert_allclose(decorrelation, exact, rtol=1e-7, atol=1e-40)


def test_parents_are_nearest_neighbours_that_come_first():
    x = clusters(np.random.default_rng(1), 1e-2)
    tree = Basis.of_patterns(x)
    assert sorted(tree.order) == list(range(9))
    assert tree.tree[tree.order[0]] == -1
    for step in range(1, 9):
        child, before = tree.order[step], tree.order[:step]
        assert tree.tree[child] == before[np.argmin(np.square(x[before] - x[child]).sum(1))]


def test_a_pair_is_given_by_length_and_overlap_exactly():
    gram, _, _ = unfold(TARGETS[1], Basis.of_pair(3.0, 0.4))
    np.testing.assert_allclose(gram, [[3.0, 1.2], [1.2, 3.0]], rtol=1e-15)
    e = 2.0**-45
    _, distance, decorrelation = unfold(TARGETS[1], Basis.of_pair(1.0, 1.0 - e))
    assert distance[0, 1] == 2.0 * e
    assert decorrelation[0, 1] == e


def test_duplicate_patterns_have_no_distance():
    _, distance, _ = unfold(TARGETS[1], Basis.of_patterns(np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])))
    assert distance[0, 2] == 0.0
