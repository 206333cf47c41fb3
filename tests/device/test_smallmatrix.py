"""Factors and solvers of small matrices, full and deficient rank."""

import numpy as np
import pytest

from simnn.device import smallmatrix, targets

TARGETS = [targets.python(np.float64), targets.cpu(np.float64)]


def gram(rng, size, rank):
    a = rng.standard_normal((size, rank))
    return a @ a.T


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_full_rank_factor_is_that_of_lapack(target, size):
    g = gram(np.random.default_rng(size), size, size + 3)
    factor = np.empty((size, size))
    assert smallmatrix.bind(target).cholesky(g, 1e-14, factor) == size
    np.testing.assert_allclose(factor, np.linalg.cholesky(g), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize(("size", "rank"), [(1, 0), (2, 1), (3, 0), (5, 2), (8, 7)])
def test_deficient_factor_reproduces_the_matrix_with_that_many_columns(target, size, rank):
    g = gram(np.random.default_rng(1), size, rank) if rank else np.zeros((size, size))
    factor = np.empty((size, size))
    assert smallmatrix.bind(target).cholesky(g, 1e-12, factor) == rank
    assert np.count_nonzero(np.any(factor != 0.0, axis=0)) == rank
    np.testing.assert_allclose(factor @ factor.T, g, atol=1e-10)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_duplicate_and_zero_rows_are_legal(target):
    v = np.array([1.0, 1.0, 0.0, -2.0])
    g = np.outer(v, v) + np.diag([0.0, 0.0, 0.0, 1.0])
    factor = np.empty((4, 4))
    assert smallmatrix.bind(target).cholesky(g, 1e-12, factor) == 2
    np.testing.assert_allclose(factor @ factor.T, g, atol=1e-12)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize(("size", "rank"), [(3, 3), (6, 6), (6, 3), (4, 0)])
def test_solvers_invert_the_kept_block_and_zero_the_rest(target, size, rank):
    rng = np.random.default_rng(2)
    g = gram(rng, size, rank) if rank else np.zeros((size, size))
    routines = smallmatrix.bind(target)
    factor = np.empty((size, size))
    routines.cholesky(g, 1e-12, factor)
    kept = np.diag(factor) > 0.0
    block = factor[np.ix_(kept, kept)]
    right = rng.standard_normal((size, 3))
    lower, transposed = right.copy(), right.copy()
    routines.solve_lower(factor, lower)
    routines.solve_lower_transposed(factor, transposed)
    np.testing.assert_allclose(lower[kept], np.linalg.solve(block, right[kept]), atol=1e-9)
    np.testing.assert_allclose(transposed[kept], np.linalg.solve(block.T, right[kept]), atol=1e-9)
    assert np.all(lower[~kept] == 0.0)
    assert np.all(transposed[~kept] == 0.0)
