"""Verdicts per series, and what they add to the verdict of the study."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pacsfw.api import QueryResult, QueryRow, Verdict
from pacsfw.steps.move.expected import Expectation, Expecting, SeriesExpectation, Sizes
from pacsfw.steps.move.series import judge_series, with_series

WHOLE = QueryResult(complete=True, status_text="0000: Success", status=0)
REFUSED = QueryResult(complete=False, status_text="A900", status=0xA900)


def expected(*series):
    return Expectation(series=series)


def uids(text):
    return frozenset(text)


@pytest.mark.parametrize(
    ("series", "stored", "state", "reason", "missing"),
    [
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {"s": uids("ab")}, "complete", "", ()),
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {"s": uids("a")}, "short",
         "1 of 2 instances missing", ("b",)),
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {}, "failed",
         "2 of 2 instances missing", ("a", "b")),
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {"s": uids("abc")},
         "complete-and-more", "instances that the PACS does not list: 1", ()),
        (SeriesExpectation("s", uids("ab"), 3, proven=True), {"s": uids("ab")},
         "complete-count-disagrees", "the PACS lists 2 instances and counts 3", ()),
        (SeriesExpectation("s", uids("ab"), 3), {"s": uids("ab")}, "short",
         "1 of 3 instances missing", ()),
        (SeriesExpectation("s", uids("ab"), 3), {"s": uids("abc")}, "complete-by-count", "", ()),
        # The objects say that they belong elsewhere: they are there all the same.
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {"other": uids("ab")},
         "complete", "", ()),
        (SeriesExpectation("s", None, 2), {"s": uids("ab")}, "complete-by-count", "", ()),
        (SeriesExpectation("s", None, 3), {"s": uids("ab")}, "short",
         "1 of 3 instances missing", ()),
        (SeriesExpectation("s", None, 1), {"s": uids("ab")}, "over",
         "instances that the PACS does not list: 1", ()),
        (SeriesExpectation("s"), {"s": uids("ab")}, "unverifiable", "", ()),
    ],
)  # fmt: skip
def test_a_series_is_judged_as_a_study_is(series, stored, state, reason, missing):
    (verdict,) = judge_series(expected(series), stored)

    assert (verdict.uid, verdict.state, verdict.reason) == ("s", state, reason)
    assert verdict.missing == missing


def test_a_series_that_the_pacs_does_not_list_is_named():
    listed = SeriesExpectation("s", uids("a"), 1, proven=True)

    _, other = judge_series(expected(listed), {"s": uids("a"), "t": uids("x")})

    assert (other.uid, other.state, other.stored) == ("t", "complete-and-more", 1)


def test_surplus_in_one_series_does_not_hide_what_another_lacks():
    series = judge_series(
        expected(SeriesExpectation("s", None, 2), SeriesExpectation("t", None, 2)),
        {"s": uids("abc"), "t": uids("d")},
    )

    verdict = with_series(Verdict(state="complete-by-count", expected=4, stored=4), series)

    assert (verdict.state, verdict.reason) == ("short", "1 instances missing from 1 series")
    assert verdict.series == series


def test_a_failed_study_stays_what_it_is():
    series = judge_series(expected(SeriesExpectation("s", uids("ab"), 2, proven=True)), {})
    failed = Verdict(state="failed", reason="A801")

    assert with_series(failed, series).reason == "A801"


# --- what the PACS is asked -----------------------------------------------------------------


class Pacs:
    """Answers at the levels it knows, with at most ``limit`` rows."""

    requires_patient_id = is_unlimited = False

    def __init__(self, images=None, counts=(2, 1), study_count="3", limit=100):
        self.images, self.counts, self.study_count = images, counts, study_count
        self.limit = limit
        self.asked = []
        self.keys = []

    def ask(self, query):
        self.asked.append(query.level)
        self.keys.append(dict(query.match))
        if query.level == "SERIES":
            rows = [
                {"SeriesInstanceUID": f"1.{n}", "NumberOfSeriesRelatedInstances": str(count)}
                for n, count in enumerate(self.counts, start=1)
            ]
        elif query.level == "IMAGE":
            if self.images is None:
                return REFUSED, []
            found = self.images[query.match["SeriesInstanceUID"]]
            rows = [{"SOPInstanceUID": uid} for uid in found]
        else:
            rows = [{"NumberOfStudyRelatedInstances": self.study_count}]
        return WHOLE, [QueryRow(row) for row in rows[: self.limit]]


def read(pacs, sizes=None, **known):
    return Expecting(pacs, sizes or Sizes()).read("1", **known)


def test_the_uids_are_asked_for_series_by_series():
    pacs = Pacs(images={"1.1": "ab", "1.2": "c"})

    found = read(pacs, found=3)

    assert (found.uids, found.proven) == (uids("abc"), True)
    assert [(one.uid, one.owed) for one in found.series] == [("1.1", 2), ("1.2", 1)]
    assert pacs.asked == ["SERIES", "IMAGE", "IMAGE"]


def test_one_question_more_is_enough_if_the_sources_agree():
    pacs = Pacs(images={"1.1": "ab", "1.2": "c"})

    assert read(pacs).proven
    assert pacs.asked == ["SERIES", "IMAGE", "IMAGE", "STUDY"]


def test_a_list_at_the_limit_is_not_whole_and_the_larger_number_is_owed():
    """Success, and two rows of each series: a silent limit."""
    pacs = Pacs(images={"1.1": "abcd", "1.2": "efg"}, counts=(4, 3), study_count="7", limit=2)

    found = read(pacs)

    assert (len(found.uids), found.proven, found.owed) == (4, False, 7)
    assert [(one.proven, one.owed) for one in found.series] == [(False, 4), (False, 3)]


def test_a_list_that_is_smaller_than_the_largest_outranks_a_number():
    pacs = Pacs(images={"1.1": "abc", "1.2": "de"}, counts=(3, 4), study_count="7")
    sizes = Sizes()
    for level in ("SERIES", "IMAGE"):
        sizes.seen(level, 9)

    found = read(pacs, sizes)

    assert (found.proven, found.owed, found.largest) == (True, 5, 7)


def test_the_limit_of_the_profile_is_believed():
    sizes = Sizes(limit=2)
    for level in ("SERIES", "IMAGE"):
        sizes.seen(level, 9)

    assert not sizes.is_whole("IMAGE", 2)
    assert sizes.is_whole("IMAGE", 1)


def test_an_empty_list_is_not_proven_by_its_size():
    found = read(Pacs(images={}, counts=(), study_count="4"))

    assert (found.uids, found.proven, found.owed) == (frozenset(), False, 4)


def test_numbers_do_where_there_are_no_uids_and_one_refusal_is_enough():
    pacs = Pacs()

    found = read(pacs)

    assert (found.uids, found.owed) == (None, 3)
    assert found.counts == {"instance-count": 3}
    assert [one.owed for one in found.series] == [2, 1]
    assert pacs.asked == ["SERIES", "IMAGE", "STUDY"]


def test_the_numbers_of_the_series_add_up_where_the_study_has_none():
    sizes = Sizes()
    sizes.seen("SERIES", 9)

    assert read(Pacs(study_count=""), sizes).counts == {"series-counts": 3}


def test_numbers_of_series_whose_list_may_be_cut_are_only_the_least():
    found = read(Pacs(study_count=""))

    assert (found.counts, found.at_least, found.owed) == ({}, 3, 3)


def test_lists_that_end_with_a_warning_count_and_their_size_proves_nothing():
    class Warns(Pacs):
        def ask(self, query):
            answer, rows = super().ask(query)
            return replace(answer, complete=False, status=0xB000), rows

    sizes = Sizes()
    for level in ("SERIES", "IMAGE"):
        sizes.seen(level, 9)

    agreed = read(Warns(images={"1.1": "ab", "1.2": "c"}), sizes)
    doubtful = read(Warns(images={"1.1": "ab", "1.2": "c"}, counts=(3, 3), study_count=""), sizes)

    assert (agreed.uids, agreed.proven) == (uids("abc"), True)
    assert (doubtful.uids, doubtful.proven) == (uids("abc"), False)


def test_rows_of_other_studies_are_left_out():
    class Careless(Pacs):
        """Ignores the keys of IMAGE queries."""

        def ask(self, query):
            answer, rows = super().ask(query)
            if query.level == "IMAGE":
                own = {
                    "StudyInstanceUID": "1",
                    "SeriesInstanceUID": query.match["SeriesInstanceUID"],
                }
                rows = [QueryRow({**row.attributes, **own}) for row in rows]
                rows.append(QueryRow({"SOPInstanceUID": "x", "StudyInstanceUID": "2"}))
            return answer, rows

    found = read(Careless(images={"1.1": "ab", "1.2": "c"}))

    assert found.uids == uids("abc")


def test_a_patient_is_named_where_the_pacs_requires_it():
    pacs = Pacs(images={"1.1": "ab", "1.2": "c"})
    pacs.requires_patient_id = True

    read(pacs, patient_id="P1")

    assert all(keys["PatientID"] == "P1" for keys in pacs.keys)


@pytest.mark.parametrize(
    ("series", "stored", "left_out", "state", "numbers"),
    [
        (SeriesExpectation("s", uids("abc"), 3, proven=True), {"s": uids("ab")},
         {"s": uids("c")}, "complete", (2, 2, 1)),
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {}, {"s": uids("ab")},
         "complete", (0, 0, 2)),
        (SeriesExpectation("s", uids("abc"), 3, proven=True), {"s": uids("a")},
         {"s": uids("c")}, "short", (2, 1, 1)),
        # It says itself that it belongs elsewhere.
        (SeriesExpectation("s", uids("ab"), 2, proven=True), {"s": uids("a")},
         {"t": uids("b")}, "complete", (1, 1, 1)),
        (SeriesExpectation("s", None, 3), {"s": uids("ab")}, {"s": uids("c")},
         "complete-by-count", (2, 2, 1)),
        (SeriesExpectation("s", None, 4), {"s": uids("ab")}, {"s": uids("c")}, "short", (3, 2, 1)),
        (SeriesExpectation("s", None, 2), {"s": uids("ab")}, {"s": uids("c")}, "over", (1, 2, 1)),
        (SeriesExpectation("s"), {}, {"s": uids("c")}, "unverifiable", (None, 0, 1)),
    ],
)  # fmt: skip
def test_what_was_left_out_of_a_series_is_not_expected(series, stored, left_out, state, numbers):
    (verdict,) = judge_series(expected(series), stored, left_out)

    assert verdict.state == state
    assert (verdict.expected, verdict.stored, verdict.left_out) == numbers
