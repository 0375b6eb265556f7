"""What a collection is going to take: studies, bytes, nights and disk, before anything moves."""

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
"""Bytes per second where none was measured: what PACS of hospitals often reach by C-MOVE."""

_MONTHS_SHOWN = 24
"""Studies of more months than these are counted by year."""

_MONTH = re.compile(r"(\d{4})\.?(0[1-9]|1[0-2])")
UNDATED = "without a date"
DAY_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was asked and what is known so far; a plan is made of it."""

    studies: Iterable[Mapping[str, str]]
    """Attributes of the studies found: StudyInstanceUID, StudyDate, ModalitiesInStudy and
    NumberOfStudyRelatedInstances are looked at. Gone through once."""
    complete: AbstractSet[str]
    """UIDs of the studies that are complete already."""
    stored: Mapping[str, tuple[int, int]]
    """ModalitiesInStudy -> instances stored of such studies, and their bytes."""
    rate: tuple[int, float, int] | None
    """Bytes and studies moved before, and the seconds it took: (bytes, seconds, studies)."""
    unproven: Sequence[tuple[str, str]]
    """(slice, reason), without any patient's identifiers."""
    questions: Mapping[str, int]
    """Level -> questions put."""
    window: Window
    directory: Path
    """Where the files are going to be."""
    free: int
    """Bytes free on that disk."""
    notes: Sequence[str] = ()
    """What people should know of how the PACS answered, as whole messages."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """A slice of which more may exist than was found."""

    slice: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a collection is going to take. Plain data, without any patient's identifiers."""

    expected: Load
    """All that was found."""
    complete: Figure
    """Of it, the studies that are here already."""
    to_fetch: Load
    """The others."""
    bytes_per_second: Figure
    studies_per_hour: Figure
    seconds: Figure
    """How long it takes to fetch them."""
    nights: Figure
    """How many openings of the window that is."""
    free: Figure
    """Bytes free on the disk of the files."""
    by_modality: Sequence[ModalityLoad]
    by_period: Mapping[str, int]
    """Month or year -> studies."""
    unproven: Sequence[Unproven]
    questions: Mapping[str, int]
    warnings: Sequence[str]
    notes: Sequence[str]


def exit_code(plan: Plan) -> int:
    """Return 0 where everything that was asked is proven, else 1."""
    return 1 if plan.unproven else 0


def make_plan(survey: Survey) -> Plan:
    """Add up what was found, estimate what is not known, and say which is which."""
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
    """Return studies by month, or by year where there are many months."""
    if len(months) <= _MONTHS_SHOWN:
        return dict(sorted(months.items()))
    years: Counter[str] = Counter()
    for month, studies in months.items():
        years[month if month == UNDATED else month[:4]] += studies
    return dict(sorted(years.items()))


def _asked(survey: Survey) -> str:
    asked = ", ".join(f"{level} {number:,}" for level, number in survey.questions.items())
    source = f"{count(sum(survey.questions.values()), 'question')} put ({asked})" if asked else ""
    at_least = "at least: not everything is proven" if survey.unproven else ""
    return "; ".join(filter(None, (source, at_least)))


def rates(measured: tuple[int, float, int] | None) -> tuple[Figure, Figure]:
    """Return bytes per second and studies per hour, measured or assumed.

    Parameters
    ----------
    measured
        Bytes and studies moved before, and the seconds it took: (bytes, seconds, studies).
    """
    size, seconds, studies = measured or (0, 0.0, 0)
    if size <= 0 or seconds <= 0:
        nothing = "nothing was moved yet"
        return Figure(ASSUMED_RATE, f"{ASSUMED}: {nothing}"), Figure(None, nothing)
    source = f"measured over {count(studies, 'study')} moved"
    return Figure(size / seconds, source), Figure(studies / seconds * 3600, source)


def _nights(seconds: Figure, window: Window) -> Figure:
    if window.is_always_open:
        return Figure(None, "any time: move has no start_time and end_time")
    start, end = (at.hour * 3600 + at.minute * 60 + at.second for at in (window.start, window.end))
    open_seconds = (end - start) % DAY_SECONDS or DAY_SECONDS
    hours = f"{window.start:%H:%M}-{window.end:%H:%M}, {open_seconds / 3600:.3g} h each"
    days = [name for day, name in enumerate(WEEKDAYS) if day in window.days]
    on = "" if window.days == ALL_DAYS else f", on {', '.join(days)}"
    return Figure(ceil((seconds.value or 0) / open_seconds), f"{hours}{on}; {seconds.source}")


def _warnings(needed: Figure, free: int) -> tuple[str, ...]:
    missing = round(needed.value or 0) - free
    return (f"the disk is too small: {decimal(missing)} more are needed",) if missing > 0 else ()
