"""Memory: what is too large is refused at once, and what is said to be needed is what a run takes."""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from simnn import propagation

SHAPES = {
    "weight matrices": {"inputs": 8, "depth": 4, "trials": 2, "width": 3000, "method": "dense"},
    "moments of many inputs": {"inputs": 16, "width": 4, "depth": 1000, "trials": 3},
    "kept trials": {"inputs": 1, "width": 4, "depth": 100, "trials": 6000, "keep_trials": True},
    "gradients of many outputs": {"inputs": 4, "width": 4, "depth": 50, "trials": 4, "outputs": 24},
    "slices in flight": {"inputs": 8, "width": 4, "depth": 30, "trials": 600},
    # Last, since the allocator keeps what many small objects took.
    "many networks": {"inputs": 1, "width": 4, "depth": 2, "trials": 1, "sigma_w": [i / 3e4 for i in range(30_000)]},
}

PROGRAM = """
import json, pathlib, re, sys
import numpy as np
from simnn import propagation
from simnn.device.targets import threads
from simnn.propagation import memory, model

def resident(field):
    return 1024 * int(re.search(rf"{field}:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])

for method in ("conditional", "dense"):
    propagation.simulate(width=4, depth=1, trials=1, inputs=np.eye(2), method=method)
before = resident("VmRSS")
for given in json.loads(sys.stdin.read()):
    inputs = given.pop("inputs")
    needed = memory.peak(model.sweep(given), inputs, inputs, threads())
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    propagation.simulate(**given, inputs=np.sqrt(inputs) * np.eye(inputs))
    print(needed, resident("VmHWM") - before)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self/clear_refs").exists(), reason="measures peaks as Linux counts them")
def test_the_memory_that_is_asked_for_is_what_a_run_takes():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(list(SHAPES.values())), capture_output=True, text=True,
        check=True, env=os.environ | {"NUMBA_NUM_THREADS": "2"},
    )  # fmt: skip
    for name, line in zip(SHAPES, result.stdout.splitlines(), strict=True):
        needed, used = map(int, line.split())
        assert used < needed < 2.0 * used + 2**26, (name, needed, used)


@pytest.mark.parametrize(
    "parameters",
    [
        {"sigma_w": np.linspace(0.0, 1.0, 10**5), "sigma_b": np.linspace(0.0, 1.0, 10**4), "width": 20, "depth": 3},
        {"sigma_w": np.linspace(0.1, 3.0, 1000), "trials": 10**6, "depth": 1000, "keep_trials": True},
        {"method": "dense", "width": 10**6},
        {"depth": 2**24, "inputs": np.eye(64)},
    ],
)
def test_a_sweep_larger_than_the_memory_is_refused_before_any_work(parameters):
    start = time.perf_counter()
    with pytest.raises(MemoryError, match="GiB"):
        propagation.simulate(**parameters)
    assert time.perf_counter() - start < 3.0
