"""Kernels of the CPU: wirings, odors given or drawn, their packed codes, thresholds, and sums over packed codes."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.device import normals, philox
from simnn.device.targets import Target, cpu
from simnn.olfaction import kernels, projection
from simnn.olfaction.kernels import LANES

if TYPE_CHECKING:
    from simnn.olfaction.readout import Readout


class Source(NamedTuple):
    """Where odors come from, and what copies of them are.

    Attributes
    ----------
    given : (n, N) float32 array
        Odors to choose from; without rows, odors are normal.
    order : (P,) int32 array
        Which of them, if there are any.
    own, common : float
        Weights of the normal number of a channel, and of the one that all channels share, float32.
    mean, deviation : (N,) float32 array
        Of each channel, for copies: ``mean + keep (x - mean) + add deviation eta``.
    keep, add : float
        Weights of an odor and of noise in a copy, float32; 1 and 0 for the odor itself.
    column : int
        Of the noise in the stream `simnn.device.philox.ODORS`.
    ceiling, half, gain : float
        Of divisive normalisation, after the copy: rates R, those below zero set to zero, become ``ceiling R^1.5 /
        (R^1.5 + half + (gain total)^1.5)``, float32; a ceiling of 0 leaves odors as they are.
    """

    given: Any
    order: Any
    own: Any
    common: Any
    mean: Any
    deviation: Any
    keep: Any
    add: Any
    column: Any
    ceiling: Any
    half: Any
    gain: Any


class Circuit(NamedTuple):
    """One trial: a wiring and its odors, as kernels take them.

    Attributes
    ----------
    wires, rule
        Of the cells.
    source, partners : Source
        Odors, and a partner of each.
    copies : tuple of Source
        Noisy copies of each odor.
    trial : int
        Number of the trial.
    key : (2,) uint64 array
        Of Philox.
    odors, pairs : int
        How many there are, and how many of them, the first ones, are compared with each other.
    level : float
        Coding level that the readout subtracts.
    mean : float
        What inhibition subtracts from each weight, also where cells compete.
    """

    wires: Any
    rule: Any
    source: Source
    partners: Source
    copies: tuple[Source, ...]
    trial: int
    key: NDArray[np.uint64]
    odors: int
    pairs: int
    level: float
    mean: float

    def readout(self, label: NDArray[np.int8], weight: NDArray[np.int64]) -> tuple[float, float]:
        """Offset and bias of the Hebbian readout, from which the coding level is subtracted twice (see `bind`).

        Parameters
        ----------
        label : (P,) int8 array
            Of all odors.
        weight : int64 array
            Sums over odors of labels times codes.

        Returns
        -------
        tuple of float
        """
        labels = int(label.sum(dtype=np.int64))
        return -self.level * labels, self.level * (self.level * labels * len(self.wires.count) - float(weight.sum()))

    def drive_correlation(self, sums: NDArray[np.float64], totals: NDArray[np.float64]) -> float:
        """Correlation of the drives to odors and to their partners, from covariances and variances summed over cells.

        Parameters
        ----------
        sums : (3,) array
            Products of the two, and squares of each, summed over cells and the odors that are compared.
        totals : (2, N) array
            These odors and partners, added up.

        Returns
        -------
        float
            NaN if one of them drives nothing.
        """
        odors = min(self.pairs, self.odors)
        mean = np.pad(totals / odors, ((0, 0), (0, 1)))
        index, weight = self.wires.index, self.wires.weight
        a, b = (np.einsum("ij,ij->i", row[index], weight) - self.mean * row.sum() for row in mean)
        both, own, other = sums / odors - (a @ b, a @ a, b @ b)
        return float(both / np.sqrt(own * other)) if own > 0.0 < other else float("nan")


class Counts(NamedTuple):
    """Sums over the codes of one trial.

    Attributes
    ----------
    both, both_copies : int
        Cells active for an odor and its partner, or a noisy copy of it, summed over odors and copies.
    errors : float
        Noisy copies that the readout gets wrong, a zero half.
    total, other_total, copy_total : (64 W,) int64 array
        Odors that each cell is active for; partners; copies.
    active : (P,) int64 array
        Active cells of each odor.
    own, sums : int64 array
        Overlaps of the odors that are compared, with themselves and with all of them.
    square : int
        Sum of the squares of these overlaps.
    drives : float
        Correlation of the drives to these odors and to their partners (see `Circuit.drive_correlation`).
    best : simnn.olfaction.readout.Readout or None
        Readout with the largest margin, if it was asked for instead of the Hebbian one.
    """

    both: int
    both_copies: int
    errors: float
    total: NDArray[np.int64]
    other_total: NDArray[np.int64]
    copy_total: NDArray[np.int64]
    active: NDArray[np.int64]
    own: NDArray[np.int64]
    sums: NDArray[np.int64]
    square: int
    drives: float
    best: "Readout | None" = None


class Kernels(NamedTuple):
    """Kernels of one target (see `bind`)."""

    choose: Callable[..., Any]
    uniforms: Callable[..., Any]
    encode: Callable[..., Any]
    encode_drawn: Callable[..., Any]
    draw: Callable[..., Any]
    drive_products: Callable[..., Any]
    histogram: Callable[..., Any]
    learn: Callable[..., Any]
    wrong: Callable[..., Any]
    misread: Callable[..., Any]
    count: Callable[..., Any]
    shared: Callable[..., Any]
    overlaps: Callable[..., Any]
    overlap_sums: Callable[..., Any]


def bound() -> Kernels:
    """Kernels of this machine.

    Returns
    -------
    Kernels
    """
    return bind(cpu(np.float32))


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
        ``choose(trial, limit, replacement, stream, key, order, place, index)``: each row of ``index`` gets random
        integers below ``limit``, distinct ones unless with replacement; ``order`` (limit,) and ``place`` (columns,) are
        scratch, the first of them 0, 1, 2, ...
        ``uniforms(trial, stream, key, out)``: numbers in (0, 1) into a flat array.
        ``encode(odors, wires, rule, first, last, space, codes)``: packed codes of rows first, ..., last - 1 of the (P,
        N) odors, into the same rows.
        ``encode_drawn(source, trial, key, wires, rule, first, last, space, codes)``: packed codes of odors first, ...,
        last - 1 of a trial, into rows 0, 1, ...; ``first`` is a multiple of `LANES`.
        ``draw(source, trial, key, first, last, space, out)``: these odors themselves.
        ``drive_products(source, other, trial, key, wires, mean, count, space, other_space, sums, totals)``: adds to
        ``sums`` (3, LANES) the products of the drives to the first odors of two sources, and the squares of both, over
        cells and the odors of a lane; to ``totals`` (2, N) the odors of both.
        ``histogram(odors, wires, mean, prefix, first, last, space, counts)``: of the upper halves of the ordered bit
        patterns of all drives, or of the lower ones of those with the upper half ``prefix`` >= 0.
        ``learn(codes, first, trial, key, label, weight, total)``: labels -1 or 1 of odors first, first + 1, ..., sums
        over odors of labels times codes, and of codes.
        ``wrong(codes, label, weight, offset, bias)``: number of odors to which ``sum_i (weight_i + offset) code_i +
        bias`` gives another sign than the label, a zero half.
        ``misread(codes, label, weight, bias, rounding)``: the same for ``sum_i weight_i code_i + bias`` of real
        weights, where a field of at most ``rounding`` is zero.
        ``count(codes, active, total)``: active cells of each odor, added to the active odors of each cell.
        ``shared(codes, other)``: number of cells that are active in both of two codes, summed over rows.
        ``overlaps(codes, other, out)``: number of cells that are active in both, for each pair of rows.
        ``overlap_sums(codes, own, total)``: overlaps with itself and with all odors, for each odor; returns the sum of
        squares over all pairs.
    """
    return Kernels(*_bind_numbers(target), *_bind_codes(target), *_bind_sums(target))


@functools.cache
def _bind_word(target: Target) -> Callable[..., Any]:
    """One of the random words of a row of a stream."""
    philox4x32, word = philox.bind(target).philox4x32, target.word

    @target.device
    def word_of(number, trial, row, stream, key):
        a, b, c, d = philox4x32(word(number // 4), word(trial), word(row), word(stream), word(key[0]), word(key[1]))
        place = number % 4
        return a if place == 0 else (b if place == 1 else (c if place == 2 else d))

    return word_of


def _bind_numbers(target: Target) -> tuple[Callable[..., Any], ...]:
    """Random integers and uniform numbers."""
    word_of, uniform, word = _bind_word(target), philox.bind(target).uniform, target.word

    @target.kernel
    def choose(trial, limit, replacement, stream, key, order, place, index):
        for i in range(index.shape[0]):
            row = index[i]
            for k in range(row.shape[0]):
                left = limit if replacement else limit - k
                # Uneven by less than 2^-32 of itself times the limit.
                chosen = np.int64((np.uint64(word_of(k, trial, i, stream, key)) * np.uint64(left)) >> np.uint64(32))
                if replacement:
                    row[k] = chosen
                else:
                    place[k] = k + chosen
                    order[k], order[place[k]] = order[place[k]], order[k]
                    row[k] = order[k]
            if not replacement:
                for k in range(row.shape[0] - 1, -1, -1):
                    order[k], order[place[k]] = order[place[k]], order[k]

    @target.kernel
    def uniforms(trial, stream, key, out):
        for k in range(out.shape[0]):
            # Counters have 32 bits; a row of them is as long as a matrix is likely to be large.
            out[k] = uniform(word_of(k % (1 << 32), trial, k >> 32, stream, key), word(0))

    return choose, uniforms


def _bind_tile(target: Target) -> Callable[..., Any]:
    """A tile of odors as they reach the Kenyon cells: chosen or drawn, copied with noise, and normalised."""
    pairs, (suppression, response) = normals.bind(target).pairs, projection.bind(target)
    odors_stream = philox.ODORS * philox.COLUMNS
    zero, one = np.float32(0.0), np.float32(1.0)

    @target.routine
    def draw_normals(glomeruli, own, common, group, trial, stream, key, words, x):
        flat = x.reshape(x.shape[0] * LANES)
        for k in range(flat.shape[0] // 1024):
            x_part, y_part = flat[1024 * k : 1024 * k + 512], flat[1024 * k + 512 : 1024 * k + 1024]
            pairs(512 * k, 512, trial, group, stream, key, words, x_part, y_part)
        if common != zero:
            shared = x[glomeruli]
            for n in range(glomeruli):
                row = x[n]
                for t in range(LANES):
                    row[t] = own * row[t] + common * shared[t]
        for n in range(glomeruli, x.shape[0]):
            row = x[n]
            for t in range(LANES):
                row[t] = zero

    @target.routine
    def normalise(source, x, total):
        glomeruli = source.mean.shape[0]
        for t in range(LANES):
            total[t] = zero
        for n in range(glomeruli):
            row = x[n]
            for t in range(LANES):
                row[t] = max(row[t], zero)
                total[t] += row[t]
        for t in range(LANES):
            total[t] = suppression(source.half, source.gain, total[t])
        for n in range(glomeruli):
            row = x[n]
            for t in range(LANES):
                row[t] = response(source.ceiling, row[t], total[t])

    @target.routine
    def draw_tile(source, begin, lanes, trial, key, space):
        x, glomeruli = space.tile, source.mean.shape[0]
        group = begin // LANES
        if source.given.shape[0] > 0:
            for t in range(lanes):
                odor = source.given[source.order[begin + t]]
                for n in range(glomeruli):
                    x[n, t] = odor[n]
        else:
            draw_normals(glomeruli, source.own, source.common, group, trial, odors_stream, key, space.words, x)
        if source.add != zero or source.keep != one:
            stream = odors_stream + source.column
            draw_normals(glomeruli, source.own, source.common, group, trial, stream, key, space.words, space.noise)
            for n in range(glomeruli):
                row, noise = x[n], space.noise[n]
                lost, strength = (one - source.keep) * source.mean[n], source.add * source.deviation[n]
                for t in range(LANES):
                    row[t] = lost + source.keep * row[t] + strength * noise[t]
        if source.ceiling != zero:
            normalise(source, x, space.lane[0])

    return draw_tile


def _bind_codes(target: Target) -> tuple[Callable[..., Any], ...]:
    """Tile by tile: codes of odors, given or drawn, odors themselves, and what is to be known of drives."""
    encode_tile, tile_drives, common_drive, _ = kernels.bind(target)
    draw_tile, to_bits, zero = _bind_tile(target), target.to_bits, np.float32(0.0)

    @target.routine
    def load(odors, begin, lanes, x):
        for t in range(lanes):
            odor = odors[begin + t]
            for n in range(odor.shape[0]):
                x[n, t] = np.float32(odor[n])

    @target.kernel
    def encode(odors, wires, rule, first, last, space, codes):
        for begin in range(first, last, LANES):
            lanes = min(LANES, last - begin)
            load(odors, begin, lanes, space.tile)
            encode_tile(wires, rule, lanes, begin, space, codes)

    @target.kernel
    def encode_drawn(source, trial, key, wires, rule, first, last, space, codes):
        for begin in range(first, last, LANES):
            lanes = min(LANES, last - begin)
            draw_tile(source, begin, lanes, trial, key, space)
            encode_tile(wires, rule, lanes, begin - first, space, codes)

    @target.kernel
    def draw(source, trial, key, first, last, space, out):
        for begin in range(first, last, LANES):
            lanes = min(LANES, last - begin)
            draw_tile(source, begin, lanes, trial, key, space)
            for t in range(lanes):
                row = out[begin - first + t]
                for n in range(row.shape[0]):
                    row[n] = space.tile[n, t]

    @target.kernel
    def drive_products(source, other, trial, key, wires, mean, count, space, other_space, sums, totals):
        cells, glomeruli = wires.count.shape[0], totals.shape[1]
        both, own, others = sums[0], sums[1], sums[2]
        shift, other_shift = space.lane[0], other_space.lane[0]
        for begin in range(0, count, LANES):
            lanes = min(LANES, count - begin)
            draw_tile(source, begin, lanes, trial, key, space)
            draw_tile(other, begin, lanes, trial, key, other_space)
            for n in range(glomeruli):
                row, other_row = space.tile[n], other_space.tile[n]
                for t in range(lanes, LANES):
                    row[t], other_row[t] = zero, zero
                for t in range(lanes):
                    totals[0, n] += np.float64(row[t])
                    totals[1, n] += np.float64(other_row[t])
            common_drive(mean, space.tile, shift)
            common_drive(mean, other_space.tile, other_shift)
            for start in range(0, cells, 32):
                end = min(start + 32, cells)
                tile_drives(wires, start, end, space.tile, space.drive)
                tile_drives(wires, start, end, other_space.tile, other_space.drive)
                for i in range(end - start):
                    row, other_row = space.drive[i], other_space.drive[i]
                    for t in range(LANES):
                        a, b = np.float64(row[t] - shift[t]), np.float64(other_row[t] - other_shift[t])
                        both[t] += a * b
                        own[t] += a * a
                        others[t] += b * b

    @target.kernel
    def histogram(odors, wires, mean, prefix, first, last, space, counts):
        shift, cells = space.lane[0], wires.count.shape[0]
        for begin in range(first, last, LANES):
            lanes = min(LANES, last - begin)
            load(odors, begin, lanes, space.tile)
            common_drive(mean, space.tile, shift)
            for start in range(0, cells, 32):
                end = min(start + 32, cells)
                tile_drives(wires, start, end, space.tile, space.drive)
                for i in range(end - start):
                    drive = space.drive[i]
                    for t in range(lanes):
                        bits = np.int64(to_bits(drive[t] - shift[t]))
                        ordered = (bits if bits >= 0 else -(bits & 0x7FFFFFFF)) + 0x80000000
                        if prefix < 0:
                            counts[ordered >> 16] += 1
                        elif ordered >> 16 == prefix:
                            counts[ordered & 0xFFFF] += 1

    return encode, encode_drawn, draw, drive_products, histogram


def _bind_sums(target: Target) -> tuple[Callable[..., Any], ...]:
    """Packed codes: what a readout learns and gets wrong, active cells, and overlaps."""
    word_of, popcount = _bind_word(target), kernels.bind(target).popcount
    word, stream, bit = target.word, philox.ODORS * philox.COLUMNS + 3, np.uint64(1)

    @target.kernel
    def learn(codes, first, trial, key, label, weight, total):
        for p in range(codes.shape[0]):
            label[p] = 1 if word_of(first + p, trial, 0, stream, key) >= word(0x80000000) else -1
            sign = np.int64(label[p])
            for w in range(codes.shape[1]):
                packed, sums, active = codes[p, w], weight[64 * w : 64 * w + 64], total[64 * w : 64 * w + 64]
                for b in range(64):
                    on = np.int64((packed >> np.uint64(b)) & bit)
                    sums[b] += sign * on
                    active[b] += on

    @target.kernel
    def wrong(codes, label, weight, offset, bias):
        errors = 0.0
        for p in range(codes.shape[0]):
            learnt, active = np.int64(0), np.int64(0)
            for w in range(codes.shape[1]):
                packed, sums = codes[p, w], weight[64 * w : 64 * w + 64]
                active += popcount(packed)
                for b in range(64):
                    learnt += sums[b] * np.int64((packed >> np.uint64(b)) & bit)
            field = (np.float64(learnt) + offset * np.float64(active) + bias) * np.float64(label[p])
            # A field is an integer plus multiples of the coding level and its square: what is smaller is rounding.
            errors += 0.5 if abs(field) < 1e-9 else (1.0 if field < 0.0 else 0.0)
        return errors

    @target.kernel
    def misread(codes, label, weight, bias, rounding):
        errors = 0.0
        for p in range(codes.shape[0]):
            field = bias
            for w in range(codes.shape[1]):
                packed, weights = codes[p, w], weight[64 * w : 64 * w + 64]
                for b in range(64):
                    field += weights[b] * np.float64((packed >> np.uint64(b)) & bit)
            field *= np.float64(label[p])
            errors += 0.5 if abs(field) <= rounding else (1.0 if field < 0.0 else 0.0)
        return errors

    @target.kernel
    def count(codes, active, total):
        for p in range(codes.shape[0]):
            cells = np.int64(0)
            for w in range(codes.shape[1]):
                packed, sums = codes[p, w], total[64 * w : 64 * w + 64]
                cells += popcount(packed)
                for b in range(64):
                    sums[b] += np.int64((packed >> np.uint64(b)) & bit)
            active[p] = cells

    @target.device
    def overlap(one_code, other_code):
        both = np.int64(0)
        for w in range(one_code.shape[0]):
            both += popcount(one_code[w] & other_code[w])
        return both

    @target.kernel
    def shared(codes, other):
        both = np.int64(0)
        for p in range(codes.shape[0]):
            both += overlap(codes[p], other[p])
        return both

    @target.kernel
    def overlaps(codes, other, out):
        for u in range(codes.shape[0]):
            for v in range(other.shape[0]):
                out[u, v] = overlap(codes[u], other[v])

    @target.kernel
    def overlap_sums(codes, own, total):
        square = np.int64(0)
        for u in range(codes.shape[0]):
            row = np.int64(0)
            for v in range(u):
                both = overlap(codes[u], codes[v])
                total[v] += both
                row += both
                square += 2 * both * both
            own[u] = overlap(codes[u], codes[u])
            total[u] = row + own[u]
            square += own[u] * own[u]
        return square

    return learn, wrong, misread, count, shared, overlaps, overlap_sums
