"""Cells: the jobs that a study splits into, and the names of their files."""

import hashlib
import importlib.util
import itertools
import json
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import simnn
from simnn._sources import THEORY, digest, reached

MODELS = frozenset(simnn.__all__)


@dataclass(frozen=True)
class Cell:
    """One job of a study.

    Attributes
    ----------
    study : str
        Name of the study.
    name : str
        Name of its file, without folder and suffix.
    specification : str
        JSON of all that determines its values; the argument of ``simnn cell``.
    """

    study: str
    name: str
    specification: str


def dump(value: Any) -> str:
    """JSON with sorted keys, so that equal values give equal text.

    Parameters
    ----------
    value : object
        Plain JSON values.

    Returns
    -------
    str
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def split(study: str, block: Mapping[str, Any]) -> list[Cell]:
    """Cells of a study.

    Parameters
    ----------
    study : str
        Its name.
    block : mapping
        From `simnn.pipeline.config.parse`.

    Returns
    -------
    list of Cell
        One for each combination of values of the axes named in ``jobs``.
    """
    axes = [block["parameters"][name] for name in block["jobs"]]
    return [_cell(study, block, dict(zip(block["jobs"], point, strict=True))) for point in itertools.product(*axes)]


def _cell(study: str, block: Mapping[str, Any], point: Mapping[str, Any]) -> Cell:
    # Split axes keep length one, so that files join along them.
    parameters = dict(block["parameters"]) | {name: [value] for name, value in point.items()}
    specification = dump({"study": study, "module": block["module"], "model": block["model"], "parameters": parameters})
    parts = [f"{name}={_text(value)}" for name, value in sorted(point.items())]
    return Cell(study, "_".join([*parts, hashlib.sha256(specification.encode()).hexdigest()[:8]]), specification)


def _text(value: Any) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", str(value)).strip("-")


_STAGES = {
    "simulate": (("simulate",), ("device", "sampling.py")),
    "gather": (("compare", "TITLE"), ("pipeline/stages.py", "pipeline/store.py", "pipeline/provenance.py")),
    "claims": (("claims",), ("pipeline/stages.py", "pipeline/store.py")),
    "figure": (("figure",), ("pipeline/stages.py", "pipeline/store.py", "plotting", "plotting/simnn.mplstyle")),
    "report": (("CAPTION", "TITLE", "source"), ("pipeline/stages.py", "pipeline/templates/report.html")),
}
"""What a stage takes from the study, and what it runs besides the study and its models."""


def sources(block: Mapping[str, Any], stage: str) -> str:
    """Digest of the code that a stage runs: an edit runs the stage again.

    Parameters
    ----------
    block : mapping
        From `simnn.pipeline.config.parse`.
    stage : {"simulate", "gather", "claims", "figure", "report"}
        Each depends on its own function of the study and on what that uses, there and in `simnn.studies`: other models
        than its own, too. Cells
        depend on kernels, and on theory only if the study simulates by itself and uses it there.

    Returns
    -------
    str
    """
    names, parts = _STAGES[stage]
    study, used = reached(_source(block["module"]), names)
    shared, more = reached(_source("simnn.studies"), used)
    theory = stage != "simulate" or not THEORY.isdisjoint(used | more)
    models = {block["model"], *MODELS.intersection(used | more)}
    if "olfaction" in models:  # whose readouts may be those with the largest margin
        models.add("capacity")
    own = hashlib.sha256(f"{study}\n{shared}".encode()).hexdigest()[:16]
    return f"{digest(*models, *parts, theory=theory)}-{own}"


def _source(module: str) -> str:
    specification = importlib.util.find_spec(module)
    if specification is None or specification.origin is None:
        raise ModuleNotFoundError(f"no module {module}")
    return pathlib.Path(specification.origin).read_text(encoding="utf-8")
