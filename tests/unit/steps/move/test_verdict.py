"""Verdicts: what may be called complete, and what is said otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.api import Outcome, Verdict
from pacsfw.steps.move.expected import Expectation
from pacsfw.steps.move.verdict import Held, Retrieved, judge, with_evidence
from pacsfw.words import GOOD

DONE = Retrieved(Outcome(status=0, status_text="0000: Success", completed=2), whole=True, total=2)
UNREPORTED = "the PACS does not report how many instances the study has"
UNSENT = "A702: Refused: out of resources"
FAILED = Retrieved(Outcome(status=0xA702, status_text=UNSENT, completed=0, failed=2), total=2)
REFUSED = Retrieved(Outcome(status=0xA702, status_text=UNSENT))
PART = Retrieved(Outcome(status=0, status_text="0000: Success", completed=1))
"""A request for a part of the study, which says nothing about the rest."""
NOTHING = frozenset()


def uids(*names):
    return frozenset(names)


def by_uid(*names, **counts):
    """A list that is whole."""
    return Expectation(uids=uids(*names), proven=True, counts=named(counts))


def cut(*names, **counts):
    """A list that a limit may have cut."""
    return Expectation(uids=uids(*names), counts=named(counts))


def by_number(**counts):
    return Expectation(counts=named(counts))


def named(counts):
    return {source.replace("_", "-"): number for source, number in counts.items()}


def concluded(expectation, stored, held=None, retrieved=None, earlier=None):
    known = with_evidence(expectation, stored, retrieved, earlier)
    return judge(known, stored, held or Held(), retrieved)


@pytest.mark.parametrize(
    ("expectation", "stored", "retrieved", "state", "reason"),
    [
        (by_uid("a", "b"), uids("a", "b"), DONE, "complete", ""),
        (by_uid("a", "b"), uids("a", "b"), None, "complete", ""),
        (by_uid("a", "b"), uids("a", "b"), FAILED, "complete", ""),
        (by_uid("a", "b"), uids("a"), DONE, "short", "1 of 2 instances missing"),
        (by_uid("a", "b"), uids("a"), FAILED, "short", f"1 of 2 instances missing; {UNSENT}"),
        (by_uid("a", "b"), uids("a", "c"), DONE, "short", "1 of 2 instances missing"),
        (by_uid("a"), uids("a", "c"), DONE, "complete-and-more",
         "instances beyond the 1 that the PACS lists: 1"),
        (by_uid("a", "b", instance_count=4), uids("a", "b"), DONE, "complete-count-disagrees",
         "the PACS lists 2 instances and counts 4"),
        (by_uid("a", "b", instance_count=4), uids("a"), DONE, "short",
         "1 of 2 instances missing"),
        (by_uid("a", "b"), NOTHING, DONE, "failed", "the PACS reported success and sent nothing"),
        (by_uid("a", "b"), NOTHING, FAILED, "failed", UNSENT),
        (by_uid(), NOTHING, None, "failed", "the PACS lists no instance of it"),
        # A limit of rows may have cut the list: the largest number is owed.
        (cut("a", "b", instance_count=4), uids("a", "b"), PART, "short",
         "2 of 4 instances missing"),
        (cut("a", "b", instance_count=4), uids("a", "b", "c", "d"), PART, "complete-by-count", ""),
        (cut("a", "b", instance_count=4), uids("a", "c", "d", "e"), PART, "short",
         "1 of 5 instances missing"),
        (cut("a", "b"), uids("a", "b"), FAILED, "unverifiable",
         f"the PACS lists 2 instances, and nothing shows that these are all; {UNSENT}"),
        (cut("a", "b"), uids("a", "b"), DONE, "complete", ""),
        (cut("a", "b", "c"), uids("a", "b", "c"), DONE, "over",
         "the PACS counts 2 instances, and 3 are stored"),
        (cut("a", "b"), uids("a", "b"), PART, "unverifiable",
         "the PACS lists 2 instances, and nothing shows that these are all"),
        (by_number(instance_count=2), uids("a", "b"), DONE, "complete-by-count", ""),
        (by_number(instance_count=3), uids("a", "b"), DONE, "short", "1 of 3 instances missing"),
        (by_number(instance_count=1), uids("a", "b"), DONE, "complete-by-count", ""),
        (by_number(instance_count=1), uids("a", "b"), None, "over",
         "the PACS counts 1 instances, and 2 are stored"),
        (by_number(), uids("a", "b"), DONE, "complete-by-count", ""),
        (by_number(), uids("a"), DONE, "short", "1 of 2 instances missing"),
        (by_number(), uids("a"), FAILED, "short", f"1 of 2 instances missing; {UNSENT}"),
        (by_number(), uids("a"), REFUSED, "unverifiable", f"{UNREPORTED}; {UNSENT}"),
        (by_number(), NOTHING, PART, "failed",
         "nothing arrived, and the expected number is unknown"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_evidence(expectation, stored, retrieved, state, reason):
    verdict = concluded(expectation, stored, retrieved=retrieved)

    assert (verdict.state, verdict.reason) == (state, reason)


def test_the_verdict_says_where_missing_instances_are():
    held = Held(quarantined=uids("b", "x"), waiting=uids("c"))

    verdict = concluded(by_uid("a", "b", "c"), uids("a"), held, DONE)

    assert verdict.state == "short"
    assert verdict.reason == (
        "2 of 3 instances missing; 1 of them in quarantine; "
        "1 of them held, because their sender is not known"
    )


def test_nothing_is_said_to_be_missing_of_a_study_that_is_in_quarantine():
    verdict = concluded(by_uid("a", "b"), NOTHING, Held(quarantined=uids("a", "b")), DONE)

    assert (verdict.state, verdict.reason) == (
        "short",
        "2 of 2 instances missing; 2 of them in quarantine",
    )


def test_instances_with_two_contents_are_not_complete():
    verdict = concluded(by_uid("a", "b"), uids("a", "b"), Held(disputed=uids("b")), DONE)

    assert verdict.state == "short"
    assert verdict.reason == "1 of 2 instances missing; two senders sent different content: 1"


def test_the_missing_are_listed():
    verdict = concluded(by_uid("a", "b", "c"), uids("b"), retrieved=DONE)

    assert verdict.missing == ("a", "c")
    assert (verdict.expected, verdict.stored, verdict.source) == (3, 1, "image-uids")


def test_a_study_that_is_not_online_says_so():
    failed = Retrieved(Outcome(status=0xA702, status_text=UNSENT), availability="NEARLINE")

    assert concluded(by_uid("a"), NOTHING, retrieved=failed).reason == (
        f"{UNSENT}; the PACS keeps the study NEARLINE: a recall may take hours"
    )


def test_the_words_of_the_pacs_are_kept_apart_from_the_reason():
    failed = Retrieved(Outcome(status=0xC002, status_text="C002", comment="tape not loaded"))

    verdict = concluded(by_uid("a"), NOTHING, retrieved=failed)

    assert (verdict.reason, verdict.comment) == ("C002", "tape not loaded")


def test_what_an_earlier_verdict_rested_on_still_holds():
    earlier = Verdict(state="complete", expected=2, source="image-uids")

    assert concluded(cut("a", "b"), uids("a", "b"), earlier=earlier).state == "complete"
    grown = cut("a", "b", instance_count=3)
    assert concluded(grown, uids("a", "b"), earlier=earlier).state == "short"


def test_a_number_of_sub_operations_is_not_forgotten():
    """The first attempt failed after it had said how many there are; the list is cut."""
    broken = Retrieved(Outcome(status=0xB000, status_text="B000", completed=1, failed=4), total=5)
    first = concluded(cut("a", "b"), uids("a"), retrieved=broken)
    verdict = concluded(cut("a", "b"), uids("a", "b"), retrieved=PART, earlier=first)

    assert (first.source, first.expected) == ("at-least", 5)
    assert (verdict.state, verdict.reason) == ("short", "3 of 5 instances missing")


def test_instances_that_are_late_complete_what_was_sent():
    first = concluded(cut("a", "b"), uids("a"), retrieved=DONE)

    verdict = concluded(cut("a", "b"), uids("a", "b"), earlier=first)

    assert (first.state, verdict.state) == ("short", "complete-by-count")


SETS = st.frozensets(st.sampled_from("abcdef"))


NUMBERS = st.dictionaries(
    st.sampled_from(["instance-count", "series-counts"]), st.integers(0, 7), max_size=2
)


@given(listed=SETS, stored=SETS, counts=NUMBERS, retrieved=st.sampled_from([None, DONE, REFUSED]))
def test_a_whole_list_decides(listed, stored, counts, retrieved):
    expectation = Expectation(uids=listed, proven=True, counts=counts)

    verdict = concluded(expectation, stored, retrieved=retrieved)

    assert (verdict.state in GOOD) == (listed <= stored and bool(stored))
    assert (verdict.state == "complete") <= (listed == stored)


@given(listed=SETS, stored=SETS, counts=NUMBERS, retrieved=st.sampled_from([None, DONE, REFUSED]))
def test_a_list_that_may_be_cut_is_never_enough(listed, stored, counts, retrieved):
    expectation = Expectation(uids=listed, counts=counts)

    verdict = concluded(expectation, stored, retrieved=retrieved)

    if verdict.state in GOOD:
        assert listed <= stored
        assert len(stored) >= max(counts.values(), default=0)
        assert counts or retrieved is DONE


@pytest.mark.parametrize(
    ("expectation", "stored", "left_out", "state", "reason", "numbers"),
    [
        (by_uid("a", "b", "c"), uids("a", "b"), uids("c"), "complete", "", (2, 2, 1)),
        (by_uid("a", "b"), NOTHING, uids("a", "b"), "complete", "", (0, 0, 2)),
        (by_uid("a", "b", "c"), uids("a"), uids("c"), "short", "1 of 2 instances missing",
         (2, 1, 1)),
        (by_uid("a", "b"), NOTHING, uids("b"), "short", "1 of 1 instances missing", (1, 0, 1)),
        (by_uid("a"), uids("a", "x"), uids("y"), "complete-and-more",
         "instances beyond the 1 that the PACS lists: 1", (1, 2, 0)),
        (by_uid("a", "b", instance_count=2), uids("a"), uids("b"), "complete", "", (1, 1, 1)),
        (by_uid("a", "b", instance_count=3), uids("a"), uids("b"), "complete-count-disagrees",
         "the PACS lists 2 instances and counts 3", (1, 1, 1)),
        (by_number(instance_count=3), uids("a", "b"), uids("c"), "complete-by-count", "",
         (2, 2, 1)),
        (by_number(instance_count=2), NOTHING, uids("a", "b"), "complete-by-count", "", (0, 0, 2)),
        (by_number(instance_count=4), uids("a", "b"), uids("c"), "short",
         "1 of 3 instances missing", (3, 2, 1)),
        (by_number(instance_count=1), uids("a"), uids("b"), "over",
         "the PACS counts 1 instances, and 1 are stored and 1 left out", (0, 1, 1)),
        (cut("a", "b"), uids("a"), uids("b"), "unverifiable",
         "the PACS lists 2 instances, and nothing shows that these are all", (None, 1, 1)),
        (by_number(), uids("a"), uids("b"), "unverifiable", UNREPORTED, (None, 1, 1)),
        (by_number(), NOTHING, uids("b"), "unverifiable", UNREPORTED, (None, 0, 1)),
    ],
)  # fmt: skip
def test_what_was_left_out_is_not_expected(expectation, stored, left_out, state, reason, numbers):
    verdict = judge(expectation, stored, Held(), PART, left_out)

    assert (verdict.state, verdict.reason) == (state, reason)
    assert (verdict.expected, verdict.stored, verdict.left_out) == numbers


def test_a_request_that_brought_only_what_was_left_out_did_not_bring_nothing():
    verdict = judge(by_uid("a", "b"), NOTHING, Held(), FAILED, uids("a"))

    assert (verdict.state, verdict.reason) == ("short", f"1 of 1 instances missing; {UNSENT}")


@pytest.mark.parametrize("source", ["image-uids", "sub-operations"])
def test_an_earlier_verdict_knows_what_was_left_out(source):
    earlier = Verdict(state="complete", expected=1, left_out=1, source=source)
    known = with_evidence(cut("a", "b"), uids("a", "b"), None, earlier)

    assert judge(known, uids("a"), Held(), None, uids("b")).state.startswith("complete")
    grown = with_evidence(cut("a", "b", "c"), uids("a", "b"), None, earlier)
    assert judge(grown, uids("a"), Held(), None, uids("b")).state == "short"


@given(listed=SETS, stored=SETS, left_out=SETS, counts=NUMBERS, proven=st.booleans())
def test_a_study_without_what_was_left_out_is_judged_like_one_that_never_had_it(
    listed, stored, left_out, counts, proven
):
    stored, left_out = stored - left_out, left_out & listed
    rest = {source: max(0, number - len(left_out)) for source, number in counts.items()}

    with_it = judge(Expectation(listed, proven, counts=counts), stored, Held(), None, left_out)
    without_it = judge(Expectation(listed - left_out, proven, counts=rest), stored, Held(), None)

    enough = min(counts.values(), default=len(left_out)) >= len(left_out)
    if stored and enough:
        assert with_it.state == without_it.state
        assert with_it.expected == without_it.expected
        assert with_it.missing == without_it.missing
