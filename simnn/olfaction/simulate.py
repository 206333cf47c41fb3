"""``simulate``, ``draw_odors``: validate, run in kernels, return a dataset."""

import contextlib
import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn import running, sampling, sweeps
from simnn.device import backends
from simnn.olfaction import codes, model, readout, receptors
from simnn.olfaction.model import Experiment, Run, Sweep
from simnn.olfaction.statistics import Gram
from simnn.olfaction.wiring import Wiring, draw_wiring, given_wiring

if TYPE_CHECKING:
    import xarray as xr

    from simnn.olfaction.cpu import Circuit, Counts, Source

    Array = NDArray[np.float64]

_FASTEST = 1e6
"""Rates in spikes/s beyond which a power of them could leave single precision."""

_COPIES, _MORE_COPIES = 2, 5
"""Columns of the stream of odors: of their first noisy copies, and of the second ones, with others after these."""

_CHUNK = 4096
"""Odors that are coded before their codes are counted: whole tiles."""

_LONG_NAMES = {
    "glomeruli": "glomeruli",
    "kenyon_cells": "Kenyon cells",
    "claws": "inputs of each Kenyon cell, 0 for all glomeruli",
    "replacement": "whether a cell may draw a glomerulus more than once",
    "weights": "law of the weights",
    "inhibition": "whether the mean weight is subtracted",
    "sparsening": "what decides which cells are active",
    "coding_level": "fraction of active cells that is asked for",
    "odors": "odors",
    "channel_correlation": "correlation of any two glomeruli over odors",
    "input_correlation": "correlation of an odor and its partner",
    "noise": "1 - correlation of a noisy copy with its odor",
    "convention": "variance of noisy copies",
    "normalization": "what projection neurons make of rates of receptor neurons",
    "input_gain": "strength of lateral inhibition among projection neurons",
    "readout": "how a readout learns the labels of odors",
    "members": "noisy copies of each odor",
    "trial": "wiring and set of odors",
}

_COLUMNS = {
    "dimension": "dimension of the codes, for all odors that these are drawn from",
    "raw_dimension": "participation ratio of the codes of these odors",
    "drive_correlation": "correlation of the drives of an odor and its partner, before any threshold",
    "output_correlation": "correlation of the codes of an odor and its partner",
    "cluster_noise": "1 - correlation of the codes of an odor and its noisy copy",
    "readout_error": "fraction of noisy copies that a readout of all odors gets wrong",
    "activity": "fraction of active cells, reached",
    "odor_activity_deviation": "standard deviation over odors of the fraction of active cells",
    "cell_activity_deviation": "standard deviation over cells of the fraction of odors they respond to",
    "silent_fraction": "fraction of cells that respond to no odor",
    "silent_odor_fraction": "fraction of odors that no cell responds to",
    "population_sparseness": "sparseness over cells, mean over odors that are not silent",
    "lifetime_sparseness": "sparseness over odors, mean over cells that are not silent",
}

_STATISTICS = len(_COLUMNS) + len(readout.COLUMNS)


@dataclass(frozen=True)
class _Data:
    """What is given instead of drawn.

    Attributes
    ----------
    responses : (P, N) float32 array or None
        Odors, to be taken in random order.
    wiring : Wiring or None
        Without inhibition.
    frequencies : (N,) array or None
        Of glomeruli.
    """

    responses: "NDArray[np.float32] | None" = None
    wiring: Wiring | None = None
    frequencies: "Array | None" = None


def _simulate(given: dict[str, Any]) -> "xr.Dataset":
    parameters = dict(given)
    progress = parameters.pop("progress", None)
    plan, data = _plan(parameters)
    _check_memory(plan)
    columns, device = _columns(plan), None
    if not any(experiment.without_cuda() for experiment in plan.experiments):
        device = backends.choose(plan.run.backend, _seconds(plan))

    def sample(point: int, first: int, count: int, stop: NDArray[np.int64]) -> "Array":
        experiment, run = plan.experiments[point], plan.run
        rows = [_trial(experiment, data, run, trial, device, stop) for trial in range(first, first + count)]
        return np.reshape(rows, (count, _STATISTICS))[:, : len(columns)]

    # Margins are found with QR, whose threads get into each other's way (4 s instead of 0.06 at M = 500).
    blas = running.one_thread_of_blas() if columns is not _COLUMNS else contextlib.nullcontext()
    with blas, backends.use(device):
        values = sampling.collect(len(plan.experiments), plan.run, columns, sample, "wiring", progress, device)
    fixed = {name: getattr(plan.experiments[0], name) for name in model.SWEPT if name not in plan.axes}
    title = "Sparse codes of random expansions"
    return sampling.dataset(title, plan.axes, plan.run, columns, values, _LONG_NAMES, fixed | _digests(data), device)


def _seconds(plan: Sweep) -> float:
    """What the host takes, roughly: .1 ns for each odor, partner and copy, cell and claw; competition, three times."""
    from simnn.device.targets import threads

    inputs = sum(
        (2 + e.members) * e.odors * e.kenyon_cells * ((e.claws or e.glomeruli) + 20 * (e.sparsening == "winners"))
        for e in plan.experiments
    )
    return 1e-10 * inputs * plan.run.trials / threads()


@sweeps.in_order_given(_simulate)
def simulate(
    *,
    glomeruli: ArrayLike = 50,
    kenyon_cells: ArrayLike = 2000,
    claws: ArrayLike = 7,
    replacement: bool | Sequence[bool] = False,
    weights: str | Sequence[str] = "binary",
    inhibition: str | Sequence[str] = "none",
    sparsening: str | Sequence[str] = "cell",
    coding_level: ArrayLike = 0.1,
    odors: ArrayLike = 1000,
    channel_correlation: ArrayLike = 0.0,
    input_correlation: ArrayLike = 0.5,
    noise: ArrayLike = 0.05,
    convention: str | Sequence[str] = "normalised",
    normalization: str | Sequence[str] = "none",
    input_gain: ArrayLike = receptors.INPUT_GAIN,
    readout: str | Sequence[str] = "hebbian",
    members: ArrayLike = 1,
    responses: ArrayLike | None = None,
    connections: Any = None,
    frequencies: ArrayLike | None = None,
    pairs: int = 1000,
    trials: int = 10,
    first_trial: int = 0,
    seed: int = 0,
    backend: str = "auto",
    keep_trials: bool = False,
    progress: bool | None = None,
) -> "xr.Dataset":
    """Measure the sparse codes that random expansions make of odors.

    Parameters
    ----------
    glomeruli, kenyon_cells : int or sequence of int
        Input channels N and cells M.
    claws : int or sequence of int
        Inputs K of each cell; 0 for all glomeruli.
    replacement : bool or sequence of bool
        Whether a cell may draw a glomerulus more than once.
    weights : str or sequence of str
        Law of the weights of inputs, one of `simnn.olfaction.weights.WEIGHTS`.
    inhibition : {"none", "balanced"} or sequence of them
        Whether the mean of the matrix of weights is subtracted from its entries.
    sparsening : {"cell", "global", "winners"} or sequence of them
        A cell is active where its drive exceeds its own threshold; where it exceeds one that all cells share; or if it
        is among the ``round(f M)`` cells with the largest drives to the odor. Thresholds are those of all Gaussian
        odors, or of the given odors of the trial, normalised if normalization is asked for.
    coding_level : float or sequence of float
        Fraction f of active cells, inside (0, 1).
    odors : int or sequence of int
        Number P of odors.
    channel_correlation : float or sequence of float
        Correlation of any two glomeruli over odors, which are standard normal otherwise.
    input_correlation : float or sequence of float
        Correlation of each odor and its partner: a second odor, for correlations of drives and codes.
    noise : float or sequence of float
        DeltaS, 1 - correlation, of the noisy copies of each odor, for ``cluster_noise`` and ``readout_error``; see
        `simnn.olfaction.theory.input_noise`.
    convention : {"normalised", "additive"} or sequence of them
        Whether a copy has the variance of odors, ``(1 - DeltaS) x + ...``, or that of the noise on top.
    normalization : {"none", "divisive"} or sequence of them
        What Kenyon cells listen to: the odors; or projection neurons with the lateral inhibition of
        `projection_neurons`, for which ``responses``, needed then, are absolute rates of receptor neurons in spikes/s,
        0 to 1e6. Partners and noisy copies are rates too: what noise takes below zero is set to zero, and so reaches
        cells with somewhat less noise than asked for.
    input_gain : float or sequence of float
        Strength m of that inhibition, >= 0; of no account without normalization.
    readout : {"hebbian", "max_margin"} or sequence of them
        How a readout learns random labels of all odors of the trial, to be tested on their copies: from the sum of
        codes, less the coding level, times labels; or as the hyperplane, with a free threshold, that separates the
        codes by the largest margin, certified as in `simnn.capacity.margin`. The labels are the same.
    members : int or sequence of int
        Noisy copies of each odor, 1 to 32768, independent of each other: the members of its cluster, all of which count
        for ``cluster_noise`` and ``readout_error``. The odors themselves are the centres, which are learnt. More
        members are the same ones and some more.
    responses : (n, N) array, optional
        Odors to draw from without replacement, one in each row, instead of Gaussian ones, for instance rates of
        receptor neurons with ``normalization="divisive"``; ``glomeruli`` and ``channel_correlation`` are then left out,
        and ``odors`` is by default all. Noise is normal then too, with the variance of each channel.
    connections : (M, N) array, optional
        Weights, one cell in each row, instead of random ones: a connectome, or one of `simnn.olfaction.nulls`;
        ``glomeruli``, ``kenyon_cells``, ``claws``, ``replacement`` and ``weights`` are then left out.
    frequencies : (N,) array, optional
        How often a claw chooses each glomerulus, up to a factor; ``glomeruli`` is then left out.
    pairs : int
        Odors of a trial, the first ones, all pairs of which count for the dimensions, and whose drives are compared
        with those of their partners.
    trials : int
        Wirings, each with a set of odors, for each point of the sweep.
    first_trial : int
        Number of the first trial. Trial t is the same in every run with the same seed.
    seed : int
        In [0, 2^64).
    backend : str
        Where kernels run: ``"cpu"``; ``"cuda"``, or ``"cuda:1"`` for the second GPU (not with
        ``readout="max_margin"``); ``"auto"`` takes a GPU if there is one and the work is large enough. Odors and
        wirings are the same, and so are codes but where a drive is within rounding of its threshold.
    keep_trials : bool
        Keep a ``trial`` dimension instead of mean and standard error.
    progress : bool, optional
        Show progress; by default only on a terminal.

    Returns
    -------
    xarray.Dataset
        Dimensions: the parameters given as sequences, in the order given, and ``trial`` if kept. With
        ``<name>_stderr`` unless trials are kept: ``dimension``, the estimate over pairs of odors without bias
        (`simnn.olfaction.statistics.pair_dimension`), and ``raw_dimension``, the participation ratio of these odors;
        ``drive_correlation``, of the drives of an odor and its partner before any threshold, for the odors that count
        for dimensions: ``input_correlation`` itself for Gaussian odors, whatever the wiring; ``output_correlation`` and
        ``cluster_noise`` of their codes, and of those of an odor and each of its copies; all three from covariances
        summed over cells; ``readout_error`` of the readout that learnt all odors with random labels and sees their
        copies, a field of zero being half an error; ``activity``, the coding level that is reached, and its standard
        deviations over odors and over cells; ``silent_fraction`` of the cells and ``silent_odor_fraction``;
        ``population_sparseness`` and ``lifetime_sparseness``.

        If a point asks for ``readout="max_margin"``, and NaN at all others: ``separable_fraction`` of the trials in
        which the codes of all P odors are linearly separable by these labels. ``margin`` kappa, their largest one over
        ``sqrt(a (1 - a))`` with the activity a of the trial, the standard deviation of a cell: codes of cells that are
        independent of each other have that of `simnn.capacity.theory.gardner_margin` at load P / M. ``capacity``, the
        largest number of odors, in the order of the trial, whose codes are separable, P if all are: where
        ``separable_fraction`` is not 0, P cuts sequences off, and the mean is a lower bound. ``undecided_fraction`` of
        trials for which one of these could not be certified; what is not known is NaN and left out of means. There is
        no such readout where the codes are not separable: ``margin`` and ``readout_error`` are then NaN, and means are
        over the other trials, an easier choice. Labels of one class only, likely for a few odors, have no margin.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of bounds; one line names the parameter, its value and what is allowed.
    MemoryError
        If the packed codes of one set of odors for each thread, or what is needed to separate them by the largest
        margin, do not fit into this machine's memory.

    Notes
    -----
    Results do not depend on the number of threads, nor on how a run is cut into pieces. Odors are drawn and coded tile
    by tile; what is kept of a trial is its packed codes, ``P M / 8`` bytes. Only ``readout="max_margin"`` makes a
    matrix of odors and cells, and takes a time that grows as ``P M min(P, M)``.

    References
    ----------
    `simnn.olfaction.theory`; Litwin-Kumar et al. 2017, Babadi and Sompolinsky 2014.

    Examples
    --------
    >>> from simnn import olfaction
    >>> ds = olfaction.simulate(kenyon_cells=500, claws=[1, 3, 7], coding_level=0.1, odors=200, trials=2)
    >>> dict(ds.dimension.sizes)
    {'claws': 3}
    """
    raise NotImplementedError  # a signature and its documentation: the decorator runs `_simulate`


def draw_odors(
    *,
    glomeruli: int = 50,
    odors: int = 1000,
    channel_correlation: float = 0.0,
    keep: float = 1.0,
    add: float = 0.0,
    column: int = 2,
    trial: int = 0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Draw the Gaussian odors of one trial of `simulate`, or copies of them.

    Parameters
    ----------
    glomeruli, odors : int
        N and P.
    channel_correlation : float
        Correlation of any two channels.
    keep, add : float
        A copy is ``keep x + add eta``, eta of the law of the odors.
    column : int
        Which eta: 1 for partners, 2 for noisy copies.
    trial : int
        Number of the trial.
    seed : int
        In [0, 2^64).

    Returns
    -------
    (P, N) float32 array
    """
    from simnn.olfaction import cpu, kernels

    experiment = sweeps.checked(
        Experiment, {"glomeruli": glomeruli, "odors": odors, "channel_correlation": channel_correlation, "claws": 0}
    )
    source = _copies(_source(experiment, None, trial, _key(seed)), keep, add, column)
    out = np.empty((odors, glomeruli), np.float32)
    cpu.bound().draw(source, trial, _key(seed), 0, odors, kernels.space(glomeruli, 1, False), out)
    return out


# --- one trial --------------------------------------------------------------------------------------------------


def _key(seed: int) -> NDArray[np.uint64]:
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint64)


def _source(
    experiment: Experiment, responses: "NDArray[np.float32] | None", trial: int, key: NDArray[np.uint64]
) -> "Source":
    from simnn.device import philox
    from simnn.olfaction import cpu

    n, common = experiment.glomeruli, experiment.channel_correlation
    given, order = np.empty((0, n), np.float32), np.empty(0, np.int32)
    mean, deviation = np.zeros(n, np.float32), np.ones(n, np.float32)
    if responses is not None:
        given, order = responses, np.empty(experiment.odors, np.int32)
        mean = responses.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = responses.std(axis=0, dtype=np.float64).astype(np.float32)
        scratch, stream = np.arange(len(responses), dtype=np.int32), philox.ODORS * philox.COLUMNS + 4
        place = np.zeros(experiment.odors, np.int32)
        cpu.bound().choose(trial, len(responses), False, stream, key, scratch, place, order[np.newaxis])
    one, zero = np.float32(1.0), np.float32(0.0)
    parts = np.float32(math.sqrt(1.0 - common)), np.float32(math.sqrt(common))
    ceiling, gain = zero, np.float32(experiment.input_gain / receptors.TOTAL)
    if experiment.normalization == "divisive":
        ceiling = np.float32(receptors.MAXIMUM)
    half = np.float32(receptors.HALF**receptors.EXPONENT)
    return cpu.Source(given, order, *parts, mean, deviation, one, zero, 0, ceiling, half, gain)


def _copies(source: "Source", keep: float, add: float, column: int) -> "Source":
    return source._replace(keep=np.float32(keep), add=np.float32(add), column=column)


def _wiring(experiment: Experiment, data: _Data, trial: int, seed: int) -> Wiring:
    if data.wiring is not None:
        given = data.wiring
        return Wiring(given.wires, given.claws, given.glomeruli, experiment.inhibition)
    return draw_wiring(
        glomeruli=experiment.glomeruli,
        kenyon_cells=experiment.kenyon_cells,
        claws=experiment.claws,
        weights=experiment.weights,
        replacement=experiment.replacement,
        frequencies=data.frequencies,
        inhibition=experiment.inhibition,
        trial=trial,
        seed=seed,
    )


def _thresholds(
    experiment: Experiment, wiring: Wiring, source: "Source", trial: int, key: NDArray[np.uint64], device: int | None
) -> "NDArray[np.float32] | None":
    from simnn.olfaction import cpu, kernels

    level, sparsening = experiment.coding_level, experiment.sparsening
    if sparsening == "winners":
        return None
    if len(source.given) == 0:
        correlation = experiment.channel_correlation
        return codes.gaussian_thresholds(wiring, level, sparsening=sparsening, channel_correlation=correlation)
    if device is not None:
        from simnn.olfaction import cuda

        chosen, common = codes.chosen_of(experiment.odors, wiring, level, sparsening), sparsening == "global"
        return cuda.fit_drawn(source, trial, key, experiment.odors, wiring.wires, wiring.mean, chosen, common)
    odors = np.empty((experiment.odors, wiring.glomeruli), np.float32)
    space = kernels.space(wiring.glomeruli, 1, False)
    cpu.bound().draw(source, trial, key, 0, len(odors), space, odors)
    fitted: NDArray[np.float32] = codes.thresholds(odors, wiring, level, sparsening=sparsening)
    return fitted


def _circuit(
    experiment: Experiment, data: _Data, pairs: int, seed: int, trial: int, device: int | None = None
) -> "Circuit":
    from simnn.olfaction import cpu

    key = _key(seed)
    wiring, source = _wiring(experiment, data, trial, seed), _source(experiment, data.responses, trial, key)
    law = codes.rule(wiring, experiment.coding_level, _thresholds(experiment, wiring, source, trial, key, device))
    rho, kept = experiment.input_correlation, 1.0 - experiment.noise
    partners = _copies(source, rho, math.sqrt(1.0 - rho * rho), 1)
    amplitude = math.sqrt(experiment.noise * (1.0 + kept))
    normalised = experiment.convention == "normalised"
    how = (kept, amplitude) if normalised else (1.0, amplitude / kept)
    members = tuple(
        _copies(source, *how, _COPIES if member == 0 else _MORE_COPIES + member - 1)
        for member in range(experiment.members)
    )
    level, odors = experiment.coding_level, experiment.odors
    return cpu.Circuit(wiring.wires, law, source, partners, members, trial, key, odors, pairs, level, wiring.mean)


def _count(circuit: "Circuit", max_margin: bool, stop: NDArray[np.int64]) -> "Counts | None":
    """Sums over codes; None if not wanted any more."""
    from simnn.olfaction import cpu, kernels

    k, p, m, trial, key = cpu.bound(), circuit.odors, len(circuit.wires.count), circuit.trial, circuit.key
    space, words = kernels.space(len(circuit.source.mean), m, circuit.rule.winners > 0), kernels.words_of(m)
    packed = np.empty((p, words), np.uint64)
    label, active = np.empty(p, np.int8), np.empty(p, np.int64)
    weight, total, other_total, copy_total = np.zeros((4, 64 * words), np.int64)
    other, other_active = np.empty((min(_CHUNK, p), words), np.uint64), np.empty(min(_CHUNK, p), np.int64)

    def code(law_of_odors: "Source", first: int, last: int, out: NDArray[np.uint64]) -> NDArray[np.uint64]:
        k.encode_drawn(law_of_odors, trial, key, circuit.wires, circuit.rule, first, last, space, out)
        return out[: last - first]

    chunks = [(first, min(first + _CHUNK, p)) for first in range(0, p, _CHUNK)]
    both, both_copies, errors = 0, 0, 0.0
    for first, last in chunks:
        if stop[0]:
            return None
        mine = code(circuit.source, first, last, packed[first:last])
        k.learn(mine, first, trial, key, label[first:last], weight, total)
        partner = code(circuit.partners, first, last, other)
        both += k.shared(mine, partner)
        k.count(partner, other_active, other_total)
    offset, bias = circuit.readout(label, weight)
    best = readout.learn(packed, label, m, stop) if max_margin else None
    if best is not None and math.isnan(best.threshold):
        errors = math.nan
    for first, last in chunks:
        for member in circuit.copies:
            if stop[0]:
                return None
            copy = code(member, first, last, other)
            both_copies += k.shared(packed[first:last], copy)
            k.count(copy, other_active, copy_total)
            if best is None:
                errors += k.wrong(copy, label[first:last], weight, offset, bias)
            else:
                rounding = readout.ROUNDING * math.sqrt(m)
                errors += k.misread(copy, label[first:last], best.weights, best.threshold, rounding)
    k.count(packed, active, np.zeros_like(total))
    pairs = min(circuit.pairs, p)
    own, sums = np.empty(pairs, np.int64), np.zeros(pairs, np.int64)
    square = k.overlap_sums(packed[:pairs], own, sums)
    drives = _drive_correlation(circuit)
    return cpu.Counts(
        both, both_copies, errors, total, other_total, copy_total, active, own, sums, square, drives, best
    )


def _drive_correlation(circuit: "Circuit") -> float:
    from simnn.olfaction import cpu, kernels

    n, odors = len(circuit.source.mean), min(circuit.pairs, circuit.odors)
    one, two = (kernels.space(n, len(circuit.wires.count), False) for _ in range(2))
    sums, totals = np.zeros((3, kernels.LANES)), np.zeros((2, n))
    cpu.bound().drive_products(
        circuit.source, circuit.partners, circuit.trial, circuit.key, circuit.wires, np.float32(circuit.mean), odors,
        one, two, sums, totals,
    )  # fmt: skip
    return circuit.drive_correlation(sums.sum(axis=1), totals)


def _trial(
    experiment: Experiment, data: _Data, run: Run, trial: int, device: int | None, stop: NDArray[np.int64]
) -> "Array":
    """Statistics of one wiring and one set of odors, as in `_columns`; NaN if not wanted any more."""
    circuit = _circuit(experiment, data, run.pairs, run.seed, trial, device)
    if device is None:
        counts = _count(circuit, experiment.readout == "max_margin", stop)
    else:
        from simnn.olfaction import cuda

        counts = cuda.count(circuit, stop)
    if counts is None:
        return np.full(_STATISTICS, np.nan)
    return _statistics(counts, experiment)


def _statistics(counts: "Counts", experiment: Experiment) -> "Array":
    p, m, own = experiment.odors, experiment.kenyon_cells, counts.own.astype(np.float64)
    gram = Gram(len(own), own, counts.sums.astype(np.float64), float(counts.square))
    by_odor, by_cell = counts.active / m, counts.total[:m] / p
    return np.array(
        [
            gram.pair_dimension(),
            gram.raw_dimension(),
            counts.drives,
            _correlation(counts.both, counts.total, counts.other_total, p),
            1.0 - _correlation(counts.both_copies, counts.total, counts.copy_total, p, experiment.members),
            counts.errors / (p * experiment.members),
            by_cell.mean(),
            by_odor.std(),
            by_cell.std(),
            np.mean(by_cell == 0.0),
            np.mean(by_odor == 0.0),
            _sparseness(by_odor, m),
            _sparseness(by_cell, p),
            *(4 * [math.nan] if counts.best is None else counts.best.statistics(float(by_cell.mean()))),
        ]
    )


def _correlation(both: int, total: NDArray[np.int64], other: NDArray[np.int64], odors: int, members: int = 1) -> float:
    """Of the codes of odors, and of so many others of each, from covariances and variances summed over cells."""
    pairs = odors * members
    a, b = total / odors, other / pairs
    variance = float((a * (1.0 - a)).sum()) * float((b * (1.0 - b)).sum())
    return (both / pairs - float(a @ b)) / math.sqrt(variance) if variance > 0.0 else math.nan


def _sparseness(fraction: "Array", number: int) -> float:
    """Of binary responses, the mean of ``(1 - a) / (1 - 1 / number)`` over those that are not silent."""
    heard = fraction[fraction > 0.0]
    return float((1.0 - heard).mean()) / (1.0 - 1.0 / number) if len(heard) else math.nan


# --- data that are given ----------------------------------------------------------------------------------------


def _take_data(parameters: dict[str, Any]) -> _Data:
    """Take arrays out of the parameters, and put in what follows from them."""
    responses, connections, frequencies = (
        parameters.pop(name, None) for name in ("responses", "connections", "frequencies")
    )
    settled = {
        "responses": (responses, ("glomeruli", "channel_correlation")),
        "connections": (connections, ("glomeruli", "kenyon_cells", "claws", "replacement", "weights")),
        "frequencies": (frequencies, ("glomeruli",)),
    }
    for name, (array, others) in settled.items():
        for other in others if array is not None else ():
            if other in parameters:
                raise ValueError(f"{other}: not allowed with {name}, which settles it")
    if connections is not None and frequencies is not None:
        raise ValueError("frequencies: not allowed with connections, which settle them")
    rows, wiring, shares = None, None, None
    if connections is not None:
        wiring = given_wiring(connections)
        parameters |= {"glomeruli": wiring.glomeruli, "kenyon_cells": wiring.kenyon_cells, "claws": 0}
    if frequencies is not None:
        shares = np.asarray(frequencies, np.float64)
        if shares.ndim != 1:
            raise ValueError(f"frequencies: shape {shares.shape} is not allowed: should be 1-D")
        parameters["glomeruli"] = len(shares)
    if responses is not None:
        rows = np.asarray(responses)
        if rows.ndim != 2 or rows.dtype.kind not in "biuf" or 0 in rows.shape:
            raise ValueError(f"responses: shape {rows.shape} is not allowed: should be numbers, one odor in each row")
        if parameters.setdefault("glomeruli", rows.shape[1]) != rows.shape[1]:
            raise ValueError(f"responses: {rows.shape[1]} glomeruli are not allowed: the wiring has others")
        if not np.isfinite(rows).all() or np.abs(rows).max() > 1e30:
            raise ValueError("responses: not allowed: should be finite")
        parameters.setdefault("odors", len(rows))
        rows = np.ascontiguousarray(rows, np.float32)
    return _Data(rows, wiring, shares)


def _plan(parameters: dict[str, Any]) -> tuple[Sweep, _Data]:
    data = _take_data(parameters)
    plain = {name: sweeps.plain(name, value) for name, value in parameters.items()}
    available = None if data.responses is None else len(data.responses)
    plan = model.sweep(plain, available, data.wiring is not None)
    if data.responses is not None and any(e.normalization != "none" for e in plan.experiments):
        _check_rates(data.responses)
    return plan, data


def _check_rates(responses: "NDArray[np.float32]") -> None:
    wrong = (responses < 0.0) | (responses > _FASTEST)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"responses: {responses[row, column]:g} at [{row}, {column}] is not allowed with normalization 'divisive': "
            f"should be rates of receptor neurons, 0 to {_FASTEST:g} spikes/s"
        )


# --- the loop ---------------------------------------------------------------------------------------------------


def _check_memory(plan: Sweep) -> None:
    from simnn.device.targets import threads

    needed = threads() * max(
        e.kenyon_cells * ((e.odors + _CHUNK) / 8 + 512 + 32 * (e.claws or e.glomeruli)) + 17 * e.odors
        for e in plan.experiments
    )
    needed += 8 * len(_columns(plan)) * len(plan.experiments) * (plan.run.trials if plan.run.keep_trials else 8)
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise MemoryError(
            f"the sweep needs about {needed / 2**30:.1f} GiB and this machine has {available / 2**30:.1f} GiB; "
            "use fewer odors, cells or threads, or keep fewer trials"
        )
    for e in plan.experiments:
        if e.readout == "max_margin":
            readout.check_memory(e.odors, e.kenyon_cells, threads())


def _columns(plan: Sweep) -> dict[str, str]:
    """Statistics of a sweep and their long names: those of margins only if they are asked for."""
    asked = any(e.readout == "max_margin" for e in plan.experiments)
    return _COLUMNS | readout.COLUMNS if asked else _COLUMNS


def _digests(data: _Data) -> dict[str, str]:
    arrays = {
        "responses": data.responses,
        "connections": None if data.wiring is None else data.wiring.sparse().toarray(),
        "frequencies": data.frequencies,
    }
    return {
        name: f"sha256:{hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}"
        for name, array in arrays.items()
        if array is not None
    }
