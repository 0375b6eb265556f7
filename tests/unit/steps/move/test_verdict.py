"""Verdicts: what may be called complete, and what is said otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.api import Outcome
from pacsfw.steps.move.expected import Expectation
from pacsfw.steps.move.verdict import judge

DONE = Outcome(status=0, status_text="0000: Success", completed=2, failed=0, warning=0)
FAILED = Outcome(
    status=0xA702, status_text="A702: Refused: out of resources", completed=0, failed=2
)
REFUSED = Outcome(status=0xA702, status_text="A702: Refused: out of resources")
NOTHING = frozenset()


def uids(*names):
    return frozenset(names)


def by_uid(*names):
    return Expectation("image-uids", uids(*names), len(names))


@pytest.mark.parametrize(
    ("expectation", "stored", "quarantined", "outcome", "state", "reason"),
    [
        (by_uid("a", "b"), uids("a", "b"), NOTHING, DONE, "complete", ""),
        (by_uid("a", "b"), uids("a", "b"), NOTHING, None, "complete", ""),
        (by_uid("a", "b"), uids("a", "b"), NOTHING, FAILED, "complete", ""),
        (by_uid("a", "b"), uids("a"), NOTHING, DONE, "short", "1 of 2 instances missing"),
        (by_uid("a", "b"), uids("a"), uids("b"), DONE, "short",
         "1 of 2 instances missing; 1 of them in quarantine"),
        (by_uid("a", "b"), uids("a"), NOTHING, FAILED, "short",
         "1 of 2 instances missing; A702: Refused: out of resources"),
        (by_uid("a", "b"), uids("a", "c"), NOTHING, DONE, "short", "1 of 2 instances missing"),
        (by_uid("a"), uids("a", "c"), NOTHING, DONE, "over",
         "instances that the PACS does not list: 1"),
        (by_uid("a", "b"), NOTHING, NOTHING, DONE, "failed",
         "the PACS reported success and sent nothing"),
        (by_uid("a", "b"), NOTHING, NOTHING, FAILED, "failed", "A702: Refused: out of resources"),
        (by_uid(), NOTHING, NOTHING, DONE, "failed", "the PACS lists no instance of it"),
        (Expectation("instance-count", None, 2), uids("a", "b"), NOTHING, DONE,
         "complete-by-count", ""),
        (Expectation("instance-count", None, 3), uids("a", "b"), NOTHING, DONE, "short",
         "1 of 3 instances missing"),
        (Expectation("instance-count", None, 1), uids("a", "b"), NOTHING, DONE, "over",
         "instances that the PACS does not list: 1"),
        (Expectation(), uids("a", "b"), NOTHING, DONE, "complete-by-count", ""),
        (Expectation(), uids("a"), NOTHING, DONE, "short", "1 of 2 instances missing"),
        (Expectation(), uids("a"), NOTHING, FAILED, "unverifiable",
         ("the PACS does not report how many instances the study has; "
          "A702: Refused: out of resources")),
        (Expectation(), NOTHING, NOTHING,
         Outcome(status=0, status_text="0000: Success", completed=0),
         "failed", "nothing arrived, and the expected number is unknown"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_evidence(
    expectation, stored, quarantined, outcome, state, reason
):
    verdict = judge(expectation, stored, quarantined, outcome)

    assert (verdict.state, verdict.reason) == (state, reason)


def test_the_missing_are_listed():
    verdict = judge(by_uid("a", "b", "c"), uids("b"), NOTHING, DONE)

    assert verdict.missing == ("a", "c")
    assert (verdict.expected, verdict.stored, verdict.source) == (3, 1, "image-uids")


SETS = st.frozensets(st.sampled_from("abcdef"))


@given(expected=SETS, stored=SETS, quarantined=SETS, outcome=st.sampled_from([None, DONE, REFUSED]))
def test_complete_means_exactly_the_expected_objects_are_stored(
    expected, stored, quarantined, outcome
):
    verdict = judge(
        Expectation("image-uids", expected, len(expected)), stored, quarantined, outcome
    )

    assert (verdict.state == "complete") == (expected == stored and bool(expected))


def test_a_list_that_was_cut_short_does_not_hide_what_failed():
    """Archives limit the rows of an answer without a word; they send all the same."""
    outcome = Outcome(status=0xB000, status_text="B000: Warning", completed=2, failed=1, warning=0)

    verdict = judge(by_uid("a", "b"), uids("a", "b"), NOTHING, outcome)

    assert (verdict.state, verdict.expected, verdict.source) == ("short", 3, "sub-operations")
    assert verdict.reason == "1 of 3 instances missing; B000: Warning"
