"""Kernels of capacity compile for GPUs."""

import numpy as np
import pytest

from simnn.capacity import blocks, cuda
from simnn.capacity.patterns import Law
from tests.ptx import ARCHITECTURES, compiled


def example(count, size):
    """Arguments of a kernel, but for memory of a device."""
    f, i, k = np.zeros, np.int64, min(count, size + 1) + 1
    matrices = f((1, count, size)), f((1, size, count)), f((1, 2, size, size)), f((1, k, k))
    vectors = f((1, 4, size)), f((1, 7, count)), f((1, 3, k)), f((1, count), i), f((1, count), np.int8)
    behind = f((1, size, 3)), f((1, count, size)), f((1, count), i), f(size)
    batch = cuda.Batch(*matrices, *vectors, *behind, f(count, i), f(4), f(1, i))
    return Law(count, size), np.zeros(2, np.uint64), 0, batch


@pytest.mark.parametrize(
    ("name", "architecture"), [*(("verdicts", architecture) for architecture in ARCHITECTURES), ("margins", (9, 0))]
)
def test_a_solver_of_one_block(name, architecture):
    law, key, first, batch = example(10, 5)
    out = (np.zeros((1, 5)), np.zeros((1, 1))) if name == "verdicts" else (np.zeros((1, 4)),)
    arguments = (law, *([0] if name == "verdicts" else []), key, first, *out, batch)
    result = compiled(getattr(cuda.kernels(), name), arguments, architecture)
    # Its arrays take the registers: 255 is all there are, and two blocks of 128 threads fit a multiprocessor at least.
    assert result.registers <= 255
    assert result.spills <= 1024
    assert result.shared == 8 * 2 * blocks.CHAINS
    assert result.count(r"\bcall\b") == 0
    assert float(result.text.split(".version ")[1].split()[0]) <= 9.0
