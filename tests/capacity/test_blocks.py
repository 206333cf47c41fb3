"""The solver of a block of threads, run by one thread of the CPU: it decides at real sizes as the CPU's does."""

import functools

import numpy as np
import pytest

from simnn.capacity import blocks, cpu, hull, patterns, solvers
from simnn.capacity.certificates import SEPARABLE, TOLERANCE
from simnn.capacity.patterns import Law
from simnn.device import targets

KEY, GO = np.array([3, 0], np.uint64), np.zeros(1, np.int64)


@functools.cache
def newton():
    target = targets.cpu(np.float64)
    return solvers.bind(target, blocks.bind(target)).newton


def scratch(count, size):
    """Scratch of a block: as of a thread, but for square matrices, and chains of sums."""
    order = np.arange(max(count, size) + blocks.PANEL)
    panels = blocks.Panels(np.full(blocks.PANEL, -1.0), order)
    gram, factor = np.zeros((2, size, size))
    common = {
        name: value for name, value in solvers.work(count, size)._asdict().items() if name in blocks.Scratch._fields
    }
    own = {"order": order, "gram": gram, "factor": factor, "panels": panels, "trial": np.zeros(2 * blocks.CHAINS)}
    return blocks.Scratch(**(common | own))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("law", "trials"),
    [
        (Law(40, 20), 500),
        (Law(200, 100), 100),
        (Law(150, 77, bias=True, coding_level=0.3), 50),
        (Law(99, 101), 20),
        (Law(20, 8, patterns.RADEMACHER), 1000),
        (Law(3, 7, patterns.RADEMACHER), 100),
    ],
)
def test_the_solver_of_a_block_decides_as_that_of_a_thread(law, trials):
    wanted, found = np.zeros((trials, 5)), np.zeros((trials, 2))
    cpu.kernels().verdicts(law, solvers.AUTO, KEY, 0, wanted, cpu.space(law.patterns, law.dimension + law.bias, GO))
    x, y, draws = np.zeros((law.patterns, law.dimension)), np.zeros(law.patterns), patterns.draws(law.dimension)
    work, norm = scratch(law.patterns, law.dimension + law.bias), np.ones(law.patterns)
    for trial in range(trials):
        cpu.kernels().raw(law, trial, KEY, x, y, draws)
        z = y[:, None] * np.column_stack([x, np.ones((law.patterns, int(law.bias)))])
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        found[trial] = newton()(z, np.ascontiguousarray(z.T), norm, law.patterns, work)
        if found[trial, 0] == SEPARABLE:
            assert np.all(z @ work.w > 0.0)
        else:
            assert np.all(work.multiplier >= 0.0)
            assert np.linalg.norm(work.multiplier @ z) <= 1.001 * TOLERANCE * work.multiplier.sum()
    np.testing.assert_array_equal(found[:, 0], wanted[:, 0])
    assert abs(found[:, 1].mean() - wanted[:, 1].mean()) <= 0.01 * wanted[:, 1].mean()


@functools.cache
def largest_margin():
    target = targets.cpu(np.float64)
    return hull.bind(target, blocks.bind(target))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("law", "trials"),
    [(Law(60, 60), 20), (Law(30, 41, bias=True, coding_level=0.4), 20), (Law(24, 40, positive=15), 20)],
)
def test_the_largest_margin_of_a_block_is_that_of_a_thread(law, trials):
    count, size = law.positive + law.patterns, law.dimension + law.bias
    wanted, share = np.zeros((trials, 4)), np.zeros(count)
    cpu.kernels().margins(law, KEY, 0, wanted, cpu.space(count, size, GO))
    x, y, draws = np.zeros((law.patterns, law.dimension)), np.zeros(law.patterns), patterns.draws(law.dimension)
    work = scratch(count, size)
    for trial in range(trials):
        cpu.kernels().raw(law, trial, KEY, x, y, draws)
        z = y[:, None] * x / np.linalg.norm(x, axis=1, keepdims=True)
        z = np.vstack([np.eye(law.positive, size), np.column_stack([z, y] if law.bias else [z])])
        label, norm = np.concatenate([np.ones(law.positive), y]), np.linalg.norm(z, axis=1)
        found = largest_margin()(law, z, np.ascontiguousarray(z.T), norm, share, label, work)
        np.testing.assert_allclose(found, wanted[trial], rtol=1e-9)
