"""A search that reaches beyond the moment of asking is never done: the next run asks for more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from pacsfw.api import Clock, Profile
from pacsfw.ledger import open_ledger
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.search import answered_at, search
from pacsfw.steps.find.validity import valid_until
from support.archive import Archive, study
from support.run import make_run

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


class At(Clock):
    """A clock that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def criteria(**changes):
    values = {"start": date(2026, 1, 1), "end": date(2026, 12, 31), "modality": ""}
    return Criteria(**({"search_fields": ()} | values | changes))


@pytest.fixture
def ledger(tmp_path):
    opened = open_ledger(tmp_path)
    yield opened
    opened.close()


def searched(ledger, archive, wanted, now, *, only_new=True):
    run = make_run(ledger, clock=At(now))
    begun = search(run, wanted, "query", archive, Profile(), only_new=only_new)
    ledger.searches.finish(begun, now, valid_until(wanted, begun.started_at))
    return ledger.searches.get(begun.id)


@pytest.mark.parametrize(
    ("end", "until"),
    [
        (date(2026, 6, 12), None),
        (date(2026, 6, 13), None),
        (date(2026, 6, 14), date(2026, 6, 13)),
        (date(2026, 6, 15), date(2026, 6, 13)),
        (date(2026, 12, 31), date(2026, 6, 13)),
    ],
)
def test_a_proof_is_for_good_if_all_its_days_were_over_for_a_day(end, until):
    assert valid_until(criteria(end=end), NOON) == until


@pytest.mark.parametrize(
    ("keys", "until"),
    [
        ({"AccessionNumber": "A1"}, None),
        ({"StudyInstanceUID": "1.2"}, None),
        ({"PatientID": "P1", "StudyDate": "20260101"}, None),
        ({"PatientID": "P1", "StudyDate": "20260601-20260615"}, date(2026, 6, 13)),
        ({"PatientID": "P1"}, date(2026, 6, 13)),
    ],
)
def test_a_cohort_without_dates_is_done_if_no_later_study_can_have_its_keys(keys, until):
    members = [Member(1, "c.csv:2", keys)]
    wanted = criteria(start=None, end=None, members=members, has_cohort=True)

    assert valid_until(wanted, NOON) == until


def test_what_comes_after_a_search_is_found_by_the_next_one_and_only_that_is_asked_for(ledger):
    rows = [study(f"1.{n}", StudyDate=f"202603{n + 1:02}") for n in range(20)]
    archive = Archive(rows)
    first = searched(ledger, archive, criteria(), NOON)
    assert (ledger.searches.found(first.id), first.valid_until) == (20, date(2026, 6, 13))
    assert answered_at("query", ledger) is None
    archive.rows = [*rows, study("2.1", StudyDate="20260616"), study("2.2", StudyDate="20260614")]
    archive.asked.clear()

    second = searched(ledger, archive, criteria(), NOON + timedelta(days=2))

    assert ledger.searches.found(second.id) == 22
    assert ledger.searches.is_proven(second)
    assert second.notes[0] == "new since the search of 2026-06-15: 2 studies"
    assert archive.asked[0].match["StudyDate"] == "20260613-20270101"


def test_a_search_that_was_not_proven_is_repeated_as_a_whole(ledger):
    archive = Archive([study(StudyDate="20260301")], warns=0xB000)
    searched(ledger, archive, criteria(), NOON)
    archive.asked.clear()

    searched(ledger, archive, criteria(), NOON + timedelta(days=2))

    assert archive.asked[0].match["StudyDate"] == "20251231-20270101"


def test_find_itself_searches_everything_again(ledger):
    archive = Archive([study(StudyDate="20260301")])
    searched(ledger, archive, criteria(), NOON)
    archive.asked.clear()

    searched(ledger, archive, criteria(), NOON + timedelta(days=2), only_new=False)

    assert archive.asked[0].match["StudyDate"] == "20251231-20270101"


def test_once_its_last_day_is_over_a_search_is_not_repeated(ledger):
    archive = Archive([study(StudyDate="20260301")])
    searched(ledger, archive, criteria(), NOON)

    last = searched(ledger, archive, criteria(), datetime(2027, 1, 2, 1, tzinfo=UTC))

    assert last.valid_until is None
    assert answered_at("query", ledger) is not None
    assert not any("new since" in note for note in last.notes)
