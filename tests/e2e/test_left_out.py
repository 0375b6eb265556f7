"""What a layout leaves out on purpose: complete without it, and fetched once the layout changes."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing

import pytest

from e2e.test_server import collected as server_collection  # noqa: F401 - a fixture
from e2e.test_server import push, serving, stopped, until
from e2e.test_transfers import by, verdicts, without_port
from pacsfw.testing import make_studies, write_studies
from support.documented import rows

LAYOUT = '''\
from pacsfw import Component, hookimpl
from pacsfw.errors import Skip


def no_sr(header):
    """Study, series and instance, without structured reports."""
    if header.get("Modality") == "SR":
        raise Skip("structured reports are not wanted")
    return [header.StudyInstanceUID, header.SeriesInstanceUID, f"{header.SOPInstanceUID}.dcm"]


@hookimpl
def pacsfw_layouts():
    yield Component.of(no_sr, name="no-sr")
'''
WANTED = 'if header.get("Modality") == "SR":'
CONVERT = """convert:
    - use: command
      id: counts
      directory: counts
      with:
        argv: ["{python}", "-c", "{script}", "{{folder}}"]
        scope: {scope}
        stdout: count.txt
tags:"""
COUNT = "import os, sys; print(len(os.listdir(sys.argv[1])))"
WITH_LAYOUT = {"sort_by: PATIENT": "sort_by: no-sr\nplugins: {load: [./no_sr.py]}"}

STUDIES = make_studies(3, days=21, modalities=(("CT", "SR"), ("CT",), ("CT", "SR")), instances=2)


def converting(scope="series"):
    return {"tags:": CONVERT.format(python=sys.executable, script=COUNT, scope=scope)}


def reason(collected):
    return (
        f"layout 'no-sr' (from {collected.folder / 'no_sr.py'}): structured reports are not wanted"
    )


def edit(collected, old, new):
    """Change the code of the layout."""
    path = collected.folder / "no_sr.py"
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def left_out(embedded_pacs, collection):
    """Makes a collection without structured reports, and its PACS."""

    def make(changes=None, studies=STUDIES):
        pacs = embedded_pacs(studies)
        made = collection(pacs, changes={**WITH_LAYOUT, **(changes or {})})
        (made.folder / "no_sr.py").write_text(LAYOUT)
        made.pacs = pacs
        return made

    return make


@pytest.fixture(autouse=True)
def forget_the_plugin():
    """Let the next test import its own file."""
    yield
    sys.modules.pop("no_sr", None)


def of_studies(collected):
    return {
        row["study_uid"]: (row["verdict"], row["expected"], row["stored"], row["left_out"])
        for row in rows(collected.folder / "my" / "resources_studies.csv")
    }


def test_a_study_without_what_was_left_out_is_complete_and_stays_so(left_out, capsys):
    collected = left_out(converting())

    assert collected.run() == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "complete 3" in said
    assert f"4 x {reason(collected)}" in said
    assert "quarantined" not in said
    both, one = ("complete", "2", "2", "2"), ("complete", "2", "2", "0")
    assert list(of_studies(collected).values()) == [both, one, both]
    assert len(collected.files()) == len(collected.rows()) == 6
    assert [path.read_text() for path in collected.folder.rglob("count.txt")] == ["2\n"] * 3
    assert collected.spooled() == []
    assert not (collected.state / "quarantine").exists()
    asked = len(collected.pacs.log)

    assert collected.run() == 0

    assert collected.pacs.log[asked:] == []
    assert collected.run("status") == 0
    assert collected.run("plugins", "doctor") == 0


def test_what_was_left_out_is_in_no_table_of_errors_and_in_the_state_of_the_collection(
    left_out, capsys
):
    collected = left_out()
    assert collected.run() == 0
    capsys.readouterr()

    assert collected.run("status", "--json") == 0

    found = json.loads(capsys.readouterr().out)
    assert found["left_out"] == {reason(collected): 4}
    assert (found["quarantined"], found["instances"]) == ({}, 6)
    assert rows(collected.folder / "my" / "resources_meta_errors.csv") == []


def test_verify_agrees_and_names_what_was_left_out(left_out, capsys):
    collected = left_out()
    assert collected.run() == 0
    capsys.readouterr()

    assert collected.run("verify") == 0

    assert "left out 4" in " ".join(capsys.readouterr().out.split())
    (manifest,) = collected.folder.rglob("manifest.jsonl")
    lines = list(map(json.loads, manifest.read_text().splitlines()))
    out = [line for line in lines if line["state"] == "left-out"]
    assert {line["state"] for line in lines} == {"stored", "left-out"}
    assert (len(lines), len(out)) == (10, 4)
    for line in out:
        assert (line["path"], line["verdict"], line["left_out_by"]) == (
            None,
            "complete",
            reason(collected),
        )


def test_a_changed_rule_fetches_what_the_former_one_left_out(left_out):
    collected = left_out(converting("study"))
    assert collected.run() == 0
    asked = len(collected.pacs.log)
    edit(collected, WANTED, 'if header.get("Modality") == "OT":')

    assert collected.command() == 0

    moved = [each for each in collected.pacs.log[asked:] if each.service == "C-MOVE"]
    assert [each.level for each in moved] == ["SERIES", "SERIES"]  # only what is missing
    assert len(collected.files()) == 10
    assert {each[3] for each in of_studies(collected).values()} == {"0"}
    counts = sorted(path.read_text() for path in collected.folder.rglob("count.txt"))
    assert counts == ["2\n", "4\n", "4\n"]


@pytest.mark.full
def test_verify_finds_the_study_short_once_the_rule_has_changed(left_out):
    collected = left_out()
    assert collected.run() == 0
    edit(collected, "not wanted", "not wanted yet")

    assert collected.command("verify", "--offline") == 1

    short = [row for row in verdicts(collected) if row[2] == "short"]
    assert len(short) == 2
    assert short[0][3] == "2 instances missing, 2 of them left out by an earlier layout"
    assert (short[0][4], len(json.loads(short[0][6]))) == (4, 2)
    assert collected.command() == 0
    assert collected.command("verify", "--offline") == 0


@pytest.mark.full
def test_what_was_stored_stays_although_it_would_be_left_out_now(left_out):
    collected = left_out()
    (collected.folder / "no_sr.py").write_text(LAYOUT.replace('"SR"', '"OT"'))
    assert collected.command() == 0
    edit(collected, '"OT"', '"SR"')
    collected.pacs.add(make_studies(1, seed=7, modalities=(("CT", "SR"),), instances=1))

    assert collected.command("find") == 0
    assert collected.command("move") == 0

    assert len(collected.files()) == 11
    assert {each[0] for each in of_studies(collected).values()} == {"complete"}


def test_a_study_that_is_left_out_as_a_whole_is_complete_with_nothing(left_out):
    reports = make_studies(1, modalities=(("SR",),), instances=3)
    collected = left_out({"modality: CT": "modality: SR"}, reports)

    assert collected.run() == 0
    assert collected.run() == 0

    assert list(of_studies(collected).values()) == [("complete", "0", "0", "3")]
    assert collected.files() == []


@pytest.mark.full
def test_a_count_without_a_list_is_met_without_what_was_left_out(faulty_pacs, collection):
    pacs = faulty_pacs(STUDIES, no_image_level=True)
    collected = collection(pacs, changes=WITH_LAYOUT)
    (collected.folder / "no_sr.py").write_text(LAYOUT)

    assert collected.run() == 0

    assert {each[:1] + each[3:] for each in of_studies(collected).values()} == {
        ("complete-by-count", "2"), ("complete-by-count", "0"),
    }  # fmt: skip


@pytest.mark.full
def test_a_folder_is_imported_without_what_is_left_out(left_out, tmp_path):
    folder = tmp_path / "import"
    write_studies(folder, STUDIES)
    changes = by("folder", **{"with": f"{{path: '{folder}'}}"})
    changes["    modality: CT\n"] = f"    use: folder\n    with: {{path: '{folder}'}}\n"
    collected = left_out(changes)
    without_port(collected)

    assert collected.run() == 0

    assert len(collected.files()) == 6
    assert {each[0] for each in of_studies(collected).values()} == {"complete"}
    assert collected.spooled() == []
    assert collected.run("verify") == 0
    edit(collected, WANTED, "if False:")
    assert collected.command() == 0
    assert len(collected.files()) == 10


def test_a_server_takes_what_it_leaves_out_and_keeps_nothing_of_it(server_collection, tmp_path):  # noqa: F811
    collected = server_collection
    for old, new in WITH_LAYOUT.items():
        collected.change(old, new)
    (collected.folder / "no_sr.py").write_text(LAYOUT)
    write_studies(tmp_path / "source", STUDIES[:1])
    paths = sorted((tmp_path / "source").rglob("*.dcm"))
    with serving(collected) as process:
        for _ in range(2):  # an instance that comes again is no fault
            assert {each.state for each in push(collected, *paths)} == {"sent"}
        until(lambda: collected.table.exists() and len(collected.rows()) == 2)
        code, said = stopped(process)

    assert code == 0
    assert f"2 x {reason(collected)}" in " ".join(said.split())
    assert collected.spooled() == []
    assert not (collected.state / "quarantine").exists()
    assert len(collected.files()) == 2
    with closing(sqlite3.connect(collected.state / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT verdict, left_out FROM studies").fetchall() == [
            ("unverifiable", 2)
        ]
