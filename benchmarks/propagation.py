"""Time the conditional sampler against a dense NumPy network, in one run and on one thread.

``python benchmarks/propagation.py`` prints the table and writes it to ``docs/benchmarks.md``. Every row is the best of
several repeats; the peers of a table take turns, so that a drift of the machine's clock hits all of them.
"""

import os

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from simnn import __version__, propagation
from simnn.pipeline import provenance

REPEATS = 5
DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "benchmarks.md"


def best(tasks: dict[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """Shortest time of each task in seconds, the tasks taking turns."""
    for task in tasks.values():
        task()
    seconds = dict.fromkeys(tasks, float("inf"))
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def conditional(width: int, depth: int, trials: int, **parameters: object) -> Callable[[], object]:
    """The sampler on a critical tanh network."""
    return lambda: propagation.simulate(
        activation="tanh", sigma_w=1.33, sigma_b=0.22, width=width, depth=depth, trials=trials, **parameters
    )


def dense_numpy(width: int, depth: int, inputs: int = 1) -> Callable[[], object]:
    """The same statistics from materialised float32 weights: drawn once in place, multiplied forward and backward."""
    generator = np.random.Generator(np.random.SFC64(1))
    weights = np.empty((depth, width, width), np.float32)
    patterns = generator.standard_normal((width, inputs), np.float32)

    def run() -> tuple[list[float], list[float]]:
        h, slopes, lengths, norms = patterns, [], [], []
        for matrix in weights:
            generator.standard_normal(dtype=np.float32, out=matrix)
            np.multiply(matrix, np.float32(1.33 / np.sqrt(width)), out=matrix)
            bias = np.float32(0.22) * generator.standard_normal((width, 1), np.float32)
            z = matrix @ h + bias
            h = np.tanh(z)
            slopes.append(1.0 - h * h)
            lengths.append(float(np.vdot(z, z)) / width)
        u = generator.standard_normal((width, 1), np.float32)
        for matrix, slope in zip(weights[::-1], slopes[::-1], strict=True):
            delta = slope * u
            norms.append(float(np.vdot(delta, delta)) / width)
            u = matrix.T @ delta
        return lengths, norms

    return run


def normals(count: int) -> Callable[[], object]:
    """NumPy's fastest float32 normals, the yardstick of one number."""
    generator, out = np.random.Generator(np.random.SFC64(1)), np.empty(count, np.float32)
    return lambda: generator.standard_normal(dtype=np.float32, out=out)


def per_unit() -> list[str]:
    """Nanoseconds per neuron-layer, forward and backward, at width 1000 and depth 50."""
    width, depth, trials = 1000, 50, 40
    units = width * depth * trials
    single, double = (conditional(width, depth, trials, dtype=dtype) for dtype in ("float32", "float64"))
    seconds = best({"float32": single, "float64": double, "SFC64": normals(units)})
    rows = [
        ("conditional, float32", seconds["float32"]),
        ("conditional, float64", seconds["float64"]),
        ("NumPy `SFC64.standard_normal(float32)`, one number", seconds["SFC64"]),
    ]
    return [
        "| tanh, K = 1, width 1000, depth 50, forward + backward | ns per neuron-layer |",
        "|---|---:|",
        *(f"| {name} | {1e9 * value / units:.1f} |" for name, value in rows),
    ]


def against_dense(widths: list[int]) -> list[str]:
    """Time per network, depth 50, conditional against dense."""
    lines = ["| width | conditional (ms) | dense NumPy float32 (ms) | ratio |", "|---:|---:|---:|---:|"]
    for width in widths:
        trials = max(1, 20_000 // width)
        tasks = {"conditional": conditional(width, 50, trials), "dense": dense_numpy(width, 50)}
        seconds = best(tasks, repeats=3)
        ours, theirs = seconds["conditional"] / trials, seconds["dense"]
        lines.append(f"| {width} | {1e3 * ours:.3f} | {1e3 * theirs:.1f} | {theirs / ours:.0f} |")
    return lines


def per_input() -> list[str]:
    """Cost of following several inputs at once."""
    lines = ["| inputs K | ns per neuron-layer and input |", "|---:|---:|"]
    generator = np.random.default_rng(1)
    for inputs in (1, 2, 8, 32):
        trials = max(1, 16 // inputs)
        task = conditional(1000, 20, trials, inputs=generator.standard_normal((inputs, 100)))
        seconds = best({"K": task}, repeats=3)["K"]
        lines.append(f"| {inputs} | {1e9 * seconds / (1000 * 20 * trials * inputs):.1f} |")
    return lines


def warm_start() -> list[str]:
    """A fresh process that imports, simulates once with cached kernels, and ends."""
    program = "from simnn import propagation; propagation.simulate(width=100, depth=10, trials=10)"
    seconds = best({"start": lambda: subprocess.run([sys.executable, "-c", program], check=True)}, repeats=3)
    return [f"Warm start (process, import, one small simulation with cached kernels): {seconds['start']:.2f} s."]


def main() -> None:
    """Print the tables and write them to the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[100, 1000, 3000], help="of the dense peer")
    widths = parser.parse_args().widths
    import numba

    text = "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `python benchmarks/propagation.py`: one thread, best of several repeats, peers in one run.",
            f"simnn {__version__}, numba {numba.__version__}, NumPy {np.__version__}, "
            f"Python {platform.python_version()}, {provenance.processor()}, {time.strftime('%Y-%m-%d')}.",
            "",
            "## Signal propagation: one network, forward and backward",
            "",
            *per_unit(),
            "",
            "## Against dense NumPy (weights drawn and multiplied, both directions), depth 50",
            "",
            *against_dense(widths),
            "",
            "## Several inputs, width 1000",
            "",
            *per_input(),
            "",
            "## Start",
            "",
            *warm_start(),
            "",
        ]
    )
    print(text)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
