"""What is known of the instances on their way: who lists them, who asked, what was refused."""

from __future__ import annotations

import threading

import pytest

from pacsfw.api import Clock
from pacsfw.ledger.instances import Instance
from pacsfw.spool.records import Sealed
from pacsfw.spool.writer import Spool
from pacsfw.steps.move.arrivals import Arrivals, Inboxes


@pytest.fixture
def arrivals():
    return Arrivals(Clock(), patient_of={"1": "P", "2": "Q"}.get)


def arrived(arrivals, sop_uid, study_uid="1", message_id=None, state="stored"):
    sealed = Sealed(f"/spool/{sop_uid}.dcm", "", sop_uid, "", "PACS", "US", message_id, 1)
    instance = Instance(
        sop_uid=sop_uid, digest="", study_uid=study_uid, series_uid="", sop_class="", syntax="",
        size=1, path="", state=state,
    )  # fmt: skip
    arrivals.arrived([(sealed, instance, True)])


def test_an_instance_is_listed_by_every_tracked_study_that_expects_it(arrivals):
    for uid in ("1", "2"):
        arrivals.track(uid, frozenset())
        arrivals.expect(uid, frozenset({"9", f"{uid}.1"}))

    assert arrivals.listed("1.1") == (("1", "P"),)
    assert arrivals.listed("9") == (("1", "P"), ("2", "Q"))
    assert arrivals.listed("8") == ()


def test_what_a_study_still_lacks_remains_listed_after_it(arrivals):
    arrivals.track("1", frozenset())
    arrivals.expect("1", frozenset({"1.1", "1.2", "1.3"}))
    arrived(arrivals, "1.1")
    arrived(arrivals, "1.2", state="held")

    arrivals.untrack("1")

    there = (("1", "P"),)
    assert [arrivals.listed(uid) for uid in ("1.1", "1.2", "1.3")] == [(), there, there]


def test_what_an_earlier_run_did_not_get_is_listed_once(arrivals):
    arrivals.lacks("1", ["1.1"])
    arrivals.track("1", frozenset())
    arrivals.expect("1", frozenset({"1.1"}))

    assert arrivals.listed("1.1") == (("1", "P"),)


def test_a_request_runs_until_its_study_is_done(arrivals):
    inboxes = Inboxes(arrivals, None, "US", "PACS")
    for uid, number in (("1", 7), ("2", 8)):
        arrivals.track(uid, frozenset())
        inboxes.of(uid).originates(number)

    arrivals.untrack("1")

    assert [arrivals.is_running(number) for number in (7, 8)] == [False, True]


def test_instances_of_other_studies_that_came_by_a_request_are_counted(arrivals):
    arrivals.track("1", frozenset())
    arrivals.originates("1", 7)

    arrived(arrivals, "1.1", message_id=7)
    arrived(arrivals, "5.1", study_uid="5", message_id=7)
    arrived(arrivals, "5.2", study_uid="5", message_id=9)
    arrived(arrivals, "5.3", study_uid="5")

    assert arrivals.strayed("1") == 1


def test_refusals_are_told_once_each_and_not_without_end(arrivals):
    for number in range(60):
        arrivals.refused(f"an association: {number % 55}")
    later = Clock().monotonic()
    arrivals.refused("an association: 3")

    assert len(arrivals.refusals()) == 50
    assert arrivals.refusals(later) == ["we refused an association: 3"]


def test_instances_of_other_studies_that_a_transfer_pulls_are_counted(arrivals, tmp_path):
    records = []
    inbox = Inboxes(arrivals, Spool(tmp_path, records.append), "US", "PACS").of("1")
    arrivals.track("1", frozenset())
    for uid in ("1.1", "5.1"):
        inbox.create("1.2", uid, "1.2.840.10008.1.2.1").seal()

    for record, study_uid in zip([r for r in records if isinstance(r, Sealed)], "15", strict=True):
        instance = Instance(
            sop_uid=record.sop_uid, digest="", study_uid=study_uid, series_uid="", sop_class="",
            syntax="", size=1, path="", state="stored",
        )  # fmt: skip
        arrivals.arrived([(record, instance, True)])

    assert arrivals.strayed("1") == 1


def test_what_was_left_out_is_not_waited_for(arrivals):
    arrivals.track("1", frozenset({"1.1"}))
    arrivals.expect("1", frozenset({"1.1", "1.2"}))
    arrived(arrivals, "1.2", state="left-out")

    there = arrivals.settle("1", frozenset({"1.1", "1.2"}), 1000, threading.Event())

    assert there == {"1.1", "1.2"}
