"""Tables of odor responses: measured ones, read from a path or a URL with every rule stated."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simnn.olfaction import tables
from simnn.olfaction.tables import Table

if TYPE_CHECKING:
    import xarray as xr

    Array = NDArray[np.float64]

MISSING = ("error", "drop odors", "drop receptors", "keep")
"""What to do about responses that were not measured."""

NEGATIVE = ("error", "clip", "keep")
"""What to do about absolute responses below zero."""

_SPONTANEOUS = "spontaneous firing rate"
_CLASSES = (
    "amines", "lactones", "acids", "sulfur compounds", "terpenes", "aldehydes", "ketones", "aromatics", "alcohols",
    "esters", "dilutions", "fruits",
)  # fmt: skip


def load_odors(
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    names: str | os.PathLike[str] | None = None,
    names_sha256: str | None = None,
    missing: str = "error",
    negative: str = "error",
    receptors: Sequence[str] | None = None,
) -> "xr.Dataset":
    """Read a table of odor responses; its format is recognised from its first row.

    Parameters
    ----------
    path : path or str
        A file, or a URL (http, https, ftp) of one, which is downloaded once and kept in the cache of simnn.
    sha256 : str, optional
        What the checksum of the file should be; a URL needs one.
    names : path or str, optional
        For DoOR: the table that gives a name to each InChIKey, ``odor.csv`` there.
    names_sha256 : str, optional
        As `sha256`, for `names`.
    missing : {"error", "drop odors", "drop receptors", "keep"}
        What to do about responses that were not measured: refuse the table, leave out the odors or the receptors that
        lack one, or keep them as NaN. They are never filled.
    negative : {"error", "clip", "keep"}
        What to do about absolute responses below zero (an inhibition that was measured as larger than the spontaneous
        rate): refuse the table, set them to zero, or keep them. Changes are never touched.
    receptors : sequence of str, optional
        Read these columns only, in this order; policies see nothing else.

    Returns
    -------
    xarray.Dataset
        Dimensions ``odor`` and ``receptor``. Which variables there are depends on the format, see Notes. Attributes
        ``source``, ``sha256``, ``format``, ``missing``, ``negative``, and the counts ``missing_responses``,
        ``negative_responses``, ``dropped_odors`` and ``dropped_receptors``.

    Raises
    ------
    ValueError
        If the file is not such a table, or a policy forbids what is in it. One line names the file, the row (the line
        of the file) and the column.
    OSError
        If there is no such file, or it cannot be fetched.

    Notes
    -----
    **Hallem & Carlson 2006**: separated by commas; two rows of header: ``odor`` (or ``class,odor``) and glomeruli, then
    receptors, with or without "Or"; a row "spontaneous firing rate"; all other rows are changes from it in spikes/s. A
    column ``cas_number`` is passed over (many of its numbers are wrong: join tables on names). Variables ``change``,
    ``spontaneous_rate``, and ``rate = change + spontaneous_rate``, to which `negative` applies; coordinate
    ``glomerulus`` of the receptor, empty where the file has none. Columns are known by their receptor, as two of them
    may stand for one glomerulus. With classes there are also the coordinates ``chemical_class``, ``log10_dilution``
    (from the name; -2 where it says nothing, which is how these odors were diluted) and ``repeats``: the odor whose row
    a dilution "-2" repeats number for number, else empty. ``ds.sel(odor=ds.repeats == "")`` has every stimulus once.

    **DoOR 2.0** (Muench & Galizia 2016): separated by semicolons, a header one field shorter than the rows, row names
    are InChIKeys, ``NA`` where nothing was measured; a row "SFR". Variables ``response``, without a unit, normalised to
    1 over all receptors, and ``spontaneous_response``, NaN where not measured, whatever the policy.

    **Larval receptors** (Si et al. 2019): separated by commas, names in single quotes. Variable ``log10_ec50``; most
    entries are ``NaN``, where no EC50 is given.

    References
    ----------
    Hallem & Carlson 2006, Cell 125, 143 (tables S1 and S2). Muench & Galizia 2016, Sci. Rep. 6, 21841. Si et al. 2019,
    Neuron 101, 950.

    Examples
    --------
    >>> from simnn import olfaction
    >>> ds = olfaction.load_odors("Hallem_Carlson_2006.csv", negative="clip")  # doctest: +SKIP
    >>> ds.rate.sizes  # doctest: +SKIP
    Frozen({'odor': 110, 'receptor': 24})
    """
    tables.check_choice("missing", missing, MISSING)
    tables.check_choice("negative", negative, NEGATIVE)
    parsed = _recognised(tables.read(path, sha256))
    if names is not None:
        _add_names(parsed, tables.read(names, names_sha256))
    if receptors is not None:
        parsed.select(list(receptors))
    return parsed.dataset(missing, negative)


class _Parsed:
    """A table of responses before any policy: rows and columns by name, and where they stand in the file."""

    def __init__(self, table: Table, style: str, first: int, receptors: list[str]) -> None:
        self.table = table
        self.style = style
        self.receptors = receptors
        self.first = first
        self.rows: list[int] = []
        self.odors: list[str] = []
        self.responses: Array = np.empty((0, 0))
        self.spontaneous: Array | None = None
        self.of_odor: dict[str, tuple[Any, str]] = {}
        self.of_receptor: dict[str, tuple[Any, str]] = {}

    def fill(self, rows: list[int], names: Sequence[str], spontaneous: int | None, headers: Sequence[str]) -> None:
        """Read the numbers. `headers` are the names of columns as the file spells them."""
        self.rows, self.odors = rows, list(names)
        if not rows:
            raise self.table.error("has no odors")
        self.responses = self.table.numbers(self.first, headers, rows)
        if spontaneous is not None:
            self.spontaneous = self.table.numbers(self.first, headers, [spontaneous])[0]
            for value, header in zip(self.spontaneous, headers, strict=True):
                if value < 0.0:
                    row = self.table.rows[spontaneous][0]
                    raise self.table.error(f"the spontaneous rate {value:g} is negative", row, header)

    def select(self, receptors: list[str]) -> None:
        """Keep some receptors."""
        for name in receptors:
            if name not in self.receptors:
                raise self.table.error(f"has no receptor {name!r}; it has {', '.join(self.receptors)}")
        if len(set(receptors)) < len(receptors) or not receptors:
            raise ValueError(f"receptors: {receptors!r} is not allowed: should be one or more names that differ")
        self._keep(slice(None), np.array([self.receptors.index(name) for name in receptors]))

    def _keep(self, odors: Any, receptors: Any) -> None:
        self.responses = self.responses[odors][:, receptors]
        self.rows = np.array(self.rows)[odors].tolist()
        self.odors = np.array(self.odors)[odors].tolist()
        self.receptors = np.array(self.receptors)[receptors].tolist()
        if self.spontaneous is not None:
            self.spontaneous = self.spontaneous[receptors]
        self.of_odor = {name: (values[odors], about) for name, (values, about) in self.of_odor.items()}
        self.of_receptor = {name: (values[receptors], about) for name, (values, about) in self.of_receptor.items()}

    def _error(self, reason: str, odor: int, receptor: int) -> ValueError:
        return self.table.error(reason, self.table.rows[self.rows[odor]][0], self.receptors[receptor])

    def dataset(self, missing: str, negative: str) -> "xr.Dataset":
        """Apply the policies, in this order: missing, then negative."""
        attributes: dict[str, Any] = {
            "title": f"Odor responses, {self.style}",
            "source": self.table.source,
            "sha256": self.table.sha256,
            "format": self.style,
            "missing": missing,
            "negative": negative,
        }
        attributes |= self._apply_missing(missing)
        variables = self._variables()
        absolute = "rate" if "rate" in variables else "response"
        attributes["negative_responses"] = 0
        if absolute in variables:
            values = variables[absolute][1]
            attributes["negative_responses"] = int((values < 0.0).sum())
            if negative == "error":
                self._refuse_negative(values)
            if negative == "clip":
                values[values < 0.0] = 0.0
        return self._assemble(variables, attributes)

    def _apply_missing(self, missing: str) -> dict[str, int]:
        gaps = np.isnan(self.responses)
        if missing == "error" and gaps.any():
            k, j = np.argwhere(gaps)[0]
            raise self._error(
                f"missing, like {int(gaps.sum()) - 1} others of {gaps.size} responses; choose missing='drop odors', "
                "'drop receptors' or 'keep'",
                int(k),
                int(j),
            )
        odors = ~gaps.any(axis=1) if missing == "drop odors" else np.ones(gaps.shape[0], bool)
        receptors = ~gaps.any(axis=0) if missing == "drop receptors" else np.ones(gaps.shape[1], bool)
        if not (odors.any() and receptors.any()):
            raise self.table.error(
                f"missing={missing!r} leaves nothing: {int(gaps.sum())} of {gaps.size} responses are missing; choose "
                "fewer receptors=, or missing='keep'"
            )
        self._keep(odors, receptors)
        return {
            "missing_responses": int(gaps.sum()),
            "dropped_odors": int((~odors).sum()),
            "dropped_receptors": int((~receptors).sum()),
        }

    def _refuse_negative(self, values: "Array") -> None:
        below = values < 0.0
        if below.any():
            k, j = np.argwhere(below)[0]
            raise self._error(
                f"the absolute response is {values[k, j]:g}, and {int(below.sum()) - 1} others of {below.size} are "
                "negative; choose negative='clip' or 'keep'",
                int(k),
                int(j),
            )

    def _variables(self) -> dict[str, tuple[tuple[str, ...], "Array", str, str]]:
        both = ("odor", "receptor")
        if self.style == "Si et al. 2019":
            return {"log10_ec50": (both, self.responses, "log10 of the half-maximal dilution", "1")}
        assert self.spontaneous is not None
        if self.style == "DoOR":
            return {
                "response": (both, self.responses.copy(), "consensus response, normalised", "1"),
                "spontaneous_response": (("receptor",), self.spontaneous, "consensus response without odor", "1"),
            }
        return {
            "change": (both, self.responses, "change of the firing rate", "spikes/s"),
            "rate": (both, self.responses + self.spontaneous, "firing rate", "spikes/s"),
            "spontaneous_rate": (("receptor",), self.spontaneous, "firing rate without odor", "spikes/s"),
        }

    def _assemble(self, variables: Any, attributes: dict[str, Any]) -> "xr.Dataset":
        import xarray as xr

        names = {
            "odor": ("odor", self.odors, "InChIKey of the odor" if self.style == "DoOR" else "odor"),
            "receptor": ("receptor", self.receptors, "olfactory receptor"),
        }
        names |= {name: ("odor", *value) for name, value in self.of_odor.items()}
        names |= {name: ("receptor", *value) for name, value in self.of_receptor.items()}
        return xr.Dataset(
            {
                name: (dims, values, {"long_name": about, "units": units})
                for name, (dims, values, about, units) in variables.items()
            },
            {name: (dim, values, {"long_name": about, "units": "1"}) for name, (dim, values, about) in names.items()},
            attributes,
        )


def _recognised(table: Table) -> _Parsed:
    header = table.header
    if header[0] == "odor" or header[:2] == ["class", "odor"]:
        return _hallem_carlson(table)
    if table.rows and len(table.rows[0][1]) == len(header) + 1 and any(cells[0] == "SFR" for _, cells in table.rows):
        return _door(table)
    if header[0] == "" and len(header) > 1 and all(re.fullmatch("'.+'", name) for name in header[1:]):
        return _larval(table)
    raise table.error(
        f"the header starts with {table.separator.join(header[:3])!r}, which is no known table of odors; known are "
        "Hallem & Carlson ('odor,' or 'class,odor,'), DoOR (';', a row 'SFR') and Si et al. (names in single quotes)",
        1,
    )


def _hallem_carlson(table: Table) -> _Parsed:
    table.demand(",", len(table.header))
    lead = 1 + (table.header[0] == "class")
    end = len(table.header) - (table.header[-1] == "cas_number")
    number, second = table.rows[0]
    if any(cell not in ("", "odor") for cell in second[:lead]) or end == lead:
        raise table.error("should be the second row of the header: the receptors, after 'odor' or nothing", number)
    headers = second[lead:end]
    tables.unique(table, headers, "receptor", number)
    parsed = _Parsed(
        table, "Hallem & Carlson", lead, [f"Or{name}" if re.match(r"\d", name) else name for name in headers]
    )
    glomeruli = np.array(table.header[lead:end])
    parsed.of_receptor["glomerulus"] = (glomeruli, "glomerulus, empty where the table has none")
    names = table.keys(lead - 1, "odor", range(1, len(table.rows)))
    if _SPONTANEOUS not in names:
        raise table.error(f"has no row {_SPONTANEOUS!r}")
    spontaneous = 1 + names.index(_SPONTANEOUS)
    rows = [row for row in range(1, len(table.rows)) if row != spontaneous]
    names.remove(_SPONTANEOUS)
    parsed.fill(rows, names, spontaneous, headers)
    assert parsed.spontaneous is not None
    for value, header in zip(parsed.spontaneous, headers, strict=True):
        if np.isnan(value):
            raise table.error("the spontaneous rate is missing", table.rows[spontaneous][0], header)
    if lead == 2:
        _add_classes(parsed)
    return parsed


def _add_classes(parsed: _Parsed) -> None:
    table = parsed.table
    classes, dilutions, repeats = [], [], []
    index = {name: k for k, name in enumerate(parsed.odors)}
    for k, row in enumerate(parsed.rows):
        number, cells = table.rows[row]
        if cells[0] not in map(str, range(1, len(_CLASSES) + 1)):
            raise table.error(f"{cells[0]!r} is no class from 1 to {len(_CLASSES)}", number, "class")
        classes.append(_CLASSES[int(cells[0]) - 1])
        base, _, suffix = parsed.odors[k].rpartition(" ")
        diluted = classes[-1] in _CLASSES[-2:]
        if diluted and not re.fullmatch(r"pure|-\d+", suffix):
            raise table.error(f"{parsed.odors[k]!r} does not end in a dilution: 'pure', or log10 of it", number, "odor")
        dilutions.append((0.0 if suffix == "pure" else float(suffix)) if diluted else -2.0)
        same = diluted and base in index and np.array_equal(parsed.responses[k], parsed.responses[index[base]])
        repeats.append(base if same else "")
    parsed.of_odor = {
        "chemical_class": (np.array(classes), "chemical class"),
        "log10_dilution": (np.array(dilutions), "log10 of the dilution"),
        "repeats": (np.array(repeats), "odor whose row this one repeats, or empty"),
    }


def _door(table: Table) -> _Parsed:
    table.demand(";", len(table.header) + 1)
    tables.unique(table, table.header, "unit")
    names = table.keys(0, "of row names")
    parsed = _Parsed(table, "DoOR", 1, table.header)
    spontaneous = names.index("SFR")
    rows = [row for row in range(len(table.rows)) if row != spontaneous]
    names.remove("SFR")
    parsed.fill(rows, names, spontaneous, table.header)
    return parsed


def _add_names(parsed: _Parsed, names: Table) -> None:
    if parsed.style != "DoOR":
        raise parsed.table.error("has names itself; leave out names=")
    names.demand(";", len(names.header) + 1)
    for column in ("Name", "InChIKey"):
        if column not in names.header:
            raise names.error("there is no such column", 1, column)
    # The first field of a row is its name, which the header does not count.
    keys = names.keys(1 + names.header.index("InChIKey"), "InChIKey")
    name_of = dict(zip(keys, names.keys(1 + names.header.index("Name"), "Name"), strict=True))
    for row, key in zip(parsed.rows, parsed.odors, strict=True):
        if key not in name_of:
            raise parsed.table.error(f"{key!r} is not in {names.source}", parsed.table.rows[row][0], "of row names")
    parsed.of_odor["name"] = (np.array([name_of[key] for key in parsed.odors]), "name of the odor")


def _larval(table: Table) -> _Parsed:
    table.demand(",", len(table.header))
    receptors = [name.strip("'").strip() for name in table.header[1:]]
    tables.unique(table, receptors, "receptor")
    names = [name.strip("'").strip() for name in table.keys(0, "of row names")]
    parsed = _Parsed(table, "Si et al. 2019", 1, receptors)
    parsed.fill(list(range(len(table.rows))), names, None, receptors)
    return parsed
