"""The number of rows after which the PACS cuts query results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacsfw.dimse.status import AT_LIMIT, CANCELLED
from pacsfw.probe.findings import Findings
from pacsfw.probe.keys import values_of
from pacsfw.probe.prober import UID, Prober, Reply, Row
from pacsfw.probe.sample import Span

ENOUGH = 3000
"""Maximum rows to accept: a PACS that returns this many is not tested further."""

WHEN = ("StudyDate", "StudyTime")
_SOME = 2


@dataclass(frozen=True, slots=True)
class Cut:
    """A query result that the PACS cut."""

    dates: str
    rows: Sequence[Row]


def find_limit(prober: Prober, ranges: Sequence[Span], findings: Findings) -> Cut | None:
    """Widen the range of dates until a result is cut, has `ENOUGH` rows, or covers everything.

    Returns
    -------
    Cut or None
        The result that was cut, if any.
    """
    if prober.requires_patient_id:
        _limit_of_patients(prober, findings)
        return None
    best, widest = (
        "",
        Reply((), None, complete=False, stopped=False, status_text="no query was sent"),
    )
    for words, dates in ranges:
        reply = prober.put({"StudyDate": dates}, WHEN, max_rows=ENOUGH)
        if len(reply.rows) >= ENOUGH:
            _note(findings, None, len(reply.rows), f"{len(reply.rows)} rows or more for {words}")
            return None
        if is_cut(reply):
            limit = len(reply.rows)
            _note(
                findings, limit, limit, f"cut after {limit} rows for {words}: {reply.status_text}"
            )
            return Cut(dates, reply.rows)
        if not reply.complete:
            seen = max(len(reply.rows), len(widest.rows))
            _note(findings, None, seen, f"no complete result for {words}: {reply.status_text}")
            return None
        if len(reply.rows) >= len(widest.rows):
            best, widest = dates, reply
    return _verify(prober, best, widest, findings)


def _verify(prober: Prober, dates: str, whole: Reply, findings: Findings) -> Cut | None:
    """Check whether parts of a query return studies that the complete result lacks.

    New studies may have arrived meanwhile: then the query returns more rows than before.
    """
    rows = whole.rows
    if len(rows) < _SOME:
        _note(findings, None, len(rows), "too few studies to decide")
        return None
    seen = uids(rows)
    asked = parts(prober, {"StudyDate": dates}, whole)
    if all(uids(part.rows) <= seen for part in asked):
        words = f"none up to {len(rows)} rows: parts of the same query return no others"
        if not all(part.is_clear for part in asked) or not asked:
            words = f"none up to {len(rows)} rows; not verified: its parts could not be queried"
        _note(findings, None, len(rows), words)
        return None
    again = prober.put({"StudyDate": dates}, WHEN, max_rows=ENOUGH)
    if len(again.rows) > len(rows):
        _note(findings, None, len(again.rows), f"none up to {len(again.rows)} rows; studies arrive")
        return None
    words = f"{len(rows)} rows and {whole.status_text}, but parts of the same query return others"
    _note(findings, len(rows), len(rows), words)
    return Cut(dates, rows)


def parts(prober: Prober, match: Mapping[str, str], whole: Reply) -> list[Reply]:
    """Query the parts of a range of dates: before, at and after the median of the rows.

    If one date has all rows, it is also queried by time.
    """
    first, _, last = match["StudyDate"].partition("-")
    known = sorted(row["StudyDate"] for row in whole.rows if values_of(row, "StudyDate"))
    if not known:
        return []
    median = known[len(known) // 2]
    ranges = [(first, _shifted(median, -1)), (median, median), (_shifted(median, 1), last)]
    asked = [{"StudyDate": f"{low}-{high}"} for low, high in ranges if low <= high]
    if known[0] == known[-1]:
        times = sorted(row["StudyTime"] for row in whole.rows if values_of(row, "StudyTime"))
        middle = times[len(times) // 2][:4] if times else "1200"
        halves = (f"000000-{middle}59", f"{middle}00-235959")
        asked += [{"StudyDate": median, "StudyTime": half} for half in halves]
    return [prober.put({**match, **part}, WHEN, max_rows=ENOUGH) for part in asked]


def _limit_of_patients(prober: Prober, findings: Findings) -> None:
    """Find the limit of patients, if every query must name a patient."""
    reply = prober.put({}, ("PatientID",), max_rows=ENOUGH, level="PATIENT")
    limit = len(reply.rows) if is_cut(reply) else None
    words = f"{len(reply.rows)} patients: {reply.status_text}; cannot be verified by parts"
    findings.note("limit", "", limit, words)


def is_cut(reply: Reply) -> bool:
    """Return whether a result with rows ended in a status that PACS use for a limit."""
    status = reply.status or 0
    is_limit = status in (CANCELLED, AT_LIMIT) or status & 0xFF00 == 0xA700
    return bool(reply.rows) and not reply.stopped and is_limit


def _note(findings: Findings, limit: int | None, seen: int, words: str) -> None:
    findings.note("limit", "", limit, words)
    findings.note("rows_seen", "", seen, "queries for a range of dates")


def uids(rows: Sequence[Row]) -> set[str]:
    """Return the study UIDs of the rows."""
    return {row.get(UID, "") for row in rows}


def _shifted(day: str, days: int) -> str:
    return f"{datetime.strptime(day, '%Y%m%d') + timedelta(days=days):%Y%m%d}"  # noqa: DTZ007
