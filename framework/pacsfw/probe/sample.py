"""A sample of studies for the experiments, and the findings from their rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeAlias

from pacsfw.probe.findings import Findings
from pacsfw.probe.prober import UID, Prober, Reply, Row

Span: TypeAlias = tuple[str, str]
"""The name of a range of dates, and the matching value for StudyDate."""

MATCHING = (
    "StudyDate",
    "StudyTime",
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "StudyID",
    "StudyDescription",
    "ModalitiesInStudy",
    "PatientSex",
    "PatientBirthDate",
    "ReferringPhysicianName",
)
"""The matching keys to test."""

OPTIONAL = (
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
    "NumberOfStudyRelatedSeries",
    "SOPClassesInStudy",
    "StudyDescription",
    "PatientSex",
    "PatientBirthDate",
    "ReferringPhysicianName",
    "PatientAge",
    "InstanceAvailability",
)
"""Optional attributes of a result (type O of PS3.4 tables C.6-2 and C.6-5)."""

RETURNS = tuple(dict.fromkeys((*MATCHING, *OPTIONAL, "RetrieveAETitle")))

_CHARSET = re.compile(r"[A-Za-z0-9_ \\-]+")
_ROWS = 40
_FEW = 10
_PATIENTS = 10
_TITLE = 16


def spans(today: date, preferred: tuple[date, date] | None = None) -> list[Span]:
    """Return increasingly wide ranges of dates, starting with the preferred one."""
    tomorrow = today + timedelta(days=1)  # in case the clock of the PACS is ahead
    found = [("the dates of the configuration", _range(*preferred))] if preferred else []
    for words, days in (("the last day", 1), ("the last month", 31), ("the last year", 366)):
        found.append((words, _range(today - timedelta(days=days), tomorrow)))
    return [*found, ("all dates", _range(date(1900, 1, 1), tomorrow))]


def take_sample(prober: Prober, ranges: Sequence[Span], findings: Findings) -> list[Row]:
    """Query one range after another until there are rows; note the returned attributes."""
    rows: Sequence[Row] = ()
    reply = Reply((), None, complete=False, stopped=False, status_text="no query was sent")
    for _, dates in [("each patient", "")] if prober.requires_patient_id else ranges:
        reply = _of_patients(prober) if not dates else _of_days(prober, dates)
        rows = max(rows, reply.rows, key=len)
        if len(rows) >= _FEW:
            break
    why = "no study was found" + ("" if reply.is_clear else f": {reply.status_text}")
    _note_returned(rows, why, findings)
    _note_charset(rows, why, findings)
    _note_retrieve(rows, why, findings)
    return list({row[UID]: row for row in rows if row.get(UID)}.values())


def with_modalities(prober: Prober, row: Row) -> Row:
    """Return a row with ModalitiesInStudy, taken from its series if the PACS omits it."""
    if row.get("ModalitiesInStudy"):
        return row
    reply = prober.put(prober.about(row), ("Modality",), level="SERIES")
    found = sorted({series.get("Modality", "") for series in reply.rows} - {""})
    return {**row, "ModalitiesInStudy": "\\".join(found)} if found else row


def _of_days(prober: Prober, dates: str) -> Reply:
    return prober.put({"StudyDate": dates}, RETURNS, max_rows=_ROWS)


def _of_patients(prober: Prober) -> Reply:
    """Query some patients, then the studies of each."""
    reply = prober.put({}, ("PatientID",), max_rows=_PATIENTS, level="PATIENT")
    rows: list[Row] = []
    for patient in reply.rows[:_PATIENTS]:
        if number := patient.get("PatientID"):
            studies = prober.put({"PatientID": number}, RETURNS, max_rows=_ROWS)
            # The key of the level above may be missing in the rows.
            rows += [{"PatientID": number, **row} for row in studies.rows]
    return Reply(rows, reply.status, reply.complete, reply.stopped, reply.status_text)


def _note_returned(rows: Sequence[Row], why_none: str, findings: Findings) -> None:
    for keyword in OPTIONAL:
        if not rows:
            findings.note("returned", keyword, None, why_none)
            continue
        there = sum(keyword in row for row in rows)
        filled = sum(bool(row.get(keyword)) for row in rows)
        words = f"in {there} of {len(rows)} rows, {filled} with a value"
        findings.note("returned", keyword, there > 0, words)


def _note_charset(rows: Sequence[Row], why_none: str, findings: Findings) -> None:
    texts = (row.get("SpecificCharacterSet", "") for row in rows)
    named = Counter(text if _CHARSET.fullmatch(text) else "" for text in texts)
    if not named:
        findings.note("charset", "", None, why_none)
        return
    (most, _), *_ = sorted(named.items(), key=lambda each: (not each[0], -each[1]))
    words = ", ".join(
        f"{number} of {len(rows)} rows: {name or 'none (ASCII)'}"
        for name, number in named.most_common()
    )
    findings.note("charset", "", most or None, words)


def _note_retrieve(rows: Sequence[Row], why_none: str, findings: Findings) -> None:
    named = Counter(title for row in rows for title in row.get("RetrieveAETitle", "").split("\\"))
    titles = [(each, n) for each, n in named.most_common() if each and len(each) <= _TITLE]
    if not titles:
        words = "no row names an AE title to retrieve from" if rows else why_none
        findings.note("retrieve_aetitle", "", None, words)
        return
    title, number = titles[0]
    findings.note("retrieve_aetitle", "", title, f"in {number} of {len(rows)} rows")


def _range(first: date, last: date) -> str:
    return f"{first:%Y%m%d}-{last:%Y%m%d}"
