"""The ``csv`` sink: a table as comma-separated values."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pacsfw import api, hookimpl
from pacsfw.errors import ConfigError
from pacsfw_plugins._cells import to_text
from pacsfw_plugins._table_file import SCHEMA, TableFile, text_lines

DELIMITERS = (",", ";", "\t")
"""What spreadsheets put between fields; the first is what is written."""


class CsvSink(TableFile):
    r"""Writes CSV as in RFC 4180, but with ``\n`` alone at the end of a row, as most tools do.

    UTF-8 without a byte order mark, one header row. Values as `pacsfw_plugins._cells`
    says; an empty cell is a missing value. Characters that cannot be encoded (lone
    surrogates) are written as ``\udcXX``.
    """

    def head(self, table: api.Table) -> bytes:
        """Return the header row."""
        return _encoded([[column.name for column in table.columns]])

    def encode(self, table: api.Table, rows: Iterable[api.Row]) -> bytes:
        """Return the rows as lines of CSV."""
        return _encoded(
            [to_text(value) for value, _ in zip(row, table.columns, strict=True)] for row in rows
        )

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
        schema=SCHEMA,
        summary="a table as comma-separated values (UTF-8)",
        accepts=(".csv",),
    )
