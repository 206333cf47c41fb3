"""The schema of ``config.yaml``: everything is checked before anything runs."""

import importlib
import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from simnn.device.backends import Backend

SCHEMA = pathlib.Path(__file__).parent / "config.schema.json"
"""JSON schema for editors, generated from the models below."""


class ConfigError(ValueError):
    """A line about what is wrong in the configuration, where, and what is allowed."""


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number, not a boolean")
    return value


_Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
_Integer = Annotated[int, BeforeValidator(_not_bool)]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | float | str | None):
        return value
    raise ValueError("should be a number, text, true, false or null")


_Value = Annotated[bool | int | float | str | None, BeforeValidator(_scalar)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Strict):
    """Values of an axis by their ends.

    Attributes
    ----------
    start, stop : float
        First and last value.
    num : int
        How many values.
    spacing : {"linear", "log"}
        Equal differences or equal ratios.
    """

    start: _Number
    stop: _Number
    num: Annotated[_Integer, Field(ge=1, le=100_000)]
    spacing: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if self.spacing == "log" and not (self.start > 0.0 and self.stop > 0.0):
            raise ValueError("ends of a logarithmic range must be positive")
        return self

    def values(self) -> list[float]:
        """Values of the axis.

        Returns
        -------
        list of float
        """
        fractions = [i / max(self.num - 1, 1) for i in range(self.num)]
        if self.spacing == "log":
            return [self.start * (self.stop / self.start) ** f for f in fractions]
        return [self.start + (self.stop - self.start) * f for f in fractions]


def _axis(value: Any) -> Any:
    if isinstance(value, dict | Range) or (isinstance(value, list) and value):
        return value
    raise ValueError("should be a list of one or more values, or {start, stop, num}")


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "range" if isinstance(value, dict | Range) else "value"


_List = Annotated[list[_Value], Tag("list")]
_Axis = Annotated[Annotated[Range, Tag("range")] | _List, Discriminator(_kind), BeforeValidator(_axis)]


def _fixed(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("should be a single value; ranges belong in grid or jobs")
    return value


_Fixed = Annotated[Annotated[_Value, Tag("value")] | _List, Discriminator(_kind), BeforeValidator(_fixed)]


class Block(_Strict):
    """One study of the configuration.

    Attributes
    ----------
    study : str, optional
        Module of the study; by default the name of the block.
    model : dict
        Fixed parameters; a list for those that take one, such as the widths of all layers.
    grid : dict
        Axes that are computed inside one job.
    jobs : dict
        Axes that split the study into jobs, one for each combination of values.
    trials, seed : int
        Random repetitions for each point, and the key of all random numbers.
    backend : str
        Where kernels run, see `simnn.device.backends.choose`.
    """

    study: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")] | None = None
    model: dict[str, _Fixed] = {}
    grid: dict[str, _Axis] = {}
    jobs: dict[str, _Axis] = {}
    trials: Annotated[_Integer, Field(ge=1, le=2**32)]
    seed: Annotated[_Integer, Field(ge=0, le=2**64 - 1)] = 0
    backend: Backend = "auto"


class Config(_Strict):
    """The whole configuration.

    Attributes
    ----------
    studies : dict of str to Block or None
        Studies by name; names become file names. None leaves a study of another file out.
    """

    studies: Annotated[dict[_Name, Block | None], Field(min_length=1)]


def parse(raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Validate a configuration and normalise its values.

    Parameters
    ----------
    raw : mapping
        As read from YAML.

    Returns
    -------
    dict
        For each study ``module``, ``model`` (its package), ``parameters`` (axes as lists) and ``jobs`` (names of the
        axes that split it), all plain JSON values.

    Raises
    ------
    ConfigError
        One line with the key, its value and what is allowed.
    """
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(_first_line(error)) from None
    wanted = {name: block for name, block in config.studies.items() if block is not None}
    if not wanted:
        raise ConfigError("config: studies: all of them are null, which leaves a study out")
    return {name: _normalise(name, block) for name, block in wanted.items()}


def check_left_out(files: Mapping[pathlib.Path, Mapping[str, Any]]) -> None:
    """Refuse to leave out what is not there: a misspelt name.

    Parameters
    ----------
    files : mapping of pathlib.Path to mapping
        What is read from the files that are merged.

    Raises
    ------
    ConfigError
        If a study is null in one of them and nothing else in any.
    """
    studies = {path: content["studies"] for path, content in files.items() if isinstance(content.get("studies"), dict)}
    known = sorted({name for blocks in studies.values() for name, block in blocks.items() if block is not None})
    for path, blocks in studies.items():
        for name in blocks:
            if name not in known:
                raise ConfigError(
                    f"config: {path}: there is no study {name!r} to leave out; there are {', '.join(known)}"
                )


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(key) for key in first["loc"] if key not in ("range", "list", "value"))
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "less_than_equal":  # the message has lost the last digits of 2^64 - 1
        reason = f"input should be less than or equal to {first['ctx']['le']}"
    if first["type"] == "missing":
        return f"config: {path} is missing"
    if first["type"] == "extra_forbidden":
        known = [name for model in (Config, Block, Range) for name in model.model_fields]
        return f"config: {path} is unknown; known keys are {', '.join(known)}"
    return f"config: {path}: {first['input']!r} is not allowed: {reason[0].lower()}{reason[1:]}"


_OF_THE_BLOCK = ("trials", "seed", "backend")


def _normalise(name: str, block: Block) -> dict[str, Any]:
    where = f"config: studies.{name}"
    module = _module(block.study or name, where)
    axes = {
        key: axis.values() if isinstance(axis, Range) else list(axis)
        for group in (block.grid, block.jobs)
        for key, axis in group.items()
    }
    for key in (*block.model, *axes):
        if key in _OF_THE_BLOCK:
            raise ConfigError(f"{where}: {key} belongs beside model, grid and jobs, not inside them")
    repeated = (set(block.model) & set(axes)) | (set(block.grid) & set(block.jobs))
    if repeated:
        raise ConfigError(f"{where}: {sorted(repeated)[0]} stands in two of model, grid and jobs")
    described = importlib.import_module(f"simnn.{module.MODEL}.model")
    lists = set(described.PARAMETERS) - set(described.SWEPT)
    for key, value in block.model.items():
        if isinstance(value, list) and key not in lists:
            raise ConfigError(f"{where}: {key}: {value!r} is not allowed in model: axes belong in grid or jobs")
    for key in axes:
        if key in lists:
            raise ConfigError(f"{where}: {key}: cannot be swept; it belongs in model")
    given = {key: _rounded(value) for key, value in (dict(block.model) | axes).items()}
    given |= {"trials": block.trials, "seed": block.seed, "backend": block.backend}
    validate = getattr(module, "validate", None) or described.validate
    try:
        parameters = validate(given)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    return {
        "module": module.__name__,
        "model": module.MODEL,
        "parameters": parameters,
        "jobs": sorted(block.jobs),
    }


def _module(study: str, where: str) -> Any:
    path = study if "." in study else f"simnn.studies.{study}"
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        import simnn.studies

        folder = pathlib.Path(simnn.studies.__file__).parent
        known = sorted(file.stem for file in folder.glob("[a-z]*.py"))
        raise ConfigError(f"{where}: there is no study {study!r}; known studies are {', '.join(known)}") from None
    if not hasattr(module, "MODEL"):
        raise ConfigError(f"{where}: {path} is no study: it names no MODEL")
    return module


def _rounded(value: Any) -> Any:
    """Twelve digits: 0.1 + 0.2 and 0.3 are one value, and name one file."""
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
        value = float(value)  # YAML reads 1e-3 as text
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.12g}")
    return value


class _NoRepeats(yaml.SafeLoader):
    """YAML takes the last of two equal keys in silence; this loader refuses."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"config: {key!r} stands twice, line {node.start_mark.line + 1} and below")
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_NoRepeats.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(path: pathlib.Path) -> dict[str, Any]:
    """Read a YAML file, refusing what Snakemake would pass over: repeated keys, and unknown ones at the top.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        If it is not there, not YAML, repeats a key, or holds a key besides ``studies``.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_NoRepeats)
    except OSError as error:
        raise ConfigError(f"config: {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config: {path}: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"config: {path}: should hold `studies:`")
    for key in content:
        if key not in Config.model_fields:
            raise ConfigError(f"config: {path}: {key} is unknown; known keys are {', '.join(Config.model_fields)}")
    return content


def schema() -> str:
    """JSON schema of the configuration.

    Returns
    -------
    str
    """
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"
