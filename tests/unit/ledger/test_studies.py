"""The studies in the ledger: found, listed, requested, settled, and how fast that went."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pacsfw.api import Verdict
from pacsfw.ledger import Ledger
from unit.ledger.records import COMPLETE, NOW, instance, settle


def find(ledger: Ledger, *uids: str, query: str = "query", **attributes: str) -> int:
    """Have a search find these studies; return the search."""
    search = ledger.searches.begin(query, NOW).id
    for uid in uids:
        ledger.studies.add(uid, attributes, "find")
    ledger.searches.answered(search, [(0, uid) for uid in uids])
    return search


def answering(ledger: Ledger, search: int, *, only_new: bool) -> list[str]:
    return [study.uid for study in ledger.studies.answering(search, only_new=only_new)]


def test_a_study_is_new_once(ledger):
    assert ledger.studies.add("1.2", {"PatientID": "p"}, "find")
    assert not ledger.studies.add("1.2", {"PatientID": "q"}, "list")

    study = ledger.studies.get("1.2")
    assert study is not None
    assert (study.origin, study.patient_id) == ("find", "q")


def test_knowing_less_later_forgets_nothing(ledger):
    ledger.studies.add("1.2", {"PatientID": "p"}, "find")
    ledger.studies.add("1.2", {}, "unsolicited")

    study = ledger.studies.get("1.2")
    assert study is not None
    assert study.attributes == {"PatientID": "p"}


def test_only_selected_studies_that_are_not_complete_are_unfinished(ledger):
    for uid in ("1.1", "1.2", "1.3", "1.4"):
        ledger.studies.add(uid, {}, "find")
    ledger.studies.select(["1.1", "1.2", "1.3"])
    settle(ledger, "1.1")
    settle(ledger, "1.2", Verdict(state="short", reason="1 of 2 objects missing"))

    assert ledger.studies.unfinished() == ["1.2", "1.3"]
    assert ledger.studies.counts() == {"complete": 1, "short": 1, "pending": 1}
    assert ledger.studies.reasons() == [("short", "1 of 2 objects missing", 1)]


def test_a_row_taken_off_the_list_is_deselected(ledger):
    search = find(ledger, "1.1", "1.2")
    ledger.studies.mark_listed(search, only_new=True, only_patients=False)
    assert ledger.studies.deselected() == 0

    ledger.studies.select(["1.2"])

    assert ledger.studies.deselected() == 1
    assert ledger.studies.unfinished() == ["1.2"]


def test_the_verdict_comes_back_with_its_evidence(ledger):
    ledger.studies.add("1.2", {}, "find")
    verdict = Verdict(
        state="short", reason="r", expected=3, source="image-uids", missing=("1.2.1", "1.2.2")
    )
    settle(ledger, "1.2", verdict)

    study = ledger.studies.get("1.2")
    assert study is not None
    assert study.verdict == verdict


def test_the_studies_of_a_search_come_in_the_order_of_their_dates(ledger):
    for uid, day in (("1.1", "20200301"), ("1.2", ""), ("1.3", "20200101"), ("1.4", "20200101")):
        find(ledger, uid, StudyDate=day)

    assert answering(ledger, 1, only_new=False) == ["1.2", "1.3", "1.4", "1.1"]


def test_a_study_that_several_rows_of_a_cohort_match_comes_once(ledger):
    search = find(ledger, "1.1")
    ledger.searches.answered(search, [(3, "1.1"), (4, "1.1")])

    assert answering(ledger, search, only_new=False) == ["1.1"]


def test_a_study_is_new_to_the_list_until_it_was_listed_by_any_search(ledger):
    first = find(ledger, "1.1", "1.2")
    ledger.studies.mark_listed(first, only_new=True, only_patients=False)
    second = find(ledger, "1.2", "1.3", query="another")

    assert answering(ledger, second, only_new=True) == ["1.3"]
    assert answering(ledger, second, only_new=False) == ["1.2", "1.3"]


def test_listing_what_is_new_does_not_select_what_was_pruned(ledger):
    search = find(ledger, "1.1", "1.2")
    ledger.studies.mark_listed(search, only_new=True, only_patients=False)
    ledger.studies.select(["1.2"])
    find(ledger, "1.3")

    ledger.studies.mark_listed(search, only_new=True, only_patients=False)

    assert ledger.studies.unfinished() == ["1.2", "1.3"]


def test_a_list_written_anew_selects_all_of_its_search_and_nothing_else(ledger):
    first = find(ledger, "1.1", "1.2")
    ledger.studies.mark_listed(first, only_new=True, only_patients=False)
    ledger.studies.select([])
    second = find(ledger, "1.2", query="another")

    ledger.studies.mark_listed(second, only_new=False, only_patients=False)

    assert ledger.studies.unfinished() == ["1.2"]


def test_without_a_patient_id_a_study_is_not_listed_by_patient(ledger):
    search = find(ledger, "1.1", PatientID="p")
    find(ledger, "1.2")
    ledger.studies.add("1.3", {}, "find")  # of another search

    ledger.studies.mark_listed(search, only_new=True, only_patients=True)

    assert ledger.studies.without_patient(search) == 1
    assert answering(ledger, search, only_new=True) == ["1.2"]


def move(ledger: Ledger, uid: str, begin: float, end: float, size: int = 1000) -> None:
    """Have a study of one object requested and complete, in seconds after NOW."""
    ledger.studies.add(uid, {}, "find")
    ended = NOW + timedelta(seconds=end)
    ledger.instances.record(instance(f"{uid}.9", study_uid=uid, size=size), ended)
    ledger.studies.requested(uid, NOW + timedelta(seconds=begin))
    ledger.studies.settle(uid, COMPLETE, ended, {})


def test_before_anything_was_moved_there_is_no_rate(ledger):
    ledger.studies.add("1.2", {}, "find")
    ledger.instances.record(instance(), NOW)

    assert ledger.studies.rate() is None


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([(0, 10)], 10),
        ([(0, 10), (10, 20)], 20),
        ([(0, 10), (3600, 3610.5)], 20.5),
        ([(0, 10), (0, 10), (0, 10)], 10),
        ([(4, 14), (0, 10)], 14),
        ([(0, 30), (5, 10), (20, 25)], 30),
    ],
    ids=["one", "in turn", "a night between", "at once", "overlapping", "within another"],
)
def test_the_rate_is_by_the_clock_on_the_wall(ledger, spans, seconds):
    for number, (begin, end) in enumerate(spans, start=1):
        move(ledger, f"1.{number}", begin, end)

    assert ledger.studies.rate() == (1000 * len(spans), pytest.approx(seconds), len(spans))


def test_the_rate_is_that_of_complete_studies_and_of_stored_objects(ledger):
    move(ledger, "1.1", 0, 10)
    ledger.instances.record(instance("8.8", study_uid="1.1", state="quarantined"), NOW)
    move(ledger, "1.2", 100, 900)
    settle(ledger, "1.2", Verdict(state="short", reason="1 of 2 objects missing"))
    move(ledger, "1.3", 1000, 1001, size=0)

    assert ledger.studies.rate() == (1000, pytest.approx(10), 1)


def test_what_came_before_the_last_request_is_not_in_the_rate(ledger):
    move(ledger, "1.1", 0, 10)
    ledger.instances.record(
        instance("1.1.8", study_uid="1.1", size=5), NOW + timedelta(seconds=1001)
    )
    ledger.studies.requested("1.1", NOW + timedelta(seconds=1000))
    ledger.studies.settle("1.1", COMPLETE, NOW + timedelta(seconds=1002), {})

    assert ledger.studies.rate() == (5, pytest.approx(2), 1)


@pytest.mark.parametrize("first", ["unsolicited", "patient", "list"])
def test_a_study_that_was_known_before_it_was_found_is_found(ledger, first):
    ledger.studies.add("1.2", {}, first)
    search = find(ledger, "1.2", PatientID="p")

    assert answering(ledger, search, only_new=True) == ["1.2"]
    assert ledger.studies.origins() == {"find": 1}
