"""What can be wrong around a collection: one clear message, the right exit code, no loss."""

from __future__ import annotations

import os
import socket
import sqlite3
from datetime import date

import pytest

from pacsfw.testing import awkward_studies, make_studies
from peers.process import free_port


@pytest.fixture
def pacs(embedded_pacs):
    return embedded_pacs(make_studies(2, days=14, modalities=(("CT",),), instances=2))


class Down:
    """A PACS that is not there."""

    def __init__(self):
        self.port = free_port()


def test_a_pacs_that_is_down_is_exit_4(collection, capsys):
    assert collection(Down()).run() == 4
    assert "refused: nothing listens there" in capsys.readouterr().err


def test_a_pacs_that_goes_down_before_the_move_is_exit_4(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run("find") == 0
    pacs.stop()

    assert collected.run("move") == 4
    assert "refused: nothing listens there" in capsys.readouterr().err


def test_a_wrong_called_ae_title_is_exit_4(pacs, collection, capsys):
    collected = collection(pacs, changes={"aetitle: theirtitle": "aetitle: WRONG"})

    assert collected.run() == 4
    assert "called AE title not recognized: check that WRONG" in capsys.readouterr().err


def test_echo_says_what_it_thinks(pacs, collection, capsys):
    assert collection(pacs).run("echo") == 0
    assert collection(pacs, changes={"theirtitle": "WRONG"}).run("echo") == 4
    assert collection(Down()).run("echo") == 4


@pytest.mark.parametrize("name", ["UNKNOWN", "DEAD"])
def test_a_destination_that_does_not_work_is_told(name, real_pacs, collection, tmp_path, capsys):
    studies = make_studies(1, modalities=(("CT",),))
    real_pacs.load(studies[0].write(tmp_path / "s"))
    destination = f"    dest_node:\n        aetitle: {name}\n        port: {free_port()}\n"
    collected = collection(real_pacs, changes={"net:\n": f"net:\n{destination}"})
    collected.change("query_level: STUDY\nnet", "query_level: STUDY\n    attempts: 1\nnet")

    assert collected.run() == 1

    output = capsys.readouterr().out
    assert "failed         1" in output
    assert any(code in output for code in ("A801", "A702", "C000"))


def test_a_port_in_use_is_exit_2(pacs, collection, receiver_port, capsys):
    with socket.create_server(("", receiver_port)):
        assert collection(pacs).run() == 2
    assert f"port {receiver_port} on every address is in use" in capsys.readouterr().err


def test_an_archive_that_cannot_be_made_is_exit_2(pacs, collection, capsys):
    collected = collection(pacs)
    (collected.folder / "my").write_text("a file where a folder should be")

    assert collected.run() == 2
    assert "storage.directory" in capsys.readouterr().err


def test_two_runs_at_a_time_are_refused(pacs, collection, capsys):
    from pacsfw.ledger import open_ledger

    collected = collection(pacs)
    ledger = open_ledger(collected.state)

    assert collected.run() == 2

    ledger.close()
    assert f"in use by another pacsfw (process {os.getpid()})" in capsys.readouterr().err


def test_a_work_list_that_does_not_exist_is_named(pacs, collection, capsys):
    assert collection(pacs).run("move") == 2
    assert "resources.csv: the study list does not exist" in capsys.readouterr().err


def test_a_broken_row_of_the_work_list_is_named(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run("find") == 0
    with collected.resources.open("a") as file:
        file.write(",,,not-a-uid,\n")

    assert collected.run("move") == 2
    assert "resources.csv:4: StudyInstanceUID: not a UID" in capsys.readouterr().err


def test_a_study_that_the_pacs_does_not_hold_fails_and_the_rest_goes_on(pacs, collection, capsys):
    collected = collection(pacs)
    assert collected.run("find") == 0
    with collected.resources.open("a") as file:
        file.write(",,,1.2.3.4,\n")
    collected.change("query_level: STUDY\nnet", "query_level: STUDY\n    attempts: 1\nnet")

    assert collected.run("move") == 1

    output = capsys.readouterr().out
    assert "complete       2" in output
    assert "the PACS lists no instance of it" in output


def test_awkward_identifiers_of_any_length_are_stored_apart(embedded_pacs, collection):
    studies = [study for study in awkward_studies().values() if study.study_date]
    # All are of one second: only a larger answer excludes a limit.
    others = make_studies(40, start=date(2021, 1, 1), days=100, seed=3)
    collected = collection(embedded_pacs([*studies, *others]))

    assert collected.run() == 0

    assert set(collected.objects()) == {uid for study in studies for uid in study.sop_uids}
    assert len(collected.rows()) == len(collected.files()) == 2 * len(studies)
    by_folder: dict[str, set[str]] = {}
    for path in collected.files():
        folder, study, *_ = path.split("/")
        by_folder.setdefault(folder, set()).add(study)
    assert by_folder.pop("%missing") == {s.uid for s in studies if not s.patient_id}
    assert all(len(found) == 1 for found in by_folder.values())
    assert sorted(path.name for path in collected.folder.iterdir()) == ["conf.yaml", "my"]
    assert sorted(path.name for path in (collected.folder / "my").iterdir()) == [
        "dicom", "resources.csv", "resources_meta.csv", "resources_meta_columns.csv",
        "resources_meta_errors.csv",
        "resources_studies.csv",
    ]  # fmt: skip


def test_a_failing_callback_leaves_its_cell_empty_and_is_counted(pacs, collection, capsys):
    collected = collection(pacs, changes={"      callback: str\n": "      callback: int\n"})

    assert collected.run() == 0

    assert {row["PatientName"] for row in collected.rows()} == {""}
    assert len(collected.rows()) == 4
    output = capsys.readouterr().out
    assert "cells left empty  4" in output
    assert "PatientName" in output


@pytest.mark.usefixtures("spawned")
def test_nothing_printed_or_logged_names_a_patient(embedded_pacs, collection, capfd, caplog):
    caplog.set_level(0)
    studies = make_studies(3, days=14, modalities=(("CT",),), instances=1, seed=77)
    pacs = embedded_pacs(studies)
    collected = collection(pacs, changes={"callback: str": "callback: int"})

    collected.run()
    collected.change('"20201212"', '"20201211"')
    collected.run("find")
    collected.run("status")

    shown = caplog.text + "".join(capfd.readouterr())
    for study in studies:
        assert study.patient_id not in shown
        assert study.patient_name.split("^")[0] not in shown


def test_what_is_written_is_private(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0

    for path in collected.archive.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert collected.table.stat().st_mode & 0o077 == 0


def test_every_question_is_kept_as_evidence(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0

    connection = sqlite3.connect(collected.state / "ledger.sqlite")
    rows = connection.execute("SELECT slice, whole, status, ended, rows FROM questions").fetchall()
    connection.close()

    # One day more at both ends; what follows are the parts, for the proof.
    assert "20191231-20201213" in rows[0][0]
    assert rows[0][1:] == (1, 0, "0000: Success", 2)
    assert len(rows) > 1
    assert {row[1:4] for row in rows} == {(1, 0, "0000: Success")}
