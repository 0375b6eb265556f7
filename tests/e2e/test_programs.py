"""A program uses a collection as the commands do, and gets records instead of screens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import pacsfw
from pacsfw.api import Observer, RunFinished
from pacsfw.errors import ConfigError, StateError
from pacsfw.testing import make_studies


class Remembering(Observer):
    def __init__(self):
        self.events = []

    def notify(self, event):
        self.events.append(event)


def test_a_program_finds_moves_and_reads_what_came_of_it(embedded_pacs, collection):
    studies = make_studies(2, days=14, modalities=(("CT",),), instances=2)
    made = collection(embedded_pacs(studies))
    watching, umask = Remembering(), os.umask(0o022)
    try:
        with pacsfw.Collection.open(made.conf, observers=[("mine", watching)]) as opened:
            opened.run()
            found = list(opened.studies())
            status = opened.status()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)

    assert {study.uid for study in found} == {study.uid for study in studies}
    assert {(study.verdict, study.expected, study.stored) for study in found} == {
        ("complete", 2, 2)
    }
    assert (status.exit_code, status.instances) == (0, 4)
    assert not any(path.stat().st_mode & 0o077 for path in made.archive.rglob("*.dcm"))
    last = watching.events[-1]
    assert isinstance(last, RunFinished)
    assert last.verdicts == {study.uid: "complete" for study in studies}
    assert last.directory == str(made.archive)
    assert last.study_list == str(made.resources)
    assert [Path(table) for table in last.tables] == [made.table]

    with pacsfw.Collection.open(made.conf) as opened:
        opened.run()
        assert any("not repeated" in note for note in opened.status().notes)


def test_a_collection_is_open_once(embedded_pacs, collection):
    made = collection(embedded_pacs(make_studies(1)))
    with (
        pacsfw.Collection.open(made.conf),
        pytest.raises(StateError, match="another pacsfw"),
        pacsfw.Collection.open(made.conf),
    ):
        pass


def test_a_wrong_configuration_is_told_as_a_whole(tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text("find: {start_date: 20200101, modalities: CT}\nmove: {workers: 0}\n")
    with pytest.raises(ConfigError) as caught:
        pacsfw.Collection.open(path)
    assert len(caught.value.problems) == 2
