"""Reading storage.resources: pruned and added rows are obeyed, broken ones are errors."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from pacsfw.api import QueryResult, QueryRow
from pacsfw.errors import ConfigError, RemoteError
from pacsfw.steps.move.selection import select
from pacsfw_plugins.tables.csv import CsvSink

WHOLE = QueryResult(complete=True, status_text="0000: Success", status=0)


@pytest.fixture
def read(tmp_path, ledger):
    def read(text, level="STUDY", answers=()):
        path = tmp_path / "resources.csv"
        path.write_text(text, encoding="utf-8")
        script = iter(answers)
        pacs = SimpleNamespace(ask=lambda query: next(script))
        return select(CsvSink(str(path)), level, ledger, pacs)

    return read


def test_the_order_of_the_list_is_kept(ledger, read):
    assert read("StudyInstanceUID\n1.3\n1.1\n1.2\n1.1\n").uids == ["1.3", "1.1", "1.2"]
    assert set(ledger.studies.unfinished()) == {"1.1", "1.2", "1.3"}


def test_a_pruned_row_is_not_requested(ledger, read):
    ledger.studies.add("1.1", {}, "find")
    ledger.studies.add("1.2", {}, "find")
    search = ledger.searches.begin("query", datetime(2026, 1, 2, tzinfo=UTC)).id
    ledger.searches.answered(search, [(0, "1.1"), (0, "1.2")])
    ledger.studies.mark_listed(search, only_new=False, only_patients=False)

    assert read("StudyInstanceUID\n1.2\n").uids == ["1.2"]
    assert ledger.studies.unfinished() == ["1.2"]
    assert ledger.studies.deselected() == 1


def test_an_added_row_is_requested_and_known_as_such(ledger, read):
    read("StudyInstanceUID,PatientID\n 1.2 ,p\n")

    study = ledger.studies.get("1.2")
    assert study is not None
    assert (study.origin, study.patient_id) == ("list", "p")


def test_every_row_that_names_no_study_is_reported_at_once(read):
    with pytest.raises(ConfigError) as error:
        read("StudyInstanceUID,n\n1.2,a\nabc,b\n,c\n1.2.3,d\n")

    assert [problem.partition(": ")[0] for problem in error.value.problems] == [
        "resources.csv:3",
        "resources.csv:4",
    ]


def test_an_empty_list_moves_nothing(read):
    assert read("StudyInstanceUID\n").uids == []


def test_a_list_of_patients_moves_what_find_found_of_them(ledger, read):
    ledger.studies.add("1.1", {"PatientID": "a"}, "find")
    ledger.studies.add("1.2", {"PatientID": "b"}, "find")
    ledger.studies.add("1.3", {"PatientID": "a"}, "find")

    assert read("PatientID\na\n").uids == ["1.1", "1.3"]


def test_a_patient_without_known_studies_is_a_problem_without_the_id(read):
    (problem,) = read("PatientID\nsecret\n").problems

    assert "patient 1 of the study list" in problem
    assert "secret" not in problem


def test_moving_a_patient_expands_to_all_studies_and_names_those_outside(ledger, read):
    ledger.studies.add("1.1", {"PatientID": "a*"}, "find")
    rows = [
        QueryRow({"StudyInstanceUID": "1.1", "PatientID": "a*"}),
        QueryRow({"StudyInstanceUID": "1.2", "PatientID": "a*"}),
        QueryRow({"StudyInstanceUID": "1.9", "PatientID": "abc"}),
    ]

    selection = read("PatientID\na*\n", "PATIENT", [(WHOLE, rows)])

    assert selection.uids == ["1.1", "1.2"]
    assert "outside the find criteria, also moved: 1" in selection.notes[0]
    assert "1.2" in selection.notes[0]


def test_a_patient_that_cannot_be_asked_whole_is_an_error(read):
    cut = QueryResult(complete=False, status_text="A700: Refused", status=0xA700)

    with pytest.raises(RemoteError, match="A700: Refused"):
        read("PatientID\na\n", "PATIENT", [(cut, [])])


def test_a_row_without_patient_is_an_error_at_patient_level(read):
    with pytest.raises(ConfigError, match=r"resources\.csv:3: PatientID: is empty or missing"):
        read("PatientID,n\na,1\n,2\n", "PATIENT")
