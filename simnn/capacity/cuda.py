"""Kernels of the GPU: one set of patterns for each block of threads, drawn and decided where it stays.

A block draws the patterns of a trial from the counters of the CPU, in single precision as it does, and solves them in
double precision, by the solvers of `simnn.capacity.solvers`, whose loops its threads share: verdicts by finite Newton,
largest margins by active sets. Certificates are checked on the patterns of the block. Blocks take one trial after the
other, so that scratch is bounded.

Trials that stay undecided, or whose bounds of the margin disagree, are left to the CPU; so are problems that do not
fit. A certified verdict is that of the CPU where patterns are the same: those made of signs are, to the last bit.
Normals may differ in the last bits, by 3e-7 of themselves, and so a component of a code whose drive is that close to
its threshold. Random changes of normals by 1e-3 turned 9 of 20,000 verdicts at N = 20, P = 40 and none of 1,500 at N =
100, P = 200; such numbers go with the size of the change: one verdict in ten million.

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
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.capacity import blocks, degenerate, hull, patterns, solvers
from simnn.capacity.blocks import Panels, Scratch
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, UNDECIDED
from simnn.capacity.patterns import HALF, Draws, Law
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
    matrix : (B, N, inputs), (1, N, inputs) or (1, patterns, N) array
        Rows that mix inputs into drives, of each block or of all; or the given patterns.
    inputs : (B, P, M) array
        Independent normals behind the drives of each pattern, then scratch of the selection.
    shuffled : (B, patterns) int64 array
        Order of the given patterns.
    deviation : (N,) array
        Standard deviations of the drives.
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
    matrix: Any
    inputs: Any
    shuffled: Any
    deviation: Any
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


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of the scratch of a block.

    Attributes
    ----------
    count, dimension : int
        Numbers P of rows, constraints too, and N of weights, the threshold too.
    passive : int
        Rows K of the triangle of active sets, 1 if only finite Newton runs.
    matrix : tuple of int
        Shape of its matrix, (1, 1) if there is none or all blocks share one.
    inputs : int
        Numbers M that it keeps of each pattern besides its components.
    given : int
        Number of given patterns, at least 1.
    """

    count: int
    dimension: int
    passive: int = 1
    matrix: tuple[int, int] = (1, 1)
    inputs: int = 1
    given: int = 1

    @property
    def bytes(self) -> int:
        """Of one block."""
        p, n, k = self.count, self.dimension, self.passive
        patterns = 2 * p * n + self.matrix[0] * self.matrix[1] + p * self.inputs + self.given
        return 8 * (patterns + 2 * n * n + 4 * n + 9 * p + k * (k + 3))


def sizes(law: Law, draws: Draws, margins: bool = False) -> Sizes:
    """Sizes of the scratch of a block.

    Parameters
    ----------
    law : Law
        Law of the patterns.
    draws : Draws
        Scratch of the CPU for them.
    margins : bool
        Whether active sets run.

    Returns
    -------
    Sizes
    """
    count, size = law.positive + law.patterns, law.dimension + int(law.bias)
    shared = law.source == patterns.MATRIX or law.ensemble == patterns.GIVEN
    behind = {patterns.INDEPENDENT: 1, patterns.COMMON: law.dimension + 1}.get(law.source, draws.matrix.shape[1])
    return Sizes(
        count,
        size,
        passive=min(count, size + 1) + 1 if margins else 1,
        matrix=(1, 1) if shared or draws.matrix.size == 0 else draws.matrix.shape,
        inputs=max(behind, law.dimension) if law.ensemble == patterns.WINNERS else behind,
        given=len(draws.order) if law.ensemble == patterns.GIVEN else 1,
    )


def batch(size: Sizes, draws: Draws, number: int) -> Batch:
    """Scratch on the device.

    Parameters
    ----------
    size : Sizes
        Of a block.
    draws : Draws
        Scratch of the CPU, for the matrix that all blocks share, if they do, and deviations.
    number : int
        Number of blocks.

    Returns
    -------
    Batch
    """
    p, n, k, new = size.count, size.dimension, size.passive, functools.partial(cuda.device_array, dtype=np.float64)
    shared = size.matrix == (1, 1) and draws.matrix.size > 0
    return Batch(
        rows=new((number, p, n)),
        columns=new((number, n, p)),
        square=new((number, 2, n, n)),
        triangle=new((number, k, k)),
        short=new((number, 4, n)),
        long=new((number, 7, p)),
        passive=new((number, 3, k)),
        chosen=cuda.device_array((number, p), np.int64),
        active=cuda.device_array((number, p), np.int8),
        matrix=cuda.to_device(draws.matrix[None]) if shared else new((number, *size.matrix)),
        inputs=new((number, p, size.inputs)),
        shuffled=cuda.device_array((number, size.given), np.int64),
        deviation=cuda.to_device(draws.deviation),
        order=cuda.to_device(np.arange(max(p, n) + blocks.PANEL)),
        sign=cuda.to_device(np.full(blocks.PANEL, -1.0)),
        stop=cuda.to_device(np.zeros(1, np.int64)),
    )


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
        ``verdicts(law, solver, key, first, out, proofs, batch)``: as of `simnn.capacity.cpu`, by finite Newton or by
        none, and certificates, into as many rows of ``proofs`` as there are;
        ``margins(law, key, first, out, batch)``: as of `simnn.capacity.cpu`.
    """
    algebra = blocks.bind(target)
    draw = _bind_draw(target, single)
    newton, *_, silent = solvers.bind(target, algebra)
    count_degenerate, largest_margin = degenerate.bind(target, algebra), hull.bind(target, algebra)
    lane, lanes, sync = target.block
    sums = 2 * blocks.CHAINS

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
    def verdicts(law, solver, key, first, out, proofs, batch):
        part = cuda.shared.array(sums, np.float64)
        b = cuda.blockIdx.x
        rows, columns, norm, label = batch.rows[b], batch.columns[b], batch.long[b, 0], batch.long[b, 1]
        work = scratch_of(b, batch, part)
        for row in range(b, out.shape[0], cuda.gridDim.x):
            draw(law, first + row, False, key, b, batch)
            verdict, steps = NOT_SEPARABLE, 0.0
            if solver == solvers.NONE:
                verdict, steps = UNDECIDED, np.nan
            elif not silent(norm, rows.shape[0], work):
                verdict, steps = newton(rows, columns, norm, rows.shape[0], work)
            certificate = work.w if verdict == SEPARABLE else work.multiplier
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
        part = cuda.shared.array(sums, np.float64)
        b = cuda.blockIdx.x
        rows, columns, norm, label = batch.rows[b], batch.columns[b], batch.long[b, 0], batch.long[b, 1]
        work = scratch_of(b, batch, part)
        for row in range(b, out.shape[0], cuda.gridDim.x):
            draw(law, first + row, True, key, b, batch)
            lower, upper, support, zero = largest_margin(law, rows, columns, norm, batch.long[b, 2], label, work)
            if lane() == 0:
                out[row, 0], out[row, 1], out[row, 2], out[row, 3] = lower, upper, support, zero
            sync()

    return Kernels(verdicts, margins)


def _bind_draw(target: Target, single: Target) -> Callable[..., Any]:
    """Patterns of one trial, of which each is the work of one thread, but for its normals."""
    law_of, parts = patterns.bind(target, single), patterns.bind_parts(target)
    lane, lanes, sync = target.block
    stream, wiring_stream = philox.PATTERNS * philox.COLUMNS, philox.WIRING * philox.COLUMNS

    @target.device
    def place(z, at, first, count, size, rows):
        """A normal of some rows, which are drawn one after the other."""
        i, k = at // size, at % size
        if i < count:
            rows[first + i, k] = z

    @target.routine
    def draw_normals(trial, stream, key, first, count, size, rows):
        """Draw so many rows, from the first on; threads share them."""
        number = (count * size - 1) // (2 * HALF) + 1
        for task in range(lane(), number * (HALF // 2), lanes()):
            block, j = task // (HALF // 2), task % (HALF // 2)
            a, b, c, d = law_of.quartet(trial, block, j, stream, key)
            at = block * (2 * HALF) + j
            place(a, at, first, count, size, rows)
            place(b, at + HALF // 2, first, count, size, rows)
            place(c, at + HALF, first, count, size, rows)
            place(d, at + HALF + HALF // 2, first, count, size, rows)
        sync()

    @target.routine
    def draw_sources(law, trial, key, matrix, inputs, rows):
        """Draw independent drives, or what drives are made of."""
        if law.source == patterns.INDEPENDENT:
            draw_normals(trial, stream, key, law.positive, law.patterns, law.dimension, rows)
            return
        if law.source == patterns.DENSE:
            draw_normals(trial, wiring_stream, key, 0, law.dimension, matrix.shape[1], matrix)
        for i in range(lane(), law.dimension, lanes()):
            if law.source == patterns.DENSE:
                parts.normalise(matrix[i])
            elif law.source == patterns.CLAWS:
                parts.claws(trial, i, law.claws, key, matrix[i])
        # Inputs are read once all threads are through with them, and with the matrix.
        draw_normals(trial, stream, key, 0, law.patterns, parts.sources(law, matrix), inputs)

    @target.routine
    def draw_components(law, trial, key, b, batch):
        rows, inputs = batch.rows[b], batch.inputs[b]
        matrix = batch.matrix[min(b, batch.matrix.shape[0] - 1)]
        given = law.ensemble == patterns.GIVEN
        signs = law.ensemble == patterns.RADEMACHER and law.source == patterns.INDEPENDENT
        if given:
            if lane() == 0:
                parts.shuffle(trial, key, batch.shuffled[b])
            sync()
        elif not signs:
            draw_sources(law, trial, key, matrix, inputs, rows)
        for i in range(lane(), law.patterns, lanes()):
            pattern = rows[law.positive + i, : law.dimension]
            if signs:
                law_of.signs(trial, i, stream, key, pattern)
            elif given:
                source = matrix[batch.shuffled[b, i]]
                for k in range(pattern.shape[0]):
                    pattern[k] = source[k]
            else:
                if law.source != patterns.INDEPENDENT:
                    parts.mix(law, matrix, inputs[i, : parts.sources(law, matrix)], pattern)
                if law.ensemble != patterns.GAUSSIAN:
                    parts.code(law, batch.deviation, inputs[i], pattern)

    @target.routine
    def draw(law, trial, plain, key, b, batch):
        """Draw the patterns of a trial times their labels, of length 1; constraints come first."""
        rows, columns, norm, label = batch.rows[b], batch.columns[b], batch.long[b, 0], batch.long[b, 1]
        for i in range(lane(), law.positive, lanes()):
            for k in range(rows.shape[1]):
                rows[i, k] = 1.0 if k == i else 0.0
            norm[i], label[i] = 1.0, 1.0
        draw_components(law, trial, key, b, batch)
        sync()
        for i in range(lane(), law.positive + law.patterns, lanes()):
            if i >= law.positive:
                norm[i], label[i] = law_of.signed(law, trial, i - law.positive, plain, key, rows[i])
            for k in range(rows.shape[1]):
                columns[k, i] = rows[i, k]
        sync()

    return draw


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
    draws: Draws | None = None,
    solver: int = solvers.NEWTON,
    grid: tuple[int, int] | None = None,
    certificates: bool = False,
) -> Verdicts:
    """Decide trials on the current device.

    Parameters
    ----------
    law : Law
        Law of the patterns.
    key : (2,) uint64 array
        Seed.
    first, trials : int
        Number of the first trial, and of trials.
    draws : Draws, optional
        Scratch of the CPU for these patterns: the matrix that is given, or the size of one that is drawn.
    solver : int
        `NONE`, if patterns are to be counted only; else finite Newton decides.
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
        launch(kernels().verdicts)(law, solver, cuda.to_device(key), first, out, on_device, scratch)
        if certificates:
            on_device.copy_to_host(proofs)

    values = _run(law, draws, False, trials, 5, grid, run)
    left = ~(values[:, 2] >= 0.0) if solver == solvers.NONE else ~(values[:, 0] >= 0.0)
    return Verdicts(values, np.flatnonzero(left), proofs[: trials if certificates else 0])


def margins(
    law: Law,
    key: NDArray[np.uint64],
    first: int,
    trials: int,
    draws: Draws | None = None,
    grid: tuple[int, int] | None = None,
) -> NDArray[np.float64]:
    """Find the largest margins of trials on the current device, by active sets.

    Parameters
    ----------
    law, key, first, trials, draws, grid
        As of `verdicts`.

    Returns
    -------
    (trials, 4) array
        As the kernel of the CPU writes them; NaN if a block does not fit.
    """

    def run(launch: Any, out: Any, scratch: Batch) -> None:
        launch(kernels().margins)(law, cuda.to_device(key), first, out, scratch)

    return _run(law, draws, True, trials, 4, grid, run)


def _run(
    law: Law, draws: Draws | None, margins: bool, trials: int, columns: int, grid: tuple[int, int] | None, run: Any
) -> NDArray[np.float64]:
    """Launch a kernel with as much scratch as there is room for; NaN if there is none for one block."""
    draws = patterns.draws(law.dimension) if draws is None else draws
    size, values = sizes(law, draws, margins), np.full((trials, columns), np.nan)
    threads, number = grid or shape(size.dimension, trials, gpu.room(size.bytes, draws.matrix.nbytes))
    if min(trials, number) > 0:
        out = cuda.device_array(values.shape, np.float64)
        run(lambda kernel: kernel[number, threads], out, batch(size, draws, number))
        out.copy_to_host(values)
    return values
