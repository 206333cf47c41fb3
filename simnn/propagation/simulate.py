"""``simulate``: validate, choose a backend, run, return a dataset."""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn import running, sampling, sweeps
from simnn._startup import collector_paused
from simnn.device import backends
from simnn.propagation import memory, model
from simnn.propagation.model import MAX_GRADIENTS, MAX_INPUTS, Network, Sweep

if TYPE_CHECKING:
    import xarray as xr

    from simnn.device.moments import Moments
    from simnn.propagation.basis import Basis
    from simnn.propagation.layers import Networks
    from simnn.propagation.observables import Grams

    Indices = NDArray[np.intp]
    Array = NDArray[np.float64]
    Rows = Any  # (tasks, columns), on the host or on a device
    Sample = Callable[[Indices, Indices, Indices], Rows]

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
    "output": "output",
    "other_output": "other output",
}

_NEURONS = 10**9
"""Neurons, layers, inputs and outputs of a slice of tasks on a GPU, at least: less than a tenth of a second."""


def _simulate(given: dict[str, Any]) -> "xr.Dataset":
    parameters = dict(given)
    progress, inputs = parameters.pop("progress", None), parameters.pop("inputs", None)
    matrices = None if isinstance(parameters.get("weights"), str | None) else parameters.pop("weights")
    plan = model.sweep({name: sweeps.plain(name, value) for name, value in parameters.items()})
    patterns = _check_inputs(inputs, given)
    weights = _check_weights(matrices, patterns, plan, given)
    pair = plan.fixed.correlation is not None or "correlation" in plan.axes
    count = len(patterns) if patterns is not None else 2 if pair else 1
    if count * plan.run.outputs > MAX_GRADIENTS:
        raise ValueError(
            f"outputs: {plan.run.outputs} of {count} inputs are not allowed: "
            f"inputs times outputs should be at most {MAX_GRADIENTS}"
        )
    from simnn.device.targets import threads

    _check_memory(memory.peak(plan, count, count if patterns is None else patterns.shape[1], threads()))
    _check_sine(plan, patterns)
    with collector_paused():
        import xarray  # noqa: F401 - needed at the end; imported here while the collector rests
    dense = plan.run.method == "dense"
    device = None if dense else backends.choose(plan.run.backend, _seconds(plan, count))
    with (
        running.one_thread_of_blas() if dense or patterns is not None else contextlib.nullcontext(),
        backends.use(device),
    ):
        with collector_paused():
            if dense:
                work = _dense(plan, count, patterns, weights)
            else:
                work = (_conditional if device is None else _on_gpu)(plan, _bases(plan, patterns))
        values = _collect(plan, count, work, progress)
    return _dataset(plan, count, values, backends.attributes(device))


def _seconds(plan: Sweep, inputs: int) -> float:
    """What the host takes, roughly: 10 ns for each neuron, layer, input and output."""
    from simnn.device.targets import threads

    neurons = sum(sum(network.layers) for network in plan.networks) * plan.run.trials
    return 1e-8 * neurons * inputs * plan.run.outputs / threads()


@sweeps.in_order_given(_simulate)
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
    widths: Sequence[int] | None = None,
    outputs: int = 1,
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
    widths : sequence of int, optional
        Units of each hidden layer where they differ, instead of ``width`` and ``depth``; not swept.
    outputs : int
        Number C of independent output gradients, K C <= 1024. With more than one, statistics of gradients and the
        tangent kernel have a dimension ``output``.
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
    backend : str
        Where kernels run: ``"cpu"``; ``"cuda"``, or ``"cuda:1"`` for the second GPU (``method="conditional"`` only);
        ``"auto"`` takes a GPU if there is one and the work is large enough. Random numbers are the same, results
        differ by rounding.
    dtype : {"float32", "float64"}
        Precision of the units. Distances between inputs keep their digits however close two inputs come;
        overlaps of *gradients* within 1e-6 (float32) or 2e-15 (float64) of 1 are treated as 1.
    keep_trials : bool
        Keep a ``trial`` dimension instead of mean and standard error.
    progress : bool, optional
        Show progress; by default only on a terminal.

    Returns
    -------
    xarray.Dataset
        Dimensions: the parameters given as sequences, in the order given, ``trial`` if kept, then those of each
        statistic. All values are dimensionless float64.

        ``length``, ``log_length``, ``activation_length`` (..., layer, input), ``correlation`` and ``decorrelation`` =
        1 - correlation (..., layer, input, other_input), ``gradient_norm``, ``log_gradient_norm``,
        ``gradient_alignment``, ``weight_gradient_norm`` (..., layer, input), ``gradient_correlation`` (..., layer,
        input, other_input), ``dead_fraction`` (..., layer) and ``ntk`` (..., input, other_input), each with
        ``<name>_stderr`` unless trials are kept. The overlap with a vanished vector, and the logarithm of its length,
        are NaN in their trial, and left out of the mean. Lengths beyond float64 are inf or 0; their logarithms are not.

    Raises
    ------
    ValueError
        If a value is out of bounds; one line names the parameter, the value and what is allowed.
    TypeError
        If a parameter is unknown; one line names it and those that are known.
    MemoryError
        If the result would not fit into this machine's memory.

    Notes
    -----
    Results do not depend on the number of threads, nor on how a run is cut into pieces: tasks run side by side, and
    BLAS, where it is used, on one thread each. Networks of different
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


def _check_inputs(inputs: ArrayLike | None, given: dict[str, Any]) -> NDArray[np.float64] | None:
    if inputs is None:
        return None
    for name in ("correlation", "input_length"):
        if given.get(name) is not None:
            raise ValueError(f"{name}: {given[name]!r} is not allowed together with inputs, which determine it")
    patterns = _matrix("inputs", inputs, "(K, n_in) numbers")
    if patterns.ndim != 2 or not 1 <= patterns.shape[0] <= MAX_INPUTS or patterns.shape[1] == 0:
        raise ValueError(
            f"inputs: shape {patterns.shape} is not allowed: should be (K, n_in) with 1 <= K <= {MAX_INPUTS}"
        )
    if not np.all(np.isfinite(patterns)):
        row, column = np.argwhere(~np.isfinite(patterns))[0]
        raise ValueError(f"inputs: {patterns[row, column]} at [{row}, {column}] is not allowed: should be finite")
    return patterns


def _matrix(name: str, values: ArrayLike, allowed: str) -> NDArray[np.float64]:
    with contextlib.suppress(ValueError):  # rows of different lengths
        array = np.asarray(values)
        if array.dtype.kind in "iuf":
            return array.astype(np.float64)
    raise ValueError(f"{name}: {values!r} is not allowed: should be {allowed}")


def _check_weights(
    matrices: Any, patterns: NDArray[np.float64] | None, plan: Sweep, given: dict[str, Any]
) -> list[NDArray[np.float64]] | None:
    if matrices is None:
        return None
    if plan.run.method != "dense" or patterns is None or plan.size > 1:
        raise ValueError("weights: matrices are allowed only with method='dense', inputs given, and nothing swept")
    weights = [
        _matrix(f"weights: the matrix of layer {layer}", matrix, "rows of numbers")
        for layer, matrix in enumerate(matrices, start=1)
    ]
    layers, fan_in = plan.networks[0].layers, patterns.shape[1]
    if len(weights) != len(layers):
        raise ValueError(
            f"weights: {len(weights)} matrices are not allowed: depth={len(layers)} needs one for each layer"
        )
    for layer, (matrix, width) in enumerate(zip(weights, layers, strict=True), start=1):
        if matrix.shape != (width, fan_in) or not np.all(np.isfinite(matrix)):
            raise ValueError(
                f"weights: the matrix of layer {layer}, shape {matrix.shape}, is not allowed: "
                f"should be finite and of shape {(width, fan_in)}"
            )
        fan_in = width
    return weights


def _check_sine(plan: Sweep, patterns: NDArray[np.float64] | None) -> None:
    """Sines lose their digits as arguments grow, and the kernel has none beyond a limit."""
    limit, largest_normal = (8192.0, 6.8) if plan.run.dtype == "float32" else (2.0**20, 8.6)
    lengths = None if patterns is None else np.square(patterns).mean(axis=1).max()
    for network in plan.networks:
        length = max(1.0, network.input_length if lengths is None else float(lengths))
        if (
            network.activation == "sin"
            and largest_normal * np.hypot(network.sigma_w * np.sqrt(length), network.sigma_b) > limit
        ):
            raise ValueError(
                f"sigma_w: {network.sigma_w!r} is not allowed with activation 'sin': pre-activations should stay below "
                f"{limit:.0f} in {plan.run.dtype}"
            )


def _check_memory(needed: int) -> None:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise MemoryError(
            f"the sweep needs about {needed / 2**30:.1f} GiB and this machine has {available / 2**30:.1f} GiB; "
            "sweep fewer points, keep fewer trials, or follow fewer inputs or layers"
        )


def _bases(plan: Sweep, patterns: NDArray[np.float64] | None) -> "list[Basis]":
    """Basis of the inputs of each network."""
    from simnn.propagation.basis import Basis

    if patterns is not None:
        return [Basis.of_patterns(patterns)] * len(plan.networks)
    return [Basis.of_pair(network.input_length, network.correlation) for network in plan.networks]


def _key(seed: int) -> NDArray[np.uint64]:
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint64)


def _real(plan: Sweep) -> Any:
    return np.float32 if plan.run.dtype == "float32" else np.float64


def _widths(plan: Sweep) -> NDArray[np.int64]:
    """Units of each layer, (cells, deepest); shallower networks repeat their last layer."""
    rows = [network.layers + network.layers[-1:] * (plan.depth - len(network.layers)) for network in plan.networks]
    return np.array(rows, np.int64)


def _depths(plan: Sweep) -> NDArray[np.int64]:
    return np.array([len(network.layers) for network in plan.networks], np.int64)


def _column(plan: Sweep, name: str, dtype: type) -> NDArray[Any]:
    return np.array([getattr(network, name) for network in plan.networks], dtype)


@dataclass(frozen=True)
class _Work:
    """How the trials of a sweep are run.

    Attributes
    ----------
    sample : callable
        ``sample(cell, trial, stop)``: statistics of tasks.
    slices : callable
        ``slices(tasks, run)``: runs tasks in slices, see `simnn.running`.
    moments : type
        `simnn.device.moments.Moments` of such statistics.
    """

    sample: "Sample"
    slices: Callable[..., Any]
    moments: "type[Moments]"


def _on_threads(plan: Sweep, inputs: int, fill: "Callable[[Indices, Indices, Grams, Indices], None]") -> _Work:
    """Work of threads of the host that fill in Gram matrices."""
    from simnn.device.moments import Moments
    from simnn.device.targets import cpu
    from simnn.propagation import observables

    observe, widths = observables.bind(cpu(np.float64)).kernel, _widths(plan)
    sigmas = _column(plan, "sigma_w", np.float64), _column(plan, "sigma_b", np.float64)
    depth, size = _depths(plan), (plan.depth, inputs, plan.run.outputs)

    def sample(cell: "Indices", trial: "Indices", stop: "Indices") -> "Array":
        grams, rows = observables.empty(len(cell), *size), np.empty((len(cell), observables.columns(*size)))
        fill(cell, trial, grams, stop)
        observe(cell, *sigmas, widths, depth, grams, rows)
        return rows

    most = memory.slice_tasks(plan, inputs)
    return _Work(sample, lambda tasks, run: running.in_slices(tasks, most, run), Moments)


def _conditional(plan: Sweep, bases: "list[Basis]") -> _Work:
    """The compiled sampler."""
    from simnn.device.targets import cpu
    from simnn.propagation import cpu as sampler

    sample, networks = sampler.bind(cpu(_real(plan))), _networks(plan, bases)
    inputs, key = len(bases[0].order), _key(plan.run.seed)

    def fill(cell: "Indices", trial: "Indices", grams: "Grams", stop: "Indices") -> None:
        scratch = sampler.workspace(_real(plan), inputs, plan.run.outputs, networks.widths.shape[1], stop)
        sample(networks, key, cell, trial, grams, *scratch)

    return _on_threads(plan, inputs, fill)


def _on_gpu(plan: Sweep, bases: "list[Basis]") -> _Work:
    """The same on the current GPU, from which only moments return, or trials that are kept."""
    from simnn.propagation import cuda, observables

    columns = observables.columns(plan.depth, len(bases[0].order), plan.run.outputs)
    moments, key = 24 * plan.size * columns, _key(plan.run.seed)
    sampler = cuda.Sampler(_real(plan), _networks(plan, bases), plan.run.outputs, key, reserved=moments)

    def sample(cell: "Indices", trial: "Indices", stop: "Indices") -> "Rows":
        rows = sampler.run(cell, trial, stop)
        return rows.copy_to_host() if plan.run.keep_trials else rows

    neurons = max(sum(network.layers) for network in plan.networks) * len(bases[0].order) * plan.run.outputs
    least = max(_NEURONS // neurons, 1)
    return _Work(sample, lambda tasks, run: running.one_by_one(tasks, sampler.most, run, least), cuda.Moments)


def _networks(plan: Sweep, bases: "list[Basis]") -> "Networks":
    from simnn.propagation import kernels, layers

    forms = [kernels.form(network.activation) for network in plan.networks]
    return layers.Networks(
        code=np.array([form.code for form in forms], np.int64),
        lines=np.array([[form.line, form.far, form.near] for form in forms], np.float64),
        sigma_w=_column(plan, "sigma_w", np.float64),
        sigma_b=_column(plan, "sigma_b", np.float64),
        widths=_widths(plan),
        depth=_depths(plan),
        gram=np.array([basis.gram for basis in bases]),
        parent=np.array([basis.parent for basis in bases]),
        order=bases[0].order,
        tree=bases[0].tree,
    )


def _dense(plan: Sweep, inputs: int, patterns: "Array | None", weights: "list[Array] | None") -> _Work:
    """The sampler with materialised weights."""
    from simnn.propagation import dense

    dtype, key = _real(plan), _key(plan.run.seed)

    def fill(cell: "Indices", trial: "Indices", grams: "Grams", stop: "Indices") -> None:
        for row in range(len(cell)):
            network = plan.networks[cell[row]]
            x = _patterns(network) if patterns is None else patterns
            dense.sample(network, x, plan.run.outputs, int(trial[row]), key, dtype, grams, row, stop, weights)

    return _on_threads(plan, inputs, fill)


def _patterns(network: Network) -> NDArray[np.float64]:
    """One or two patterns of that many components, of the network's input length and overlap."""
    c = network.correlation
    if c is None:
        return np.full((1, 1), np.sqrt(network.input_length))
    # Half the angle to either side: exact for inputs that are closer than rounding.
    near, far = np.sqrt((1.0 + c) / 2.0), np.sqrt((1.0 - c) / 2.0)
    return np.array([[near, far], [near, -far]]) * float(np.sqrt(2.0 * network.input_length))


def _collect(plan: Sweep, inputs: int, work: _Work, progress: bool | None) -> dict[str, NDArray[np.float64]]:
    """Statistics as (cells, trials, ...) arrays if trials are kept, else means and ``<name>_stderr``."""
    from simnn.propagation import observables

    cells, trials = plan.size, plan.run.trials
    shapes = observables.shapes(plan.depth, inputs, plan.run.outputs)
    columns = observables.columns(plan.depth, inputs, plan.run.outputs)

    def run(first: int, last: int, stop: "Indices") -> "tuple[Indices, Indices, Rows]":
        task = np.arange(first, last)
        cell, trial = task // trials, task % trials
        return cell, trial, work.sample(cell, trial + plan.run.first_trial, stop)

    slices = work.slices(cells * trials, run)
    gathered = sampling.gather(cells, plan.run, columns, slices, work.moments, "network", progress)
    return {name: values for suffix, rows in gathered.items() for name, values in _split(rows, shapes, suffix).items()}


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


def _dataset(plan: Sweep, inputs: int, values: dict[str, NDArray[np.float64]], where: dict[str, str]) -> "xr.Dataset":
    import xarray as xr

    from simnn.propagation.observables import DESCRIPTIONS, dimensions

    renamed = {"correlation": "input_correlation"}
    coordinates: dict[str, Any] = {renamed.get(name, name): list(axis) for name, axis in plan.axes.items()}
    lead = tuple(coordinates)
    if plan.run.keep_trials:
        coordinates["trial"] = np.arange(plan.run.first_trial, plan.run.first_trial + plan.run.trials)
    coordinates["layer"] = np.arange(1, plan.depth + 1)
    coordinates["input"] = coordinates["other_input"] = np.arange(inputs)
    if plan.run.outputs > 1:
        coordinates["output"] = coordinates["other_output"] = np.arange(plan.run.outputs)
    sizes = tuple(len(coordinates[dim]) for dim in lead)
    variables = {}
    for name, array in values.items():
        statistic = name.removesuffix("_stderr")
        dims, description = dimensions(statistic, plan.run.outputs), DESCRIPTIONS[statistic][1]
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
    fixed = {name: value for name, value in plan.fixed.model_dump(mode="json").items() if name not in plan.axes}
    for name in ("width", "depth") if plan.fixed.widths is not None else ("widths",):
        del fixed[name]
    run = plan.run.model_dump()
    dataset.attrs = {
        "title": "Signal propagation in deep random networks",
        "parameters": json.dumps(plan.axes | fixed | run, sort_keys=True),
        "seed": str(plan.run.seed),
        "trials": plan.run.trials,
        "method": plan.run.method,
        **where,
        "dtype": plan.run.dtype,
    }
    return dataset
