"""The ``csv`` sink: a table as comma-separated values."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

from pacsfw import api, hookimpl
from pacsfw.errors import ConfigError
from pacsfw_plugins.tables._cells import dump, to_text
from pacsfw_plugins.tables._table_file import SCHEMA, TableFile, text_lines

DELIMITERS = (",", ";", "\t")
"""What spreadsheets put between fields; the first is what is written."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""What makes a spreadsheet take a text for a formula (CWE-1236), at its beginning."""

_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?")
"""Texts that are numbers do nothing in a spreadsheet, whatever their sign."""

RAW_VALUES = "raw_values"
"""The column where a guarded table keeps the texts that it altered."""

GUARDED = {
    **SCHEMA,
    "properties": {
        **SCHEMA["properties"],
        "guard": {
            "type": "boolean",
            "description": "Keep spreadsheets from taking texts for formulas: put ' before them, "
            "and the text as it was into the column raw_values.",
        },
    },
}


class CsvSink(TableFile):
    r"""Writes CSV as in RFC 4180, but with ``\n`` alone at the end of a row, as most tools do.

    UTF-8 without a byte order mark, one header row. Values as `pacsfw_plugins.tables._cells`
    says; an empty cell is a missing value. Characters that cannot be encoded (lone
    surrogates) are written as ``\udcXX``.

    Parameters
    ----------
    path
        The file.
    guard
        Put ``'`` before each text that a spreadsheet would take for a formula. The last
        column, `RAW_VALUES`, then holds what was altered: JSON, by the name of the column.
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
        texts = map(_texts, rows, repeat(len(names)))
        if not self._guard:
            return _encoded(texts)
        kinds = [column.type == "text" for column in table.columns]
        return _encoded(_guarded(row, names, kinds) for row in texts)

    def fits(self, table: api.Table, file: BinaryIO) -> bool:
        """Tell whether the file begins with the header of these columns."""
        head = self.head(table)
        return file.read(len(head)) == head

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give the rows back, also after a spreadsheet has saved the file.

        A byte order mark, ``;`` or tab instead of the comma, CRLF, quotes, and rows with
        nothing in them are no obstacle. A file that does not exist has no rows.

        Yields
        ------
        where, row
            ``resources.csv:7`` (the line on which the row begins) and column to text.

        Raises
        ------
        ConfigError
            There is no header, or a row cannot be read for certain: it has too few or too
            many fields, a broken quote, a NUL or bytes that are not UTF-8.
        """
        records = _records(self.path)
        try:
            where, columns = next(records)
        except StopIteration:
            if self.path.exists():
                raise ConfigError(f"{self.path}: is empty; a header row is needed") from None
            return
        _check_header(columns, where)
        for where, fields in records:
            if len(fields) != len(columns):
                raise ConfigError(
                    f"{where}: has {len(fields)} fields where the header has {len(columns)}"
                )
            yield where, dict(zip(columns, fields, strict=True))


def _texts(row: api.Row, width: int) -> list[str]:
    if len(row) != width:
        raise ValueError(f"a row has {len(row)} cells where the table has {width} columns")
    return [value if type(value) is str else to_text(value) for value in row]


def _guarded(row: Sequence[str], names: Sequence[str], kinds: Sequence[bool]) -> list[str]:
    """Return a row in which no text begins like a formula, and last what was altered."""
    dangerous = [
        is_text and text.startswith(FORMULA) and not _NUMBER.fullmatch(text)
        for text, is_text in zip(row, kinds, strict=True)
    ]
    cells = [f"'{text}" if one else text for text, one in zip(row, dangerous, strict=True)]
    raw = {name: text for name, text, one in zip(names, row, dangerous, strict=True) if one}
    return [*cells, dump(raw) if raw else ""]


def _free_name(names: Sequence[str]) -> str:
    name = RAW_VALUES
    while name in names:
        name += "_"
    return name


def _encoded(rows: Iterable[Sequence[str]]) -> bytes:
    lines: list[str] = []
    # With CRLF as its line end, csv quotes a carriage return inside a value on every
    # Python; unquoted, readers would take it for the end of the row.
    writer = csv.writer(_Collect(lines), lineterminator="\r\n")
    writer.writerows(rows)
    return "".join(lines).encode("utf-8", "backslashreplace")


class _Collect:
    """Takes one row at a time from csv and gives it the line end that is wanted."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line.removesuffix("\r\n") + "\n")


def _records(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Give (where, fields) of every record that has something in it."""
    reader: Any = None
    lines = text_lines(path)
    begins = 1
    for line in lines:
        if line.strip(" \t\r\n;,"):
            reader = csv.reader(_chained(line, lines), delimiter=_delimiter(line), strict=True)
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


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _check_header(columns: Sequence[str], where: str) -> None:
    for number, name in enumerate(columns, start=1):
        if not name.strip():
            raise ConfigError(f"{where}: column {number} has no name")
        if name in columns[: number - 1]:
            raise ConfigError(f"{where}: the column {name!r} occurs twice")


def _delimiter(header: str) -> str:
    """Return the delimiter that makes the most of the header row."""
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
