"""`pacsfw parse -o`: duplicates, appending, stdout, formats, and a table without paths."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pyarrow.parquet
import pytest

from pacsfw.cli import main
from support.trees import TAGS, write_archive, write_images, write_tags


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Folder:
    """A folder with images, tags, and the call that reads them."""

    def __init__(self, path: Path) -> None:
        self.path, self.scans = path, path / "scans"
        self.images = write_images(self.scans, studies=2, instances=3)
        self.tags = write_tags(path / "tags.yaml")

    def copy(self, number: int = 2, to: str = "zcopies") -> list[str]:
        (self.scans / to).mkdir()
        copies = []
        for image in self.images[:number]:
            copy = self.scans / to / f"{len(copies)}.dcm"
            copy.write_bytes(image.read_bytes())
            copies.append(str(copy))
        return copies

    def parse(self, output="table.csv", *options, code=0, source=None):
        output = output if output == "-" or "://" in output else str(self.path / output)
        command = ["parse", "-i", str(source or self.scans), "-f", str(self.tags), "-o", output]
        assert main([*command, "--workers", "1", *options]) == code


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def printed(capsys) -> str:
    return re.sub(r" +", " ", capsys.readouterr().out)


@pytest.mark.parametrize("options", [[], ["--on-duplicate", "keep"]])
def test_duplicates_are_kept_and_counted(folder, capsys, options):
    folder.copy()

    folder.parse("table.csv", *options)

    assert len(read(folder.path / "table.csv")) == 8
    assert read(folder.path / "table_errors.csv") == []
    assert "duplicates 2 x the SOP Instance UID of an earlier row\n" in printed(capsys)


@pytest.mark.parametrize(
    ("rule", "code", "label"), [("first", 0, "without a row"), ("fail", 1, "failed")]
)
def test_duplicates_are_left_out_and_listed(folder, capsys, rule, code, label):
    copies = folder.copy()

    folder.parse("table.csv", "--on-duplicate", rule, code=code)

    assert [row["dicom_path"] for row in read(folder.path / "table.csv")] == list(
        map(str, folder.images)
    )
    errors = read(folder.path / "table_errors.csv")
    assert [(error["file"], error["stage"]) for error in errors] == [
        (copy, "file") for copy in copies
    ]
    assert {error["reason"] for error in errors} == {"an earlier row has its SOP Instance UID"}
    out = printed(capsys)
    assert f"files 8\nrows 6\n{label} 2\n" in out


SMALL = """\
import pacsfw.parse.loop
from pacsfw.workers import ordered

pacsfw.parse.loop.CHUNK = 2
ordered.FIRST_BATCH, ordered.MESSAGE_SECONDS = 1, 0.0
"""

GATED = """\
import pathlib
import time

OPEN = pathlib.Path(__file__).with_name("open")
calls = 0


def gated(value):
    global calls
    calls += 1
    while calls > 7 and not OPEN.exists():
        time.sleep(0.01)
    return value
"""


@pytest.fixture
def gated(folder, monkeypatch):
    """The folder, read by a callback that stops at the eighth value until the file exists."""
    module = f"callbacks_{os.getpid()}_{time.monotonic_ns()}"
    (folder.path / f"{module}.py").write_text(GATED)
    (folder.path / f"{module}.py").chmod(0o600)
    tag = f"  - {{tag_name: SOPInstanceUID, tag_alias: x, callback: '{module}:gated'}}\n"
    write_tags(folder.tags, f"plugins: {{load: [./{module}.py]}}\n{TAGS}{tag}")
    (folder.path / "sitecustomize.py").write_text(SMALL)
    path = os.pathsep.join([str(folder.path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    return folder


def kill_when(folder, options, ready):
    """Parse in another process, and kill it when it is ready."""
    command = ["parse", "-i", folder.scans, "-f", folder.tags, "-o", "table.csv", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pacsfw", *map(str, command), *options],
        cwd=folder.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    (folder.path / "open").touch()
    process.communicate()


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_duplicates_are_known_after_a_kill(gated, monkeypatch):
    copies = gated.copy(6)
    kill_when(gated, ["--on-duplicate", "first"], lambda: lines_of(gated.path / "table.csv") >= 5)
    monkeypatch.chdir(gated.path)

    gated.parse("table.csv", "--on-duplicate", "first")

    assert [row["dicom_path"] for row in read(gated.path / "table.csv")] == list(
        map(str, gated.images)
    )
    errors = read(gated.path / "table_errors.csv")
    assert [error["file"] for error in errors] == copies


def test_after_a_kill_within_an_archive_every_member_is_there_once(gated):
    write_archive(gated.path / "inner.zip", gated.images[:3])
    with tarfile.open(gated.scans / "a.tgz", "w:gz") as archive:
        archive.add(gated.images[5], "first")
        archive.add(gated.path / "inner.zip", "inner.zip")
        archive.add(gated.images[4], "last")
    (gated.path / "open").touch()
    gated.parse("expected.csv")
    (gated.path / "open").unlink()
    # What is read ahead counts for the gate, too.
    kill_when(gated, [], lambda: lines_of(gated.path / "table.csv") >= 3)

    gated.parse("table.csv")

    expected = read(gated.path / "expected.csv")
    assert [os.path.relpath(row["dicom_path"], gated.scans) for row in expected[:5]] == [
        "a.tgz/first",
        *(f"a.tgz/inner.zip/folder/{number:03}.dcm" for number in range(3)),
        "a.tgz/last",
    ]
    assert read(gated.path / "table.csv") == expected


@pytest.mark.parametrize("target", ["t.csv", "t.jsonl", "t.parquet", "sqlite:///{}/t.db"])
def test_rows_are_appended_to_a_table_of_the_same_tags(folder, target):
    other = folder.path / "other"
    write_images(other, studies=3, instances=1)
    target = target.format(folder.path)

    folder.parse(target, "--append")
    folder.parse(target, "--append", source=other)

    paths = paths_in(folder.path)
    assert len(paths) == len(set(paths)) == 6 + 3
    assert sum(path.startswith(str(other)) for path in paths) == 3
    assert not list(folder.path.glob("*.state"))


def paths_in(folder: Path) -> list[str]:
    if (folder / "t.csv").exists():
        return [row["dicom_path"] for row in read(folder / "t.csv")]
    if (folder / "t.jsonl").exists():
        lines = (folder / "t.jsonl").read_text().splitlines()
        return [json.loads(line)["dicom_path"] for line in lines]
    if (folder / "t.parquet").exists():
        return pyarrow.parquet.read_table(folder / "t.parquet")["dicom_path"].to_pylist()
    connection = sqlite3.connect(folder / "t.db")
    try:
        return [path for (path,) in connection.execute("SELECT dicom_path FROM instances")]
    finally:
        connection.close()


def test_an_append_that_is_killed_resumes_and_keeps_what_was_there(gated, capsys):
    (gated.path / "open").touch()
    gated.parse("table.csv", source=gated.images[0])
    (gated.path / "open").unlink()
    table = gated.path / "table.csv"
    before = table.read_bytes()
    gated.copy()
    kill_when(gated, ["--append"], lambda: lines_of(table) >= 5)

    gated.parse("table.csv", code=2)
    assert "was begun here" in capsys.readouterr().err
    gated.parse("table.csv", "--append")

    assert table.read_bytes().startswith(before)
    assert len(read(table)) == 1 + 8
    places = [row["dicom_path"] for row in read(table)[1:]]
    assert len(places) == len(set(places))


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        (TAGS.replace("study_date", "day"), "the table has other columns"),
        (TAGS.replace("type: int", "type: text"), "columns of other types"),
    ],
)
def test_nothing_is_appended_to_a_table_of_other_tags(folder, capsys, tags, why):
    folder.parse()
    before = (folder.path / "table.csv").read_bytes()
    write_tags(folder.tags, tags)

    folder.parse("table.csv", "--append", code=2)

    assert why in capsys.readouterr().err
    assert (folder.path / "table.csv").read_bytes() == before


def test_a_table_with_other_columns_and_no_companion_is_left_as_it_is(folder, capsys):
    table = folder.path / "table.csv"
    table.write_text("mine\n1\n")

    folder.parse("table.csv", "--append", code=2)

    assert "does not begin with the columns" in capsys.readouterr().err
    assert table.read_text() == "mine\n1\n"


@pytest.mark.parametrize("fmt", ["csv", "jsonl"])
def test_a_table_goes_to_stdout_and_everything_else_to_stderr(folder, fmt):
    command = ["parse", "-i", folder.scans, "-f", folder.tags, "-o", "-", "--fmt", fmt]
    done = subprocess.run(
        [sys.executable, "-m", "pacsfw", *map(str, command), "--workers", "1"],
        cwd=folder.path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    if fmt == "csv":
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
    else:
        rows = list(map(json.loads, done.stdout.splitlines()))
    assert [row["dicom_path"] for row in rows] == list(map(str, folder.images))
    assert re.search(r"^rows +6$", done.stderr, re.MULTILINE)
    assert "pacsfw-" not in done.stderr
    assert sorted(path.name for path in folder.path.iterdir()) == ["scans", "tags.yaml"]


def test_stdout_is_csv_by_default(folder, capfdbinary):
    folder.parse("-")

    assert capfdbinary.readouterr().out.startswith(b"PatientID,study_date,")


def test_a_format_that_the_name_does_not_give(folder):
    folder.parse("table", "--fmt", "jsonl")
    folder.parse("table.txt", "--fmt", "csv")

    assert json.loads((folder.path / "table").read_text().splitlines()[0])["InstanceNumber"] == 1
    assert len(read(folder.path / "table.txt")) == 6
    assert (folder.path / "table_columns").exists()
    assert (folder.path / "table_errors.txt").exists()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_without_paths(folder, suffix):
    folder.parse(f"table.{suffix}", "--exclude-path")

    names = ["PatientID", "study_date", "SOPInstanceUID", "InstanceNumber"]
    if suffix == "parquet":
        assert pyarrow.parquet.read_table(folder.path / "table.parquet").column_names == names
    elif suffix == "csv":
        assert list(read(folder.path / "table.csv")[0]) == names
        columns = read(folder.path / "table_columns.csv")
        assert [row["column"] for row in columns] == names
    else:
        line = (folder.path / "table.jsonl").read_text().splitlines()[0]
        assert list(json.loads(line)) == names


@pytest.mark.parametrize(
    ("output", "options", "why"),
    [
        ("t.csv", ["--append", "--force"], "--append and --force: one adds to the table"),
        ("-", ["--append"], "--append: not with -o -"),
        ("-", ["--force", "--state", "x"], "--force, --state: not with -o -"),
        ("-", ["--fmt", "parquet"], "a folder cannot be written to stdout"),
        ("t.parquet", ["--fmt", "csv"], "ends like another format"),
        ("sqlite:///{}/t.db", ["--fmt", "csv"], "the URL of a database has no other format"),
        ("sqlite:///{}/t.db", ["--exclude-path"], "a database identifies each file by its path"),
        ("t.csv", ["--fmt", "xml"], "'xml' is not one of"),
        ("t.csv", ["--on-duplicate", "last"], "'last' is not one of"),
    ],
)
def test_options_that_contradict_each_other_are_refused(folder, capsys, output, options, why):
    folder.parse(output.format(folder.path), *options, code=2)

    assert why in capsys.readouterr().err
    assert not list(folder.path.glob("t.*"))


@pytest.mark.parametrize(
    "options", [["--append"], ["--fmt", "csv"], ["--on-duplicate", "first"], ["--exclude-path"]]
)
def test_options_for_a_table_of_ones_own_require_its_name(folder, capsys, options):
    assert main(["parse", "-f", str(folder.tags), *options]) == 2

    assert f"{options[0]} require -o: name the table" in capsys.readouterr().err
