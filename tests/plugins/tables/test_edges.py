"""docs/tables.md says what each format does with every edge; each line of it is tried."""

from __future__ import annotations

import csv
import json
import math
import sqlite3
from contextlib import closing
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from types import NoneType

import pyarrow.parquet as pq
import pytest

from pacsfw import api
from pacsfw.errors import Refused
from pacsfw_plugins.tables.csv import CsvSink
from pacsfw_plugins.tables.jsonl import JsonlSink
from pacsfw_plugins.tables.parquet import ParquetSink
from pacsfw_plugins.tables.sql import SqlSink

DOCUMENT = Path(__file__).parents[3] / "docs" / "tables.md"
NAN = float("nan")
EDGES = {
    "NaN": ("float", NAN),
    "minus infinity": ("float", -math.inf),
    "NaN in a list": ("floats", [NAN, 1.5]),
    "infinity in JSON": ("json", {"a": math.inf}),
    "a NUL in a text": ("text", "a\0b"),
    "half of a surrogate pair": ("text", "a\udce4b"),
    "both in a list": ("texts", ["\0", "\udce4"]),
    "an empty text": ("text", ""),
    "an integer beyond 64 bits": ("int", 2**63),
    "such an integer in a list": ("ints", [2**63]),
    "such an integer in JSON": ("json", [2**63]),
    "an empty list": ("texts", []),
    "nothing in a list": ("ints", [1, None]),
    "the year 1": ("date", date(1, 1, 1)),
    "a time to the microsecond": ("time", time(8, 15, 0, 5)),
    "a negative duration": ("duration", -timedelta(minutes=1)),
    "a date-time with offset": (
        "datetime",
        datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))),
    ),
    "a date-time without offset": ("datetime", datetime(2020, 1, 2, 3, 4, 5)),
    "bytes": ("text", b"x"),
}


def documented():
    """Return the cells of the table, by format and edge."""
    section = (
        DOCUMENT.read_text(encoding="utf-8").partition("\n## Edges\n")[2].partition("\n## ")[0]
    )
    lines = [line.strip("| ") for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in line.split(" | ")] for line in lines]
    head, _, *rows = cells
    return {
        name: {row[0]: row[column] for row in rows}
        for column, name in enumerate(head)
        if name not in ("value", "type")
    }


def shown(value):
    """Write what a reader of the format gives in the way of the document."""
    match value:
        case None:
            return "NULL"
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case timedelta():
            return f"{value.total_seconds():g} s"
        case date() | time():
            return value.isoformat()
        case list():
            items = (
                json.dumps(each) if type(each) in (str, NoneType) else shown(each) for each in value
            )
            return f"[{', '.join(items)}]"
        case dict():
            return json.dumps(value)
        case str():
            return value or '""'
    return str(value)


def from_csv(folder):
    with (folder / "t.csv").open(newline="", encoding="utf-8") as file:
        return [row["x"] or "empty" for row in csv.DictReader(file)]


def from_jsonl(folder):
    lines = (folder / "t.jsonl").read_text(encoding="utf-8").splitlines()
    return [line.partition('"x":')[2][:-1] for line in lines]


def typed(row):
    """Return the cell, and the offset in the next column."""
    _, value, *offset = row
    return ", ".join([shown(value), *(each for each in offset if each)])


def from_parquet(folder):
    return [typed(row.values()) for row in pq.read_table(folder / "t.parquet").to_pylist()]


def from_sqlite(folder):
    with closing(sqlite3.connect(folder / "t.db")) as connection:
        rows = connection.execute("SELECT * FROM t").fetchall()
    return [typed(row[2:]) for row in rows]


FORMATS = {
    "CSV": (lambda folder: CsvSink(str(folder / "t.csv")), from_csv),
    "JSONL": (lambda folder: JsonlSink(str(folder / "t.jsonl")), from_jsonl),
    "Parquet": (lambda folder: ParquetSink(str(folder / "t.parquet")), from_parquet),
    "SQLite": (lambda folder: SqlSink(f"sqlite:///{folder}/t.db"), from_sqlite),
}


def stored(sink, edge, read):
    kind, value = EDGES[edge]
    table = api.Table("t", (api.Column("uid"), api.Column("x", kind)))
    with closing(sink):
        sink.begin(table)
        try:
            sink.deliver(api.Batch(table=table, key="1", rows=[("1.2", value)]))
        except Refused:
            return "refused"
        [cell] = read()
    return cell


def test_the_document_has_each_edge_once():
    for name, cells in documented().items():
        assert list(cells) == list(EDGES), name


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", FORMATS)
def test_each_format_does_with_each_edge_what_the_document_says(tmp_path, name, edge):
    make, read = FORMATS[name]

    assert stored(make(tmp_path), edge, lambda: read(tmp_path)) == documented()[name][edge]


def test_postgresql_does_so_too(postgres):
    found = {}
    for edge in EDGES:
        url = postgres.create_database()
        with postgres.connect(url.rpartition("/")[2]) as connection:
            found[edge] = stored(
                SqlSink(url),
                edge,
                lambda connection=connection: [
                    typed(row[2:]) for row in connection.execute("SELECT * FROM t").fetchall()
                ],
            )

    assert found == documented()["PostgreSQL"]
