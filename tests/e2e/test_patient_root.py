"""A PACS without the Study Root model: its patients lead to their studies, and to the instances."""

from __future__ import annotations

import re

import pytest

from pacsfw.testing import make_studies, write_studies
from peers.dcmqrscp import Dcmqrscp

ROOT = {"find:\n": "find:\n    with: {root: patient}\n"}
UNPROVEN = "a limit might hide studies whose PatientID is empty"


def by(use, **more):
    options = "".join(f"    with: {{{key}: {value}}}\n" for key, value in more.items())
    return {
        "    query_level: STUDY\nnet:": f"    query_level: STUDY\n    use: {use}\n{options}net:"
    }


@pytest.fixture(scope="module")
def studies():
    return make_studies(4, days=100, modalities=(("CT", "CT"),), instances=2)


@pytest.fixture(scope="module")
def patient_root(tmp_path_factory, destinations, studies):
    folder = tmp_path_factory.mktemp("patient-root")
    pacs = Dcmqrscp(folder, "theirtitle", destinations, "--no-study-root")
    pacs.start()
    pacs.load(write_studies(folder / "source", studies))
    yield pacs
    pacs.stop()


@pytest.mark.parametrize("use", ["cmove", "cget"])
def test_patient_root_alone_is_enough(use, patient_root, studies, collection, capsys):
    collected = collection(patient_root, changes=by(use))

    collected.run()

    shown = capsys.readouterr().out
    assert len(collected.files()) == sum(len(study.sop_uids) for study in studies)
    assert re.search(r"^complete +4$", shown, re.MULTILINE)
    # So few patients: a limit of exactly this size cannot be ruled out.
    assert UNPROVEN in shown
    assert collected.run("verify") == 0


def test_patient_root_may_be_chosen(dcmqrscp, studies, collection, tmp_path, capsys):
    dcmqrscp.load(write_studies(tmp_path, studies))
    collected = collection(dcmqrscp, changes=ROOT | by("cmove", root="patient"))

    collected.run()

    assert re.search(r"^complete +4$", capsys.readouterr().out, re.MULTILINE)
    assert collected.run("verify") == 0


@pytest.mark.parametrize("use", ["cmove", "cget"])
def test_a_study_list_without_patients_is_no_help_there(use, patient_root, collection, capsys):
    collected = collection(patient_root, changes=by(use))
    collected.run("find")
    rows = collected.listed()
    collected.resources.write_text(
        "StudyInstanceUID\n" + "".join(f"{row['StudyInstanceUID']}.1\n" for row in rows[:1])
    )

    assert collected.run("move") == 1
    assert "the study list has no PatientID for this study" in capsys.readouterr().out
