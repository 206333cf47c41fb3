"""Codes of a tile of odors, and counts of packed codes: loops of the kernels, for any target.

Odors come in tiles of `LANES`, one odor in each lane of a vector: a row of the tile is one glomerulus, a row of drives
one Kenyon cell. So every loop below runs over lanes, whatever the wiring, and no result depends on other lanes. Codes
are packed: bit ``i % 64`` of word ``i // 64`` is cell i.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.device import selection
from simnn.device.targets import Target

LANES = 128
"""Odors of a tile: 50 glomeruli stay in the first cache, and loops of so many steps are worth their beginning."""

CHUNK = 8
"""Claws that are added up at a time, and then 4 or 7; cells with other numbers have some of weight zero."""

_WINDOW = 48
"""Cells around the weakest winner that may be left to sort, on average over the odors of a tile."""

_PASSES = 6
"""Most counts of cells above two levels; what they leave is sorted, however much it is."""

_SAMPLED = 4
"""Of so many cells one tells where to begin."""


class Wires(NamedTuple):
    """Inputs of each cell.

    Attributes
    ----------
    index : (M, C) int32 array
        Glomeruli; N where the weight is zero.
    weight : (M, C) float32 array
        Their weights.
    count : (M,) int32 array
        How many columns a cell uses: see `padded`.
    """

    index: Any
    weight: Any
    count: Any


class Rule(NamedTuple):
    """Which cells are active.

    Attributes
    ----------
    threshold : (M,) float32 array
        Cells with a larger drive are, if there is no number of winners.
    mean : float
        What inhibition subtracts from each weight, float32.
    winners : int
        Number of cells with the largest drives that are active, of equal ones the first; 0 for thresholds.
    low, high : float
        Levels, in standard deviations of the drives, that more and fewer cells than the winners should exceed, float32.
    """

    threshold: Any
    mean: Any
    winners: Any
    low: Any
    high: Any


class Space(NamedTuple):
    """Scratch of one thread (see `space`).

    Attributes
    ----------
    tile, noise : (rows, LANES) float32 array
        Odors, one in each column, and a row of zeros after the last glomerulus; what is added to them.
    words : (4, 512) uint32 array
        Random words.
    drive : (cells, LANES) float32 array
        Drives: of all cells if they compete, else of 32 cells.
    lane : (9, LANES) float32 array
        Numbers of each odor.
    sure, maybe : (words, LANES) uint32 array
        Cells that are active, and those that may be.
    value, sorted : (cells,) float32 array
        Drives of cells that may be active.
    place : (cells,) int32 array
        Their numbers.
    """

    tile: Any
    noise: Any
    words: Any
    drive: Any
    lane: Any
    sure: Any
    maybe: Any
    value: Any
    sorted: Any
    place: Any


class Kernels(NamedTuple):
    """Routines of one target (see `bind`)."""

    encode: Callable[..., Any]
    drives: Callable[..., Any]
    common: Callable[..., Any]
    popcount: Callable[..., Any]


def words_of(cells: int) -> int:
    """Number of 64-bit words of a packed code.

    Parameters
    ----------
    cells : int
        Kenyon cells.

    Returns
    -------
    int
    """
    return -(-cells // 64)


def space(glomeruli: int, cells: int, winners: bool) -> Space:
    """Scratch of one thread: 512 B for each cell that competes, 1 KB for each glomerulus.

    Parameters
    ----------
    glomeruli, cells : int
        N and M.
    winners : bool
        Whether cells compete.

    Returns
    -------
    Space
    """
    rows = -(-(glomeruli + 1) // 16) * 16
    words, all_cells = (2 * words_of(cells), 64 * words_of(cells)) if winners else (2, 32)
    return Space(
        aligned((rows, LANES), np.float32),
        aligned((rows, LANES), np.float32),
        aligned((4, 512), np.uint32),
        aligned((all_cells, LANES), np.float32),
        aligned((9, LANES), np.float32),
        aligned((words, LANES), np.uint32),
        aligned((words, LANES), np.uint32),
        np.zeros(all_cells, np.float32),
        np.zeros(all_cells, np.float32),
        np.zeros(all_cells, np.int32),
    )


def aligned(shape: tuple[int, int], kind: type[np.generic]) -> NDArray[Any]:
    """Zeros whose rows begin with a line of the cache: vectors that straddle two of them take a fifth longer.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    kind : type
        Of numbers with 4 bytes.

    Returns
    -------
    array
    """
    size = 4 * shape[0] * shape[1]
    octets = np.zeros(size + 63, np.uint8)
    first = -octets.ctypes.data % 64
    return octets[first : first + size].view(kind).reshape(shape)


@functools.cache
def bind(target: Target) -> Kernels:
    """Bind the routines for a target.

    Parameters
    ----------
    target : Target
        Where they run, in single precision.

    Returns
    -------
    Kernels
        ``encode(wires, rule, lanes, first, space, codes)``: the odors of ``space.tile``, the first ``lanes`` of them
        into rows first, first + 1, ... of the packed codes.
        ``drives(wires, first, last, x, h)``: drives of cells first, ..., last - 1 to the odors of a tile.
        ``common(mean, x, shift)``: what inhibition subtracts from them.
        ``popcount(word)``: number of its bits that are set; plain Python warns of a product that wraps around.
    """
    popcount = _bind_popcount(target)
    drives, common = _bind_drives(target)
    above_thresholds = _bind_thresholds(target, drives, common)
    bracket, pack, strongest = _bind_winners(target, popcount)
    infinity = np.float32(np.inf)

    @target.routine
    def encode(wires, rule, lanes, first, space, codes):
        if rule.winners == 0:
            above_thresholds(wires, rule, lanes, first, space, codes)
            return
        cells, h = wires.count.shape[0], space.drive
        drives(wires, 0, cells, space.tile, h)
        for i in range(cells, h.shape[0]):
            row = h[i]
            for t in range(LANES):
                row[t] = -infinity
        bracket(rule, cells, h, space.lane)
        pack(h, space.lane[1], space.lane[2], space.sure, space.maybe)
        strongest(rule, lanes, first, space, codes)

    return Kernels(encode, drives, common, popcount)


def _bind_popcount(target: Target) -> Callable[..., Any]:
    """Set bits of a word."""
    m1, m2, m4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
    h01, one_bit, two_bits = np.uint64(0x0101010101010101), np.uint64(1), np.uint64(2)
    four_bits, high_byte = np.uint64(4), np.uint64(56)

    @target.device
    def popcount(word):
        word -= (word >> one_bit) & m1
        word = (word & m2) + ((word >> two_bits) & m2)
        word = (word + (word >> four_bits)) & m4
        return np.int64((word * h01) >> high_byte)

    return popcount


def _bind_drives(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Drives of some cells to the odors of a tile, and what inhibition subtracts from them."""
    zero = np.float32(0.0)

    @target.device
    def add_four(x, index, weight, k, fresh, row):
        a, b, c, d = x[index[k]], x[index[k + 1]], x[index[k + 2]], x[index[k + 3]]
        p, q, r, s = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        for t in range(LANES):
            row[t] = (zero if fresh else row[t]) + (p * a[t] + q * b[t] + r * c[t] + s * d[t])

    @target.device
    def add_seven(x, index, weight, k, fresh, row):
        a, b, c, d = x[index[k]], x[index[k + 1]], x[index[k + 2]], x[index[k + 3]]
        e, f, g = x[index[k + 4]], x[index[k + 5]], x[index[k + 6]]
        p, q, r, s = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        u, v, w = weight[k + 4], weight[k + 5], weight[k + 6]
        for t in range(LANES):
            row[t] = (zero if fresh else row[t]) + (
                (p * a[t] + q * b[t] + r * c[t] + s * d[t]) + (u * e[t] + v * f[t] + w * g[t])
            )

    @target.device
    def add_eight(x, index, weight, k, fresh, row):
        a, b, c, d = x[index[k]], x[index[k + 1]], x[index[k + 2]], x[index[k + 3]]
        e, f, g, h = x[index[k + 4]], x[index[k + 5]], x[index[k + 6]], x[index[k + 7]]
        p, q, r, s = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        u, v, w, z = weight[k + 4], weight[k + 5], weight[k + 6], weight[k + 7]
        for t in range(LANES):
            row[t] = (zero if fresh else row[t]) + (
                (p * a[t] + q * b[t] + r * c[t] + s * d[t]) + (u * e[t] + v * f[t] + w * g[t] + z * h[t])
            )

    @target.routine
    def drives(wires, first, last, x, h):
        """From row 0 of h on."""
        for i in range(first, last):
            index, weight, row, count = wires.index[i], wires.weight[i], h[i - first], wires.count[i]
            whole = count // CHUNK * CHUNK
            # The sum of a chunk stays in registers.
            for k in range(0, whole, CHUNK):
                add_eight(x, index, weight, k, k == 0, row)
            if count - whole == 7:
                add_seven(x, index, weight, whole, whole == 0, row)
            elif count > whole:
                add_four(x, index, weight, whole, whole == 0, row)

    @target.routine
    def common(mean, x, shift):
        """Rows after the last glomerulus are zero."""
        for t in range(LANES):
            shift[t] = zero
        if mean != zero:
            for n in range(x.shape[0]):
                row = x[n]
                for t in range(LANES):
                    shift[t] += row[t]
            for t in range(LANES):
                shift[t] *= mean

    return drives, common


def _bind_thresholds(target: Target, drives: Any, common: Any) -> Callable[..., Any]:
    """Codes of cells that compare their drive with a threshold."""
    none, half_word = np.uint32(0), np.uint64(32)

    @target.routine
    def above_thresholds(wires, rule, lanes, first, space, codes):
        x, h, shift = space.tile, space.drive, space.lane[0]
        cells = rule.threshold.shape[0]
        common(rule.mean, x, shift)
        for word in range(codes.shape[1]):
            for part in range(2):
                begin = 64 * word + 32 * part
                end, out = min(begin + 32, cells), space.sure[part]
                for t in range(LANES):
                    out[t] = none
                drives(wires, begin, end, x, h)
                for i in range(begin, end):
                    row, level, bit = h[i - begin], rule.threshold[i], np.uint32(1 << (i - begin))
                    for t in range(LANES):
                        out[t] |= bit if row[t] - shift[t] > level else none
            low, high = space.sure[0], space.sure[1]
            for t in range(lanes):
                codes[first + t, word] = np.uint64(low[t]) | (np.uint64(high[t]) << half_word)

    return above_thresholds


def _bind_winners(target: Target, popcount: Any) -> tuple[Callable[..., Any], ...]:
    """Codes of cells that compete: two levels with few cells in between, and the strongest of these."""
    kth_largest = selection.bind(target).kth_largest
    zero, one, infinity = np.float32(0.0), np.float32(1.0), np.float32(np.inf)
    half, four = np.float32(0.5), np.float32(4.0)
    none, half_word, one_bit = np.uint32(0), np.uint64(32), np.uint64(1)

    @target.routine
    def count_above(h, a, b, above_a, above_b):
        for t in range(LANES):
            above_a[t], above_b[t] = zero, zero
        for i in range(0, h.shape[0], 4):
            p, q, r, s = h[i], h[i + 1], h[i + 2], h[i + 3]
            for t in range(LANES):
                u = a[t]
                above_a[t] += (
                    (one if p[t] > u else zero)
                    + (one if q[t] > u else zero)
                    + (one if r[t] > u else zero)
                    + (one if s[t] > u else zero)
                )
            for t in range(LANES):
                u = b[t]
                above_b[t] += (
                    (one if p[t] > u else zero)
                    + (one if q[t] > u else zero)
                    + (one if r[t] > u else zero)
                    + (one if s[t] > u else zero)
                )

    @target.routine
    def bracket(rule, cells, h, lane):
        """Levels ``low`` and ``high`` that at least, and fewer than, the winners exceed; few cells in between."""
        low, high, above_low, above_high = lane[1], lane[2], lane[3], lane[4]
        a, b, above_a, above_b = lane[5], lane[6], lane[7], lane[8]
        wanted, samples = np.float32(rule.winners), np.float32((cells + _SAMPLED - 1) // _SAMPLED)
        for t in range(LANES):
            a[t], b[t] = zero, zero
        for i in range(0, cells, _SAMPLED):
            row = h[i]
            for t in range(LANES):
                a[t] += row[t]
                b[t] += row[t] * row[t]
        for t in range(LANES):
            mean = a[t] / samples
            deviation = np.sqrt(max(b[t] / samples - mean * mean, zero))
            a[t], b[t] = mean + rule.low * deviation, mean + rule.high * deviation
            low[t], high[t], above_low[t], above_high[t] = -infinity, infinity, np.float32(cells), zero
        for _ in range(_PASSES):
            count_above(h, a, b, above_a, above_b)
            total = zero
            for t in range(LANES):
                for side in range(2):
                    level, above = (a[t], above_a[t]) if side == 0 else (b[t], above_b[t])
                    if above >= wanted and level > low[t]:
                        low[t], above_low[t] = level, above
                    elif above < wanted and level < high[t]:
                        high[t], above_high[t] = level, above
                window, step = above_low[t] - above_high[t], four * (b[t] - a[t])
                total += window
                if low[t] == -infinity:
                    a[t], b[t] = a[t] - step, a[t]
                elif high[t] == infinity:
                    a[t], b[t] = b[t], b[t] + step
                else:
                    # Where the weakest winner would be if the cells in between were spread evenly, give or take.
                    slope = (high[t] - low[t]) / window
                    centre = low[t] + slope * (above_low[t] - wanted + half)
                    margin = slope * (four + np.sqrt(window) * half)
                    a[t], b[t] = centre - margin, centre + margin
            if total <= np.float32(LANES * _WINDOW):
                break

    @target.routine
    def pack(h, low, high, sure, maybe):
        for word in range(sure.shape[0]):
            above, between = sure[word], maybe[word]
            for t in range(LANES):
                above[t], between[t] = none, none
            for b in range(0, 32, 4):
                i = 32 * word + b
                p, q, r, s = h[i], h[i + 1], h[i + 2], h[i + 3]
                bit_p, bit_q = np.uint32(1 << b), np.uint32(2 << b)
                bit_r, bit_s = np.uint32(4 << b), np.uint32(8 << b)
                for t in range(LANES):
                    u = high[t]
                    above[t] |= (
                        (bit_p if p[t] > u else none)
                        | (bit_q if q[t] > u else none)
                        | (bit_r if r[t] > u else none)
                        | (bit_s if s[t] > u else none)
                    )
                for t in range(LANES):
                    u = low[t]
                    between[t] |= (
                        (bit_p if p[t] > u else none)
                        | (bit_q if q[t] > u else none)
                        | (bit_r if r[t] > u else none)
                        | (bit_s if s[t] > u else none)
                    )

    @target.routine
    def strongest(rule, lanes, first, space, codes):
        """Add to the cells that are sure the strongest of those that may be, of equal ones the first."""
        h, above_high = space.drive, space.lane[4]
        value, place = space.value, space.place
        for t in range(lanes):
            count = 0
            for word in range(codes.shape[1]):
                sure = np.uint64(space.sure[2 * word, t]) | (np.uint64(space.sure[2 * word + 1, t]) << half_word)
                left = np.uint64(space.maybe[2 * word, t]) | (np.uint64(space.maybe[2 * word + 1, t]) << half_word)
                codes[first + t, word] = sure
                left &= ~sure
                while left != np.uint64(0):
                    rest = left & (left - one_bit)
                    i = 64 * word + popcount((left ^ rest) - one_bit)
                    value[count], place[count] = h[i, t], i
                    count += 1
                    left = rest
            needed = rule.winners - np.int64(above_high[t])
            weakest = kth_largest(value[:count], needed, space.sorted)
            for j in range(count):
                needed -= 1 if value[j] > weakest else 0
            for j in range(count):
                tie = value[j] == weakest and needed > 0
                needed -= 1 if tie else 0
                if value[j] > weakest or tie:
                    i = np.int64(place[j])
                    codes[first + t, i // 64] |= one_bit << np.uint64(i % 64)

    return bracket, pack, strongest


def padded(count: NDArray[np.int64]) -> NDArray[np.int32]:
    """Numbers of claws as drives are added up: whole chunks, and 4 or 7 more.

    Parameters
    ----------
    count : int array
        Claws of each cell.

    Returns
    -------
    int32 array
        At least as many, and at least 4.
    """
    whole, rest = np.divmod(count, CHUNK)
    more = np.select([(rest == 0) & (whole > 0), rest <= 4], [0, 4], 7)
    return np.asarray(CHUNK * whole + more, np.int32)
