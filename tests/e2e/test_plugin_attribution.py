"""What a component fails at reaches the closing table, the doctor, and a file for its author."""

from __future__ import annotations

import csv
import os
import re
import stat
from pathlib import Path

import pytest

from pacsfw.cli import main
from pacsfw.testing import make_studies
from support import misbehaving

PLUGIN = Path(misbehaving.__file__)
FROM = f"(from {PLUGIN})"


@pytest.fixture
def made(embedded_pacs, collection, monkeypatch):
    monkeypatch.setenv("PACSFW_DEBUG", "0")
    studies = make_studies(2, days=14, modalities=(("CT",),), instances=2)
    changes = {"move:\n": f"plugins:\n    load: ['{PLUGIN}']\nmove:\n"}
    return collection(embedded_pacs(studies), changes=changes)


def test_a_fault_without_consequence_is_shown_and_remembered(made, capsys):
    made.change("find:\n", "find:\n    use: wrong-query\n    with: {how: raise, at: close}\n")

    made.run("find")
    said = capsys.readouterr().out
    fault = f"query 'wrong-query' {FROM}: close: KeyError at misbehaving.py:"
    assert re.search(rf"^fault +{re.escape(fault)}", said, re.MULTILINE)

    assert made.run("plugins", "doctor") == 3
    assert fault in capsys.readouterr().out
    made.run("status")
    assert fault in capsys.readouterr().out


def test_faults_of_transfers_and_sinks_name_a_study(made, capsys):
    uid = make_studies(2, days=14, modalities=(("CT",),), instances=2)[0].uid
    transfer = f"    use: wrong-transfer\n    with: {{how: raise, at: fetch, only: '{uid}'}}\n"
    made.change("move:\n", f"move:\n    attempts: 1\n{transfer}")

    assert made.run() == 1

    said = capsys.readouterr().out
    assert f"transfer 'wrong-transfer' {FROM}: fetch: KeyError at misbehaving.py:" in said
    assert f"(study {uid})" in said
    assert misbehaving.SECRET not in said


def test_a_column_without_any_value_because_of_a_callback_is_a_failure(made, capsys):
    made.change(
        "tags:\n",
        "tags:\n    - {tag_name: PatientID, tag_alias: emptied, callback: wrong-callback}\n"
        "    - {tag_name: StudyDate, tag_alias: odd, callback: wrong-callback, type: int}\n",
    )

    assert made.run() == 1

    said = capsys.readouterr().out
    named = f"'wrong-callback' {FROM}"
    assert f"column emptied: has no value in any row, because {named} failed" in said
    with (made.folder / "my" / "resources_meta_errors.csv").open(newline="") as file:
        errors = list(csv.DictReader(file))
    assert {(each["column"], each["stage"], each["plugin"]) for each in errors} == {
        ("emptied", "callback", named),
        ("odd", "callback", named),
    }
    assert made.run("status") == 1


def test_the_same_in_a_parse(made, tmp_path, capsys):
    folder = tmp_path / "files"
    for study in make_studies(1):
        study.write(folder)
    tags = tmp_path / "tags.yaml"
    tags.write_text(
        f"plugins: {{load: ['{PLUGIN}']}}\n"
        "tags:\n  - {tag_name: PatientID, callback: wrong-callback}\n  - {tag_name: Modality}\n"
    )
    tags.chmod(0o600)
    words = ["parse", "-i", str(folder), "-f", str(tags), "-o", str(tmp_path / "table.csv")]

    assert main(words) == 1

    said = capsys.readouterr().out
    assert "column PatientID: has no value in any row, because 'wrong-callback'" in said


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_tracebacks_go_to_a_private_file_if_they_are_wanted(made, capfd, monkeypatch, how):
    made.change("find:\n", "find:\n    use: wrong-query\n    with: {how: raise, at: close}\n")
    if how == "variable":
        monkeypatch.setenv("PACSFW_DEBUG", "1")
        main(["find", "-f", str(made.conf)])
    else:
        main(["--debug-plugins", "find", "-f", str(made.conf)])

    path = made.state / "plugin-debug.log"
    assert f"tracebacks of plugins: {path}" in capfd.readouterr().err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "in misbehave" in text
    assert f"query 'wrong-query' {FROM}: close" in text


def test_without_it_there_is_no_such_file(made):
    made.change("find:\n", "find:\n    use: wrong-query\n    with: {how: raise, at: close}\n")
    made.run("find")
    assert not (made.state / "plugin-debug.log").exists()
    assert not os.path.lexists("plugin-debug.log")


@pytest.mark.usefixtures("spawned")  # what a child prints
def test_what_components_log_is_in_a_private_file_and_warnings_on_the_terminal(made, capfd):
    made.change("tags:\n", "convert: [{use: wrong-converter, with: {how: log}}]\ntags:\n")
    made.change("tags:\n", "observers: [{use: wrong-observer, with: {how: log}}]\ntags:\n")

    assert made.run() == 0

    path = made.state / "plugins.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    for kind in ("converter", "observer"):
        assert f"INFO {kind} 'wrong-{kind}' {FROM}: opened ?[31m" in text
        assert f"WARNING {kind} 'wrong-{kind}' {FROM}: careful" in text.replace(
            "warning", "WARNING"
        )
    said = capfd.readouterr().err
    assert f"warning: converter 'wrong-converter' {FROM}: careful" in said
    assert "opened" not in said
