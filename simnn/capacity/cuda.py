"""Kernels of the GPU: one set of patterns for each block of threads, drawn and decided where it stays.

A block draws the patterns of a trial from the counters of the CPU, in single precision as it does, and solves them in
double precision, by the solvers of `simnn.capacity.solvers`, whose loops its threads share: verdicts by finite Newton,
largest margins by active sets. Certificates are checked on the patterns of the block. Blocks take one trial after the
other, so that scratch is bounded.

Trials that stay undecided, or whose bounds of the margin disagree, are left to the CPU; so are problems that do not
fit. A certified verdict is that of the CPU where patterns are the same: those made of signs are, to the last bit.
Normals may differ in the last bits, by 3e-7 of themselves. Random changes by 1e-3 turned 9 of 20,000 verdicts at
N = 20, P = 40 and none of 1,500 at N = 100, P = 200; such numbers go with the size of the change: one verdict in ten
million.

Work of a set of P patterns in N dimensions, in s steps: P N^2 / 2 multiply-adds for the sums over all patterns, once;
in each step N^3 / 6 for the factor, N^2 for its solutions, 4 P N for fields and sums of patterns, and N^2 / 2 for each
pattern that enters or leaves, about a fifth of them. At (100, 200), s = 8.4: 4.8 million in double precision. A device
of 34 TFlop/s could not decide more than 3.5 million sets per second. Memory moves, if a block keeps nothing in a cache:
both copies of the patterns, 16 P N bytes, written once and read in each step; in each factorisation the triangle, 4 N^2
bytes, read and written N / 4 times, a third of it on average: 8.6 MB in all, or 560 thousand sets per second at 4.8
TB/s. What 2 blocks on each of 132 multiprocessors wait for comes first: barriers, and chains of loads, about a million
cycles for a set (an estimate: nothing was timed).
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.capacity import blocks, degenerate, hull, patterns, solvers
from simnn.capacity.blocks import Panels, Scratch
from simnn.capacity.patterns import HALF, Law
from simnn.device import gpu, philox
from simnn.device.gpu import cuda
from simnn.device.targets import Target

THREADS = 2**17
"""Threads that blocks may have together: more than a device runs at a time."""


class Batch(NamedTuple):
    """Scratch of all blocks, B of them (see `batch`).

    Attributes
    ----------
    rows, columns : (B, P, N) and (B, N, P) array
        Patterns times labels, and the transpose.
    square : (B, 2, N, N) array
        Sums over patterns, and their factor.
    triangle : (B, K, K) array
        Lower factor of the passive set.
    short, long, passive : (B, 4, N), (B, 7, P) and (B, 3, K) array
        Vectors.
    chosen, active : (B, P) int64 and int8 array
        Lists and marks of patterns.
    order : int64 array
        0, 1, 2, ...
    sign : (PANEL,) array
        -1.
    stop : (1,) int64 array
        0.
    """

    rows: Any
    columns: Any
    square: Any
    triangle: Any
    short: Any
    long: Any
    passive: Any
    chosen: Any
    active: Any
    order: Any
    sign: Any
    stop: Any


class Kernels(NamedTuple):
    """Kernels of one target (see `bind`)."""

    verdicts: Any
    margins: Any


class Verdicts(NamedTuple):
    """What `verdicts` found.

    Attributes
    ----------
    values : (trials, 5) array
        As the kernel of the CPU writes them.
    left : (L,) int64 array
        Which of the trials are the CPU's to decide.
    proofs : (trials, M) array
        Certificates of the patterns as drawn here, if they were asked for: weights or multipliers.
    """

    values: NDArray[np.float64]
    left: NDArray[np.int64]
    proofs: NDArray[np.float64]


def batch(count: int, dimension: int, passive: int, number: int) -> Batch:
    """Scratch on the device.

    Parameters
    ----------
    count, dimension : int
        Numbers of patterns, and of weights.
    passive : int
        Rows K of the triangle of active sets, 1 if only finite Newton runs.
    number : int
        Number of blocks.

    Returns
    -------
    Batch
    """
    p, n, new = count, dimension, functools.partial(cuda.device_array, dtype=np.float64)
    return Batch(
        rows=new((number, p, n)),
        columns=new((number, n, p)),
        square=new((number, 2, n, n)),
        triangle=new((number, passive, passive)),
        short=new((number, 4, n)),
        long=new((number, 7, p)),
        passive=new((number, 3, passive)),
        chosen=cuda.device_array((number, p), np.int64),
        active=cuda.device_array((number, p), np.int8),
        order=cuda.to_device(np.arange(max(p, n) + blocks.PANEL)),
        sign=cuda.to_device(np.full(blocks.PANEL, -1.0)),
        stop=cuda.to_device(np.zeros(1, np.int64)),
    )


def size_of(count: int, dimension: int, passive: int = 1) -> int:
    """Bytes of the scratch of one block.

    Parameters
    ----------
    count, dimension, passive : int
        As of `batch`.

    Returns
    -------
    int
    """
    p, n = count, dimension
    return 8 * (2 * p * n + 2 * n * n + 4 * n + 9 * p + passive * (passive + 3))


def kernels() -> Kernels:
    """Kernels of the GPU.

    Returns
    -------
    Kernels
    """
    return bind(called(gpu.target(np.float64)), called(gpu.target(np.float32)))


@functools.cache
def called(target: Target) -> Target:
    """A target whose routines are called.

    Parameters
    ----------
    target : Target
        One whose routines are inlined. A solver that is inlined whole takes minutes to compile, and its numbers do not
        fit into registers.

    Returns
    -------
    Target
    """
    apart = cuda.jit(device=True)
    return dataclasses.replace(target, device=apart, routine=apart)


@functools.cache
def bind(target: Target, single: Target) -> Kernels:
    """Bind the kernels for a target.

    Parameters
    ----------
    target : Target
        Where they run, in double precision.
    single : Target
        The same in single precision, for normals.

    Returns
    -------
    Kernels
        ``verdicts(law, key, first, out, proofs, batch)``: as of `simnn.capacity.cpu`, by finite Newton, and
        certificates, into as many rows of ``proofs`` as there are;
        ``margins(law, key, first, out, batch)``: as of `simnn.capacity.cpu`.
    """
    algebra = blocks.bind(target)
    law_of = patterns.bind(target, single)
    quartet, signed, draw_signs = law_of.quartet, law_of.signed, law_of.signs
    newton, *_, silent = solvers.bind(target, algebra)
    count_degenerate, largest_margin = degenerate.bind(target, algebra), hull.bind(target, algebra)
    lane, lanes, sync = target.block
    real = np.float64
    stream = philox.PATTERNS * philox.COLUMNS
    rademacher, relu = patterns.RADEMACHER, patterns.RELU
    separable, not_separable = solvers.SEPARABLE, solvers.NOT_SEPARABLE
    parts = 2 * blocks.CHAINS

    @target.device
    def place(law, at, z, rows):
        """A normal of a set of patterns, which are drawn one after the other."""
        i, k = at // law.dimension, at % law.dimension
        if i < law.patterns:
            rows[law.positive + i, k] = max(real(z), 0.0) if law.ensemble == relu else real(z)

    @target.routine
    def draw(law, trial, plain, key, rows, columns, norm, label):
        for i in range(lane(), law.positive, lanes()):
            for k in range(rows.shape[1]):
                rows[i, k] = 1.0 if k == i else 0.0
            norm[i], label[i] = 1.0, 1.0
        if law.ensemble == rademacher:
            for i in range(lane(), law.patterns, lanes()):
                draw_signs(trial, i, stream, key, rows[law.positive + i, : law.dimension])
        else:
            number = (law.patterns * law.dimension - 1) // (2 * HALF) + 1
            for task in range(lane(), number * (HALF // 2), lanes()):
                block, j = task // (HALF // 2), task % (HALF // 2)
                a, b, c, d = quartet(trial, block, j, stream, key)
                at = block * (2 * HALF) + j
                place(law, at, a, rows)
                place(law, at + HALF // 2, b, rows)
                place(law, at + HALF, c, rows)
                place(law, at + HALF + HALF // 2, d, rows)
        sync()
        for i in range(lane(), law.positive + law.patterns, lanes()):
            if i >= law.positive:
                norm[i], label[i] = signed(law, trial, i - law.positive, plain, key, rows[i])
            for k in range(rows.shape[1]):
                columns[k, i] = rows[i, k]
        sync()

    @target.device
    def scratch_of(b, batch, part):
        """Scratch of a block."""
        short, long, square, passive = batch.short[b], batch.long[b], batch.square[b], batch.passive[b]
        return Scratch(
            short[0],
            short[1],
            short[2],
            short[3],
            long[3],
            long[4],
            long[5],
            long[6],
            batch.active[b],
            batch.chosen[b],
            batch.order,
            square[0],
            square[1],
            Panels(batch.sign, batch.order),
            batch.stop,
            part,
            batch.triangle[b],
            passive[0],
            passive[1],
            passive[2],
        )

    @target.kernel
    def verdicts(law, key, first, out, proofs, batch):
        part = cuda.shared.array(parts, np.float64)
        b = cuda.blockIdx.x
        rows, columns, norm, label = batch.rows[b], batch.columns[b], batch.long[b, 0], batch.long[b, 1]
        work = scratch_of(b, batch, part)
        for row in range(b, out.shape[0], cuda.gridDim.x):
            draw(law, first + row, False, key, rows, columns, norm, label)
            verdict, steps = not_separable, 0
            if not silent(norm, rows.shape[0], work):
                verdict, steps = newton(rows, columns, norm, rows.shape[0], work)
            certificate = work.w if verdict == separable else work.multiplier
            if row < proofs.shape[0]:
                for k in range(lane(), min(certificate.shape[0], proofs.shape[1]), lanes()):
                    proofs[row, k] = certificate[k]
            sync()
            vanishing, duplicate, contradictory = count_degenerate(law, rows, label, work)
            if lane() == 0:
                out[row, 0], out[row, 1] = verdict, steps
                out[row, 2], out[row, 3], out[row, 4] = vanishing, duplicate, contradictory
            sync()

    @target.kernel
    def margins(law, key, first, out, batch):
        part = cuda.shared.array(parts, np.float64)
        b = cuda.blockIdx.x
        rows, columns, norm, label = batch.rows[b], batch.columns[b], batch.long[b, 0], batch.long[b, 1]
        work = scratch_of(b, batch, part)
        for row in range(b, out.shape[0], cuda.gridDim.x):
            draw(law, first + row, True, key, rows, columns, norm, label)
            lower, upper, support, zero = largest_margin(law, rows, columns, norm, batch.long[b, 2], label, work)
            if lane() == 0:
                out[row, 0], out[row, 1], out[row, 2], out[row, 3] = lower, upper, support, zero
            sync()

    return Kernels(verdicts, margins)


def shape(dimension: int, trials: int, room: int) -> tuple[int, int]:
    """Threads of a block, and how many blocks there are.

    Parameters
    ----------
    dimension, trials : int
        N, and number of trials.
    room : int
        Number of blocks whose scratch fits.

    Returns
    -------
    threads, number : int
    """
    threads = 32 if dimension <= 32 else 128 if dimension <= 256 else 256
    return threads, min(trials, THREADS // threads, room)


def verdicts(
    law: Law,
    key: NDArray[np.uint64],
    first: int,
    trials: int,
    grid: tuple[int, int] | None = None,
    certificates: bool = False,
) -> Verdicts:
    """Decide trials on the current device, by finite Newton.

    Parameters
    ----------
    law : Law
        Law of the patterns.
    key : (2,) uint64 array
        Seed.
    first, trials : int
        Number of the first trial, and of trials.
    grid : tuple of int, optional
        Threads of a block, and number of blocks, instead of those of `shape`. Results are the same bits.
    certificates : bool
        Whether to return these, too.

    Returns
    -------
    Verdicts
    """
    longest = max(law.dimension + int(law.bias), law.positive + law.patterns)
    # An array without elements would not be taken.
    proofs = np.zeros((trials, longest) if certificates else (1, 1))

    def run(launch: Any, out: Any, scratch: Batch) -> None:
        on_device = cuda.to_device(proofs)
        launch(kernels().verdicts)(law, cuda.to_device(key), first, out, on_device, scratch)
        if certificates:
            on_device.copy_to_host(proofs)

    values = _run(law, 1, trials, 5, grid, run)
    return Verdicts(values, np.flatnonzero(~(values[:, 0] >= 0.0)), proofs[: trials if certificates else 0])


def margins(
    law: Law,
    key: NDArray[np.uint64],
    first: int,
    trials: int,
    grid: tuple[int, int] | None = None,
) -> NDArray[np.float64]:
    """Find the largest margins of trials on the current device, by active sets.

    Parameters
    ----------
    law, key, first, trials, grid
        As of `verdicts`.

    Returns
    -------
    (trials, 4) array
        As the kernel of the CPU writes them; NaN if a block does not fit.
    """

    def run(launch: Any, out: Any, scratch: Batch) -> None:
        launch(kernels().margins)(law, cuda.to_device(key), first, out, scratch)

    passive = min(law.positive + law.patterns, law.dimension + int(law.bias) + 1) + 1
    return _run(law, passive, trials, 4, grid, run)


def _run(
    law: Law, passive: int, trials: int, columns: int, grid: tuple[int, int] | None, run: Any
) -> NDArray[np.float64]:
    """Launch a kernel with as much scratch as there is room for; NaN if there is none for one block."""
    size, count = law.dimension + int(law.bias), law.positive + law.patterns
    values = np.full((trials, columns), np.nan)
    threads, number = grid or shape(size, trials, gpu.room(size_of(count, size, passive)))
    if min(trials, number) > 0:
        out = cuda.device_array(values.shape, np.float64)
        run(lambda kernel: kernel[number, threads], out, batch(count, size, passive, number))
        out.copy_to_host(values)
    return values
