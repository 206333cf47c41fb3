"""One tile of units: from its normals to activations, and from the gradients above to those here.

The threads of a block share these loops; a thread touches its own units only, so nobody waits.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from simnn.device.targets import Target
from simnn.propagation import tiles


class Factor(NamedTuple):
    """Root of a covariance, see `simnn.device.smallmatrix`.

    Attributes
    ----------
    matrix : (K, K) float64 array
        C, with ``C C^T`` the covariance.
    pivot : (K,) int64 array
        Rows in the order of their columns.
    rank : int
        Columns that are not zero.
    """

    matrix: Any
    pivot: Any
    rank: Any


class Draw(NamedTuple):
    """What fixes the normals of a layer, and the forests of its inputs.

    Attributes
    ----------
    trial, layer : int
        Counters.
    key : (2,) uint64 array
        Words of the seed.
    order : (K,) int64 array
        See `simnn.propagation.basis.Basis`.
    below, parent : (K,) int64 array
        Forests of the pre-activations and of the activations.
    """

    trial: Any
    layer: Any
    key: Any
    order: Any
    below: Any
    parent: Any


class Line(NamedTuple):
    """Activation of a layer, and the factor of its pre-activations.

    Attributes
    ----------
    code : int
        See `simnn.propagation.kernels.CODES`.
    up, down : real
        Slopes of a line with a kink.
    scale : float
        Of the pre-activations: a power of two.
    """

    code: Any
    up: Any
    down: Any
    scale: Any


class Units(NamedTuple):
    """Routines of one target (see `bind`)."""

    place: Callable[..., Any]
    feed: Callable[..., Any]


@functools.cache
def bind(target: Target, activate: Callable[..., Any], difference: Callable[..., Any]) -> Units:
    """Bind the loops for a target.

    Parameters
    ----------
    target : Target
        Where they run.
    activate, difference : callable
        Of `simnn.propagation.tiles.Tiles`.

    Returns
    -------
    Units
        ``place(count, draw, factor, line, x, first_x, tile)``: activations and derivatives of the first ``count`` units
        of a tile, from its normals in rows ``first_x, ...`` of x.
        ``feed(count, top, feedback, root, y, first_y, tile)``: their gradients, ``feedback v + root y`` times the
        derivatives; at the ``top`` y itself is what comes from above.
        A ``tile`` has the arrays ``t, z, v, h, d`` and ``u`` of `simnn.propagation.cpu.Scratch`.
    """
    real = target.real
    zero, one = real(0.0), real(1.0)
    lane, lanes, _ = target.block
    algebra = tiles.bind(target)
    clear_tail, combine, combine_factor = algebra.clear_tail, algebra.combine, algebra.combine_factor

    @target.routine
    def place(count, draw, factor, line, x, first_x, tile):
        inputs = tile.t.shape[0]
        combine_factor(factor, line.scale, count, x, first_x, True, tile.t)
        for step in range(inputs):
            a = draw.order[step]
            t, z, v, h, d = tile.t[a], tile.z[a], tile.v[a], tile.h[a], tile.d[a]
            if inputs == 1:
                activate(line.code, line.up, line.down, count, t, v, d)
                continue
            near = draw.below[a]
            for j in range(lane(), count, lanes()):
                z[j] = t[j] + (tile.z[near, j] if near >= 0 else zero)
            activate(line.code, line.up, line.down, count, z, h, d)
            near = draw.parent[a]
            if near < 0:
                for j in range(lane(), count, lanes()):
                    v[j] = h[j]
            else:
                z0, h0 = tile.z[near], tile.h[near]
                if near != draw.below[a]:
                    for j in range(lane(), count, lanes()):
                        t[j] = z[j] - z0[j]
                difference(line.code, line.up, line.down, count, t, z, h, z0, h0, v)
        clear_tail(count, inputs, 0, tile.v)

    @target.routine
    def feed(count, top, feedback, root, y, first_y, tile):
        u, inputs = tile.u, tile.d.shape[0]
        columns = u.shape[0]
        if top:
            for m in range(columns):
                row = first_y + m // inputs
                for j in range(lane(), count, lanes()):
                    u[m, j] = y[row, j]
        else:
            combine(feedback, count, tile.v, 0, u)
            combine_factor(root, one, count, y, first_y, False, u)
        for m in range(columns):
            row = m % inputs
            for j in range(lane(), count, lanes()):
                u[m, j] *= tile.d[row, j]
        clear_tail(count, columns, 0, u)

    return Units(place, feed)
