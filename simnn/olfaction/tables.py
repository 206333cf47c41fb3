"""Delimited text files, read with nothing dropped or filled: every error names the file, the row and the column.

Rows are counted as an editor shows them: the first line of the file is row 1.
"""

import csv
import hashlib
import io
import math
import os
import pathlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs"}
_MISSING = ("", "NA", "NaN")


@dataclass(frozen=True)
class Table:
    """A file, split into fields.

    Attributes
    ----------
    source : str
        Path or URL, as the caller gave it.
    sha256 : str
        Checksum of its bytes.
    separator : str
        What stands between its fields.
    header : list of str
        The first row.
    rows : list of tuple of int and list of str
        Number and fields of the other rows.
    """

    source: str
    sha256: str
    separator: str
    header: list[str]
    rows: list[tuple[int, list[str]]]

    def error(self, reason: str, row: int | None = None, column: str | None = None) -> ValueError:
        """One line about what is wrong with the file, and where.

        Parameters
        ----------
        reason : str
            What is wrong.
        row : int, optional
            Number of the row.
        column : str, optional
            Name of the column.

        Returns
        -------
        ValueError
        """
        places = [f"row {row}"] * (row is not None) + [f"column {column}"] * (column is not None)
        return ValueError(": ".join([self.source, *([", ".join(places)] if places else []), reason]))

    def demand(self, separator: str, fields: int) -> None:
        """Check the separator, and that every row has the same number of fields.

        Parameters
        ----------
        separator : str
            What should stand between fields.
        fields : int
            How many there should be in every row after the header.

        Raises
        ------
        ValueError
            If not.
        """
        if self.separator != separator:
            found, wanted = _SEPARATORS[self.separator], _SEPARATORS[separator]
            raise self.error(f"fields are separated by {found}, and should be by {wanted}", 1)
        if not self.rows:
            raise self.error("has a header and no rows")
        for number, cells in self.rows:
            if len(cells) != fields:
                raise self.error(f"has {len(cells)} fields, and should have {fields}", number)

    def numbers(self, position: int, names: Sequence[str], rows: Sequence[int] | None = None) -> NDArray[np.float64]:
        """Numbers of neighbouring columns.

        Parameters
        ----------
        position : int
            Of the first of the columns.
        names : sequence of str
            Of the columns, for messages.
        rows : sequence of int, optional
            Which of `rows`; by default all.

        Returns
        -------
        array (rows, columns)
            NaN where a field is empty, ``NA`` or ``NaN``.

        Raises
        ------
        ValueError
            If any other field is not a finite number.
        """
        chosen = self.rows if rows is None else [self.rows[k] for k in rows]
        out = np.empty((len(chosen), len(names)))
        for k, (number, cells) in enumerate(chosen):
            for j, name in enumerate(names):
                out[k, j] = self._number(cells[position + j], number, name)
        return out

    def complete(self, position: int, names: Sequence[str]) -> NDArray[np.float64]:
        """Numbers of neighbouring columns, none of which may be missing or negative.

        Parameters
        ----------
        position : int
            Of the first of the columns.
        names : sequence of str
            Of the columns, for messages.

        Returns
        -------
        array (rows, columns)

        Raises
        ------
        ValueError
            If a field is missing, negative, or not a finite number.
        """
        values = self.numbers(position, names)
        for bad, what in ((np.isnan(values), "is missing"), (values < 0.0, "is negative")):
            if bad.any():
                k, j = np.argwhere(bad)[0]
                number, cells = self.rows[k]
                raise self.error(f"{cells[position + j]!r} {what}", number, names[j])
        return values

    def keys(self, position: int, column: str, rows: Sequence[int] | None = None) -> list[str]:
        """Names in a column: each row has one, and no two the same.

        Parameters
        ----------
        position : int
            Of the column.
        column : str
            Its name, for messages.
        rows : sequence of int, optional
            Which of `rows`; by default all.

        Returns
        -------
        list of str

        Raises
        ------
        ValueError
            If a name is empty or stands twice.
        """
        first: dict[str, int] = {}
        for number, cells in self.rows if rows is None else [self.rows[k] for k in rows]:
            name = cells[position]
            if not name:
                raise self.error("the name is empty", number, column)
            if name in first:
                raise self.error(f"{name!r} stands already in row {first[name]}", number, column)
            first[name] = number
        return list(first)

    def _number(self, cell: str, row: int, column: str) -> float:
        if cell in _MISSING:
            return math.nan
        try:
            value = float(cell)
        except ValueError:
            value = math.inf
        if not math.isfinite(value) or "_" in cell:
            raise self.error(f"{cell!r} is not a finite number", row, column)
        return value


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Check a parameter that is one of a few words.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : str
        What the caller gave.
    allowed : sequence of str
        The words.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is not allowed: should be one of {', '.join(map(repr, allowed))}")


def unique(table: Table, names: Sequence[str], what: str, row: int = 1) -> None:
    """Check that the names of columns are there and differ.

    Parameters
    ----------
    table : Table
        Where they stand.
    names : sequence of str
        The names.
    what : str
        What they name.
    row : int
        Where they stand.

    Raises
    ------
    ValueError
        If a name is empty or stands twice.
    """
    for k, name in enumerate(names):
        if not name:
            raise table.error(f"{what} number {k + 1} has no name", row)
        if name in names[:k]:
            raise table.error(f"{what} {name!r} stands twice", row, name)


def read(source: str | os.PathLike[str], sha256: str | None = None) -> Table:
    """Read a file, or fetch it first.

    Parameters
    ----------
    source : path or str
        A file, or a URL (http, https, ftp).
    sha256 : str, optional
        What the checksum of the file should be; a URL needs one.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the checksum differs, or the file is empty, not text, or not a table; one line names the file and the row.
    OSError
        If there is no such file, or it cannot be fetched.
    """
    name = os.fspath(source)
    content = _path(name, sha256).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise ValueError(f"{name}: SHA-256 is {digest}, and should be {sha256.lower()}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: is not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise ValueError(f"{name}: is empty")
    first = re.sub(r'"[^"]*"', "", text.splitlines()[0])
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), delimiter=separator, strict=True)
    rows, start = [], 1
    try:
        for cells in reader:
            if not cells:
                raise ValueError(f"{name}: row {start}: is blank")
            rows.append((start, [cell.strip() for cell in cells]))
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{name}: row {start}: {error}") from None
    return Table(name, digest, separator, rows[0][1], rows[1:])


def _path(source: str, sha256: str | None) -> pathlib.Path:
    if not re.match(r"(https?|ftp)://", source):
        return pathlib.Path(source)
    if sha256 is None:
        raise ValueError(f"{source}: a URL needs sha256, the checksum of the file that it should give")
    import pooch

    from simnn.device.targets import cache_folder

    folder = cache_folder() / "downloads"
    pooch.get_logger().setLevel("WARNING")
    try:
        return pathlib.Path(pooch.retrieve(source, f"sha256:{sha256.lower()}", path=folder))
    except ValueError:
        raise ValueError(f"{source}: SHA-256 of what it gives is not {sha256.lower()}") from None
    except OSError as error:
        raise OSError(f"{source}: cannot be fetched: {' '.join(str(error).split())}") from None
