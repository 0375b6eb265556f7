"""`pacsfw parse`: whole trees into tables; it adds up, goes on after a kill, overwrites nothing."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread

from pacsfw.cli import main
from pacsfw.errors import Refused
from pacsfw.parse import job
from pacsfw.workers import OrderedPool
from pacsfw_plugins.tables.csv import CsvSink
from pacsfw_plugins.tables.parquet import ParquetSink
from support.selection import quick
from support.trees import TAGS, write_archive, write_hostile, write_images, write_media, write_tags

FILE = "file"
"""The stage of errors by which a file has no row."""


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Disc:
    """A tree with images, a zip archive, a DICOMDIR and hostile files; and what is read of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "disc"
        self.images = write_images(self.root / "images", studies=4, instances=3)
        write_archive(self.root / "b.zip", self.images[:4])
        self.media = write_media(self.root / "media", self.images[:3])
        self.damaged = write_hostile(self.root / "hostile", self.images[0]) - 1
        self.tags = write_tags(folder / "tags.yaml")
        self.rows = len(self.images) + 4 + 3 + 1  # the last one is cut, but says what it is
        self.files = self.rows + 7 + 1 + 1  # hostile, the DICOMDIR, a text in the archive

    def parse(self, name="table.csv", *options, code=1):
        target = self.folder / name
        command = ["parse", "-i", str(self.root), "-f", str(self.tags), "-o", str(target)]
        assert main([*command, "--workers", "1", *options]) == code
        return target

    def run(self, output, code=0):
        command = ["parse", "-i", self.root, "-f", self.tags, "-o", output, "--workers", "1"]
        assert main([*map(str, command)]) == code


@pytest.fixture
def disc(tmp_path):
    return Disc(tmp_path)


def test_every_file_is_a_row_or_an_error_and_the_numbers_add_up(disc, capsys):
    rows = read(disc.parse())

    errors = read(disc.folder / "table_errors.csv")
    without = [error for error in errors if error["stage"] == FILE]
    places = [row["dicom_path"] for row in rows] + [error["file"] for error in without]
    assert len(rows) == disc.rows
    assert len(places) == len(set(places)) == disc.files
    assert {row["dicom_path"] for row in rows} > set(map(str, disc.images))
    assert f"{disc.root}/b.zip/folder/003.dcm" in places
    assert Counter(error["reason"] for error in without) == {
        "not DICOM": 3,
        "a DICOMDIR: the 3 files that it names exist": 1,
        "not a DICOM Part 10 file": 2,
        "not a zip archive, or damaged": 2,
        "cannot be read: a broken link, or no permission": 1,
    }
    out = re.sub(r" +", " ", capsys.readouterr().out)
    assert f"files {disc.files}\n" in out
    assert f"rows {disc.rows}\n" in out
    assert f"failed {disc.damaged}\n" in out
    assert "rows of damaged files 1\n 1 x an element reaches beyond its end\n" in out
    [of_cut] = [error["reason"] for error in errors if error["file"].endswith("hostile/cut.dcm")]
    assert of_cut == "an element reaches beyond its end"
    assert {row["study_date"][:4] for row in rows} == {"2020"}
    assert [row["column"] for row in read(disc.folder / "table_columns.csv")] == list(rows[0])


def test_the_table_is_the_same_by_one_and_by_two_workers(disc):
    one = disc.parse("one.csv").read_bytes()

    assert disc.parse("two.csv", "--workers", "2").read_bytes() == one


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_row_that_the_table_refuses_is_listed_and_the_others_are_there(
    disc, suffix, capsys, monkeypatch
):
    """Here a value that no version of the cells would let through, as from a plugin's callback."""
    refused = f"{disc.root}/b.zip/folder/003.dcm"
    kind, method = (CsvSink, "encode") if suffix == ".csv" else (ParquetSink, "deliver")
    really = getattr(kind, method)

    def refusing(self, first, *rest):
        rows = rest[0] if rest else first.rows
        if any(row[-1] == refused for row in rows):
            raise Refused("column 'x': TypeError")
        return really(self, first, *rest)

    monkeypatch.setattr(kind, method, refusing)

    target = disc.parse(f"table{suffix}")

    assert count_rows(target) == disc.rows - 1
    listed = kind(str(target.with_stem("table_errors"))).read()
    errors = {row["file"]: row for _, row in listed}
    assert errors[refused]["stage"] == "table"
    assert errors[refused]["reason"] == f"not in the table {target}: column 'x': TypeError"
    without = [error for error in errors.values() if error["stage"] in (FILE, "table")]
    assert len(without) == disc.files - disc.rows + 1
    out = re.sub(r" +", " ", capsys.readouterr().out)
    assert f"files {disc.files}\n" in out
    assert f"rows {disc.rows - 1}\n" in out
    assert f"failed {disc.damaged + 1}\n" in out
    assert "1 x the table instances cannot store the row: column 'x': TypeError" in out


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".db"])
def test_the_target_chooses_the_format(disc, suffix):
    target = f"sqlite:///{disc.folder}/t.db" if suffix == ".db" else str(disc.folder / f"t{suffix}")
    command = ["parse", "-i", str(disc.root), "-f", str(disc.tags), "-o", target]

    assert main([*command, "--workers", "1"]) == 1

    assert count_rows(disc.folder / f"t{suffix}") == disc.rows


def count_rows(path):
    if path.suffix == ".csv":
        return len(read(path))
    if path.suffix == ".jsonl":
        return len(path.read_text().splitlines())
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).num_rows
    import sqlite3

    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM instances").fetchone()[0]
    finally:
        connection.close()


def test_a_dicomdir_is_read_by_what_it_names_whatever_the_disc_made_of_the_names(disc):
    gone, *_ = sorted(path for path in disc.media.parent.rglob("IM0*"))
    gone.unlink()
    for path in sorted(disc.media.parent.rglob("*"), reverse=True):
        if path != disc.media:
            path.rename(path.with_name(path.name.lower()))
    disc.root = disc.media

    rows = read(disc.parse())

    assert len(rows) == 2
    [error] = read(disc.folder / "table_errors.csv")
    assert error["file"] == str(gone)
    assert error["reason"] == "the DICOMDIR names it, but it does not exist"


def test_one_archive_is_a_tree_too(disc):
    disc.root = disc.root / "b.zip"

    assert len(read(disc.parse(code=0))) == 4


def test_rows_and_errors_call_a_member_of_an_archive_by_the_same_name(disc):
    disc.root = disc.folder / "odd.zip"
    with zipfile.ZipFile(disc.root, "w") as archive:
        archive.write(disc.images[0], ".//folder//001.dcm")
    tag = "  - {tag_name: Modality, tag_alias: failing, type: int}\n"
    write_tags(disc.tags, TAGS + tag)

    [row] = read(disc.parse(code=0))

    [error] = read(disc.folder / "table_errors.csv")
    assert error["file"] == row["dicom_path"]


ATTRIBUTES = """\
from pacsfw import Component, hookimpl
from pacsfw_plugins.tables.csv import CsvSink


class Numbers(CsvSink):
    attributes = ("InstanceNumber",)

    def deliver(self, batch):
        super().deliver(batch)
        with open(f"{self.path}.numbers", "a") as file:
            for stored, known in zip(batch.files, batch.attributes, strict=True):
                print(stored.sop_uid, known["InstanceNumber"], file=file)


@hookimpl
def pacsfw_sinks():
    yield Component(name="numbers", factory=Numbers, accepts=(".num",))
"""


def test_a_sink_over_one_file_is_told_what_it_asks_for(disc):
    (disc.folder / "numbers_sink.py").write_text(ATTRIBUTES)
    (disc.folder / "numbers_sink.py").chmod(0o600)
    write_tags(disc.tags, f"plugins: {{load: [./numbers_sink.py]}}\n{TAGS}")
    disc.root = disc.images[0]

    target = disc.parse("table.num", code=0)

    header = dcmread(disc.images[0])
    told = target.with_name("table.num.numbers").read_text()
    assert told == f"{header.SOPInstanceUID} {header.InstanceNumber}\n"


def test_nothing_is_overwritten_but_by_force(disc, capsys):
    target = disc.folder / "table.csv"
    target.write_bytes(b"mine")

    disc.parse(code=2)
    assert f"{target}: exists already and is left as it is" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"

    disc.parse("table.csv", "--force")
    assert len(read(target)) == disc.rows


def test_our_own_files_are_not_read_though_they_are_in_the_tree(disc):
    disc.parse("disc/table.csv")

    files = [error["file"] for error in read(disc.root / "table_errors.csv")]
    assert not [file for file in files if "table" in file]
    assert len(read(disc.root / "table.csv")) == disc.rows
    assert not (disc.root / "table.csv.state").exists()


@pytest.mark.parametrize("options", [[], ["--bare"]])
def test_the_switch_for_data_sets_without_preamble_reaches_the_workers(disc, monkeypatch, options):
    built = []
    monkeypatch.setattr(
        job,
        "OrderedPool",
        lambda size, spec, **more: built.append(spec) or OrderedPool(size, spec, **more),
    )

    disc.parse("table.csv", *options)

    assert [spec.reading.bare for spec in built] == [bool(options)]


def test_a_limit_tries_the_tags_on_a_few_files(disc):
    rows = read(disc.parse("few.csv", "--limit", "5", code=0))

    assert len(rows) == 4  # and the text in the archive


CALLBACK = """\
import os
import pathlib
import signal
import time

OPEN = pathlib.Path(__file__).with_name("open")
calls = 0


def gated(value):
    global calls
    calls += 1
    while calls > 9 and not OPEN.exists():
        time.sleep(0.01)
    return value


def deadly(value):
    if value in {deadly!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return value
"""


def with_callback(disc, name, deadly=()):
    module = f"callbacks_{os.getpid()}_{time.monotonic_ns()}"
    plugin = disc.folder / f"{module}.py"
    plugin.write_text(CALLBACK.replace("{deadly!r}", repr(list(map(str, deadly)))))
    plugin.chmod(0o600)
    tags = TAGS + f"  - {{tag_name: SOPInstanceUID, tag_alias: x, callback: '{module}:{name}'}}\n"
    write_tags(disc.tags, f"plugins: {{load: [./{plugin.name}]}}\n{tags}")


def test_a_callback_that_kills_its_worker_costs_its_cell_only(disc):
    disc.root /= "images"
    uids = [dcmread(path).SOPInstanceUID for path in disc.images]
    poison = {uids[4], uids[7]}
    with_callback(disc, "deadly", deadly=poison)

    rows = read(disc.parse(code=1))

    assert len(rows) == len(uids)
    assert sum(not all(row.values()) for row in rows) == len(poison)
    errors = read(disc.folder / "table_errors.csv")
    assert [error["file"] for error in errors] == [str(disc.images[4]), str(disc.images[7])]
    assert {(error["stage"], error["reason"]) for error in errors} == {
        ("callback", "ended the worker process (SIGKILL)")
    }


def start(disc, output="table.csv"):
    command = ["parse", "-i", disc.root, "-f", disc.tags, "-o", output, "--workers", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "pacsfw", *map(str, command)],
        cwd=disc.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def wait_for_rows(disc, process):
    """Wait until more than one batch is in the table: then the state knows the first one."""
    target = disc.folder / "table.csv"
    deadline = time.monotonic() + 60
    while not (target.exists() and target.read_bytes().count(b"\n") > 1 + 3):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


SMALL = """\
import pacsfw.parse.loop
from pacsfw.workers import ordered

pacsfw.parse.loop.CHUNK = 3
ordered.FIRST_BATCH, ordered.MESSAGE_SECONDS = 1, 0.0
"""
"""One file in a message, and three in a batch."""


@pytest.fixture
def gated(disc, monkeypatch):
    """The disc, read by a callback that stops at the tenth value while the gate is shut.

    Gives the disc, the gate, which is shut, and the table that comes of it in the end.
    """
    with_callback(disc, "gated")
    gate = disc.folder / "open"
    gate.touch()
    expected = disc.parse("expected.csv").read_bytes()
    gate.unlink()
    (disc.folder / "sitecustomize.py").write_text(SMALL)
    monkeypatch.setenv("PYTHONPATH", str(disc.folder), prepend=os.pathsep)
    return disc, gate, expected


def test_after_a_kill_it_goes_on_and_no_file_is_there_twice_or_lost(gated, capsys):
    disc, gate, expected = gated
    process = start(disc)
    wait_for_rows(disc, process)
    process.kill()
    gate.touch()
    process.communicate()
    target = disc.folder / "table.csv"
    assert 1 < target.read_bytes().count(b"\n") < expected.count(b"\n")
    with target.open("ab") as file:
        file.write(b"half a row that the kill left")

    disc.parse()

    assert "resuming after" in capsys.readouterr().out
    assert target.read_bytes() == expected
    errors = read(disc.folder / "table_errors.csv")
    without = [error["file"] for error in errors if error["stage"] == FILE]
    assert len(without) == len(set(without)) == disc.files - disc.rows
    assert len(errors) == len({(error["file"], error["column"]) for error in errors})
    assert not target.with_name("table.csv.state").exists()


def test_an_interrupt_keeps_what_is_read_and_other_work_is_refused_there(gated, capsys):
    disc, gate, expected = gated
    process = start(disc)
    wait_for_rows(disc, process)
    process.send_signal(signal.SIGINT)
    gate.touch()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output

    write_tags(disc.tags)
    disc.parse(code=2)
    assert "with other tags, was begun here: repeat these to resume it" in capsys.readouterr().err

    assert expected.startswith((disc.folder / "table.csv").read_bytes())


def wait_for_progress(disc, process, state):
    """Wait until the state knows that the first batch is in the tables."""
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        if (state / "ledger.sqlite").exists():
            ledger = sqlite3.connect(state / "ledger.sqlite", timeout=30)
            with contextlib.closing(ledger), contextlib.suppress(sqlite3.OperationalError):
                row = ledger.execute("SELECT value FROM facts WHERE key = 'parse'").fetchone()
                if row and json.loads(row[0])["after"]:
                    return
        time.sleep(0.01)


def content(target):
    """The rows of the tables of a parse, in their order, whatever the format."""
    if target.suffix == ".db":
        with contextlib.closing(sqlite3.connect(target)) as connection:
            return [
                sorted(connection.execute(f"SELECT {names} FROM {table}").fetchall(), key=repr)
                for table, names in (
                    ("instances", "sop_uid, x, dicom_path"),
                    ("errors", 'file, "column", reason'),
                    ("columns", '"column", type, tag'),
                )
            ]
    paths = [
        target.with_name(f"{target.stem}{name}{target.suffix}")
        for name in ("", "_errors", "_columns")
    ]
    if target.suffix == ".parquet":
        import pyarrow.parquet

        return [pyarrow.parquet.read_table(path).to_pylist() for path in paths]
    return [path.read_bytes() for path in paths]


@pytest.mark.parametrize("suffix", quick([".csv", ".jsonl", ".parquet", ".db"], ".csv", ".db"))
@pytest.mark.parametrize("stop", quick([signal.SIGINT, signal.SIGTERM], signal.SIGTERM))
def test_an_interrupted_parse_is_finished_by_the_same_command(gated, suffix, stop):
    disc, gate, _ = gated
    gate.touch()
    for path in sorted((disc.root / "hostile").iterdir()):
        path.unlink()  # then nothing fails
    url = "sqlite:///" if suffix == ".db" else ""
    disc.run(f"{url}{disc.folder / 'whole'}{suffix}")
    gate.unlink()
    target = disc.folder / f"table{suffix}"
    process = start(disc, f"{url}{target}")
    wait_for_progress(disc, process, target.with_name(f"{target.name}.state"))
    process.send_signal(stop)
    gate.touch()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output

    disc.run(f"{url}{target}")

    assert content(target) == content(disc.folder / f"whole{suffix}")
    assert not target.with_name(f"{target.name}.state").exists()


class Stopped:
    """A parse of the images that was interrupted, in a folder that can be moved."""

    def __init__(self, disc, gate):
        gate.touch()
        shutil.rmtree(disc.root / "hostile")  # then nothing fails
        disc.run(disc.folder / "whole.csv")
        gate.unlink()
        self.disc, self.target = disc, disc.folder / "table.csv"
        process = start(disc)
        wait_for_progress(disc, process, disc.folder / "table.csv.state")
        process.send_signal(signal.SIGINT)
        gate.touch()
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130, output

    def resume(self, folder, source=None, output="table.csv"):
        source = source or folder / "disc"
        output = folder / output
        command = ["-i", source, "-f", folder / "tags.yaml", "-o", output, "--workers", "1"]
        # A process of its own: one process has one module of a name, from one path.
        done = subprocess.run(
            [sys.executable, "-m", "pacsfw", "parse", *map(str, command)],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        self.output = done.stdout + done.stderr
        return done.returncode


@pytest.fixture
def stopped(gated):
    disc, gate, _ = gated
    return Stopped(disc, gate)


@pytest.mark.full
def test_an_interrupted_parse_is_finished_by_another_path(stopped, tmp_path):
    link = tmp_path.with_name(f"{tmp_path.name}-link")
    link.symlink_to(tmp_path)

    assert stopped.resume(link) == 0, stopped.output

    assert "resuming after" in stopped.output
    assert content(stopped.target) == content(tmp_path / "whole.csv")


def test_an_interrupted_parse_that_was_moved_is_finished_with_the_new_paths(stopped, tmp_path):
    expected = [part.decode() for part in content(tmp_path / "whole.csv")]
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)

    assert stopped.resume(moved) == 0, stopped.output

    found = [part.decode() for part in content(moved / "table.csv")]
    assert found == [part.replace(f"{tmp_path}/", f"{moved}/") for part in expected]


@pytest.mark.full
def test_only_the_table_and_its_state_move(stopped, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for path in tmp_path.glob("table*.csv*"):
        path.rename(tmp_path / "elsewhere" / path.name)

    assert stopped.resume(tmp_path, output="elsewhere/table.csv") == 0

    assert "resuming after" in stopped.output
    assert content(tmp_path / "elsewhere" / "table.csv") == content(tmp_path / "whole.csv")


def test_an_interrupted_parse_of_another_folder_is_refused(stopped, tmp_path):
    before = stopped.target.read_bytes()

    assert stopped.resume(tmp_path, source=tmp_path / "disc" / "images") == 2

    assert "a parse of another folder or table" in stopped.output
    assert stopped.target.read_bytes() == before


def test_a_table_that_was_edited_while_the_parse_was_stopped_is_refused(stopped, tmp_path):
    edited = stopped.target.read_bytes().replace(b"2020-", b"1920-")
    stopped.target.write_bytes(edited)

    assert stopped.resume(tmp_path) == 2

    assert "table.csv: holds other rows than this parse has written" in stopped.output
    assert stopped.target.read_bytes() == edited


CONFIG = """\
find: {start_date: 20200101, end_date: 20201231, use: folder, with: {path: disc/images}}
move: {use: folder, with: {path: disc/images}}
storage: {resources: list.csv, directory: dicom}
"""


@pytest.fixture
def collected(disc):
    """The configuration of a collection that has got its objects."""
    conf = write_tags(disc.folder / "conf.yaml", CONFIG + TAGS)
    assert main(["run", str(conf)]) == 0
    return conf


def test_the_rows_of_a_collection_are_read_anew(disc, collected, capsys):
    meta = disc.folder / "resources_meta.csv"
    before = meta.read_text()
    text = collected.read_text().replace("tag_alias: study_date", "tag_alias: day")
    write_tags(collected, text)
    capsys.readouterr()

    assert main(["parse", str(collected), "--workers", "1"]) == 0

    assert meta.read_text() == before.replace("study_date", "day")
    out = re.sub(r" +", " ", capsys.readouterr().out)
    assert f"files {len(disc.images)}\nrows {len(disc.images)}\n" in out


def test_a_stored_file_that_is_damaged_is_counted(disc, collected, capsys):
    victim = next(path for path in (disc.folder / "dicom").rglob("*.dcm"))
    victim.write_bytes(b"no longer")

    assert main(["parse", str(collected)]) == 1

    out = re.sub(r" +", " ", capsys.readouterr().out)
    assert f"rows {len(disc.images) - 1}\n" in out
    assert "failed 1\n" in out


def test_stored_files_can_go_into_another_table_and_the_collection_stays_as_it_is(disc, collected):
    before = (disc.folder / "resources_meta.csv").read_bytes()
    target = disc.folder / "other.csv"

    assert main(["parse", str(collected), "-o", str(target), "--limit", "3"]) == 0

    assert len(read(target)) == 3
    assert (disc.folder / "resources_meta.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-i", "disc"], "-i requires -o"),
        (["--limit", "3"], "require -o"),
        (["--force"], "require -o"),
        (["--bare"], "require -o"),
        (["-i", "nowhere", "-o", "t.csv"], "does not exist"),
        (["-i", "disc", "-o", "t.xls"], "no sink writes"),
        (["-o", "t.csv"], "storage is missing"),
    ],
)
def test_calls_that_make_no_sense_are_refused(disc, capsys, monkeypatch, options, why):
    monkeypatch.chdir(disc.folder)

    assert main(["parse", "-f", str(disc.tags), *options]) in (2, 3)

    assert why in capsys.readouterr().err
    assert not list(disc.folder.glob("t.*"))


def test_without_tags_there_is_no_table(disc, capsys):
    write_tags(disc.tags, "plugins: {}\n")

    disc.parse(code=2)

    assert "tags is missing" in capsys.readouterr().err


def test_the_samples_add_up(good_samples, tmp_path):
    root = next(path for path in good_samples[0].parents if (path / "MANIFEST.csv").exists())
    tags, target = write_tags(tmp_path / "tags.yaml"), tmp_path / "table.csv"

    assert main(["parse", "-i", str(root), "-f", str(tags), "-o", str(target)]) == 1

    rows = read(target)
    errors = read(tmp_path / "table_errors.csv")
    without = {error["file"] for error in errors if error["stage"] == FILE}
    paths = {row["dicom_path"] for row in rows}
    files = {str(path) for path in root.rglob("*") if path.is_file()}
    assert paths | without == files
    assert len(rows) == len(paths)
    assert not paths & without
    assert paths >= set(map(str, good_samples))
