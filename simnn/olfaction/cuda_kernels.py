"""Kernels of the GPU: odors in tiles, drives, codes by thresholds and by competition, and sums over packed codes.

Layout
    A tile is `simnn.olfaction.kernels.LANES` odors, ``tiles[group, LANES glomerulus + lane]``, as on the CPU, so that
    Philox serves them with the same counters. 32 threads, a *team*, hold four odors each, or one each of a quarter of
    the tile, and go from cell to cell together: wirings and weights are read once for all of them, numbers of inputs
    that differ from cell to cell cost nothing, and odors are read 32 neighbours at a time. Each thread packs the bits
    of its odors.
    Packed codes are 32-bit words on the device, ``codes[odor, cell // 32]``; their bytes are those of the CPU.
Competition
    The drives of a chunk of odors are kept, and their k-th largest is found digit by digit (radix 256) in their ordered
    bit patterns, then in the numbers of the cells that share it. Histograms are integers, one column for each odor,
    which is a bank of shared memory for each thread of a team: no two of them ever wait for each other.
Thresholds of given odors
    The drives of a chunk of cells to all odors are kept, and a block for each cell finds the weakest that fires in the
    same way, with one column for each thread of a team, then the nearest drive beyond it. For a threshold that all
    cells share, blocks add up their histograms, and the host reads 256 numbers for each digit.
Exactness
    All sums over codes are sums of integers, by atomic additions where blocks meet, so that results do not depend on
    the size of blocks, the order in which they run, or how odors are cut into chunks. Drives are sums of the same
    terms in the same order as on the CPU, up to contraction, and codes differ from the CPU's only where a drive is
    within rounding of its threshold. What is added up in double precision, products of drives, is added by one thread
    in one order, and then on the host. The only other double precision here is the field of a readout, three operations
    for each odor on integers, as on the CPU.
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from simnn.device import gpu, philox, targets
from simnn.device.gpu import cuda
from simnn.device.targets import Target
from simnn.olfaction import fitting, projection
from simnn.olfaction.kernels import CHUNK, LANES

TEAM = 32
"""Threads that take the same path: a warp, which is also the number of banks of shared memory."""

_RADIX = 256
_COLUMNS = 2 if gpu.SIMULATED else TEAM
"""Of a histogram that a block shares: one for each bank of shared memory, of which the simulator has none."""

_ODORS = philox.ODORS * philox.COLUMNS


class Kernels(NamedTuple):
    """Kernels of one target (see `bind`)."""

    draw: Any
    load: Any
    unload: Any
    normalise: Any
    balance: Any
    threshold: Any
    expand: Any
    compete: Any
    fit: Any
    tally: Any
    label: Any
    count: Any
    compare: Any
    wrong: Any
    overlap_sums: Any
    drive_products: Any


def bound() -> Kernels:
    """Kernels of the GPU, or of its simulator.

    Returns
    -------
    Kernels
    """
    return bind(targets.cuda(np.float32))


@functools.cache
def bind(target: Target) -> Kernels:
    """Bind the kernels for a target.

    Parameters
    ----------
    target : Target
        Of CUDA, in single precision.

    Returns
    -------
    Kernels
        The first axis of a grid is tiles, except where it says otherwise; blocks of the second axis share the work.
        ``draw(source, taken, trial, key0, key1, first, tiles)``: tiles first, first + 1, ... of the odors of a trial,
        so many of which are taken from given ones; if none are, all are drawn.
        ``load(rows, tiles)``: tiles of given odors. ``unload(tiles, rows)``: the inverse.
        ``normalise(ceiling, half, gain, tiles)``: projection neurons instead of rates, see
        `simnn.olfaction.cpu.Source`; one block for each tile.
        ``balance(mean, tiles, shift)``: what inhibition subtracts from all drives to an odor; one block for each tile.
        ``threshold(tiles, shift, place, weight, count, level, codes)``: codes of drives above the level of each cell;
        ``place`` is the glomerulus times `LANES`; a team for each 32 cells, the second axis is tiles.
        ``expand(tiles, shift, place, weight, count, odors, drive)``: drives ``drive[group, cell, lane]``; the same
        grid.
        ``compete(drive, winners, codes)``: codes of the largest drives, of equal ones the first; the second axis is
        the four quarters of a tile.
        ``fit(drive, odors, chosen, level)``: level of each cell that so many of its drives exceed, see
        `simnn.olfaction.codes.thresholds`; a block for each cell.
        ``tally(drive, odors, level, leading, counts)``: adds to numbers of drives of all cells with these leading
        digits, for each of the 256 next ones, the digit of that level, 0 to 3; the grid is over cells.
        ``label(trial, key0, key1, first, label)``: labels -1 or 1 of odors first, first + 1, ...; grid over fours of
        them.
        ``count(codes, label, signed, weight, total)``: adds to sums over odors of labels times codes, if they are asked
        for, and of codes; the first axis is cells, the second slices of odors.
        ``compare(codes, other, active, both)``: active cells of each odor; adds to the cells active in both codes,
        summed over odors; grid over odors.
        ``wrong(codes, label, weight, offset, bias, halves)``: adds to twice the number of wrong answers, see
        `simnn.olfaction.cpu.bind`; grid over odors.
        ``overlap_sums(codes, own, total, square)``: overlaps with itself and, added, with all odors, for each odor;
        adds to the sum of squares over all pairs; both axes are tiles of 32 odors.
        ``drive_products(tiles, shift, place, weight, count, odors, sums, totals)``: ``tiles[0]`` are odors,
        ``tiles[1]`` their partners. Adds to ``sums[slice, 3, lane]`` the products of the drives of the cells of a slice
        to both, and the squares of either, over every 32nd odor; to ``totals[2, glomerulus, lane]`` these odors
        themselves; a team for each slice.
    """
    drives = _bind_drives(target)
    codes, levels, products = _bind_codes(target, drives), _bind_levels(target), _bind_products(target, drives)
    return Kernels(*_bind_odors(target), *codes, *levels, *_bind_sums(target), *products)


def _bind_odors(target: Target) -> tuple[Any, ...]:
    """Tiles of odors, drawn or given, and what projection neurons make of them."""
    suppression, response = projection.bind(target)
    random, word = philox.bind(target), target.word
    philox4x32, normal_pair = random.philox4x32, random.normal_pair
    zero, one = np.float32(0.0), np.float32(1.0)

    @target.device
    def mixed(k, j, glomeruli, own, common, group, trial, stream, key0, key1):
        """Four normals of one odor: block ``256 k + j`` of Philox serves every other row from ``8 k + j // 128`` on."""
        c1, c2, c3, k0, k1 = word(trial), word(group), word(stream), word(key0), word(key1)
        w0, w1, w2, w3 = philox4x32(word(256 * k + j), c1, c2, c3, k0, k1)
        a, c = normal_pair(w0, w1, w2, w3)
        b, d = normal_pair(w2, w3, w0, w1)
        if common != zero:
            # The row after the last glomerulus is what all of them share.
            last = glomeruli % 8
            block = 256 * (glomeruli // 8) + LANES * (last % 2) + j % LANES
            w0, w1, w2, w3 = philox4x32(word(block), c1, c2, c3, k0, k1)
            if last % 4 >= 2:
                w0, w1, w2, w3 = w2, w3, w0, w1
            u, v = normal_pair(w0, w1, w2, w3)
            shared = v if last >= 4 else u
            a, b = own * a + common * shared, own * b + common * shared
            c, d = own * c + common * shared, own * d + common * shared
        return a, b, c, d

    @target.device
    def put(source, n, t, value, noise, x):
        glomeruli = source.mean.shape[0]
        if n < glomeruli:
            if source.add != zero or source.keep != one:
                lost, strength = (one - source.keep) * source.mean[n], source.add * source.deviation[n]
                value = lost + source.keep * value + strength * noise
            x[LANES * n + t] = value
        elif n == glomeruli:
            x[LANES * n + t] = zero

    @target.kernel
    def draw(source, taken, trial, key0, key1, first, tiles):
        glomeruli, group, x = source.mean.shape[0], first + cuda.blockIdx.x, tiles[cuda.blockIdx.x]
        start, step = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x, cuda.gridDim.y * cuda.blockDim.x
        own, common, last = source.own, source.common, glomeruli - 1
        for q in range(start, 256 * ((glomeruli + 8) // 8), step):
            k, j = q // 256, q % 256
            n, t = 8 * k + j // LANES, j % LANES
            a, b, c, d = zero, zero, zero, zero
            e, f, g, h = zero, zero, zero, zero
            # Odors, then noise: one call, since all that is called is compiled where it is called.
            for turn in range(2):
                a, b, c, d = e, f, g, h
                if source.add != zero if turn == 1 else taken == 0:
                    stream = _ODORS + source.column * turn
                    e, f, g, h = mixed(k, j, glomeruli, own, common, group, trial, stream, key0, key1)
                else:
                    e, f, g, h = zero, zero, zero, zero
            p = LANES * group + t
            if p < taken:
                odor = source.given[source.order[p]]
                a, b = odor[min(n, last)], odor[min(n + 2, last)]
                c, d = odor[min(n + 4, last)], odor[min(n + 6, last)]
            put(source, n, t, a, e, x)
            put(source, n + 2, t, b, f, x)
            put(source, n + 4, t, c, g, x)
            put(source, n + 6, t, d, h, x)

    @target.kernel
    def load(rows, tiles):
        x, begin, glomeruli = tiles[cuda.blockIdx.x], LANES * cuda.blockIdx.x, rows.shape[1]
        start, step = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x, cuda.gridDim.y * cuda.blockDim.x
        for e in range(start, x.shape[0], step):
            n, t = e // LANES, e % LANES
            x[LANES * n + t] = rows[begin + t, n] if begin + t < rows.shape[0] and n < glomeruli else zero

    @target.kernel
    def unload(tiles, rows):
        x, begin = tiles[cuda.blockIdx.x], LANES * cuda.blockIdx.x
        start, step = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x, cuda.gridDim.y * cuda.blockDim.x
        for e in range(start, LANES * rows.shape[1], step):
            n, t = e // LANES, e % LANES
            if begin + t < rows.shape[0]:
                rows[begin + t, n] = x[LANES * n + t]

    @target.kernel
    def normalise(ceiling, half, gain, tiles):
        x = tiles[cuda.blockIdx.x]
        glomeruli = x.shape[0] // LANES - 1
        for t in range(cuda.threadIdx.x, LANES, cuda.blockDim.x):
            total = zero
            for n in range(glomeruli):
                total += max(x[LANES * n + t], zero)
            less = suppression(half, gain, total)
            for n in range(glomeruli):
                x[LANES * n + t] = response(ceiling, max(x[LANES * n + t], zero), less)

    @target.kernel
    def balance(mean, tiles, shift):
        x, out = tiles[cuda.blockIdx.x], shift[cuda.blockIdx.x]
        for t in range(cuda.threadIdx.x, LANES, cuda.blockDim.x):
            total = zero
            if mean != zero:
                for n in range(x.shape[0] // LANES):
                    total += x[LANES * n + t]
                total *= mean
            out[t] = total

    return draw, load, unload, normalise, balance


def _bind_drives(target: Target) -> Any:
    """Drives of a cell."""
    zero = np.float32(0.0)

    # Unsigned numbers of what is read: signed ones could count from the end, which costs a comparison each.

    @target.device
    def three(x, place, weight, i, k, t):
        return (
            weight[i, k] * x[place[i, k] + t]
            + weight[i, k + 1] * x[place[i, k + 1] + t]
            + weight[i, k + 2] * x[place[i, k + 2] + t]
        )

    @target.device
    def four(x, place, weight, i, k, t):
        return (
            weight[i, k] * x[place[i, k] + t]
            + weight[i, k + 1] * x[place[i, k + 1] + t]
            + weight[i, k + 2] * x[place[i, k + 2] + t]
            + weight[i, k + 3] * x[place[i, k + 3] + t]
        )

    @target.device
    def drives(x, place, weight, count, i, t):
        """Drives of a cell to four odors, added up in the order of `simnn.olfaction.kernels`."""
        a, b, c, d = zero, zero, zero, zero
        u, v, w = t + np.uint32(TEAM), t + np.uint32(2 * TEAM), t + np.uint32(3 * TEAM)
        for k in range(0, count[i], CHUNK):
            # Half of a chunk for all odors, then the other half: what is read has room in 64 registers.
            e, f = four(x, place, weight, i, k, t), four(x, place, weight, i, k, u)
            g, h = four(x, place, weight, i, k, v), four(x, place, weight, i, k, w)
            left = count[i] - k
            if left >= CHUNK:
                e, f = e + four(x, place, weight, i, k + 4, t), f + four(x, place, weight, i, k + 4, u)
                g, h = g + four(x, place, weight, i, k + 4, v), h + four(x, place, weight, i, k + 4, w)
            elif left > 4:
                e, f = e + three(x, place, weight, i, k + 4, t), f + three(x, place, weight, i, k + 4, u)
                g, h = g + three(x, place, weight, i, k + 4, v), h + three(x, place, weight, i, k + 4, w)
            a, b, c, d = a + e, b + f, c + g, d + h
        return a, b, c, d

    return drives


@functools.cache
def _bind_order(target: Target) -> tuple[Any, ...]:
    """Integers in the order of numbers, and digits of the largest."""
    to_bits, from_bits = target.to_bits, target.from_bits
    sign = np.int32(-(2**31))

    @target.device
    def ordered(value):
        """Integer that is larger for larger numbers."""
        bits = to_bits(value)
        return np.int32(bits if bits >= 0 else -(bits & 0x7FFFFFFF))

    @target.device
    def number(key):
        """The inverse, for which there is one zero."""
        return from_bits(np.int32(key if key >= 0 else np.int32(-key) | sign))

    @target.device
    def pick(histogram, column, wanted):
        """Digit of the last of so many keys, the largest ones, and how many of them share it."""
        digit = _RADIX - 1
        while histogram[digit, column] < wanted:
            wanted -= histogram[digit, column]
            digit -= 1
        return digit, wanted

    return ordered, number, pick


def _bind_codes(target: Target, drives: Any) -> tuple[Any, ...]:
    """Codes by thresholds and by competition."""
    ordered, _, pick = _bind_order(target)
    none, bit = np.uint32(0), np.uint32(1)

    @target.kernel
    def threshold(tiles, shift, place, weight, count, level, codes):
        x, less, lane = tiles[cuda.blockIdx.y], shift[cuda.blockIdx.y], np.uint32(cuda.threadIdx.x % TEAM)
        part = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // TEAM
        p, odors = LANES * cuda.blockIdx.y + cuda.threadIdx.x % TEAM, codes.shape[0]
        if p < odors and part < codes.shape[1]:
            e, f, g, h = less[lane], less[lane + TEAM], less[lane + 2 * TEAM], less[lane + 3 * TEAM]
            q, r, s, t = none, none, none, none
            for i in range(32 * part, min(32 * part + 32, level.shape[0])):
                a, b, c, d = drives(x, place, weight, count, i, lane)
                least, on = level[i], bit << np.uint32(i % 32)
                q |= on if a - e > least else none
                r |= on if b - f > least else none
                s |= on if c - g > least else none
                t |= on if d - h > least else none
            codes[p, part] = q
            if p + TEAM < odors:
                codes[p + TEAM, part] = r
            if p + 2 * TEAM < odors:
                codes[p + 2 * TEAM, part] = s
            if p + 3 * TEAM < odors:
                codes[p + 3 * TEAM, part] = t

    @target.kernel
    def expand(tiles, shift, place, weight, count, odors, drive):
        x, less, lane = tiles[cuda.blockIdx.y], shift[cuda.blockIdx.y], np.uint32(cuda.threadIdx.x % TEAM)
        out = drive[cuda.blockIdx.y]
        part = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // TEAM
        if LANES * cuda.blockIdx.y + cuda.threadIdx.x % TEAM < odors:
            e, f, g, h = less[lane], less[lane + TEAM], less[lane + 2 * TEAM], less[lane + 3 * TEAM]
            for i in range(32 * part, min(32 * part + 32, out.shape[0])):
                a, b, c, d = drives(x, place, weight, count, i, lane)
                out[i, lane], out[i, lane + TEAM] = a - e, b - f
                out[i, lane + 2 * TEAM], out[i, lane + 3 * TEAM] = c - g, d - h

    @target.kernel
    def compete(drive, winners, codes):
        histogram = cuda.shared.array((_RADIX, TEAM), np.int32)
        # Of each odor: leading digits of the weakest winner's drive, and of its number among equals; winners among
        # what shares them.
        value = cuda.shared.array(TEAM, np.int32)
        number = cuda.shared.array(TEAM, np.int32)
        wanted = cuda.shared.array(TEAM, np.int32)
        tied = cuda.shared.array(1, np.int32)
        if LANES * cuda.blockIdx.x + TEAM * cuda.blockIdx.y >= codes.shape[0]:
            return
        lane, team, teams = cuda.threadIdx.x % TEAM, cuda.threadIdx.x // TEAM, cuda.blockDim.x // TEAM
        t = TEAM * cuda.blockIdx.y + lane
        p, h = LANES * cuda.blockIdx.x + t, drive[cuda.blockIdx.x]
        cells, real = h.shape[0], p < codes.shape[0]
        digits = 1 if cells <= 1 << 8 else (2 if cells <= 1 << 16 else 3)
        if team == 0:
            value[lane], number[lane], wanted[lane] = 0, 0, winners
            tied[0] = 0
        for level in range(4 + digits):
            for e in range(cuda.threadIdx.x, _RADIX * TEAM, cuda.blockDim.x):
                histogram[e // TEAM, e % TEAM] = 0
            cuda.syncthreads()
            if level == 4 and tied[0] == 0:
                break
            if real:
                leading, before = value[lane], number[lane]
                if level < 4:
                    shift, first = 24 - 8 * level, level == 0
                    for i in range(team, cells, teams):
                        key = ordered(h[i, t])
                        if first or key >> (shift + 8) == leading:
                            digit = (key >> shift) & 255
                            cuda.atomic.add(histogram, (digit ^ 128 if first else digit, lane), 1)
                else:
                    # Digits of cells count down: the first of equals come first.
                    shift = 8 * (3 + digits - level)
                    for i in range(team, cells, teams):
                        if ordered(h[i, t]) == leading and i >> (shift + 8) == before:
                            cuda.atomic.add(histogram, (255 - ((i >> shift) & 255), lane), 1)
            cuda.syncthreads()
            if team == 0 and real:
                digit, left = pick(histogram, lane, wanted[lane])
                wanted[lane] = left
                if level < 4:
                    value[lane] = 256 * value[lane] + (digit - 128 if level == 0 else digit)
                else:
                    number[lane] = 256 * number[lane] + 255 - digit
                if level == 3 and left < histogram[digit, lane]:
                    tied[0] = 1
            cuda.syncthreads()
        if real:
            weakest, last = value[lane], number[lane] if tied[0] != 0 else cells
            for part in range(team, codes.shape[1], teams):
                packed = none
                for i in range(32 * part, min(32 * part + 32, cells)):
                    key = ordered(h[i, t])
                    packed |= bit << np.uint32(i % 32) if key > weakest or (key == weakest and i <= last) else none
                codes[p, part] = packed

    return threshold, expand, compete


def _bind_levels(target: Target) -> tuple[Any, ...]:
    """Thresholds of drives that are kept."""
    ordered, number, pick = _bind_order(target)
    middle = fitting.bind_middle(target)
    infinity, least, most, lanes = np.float32(np.inf), np.int32(-(2**31)), np.int32(2**31 - 1), np.uint32(LANES)

    @target.device
    def key_of(drive, i, p):
        q = np.uint32(p)
        return ordered(drive[q // lanes, np.uint32(i), q % lanes])

    @target.device
    def count_digits(drive, first, step, odors, level, leading, histogram):
        """Drives of cells first, first + step, ... with these leading digits, into ``histogram[next digit, 0]``."""
        me, size, shift = cuda.threadIdx.x, cuda.blockDim.x, 24 - 8 * level
        for e in range(me, _RADIX * _COLUMNS, size):
            histogram[e // _COLUMNS, e % _COLUMNS] = 0
        cuda.syncthreads()
        for i in range(first, drive.shape[1], step):
            for p in range(me, odors, size):
                key = key_of(drive, i, p)
                if level == 0 or key >> (shift + 8) == leading:
                    digit = (key >> shift) & 255
                    cuda.atomic.add(histogram, (digit ^ 128 if level == 0 else digit, me % _COLUMNS), 1)
        cuda.syncthreads()
        for digit in range(me, _RADIX, size):
            total = np.int32(0)
            for j in range(_COLUMNS):
                # Another bank for each thread of a team.
                total = np.int32(total + histogram[digit, (digit + j) % _COLUMNS])
            histogram[digit, 0] = total
        cuda.syncthreads()

    @target.kernel
    def fit(drive, odors, chosen, level):
        histogram = cuda.shared.array((_RADIX, _COLUMNS), np.int32)
        # Leading digits of the weakest drive that is chosen, drives that are chosen among what shares them, and the
        # nearest drive on the other side of the threshold.
        state = cuda.shared.array(3, np.int32)
        i, me = cuda.blockIdx.x, cuda.threadIdx.x
        if me == 0:
            state[0], state[1] = 0, chosen
        for n in range(4):
            cuda.syncthreads()
            count_digits(drive, i, drive.shape[1], odors, n, state[0], histogram)
            if me == 0:
                digit, left = pick(histogram, 0, state[1])
                state[0], state[1] = 256 * state[0] + (digit - 128 if n == 0 else digit), left
                if n == 3:
                    # Of equal drives all fire, or none: whatever is nearer to what is asked for.
                    all_fire = histogram[digit, 0] - left < left
                    state[1], state[2] = 1 if all_fire else 0, least if all_fire else most
        cuda.syncthreads()
        weakest, below = state[0], state[1] == 1
        near = least if below else most
        for p in range(me, odors, cuda.blockDim.x):
            key = key_of(drive, i, p)
            if below and key < weakest:
                near = max(near, key)
            elif not below and key > weakest:
                near = min(near, key)
        if below:
            cuda.atomic.max(state, 2, near)
        else:
            cuda.atomic.min(state, 2, near)
        cuda.syncthreads()
        if me == 0:
            value, other = number(weakest), state[2]
            if below:
                level[i] = -infinity if other == least else middle(number(other), value)
            else:
                level[i] = value if other == most else middle(value, number(other))

    @target.kernel
    def tally(drive, odors, level, leading, counts):
        histogram = cuda.shared.array((_RADIX, _COLUMNS), np.int32)
        count_digits(drive, cuda.blockIdx.x, cuda.gridDim.x, odors, level, leading, histogram)
        for digit in range(cuda.threadIdx.x, _RADIX, cuda.blockDim.x):
            cuda.atomic.add(counts, digit, np.int64(histogram[digit, 0]))

    return fit, tally


def _bind_sums(target: Target) -> tuple[Any, ...]:
    """Labels, and sums over codes."""
    philox4x32, word = philox.bind(target).philox4x32, target.word
    none, bit = np.uint32(0), np.uint32(1)

    @target.kernel
    def label(trial, key0, key1, first, label):
        q = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if 4 * q < label.shape[0]:
            block, stream = word(first // 4 + q), word(_ODORS + 3)
            a, b, c, d = philox4x32(block, word(trial), word(0), stream, word(key0), word(key1))
            for j in range(min(4, label.shape[0] - 4 * q)):
                drawn = a if j == 0 else (b if j == 1 else (c if j == 2 else d))
                label[4 * q + j] = 1 if drawn >= word(0x80000000) else -1

    @target.kernel
    def count(codes, label, signed, weight, total):
        i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        part, place = i // 32, np.uint32(i % 32)
        if part < codes.shape[1]:
            active, learnt = np.int32(0), np.int32(0)
            for p in range(cuda.blockIdx.y, codes.shape[0], cuda.gridDim.y):
                on = np.int32((codes[p, part] >> place) & bit)
                active = np.int32(active + on)
                if signed:
                    learnt = np.int32(learnt + label[p] * on)
            cuda.atomic.add(total, i, np.int64(active))
            if signed:
                cuda.atomic.add(weight, i, np.int64(learnt))

    @target.kernel
    def compare(codes, other, active, both):
        partial = cuda.shared.array(1, np.int64)
        p = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if cuda.threadIdx.x == 0:
            partial[0] = 0
        cuda.syncthreads()
        if p < codes.shape[0]:
            mine, shared = np.int32(0), np.int32(0)
            for part in range(codes.shape[1]):
                packed = codes[p, part]
                mine = np.int32(mine + cuda.popc(packed))
                shared = np.int32(shared + cuda.popc(packed & other[p, part]))
            active[p] = mine
            cuda.atomic.add(partial, 0, np.int64(shared))
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            cuda.atomic.add(both, 0, partial[0])

    @target.kernel
    def wrong(codes, label, weight, offset, bias, halves):
        partial = cuda.shared.array(1, np.int32)
        p = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if cuda.threadIdx.x == 0:
            partial[0] = 0
        cuda.syncthreads()
        if p < codes.shape[0]:
            learnt, active = np.int64(0), np.int64(0)
            for part in range(codes.shape[1]):
                left = codes[p, part]
                active += cuda.popc(left)
                while left != none:
                    rest = np.uint32(left & np.uint32(left - bit))
                    learnt += weight[32 * part + cuda.popc(np.uint32((left ^ rest) - bit))]
                    left = rest
            field = (np.float64(learnt) + offset * np.float64(active) + bias) * np.float64(label[p])
            cuda.atomic.add(partial, 0, 1 if abs(field) < 1e-9 else (2 if field < 0.0 else 0))
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            cuda.atomic.add(halves, 0, np.int64(partial[0]))

    @target.kernel
    def overlap_sums(codes, own, total, square):
        one_tile = cuda.shared.array((TEAM, 33), np.uint32)
        other_tile = cuda.shared.array((TEAM, 33), np.uint32)
        both = cuda.shared.array((TEAM, TEAM), np.int32)
        rows = cuda.shared.array((2, TEAM), np.int32)
        partial = cuda.shared.array(1, np.int64)
        first, second, me = cuda.blockIdx.x * TEAM, cuda.blockIdx.y * TEAM, cuda.threadIdx.x
        odors, parts, size = codes.shape[0], codes.shape[1], cuda.blockDim.x
        if second <= first:
            if me == 0:
                partial[0] = 0
            for e in range(me, 2 * TEAM, size):
                rows[e // TEAM, e % TEAM] = 0
            for e in range(me, TEAM * TEAM, size):
                both[e // TEAM, e % TEAM] = 0
            for start in range(0, parts, 32):
                for e in range(me, TEAM * 32, size):
                    u, q = e // 32, e % 32
                    inside = start + q < parts
                    one_tile[u, q] = codes[first + u, start + q] if inside and first + u < odors else none
                    other_tile[u, q] = codes[second + u, start + q] if inside and second + u < odors else none
                cuda.syncthreads()
                for e in range(me, TEAM * TEAM, size):
                    u, v = e // TEAM, e % TEAM
                    shared = both[u, v]
                    for q in range(min(32, parts - start)):
                        shared += cuda.popc(one_tile[u, q] & other_tile[v, q])
                    both[u, v] = shared
                cuda.syncthreads()
            squares = np.int64(0)
            for e in range(me, TEAM * TEAM, size):
                u, v = e // TEAM, e % TEAM
                shared = both[u, v]
                squares += np.int64(shared) * np.int64(shared)
                cuda.atomic.add(rows, (0, u), shared)
                cuda.atomic.add(rows, (1, v), shared)
                if first == second and u == v and first + u < odors:
                    own[first + u] = shared
            cuda.atomic.add(partial, 0, squares)
            cuda.syncthreads()
            for u in range(me, TEAM, size):
                if first + u < odors:
                    cuda.atomic.add(total, first + u, np.int64(rows[0, u]))
                if first != second and second + u < odors:
                    cuda.atomic.add(total, second + u, np.int64(rows[1, u]))
            if me == 0:
                cuda.atomic.add(square, 0, partial[0] if first == second else 2 * partial[0])

    return label, count, compare, wrong, overlap_sums


def _bind_products(target: Target, drives: Any) -> tuple[Any, ...]:
    """What correlations of drives are made of."""
    zero = np.float32(0.0)

    @target.kernel
    def drive_products(tiles, shift, place, weight, count, odors, sums, totals):
        lane, last = np.uint32(cuda.threadIdx.x % TEAM), odors - cuda.threadIdx.x % TEAM
        part = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // TEAM
        slices, groups = sums.shape[0], (odors + LANES - 1) // LANES
        if part < slices:
            for n in range(part, totals.shape[1], slices):
                for side in range(2):
                    total = totals[side, n, lane]
                    for p in range(0, last, TEAM):
                        total += np.float64(tiles[side, p // LANES, LANES * n + p % LANES + lane])
                    totals[side, n, lane] = total
            both, own, others = sums[part, 0, lane], sums[part, 1, lane], sums[part, 2, lane]
            a, b, c, d = zero, zero, zero, zero
            e, f, g, h = zero, zero, zero, zero
            for group in range(groups):
                left = last - LANES * group
                for i in range(part, count.shape[0], slices):
                    # Odors, then partners: one call, since all that is called is compiled where it is called.
                    for side in range(2):
                        a, b, c, d = e, f, g, h
                        less = shift[side, group]
                        e, f, g, h = drives(tiles[side, group], place, weight, count, i, lane)
                        e, f = e - less[lane], f - less[lane + TEAM]
                        g, h = g - less[lane + 2 * TEAM], h - less[lane + 3 * TEAM]
                    for j in range(4):
                        if TEAM * j < left:
                            u = np.float64(a if j == 0 else (b if j == 1 else (c if j == 2 else d)))
                            v = np.float64(e if j == 0 else (f if j == 1 else (g if j == 2 else h)))
                            both += u * v
                            own += u * u
                            others += v * v
            sums[part, 0, lane], sums[part, 1, lane], sums[part, 2, lane] = both, own, others

    return (drive_products,)
