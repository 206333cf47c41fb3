"""How much memory a sweep takes, from the lengths of its axes alone: asked before a network of it is made."""

import math
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from simnn.propagation.model import Sweep
from simnn.propagation.observables import DESCRIPTIONS, Grams, dimensions

SLICE_BYTES = 2**24
"""Gram matrices of a slice of tasks, unless a single task has more: long against the overhead of its kernel call."""

GPU_SLICE_BYTES = 2**26
"""The same on a GPU, where a call is a hundred launches and more, and tasks run side by side in it."""

# A network, its basis, and its entries in the arrays of parameters.
_NETWORK_BYTES = 2000
# Moments at the end: counts, means and squared deviations, standard errors and what they are computed from.
_MOMENTS = 5
# What a thread takes at any size: random numbers that are kept for the way back, buffers of BLAS.
_THREAD_BYTES = 2**24


def statistics(plan: Sweep, inputs: int) -> dict[str, tuple[int, ...]]:
    """Shape of each statistic of one network.

    Parameters
    ----------
    plan : Sweep
        The validated sweep.
    inputs : int
        Number of inputs.

    Returns
    -------
    dict of str to tuple of int
        Keyed and ordered as `simnn.propagation.observables.DESCRIPTIONS`.
    """
    outputs = plan.run.outputs
    sizes = {"layer": plan.depth, "input": inputs, "other_input": inputs, "output": outputs, "other_output": outputs}
    return {name: tuple(sizes[dim] for dim in dimensions(name, outputs)) for name in DESCRIPTIONS}


def slice_tasks(plan: Sweep, inputs: int, size: int = SLICE_BYTES) -> int:
    """Most tasks (trials of a network) of one call of a kernel.

    Parameters
    ----------
    plan : Sweep
        The validated sweep.
    inputs : int
        Number of inputs.
    size : int
        Bytes of a slice.

    Returns
    -------
    int
        Such that their Gram matrices fit into a slice, but at least 1.
    """
    return max(1, size // _task_bytes(plan, inputs))


def _task_bytes(plan: Sweep, inputs: int) -> int:
    """Bytes of the Gram matrices of one task."""
    layer: Iterable[NDArray[Any]] = vars(Grams.empty(1, 1, inputs, plan.run.outputs)).values()
    return (plan.depth + 1) * sum(array.nbytes for array in layer)


def peak(plan: Sweep, inputs: int, components: int, threads: int) -> int:
    """Bytes that a sweep needs at its peak.

    Parameters
    ----------
    plan : Sweep
        The validated sweep.
    inputs : int
        Number of inputs.
    components : int
        Of an input; it matters to the first weight matrix of a dense run.
    threads : int
        Threads of the run.

    Returns
    -------
    int
        At most so many: results and moments, the slices of tasks that are done, running or waiting, and, of a dense
        run, what each thread keeps of a network.
    """
    columns, gradients = sum(map(math.prod, statistics(plan, inputs).values())), inputs * plan.run.outputs
    results = plan.size * columns * (plan.run.trials if plan.run.keep_trials else _MOMENTS)
    tasks = plan.size * plan.run.trials
    in_slice = min(tasks, slice_tasks(plan, inputs))
    waiting = min(tasks, 2 * (threads + 1) * in_slice) * _task_bytes(plan, inputs)
    # Statistics of two slices and their joint rows; up to six arrays are between Gram matrices and tangent kernels.
    observed = in_slice * (3 * columns + 6 * plan.depth * gradients**2)
    networks = plan.size * (_NETWORK_BYTES + 24 * plan.depth)
    each = _dense_bytes(plan, inputs, components) if plan.run.method == "dense" else 0
    each += _THREAD_BYTES + 8 * plan.depth * inputs * (inputs + gradients)
    return 8 * (results + observed) + waiting + networks + min(threads, tasks) * each


def _dense_bytes(plan: Sweep, inputs: int, components: int) -> int:
    """The largest weight matrix, units and derivatives of all layers, and gradients on their way back."""
    itemsize = 4 if plan.run.dtype == "float32" else 8
    matrix, units = plan.width * max(plan.width, components), 2 * plan.depth * plan.width * inputs
    return itemsize * (matrix + units) + plan.width * inputs * plan.run.outputs * (4 * itemsize + 16)
