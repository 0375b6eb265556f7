"""The tables of one run: equal in every format, with numbers that add up, whatever happens."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from pyarrow import parquet

import pacsfw.retries as retries
from pacsfw.errors import Refused
from pacsfw.testing import make_studies
from pacsfw_plugins.tables.parquet import ParquetSink
from pacsfw_plugins.tables.sql import SqlSink
from support.documented import rows

CT = (("CT", "CT"),)
MORE_TAGS = """\
tags:
    - {tag_name: Rows, type: int}
    - {tag_name: StudyTime, type: time}
    - {tag_name: ImageType, type: json}
    - {tag_name: StudyDescription, tag_alias: failing, type: date}
"""
SINKS = """\
sinks:
    - {use: parquet, with: {path: my/meta.parquet}}
    - {use: jsonl, with: {path: my/meta.jsonl}}
    - {use: sql, with: {path: "sqlite:///my/meta.db", header: true}}
"""


@pytest.fixture
def studies():
    return make_studies(3, days=30, modalities=CT, instances=2)


def sqlite_rows(path, table):
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def as_text(value):
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case list() | dict():
            return json.dumps(value, separators=(",", ":"))
    return str(value)


def test_csv_jsonl_parquet_and_sql_of_one_run_hold_equal_values(
    embedded_pacs, collection, studies, capsys
):
    collected = collection(embedded_pacs(studies), changes={"tags:\n": MORE_TAGS})
    collected.conf.write_text(collected.conf.read_text() + SINKS)

    assert collected.run() == 0

    my = collected.folder / "my"
    written = rows(collected.table)
    names = list(written[0])
    assert len(written) == 12
    assert {row["failing"] for row in written} == {""}
    for found in (
        parquet.read_table(my / "meta.parquet").to_pylist(),
        [json.loads(line) for line in (my / "meta.jsonl").read_text().splitlines()],
        sqlite_rows(my / "meta.db", "instances"),
    ):
        texts = [{name: as_text(row[name]).replace(" 00:00:00.000000", "T00:00:00")
                  .replace(".000000", "") for name in names} for row in found]  # fmt: skip
        assert sorted(texts, key=str) == sorted(written, key=str)
    errors = rows(my / "resources_meta_errors.csv")
    assert len(errors) == 12
    assert {(row["column"], row["tag"], row["stage"]) for row in errors} == {
        ("failing", "StudyDescription", "type")
    }
    for found in (
        parquet.read_table(my / "meta_errors.parquet").to_pylist(),
        sqlite_rows(my / "meta.db", "errors"),
    ):
        assert sorted(as_text(row["file"]) for row in found) == sorted(r["file"] for r in errors)
    origins = {row["column"]: row for row in rows(my / "resources_meta_columns.csv")}
    assert list(origins) == names
    assert origins["study_date"]["vr"] == "DA"
    assert origins["study_date"]["callback"] == "pacsanini.convert:str2datetime"
    assert sqlite_rows(my / "meta.db", "columns") != []
    (study,) = (
        s for s in sqlite_rows(my / "meta.db", "studies") if s["study_uid"] == studies[0].uid
    )
    assert (study["verdict"], study["stored"], study["patient_id"]) == (
        *("complete", 4, studies[0].patient_id),
    )
    header = json.loads(sqlite_rows(my / "meta.db", "instances")[0]["header"])
    assert header["00080060"]["Value"] == ["CT"]
    output = capsys.readouterr().out
    assert "cells left empty  12" in output
    assert f"errors            {my}/resources_meta_errors.csv" in output
    (my / "meta.db").unlink()

    assert collected.run() == 0

    assert len(sqlite_rows(my / "meta.db", "instances")) == 12


@pytest.fixture
def in_postgres(collection, embedded_pacs, studies, postgres):
    """A collection that keeps its list and its tables in PostgreSQL."""
    url = postgres.create_database()
    collected = collection(
        embedded_pacs(studies), changes={"resources: my/resources.csv": f'resources: "{url}"'}
    )
    collected.database = url.rpartition("/")[2]
    return collected


def count(postgres, collected, table):
    with postgres.connect(collected.database) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.mark.usefixtures("spawned")
def test_the_list_is_pruned_in_the_database_and_the_rest_is_moved(
    in_postgres, postgres, studies, capfd
):
    assert in_postgres.run("find") == 0
    with postgres.connect(in_postgres.database) as connection:
        connection.execute('DELETE FROM resources WHERE "StudyInstanceUID" = %s', (studies[1].uid,))
    assert in_postgres.run("find") == 0

    assert in_postgres.run("move") == 0

    assert count(postgres, in_postgres, "studies") == 2
    assert count(postgres, in_postgres, "instances") == 8
    shown = "".join(capfd.readouterr())
    assert "3 (1 removed from the study list)" in shown
    assert "postgresql+psycopg://collector@127.0.0.1" in shown
    assert in_postgres.run("config", "show") == 0
    assert "of:the" not in (shown := shown + "".join(capfd.readouterr()))
    assert "of%3Athe" not in shown
    assert b"of%3Athe" not in (in_postgres.state / "ledger.sqlite").read_bytes()


def test_a_restart_of_the_database_in_the_middle_of_a_run_loses_nothing(
    in_postgres, postgres, monkeypatch, caplog
):
    monkeypatch.setattr(retries, "PAUSES", (0.1, 0.1, 2.0, 8.0))
    really, calls = SqlSink.deliver, []

    def deliver(self, batch):
        if batch.table.name == "instances":
            calls.append(batch.key)
            if len(calls) == 2:
                postgres.stop()
            elif len(calls) == 4:
                postgres.start()
        really(self, batch)

    monkeypatch.setattr(SqlSink, "deliver", deliver)

    assert in_postgres.run() == 0

    assert len(calls) >= 5
    assert count(postgres, in_postgres, "instances") == 12
    assert "can be reached again" in caplog.text


def test_a_database_that_is_down_at_the_end_is_reported_and_served_by_the_next_run(
    in_postgres, postgres, monkeypatch, capsys
):
    monkeypatch.setattr(retries, "PAUSES", (0.1,))
    assert in_postgres.run("find") == 0
    really = SqlSink.deliver

    def deliver(self, batch):
        postgres.stop()
        really(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SqlSink, "deliver", deliver)
        try:
            assert in_postgres.run("move") == 1
        finally:
            postgres.start()
    output = capsys.readouterr().out
    assert "complete       3" in output
    assert "the next run delivers its rows" in output
    assert "cannot be used at the moment" in output
    assert count(postgres, in_postgres, "instances") == 0

    assert in_postgres.run("move") == 0

    assert count(postgres, in_postgres, "instances") == 12
    assert count(postgres, in_postgres, "columns") == 6


def test_files_seen_are_rows_and_listed_failures(embedded_pacs, collection, studies):
    one_path = {"sort_by: PATIENT": 'sort_by: "{StudyInstanceUID}.dcm"'}
    collected = collection(embedded_pacs(studies), changes=one_path)

    assert collected.run() == 1

    errors = rows(collected.folder / "my" / "resources_meta_errors.csv")
    layout = "'template' (from pacsfw 0.1.0)"
    without_row = [row for row in errors if row["stage"] == "file"]
    assert (len(collected.rows()), len(without_row)) == (3, 9)
    assert {(row["plugin"], row["reason"]) for row in without_row} == {
        (layout, f"layout {layout} gives the same path to another instance")
    }
    assert all(Path(row["file"]).is_file() for row in without_row)
    collected.table.unlink()  # and of the same study once more: nothing twice

    assert collected.run() == 1

    assert len(collected.rows()) == 3
    assert rows(collected.folder / "my" / "resources_meta_errors.csv") == errors


def test_a_database_is_filled_without_tags(in_postgres, postgres, capsys):
    text = in_postgres.conf.read_text()
    in_postgres.conf.write_text(text.partition("tags:\n")[0])

    assert in_postgres.run() == 0

    counts = [count(postgres, in_postgres, name) for name in ("patients", "studies", "series")]
    assert counts == [3, 3, 6]
    assert count(postgres, in_postgres, "instances") == 12
    assert "table" in capsys.readouterr().out


def test_a_row_that_a_table_refuses_is_listed_in_every_table_of_errors(
    embedded_pacs, collection, studies, capsys, monkeypatch
):
    really, refused = ParquetSink.deliver, []

    def deliver(self, batch):
        if batch.table.name == "instances":
            refused[:] = refused or [batch.rows[0]]
        if refused and refused[0] in batch.rows:
            raise Refused("column 'x': OverflowError", "meta.parquet")
        really(self, batch)

    monkeypatch.setattr(ParquetSink, "deliver", deliver)
    collected = collection(embedded_pacs(studies))
    sinks = "sinks:\n    - {use: parquet, with: {path: my/meta.parquet}}\n"
    collected.conf.write_text(collected.conf.read_text() + sinks)
    my = collected.folder / "my"

    assert collected.run() == 1
    assert collected.run() == 1  # nothing is due, and it is still not there

    file = refused[0][-1]
    kept = parquet.read_table(my / "meta.parquet").column("dicom_path").to_pylist()
    assert sorted([*kept, file]) == sorted(row["dicom_path"] for row in rows(collected.table))
    assert len(kept) == 11
    for listed in (
        rows(my / "resources_meta_errors.csv"),
        parquet.read_table(my / "meta_errors.parquet").to_pylist(),
    ):
        [error] = listed
        assert (error["file"], error["stage"]) == (file, "table")
        assert error["reason"].endswith("my/meta.parquet: column 'x': OverflowError")
        assert error["plugin"].startswith("'parquet' (from pacsfw ")
    output = capsys.readouterr().out
    assert "meta.parquet: rows that it cannot store: 1: column 'x': OverflowError" in output
    assert "complete       3" in output
