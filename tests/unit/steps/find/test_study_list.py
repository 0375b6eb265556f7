"""Writing storage.resources: new studies are added, people's changes stay."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest

from pacsfw.steps.find import study_list
from pacsfw_plugins.tables.csv import CsvSink

FIELDS = ("StudyInstanceUID", "PatientID")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def write(tmp_path, ledger):
    path = tmp_path / "lists" / "resources.csv"

    def write(level="STUDY", query="query"):
        search = ledger.searches.begin(query, NOW).id
        study_list.write(CsvSink(str(path)), ledger, search, level, FIELDS, exists=path.exists())
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    write.path = path
    return write


def find(ledger, uid, day="20200101", query="query", **attributes):
    values = {"PatientID": "p", "PatientName": "A^B", "StudyDate": day, "ModalitiesInStudy": "CT"}
    ledger.studies.add(uid, {"StudyInstanceUID": uid, **values, **attributes}, "find")
    search = ledger.searches.begin(query, NOW).id
    ledger.searches.answered(search, [(0, uid)])
    return search


def uids(rows):
    return [row["StudyInstanceUID"] for row in rows]


def test_the_documented_columns_come_first(ledger, write):
    find(ledger, "1.2", ModalitiesInStudy="CT\\SR")

    (row,) = write()

    assert list(row.items()) == [
        ("Modality", "CT\\SR"),
        ("PatientName", "A^B"),
        ("StudyDate", "20200101"),
        ("StudyInstanceUID", "1.2"),
        ("PatientID", "p"),
    ]


def test_an_empty_result_is_an_empty_list(write):
    assert write() == []
    assert write.path.read_text().startswith("Modality,PatientName,StudyDate,")


def test_rows_are_ordered_by_date(ledger, write):
    for uid, day in (("1.3", "20200301"), ("1.1", "20200201"), ("1.2", "20200101")):
        find(ledger, uid, day)

    assert uids(write()) == ["1.2", "1.1", "1.3"]


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_rows_are_written_in_pieces_and_none_is_lost(ledger, write, monkeypatch, kept):
    monkeypatch.setattr(study_list, "ROWS_AT_A_TIME", 2)
    expected = [f"1.{number}" for number in range(1, 6)]
    for uid in expected[:kept]:
        find(ledger, uid)
    assert uids(write()) == expected[:kept]
    for uid in expected[kept:]:
        find(ledger, uid)

    assert uids(write()) == expected


def test_nothing_is_listed_twice(ledger, write):
    find(ledger, "1.2")
    write()

    assert uids(write()) == ["1.2"]


def test_a_list_to_which_nothing_is_added_is_not_touched(ledger, write):
    find(ledger, "1.2")
    write()
    write.path.write_text("\ufeffPatientID;StudyInstanceUID\r\n\r\n'p';1.2\r\n", newline="")
    before = (write.path.stat().st_ino, write.path.read_bytes())

    write()

    assert (write.path.stat().st_ino, write.path.read_bytes()) == before


def test_a_row_that_was_removed_stays_removed(ledger, write):
    find(ledger, "1.1")
    find(ledger, "1.2")
    write()
    lines = write.path.read_text().splitlines(keepends=True)
    write.path.write_text(lines[0] + lines[2])
    find(ledger, "1.3")

    assert uids(write()) == ["1.2", "1.3"]


def test_a_row_that_was_removed_is_not_brought_back_by_another_query(ledger, write):
    find(ledger, "1.1")
    find(ledger, "1.2")
    write()
    lines = write.path.read_text().splitlines(keepends=True)
    write.path.write_text(lines[0] + lines[2])
    find(ledger, "1.1", query="another")
    find(ledger, "1.3", query="another")

    assert uids(write(query="another")) == ["1.2", "1.3"]


def test_a_row_and_a_column_that_people_added_stay(ledger, write):
    find(ledger, "1.1")
    write()
    write.path.write_text("StudyInstanceUID;group\n1.1;a\n9.9;b\n")
    find(ledger, "1.2")

    rows = write()

    assert [(row["StudyInstanceUID"], row["group"]) for row in rows] == [
        ("1.1", "a"),
        ("9.9", "b"),
        ("1.2", ""),
    ]


def test_a_study_that_people_listed_before_it_was_found_is_listed_once(ledger, write):
    write()
    write.path.write_text("StudyInstanceUID\n1.2\n")
    find(ledger, "1.2")

    assert uids(write()) == ["1.2"]
    assert ledger.studies.unfinished() == ["1.2"]


def test_a_list_that_was_deleted_is_written_again(ledger, write):
    find(ledger, "1.1")
    write()
    write.path.unlink()

    assert uids(write()) == ["1.1"]


def test_a_list_that_was_deleted_holds_what_the_query_found_and_no_more(ledger, write):
    find(ledger, "1.1")
    find(ledger, "1.2")
    write()
    write.path.unlink()
    find(ledger, "1.2", query="narrower")

    assert uids(write(query="narrower")) == ["1.2"]


def test_at_patient_level_there_is_one_row_per_patient(ledger, write):
    find(ledger, "1.1", "20200101", PatientID="a")
    find(ledger, "1.2", "20200202", PatientID="a", ModalitiesInStudy="MR")
    find(ledger, "1.3", "20200303", PatientID="b")

    rows = write("PATIENT")

    assert [(row["PatientID"], row["StudyDate"], row["Modality"]) for row in rows] == [
        ("a", "20200101\\20200202", "CT\\MR"),
        ("b", "20200303", "CT"),
    ]


def test_studies_without_a_patient_id_cannot_be_listed_by_patient(ledger, write):
    search = find(ledger, "1.1", PatientID="")

    assert write("PATIENT") == []
    assert ledger.studies.without_patient(search) == 1
    assert ledger.studies.deselected() == 0
