"""The kernel cache: hits in a second process, recompiles when a callee changes."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import simnn

PROGRAM = """
import numpy as np
from simnn.device import moments, targets
add = moments.bind(targets.cpu(np.float64))
mean = np.zeros((1, 1))
add(np.zeros(1, np.int64), np.ones((1, 1)), np.zeros((1, 1), np.int64), mean, np.zeros((1, 1)))
print(sum(add.stats.cache_hits.values()), sum(add.stats.cache_misses.values()), mean[0, 0])
"""


@pytest.fixture
def run(tmp_path):
    shutil.copytree(pathlib.Path(simnn.__file__).parent, tmp_path / "simnn")

    def run():
        environment = os.environ | {"SIMNN_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        hits, misses, mean = result.stdout.split()
        return int(hits), int(misses), float(mean)

    return run


def test_second_process_hits_the_cache(run):
    assert run() == (0, 1, 1.0)
    assert run() == (1, 0, 1.0)


def test_an_edit_of_any_kernel_source_recompiles(run, tmp_path):
    run()
    for source in ("device/philox.py", "propagation/kernels.py"):
        path = tmp_path / "simnn" / source
        path.write_text(path.read_text() + "\n# edited\n")
        assert run() == (0, 1, 1.0)


def test_numba_cache_of_the_user_is_left_alone():
    import numpy as np
    from numba.core import config

    from simnn.device import moments, targets

    before = config.CACHE_DIR
    moments.bind(targets.strict(np.float64))
    assert before == config.CACHE_DIR
