"""Verdicts per series, and what they add to the verdict of the study."""

from __future__ import annotations

import pytest

from pacsfw.api import QueryResult, QueryRow, Verdict
from pacsfw.steps.move.expected import Expectation, SeriesExpectation, read_expectation
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
        (SeriesExpectation("s", uids("ab"), 2), {"s": uids("ab")}, "complete", "", ()),
        (SeriesExpectation("s", uids("ab"), 2), {"s": uids("a")}, "short",
         "1 of 2 instances missing", ("b",)),
        (SeriesExpectation("s", uids("ab"), 2), {}, "failed",
         "2 of 2 instances missing", ("a", "b")),
        (SeriesExpectation("s", uids("ab"), 2), {"s": uids("abc")}, "over",
         "instances that the PACS does not list: 1", ()),
        # The objects say that they belong elsewhere: they are there all the same.
        (SeriesExpectation("s", uids("ab"), 2), {"other": uids("ab")}, "complete", "", ()),
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
    listed = SeriesExpectation("s", uids("a"), 1)

    _, other = judge_series(expected(listed), {"s": uids("a"), "t": uids("x")})

    assert (other.uid, other.state, other.stored) == ("t", "over", 1)


def test_surplus_in_one_series_does_not_hide_what_another_lacks():
    series = judge_series(
        expected(SeriesExpectation("s", None, 2), SeriesExpectation("t", None, 2)),
        {"s": uids("abc"), "t": uids("d")},
    )

    verdict = with_series(Verdict(state="complete-by-count", expected=4, stored=4), series)

    assert (verdict.state, verdict.reason) == ("short", "1 instances missing from 1 series")
    assert verdict.series == series


def test_a_failed_study_stays_what_it_is():
    series = judge_series(expected(SeriesExpectation("s", uids("ab"), 2)), {})
    failed = Verdict(state="failed", reason="A801")

    assert with_series(failed, series).reason == "A801"


# --- what the PACS is asked -----------------------------------------------------------------


class Pacs:
    """Answers at the levels it knows."""

    def __init__(self, images=None, counts=(2, 1), study_count="3"):
        self.images, self.counts, self.study_count = images, counts, study_count
        self.asked = []

    def ask(self, query):
        self.asked.append(query.level)
        if query.level == "SERIES":
            rows = [
                {"SeriesInstanceUID": f"1.{n}", "NumberOfSeriesRelatedInstances": str(count)}
                for n, count in enumerate(self.counts, start=1)
            ]
        elif query.level == "IMAGE":
            if self.images is None:
                return REFUSED, []
            rows = [
                {"SOPInstanceUID": uid} for uid in self.images[query.match["SeriesInstanceUID"]]
            ]
        else:
            rows = [{"NumberOfStudyRelatedInstances": self.study_count}]
        return WHOLE, [QueryRow(row) for row in rows]


def test_the_uids_are_asked_for_series_by_series():
    pacs = Pacs(images={"1.1": "ab", "1.2": "c"})

    found = read_expectation(pacs, "1")

    assert (found.source, found.uids, found.count) == ("image-uids", uids("abc"), 3)
    assert [(one.uid, one.count) for one in found.series] == [("1.1", 2), ("1.2", 1)]
    assert pacs.asked == ["SERIES", "IMAGE", "IMAGE"]


def test_numbers_do_where_there_are_no_uids_and_one_refusal_is_enough():
    pacs = Pacs()

    found = read_expectation(pacs, "1")

    assert (found.source, found.uids, found.count) == ("instance-count", None, 3)
    assert [one.count for one in found.series] == [2, 1]
    assert pacs.asked == ["SERIES", "IMAGE", "STUDY"]


def test_the_numbers_of_the_series_add_up_where_the_study_has_none():
    found = read_expectation(Pacs(study_count=""), "1")

    assert (found.source, found.count) == ("series-counts", 3)
