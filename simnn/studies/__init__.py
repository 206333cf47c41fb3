"""Studies: simulate, compare with theory, state claims, draw the figure.

A study is one module of this package and one block of ``config.yaml``. The module has

``MODEL``
    Name of the model package that it simulates, such as ``"propagation"``.
``TITLE``, ``CAPTION``
    Text of the report. The caption may refer to any parameter of the block, as ``{width}`` or ``{trials}``.
``simulate(**parameters) -> xarray.Dataset``
    Optional; by default the model's own ``simulate``. Swept parameters must become dimensions.
``validate(parameters) -> dict``
    Refuses what the study cannot simulate, compare or draw, in one line and before anything runs; returns the
    parameters as `simulate` takes them. Most of it is a call of `check`. By default the model's own ``validate``.
``compare(dataset) -> xarray.Dataset``
    Adds theory to the gathered dataset.
``claims(dataset) -> list of Claim``
    Sets predictions against measurements.
``figure(dataset) -> matplotlib.figure.Figure``
    Draws the dataset; usable without the pipeline.
``source(parameters) -> str``
    Optional; where the data come from that a study can read, and whom to cite: the last sentence of the caption.

Modules are cheap to import: what needs Numba, xarray or matplotlib imports it inside a function.
"""

import hashlib
import importlib
import json
import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import xarray as xr
    from numpy.typing import NDArray

Verdict = Literal["holds", "holds with correction", "fails"]

STANDARD_ERRORS = 4.0
"""A measurement may deviate by this many standard errors, and by the declared tolerance."""


def parameters(dataset: "xr.Dataset") -> dict[str, Any]:
    """Parameters that a dataset was simulated with.

    Parameters
    ----------
    dataset : xarray.Dataset
        From a model's ``simulate``, or gathered by the pipeline.

    Returns
    -------
    dict
        Scalars, and lists for axes.
    """
    return dict(json.loads(dataset.attrs["parameters"]))


def check(
    model: str | None,
    given: "Mapping[str, Any]",
    *,
    axes: "Mapping[str, int | None]",
    needs: "Collection[str]" = (),
    may: "Collection[str]" = (),
) -> dict[str, Any]:
    """Check parameters against what a study is made for.

    Parameters
    ----------
    model : str or None
        Name of the model package, which checks the types and bounds of its own parameters; None if the study does.
    given : mapping
        Parameters of a block of the configuration: lists for axes, else single values.
    axes : mapping of str to int or None
        Parameters that are swept, and the most values that the figure has room for. A single value counts as one.
    needs, may : collection of str
        Parameters of a single value that have to be given, and that can be; ``trials``, ``seed`` and ``backend`` can
        always be.

    Returns
    -------
    dict
        The parameters with values of their own type, and lists for all axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    known = (*axes, *needs, *may, "trials", "seed", "backend")
    for name in given:
        if name not in known:
            raise ValueError(f"{name}: unknown, or set by the study; allowed are {', '.join(known)}")
    checked: dict[str, Any] = {
        name: [value] if name in axes and not isinstance(value, list) else value for name, value in given.items()
    }
    lists: set[str] = set()
    if model is not None:
        described = importlib.import_module(f"simnn.{model}.model")
        checked |= described.validate({name: value for name, value in checked.items() if name in described.PARAMETERS})
        lists = set(described.PARAMETERS) - set(described.SWEPT)
    for name in (*axes, *needs):
        if name not in checked:
            raise ValueError(f"{name}: missing; this study needs {', '.join((*axes, *needs))}")
    for name, most in axes.items():
        values = checked[name]
        require(len(values) > 0, name, values, "a list of one or more values")
        require(len(set(values)) == len(values), name, values, "a list that repeats no value")
        require(most is None or len(values) <= most, name, values, f"at most {most} values, as the figure has room for")
    for name in (*needs, *may):
        single = name in lists or not isinstance(checked.get(name), list)
        require(single, name, checked.get(name), f"a single value; axes of this study are {', '.join(axes)}")
    trials = checked.get("trials", 2)
    require(trials > 1, "trials", trials, "at least 2, for standard errors are those between trials")
    return checked


def require(fits: bool, name: str, value: Any, allowed: str) -> None:
    """Refuse a parameter that does not fit.

    Parameters
    ----------
    fits : bool
        Whether it does.
    name : str
        Of the parameter.
    value : object
        What was given.
    allowed : str
        What should have been.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    if not fits:
        raise ValueError(f"{name}: {value!r} is not allowed: should be {allowed}")


def checksums(given: "Mapping[str, Any]", *names: str) -> "dict[str, str | None]":
    """Checksums of the files that a study reads, to be kept among its parameters: other contents, other cells.

    Parameters
    ----------
    given : mapping
        Parameters: paths from the working directory or None, and ``<name>_sha256``, what the checksum should be, or
        None. A URL needs one, and nothing is fetched here.
    *names : str
        Parameters that are paths.

    Returns
    -------
    dict
        ``<name>`` and ``<name>_sha256`` for each of them; None where there is no file.

    Raises
    ------
    ValueError
        One line, if there is no such file, or it has another checksum.
    """
    found: dict[str, str | None] = {}
    for name in names:
        path, key = given.get(name), f"{name}_sha256"
        wanted = given.get(key)
        text = wanted is None or (isinstance(wanted, str) and len(wanted) == 64)
        require(text, key, wanted, "the 64 digits of a checksum, or null")
        found |= {name: path, key: wanted and wanted.lower()}
        if path is None:
            require(wanted is None, key, wanted, f"null where {name} is null")
            continue
        require(isinstance(path, str) and path != "", name, path, "the path of a file, its URL, or null")
        if path.startswith(("http://", "https://", "ftp://")):
            require(wanted is not None, key, wanted, "the checksum of what the URL gives")
            continue
        require(pathlib.Path(path).is_file(), name, path, "a file that is there, its path from the working directory")
        actual = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        require(found[key] in (None, actual), key, wanted, f"{actual}, the checksum of {path}")
        found[key] = actual
    return found


def require_number(given: "Mapping[str, Any]", name: str, low: float, high: float, whole: bool = False) -> None:
    """Refuse a parameter that is no number within bounds.

    Parameters
    ----------
    given : mapping
        Parameters; a list is checked value by value.
    name : str
        Of the parameter.
    low, high : float
        Bounds, both allowed.
    whole : bool
        Whether it should be an integer.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    kinds = int if whole else (int, float)
    for value in given[name] if isinstance(given[name], list) else [given[name]]:
        fits = isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
        require(fits, name, value, f"{'an integer' if whole else 'a number'} from {low:g} to {high:g}")


def averages(samples: "Mapping[str, tuple[tuple[str, ...], NDArray[np.float64]]]") -> "xr.Dataset":
    """Means over trials and their standard errors.

    Parameters
    ----------
    samples : mapping of str to (dims, array)
        Values of each trial; trials are the first axis, ``dims`` name the others.

    Returns
    -------
    xarray.Dataset
        ``<name>`` and ``<name>_stderr`` (dims).
    """
    import xarray as xr

    variables = {}
    for name, (dims, values) in samples.items():
        # NumPy adds along the last axis in an order that does not depend on the lengths of the others.
        rows = np.ascontiguousarray(np.moveaxis(values, 0, -1))
        variables[name] = dims, rows.mean(axis=-1)
        variables[f"{name}_stderr"] = dims, rows.std(axis=-1, ddof=1) / np.sqrt(len(values))
    return xr.Dataset(variables)


def straight_line(
    x: "NDArray[np.float64]", y: "NDArray[np.float64]", stderr: "NDArray[np.float64]"
) -> tuple[float, float, float]:
    """Fit a straight line to independent measurements, each weighted by its standard error.

    Parameters
    ----------
    x, y, stderr : (n,) array
        Abscissa, measurement and its standard error; at least two different x.

    Returns
    -------
    intercept : float
        Value of the line at x = 0.
    intercept_stderr : float
        Its standard error.
    slope : float
        Of the line.
    """
    design = np.stack([np.ones_like(x), x], axis=1) / stderr[:, None]
    covariance = np.linalg.inv(design.T @ design)
    intercept, slope = covariance @ design.T @ (y / stderr)
    return float(intercept), float(np.sqrt(covariance[0, 0])), float(slope)


def describe(dataset: "xr.Dataset", names: "Mapping[str, str]") -> None:
    """Give every variable and coordinate its long name and unit.

    Parameters
    ----------
    dataset : xarray.Dataset
        Changed in place; all quantities are dimensionless.
    names : mapping of str to str
        Long names, except those of standard errors.
    """
    for name, variable in dataset.variables.items():
        stem = str(name).removesuffix("_stderr")
        label = names[stem] if stem == name else f"standard error of the mean of {stem}"
        variable.attrs = {"long_name": label, "units": "1"}


@dataclass(frozen=True)
class Claim:
    """One row of the ledger.

    Attributes
    ----------
    claim : str
        Name of the claim or of its sheet, such as ``"SIG1"``.
    statement : str
        What is claimed, in one line.
    prediction, measured, stderr : float
        Theory, simulation, and the standard error of the simulation.
    tolerance : float
        Systematic deviation that the theory allows for, such as finite width.
    verdict : {"holds", "holds with correction", "fails"}
        Whether the claim stands.
    """

    claim: str
    statement: str
    prediction: float
    measured: float
    stderr: float
    tolerance: float
    verdict: Verdict

    @classmethod
    def test(
        cls,
        claim: str,
        statement: str,
        *,
        prediction: float,
        measured: float,
        stderr: float,
        tolerance: float = 0.0,
        correction: str | None = None,
    ) -> "Claim":
        """Compare a measurement with its prediction.

        Parameters
        ----------
        claim, statement : str
            As in `Claim`.
        prediction, measured, stderr, tolerance : float
            The claim holds if ``abs(measured - prediction) <= 4 stderr + tolerance``; anything not finite fails.
        correction : str, optional
            How the published wording has to be changed for the prediction to be right.

        Returns
        -------
        Claim
        """
        stands = abs(measured - prediction) <= STANDARD_ERRORS * stderr + tolerance
        verdict: Verdict = "fails" if not stands else "holds" if correction is None else "holds with correction"
        text = statement if correction is None else f"{statement} (corrected: {correction})"
        return cls(claim, text, float(prediction), float(measured), float(stderr), float(tolerance), verdict)

    @classmethod
    def worst(
        cls,
        claim: str,
        statement: str,
        *,
        prediction: "xr.DataArray",
        measured: "xr.DataArray",
        stderr: "xr.DataArray",
        tolerance: "xr.DataArray | float" = 0.0,
        correction: str | None = None,
    ) -> "list[Claim]":
        """Compare many measurements with their predictions in one row, which shows the one that deviates most.

        Parameters
        ----------
        claim, statement : str
            As in `Claim`; where the shown point lies is added to the statement.
        prediction, measured, stderr, tolerance : xarray.DataArray
            As in `Claim.test`, broadcast against each other. Points without a prediction (NaN) do not count.
        correction : str, optional
            As in `Claim.test`.

        Returns
        -------
        list of Claim
            One row, or none if no point has a prediction.
        """
        import xarray as xr

        columns = xr.broadcast(*(xr.DataArray(values) for values in (prediction, measured, stderr, tolerance)))
        expected, found, error, slack = (column.values for column in columns)
        counts = np.isfinite(expected)
        if not counts.any():
            return []
        # Relative to what is allowed; zero over zero is agreement, NaN is none.
        distance, allowed = np.abs(found - expected), STANDARD_ERRORS * error + slack
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.where(distance == 0.0, 0.0, np.nan_to_num(distance / np.maximum(allowed, 0.0), nan=np.inf))
        worst = np.unravel_index(np.argmax(np.where(counts, excess, -1.0)), expected.shape)
        point = columns[0][worst]
        place = ", ".join(f"{dim} = {_short(point[dim].item())}" for dim in columns[0].dims)
        row = cls.test(
            claim, f"{statement}; worst of {np.count_nonzero(counts)}, {place}",
            prediction=expected[worst], measured=found[worst], stderr=error[worst], tolerance=slack[worst],
            correction=correction,
        )  # fmt: skip
        return [row]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
