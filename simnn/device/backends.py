"""Where kernels run: on the host, or on a GPU. Light to import; CUDA is asked for nothing unless it may be used."""

import contextlib
import re
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

WORTH_SECONDS = 30.0
"""What takes the host less than that is not worth a GPU, which is to be started, and compiled for in each process.

To compile and assemble the five kernels of propagation took 15 s of a host without one.
"""


_PATTERN = "^(auto|cpu|cuda(:[0-9]{1,3})?)$"


def _known(backend: str) -> str:
    if re.fullmatch(_PATTERN, backend) is None:
        raise ValueError("'auto', 'cpu', 'cuda', or 'cuda:0', 'cuda:1', ... for one of several GPUs")
    return backend


Backend = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "pattern": _PATTERN})]
"""A parameter: ``"auto"``, ``"cpu"``, ``"cuda"``, or ``"cuda:1"`` for the second GPU."""


def on_cuda(backend: str) -> bool:
    """Whether a backend asks for a GPU.

    Parameters
    ----------
    backend : str
        A `Backend`.

    Returns
    -------
    bool
    """
    return backend.startswith("cuda")


def choose(backend: str, seconds: float) -> int | None:
    """Choose where to run.

    Parameters
    ----------
    backend : str
        A `Backend`. ``"auto"`` takes the first GPU if there is one and the host would take `WORTH_SECONDS`.
    seconds : float
        Estimate of what the host takes.

    Returns
    -------
    int or None
        Index of the GPU; None for the host.

    Raises
    ------
    ValueError
        If there is no such backend, or a GPU is asked for that cannot be used; one line says why and what to do.
    """
    try:
        _known(backend)
    except ValueError as error:
        raise ValueError(f"backend: {backend!r} is not allowed: should be {error}") from None
    if backend == "cpu" or (backend == "auto" and seconds < WORTH_SECONDS):
        return None
    from simnn.device import gpu

    missing = gpu.missing()
    if backend == "auto":
        return None if missing is not None or gpu.SIMULATED else 0
    if missing is not None:
        raise ValueError(f"backend: {backend!r} is not allowed here: {missing}")
    index, count = int(backend.partition(":")[2] or 0), len(gpu.devices())
    if index >= count:
        last = f"'cuda:{count - 1}'" if count > 1 else "'cuda'"
        raise ValueError(f"backend: {backend!r} is not allowed here: the last of {count} GPUs is {last}")
    return index


def use(index: int | None) -> contextlib.AbstractContextManager[Any]:
    """Make a GPU the current one.

    Parameters
    ----------
    index : int or None
        From `choose`.

    Returns
    -------
    context manager
        In which what goes wrong on a GPU is one clear error.
    """
    if index is None:
        return contextlib.nullcontext()
    from simnn.device import gpu

    return gpu.use(index)


def attributes(index: int | None) -> dict[str, str]:
    """Say in a dataset where it was computed.

    Parameters
    ----------
    index : int or None
        From `choose`.

    Returns
    -------
    dict of str to str
    """
    if index is None:
        return {"backend": "cpu"}
    from simnn.device import gpu

    return {"backend": "cuda", "device": gpu.devices()[index].name}
