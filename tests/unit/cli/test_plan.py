"""``pacsfw plan``: what it prints, and that it moves and lists nothing."""

from __future__ import annotations

import json
import stat
from dataclasses import replace

import pytest

from pacsfw.cli import main
from pacsfw.collection import collection as conductor
from pacsfw.testing import make_studies, write_studies
from peers.process import free_port

CONFIG = """
net:
  local_node: {{aetitle: MINE, port: 11112}}
  called_node: {{aetitle: THEIRS, ip: 127.0.0.1, port: {port}}}
find: {{start_date: 20200101, end_date: 20201231, {use}}}
move: {{start_time: 20:00, end_time: 08:00}}
storage: {{resources: list.csv, directory: dicom}}
"""
FOLDER = "use: folder, with: {path: old}"


@pytest.fixture
def conf(tmp_path):
    """Writes the configuration of a collection beside a folder with studies."""
    write_studies(tmp_path / "old", make_studies(4, modalities=[["CT"]], instances=3))
    path = tmp_path / "conf.yaml"

    def write(use=FOLDER):
        path.write_text(CONFIG.format(port=free_port(), use=use))
        path.chmod(0o600)
        return path

    return write


def test_the_plan_is_shown_and_nothing_is_written_but_the_ledger(conf, capsys):
    path = conf()
    assert main(["plan", str(path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("studies found  4 ")
    assert out[1].startswith("instances      12 ")
    assert any("20:00-08:00, 12 h each" in line for line in out)
    assert f"the disk of {path.parent / 'dicom'}" in out[6]
    assert sorted(each.name for each in path.parent.iterdir()) == ["conf.yaml", "dicom", "old"]
    assert [each.name for each in (path.parent / "dicom").iterdir()] == [".pacsfw"]


def test_json_has_stdout_to_itself(conf, capsys):
    assert main(["plan", "--json", "-f", str(conf())]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["expected"]["studies"]["value"] == 4
    assert plan["by_period"] == {"2020-01": 4}


def test_the_list_that_find_has_written_stays_as_it_is(conf, capsys):
    path = conf()
    main(["find", str(path)])
    worklist = path.parent / "list.csv"
    pruned = "".join(worklist.read_text().splitlines(keepends=True)[:-1])
    worklist.write_text(pruned)
    assert main(["plan", str(path)]) == 0
    assert worklist.read_text() == pruned


def test_what_is_not_proven_gives_the_exit_code_1(conf, capsys, monkeypatch):
    proven = conductor.Collection.survey

    def survey(collection):
        return replace(proven(collection), unproven=[("StudyDate 2020-01-31", "FE00: Cancel")])

    monkeypatch.setattr(conductor.Collection, "survey", survey)
    assert main(["plan", str(conf())]) == 1
    assert "StudyDate 2020-01-31  FE00: Cancel" in capsys.readouterr().out


def test_a_pacs_that_is_away_gives_the_exit_code_4_and_no_plan(conf, capsys):
    assert main(["plan", str(conf(use="use: cfind"))]) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert "no connection" in told.err


def test_what_it_keeps_is_for_nobody_else(conf, capsys):
    path = conf()
    main(["plan", str(path)])
    for each in (path.parent / "dicom" / ".pacsfw").rglob("*"):
        assert stat.S_IMODE(each.stat().st_mode) & 0o077 == 0, each


def test_without_a_move_section_it_can_be_any_time(conf, capsys):
    path = conf()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("move:")))

    assert main(["plan", "--json", str(path)]) == 0

    nights = json.loads(capsys.readouterr().out)["nights"]
    assert nights["value"] is None
    assert "no limit" in nights["source"]


def test_a_missing_section_is_named(conf, capsys):
    path = conf()
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    assert main(["plan", str(path)]) == 2
    assert "storage is missing; this command requires it" in capsys.readouterr().err
