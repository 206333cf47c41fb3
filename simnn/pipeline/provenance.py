"""What a netCDF file says about where it comes from."""

import datetime
import hashlib
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from simnn import __version__
from simnn._sources import digest
from simnn.pipeline.cells import dump

PACKAGES = ("numba", "llvmlite", "numpy", "scipy", "xarray", "netCDF4")
"""Packages whose versions are recorded."""


def attributes(
    title: str, specification: Mapping[str, Any], computed: Sequence[Mapping[str, Any]], wall_time: float | None = None
) -> dict[str, Any]:
    """Attributes of a dataset.

    Parameters
    ----------
    title : str
        What it holds.
    specification : mapping
        ``study``, ``module``, ``model`` and ``parameters`` of the job.
    computed : sequence of mapping
        Attributes of the datasets that it comes from, which may name a ``backend`` and a ``device``.
    wall_time : float, optional
        Seconds that it took.

    Returns
    -------
    dict
        Text and numbers. With ``SOURCE_DATE_EPOCH`` set, the creation time is that and no wall time is given, so that
        equal values give equal bytes.
    """
    parameters = dict(specification["parameters"])
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = (
        datetime.datetime.now(datetime.UTC)
        if epoch is None
        else datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    )
    entries: dict[str, Any] = {
        "Conventions": "CF-1.11, simnn-1",
        "title": title,
        "source": f"simnn {__version__}, study {specification['study']}",
        "parameters": dump(parameters),
        "parameters_sha256": hashlib.sha256(dump(dict(specification)).encode()).hexdigest(),
        "seed": str(parameters["seed"]),
        "trials": parameters["trials"],
        "backend": _joined(part.get("backend", "cpu") for part in computed),
        "device": _joined(part.get("device", processor()) for part in computed),
        "kernels": digest("device", specification["model"], theory=False),
        "simnn_version": __version__,
        **{f"{name.lower()}_version": metadata.version(name) for name in PACKAGES},
        "python_version": platform.python_version(),
        "git_revision": git_revision(),
        "created": now.isoformat(timespec="seconds"),
    }
    if wall_time is not None and epoch is None:
        entries["wall_time_seconds"] = round(wall_time, 3)
    return entries


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))


def git_revision() -> str:
    """Revision of the checkout that the package runs from.

    Returns
    -------
    str
        The hash, with ``-dirty`` if files differ, or ``"unknown"`` outside a checkout.
    """
    folder = pathlib.Path(__file__).parent
    try:
        result = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return result.stdout.strip() or "unknown"


def processor() -> str:
    """Name of the processor.

    Returns
    -------
    str
    """
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
