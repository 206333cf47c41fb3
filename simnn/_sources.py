"""Digest of the package's sources: the kernel cache and the re-run triggers of the pipeline key on it."""

import hashlib
import pathlib

_PACKAGE = pathlib.Path(__file__).parent
_THEORY = (
    "theory.py", "expectations.py", "arguments.py", "finite_width.py", "dead_units.py", "linear_products.py",
)  # fmt: skip


def digest(*parts: str, theory: bool = True) -> str:
    """Hash Python sources of ``simnn``.

    Parameters
    ----------
    *parts : str
        Subpackages or files, relative to the package, such as ``"device"`` or ``"studies/phase_diagram.py"``.
    theory : bool
        Whether the closed forms of a model package count; no kernel depends on them.

    Returns
    -------
    str
        16 hexadecimal digits of the SHA-256 of relative paths and contents.
    """
    state = hashlib.sha256()
    for part in sorted(parts):
        root = _PACKAGE / part
        for source in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            if theory or source.name not in _THEORY:
                content = source.read_bytes()
                state.update(f"{source.relative_to(_PACKAGE).as_posix()} {len(content)}\n".encode())
                state.update(content)
    return state.hexdigest()[:16]
