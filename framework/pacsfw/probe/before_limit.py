"""Which optional keys the PACS applies before it cuts a query result.

A key is safe to send only if a result that was cut by the limit reports it, or has as many rows
as the limit. This is not self-evident: an Orthanc 1.10 with a limit of 10 returns 7 of 27 studies
and Success for a query with ModalitiesInStudy CT, because it counts the matching series, several
per study. For SR it returns 10 studies and FE00, as expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pacsfw.dicom.levels import REQUIRED_STUDY_KEYS
from pacsfw.probe.findings import Findings
from pacsfw.probe.keys import is_match, values_of
from pacsfw.probe.limits import ENOUGH, WHEN, Cut, is_cut, parts, uids
from pacsfw.probe.prober import UID, Prober, Reply, Row

_VALUES = 5
_STUDIES = 5

Judgement = tuple[bool | None, str]


def before_limit(prober: Prober, cut: Cut, findings: Findings) -> None:
    """Test each honoured optional key on a query whose result is cut without it."""
    keys = sorted(findings.subjects("match") - REQUIRED_STUDY_KEYS)
    again = prober.put({"StudyDate": cut.dates}, keys, max_rows=ENOUGH)
    stable = uids(again.rows) == uids(cut.rows)
    for keyword in keys:
        if stable:
            result, words = _judge(prober, Cut(cut.dates, again.rows), keyword)
        else:
            result, words = None, "the same query returned other rows the second time"
        findings.note("before_limit", keyword, result, words)


def _judge(prober: Prober, cut: Cut, keyword: str) -> Judgement:
    """Query for values that occur in the cut result, the most frequent ones first.

    A single short result without a report is proof against a key. A result with more rows of
    a value than the cut one had is evidence for it: the cut rows were not merely filtered.
    """
    counts = Counter(value for row in cut.rows for value in set(values_of(row, keyword)))
    judgement: Judgement = (None, "no value returned more rows than the cut result has of it")
    for value, number in counts.most_common(_VALUES):
        match = {"StudyDate": cut.dates, keyword: value}
        reply = prober.put(match, (keyword, *WHEN), max_rows=ENOUGH)
        if why := _why_not(prober, cut, match, reply, keyword):
            return False, why
        if not (reply.is_clear or is_cut(reply)):
            return None, f"no result: {reply.status_text}"
        if judgement[0] or len(reply.rows) <= number:
            continue
        if keyword == "ModalitiesInStudy" and not _repeats(prober, reply.rows, value):
            judgement = (None, "no study with two series of one modality to test it")
        else:
            words = f"{len(reply.rows)} rows for a value that the cut result has {number} times"
            judgement = (True, words)
    return judgement


def _why_not(prober: Prober, cut: Cut, match: Mapping[str, str], reply: Reply, keyword: str) -> str:
    """Return what a result proves against a key; empty if nothing."""
    value, limit, number = match[keyword], len(cut.rows), len(reply.rows)
    if not all(is_match(row, keyword, value) for row in reply.rows):
        return "returned rows that do not match"
    if number >= limit:
        return ""
    if is_cut(reply):
        return f"already cut after {number} rows; the limit is {limit}"
    expected = uids([row for row in cut.rows if is_match(row, keyword, value)])
    if reply.complete and not (
        expected <= uids(reply.rows)
        and all(uids(part.rows) <= uids(reply.rows) for part in parts(prober, match, reply))
    ):
        return f"{number} rows and {reply.status_text} for a value that more studies have"
    return ""


def _repeats(prober: Prober, rows: Sequence[Row], modality: str) -> bool:
    """Return whether one of the studies has several series of a modality.

    Only such a study shows whether the PACS counts series instead of studies.
    """
    for row in rows[:_STUDIES]:
        series = prober.put({UID: row[UID]}, ("Modality",), level="SERIES").rows
        if sum(each.get("Modality") == modality for each in series) > 1:
            return True
    return False
