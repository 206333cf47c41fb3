"""Kernels of capacity compile for GPUs."""

import types

import numpy as np
import pytest

from simnn.capacity import blocks, cuda
from simnn.capacity.patterns import Law
from tests.ptx import ARCHITECTURES, compiled


def example(count, size):
    """Arguments of a kernel, but for memory of a device."""
    f, i = np.zeros, np.int64
    vectors = (f((1, 4, size)), f((1, 6, count)), f((1, count), i), f((1, count), np.int8), f(count, i))
    batch = cuda.Batch(f((1, count, size)), f((1, size, count)), f((1, 2, size, size)), *vectors, f(4), f(1, i))
    return Law(count, size), np.zeros(2, np.uint64), 0, f((1, 5)), f((0, 0)), batch


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_solver_of_one_block(architecture, monkeypatch):
    pytest.importorskip("numba_cuda")
    from numba.cuda import dispatcher

    # Routines that are called are compiled for the device at hand, and there is none.
    device = types.SimpleNamespace(compute_capability=architecture)
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)
    result = compiled(cuda.kernels().verdicts, example(10, 5), architecture)
    # Its arrays take the registers: 255 is all there are, and two blocks of 128 threads fit a multiprocessor at least.
    assert result.registers <= 255
    assert result.shared == 8 * 2 * blocks.CHAINS
    assert result.count(r"\bcall\b") == 0
    assert float(result.text.split(".version ")[1].split()[0]) <= 9.0
