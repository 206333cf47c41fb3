"""Arrays of normals: loops over the counter-based generator."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import philox
from simnn.device.targets import Target

TILE = 512
"""Units per tile; which counter serves a unit follows from its place in its tile."""


class Normals(NamedTuple):
    """Array routines of one target (see `bind`)."""

    pairs: Callable[..., Any]
    fill: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Normals:
    """Bind the array routines for a target.

    Parameters
    ----------
    target : Target
        Where the routines run.

    Returns
    -------
    Normals
        ``pairs(start, count, trial, layer, stream, key, words, x, y)``: normal pairs of the units ``start, ...,
        start + count`` of one tile (``start`` a multiple of `TILE`); ``words`` is (4, TILE) uint32 scratch.
        ``fill(trial, layer, stream, key, scale, words, tile, out)``: the kernel that fills a flat array; ``words`` and
        the (2, TILE) ``tile`` are scratch.
    """
    word, single = target.word, target.single
    philox4x32, _, normal_pair = philox.bind(target)

    @target.routine
    def pairs(start, count, trial, layer, stream, key, words, x, y):
        # float32 takes half a block per pair: units j and j + half of a tile share one.
        # Two passes, integers then floats: each vectorises by itself, together they do not.
        first, half = (start // 2, (count + 1) // 2) if single else (start, count)
        w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
        c1, c2, c3, k0, k1 = word(trial), word(layer), word(stream), word(key[0]), word(key[1])
        for j in range(half):
            a, b, c, d = philox4x32(word(first + j), c1, c2, c3, k0, k1)
            w0[j], w1[j], w2[j], w3[j] = np.uint32(a), np.uint32(b), np.uint32(c), np.uint32(d)
        for j in range(half):
            x[j], y[j] = normal_pair(word(w0[j]), word(w1[j]), word(w2[j]), word(w3[j]))
        for j in range(count - half):
            x[half + j], y[half + j] = normal_pair(word(w2[j]), word(w3[j]), word(w0[j]), word(w1[j]))

    @target.kernel
    def fill(trial, layer, stream, key, scale, words, tile, out):
        size, x, y = out.shape[0], tile[0], tile[1]
        for number in range((size + 2 * TILE - 1) // (2 * TILE)):
            first = 2 * TILE * number
            pairs(TILE * number, TILE, trial, layer, stream, key, words, x, y)
            count = min(TILE, size - first)
            for j in range(count):
                out[first + j] = scale * x[j]
            for j in range(min(TILE, size - first - count)):
                out[first + count + j] = scale * y[j]

    return Normals(pairs, fill)
