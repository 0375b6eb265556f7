"""Whatever text an instance holds: every format gives it back, as a table and as a study list."""

from __future__ import annotations

import csv
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacsfw import api
from pacsfw_plugins.tables.csv import CsvSink
from pacsfw_plugins.tables.jsonl import JsonlSink
from pacsfw_plugins.tables.parquet import ParquetSink
from pacsfw_plugins.tables.sql import SqlSink

TABLE = api.Table(
    "resources",
    (api.Column("uid"), api.Column("text"), api.Column("texts", "texts"), api.Column("x", "json")),
)
AWKWARD = ["\0", "\r", "\n", "\r\n", "\x85", "\u2028", "\ufeff", "\ud800", "\udcff", "\x1b", '"']
AWKWARD += [",", ";", "\t", "\\", "'", "\x7f", "\x80", "\x9f", "\ufffe", "\U0010ffff", "=1+1", "%s"]
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=()), st.sampled_from([c for c in AWKWARD if len(c) == 1])
    )
)


def read_csv(folder):
    with (folder / "t.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["text"], json.loads(row["texts"]), json.loads(row["x"])


def read_jsonl(folder):
    for line in (folder / "t.jsonl").read_bytes().splitlines():
        assert b"\\ud" not in line.replace(rb"\\", b"")  # half an escape, which pandas refuses
        row = json.loads(line)
        yield row["text"], row["texts"], row["x"]


def read_parquet(folder):
    for row in pq.read_table(folder / "t.parquet").to_pylist():
        yield row["text"], row["texts"], json.loads(row["x"])


def read_sqlite(folder):
    with closing(sqlite3.connect(folder / "t.db")) as connection:
        for text, texts, x in connection.execute("SELECT text, texts, x FROM resources"):
            yield text, json.loads(texts), json.loads(x)


FORMATS = {
    "csv": (lambda folder: CsvSink(str(folder / "t.csv")), read_csv),
    "jsonl": (lambda folder: JsonlSink(str(folder / "t.jsonl")), read_jsonl),
    "parquet": (lambda folder: ParquetSink(str(folder / "t.parquet")), read_parquet),
    "sqlite": (lambda folder: SqlSink(f"sqlite:///{folder}/t.db"), read_sqlite),
}


def documented(text):
    """What docs/tables.md says of a text."""
    return "".join(
        "\\x00" if c == "\0" else f"\\u{ord(c):04x}" if 0xD800 <= ord(c) < 0xE000 else c
        for c in text
    )


def batch(texts):
    rows = [(str(number), text, [text, None], {text: text}) for number, text in enumerate(texts)]
    return api.Batch(table=TABLE, key="1", rows=rows)


@pytest.mark.parametrize("name", FORMATS)
@example(texts=AWKWARD)
@given(texts=st.lists(TEXTS, max_size=5))
def test_what_is_written_is_read_back(name, texts):
    make, read = FORMATS[name]
    expected = list(map(documented, texts))
    with tempfile.TemporaryDirectory() as made, closing(make(folder := Path(made))) as sink:
        sink.begin(TABLE)
        sink.deliver(batch(texts))

        assert list(read(folder)) == [(text, [text, None], {text: text}) for text in expected]

        listed = [row for _, row in sink.read()]
        assert [row["text"] for row in listed] == expected
        rows = [tuple(row[column.name] or None for column in TABLE.columns) for row in listed]
        again = api.Table("resources", tuple(api.Column(column.name) for column in TABLE.columns))
        if name != "sqlite":  # as `find` does, to add studies
            sink.rewrite(again, [api.Batch(table=again, key="", rows=rows)])
            assert [row["text"] for _, row in sink.read()] == expected


def test_postgresql_gives_back_the_same(postgres):
    url = postgres.create_database()
    with closing(SqlSink(url)) as sink:
        sink.begin(TABLE)
        sink.deliver(batch(AWKWARD))
        listed = [row["text"] for _, row in sink.read()]
    with postgres.connect(url.rpartition("/")[2]) as connection:
        rows = connection.execute("SELECT text, texts, x FROM resources ORDER BY id").fetchall()

    expected = list(map(documented, AWKWARD))
    assert listed == expected
    assert rows == [(text, [text, None], {text: text}) for text in expected]


def test_a_list_with_a_nul_that_an_earlier_version_wrote_is_read(tmp_path):
    path = tmp_path / "resources.csv"
    path.write_bytes(b"PatientName,StudyInstanceUID\nDoe^John\0garbage,1.2\nRoe,1.3\n")

    assert [row["StudyInstanceUID"] for _, row in CsvSink(str(path)).read()] == ["1.2", "1.3"]
