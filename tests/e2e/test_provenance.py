"""Provenance that is true: what placed, read and converted each instance, and what has changed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pacsfw.durable import digest_of
from pacsfw.testing import make_studies, write_studies

STUDIES = make_studies(3, days=30, modalities=(("CT",),), instances=2)
HEAD = "from pacsfw import Component, hookimpl\n"
LAYOUT = (
    HEAD
    + '''

def by_study(header):
    """Study and instance."""
    return ["{}", header.StudyInstanceUID, f"{{header.SOPInstanceUID}}.dcm"]


@hookimpl
def pacsfw_layouts():
    yield Component.of(by_study, name="by-study")
'''
)
PROJECTS = (
    HEAD
    + """
import csv

from pacsfw.durable import digest_of


def by_project(path, depth=0):
    with open(path, newline="") as lines:
        projects = dict(csv.reader(lines))

    def place(header):
        project = projects.get(header.StudyInstanceUID, "none")
        return [project, header.StudyInstanceUID, f"{header.SOPInstanceUID}.dcm"]

    place.fingerprint = digest_of(path)
    return place


@hookimpl
def pacsfw_layouts():
    yield Component(
        name="by-project",
        factory=by_project,
        schema={
            "type": "object",
            "properties": {"path": {"type": "string"}, "depth": {"type": "integer"}},
            "required": ["path"],
        },
    )
"""
)
CALLBACK = (
    HEAD
    + """
import operator
from functools import partial


@hookimpl
def pacsfw_tag_callbacks():
    yield Component.of(partial(operator.add, "{}"), name="marked")
"""
)
CONVERTER = (
    HEAD
    + """
from pacsfw.api import Converter, OutputFile


class Note(Converter):
    def fingerprint(self):
        return {fingerprint!r}

    def convert(self, files, out):
        note = out / "note.txt"
        note.write_text("{text}")
        sources = tuple(each.sop_uid for each in files)
        yield OutputFile(path=note, media_type="text/plain", sources=sources)


@hookimpl
def pacsfw_converters():
    yield Component(name="note", factory=Note, scope="study")
"""
)


SINK = (
    HEAD
    + """
from pacsfw.api import Sink


class Count(Sink):
    def fingerprint(self):
        return "{fingerprint}"

    def deliver(self, batch):
        if batch.table.name == "instances":
            with open("delivered.txt", "a") as lines:
                lines.write(batch.key + chr(10))


@hookimpl
def pacsfw_sinks():
    yield Component(name="count", factory=Count)
"""
)


class Work:
    """A collection from a folder; every command is a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "source"
        self.source.mkdir()
        source = {"use": "folder", "with": {"path": "source"}}
        self.conf = {
            "find": {"start_date": "19000101", "end_date": "20991231", **source},
            "move": dict(source),
            "storage": {"resources": "list.csv", "directory": "dicom"},
            "tags": [{"tag_name": "StudyDate"}],
        }
        self.path = [str(folder / "site")]

    def use(self, file: str, text: str) -> None:
        """Write a one-file plugin, and load it."""
        (self.folder / file).write_text(text)
        self.conf["plugins"] = {"load": [f"./{file}"]}

    def run(self, *command: str) -> tuple[int, str]:
        conf = self.folder / "conf.json"
        conf.write_text(json.dumps(self.conf))
        conf.chmod(0o600)
        ran = subprocess.run(
            [sys.executable, "-m", "pacsfw", *(command or ("run",)), "-f", str(conf)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(self.path)},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return ran.returncode, ran.stdout + ran.stderr

    def add(self, studies) -> None:
        """Add studies to the source, and let the next run search again."""
        write_studies(self.source, studies)
        self.conf["find"]["start_date"] = studies[0].study_date

    def install(self, name: str, version: str, text: str) -> None:
        """Put a distribution with one module where Python finds it."""
        site = self.folder / f"site-{name}-{version}"
        self.path = [str(site)]
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        module = name.replace("-", "_")
        (info / "entry_points.txt").write_text(f"[pacsfw]\nplugin = {module}\n")
        (site / f"{module}.py").write_text(text)

    def files(self) -> list[str]:
        found = (self.folder / "dicom").rglob("*.dcm")
        return sorted(path.relative_to(self.folder / "dicom").as_posix() for path in found)

    def cells(self, column: str) -> set[str]:
        with (self.folder / "resources_meta.csv").open(newline="") as lines:
            return {row[column] for row in csv.DictReader(lines)}

    def events(self) -> list[dict]:
        """Return the lines of the last run that the observer wrote."""
        text = (self.folder / "events.jsonl").read_text()
        lines = list(map(json.loads, text.splitlines()))
        return [line for line in lines if line["run"] == lines[-1]["run"]]

    def manifest(self, kind: str) -> dict[str, list[str]]:
        """Return the components of a kind, by study, as the manifest names them."""
        assert self.run("verify", "--offline")[0] == 0
        lines = (self.folder / "manifest.jsonl").read_text().splitlines()
        found: dict[str, set[str]] = {}
        for line in map(json.loads, lines):
            named = line["components"].get(kind, [])
            found.setdefault(line["study_instance_uid"], set()).update(named)
        return {uid: sorted(named) for uid, named in found.items()}


@pytest.fixture
def work(tmp_path) -> Work:
    made = Work(tmp_path)
    made.add(STUDIES[:2])
    return made


@pytest.fixture
def laid_out(work) -> Work:
    """Two studies, placed by a layout in a file."""
    work.use("lay.py", LAYOUT.format("one"))
    work.conf["storage"]["sort_by"] = "by-study"
    work.conf["observers"] = [{"use": "manifest", "with": {"path": "events.jsonl"}}]
    assert work.run()[0] == 0
    return work


@pytest.mark.full
def test_an_edited_layout_with_the_same_paths_is_accepted_and_each_file_keeps_its_own(laid_out):
    before = laid_out.manifest("layout")
    laid_out.use("lay.py", LAYOUT.format("one") + "# edited\n")
    laid_out.add(STUDIES[2:])

    code, said = laid_out.run()

    assert code == 0, said
    assert "comparing its paths of 4 files" in said
    started, *others = laid_out.events()
    after = laid_out.manifest("layout")
    assert {uid: after[uid] for uid in before} == before
    [old], [new] = before[STUDIES[0].uid], after[STUDIES[2].uid]
    assert old != new
    [layout] = [each for each in started["components"] if each["kind"] == "layout"]
    assert layout["code"] == digest_of(laid_out.folder / "lay.py")
    named = {each["study"]: each["components"] for each in others if each["event"] == "study"}
    assert named[STUDIES[2].uid]["layout"] == new
    for each in (old, new):
        assert each.startswith(f"'by-study' (from {laid_out.folder / 'lay.py'}, code ")
    assert "comparing" not in laid_out.run()[1]


def test_an_edited_layout_with_other_paths_is_refused_with_the_number_of_studies(laid_out):
    [[old]] = {tuple(named) for named in laid_out.manifest("layout").values()}
    files = laid_out.files()
    laid_out.use("lay.py", LAYOUT.format("two"))
    laid_out.add(STUDIES[2:])

    code, said = laid_out.run()

    assert code == 2
    assert "for 4 of 4 stored instances, and would split 2 studies" in said
    assert f"use {old}, or give this collection another storage.directory" in said
    assert laid_out.files() == files
    laid_out.use("lay.py", LAYOUT.format("one"))
    assert laid_out.run()[0] == 0


@pytest.mark.full
def test_the_data_of_a_layout_may_grow_but_not_move_what_is_stored(work):
    work.use("projects.py", PROJECTS)
    table = work.folder / "projects.csv"
    table.write_text(f"{STUDIES[0].uid},liver\n{STUDIES[1].uid},lung\n")
    work.conf["storage"]["sort_by"] = {"use": "by-project", "with": {"path": "projects.csv"}}
    assert work.run()[0] == 0

    with table.open("a") as lines:
        lines.write(f"{STUDIES[2].uid},heart\n")
    work.add(STUDIES[2:])
    assert work.run()[0] == 0
    assert {path.partition("/")[0] for path in work.files()} == {"liver", "lung", "heart"}

    table.write_text(table.read_text().replace("lung", "brain"))
    code, said = work.run()
    assert code == 2
    assert "for 2 of 6 stored instances, and would split 1 study" in said

    work.conf["storage"]["sort_by"]["with"]["depth"] = 1
    code, said = work.run()
    assert code == 2
    assert "is 'by-project' with other options (depth), but the files in" in said


@pytest.mark.full
def test_a_callback_that_is_a_partial_of_the_standard_library_is_digested_by_its_own_file(work):
    work.conf["tags"] = [{"tag_name": "StudyDate", "callback": "marked"}]
    for sign in "<>":
        work.use("marked.py", CALLBACK.format(sign))
        assert work.run()[0] == 0
        assert {cell[0] for cell in work.cells("StudyDate")} == {sign}


@pytest.mark.full
def test_a_callback_of_another_package_is_named_for_the_rows_that_it_read(work):
    offered = HEAD + "\n\n@hookimpl\ndef pacsfw_tag_callbacks():\n"
    offered += "    yield Component.of(lambda value: {}, name='up')\n"
    work.install("site-up", "1.0", offered.format("str(value)"))
    work.conf["tags"] = [{"tag_name": "StudyDate", "callback": "up"}]
    assert work.run()[0] == 0
    [[one]] = {tuple(named) for named in work.manifest("callback").values()}
    assert one.startswith("'up' (from site-up 1.0, code ")

    # The rows are the same, and were read again nevertheless.
    work.install("other-up", "2.0", offered.format("f'{value}'"))
    assert work.run()[0] == 0
    [[other]] = {tuple(named) for named in work.manifest("callback").values()}
    assert other.startswith("'up' (from other-up 2.0, code ")


@pytest.mark.full
def test_an_edited_converter_or_its_data_make_its_files_again(work):
    def notes():
        found = (work.folder / "dicom").rglob("note.txt")
        return {(path.read_text(), path.stat().st_mtime_ns) for path in found}

    work.conf["convert"] = ["note"]
    before = set()
    for text, fingerprint in (("first", "a"), ("other", "a"), ("other", "b")):
        work.use("note.py", CONVERTER.format(text=text, fingerprint=fingerprint))
        code, said = work.run()
        assert code == 0, said
        assert {each for each, _ in notes()} == {text}
        assert not notes() & before
        before = notes()

    assert work.run()[0] == 0
    assert notes() == before
    assert work.run("status")[0] == 0
    [[made]] = {tuple(named) for named in work.manifest("converter").values()}
    assert made.startswith(f"'note' (from {work.folder / 'note.py'}, code ")
    assert made.endswith(", data b)")


@pytest.mark.full
def test_a_sink_with_other_data_gets_all_rows_again(work):
    work.conf["sinks"] = ["count"]
    for fingerprint in "aab":
        work.use("count.py", SINK.format(fingerprint=fingerprint))
        assert work.run()[0] == 0
    lines = (work.folder / "delivered.txt").read_text().splitlines()
    assert sorted(lines) == sorted(study.uid for study in STUDIES[:2] for _ in "ab")


@pytest.mark.parametrize("command", [("config", "check"), ("run",)])
def test_a_fingerprint_that_is_no_text_is_a_fault_of_the_component(work, command):
    work.use("note.py", CONVERTER.format(text="x", fingerprint=0))
    work.conf["convert"] = ["note"]

    code, said = work.run(*command)

    assert code == 3
    component = f"converter 'note' (from {work.folder / 'note.py'})"
    assert f"{component}: fingerprint: is int, not str" in said


@pytest.mark.full
def test_tags_may_change_together_with_converters(work):
    work.conf["convert"] = ["jsonmeta"]
    assert work.run()[0] == 0
    work.conf["tags"] = [{"tag_name": "Modality"}]

    code, said = work.run()

    assert code == 0, said
    assert "not done" not in said
    assert work.cells("Modality") == {"CT"}


@pytest.mark.full
def test_tags_may_change_after_a_run_that_stored_nothing(work):
    work.use("lay.py", LAYOUT.format("one").replace("return [", "raise ValueError\n    return ["))
    work.conf["storage"]["sort_by"] = "by-study"
    assert work.run()[0] == 1
    work.use("lay.py", LAYOUT.format("one"))
    work.conf["tags"] = [{"tag_name": "Modality"}]

    code, said = work.run()

    assert code == 0, said
    assert work.cells("Modality") == {"CT"}
