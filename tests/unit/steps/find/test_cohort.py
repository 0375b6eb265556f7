"""Cohorts: reading the rows, judging what became of each, and writing that down."""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path

import pytest

from pacsfw.api import Profile
from pacsfw.errors import ConfigError, StateError
from pacsfw.steps.find.cohort import (
    Member,
    Outcome,
    accepts,
    judge,
    match_keys,
    write_outcomes,
)
from pacsfw.steps.find.cohort import (
    read as read_rows,
)
from pacsfw_plugins.cohorts._text import TextCohort


def read(path: Path) -> list[Member]:
    return read_rows(TextCohort(str(path)).rows())


def write(folder: Path, content: str | bytes, name: str = "cohort.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(folder: Path, content: str | bytes, name: str = "cohort.csv") -> list[str]:
    path = write(folder, content, name)
    with pytest.raises(ConfigError) as caught:
        read(path)
    return list(caught.value.problems)


def member(**keys: str) -> Member:
    return Member(1, "cohort.csv:2", keys)


# reading


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_as_people_save_it_is_understood(
    tmp_path: Path, mark: str, end: str, delimiter: str
) -> None:
    lines = ['PatientID,"StudyDate"', '"00,12",2020-01-31', "", "34,"]
    text = mark + end.join(lines)
    if delimiter != ",":
        text = text.replace("00,12", "00|12").replace(",", delimiter).replace("|", ",")
    assert read(write(tmp_path, text)) == [
        Member(1, "cohort.csv:2", {"PatientID": "00,12", "StudyDate": "20200131"}),
        Member(2, "cohort.csv:4", {"PatientID": "34"}),
    ]


def test_columns_are_keywords_in_any_case_and_others_are_ignored_on_request(tmp_path: Path) -> None:
    text = "_remark,patientid, StudyInstanceUID ,#\nx,7,1.2.3,y\n"
    assert [each.keys for each in read(write(tmp_path, text))] == [
        {"PatientID": "7", "StudyInstanceUID": "1.2.3"}
    ]


def test_jsonl_has_texts_whole_numbers_and_nothing(tmp_path: Path) -> None:
    text = '{"PatientID": 12, "StudyDate": null, "_note": [1]}\r\n\n{"patientname": "Müller^Ä*"}\n'
    assert read(write(tmp_path, text, "c.jsonl")) == [
        Member(1, "c.jsonl:1", {"PatientID": "12"}),
        Member(2, "c.jsonl:3", {"PatientName": "Müller^Ä*"}),
    ]


def test_a_row_over_several_lines_is_where_it_begins(tmp_path: Path) -> None:
    rows = read(write(tmp_path, 'PatientID,_note\n1,"a\nb"\n2,c\n'))
    assert [each.where for each in rows] == ["cohort.csv:2", "cohort.csv:4"]


def test_a_row_that_was_there_before_is_marked(tmp_path: Path) -> None:
    text = "PatientID,StudyDate,_x\n1,20200101,a\n2,,b\n 1,2020-01-01,c\n1,20200101,d\n1,,e\n"
    assert [each.duplicate_of for each in read(write(tmp_path, text))] == [0, 0, 1, 1, 0]


def test_every_bad_row_is_listed_and_no_value_is_shown(tmp_path: Path) -> None:
    text = """\
PatientID,StudyInstanceUID,StudyDate,PatientName
secret,1.2.x,,
,,,
secret,,20200231,SECRET^*
secret
"se
cret",,,
1,1.2,20200101-20200131,Ok
secret,1.2*,*,*
"""
    lines = refusal(tmp_path, text)
    assert lines == [
        (
            "cohort.csv:2: StudyInstanceUID is not a UID (at most 64 digits and dots; UIDs have "
            "no wildcards)"
        ),
        "cohort.csv:3: every cell is empty",
        "cohort.csv:4: StudyDate contains a day that does not exist",
        "cohort.csv:5: has 1 cells where the header names 4 columns",
        "cohort.csv:6: PatientID contains a control character",
        (
            "cohort.csv:9: StudyInstanceUID is not a UID (at most 64 digits and dots; UIDs have "
            "no wildcards)"
        ),
        (
            "cohort.csv:9: StudyDate is not a date or a range of dates (YYYYMMDD, "
            "YYYYMMDD-YYYYMMDD, YYYYMMDD- or -YYYYMMDD; dates have no wildcards)"
        ),
        "cohort.csv:9: PatientName is only a wildcard; leave the cell empty",
    ]
    assert "secret" not in "".join(lines).lower()


def test_every_bad_line_of_a_jsonl_is_listed(tmp_path: Path) -> None:
    text = """\
{"PatientID": 1.5}
{}
nope
["PatientID", "1"]
{"PatientID": "1", "Ward": "x"}
{"PatientID": "1", "Ward": "y"}
{"PatientID": "1", "PATIENTID": "2"}
{"PatientID": true}
"""
    assert refusal(tmp_path, text, "c.ndjson") == [
        "c.ndjson:1: PatientID is neither a text nor a whole number",
        "c.ndjson:2: every cell is empty",
        "c.ndjson:3: is not JSON",
        "c.ndjson:4: is not a JSON object",
        (
            "c.ndjson:5: column 2: 'Ward' is not a DICOM keyword of patients or studies; to ignore "
            "a column, let its name begin with _"
        ),
        "c.ndjson:7: the column 'PatientID' occurs twice",
        "c.ndjson:8: PatientID is neither a text nor a whole number",
    ]


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    text = "PatientID,StudyInstanceUIDs,Modality,,PatientID\n1,1.2,CT,,1\n"
    assert [line.partition(";")[0] for line in refusal(tmp_path, text)] == [
        (
            "cohort.csv:1: column 2: 'StudyInstanceUIDs' is not a DICOM keyword of patients or "
            "studies (did you mean 'StudyInstanceUID'?)"
        ),
        (
            "cohort.csv:1: column 3: 'Modality' is not a DICOM keyword of patients or "
            "studies (did you mean 'ModalitiesInStudy'?)"
        ),
        "cohort.csv:1: column 4: '' is not a DICOM keyword of patients or studies",
        "cohort.csv:1: the column 'PatientID' occurs twice",
    ]


def test_a_file_without_a_header_does_not_show_its_first_row(tmp_path: Path) -> None:
    lines = refusal(tmp_path, "Doe^John,1.2.840.1\nRoe^Jane,1.2.840.2\n")
    assert len(lines) == 2
    assert all(line.startswith("cohort.csv:1: column") for line in lines)
    assert not any(word in "".join(lines) for word in ("Doe", "840"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"PatientID\n1\nM\xfcller\n", "cohort.csv:3: is not UTF-8 text; save the file as UTF-8"),
        (
            "PatientID\n1\n".encode("utf-16"),
            "cohort.csv:1: is not UTF-8 text; save the file as UTF-8",
        ),
        (b'PatientID\n1\n"2', "cohort.csv:3: is not CSV: unexpected end of data"),
        (b'PatientID\n"1"2\n', "cohort.csv:2: is not CSV: ',' expected after '\"'"),
        (
            b"_a,#b\n1,2\n",
            "cohort.csv:1: no column name is a DICOM keyword of patients or studies",
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, line: str) -> None:
    assert refusal(tmp_path, content) == [line]


@pytest.mark.parametrize("content", ["", "\n\n", "PatientID\n", "PatientID\n\n\n"])
def test_a_cohort_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    assert refusal(tmp_path, content) == ["find.cohort: has no row"]


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "cohort.csv")


def test_a_pipe_is_refused_and_nobody_waits_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cohort.csv")
    with pytest.raises(ConfigError, match="cannot be read: not a regular file"):
        read(tmp_path / "cohort.csv")


def test_a_header_of_endless_length_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "P" * 200_000) == [
        "cohort.csv:1: is not CSV: field larger than field limit (131072)"
    ]


def test_large_cohorts_are_read(tmp_path: Path) -> None:
    count = 20_000
    lines = (f"{number:06},1.2.{number}" for number in range(count))
    rows = read(write(tmp_path, "PatientID,StudyInstanceUID\n" + "\n".join(lines)))
    assert len(rows) == count
    assert rows[-1] == Member(
        count, f"cohort.csv:{count + 1}", {"PatientID": "019999", "StudyInstanceUID": "1.2.19999"}
    )


# asking and judging


def test_what_is_sent_of_a_row_follows_the_rules_of_filters() -> None:
    row = member(
        PatientID="7",
        AccessionNumber="Ä1",
        PatientName="DOE*",
        StudyDate="20200101",
        PatientSex="F",
    )
    assert match_keys(row, Profile()) == {"PatientID": "7"}
    assert match_keys(row, Profile(before_limit=frozenset({"PatientSex"}))) == {
        "PatientID": "7",
        "PatientSex": "F",
    }
    assert match_keys(member(PatientName="DOE^JOHN"), Profile(folds_case=True)) == {}


def test_a_study_is_meant_if_every_key_matches() -> None:
    row = member(PatientName="muller^*", StudyDate="20200101-20200131", PatientID="a1")
    study = {"PatientName": "MÜLLER^Änne^^", "StudyDate": "20200115", "PatientID": "a1"}
    assert accepts(row, study)
    assert not accepts(row, {**study, "PatientID": "A1"})
    assert not accepts(row, {**study, "StudyDate": ""})
    assert not accepts(row, {"PatientName": "MÜLLER^Änne", "PatientID": "a1"})


def study(number: int, patient: str = "P") -> dict[str, str]:
    return {"StudyInstanceUID": f"1.2.{number}", "PatientID": patient}


def test_a_row_without_a_study_is_missing() -> None:
    assert judge(member(PatientID="P"), []).fate == "missing"


def test_a_patient_may_have_many_studies() -> None:
    outcome = judge(member(PatientID="P"), [study(1), study(2), study(1)])
    assert (outcome.fate, outcome.uids) == ("found", ("1.2.1", "1.2.2"))


@pytest.mark.parametrize(
    ("row", "studies", "fate"),
    [
        (member(AccessionNumber="A"), [study(1)], "found"),
        (member(AccessionNumber="A"), [study(1), study(2)], "ambiguous"),
        (member(AccessionNumber="A*"), [study(1), study(2)], "found"),
        (member(AccessionNumber="A", PatientID="P"), [study(1), study(2)], "ambiguous"),
        (member(StudyInstanceUID="1.2.1"), [study(1), study(1)], "found"),
        (member(PatientName="DOE*"), [study(1), study(2)], "found"),
        (member(PatientName="DOE*"), [study(1), study(2, "Q")], "ambiguous"),
        (member(PatientName="DOE*"), [study(1, "P "), study(2, "P")], "found"),
        (member(PatientID="P*"), [study(1, "P1"), study(2, "P2")], "ambiguous"),
        (member(PatientID="P"), [study(1, "P"), study(2, "Q\\P")], "found"),
    ],
)
def test_a_row_that_names_one_thing_and_finds_several_is_ambiguous(
    row: Member, studies: list[dict[str, str]], fate: str
) -> None:
    outcome = judge(row, studies)
    assert outcome.fate == fate
    assert set(outcome.uids) == {each["StudyInstanceUID"] for each in studies}


def test_a_duplicate_row_is_one_whatever_was_found() -> None:
    outcome = judge(Member(5, "c.csv:6", {"PatientID": "P"}, duplicate_of=2), [study(1)])
    assert (outcome.fate, outcome.uids) == ("duplicate", ())
    assert outcome.in_words == "duplicate of row 2"


# writing


def test_outcomes_are_one_line_per_row_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "resources_cohort.csv"
    path.write_text("older and longer than what comes now, " * 20)
    path.chmod(0o644)
    rows = [Member(number, f"c.csv:{number + 1}", {}, int(number == 4)) for number in range(1, 5)]
    write_outcomes(
        path,
        [
            Outcome(rows[0], "found", ("1.2.1",)),
            Outcome(rows[1], "ambiguous", ("1.2.1", "1.2.2")),
            Outcome(rows[2], "missing"),
            judge(rows[3], []),
        ],
    )
    assert path.read_text().splitlines() == [
        "row,line,outcome,studies,StudyInstanceUID",
        "1,c.csv:2,found,1,1.2.1",
        "2,c.csv:3,ambiguous,2,1.2.1\\1.2.2",
        "3,c.csv:4,missing,0,",
        "4,c.csv:5,duplicate of row 1,0,",
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_outcomes_that_cannot_be_written_are_an_error_and_leave_nothing(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(StateError, match="taken: cannot be written"):
        write_outcomes(path, [Outcome(member(PatientID="P"), "missing")])
    assert list(tmp_path.iterdir()) == [path]


def test_odd_file_names_survive_in_the_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_outcomes(path, [Outcome(Member(1, 'a,"b.csv:2', {}), "missing")])
    with path.open(newline="") as file:
        assert next(iter(csv.DictReader(file)))["line"] == 'a,"b.csv:2'
