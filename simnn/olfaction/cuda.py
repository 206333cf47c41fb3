"""Codes of odors, their thresholds, and sums over them, on a GPU: what is in its memory, and which kernels run when.

Operations and bytes for 20,000 odors, 50 glomeruli, 2,000 cells, 7 claws, and what they take at least on an H200 (67
TFlop/s in single precision, 4.8 TB/s of memory, 33 TB/s from shared memory or the first cache, 128 bytes per cycle and
multiprocessor); computed, not measured:

======================  =====================================================  ========
step                    counted                                                floor
======================  =====================================================  ========
drives                  2.8e8 multiply-adds                                    8 us
inputs of the drives    4 bytes from the first cache for each: 1.1 GB          34 us
indices and weights     8 bytes for four multiply-adds, read by a whole team:  17 us
                        half as many reads again, 0.56 GB of its bandwidth
odors, drawn            1e6 normals, 4 MB written and read                     2 us
projection neurons      8 MB read, 4 MB written                                3 us
codes by threshold      5 MB written                                           1 us
drives kept             160 MB written                                         33 us
four digits, bits       5 times 160 MB read                                    167 us
thresholds found        drives kept, and 160 MB read for each of four digits,  200 us
                        and for the nearest drive, if each cell has its own
1,000 drives compared   2.8e7 multiply-adds for odors and partners, 6e6 more   4 us
                        in double precision; inputs again: 112 MB
======================  =====================================================  ========

So codes by thresholds take at least 50 us, codes by competition 250 us (two threads of the CPU: 8.5 and 25 ms), and
thresholds of given odors 250 us. Drives that exceed 1 GB are kept for some cells at a time; for a threshold that all
cells share they are then found again for each digit. Given odors also travel: 4 MB to the device, once for thresholds
and once for codes, and 5 MB of codes back, 0.2 ms at 50 GB/s, more from pageable memory.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simnn.device import gpu
from simnn.device.gpu import cuda
from simnn.olfaction import levels
from simnn.olfaction.cpu import Circuit, Counts, Source
from simnn.olfaction.cuda_kernels import TEAM, bound
from simnn.olfaction.kernels import LANES, Rule, Wires, words_of

THREADS = TEAM if gpu.SIMULATED else 256
"""Threads of a block; any multiple of `TEAM`."""

_SLICES, _CELLS = 64, 2 if gpu.SIMULATED else 256
"""Slices of odors whose codes are counted side by side, and of cells whose drives are compared: always as many, so that
products are added up in one order."""

_TALLIES = 2 if gpu.SIMULATED else 1024
"""Most blocks that count digits of the drives of all cells."""

_SCRATCH = 2**30
_MOST = 2**31 - 1
_ARRAYS = "given", "order", "mean", "deviation"

_SHARED = 2 if gpu.SIMULATED else 65535
"""Most blocks of work that any number of them may share; in the simulator, to start threads is most of what it does."""


def _blocks(work: int, threads: int, most: int = _SHARED) -> int:
    return max(1, min(-(-work // threads), most))


class _Scratch(threading.local):
    """Arrays that a thread of the host keeps on each device: to allocate them takes as long as to code with them."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, str], Any] = {}

    def array(self, name: str, shape: tuple[int, ...], kind: type[np.generic]) -> Any:
        """Array of this name, with anything in it."""
        size, device = math.prod(shape), gpu.current()
        flat = self.held.get((device, name))
        if flat is None or flat.size < size:
            flat = self.held[device, name] = None
            flat = self.held[device, name] = cuda.device_array(max(size, 1), kind)
        return flat[:size].reshape(shape)

    def memory(self, *names: str) -> int:
        """Bytes of the current device that are free, or held already by arrays with these names."""
        device = gpu.current()
        held = [self.held.get((device, name)) for name in names]
        return gpu.free_memory() + sum(int(array.nbytes) for array in held if array is not None)


_scratch = _Scratch()
_OF_CODES = "tiles", "shift", "codes"
_OF_TRIALS = *_OF_CODES, "packed", "label", "active", "pair", "shifts"
_OF_FITS = "all tiles", "all shifts", "drive", "level"


def _kept(rule: Rule) -> tuple[str, ...]:
    return ("drive",) if rule.winners else ()


def _too_large(what: str, needed: int, memory: int, fewer: str) -> MemoryError:
    there = gpu.SHARE * memory / 2**30
    return MemoryError(
        f"{what} need about {needed / 2**30:.2f} GiB of the device, of which {there:.2f} GiB may be used; use fewer "
        f"{fewer}, or backend='cpu'"
    )


def _bytes_of(wires: Wires) -> int:
    return int(wires.index.nbytes + wires.weight.nbytes + wires.count.nbytes)


def _wires_on_device(wires: Wires) -> tuple[Any, ...]:
    """Where inputs are in tiles, their weights, and how many there are."""
    return tuple(map(cuda.to_device, (np.uint32(LANES) * wires.index.astype(np.uint32), wires.weight, wires.count)))


def _draw(
    source: Source, taken: int, trial: int, key: NDArray[np.uint64], first: int, last: int, tiles: Any, threads: int
) -> None:
    """Fill tiles with odors of a trial, of which so many are ``taken`` from given ones, or with projection neurons."""
    groups = -(-(last - first) // LANES)
    grid = groups, _blocks(256 * ((len(source.mean) + 8) // 8), threads)
    bound().draw[grid, threads](source, taken, trial, *_words(key), first // LANES, tiles)
    if source.ceiling != 0.0:
        bound().normalise[groups, min(threads, LANES)](source.ceiling, source.half, source.gain, tiles)


def _load(rows: NDArray[Any], tiles: Any, threads: int) -> None:
    """Fill tiles with given odors."""
    single = np.ascontiguousarray(rows, np.float32)
    grid = -(-len(rows) // LANES), _blocks(LANES * (rows.shape[1] + 1), threads)
    bound().load[grid, threads](cuda.to_device(single), tiles)


class _Coder:
    """Wiring, rule and scratch on the device: codes of a chunk of odors at a time.

    Attributes
    ----------
    groups : int
        Tiles of a chunk.
    """

    def __init__(
        self,
        wires: Wires,
        rule: Rule,
        glomeruli: int,
        odors: int,
        memory: int,
        threads: int,
        groups: int | None,
    ) -> None:
        cells = len(wires.count)
        # Of each tile: itself, and again with its partners, each with shifts; codes; numbers of a given odor; drives.
        tile = 12 * LANES * (glomeruli + 2) + 8 * LANES * words_of(cells) + 4 * LANES * glomeruli
        drives = 4 * LANES * cells if rule.winners else 0
        fixed = _bytes_of(wires) + 4 * cells
        available = int(gpu.SHARE * memory) - fixed
        if tile + drives > available:
            raise _too_large(f"{LANES} odors", fixed + tile + drives, memory, "cells")
        most = min(available, max(_SCRATCH, tile + drives)) // (tile + drives)
        self.groups = min(groups or most, -(-odors // LANES), 65535)
        self.threads, self.rule, self.glomeruli, self.cells = threads, rule, glomeruli, cells
        self.wires = _wires_on_device(wires)
        self.tiles = _scratch.array("tiles", (self.groups, LANES * (glomeruli + 1)), np.float32)
        self.shift = _scratch.array("shift", (self.groups, LANES), np.float32)
        if rule.winners:
            self.drive = _scratch.array("drive", (self.groups, cells, LANES), np.float32)
        else:
            self.level = cuda.to_device(rule.threshold)

    def chunks(self, odors: int) -> list[tuple[int, int]]:
        """First odor of each chunk, and the first one after it."""
        size = LANES * self.groups
        return [(first, min(first + size, odors)) for first in range(0, odors, size)]

    def empty(self, name: str, odors: int) -> Any:
        """Codes on the device."""
        return _scratch.array(name, (odors, 2 * words_of(self.cells)), np.uint32)

    def code(self, codes: Any) -> None:
        """Codes of the odors in the tiles."""
        k, odors = bound(), len(codes)
        groups = -(-odors // LANES)
        grid = _blocks(TEAM * codes.shape[1], self.threads, _MOST), groups
        k.balance[groups, self.threads](self.rule.mean, self.tiles, self.shift)
        if self.rule.winners:
            k.expand[grid, self.threads](self.tiles, self.shift, *self.wires, odors, self.drive)
            k.compete[(groups, LANES // TEAM), self.threads](self.drive, self.rule.winners, codes)
        else:
            k.threshold[grid, self.threads](self.tiles, self.shift, *self.wires, self.level, codes)


def _words(key: NDArray[np.uint64]) -> tuple[np.uint32, np.uint32]:
    return np.uint32(key[0]), np.uint32(key[1])


def _on_device(source: Source) -> Source:
    def whole(array: NDArray[Any]) -> Any:
        # Where there are no odors to take, one row that nobody reads: numba-cuda refuses to pass an empty array.
        return cuda.to_device(array if len(array) else np.zeros((1, *array.shape[1:]), array.dtype))

    return source._replace(**{name: whole(getattr(source, name)) for name in _ARRAYS})


def encode(
    odors: NDArray[Any],
    wires: Wires,
    rule: Rule,
    *,
    threads: int = THREADS,
    groups: int | None = None,
    memory: int | None = None,
) -> NDArray[np.uint64]:
    """Packed codes of given odors.

    Parameters
    ----------
    odors : (P, N) array
        Of real numbers, finite.
    wires, rule
        Of the cells, as for the CPU.
    threads : int
        Of a block, a multiple of `TEAM`.
    groups : int, optional
        Most tiles of odors that are coded at a time; by default as many as memory allows.
    memory : int, optional
        Bytes of the device to plan with; by default those that are free.

    Returns
    -------
    (P, ceil(M / 64)) uint64 array

    Raises
    ------
    MemoryError
        If the wiring and one tile of odors do not fit into the device.
    """
    out = np.empty((len(odors), words_of(len(wires.count))), np.uint64)
    free = memory or _scratch.memory(*_OF_CODES, *_kept(rule))
    coder = _Coder(wires, rule, odors.shape[1], len(odors), free, threads, groups)
    for first, last in coder.chunks(len(odors)):
        _load(odors[first:last], coder.tiles, threads)
        codes = coder.empty("codes", last - first)
        coder.code(codes)
        # Words of 32 bits, the first of which are the lower halves of those of 64, as hosts of GPUs have them too.
        codes.copy_to_host(out[first:last].view(np.uint32))
    return out


def fit(
    odors: NDArray[Any],
    wires: Wires,
    mean: float,
    chosen: int,
    common: bool,
    *,
    threads: int = THREADS,
    cells: int | None = None,
    memory: int | None = None,
) -> NDArray[np.float32]:
    """Thresholds that so many drives to given odors exceed.

    Parameters
    ----------
    odors : (P, N) array
        Of real numbers, finite.
    wires : Wires
        Of the cells.
    mean : float
        What inhibition subtracts from each weight.
    chosen : int
        Number of drives of each cell that exceed its threshold, or of all drives.
    common : bool
        Whether all cells have one threshold.
    threads : int
        Of a block, a multiple of `TEAM`.
    cells : int, optional
        Most cells whose drives are kept at a time; by default as many as memory allows, in at most 1 GB.
    memory : int, optional
        Bytes of the device to plan with; by default those that are free.

    Returns
    -------
    (M,) float32 array
        See `simnn.olfaction.codes.thresholds`.

    Raises
    ------
    MemoryError
        If all odors, the wiring, and the drives of one cell do not fit into the device.
    """
    rows = LANES * max(_SCRATCH // (4 * LANES * odors.shape[1]), 1)

    def fill(tiles: Any) -> None:
        for first in range(0, len(odors), rows):
            _load(odors[first : first + rows], tiles[first // LANES :], threads)

    given = 4 * min(rows, len(odors)) * odors.shape[1]
    return _fit(fill, odors.shape, given, wires, mean, chosen, common, threads, cells, memory)


def fit_drawn(
    source: Source,
    trial: int,
    key: NDArray[np.uint64],
    odors: int,
    wires: Wires,
    mean: float,
    chosen: int,
    common: bool,
    *,
    threads: int = THREADS,
    cells: int | None = None,
    memory: int | None = None,
) -> NDArray[np.float32]:
    """Thresholds that so many drives to the odors of a trial exceed, which never leave the device.

    Parameters
    ----------
    source, trial, key, odors
        As of `draw`.
    wires, mean, chosen, common, threads, cells, memory
        As of `fit`.

    Returns
    -------
    (M,) float32 array

    Raises
    ------
    MemoryError
        As of `fit`.
    """

    def fill(tiles: Any) -> None:
        _draw(_on_device(source), len(source.order), trial, key, 0, odors, tiles, threads)

    shape = odors, len(source.mean)
    return _fit(fill, shape, source.given.nbytes, wires, mean, chosen, common, threads, cells, memory)


def _fit(
    fill: Callable[[Any], None],
    shape: tuple[int, ...],
    given: int,
    wires: Wires,
    mean: float,
    chosen: int,
    common: bool,
    threads: int,
    cells: int | None,
    memory: int | None,
) -> NDArray[np.float32]:
    """Thresholds of drives to odors that ``fill`` puts into tiles, for which it needs the memory ``given``."""
    k, total, (odors, glomeruli) = bound(), len(wires.count), shape
    groups, free = -(-odors // LANES), memory or _scratch.memory(*_OF_FITS)
    each = 4 * LANES * groups
    fixed = each * (glomeruli + 2) + given + _bytes_of(wires) + 4 * total
    available = int(gpu.SHARE * free) - fixed
    if each > available:
        raise _too_large(f"thresholds of {odors} odors", fixed + each, free, "odors")
    size = min(cells or total, total, min(available, max(_SCRATCH, each)) // each)
    parts = [(first, min(first + size, total)) for first in range(0, total, size)]
    tiles = _scratch.array("all tiles", (groups, LANES * (glomeruli + 1)), np.float32)
    shift = _scratch.array("all shifts", (groups, LANES), np.float32)
    fill(tiles)
    k.balance[groups, threads](np.float32(mean), tiles, shift)
    inputs = _wires_on_device(wires)

    def drives(first: int, last: int) -> Any:
        out = _scratch.array("drive", (groups, last - first, LANES), np.float32)
        some = [array[first:last] for array in inputs]
        for begin in range(0, groups, 65535):
            end = min(begin + 65535, groups)
            grid = _blocks(TEAM * -(-(last - first) // 32), threads, _MOST), end - begin
            left = odors - LANES * begin
            k.expand[grid, threads](tiles[begin:end], shift[begin:end], *some, left, out[begin:end])
        return out

    if common:
        return np.full(total, _common(drives, parts, odors, chosen, threads), np.float32)
    level = _scratch.array("level", (total,), np.float32)
    for first, last in parts:
        k.fit[last - first, threads](drives(first, last), odors, chosen, level[first:last])
    found: NDArray[np.float32] = level.copy_to_host()
    return found


def _common(
    drives: Callable[[int, int], Any], parts: list[tuple[int, int]], odors: int, chosen: int, threads: int
) -> Any:
    """Level that so many drives of all cells exceed, digit by digit."""
    leading, left, digit, kept = 0, chosen, 0, None
    for level in range(4):
        counts = cuda.to_device(np.zeros(256, np.int64))
        for first, last in parts:
            kept = kept if kept is not None and len(parts) == 1 else drives(first, last)
            bound().tally[min(last - first, _TALLIES), threads](kept, odors, level, leading, counts)
        found = counts.copy_to_host()
        larger = np.cumsum(found[::-1])[::-1] - found
        digit = int(np.flatnonzero(larger + found >= left)[-1])
        left -= int(larger[digit])
        leading = 256 * leading + (digit - 128 if level == 0 else digit)
    return levels.level_at(leading, int(found[digit]), left)


def draw(
    source: Source, trial: int, key: NDArray[np.uint64], odors: int, *, threads: int = THREADS
) -> NDArray[np.float32]:
    """Draw the odors of a trial, which are those of the CPU up to rounding.

    Parameters
    ----------
    source : Source
        Their law.
    trial : int
        Number of the trial.
    key : (2,) uint64 array
        Of Philox.
    odors : int
        P.
    threads : int
        As of `encode`.

    Returns
    -------
    (P, N) float32 array

    Raises
    ------
    MemoryError
        If the device runs out of memory.
    """
    glomeruli, groups = len(source.mean), -(-odors // LANES)
    tiles = cuda.device_array((groups, LANES * (glomeruli + 1)), np.float32)
    rows = cuda.device_array((odors, glomeruli), np.float32)
    _draw(_on_device(source), len(source.order), trial, key, 0, odors, tiles, threads)
    bound().unload[(groups, _blocks(LANES * glomeruli, threads)), threads](tiles, rows)
    drawn: NDArray[np.float32] = rows.copy_to_host()
    return drawn


def count(
    circuit: Circuit,
    stop: NDArray[np.int64],
    *,
    threads: int = THREADS,
    groups: int | None = None,
    memory: int | None = None,
) -> Counts | None:
    """Sums over the codes of one trial; all but these stays on the device.

    Parameters
    ----------
    circuit : Circuit
        Wiring, rule and odors.
    stop : (1,) int64 array
        Not zero once the result is not wanted any more.
    threads, groups, memory
        As of `encode`.

    Returns
    -------
    Counts or None
        Of the same codes, what the CPU counts; None if not wanted any more.

    Raises
    ------
    MemoryError
        If the codes of all odors of the trial, and scratch for one tile of them, do not fit into the device.
    """
    k, p, cells = bound(), circuit.odors, len(circuit.wires.count)
    parts, glomeruli, pairs = 2 * words_of(cells), len(circuit.source.mean), min(circuit.pairs, p)
    # Codes, label and active cells of each odor; three sums of each cell, and two of each odor compared; odors.
    needed = p * (4 * parts + 5) + 32 * 32 * parts + 16 * pairs + circuit.source.given.nbytes + 4 * p
    # Of drives, sums for slices of the cells, and of each glomerulus.
    needed += 8 * TEAM * (3 * _CELLS + 2 * glomeruli)
    free = memory or _scratch.memory(*_OF_TRIALS, *_kept(circuit.rule))
    left = free - int(needed / gpu.SHARE)
    if left <= 0:
        raise _too_large(f"{p} odors of a trial and {cells} cells", needed, free, "odors or cells")
    coder = _Coder(circuit.wires, circuit.rule, glomeruli, p, left, threads, groups)
    source = _on_device(circuit.source)
    given = {name: getattr(source, name) for name in _ARRAYS}
    partners, copies = circuit.partners._replace(**given), [law._replace(**given) for law in circuit.copies]
    packed, other = coder.empty("packed", p), coder.empty("codes", min(p, LANES * coder.groups))
    label = _scratch.array("label", (p,), np.int8)
    active = _scratch.array("active", (p,), np.int32)
    zeros = np.zeros(32 * parts, np.int64)
    weight, total, other_total, copy_total = (cuda.to_device(zeros) for _ in range(4))
    both, both_copies, halves, square = (cuda.to_device(np.zeros(1, np.int64)) for _ in range(4))

    def drawn(law: Source, first: int, last: int, out: Any) -> Any:
        _draw(law, len(circuit.source.order), circuit.trial, circuit.key, first, last, coder.tiles, threads)
        coder.code(out)
        return out

    def by_cell(size: int) -> tuple[int, int]:
        return _blocks(32 * parts, threads, _MOST), min(_SLICES, -(-size // TEAM))

    for first, last in coder.chunks(p):
        if stop[0]:
            return None
        size = last - first
        mine, own_label = drawn(source, first, last, packed[first:last]), label[first:last]
        grid = _blocks(-(-size // 4), threads, _MOST)
        k.label[grid, threads](circuit.trial, *_words(circuit.key), first, own_label)
        k.count[by_cell(size), threads](mine, own_label, True, weight, total)
        partner = drawn(partners, first, last, other[:size])
        grid = _blocks(size, threads, _MOST)
        k.compare[grid, threads](mine, partner, active[first:last], both)
        k.count[by_cell(size), threads](partner, own_label, False, weight, other_total)
    offset, bias = circuit.readout(label.copy_to_host(), weight.copy_to_host())
    for first, last in coder.chunks(p):
        size, grid = last - first, _blocks(last - first, threads, _MOST)
        for law in copies:
            if stop[0]:
                return None
            copy = drawn(law, first, last, other[:size])
            k.compare[grid, threads](packed[first:last], copy, active[first:last], both_copies)
            k.count[by_cell(size), threads](copy, label[first:last], False, weight, copy_total)
            k.wrong[grid, threads](copy, label[first:last], weight, offset, bias, halves)
    own, row = (cuda.to_device(np.zeros(pairs, np.int64)) for _ in range(2))
    drives = _drive_correlation(circuit, coder, (source, partners))
    tiles = -(-pairs // TEAM)
    k.overlap_sums[(tiles, tiles), threads](packed[:pairs], own, row, square)
    numbers = [int(array.copy_to_host()[0]) for array in (both, both_copies, halves, square)]
    on_host = [array.copy_to_host() for array in (total, other_total, copy_total, active, own, row)]
    t, o, c, a, u, v = (array.astype(np.int64, copy=False) for array in on_host)
    return Counts(numbers[0], numbers[1], 0.5 * numbers[2], t, o, c, a, u, v, numbers[3], drives)


def _drive_correlation(circuit: Circuit, coder: _Coder, laws: tuple[Source, Source]) -> float:
    """Correlation of the drives to the odors that are compared and to their partners; laws are on the device."""
    k, threads, mean, odors = bound(), coder.threads, np.float32(circuit.mean), min(circuit.pairs, circuit.odors)
    glomeruli, groups = coder.glomeruli, min(coder.groups, -(-odors // LANES))
    tiles = _scratch.array("pair", (2, groups, LANES * (glomeruli + 1)), np.float32)
    shift = _scratch.array("shifts", (2, groups, LANES), np.float32)
    sums = cuda.to_device(np.zeros((_CELLS, 3, TEAM)))
    totals = cuda.to_device(np.zeros((2, glomeruli, TEAM)))
    for first in range(0, odors, LANES * groups):
        size = min(LANES * groups, odors - first)
        for side, law in enumerate(laws):
            taken, last = len(circuit.source.order), first + size
            _draw(law, taken, circuit.trial, circuit.key, first, last, tiles[side], threads)
            k.balance[-(-size // LANES), threads](mean, tiles[side], shift[side])
        k.drive_products[_blocks(TEAM * _CELLS, threads, _MOST), threads](
            tiles, shift, *coder.wires, size, sums, totals
        )
    return circuit.drive_correlation(sums.copy_to_host().sum(axis=(0, 2)), totals.copy_to_host().sum(axis=2))
