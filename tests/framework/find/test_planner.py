"""From criteria to studies: what is asked, what is believed, what is asked again."""

from __future__ import annotations

from datetime import date

import pytest

from pacsfw.api import Answer, Clock, Found
from pacsfw.errors import RemoteError
from pacsfw.find.planner import Criteria, Planner

WHOLE = Answer(whole=True, ended="0000: Success", status=0)


def criteria(**changes):
    values = {
        "start": date(2020, 1, 1),
        "end": date(2020, 12, 12),
        "modality": "CT",
        "search_fields": ("StudyInstanceUID", "AccessionNumber"),
    }
    return Criteria(**(values | changes))


def study(uid="1.2", **attributes):
    values = {"StudyInstanceUID": uid, "StudyDate": "20200615", "ModalitiesInStudy": "CT"}
    return Found(values | attributes)


class Script:
    """Answers as told, and remembers what was asked."""

    def __init__(self, *answers):
        self.answers, self.asked, self.evidence = list(answers), [], []

    def __call__(self, slice_):
        self.asked.append(slice_)
        return self.answers.pop(0)

    def find(self, wanted):
        planner = Planner(self, lambda *evidence: self.evidence.append(evidence), Clock())
        return [found["StudyInstanceUID"] for found in planner.studies(wanted)]


def test_one_query_covers_the_range_without_modality_or_names():
    script = Script((WHOLE, [study()]))

    assert script.find(criteria()) == ["1.2"]
    (asked,) = script.asked
    assert asked.level == "STUDY"
    assert asked.match == {"StudyDate": "20200101-20201212"}
    assert {"AccessionNumber", "ModalitiesInStudy", "PatientID"} <= set(asked.returns)


def test_a_single_day_is_asked_as_a_single_value():
    script = Script((WHOLE, []))

    script.find(criteria(end=date(2020, 1, 1)))

    assert script.asked[0].match == {"StudyDate": "20200101"}


def test_the_same_study_twice_counts_once():
    assert Script((WHOLE, [study(), study()])).find(criteria()) == ["1.2"]


@pytest.mark.parametrize(
    ("modalities", "wanted", "matches"),
    [("CT", "CT", True), ("MR\\CT", "CT", True), ("MR", "CT", False), ("MR", "", True)],
)
def test_the_modality_is_matched_here(modalities, wanted, matches):
    script = Script((WHOLE, [study(ModalitiesInStudy=modalities)]))

    assert bool(script.find(criteria(modality=wanted))) is matches


@pytest.mark.parametrize("day", ["", "20191231", "20201213"])
def test_a_study_outside_the_range_is_dropped_whatever_the_pacs_says(day):
    assert Script((WHOLE, [study(StudyDate=day)])).find(criteria()) == []


def test_a_modality_that_is_not_returned_is_asked_of_the_series():
    rows = [Found({"SeriesInstanceUID": "1", "Modality": m}) for m in ("SR", "CT", "CT")]
    script = Script((WHOLE, [study(ModalitiesInStudy="")]), (WHOLE, rows))

    assert script.find(criteria()) == ["1.2"]
    assert script.asked[1].level == "SERIES"
    assert script.asked[1].match == {"StudyInstanceUID": "1.2"}


@pytest.mark.parametrize("level", ["STUDY", "SERIES"])
def test_an_answer_that_is_not_whole_proves_nothing(level):
    cut = Answer(whole=False, ended="FE00: Cancel", status=0xFE00)
    answers = [(WHOLE, [study(ModalitiesInStudy="")]), (cut, [])]
    script = Script(*(answers if level == "SERIES" else [(cut, [study()])]))

    with pytest.raises(RemoteError, match=rf"whole answer at {level} level: FE00: Cancel"):
        script.find(criteria())
    assert script.evidence[-1][1] is cut


def test_a_study_without_a_usable_uid_is_an_error():
    with pytest.raises(RemoteError, match="StudyInstanceUID is not a UID"):
        Script((WHOLE, [study(uid="")])).find(criteria())
