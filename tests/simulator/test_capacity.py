"""Kernels of capacity in the simulator: verdicts of the CPU, with proofs, and the same bits for every grid."""

import numpy as np
import pytest

from simnn import capacity
from simnn.capacity import blocks, cpu, cuda, newton, patterns, solvers
from simnn.capacity.certificates import SEPARABLE
from simnn.capacity.model import Experiment
from simnn.capacity.patterns import Law
from simnn.capacity.simulate import _Data, _margins, _margins_on_gpu, _Sets, _verdicts, _verdicts_on_gpu
from simnn.device import gpu
from simnn.device.gpu import cuda as toolkit

KEY = np.array([5, 0], np.uint64)
GO = np.zeros(1, np.int64)

LAWS = {
    "gaussian": (Law(10, 5), 6),
    "more normals than a block": (Law(30, 9), 2),
    "with a threshold": (Law(9, 4, bias=True, coding_level=0.7), 4),
    "signs, that repeat": (Law(8, 3, patterns.RADEMACHER), 6),
    "rectified, some silent": (Law(6, 2, patterns.RELU), 4),
    "fewer patterns than dimensions": (Law(3, 6), 2),
    "one pattern": (Law(1, 3, patterns.RADEMACHER, bias=True), 1),
    "positive weights": (Law(5, 5, positive=3), 3),
    "signs that share a drive": (Law(6, 4, patterns.RADEMACHER, source=patterns.COMMON, correlation=0.5), 3),
    "mixtures of inputs": (Law(8, 4, positive=1, source=patterns.DENSE), 3),
    "few of many inputs, a threshold": (
        Law(7, 5, patterns.THRESHOLD, source=patterns.CLAWS, claws=2, level=0.4),
        3,
    ),
    "winners": (Law(7, 5, patterns.WINNERS, winners=2), 3),
    "winners of mixtures": (Law(6, 5, patterns.WINNERS, bias=True, source=patterns.DENSE, winners=1), 2),
    "a covariance": (Law(7, 4, patterns.THRESHOLD, source=patterns.MATRIX, level=-0.3), 3),
    "patterns that are given": (Law(6, 4, patterns.GIVEN), 3),
}


def draws_of(law):
    """Scratch for a law whose patterns take a matrix: 3 inputs, or one of 9 given patterns."""
    rng = np.random.default_rng(1)
    if law.ensemble == patterns.GIVEN:
        return patterns.draws(law.dimension, matrix=rng.standard_normal((9, law.dimension)))
    if law.source == patterns.MATRIX:
        return patterns.draws(law.dimension, matrix=rng.standard_normal((law.dimension, 3)))
    return patterns.draws(law.dimension, 3 if law.source in (patterns.DENSE, patterns.CLAWS) else 0)


def on_cpu(law, trials, first):
    out = np.zeros((trials, 5))
    space = cpu.space(law.positive + law.patterns, law.dimension + law.bias, GO, draws_of(law))
    cpu.kernels().verdicts(law, solvers.AUTO, KEY, first, out, space)
    return out


def drawn(law, trial):
    """Patterns times labels, constraints first, each of length 1."""
    x, y = np.zeros((law.patterns, law.dimension)), np.zeros(law.patterns)
    cpu.kernels().raw(law, trial, KEY, x, y, draws_of(law))
    z = y[:, None] * np.column_stack([x, np.ones((law.patterns, int(law.bias)))])
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return np.vstack([np.eye(law.positive, z.shape[1]), z / np.where(length > 0.0, length, 1.0)])


@pytest.mark.parametrize("name", LAWS)
def test_verdicts_and_counts_are_those_of_the_cpu_and_are_proved(name):
    law, trials = LAWS[name]
    found = cuda.verdicts(law, KEY, 2, trials, draws_of(law), grid=(4, 2), certificates=True)
    wanted = on_cpu(law, trials, 2)
    assert len(found.left) == 0
    np.testing.assert_array_equal(found.values[:, [0, 2, 3, 4]], wanted[:, [0, 2, 3, 4]])
    for row, (verdict, proof) in enumerate(zip(found.values[:, 0], found.proofs, strict=True)):
        z = drawn(law, 2 + row)
        if verdict == SEPARABLE:
            assert np.all(z @ proof[: z.shape[1]] > 0.0)
        else:
            # The simulator draws the normals of strict arithmetic: they may differ from these by 3e-7.
            multiplier = proof[: len(z)]
            assert np.all(multiplier >= 0.0)
            assert np.linalg.norm(multiplier @ z) <= 1e-6 * multiplier.sum()


@pytest.mark.parametrize("name", ["rectified, some silent", "winners"])
def test_patterns_are_counted_without_a_verdict(name):
    law, trials = LAWS[name]
    found = cuda.verdicts(law, KEY, 2, trials, draws_of(law), solvers.NONE, grid=(3, 2))
    assert len(found.left) == 0
    np.testing.assert_array_equal(found.values[:, 2:], on_cpu(law, trials, 2)[:, 2:])


def test_samples_hold_what_they_are_to_hold():
    # Verdicts of both kinds, and patterns that are silent, repeat others, or contradict them.
    values = {name: on_cpu(law, trials, 2) for name, (law, trials) in LAWS.items()}
    assert set(values["gaussian"][:, 0]) == set(values["with a threshold"][:, 0]) == {0.0, 1.0}
    assert np.all(values["signs, that repeat"][:, 3].sum() > values["signs, that repeat"][:, 4].sum() > 0.0)
    assert values["rectified, some silent"][:, 2].sum() > 0.0
    assert values["winners"][:, 3].sum() > 0.0
    assert sum(law.source != patterns.INDEPENDENT for law, _ in LAWS.values()) == 5


@pytest.mark.parametrize("name", ["gaussian", "winners of mixtures"])
def test_bits_do_not_depend_on_threads_blocks_or_how_trials_are_cut(name):
    law = LAWS[name][0]

    def run(first, trials, grid):
        return cuda.verdicts(law, KEY, first, trials, draws_of(law), grid=grid, certificates=True)

    one, many, last = run(4, 3, (1, 1)), run(4, 3, (8, 3)), run(5, 2, (5, 2))
    for a, b, c in zip((one.values, one.proofs), (many.values, many.proofs), (last.values, last.proofs), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a[1:], c)


def test_what_newton_leaves_undecided_is_decided_by_the_cpu(monkeypatch):
    experiment, data = Experiment(dimension=4, load=2.0), _Data()
    wanted = _verdicts(_Sets(experiment, data, 4, KEY, 0, GO))
    monkeypatch.setattr(cuda, "shape", lambda *_: (4, 2))
    # The simulator runs Python, which sees this; the CPU's kernels are compiled.
    monkeypatch.setattr(newton, "_STEPS", 1)
    left = cuda.verdicts(Law(8, 4), KEY, 0, 4).left
    assert 0 < len(left) < 4
    found = _verdicts_on_gpu(_Sets(experiment, data, 4, KEY, 0, GO))
    np.testing.assert_array_equal(np.delete(found, 2, axis=1), np.delete(wanted, 2, axis=1))
    np.testing.assert_array_equal(found[left], wanted[left])


def test_what_does_not_fit_is_left_to_the_cpu(monkeypatch):
    assert cuda.shape(4, 1000, 2) == (32, 2)
    assert cuda.shape(100, 10**6, 10**9) == (128, cuda.THREADS // 128)
    monkeypatch.setattr(gpu, "free_memory", lambda: cuda.Sizes(8, 4).bytes)
    experiment, data = Experiment(dimension=4, load=2.0), _Data()
    assert list(cuda.verdicts(Law(8, 4), KEY, 0, 3).left) == [0, 1, 2]
    wanted = _verdicts(_Sets(experiment, data, 3, KEY, 0, GO))
    np.testing.assert_array_equal(_verdicts_on_gpu(_Sets(experiment, data, 3, KEY, 0, GO)), wanted)


def test_no_trials_are_no_work():
    found = cuda.verdicts(Law(8, 4), KEY, 0, 0)
    assert found.values.shape == (0, 5)
    assert len(found.left) == 0


@pytest.mark.parametrize(("count", "size"), [(1, 1), (3, 5), (9, 8), (7, 11)])
def test_linear_algebra_of_a_block(count, size):
    algebra, rng = blocks.bind(cuda.called(gpu.target(np.float64))), np.random.default_rng(size)

    @toolkit.jit
    def run(rows, sign, index, panels, square, total, x, numbers, flags):
        part = toolkit.shared.array(2 * blocks.CHAINS, np.float64)
        gram, factor = square[0], square[1]
        algebra.clear(gram)
        algebra.add_gram(sign, index, count, rows, panels, gram, flags)
        algebra.combine(sign, index, count, rows, total)
        done = algebra.factorise(size, 0.5, gram, panels, factor, flags)
        algebra.solve(factor, x)
        product, smallest = algebra.product(total, x, part), algebra.smallest(x, part)
        numbers[0], numbers[1], numbers[2], numbers[3] = done, product, smallest, algebra.trace(size, gram)
        numbers[4] = algebra.factorise(size, -100.0, gram, panels, factor, flags)

    rows, sign = rng.standard_normal((2 * count, size)), rng.choice([0.5, 2.0], count)
    index, x = rng.permutation(2 * count)[:count], rng.standard_normal(size)
    square, total, solved, numbers = np.zeros((2, size, size)), np.zeros(size), x.copy(), np.zeros(5)
    minus, order = np.full(blocks.PANEL, -1.0), np.arange(size + blocks.PANEL)
    panels = blocks.Panels(toolkit.to_device(minus), toolkit.to_device(order))
    run[1, 3](rows, sign, index, panels, square, total, solved, numbers, GO)
    matrix = rows[index].T @ (sign[:, None] * rows[index])
    np.testing.assert_allclose(np.triu(square[0]), np.triu(matrix), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(total, sign @ rows[index], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(solved, np.linalg.solve(matrix + 0.5 * np.eye(size), x), rtol=1e-10)
    np.testing.assert_allclose(numbers, [1.0, total @ solved, solved.min(), np.trace(matrix), 0.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "trials"),
    [
        ({"dimension": 4, "load": 1.5}, 3),
        ({"dimension": 3, "load": 2.0, "bias": True, "coding_level": 0.4}, 2),
        ({"dimension": 4, "load": 0.75, "constrained": 0.5}, 2),
        ({"dimension": 2, "load": 3.0, "ensemble": "rademacher"}, 2),
        ({"dimension": 3, "load": 0.67, "bias": True, "coding_level": 1.0}, 1),
        ({"dimension": 4, "load": 1.0, "ensemble": "threshold", "activity": 0.4, "inputs": 5, "bias": True}, 2),
    ],
)
def test_largest_margins_are_those_of_the_cpu(parameters, trials, monkeypatch):
    experiment, data = Experiment(**parameters), _Data()
    monkeypatch.setattr(cuda, "shape", lambda *_: (4, 2))
    found = _margins_on_gpu(_Sets(experiment, data, trials, KEY, 0, GO))
    wanted = _margins(_Sets(experiment, data, trials, KEY, 0, GO))
    np.testing.assert_allclose(found[:, 0], wanted[:, 0], rtol=1e-4)
    np.testing.assert_array_equal(found[:, 1:], wanted[:, 1:])


@pytest.mark.parametrize("margin", [0.3, 0.9])
def test_verdicts_of_a_margin_are_those_of_the_cpu(margin, monkeypatch):
    experiment = Experiment(dimension=4, load=1.0, ensemble="rademacher", margin=margin)
    monkeypatch.setattr(cuda, "shape", lambda *_: (4, 2))
    found, wanted = (run(_Sets(experiment, _Data(), 4, KEY, 0, GO)) for run in (_verdicts_on_gpu, _verdicts))
    np.testing.assert_array_equal(found, wanted)
    assert 0.0 < wanted[:, 0].mean() < 1.0


def test_bits_of_margins_do_not_depend_on_the_grid():
    one, many = (cuda.margins(Law(6, 4), KEY, 2, 2, grid=grid) for grid in ((1, 1), (7, 2)))
    np.testing.assert_array_equal(one, many)


def test_margins_that_do_not_fit_are_the_cpus(monkeypatch):
    experiment = Experiment(dimension=4, load=1.0)
    monkeypatch.setattr(gpu, "room", lambda *_: 0)
    assert np.all(np.isnan(cuda.margins(Law(4, 4), KEY, 0, 2)))
    found, wanted = (run(_Sets(experiment, _Data(), 2, KEY, 0, GO)) for run in (_margins_on_gpu, _margins))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.thorough
def test_simulate_on_cuda_gives_the_verdicts_of_the_cpu_and_says_where_it_ran():
    parameters = {"dimension": [3, 4], "load": 2.0, "trials": 2, "ensemble": "rademacher", "keep_trials": True}
    found, wanted = (capacity.simulate(**parameters, backend=backend) for backend in ("cuda", "auto"))
    assert (found.attrs["backend"], found.attrs["device"], wanted.attrs["backend"]) == ("cuda", "simulator", "cpu")
    for name in ("separable_fraction", "undecided_fraction", "duplicate_fraction", "contradictory_fraction"):
        np.testing.assert_array_equal(found[name], wanted[name])
