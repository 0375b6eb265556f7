"""The ``csv`` sink: a table as comma-separated values."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from pacsfw import api, hookimpl
from pacsfw.errors import ConfigError
from pacsfw_plugins._options import options
from pacsfw_plugins.tables._cells import dump, storable, to_text
from pacsfw_plugins.tables._table_file import SCHEMA, TableFile, text_lines

DELIMITERS = (",", ";", "\t")
"""The delimiters that spreadsheets use; pacsfw writes the first."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""First characters by which a spreadsheet recognizes a formula (CWE-1236)."""

_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?")
"""Texts that are numbers are harmless in a spreadsheet, also with a sign."""

RAW_VALUES = "raw_values"
"""The column in which a guarded table keeps the original of changed texts."""

GUARDED = options(
    {
        **SCHEMA["properties"],
        "guard": {
            "type": "boolean",
            "description": "Keep spreadsheets from interpreting texts as formulas: prefix them with"
            " ' and keep the original text in the column raw_values.",
        },
    },
    "path",
)


class CsvSink(TableFile):
    """Writes CSV as in RFC 4180, but ends rows with LF only, as most tools do.

    UTF-8 without a byte order mark, with one header row. The text of values is that of
    `pacsfw_plugins.tables._cells`; a missing value is an empty cell.

    Parameters
    ----------
    path
        The file.
    guard
        Prefix each text that a spreadsheet would interpret as a formula with ``'``. The last
        column, `RAW_VALUES`, then holds the original texts: JSON by column name.
    """

    def __init__(self, path: str, *, guard: bool = False) -> None:
        super().__init__(path)
        self._guard = guard

    def head(self, table: api.Table) -> bytes:
        """Return the header row."""
        names = [column.name for column in table.columns]
        return _encoded([[*names, _free_name(names)] if self._guard else names])

    def encode(self, table: api.Table, rows: Iterable[api.Row]) -> bytes:
        """Return the rows as lines of CSV."""
        names = [column.name for column in table.columns]
        texts = map(_texts, rows)
        if not self._guard:
            return _encoded(texts)
        kinds = [column.type == "text" for column in table.columns]
        return _encoded(_guarded(row, names, kinds) for row in texts)

    def fits(self, table: api.Table, file: BinaryIO) -> bool:
        """Return whether the file begins with the header of these columns."""
        head = self.head(table)
        return file.read(len(head)) == head

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rows, also of a file that a spreadsheet has saved.

        A byte order mark, ``;`` or tab instead of the comma, CRLF, quotes and empty rows are
        accepted. A file that does not exist has no rows.

        Yields
        ------
        where, row
            ``resources.csv:7`` (the line on which the row begins) and column to text.

        Raises
        ------
        ConfigError
            There is no header, or a row is malformed: it has too few or too many fields, an
            unmatched quote, or bytes that are not UTF-8.
        """
        records = _records(self.path)
        header = next(records, None)
        if header is None:
            if self.path.exists():
                raise ConfigError(f"{self.path}: is empty; a header row is needed")
            return
        where, columns = header
        _check_header(columns, where)
        for where, fields in records:
            if len(fields) != len(columns):
                raise ConfigError(
                    f"{where}: has {len(fields)} fields where the header has {len(columns)}"
                )
            yield where, dict(zip(columns, fields, strict=True))


def _texts(row: api.Row) -> list[str]:
    return [value if type(value) is str else to_text(value) for value in row]


def _guarded(row: Sequence[str], names: Sequence[str], kinds: Sequence[bool]) -> list[str]:
    """Return a row without formulas, followed by the original of its changed texts."""
    dangerous = [
        is_text and text.startswith(FORMULA) and not _NUMBER.fullmatch(text)
        for text, is_text in zip(row, kinds, strict=True)
    ]
    cells = [f"'{text}" if one else text for text, one in zip(row, dangerous, strict=True)]
    raw = {
        name: storable(text) for name, text, one in zip(names, row, dangerous, strict=True) if one
    }
    return [*cells, dump(raw) if raw else ""]


def _free_name(names: Sequence[str]) -> str:
    name = RAW_VALUES
    while name in names:
        name += "_"
    return name


def _encoded(rows: Iterable[Sequence[str]]) -> bytes:
    lines: list[str] = []
    # With CRLF as its line end, every version of csv quotes a carriage return in a value;
    # unquoted, it would end the row for readers.
    writer = csv.writer(_Collect(lines), lineterminator="\r\n")
    writer.writerows(rows)
    # As `storable`, but all at once.
    return "".join(lines).encode("utf-8", "backslashreplace").replace(b"\0", b"\\x00")


class _Collect:
    """Receives one row at a time from csv and replaces its line end."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line.removesuffix("\r\n") + "\n")


def _records(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (where, fields) of every record that is not empty."""
    reader: Any = None
    lines = text_lines(path)
    begins = 1
    for line in lines:
        if line.strip(" \t\r\n;,"):
            reader = csv.reader(chain([line], lines), delimiter=_delimiter(line), strict=True)
            break
        begins += 1
    while reader is not None:
        where = f"{path.name}:{begins + reader.line_num}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            raise ConfigError(f"{where}: is not readable as CSV: {err}") from err
        if any(fields):
            yield where, fields


def _check_header(columns: Sequence[str], where: str) -> None:
    for number, name in enumerate(columns, start=1):
        if not name.strip():
            raise ConfigError(f"{where}: column {number} has no name")
        if name in columns[: number - 1]:
            raise ConfigError(f"{where}: the column {name!r} occurs twice")


def _delimiter(header: str) -> str:
    """Return the delimiter that splits the header row into the most fields."""
    return max(DELIMITERS, key=lambda each: len(next(csv.reader([header], delimiter=each))))


@hookimpl
def pacsfw_sinks() -> Iterator[api.Component[api.Sink]]:
    """Offer ``csv``."""
    yield api.Component(
        name="csv",
        factory=CsvSink,
        schema=GUARDED,
        summary="a table as comma-separated values (UTF-8)",
        accepts=(".csv",),
    )
