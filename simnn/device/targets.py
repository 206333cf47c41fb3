"""The targets that device functions are bound for; with `simnn.device.internal` and `.gpu` all that knows Numba.

A *device function* is per-element mathematics in plain Python, defined inside a factory ``bind(target)`` that
decorates it with ``target.device``. A *kernel* is a driver with loops and arrays, decorated with
``target.kernel``. Binding the same factory twice gives the same functions on two targets:

``python(real)``
    The plain Python functions: the reference of the parity tests, readable in a debugger.
``strict(real)``
    Compiled for the CPU without any floating-point licence: bitwise equal to ``python``.
``cpu(real)``
    Compiled for the CPU with ``a*b + c`` contracted to fused multiply-adds where the hardware has them.
``cuda(real)``
    Compiled for the GPU, with contraction too; see `simnn.device.gpu`, which knows who compiles for it.

Floating-point policy: IEEE arithmetic, no reassociation, NaN and infinity respected; contraction is the only
licence, so results do not depend on the vector width.
"""

import functools
import os
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import binding
from numba.core import config as _config
from numba.core.caching import FunctionCache

from simnn._sources import digest
from simnn.device import internal

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# One package for each model whose kernels are cached; an edit of any of them must recompile its kernels.
_KERNEL_PACKAGES = ("device", "propagation", "capacity", "olfaction")


def threads() -> int:
    """Threads that the host may use.

    Returns
    -------
    int
        ``$NUMBA_NUM_THREADS``, by default the processors that this process may run on.
    """
    config: Any = _config
    return int(config.NUMBA_NUM_THREADS)


def cache_folder() -> pathlib.Path:
    """Folder of the compiled kernels.

    Returns
    -------
    pathlib.Path
        ``$SIMNN_CACHE_DIR``, else ``simnn`` under ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if chosen := os.environ.get("SIMNN_CACHE_DIR"):
        return pathlib.Path(chosen)
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "simnn"


class _SourceKeyedCache(FunctionCache):
    """Numba's on-disk cache, keyed by signature and processor alone.

    Numba hashes the cells of a closure, which hold fresh identifiers of the callees: a kernel made by a factory
    would never hit, and a kernel whose callee changed would stay stale. Both end when the folder is named
    after the sources of everything that a kernel may call.
    """

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (sig, codegen.magic_tuple())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba would first load everything that it knows how to compile, SciPy's linear algebra included (0.5 s, a
        # third of a warm start). Compiled code needs none of it; a kernel that is not found here makes Numba load it.
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]


def _cached_kernel(jit: Decorator, target_name: str, function: Callable[..., Any]) -> Any:
    """Compile with the cache of a target, and leave Numba's global setting as it was."""
    dispatcher: Any = jit(function)
    if dispatcher is function:
        # $NUMBA_DISABLE_JIT: everything is plain Python.
        return function
    folder = cache_folder() / digest(*_KERNEL_PACKAGES, theory=False) / binding.get_host_cpu_name() / target_name
    config: Any = _config
    users_choice = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        dispatcher._cache = _SourceKeyedCache(dispatcher.py_func)  # type: ignore[no-untyped-call]
    finally:
        config.CACHE_DIR = users_choice
    return dispatcher


class Operations(NamedTuple):
    """Functions of the hardware, whose names depend on the target."""

    sqrt: Callable[..., Any]
    floor: Callable[..., Any]
    copysign: Callable[..., Any]
    log: Callable[..., Any]
    log2: Callable[..., Any]
    ldexp: Callable[..., Any]
    isnan: Callable[..., Any]


class Block(NamedTuple):
    """Threads that share the work of a routine: ``for i in range(lane(), size, lanes())``.

    Attributes
    ----------
    lane : callable
        Number of this thread.
    lanes : callable
        How many there are.
    sync : callable
        Wait for all of them.
    """

    lane: Callable[..., Any]
    lanes: Callable[..., Any]
    sync: Callable[..., Any]


NUMPY = Operations(np.sqrt, np.floor, np.copysign, np.log, np.log2, np.ldexp, np.isnan)
"""Functions of all targets but CUDA, whose compilers know only those of ``math``."""


@dataclass(frozen=True)
class Target:
    """Where device functions run, and the precision they are bound for.

    Attributes
    ----------
    name : str
        Unique, and part of the cache's folder.
    real : type
        ``numpy.float32`` or ``numpy.float64``.
    integer : type
        Signed integer of the same size, for bit patterns.
    word : type
        Carrier of a 32-bit word of Philox. ``uint64`` on the CPU: the 32 x 32 -> 64 bit products then map to one
        vector instruction without repacking.
    device : callable
        Decorator of device functions, inlined wherever they are called.
    routine : callable
        Decorator of loops over arrays that several kernels, or several places of one, call.
    kernel : callable
        Decorator of kernels: cached on disk, and free of the interpreter's lock, so that threads of the host run
        them side by side.
    to_bits, from_bits : callable
        Bit pattern of a ``real`` as an ``integer``, and back.
    operations : Operations
        Functions of the hardware.
    block : Block
        Threads that share the work of a routine: one on the CPU, where loops over it vectorise.
    """

    name: str
    real: type[np.floating[Any]]
    word: type[np.integer[Any]]
    device: Decorator
    routine: Decorator
    kernel: Decorator
    to_bits: Callable[..., Any]
    from_bits: Callable[..., Any]
    operations: Operations
    block: Block

    @property
    def integer(self) -> type[np.integer[Any]]:
        """Signed integer type of the size of ``real``."""
        return np.int32 if self.real is np.float32 else np.int64

    @property
    def single(self) -> bool:
        """Whether ``real`` is single precision."""
        return self.real is np.float32


def views(device: Decorator, real: type) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Bit casts of scalars, by their views.

    Parameters
    ----------
    device : callable
        Decorator.
    real : type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    tuple of callable
        ``to_bits`` and ``from_bits`` of a `Target`.
    """
    integer = np.int32 if real is np.float32 else np.int64

    @device
    def to_bits(x: Any) -> Any:
        return real(x).view(integer)

    @device
    def from_bits(i: Any) -> Any:
        return integer(i).view(real)

    return to_bits, from_bits


def _alone(device: Decorator) -> Block:
    """One thread."""

    @device
    def lane() -> Any:
        return 0

    @device
    def lanes() -> Any:
        return 1

    @device
    def sync() -> Any:
        pass

    return Block(lane, lanes, sync)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@functools.cache
def python(real: type[np.floating[Any]]) -> Target:
    """Target of the plain Python functions.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Target
    """
    casts, block = views(_plain, real), _alone(_plain)
    return Target(f"python-{real.__name__}", real, np.uint64, _plain, _plain, _plain, *casts, NUMPY, block)


def _compiled(name: str, real: type[np.floating[Any]], fastmath: bool | set[str]) -> Target:
    # The NumPy error model: a division that may raise ZeroDivisionError blocks vectorisation (7-8x slower).
    njit: Any = numba.njit
    # No memory of its own, so nothing to count: a kernel gets its scratch from its caller. Counting references is
    # an atomic increment for each view of an array, and took 60 % of the time of a layer of 32 units.
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": fastmath, "_nrt": False}
    # Without forced inlining no loop around a device function vectorises (10x slower).
    device = internal.decorator(forceinline=True, **options)
    routine = internal.decorator(**options)
    kernel = njit(nogil=True, **options)
    cached = functools.partial(_cached_kernel, kernel, name)
    casts, block = views(device, real), _alone(device)
    return Target(name, real, np.uint64, device, routine, cached, *casts, NUMPY, block)


@functools.cache
def strict(real: type[np.floating[Any]]) -> Target:
    """Target of the CPU with strict arithmetic.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Target
    """
    return _compiled(f"strict-{real.__name__}", real, False)


@functools.cache
def cpu(real: type[np.floating[Any]]) -> Target:
    """Target of the CPU with fused multiply-adds.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Target
    """
    return _compiled(f"cpu-{real.__name__}", real, {"contract"})


def cuda(real: Any) -> Target:
    """Target of the GPU, or of its simulator.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Target
    """
    from simnn.device import gpu

    return gpu.target(real)
