"""The csv and jsonl sinks on real files, with real kills."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from pacsfw import api
from pacsfw.errors import ConfigError, Refused, StateError
from pacsfw_plugins.tables import csv as sink_csv
from pacsfw_plugins.tables import jsonl as sink_jsonl
from pacsfw_plugins.tables.csv import CsvSink
from pacsfw_plugins.tables.jsonl import JsonlSink

TABLE = api.Table("meta", (api.Column("uid"), api.Column("note"), api.Column("slices", "int")))
OTHER = api.Table("meta", (api.Column("uid"), api.Column("date", "date")))
SINKS = {".csv": CsvSink, ".jsonl": JsonlSink}


def batch(key, *rows, table=TABLE):
    return api.Batch(table=table, key=key, rows=rows)


@pytest.fixture(params=sorted(SINKS))
def sink(request, tmp_path):
    return SINKS[request.param](str(tmp_path / f"table{request.param}"))


def again(sink):
    """The sink of the next run, over the same file."""
    return type(sink)(str(sink.path))


def uids(sink):
    return [row["uid"] for _, row in sink.read()]


# --- writing ------------------------------------------------------------------------------------


def test_rows_that_were_delivered_are_read_back(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "first", 3), ("1.3", None, None)))
    assert [row for _, row in sink.read()] == [
        {"uid": "1.2", "note": "first", "slices": "3"},
        {"uid": "1.3", "note": "", "slices": ""},
    ]


def test_the_position_is_the_length_of_the_file(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "ü漢", 3)))
    assert sink.position() == sink.path.stat().st_size > 0


def test_a_restart_goes_on_at_the_committed_position(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "committed", 1)))
    committed = sink.position()
    sink.deliver(batch("2", ("1.3", "not committed", 1)))
    successor = again(sink)
    successor.restore(TABLE, committed)
    successor.deliver(batch("2", ("1.4", "instead", 1)))
    assert uids(successor) == ["1.2", "1.4"]


def test_a_file_is_begun_and_the_rows_of_another_collection_are_spared(sink):
    sink.begin(TABLE)
    again(sink).begin(TABLE)
    sink.deliver(batch("1", ("1.2", "of another collection", 1)))
    with pytest.raises(StateError, match="holds rows that this collection did not write"):
        again(sink).begin(TABLE)
    assert uids(sink) == ["1.2"]


def test_the_first_rows_are_cut_off_when_they_were_never_committed(sink):
    sink.begin(TABLE)
    begun = sink.position()
    sink.deliver(batch("1", ("1.2", "never committed", 1)))
    successor = again(sink)
    successor.restore(TABLE, begun)
    assert uids(successor) == []


def test_without_restore_a_delivery_goes_on_at_the_end(sink):
    sink.deliver(batch("1", ("1.2", "", 1)))
    again(sink).deliver(batch("2", ("1.3", "", 1)))
    assert uids(sink) == ["1.2", "1.3"]


def test_a_batch_without_rows_adds_nothing(sink):
    sink.restore(TABLE, 0)
    before = sink.position()
    sink.deliver(batch("1"))
    assert sink.position() == before == sink.path.stat().st_size


def test_a_rewrite_replaces_everything(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "old", 1)))
    sink.rewrite(TABLE, [batch("1", ("1.3", "new", 1)), batch("2", ("1.4", "new", 1))])
    sink.deliver(batch("3", ("1.5", "after", 1)))
    assert uids(sink) == ["1.3", "1.4", "1.5"]
    assert sink.position() == sink.path.stat().st_size


def test_a_rewrite_that_fails_leaves_the_file_as_it_was(sink):
    def batches():
        yield batch("1", ("1.3", "new", 1))
        raise RuntimeError("the ledger went away")

    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "old", 1)))
    with pytest.raises(RuntimeError):
        sink.rewrite(TABLE, batches())
    sink.deliver(batch("2", ("1.9", "goes on", 1)))
    assert uids(sink) == ["1.2", "1.9"]
    assert list(sink.path.parent.iterdir()) == [sink.path]


def test_a_rewrite_can_change_the_columns(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "old", 1)))
    sink.rewrite(OTHER, [batch("1", ("1.2", date(2020, 1, 2)), table=OTHER)])
    assert [row for _, row in sink.read()] == [{"uid": "1.2", "date": "2020-01-02"}]


def test_a_file_that_became_shorter_is_refused(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "", 1)))
    os.truncate(sink.path, sink.position() - 1)
    with pytest.raises(StateError, match=r"table\.\w+: has \d+ bytes where \d+ were written"):
        again(sink).restore(TABLE, sink.position())


def test_a_file_that_is_gone_is_refused(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "", 1)))
    sink.path.unlink()
    with pytest.raises(StateError, match="has 0 bytes"):
        again(sink).restore(TABLE, sink.position())


def test_a_file_with_other_columns_is_refused_and_kept(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "", 1)))
    before = sink.path.read_bytes()
    for position in (0, sink.position()):
        with pytest.raises(StateError, match="does not begin with the columns"):
            again(sink).restore(OTHER, position)
    assert sink.path.read_bytes() == before


def test_a_position_in_the_middle_of_a_row_is_refused(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "", 1)))
    with pytest.raises(StateError, match="no row ends"):
        again(sink).restore(TABLE, sink.position() - 1)


def test_a_file_edited_during_the_run_is_noticed_and_kept(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "", 1)))
    sink.path.write_text("somebody else was here and wrote a line of some length\n")
    with pytest.raises(StateError, match="another program changed the file"):
        sink.deliver(batch("2", ("1.3", "", 1)))
    assert sink.path.read_text() == "somebody else was here and wrote a line of some length\n"


def test_a_second_table_in_one_file_is_a_mistake(sink):
    sink.restore(TABLE, 0)
    with pytest.raises(ValueError, match="one table only"):
        sink.deliver(batch("1", ("1.2", date(2020, 1, 2)), table=OTHER))


def test_a_row_of_the_wrong_length_is_a_mistake(sink):
    sink.restore(TABLE, 0)
    with pytest.raises(ValueError):
        sink.deliver(batch("1", ("1.2", "")))
    assert uids(sink) == []


def test_files_and_new_folders_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "new" / "folder" / "table.csv"
    CsvSink(str(path)).restore(TABLE, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_a_rewrite_keeps_the_mode_that_somebody_chose(sink):
    sink.restore(TABLE, 0)
    sink.path.chmod(0o640)
    sink.rewrite(TABLE, [])
    assert stat.S_IMODE(sink.path.stat().st_mode) == 0o640


@pytest.mark.parametrize("suffix", sorted(SINKS))
def test_a_place_that_cannot_be_written_is_named(tmp_path, suffix):
    (tmp_path / "file").write_text("not a folder")
    target = tmp_path / "file" / f"table{suffix}"
    with pytest.raises(StateError, match=r"file/table\.\w+: cannot be \w+: "):
        SINKS[suffix](str(target)).restore(TABLE, 0)


def test_a_folder_in_the_place_of_the_file_is_named(sink):
    sink.path.mkdir()
    with pytest.raises(StateError, match="cannot be opened: Is a directory"):
        sink.restore(TABLE, 0)


# --- what the values look like ------------------------------------------------------------------

VALUES = {
    "a text": ("text", "plain", "plain", "plain"),
    "text that looks like a number": ("text", "0012", "0012", "0012"),
    "commas, quotes and line ends": ("text", 'a,"b"\r\nc\rd\ne', 'a,"b"\r\nc\rd\ne', None),
    "a formula": ("text", "=1+1", "=1+1", "=1+1"),
    "blanks": ("text", " x ", " x ", " x "),
    "Japanese": ("text", "山田^太郎", "山田^太郎", "山田^太郎"),
    "nothing": ("text", None, "", ...),
    "an int": ("int", 3, "3", 3),
    "a float": ("float", 0.1, "0.1", 0.1),
    "not a number": ("float", float("nan"), "NaN", "NaN"),
    "infinity": ("float", float("-inf"), "-Infinity", "-Infinity"),
    "true": ("bool", True, "true", True),
    "false": ("bool", False, "false", False),
    "a date": ("date", date(2020, 1, 2), "2020-01-02", "2020-01-02"),
    "a time": ("time", time(8, 9, 10), "08:09:10", "08:09:10"),
    "a date-time": (
        "datetime",
        datetime(2020, 1, 2, 3, 4, 5, 600, tzinfo=UTC),
        "2020-01-02T03:04:05.000600+00:00",
        "2020-01-02T03:04:05.000600+00:00",
    ),
    "a duration": ("duration", timedelta(hours=26, seconds=1.5), "26:00:01.500000", ...),
    "a negative duration": ("duration", -timedelta(minutes=1), "-00:01:00", "-00:01:00"),
    "a list": ("json", [1, "b", None], '[1,"b",null]', [1, "b", None]),
    "a mapping": ("json", {"a": date(2020, 1, 2)}, '{"a":"2020-01-02"}', {"a": "2020-01-02"}),
}


@pytest.mark.parametrize("name", VALUES)
def test_csv_writes_each_type_as_text(tmp_path, name):
    kind, value, text, _ = VALUES[name]
    table = api.Table("t", (api.Column("uid"), api.Column("value", kind)))
    sink = CsvSink(str(tmp_path / "t.csv"))
    sink.deliver(batch("1", ("1.2", value), table=table))
    with sink.path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["uid", "value"], ["1.2", text]]
    assert next(sink.read())[1]["value"] == text


@pytest.mark.parametrize("name", VALUES)
def test_jsonl_writes_each_type_as_json(tmp_path, name):
    kind, value, text, expected = VALUES[name]
    if expected is ...:
        expected = text or None
    elif expected is None:
        expected = text
    table = api.Table("t", (api.Column("uid"), api.Column("value", kind)))
    sink = JsonlSink(str(tmp_path / "t.jsonl"))
    sink.deliver(batch("1", ("1.2", value), table=table))
    [line] = sink.path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert json.loads(line) == {"uid": "1.2", "value": expected}
    assert next(sink.read())[1]["value"] == text


def test_a_lone_surrogate_does_not_stop_the_table(sink):
    sink.deliver(batch("1", ("1.2", "a\udcffb", 1)))
    assert [row["note"] for _, row in sink.read()] in (["a\\udcffb"], ["a\udcffb"])


def test_a_value_of_no_column_type_is_refused(sink):
    with pytest.raises(Refused, match="cannot store a row: TypeError"):
        sink.deliver(batch("1", ("1.2", b"raw", 1)))


def test_csv_rows_end_with_a_single_newline(tmp_path):
    sink = CsvSink(str(tmp_path / "t.csv"))
    sink.deliver(batch("1", ("1.2", "x", 1)))
    assert sink.path.read_bytes() == b"uid,note,slices\n1.2,x,1\n"


def test_a_csv_table_of_one_column_keeps_its_empty_cells(tmp_path):
    table = api.Table("t", (api.Column("note"),))
    sink = CsvSink(str(tmp_path / "t.csv"))
    sink.deliver(batch("1", (None,), table=table))
    assert sink.path.read_bytes() == b'note\n""\n'


# --- reading what people saved ------------------------------------------------------------------

READABLE = {
    "as we write it": b"uid,note\n1.2,x\n",
    "a byte order mark": b"\xef\xbb\xbfuid,note\n1.2,x\n",
    "semicolons and CRLF": b"uid;note\r\n1.2;x\r\n",
    "tabs": b"uid\tnote\n1.2\tx\n",
    "everything quoted": b'"uid";"note"\r\n"1.2";"x"\r\n',
    "no line end at the end": b"uid,note\n1.2,x",
    "blank lines and rows": b"\n\nuid,note\n\n,\n1.2,x\n,\n\n",
}


@pytest.mark.parametrize("name", READABLE)
def test_csv_reads_what_spreadsheets_save(tmp_path, name):
    path = tmp_path / "resources.csv"
    path.write_bytes(READABLE[name])
    assert [row for _, row in CsvSink(str(path)).read()] == [{"uid": "1.2", "note": "x"}]


def test_csv_names_the_line_on_which_a_row_begins(tmp_path):
    path = tmp_path / "resources.csv"
    path.write_bytes(b'\nuid,note\n1.2,"two\nlines"\n\n1.3,x\n')
    assert [where for where, _ in CsvSink(str(path)).read()] == [
        "resources.csv:3",
        "resources.csv:6",
    ]


UNREADABLE_CSV = {
    "nothing": (b"", "is empty; a header row is needed"),
    "only blank lines": (b"\n\r\n", "is empty; a header row is needed"),
    "a field too few": (b"uid,note\n1.2\n", "resources.csv:2: has 1 fields where the header has 2"),
    "a field too many": (b"uid\n1.2,3\n", "resources.csv:2: has 2 fields where the header has 1"),
    "no UTF-8": (b"uid,note\n1.2,M\xfcller\n", "resources.csv:2: is not UTF-8 text"),
    "UTF-16": ("uid\n".encode("utf-16"), "resources.csv:1: is not UTF-8 text"),
    "a NUL": (b"uid,\0note\n1.2,x\n", "resources.csv:1: contains a NUL"),
    "a broken quote": (b'uid,note\n1.2,"x"y\n', "resources.csv:2: is not readable as CSV"),
    "an open quote": (b'uid,note\n1.2,"x\n', "resources.csv:2: is not readable as CSV"),
    "a column twice": (b"uid,uid\n", "resources.csv:1: the column 'uid' occurs twice"),
    "a nameless column": (b"uid,,b\n", "resources.csv:1: column 2 has no name"),
}


@pytest.mark.parametrize("name", UNREADABLE_CSV)
def test_csv_refuses_a_work_list_it_cannot_read_for_certain(tmp_path, name):
    content, message = UNREADABLE_CSV[name]
    path = tmp_path / "resources.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        list(CsvSink(str(path)).read())
    assert message in str(caught.value)


UNREADABLE_JSONL = {
    "no JSON": b'{"uid": "1.2"\n',
    "no object": b"[1]\n",
    "a key twice": b'{"uid": "1.2", "uid": "1.3"}\n',
    "no UTF-8": b'{"uid": "\xfc"}\n',
    "a NUL": b'{"uid": "\0"}\n',
    "nested without end": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("name", UNREADABLE_JSONL)
def test_jsonl_refuses_a_work_list_it_cannot_read_for_certain(tmp_path, name):
    path = tmp_path / "resources.jsonl"
    path.write_bytes(b"\n" + UNREADABLE_JSONL[name])
    with pytest.raises(ConfigError, match=r"^resources\.jsonl:2: "):
        list(JsonlSink(str(path)).read())


def test_a_table_never_written_has_no_rows(sink):
    assert list(sink.read()) == []


@pytest.mark.parametrize("suffix", sorted(SINKS))
def test_a_table_that_cannot_be_opened_is_named(tmp_path, suffix):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        list(SINKS[suffix](str(tmp_path)).read())


# --- what a crash leaves ------------------------------------------------------------------------

WRITER = """
    import signal, sys
    from pacsfw import api
    from pacsfw_plugins.tables.{kind} import {Kind}Sink

    if "die-at-limit" in sys.argv:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    table = api.Table("meta", (api.Column("uid"), api.Column("note"), api.Column("slices", "int")))
    sink = {Kind}Sink(sys.argv[1])
    sink.restore(table, int(sys.argv[2]))
    print(0, sink.position(), flush=True)
    for number in range(int(sys.argv[3]), 10):
        rows = [(f"{{number}}.{{row}}", "x" * 50, row) for row in range(10_000)]
        sink.deliver(api.Batch(table=table, key=str(number), rows=rows))
        print(number + 1, sink.position(), flush=True)
"""


def writer(sink, position, number, *flags, **options):
    kind = sink.path.suffix[1:]
    code = textwrap.dedent(WRITER).format(kind=kind, Kind=kind.capitalize())
    command = [sys.executable, "-c", code, str(sink.path), str(position), str(number), *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def report(line):
    number, position = line.split()
    return int(number), int(position)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Per suffix, what a writer leaves that nobody kills."""
    contents = {}
    for suffix, kind in SINKS.items():
        sink = kind(str(tmp_path_factory.mktemp("undisturbed") / f"table{suffix}"))
        with writer(sink, 0, 0) as process:
            process.stdout.read()
        contents[suffix] = sink.path.read_bytes()
    return contents


@pytest.mark.parametrize("after", [1, 2, 7])
def test_a_writer_killed_at_any_point_leaves_no_half_row(sink, undisturbed, after):
    with writer(sink, 0, 0) as process:
        for _ in range(after):
            committed = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    number, position = report(committed)
    successor = again(sink)
    successor.restore(TABLE, position)
    assert sink.path.read_bytes() == undisturbed[sink.path.suffix][:position]
    assert sink.path.read_bytes().count(b"\n") % 10_000 == (sink.path.suffix != ".jsonl")
    with writer(sink, position, number) as process:
        process.stdout.read()
    assert sink.path.read_bytes() == undisturbed[sink.path.suffix]


LIMIT = 1_000_000
"""In the middle of a row of the second batch."""


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


def test_a_row_torn_by_the_death_of_the_writer_is_cut_off(sink, undisturbed):
    with writer(sink, 0, 0, "die-at-limit", preexec_fn=limit_file_size) as process:
        reports = process.stdout.read().splitlines()
    assert process.returncode == -signal.SIGXFSZ
    assert sink.path.stat().st_size == LIMIT
    number, position = report(reports[-1])
    again(sink).restore(TABLE, position)
    assert sink.path.read_bytes() == undisturbed[sink.path.suffix][:position]
    assert len(list(sink.read())) == number * 10_000


def test_a_full_disk_leaves_only_whole_batches_and_names_the_file(sink, undisturbed):
    pipe = {"stderr": subprocess.PIPE, "preexec_fn": limit_file_size}
    with writer(sink, 0, 0, **pipe) as process:
        reports, errors = process.communicate()
    _, position = report(reports.splitlines()[-1])
    assert f"StateError: {sink.path}: cannot be written: File too large" in errors
    assert sink.path.read_bytes() == undisturbed[sink.path.suffix][:position]


def test_what_a_killed_rewrite_left_is_cleaned_up(sink):
    sink.restore(TABLE, 0)
    sink.deliver(batch("1", ("1.2", "", 1)))
    draft = sink.path.with_name(f".{sink.path.name}.new")
    draft.write_bytes(b"half a ro")
    again(sink).restore(TABLE, sink.position())
    assert not draft.exists()


# --- the offers ---------------------------------------------------------------------------------


def test_the_sinks_claim_their_suffixes():
    [as_csv] = sink_csv.pacsfw_sinks()
    [as_jsonl] = sink_jsonl.pacsfw_sinks()
    assert as_csv.accepts == (".csv",)
    assert as_jsonl.accepts == (".jsonl", ".ndjson")


@pytest.mark.parametrize("offers", [sink_csv.pacsfw_sinks, sink_jsonl.pacsfw_sinks])
def test_the_factory_takes_the_option_of_its_schema(tmp_path, offers):
    [component] = offers()
    options = dict.fromkeys(component.schema["properties"], str(tmp_path / "t"))
    assert component.factory(**options).path == Path(tmp_path / "t")


# --- spreadsheets -------------------------------------------------------------------------------

FORMULAS = ("=1+1", "+1+1", "-a", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", '="x"')


@pytest.mark.parametrize("text", FORMULAS)
def test_a_guarded_text_is_no_formula_and_is_kept_as_it_was(tmp_path, text):
    sink = CsvSink(str(tmp_path / "table.csv"), guard=True)
    sink.begin(TABLE)
    sink.deliver(batch("1", ("1.2", text, -3), ("1.3", "-1.5e3", -3)))
    with sink.path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["note"], first["slices"]) == (f"'{text}", "-3")
    assert json.loads(first["raw_values"]) == {"note": text}
    assert (second["note"], second["slices"], second["raw_values"]) == ("-1.5e3", "-3", "")
    again = CsvSink(str(sink.path), guard=True)
    again.restore(TABLE, sink.position())
    with pytest.raises(StateError, match="does not begin with the columns"):
        CsvSink(str(sink.path)).restore(TABLE, sink.position())
