"""Digest of the package's sources: the kernel cache and the re-run trigger of simulations key on it."""

import hashlib
import pathlib

_PACKAGE = pathlib.Path(__file__).parent


def digest(*packages: str) -> str:
    """Hash the Python sources of subpackages of ``simnn``.

    Parameters
    ----------
    *packages : str
        Names of subpackages, such as ``"device"``.

    Returns
    -------
    str
        16 hexadecimal digits of the SHA-256 of relative paths and contents.
    """
    state = hashlib.sha256()
    for package in sorted(packages):
        for source in sorted((_PACKAGE / package).rglob("*.py")):
            content = source.read_bytes()
            state.update(f"{source.relative_to(_PACKAGE).as_posix()} {len(content)}\n".encode())
            state.update(content)
    return state.hexdigest()[:16]
