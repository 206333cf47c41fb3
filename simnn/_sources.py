"""Digests of sources: the kernel cache and the re-run triggers of the pipeline key on them."""

import ast
import hashlib
import pathlib
from collections.abc import Iterable, Iterator

_PACKAGE = pathlib.Path(__file__).parent
_THEORY = (
    "theory.py", "expectations.py", "arguments.py", "finite_width.py", "dead_units.py", "linear_products.py",
    "drive_pairs.py", "degree_laws.py",
)  # fmt: skip

THEORY = frozenset(name.removesuffix(".py") for name in _THEORY)
"""Modules of closed forms; no kernel depends on them."""


def digest(*parts: str, theory: bool = True) -> str:
    """Hash Python sources of ``simnn``.

    Parameters
    ----------
    *parts : str
        Subpackages or files, relative to the package, such as ``"device"`` or ``"studies/phase_diagram.py"``.
    theory : bool
        Whether the modules `THEORY` of a model package count.

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


def reached(source: str, roots: Iterable[str]) -> tuple[str, set[str]]:
    """What some names of a module depend on, in the module itself.

    Parameters
    ----------
    source : str
        Python source of the module.
    roots : iterable of str
        Names of functions, classes or constants at its top level; others do not matter.

    Returns
    -------
    text : str
        Source of the roots and of all that they use, in the order of the module.
    used : set of str
        Every name and attribute in it, and every part of the names of the modules that it imports.
    """
    lines, definitions = source.splitlines(), _definitions(ast.parse(source))
    used, pending = set(roots), set(roots)
    taken: set[ast.stmt] = set()
    while pending:
        statements = {statement for name in pending for statement in definitions.get(name, ())} - taken
        names = {name for statement in statements for name in _names(statement)}
        taken, pending, used = taken | statements, names - used, used | names
    ordered = sorted(taken, key=lambda statement: statement.lineno)
    parts = [lines[_first_line(statement) - 1 : statement.end_lineno] for statement in ordered]
    return "\n".join(line for part in parts for line in part), used


def _definitions(module: ast.Module) -> dict[str, list[ast.stmt]]:
    """Statements at the top level that bind a name."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names = {statement.name}
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        else:
            nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
            names = {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
        for name in names:
            found.setdefault(name, []).append(statement)
    return found


def _names(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")


def _first_line(statement: ast.stmt) -> int:
    decorated = isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.decorator_list
    return decorated[0].lineno if decorated else statement.lineno
