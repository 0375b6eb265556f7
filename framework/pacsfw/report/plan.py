"""The plan of a collection: studies, bytes, nights and disk space, before anything moves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rich.filesize import decimal

from pacsfw.config.values import WEEKDAYS
from pacsfw.config.window import ALL_DAYS, Window
from pacsfw.report.estimate import ASSUMED, Estimate, Figure, Load, ModalityLoad
from pacsfw.words import count

ASSUMED_RATE = 5_000_000
"""Bytes per second before any measurement: a common rate of C-MOVE at hospitals."""

_MONTHS_SHOWN = 24
"""Maximum number of months shown; beyond it, studies are counted by year."""

_MONTH = re.compile(r"(\d{4})\.?(0[1-9]|1[0-2])")
UNDATED = "without a date"
DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The queries and the data so far, from which a plan is made."""

    studies: Iterable[Mapping[str, str]]
    """Attributes of the studies found: StudyInstanceUID, StudyDate, ModalitiesInStudy and
    NumberOfStudyRelatedInstances are used. Iterated once."""
    complete: AbstractSet[str]
    """UIDs of the studies that are already complete."""
    stored: Mapping[str, tuple[int, int]]
    """ModalitiesInStudy -> stored instances of such studies, and their bytes."""
    rate: tuple[int, float, int] | None
    """(bytes, seconds, studies) of earlier transfers; None if there were none."""
    unproven: Sequence[tuple[str, str]]
    """(part, reason), without patient identifiers."""
    questions: Mapping[str, int]
    """Level -> number of queries."""
    window: Window
    directory: Path
    """The dataset folder."""
    free: int
    """Free bytes on that disk."""
    notes: Sequence[str] = ()
    """Notes about the query results of the PACS, as complete messages."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """A part of the search that may contain more than was found."""

    slice: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size and duration of a collection. Plain data without patient identifiers."""

    expected: Load
    """Everything that was found."""
    complete: Figure
    """The studies that are already complete."""
    to_fetch: Load
    """The other studies."""
    bytes_per_second: Figure
    studies_per_hour: Figure
    seconds: Figure
    """Time to fetch them."""
    nights: Figure
    """The number of window openings this needs."""
    free: Figure
    """Free bytes on the disk of the dataset folder."""
    by_modality: Sequence[ModalityLoad]
    by_period: Mapping[str, int]
    """Month or year -> studies."""
    unproven: Sequence[Unproven]
    questions: Mapping[str, int]
    warnings: Sequence[str]
    notes: Sequence[str]


def exit_code(plan: Plan) -> int:
    """Return 0 if every part of the search is proven, else 1."""
    return 1 if plan.unproven else 0


def make_plan(survey: Survey) -> Plan:
    """Sum up the studies found, and estimate the unknown; each figure has its source."""
    estimate = Estimate(survey.stored)
    months: Counter[str] = Counter()
    for study in survey.studies:
        estimate.add(study, complete=study.get("StudyInstanceUID") in survey.complete)
        found = _MONTH.match(study.get("StudyDate", ""))
        months["-".join(found.groups()) if found else UNDATED] += 1
    to_fetch = estimate.to_fetch("found and not complete")
    rate, studies_per_hour = rates(survey.rate)
    seconds = Figure((to_fetch.bytes.value or 0) / (rate.value or 1), f"rate {rate.source}")
    return Plan(
        expected=estimate.expected(_asked(survey)),
        complete=Figure(estimate.complete(), "the ledger"),
        to_fetch=to_fetch,
        bytes_per_second=rate,
        studies_per_hour=studies_per_hour,
        seconds=seconds,
        nights=_nights(seconds, survey.window),
        free=Figure(survey.free, f"the disk of {survey.directory}"),
        by_modality=estimate.by_modality(),
        by_period=_periods(months),
        unproven=tuple(Unproven(*each) for each in survey.unproven),
        questions=dict(survey.questions),
        warnings=_warnings(to_fetch.bytes, survey.free),
        notes=tuple(survey.notes),
    )


def _periods(months: Mapping[str, int]) -> dict[str, int]:
    """Return studies by month, or by year if there are many months."""
    if len(months) <= _MONTHS_SHOWN:
        return dict(sorted(months.items()))
    years: Counter[str] = Counter()
    for month, studies in months.items():
        years[month if month == UNDATED else month[:4]] += studies
    return dict(sorted(years.items()))


def _asked(survey: Survey) -> str:
    asked = ", ".join(f"{level} {number:,}" for level, number in survey.questions.items())
    source = f"{count(sum(survey.questions.values()), 'query')} ({asked})" if asked else ""
    at_least = "at least: not everything is proven" if survey.unproven else ""
    return "; ".join(filter(None, (source, at_least)))


def rates(measured: tuple[int, float, int] | None) -> tuple[Figure, Figure]:
    """Return bytes per second and studies per hour, measured or assumed.

    Parameters
    ----------
    measured
        (bytes, seconds, studies) of earlier transfers.
    """
    size, seconds, studies = measured or (0, 0.0, 0)
    if size <= 0 or seconds <= 0:
        nothing = "nothing moved yet"
        return Figure(ASSUMED_RATE, f"{ASSUMED}: {nothing}"), Figure(None, nothing)
    source = f"measured over {count(studies, 'study')} moved"
    return Figure(size / seconds, source), Figure(studies / seconds * 3600, source)


def _nights(seconds: Figure, window: Window) -> Figure:
    if window.is_always_open:
        return Figure(None, "no limit: move has no start_time and end_time")
    start, end = (at.hour * 3600 + at.minute * 60 + at.second for at in (window.start, window.end))
    open_seconds = (end - start) % DAY_SECONDS or DAY_SECONDS
    hours = f"{window.start:%H:%M}-{window.end:%H:%M}, {open_seconds / 3600:.3g} h each"
    days = [name for day, name in enumerate(WEEKDAYS) if day in window.days]
    on = "" if window.days == ALL_DAYS else f", on {', '.join(days)}"
    return Figure(ceil((seconds.value or 0) / open_seconds), f"{hours}{on}; {seconds.source}")


def _warnings(needed: Figure, free: int) -> tuple[str, ...]:
    missing = round(needed.value or 0) - free
    return (f"the disk is too small: {decimal(missing)} more needed",) if missing > 0 else ()
