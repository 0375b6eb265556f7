"""Searches in the ledger: going on with one, what it found, and what stays unproven."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from pacsfw.errors import StateError
from pacsfw.ledger import open_existing, open_ledger
from pacsfw.ledger.schema import STEPS
from pacsfw.ledger.searches import PLAN, STALE

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def rows_of(ledger, table):
    with ledger._database.reading() as connection:
        return connection.execute(f"SELECT search FROM {table} ORDER BY 1").fetchall()


def test_a_new_search_knows_nothing(ledger):
    begun = ledger.searches.begin("q", NOW)

    assert (begun.query, begun.started_at, begun.finished_at) == ("q", NOW, None)
    assert (begun.largest, begun.cut, begun.problems, begun.notes) == (0, False, (), ())
    assert ledger.searches.settled(begun.id) == {}
    assert ledger.searches.found(begun.id) == 0


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=1), STALE - MOMENT])
def test_a_search_that_was_interrupted_within_a_day_goes_on(tmp_path, later):
    ledger = open_ledger(tmp_path)
    begun = ledger.searches.begin("q", NOW)
    ledger.searches.learned(begun.id, largest=120, cut=True)
    ledger.searches.settle(begun.id, "r1", "proven")
    ledger.close()

    again = open_ledger(tmp_path)
    resumed = again.searches.begin("q", NOW + later)

    assert (resumed.id, resumed.started_at) == (begun.id, NOW)
    assert (resumed.largest, resumed.cut) == (120, True)
    assert again.searches.settled(resumed.id) == {"r1": ("proven", "")}
    again.close()


def test_one_that_was_interrupted_longer_ago_begins_anew(ledger):
    stale = ledger.searches.begin("q", NOW)
    ledger.searches.learned(stale.id, largest=120, cut=True)
    ledger.searches.settle(stale.id, "r1", "proven")

    begun = ledger.searches.begin("q", NOW + STALE)

    assert begun.id != stale.id
    assert (begun.started_at, begun.largest, begun.cut) == (NOW + STALE, 0, False)
    assert ledger.searches.settled(begun.id) == {}


def test_a_finished_search_is_not_gone_on_with(ledger):
    done = ledger.searches.begin("q", NOW)
    ledger.searches.finish(done, NOW)

    assert ledger.searches.begin("q", NOW + MOMENT).id != done.id


def test_a_search_of_another_query_is_not_gone_on_with(ledger):
    first = ledger.searches.begin("q", NOW)
    second = ledger.searches.begin("another", NOW)

    assert second.id != first.id
    assert ledger.searches.begin("q", NOW).id == first.id


def test_finishing_forgets_the_earlier_searches_of_the_query_and_all_that_hangs_on_them(ledger):
    ledger.studies.add("1.2", {}, "find")
    earlier = ledger.searches.begin("q", NOW)
    other = ledger.searches.begin("another", NOW)
    later = ledger.searches.begin("q", NOW + STALE)
    for each in (earlier, other, later):
        ledger.searches.settle(each.id, "r1", "proven")
        ledger.searches.answered(each.id, [(0, "1.2")])

    ledger.searches.finish(later, NOW + STALE)

    kept = [(other.id,), (later.id,)]
    assert [tuple(row) for row in rows_of(ledger, "regions")] == kept
    assert [tuple(row) for row in rows_of(ledger, "answers")] == kept
    assert ledger.searches.get(later.id).finished_at == NOW + STALE
    assert ledger.searches.get(other.id).finished_at is None
    assert ledger.searches.last("q").id == later.id
    assert ledger.studies.get("1.2") is not None


def test_finishing_forgets_no_later_search(ledger):
    earlier = ledger.searches.begin("q", NOW)
    later = ledger.searches.begin("q", NOW + STALE)

    ledger.searches.finish(earlier, NOW)

    assert ledger.searches.last("q") == later


def test_the_last_search_of_a_query_is_the_one_begun_last(ledger):
    assert ledger.searches.last("q") is None
    ledger.searches.begin("q", NOW)
    later = ledger.searches.begin("q", NOW + STALE)
    ledger.searches.begin("another", NOW + STALE)

    assert ledger.searches.last("q") == later


def test_a_plan_is_not_the_last_search_of_a_collection(ledger):
    plan = ledger.searches.begin(f"{PLAN}q", NOW)
    assert ledger.searches.last() is None

    listed = ledger.searches.begin("q", NOW)
    ledger.searches.finish(ledger.searches.begin(f"{PLAN}q", NOW), NOW)
    ledger.searches.begin(f"{PLAN}another", NOW)

    assert ledger.searches.last() == listed
    assert ledger.searches.last(f"{PLAN}q").id == plan.id


def test_finishing_a_plan_leaves_the_search_of_its_query_alone(ledger):
    listed = ledger.searches.begin("q", NOW)
    ledger.searches.finish(ledger.searches.begin(f"{PLAN}q", NOW), NOW)

    assert ledger.searches.begin("q", NOW) == listed


def test_remarks_are_added_to_what_is_known_and_none_is_repeated(ledger):
    begun = ledger.searches.begin("q", NOW)
    ledger.searches.remark(begun.id, problems=["p1"], notes=["n1"])
    ledger.searches.remark(begun.id, problems=["p2", "p1"], notes=iter(["n1", "n2"]))
    ledger.searches.remark(begun.id, problems=[])

    now = ledger.searches.get(begun.id)
    assert (now.problems, now.notes) == (("p1", "p2"), ("n1", "n2"))


def test_what_is_not_proven_is_named_unless_it_is_part_of_something_named(ledger):
    begun = ledger.searches.begin("q", NOW)
    other = ledger.searches.begin("another", NOW)
    ledger.searches.settle(begun.id, "r3", "unproven", "A700: out of resources")
    ledger.searches.settle(begun.id, "r1", "unproven", "it cannot be divided further")
    ledger.searches.settle(begun.id, "r2", "unproven")
    ledger.searches.settle(begun.id, "r4", "proven")
    ledger.searches.settle(begun.id, "r5", "divided", '{"parts": []}')
    ledger.searches.settle(other.id, "r6", "unproven", "of another search")

    assert ledger.searches.unproven(begun.id) == [
        ("r1", "it cannot be divided further"),
        ("r3", "A700: out of resources"),
    ]


def test_a_region_has_one_state_the_latest(ledger):
    begun = ledger.searches.begin("q", NOW)
    ledger.searches.settle(begun.id, "r1", "divided", '{"parts": ["r2"]}')
    ledger.searches.settle(begun.id, "r1", "unproven", "why")
    assert ledger.searches.settled(begun.id) == {"r1": ("unproven", "why")}

    ledger.searches.settle(begun.id, "r1", "proven")
    assert ledger.searches.settled(begun.id) == {"r1": ("proven", "")}
    assert ledger.searches.unproven(begun.id) == []


def test_an_unsettled_region_is_as_if_never_asked(ledger):
    begun = ledger.searches.begin("q", NOW)
    other = ledger.searches.begin("another", NOW)
    for each in (begun, other):
        ledger.searches.settle(each.id, "r1", "proven")

    ledger.searches.unsettle(begun.id, "r1")

    assert ledger.searches.settled(begun.id) == {}
    assert ledger.searches.settled(other.id) == {"r1": ("proven", "")}


def test_the_studies_of_a_search_are_counted_and_named_once_each(ledger):
    begun = ledger.searches.begin("q", NOW)
    other = ledger.searches.begin("another", NOW)
    ledger.searches.answered(begun.id, [(1, "1.1"), (2, "1.1"), (2, "1.2")])
    ledger.searches.answered(begun.id, [(2, "1.2")])
    ledger.searches.answered(other.id, [(0, "1.3")])

    assert ledger.searches.found(begun.id) == 2
    assert ledger.searches.uids(begun.id) == {"1.1", "1.2"}


def test_the_rows_of_a_cohort_come_in_their_order_with_what_they_matched(ledger):
    for uid, patient in (("1.1", "a"), ("1.2", "b"), ("1.3", "c")):
        ledger.studies.add(uid, {"PatientID": patient}, "find")
    begun = ledger.searches.begin("q", NOW)
    other = ledger.searches.begin("another", NOW)
    ledger.searches.answered(begun.id, [(11, "1.1"), (2, "1.2"), (2, "1.1")])
    ledger.searches.answered(other.id, [(1, "1.3")])

    assert list(ledger.searches.matched(begun.id)) == [
        (2, {"PatientID": "a"}),
        (2, {"PatientID": "b"}),
        (11, {"PatientID": "a"}),
    ]


# --- a ledger that was written before there were searches -------------------------------------


@pytest.fixture
def old(tmp_path):
    """The state folder of a collection whose ledger is of version 1."""
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.executescript(STEPS[0])
    connection.executescript(
        """
        PRAGMA user_version = 1;
        INSERT INTO facts VALUES ('layout', 'x');
        INSERT INTO questions (query, slice, whole, status, ended, rows, seconds, asked_at)
            VALUES ('q', '{}', 1, 0, '0000: Success', 2, 0.5, '2026-01-02T03:04:05+00:00');
        INSERT INTO studies (study_uid, patient_id, attributes, origin, listed, selected, state,
                             verdict)
            VALUES ('1.1', 'p', '{"PatientID": "p"}', 'find', 1, 1, 'settled', 'complete'),
                   ('1.2', 'p', '{"PatientID": "p"}', 'find', 1, 0, 'found', NULL);
        INSERT INTO instances (sop_uid, digest, study_uid, series_uid, sop_class, syntax, size,
                               path, state, reason, calling_ae, received_at, row)
            VALUES ('1.1.1', 'd', '1.1', '1.1.9', 'c', 's', 10, 'p/1.dcm', 'stored', '', 'AE',
                    '2026-01-02T03:04:05+00:00', '["a"]');
        INSERT INTO deliveries VALUES ('csv', '1.1', 3);
        """
    )
    connection.close()
    return tmp_path


@pytest.mark.parametrize("opened", [open_ledger, open_existing])
def test_an_older_ledger_keeps_what_it_knows(old, opened):
    ledger = opened(old)

    assert ledger.get_value("layout") == "x"
    assert ledger.studies.counts() == {"complete": 1}
    assert ledger.studies.deselected() == 1
    assert ledger.studies.get("1.1").attributes == {"PatientID": "p"}
    assert ledger.instances.totals() == (1, 10)
    assert ledger.deliveries.version("csv", "1.1") == 3
    with ledger._database.reading() as connection:
        (question,) = connection.execute("SELECT * FROM questions").fetchall()
    assert (question["query"], question["rows"], question["level"]) == ("q", 2, "STUDY")
    assert question["search"] is None
    assert ledger.searches.last() is None
    ledger.close()


def test_an_older_ledger_takes_searches_and_opens_again(old):
    ledger = open_ledger(old)
    begun = ledger.searches.begin("q", NOW)
    ledger.searches.answered(begun.id, [(0, "1.1")])
    ledger.close()

    again = open_ledger(old)

    assert again.searches.uids(begun.id) == {"1.1"}
    assert [study.uid for study in again.studies.answering(begun.id, only_new=False)] == ["1.1"]
    assert again.questions.counts(begun.id) == {}
    again.close()


def test_a_step_that_fails_leaves_the_older_ledger_as_it_was(old):
    connection = sqlite3.connect(old / "ledger.sqlite")
    connection.execute("CREATE TABLE answers (somebody_elses TEXT)")
    connection.close()

    with pytest.raises(StateError, match="not a usable ledger: table answers already exists"):
        open_ledger(old)

    connection = sqlite3.connect(old / "ledger.sqlite")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
    assert "studies" in tables
    assert "searches" not in tables
