"""Conditional sampler on the GPU: a block of threads for each tile of units, and one for each network between layers.

What a unit does (`simnn.propagation.units`), and what happens between layers (`simnn.propagation.layers`), is the CPU's
own code. Here are the grids: for each layer on the way up, ``rise`` draws the tiles of all networks side by side and
leaves the sums over the units of each; ``settle`` adds them up and makes the factors of the next layer. ``fall`` and
``sink`` do so on the way down. A wide network is many tiles, a narrow one few, and nothing else distinguishes them.

At the end ``observe`` makes the statistics of each network, and ``accumulate`` adds them to the moments of their cell,
trial after trial, a thread for each column: what returns to the host are means, or the statistics of trials that are
kept.

Normals are drawn from their counters on both ways, never stored: what a network leaves in memory is its small matrices,
and the sums of the tiles of one layer. Where the rows of a tile do not fit into shared memory, each of a fixed number
of blocks has its own in global memory.

Sums have the order of the CPU, chains and trees inside a tile, whatever the number of threads of a block; tiles are
added by 8 chains. So results are the same bits for every block size, and differ from the CPU's by rounding.

Operations for each neuron and layer, tanh, one input, both ways: half a Philox block twice (80 32-bit integer
operations), two Box-Muller numbers twice (120 float), tanh and slope twice (50), sums (14): 190 float and 80 integer
ones, some 60 bytes to and from shared memory, less than 0.1 to device memory. An H200 (132 SM, 1.98 GHz, 128 float and
64 integer operations for each SM and cycle) could do 1.7e11 neuron-layers a second by either count. Statistics and
moments of a network of 50 layers are 551 numbers: 13 kB written and read again, three times that with its matrices, or
10 ns at 4.8 TB/s; but moments are a chain of some 150 cycles for each network, .1 us, a third of 1000 x 50
neuron-layers. All host work is for each call, and done while the device computes.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device import gpu, moments, philox
from simnn.device.gpu import cuda
from simnn.device.normals import TILE
from simnn.device.targets import Target
from simnn.propagation import kernels, layers, observables, tiles, units
from simnn.propagation.layers import Matrices, Networks
from simnn.propagation.observables import Grams
from simnn.propagation.tiles import LANES
from simnn.propagation.units import Draw, Factor, Line

THREADS = 64
"""Threads of a block: one for each lane of a tile."""

BLOCKS = 4096
"""Blocks that keep their rows in global memory: more than run at a time."""

SHARED_BYTES = 40960
"""Of the 48 KiB of shared memory that a block may always have, those for rows of units."""

_AHEAD = 8  # rows of statistics that are read at a time
_BATCH = 16  # sums of a tile that are added up side by side
_PARTS = 8  # chains of tiles


class Wanted(NamedTuple):
    """What tiles of each network in the batch are to be drawn, in the precision of units.

    Attributes
    ----------
    layer : (rows,) int64 array
        Layer of the way up whose sums are wanted next; -1 at the top.
    again : (rows,) int64 array
        Whether they are wanted in a new basis.
    code : (rows,) int64 array
        Activation of the layer, see `simnn.propagation.kernels.Form`.
    slope : (rows, 2) array
        Slopes of a line with a kink.
    factor : (rows, K, K) array
        Factor of its pre-activations, scaled.
    feedback : (rows, M, K) array
        See `simnn.propagation.layers.Matrices`.
    root : (rows, M, M) array
        The same.
    rank : (rows,) int64 array
        Of the root.
    """

    layer: Any
    again: Any
    code: Any
    slope: Any
    factor: Any
    feedback: Any
    root: Any
    rank: Any


class Shape(NamedTuple):
    """What tiles are told of `Networks`: a launch takes the host time for each array."""

    widths: Any
    depth: Any
    order: Any


class Forest(NamedTuple):
    """What tiles are told of `Matrices`."""

    parent: Any
    pivot: Any
    rank: Any
    root_pivot: Any


class Tile(NamedTuple):
    """Rows of one tile, see `simnn.propagation.cpu.Scratch`."""

    t: Any
    z: Any
    v: Any
    h: Any
    d: Any
    u: Any


class Rows(NamedTuple):
    """Which rows of a tile are what: each entry is the first row and the one after the last.

    Attributes
    ----------
    x, v, y, t, d, z, h, u : tuple of int
        Normals forward, activations, normals backward, pre-activations, derivatives, those of inputs, gradients.
    total : int
        Number of rows.
    """

    x: tuple[int, int]
    v: tuple[int, int]
    y: tuple[int, int]
    t: tuple[int, int]
    d: tuple[int, int]
    z: tuple[int, int]
    h: tuple[int, int]
    u: tuple[int, int]
    total: int


def rows_of(inputs: int, outputs: int) -> Rows:
    """Lay out the rows of a tile; rows that are done with are used again.

    Parameters
    ----------
    inputs, outputs : int
        K and C.

    Returns
    -------
    Rows
    """
    ends, first = [], 0
    for size in (inputs, inputs, inputs * outputs, inputs, inputs, inputs * (inputs > 1), inputs * (inputs > 1)):
        ends.append((first, first + size))
        first += size
    x, v, y, t, d, z, h = ends
    if inputs == 1:
        z, h = t, t
    # Gradients come after pre-activations, which nobody reads then.
    u, count = (t, first) if outputs == 1 else ((first, first + inputs * outputs), first + inputs * outputs)
    return Rows(x, v, y, t, d, z, h, u, count)


def _part(kind: Any, whole: Any) -> Any:
    """Some of the arrays of a named tuple."""
    return kind(*(getattr(whole, name) for name in kind._fields))


def _pairs(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Products of rows that are summed, forward and backward: both rows, and matrix, row and column they go to."""
    (x, _), (v, _), (y, end), (t, _), (u, _) = rows.x, rows.v, rows.y, rows.t, rows.u
    k, m = rows.x[1] - x, end - y
    triangle = [(i, j) for i in range(k) for j in range(i + 1)]
    forward = [((x + i, x + j), (0, i, j)) for i, j in triangle] + [((v + i, v + j), (1, i, j)) for i, j in triangle]
    forward += [((v + i, y + j), (2, i, j)) for i in range(k) for j in range(m)]
    forward += [((t, t), (3, 0, 0))]
    backward = [((u + i, u + j), (0, i, j)) for i in range(m) for j in range(i + 1)]
    backward += [((x + i, u + j), (1, i, j)) for i in range(k) for j in range(m)]
    both = [np.array(part, np.int32) for pairs in (forward, backward) for part in zip(*pairs, strict=True)]
    return both[0], both[1], both[2], both[3]


class Kernels(NamedTuple):
    """Kernels of one target, one activation and one number of inputs and outputs (see `bind`)."""

    begin: Any
    rise: Any
    settle: Any
    fall: Any
    sink: Any


@functools.cache
def bind(target: Target, code: int, inputs: int, outputs: int, in_shared: bool) -> Kernels:
    """Bind the kernels for a target.

    Parameters
    ----------
    target : Target
        That of the GPU.
    code : int
        Activation of all networks, see `simnn.propagation.kernels.CODES`.
    inputs, outputs : int
        K and C.
    in_shared : bool
        Whether the rows of a tile are in shared memory.

    Returns
    -------
    Kernels
        ``begin(networks, cell, grams, matrices, wanted)``;
        ``rise(layer, shape, key, cell, trial, forest, wanted, pairs, space, partial)``: sums over each tile,
        (rows, tiles, sums);
        ``settle(layer, networks, cell, grams, matrices, wanted, place, partial)``;
        ``fall(layer, shape, key, cell, trial, forest, wanted, pairs, space, partial)`` and
        ``sink(layer, networks, key, cell, trial, grams, matrices, wanted, place, partial)``. Grids of ``rise`` and
        ``fall`` are of any size, the others have a block for each row; blocks have any number of threads.
    """
    routines = _bind_tiles(target, code, inputs, outputs)
    rise, fall = _bind_units(target, routines, inputs, outputs, in_shared)
    begin, settle, sink = _bind_layers(target, inputs, outputs)
    return Kernels(begin, rise, settle, fall, sink)


class _Tiles(NamedTuple):
    up: Callable[..., Any]
    down: Callable[..., Any]


def _bind_tiles(target: Target, code: int, inputs: int, outputs: int) -> _Tiles:
    """What a block does with one tile."""
    real, word, columns, layout = target.real, target.word, inputs * outputs, rows_of(inputs, outputs)
    zero, one = real(0.0), real(1.0)
    lane, lanes, sync = target.block
    philox4x32, _, normal_pair = philox.bind(target)
    algebra = tiles.bind(target)
    clear_tail, chain, fold = algebra.clear_tail, algebra.chain, algebra.fold
    place, feed = units.bind(target, *_bind_activation(target, code))
    units_stream = philox.UNITS * philox.COLUMNS
    single, (x0, x1), (v0, v1), (y0, y1) = target.single, layout.x, layout.v, layout.y
    (t0, t1), (d0, d1), (z0, z1), (h0, h1), (u0, u1) = layout.t, layout.d, layout.z, layout.h, layout.u

    @target.routine
    def pair(first, count, trial, layer, stream, key, x, y, second):
        """Normals of one stream for the units of a tile; without a ``second``, y is not kept."""
        # As `simnn.device.normals.pairs`: in single precision, units j and j + half share a block of random words.
        begin, half = (first // 2, (count + 1) // 2) if single else (first, count)
        c1, c2, c3, k0, k1 = word(trial), word(layer), word(stream), word(key[0]), word(key[1])
        for j in range(lane(), half, lanes()):
            a, b, c, d = philox4x32(word(begin + j), c1, c2, c3, k0, k1)
            p, q = normal_pair(a, b, c, d)
            x[j] = p
            if second:
                y[j] = q
            if half + j < count:
                p, q = normal_pair(c, d, a, b)
                x[half + j] = p
                if second:
                    y[half + j] = q

    @target.routine
    def draw_normals(first, count, trial, layer, key, rows):
        for a in range(inputs):
            pair(first, count, trial, layer, units_stream + a, key, rows[x0 + a], rows[y0 + a], True)
        for m in range(inputs, columns, 2):
            other = rows[y0 + min(m + 1, columns - 1)]
            pair(first, count, trial, layer, units_stream + m, key, rows[y0 + m], other, m + 1 < columns)
        # Zero times what happens to be there might be NaN.
        clear_tail(count, x1 - x0, x0, rows)
        clear_tail(count, y1 - y0, y0, rows)
        sync()

    @target.routine
    def add_up(rows, pairs, partial, out):
        """Sums over the units of a tile of products of two rows."""
        for first in range(0, pairs.shape[0], _BATCH):
            count = min(_BATCH, pairs.shape[0] - first)
            for k in range(lane(), LANES, lanes()):
                for e in range(count):
                    partial[e, k] = chain(rows, pairs[first + e, 0], rows, pairs[first + e, 1], k)
            sync()
            for e in range(lane(), count, lanes()):
                p = partial[e]
                for k in range(16):
                    p[k] = (p[k] + p[k + 32]) + (p[k + 16] + p[k + 48])
                out[first + e] = fold(p)
            sync()

    @target.routine
    def activations(first, count, layer, row, trial, key, order, forest, wanted, rows):
        draw_normals(first, count, trial, layer + 1, key, rows)
        tile = Tile(rows[t0:t1], rows[z0:z1], rows[v0:v1], rows[h0:h1], rows[d0:d1], rows[u0:u1])
        draw = Draw(trial, layer + 1, key, order, forest.parent[row, layer], forest.parent[row, layer + 1])
        factor = Factor(wanted.factor[row], forest.pivot[row, layer], forest.rank[row, layer])
        line = Line(wanted.code[row], wanted.slope[row, 0], wanted.slope[row, 1], one)
        place(count, draw, factor, line, rows, x0, tile)
        return tile

    @target.routine
    def up(number, width, layer, row, trial, key, order, forest, wanted, pairs, rows, partial, out):
        first = number * TILE
        count = min(TILE, width - first)
        tile = activations(first, count, layer, row, trial, key, order, forest, wanted, rows)
        mark = rows[t0]
        for j in range(lane(), TILE, lanes()):
            silent = j < count
            for a in range(inputs):
                silent = silent and tile.d[a, j] == zero
            mark[j] = one if silent else zero
        sync()
        add_up(rows, pairs, partial, out)

    @target.routine
    def down(number, width, top, layer, row, trial, key, order, forest, wanted, pairs, rows, partial, out):
        first = number * TILE
        count = min(TILE, width - first)
        tile = activations(first, count, layer, row, trial, key, order, forest, wanted, rows)
        root = Factor(wanted.root[row], forest.root_pivot[row], wanted.rank[row])
        feed(count, top, wanted.feedback[row], root, rows, y0, tile)
        sync()
        add_up(rows, pairs, partial, out)

    return _Tiles(up, down)


def _bind_activation(target: Target, code: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Loops over one tile: of one activation, and of the lines with a kink that it is from far away and close by."""
    lane, lanes, _ = target.block
    functions, between = kernels.bind(target), kernels.bind_differences(target)
    kinked, d_kinked, phi, d_phi = functions.kinked, between.kinked, functions[code], between[code]

    @target.routine
    def line(_code, up, down, count, z, h, d):
        for i in range(lane(), count, lanes()):
            h[i], d[i] = kinked(z[i], up, down)

    @target.routine
    def line_difference(_code, up, down, count, t, z, h, z0, h0, v):
        for i in range(lane(), count, lanes()):
            v[i] = d_kinked(t[i], z[i], h[i], z0[i], h0[i], up, down)

    @target.routine
    def curve(now, up, down, count, z, h, d):
        if now == kernels.KINKED:
            line(now, up, down, count, z, h, d)
        else:
            for i in range(lane(), count, lanes()):
                h[i], d[i] = phi(z[i])

    @target.routine
    def curve_difference(now, up, down, count, t, z, h, z0, h0, v):
        if now == kernels.KINKED:
            line_difference(now, up, down, count, t, z, h, z0, h0, v)
        else:
            for i in range(lane(), count, lanes()):
                v[i] = d_phi(t[i], z[i], h[i], z0[i], h0[i])

    return (line, line_difference) if code == kernels.KINKED else (curve, curve_difference)


def _bind_units(
    target: Target, routines: _Tiles, inputs: int, outputs: int, in_shared: bool
) -> tuple[Callable[..., Any], ...]:
    """Grids over tiles."""
    real, size, pitch = target.real, rows_of(inputs, outputs).total if in_shared else 1, LANES + 1
    up, down = routines

    @target.kernel
    def rise(layer, shape, key, cell, trial, forest, wanted, pairs, space, partial):
        shared = cuda.shared.array((size, TILE), real)
        sums = cuda.shared.array((_BATCH, pitch), real)
        rows = shared if in_shared else space[cuda.blockIdx.x]
        for item in range(cuda.blockIdx.x, cell.shape[0] * partial.shape[1], cuda.gridDim.x):
            row, number = item // partial.shape[1], item % partial.shape[1]
            width = shape.widths[cell[row], layer]
            if wanted.layer[row] == layer and number * TILE < width:
                out = partial[row, number]
                up(
                    number, width, layer, row, trial[row], key, shape.order, forest, wanted, pairs, rows, sums, out
                )  # fmt: skip

    @target.kernel
    def fall(layer, shape, key, cell, trial, forest, wanted, pairs, space, partial):
        shared = cuda.shared.array((size, TILE), real)
        sums = cuda.shared.array((_BATCH, pitch), real)
        rows = shared if in_shared else space[cuda.blockIdx.x]
        for item in range(cuda.blockIdx.x, cell.shape[0] * partial.shape[1], cuda.gridDim.x):
            row, number = item // partial.shape[1], item % partial.shape[1]
            width, depth = shape.widths[cell[row], layer], shape.depth[cell[row]]
            if layer < depth and number * TILE < width:
                top, out = layer == depth - 1, partial[row, number]
                down(
                    number, width, top, layer, row, trial[row], key, shape.order, forest, wanted, pairs, rows,
                    sums, out,
                )  # fmt: skip

    return rise, fall


def _bind_layers(target: Target, inputs: int, outputs: int) -> tuple[Callable[..., Any], ...]:
    """Between layers: the sums of all tiles, and then one thread for each network."""
    real, columns = target.real, inputs * outputs
    lane, lanes, sync = target.block
    steps = layers.bind(target)
    start, before, line_of, after, finish, turn, below = steps

    @target.routine
    def total(partial, row, number, first, work):
        """Sums over tiles of `_PARTS` sums of a network, in ``work[:, 0]``."""
        for item in range(lane(), _PARTS * _PARTS, lanes()):
            e, part = item // _PARTS, item % _PARTS
            value = 0.0
            if first + e < partial.shape[2]:
                for n in range(part, number, _PARTS):
                    value += np.float64(partial[row, n, first + e])
            work[e, part] = value
        sync()
        for e in range(lane(), _PARTS, lanes()):
            value = work[e, 0]
            for part in range(1, _PARTS):
                value += work[e, part]
            work[e, 0] = value
        sync()

    @target.routine
    def of_row(all_matrices, row):
        m = all_matrices
        return Matrices(
            m.factor[row], m.pivot[row], m.rank[row], m.cross[row], m.parent[row], m.kind[row], m.covariance[row],
            m.gram[row], m.xx[row], m.distance[row], m.excess[row], m.xd[row], m.b[row], m.solved[row],
            m.feedback[row], m.root[row], m.root_pivot[row], m.overlap[row], m.relative[row], m.residual[row],
            m.power[row],
        )  # fmt: skip

    @target.routine
    def want(c, row, layer, networks, grams, matrices, wanted):
        """What units of a layer need to know, in their precision."""
        line = line_of(c, row, layer, networks, grams, matrices)
        wanted.code[row], wanted.slope[row, 0], wanted.slope[row, 1] = line.code, line.up, line.down
        for i in range(inputs):
            for k in range(inputs):
                wanted.factor[row, i, k] = real(line.scale * matrices.factor[layer, i, k])

    @target.kernel
    def begin(networks, cell, grams, all_matrices, wanted):
        row = cuda.blockIdx.x
        if lane() == 0:
            c, matrices = cell[row], of_row(all_matrices, row)
            start(c, row, networks, grams, matrices)
            before(c, row, 0, networks, grams, matrices)
            want(c, row, 0, networks, grams, matrices, wanted)
            wanted.layer[row], wanted.again[row] = 0, 0

    @target.kernel
    def settle(layer, networks, cell, grams, all_matrices, wanted, place, partial):
        work = cuda.shared.array((_PARTS, _PARTS), np.float64)
        row = cuda.blockIdx.x
        c, matrices, active = cell[row], of_row(all_matrices, row), wanted.layer[row] == layer
        width = networks.widths[c, layer]
        # All threads have read the mark before one of them changes it.
        sync()
        for first in range(0, place.shape[0] if active else 0, _PARTS):
            total(partial, row, (width - 1) // TILE + 1, first, work)
            for e in range(lane(), min(_PARTS, place.shape[0] - first), lanes()):
                matrix, i, j = place[first + e, 0], place[first + e, 1], place[first + e, 2]
                value = work[e, 0]
                if matrix == 0:
                    matrices.xx[i, j] = value
                elif matrix == 1:
                    matrices.gram[i, j] = value
                elif matrix == 2:
                    matrices.cross[layer, i, j] = value
                else:
                    grams.silent[row, layer] = value / width
            sync()
        if active and lane() == 0:
            changed = after(c, row, layer, networks, grams, matrices)
            if changed and wanted.again[row] == 0:
                wanted.again[row] = 1
            else:
                finish(c, row, layer, networks, grams, matrices)
                wanted.again[row], wanted.layer[row] = 0, -1
                if layer + 1 < networks.depth[c]:
                    before(c, row, layer + 1, networks, grams, matrices)
                    want(c, row, layer + 1, networks, grams, matrices, wanted)
                    wanted.layer[row] = layer + 1

    @target.kernel
    def sink(layer, networks, key, cell, trial, grams, all_matrices, wanted, place, partial):
        work = cuda.shared.array((_PARTS, _PARTS), np.float64)
        row = cuda.blockIdx.x
        c, matrices = cell[row], of_row(all_matrices, row)
        active, width = layer < networks.depth[c], networks.widths[c, layer]
        for first in range(0, place.shape[0] if active else 0, _PARTS):
            total(partial, row, (width - 1) // TILE + 1, first, work)
            for e in range(lane(), min(_PARTS, place.shape[0] - first), lanes()):
                matrix, i, j = place[first + e, 0], place[first + e, 1], place[first + e, 2]
                if matrix == 0:
                    grams.gradient[row, layer, i, j] = work[e, 0]
                else:
                    matrices.xd[i, j] = work[e, 0]
            sync()
        if active and lane() == 0:
            if layer == networks.depth[c] - 1:
                turn(matrices)
            rank = below(c, row, layer, trial[row], key, networks, grams, matrices)
            if layer > 0:
                wanted.rank[row] = rank
                want(c, row, layer - 1, networks, grams, matrices, wanted)
                for m in range(columns):
                    for i in range(inputs):
                        wanted.feedback[row, m, i] = real(matrices.feedback[m, i])
                    for k in range(columns):
                        wanted.root[row, m, k] = real(matrices.root[m, k])

    return begin, settle, sink


class Statistics(NamedTuple):
    """Kernels that end a batch (see `bind_statistics`)."""

    observe: Any
    accumulate: Any


@functools.cache
def bind_statistics(target: Target) -> Statistics:
    """Bind what becomes of the Gram matrices of networks.

    Parameters
    ----------
    target : Target
        That of the GPU, in double precision.

    Returns
    -------
    Statistics
        ``observe(networks, cell, grams, place, rows)``: statistics of each network, in row ``place[i]``; a block for
        each. ``accumulate(cell, rows, count, mean, deviation)``: moments of `simnn.device.moments`, of which each
        thread has one column.
    """
    observables_of, step = observables.bind(target).routine, moments.bind_step(target)

    @target.kernel
    def observe(networks, cell, grams, place, rows):
        row = cuda.blockIdx.x
        c = cell[row]
        observables_of(
            row, networks.sigma_w[c], networks.sigma_b[c], networks.widths[c], networks.depth[c], grams,
            rows[place[row]],
        )  # fmt: skip

    @target.kernel
    def accumulate(cell, rows, count, mean, deviation):
        ahead = cuda.local.array(_AHEAD, np.float64)
        j = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if j < rows.shape[1]:
            c = cell[0]
            n, m, s = count[c, j], mean[c, j], deviation[c, j]
            for first in range(0, rows.shape[0], _AHEAD):
                # What is read does not wait for what is computed.
                for i in range(_AHEAD):
                    ahead[i] = rows[min(first + i, rows.shape[0] - 1), j]
                for i in range(_AHEAD):
                    row = first + i
                    if row < rows.shape[0]:
                        if cell[row] != c:
                            count[c, j], mean[c, j], deviation[c, j] = n, m, s
                            c = cell[row]
                            n, m, s = count[c, j], mean[c, j], deviation[c, j]
                        n, m, s = step(ahead[i], n, m, s)
            count[c, j], mean[c, j], deviation[c, j] = n, m, s

    return Statistics(observe, accumulate)


class Moments(moments.Moments):
    """Moments that stay on the current device until they are asked for.

    Parameters
    ----------
    cells, columns : int
        Of the sweep, and statistics of each.
    """

    def __init__(self, cells: int, columns: int) -> None:
        super().__init__(cells, columns)
        self.on_device = tuple(map(cuda.to_device, (self.count, self.mean, self.deviation)))

    def add(self, cell: Any, rows: Any) -> None:
        """Add trials.

        Parameters
        ----------
        cell : (n,) int array
            Cell of each, at least one, on the host.
        rows : (n, columns) float64 array
            Their statistics, on the device.
        """
        accumulate = bind_statistics(gpu.target(np.float64)).accumulate
        accumulate[-(-rows.shape[1] // THREADS), THREADS](cuda.to_device(cell), rows, *self.on_device)

    def averages(self) -> Any:
        """Means and standard errors.

        Returns
        -------
        tuple of (cells, columns) float64 array
            As of `simnn.device.moments.Moments`, on the host.
        """
        self.count, self.mean, self.deviation = (array.copy_to_host() for array in self.on_device)
        return super().averages()


class _Joined(NamedTuple):
    """Sums over each tile (networks, tiles, sums), and the statistics of each network (networks, columns)."""

    partial: Any
    rows: Any


class Sampler:
    """The sampler of one sweep on one GPU.

    Parameters
    ----------
    real : type
        Precision of the units.
    networks : Networks
        Points of the sweep.
    outputs : int
        C.
    key : (2,) uint64 array
        Words of the seed.
    threads : int
        Threads of a block.
    reserved : int
        Bytes of the device that others will need.

    Attributes
    ----------
    most : int
        Networks that the free memory of the device has room for at a time.

    Raises
    ------
    MemoryError
        If there is no room for one.
    """

    def __init__(
        self, real: type, networks: Networks, outputs: int, key: Any, threads: int = THREADS, reserved: int = 0
    ) -> None:
        self.target, self.host, self.outputs, self.threads = gpu.target(real), networks, outputs, threads
        self.inputs, self.itemsize = len(networks.order), np.dtype(real).itemsize
        self.rows = rows_of(self.inputs, outputs)
        self.in_shared = self.rows.total * TILE * self.itemsize <= SHARED_BYTES
        self.arrays: list[Any] = []
        self.capacity = 0
        self.most = self._room(reserved)
        self.networks = Networks(*(cuda.to_device(np.ascontiguousarray(array)) for array in networks))
        self.key = cuda.to_device(key)
        self.pairs_up, self.place_up, self.pairs_down, self.place_down = map(cuda.to_device, _pairs(self.rows))

    def _shapes(self, count: int) -> dict[Any, dict[str, tuple[tuple[int, ...], type]]]:
        """Shapes and types of what that many networks keep on the device."""
        real, k, m = self.target.real, self.inputs, self.inputs * self.outputs
        width, depth = int(self.host.widths.max()), self.host.widths.shape[1]
        sums = max(len(pairs) for pairs in _pairs(self.rows))
        columns = observables.columns(depth, k, self.outputs)
        return {
            Grams: observables.grams(count, depth, k, self.outputs),
            Matrices: layers.matrices((count,), k, self.outputs, depth),
            Wanted: {
                "layer": ((count,), np.int64), "again": ((count,), np.int64), "code": ((count,), np.int64),
                "slope": ((count, 2), real), "factor": ((count, k, k), real), "feedback": ((count, m, k), real),
                "root": ((count, m, m), real), "rank": ((count,), np.int64),
            },
            _Joined: {
                "partial": ((count, (width - 1) // TILE + 1, sums), real), "rows": ((count, columns), np.float64)
            },
        }  # fmt: skip

    def _room(self, reserved: int) -> int:
        arrays = (shape_and_type for group in self._shapes(1).values() for shape_and_type in group.values())
        one = sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in arrays)
        space = 0 if self.in_shared else BLOCKS * self.rows.total * TILE * self.itemsize
        advice = "follow fewer inputs, outputs or layers, or a narrower network"
        return gpu.budget(one, space + reserved, advice)

    def _held(self, count: int) -> list[Any]:
        """Arrays for that many networks, allocated anew only if there were never so many."""
        if self.capacity < count:
            self.arrays.clear()  # the device need not hold both
            for group, shapes in self._shapes(count).items():
                self.arrays.append(group(*(cuda.device_array(shape, kind) for shape, kind in shapes.values())))
            self.capacity = count
        return [type(group)(*(array[:count] for array in group)) for group in self.arrays]

    def run(self, cell: Any, trial: Any, stop: Any) -> Any:
        """Sample tasks; those of one activation together.

        Parameters
        ----------
        cell, trial : (tasks,) int64 array
            Task i is trial ``trial[i]`` of network ``cell[i]``; at least one task, and at most `most`.
        stop : (1,) int64 array
            Not zero once the caller wants no more.

        Returns
        -------
        (tasks, columns) float64 array
            Statistics of the tasks, on the device; the next run overwrites them.
        """
        rows = self._held(len(cell))[-1].rows
        for code in np.unique(self.host.code[cell]):
            mine = np.flatnonzero(self.host.code[cell] == code)
            self._run(int(code), mine, cell[mine], trial[mine], rows, stop)
        cuda.synchronize()
        return rows

    def _run(self, code: int, place: Any, cell: Any, trial: Any, rows: Any, stop: Any) -> None:
        """Tasks of one activation, all in one grid."""
        kernel = bind(self.target, code, self.inputs, self.outputs, self.in_shared)
        grams, matrices, wanted, (partial, _) = self._held(len(cell))
        networks = self.networks
        shape, forest = _part(Shape, networks), _part(Forest, matrices)
        cells, trials = cuda.to_device(cell), cuda.to_device(trial)
        items = len(cell) * partial.shape[1]
        grid = min(items, 2**30) if self.in_shared else min(items, BLOCKS)
        space = cuda.device_array((1, 1, 1) if self.in_shared else (grid, self.rows.total, TILE), self.target.real)
        many, one_each = (grid, self.threads), (len(cell), self.threads)
        depth = int(self.host.depth[cell].max())
        kernel.begin[one_each](networks, cells, grams, matrices, wanted)
        for layer in range(depth):
            # An edge of the forest that is cut or mended wants the layer again; blocks of others return at once.
            for _ in range(1 if self.inputs == 1 else 2):
                if stop[0] != 0:
                    return
                kernel.rise[many](layer, shape, self.key, cells, trials, forest, wanted, self.pairs_up, space, partial)
                kernel.settle[one_each](layer, networks, cells, grams, matrices, wanted, self.place_up, partial)
        for layer in range(depth - 1, -1, -1):
            if stop[0] != 0:
                return
            kernel.fall[many](layer, shape, self.key, cells, trials, forest, wanted, self.pairs_down, space, partial)
            kernel.sink[one_each](
                layer, networks, self.key, cells, trials, grams, matrices, wanted, self.place_down, partial
            )
        observe = bind_statistics(gpu.target(np.float64)).observe
        observe[one_each](networks, cells, grams, cuda.to_device(place), rows)
