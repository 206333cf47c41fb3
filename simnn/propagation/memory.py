"""How much memory a sweep takes, from the lengths of its axes alone: asked before a network of it is made."""

import math

import numpy as np

from simnn.propagation import observables
from simnn.propagation.model import Sweep

SLICE_BYTES = 2**24
"""Gram matrices of a slice of tasks, unless a single task has more: long against the overhead of its kernel call."""

# A network, its basis, and its entries in the arrays of parameters.
_NETWORK_BYTES = 2000
# Moments at the end: counts, means and squared deviations, standard errors and what they are computed from.
_MOMENTS = 5
# What a thread takes at any size: random numbers that are kept for the way back, buffers of BLAS.
_THREAD_BYTES = 2**24


def slice_tasks(plan: Sweep, inputs: int) -> int:
    """Most tasks (trials of a network) of one call of a kernel.

    Parameters
    ----------
    plan : Sweep
        The validated sweep.
    inputs : int
        Number of inputs.

    Returns
    -------
    int
        Such that their Gram matrices fit into a slice, but at least 1.
    """
    return max(1, SLICE_BYTES // _task_bytes(plan, inputs))


def _task_bytes(plan: Sweep, inputs: int) -> int:
    """Bytes of the Gram matrices of one task."""
    shapes = observables.grams(1, plan.depth, inputs, plan.run.outputs).values()
    return sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in shapes)


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
    columns = observables.columns(plan.depth, inputs, plan.run.outputs)
    gradients = inputs * plan.run.outputs
    results = plan.size * columns * (plan.run.trials if plan.run.keep_trials else _MOMENTS)
    tasks = plan.size * plan.run.trials
    in_slice = min(tasks, slice_tasks(plan, inputs))
    # Gram matrices of the slices that are running, statistics of those that are done or waiting too.
    running = min(tasks, threads * in_slice) * _task_bytes(plan, inputs)
    waiting = min(tasks, (2 * threads + 2) * in_slice) * 8 * columns
    networks = plan.size * (_NETWORK_BYTES + 24 * plan.depth)
    each = _dense_bytes(plan, inputs, components) if plan.run.method == "dense" else 0
    each += _THREAD_BYTES + 8 * plan.depth * inputs * (inputs + gradients)
    return 8 * results + running + waiting + networks + min(threads, tasks) * each


def _dense_bytes(plan: Sweep, inputs: int, components: int) -> int:
    """The largest weight matrix, units and derivatives of all layers, and gradients on their way back."""
    itemsize = 4 if plan.run.dtype == "float32" else 8
    matrix, units = plan.width * max(plan.width, components), 2 * plan.depth * plan.width * inputs
    return itemsize * (matrix + units) + plan.width * inputs * plan.run.outputs * (4 * itemsize + 16)
