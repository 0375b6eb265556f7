"""From criteria to studies: what is asked, what is believed, what is asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pacsfw.api import QueryResult
from pacsfw.config import Filter
from pacsfw.errors import RemoteError
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.matches import TooMany
from support.archive import SUCCESS, Archive, looked_for, study


def criteria(**changes):
    values = {
        "start": date(2020, 1, 1),
        "end": date(2020, 12, 12),
        "modality": "CT",
        "search_fields": ("StudyInstanceUID", "AccessionNumber"),
    }
    return Criteria(**(values | changes))


class WithSeries(Archive):
    """Its studies have series, by study; the modalities of a study are not returned."""

    series: dict[str, list[dict[str, str]]]
    complete = True

    def put(self, question, emit):
        if question.level == "STUDY":
            return super().put(question, emit)
        from pacsfw.api import QueryRow

        self.asked.append(question)
        for row in self.series[question.match["StudyInstanceUID"]]:
            emit(QueryRow(row))
        return (
            SUCCESS
            if self.complete
            else QueryResult(complete=False, status_text="FE00", status=0xFE00)
        )


def with_series(*modalities, **of_study):
    archive = WithSeries([study(ModalitiesInStudy="", **of_study)])
    archive.series = {"1.2": [{"SeriesInstanceUID": "1", "Modality": m} for m in modalities]}
    return archive


def test_one_query_asks_for_the_range_without_modality_or_names(tmp_path):
    archive = Archive([study()])

    assert looked_for(archive, criteria(), tmp_path).uids == {"1.2"}
    (asked,) = archive.asked
    assert asked.level == "STUDY"
    assert asked.match == {"StudyDate": "20191231-20201213"}
    assert {"AccessionNumber", "ModalitiesInStudy", "PatientID"} <= set(asked.returns)


def test_a_single_day_is_asked_as_a_single_value(tmp_path):
    archive = Archive([])

    looked_for(archive, criteria(end=date(2020, 1, 1)), tmp_path)

    assert archive.asked[0].match == {"StudyDate": "20200101"}


@pytest.mark.parametrize(
    ("modalities", "wanted", "found"),
    [("CT", "CT", True), ("MR\\CT", "CT", True), ("MR", "CT", False), ("MR", "", True)],
)
def test_the_modality_is_matched_here(tmp_path, modalities, wanted, found):
    archive = Archive([study(ModalitiesInStudy=modalities)])

    assert bool(looked_for(archive, criteria(modality=wanted), tmp_path).uids) is found


@pytest.mark.parametrize("day", ["", "20191230", "20201214"])
def test_a_study_outside_the_range_is_left_out_whatever_the_pacs_says(tmp_path, day):
    archive = Archive([study(StudyDate=day)], ignores=frozenset({"StudyDate"}))

    came = looked_for(archive, criteria(), tmp_path)

    assert came.uids == frozenset()
    assert len(came.notes) == 1


@pytest.mark.parametrize("odd", ["0095.07.24", "2020", "20201399", "00000000", "2020.06.15"])
def test_a_date_that_no_query_finds_for_certain_is_told_of(tmp_path, odd):
    archive = Archive([study(), study("1.3", StudyDate=odd)], ignores=frozenset({"StudyDate"}))

    came = looked_for(archive, criteria(), tmp_path)

    assert any("no query is certain to find all such studies" in note for note in came.notes)


def test_studies_that_capitals_kept_from_matching_are_told_of(tmp_path):
    rows = [study(f"1.{n}", StudyDescription=text) for n, text in enumerate(["CHEST", "chest"])]
    wanted = replace(criteria(), filters=(Filter(keyword="StudyDescription", wanted=("*chest*",)),))

    came = looked_for(Archive(rows), wanted, tmp_path)

    assert came.uids == {"1.1"}
    (note,) = came.notes
    assert "studies that only case or accents decide: 1; `ignore_case: true`" in note


def test_a_modality_that_is_not_returned_is_asked_of_the_series(tmp_path):
    archive = with_series("SR", "CT", "CT")

    assert looked_for(archive, criteria(), tmp_path).uids == {"1.2"}
    assert archive.asked[1].level == "SERIES"
    assert archive.asked[1].match == {"StudyInstanceUID": "1.2"}
    assert looked_for(with_series("SR"), criteria(), tmp_path / "SR").uids == frozenset()


def test_a_study_whose_series_are_not_answered_whole_is_kept_and_reported(tmp_path):
    archive = with_series("SR")
    archive.complete = False

    came = looked_for(archive, criteria(), tmp_path)

    assert came.uids == {"1.2"}
    assert "could not be read completely: 1" in came.problems[0]


def test_a_study_without_a_usable_uid_is_reported(tmp_path):
    came = looked_for(Archive([study(), study("1.2.x")]), criteria(), tmp_path)

    assert came.uids == {"1.2"}
    assert came.problems == (
        "studies with an invalid StudyInstanceUID, which cannot be requested: 1",
    )


def test_filters_are_applied_here_to_studies_and_to_series(tmp_path):
    rows = [study("1.1", StudyDescription="CHEST"), study("1.2", StudyDescription="KNEE")]
    chest = criteria(filters=(Filter(keyword="StudyDescription", wanted=("*CHEST*",)),))

    assert looked_for(Archive(rows), chest, tmp_path / "study").uids == {"1.1"}

    archive = with_series("CT")
    archive.series["1.2"][0]["BodyPartExamined"] = "KNEE"
    knee = criteria(filters=(Filter(keyword="BodyPartExamined", wanted=("KNEE",)),))
    assert looked_for(archive, knee, tmp_path / "series").uids == {"1.2"}
    assert "BodyPartExamined" in archive.asked[1].returns
    assert "BodyPartExamined" not in archive.asked[0].returns


def test_a_filter_by_what_the_pacs_never_returns_is_reported(tmp_path):
    wanted = criteria(filters=(Filter(keyword="StudyDescription", unwanted=("*PHANTOM*",)),))

    came = looked_for(Archive([study()]), wanted, tmp_path)

    assert came.uids == {"1.2"}
    (problem,) = came.problems
    assert problem.startswith("find.filters.StudyDescription: the PACS returns no StudyDescr")


def test_more_studies_than_allowed_stop_the_search(tmp_path):
    archive = Archive([study(f"1.{number}") for number in range(9)])

    with pytest.raises(TooMany, match=r"find.max_studies: more than 5 studies match"):
        looked_for(archive, criteria(max_studies=5), tmp_path)
    assert len(looked_for(archive, criteria(max_studies=9), tmp_path).uids) == 9


def test_each_row_of_a_cohort_is_one_question(tmp_path):
    rows = [study(f"1.{n}", AccessionNumber=f"A{n}", PatientID="P") for n in range(9)]
    members = [
        Member(1, "c.csv:2", {"AccessionNumber": "A3"}),
        Member(2, "c.csv:3", {"StudyInstanceUID": "1.5"}),
        Member(3, "c.csv:4", {"AccessionNumber": "A77"}),
        Member(4, "c.csv:5", {"AccessionNumber": "A3"}, duplicate_of=1),
    ]
    archive = Archive(rows)
    wanted = criteria(start=None, end=None, members=members, has_cohort=True)

    came = looked_for(archive, wanted, tmp_path)

    assert came.uids == {"1.3", "1.5"}
    assert len(archive.asked) == 3


@pytest.mark.parametrize("ignored", ["AccessionNumber", "PatientID"])
def test_every_row_of_a_cohort_is_answered_by_an_archive_that_ignores_its_keys(tmp_path, ignored):
    """Each question brings the studies of all rows: what one does not mean, another may."""
    rows = [study(f"1.{n}", AccessionNumber=f"A{n}", PatientID=f"P{n}") for n in range(9)]
    members = [Member(n + 1, f"c.csv:{n + 2}", {ignored: f"{ignored[0]}{n}"}) for n in range(4)]
    wanted = criteria(members=members, has_cohort=True)

    came = looked_for(Archive(rows, ignores=frozenset({ignored})), wanted, tmp_path)

    assert came.uids == {"1.0", "1.1", "1.2", "1.3"}


@pytest.mark.parametrize(
    "other", [{"StudyDate": "20190101"}, {"PatientID": "P2"}, {"ModalitiesInStudy": "MR"}]
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_study_of_several_rows_is_found_if_one_of_them_is_meant(tmp_path, other, turned):
    rows = [study("1.1", PatientID="P1"), study("1.1", **({"PatientID": "P1"} | other))]
    wanted = criteria(filters=(Filter(keyword="PatientID", wanted=("P1",)),))
    archive = Archive(rows[::-1] if turned else rows, ignores=frozenset({"StudyDate", "PatientID"}))

    assert looked_for(archive, wanted, tmp_path).uids == {"1.1"}


def test_a_patient_root_archive_is_asked_patient_by_patient(tmp_path):
    rows = [study(f"1.{n}", PatientID=f"P{n % 4}") for n in range(9)]
    archive = Archive(rows)

    came = looked_for(archive, criteria(), tmp_path, requires_patient_id=True)

    assert len(came.uids) == 9
    below = [asked for asked in archive.asked if asked.level != "PATIENT"]
    assert {asked.match["PatientID"] for asked in below} == {"P0", "P1", "P2", "P3"}


def test_patients_are_enumerated_once_and_asked_for_if_the_row_means_them(tmp_path):
    rows = [study(f"1.{n}", PatientID=f"{'PQ'[n % 2]}{n}") for n in range(6)]
    archive = Archive(rows)
    members = [
        Member(1, "c.csv:2", {"PatientID": "P*"}),
        Member(2, "c.csv:3", {"StudyInstanceUID": "1.1"}),
    ]
    wanted = criteria(start=None, end=None, members=members, has_cohort=True)

    came = looked_for(archive, wanted, tmp_path, requires_patient_id=True)

    assert came.uids == {"1.0", "1.1", "1.2", "1.4"}
    below = [asked.match for asked in archive.asked if asked.level == "STUDY"]
    assert not any("*" in match["PatientID"] for match in below)
    first = {match["PatientID"] for match in below if "StudyInstanceUID" not in match}
    assert first == {"P0", "P2", "P4"}
    enumerations = [a.match for a in archive.asked if a.level == "PATIENT" and not a.match]
    assert len(enumerations) == 1


def test_patients_without_an_id_cannot_be_asked_for_and_are_named(tmp_path):
    archive = Archive([study("1.1"), study("1.2", PatientID="")])

    came = looked_for(archive, criteria(), tmp_path, requires_patient_id=True)

    assert came.uids == {"1.1"}
    assert any(reason.endswith("backslash): 1") for _, reason in came.unproven)


def test_an_answer_that_breaks_off_twice_without_a_row_ends_the_search(tmp_path):
    class Silent(Archive):
        def put(self, question, emit):
            return QueryResult(complete=False, status_text="no response within 300 s")

    with pytest.raises(RemoteError, match="no response within 300 s; check"):
        looked_for(Silent([]), criteria(), tmp_path)
