"""Measured wiring of projection neurons onto Kenyon cells, by glomerulus, and its match with a table of odors."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simnn.olfaction import tables
from simnn.olfaction.tables import Table

if TYPE_CHECKING:
    import xarray as xr

    Array = NDArray[np.float64]

UNCONNECTED = ("error", "drop", "keep")
"""What to do about Kenyon cells without any input."""

_CARON = re.compile(r"glom_\d+")


def load_connectome(
    path: str | os.PathLike[str],
    *,
    neurons: str | os.PathLike[str] | None = None,
    glomeruli: str | os.PathLike[str] | None = None,
    threshold: int = 1,
    unconnected: str = "error",
    sha256: str | None = None,
    neurons_sha256: str | None = None,
    glomeruli_sha256: str | None = None,
) -> "xr.DataArray":
    """Read which glomeruli each Kenyon cell listens to; the format is recognised from the first row.

    Parameters
    ----------
    path : path or str
        A file, or a URL (http, https, ftp) of one, which is downloaded once and kept in the cache of simnn.
    neurons : path or str, optional
        For an edge list between neurons: the table of their types.
    glomeruli : path or str, optional
        For a matrix whose columns are numbers, or the table of Caron et al.: the names of the glomeruli.
    threshold : int
        Smallest weight that counts as a connection: of a pair of neurons in an edge list, of a Kenyon cell and a
        glomerulus in a matrix. What is below is left out.
    unconnected : {"error", "drop", "keep"}
        What to do about Kenyon cells of the file that are left without any input: refuse, leave out, or keep as rows of
        zeros.
    sha256, neurons_sha256, glomeruli_sha256 : str, optional
        What the checksums of the files should be; a URL needs one.

    Returns
    -------
    xarray.DataArray
        ``connections`` (kenyon_cell, glomerulus): summed weights, their unit in ``units``. Coordinate
        ``kenyon_cell_type`` where the file has types, for Caron et al. also ``total_claws``. Attributes ``source``,
        ``sha256``, ``format``, ``threshold``, ``unconnected`` and ``dropped_kenyon_cells``.

    Raises
    ------
    ValueError
        If a file is not such a table. One line names the file, the row (the line of the file) and the column.
    OSError
        If there is no such file, or it cannot be fetched.

    Notes
    -----
    All formats are separated by commas. Rows (Kenyon cells) are in the order of their numbers, or of the file for
    matrices; columns (glomeruli) in alphabetical order, or of the file for matrices and Caron et al.

    **Edge list of neurons** (hemibrain, Scheffer et al. 2020): ``bodyId_pre,bodyId_post,roi,weight``, weights in
    synapses, with `neurons`: ``bodyId,type,instance``, where Kenyon cells have types that begin with "KC" and the
    glomerulus of a projection neuron is its type before the first "_", without a trailing "+". Glomeruli whose
    connections are all below the threshold keep their column.

    **Edge list of claws** (FAFB, Zheng et al. 2022): columns ``kc_skid``, ``pn_skid`` and ``pn_type``, one row for each
    claw. Rows are counted: ``claw_ids`` repeat where a cell has a tenth claw.

    **Matrix**: a first column of Kenyon cells, without a name or ``kenyon_cell``; all other columns are glomeruli. If
    their names are the numbers 0, 1, ..., `glomeruli` names them: a first column that counts, then one of names.

    **Table of Caron et al. 2013**: ``cell_number,KC_subclass,glom_1,...,claws_filled,total_claws``, with `glomeruli`:
    ``glom_class,glom_number``. Empty fields are claws that were not identified.

    References
    ----------
    Scheffer et al. 2020, eLife 9, e57443. Zheng et al. 2022, Curr. Biol. 32. Caron et al. 2013, Nature 497, 113.

    Examples
    --------
    >>> from simnn import olfaction
    >>> connectome = olfaction.load_connectome("conn.csv", neurons="neurons.csv", threshold=3, unconnected="drop")
    ... # doctest: +SKIP
    """
    tables.check_choice("unconnected", unconnected, UNCONNECTED)
    if isinstance(threshold, bool) or threshold < 1:
        raise ValueError(f"threshold: {threshold!r} is not allowed: should be 1 or more")
    table = tables.read(path, sha256)
    second = {"neurons": (neurons, neurons_sha256), "glomeruli": (glomeruli, glomeruli_sha256)}
    others = {name: tables.read(file, digest) for name, (file, digest) in second.items() if file is not None}
    style, values, cells, columns, units, extra = _recognised(table, others, threshold)
    found = values.any(axis=1)
    if unconnected == "error" and not found.all():
        cell, more = cells[int(np.argmin(found))], int((~found).sum()) - 1
        raise table.error(
            f"Kenyon cell {cell}, like {more} others of {len(cells)}, has no input of weight {threshold} or more; "
            "choose unconnected='drop' or 'keep'"
        )
    kept = found if unconnected == "drop" else np.ones(len(cells), bool)

    import xarray as xr

    attributes = {
        "long_name": "connections from the projection neurons of a glomerulus onto a Kenyon cell",
        "units": units,
        "source": table.source,
        "sha256": table.sha256,
        **{f"{name}_sha256": other.sha256 for name, other in others.items()},
        "format": style,
        "threshold": threshold,
        "unconnected": unconnected,
        "dropped_kenyon_cells": int((~kept).sum()),
    }
    coordinates = {
        "kenyon_cell": ("kenyon_cell", np.array(cells)[kept], {"long_name": "Kenyon cell", "units": "1"}),
        "glomerulus": ("glomerulus", columns, {"long_name": "glomerulus", "units": "1"}),
    }
    for name, (about, column) in extra.items():
        coordinates[name] = ("kenyon_cell", np.array(column)[kept], {"long_name": about, "units": "1"})
    return xr.DataArray(values[kept], coordinates, ("kenyon_cell", "glomerulus"), "connections", attributes)


_Wiring = tuple[str, "Array", list[Any], list[str], str, dict[str, tuple[str, list[Any]]]]


def _recognised(table: Table, others: Mapping[str, Table], threshold: int) -> _Wiring:
    header = table.header
    if {"bodyId_pre", "bodyId_post", "weight"} <= set(header):
        return _edges(table, _needed(table, others, "neurons"), threshold)
    if {"kc_skid", "pn_skid", "pn_type"} <= set(header):
        _only(table, others)
        return _claws(table, threshold)
    if {"cell_number", "KC_subclass", "total_claws"} <= set(header) and any(map(_CARON.fullmatch, header)):
        return _caron(table, _needed(table, others, "glomeruli"), threshold)
    if header[0] in ("", "kenyon_cell") and len(header) > 1:
        return _matrix(table, others, threshold)
    raise table.error(
        f"the header starts with {table.separator.join(header[:3])!r}, which is no known connectome; known are edge "
        "lists (bodyId_pre,bodyId_post,weight or kc_skid,pn_skid,pn_type), matrices (first field empty) and the table "
        "of Caron et al. (cell_number,KC_subclass,glom_1)",
        1,
    )


def _needed(table: Table, others: Mapping[str, Table], parameter: str) -> Table:
    _only(table, others, parameter)
    if parameter not in others:
        raise table.error(f"this format needs {parameter}=, a second file")
    return others[parameter]


def _only(table: Table, others: Mapping[str, Table], *parameters: str) -> None:
    for name in others:
        if name not in parameters:
            raise table.error(f"this format has no use for {name}=; leave it out")


def _column(table: Table, name: str) -> int:
    if name not in table.header:
        raise table.error("there is no such column", 1, name)
    return table.header.index(name)


def _integers(table: Table, name: str) -> list[int]:
    position = _column(table, name)
    values = table.complete(position, [name])[:, 0]
    for (number, cells), value in zip(table.rows, values, strict=True):
        if value != np.floor(value):
            raise table.error(f"{cells[position]!r} is not an integer", number, name)
    # Identifiers may have more digits than a float64.
    return [
        int(cells[position]) if cells[position].isdigit() else int(value)
        for (_, cells), value in zip(table.rows, values, strict=True)
    ]


def _edges(table: Table, neurons: Table, threshold: int) -> _Wiring:
    table.demand(",", len(table.header))
    neurons.demand(",", len(neurons.header))
    position = _column(neurons, "type")
    neurons.keys(_column(neurons, "bodyId"), "bodyId")
    types = dict(zip(_integers(neurons, "bodyId"), (cells[position] for _, cells in neurons.rows), strict=True))
    source, target, weight = (_integers(table, name) for name in ("bodyId_pre", "bodyId_post", "weight"))
    pairs: dict[tuple[int, int], int] = {}
    sums: Counter[tuple[int, str]] = Counter()
    columns = sorted({_glomerulus(kind) for kind in types.values() if not kind.startswith("KC")})
    for (number, _), pre, post, synapses in zip(table.rows, source, target, weight, strict=True):
        if (pre, post) in pairs:
            raise table.error(f"the connection {pre} -> {post} stands already in row {pairs[pre, post]}", number)
        pairs[pre, post] = number
        for neuron, column, kenyon in ((pre, "bodyId_pre", False), (post, "bodyId_post", True)):
            kind = types.get(neuron)
            if kind is None:
                raise table.error(f"neuron {neuron} is not in {neurons.source}", number, column)
            if kind.startswith("KC") != kenyon:
                raise table.error(f"neuron {neuron} is {kind!r}, {'no' if kenyon else 'a'} Kenyon cell", number, column)
        sums[post, _glomerulus(types[pre])] += synapses * (synapses >= threshold)
    cells = sorted(neuron for neuron in types if types[neuron].startswith("KC"))
    extra = {"kenyon_cell_type": ("type of the Kenyon cell", [types[cell] for cell in cells])}
    return "edge list of neurons", _filled(sums, cells, columns), cells, columns, "synapses", extra


def _glomerulus(kind: str) -> str:
    return kind.split("_", maxsplit=1)[0].rstrip("+")


def _filled(sums: Mapping[tuple[int, str], int], cells: list[int], columns: list[str]) -> "Array":
    out = np.zeros((len(cells), len(columns)))
    row, column = ({name: k for k, name in enumerate(names)} for names in (cells, columns))
    for (cell, glomerulus), weight in sums.items():
        out[row[cell], column[glomerulus]] = weight
    return out


def _claws(table: Table, threshold: int) -> _Wiring:
    table.demand(",", len(table.header))
    position = _column(table, "pn_type")
    for number, cells in table.rows:
        if not cells[position]:
            raise table.error("the glomerulus is missing", number, "pn_type")
    kenyon, projection = _integers(table, "kc_skid"), _integers(table, "pn_skid")
    glomerulus = [cells[position] for _, cells in table.rows]
    of_neuron: dict[int, str] = {}
    for (number, _), neuron, name in zip(table.rows, projection, glomerulus, strict=True):
        before = of_neuron.setdefault(neuron, name)
        if before != name:
            raise table.error(f"neuron {neuron} is in {name!r} here, and in {before!r} above", number, "pn_type")
    sums: Counter[tuple[int, str]] = Counter()
    for (cell, neuron), claws in Counter(zip(kenyon, projection, strict=True)).items():
        sums[cell, of_neuron[neuron]] += claws * (claws >= threshold)
    names, columns = sorted(set(kenyon)), sorted(set(glomerulus))
    return "edge list of claws", _filled(sums, names, columns), names, columns, "claws", {}


def _matrix(table: Table, others: Mapping[str, Table], threshold: int) -> _Wiring:
    table.demand(",", len(table.header))
    columns = table.header[1:]
    tables.unique(table, columns, "column")
    if columns == [str(k) for k in range(len(columns))]:
        listed = _needed(table, others, "glomeruli")
        listed.demand(",", 2)
        names = listed.keys(1, listed.header[1] or "of names")
        if len(names) != len(columns):
            raise table.error(f"has {len(columns)} glomeruli, and {listed.source} names {len(names)}", 1)
        for k, (number, row) in enumerate(listed.rows):
            if row[0] != str(k):
                raise listed.error(f"{row[0]!r} should be {k}, the number of a column", number, "1")
    else:
        _only(table, others)
        names = columns
    keys = table.keys(0, table.header[0] or "1")
    cells: list[Any] = [int(key) for key in keys] if all(key.isdigit() for key in keys) else list(keys)
    values = table.complete(1, columns)
    return "matrix", np.where(values >= threshold, values, 0.0), cells, names, "1", {}


def _caron(table: Table, glomeruli: Table, threshold: int) -> _Wiring:
    table.demand(",", len(table.header))
    glomeruli.demand(",", 2)
    if glomeruli.header != ["glom_class", "glom_number"]:
        raise glomeruli.error("the header should be glom_class,glom_number", 1)
    names, numbers = glomeruli.keys(0, "glom_class"), _integers(glomeruli, "glom_number")
    glomeruli.keys(1, "glom_number")
    table.keys(_column(table, "cell_number"), "cell_number")
    cells: list[int] = _integers(table, "cell_number")
    out = np.zeros((len(cells), len(names)))
    for column in filter(_CARON.fullmatch, table.header):
        position = _column(table, column)
        for k, value in enumerate(table.numbers(position, [column])[:, 0]):
            if np.isnan(value):
                continue
            if value not in numbers:
                number, row = table.rows[k]
                raise table.error(
                    f"{row[position]!r} is no number of a glomerulus in {glomeruli.source}", number, column
                )
            out[k, numbers.index(int(value))] += 1.0
    kind = _column(table, "KC_subclass")
    extra: dict[str, tuple[str, list[Any]]] = {
        "kenyon_cell_type": ("type of the Kenyon cell", [row[kind] for _, row in table.rows]),
        "total_claws": ("claws, identified or not", _integers(table, "total_claws")),
    }
    return "Caron et al. 2013", np.where(out >= threshold, out, 0.0), cells, names, "claws", extra


def match(
    connectome: "xr.DataArray",
    odors: "xr.Dataset",
    receptor_map: Mapping[str, str] | None = None,
    *,
    unmatched: str = "error",
    unconnected: str = "error",
) -> "tuple[xr.DataArray, xr.Dataset]":
    """Bring a connectome and a table of odors to the same glomeruli, in the same order.

    Parameters
    ----------
    connectome : xarray.DataArray
        From `load_connectome`.
    odors : xarray.Dataset
        From `simnn.olfaction.load_odors`.
    receptor_map : mapping of str to str, optional
        The glomerulus of each receptor. By default the coordinate ``glomerulus`` of the odors.
    unmatched : {"error", "drop"}
        What to do about glomeruli without a receptor and receptors whose glomerulus is not in the connectome.
    unconnected : {"error", "drop", "keep"}
        What to do about Kenyon cells that have no input from the glomeruli that are left.

    Returns
    -------
    connectome : xarray.DataArray
        (kenyon_cell, glomerulus), attributes ``dropped_glomeruli`` and ``unconnected_kenyon_cells`` (how many there
        were).
    odors : xarray.Dataset
        The dimension ``receptor`` is now ``glomerulus``, ``receptor`` a coordinate of it; attribute
        ``unmatched_receptors``.

    Raises
    ------
    ValueError
        If the two do not match, or two receptors have the same glomerulus, between which there is no choice that would
        be right for all uses: select one of them. One line names the files and what does not match.
    """
    tables.check_choice("unmatched", unmatched, ("error", "drop"))
    tables.check_choice("unconnected", unconnected, UNCONNECTED)
    ours, theirs = odors.attrs.get("source", "odors"), connectome.attrs.get("source", "connectome")
    receptors = [str(name) for name in odors.receptor.values]
    if receptor_map is None:
        if "glomerulus" not in odors.coords:
            raise ValueError(f"{ours}: names no glomeruli; give receptor_map=, the glomerulus of each receptor")
        receptor_map = dict(zip(receptors, map(str, odors.glomerulus.values), strict=True))
    for name in receptors:
        if not receptor_map.get(name):
            raise ValueError(f"{ours}: column {name}: has no glomerulus; give it in receptor_map=, or select others")
    taken: dict[str, str] = {}
    for name in receptors:
        if receptor_map[name] in taken:
            raise ValueError(
                f"{ours}: columns {taken[receptor_map[name]]} and {name}: both have glomerulus {receptor_map[name]}; "
                "select one of them"
            )
        taken[receptor_map[name]] = name
    columns = [str(name) for name in connectome.glomerulus.values]
    alone = [name for name in columns if name not in taken]
    lost = [name for name in taken if name not in columns]
    if unmatched == "error" and (alone or lost):
        raise ValueError(
            f"{theirs}: {_some(alone, 'column')} no receptor in {ours}; "
            f"{_some([f'{taken[name]} ({name})' for name in lost], 'receptor')} no column; choose unmatched='drop'"
        )
    common = [name for name in columns if name in taken]
    if not common:
        raise ValueError(f"{theirs}: has no glomerulus of {ours}: columns are {', '.join(columns[:5])}, ...")
    wiring = connectome.sel(glomerulus=common)
    found = (wiring != 0).any("glomerulus").values
    if unconnected == "error" and not found.all():
        cell, more = connectome.kenyon_cell.values[int(np.argmin(found))], int((~found).sum()) - 1
        raise ValueError(
            f"{theirs}: Kenyon cell {cell}, like {more} others of {len(found)}, has no input from the {len(common)} "
            f"glomeruli of {ours}; choose unconnected='drop' or 'keep'"
        )
    if unconnected == "drop":
        wiring = wiring.isel(kenyon_cell=found)
    wiring.attrs |= {"dropped_glomeruli": len(alone), "unconnected_kenyon_cells": int((~found).sum())}
    matched = odors.drop_vars("glomerulus", errors="ignore").sel(receptor=[taken[name] for name in common])
    matched = matched.assign_coords(glomerulus=("receptor", common, dict(connectome.glomerulus.attrs)))
    matched = matched.swap_dims(receptor="glomerulus").assign_attrs(unmatched_receptors=len(lost))
    return wiring, matched


def _some(names: Sequence[str], what: str) -> str:
    if not names:
        return f"no {what} has"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}{'s' * (len(names) > 1)} {', '.join(names[:3])}{more} {'has' if len(names) == 1 else 'have'}"
