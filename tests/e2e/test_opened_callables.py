"""Layouts, callbacks and row callbacks get the context of the run, and are closed at its end."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from pacsfw import DicomTagGroup
from pacsfw.testing import EmbeddedPACS, make_studies, write_studies
from support.selection import quick

PLUGIN = """\
import os
from pathlib import Path

from pacsfw import Component, hookimpl
from pacsfw.api import ConfigSection

NOTES = Path(__file__).parent / "notes.txt"


def note(what):
    with NOTES.open("a") as notes:
        notes.write(f"{what} {os.getpid()}\\n")


class Opened:
    name = "none"

    def open(self, context):
        site = context.sections.get("mine", {})
        if site.get("broken") == type(self).__name__:
            raise ValueError("sesame")
        self.project = site.get("project", "no section")
        self.aetitle = context.net.local.aetitle if context.net else "no net"
        note(f"open {type(self).__name__}")

    def close(self):
        note(f"close {type(self).__name__}")


class Placed(Opened):
    def __call__(self, header):
        return [self.project, f"{header.SOPInstanceUID}.dcm"]


class Prefixed(Opened):
    def __call__(self, value) -> str:
        return f"{self.project}:{value}"


class Named(Opened):
    def __call__(self, header) -> str:
        return f"{self.aetitle}:{header.get('Modality')}"


@hookimpl
def pacsfw_layouts():
    yield Component(name="placed", factory=Placed)


@hookimpl
def pacsfw_tag_callbacks():
    yield Component(name="prefixed", factory=Prefixed)


@hookimpl
def pacsfw_row_callbacks():
    yield Component(name="named", factory=Named, returns="text")


@hookimpl
def pacsfw_config_sections():
    yield ConfigSection(key="mine", schema={"type": "object"})
"""
TAGS = [
    {"tag_name": "SOPInstanceUID"},
    {"tag_name": "PatientID", "callback": "prefixed"},
    {"row_callback": "named"},
]
EACH = {"Placed", "Prefixed", "Named"}


@pytest.fixture
def studies():
    return make_studies(2, modalities=[["CT"]], instances=2)


@pytest.fixture
def folder(tmp_path):
    """Where `pacsfw_run` works, with the plugin."""
    found = tmp_path / "collection"
    found.mkdir(mode=0o700)
    (found / "mine.py").write_text(PLUGIN)
    (found / "mine.py").chmod(0o600)
    return found


@pytest.fixture
def pacs(studies, pacsfw_port):
    with EmbeddedPACS(studies, destinations={"PACSFW": ("127.0.0.1", pacsfw_port)}) as running:
        yield running


def sections(**mine):
    return {
        "plugins": {"load": ["./mine.py"]},
        "mine": {"project": "chest", **mine},
        "tags": TAGS,
        "storage": {"resources": "resources.csv", "directory": "dicom", "sort_by": "placed"},
    }


def notes(folder):
    """What was opened and closed, and how often in one process."""
    lines = (folder / "notes.txt").read_text().splitlines()
    counts = Counter(lines)
    assert set(counts.values()) == {1}, "once in each process"
    return [{line.split()[1] for line in lines if line.startswith(w)} for w in ("open", "close")]


def read(path):
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_they_are_opened_in_the_workers_of_a_run_and_closed(pacsfw_run, pacs, folder):
    run = pacsfw_run(pacs, **sections())

    assert run.code == 0, run.said
    assert all(path.startswith("chest/") for path in run.files)
    assert all(row["PatientID"].startswith("chest:") for row in run.rows)
    assert {row["named"] for row in run.rows} == {"PACSFW:CT"}
    assert notes(folder) == [EACH, EACH]
    pids = {line.split()[2] for line in (folder / "notes.txt").read_text().splitlines()}
    assert str(os.getpid()) not in pids

    (folder / "notes.txt").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pacsfw", "parse", "conf.json"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert notes(folder) == [EACH, EACH]
    assert {row["named"] for row in read(folder / "resources_meta.csv")} == {"PACSFW:CT"}


@pytest.mark.parametrize("broken", quick(sorted(EACH), "Placed"))
def test_one_that_cannot_be_opened_ends_the_run_and_is_named(pacsfw_run, pacs, folder, broken):
    run = pacsfw_run(pacs, **sections(broken=broken))

    kinds = {"Placed": "layout", "Prefixed": "callback", "Named": "row-callback"}
    assert run.code == 3, run.said
    assert f"{kinds[broken]} '{broken.lower()}' (from " in run.said
    assert "open: ValueError at mine.py:" in run.said
    assert "sesame" not in run.said
    assert not run.files


@pytest.mark.full
def test_parse_opens_them_with_the_sections_of_its_file_or_none(folder, studies):
    write_studies(folder / "scans", studies)
    for name, mine, cells in (
        ("with", {"mine": {"project": "chest"}}, ("chest:", "no net:CT")),
        ("without", {}, ("no section:", "no net:CT")),
    ):
        conf = folder / f"{name}.json"
        tree = {"plugins": {"load": ["./mine.py"]}, "tags": TAGS, **mine}
        conf.write_text(json.dumps(tree))
        conf.chmod(0o600)
        words = ["parse", "-i", "scans", "-f", conf.name, "-o", f"{name}.csv", "--workers", "2"]
        done = subprocess.run(
            [sys.executable, "-m", "pacsfw", *words],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rows = read(folder / f"{name}.csv")
        assert all(row["PatientID"].startswith(cells[0]) for row in rows)
        assert {row["named"] for row in rows} == {cells[1]}
        assert notes(folder) == [EACH - {"Placed"}] * 2


def test_python_opens_them_once_in_this_process(folder, studies):
    paths = write_studies(folder / "scans", studies)
    conf = folder / "tags.json"
    tree = {"plugins": {"load": ["./mine.py"]}, "tags": TAGS, "mine": {"project": "chest"}}
    conf.write_text(json.dumps(tree))
    conf.chmod(0o600)
    group = DicomTagGroup.from_json(conf)

    rows = [group.parse_dicom(path) for path in paths]

    assert all(row["PatientID"].startswith("chest:") for row in rows)
    assert notes(folder) == [EACH - {"Placed"}, set()]
    del group
    assert notes(folder)[1] == EACH - {"Placed"}
