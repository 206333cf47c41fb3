"""Who compiles for the GPU, which devices there are, and the target of CUDA; nothing else imports it.

The package ``numba-cuda`` compiles. With ``NUMBA_ENABLE_CUDASIM=1``, Numba's simulator runs the same kernels as Python
threads: slow, without a GPU, and what the tests use. A driver imports ``cuda`` from here *by that name*, since the
simulator replaces globals that are this module.
"""

import functools
import importlib.metadata
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba.cuda
import numpy as np
from numba.core import config as _config

from simnn.device.targets import NUMPY, Block, Operations, Target, views

cuda: Any = numba.cuda

SIMULATED = bool(getattr(_config, "ENABLE_CUDASIM", False))
"""Whether kernels run in the simulator."""

INSTALL = "install simnn[cuda], on a machine with an NVIDIA driver"


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


def package() -> str | None:
    """Package that compiles for the GPU.

    Returns
    -------
    str or None
        Its name and version; None if there is none.
    """
    try:
        return f"numba-cuda {importlib.metadata.version('numba-cuda')}"
    except importlib.metadata.PackageNotFoundError:
        return None


def missing() -> str | None:
    """Why no kernel can run.

    Returns
    -------
    str or None
        One line that says what to do; None if kernels can run.
    """
    if SIMULATED:
        return None
    if package() is None:
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
        return [Device(0, "simulator", (0, 0), 2**28)]
    found = []
    for index in range(len(cuda.gpus)):
        with cuda.gpus[index]:
            device, memory = cuda.get_current_device(), cuda.current_context().get_memory_info()
            name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
            found.append(Device(index, name, tuple(device.compute_capability), int(memory.free)))
    return found


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
        Everything is inlined into its kernel, so that kernels compile without a GPU, and registers hold what they can.
    """
    # 32-bit words: their products are one instruction (mul.wide.u32), those of 64-bit lanes three.
    device: Any = functools.partial(cuda.jit, device=True, inline="always")

    def inlined(function: Callable[..., Any]) -> Any:
        return device(function)

    def kernel(function: Callable[..., Any]) -> Any:
        return cuda.jit(function)

    names = Operations(math.sqrt, math.floor, math.copysign, math.log2, math.isnan)
    return Target(
        f"cuda-{real.__name__}",
        real,
        np.uint32,
        inlined,
        inlined,
        kernel,
        *_casts(inlined, real),
        NUMPY if SIMULATED else names,
        _block(inlined),
    )
