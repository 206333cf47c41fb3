"""Slices of tasks: all of them once, in order, on many threads, and none after an error."""

import signal
import threading

import numba
import pytest

from simnn import running


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize(("tasks", "most"), [(0, 5), (1, 5), (100, 7), (1000, 10**6)])
def test_every_task_runs_once_and_in_order(monkeypatch, threads, tasks, most):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    parts = list(running.in_slices(tasks, most, lambda first, last, stop: range(first, last)))
    assert [task for part in parts for task in part] == list(range(tasks))
    assert all(0 < len(part) <= most for part in parts)


def test_tasks_of_a_device_run_once_in_order_and_on_the_thread_of_the_caller(monkeypatch):
    threads, clock = set(), iter(range(10**6))
    monkeypatch.setattr(running.time, "perf_counter", lambda: 0.001 * next(clock))

    def run(first, last, stop):
        threads.add(threading.current_thread())
        return range(first, last)

    parts = list(running.one_by_one(1000, 300, run))
    assert [task for part in parts for task in part] == list(range(1000))
    # A slice takes a millisecond: they grow sixteenfold up to the most that is allowed.
    assert [len(part) for part in parts] == [1, 16, 256, 300, 300, 127]
    assert [len(part) for part in running.one_by_one(1000, 300, run, least=10)] == [10, 160, 300, 300, 230]
    monkeypatch.setattr(running, "DEVICE_SECONDS", 1e-6)
    # What takes too long is not cut below the least: kernels may have been compiled in that time.
    assert [len(part) for part in running.one_by_one(30, 300, run, least=10)] == [10, 10, 10]
    assert threads == {threading.current_thread()}


def test_the_first_call_is_empty_and_on_the_thread_of_the_caller():
    calls = []
    list(running.in_slices(3, 9, lambda first, last, stop: calls.append((first, last, threading.current_thread()))))
    assert calls[0] == (0, 0, threading.current_thread())


def test_an_error_ends_the_others(monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    flags = []

    def run(first, last, stop):
        flags.append(stop)
        if first > 3:
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        list(running.in_slices(1000, 1, run))
    assert len(flags) < 20
    assert flags[0][0] == 1


def test_a_long_task_hands_back_its_result_or_error():
    stop, thread = running.interruptible(lambda stop: (int(stop[0]), threading.current_thread()))
    assert stop == 0
    assert thread is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        running.interruptible(lambda stop: 1 // int(stop[0]))


def test_an_interrupt_does_not_wait_for_a_long_task():
    begun, ended, release = threading.Event(), threading.Event(), threading.Event()

    def run(stop):
        begun.set()
        release.wait(60.0)
        if stop[0] == 1:
            ended.set()

    def interrupt():
        begun.wait(60.0)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        running.interruptible(run)
    other.join()
    release.set()
    assert ended.wait(60.0)
