"""The stages of the flow: cell, gather, figure, claims, ledger, report. Each reads files and writes files."""

import csv
import dataclasses
import importlib
import json
import logging
import math
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simnn.pipeline import cells, provenance, store

if TYPE_CHECKING:
    import xarray as xr

_log = logging.getLogger("simnn")

LEDGER_COLUMNS = ("claim", "statement", "prediction", "measured", "stderr", "tolerance", "verdict", "study")
"""Columns of ``claims.csv``."""


def cell(specification: str, output: pathlib.Path) -> None:
    """Simulate one cell.

    Parameters
    ----------
    specification : str
        `simnn.pipeline.cells.Cell.specification`.
    output : pathlib.Path
        The netCDF file.
    """
    job = json.loads(specification)
    study = importlib.import_module(job["module"])
    simulate = getattr(study, "simulate", None) or importlib.import_module(f"simnn.{job['model']}").simulate
    start = time.perf_counter()
    dataset = simulate(**job["parameters"])
    dataset.attrs = provenance.attributes(study.TITLE, job, [dataset.attrs], time.perf_counter() - start)
    store.write(dataset, output)
    _log.info("%s: %.1f s", output, time.perf_counter() - start)


def gather(study: str, block: Mapping[str, Any], folder: pathlib.Path, output: pathlib.Path) -> None:
    """Join the cells of a study and add its theory.

    A damaged cell is simulated again, with a warning. The wall time of the result is the sum of those of its cells.

    Parameters
    ----------
    study : str
        Name of the study.
    block : mapping
        From `simnn.pipeline.config.parse`.
    folder : pathlib.Path
        Where the cells are.
    output : pathlib.Path
        The netCDF file.

    Raises
    ------
    ValueError
        If cells describe one variable differently.
    """
    import xarray as xr

    parts = []
    computed: list[Any] = []
    for job in cells.split(study, block):
        path = folder / f"{job.name}.nc"
        try:
            part = store.read(path)
        except (store.DamagedFileError, FileNotFoundError) as error:
            _log.warning("%s; simulating it again", error)
            cell(job.specification, path)
            part = store.read(path)
        computed.append(part.attrs)
        parts.append(part.drop_attrs(deep=False))
    with xr.set_options(use_new_combine_kwarg_defaults=True):  # type: ignore[no-untyped-call]
        joined = xr.combine_by_coords(parts, combine_attrs="identical") if len(parts) > 1 else parts[0]
    assert isinstance(joined, xr.Dataset)
    # Joining sorts axes; figures and readers expect the order of the configuration. By position: a list of truth values
    # would be taken for a mask.
    places = {
        name: [joined.get_index(name).get_loc(value) for value in block["parameters"][name]]
        for name in block["jobs"]
        if name in joined.dims
    }
    joined = joined.isel(places)
    specification = {"study": study, **block}
    module = importlib.import_module(block["module"])
    wall_times = [attributes.get("wall_time_seconds") for attributes in computed]
    wall_time = None if None in wall_times else sum(wall_times)
    joined.attrs = provenance.attributes(module.TITLE, specification, computed, wall_time)
    compared = module.compare(joined)
    store.write(compared.assign_attrs(joined.attrs), output)


def _gathered(study: str, block: Mapping[str, Any], path: pathlib.Path) -> "xr.Dataset":
    """Read a gathered dataset; a damaged one is gathered again, with a warning."""
    try:
        return store.read(path)
    except store.DamagedFileError as error:
        _log.warning("%s; gathering it again", error)
        gather(study, block, path.with_suffix(""), path)
        return store.read(path)


def figure(study: str, block: Mapping[str, Any], dataset: pathlib.Path, stem: pathlib.Path) -> None:
    """Draw the figure of a study, as PDF and PNG.

    Parameters
    ----------
    study : str
        Name of the study.
    block : mapping
        From `simnn.pipeline.config.parse`.
    dataset : pathlib.Path
        Gathered netCDF file.
    stem : pathlib.Path
        Output path without suffix.
    """
    from matplotlib import pyplot

    from simnn import plotting

    drawn = importlib.import_module(block["module"]).figure(_gathered(study, block, dataset))
    stem.parent.mkdir(parents=True, exist_ok=True)
    plotting.save(drawn, stem)
    pyplot.close(drawn)
    _log.info("%s: figure %s", study, stem)


def claims(study: str, block: Mapping[str, Any], dataset: pathlib.Path, output: pathlib.Path) -> None:
    """Write the claims of a study as CSV.

    Parameters
    ----------
    study : str
        Name of the study.
    block : mapping
        From `simnn.pipeline.config.parse`.
    dataset : pathlib.Path
        Gathered netCDF file.
    output : pathlib.Path
        The CSV file, with the columns of the ledger.
    """
    rows = importlib.import_module(block["module"]).claims(_gathered(study, block, dataset))
    _write_rows(({**dataclasses.asdict(row), "study": study} for row in rows), output)


def _write_rows(rows: Iterator[dict[str, Any]] | Sequence[Mapping[str, Any]], output: pathlib.Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, LEDGER_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def ledger(inputs: Sequence[pathlib.Path], table: pathlib.Path, readable: pathlib.Path) -> None:
    """Join the claims of all studies.

    Parameters
    ----------
    inputs : sequence of pathlib.Path
        CSV files of the studies.
    table : pathlib.Path
        The CSV file of all claims.
    readable : pathlib.Path
        The same as Markdown, with links to the figures.
    """
    rows = [row for path in inputs for row in _read_rows(path)]
    _write_rows(rows, table)
    lines = [
        "# Ledger of claims",
        "",
        f"{_summary(rows)} A claim holds if the measurement lies within 4 standard errors plus the declared tolerance.",
        "",
        "| claim | statement | prediction | measured | tolerance | verdict | figure |",
        "|---|---|---:|---:|---:|---|---|",
        *(
            f"| {row['claim']} | {row['statement']} | {_short(row['prediction'])} | {with_error(row)} | "
            f"{_short(row['tolerance'])} | {row['verdict']} | [{row['study']}](figures/{row['study']}.png) |"
            for row in rows
        ),
        "",
    ]
    readable.write_text("\n".join(lines), encoding="utf-8")


def _read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _summary(rows: Sequence[Mapping[str, str]]) -> str:
    failed = sum(row["verdict"] == "fails" for row in rows)
    return f"{len(rows)} claims, {len(rows) - failed} hold, {failed} fail."


def _short(number: str) -> str:
    return f"{float(number):.4g}"


def with_error(row: Mapping[str, str]) -> str:
    """A measurement with its standard error, to the digits that the error allows.

    Parameters
    ----------
    row : mapping
        With ``measured`` and ``stderr`` as text.

    Returns
    -------
    str
        Such as ``0.9981 ± 0.0012``.
    """
    measured, stderr = float(row["measured"]), float(row["stderr"])
    if not (math.isfinite(stderr) and stderr > 0.0):
        return f"{measured:.6g}"
    digits = max(0, 1 - math.floor(math.log10(stderr)))
    if digits > 8:
        return f"{measured:.6g} ± {stderr:.1e}"
    return f"{measured:.{digits}f} ± {stderr:.{digits}f}"


def report(blocks: Mapping[str, Mapping[str, Any]], results: pathlib.Path, output: pathlib.Path) -> None:
    """Write one self-contained page: figures, captions, claims, provenance.

    Parameters
    ----------
    blocks : mapping
        From `simnn.pipeline.config.parse`.
    results : pathlib.Path
        Folder of the results.
    output : pathlib.Path
        The HTML file.
    """
    import base64

    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simnn.pipeline"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    sections = []
    for study, block in blocks.items():
        module = importlib.import_module(block["module"])
        rows = _read_rows(results / "claims" / f"{study}.csv")
        sections.append(
            {
                "name": study,
                "title": module.TITLE,
                "caption": caption(block),
                "figure": base64.b64encode((results / "figures" / f"{study}.png").read_bytes()).decode(),
                "claims": [
                    {**row, "measured": with_error(row), "prediction": _short(row["prediction"])} for row in rows
                ],
                "attributes": _gathered(study, block, results / "data" / f"{study}.nc").attrs,
            }
        )
    page = environment.get_template("report.html").render(sections=sections)
    output.write_text(page, encoding="utf-8")


def gallery(blocks: Mapping[str, Mapping[str, Any]], results: pathlib.Path, output: pathlib.Path) -> None:
    """Copy the figures with their captions and claims into the documentation.

    Parameters
    ----------
    blocks : mapping
        From `simnn.pipeline.config.parse`.
    results : pathlib.Path
        Folder of the results.
    output : pathlib.Path
        The Markdown file; figures go to ``images/`` beside it.
    """
    images = output.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    lines = ["# Gallery", "", "Made by `snakemake && simnn gallery` from the shipped `config.yaml`.", ""]
    for study, block in blocks.items():
        shutil.copyfile(results / "figures" / f"{study}.png", images / f"{study}.png")
        title = importlib.import_module(block["module"]).TITLE
        summary = _summary(_read_rows(results / "claims" / f"{study}.csv"))
        lines += [f"## {title}", "", f"![{title}](images/{study}.png)", "", caption(block), "", summary, ""]
    output.write_text("\n".join(lines), encoding="utf-8")


def caption(block: Mapping[str, Any]) -> str:
    """Caption of a study with its parameters filled in.

    Parameters
    ----------
    block : mapping
        From `simnn.pipeline.config.parse`.

    Returns
    -------
    str
    """
    shown = {
        name: ", ".join(f"{item:.4g}" if isinstance(item, float) else str(item) for item in value)
        if isinstance(value, list)
        else value
        for name, value in block["parameters"].items()
    }
    module = importlib.import_module(block["module"])
    text = str(module.CAPTION.format(**shown))
    return f"{text} {module.source(block['parameters'])}" if hasattr(module, "source") else text


def prune(blocks: Mapping[str, Mapping[str, Any]], data: pathlib.Path, dry_run: bool) -> list[pathlib.Path]:
    """Remove cells that the configuration does not name any more.

    Parameters
    ----------
    blocks : mapping
        From `simnn.pipeline.config.parse`.
    data : pathlib.Path
        Folder of the datasets.
    dry_run : bool
        Only say what would go.

    Returns
    -------
    list of pathlib.Path
        What was, or would be, removed.
    """
    wanted = {data / f"{study}.nc" for study in blocks}
    wanted |= {data / study / f"{job.name}.nc" for study, block in blocks.items() for job in cells.split(study, block)}
    stale = sorted(path for path in data.rglob("*.nc*") if path not in wanted)
    if not dry_run:
        for path in stale:
            os.unlink(path)
    return stale
