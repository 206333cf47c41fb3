"""``simulate``: validate, choose a backend, run, return a dataset."""

import functools
import inspect
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn._startup import collector_paused
from simnn.propagation import model
from simnn.propagation.model import MAX_INPUTS, Sweep

if TYPE_CHECKING:
    import xarray as xr

    from simnn.propagation.observables import Grams

    Indices = NDArray[np.intp]
    Sampler = Callable[[Indices, Indices, Grams], None]

# A slice of tasks is one call of a kernel: short enough for Ctrl-C and the progress bar, long against its overhead.
_SLICE_SECONDS = 0.2
_SLICE_BYTES = 64 * 2**20

_LONG_NAMES = {
    "activation": "activation function",
    "sigma_w": "standard deviation of the weights times sqrt(fan in)",
    "sigma_b": "standard deviation of the biases",
    "width": "units of a hidden layer",
    "depth": "number of hidden layers",
    "input_correlation": "overlap of the two inputs",
    "input_length": "mean square of the components of an input",
    "trial": "random network",
    "layer": "hidden layer, from 1",
    "input": "input",
    "other_input": "other input",
}


P = ParamSpec("P")
R = TypeVar("R")


def _in_order_given(signature: Callable[P, R]) -> Callable[P, R]:
    """Turn a signature into a call of `_simulate`, with keywords in the caller's order: that of the dimensions."""

    @functools.wraps(signature)
    def wrapper(*args: P.args, **given: P.kwargs) -> R:
        inspect.signature(signature).bind(*args, **given)
        return cast(R, _simulate(given))

    return wrapper


@_in_order_given
def simulate(
    *,
    activation: str | Sequence[str] = "tanh",
    sigma_w: ArrayLike = 1.0,
    sigma_b: ArrayLike = 0.0,
    width: ArrayLike = 1000,
    depth: ArrayLike = 50,
    correlation: ArrayLike | None = None,
    input_length: ArrayLike = 1.0,
    inputs: ArrayLike | None = None,
    trials: int = 100,
    first_trial: int = 0,
    seed: int = 0,
    method: str = "conditional",
    weights: str | Sequence[ArrayLike] = "gaussian",
    block: str = "plain",
    normalization: None = None,
    backend: str = "auto",
    dtype: str = "float32",
    keep_trials: bool = False,
    progress: bool | None = None,
) -> "xr.Dataset":
    """Simulate signal propagation through deep random networks, forward and backward.

    A network of ``depth`` hidden layers maps ``h^0 = x`` through ``z^l = W^l h^(l-1) + b^l``, ``h^l = phi(z^l)``,
    with ``W_ij ~ N(0, sigma_w^2 / fan_in)`` and ``b_i ~ N(0, sigma_b^2)``. A gradient ~ N(0, I) at ``h^L``, the same
    for all inputs, is propagated back.

    Parameters
    ----------
    activation : str or sequence of str
        See `simnn.propagation.activations.NAMES`; ``"leaky_relu(0.2)"`` sets a slope.
    sigma_w, sigma_b : float or sequence of float
        Standard deviations of weights (times sqrt(fan_in)) and biases, >= 0.
    width, depth : int or sequence of int
        Units of a hidden layer, and number of hidden layers. Layers beyond a network's depth are NaN.
    correlation : float or sequence of float, optional
        Overlap of two inputs of equal length, in [-1, 1]; becomes the dimension ``input_correlation``. Without it
        and without ``inputs``, one input is followed.
    input_length : float or sequence of float
        Mean square of the components of an input.
    inputs : (K, n_in) array_like, optional
        Input patterns, 1 <= K <= 64. In law only their Gram matrix matters.
    trials : int
        Random networks for each point of the sweep.
    first_trial : int
        Number of the first trial. Trial t is the same network in every run with the same seed.
    seed : int
        In [0, 2^64).
    method : {"conditional", "dense"}
        ``"conditional"``: exact in law at every width, O(width) per layer, no weight matrix is formed.
        ``"dense"``: materialised weights, O(width^2).
    weights : "gaussian" or sequence of (width, fan_in) arrays
        Law of the weights, or one matrix for each layer (``method="dense"`` with ``inputs`` only).
    block : "plain"
        How layers are joined.
    normalization : None
        Normalisation before the activation.
    backend : {"auto", "cpu", "cuda"}
        Where kernels run.
    dtype : {"float32", "float64"}
        Precision of the units. Inputs whose overlap is within 1e-6 (float32) or 2e-15 (float64) of 1 are treated
        as collinear.
    keep_trials : bool
        Keep a ``trial`` dimension instead of mean and standard error.
    progress : bool, optional
        Show progress; by default only on a terminal.

    Returns
    -------
    xarray.Dataset
        Dimensions: the parameters given as sequences, in the order given, ``trial`` if kept, then those of each
        statistic. All values are dimensionless float64.

        ``length`` (..., layer, input), ``correlation`` (..., layer, input, other_input),
        ``activation_length`` (..., layer, input), ``gradient_norm`` (..., layer, input),
        ``gradient_correlation`` (..., layer, input, other_input), ``weight_gradient_norm`` (..., layer, input),
        ``dead_fraction`` (..., layer) and ``ntk`` (..., input, other_input), each with ``<name>_stderr`` unless
        trials are kept. The overlap with a vanished vector is NaN in its trial, and left out of the mean.

    Raises
    ------
    ValueError
        If a parameter is unknown or out of bounds; one line names the parameter, its value and what is allowed.
    MemoryError
        If the result would not fit into this machine's memory.

    Notes
    -----
    Results do not depend on the number of threads, nor on how a run is cut into pieces. Networks of different
    points of a sweep share their random numbers (trial by trial), so differences along an axis are less noisy than
    the standard errors suggest.

    References
    ----------
    Poole et al. 2016, "Exponential expressivity in deep neural networks through transient chaos"; Schoenholz et al.
    2017, "Deep information propagation"; Bolthausen 2014 for the conditioning that makes the sampler exact.

    Examples
    --------
    >>> from simnn import propagation
    >>> ds = propagation.simulate(activation="tanh", sigma_w=[1.0, 2.5], width=100, depth=5, trials=10)
    >>> dict(ds.length.sizes)
    {'sigma_w': 2, 'layer': 5, 'input': 1}
    """
    raise NotImplementedError  # a signature and its documentation: the decorator runs `_simulate`


def _plain(value: Any) -> Any:
    """Python scalars and lists from NumPy arrays and other sequences."""
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.ndim > 1:
            raise ValueError(f"a swept parameter must be a scalar or 1-D, not of shape {array.shape}")
        return array.tolist()
    if isinstance(value, range | tuple | list):
        return [_plain(item) for item in value]
    return value


def _simulate(given: dict[str, Any]) -> "xr.Dataset":
    parameters = dict(given)
    progress, inputs = parameters.pop("progress", None), parameters.pop("inputs", None)
    matrices = None if isinstance(parameters.get("weights", ""), str) else parameters.pop("weights")
    plan = model.sweep({name: _plain(value) for name, value in parameters.items()})
    patterns = _check_inputs(inputs, given)
    weights = _check_weights(matrices, patterns, plan, given)
    if plan.run.backend == "cuda":
        raise ValueError("backend: 'cuda' is not allowed: this version has no CUDA kernels; use 'auto' or 'cpu'")
    grams = _input_grams(plan, patterns)
    _check_memory(model.memory(plan, grams.shape[-1]))
    with collector_paused():
        import xarray  # noqa: F401 - needed at the end; imported here while the collector rests

        dense = plan.run.method == "dense"
        sampler = _dense(plan, grams, patterns, weights) if dense else _conditional(plan, grams)
    values = _collect(plan, grams.shape[-1], sampler, progress)
    return _dataset(plan, grams.shape[-1], values)


def _check_inputs(inputs: ArrayLike | None, given: dict[str, Any]) -> NDArray[np.float64] | None:
    if inputs is None:
        return None
    for name in ("correlation", "input_length"):
        if given.get(name) is not None:
            raise ValueError(f"{name}: {given[name]!r} is not allowed together with inputs, which determine it")
    patterns = np.asarray(inputs, np.float64)
    if patterns.ndim != 2 or not 1 <= patterns.shape[0] <= MAX_INPUTS or patterns.shape[1] == 0:
        raise ValueError(
            f"inputs: shape {patterns.shape} is not allowed: should be (K, n_in) with 1 <= K <= {MAX_INPUTS}"
        )
    if not np.all(np.isfinite(patterns)):
        row, column = np.argwhere(~np.isfinite(patterns))[0]
        raise ValueError(f"inputs: {patterns[row, column]} at [{row}, {column}] is not allowed: should be finite")
    return patterns


def _check_weights(
    matrices: Any, patterns: NDArray[np.float64] | None, plan: Sweep, given: dict[str, Any]
) -> list[NDArray[np.float64]] | None:
    if matrices is None:
        return None
    if plan.run.method != "dense" or patterns is None or len(plan.networks) > 1:
        raise ValueError("weights: matrices are allowed only with method='dense', inputs given, and nothing swept")
    weights = [np.asarray(matrix, np.float64) for matrix in matrices]
    network, fan_in = plan.networks[0], patterns.shape[1]
    if len(weights) != network.depth:
        raise ValueError(
            f"weights: {len(weights)} matrices are not allowed: depth={network.depth} needs one for each layer"
        )
    for layer, matrix in enumerate(weights, start=1):
        if matrix.shape != (network.width, fan_in) or not np.all(np.isfinite(matrix)):
            raise ValueError(
                f"weights: the matrix of layer {layer}, shape {matrix.shape}, is not allowed: "
                f"should be finite and of shape {(network.width, fan_in)}"
            )
        fan_in = network.width
    return weights


def _check_memory(needed: int) -> None:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise MemoryError(
            f"the sweep needs about {needed / 2**30:.1f} GiB and this machine has {available / 2**30:.1f} GiB; "
            "sweep fewer points, keep fewer trials, or follow fewer inputs or layers"
        )


def _input_grams(plan: Sweep, patterns: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Gram matrices of the inputs, divided by their dimension, one for each network: (cells, K, K)."""
    if patterns is not None:
        return np.broadcast_to(
            patterns @ patterns.T / patterns.shape[1], (len(plan.networks), len(patterns), len(patterns))
        )
    grams = []
    for network in plan.networks:
        c = network.correlation
        unit = np.eye(1) if c is None else np.array([[1.0, c], [c, 1.0]])
        grams.append(network.input_length * unit)
    return np.array(grams)


def _key(seed: int) -> NDArray[np.uint64]:
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint64)


def _real(plan: Sweep) -> Any:
    return np.float32 if plan.run.dtype == "float32" else np.float64


def _column(plan: Sweep, name: str, dtype: type) -> NDArray[Any]:
    return np.array([getattr(network, name) for network in plan.networks], dtype)


def _conditional(plan: Sweep, grams: NDArray[np.float64]) -> "Sampler":
    """The compiled sampler for tasks of this sweep."""
    from simnn.device.targets import cpu
    from simnn.propagation import cpu as sampler
    from simnn.propagation import kernels

    sample = sampler.bind(cpu(_real(plan))).sample
    functions = [kernels.code_and_slope(network.activation) for network in plan.networks]
    code = np.array([code for code, _ in functions], np.int64)
    slope = np.array([slope for _, slope in functions], np.float64)
    sigma_w, sigma_b = _column(plan, "sigma_w", np.float64), _column(plan, "sigma_b", np.float64)
    width, depth = _column(plan, "width", np.int64), _column(plan, "depth", np.int64)
    key = _key(plan.run.seed)

    def run(cell: "Indices", trial: "Indices", batch: "Grams") -> None:
        batch.activation[:, 0] = grams[cell]
        sample(
            code, slope, sigma_w, sigma_b, width, depth, key, cell, trial,
            batch.preactivation, batch.activation, batch.gradient, batch.silent,
        )  # fmt: skip

    return run


def _next_size(size: int, seconds: float, most: int) -> int:
    """Tasks of the next slice, after one of ``size`` tasks took so long."""
    return min(max(int(size * min(_SLICE_SECONDS / max(seconds, 1e-9), 16.0)), 1), most)


def _dense(
    plan: Sweep,
    grams: NDArray[np.float64],
    patterns: NDArray[np.float64] | None,
    weights: list[NDArray[np.float64]] | None,
) -> "Sampler":
    """The sampler with materialised weights for tasks of this sweep."""
    from simnn.propagation import dense

    dtype, key = _real(plan), _key(plan.run.seed)

    def run(cell: "Indices", trial: "Indices", batch: "Grams") -> None:
        for row in range(len(cell)):
            network = plan.networks[cell[row]]
            x = _patterns(grams[cell[row]]) if patterns is None else patterns
            dense.sample(network, x, int(trial[row]), key, dtype, batch, row, weights)

    return run


def _slices(plan: Sweep, inputs: int, sampler: "Sampler") -> "Iterator[tuple[Indices, Indices, Grams]]":
    """Run all tasks on the host's threads, in order, in slices that keep Ctrl-C and the progress prompt."""
    from concurrent.futures import Future, ThreadPoolExecutor

    from simnn.device.targets import threads
    from simnn.propagation.observables import Grams

    total = len(plan.networks) * plan.run.trials
    deepest = max(network.depth for network in plan.networks)
    most = max(1, _SLICE_BYTES // (32 * (deepest + 1) * inputs * inputs))

    def run(first: int, size: int) -> "tuple[Indices, Indices, Grams, float]":
        task = np.arange(first, min(first + size, total))
        cell, trial = task // plan.run.trials, task % plan.run.trials
        batch = Grams.empty(len(task), deepest, inputs)
        start = time.perf_counter()
        sampler(cell, trial + plan.run.first_trial, batch)
        return cell, trial, batch, time.perf_counter() - start

    with collector_paused():  # the first task loads the kernel
        cell, trial, batch, seconds = run(0, 1)
    yield cell, trial, batch
    first, size = 1, _next_size(1, seconds, most)
    pool = ThreadPoolExecutor(threads())
    pending: deque[Future[tuple[Indices, Indices, Grams, float]]] = deque()
    try:
        while first < total or pending:
            while first < total and len(pending) < 2 * threads():
                pending.append(pool.submit(run, first, size))
                first += size
            cell, trial, batch, seconds = pending.popleft().result()
            size = _next_size(len(cell), seconds, most)
            yield cell, trial, batch
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _patterns(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """K patterns of K components with this Gram matrix; Gaussian weights see nothing else of them."""
    values, vectors = np.linalg.eigh(gram * len(gram))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), np.float64)


def _collect(plan: Sweep, inputs: int, sampler: "Sampler", progress: bool | None) -> dict[str, NDArray[np.float64]]:
    """Statistics as (cells, trials, ...) arrays if trials are kept, else means and ``<name>_stderr``."""
    from simnn.device import moments
    from simnn.device.targets import cpu
    from simnn.progress import track
    from simnn.propagation.observables import DESCRIPTIONS, observe

    cells, trials = len(plan.networks), plan.run.trials
    sizes = {"layer": max(network.depth for network in plan.networks), "input": inputs, "other_input": inputs}
    shapes = {name: tuple(sizes[dim] for dim in dims) for name, (dims, _) in DESCRIPTIONS.items()}
    columns = int(sum(np.prod(shape) for shape in shapes.values()))
    sigma_w, sigma_b = _column(plan, "sigma_w", np.float64), _column(plan, "sigma_b", np.float64)
    add = moments.bind(cpu(np.float64))
    kept = np.empty((cells, trials, columns)) if plan.run.keep_trials else None
    count = np.zeros((cells, columns), np.int64)
    mean, deviation = np.zeros((cells, columns)), np.zeros((cells, columns))
    with track(cells * trials, "network", progress) as advance:
        for cell, trial, grams in _slices(plan, inputs, sampler):
            statistics = observe(grams, sigma_w[cell], sigma_b[cell])
            rows = np.concatenate([values.reshape(len(cell), -1) for values in statistics.values()], axis=1)
            if kept is not None:
                kept[cell, trial] = rows
            else:
                add(cell, rows, count, mean, deviation)
            advance(len(cell))
    if kept is not None:
        return _split(kept, shapes, "")
    with np.errstate(invalid="ignore", divide="ignore"):
        stderr = np.sqrt(deviation / ((count - 1.0) * count))
    stderr[count < 2] = np.nan
    mean[count == 0] = np.nan
    return _split(mean, shapes, "") | _split(stderr, shapes, "_stderr")


def _split(
    rows: NDArray[np.float64], shapes: dict[str, tuple[int, ...]], suffix: str
) -> dict[str, NDArray[np.float64]]:
    """Cut the last axis into the statistics that were joined there."""
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1]
    parts = np.split(rows, ends, axis=-1)
    return {
        name + suffix: part.reshape(*rows.shape[:-1], *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }


def _dataset(plan: Sweep, inputs: int, values: dict[str, NDArray[np.float64]]) -> "xr.Dataset":
    import xarray as xr

    from simnn.propagation.observables import DESCRIPTIONS

    renamed = {"correlation": "input_correlation"}
    coordinates: dict[str, Any] = {renamed.get(name, name): list(axis) for name, axis in plan.axes.items()}
    lead = tuple(coordinates)
    if plan.run.keep_trials:
        coordinates["trial"] = np.arange(plan.run.first_trial, plan.run.first_trial + plan.run.trials)
    coordinates["layer"] = np.arange(1, max(network.depth for network in plan.networks) + 1)
    coordinates["input"] = coordinates["other_input"] = np.arange(inputs)
    sizes = tuple(len(coordinates[dim]) for dim in lead)
    variables = {}
    for name, array in values.items():
        statistic = name.removesuffix("_stderr")
        dims, description = DESCRIPTIONS[statistic]
        label = f"standard error of the mean of {statistic}" if name != statistic else description
        trial = ("trial",) if plan.run.keep_trials else ()
        variables[name] = (
            (*lead, *trial, *dims),
            array.reshape(*sizes, *array.shape[1:]),
            {"long_name": label, "units": "1"},
        )
    dataset = xr.Dataset(variables, coordinates)
    for coordinate in coordinates:
        dataset[coordinate].attrs = {"long_name": _LONG_NAMES[coordinate], "units": "1"}
    fixed = {name: value for name, value in plan.networks[0].model_dump().items() if name not in plan.axes}
    run = plan.run.model_dump()
    dataset.attrs = {
        "title": "Signal propagation in deep random networks",
        "parameters": json.dumps(plan.axes | fixed | run, sort_keys=True),
        "seed": str(plan.run.seed),
        "trials": plan.run.trials,
        "method": plan.run.method,
        "backend": "cpu",
        "dtype": plan.run.dtype,
    }
    return dataset
