"""Kernels of the CPU: one problem as given, or many random ones, each solved where it was drawn."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.capacity import degenerate, dense, hull, manifolds, patterns, solvers
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, TOLERANCE, UNDECIDED
from simnn.capacity.manifolds import Balls
from simnn.capacity.patterns import Draws
from simnn.device.targets import Target, cpu


class Data(NamedTuple):
    """Signed patterns as given, and in balanced coordinates: ``rows[i, k] = y_i x_ik 2^-(row[i] + column[k])``.

    Powers of two commute with rounding, so that a test on balanced rows is a test on the patterns as given.

    Attributes
    ----------
    rows : (P, N) array
        Patterns times labels, to be balanced in place.
    lengths : (P,) array
        Lengths of the balanced rows.
    row, column : (P,) and (N,) int64 array
        Exponents.
    scratch : (2, N) array
        Scratch.
    """

    rows: Any
    lengths: Any
    row: Any
    column: Any
    scratch: Any


class Space(NamedTuple):
    """Scratch of one thread, for one set of patterns (see `space`).

    Attributes
    ----------
    rows : (P, N) array
        Patterns times their labels; with a threshold, N counts it too.
    columns : (N, P) array
        Its transpose.
    norm, label : (P,) array
        Lengths of the rows (to rounding), and labels.
    share : (P,) array
        1 for patterns, 0 for constraints ``w_k >= 0``.
    draws : Draws
        Scratch of the random patterns. It comes apart from the rest, because tuples are passed by value: a call with
        all of the scratch takes as long as drawing a short pattern.
    balls : Balls
        Scratch of the balls.
    work : Work
        Scratch of the solvers.
    """

    rows: Any
    columns: Any
    norm: Any
    label: Any
    share: Any
    draws: Draws
    balls: Balls
    work: solvers.Work


class Problem(NamedTuple):
    """Scratch for one problem as given: what `Space` has besides random patterns.

    Every array costs a call 0.1 us: with all of `Space`, a small problem takes a tenth longer.
    """

    rows: Any
    columns: Any
    norm: Any
    label: Any
    work: solvers.Work


class Kernels(NamedTuple):
    """Kernels of one target (see `bind`)."""

    balance: Callable[..., Any]
    judge: Callable[..., Any]
    nearest: Callable[..., Any]
    verdicts: Callable[..., Any]
    margins: Callable[..., Any]
    stopping_times: Callable[..., Any]
    raw: Callable[..., Any]


def space(
    count: int, dimension: int, stop: NDArray[np.int64], draws: Draws | None = None, balls: Balls | None = None
) -> Space:
    """Scratch of one thread.

    Parameters
    ----------
    count, dimension : int
        Largest number of patterns, and number of weights, with the threshold if there is one.
    stop : (1,) int64 array
        Not zero once results are not wanted any more.
    draws, balls : Draws, Balls, optional
        Scratch of the random patterns, and of balls around them.

    Returns
    -------
    Space
    """
    return Space(
        np.zeros((count, dimension)),
        np.zeros((dimension, count)),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        patterns.draws(dimension) if draws is None else draws,
        manifolds.balls(0, 0, dimension) if balls is None else balls,
        solvers.work(count, dimension, stop),
    )


def problem(count: int, dimension: int, stop: NDArray[np.int64]) -> Problem:
    """Scratch for problems as given.

    Parameters
    ----------
    count, dimension : int
        Numbers of patterns, and of weights.
    stop : (1,) int64 array
        Not zero once results are not wanted any more.

    Returns
    -------
    Problem
    """
    return Problem(
        np.zeros((count, dimension)),
        np.zeros((dimension, count)),
        np.zeros(count),
        np.zeros(count),
        solvers.work(count, dimension, stop),
    )


def kernels() -> Kernels:
    """Kernels of this machine.

    Returns
    -------
    Kernels
    """
    return bind(cpu(np.float64), cpu(np.float32))


@functools.cache
def bind(target: Target, single: Target) -> Kernels:
    """Bind the kernels for a target.

    Parameters
    ----------
    target : Target
        Where they run, in double precision.
    single : Target
        The same in single precision: normals are drawn there, in a third of the time. They are then exact numbers.

    Returns
    -------
    Kernels
        ``balance(data) -> silent``: balance rows in place; returns one that vanishes, or -1.
        ``judge(data, coordinates, back, problem, weights, multipliers) -> (verdict, bound)``: decide a balanced
        problem, and write its certificate, for the patterns as given: weights of length 1, or multipliers, the
        largest 1.
        It is solved in ``coordinates`` (P, M) of the rows; ``back`` (N, M) turns weights of these into weights of the
        rows, an empty array if they are the rows. The certificate is checked on the rows, and proves the bound.
        ``nearest(rows, columns, norm, share, pull, label, feasibility, free, work) -> (verdict, steps, threshold)``: as
        of `simnn.capacity.solvers`.
        ``verdicts(law, solver, key, first, out, space)``: verdict, steps, and numbers of silent, duplicate and
        contradictory patterns of trials first, first + 1, ..., a row of out each; no verdict with the solver `NONE`.
        ``margins(law, key, first, out, space)``: lower and upper bound of the largest margin, for patterns of length
        ``sqrt(dimension)``, and the numbers of support vectors and of constrained weights that vanish (0 and NaN if
        nothing separates).
        ``stopping_times(law, centre, width, key, first, out, space)``: largest separable prefix, NaN if undecided;
        ``law`` has the largest number of patterns that are tried, ``centre`` counts constraints too.
        ``raw(law, trial, key, out, labels, draws)``: patterns of one trial as they are, and their labels.
    """
    return Kernels(*_bind_given(target), *_bind_random(target, single))


@functools.cache
def _bind_transpose(target: Target) -> Callable[..., Any]:
    """Columns of some rows."""

    @target.routine
    def transpose(rows, columns, first, last):
        # Line by line of the cache.
        for begin in range(first, last, 8):
            end = min(begin + 8, last)
            for k in range(rows.shape[1]):
                for i in range(begin, end):
                    columns[k, i] = rows[i, k]

    return transpose


def _bind_given(target: Target) -> tuple[Callable[..., Any], ...]:
    """One problem as given: balanced, decided, and proved."""
    dot, combine, *_ = dense.bind(target)
    _, nearest, _, _, decide, rounding, _ = solvers.bind(target)
    transpose = _bind_transpose(target)

    @target.routine
    def divide(x, divisor):
        for k in range(x.shape[0]):
            x[k] /= divisor

    @target.routine
    def max_of(x):
        """Largest size of an entry; four chains of comparisons."""
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        end = x.shape[0] - x.shape[0] % 4
        for k in range(0, end, 4):
            a, b, c, d = max(a, abs(x[k])), max(b, abs(x[k + 1])), max(c, abs(x[k + 2])), max(d, abs(x[k + 3]))
        for k in range(end, x.shape[0]):
            a = max(a, abs(x[k]))
        return max(a, b, c, d)

    @target.device
    def powers(exponent):
        """Two factors of ``2^-exponent``; neither overflows."""
        half = int(exponent) // 2
        return math.ldexp(1.0, -half), math.ldexp(1.0, half - int(exponent))

    @target.kernel
    def balance(data):
        """Bring the largest entry of each row, then of each column, to 1/2 ... 1; returns a vanishing row, or -1."""
        rows, lengths, row, column = data.rows, data.lengths, data.row, data.column
        left, right, silent = data.scratch[0], data.scratch[1], -1
        count, size = rows.shape
        for k in range(size):
            left[k] = 0.0
        for i in range(count):
            x = rows[i]
            top = max_of(x)
            row[i] = math.frexp(top)[1]
            first, second = powers(row[i])
            for k in range(size):
                x[k] = x[k] * first * second
                left[k] = max(left[k], abs(x[k]))
            silent = i if top == 0.0 else silent
        # Columns have no entries above 1: this makes none smaller.
        for k in range(size):
            column[k] = math.frexp(left[k])[1]
            left[k], right[k] = powers(column[k])
        for i in range(count):
            x = rows[i]
            for k in range(size):
                x[k] = x[k] * left[k] * right[k]
            lengths[i] = np.sqrt(dot(x, x))
        return silent

    @target.routine
    def as_given(values, exponents):
        """Multiply by ``2^-exponents``, and by a number that leaves the largest of them near 1."""
        top = -(2**40)
        for k in range(values.shape[0]):
            if values[k] != 0.0:
                top = max(top, math.frexp(values[k])[1] - exponents[k])
        for k in range(values.shape[0]):
            if values[k] != 0.0:
                values[k] = math.ldexp(values[k], int(max(-exponents[k] - top, -4000)))

    @target.routine
    def proved_weights(rows, lengths, weights):
        """Smallest margin of these weights, scaled to length 1, less rounding; negative if it does not stand out."""
        divide(weights, np.sqrt(dot(weights, weights)))
        smallest = np.inf
        for i in range(rows.shape[0]):
            smallest = min(smallest, dot(rows[i], weights) / lengths[i])
        # The last bits are the scaling's.
        error = 0.5 * rounding(weights.shape[0] + 6)
        return smallest - error if smallest > 2.0 * error else -1.0

    @target.routine
    def proved_multipliers(data, multipliers, work):
        """Largest margin that this combination leaves, rounding included; negative if it does not vanish."""
        rows, lengths, sums = data.rows, data.lengths, data.scratch[0]
        largest, error = max_of(multipliers), 0.5 * rounding(rows.shape[0] + 6)
        # Without what is rounding itself, if it does without.
        for least in (TOLERANCE * largest, 0.0):
            total = 0.0
            for i in range(rows.shape[0]):
                work.sign[i] = multipliers[i] if multipliers[i] > least else 0.0
                total += work.sign[i] * lengths[i]
            combine(work.sign, work.order, rows.shape[0], rows, sums)
            residual = np.sqrt(dot(sums, sums)) / total
            if residual <= 2.0 * TOLERANCE + error:
                for i in range(rows.shape[0]):
                    multipliers[i] = work.sign[i]
                return residual + error
        return -1.0

    @target.kernel
    def judge(data, coordinates, back, problem, weights, multipliers):
        d, s, c = data, problem, coordinates
        count, plain, shrink = d.rows.shape[0], back.shape[0] == 0, s.label
        for i in range(count):
            shrink[i], s.norm[i] = 1.0 / np.sqrt(dot(c[i], c[i])), 1.0
            source, unit, factor = c[i], s.rows[i], shrink[i]
            for k in range(c.shape[1]):
                unit[k] = source[k] * factor
        transpose(s.rows, s.columns, 0, count)
        verdict, _ = decide(s.rows, s.columns, s.norm, count, solvers.AUTO, s.work)
        bound = -1.0
        if verdict == SEPARABLE:
            for k in range(weights.shape[0]):
                weights[k] = s.work.w[k] if plain else dot(back[k], s.work.w)
            bound = proved_weights(d.rows, d.lengths, weights)
            as_given(weights, d.column)
            divide(weights, np.sqrt(dot(weights, weights)))
        elif verdict == NOT_SEPARABLE:
            for i in range(count):
                multipliers[i] = s.work.multiplier[i] * shrink[i]
            bound = proved_multipliers(d, multipliers, s.work)
            as_given(multipliers, d.row)
            divide(multipliers, max_of(multipliers))
        return (verdict, bound) if bound >= 0.0 else (UNDECIDED, np.nan)

    @target.kernel
    def one_nearest(rows, columns, norm, share, pull, label, feasibility, free, work):
        return nearest(rows, columns, norm, share, pull, label, rows.shape[0], feasibility, free, work)

    return balance, judge, one_nearest


def _bind_random(target: Target, single: Target) -> tuple[Callable[..., Any], ...]:
    """Random problems, drawn and decided."""
    begin, components, draw_label, _, _, _, signed = patterns.bind(target, single)
    draw_ball, cut, decide_balls = manifolds.bind(target, single)
    count_degenerate, largest_margin = degenerate.bind(target), hull.bind(target)
    *_, decide, rounding, _ = solvers.bind(target)
    transpose = _bind_transpose(target)

    @target.routine
    def draw_row(law, trial, i, plain, key, draws, row):
        components(law, trial, i, key, draws, row[: law.dimension])
        return signed(law, trial, i, plain, key, row)

    @target.routine
    def draw(law, trial, first, last, plain, key, space):
        """Patterns of a trial times their labels, of length 1: with the threshold, or (``plain``) without.

        Constraints ``w_k > 0`` come first: they are patterns, too. Silent patterns stay zero.
        """
        for i in range(first, last):
            row = space.rows[i]
            if i < law.positive:
                for k in range(row.shape[0]):
                    row[k] = 1.0 if k == i else 0.0
                space.norm[i], space.label[i] = 1.0, 1.0
            else:
                space.norm[i], space.label[i] = draw_row(law, trial, i - law.positive, plain, key, space.draws, row)
        transpose(space.rows, space.columns, first, last)

    @target.routine
    def extend(law, trial, count, drawn, key, s):
        """Draw patterns, or balls, until there are so many; returns how many there are."""
        if law.extent == 0:
            draw(law, trial, drawn, count, False, key, s)
        else:
            for i in range(drawn, count):
                draw_ball(law, trial, i, key, s.draws, s.balls)
        return max(drawn, count)

    @target.routine
    def decide_prefix(law, count, solver, s):
        if law.extent == 0:
            return decide(s.rows, s.columns, s.norm, count, solver, s.work)
        return decide_balls(count, s.rows, s.columns, s.norm, solver, s.balls, s.work)

    @target.kernel
    def verdicts(law, solver, key, first, out, space):
        s = space
        for row in range(out.shape[0]):
            s.balls.count[0] = 0
            begin(law, first + row, key, s.draws)
            count = law.positive + law.patterns
            extend(law, first + row, count, 0, key, s)
            if solver != solvers.NONE:
                out[row, 0], out[row, 1] = decide_prefix(law, count, solver, s)
            out[row, 2], out[row, 3], out[row, 4] = count_degenerate(law, s.rows, s.label, s.work)

    @target.kernel
    def margins(law, key, first, out, space):
        s = space
        for row in range(out.shape[0]):
            begin(law, first + row, key, s.draws)
            draw(law, first + row, 0, law.positive + law.patterns, True, key, s)
            out[row, 0], out[row, 1], out[row, 2], out[row, 3] = largest_margin(
                law, s.rows, s.columns, s.norm, s.share, s.label, s.work
            )

    @target.routine
    def next_fits(law, i, s):
        """Whether the weights that separate the patterns before it separate one more, beyond rounding."""
        if law.extent > 0:
            return not cut(i, s.work.w, s.balls)
        field, length = 0.0, 0.0
        for k in range(s.work.w.shape[0]):
            field += s.work.w[k] * s.rows[i, k]
            length += s.work.w[k] * s.work.w[k]
        return field > rounding(s.work.w.shape[0]) * np.sqrt(length) * s.norm[i]

    @target.routine
    def stopping_time(law, centre, width, trial, key, s):
        # Counts include constraints, which positive weights meet by themselves.
        least, most = law.positive, law.positive + law.patterns
        low, high, drawn, step = least, most + 1, 0, width
        probe = max(least + 1, centre - width)
        s.balls.count[0] = 0
        begin(law, trial, key, s.draws)
        while high > low + 1:
            drawn = extend(law, trial, probe, drawn, key, s)
            verdict, _ = decide_prefix(law, probe, solvers.AUTO, s)
            if verdict == UNDECIDED:
                return np.nan
            if verdict == SEPARABLE:
                low = probe
                while low < most:
                    drawn = extend(law, trial, low + 1, drawn, key, s)
                    if not next_fits(law, low, s):
                        break
                    low += 1
            else:
                high = probe
            if low == least:
                probe = max(least + 1, high - step)
                step *= 2
            elif high > most:
                probe = min(max(low + 1, centre + width if low < centre + width else low + step), most)
                step *= 2
            else:
                probe = (low + high) // 2
        return np.nan if low == most else np.float64(low - least)

    @target.kernel
    def stopping_times(law, centre, width, key, first, out, space):
        s = space
        for row in range(out.shape[0]):
            out[row, 0] = stopping_time(law, centre, width, first + row, key, s)

    @target.kernel
    def raw(law, trial, key, out, labels, draws):
        begin(law, trial, key, draws)
        for i in range(law.patterns):
            components(law, trial, i, key, draws, out[i])
            labels[i] = draw_label(trial, i, law.coding_level, key)

    return verdicts, margins, stopping_times, raw
