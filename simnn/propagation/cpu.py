"""Conditional sampler on the CPU: tiles of units, streaming through the layers.

Given the inputs of a layer, its weights matter only through the Gaussian vectors ``W h`` (forward) and
``W^T delta`` (backward), whose joint law is known in closed form: ``docs/theory.md`` derives it. With the bias as the
weight of one constant input, and V the activations in a basis of K columns (`simnn.propagation.basis`), a layer of N
units with n below it needs for each unit K forward and M backward normals, and no weight matrix:

forward     ``t_i = C x_i``, ``C C^T = sw^2 V^T V / n + sb^2 e e^T``, e the roots of the basis, x_i normal;
backward    ``u_j = r sw (sw F^T v_j + R^T y_j)``, ``R^T R = D^T D / N``, y_j normal, ``r^2 = N / n``,
            ``F = C^-T (r X^T D / N - C^-1 B R)``, ``B = sw V^T Y / n + sb e y_0^T / sqrt(n)``.

Between layers only these small matrices survive; they are float64. Units are regenerated from their counters in the
backward sweep, so memory does not grow with the width; normals that are still in a fixed ring of scratch are not drawn
again. Sums over units have a fixed order, independent of threads: lanes inside a tile, a tree over the lanes, tiles in
sequence.

Lengths and gradients carry binary exponents, so that no depth overflows: a network whose activations leave
``2^-40 ... 2^40`` goes on with the straight lines that its activation is there (`simnn.propagation.kernels.FAR`).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import normals, philox
from simnn.device.normals import TILE
from simnn.device.targets import Target
from simnn.propagation import layers, tiles, units
from simnn.propagation.layers import Matrices
from simnn.propagation.tiles import LANES
from simnn.propagation.units import Draw, Factor

RING_BYTES = 2**23
"""Scratch of a thread for normals, for networks of up to a million units (one input, single precision).

Their normals are then drawn once, not twice: 6 ns for each unit instead of 8. Keeping activations too would save
another nanosecond as long as they fit, and so make wide networks look dearer than they are.
"""


class Ring(NamedTuple):
    """Normals of tiles of units, the newest of a network in a fixed number of slots.

    Attributes
    ----------
    tag : (slots,) int64 array
        Number of the tile in a slot.
    x : (slots * K, TILE) array
        Forward normals.
    y : (slots * M, TILE) array
        Backward normals.
    first : (depth,) int64 array
        Number of the first tile of each layer of the network.
    """

    tag: Any
    x: Any
    y: Any
    first: Any


class Scratch(NamedTuple):
    """Scratch for one tile.

    Attributes
    ----------
    t, z : (K, TILE) array
        Pre-activations in the basis, and of the inputs.
    v, h : (K, TILE) array
        Activations in the basis, and of the inputs.
    d : (K, TILE) array
        Derivatives.
    u : (M, TILE) array
        Gradients.
    words : (4, TILE) uint32 array
        Random words.
    lanes : (LANES // 4,) array
        Partial sums.
    silent : (TILE,) int32 array
        Marks of units that pass no gradient.
    stop : (1,) int64 array
        Not zero once the caller wants no more: the kernel then returns soon, with results of no meaning.
    """

    t: Any
    z: Any
    v: Any
    h: Any
    d: Any
    u: Any
    words: Any
    lanes: Any
    silent: Any
    stop: Any


def workspace(real: type, inputs: int, outputs: int, depth: int, stop: Any) -> tuple[Ring, Scratch, Matrices]:
    """Scratch of one thread.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.
    inputs, outputs, depth : int
        Sizes: K, C with M = K C, and the number of layers of the deepest network.
    stop : (1,) int64 array
        The caller's flag, see `Scratch`.

    Returns
    -------
    tuple of Ring, Scratch and Matrices
        About `RING_BYTES`, and (K + M)^2 numbers for each layer; the width does not matter.
    """
    columns = inputs * outputs
    slots = max(1, RING_BYTES // ((inputs + columns) * TILE * np.dtype(real).itemsize))

    def rows(count: int) -> Any:
        # Finite from the start: what is behind the last unit of a tile is multiplied by zero.
        return np.zeros((count, TILE), real)

    ring = Ring(np.full(slots, -1), rows(slots * inputs), rows(slots * columns), np.empty(depth, np.int64))
    scratch = Scratch(
        rows(inputs), rows(inputs), rows(inputs), rows(inputs), rows(inputs), rows(columns),
        np.empty((4, TILE), np.uint32), np.empty(LANES // 4, real), np.empty(TILE, np.int32), stop,
    )  # fmt: skip
    shapes = layers.matrices((), inputs, outputs, depth).values()
    return ring, scratch, Matrices(*(np.empty(shape, kind) for shape, kind in shapes))


@functools.cache
def bind(target: Target) -> Callable[..., Any]:
    """Bind the sampler for a target.

    Parameters
    ----------
    target : Target
        A CPU target.

    Returns
    -------
    callable
        ``sample(networks, key, cell, trial, grams, ring, scratch, matrices)``: the kernel. Task i is trial
        ``trial[i]`` of network ``cell[i]``, and row i of the Gram matrices (`simnn.propagation.observables.Grams`); the
        last three are the `workspace`.
    """
    pairs, _ = normals.bind(target)
    t = tiles.bind(target)
    clear, clear_tail, add_gram, silent_units = t.clear, t.clear_tail, t.add_gram, t.silent_units
    place, feed = units.bind(target, t.activate, t.difference)
    start, before, line_of, after, finish, turn, below = layers.bind(target)
    units_stream = philox.UNITS * philox.COLUMNS

    @target.routine
    def draw_normals(number, start, count, draw, ring, scratch):
        """Slot of a tile in the ring, its normals drawn if they are not there."""
        slot = number % ring.tag.shape[0]
        if ring.tag[slot] == number:
            return slot
        ring.tag[slot] = number
        inputs, columns = scratch.t.shape[0], scratch.u.shape[0]
        first_x, first_y = slot * inputs, slot * columns
        for a in range(inputs):
            x, y = ring.x[first_x + a], ring.y[first_y + a]
            pairs(start, count, draw.trial, draw.layer, units_stream + a, draw.key, scratch.words, x, y)
        clear_tail(count, inputs, first_x, ring.x)
        for m in range(inputs, columns, 2):
            # More columns than inputs: both normals of a pair are backward ones; an odd last one goes to scratch.
            y, last = ring.y[first_y + m], ring.y[first_y + m + 1] if m + 1 < columns else scratch.z[0]
            pairs(start, count, draw.trial, draw.layer, units_stream + m, draw.key, scratch.words, y, last)
        return slot

    @target.routine
    def forward(number, width, draw, factor, line, ring, scratch, xx, vv, vy):
        """Sums over the units of a layer: normals, activations, activations times backward normals."""
        clear(xx)
        clear(vv)
        clear(vy)
        inputs, columns = vy.shape
        silent = 0
        for first in range(0, width, TILE):
            if scratch.stop[0] != 0:
                break
            count = min(TILE, width - first)
            slot = draw_normals(number + first // TILE, first, count, draw, ring, scratch)
            first_x, first_y = slot * inputs, slot * columns
            place(count, draw, factor, line, ring.x, first_x, scratch)
            add_gram(ring.x, first_x, ring.x, first_x, True, scratch.lanes, xx)
            add_gram(scratch.v, 0, scratch.v, 0, True, scratch.lanes, vv)
            add_gram(scratch.v, 0, ring.y, first_y, False, scratch.lanes, vy)
            silent += silent_units(scratch.d, count, scratch.silent)
        return silent / width

    @target.routine
    def backward(number, width, draw, factor, line, ring, scratch, top, feedback, root, dd, xd):
        """Sums over the units of a layer: gradients, forward normals times gradients."""
        clear(dd)
        clear(xd)
        inputs, columns = xd.shape
        # From the last tile to the first: the newest normals are still in the ring.
        for first in range((width - 1) // TILE * TILE, -1, -TILE):
            if scratch.stop[0] != 0:
                break
            count = min(TILE, width - first)
            slot = draw_normals(number + first // TILE, first, count, draw, ring, scratch)
            first_x, first_y = slot * inputs, slot * columns
            place(count, draw, factor, line, ring.x, first_x, scratch)
            feed(count, top, feedback, root, ring.y, first_y, scratch)
            add_gram(scratch.u, 0, scratch.u, 0, True, scratch.lanes, dd)
            add_gram(ring.x, first_x, scratch.u, 0, False, scratch.lanes, xd)

    @target.routine
    def ascend(c, trial, key, row, networks, grams, ring, scratch, matrices, number):
        """Forward sweep of one network; returns the number of the next tile."""
        start(c, row, networks, grams, matrices)
        for layer in range(networks.depth[c]):
            width = networks.widths[c, layer]
            before(c, row, layer, networks, grams, matrices)
            factor = Factor(matrices.factor[layer], matrices.pivot[layer], matrices.rank[layer])
            line = line_of(c, row, layer, networks, grams, matrices)
            draw = Draw(trial, layer + 1, key, networks.order, matrices.parent[layer], matrices.parent[layer + 1])
            changed = True
            while changed:
                grams.silent[row, layer] = forward(
                    number, width, draw, factor, line, ring, scratch, matrices.xx, matrices.gram, matrices.cross[layer]
                )
                changed = after(c, row, layer, networks, grams, matrices)
            finish(c, row, layer, networks, grams, matrices)
            ring.first[layer] = number
            number += (width - 1) // TILE + 1
        return number

    @target.routine
    def descend(c, trial, key, row, networks, grams, ring, scratch, matrices):
        """Backward sweep of one network."""
        top, rank = networks.depth[c] - 1, 0
        turn(matrices)
        for layer in range(top, -1, -1):
            factor = Factor(matrices.factor[layer], matrices.pivot[layer], matrices.rank[layer])
            root = Factor(matrices.root, matrices.root_pivot, rank)
            line = line_of(c, row, layer, networks, grams, matrices)
            draw = Draw(trial, layer + 1, key, networks.order, matrices.parent[layer], matrices.parent[layer + 1])
            backward(
                ring.first[layer], networks.widths[c, layer], draw, factor, line, ring, scratch, layer == top,
                matrices.feedback, root, grams.gradient[row, layer], matrices.xd,
            )  # fmt: skip
            rank = below(c, row, layer, trial, key, networks, grams, matrices)

    @target.kernel
    def sample(networks, key, cell, trial, grams, ring, scratch, matrices):
        number, slots = 0, ring.tag.shape[0]
        for row in range(cell.shape[0]):
            if scratch.stop[0] != 0:
                break
            # Each network starts at the first slot: a small one stays in the cache.
            number = (number + slots - 1) // slots * slots
            number = ascend(cell[row], trial[row], key, row, networks, grams, ring, scratch, matrices, number)
            descend(cell[row], trial[row], key, row, networks, grams, ring, scratch, matrices)

    return sample
