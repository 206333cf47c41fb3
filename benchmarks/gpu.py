"""Time the kernels on a GPU against the host and against dense networks of PyTorch, in one run.

``python benchmarks/gpu.py`` on a machine with a GPU prints the table and writes it to ``docs/benchmarks-gpu.md`` with
the device and the date. Without a GPU it says what is missing and writes a table whose rows are not measured, unless
there is one. Compilation is not timed.
"""

import argparse
import importlib.util
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
ROWS = {
    "propagation, wide": "tanh, one input, 10,000 x 50, 2,000 networks, both ways: neuron-layers per second",
    "propagation": "the same, 1,000 x 50, 20,000 networks",
    "against PyTorch": "dense float32 network of 1,000 x 50 on the GPU, both ways, over one of ours: ratio",
    "against the host": "1,000 x 50, 2,000 networks: host over GPU, ratio",
    "separability": "sets of 200 Gaussian patterns in 100 dimensions, drawn, decided, certified: host over GPU, ratio",
    "thresholds": "codes of 20,000 odors, 50 glomeruli, 2,000 cells, 7 claws, known thresholds: host over GPU, ratio",
    "fitted": "the same, thresholds of these odors found too",
    "winners": "the same by competition",
    "circuit": "one `olfaction.simulate` of 100,000 odors: host over GPU, ratio",
}
TARGETS = {
    "propagation, wide": "1e10",
    "against PyTorch": "300",
    "separability": "20",
    "thresholds": "20",
    "winners": "20",
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

    device, width, depth, trials = torch.device("cuda"), 1000, 50, 5
    generator = torch.Generator(device).manual_seed(0)

    def network() -> None:
        with torch.no_grad():
            h, kept = torch.ones(width, device=device), []
            for _ in range(depth):
                weights = torch.randn(width, width, device=device, generator=generator)
                bias = torch.randn(width, device=device, generator=generator)
                h = torch.tanh(weights @ h * (1.33 / width**0.5) + 0.22 * bias)
                kept.append((weights, 1.0 - h * h, (h * h).mean()))
            delta = torch.randn(width, device=device, generator=generator) * kept[-1][1]
            for below, above in zip(kept[-2::-1], kept[:0:-1], strict=True):
                delta = (above[0].T @ delta) * (1.33 / width**0.5) * below[1]

    def run() -> None:
        for _ in range(trials):
            network()
        torch.cuda.synchronize()

    return best(run) / trials


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


def measure() -> dict[str, str]:
    """Figures of the rows, in words."""
    wide, usual = sampled(10_000, 2000, "cuda"), sampled(1000, 20_000, "cuda")
    host, torch = sampled(1000, 2000, "cpu", 2), dense()
    codes, codes_of_host = coded("cuda"), coded("cpu")
    return {
        "propagation, wide": f"{10_000 * 50 / wide:.2g}",
        "propagation": f"{1000 * 50 / usual:.2g}",
        "against PyTorch": "PyTorch is not installed" if torch is None else f"{torch / usual:.0f}",
        "against the host": f"{host / usual:.0f} ({threads()} threads)",
        "separability": f"{decided(400, 'cpu') / decided(50_000, 'cuda'):.0f} ({threads()} threads)",
    } | {name: f"{codes_of_host[name] / codes[name]:.0f} ({threads()} threads)" for name in codes}


def main() -> None:
    """Print the table and write it to the documentation."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    missing = gpu.missing()
    if missing is not None:
        print(missing)
        if DOCUMENT.exists():
            return
    device = "no GPU yet" if missing is not None else ", ".join(found.name for found in gpu.devices())
    figures = dict.fromkeys(ROWS, "not measured") if missing is not None else measure()
    text = "\n".join(
        [
            "# Benchmarks on a GPU",
            "",
            "Written by `python benchmarks/gpu.py`, whole calls of `simulate` with their statistics on the host.",
            f"Device: {device}. simnn {__version__}, {', '.join(gpu.versions())}, NumPy {np.__version__}, "
            f"{provenance.processor()}, {time.strftime('%Y-%m-%d')}.",
            "",
            "| what | target | measured |",
            "|---|---:|---:|",
            *(f"| {ROWS[name]} | {TARGETS.get(name, '')} | {figures[name]} |" for name in ROWS),
            "",
            "The modules `simnn.*.cuda` count operations and bytes, and say what floor they imply.",
        ]
    )
    print(text)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
