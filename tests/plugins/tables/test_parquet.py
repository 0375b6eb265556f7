"""The parquet sink: one readable data set at every moment, whatever happens in between."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pacsfw import api
from pacsfw.errors import StateError
from pacsfw_plugins.tables import _folders
from pacsfw_plugins.tables import parquet as sink_parquet
from pacsfw_plugins.tables.parquet import ParquetSink

TABLE = api.Table("meta", (api.Column("uid"), api.Column("slices", "int")))
OTHER = api.Table("meta", (api.Column("uid"), api.Column("slices", "float")))


def batch(key, *uids, slices=1, table=TABLE):
    return api.Batch(table=table, key=key, rows=[(uid, slices) for uid in uids])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.parquet"


@pytest.fixture
def sink(path):
    sink = ParquetSink(str(path))
    sink.begin(TABLE)
    return sink


def uids(path):
    return pq.read_table(path).column("uid").to_pylist()


def parts(path):
    return sorted(each.name for each in path.iterdir())


def test_a_data_set_keeps_its_mark_whatever_is_written_and_wherever_it_is(path, sink, tmp_path):
    mark = sink.mark(TABLE, 0)
    sink.deliver(batch("1", "1.1"))
    sink.rewrite(TABLE, [batch("2", "2.1")])
    sink.deliver(batch("3", "3.1"))

    path.rename(tmp_path / "moved.parquet")

    assert ParquetSink(str(tmp_path / "moved.parquet")).mark(TABLE, 0) == mark != ""


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(sink_parquet, "SMALL", 2)
    monkeypatch.setattr(sink_parquet, "BIG", 6)
    monkeypatch.setattr(sink_parquet, "MANY", 3)


def test_an_empty_table_can_be_read_and_has_its_types(path, sink):
    assert pq.read_table(path).schema.types == [pa.string(), pa.int64()]
    assert uids(path) == []


def test_studies_share_a_part_until_it_is_full(path, sink, small_parts):
    for key in ("1", "2", "3"):
        sink.deliver(batch(key, f"{key}.1"))
    assert uids(path) == ["1.1", "2.1", "3.1"]
    assert parts(path) == ["part-0001-00000.parquet", "part-0001-00001.parquet"]


def test_the_same_study_again_replaces_in_its_part(path, sink, small_parts):
    for key in ("1", "2", "3"):
        sink.deliver(batch(key, f"{key}.1"))
    before = parts(path)
    sink.deliver(batch("1", "1.7", "1.8"))
    sink.deliver(batch("2"))
    assert uids(path) == ["1.7", "1.8", "3.1"]
    assert parts(path) == before


def test_the_next_run_goes_on_and_knows_what_is_where(path, sink):
    sink.deliver(batch("1", "1.1"))
    successor = ParquetSink(str(path))
    successor.restore(TABLE, 0)
    successor.deliver(batch("2", "2.1"))
    successor.deliver(batch("1", "1.2"))
    assert sorted(uids(path)) == ["1.2", "2.1"]


def test_many_small_parts_are_put_together_under_names_that_were_never_there(
    path, sink, small_parts
):
    for key in range(9):
        sink.deliver(batch(str(key), f"{key}.1"))
    before, rows = parts(path), uids(path)
    sink.close()
    assert uids(path) == rows
    assert len(parts(path)) < len(before)
    assert not set(parts(path)) & set(before)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_and_folder_are_for_their_owner_only(path, sink):
    sink.deliver(batch("1", "1.1"))
    modes = [stat.S_IMODE(os.stat(each).st_mode) for each in (path, *path.iterdir())]
    assert modes == [0o700, 0o600]


class Killed(BaseException):
    """Ends the work at this very place; nothing after it runs, as at a kill."""


def kill(*_, **__):
    raise Killed


@pytest.mark.parametrize("moment", ["write_table", "sync_folder", "fsync", "replace"])
def test_a_kill_while_a_study_is_written_leaves_a_whole_table(
    path, sink, moment, monkeypatch, small_parts
):
    sink.deliver(batch("1", "1.1"))
    with monkeypatch.context() as patch:
        match moment:
            case "write_table":
                patch.setattr(pq, "write_table", kill)
            case "fsync":
                patch.setattr(os, "fsync", kill)
            case "replace":
                patch.setattr(type(path), "replace", kill)
            case "sync_folder":
                patch.setattr(sink_parquet, "sync_folder", kill)
        with pytest.raises(Killed):
            sink.deliver(batch("1", "1.2", "1.3"))
    assert uids(path) in (["1.1"], ["1.2", "1.3"])

    successor = ParquetSink(str(path))
    successor.restore(TABLE, 0)
    successor.deliver(batch("1", "1.2", "1.3"))
    assert uids(path) == ["1.2", "1.3"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("rename", range(3))
def test_a_kill_while_all_is_replaced_leaves_the_old_table_or_the_new(
    path, sink, monkeypatch, at_once, rename
):
    sink.deliver(batch("1", "1.1"))
    renames = iter(range(10))
    really = type(path).rename

    def counted(self, other):
        if next(renames) == rename:
            raise Killed
        return really(self, other)

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "rename", counted)
        if not at_once:
            patch.setattr(_folders, "_exchange_at_once", lambda *_: False)
        with suppress(Killed):
            sink.rewrite(TABLE, [batch("2", "2.1")])

    successor = ParquetSink(str(path))
    assert successor.has("meta")
    successor.restore(TABLE, 0)
    assert uids(path) in (["1.1"], ["2.1"])
    successor.rewrite(TABLE, [batch("3", "3.1")])
    assert uids(path) == ["3.1"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_reader_of_the_old_parts_is_told_that_they_are_gone(path, sink):
    sink.deliver(batch("1", "1.1"))
    listed = ds.dataset(path)
    sink.rewrite(TABLE, [batch("1", "1.1")])
    with pytest.raises(FileNotFoundError):
        listed.to_table()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: (path / "notes.txt").write_text("mine"), "was not written by pacsfw"),
        (
            lambda path: (path / "part-0001-00000.parquet").write_bytes(b"PAR1"),
            "is not a readable Parquet file",
        ),
        (lambda path: (path / "part-0001-00000.parquet").unlink(), "is empty"),
    ],
)
def test_a_folder_that_somebody_changed_is_refused(path, sink, spoil, message):
    sink.deliver(batch("1", "1.1"))
    spoil(path)
    for prepare in (ParquetSink.restore, lambda sink, *_: sink.check_position(0)):
        with pytest.raises(StateError, match=message):
            prepare(ParquetSink(str(path)), TABLE, 0)


def test_other_columns_are_refused_and_come_with_a_rewrite(path, sink):
    sink.deliver(batch("1", "1.1"))
    other = ParquetSink(str(path))
    with pytest.raises(StateError, match="has different columns"):
        other.restore(OTHER, 0)
    other.rewrite(OTHER, [batch("1", "1.1", slices=0.5, table=OTHER)])
    assert pq.read_table(path).to_pylist() == [{"uid": "1.1", "slices": 0.5}]


def test_the_rows_of_another_collection_are_spared(path, sink):
    sink.deliver(batch("1", "1.1"))
    with pytest.raises(StateError, match="holds rows that this collection did not write"):
        ParquetSink(str(path)).begin(TABLE)
    assert uids(path) == ["1.1"]


def test_a_file_in_the_place_of_the_folder_is_refused(path):
    path.write_text("mine")
    with pytest.raises(StateError, match="is not a folder"):
        ParquetSink(str(path)).begin(TABLE)


def test_every_type_keeps_its_value(path):
    table = api.Table(
        "meta",
        tuple(
            api.Column(kind, kind)
            for kind in (
                *("text", "int", "float", "bool", "date", "time", "datetime", "duration", "json"),
            )
        ),
    )
    moment = datetime(2020, 6, 15, 12, 30, 0, 250, tzinfo=timezone(timedelta(hours=-3)))
    full = (
        *("\ud800x", 2**62, float("inf"), True, date(1, 1, 1), time(23, 59, 59, 999999)),
        *(moment, timedelta(hours=30, microseconds=1), {"a": [1, "ü", None]}),
    )
    sink = ParquetSink(str(path))
    sink.begin(table)
    sink.deliver(
        api.Batch(table=table, key="1", rows=[full, (*[None] * 6, datetime.min, None, None)])
    )
    first, second = pq.read_table(path).to_pylist()
    assert list(first.values()) == [
        *("\\ud800x", 2**62, float("inf"), True, date(1, 1, 1), time(23, 59, 59, 999999)),
        *(datetime(2020, 6, 15, 12, 30, 0, 250), "-03:00"),
        *(timedelta(hours=30, microseconds=1), '{"a":[1,"ü",null]}'),
    ]
    assert second["datetime"] == datetime.min
    assert {value for name, value in second.items() if name != "datetime"} == {None}


def test_a_list_of_studies_is_read_back_as_text(path, sink):
    sink.deliver(batch("1", "1.1", slices=None))
    assert list(ParquetSink(str(path)).read()) == [
        ("table.parquet:1", {"uid": "1.1", "slices": ""})
    ]
