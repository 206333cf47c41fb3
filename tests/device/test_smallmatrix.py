"""Factors and solvers of small matrices, full and deficient rank."""

import numpy as np
import pytest

from simnn.device import smallmatrix, targets

TARGETS = [targets.python(np.float64), targets.cpu(np.float64)]


def gram(rng, size, rank):
    a = rng.standard_normal((size, rank))
    return a @ a.T


def factorise(target, g, tolerance):
    factor, pivot = np.empty_like(g), np.empty(len(g), np.int64)
    rank = smallmatrix.bind(target).cholesky(g, tolerance, factor, pivot, np.empty(len(g)))
    return factor, pivot, rank


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_full_rank_factor_is_that_of_lapack_in_the_order_of_its_pivots(target, size):
    g = gram(np.random.default_rng(size), size, size + 3)
    factor, pivot, rank = factorise(target, g, 1e-14)
    assert rank == size
    assert sorted(pivot) == list(range(size))
    np.testing.assert_allclose(factor[pivot], np.linalg.cholesky(g[np.ix_(pivot, pivot)]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize(("size", "rank"), [(1, 0), (2, 1), (3, 0), (5, 2), (8, 7)])
def test_deficient_factor_reproduces_the_matrix_with_that_many_columns(target, size, rank):
    g = gram(np.random.default_rng(1), size, rank) if rank else np.zeros((size, size))
    factor, _, found = factorise(target, g, 1e-12)
    assert found == rank
    assert np.all(factor[:, rank:] == 0.0)
    np.testing.assert_allclose(factor @ factor.T, g, atol=1e-10)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_duplicate_and_zero_rows_are_legal(target):
    v = np.array([1.0, 1.0, 0.0, -2.0])
    g = np.outer(v, v) + np.diag([0.0, 0.0, 0.0, 1.0])
    factor, _, rank = factorise(target, g, 1e-12)
    assert rank == 2
    np.testing.assert_allclose(factor @ factor.T, g, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_neighbouring_points_under_a_smooth_kernel_keep_their_digits(target):
    # In the order of the rows, errors of 1e-16 grow to 1e-9 and pivots that should vanish are kept.
    angle = 2.0 * np.pi * np.arange(64) / 64.0
    g = np.exp(np.cos(angle[:, None] - angle))
    factor, _, rank = factorise(target, g, 8.0 * np.finfo(float).eps)
    assert rank < 40
    np.testing.assert_allclose(factor @ factor.T, g, atol=1e-14)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_rows_of_different_scales_are_judged_by_their_own(target):
    scale = np.array([1.0, 1e-12, 1e9])
    g = gram(np.random.default_rng(4), 3, 5) * np.outer(scale, scale)
    factor, _, rank = factorise(target, g, 1e-14)
    assert rank == 3
    np.testing.assert_allclose(factor @ factor.T / np.outer(scale, scale), g / np.outer(scale, scale), rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize(("size", "rank"), [(3, 3), (6, 6), (6, 3), (4, 0)])
def test_solvers_invert_the_rows_of_the_pivots(target, size, rank):
    rng = np.random.default_rng(2)
    g = gram(rng, size, rank) if rank else np.zeros((size, size))
    routines = smallmatrix.bind(target)
    factor, pivot, found = factorise(target, g, 1e-12)
    block = factor[np.ix_(pivot[:rank], range(rank))]
    right = rng.standard_normal((size, 3))
    lower, transposed = np.empty_like(right), np.empty_like(right)
    routines.solve_lower(factor, pivot, found, right, lower)
    routines.solve_lower_transposed(factor, pivot, found, right, transposed)
    np.testing.assert_allclose(lower[:rank], np.linalg.solve(block, right[pivot[:rank]]), atol=1e-9)
    np.testing.assert_allclose(transposed[pivot[:rank]], np.linalg.solve(block.T, right[:rank]), atol=1e-9)
    assert np.all(lower[rank:] == 0.0)
    assert np.all(transposed[pivot[rank:]] == 0.0)
