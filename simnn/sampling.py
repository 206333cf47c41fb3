"""Trials of every point of a sweep: run on threads, averaged or kept, and described."""

import contextlib
import json
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simnn.device import backends
from simnn.sweeps import Run

if TYPE_CHECKING:
    import xarray as xr

    from simnn.device.moments import Moments

Array = NDArray[np.float64]

_SLICE_TASKS = 2**16

Sample = Callable[[int, int, int, NDArray[np.int64]], Array]
"""``sample(point, first, count, stop)``: statistics (count, columns) of trials ``first, first + 1, ...`` of a point;
NaN where a trial does not have one. A count of 0 loads the kernels. It may end early once ``stop[0]`` is not zero."""


def gather(
    points: int,
    run: Run,
    columns: int,
    slices: Generator[tuple[Any, Any, Any]],
    moments: "type[Moments]",
    unit: str,
    progress: bool | None,
) -> dict[str, Array]:
    """Keep the statistics of all trials, or average them.

    Parameters
    ----------
    points : int
        Number of points.
    run : Run
        How many trials there are, and whether they are kept.
    columns : int
        Number of statistics.
    slices : generator of tuple
        Points (n,) and trials (n,), counted from 0, and their statistics (n, columns), NaN where a trial does not have
        one: on the host if trials are kept, else where `moments` wants them.
    moments : type
        `simnn.device.moments.Moments`, or its like of a device.
    unit : str
        What a trial is, for the progress bar.
    progress : bool, optional
        Whether to show one; by default only on a terminal.

    Returns
    -------
    dict of str to array
        By suffix: ``""``, (points, trials, columns), if trials are kept; else ``""``, means over those that are not
        NaN, and ``"_stderr"``, (points, columns).
    """
    from simnn.progress import track

    kept = np.empty((points, run.trials, columns)) if run.keep_trials else None
    sums = moments(points, columns)
    with contextlib.closing(slices), track(points * run.trials, unit, progress) as advance:
        for point, trial, rows in slices:
            if kept is not None:
                kept[point, trial] = rows
            else:
                sums.add(point, rows)
            advance(len(point))
    return {"": kept} if kept is not None else dict(zip(("", "_stderr"), sums.averages(), strict=True))


def collect(
    points: int,
    run: Run,
    columns: Mapping[str, str],
    sample: Sample,
    unit: str,
    progress: bool | None,
    device: int | None = None,
) -> dict[str, Array]:
    """Run the trials of all points.

    Parameters
    ----------
    points : int
        Number of points.
    run : Run
        How many trials there are, and whether they are kept.
    columns : mapping of str to str
        Names of the statistics, in the order of `Sample`.
    sample : callable
        See `Sample`.
    unit : str
        What a trial is, for the progress bar.
    progress : bool, optional
        Whether to show one; by default only on a terminal.
    device : int, optional
        GPU that the trials run on, one call after the other; by default, calls run side by side on threads of the host.

    Returns
    -------
    dict of str to array
        (points, trials) if trials are kept, else means over those that are not NaN and ``<name>_stderr``, (points,).
    """
    from simnn.device.moments import Moments
    from simnn.running import in_slices, one_by_one

    trials = run.trials

    def slice_of(first: int, last: int, stop: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        task = np.arange(first, last)
        point, trial = task // trials, task % trials
        parts = [np.empty((0, len(columns)))]
        # An empty range loads the kernels.
        for p in range(int(first) // trials, (int(last) - 1) // trials + 1) if last > first else [0]:
            mine = trial[point == p]
            parts.append(sample(p, run.first_trial + (int(mine[0]) if len(mine) else 0), len(mine), stop))
        return point, trial, np.concatenate(parts)

    slices = (in_slices if device is None else one_by_one)(points * trials, _SLICE_TASKS, slice_of)
    gathered = gather(points, run, len(columns), slices, Moments, unit, progress)
    return {f"{name}{suffix}": values[..., k] for k, name in enumerate(columns) for suffix, values in gathered.items()}


def dataset(
    title: str,
    axes: Mapping[str, tuple[Any, ...]],
    run: Run,
    columns: Mapping[str, str],
    values: Mapping[str, Array],
    long_names: Mapping[str, str],
    fixed: Mapping[str, Any],
    device: int | None = None,
) -> "xr.Dataset":
    """Describe what `collect` returned.

    Parameters
    ----------
    title : str
        Of the dataset.
    axes : mapping of str to tuple
        Values of each swept parameter, whose combinations are the points in C order.
    run : Run
        How the sweep was run.
    columns, long_names : mapping of str to str
        Long names of the statistics, and of the parameters and trials.
    values : mapping of str to array
        From `collect`.
    fixed : mapping
        Parameters that were not swept.
    device : int, optional
        GPU that it was computed on.

    Returns
    -------
    xarray.Dataset
        All quantities are dimensionless.
    """
    import xarray as xr

    coordinates: dict[str, Any] = {name: list(axis) for name, axis in axes.items()}
    dims = (*coordinates, "trial") if run.keep_trials else tuple(coordinates)
    sizes = tuple(len(axis) for axis in coordinates.values())
    if run.keep_trials:
        coordinates["trial"] = np.arange(run.first_trial, run.first_trial + run.trials)
    variables = {}
    for name, array in values.items():
        stem = name.removesuffix("_stderr")
        label = columns[stem] if stem == name else f"standard error of the mean of {stem}"
        variables[name] = dims, array.reshape((*sizes, *array.shape[1:])), {"long_name": label, "units": "1"}
    described = xr.Dataset(variables, coordinates)
    for name in coordinates:
        described[name].attrs = {"long_name": long_names[name], "units": "1"}
    described.attrs = {
        "title": title,
        "parameters": json.dumps(dict(axes) | dict(fixed) | run.model_dump(), sort_keys=True),
        "seed": str(run.seed),
        "trials": run.trials,
        **backends.attributes(device),
    }
    return described
