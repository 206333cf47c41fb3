"""Thresholds that give cells a coding level, and the codes, in one pass over odors: loops of the kernels, any target.

A sample of odors tells two levels that a threshold lies between with near certainty. Drives above the upper one are
counted, the few between the two are kept, and the threshold is found among them, exactly. Where the sample misled, all
drives of a cell are looked at: results do not depend on the sample. Odors are in tiles, in an order that makes the
first of them the sample.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.device import selection
from simnn.device.targets import Target
from simnn.olfaction import kernels
from simnn.olfaction.kernels import LANES

PART = 32
"""Cells that are coded at a time: their drives to a tile are in the first cache, with the tile."""

GROUP = 8
"""Parts for which a tile is loaded once."""

WORDS = GROUP // 2
"""Words of codes that they make."""

DEVIATIONS = 3.0
"""Standard errors of the sample between a threshold and either level; one cell in 400 then needs all its drives."""

_PASSES = 12
"""Most counts of the values above a level; one that is not near its rank by then only leaves more to look at."""

_PROBED = 32
"""Of so many drives in the sample one tells where to begin."""

_FEW, _NARROWINGS = 32, 4
"""Values that are selected from without more ado, and most pairs of counts to come down to so many."""


class Goal(NamedTuple):
    """What is looked for (see `goal`).

    Attributes
    ----------
    chosen : int
        Number of drives that should exceed the threshold.
    values : float
        Number of drives in the sample, float32.
    high, low : float
        Number of drives in the sample that should exceed the upper and the lower level, float32.
    high_start, low_start : float
        These levels in standard deviations if drives are normal, float32.
    high_step, low_step : float
        By how much they change with each drive, float32.
    tolerance : float
        What the numbers may be off, float32.
    """

    chosen: Any
    values: Any
    high: Any
    low: Any
    high_start: Any
    low_start: Any
    high_step: Any
    low_step: Any
    tolerance: Any


class Room(NamedTuple):
    """Scratch of one thread (see `room`).

    Attributes
    ----------
    drive : (PART, LANES) float32 array
        Drives to a tile.
    shift : (LANES,) float32 array
        What inhibition subtracts from them.
    sample : (tiles, PART, LANES) float32 array
        Drives to the odors of the sample.
    high, low : (cells,) float32 array
        Levels of each cell.
    above, count : (cells,) int64 array
        Number of drives above the upper level, and between the two.
    maybe : (LANES,) uint32 array
        Cells with drives above their lower level.
    spot : (PART LANES + 1,) uint32 array
        Places of drives between levels in a tile.
    value : (cells, most) float32 array
        Drives between levels.
    place : (cells, most) int32 array
        Their odors.
    bits : (GROUP, odors) uint32 array
        Codes.
    every, sorted : (P,) float32 array
        Drives of one cell.
    """

    drive: Any
    shift: Any
    sample: Any
    high: Any
    low: Any
    above: Any
    count: Any
    maybe: Any
    spot: Any
    value: Any
    place: Any
    bits: Any
    every: Any
    sorted: Any


class Kernels(NamedTuple):
    """Kernels of one target (see `bind`)."""

    arrange: Callable[..., Any]
    fit: Callable[..., Any]
    sample: Callable[..., Any]
    bracket: Callable[..., Any]
    scan: Callable[..., Any]
    settle: Callable[..., Any]


def tiles(odors: int, glomeruli: int) -> NDArray[np.float32]:
    """Memory for odors in tiles, zeros after the last glomerulus and the last odor.

    Parameters
    ----------
    odors, glomeruli : int
        P and N.

    Returns
    -------
    (ceil(P / LANES), N + 1, LANES) float32 array
    """
    count = -(-odors // LANES)
    return kernels.aligned((count * (glomeruli + 1), LANES), np.float32).reshape(count, glomeruli + 1, LANES)


def goal(odors: int, chosen: int, sampled: int, cells: int, spread: float, deviations: float) -> Goal:
    """What is looked for.

    Parameters
    ----------
    odors, chosen : int
        Number of odors, and of the drives that should exceed the threshold.
    sampled : int
        Odors in the sample.
    cells : int
        Cells that have the threshold in common.
    spread : float
        Standard deviation of the number of drives to an odor that exceed it.
    deviations : float
        Standard errors between the threshold and either level.

    Returns
    -------
    Goal
    """
    from scipy.special import ndtri

    values = sampled * cells
    centre, unseen = chosen / odors * sampled, 1.0 - sampled / odors
    margin = deviations * spread * float(np.sqrt(sampled * unseen)) + 4.0
    counts = centre + margin * np.array([-1.0, 1.0])
    normal = -ndtri(np.clip(counts, 0.5, values - 0.5) / values)
    step = np.sqrt(2.0 * np.pi) * np.exp(0.5 * normal * normal) / values
    return Goal(chosen, *(np.float32(number) for number in (values, *counts, *normal, *step, margin / 4.0)))


def room(odors: int, sampled: int, most: int) -> Room:
    """Scratch of one thread.

    Parameters
    ----------
    odors, sampled : int
        P, and tiles of the sample.
    most : int
        Drives between levels that can be kept of each cell.

    Returns
    -------
    Room
    """
    cells = PART * GROUP
    return Room(
        kernels.aligned((PART, LANES), np.float32),
        np.zeros(LANES, np.float32),
        kernels.aligned((sampled * PART, LANES), np.float32).reshape(sampled, PART, LANES),
        np.zeros(cells, np.float32),
        np.zeros(cells, np.float32),
        np.zeros(cells, np.int64),
        np.zeros(cells, np.int64),
        np.zeros(LANES, np.uint32),
        np.zeros(PART * LANES + 1, np.uint32),
        np.zeros((cells, most), np.float32),
        np.zeros((cells, most), np.int32),
        kernels.aligned((GROUP, -(-odors // LANES) * LANES), np.uint32),
        np.zeros(odors, np.float32),
        np.zeros(odors, np.float32),
    )


@functools.cache
def bind_middle(target: Target) -> Callable[..., Any]:
    """Bind what lies half-way between two drives.

    Parameters
    ----------
    target : Target
        Where it runs, in single precision.

    Returns
    -------
    callable
        ``middle(lower, upper)``: a level that the upper one exceeds, and the lower one does not.
    """
    half = np.float32(0.5)

    @target.device
    def middle(lower, upper):
        level = lower + half * (upper - lower)
        return level if level < upper else lower

    return middle


@functools.cache
def bind(target: Target) -> Kernels:
    """Bind the kernels for a target.

    Parameters
    ----------
    target : Target
        Where they run, in single precision.

    Returns
    -------
    Kernels
        ``arrange(odors, order, first, last, tiles)``: odors ``order`` of the rows into tiles first, ..., last - 1.
        ``fit(tiles, order, wires, mean, goal, first, last, room, threshold, codes)``: thresholds of the cells in words
        first, ..., last - 1, and these words of the packed codes, if there are codes.
        ``sample(tiles, wires, mean, odors, shift, out)``: drives of all cells to the odors of as many tiles as ``out``
        (tiles, M, LANES) has; minus infinity beyond the last of ``odors``.
        ``bracket(h, goal)``: the two levels of drives ``h[:, 0]``.
        ``scan(tiles, order, wires, mean, high, low, first, last, room, value, place, codes)``: codes of drives above
        one upper level, in words of at most one group; drives between the two levels and their places among the bits of
        all codes; the number of both. What does not fit is only counted.
        ``settle(value, place, level, codes)``: add to codes those with values above a level.
    """
    common = kernels.bind(target).common
    tile_drives, count_above, levels = _bind_levels(target)
    mark, find, record = _bind_pass(target)
    finish, finish_all, give = _bind_selection(target, tile_drives, count_above)
    infinity = np.float32(np.inf)

    @target.kernel
    def arrange(odors, order, first, last, tiles):
        for tile in range(first, last):
            x = tiles[tile]
            for t in range(min(LANES, order.shape[0] - LANES * tile)):
                odor = odors[order[LANES * tile + t]]
                for n in range(odor.shape[0]):
                    x[n, t] = np.float32(odor[n])

    @target.kernel
    def bracket(h, goal):
        return levels(h, 0, goal)

    @target.kernel
    def fit(tiles, order, wires, mean, goal, first, last, room, threshold, codes):
        cells, odors, seen = threshold.shape[0], order.shape[0], room.sample.shape[0]
        for word in range(first, last, WORDS):
            begin, beyond = 64 * word, min(word + WORDS, last)
            parts, end = 2 * (beyond - word), min(64 * beyond, cells)
            for c in range(room.high.shape[0]):
                room.high[c], room.low[c], room.above[c], room.count[c] = infinity, infinity, 0, 0
            for part in range(parts):
                start = begin + PART * part
                stop = min(start + PART, end)
                for tile in range(seen):
                    x, lanes = tiles[tile], min(LANES, odors - LANES * tile)
                    common(mean, x, room.shift)
                    tile_drives(wires, mean, start, stop, x, lanes, room.shift, room.sample[tile])
                for i in range(stop - start):
                    c = PART * part + i
                    room.high[c], room.low[c] = levels(room.sample, i, goal)
                for tile in range(seen):
                    record(part, room.sample[tile], LANES * tile, min(LANES, odors - LANES * tile), room)
            for tile in range(seen, tiles.shape[0]):
                x, odor = tiles[tile], LANES * tile
                lanes = min(LANES, odors - odor)
                common(mean, x, room.shift)
                for part in range(parts):
                    start = begin + PART * part
                    tile_drives(wires, mean, start, min(start + PART, end), x, lanes, room.shift, room.drive)
                    record(part, room.drive, odor, lanes, room)
            for i in range(begin, end):
                c = i - begin
                level, found = finish(c, goal.chosen, room)
                threshold[i] = level if found else finish_all(tiles, wires, mean, i, c, goal.chosen, room)
            if codes.shape[0] > 0:
                give(order, room.bits, word, beyond, codes)

    @target.kernel
    def sample(tiles, wires, mean, odors, shift, out):
        for tile in range(out.shape[0]):
            common(mean, tiles[tile], shift)
            lanes = min(LANES, odors - LANES * tile)
            tile_drives(wires, mean, 0, out.shape[1], tiles[tile], lanes, shift, out[tile])

    @target.kernel
    def scan(tiles, order, wires, mean, high, low, first, last, room, value, place, codes):
        cells, odors = wires.count.shape[0], order.shape[0]
        row = (cells + 63) // 64 * 64
        begin, end, above, size = 64 * first, min(64 * last, cells), 0, 0
        for c in range(room.high.shape[0]):
            inside = begin + c < end
            room.high[c], room.low[c], room.above[c] = high if inside else infinity, low if inside else infinity, 0
        for tile in range(tiles.shape[0]):
            x, odor = tiles[tile], LANES * tile
            lanes = min(LANES, odors - odor)
            common(mean, x, room.shift)
            for part in range(2 * (last - first)):
                start, c = begin + PART * part, PART * part
                tile_drives(wires, mean, start, min(start + PART, end), x, lanes, room.shift, room.drive)
                sure = room.bits[part, odor : odor + LANES]
                mark(room.drive, room.high[c:], room.low[c:], sure, room.maybe, room.above[c:])
                found = find(sure, room.maybe, lanes, room.spot)
                for n in range(found):
                    i, t = np.int64(room.spot[n] % PART), np.int64(room.spot[n] // PART)
                    j = min(size, value.shape[0] - 1)
                    value[j], place[j] = room.drive[i, t], row * order[odor + t] + start + i
                    size += 1
        for c in range(end - begin):
            above += room.above[c]
        if codes.shape[0] > 0:
            give(order, room.bits, first, last, codes)
        return above, size

    @target.kernel
    def settle(value, place, level, codes):
        words = codes.reshape(codes.size)
        for j in range(value.shape[0]):
            bit = np.uint64(place[j]) & np.uint64(63)
            words[np.uint64(place[j]) >> np.uint64(6)] |= np.uint64(value[j] > level) << bit

    return Kernels(arrange, fit, sample, bracket, scan, settle)


def _bind_levels(target: Target) -> tuple[Callable[..., Any], ...]:
    """Drives of a part of the cells, and the two levels that a sample of drives tells."""
    drives = kernels.bind(target).drives
    zero, half, one, two, infinity = (np.float32(number) for number in (0.0, 0.5, 1.0, 2.0, np.inf))

    @target.routine
    def tile_drives(wires, mean, begin, end, x, lanes, shift, h):
        """Drives of some cells, minus infinity in lanes without an odor."""
        drives(wires, begin, end, x, h)
        if mean != zero:
            for i in range(end - begin):
                row = h[i]
                for t in range(LANES):
                    row[t] -= shift[t]
        if lanes < LANES:
            for i in range(end - begin):
                for t in range(lanes, LANES):
                    h[i, t] = -infinity

    @target.routine
    def count_above(values, level):
        above = np.int32(0)
        for j in range(values.shape[0]):
            above = np.int32(above + np.int32(values[j] > level))
        return above

    @target.routine
    def count_sampled(h, i, level):
        above = np.int32(0)
        for tile in range(h.shape[0]):
            above = np.int32(above + count_above(h[tile, i], level))
        return above

    @target.routine
    def level_near(h, i, count, wanted, tolerance, level, step, upper):
        """A level that about ``wanted`` drives exceed; if none is found, one that too few exceed, or too many."""
        left, right, above_left, above_right = -infinity, infinity, count, zero
        for n in range(_PASSES):
            above = np.float32(count_sampled(h, i, level))
            if abs(above - wanted) <= tolerance:
                return level
            if above > wanted:
                left, above_left = level, above
            else:
                right, above_right = level, above
            if left == -infinity or right == infinity:
                level, step = level + (above - wanted) * step, two * step
            else:
                share = half if n % 3 == 2 else (above_left - wanted) / (above_left - above_right)
                level = left + share * (right - left)
        return right if upper else left

    @target.routine
    def levels(h, i, goal):
        """Levels of drives ``h[:, i]``."""
        total, square, probes = zero, zero, zero
        for tile in range(h.shape[0]):
            row = h[tile, i]
            for t in range(0, LANES, _PROBED):
                if row[t] > -infinity:
                    total += row[t]
                    square += row[t] * row[t]
                    probes += one
        mean = total / probes
        deviation = np.sqrt(max(square / probes - mean * mean, zero))
        high, low = infinity, -infinity
        if goal.high > zero:
            start, step = mean + goal.high_start * deviation, goal.high_step * deviation
            high = level_near(h, i, goal.values, goal.high, goal.tolerance, start, step, True)
        if goal.low < goal.values:
            start, step = mean + goal.low_start * deviation, goal.low_step * deviation
            low = level_near(h, i, goal.values, goal.low, goal.tolerance, start, step, False)
        return high, low

    return tile_drives, count_above, levels


def _bind_pass(target: Target) -> tuple[Callable[..., Any], ...]:
    """What is coded, and what is kept, of the drives to a tile."""
    popcount = kernels.bind(target).popcount
    none, no_bits, bit64 = np.uint32(0), np.uint64(0), np.uint64(1)

    @target.routine
    def mark(h, high, low, sure, maybe, above):
        """Bits of a part of the cells, and how many drives of each exceed the upper level."""
        for t in range(LANES):
            sure[t], maybe[t] = none, none
        for b in range(0, PART, 4):
            p, q, r, s = h[b], h[b + 1], h[b + 2], h[b + 3]
            bit_p, bit_q = np.uint32(1 << b), np.uint32(2 << b)
            bit_r, bit_s = np.uint32(4 << b), np.uint32(8 << b)
            u, v, w, z = high[b], high[b + 1], high[b + 2], high[b + 3]
            i, j, k, m = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
            for t in range(LANES):
                sure[t] |= (
                    (bit_p if p[t] > u else none)
                    | (bit_q if q[t] > v else none)
                    | (bit_r if r[t] > w else none)
                    | (bit_s if s[t] > z else none)
                )
                i = np.int32(i + np.int32(p[t] > u))
                j = np.int32(j + np.int32(q[t] > v))
                k = np.int32(k + np.int32(r[t] > w))
                m = np.int32(m + np.int32(s[t] > z))
            above[b] += i
            above[b + 1] += j
            above[b + 2] += k
            above[b + 3] += m
            u, v, w, z = low[b], low[b + 1], low[b + 2], low[b + 3]
            for t in range(LANES):
                maybe[t] |= (
                    (bit_p if p[t] > u else none)
                    | (bit_q if q[t] > v else none)
                    | (bit_r if r[t] > w else none)
                    | (bit_s if s[t] > z else none)
                )

    @target.routine
    def find(sure, maybe, lanes, spot):
        """Where drives between levels are, ``PART t + i``, and how many."""
        found = 0
        for t in range(lanes):
            left = np.uint64(maybe[t] & ~sure[t])
            # Few words have more than one bit: the first without a jump that cannot be foretold.
            rest = left & (left - bit64)
            spot[np.uint64(found)] = PART * t + popcount((left ^ rest) - bit64)
            found += np.int64(left != no_bits)
            left = rest
            while left != no_bits:
                rest = left & (left - bit64)
                spot[np.uint64(found)] = PART * t + popcount((left ^ rest) - bit64)
                found += 1
                left = rest
        return found

    @target.routine
    def keep(spot, found, odor, h, count, value, place):
        last = value.shape[1] - 1
        for n in range(found):
            i, t = spot[n] % PART, spot[n] // PART
            j = min(count[i], last)
            value[i, j], place[i, j] = h[i, t], odor + t
            count[i] += 1

    @target.routine
    def record(part, h, odor, lanes, room):
        """Codes of a tile, and its drives between levels."""
        c = PART * part
        sure, maybe = room.bits[part, odor : odor + LANES], room.maybe
        mark(h, room.high[c:], room.low[c:], sure, maybe, room.above[c:])
        found = find(sure, maybe, lanes, room.spot)
        keep(room.spot, found, odor, h, room.count[c:], room.value[c:], room.place[c:])

    return mark, find, record


def _bind_selection(
    target: Target, tile_drives: Callable[..., Any], count_above: Callable[..., Any]
) -> tuple[Callable[..., Any], ...]:
    """Thresholds among the drives that were kept, or among all."""
    common, kth_largest = kernels.bind(target).common, selection.bind(target).kth_largest
    middle = bind_middle(target)
    zero, half, two, infinity = (np.float32(number) for number in (0.0, 0.5, 2.0, np.inf))
    none, bit32, half_word = np.uint32(0), np.uint32(1), np.uint64(32)

    @target.routine
    def split(values, k, scratch):
        """Neighbors that the k largest values, or as many as ties allow, are separated by."""
        value = kth_largest(values, k, scratch)
        larger, equal, above, below = 0, 0, infinity, -infinity
        for j in range(values.shape[0]):
            v = values[j]
            larger += 1 if v > value else 0
            equal += 1 if v == value else 0
            above = min(above, v) if v > value else above
            below = max(below, v) if v < value else below
        return (below, value) if larger + equal - k < k - larger else (value, above)

    @target.routine
    def split_between(values, k, left, right, some, scratch):
        """The same of values above ``left``, none above ``right``: counts leave few of them to select from."""
        above_left, above_right = values.shape[0], 0
        for _ in range(_NARROWINGS):
            window = np.float32(above_left - above_right)
            if window <= np.float32(_FEW):
                break
            # Where the k-th largest would be if the values in between were spread evenly, give or take.
            slope = (right - left) / window
            centre = left + slope * (np.float32(above_left - k) + half)
            margin = slope * (two + half * np.sqrt(window))
            for side in range(2):
                level = centre - margin if side == 0 else centre + margin
                if left < level < right:
                    above = np.int64(count_above(values, level))
                    if above > k:
                        left, above_left = level, above
                    elif above < k:
                        right, above_right = level, above
        few = 0
        for j in range(values.shape[0]):
            some[few] = values[j]
            few += np.int64(values[j] > left) & np.int64(values[j] <= right)
        return split(some[:few], k - above_right, scratch)

    @target.routine
    def finish(c, k, room):
        """Threshold of a cell from its drives between levels; whether they were enough."""
        count, needed = room.count[c], k - room.above[c]
        if needed < 1 or count < needed or count > room.value.shape[1]:
            return zero, False
        value, place = room.value[c, :count], room.place[c]
        lower, upper = split_between(value, needed, room.low[c], room.high[c], room.every, room.sorted)
        if lower == -infinity or upper == infinity:
            return zero, False
        level = middle(lower, upper)
        bits, bit = room.bits[c // PART], np.uint32(bit32 << np.uint32(c % PART))
        for j in range(count):
            bits[np.uint64(place[j])] |= bit if value[j] > level else none
        return level, True

    @target.routine
    def finish_all(tiles, wires, mean, i, c, k, room):
        """The same from all of its drives."""
        every, h = room.every, room.drive
        for first in range(0, every.shape[0], LANES):
            x, lanes = tiles[first // LANES], min(LANES, every.shape[0] - first)
            common(mean, x, room.shift)
            tile_drives(wires, mean, i, i + 1, x, lanes, room.shift, h)
            for t in range(lanes):
                every[first + t] = h[0, t]
        lower, upper = split(every, k, room.sorted)
        level = lower if lower == -infinity or upper == infinity else middle(lower, upper)
        bits, bit = room.bits[c // PART], np.uint32(bit32 << np.uint32(c % PART))
        for p in range(every.shape[0]):
            bits[p] = (bits[p] & ~bit) | (bit if every[p] > level else none)
        return level

    @target.routine
    def give(order, bits, first, last, codes):
        for p in range(order.shape[0]):
            code = codes[order[p]]
            for word in range(first, last):
                part = 2 * (word - first)
                code[word] = np.uint64(bits[part, p]) | (np.uint64(bits[part + 1, p]) << half_word)

    return finish, finish_all, give
