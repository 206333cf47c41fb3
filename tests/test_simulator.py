"""Kernels of CUDA under Numba's simulator, which equals the CPU; each file in a process that imports Numba anew."""

import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parent / "simulator"


FILES = sorted(path.name for path in FOLDER.glob("test_*.py"))


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        *((name, "not thorough") for name in FILES),
        *(pytest.param(name, "thorough", marks=pytest.mark.thorough) for name in FILES if "device" not in name),
    ],
)
def test_simulated_kernels_equal_the_cpu(name, marks):
    # Also by hand: NUMBA_ENABLE_CUDASIM=1 pytest -n 0 tests/simulator
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", marks, str(FOLDER / name)],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=FOLDER.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
    assert " skipped" not in result.stdout
