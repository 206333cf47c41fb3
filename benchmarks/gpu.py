"""Time the kernels on a GPU against the host and against dense networks of PyTorch, in one run.

``python benchmarks/gpu.py`` on a machine with a GPU prints the table and writes it to ``docs/benchmarks-gpu.md`` with
the device and the date. Without a GPU it says what is missing and writes a table whose rows are not measured, unless
there is one. Compilation is not timed.
"""

import argparse
import importlib.util
import itertools
import math
import pathlib
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from simnn import __version__, capacity, olfaction, propagation
from simnn.device import gpu
from simnn.device.targets import threads
from simnn.pipeline import provenance

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "benchmarks-gpu.md"
CRITICAL = {"activation": "tanh", "sigma_w": 1.33, "sigma_b": 0.22}
WIDE, USUAL, SETS = 20_000, 400_000, 50_000
ROWS = {
    "propagation, wide": f"tanh, one input, 10,000 x 50, {WIDE:,} networks, both ways: neuron-layers per second",
    "propagation": f"the same, 1,000 x 50, {USUAL:,} networks",
    "against PyTorch": "dense float32 networks of 1,000 x 50 on the GPU, 32 at a time, both ways, over ours: ratio",
    "against the host": "1,000 x 50, 2,000 networks on the host: host over GPU, ratio",
    "separability": f"{SETS:,} sets of 200 Gaussian patterns in 100 dimensions, certified: host over GPU, ratio",
    "thresholds": "codes of 20,000 odors, 50 glomeruli, 2,000 cells, 7 claws, known thresholds: host over GPU, ratio",
    "winners": "the same by competition",
    "fitted": "the same by thresholds that are found for these odors",
    "circuit": "one `olfaction.simulate` of 100,000 odors: host over GPU, ratio",
}
TARGETS = {
    "propagation, wide": "1e10",
    "against PyTorch": "300",
    "separability": "20",
    "thresholds": "20",
    "winners": "20",
    "circuit": "20",
}
FLOORS = {  # seconds at least on an H200: the modules of kernels count operations and bytes
    "propagation, wide": WIDE * 10_000 * 50 / 1.7e11,
    "propagation": USUAL * 1000 * 50 / 1.7e11,
    "separability": SETS / 560e3,
    "thresholds": 50e-6 + 9e6 / 50e9,
    "winners": 250e-6 + 9e6 / 50e9,
    "fitted": 250e-6 + 13e6 / 50e9,
}


def best(task: Callable[[], object], repeats: int = 5) -> float:
    """Shortest time in seconds, after one call that compiles."""
    task()
    seconds = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds


def sampled(width: int, trials: int, backend: str, repeats: int = 5) -> float:
    """Seconds for each network of depth 50."""
    call = partial(propagation.simulate, **CRITICAL, width=width, depth=50, trials=trials, backend=backend)
    return best(call, repeats) / trials


def dense() -> float | None:
    """Seconds for each dense network of PyTorch, weights drawn on the device; None without PyTorch."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    device, width, depth, networks = torch.device("cuda"), 1000, 50, 32
    generator, scale = torch.Generator(device).manual_seed(0), 1.33 / width**0.5

    def normals(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, generator=generator)

    def run() -> None:
        # Many networks at a time: one by one, launches would take longer than what they launch.
        with torch.no_grad():
            h, kept = torch.ones(networks, width, 1, device=device), []
            for _ in range(depth):
                weights = normals(networks, width, width)
                h = torch.tanh(torch.baddbmm(normals(networks, width, 1), weights, h, beta=0.22, alpha=scale))
                square = h * h
                kept.append((weights, 1.0 - square, square.mean(1)))
            delta = normals(networks, width, 1) * kept[-1][1]
            for (weights, _, _), (_, slope, _) in itertools.pairwise(reversed(kept)):
                delta = torch.bmm(weights.transpose(1, 2), delta) * (scale * slope)
            torch.cuda.synchronize()

    return best(run) / networks


def decided(trials: int, backend: str) -> float:
    """Seconds for each set of patterns."""
    return best(partial(capacity.simulate, dimension=100, load=2.0, trials=trials, backend=backend), 3) / trials


def coded(backend: str) -> dict[str, float]:
    """Seconds for codes of odors in the memory of the host, which are wanted there."""
    odors = np.random.default_rng(0).standard_normal((20_000, 50), np.float32)
    wiring = olfaction.draw_wiring(glomeruli=50, kenyon_cells=2000, claws=7)
    levels = olfaction.gaussian_thresholds(wiring, 0.05)
    call = partial(olfaction.encode, odors, wiring, 0.05, backend=backend)
    circuit = partial(olfaction.simulate, odors=100_000, trials=1, backend=backend)
    return {
        "thresholds": best(partial(call, thresholds=levels)),
        "fitted": best(call),
        "winners": best(partial(call, sparsening="winners")),
        "circuit": best(circuit),
    }


def measure() -> dict[str, tuple[str, float]]:
    """Figures of the rows, in words, and seconds of the GPU for what stands in the row."""
    wide, usual, sets = sampled(10_000, WIDE, "cuda"), sampled(1000, USUAL, "cuda"), decided(SETS, "cuda")
    host, torch = sampled(1000, 2000, "cpu", 2), dense()
    codes, codes_of_host = coded("cuda"), coded("cpu")

    def over(ratio: float) -> str:
        return f"{ratio:.0f} ({threads()} threads)"

    return {
        "propagation, wide": (f"{10_000 * 50 / wide:.2g}", WIDE * wide),
        "propagation": (f"{1000 * 50 / usual:.2g}", USUAL * usual),
        "against PyTorch": ("PyTorch is not installed" if torch is None else f"{torch / usual:.0f}", USUAL * usual),
        "against the host": (over(host / usual), USUAL * usual),
        "separability": (over(decided(400, "cpu") / sets), SETS * sets),
    } | {name: (over(codes_of_host[name] / codes[name]), codes[name]) for name in codes}


def row(name: str, figure: str, seconds: float) -> str:
    """One line of the table."""
    floor = FLOORS.get(name, math.nan)
    numbers = (f"{value:.2g}" if math.isfinite(value) else "" for value in (1e3 * floor, seconds / floor))
    return f"| {ROWS[name]} | {TARGETS.get(name, '')} | {figure} | {' | '.join(numbers)} |"


def main() -> None:
    """Print the table and write it to the documentation."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    missing = gpu.missing()
    if missing is not None:
        print(missing)
        if DOCUMENT.exists():
            return
    device = "no GPU yet" if missing is not None else ", ".join(found.name for found in gpu.devices())
    figures = dict.fromkeys(ROWS, ("not measured", math.nan)) if missing is not None else measure()
    text = "\n".join(
        [
            "# Benchmarks on a GPU",
            "",
            "Written by `python benchmarks/gpu.py`: whole calls, from parameters to datasets in host memory.",
            f"Device: {device}. simnn {__version__}, {', '.join(gpu.versions())}, NumPy {np.__version__}, "
            f"{provenance.processor()}, {time.strftime('%Y-%m-%d')}.",
            "",
            "| what | target | measured | floor (ms) | measured over floor |",
            "|---|---:|---:|---:|---:|",
            *(row(name, *figures[name]) for name in ROWS),
            "",
            "Floors are what counted operations and bytes take at least on an H200, transfers included: computed, in",
            "the modules `simnn.propagation.cuda`, `simnn.capacity.cuda` and `simnn.olfaction.cuda`, not measured.",
            "",
        ]
    )
    print(text)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
