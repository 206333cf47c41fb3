"""Find thresholds that give odors a coding level, and the codes with them: how `fitting` is run."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simnn.device.targets import cpu
from simnn.olfaction import fitting, kernels
from simnn.olfaction.kernels import LANES
from simnn.olfaction.wiring import Wiring
from simnn.running import in_slices

_SAMPLE, _SHARE, _MOST = 6144, 16, 2**16
"""Odors that tell about where thresholds are: at least so many, one in so many, at most so many."""

_DRIVES, _DRIVES_SHARE, _MOST_DRIVES = 2**20, 2**7, 2**24
"""The same, drives of all cells, for a common threshold: 4 to 64 MB."""

_DEVIATIONS = 3.5
"""Standard errors of the sample between a common threshold and either level: 1 sample in 2000 misleads."""

_ROOM = 4
"""So many times the expected number of drives between levels can be kept of some cells."""


class _Rooms:
    """Scratch for as many threads as use it at a time."""

    def __init__(self, odors: int, sampled: int, most: int) -> None:
        self._size, self._spare = (odors, sampled, most), deque[fitting.Room]()

    @contextmanager
    def one(self) -> Iterator[fitting.Room]:
        try:
            room = self._spare.pop()
        except IndexError:
            room = fitting.room(*self._size)
        yield room
        self._spare.append(room)


def _rows(most: int, odors: int) -> int:
    """Whole tiles, or all odors."""
    return min(odors, -(-most // LANES) * LANES)


def _arranged(odors: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Odors in tiles, in random order: neighbors may be alike, or periodic."""
    k, count = fitting.bind(cpu(np.float32)), len(odors)
    order = np.random.default_rng(0).permutation(count)
    tiles = fitting.tiles(count, odors.shape[1])

    def run(first: int, last: int, _stop: NDArray[np.int64]) -> None:
        k.arrange(odors, order, first, last, tiles)

    for _ in in_slices(len(tiles), 2**20, run):
        pass
    return tiles, order


def fit(odors: NDArray[Any], wiring: Wiring, chosen: int, codes: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Threshold of each cell.

    Parameters
    ----------
    odors : (P, N) array
        One in each row.
    wiring : Wiring
        Weights.
    chosen : int
        Number of odors that each cell fires for.
    codes : (P, W) or (0, W) uint64 array
        Where packed codes go.

    Returns
    -------
    (M,) float32 array
        See `simnn.olfaction.codes.thresholds`. Memory: 4 B for each number of the odors; and for each thread 200 B for
        each odor of the sample, 6144 or one in 16, and 40 B for each odor, and what is near thresholds.
    """
    k, count, mean = fitting.bind(cpu(np.float32)), len(odors), np.float32(wiring.mean)
    tiles, order = _arranged(odors)
    share = chosen / count
    sampled = _rows(min(max(_SAMPLE, count // _SHARE), _MOST), count)
    goal = fitting.goal(count, chosen, sampled, 1, float(np.sqrt(share * (1.0 - share))), fitting.DEVIATIONS)
    # Twice what is expected between levels.
    rooms = _Rooms(count, -(-sampled // LANES), min(count, 64 + int(2 * count * (goal.low - goal.high) / sampled)))
    thresholds, words = np.empty(wiring.kenyon_cells, np.float32), kernels.words_of(wiring.kenyon_cells)

    def run(first: int, last: int, _stop: NDArray[np.int64]) -> None:
        ends = min(fitting.WORDS * first, words), min(fitting.WORDS * last, words)
        with rooms.one() as room:
            k.fit(tiles, order, wiring.wires, mean, goal, *ends, room, thresholds, codes)

    for _ in in_slices(-(-words // fitting.WORDS), 2**20, run):
        pass
    return thresholds


def fit_common(odors: NDArray[Any], wiring: Wiring, chosen: int, codes: NDArray[np.uint64]) -> Any:
    """Threshold that all cells share.

    Parameters
    ----------
    odors : (P, N) array
        One in each row.
    wiring : Wiring
        Weights.
    chosen : int
        Number of pairs of a cell and an odor that it fires for.
    codes : (P, W) or (0, W) uint64 array
        Where packed codes go.

    Returns
    -------
    float32 or None
        See `simnn.olfaction.codes.thresholds`; None, with codes undefined, where the sample misled.
    """
    k, count, cells = fitting.bind(cpu(np.float32)), len(odors), wiring.kenyon_cells
    mean, words = np.float32(wiring.mean), kernels.words_of(cells)
    tiles, order = _arranged(odors)
    drives = min(max(_DRIVES, count * cells // _DRIVES_SHARE), _MOST_DRIVES)
    sampled = _rows(max(LANES, drives // cells - LANES + 1), count)
    some = np.empty((-(-sampled // LANES), cells, LANES), np.float32)
    k.sample(tiles, wiring.wires, mean, count, np.empty(LANES, np.float32), some)
    few = some[0, :, : min(LANES, count)]
    rank = few.size - min(max(round(chosen / (count * cells) * few.size), 1), few.size - 1)
    spread = float((few > np.partition(few.reshape(-1), rank)[rank]).sum(axis=0).std())
    goal = fitting.goal(count, chosen, sampled, cells, spread, _DEVIATIONS)
    high, low = k.bracket(some.reshape(-1, 1, LANES), goal)
    del some, few
    rooms = _Rooms(count, 1, 1)
    share = (goal.low - goal.high) / (sampled * cells)
    most = 2**16 + int(_ROOM * share * count * 64 * fitting.WORDS)

    def run(first: int, last: int, _stop: NDArray[np.int64]) -> list[tuple[int, int, Any, Any]]:
        found = []
        for group in range(first, last):
            ends = fitting.WORDS * group, min(fitting.WORDS * (group + 1), words)
            value, place = np.empty(most, np.float32), np.empty(most, np.int64)
            with rooms.one() as room:
                above, size = k.scan(tiles, order, wiring.wires, mean, high, low, *ends, room, value, place, codes)
            found.append((above, size, value[:size], place[:size]))
        return found

    parts = [part for slices in in_slices(-(-words // fitting.WORDS), 2**20, run) for part in slices]
    needed = chosen - sum(part[0] for part in parts)
    value = np.concatenate([part[2] for part in parts])
    if not 0 < needed <= len(value) or max(part[1] for part in parts) > most:
        return None
    last = np.partition(value, len(value) - needed)[len(value) - needed]
    larger, equal = int(np.count_nonzero(value > last)), int(np.count_nonzero(value == last))
    level = np.nextafter(last, np.float32(-np.inf)) if larger + equal - needed < needed - larger else last
    if len(codes):
        for part in parts:
            k.settle(part[2], part[3], level, codes)
    return level


def search_common(odors: NDArray[Any], wiring: Wiring, chosen: int) -> Any:
    """Threshold that all cells share, without a sample: two histograms of all drives, each of 2^16 bins.

    Parameters
    ----------
    odors : (P, N) array
        One in each row.
    wiring : Wiring
        Weights.
    chosen : int
        Number of pairs of a cell and an odor that it fires for.

    Returns
    -------
    float32
        See `simnn.olfaction.codes.thresholds`.
    """
    prefix, above = -1, 0
    for _ in range(2):
        counts = sum(_histograms(odors, wiring, prefix), np.zeros(2**16, np.int64))
        larger = above + np.concatenate([np.cumsum(counts[::-1])[::-1][1:], [0]])
        digit = int(np.flatnonzero(larger + counts >= chosen)[-1])
        above, equal, prefix = int(larger[digit]), int(counts[digit]), digit if prefix < 0 else (prefix << 16) + digit
    return level_at(prefix - 2**31, equal, chosen - above)


def level_at(ordered: int, equal: int, chosen: int) -> Any:
    """Level of equal drives that all of them exceed, or none.

    Parameters
    ----------
    ordered : int
        Their bit pattern, or that of an absolute value and a minus.
    equal, chosen : int
        How many there are, and how many of them should.

    Returns
    -------
    float32
        Whatever is nearer, of two equally near the one that none exceeds.
    """
    value = np.array(ordered if ordered >= 0 else -ordered | 2**31, np.uint32).view(np.float32)[()]
    return np.nextafter(value, np.float32(-np.inf)) if equal - chosen < chosen else value


def _histograms(odors: NDArray[Any], wiring: Wiring, prefix: int) -> Any:
    from simnn.olfaction import cpu as olfaction

    def run(first: int, last: int, _stop: NDArray[np.int64]) -> NDArray[np.int64]:
        counts = np.zeros(2**16, np.int64)
        space = kernels.space(wiring.glomeruli, wiring.kenyon_cells, False)
        ends = min(LANES * first, len(odors)), min(LANES * last, len(odors))
        olfaction.bound().histogram(odors, wiring.wires, np.float32(wiring.mean), prefix, *ends, space, counts)
        return counts

    return in_slices(-(-len(odors) // LANES), 2**20, run)
