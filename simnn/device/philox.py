"""Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

Every draw is a pure function of a key (the seed) and a counter of four 32-bit words. The package's layout of the
counter is ``(block of units, trial, layer, stream)``; see `stream`.

Uniforms
    ``uniform``: open interval, exact midpoints of 2^23 (float32) or 2^52 (float64) cells.
Normals
    ``normal_pair``: Box-Muller. float32 takes two words and uses all their bits, so ``|z| <= 6.76`` (lost mass
    1.4e-11); float64 takes four words, ``|z| <= 8.57`` (1e-17).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import elementary
from simnn.device.targets import Target

# Streams: what a normal is for. A stream never shares a counter with another one.
UNITS = 0
"""Normals of the units of a layer: forward and backward member of one pair."""
BIAS_INPUT = 1
"""Backward normal of the constant input that carries the bias."""
WEIGHTS = 2
"""Entries of a materialised weight matrix."""
BIASES = 3
"""Materialised biases."""
OUTPUT_GRADIENT = 4
"""Gradient at the output of a materialised network."""
INPUTS = 5
"""Input patterns of a materialised network."""
PATTERNS = 6
"""Components of a pattern that is to be separated."""
LABELS = 7
"""Labels of such patterns."""
WIRING = 8
"""Matrices that mix inputs into patterns, and other choices that a set of patterns shares."""
PROJECTIONS = 9
"""Gaussian vectors that are projected on the cone of given patterns; column 1: random labels of these."""
EXPANSION = 10
"""Wiring of Kenyon cells: column 0 which glomeruli, column 1 weights, column 2 draws by frequency."""
ODORS = 11
"""Odors: column 0 themselves, 1 their partners, 2 noisy copies, 3 labels, 4 which of given ones, 5 on more copies."""

COLUMNS = 1 << 16
"""A stream has this many columns; the fourth word of the counter is ``stream * COLUMNS + column``."""

_LOW = 0xFFFFFFFF


class Philox(NamedTuple):
    """Random device functions of one target (see `bind`)."""

    philox4x32: Callable[..., Any]
    uniform: Callable[..., Any]
    normal_pair: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Philox:
    """Bind the generator for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    Philox
        ``philox4x32(c0, c1, c2, c3, k0, k1)``: four 32-bit words, carried by ``target.word``.
        ``uniform(high, low)``: in (0, 1); float32 ignores ``low``.
        ``normal_pair(w0, w1, w2, w3)``: two independent standard normals; float32 ignores ``w2, w3``.
    """
    word, real, integer = target.word, target.real, target.integer
    m0, m1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
    w0, w1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
    low, half_word = np.uint64(_LOW), np.uint64(32)

    @target.device
    def philox4x32(c0, c1, c2, c3, k0, k1):
        for _ in range(10):
            p0 = m0 * np.uint64(c0)
            p1 = m1 * np.uint64(c2)
            c0 = word(word(p1 >> half_word) ^ c1 ^ k0)
            c2 = word(word(p0 >> half_word) ^ c3 ^ k1)
            c1 = word(p1 & low)
            c3 = word(p0 & low)
            k0 = word((np.uint64(k0) + w0) & low)
            k1 = word((np.uint64(k1) + w1) & low)
        return c0, c1, c2, c3

    functions = elementary.bind(target)
    log, sincos_turn = functions.log_unit, functions.sincos_turn
    one_half, minus_two, sqrt = real(0.5), real(-2.0), target.operations.sqrt

    if target.single:
        cell, upper, lowest = real(2.0**-23), real(2.0**16), real(2.0**-32)
        nine, sixteen, low_half = word(9), word(16), word(0xFFFF)

        @target.device
        def uniform(high, _low):
            return (real(integer(high >> nine)) + one_half) * cell

        @target.device
        def normal_pair(radius, angle, _2, _3):
            # Halves of the word convert exactly and cheaply (no unsigned conversion before AVX-512); the sum is
            # rounded once. u = 1 (probability 2^-25) gives the radius 0.
            above, below = real(integer(radius >> sixteen)), real(integer(radius & low_half))
            r = sqrt(minus_two * log((above * upper + (below + one_half)) * lowest))
            sine, cosine = sincos_turn(angle, angle)
            return r * cosine, r * sine

    else:
        cell, upper = real(2.0**-52), real(2.0**20)
        twelve = word(12)

        @target.device
        def uniform(high, low):
            return ((upper * real(integer(high)) + real(integer(low >> twelve))) + one_half) * cell

        @target.device
        def normal_pair(high, low, angle_high, angle_low):
            r = sqrt(minus_two * log(uniform(high, low)))
            sine, cosine = sincos_turn(angle_high, angle_low)
            return r * cosine, r * sine

    return Philox(philox4x32, uniform, normal_pair)
