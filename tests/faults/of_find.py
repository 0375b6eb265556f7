"""PACS that answer queries in odd ways: the studies are found, and no word about them is false."""

from __future__ import annotations

from collections.abc import Sequence

from faults.scenarios import IN_ALL_DATES, ONLY_PUSHED, Scenario
from pacsfw.testing import Study, make_studies

OPTIONAL = frozenset({"ModalitiesInStudy", "NumberOfStudyRelatedInstances"})
COUNTS = frozenset({"NumberOfStudyRelatedInstances", "NumberOfSeriesRelatedInstances"})
IN_THE_FUTURE = {'    end_date: "20201212"\n': '    end_date: "20991231"\n'}


def spread(count: int = 6) -> list[Study]:
    """Studies on different days of a year."""
    return make_studies(count, days=300, modalities=(("CT", "CT"),), instances=1)


def with_odd_dates() -> list[Study]:
    """Studies of which two have no valid date."""
    odd = {"patient_id": "ODD", "patient_name": "Odd^Date", "instances": 1}
    return [
        *spread(4),
        Study(number=80, study_date="20201399", **odd),
        Study(number=81, study_date="", **odd),
    ]


SCENARIOS: Sequence[Scenario] = (
    Scenario("the last row comes with the success", {"last_with_success": True}, studies=spread()),
    Scenario(
        "the last row comes with the success, behind a limit",
        {"last_with_success": True, "cap": 3},
        studies=spread(9),
    ),
    Scenario("only single days find studies", {"longest_range": 1}, studies=spread()),
    Scenario("only ranges of a week find studies", {"longest_range": 7}, studies=spread()),
    Scenario("only ranges of a month find studies", {"longest_range": 31}, studies=spread()),
    Scenario(
        "only ranges of a month, and a limit", {"longest_range": 31, "cap": 3}, studies=spread(9)
    ),
    Scenario("every answer warns with 0001", {"warn": 0x0001}, "complete", 1),
    Scenario("every answer warns with 0107", {"warn": 0x0107}, "complete", 1),
    Scenario("every answer warns with B000", {"warn": 0xB000}, "complete", 1),
    Scenario(
        "a limit that is a warning", {"cap": 3, "warn": 0xB000}, "complete", 1,
        studies=spread(9), transfers=ONLY_PUSHED,
    ),
    Scenario("optional keys are refused and named", {"refuse_keys": OPTIONAL}),
    Scenario("optional keys are refused", {"refuse_keys": OPTIONAL, "unnamed": True}),
    Scenario("counts are refused", {"refuse_keys": COUNTS, "unnamed": True}),
    Scenario(
        "keys are refused, behind a limit", {"refuse_keys": OPTIONAL, "cap": 3}, studies=spread(9)
    ),
    Scenario(
        "some undated studies, and odd dates",
        {"open_ranges": True, "some_undated": True},
        code=1,
        changes=IN_ALL_DATES,
        studies=with_odd_dates(),
    ),
    Scenario(
        "undated studies, and odd dates", code=1, changes=IN_ALL_DATES, studies=with_odd_dates()
    ),
    Scenario("a range into the future, twice", changes=IN_THE_FUTURE, runs=2),
)  # fmt: skip
