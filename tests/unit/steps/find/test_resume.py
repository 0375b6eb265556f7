"""A search that was killed: whatever it had seen, the next run knows."""

from __future__ import annotations

import shutil
from datetime import date

import pytest

from pacsfw.config import Filter
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.matches import TooMany
from support.archive import Archive, looked_for, study
from support.selection import quick

YEAR = date(2020, 1, 1), date(2020, 12, 31)


def criteria(**changes):
    values = {"start": YEAR[0], "end": YEAR[1], "modality": "", "search_fields": ()}
    return Criteria(**(values | changes))


def studies(count, **changes):
    return [
        study(f"1.{n}", StudyDate=f"2020{n % 12 + 1:02}{n % 3 + 1:02}", **changes)
        for n in range(count)
    ]


def undisturbed_and_killed(folder, wanted, rows, **kind):
    """Search once, and once more from what every question found in the state folder."""
    states = []

    def keep(number):
        states.append(folder / f"killed{number}")
        shutil.copytree(folder / "state", states[-1])

    whole = looked_for(Archive(rows, before=keep, **kind), wanted, folder / "state")
    assert len(states) > 1
    return whole, [looked_for(Archive(rows, **kind), wanted, state) for state in states]


@pytest.mark.parametrize("cap_status", [0x0000, 0xFE00])
@pytest.mark.parametrize("undated", quick([False, True], True))
def test_it_finds_and_says_the_same_wherever_it_was_killed(tmp_path, cap_status, undated):
    rows = [*studies(12), *(study(f"2.{n}", StudyDate="") for n in range(2))]
    wanted = criteria(undated=undated)

    whole, killed = undisturbed_and_killed(tmp_path, wanted, rows, cap=5, cap_status=cap_status)

    assert {came.uids for came in killed} == {whole.uids}
    assert {bool(came.unproven) for came in killed} == {bool(whole.unproven)}


def test_what_was_wrong_before_the_kill_is_still_reported(tmp_path):
    rows = [*studies(12), study("1.2.x", StudyDate="20200101"), study("2.1", StudyDate="")]
    filters = (Filter(keyword="StudyDescription", unwanted=("*PHANTOM*",)),)

    whole, killed = undisturbed_and_killed(
        tmp_path, criteria(filters=filters, undated=True), rows, cap=5
    )

    assert len(whole.problems) == 2
    assert any("without a StudyDate" in note for note in whole.notes)
    for came in killed:
        assert [problem.split(":")[0] for problem in came.problems] == [
            problem.split(":")[0] for problem in whole.problems
        ]
        assert len(came.notes) == len(whole.notes)


def test_more_studies_than_allowed_are_too_many_in_the_next_run_too(tmp_path):
    rows = studies(6)
    wanted = criteria(max_studies=5)
    for _ in range(2):
        with pytest.raises(TooMany, match="more than 5 studies match"):
            looked_for(Archive(rows), wanted, tmp_path)


@pytest.mark.parametrize("cap", [None, 5])
def test_a_row_whose_key_is_ignored_is_not_forgotten(tmp_path, cap):
    """Only a wider question can answer it, and the kill may come before that was put."""
    rows = [
        study(f"1.{n}", AccessionNumber=f"A{n}", StudyDate=f"2020{n + 1:02}01") for n in range(9)
    ]
    wanted = criteria(members=[Member(1, "c.csv:2", {"AccessionNumber": "A8"})], has_cohort=True)

    whole, killed = undisturbed_and_killed(
        tmp_path, wanted, rows, cap=cap, ignores=frozenset({"AccessionNumber"})
    )

    assert whole.uids == {"1.8"}
    assert {came.uids for came in killed} == {whole.uids}
    assert {bool(came.unproven) for came in killed} == {bool(whole.unproven)}
