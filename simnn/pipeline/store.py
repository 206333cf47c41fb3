"""netCDF files: written whole or not at all, and recognised when damaged.

HDF5 checks little of what it reads: a flipped bit may change values in silence, or make the library search for ever. A
checksum of all bytes therefore stands behind the end of the HDF5 file, where other programs do not look.
"""

import contextlib
import hashlib
import os
import pathlib
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MARK = b"simnn sha256"

CHECKSUM_BYTES = len(_MARK) + hashlib.sha256().digest_size
"""Length of the mark and the checksum at the end of a file."""


class DamagedFileError(RuntimeError):
    """A file that is there but does not hold what was written."""


def write(dataset: "xr.Dataset", path: pathlib.Path) -> None:
    """Write a dataset under a temporary name, then rename.

    Parameters
    ----------
    dataset : xarray.Dataset
        Attributes must be text or numbers.
    path : pathlib.Path
        Where to; the folder is made.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp{os.getpid()}")
    encoding = {
        str(name): {"zlib": True, "complevel": 1, "shuffle": True}
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "biuf" and variable.ndim > 0
    }
    try:
        dataset.to_netcdf(temporary, engine="netcdf4", format="NETCDF4", encoding=encoding)
        with temporary.open("rb+") as file:
            checksum = hashlib.file_digest(file, "sha256")
            file.seek(0, os.SEEK_END)
            file.write(_MARK + checksum.digest())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # netCDF reports a full disk as RuntimeError("NetCDF: HDF error")
        raise OSError(f"{path} cannot be written: {error}; is the disk full?") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def read(path: pathlib.Path) -> "xr.Dataset":
    """Read a dataset into memory.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    DamagedFileError
        If the file is truncated, empty, or fails its checksum. Files that others wrote have none.
    FileNotFoundError
        If it is not there.
    """
    import xarray as xr

    if is_damaged(path):
        raise DamagedFileError(f"{path} is damaged: it is cut off, or no netCDF file")
    if not _is_intact(path):
        raise DamagedFileError(f"{path} is damaged: its checksum is wrong")
    try:
        # A kept encoding would cut longer names to the length of this file's ("tanh" beside "erf" became "tan").
        return xr.load_dataset(path, engine="netcdf4").drop_encoding()
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        raise DamagedFileError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def _is_intact(path: pathlib.Path) -> bool:
    """Whether the content has the checksum at the end of the file, if there is one."""
    state, left = hashlib.sha256(), path.stat().st_size - CHECKSUM_BYTES
    with path.open("rb") as file:
        while left > 0:
            block = file.read(min(left, 2**20))
            state.update(block)
            left -= len(block)
        end = file.read()
    return not end.startswith(_MARK) or end == _MARK + state.digest()


def is_damaged(path: pathlib.Path) -> bool:
    """Whether a file is visibly not the netCDF file that was written, from its first bytes alone.

    Parameters
    ----------
    path : pathlib.Path
        An existing file.

    Returns
    -------
    bool
        True if the signature is missing, or the file or its checksum is cut off. A flipped bit inside is found by
        `read` only.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(48)
        if head[:8] != _SIGNATURE or len(head) < 48:
            return True
        # End-of-file address: HDF5 file format, superblock versions 0 and 1, then 2 and 3; 8-byte addresses.
        offset = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8], -1)
        if offset < 0 or offset + 8 > len(head):
            return False
        (end,) = struct.unpack_from("<Q", head, offset)
        if size < end:
            return True
        file.seek(end)
        checksum = file.read(CHECKSUM_BYTES)
    return 0 < len(checksum) < CHECKSUM_BYTES and _MARK.startswith(checksum[: len(_MARK)])
