"""Who compiles for the GPU, which devices there are, and the target of CUDA; nothing else imports it.

The package ``numba-cuda`` compiles. Its successor ``numba-cuda-mlir`` cannot yet (0.6.0): kernels that build a named
tuple, as routines here do to pass several arrays, end in NotImplementedError. With ``NUMBA_ENABLE_CUDASIM=1``, Numba's
simulator runs the same kernels as Python threads: slow, without a GPU, and what the tests use. A driver imports
``cuda`` from here *by that name*, since the simulator replaces globals that are this module.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

# A grid of a few blocks is no mistake where a network or a chunk of odors is small.
os.environ.setdefault("NUMBA_CUDA_LOW_OCCUPANCY_WARNINGS", "0")
import numba.cuda
import numpy as np
from numba.core import config as _config

from simnn.device.targets import NUMPY, Block, Operations, Target, views

cuda: Any = numba.cuda

SIMULATED = bool(getattr(_config, "ENABLE_CUDASIM", False))
"""Whether kernels run in the simulator."""

SIMULATED_BYTES = 2**30
"""What the simulator says is free."""

INSTALL = "install simnn[cuda], on a machine with an NVIDIA driver"

SHARE = 0.8
"""Of the free memory that work may fill: the driver, and others, take some."""


@dataclass(frozen=True)
class Device:
    """A GPU.

    Attributes
    ----------
    index : int
        What ``backend="cuda:index"`` chooses.
    name : str
        Of the product.
    capability : tuple of int
        Compute capability.
    memory : int
        Bytes that are free.
    """

    index: int
    name: str
    capability: tuple[int, int]
    memory: int


def missing() -> str | None:
    """Why no kernel can run.

    Returns
    -------
    str or None
        One line that says what to do; None if kernels can run.
    """
    if SIMULATED:
        return None
    if importlib.util.find_spec("numba_cuda") is None:
        return f"no package compiles for CUDA: {INSTALL}"
    try:
        if cuda.is_available() and len(cuda.gpus) > 0:
            return None
    except Exception as error:  # drivers fail in many ways
        return f"the CUDA driver does not answer ({' '.join(str(error).split())}): {INSTALL}"
    return f"no CUDA device is visible: {INSTALL}, and see CUDA_VISIBLE_DEVICES"


def devices() -> list[Device]:
    """List the GPUs that this process may use.

    Returns
    -------
    list of Device
        Empty if none can be used.
    """
    if missing() is not None:
        return []
    if SIMULATED:
        return [Device(0, "simulator", (0, 0), SIMULATED_BYTES)]
    found = []
    for index in range(len(cuda.gpus)):
        with cuda.gpus[index]:
            device, memory = cuda.get_current_device(), cuda.current_context().get_memory_info()
            name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
            found.append(Device(index, name, tuple(device.compute_capability), int(memory.free)))
    return found


@contextlib.contextmanager
def use(index: int) -> Iterator[None]:
    """Make a device the current one.

    Parameters
    ----------
    index : int
        Its number.

    Yields
    ------
    None

    Raises
    ------
    MemoryError
        If the device runs out of memory, which others may fill while we work.
    RuntimeError
        If the driver fails in another way.
    """
    if SIMULATED:
        yield
        return
    from numba.cuda.cudadrv.driver import CudaAPIError

    try:
        with cuda.gpus[index]:
            yield
    except CudaAPIError as error:
        text = " ".join(str(error).split())
        if "OUT_OF_MEMORY" in text:
            raise MemoryError(f"the GPU ran out of memory, does another process fill it? ({text})") from None
        raise RuntimeError(f"the GPU failed: {text}") from None


def free_memory() -> int:
    """Memory of the current device that nobody has taken.

    Returns
    -------
    int
        Bytes.
    """
    return SIMULATED_BYTES if SIMULATED else int(cuda.current_context().get_memory_info().free)


def current() -> int:
    """Index of the device that is in use.

    Returns
    -------
    int
    """
    return 0 if SIMULATED else int(cuda.get_current_device().id)


def room(each: int, fixed: int = 0) -> int:
    """How many pieces of work fit into the memory that the current device has free.

    Parameters
    ----------
    each : int
        Bytes of a piece.
    fixed : int
        Bytes that are needed besides.

    Returns
    -------
    int
        0 if there is no room for one.
    """
    return max((int(SHARE * free_memory()) - fixed) // each, 0)


def budget(each: int, fixed: int, advice: str) -> int:
    """As `room`, but no room for one piece is an error.

    Parameters
    ----------
    each, fixed : int
        As of `room`.
    advice : str
        What to do where there is no room for one.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    MemoryError
        If there is no room for one.
    """
    pieces = room(each, fixed)
    if pieces == 0:
        free, needed = free_memory() / 2**30, (fixed + each) / SHARE / 2**30
        raise MemoryError(f"the GPU has {free:.1f} GiB free, and {needed:.1f} GiB are needed; {advice}")
    return pieces


def versions() -> list[str]:
    """Packages, compiler and driver, as far as they are there.

    Returns
    -------
    list of str
        Names and versions.
    """
    parts = []
    for name in ("numba-cuda", "nvidia-nvvm", "nvidia-cuda-nvrtc"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{name} {importlib.metadata.version(name)}")
    if not SIMULATED:
        with contextlib.suppress(Exception):  # no driver
            major, minor = cuda.cudadrv.driver.driver.get_version()
            parts.append(f"driver for CUDA {major}.{minor}")
    return parts


def trial(index: int) -> str:
    """Whether kernels load and run.

    Parameters
    ----------
    index : int
        Of a device.

    Returns
    -------
    str
        That they do, or what the driver says.
    """
    from simnn.device import philox

    philox4x32, zero = philox.bind(target(np.float32)).philox4x32, np.uint32(0)

    def known_answer(out: Any) -> None:
        out[0] = philox4x32(zero, zero, zero, zero, zero, zero)[0]

    try:
        with use(index):
            out = cuda.to_device(np.zeros(1, np.uint32))
            cuda.jit(known_answer)[1, 1](out)
            right = int(out.copy_to_host()[0]) == 0x6627E8D5
    except Exception as error:  # whatever it is, the rest of the report is wanted
        return f"kernels do not load: {' '.join(str(error).split())}"
    return "kernels load" if right else "kernels load and are wrong"


def _casts(device: Callable[..., Any], real: type) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Bit casts: libdevice's, which the simulator gets silently wrong, and which only a GPU has."""
    if SIMULATED:
        return views(device, real)
    if real is np.float32:

        @device
        def to_bits(x: Any) -> Any:
            return cuda.libdevice.float_as_int(x)

        @device
        def from_bits(i: Any) -> Any:
            return cuda.libdevice.int_as_float(i)

    else:

        @device
        def to_bits(x: Any) -> Any:
            return cuda.libdevice.double_as_longlong(x)

        @device
        def from_bits(i: Any) -> Any:
            return cuda.libdevice.longlong_as_double(i)

    return to_bits, from_bits


def _block(device: Callable[..., Any]) -> Block:
    """Threads of a thread block."""

    @device
    def lane() -> Any:
        return cuda.threadIdx.x

    @device
    def lanes() -> Any:
        return cuda.blockDim.x

    @device
    def sync() -> Any:
        cuda.syncthreads()

    return Block(lane, lanes, sync)


@functools.cache
def target(real: type[np.floating[Any]]) -> Target:
    """Target of the GPU.

    Parameters
    ----------
    real : type
        ``numpy.float32`` or ``numpy.float64``.

    Returns
    -------
    Target
        Everything is inlined into its kernel, so that registers hold what they can.
    """
    # Functions are inlined by LLVM, as on the CPU: inlining before types are inferred takes ten times longer.
    options = {} if SIMULATED else {"forceinline": True}

    def inlined(function: Callable[..., Any]) -> Any:
        return cuda.jit(device=True, **options)(function)

    def kernel(function: Callable[..., Any]) -> Any:
        return cuda.jit(function)

    names = Operations(math.sqrt, math.floor, math.copysign, math.log, math.log2, math.ldexp, math.isnan)
    return Target(
        f"cuda-{real.__name__}",
        real,
        np.uint32,  # products of 32-bit words are one instruction, those of 64-bit words three
        inlined,
        inlined,
        kernel,
        *_casts(inlined, real),
        NUMPY if SIMULATED else names,
        _block(inlined),
    )
