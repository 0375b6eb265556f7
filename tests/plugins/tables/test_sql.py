"""The sql sink on SQLite and on a real PostgreSQL, read back past all our code."""

from __future__ import annotations

import hashlib
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest

from pacsfw import api
from pacsfw.errors import PluginError, Refused, Retry, StateError
from pacsfw_plugins.tables import _sql_rows
from pacsfw_plugins.tables._sql_statements import Statements
from pacsfw_plugins.tables.sql import SqlSink

TABLE = api.Table(
    "instances",
    (api.Column("Modality"), api.Column("slices", "int"), api.Column("dicom_path")),
)
OTHER = api.Table(
    "instances",
    (api.Column("Modality"), api.Column("kVp", "float"), api.Column("dicom_path")),
)


class Sqlite:
    def __init__(self, folder):
        self.path = folder / "new" / "data.db"
        self.url = f"sqlite:///{self.path}"

    def query(self, text):
        with closing(sqlite3.connect(self.path)) as connection:
            return [tuple(row) for row in connection.execute(text).fetchall()]


class Postgresql:
    def __init__(self, server):
        self.server = server
        self.url = server.create_database()

    def query(self, text):
        with self.server.connect(self.url.rpartition("/")[2]) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []


def execute(database, text):
    if isinstance(database, Postgresql):
        database.query(text)
        return
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute(text)
        connection.commit()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    return Postgresql(request.getfixturevalue("postgres"))


@pytest.fixture
def sink(database):
    made = []

    def make(**options):
        made.append(SqlSink(database.url, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_table_has_the_same_mark_by_every_url_and_every_database_another(sink, tmp_path):
    first = sink()
    first.begin(TABLE)

    assert sink().mark(TABLE, 0) == first.mark(TABLE, 0) != ""
    other = SqlSink(f"sqlite:///{tmp_path}/other.db")
    other.begin(TABLE)
    assert other.mark(TABLE, 0) != first.mark(TABLE, 0)
    other.close()


def stored(uid, study="1", series="1.1"):
    return api.Stored(
        path=Path(f"/archive/{uid}.dcm"),
        sop_uid=uid,
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        study_uid=study,
        series_uid=series,
        syntax="1.2.840.10008.1.2.1",
        size=7,
        digest="d" * 64,
    )


def study(key, *uids, patient="P1", series="1.1", verdict="complete", table=TABLE, slices=1):
    attributes = {
        "PatientID": patient,
        "PatientBirthDate": date(1970, 2, 28),
        "StudyDate": date(2020, 1, 31),
        "StudyTime": time(12, 30, 0, 5),
        "Modality": "CT",
        "SeriesNumber": 3,
        api.HEADER: {"00080060": {"vr": "CS", "Value": ["CT"]}},
    }
    return api.Batch(
        table=table,
        key=key,
        rows=[("CT", slices, f"/archive/{uid}.dcm") for uid in uids],
        files=[stored(uid, key, series) for uid in uids],
        verdict=api.Verdict(state=verdict, expected=len(uids), stored=len(uids)),
        attributes=[{**attributes, "InstanceNumber": n} for n, _ in enumerate(uids, start=1)],
    )


def test_patients_studies_series_and_instances_are_joined_by_keys(database, sink):
    it = sink()
    it.begin(TABLE)
    it.deliver(study("1", "1.1.1", "1.1.2"))
    it.deliver(study("2", "2.1.1", patient="P2", series="2.1"))
    joined = database.query(
        "SELECT patient_id, patient_birth_date, study_date, verdict, stored, series_uid,"
        ' instances."Modality", series_number, sop_uid, instance_number, slices, dicom_path'
        " FROM patients JOIN studies USING (patient_id) JOIN series USING (study_uid)"
        " JOIN instances USING (study_uid, series_uid) ORDER BY sop_uid"
    )
    assert [" ".join(map(str, row)) for row in joined] == [
        "P1 1970-02-28 2020-01-31 complete 2 1.1 CT 3 1.1.1 1 1 /archive/1.1.1.dcm",
        "P1 1970-02-28 2020-01-31 complete 2 1.1 CT 3 1.1.2 2 1 /archive/1.1.2.dcm",
        "P2 1970-02-28 2020-01-31 complete 1 2.1 CT 3 2.1.1 1 1 /archive/2.1.1.dcm",
    ]


def test_the_same_study_again_replaces_all_that_was_its(database, sink):
    it = sink()
    it.begin(TABLE)
    it.deliver(study("1", "1.1.1", "1.1.2"))
    it.deliver(study("2", "2.1.1", patient="P2"))
    it.deliver(study("1", "1.2.1", patient="P9", series="1.2", verdict="short"))
    assert database.query("SELECT patient_id FROM patients ORDER BY 1") == [("P2",), ("P9",)]
    assert database.query("SELECT study_uid, verdict FROM studies ORDER BY 1") == [
        ("1", "short"),
        ("2", "complete"),
    ]
    assert database.query("SELECT study_uid, series_uid FROM series ORDER BY 1") == [
        ("1", "1.2"),
        ("2", "1.1"),
    ]
    assert database.query("SELECT sop_uid FROM instances ORDER BY 1") == [("1.2.1",), ("2.1.1",)]


def test_a_study_of_which_nothing_came_is_there_with_its_verdict(database, sink):
    it = sink()
    it.begin(TABLE)
    it.deliver(study("1", verdict="failed"))
    assert database.query("SELECT study_uid, patient_id, verdict FROM studies") == [
        ("1", None, "failed")
    ]


def test_a_failure_in_the_middle_of_a_study_leaves_it_as_it_was(database, sink, monkeypatch):
    it = sink()
    it.begin(TABLE)
    it.deliver(study("1", "1.1.1"))

    def failing(*arguments):  # patients, studies and series are written
        raise RuntimeError("killed")

    monkeypatch.setattr(Statements, "insert", failing)
    with pytest.raises(RuntimeError):
        it.deliver(study("1", "1.2.1", patient="P9", series="1.2", verdict="short"))
    seen = "SELECT patient_id, verdict, series_uid, sop_uid FROM studies JOIN instances USING"
    assert database.query(f"{seen} (study_uid)") == [("P1", "complete", "1.1", "1.1.1")]


def test_a_column_that_came_later_is_added_and_filled_by_a_rewrite(database, sink):
    first = sink()
    first.begin(TABLE)
    first.deliver(study("1", "1.1.1"))
    second = sink(header=True)
    second.rewrite(OTHER, [study("1", "1.1.1", table=OTHER, slices=0.1)])
    assert database.query('SELECT slices, "kVp", header FROM instances')[0][:2] == (None, 0.1)
    assert len(database.query("SELECT * FROM instances WHERE header IS NOT NULL")) == 1


def test_a_column_that_has_another_type_now_is_refused(database, sink):
    sink().begin(TABLE)
    table = api.Table("instances", (api.Column("slices", "date"),))
    with pytest.raises(StateError, match=r"'slices' of the table 'instances' is of type \w+ in"):
        sink().restore(table, 0)


def test_a_table_of_somebody_else_is_spared(database, sink):
    sink().begin(TABLE)
    execute(database, "CREATE TABLE errors (id INTEGER PRIMARY KEY, file TEXT)")
    execute(database, "INSERT INTO errors VALUES (1, 'theirs')")
    for use in (SqlSink.begin, lambda it, table: it.rewrite(table, ())):
        with pytest.raises(StateError, match="'errors' in the database is not one of pacsfw"):
            use(sink(), api.ERRORS)
    assert database.query("SELECT * FROM errors") == [(1, "theirs")]


@pytest.mark.parametrize(
    ("name", "message"),
    [("Size", "conflicts with 'size'"), ("x" * 64, "too long"), ("MODALITY", "'Modality'")],
)
def test_names_that_a_database_mixes_up_are_refused(database, sink, name, message):
    table = api.Table("instances", (*TABLE.columns, api.Column(name)))
    with pytest.raises(StateError, match=message):
        sink().begin(table)


def test_names_and_texts_with_every_kind_of_sign_come_back(database, sink):
    name = "a%b (c):d.e [f]\"g'h;--"
    table = api.Table("errors", (api.Column(name), api.Column("x", "json")))
    text = "a\0b\ud800'; DROP TABLE x;-- %s :c0 \\ ü漢"
    it = sink()
    it.begin(table)
    it.deliver(api.Batch(table=table, key="1", rows=[(text, {"k\0": [text]})]))
    safe = "a\\x00b\\ud800'; DROP TABLE x;-- %s :c0 \\ ü漢"
    quoted = name.replace('"', '""')
    assert database.query(f'SELECT "{quoted}" FROM errors') == [(safe,)]


def test_every_type_is_a_type_of_the_database(postgres, tmp_path):
    database = Postgresql(postgres)
    kinds = ("text", "int", "float", "bool", "date", "time", "datetime", "duration", "json")
    table = api.Table("errors", tuple(api.Column(kind, kind) for kind in kinds))
    moment = datetime(2020, 6, 15, 12, 30, tzinfo=timezone(timedelta(hours=-3)))
    row = (
        *("x", 2**62, 0.1, True, date(1900, 2, 28), time(23, 59, 59, 999999)),
        *(moment, timedelta(hours=30, microseconds=5), {"a": [1, "ü", None]}),
    )
    sink = SqlSink(database.url)
    sink.begin(table)
    sink.deliver(api.Batch(table=table, key="1", rows=[row, [None] * 9]))
    sink.close()
    assert database.query("SELECT * FROM errors WHERE text IS NOT NULL")[0][2:] == (
        *row[:6],
        *(datetime(2020, 6, 15, 12, 30), "-03:00", 108000.000005, {"a": [1, "ü", None]}),
    )
    assert set(database.query("SELECT * FROM errors WHERE text IS NULL")[0][2:]) == {None}


def test_the_rows_of_another_collection_are_spared(database, sink):
    first = sink()
    first.begin(TABLE)
    first.deliver(study("1", "1.1.1"))
    with pytest.raises(StateError, match="holds rows that this collection did not write"):
        sink().begin(TABLE)


def test_a_file_is_in_one_row_whatever_batch_it_comes_in(database, sink):
    it = sink()
    it.begin(TABLE)
    it.deliver(study("1", "1.1.1"))
    it.deliver(study("2", "1.1.1", patient="P2"))
    assert database.query("SELECT study_uid FROM instances") == [("2",)]
    file_id = hashlib.sha256(b"/archive/1.1.1.dcm").hexdigest()[:32]
    assert database.query("SELECT file_id FROM instances") == [(file_id,)]


def parsed(key, *paths):
    """A batch of `pacsfw parse`, in which two members of an archive may have one name."""
    files = [replace(stored("1.1"), path=Path(path), digest="") for path in paths]
    rows = [("CT", number, path) for number, path in enumerate(paths)]
    return api.Batch(table=TABLE, key=key, rows=rows, files=files)


def test_members_of_one_name_are_rows_of_their_own_also_if_delivered_again(database, sink):
    it = sink()
    it.begin(TABLE)
    it.deliver(parsed("1", "/a.zip/x", "/a.zip/y", "/a.zip/x"))
    ids = database.query("SELECT file_id, slices FROM instances ORDER BY slices")
    it.deliver(parsed("2", "/a.zip/x", "/b", "/a.zip/x"))
    both = database.query("SELECT file_id FROM instances ORDER BY batch, slices")
    it.deliver(parsed("2", "/a.zip/x", "/b", "/a.zip/x"))
    assert len(ids) == len(set(ids)) == 3
    assert ids[0][0] == hashlib.sha256(b"/a.zip/x").hexdigest()[:32]
    assert len(set(both)) == 6
    assert database.query("SELECT file_id FROM instances ORDER BY batch, slices") == both


def test_a_key_too_long_for_an_index_is_stored_by_its_beginning_and_digest(database, sink):
    it = sink()
    it.begin(TABLE)
    patients = ["ü" * 9600, "ü" * 9600 + "x"]
    uids = ["1." + "2" * 9600, "1." + "2" * 9601]
    for uid, patient in zip(uids, patients, strict=True):
        it.deliver(study(uid, f"{uid}.1", patient=patient, series=f"{uid}.2"))
    joined = "FROM patients JOIN studies USING (patient_id) JOIN instances USING (study_uid)"
    keys = database.query(f"SELECT patient_id, study_uid, series_uid, sop_uid {joined}")
    assert len(set(keys)) == 2
    assert {len(key) for row in keys for key in row} == {64 + len("... sha256:") + 64}
    assert database.query("SELECT count(*) FROM studies") == [(2,)]


VALUES = {
    "an int beyond 64 bits": ("int", 2**63),
    "a text as int": ("int", "Müller^Anna"),
    "a float as int": ("int", 1.5),
    "an object as json": ("json", object()),
    "a list as date": ("date", [1]),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_is_none_of_its_column_is_refused_without_it(database, sink, name):
    kind, value = VALUES[name]
    table = api.Table("errors", (api.Column("uid"), api.Column("x", kind)))
    it = sink()
    it.begin(table)
    with pytest.raises(Refused, match=r"data|test\d+") as refused:
        it.deliver(api.Batch(table=table, key="1", rows=[("1.1", None), ("1.2", value)]))
    assert refused.value.why.startswith("column 'x': ")
    assert "Müller" not in str(refused.value)
    it.deliver(api.Batch(table=table, key="1", rows=[("1.1", None)]))
    assert database.query("SELECT uid FROM errors") == [("1.1",)]


def test_what_only_the_database_refuses_is_a_refusal_as_well(database, sink):
    it = sink()
    it.begin(api.ERRORS)
    execute(database, "CREATE UNIQUE INDEX theirs ON errors (file)")
    row = ("/Müller^Anna.dcm", None, None, "file", "why", None)
    with pytest.raises(Refused) as refused:
        it.deliver(api.Batch(table=api.ERRORS, key="1", rows=[row, row]))
    assert "Müller" not in str(refused.value)
    it.deliver(api.Batch(table=api.ERRORS, key="1", rows=[row]))
    assert database.query("SELECT count(*) FROM errors") == [(1,)]


def test_a_sqlite_file_is_for_its_owner_only_and_its_folder_is_made(tmp_path):
    database = Sqlite(tmp_path)
    sink = SqlSink(database.url)
    assert not sink.has("instances")
    assert not database.path.parent.exists()
    sink.begin(TABLE)
    sink.close()
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (database.path, database.path.parent)]
    assert modes == [0o600, 0o700]


def test_a_server_that_restarts_between_two_studies_is_not_noticed(postgres):
    database = Postgresql(postgres)
    sink = SqlSink(database.url)
    sink.begin(TABLE)
    sink.deliver(study("1", "1.1.1"))
    postgres.restart()
    sink.deliver(study("2", "2.1.1"))
    sink.close()
    assert database.query("SELECT study_uid FROM studies ORDER BY 1") == [("1",), ("2",)]


def test_a_server_that_stops_in_the_middle_of_a_study_is_a_reason_to_try_again(
    postgres, monkeypatch
):
    database = Postgresql(postgres)
    sink = SqlSink(database.url)
    sink.begin(TABLE)
    really = Statements.upsert

    def stopping(*arguments):
        really(*arguments)
        postgres.stop()

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Statements, "upsert", stopping)
            with pytest.raises(Retry, match="cannot be used at the moment"):
                sink.deliver(study("1", "1.1.1"))
        with pytest.raises(Retry) as refused:
            sink.deliver(study("1", "1.1.1"))
        assert postgres.password not in str(refused.value)
    finally:
        postgres.start()
    assert database.query("SELECT * FROM studies") == []
    sink.deliver(study("1", "1.1.1"))
    sink.close()
    assert len(database.query("SELECT * FROM instances")) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.replace("s3cret", "wrong"), "password authentication failed"),
        (lambda url: f"{url}-not-there", "does not exist"),
    ],
)
def test_a_wrong_password_or_database_is_told_at_once_without_the_password(
    postgres, change, reason
):
    sink = SqlSink(change(postgres.create_database()))
    with pytest.raises(StateError, match=reason) as refused:
        sink.has("instances")
    assert refused.value.__cause__ is None
    assert "of:the" not in str(refused.value)
    assert "of%3Athe" not in str(refused.value)


def test_a_refused_value_is_told_without_it(postgres):
    database = Postgresql(postgres)
    sink = SqlSink(database.url)
    sink.begin(TABLE)
    with pytest.raises(StateError) as refused:
        sink.deliver(study("1", "1.1.1", slices="Müller^Anna"))
    sink.close()
    assert "Müller" not in str(refused.value)


def test_the_work_list_is_read_as_text_in_its_order_and_rows_may_be_added(database, sink):
    table = api.Table("resources", (api.Column("StudyInstanceUID"), api.Column("StudyDate")))
    it = sink()
    assert list(it.read()) == []
    it.rewrite(table, [api.Batch(table=table, key="", rows=[("1.2", "20200131"), ("1.3", None)])])
    execute(database, "INSERT INTO resources (\"StudyInstanceUID\") VALUES ('1.1')")
    assert list(it.read()) == [
        ("resources, id 1", {"StudyInstanceUID": "1.2", "StudyDate": "20200131"}),
        ("resources, id 2", {"StudyInstanceUID": "1.3", "StudyDate": ""}),
        ("resources, id 3", {"StudyInstanceUID": "1.1", "StudyDate": ""}),
    ]


def test_a_study_list_of_many_batches_is_kept_whole(database, sink):
    table = api.Table("resources", (api.Column("StudyInstanceUID"),))
    parts = [api.Batch(table=table, key="", rows=[(f"1.{n}",)]) for n in range(3)]
    sink().rewrite(table, parts)
    assert [row["StudyInstanceUID"] for _, row in sink().read()] == ["1.0", "1.1", "1.2"]


def test_a_rewrite_has_every_study_with_its_verdict_also_in_one_go(database, sink, monkeypatch):
    several = [
        study("1", "1.1.1", "1.1.2"),
        study("2", "2.1.1", patient="P2", verdict="short"),
        study("3", verdict="failed"),
    ]
    for at_once in (1, 10_000):
        monkeypatch.setattr(_sql_rows, "AT_ONCE", at_once)
        it = sink()
        it.rewrite(TABLE, several)
        it.close()
        assert database.query(
            "SELECT study_uid, patient_id, verdict, count(sop_uid) FROM studies"
            " LEFT JOIN instances USING (study_uid) GROUP BY 1, 2, 3 ORDER BY 1"
        ) == [("1", "P1", "complete", 2), ("2", "P2", "short", 1), ("3", None, "failed", 0)]


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"pip install 'pacsfw\[postgres\]'"):
        SqlSink("postgresql+psycopg://me@host/db")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "mysql://me:pw@host/db"])
def test_what_is_no_url_of_ours_is_refused_without_its_password(url):
    with pytest.raises(ValueError, match="is not a URL such as") as refused:
        SqlSink(url)
    assert "pw" not in str(refused.value)
