"""Kernels of random expansions compile for GPUs: no spills, single precision throughout, and blocks that fit."""

import numpy as np
import pytest

from simnn.device import targets
from simnn.olfaction import cpu, cuda_kernels
from tests.ptx import ARCHITECTURES, compiled

REAL, ROW, WORD = np.float32(1.0), np.zeros(2, np.float32), np.uint32(1)
DRIVE, TILES = np.zeros((1, 2, 128), np.float32), np.zeros((1, 256), np.float32)
CODES, SUMS = np.zeros((1, 2), np.uint32), np.zeros(2, np.int64)
PAIR = np.zeros((2, 1, 256), np.float32)
LABEL, ACTIVE = np.zeros(2, np.int8), np.zeros(2, np.int32)
WIRES = np.zeros((2, 4), np.uint32), np.zeros((2, 4), np.float32), ACTIVE
SOURCE = cpu.Source(np.zeros((2, 2), np.float32), ACTIVE, REAL, REAL, ROW, ROW, REAL, REAL, 0, REAL, REAL, REAL)

# Arguments of a launch, and what it may take: registers, bytes of shared memory.
KERNELS = {
    "draw": ((SOURCE, 2, 1, WORD, WORD, 0, TILES), 64, 0),
    "load": ((np.zeros((2, 2), np.float32), TILES), 32, 0),
    "unload": ((TILES, np.zeros((2, 2), np.float32)), 32, 0),
    "normalise": ((REAL, REAL, REAL, TILES), 40, 0),
    "balance": ((REAL, TILES, np.zeros((1, 128), np.float32)), 32, 0),
    "threshold": ((TILES, np.zeros((1, 128), np.float32), *WIRES, ROW, CODES), 72, 0),
    "expand": ((TILES, np.zeros((1, 128), np.float32), *WIRES, 2, DRIVE), 64, 0),
    "compete": ((DRIVE, 1, CODES), 56, 36 * 1024),
    "fit": ((DRIVE, 2, 1, ROW), 48, 36 * 1024),
    "tally": ((DRIVE, 2, 0, 0, np.zeros(256, np.int64)), 48, 36 * 1024),
    "label": ((1, WORD, WORD, 0, LABEL), 32, 0),
    "count": ((CODES, LABEL, True, SUMS, SUMS), 40, 0),
    "compare": ((CODES, CODES, ACTIVE, SUMS), 40, 16),
    "wrong": ((CODES, LABEL, SUMS, 1.0, 1.0, SUMS), 40, 16),
    "overlap_sums": ((CODES, SUMS, SUMS, SUMS), 48, 16 * 1024),
    "drive_products": ((PAIR, PAIR, *WIRES, 2, np.zeros((1, 3, 32)), np.zeros((2, 1, 32))), 96, 0),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_stays_in_its_budget(name, architecture):
    arguments, registers, shared = KERNELS[name]
    result = compiled(getattr(cuda_kernels.bind(targets.cuda(np.float32)), name), arguments, architecture)
    assert result.spills == 0
    assert result.stack == 0
    assert result.registers <= registers
    assert result.shared <= shared
    assert result.count(r"\bcall\b") == 0
    # The field of a readout and products of drives are in double precision, as on the CPU.
    assert (result.count(r"\.f64") > 0) is (name in ("wrong", "drive_products"))
    assert result.count(r"atom\S*\.f\d|red\S*\.f\d") == 0
    assert float(result.text.split(".version ")[1].split()[0]) <= 9.0


def test_every_kernel_is_compiled():
    assert set(KERNELS) == set(cuda_kernels.Kernels._fields)
