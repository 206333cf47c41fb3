"""Time the conditional sampler against dense networks, in one run and on one thread unless a row says otherwise.

``python benchmarks/propagation.py`` prints the tables and writes them to ``docs/benchmarks.md``. Every figure is the
best of several repeats; the peers of a table take turns, so that a drift of the machine's clock hits all of them.
"""

import os

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import importlib.util
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from simnn import __version__, propagation
from simnn.device import elementary, normals, philox, targets
from simnn.pipeline import provenance
from simnn.propagation import tiles

REPEATS = 7
DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "benchmarks.md"
SIGMA_W, SIGMA_B = 1.33, 0.22  # critical tanh

Task = Callable[[], object]


def best(tasks: dict[str, Task], repeats: int = REPEATS) -> dict[str, float]:
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


def conditional(width: int, depth: int, trials: int, **parameters: object) -> Task:
    """The sampler, forward and backward."""
    common = {"activation": "tanh", "sigma_w": SIGMA_W, "sigma_b": SIGMA_B}
    return lambda: propagation.simulate(**common | parameters, width=width, depth=depth, trials=trials)


def dense_numpy(width: int, depth: int) -> Task:
    """The same statistics from materialised float32 weights: drawn once in place, multiplied forward and backward."""
    generator = np.random.Generator(np.random.SFC64(1))
    weights = np.empty((depth, width, width), np.float32)
    patterns = generator.standard_normal((width, 1), np.float32)

    def run() -> tuple[list[float], list[float]]:
        h, slopes, lengths, norms = patterns, [], [], []
        for matrix in weights:
            generator.standard_normal(dtype=np.float32, out=matrix)
            bias = np.float32(SIGMA_B) * generator.standard_normal((width, 1), np.float32)
            # Scaling the product, not the matrix, saves a pass over the weights.
            z = np.float32(SIGMA_W / np.sqrt(width)) * (matrix @ h) + bias
            h = np.tanh(z)
            slopes.append(1.0 - h * h)
            lengths.append(float(np.vdot(z, z)) / width)
        u = generator.standard_normal((width, 1), np.float32)
        for matrix, slope in zip(weights[::-1], slopes[::-1], strict=True):
            delta = slope * u
            norms.append(float(np.vdot(delta, delta)) / width)
            u = np.float32(SIGMA_W / np.sqrt(width)) * (matrix.T @ delta)
        return lengths, norms

    return run


def dense_torch(width: int, depth: int) -> Task:
    """The same network in PyTorch, with its own generator and autograd-free backward products."""
    import torch

    torch.set_num_threads(1)
    weights = torch.empty((depth, width, width))
    patterns = torch.randn((width, 1))

    def run() -> tuple[list[float], list[float]]:
        h, slopes, lengths, norms = patterns, [], [], []
        for matrix in weights:
            matrix.normal_()
            z = SIGMA_W / width**0.5 * (matrix @ h) + SIGMA_B * torch.randn((width, 1))
            h = torch.tanh(z)
            slopes.append(1.0 - h * h)
            lengths.append(float((z * z).mean()))
        u = torch.randn((width, 1))
        for matrix, slope in zip(reversed(weights), reversed(slopes), strict=True):
            delta = slope * u
            norms.append(float((delta * delta).mean()))
            u = SIGMA_W / width**0.5 * (matrix.T @ delta)
        return lengths, norms

    return run


def generator(count: int) -> Task:
    """NumPy's fastest float32 normals, the yardstick of one number."""
    sfc, out = np.random.Generator(np.random.SFC64(1)), np.empty(count, np.float32)
    return lambda: sfc.standard_normal(dtype=np.float32, out=out)


def parts(real: type) -> dict[str, Task]:
    """What no sampler of this kind can do without, on tiles that stay in the first-level cache: 512,000 units each."""
    target, repeats, size = targets.cpu(real), 1000, normals.TILE
    pairs, dot = normals.bind(target).pairs, tiles.bind(target).dot
    tanh, units = elementary.bind(target).tanh_slope, philox.UNITS * philox.COLUMNS
    words, key = np.empty((4, size), np.uint32), np.array([1, 2], np.uint64)
    x, y, h, d = (np.zeros((1, size), real) for _ in range(4))
    lanes = np.empty(tiles.LANES // 4, real)

    @target.routine
    def draw(words, x, y, key):  # type: ignore[no-untyped-def]
        for i in range(repeats):
            pairs(0, size, i, 1, units, key, words, x[0], y[0])

    @target.routine
    def activate(x, h, d):  # type: ignore[no-untyped-def]
        for _ in range(repeats):
            for j in range(size):
                h[0, j], d[0, j] = tanh(x[0, j])

    @target.routine
    def add(x, y, lanes):  # type: ignore[no-untyped-def]
        total = 0.0
        for i in range(repeats):
            x[0, 0] = real(i)
            total += dot(x, 0, y, 0, lanes)
        return total

    return {
        "normals": lambda: draw(words, x, y, key),
        "tanh": lambda: activate(x, h, d),
        "sum": lambda: add(x, y, lanes),
    }


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Markdown."""
    columns = list(header)
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def per_unit() -> list[str]:
    """Nanoseconds per neuron-layer, forward and backward, at width 1000 and depth 50, and the floor of each row."""
    width, depth, trials = 1000, 50, 100
    units, tile = width * depth * trials, 1000 * normals.TILE
    tasks = {real: conditional(width, depth, trials, dtype=real) for real in ("float32", "float64")}
    tasks |= {"relu": conditional(width, depth, trials, activation="relu"), "SFC64": generator(units)}
    pieces = {(r, name): task for r in (np.float32, np.float64) for name, task in parts(r).items()}
    seconds = best(tasks | {f"{r.__name__} {name}": task for (r, name), task in pieces.items()})
    ns = {name: 1e9 * value / (units if name in tasks else tile) for name, value in seconds.items()}
    yardstick = ns["SFC64"]
    rows = []
    for label, name, real, evaluations in (
        ("tanh, float32", "float32", "float32", 2),
        ("tanh, float64", "float64", "float64", 2),
        ("relu, float32", "relu", "float32", 0),
    ):
        draws, functions = ns[f"{real} normals"], evaluations * ns[f"{real} tanh"]
        floor = draws + functions + 5.0 * ns[f"{real} sum"]
        rows.append([label, *(f"{value:.2f}" for value in (ns[name], ns[name] / yardstick, draws, functions))])
        rows[-1] += [f"{5.0 * ns[f'{real} sum']:.2f}", f"{floor:.2f}", f"{ns[name] / floor:.2f}"]
    rows.append(["NumPy `SFC64.standard_normal(float32)`, one number", f"{yardstick:.2f}", "1.00", *["-"] * 5])
    return [
        f"Width {width}, depth {depth}, one input, nanoseconds per neuron-layer. The floor is a pair of normals, two",
        "evaluations of the activation (up, and down again) and five sums: their own loops, on data in the first-level",
        "cache. Normals bound every row; what is left is the step between tiles and layers.",
        "",
        *table(
            ["", "ns", "of SFC64", "normals", "activation", "sums", "floor", "of floor"],
            rows,
        ),
    ]


def against_dense(widths: list[int]) -> list[str]:
    """Time per network, depth 50, conditional against dense."""
    torch = importlib.util.find_spec("torch") is not None
    header = ["width", "conditional (ms)", "dense NumPy float32 (ms)", "ratio"]
    header += ["dense PyTorch float32 (ms)", "ratio"] if torch else []
    rows = []
    for width in widths:
        # Weights of all layers must fit: ten layers stand for fifty where they do not.
        depth = 50 if width <= 3000 else 10
        trials = max(1, 200_000 // width)
        tasks = {"conditional": conditional(width, 50, trials), "numpy": dense_numpy(width, depth)}
        if torch:
            tasks["torch"] = dense_torch(width, depth)
        seconds = best(tasks, repeats=5 if width <= 3000 else 2)
        ours = seconds["conditional"] / trials
        row = [width, f"{1e3 * ours:.3f}"]
        for peer in ("numpy", "torch")[: 1 + torch]:
            theirs = seconds[peer] * 50 / depth
            row += [f"{1e3 * theirs:.1f}", f"{theirs / ours:.0f}"]
        rows.append(row)
    note = "" if torch else " PyTorch was not installed."
    return [
        "Weights drawn and multiplied in both directions, depth 50 (width 10,000: ten layers, times five)." + note,
        "",
        *table(header, rows),
    ]


def peak_memory(width: int, depth: int) -> list[str]:
    """Peak memory of a process that runs one network, and of the same process before, in MB."""
    program = (
        "import pathlib; from simnn import propagation\n"
        "run = lambda w, d: propagation.simulate(sigma_w=1.33, sigma_b=0.22, width=w, depth=d, trials=1)\n"
        "peak = lambda: pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        f"run(10, 2); before = peak(); run({width}, {depth}); print(peak(), before)"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return [f"{int(kilobytes) / 1024:.0f}" for kilobytes in result.stdout.split()]


def scaling() -> list[str]:
    """Time against width and depth, with fitted exponents, and peak memory."""
    rows, fits = [], []
    for axis, points in (
        ("width", [(1000, 100), (10_000, 100), (100_000, 100), (1_000_000, 100)]),
        ("depth", [(10_000, 10), (10_000, 30), (10_000, 100), (10_000, 300), (10_000, 1000)]),
    ):
        tasks = {str(point): conditional(*point, max(1, 2_000_000 // (point[0] * point[1]))) for point in points}
        seconds = best(tasks, repeats=3)
        times = [seconds[str(point)] / max(1, 2_000_000 // (point[0] * point[1])) for point in points]
        x = [point[0 if axis == "width" else 1] for point in points]
        fits.append(f"{axis} {np.polyfit(np.log(x), np.log(times), 1)[0]:.3f}")
        for (width, depth), duration in zip(points, times, strict=True):
            unit = 1e9 * duration / (width * depth)
            rows.append([f"{width:,}", depth, f"{1e3 * duration:.2f}", f"{unit:.2f}", *peak_memory(width, depth)])
    return [
        *table(["width", "depth", "ms per network", "ns per neuron-layer", "peak MB", "MB before"], rows),
        f"Fitted exponents: {', '.join(fits)}. Networks of up to a million units draw their normals once, larger",
        "ones twice. Peak memory is that of the process; before, it had run a network of 10 x 2. Storing activations",
        "would take 400 MB for the widest network, its weights 400 TB.",
        "",
    ]


def per_input() -> list[str]:
    """Cost of following several inputs at once."""
    rows, patterns = [], np.random.default_rng(1)
    for inputs in (1, 2, 8, 32, 64):
        trials = max(8, 320 // inputs)
        task = conditional(1000, 20, trials, inputs=patterns.standard_normal((inputs, 100)))
        seconds = best({"K": task}, repeats=5)["K"] / (1000 * 20 * trials)
        rows.append([inputs, f"{1e9 * seconds:.1f}", f"{1e9 * seconds / inputs:.1f}"])
    eight = patterns.standard_normal((8, 100))
    kernel = best({"K": conditional(512, 50, 20, inputs=eight)})["K"] / 20
    return [
        *table(["inputs K", "ns per neuron-layer", "per input"], rows),
        f"Empirical tangent kernel of 8 inputs, 512 x 50, with its spread over networks: {1e3 * kernel:.2f} ms a draw.",
        "Normals and activations (linear in K) bound the rows to K = 8, sums over pairs (K^2) those beyond.",
        "",
    ]


def threads() -> list[str]:
    """Two threads against one, each in a process of its own, taking turns."""
    program = (
        "import time; from simnn import propagation\n"
        "run = lambda t: propagation.simulate(sigma_w=1.33, sigma_b=0.22, width=1000, depth=50, trials=t)\n"
        "run(20); times = []\n"
        "for _ in range(4): start = time.perf_counter(); run(4000); times.append(time.perf_counter() - start)\n"
        "print(min(times))"
    )

    def run(count: int) -> float:
        environment = os.environ | {"NUMBA_NUM_THREADS": str(count)}
        result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        return float(result.stdout)

    one, two = np.min([(run(1), run(2)) for _ in range(3)], axis=0)
    return [f"Two threads are {one / two:.2f} times as fast as one (4000 networks of 1000 x 50).", ""]


def warm_start() -> list[str]:
    """A fresh process that imports, simulates once with cached kernels, and ends."""
    program = "from simnn import propagation; propagation.simulate(width=100, depth=10, trials=10)"
    seconds = best({"start": lambda: subprocess.run([sys.executable, "-c", program], check=True)}, repeats=3)
    return [f"Warm start (process, import, one small simulation with cached kernels): {seconds['start']:.2f} s.", ""]


def main() -> None:
    """Print the tables and write them to the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[100, 1000, 10_000], help="of the dense peers")
    widths = parser.parse_args().widths
    import numba

    sections = {
        "One network, forward and backward": per_unit,
        "Against dense networks": lambda: against_dense(widths),
        "Width, depth and memory": scaling,
        "Several inputs, width 1000": per_input,
        "Threads and start": lambda: [*threads(), *warm_start()],
    }
    lines = [
        "# Benchmarks: signal propagation",
        "",
        "Written by `python benchmarks/propagation.py`: one thread unless said, best of repeats, peers in one run.",
        f"simnn {__version__}, numba {numba.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}, {provenance.processor()}, {time.strftime('%Y-%m-%d')}.",
        "",
    ]
    for title, section in sections.items():
        lines += [f"## {title}", "", *section()]
    text = "\n".join(lines)
    print(text)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
