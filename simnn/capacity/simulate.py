"""``simulate``, ``stopping_time``, ``largest_margin``, ``draw``: validate, run in kernels, return a dataset."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn import sampling, sweeps
from simnn.capacity import model
from simnn.capacity.given import finite_matrix
from simnn.capacity.model import Experiment, Sweep
from simnn.device import backends
from simnn.sweeps import Run

if TYPE_CHECKING:
    import xarray as xr

    Array = NDArray[np.float64]
    Sampler = Callable[["_Sets"], Array]

# Bounds of a largest margin that agree to this are one number.
_GAP = 1e-9

_LONG_NAMES = {
    "dimension": "components of a pattern",
    "load": "patterns per dimension",
    "ensemble": "what components are of their drives",
    "activity": "fraction of components that are 1",
    "correlation": "correlation of any two drives of a pattern",
    "inputs": "inputs that drives are combinations of, 0 for none",
    "claws": "inputs of each drive, 0 for all",
    "bias": "whether there is a threshold",
    "extent": "dimension of the balls that patterns are, 0 for points",
    "radius": "radius of the balls over the distance of their centres",
    "coding_level": "probability of the label +1",
    "margin": "distance that patterns of length sqrt(dimension) must keep",
    "constrained": "fraction of the weights that must be positive",
    "solver": "which solver decides",
    "trial": "random set of patterns",
}


@dataclass(frozen=True)
class _Data:
    """What is given instead of drawn.

    Attributes
    ----------
    patterns : (P, N) array or None
        Patterns, to be taken in random order.
    factor : (N, inputs) array or None
        L with ``L L^T`` the covariance of the drives.
    """

    patterns: "Array | None" = None
    factor: "Array | None" = None

    @property
    def matrix(self) -> "Array | None":
        """The one of the two that is given."""
        return self.factor if self.patterns is None else self.patterns


@dataclass(frozen=True)
class _Sets:
    """Sets of patterns: some trials of a point of a sweep.

    Attributes
    ----------
    experiment : Experiment
        The point.
    data : _Data
        What is given.
    trials, first : int
        How many trials, and the number of the first.
    key : (2,) uint64 array
        Seed.
    stop : (1,) int64 array
        Not zero once results are not wanted any more.
    """

    experiment: Experiment
    data: _Data
    trials: int
    key: NDArray[np.uint64]
    first: int
    stop: NDArray[np.int64]

    @property
    def law(self) -> Any:
        """Law of the patterns."""
        return _law(self.experiment, self.data, self.experiment.patterns)

    @property
    def draws(self) -> Any:
        """Scratch of the random patterns."""
        return _draws(self.experiment, self.data)

    def space(self) -> Any:
        """Scratch of one thread."""
        e = self.experiment
        return _space(e, self.data, e.positive_weights + e.patterns, self.stop)

    def on_cpu(self, kernel: Callable[..., Any], out: "Array", rows: NDArray[np.integer[Any]]) -> None:
        """Run ``kernel(key, first, out, space)`` for some of the trials, whose rows of ``out`` it writes."""
        if len(rows) > 0:
            space = self.space()
            for row in rows:
                kernel(self.key, self.first + int(row), out[row : row + 1], space)


@dataclass(frozen=True)
class _Measure:
    """What one of the functions below returns.

    Attributes
    ----------
    title : str
        Of the dataset.
    columns : dict of str to str
        Long names of its statistics.
    sample : callable
        ``sample(sets)``: statistics of some trials, (trials, columns); NaN where a trial does not have one.
    unused : tuple of str
        Parameters of `Experiment` that it does not take.
    most : callable
        Largest number of patterns that an experiment may need.
    on_gpu : callable, optional
        ``sample`` on the current GPU, if there is such a thing.
    """

    title: str
    columns: dict[str, str]
    sample: "Sampler"
    unused: tuple[str, ...] = ()
    most: Callable[[Experiment], int] = lambda experiment: experiment.patterns
    on_gpu: "Sampler | None" = None


def _simulate(given: dict[str, Any]) -> "xr.Dataset":
    return _run(
        given,
        _Measure(
            "Linear separability of random patterns",
            {
                "separable_fraction": "fraction of sets of patterns that are separable",
                "undecided_fraction": "fraction of sets of patterns without a certified verdict",
                "steps": "steps of the solver",
                "silent_fraction": "fraction of the patterns of a set that vanish",
                "duplicate_fraction": "fraction of the patterns of a set that repeat an earlier one",
                "contradictory_fraction": "fraction of the patterns of a set that repeat one with the other label",
            },
            _verdicts,
            on_gpu=_verdicts_on_gpu,
        ),
    )


@sweeps.in_order_given(_simulate)
def simulate(
    *,
    dimension: ArrayLike = 100,
    load: ArrayLike = 2.0,
    ensemble: str | Sequence[str] = "gaussian",
    activity: ArrayLike = 0.5,
    correlation: ArrayLike = 0.0,
    inputs: ArrayLike = 0,
    claws: ArrayLike = 0,
    extent: ArrayLike = 0,
    radius: ArrayLike = 0.0,
    bias: bool | Sequence[bool] = False,
    coding_level: ArrayLike = 0.5,
    margin: ArrayLike = 0.0,
    constrained: ArrayLike = 0.0,
    solver: str | Sequence[str] = "auto",
    patterns: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    trials: int = 100,
    first_trial: int = 0,
    seed: int = 0,
    backend: str = "auto",
    keep_trials: bool = False,
    progress: bool | None = None,
) -> "xr.Dataset":
    """Measure how often random labelled patterns are linearly separable.

    Parameters
    ----------
    dimension : int or sequence of int
        Components N of a pattern.
    load : float or sequence of float
        Patterns per dimension; there are ``round(load * dimension)`` of them.
    ensemble : {"gaussian", "rademacher", "relu", "threshold", "winners"} or sequence of them
        What components are made of *drives*, standard normal numbers, one for each: the drive itself; its sign; its
        positive part; 1 where it exceeds the threshold of a given ``activity``, else 0; 1 for the largest drives of a
        pattern (of equal ones the first), else 0.
    activity : float or sequence of float
        Probability that a component of ``"threshold"`` is 1, or the fraction of components of ``"winners"`` that are;
        inside (0, 1).
    correlation : float or sequence of float
        Correlation of any two drives of a pattern, which share one normal number; in [0, 1).
    inputs : int or sequence of int
        If not zero, drives are combinations of so many independent normal inputs, with random weights that are drawn
        for each set of patterns: an expansion, if there are fewer inputs than components.
    claws : int or sequence of int
        If not zero, each combination has equal weights on so many inputs, else normal weights on all of them.
    extent : int or sequence of int
        If not zero, patterns are balls of this dimension around random centres, in random directions, and are separable
        if all of their points are: segments, if it is 1. Gaussian patterns without a margin or constraints only.
    radius : float or sequence of float
        Radius of the balls over the distance of their centres from the origin.
    bias : bool or sequence of bool
        Whether the unit has a free threshold.
    coding_level : float or sequence of float
        Probability of the label +1, in [0, 1].
    margin : float or sequence of float
        Distance from the hyperplane that all patterns must keep, >= 0, for patterns scaled to length
        ``sqrt(dimension)``. Zero asks for strict separability.
    constrained : float or sequence of float
        Fraction of the weights, the first ones, that must be positive, in [0, 1]; with a margin they may be zero.
    solver : {"auto", "newton", "nearest"} or sequence of them
        Which solver decides strict separability: finite Newton, and nearest point where that fails; or one alone.
    patterns : (P, N) array_like, optional
        Patterns to be taken in random order, with random labels, instead of random ones: ``dimension`` and what else
        makes patterns is then left out, and ``load`` is that of all of them by default.
    covariance : (N, N) array_like, optional
        Covariance of the drives; ``dimension`` is then left out.
    trials : int
        Random sets of patterns for each point of the sweep.
    first_trial : int
        Number of the first trial. Trial t is the same set in every run with the same seed.
    seed : int
        In [0, 2^64).
    backend : str
        Where kernels run: ``"cpu"``; ``"cuda"``, or ``"cuda:1"`` for the second GPU, where balls and the solver
        ``"nearest"`` are not known; ``"auto"`` takes a GPU if there is one and the work is large enough. Verdicts are
        certified on both.
    keep_trials : bool
        Keep a ``trial`` dimension instead of mean and standard error.
    progress : bool, optional
        Show progress; by default only on a terminal.

    Returns
    -------
    xarray.Dataset
        Dimensions: the parameters given as sequences, in the order given, and ``trial`` if kept. ``separable_fraction``
        and ``undecided_fraction`` with ``<name>_stderr`` (unless trials are kept): every verdict was certified in
        float64, and what was not is counted as undecided, never as either. ``steps`` of the solver, NaN with a margin.
        Where patterns are not in general position: ``silent_fraction`` of patterns that vanish, which no weights
        without a threshold put on either side; ``duplicate_fraction`` of patterns that repeat an earlier one of their
        set; ``contradictory_fraction`` of patterns that do so with the opposite label, one of which makes a set not
        separable.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of bounds; one line names the parameter, its value and what is allowed.
    MemoryError
        If the largest problem would not fit into this machine's memory.

    Notes
    -----
    Results do not depend on the number of threads, nor on how a run is cut into pieces. Points of a sweep that differ
    in load share their patterns trial by trial: a larger load adds some.

    References
    ----------
    `simnn.capacity.theory`; solvers: `simnn.capacity.solvers`; proofs: `simnn.capacity.certificates`.

    Examples
    --------
    >>> from simnn import capacity
    >>> ds = capacity.simulate(dimension=[5, 20], load=[1.5, 2.0], trials=100)
    >>> dict(ds.separable_fraction.sizes)
    {'dimension': 2, 'load': 2}
    """
    raise NotImplementedError  # a signature and its documentation: the decorator runs `_simulate`


def _largest_margin(given: dict[str, Any]) -> "xr.Dataset":
    return _run(
        given,
        _Measure(
            "Largest margins of random patterns",
            {
                "largest_margin": "largest margin for patterns of length sqrt(dimension), 0 if nothing separates",
                "support_fraction": "fraction of the patterns that lie at the largest margin, of separable sets",
                "zero_weight_fraction": "fraction of the constrained weights that vanish, of separable sets",
                "separable_fraction": "fraction of sets of patterns that are separable",
                "undecided_fraction": "fraction of sets of patterns without a certified margin",
            },
            _margins,
            ("margin", "solver", "extent", "radius"),
            on_gpu=_margins_on_gpu,
        ),
    )


@sweeps.in_order_given(_largest_margin)
def largest_margin(
    *,
    dimension: ArrayLike = 100,
    load: ArrayLike = 1.0,
    ensemble: str | Sequence[str] = "gaussian",
    activity: ArrayLike = 0.5,
    correlation: ArrayLike = 0.0,
    inputs: ArrayLike = 0,
    claws: ArrayLike = 0,
    bias: bool | Sequence[bool] = False,
    coding_level: ArrayLike = 0.5,
    constrained: ArrayLike = 0.0,
    patterns: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    trials: int = 100,
    first_trial: int = 0,
    seed: int = 0,
    backend: str = "auto",
    keep_trials: bool = False,
    progress: bool | None = None,
) -> "xr.Dataset":
    """Measure the largest margin of random labelled patterns, and how many patterns lie on it.

    Parameters
    ----------
    dimension, load, ensemble, activity, correlation, inputs, claws, bias, coding_level, constrained
        As in `simulate`; weights that are constrained may be zero.
    patterns, covariance : array_like, optional
        As in `simulate`.
    trials, first_trial, seed, backend, keep_trials, progress : int, str, bool
        As in `simulate`.

    Returns
    -------
    xarray.Dataset
        Dimensions as in `simulate`. ``largest_margin`` kappa, for patterns scaled to length ``sqrt(dimension)``: 0
        where nothing separates; ``support_fraction`` of the patterns and ``zero_weight_fraction`` of the constrained
        weights (NaN if there are none), of separable sets. All are NaN, and left out of the mean, where a threshold
        meets a single class: there is no largest margin. ``separable_fraction``; ``undecided_fraction``, of trials
        whose lower and upper bound disagree, which count for nothing else.

    Raises
    ------
    ValueError
        As `simulate`.
    MemoryError
        As `simulate`.

    References
    ----------
    Gardner 1988, see `simnn.capacity.theory.gardner_margin` and `simnn.capacity.theory.support_vector_fraction`. The
    lower bound of each margin is that of weights that obey all constraints; the upper one follows from the multipliers.

    Examples
    --------
    >>> from simnn import capacity
    >>> ds = capacity.largest_margin(dimension=20, load=[0.5, 1.0], trials=10)
    >>> bool((ds.largest_margin > 0.0).all())
    True
    """
    raise NotImplementedError


def _stopping_time(given: dict[str, Any]) -> "xr.Dataset":
    return _run(
        given,
        _Measure(
            "Largest separable prefix of random patterns",
            {
                "stopping_time": "largest number of patterns of a sequence that are still separable",
                "undecided_fraction": "fraction of sequences without a certified end",
            },
            _stopping_times,
            ("load", "margin", "solver"),
            lambda experiment: _range(experiment)[2],
        ),
    )


@sweeps.in_order_given(_stopping_time)
def stopping_time(
    *,
    dimension: ArrayLike = 100,
    ensemble: str | Sequence[str] = "gaussian",
    activity: ArrayLike = 0.5,
    correlation: ArrayLike = 0.0,
    inputs: ArrayLike = 0,
    claws: ArrayLike = 0,
    extent: ArrayLike = 0,
    radius: ArrayLike = 0.0,
    bias: bool | Sequence[bool] = False,
    coding_level: ArrayLike = 0.5,
    constrained: ArrayLike = 0.0,
    covariance: ArrayLike | None = None,
    trials: int = 100,
    first_trial: int = 0,
    seed: int = 0,
    backend: str = "auto",
    keep_trials: bool = False,
    progress: bool | None = None,
) -> "xr.Dataset":
    """Measure how many patterns of a random sequence can be separated: the whole curve from each realisation.

    Parameters
    ----------
    dimension, ensemble, activity, correlation, inputs, claws, extent, radius, bias, coding_level, constrained
        As in `simulate`; the patterns are the same ones.
    covariance : array_like, optional
        As in `simulate`.
    trials, first_trial, seed, backend, keep_trials, progress : int, str, bool
        As in `simulate`.

    Returns
    -------
    xarray.Dataset
        Dimensions as in `simulate`. ``stopping_time`` P*: the first P* patterns are separable, P* + 1 are not, both
        certified. ``undecided_fraction`` counts sequences for which that could not be shown; they are NaN, and left out
        of the mean. ``Pr[P* >= P]`` is the probability that P patterns are separable.

    Raises
    ------
    ValueError
        As `simulate`.
    MemoryError
        As `simulate`.

    References
    ----------
    Cover 1965, see `simnn.capacity.theory.stopping_time_probability`.

    Examples
    --------
    >>> from simnn import capacity
    >>> ds = capacity.stopping_time(dimension=[5, 10], trials=50, keep_trials=True)
    >>> dict(ds.stopping_time.sizes)
    {'dimension': 2, 'trial': 50}
    """
    raise NotImplementedError


def _draw(given: dict[str, Any]) -> "tuple[Array, Array]":
    from simnn.capacity import cpu

    parameters = dict(given)
    trial = parameters.pop("trial", 0)
    plan, data = _plan(parameters | {"first_trial": trial, "trials": 1})
    for name, axis in plan.axes.items():
        raise ValueError(f"{name}: {list(axis)!r} is not allowed: should be a single value")
    experiment = plan.experiments[0]
    out, labels = np.empty((experiment.patterns, experiment.dimension)), np.empty(experiment.patterns)
    space = _space(experiment, data, 1, np.zeros(1, np.int64))
    cpu.kernels().raw(_law(experiment, data, experiment.patterns), trial, _key(plan), out, labels, space.draws)
    return out, labels


@sweeps.in_order_given(_draw)
def draw(
    *,
    dimension: int = 100,
    load: float = 2.0,
    ensemble: str = "gaussian",
    activity: float = 0.5,
    correlation: float = 0.0,
    inputs: int = 0,
    claws: int = 0,
    coding_level: float = 0.5,
    patterns: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    trial: int = 0,
    seed: int = 0,
) -> "tuple[Array, Array]":
    """Draw the patterns and labels of one trial of `simulate`.

    Parameters
    ----------
    dimension, load, ensemble, activity, correlation, inputs, claws, coding_level : float, int or str
        As in `simulate`, of a single value.
    patterns, covariance : array_like, optional
        As in `simulate`.
    trial : int
        Number of the trial.
    seed : int
        As in `simulate`.

    Returns
    -------
    patterns : (P, N) array
        Float64; components as they are, not scaled.
    labels : (P,) array
        -1.0 or 1.0.

    Raises
    ------
    ValueError
        As `simulate`.

    Examples
    --------
    >>> from simnn import capacity
    >>> x, y = capacity.draw(dimension=20, load=1.5, ensemble="winners", activity=0.1)
    >>> x.shape, x.sum(axis=1).max(), sorted(set(y.tolist()))
    ((30, 20), 2.0, [-1.0, 1.0])
    """
    raise NotImplementedError


# --- samplers ---------------------------------------------------------------------------------------------------


def _law(experiment: Experiment, data: _Data, count: int) -> Any:
    from scipy.special import ndtri

    from simnn.capacity import patterns as p

    mixed = p.CLAWS if experiment.claws > 0 else p.DENSE if experiment.inputs > 0 else p.INDEPENDENT
    alone = p.COMMON if experiment.correlation > 0.0 else mixed
    return p.Law(
        patterns=count,
        dimension=experiment.dimension,
        ensemble=model.ENSEMBLES.index(experiment.ensemble),
        bias=experiment.bias,
        coding_level=experiment.coding_level,
        positive=experiment.positive_weights,
        source=alone if data.factor is None else p.MATRIX,
        correlation=experiment.correlation,
        claws=experiment.claws,
        level=-float(ndtri(experiment.activity)),
        winners=experiment.winners,
        extent=experiment.extent,
        radius=experiment.radius,
    )


def _draws(experiment: Experiment, data: _Data) -> Any:
    from simnn.capacity import patterns

    return patterns.draws(experiment.dimension, experiment.inputs, data.matrix)


def _space(experiment: Experiment, data: _Data, rows: int, stop: NDArray[np.int64]) -> Any:
    from simnn.capacity import cpu, manifolds

    size, draws = experiment.dimension + experiment.bias, _draws(experiment, data)
    if experiment.extent == 0:
        return cpu.space(rows, size, stop, draws)
    balls = manifolds.balls(rows, experiment.extent, size)
    return cpu.space(len(balls.owner), size, stop, draws, balls)


def _verdicts(sets: _Sets) -> "Array":
    from simnn.capacity import cpu

    out = np.full((sets.trials, 5), np.nan)
    cpu.kernels().verdicts(sets.law, _solver(sets.experiment), sets.key, sets.first, out, sets.space())
    return _fractions(sets.experiment, out, _bounds(sets) if sets.experiment.margin > 0.0 else None)


def _solver(experiment: Experiment) -> int:
    """Which solver decides; none, where largest margins do."""
    from simnn.capacity import solvers

    return solvers.NONE if experiment.margin > 0.0 else model.SOLVERS.index(experiment.solver)


def _fractions(experiment: Experiment, out: "Array", bounds: "Array | None") -> "Array":
    """Statistics of `simulate` from what the kernels write: verdicts and counts, and with a margin its bounds."""
    from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE

    separable, not_separable = out[:, 0] == SEPARABLE, out[:, 0] == NOT_SEPARABLE
    if bounds is not None:
        separable, not_separable = _on_either_side(experiment, bounds)
    undecided = ~(separable | not_separable)
    counts = out[:, 2:] / experiment.patterns
    return np.column_stack([separable, undecided, out[:, 1], counts]).astype(np.float64)


def _on_either_side(experiment: Experiment, bounds: "Array") -> "tuple[NDArray[np.bool_], NDArray[np.bool_]]":
    """Whether the largest margin is at least the one that is asked for, and whether it is below."""
    return bounds[:, 0] >= experiment.margin, bounds[:, 1] < experiment.margin


def _verdicts_on_gpu(sets: _Sets) -> "Array":
    """The same on a GPU; trials that it leaves are decided by the CPU."""
    from simnn.capacity import cpu, cuda

    experiment, law, solver = sets.experiment, sets.law, _solver(sets.experiment)
    found = cuda.verdicts(law, sets.key, sets.first, sets.trials, sets.draws, solver)
    sets.on_cpu(partial(cpu.kernels().verdicts, law, solver), found.values, found.left)

    def decided(bounds: "Array") -> NDArray[np.bool_]:
        return np.logical_or(*_on_either_side(experiment, bounds))

    return _fractions(experiment, found.values, _bounds_on_gpu(sets, decided) if experiment.margin > 0.0 else None)


def _bounds(sets: _Sets) -> "Array":
    from simnn.capacity import cpu

    out = np.empty((sets.trials, 4))
    cpu.kernels().margins(sets.law, sets.key, sets.first, out, sets.space())
    return out


def _bounds_on_gpu(sets: _Sets, enough: "Callable[[Array], NDArray[np.bool_]]") -> "Array":
    """The same on a GPU; trials whose bounds are not enough there are the CPU's."""
    from simnn.capacity import cpu, cuda

    law = sets.law
    bounds = cuda.margins(law, sets.key, sets.first, sets.trials, sets.draws)
    sets.on_cpu(partial(cpu.kernels().margins, law), bounds, np.flatnonzero(~enough(bounds)))
    return bounds


def _margins(sets: _Sets) -> "Array":
    return _of_bounds(sets.experiment, _bounds(sets))


def _margins_on_gpu(sets: _Sets) -> "Array":
    """The same on a GPU."""
    return _of_bounds(sets.experiment, _bounds_on_gpu(sets, _agree))


def _agree(bounds: "Array") -> NDArray[np.bool_]:
    """Whether the bounds of largest margins are one number."""
    lower, upper = bounds[:, 0], bounds[:, 1]
    return np.asarray(upper <= lower + _GAP * (1.0 + lower))


def _of_bounds(experiment: Experiment, bounds: "Array") -> "Array":
    """Statistics of `largest_margin` from what the kernels write."""
    (lower, _, support, zero), known, trials = bounds.T, _agree(bounds), len(bounds)
    largest = np.where(np.isfinite(lower), lower, np.nan)
    zero = zero / experiment.positive_weights if experiment.positive_weights > 0 else np.full(trials, np.nan)
    columns = [largest, support / experiment.patterns, zero, lower > 0.0]
    return np.stack([*(np.where(known, column, np.nan) for column in columns), ~known], axis=1)


def _stopping_times(sets: _Sets) -> "Array":
    from simnn.capacity import cpu

    experiment, out = sets.experiment, np.empty((sets.trials, 1))
    centre, width, most = _range(experiment)
    space = _space(experiment, sets.data, experiment.positive_weights + most, sets.stop)
    law = _law(experiment, sets.data, most)
    cpu.kernels().stopping_times(law, centre, width, sets.key, sets.first, out, space)
    return np.column_stack([out[:, 0], np.isnan(out[:, 0])])


def _range(experiment: Experiment) -> tuple[int, int, int]:
    """Where the stopping time is expected, how far it spreads, and where to give up, safely beyond."""
    from simnn.capacity.theory import ball_capacity, gardner_capacity

    level = experiment.coding_level if experiment.bias or not experiment.centred else 0.5
    rare = min(level, 1.0 - level)
    if rare == 0.0:
        raise ValueError(
            f"coding_level: {level!r} is not allowed with a threshold, or patterns that serve as one: a single class "
            "stays separable"
        )
    # Drives of a few inputs span no more dimensions than those have.
    linear = experiment.ensemble == "gaussian" and experiment.inputs > 0
    rank = min(experiment.dimension, experiment.inputs) if linear else experiment.dimension
    points = gardner_capacity(coding_level=level)
    # Of the capacity of balls with fair labels, 0.5 is that of points.
    share = 0.5 * ball_capacity(experiment.radius, experiment.extent) if experiment.extent > 0 else 1.0
    centre = share * points * (rank + experiment.bias)
    width = 1.2 * np.sqrt(centre * 0.5 / rare)
    return round(centre), int(width) + 1, int(centre + 12.0 * width + 20.0 / rare)


# --- data that are given ----------------------------------------------------------------------------------------


def _take_data(parameters: dict[str, Any]) -> _Data:
    """Take arrays out of the parameters, and put in what follows from them."""
    patterns, covariance = parameters.pop("patterns", None), parameters.pop("covariance", None)
    if patterns is None and covariance is None:
        return _Data()
    name, array = ("patterns", patterns) if covariance is None else ("covariance", covariance)
    fixed = ("dimension", "ensemble", "inputs", "claws", "correlation", "activity")
    for other in fixed if name == "patterns" else ("patterns", "dimension", "inputs", "claws", "correlation"):
        if other in parameters or (other == "patterns" and patterns is not None):
            raise ValueError(f"{other}: not allowed with {name}, which settles it")
    array = finite_matrix(name, array)
    parameters["dimension"] = array.shape[1]
    if name == "patterns":
        parameters["ensemble"] = "given"
        parameters.setdefault("load", len(array) / array.shape[1])
        return _Data(patterns=array)
    if array.shape[0] != array.shape[1] or not np.allclose(array, array.T, rtol=1e-9, atol=0.0):
        raise ValueError(f"covariance: shape {array.shape} is not allowed: should be (N, N), and symmetric")
    values, vectors = np.linalg.eigh(array)
    least = len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    if values[-1] <= 0.0 or values[0] < -least:
        raise ValueError(f"covariance: an eigenvalue {values[0]:g} is not allowed: should be positive semidefinite")
    kept = values > least
    return _Data(factor=np.ascontiguousarray(vectors[:, kept] * np.sqrt(values[kept])))


# --- the loop ---------------------------------------------------------------------------------------------------


def _check_memory(measure: _Measure, plan: Sweep) -> None:
    from simnn.capacity import dense
    from simnn.device.targets import threads

    bytes_of = [
        8
        * (
            (e.positive_weights + measure.most(e)) * (2 * e.dimension + 3 * dense.STRIDE)
            + 4 * (e.dimension + dense.STRIDE) ** 2
            + e.dimension * e.inputs
        )
        for e in plan.experiments
    ]
    kept = len(measure.columns) * 8 * len(plan.experiments) * (plan.run.trials if plan.run.keep_trials else 8)
    needed = threads() * max(bytes_of) + kept
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise MemoryError(
            f"the sweep needs about {needed / 2**30:.1f} GiB and this machine has {available / 2**30:.1f} GiB; "
            "use fewer dimensions, patterns or threads, or keep fewer trials"
        )


def _device(measure: _Measure, experiments: Sequence[Experiment], run: Run) -> int | None:
    """GPU that runs the trials, if one does."""
    lacking = None
    if measure.on_gpu is None:
        lacking = "here: only simulate and largest_margin run on a GPU"
    else:
        lacking = next(filter(None, map(model.without_cuda, experiments)), None)
    if lacking is None:
        return backends.choose(run.backend, _seconds(experiments, run))
    if backends.on_cuda(run.backend):
        raise ValueError(f"backend: {run.backend!r} is not allowed {lacking}; use 'cpu'")
    return None


def _seconds(experiments: Sequence[Experiment], run: Run) -> float:
    """What the host takes, roughly: finite Newton, .15 ns for each pattern and product of two dimensions."""
    from simnn.device.targets import threads

    return run.trials * sum(1e-5 + 1.5e-10 * e.patterns * e.dimension**2 for e in experiments) / threads()


def _run(given: dict[str, Any], measure: _Measure) -> "xr.Dataset":
    parameters = dict(given)
    progress = parameters.pop("progress", None)
    plan, data = _plan(parameters)
    _check_memory(measure, plan)
    key, device = _key(plan), _device(measure, plan.experiments, plan.run)
    run_on_one = measure.sample if device is None or measure.on_gpu is None else measure.on_gpu

    def sample(point: int, first: int, count: int, stop: NDArray[np.int64]) -> "Array":
        return run_on_one(_Sets(plan.experiments[point], data, count, key, first, stop))

    with backends.use(device):
        values = sampling.collect(len(plan.experiments), plan.run, measure.columns, sample, "set", progress, device)
    named = [name for name in model.SWEPT if name not in plan.axes and name not in measure.unused]
    fixed = {name: getattr(plan.experiments[0], name) for name in named}
    if data.matrix is not None:
        fixed["matrix"] = f"sha256:{hashlib.sha256(data.matrix.tobytes()).hexdigest()}"
    return sampling.dataset(measure.title, plan.axes, plan.run, measure.columns, values, _LONG_NAMES, fixed, device)


def _plan(parameters: dict[str, Any]) -> tuple[Sweep, _Data]:
    data = _take_data(parameters)
    plain = {name: sweeps.plain(name, value) for name, value in parameters.items()}
    return model.sweep(plain, 0 if data.patterns is None else len(data.patterns)), data


def _key(plan: Sweep) -> NDArray[np.uint64]:
    return np.array([plan.run.seed & 0xFFFFFFFF, plan.run.seed >> 32], np.uint64)
