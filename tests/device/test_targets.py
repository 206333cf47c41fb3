"""The kernel cache: hits in a second process, recompiles when a callee changes."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import simnn

PROGRAM = """
import numpy as np
from simnn.device import normals, targets
fill = normals.bind(targets.cpu(np.float64)).fill
out = np.empty(2000)
scratch = np.empty((4, normals.TILE), np.uint32), np.empty((2, normals.TILE))
fill(0, 0, 0, np.array([1, 0], np.uint64), 1.0, *scratch, out)
print(sum(fill.stats.cache_hits.values()), sum(fill.stats.cache_misses.values()), out.sum())
"""


@pytest.fixture
def run(tmp_path):
    shutil.copytree(pathlib.Path(simnn.__file__).parent, tmp_path / "simnn")

    def run():
        environment = os.environ | {"SIMNN_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        hits, misses, total = result.stdout.split()
        return int(hits), int(misses), float(total)

    return run


def test_a_second_process_hits_the_cache_with_the_same_result(run):
    hits, misses, total = run()
    assert (hits, misses) == (0, 1)
    assert run() == (1, 0, total)


def test_an_edit_of_any_kernel_source_recompiles(run, tmp_path):
    _, _, total = run()
    for source in ("device/philox.py", "propagation/kernels.py", "capacity/solvers.py"):
        path = tmp_path / "simnn" / source
        path.write_text(path.read_text() + "\n# edited\n")
        assert run() == (0, 1, total)


def test_a_changed_callee_is_not_stale(run, tmp_path):
    _, _, total = run()
    path = tmp_path / "simnn/device/philox.py"
    path.write_text(path.read_text().replace("return r * cosine, r * sine", "return r * sine, r * cosine"))
    assert run()[2] != total


def test_numba_cache_of_the_user_is_left_alone():
    import numpy as np
    from numba.core import config

    from simnn.device import moments, targets

    before = config.CACHE_DIR
    moments.bind(targets.strict(np.float64))
    assert before == config.CACHE_DIR


def test_kernels_are_plain_python_for_a_debugger():
    call = "propagation.simulate(width=3, depth=2, correlation=0.5).gradient_norm.values.tolist()"
    program = f"from simnn import propagation; print({call})"
    plain, compiled = (
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"NUMBA_DISABLE_JIT": disable},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for disable in ("1", "0")
    )
    np.testing.assert_allclose(json.loads(plain), json.loads(compiled), rtol=1e-5)
