"""Random patterns: normal drives, independent or mixed by a matrix, and the code that turns them into components.

A pattern has N *drives*, standard normal numbers. They are independent, or share a common one, or are combinations
``h = J x`` of fewer or more independent inputs: by rows J of normals, by rows with a few ones (*claws*), both drawn
anew for each set of patterns, or by a matrix that is given. The *code* of an ensemble makes components of drives:
the drive itself, its sign, its positive part, 1 where it exceeds a threshold, or 1 for the largest few.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.capacity import dense
from simnn.device import normals, philox, selection
from simnn.device.targets import Target

HALF = 128
"""Normals of a set of patterns are drawn in blocks of twice so many, one pattern after the other."""

GAUSSIAN, RADEMACHER, RELU, THRESHOLD, WINNERS, GIVEN = range(6)
"""Codes, in the order of `simnn.capacity.model.ENSEMBLES`."""

INDEPENDENT, COMMON, MATRIX, DENSE, CLAWS = range(5)
"""Where drives come from."""


class Law(NamedTuple):
    """Law of one set of labelled patterns, as the kernels take it.

    Attributes
    ----------
    patterns, dimension : int
        Their numbers.
    ensemble : int
        Code that makes components of drives; `GIVEN`: patterns of a given set, in random order.
    bias : bool
        Whether there is a threshold.
    coding_level : float
        Probability of the label +1.
    positive : int
        Number of weights that must be positive (with a margin, or zero): unit vectors, which come before the patterns.
    source : int
        Where drives come from.
    correlation : float
        Of any two drives, if they share a common one.
    claws : int
        Inputs of a drive, if they are few.
    level : float
        Threshold of the code, in standard deviations of a drive.
    winners : int
        Number of components that are 1.
    extent : int
        Dimension of the balls that there are instead of patterns, 0 for patterns.
    radius : float
        Of the balls, whose centres have length 1.
    """

    patterns: Any
    dimension: Any
    ensemble: Any = GAUSSIAN
    bias: Any = False
    coding_level: Any = 0.5
    positive: Any = 0
    source: Any = INDEPENDENT
    correlation: Any = 0.0
    claws: Any = 0
    level: Any = 0.0
    winners: Any = 0
    extent: Any = 0
    radius: Any = 0.0


class Draws(NamedTuple):
    """Scratch of the random patterns of one thread (see `draws`).

    Attributes
    ----------
    words : (4, HALF) uint32 array
        Random words.
    normals : (2 * HALF,) float32 array
        Random normals of a set of patterns, one block at a time.
    block : (1,) int64 array
        Its number; -1 before the first.
    matrix : (N, inputs) or (patterns, N) array
        Rows that mix inputs into drives, or the given patterns.
    deviation : (N,) array
        Standard deviations of the drives: lengths of the rows of a given matrix, else 1.
    inputs : array
        Independent normals behind the drives of one pattern.
    sorted : (N,) array
        Scratch of the selection.
    order : (patterns,) int64 array
        Order of the given patterns.
    """

    words: Any
    normals: Any
    block: Any
    matrix: Any
    deviation: Any
    inputs: Any
    sorted: Any
    order: Any


class Patterns(NamedTuple):
    """Routines of one target (see `bind`)."""

    begin: Callable[..., Any]
    components: Callable[..., Any]
    label: Callable[..., Any]
    normals: Callable[..., Any]
    signs: Callable[..., Any]
    quartet: Callable[..., Any]
    signed: Callable[..., Any]


class Parts(NamedTuple):
    """Routines of one target (see `bind_parts`)."""

    shuffle: Callable[..., Any]
    claws: Callable[..., Any]
    normalise: Callable[..., Any]
    sources: Callable[..., Any]
    mix: Callable[..., Any]
    code: Callable[..., Any]


def draws(dimension: int, inputs: int = 0, matrix: NDArray[np.float64] | None = None) -> Draws:
    """Scratch of one thread.

    Parameters
    ----------
    dimension : int
        Components N of a pattern.
    inputs : int
        Number of inputs that a random matrix mixes.
    matrix : array, optional
        The given matrix, (N, inputs), or the given patterns, (patterns, N).

    Returns
    -------
    Draws
    """
    rows = np.zeros((dimension if inputs else 0, inputs)) if matrix is None else matrix
    lengths = np.sqrt(np.square(rows).sum(axis=1))
    return Draws(
        words=np.zeros((4, HALF), np.uint32),
        normals=np.zeros(2 * HALF, np.float32),
        block=np.full(1, -1),
        matrix=rows,
        deviation=np.ones(dimension) if matrix is None else lengths,
        inputs=np.zeros(max(rows.shape[1], dimension + 1)),
        sorted=np.zeros(dimension),
        order=np.arange(len(rows)),
    )


@functools.cache
def bind_parts(target: Target) -> Parts:
    """Bind what makes patterns of random numbers, for a target.

    Parameters
    ----------
    target : Target
        Where they run, in double precision.

    Returns
    -------
    Parts
        ``shuffle(trial, key, order)``: random order of the given patterns.
        ``claws(trial, i, claws, key, row)``: row i of the matrix of a trial, with a few equal weights; length 1.
        ``normalise(row)``: bring a row of that matrix to length 1.
        ``sources(law, matrix)``: number of independent normals behind the drives of a pattern.
        ``mix(law, matrix, inputs, out)``: the drives that they give.
        ``code(law, deviation, scratch, out)``: components in place of drives.
    """
    philox4x32, kth_largest = philox.bind(target).philox4x32, selection.bind(target).kth_largest
    word, dot, sqrt = target.word, dense.bind(target).dot, target.operations.sqrt
    stream = philox.WIRING * philox.COLUMNS + 1

    @target.device
    def below(limit, k, trial, i, key):
        """Random integer in [0, limit), the k-th of row i; uneven by less than 2^-32 of itself times the limit."""
        a, _, _, _ = philox4x32(word(k), word(trial), word(i), word(stream), word(key[0]), word(key[1]))
        return np.int64((np.uint64(a) * np.uint64(limit)) >> np.uint64(32))

    @target.routine
    def shuffle(trial, key, order):
        for i in range(order.shape[0]):
            order[i] = i
        for i in range(order.shape[0]):
            other = i + below(order.shape[0] - i, i, trial, 0, key)
            order[i], order[other] = order[other], order[i]

    @target.routine
    def draw_claws(trial, i, claws, key, row):
        """Distinct inputs, all choices equally likely (Floyd's algorithm)."""
        for k in range(row.shape[0]):
            row[k] = 0.0
        weight = 1.0 / sqrt(np.float64(claws))
        for k in range(row.shape[0] - claws, row.shape[0]):
            chosen = below(k + 1, k, trial, i, key)
            row[k if row[chosen] > 0.0 else chosen] = weight

    @target.routine
    def normalise(row):
        length = sqrt(dot(row, row))
        for k in range(row.shape[0]):
            row[k] /= length

    @target.device
    def sources(law, matrix):
        return law.dimension + 1 if law.source == COMMON else matrix.shape[1]

    @target.routine
    def mix(law, matrix, inputs, out):
        if law.source == COMMON:
            own, common = sqrt(1.0 - law.correlation), sqrt(law.correlation) * inputs[0]
            for k in range(out.shape[0]):
                out[k] = own * inputs[k + 1] + common
        else:
            for k in range(out.shape[0]):
                out[k] = dot(matrix[k], inputs)

    @target.routine
    def keep_winners(winners, out, scratch):
        """1 for the largest drives, of equal ones the first, 0 for the others."""
        smallest, left = kth_largest(out, winners, scratch), winners
        for k in range(out.shape[0]):
            left -= 1 if out[k] > smallest else 0
        for k in range(out.shape[0]):
            tie = out[k] == smallest and left > 0
            left -= 1 if tie else 0
            out[k] = 1.0 if out[k] > smallest or tie else 0.0

    @target.routine
    def code(law, deviation, scratch, out):
        if law.ensemble == WINNERS:
            keep_winners(law.winners, out, scratch)
        for k in range(out.shape[0]):
            if law.ensemble == RADEMACHER:
                out[k] = 1.0 if out[k] >= 0.0 else -1.0
            elif law.ensemble == RELU:
                out[k] = max(out[k], 0.0)
            elif law.ensemble == THRESHOLD:
                out[k] = 1.0 if out[k] > law.level * deviation[k] else 0.0

    return Parts(shuffle, draw_claws, normalise, sources, mix, code)


@functools.cache
def bind(target: Target, single: Target) -> Patterns:
    """Bind the routines for a target.

    Parameters
    ----------
    target : Target
        Where they run, in double precision.
    single : Target
        The same in single precision: normals are drawn there, in a third of the time. They are then exact numbers.

    Returns
    -------
    Patterns
        ``begin(law, trial, key, draws)``: what the patterns of a trial share. Comes before the first of them.
        ``components(law, trial, i, key, draws, out)``: pattern i of a trial.
        ``label(trial, i, coding_level, key)``: its label, -1.0 or 1.0.
        ``normals(trial, i, stream, key, draws, row)``: row i of a trial's normals of a stream, all rows of one length.
        ``draws.block`` is -1 before the first, and whenever the stream or the trial changes.
        ``signs(trial, i, stream, key, row)``: row i of a trial's fair signs of a stream.
        ``quartet(trial, block, j, stream, key)``: normals j, j + 64, j + 128 and j + 192 of a block.
        ``signed(law, trial, i, plain, key, row)``: multiply pattern i, in place, by its label, and bring it to length
        1: with the threshold, or (``plain``) without. Returns its length, 0 if it is silent, and the label.
    """
    pairs = normals.bind(single).pairs
    philox4x32 = philox.bind(target).philox4x32
    single_word, (single_philox4x32, _, normal_pair) = single.word, philox.bind(single)
    shuffle, draw_claws, normalise, sources, mix, code = bind_parts(target)
    word, dot, sqrt = target.word, dense.bind(target).dot, target.operations.sqrt
    patterns_stream, labels_stream = philox.PATTERNS * philox.COLUMNS, philox.LABELS * philox.COLUMNS
    wiring_stream = philox.WIRING * philox.COLUMNS

    @target.routine
    def draw_normals(trial, i, stream, key, draws, row):
        count, done = row.shape[0], 0
        while done < count:
            block, place = (i * count + done) // (2 * HALF), (i * count + done) % (2 * HALF)
            if draws.block[0] != block:
                draws.block[0] = block
                x, y = draws.normals[:HALF], draws.normals[HALF:]
                pairs(0, HALF, trial, block, stream, key, draws.words, x, y)
            part, source = row[done : done + 2 * HALF - place], draws.normals[place:]
            for k in range(part.shape[0]):
                part[k] = source[k]
            done += part.shape[0]

    @target.routine
    def draw_signs(trial, i, stream, key, row):
        count = row.shape[0]
        for first in range(0, count, 128):
            a, b, c, d = philox4x32(word(first // 128), word(trial), word(i), word(stream), word(key[0]), word(key[1]))
            for k in range(min(128, count - first)):
                bits = a if k < 32 else (b if k < 64 else (c if k < 96 else d))
                row[first + k] = 1.0 if (bits >> word(k % 32)) & word(1) != word(0) else -1.0

    @target.device
    def label(trial, i, coding_level, key):
        a, b, c, d = philox4x32(word(i // 4), word(trial), word(0), word(labels_stream), word(key[0]), word(key[1]))
        bits = a if i % 4 == 0 else (b if i % 4 == 1 else (c if i % 4 == 2 else d))
        return 1.0 if np.float64(bits) < coding_level * 4294967296.0 else -1.0

    @target.routine
    def begin(law, trial, key, draws):
        draws.block[0] = -1
        if law.ensemble == GIVEN:
            shuffle(trial, key, draws.order)
        elif law.source == DENSE:
            for i in range(law.dimension):
                draw_normals(trial, i, wiring_stream, key, draws, draws.matrix[i])
                normalise(draws.matrix[i])
            draws.block[0] = -1
        elif law.source == CLAWS:
            for i in range(law.dimension):
                draw_claws(trial, i, law.claws, key, draws.matrix[i])

    @target.routine
    def components(law, trial, i, key, draws, out):
        if law.ensemble == RADEMACHER and law.source == INDEPENDENT:
            draw_signs(trial, i, patterns_stream, key, out)
        elif law.ensemble == GIVEN:
            row = draws.matrix[draws.order[i]]
            for k in range(out.shape[0]):
                out[k] = row[k]
        else:
            if law.source == INDEPENDENT:
                draw_normals(trial, i, patterns_stream, key, draws, out)
            else:
                inputs = draws.inputs[: sources(law, draws.matrix)]
                draw_normals(trial, i, patterns_stream, key, draws, inputs)
                mix(law, draws.matrix, inputs, out)
            if law.ensemble != GAUSSIAN:
                code(law, draws.deviation, draws.sorted, out)

    @single.device
    def quartet(trial, block, j, stream, key):
        c1, c2, c3 = single_word(trial), single_word(block), single_word(stream)
        a, b, c, d = single_philox4x32(single_word(j), c1, c2, c3, single_word(key[0]), single_word(key[1]))
        x, y = normal_pair(a, b, c, d)
        other_x, other_y = normal_pair(c, d, a, b)
        return x, other_x, y, other_y

    @target.routine
    def signed(law, trial, i, plain, key, row):
        y = label(trial, i, law.coding_level, key)
        pattern = row[: law.dimension]
        total = dot(pattern, pattern) + (1.0 if law.bias and not plain else 0.0)
        scale = y / sqrt(total) if total > 0.0 else 0.0
        for k in range(pattern.shape[0]):
            pattern[k] *= scale
        length = 1.0 if total > 0.0 else 0.0
        if law.bias:
            row[law.dimension] = y if plain else scale
            length = sqrt(length + 1.0) if plain else length
        return length, y

    return Patterns(begin, components, label, draw_normals, draw_signs, quartet, signed)
