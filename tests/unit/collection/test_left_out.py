"""What was left out by a rule that has changed is missing again; by the same rule, it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pacsfw.api import StudySettled, Verdict
from pacsfw.collection.ingest import layout_of
from pacsfw.collection.left_out import follow_rule
from pacsfw.ledger.instances import Instance
from support.stored import NOW, configured_run

STUDY = "1.2"
COMPLETE = Verdict(state="complete", expected=3, stored=3, left_out=2, source="image-uids")
SHORT = replace(COMPLETE, state="short", reason="1 of 3 instances missing", missing=("1.2.9",))


def left_out(uid: str, **changes: Any) -> Instance:
    values = {
        "sop_uid": uid, "digest": uid, "study_uid": STUDY, "series_uid": "1.2.1", "sop_class": "",
        "syntax": "", "size": 1, "path": "", "state": "left-out", "rule": "an earlier one",
    }  # fmt: skip
    return Instance(**(values | changes))


@pytest.fixture
def run(ledger, tmp_path):
    """A run of a collection with one study, from which two instances were left out."""
    ledger.studies.add(STUDY, {}, "find", selected=True)
    for uid in ("1.2.3", "1.2.4"):
        ledger.instances.record(left_out(uid), NOW)
    events: list[Any] = []
    run = configured_run(ledger, tmp_path, events=events)
    return run, events


@pytest.mark.parametrize(
    ("before", "missing"),
    [(COMPLETE, ("1.2.3", "1.2.4")), (SHORT, ("1.2.3", "1.2.4", "1.2.9"))],
)
def test_a_study_is_short_of_what_another_rule_left_out(run, ledger, before, missing):
    run, events = run
    ledger.studies.settle(STUDY, before, NOW, {})
    for day in range(1, 4):
        at = NOW.replace(day=day)
        ledger.evidence.tried(STUDY, before.missing, f"run {day}", at)
    ledger.evidence.settle_trials(STUDY, before.missing)

    follow_rule(run)

    verdict = ledger.studies.get(STUDY).verdict
    assert (verdict.state, verdict.missing) == ("short", missing)
    assert (verdict.expected, verdict.left_out) == (5, 0)
    assert verdict.reason == (
        f"{len(missing)} instances missing, 2 of them left out by an earlier layout"
    )
    assert ledger.studies.unfinished() == [STUDY]  # although the others are given up
    assert [type(event) for event in events] == [StudySettled]
    assert not ledger.left_out.any()


def test_by_the_same_rule_they_stay_left_out(run, ledger):
    run, events = run
    ledger.left_out.take_back([])
    ledger.instances.record(left_out("1.2.3", rule=layout_of(run).digest), NOW)
    ledger.studies.settle(STUDY, COMPLETE, NOW, {})

    follow_rule(run)

    assert ledger.studies.get(STUDY).verdict.state == "complete"
    assert events == []
    assert ledger.left_out.any()


def test_a_study_that_cannot_be_verified_lacks_nothing_that_is_known(run, ledger):
    run, _ = run
    unverifiable = Verdict(state="unverifiable", reason="unsolicited", stored=1, left_out=2)
    ledger.studies.settle(STUDY, unverifiable, NOW, {})

    follow_rule(run)

    verdict = ledger.studies.get(STUDY).verdict
    assert (verdict.state, verdict.reason) == ("unverifiable", "unsolicited")
    assert (verdict.left_out, verdict.missing) == (0, ())
