"""Run many short tasks, or one long one, on the threads of the host, with Ctrl-C and progress in mind."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from simnn._startup import collector_paused

SLICE_SECONDS = 0.2
"""A slice of tasks is one call of a kernel: short enough for Ctrl-C and the progress bar, long against its overhead."""

DEVICE_SECONDS = 1.0
"""The same on a device: hundreds of launches, each of which takes the host time for its arguments, however large."""

R = TypeVar("R")


def in_slices(tasks: int, most: int, run: Callable[[int, int, NDArray[np.int64]], R]) -> Generator[R]:
    """Run tasks 0, ..., ``tasks`` - 1 in slices, on threads, and hand back their results in order.

    Parameters
    ----------
    tasks : int
        Number of tasks.
    most : int
        Largest number of tasks in a slice.
    run : callable
        ``run(first, last, stop)`` runs tasks first, ..., last - 1 without holding the interpreter's lock for long, and
        may end early once ``stop[0]`` is not zero. Results must not depend on how tasks are cut into slices.
        ``run(0, 0, stop)`` comes first, alone: it loads or compiles what the others need.

    Yields
    ------
    object
        What ``run`` returned, slice by slice.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    from simnn.device.targets import threads

    stop = np.zeros(1, np.int64)

    def timed(first: int, last: int) -> tuple[R, int, float]:
        start = time.perf_counter()
        return run(first, last, stop), last - first, time.perf_counter() - start

    with collector_paused():
        run(0, 0, stop)  # where Ctrl-C is heard at once
    pool = ThreadPoolExecutor(threads())
    pending: deque[Future[tuple[R, int, float]]] = deque()
    first, size = 0, 1
    try:
        while first < tasks or pending:
            # The first task, alone, tells how long others will take.
            while first < tasks and len(pending) < (2 * threads() if first > 0 else 1):
                # Slices shrink towards the end, so that threads end together: a second of work on two threads takes
                # 0.53 of its time on one (0.54 to 0.65 without).
                last = first + max(min(size, (tasks - first) // (2 * threads())), 1)
                pending.append(pool.submit(timed, first, last))
                first = last
            result, count, seconds = pending.popleft().result()
            size = _next_size(count, SLICE_SECONDS / max(seconds, 1e-9), most)
            yield result
    finally:
        stop[0] = 1
        pool.shutdown(wait=True, cancel_futures=True)


def one_by_one(tasks: int, most: int, run: Callable[[int, int, NDArray[np.int64]], R], least: int = 1) -> Generator[R]:
    """Run tasks in slices, one after the other, on this thread: for a device that runs tasks side by side itself.

    Parameters
    ----------
    tasks, most, run
        As of `in_slices`.
    least : int
        Smallest number of tasks of a slice but the last: the first slice, in which kernels are compiled, tells nothing.

    Yields
    ------
    object
        What ``run`` returned, slice by slice.
    """
    stop, first, size = np.zeros(1, np.int64), 0, min(least, most)
    while first < tasks:
        last, start = min(first + size, tasks), time.perf_counter()
        result = run(first, last, stop)
        seconds = time.perf_counter() - start
        longer = DEVICE_SECONDS / max(seconds, 1e-9)
        size, first = max(_next_size(last - first, longer, most), min(least, most)), last
        yield result


def _next_size(tasks: int, longer: float, most: int) -> int:
    """Number of tasks of a slice that is to take so many times longer than one of so many tasks."""
    return min(max(int(tasks * min(longer, 16.0)), 1), most)


def interruptible(run: Callable[[NDArray[np.int64]], R]) -> R:
    """Run one long task on a thread of its own, so that Ctrl-C is heard at once.

    Parameters
    ----------
    run : callable
        ``run(stop)`` runs the task without holding the interpreter's lock for long, and should end early once
        ``stop[0]`` is not zero; nobody waits for it then.

    Returns
    -------
    object
        What ``run`` returned.
    """
    from concurrent.futures import ThreadPoolExecutor, wait

    stop = np.zeros(1, np.int64)
    pool = ThreadPoolExecutor(1)
    try:
        future = pool.submit(run, stop)
        # A signal that comes just before a wait is heard only after it.
        while not future.done():
            wait([future], SLICE_SECONDS)
        return future.result()
    finally:
        stop[0] = 1
        pool.shutdown(wait=False)


def one_thread_of_blas() -> contextlib.AbstractContextManager[Any]:
    """Keep BLAS to one thread: tasks run side by side instead, and last digits do not depend on the number of threads.

    Returns
    -------
    context manager
    """
    from threadpoolctl import threadpool_limits

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits
