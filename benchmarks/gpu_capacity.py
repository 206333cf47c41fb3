"""Rows of the GPU's table: sets of random patterns that are drawn, decided and certified in a second."""

import time
from typing import NamedTuple

import numpy as np

from simnn import capacity
from simnn.capacity import cuda
from simnn.capacity.patterns import Law
from simnn.device import gpu
from simnn.device.targets import threads

SIZES = {(20, 40): (200_000, 4000), (100, 200): (50_000, 400), (300, 600): (2000, 8)}
"""Dimension and number of patterns, and how many sets of them on the GPU and on the CPU."""

# Of finite Newton, for each dimension.
_STEPS = {20: 4.1, 100: 8.4, 300: 11.0}


class Row(NamedTuple):
    """A size, and seconds for each set; NaN on a GPU that is not there."""

    dimension: int
    patterns: int
    gpu: float
    cpu: float
    floating_point_operations: float
    bytes: float
    left: int

    @property
    def ratio(self) -> float:
        """How many sets the GPU decides in the time that the CPU takes for one."""
        return self.cpu / self.gpu


def operations(dimension: int, patterns: int, steps: float) -> tuple[float, float]:
    """Floating-point operations and bytes for each set, as `simnn.capacity.cuda` counts them."""
    n, p = dimension, patterns
    adds = p * n * n / 2 + steps * (n**3 / 6 + n * n + 4 * p * n + 0.2 * p * n * n / 2)
    moved = 16 * p * n * (1 + steps) + steps * (n / 4) * 2 * (4 * n * n) / 3
    return 2.0 * adds, moved


def capacity_rows(repeats: int = 3) -> list[Row]:
    """Measure: the best of some runs of one call each, on the GPU and on all threads of the CPU that may be used."""
    rows = []
    for (dimension, patterns), (many, few) in SIZES.items():
        law, key = Law(patterns, dimension), np.zeros(2, np.uint64)
        on_gpu, left = [], 0
        if gpu.missing() is None:
            cuda.verdicts(law, key, 0, 1)
            for _ in range(repeats):
                start = time.perf_counter()
                left = len(cuda.verdicts(law, key, 0, many).left)
                on_gpu.append(time.perf_counter() - start)
        capacity.simulate(dimension=dimension, trials=threads(), backend="cpu")
        on_cpu = []
        for _ in range(repeats):
            start = time.perf_counter()
            capacity.simulate(dimension=dimension, trials=few, backend="cpu")
            on_cpu.append(time.perf_counter() - start)
        work = operations(dimension, patterns, _STEPS[dimension])
        rows.append(Row(dimension, patterns, min(on_gpu, default=float("nan")) / many, min(on_cpu) / few, *work, left))
    return rows
