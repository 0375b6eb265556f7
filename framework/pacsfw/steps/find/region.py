"""The parts of a search, and what the rows of a query result show about one.

A region is one query: fixed keys, a range of days, a range of seconds within the day.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from pacsfw.api import Query
from pacsfw.dicom.levels import vr_of
from pacsfw.dicom.matching import matches

EARLIEST, LATEST = date.min.toordinal(), date.max.toordinal()
LAST_SECOND = 24 * 3600 - 1

_FIRST_IMAGE = date(1895, 1, 1).toordinal()

Span = tuple[int, int]
"""First and last of a range, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One query of the planner.

    ``days`` are ordinals (`datetime.date.toordinal`), None for any or no date; a bound at
    `EARLIEST` or `LATEST` is left open. ``seconds`` count from midnight.
    """

    level: Literal["PATIENT", "STUDY"] = "STUDY"
    keys: tuple[tuple[str, str], ...] = ()
    days: Span | None = None
    seconds: Span | None = None

    @property
    def text(self) -> str:
        """The region as text; equal regions have equal texts."""
        return json.dumps([self.level, self.keys, self.days, self.seconds])

    @classmethod
    def parse(cls, text: str) -> Region:
        """Return the region of a `text`."""
        level, keys, days, seconds = json.loads(text)
        return cls(
            level=level,
            keys=tuple((key, value) for key, value in keys),
            days=days and (days[0], days[1]),
            seconds=seconds and (seconds[0], seconds[1]),
        )

    @property
    def in_words(self) -> str:
        """The region for users; without the values of keys, because they may name a patient."""
        words = []
        if self.days:
            words.append(f"StudyDate {_to(*(_iso(day) for day in self.days))}")
        if self.seconds:
            times = (str(timedelta(seconds=second)).zfill(8) for second in self.seconds)
            words.append(f"StudyTime {_to(*times)}")
        for key, value in self.keys:
            words.append(f"{'part of' if '*' in value else 'one' if value else 'no'} {key}")
        return ", ".join(words) or ("all patients" if self.level == "PATIENT" else "all studies")

    @property
    def exact_keys(self) -> frozenset[str]:
        """The keys with one exact value, not only its beginning."""
        return frozenset(key for key, value in self.keys if not value.endswith("*"))

    @property
    def has_several_days(self) -> bool:
        """Whether the region is a range of more than one day."""
        return self.days is not None and self.days[0] < self.days[1]

    def asked_days(self, margin: int) -> Span:
        """Return the days to query: a range is longer by a margin at both ends."""
        low, high = self.days or (EARLIEST, LATEST)
        margin = margin if self.has_several_days else 0
        return max(low - margin, EARLIEST), min(high + margin, LATEST)

    def as_query(self, returns: tuple[str, ...], *, margin: int = 0, max_rows: int = 0) -> Query:
        """Return the query to send.

        Upper bounds of time are one second later than the region's, so that fractions of its
        last second belong to it, whether a PACS compares times or text.
        """
        match = dict(self.keys)
        if self.days:
            low, high = self.asked_days(margin)
            first = "" if low == EARLIEST else _da(low)
            last = "" if high == LATEST else _da(high)
            match["StudyDate"] = first if low == high else f"{first}-{last}"
        if self.seconds:
            low, high = self.seconds
            first = "" if low == 0 else _tm(low)
            last = "" if high == LAST_SECOND else _tm(high + 1)
            match["StudyTime"] = f"{first}-{last}"
        return Query(level=self.level, match=match, returns=returns, max_rows=max_rows)

    def mismatched(
        self, attributes: Mapping[str, str], day: int | None, second: int | None, margin: int
    ) -> Iterator[str]:
        """Yield the keys of the query, sent with this margin, that a row does not match."""
        for key, pattern in self.keys:
            values = attributes.get(key, pattern).split("\\")
            if not matches(vr_of(key), pattern, values, fold=True):
                yield key
        if self.days:
            asked = self.asked_days(margin)
            if _is_outside(day, attributes.get("StudyDate"), asked, EARLIEST):
                yield "StudyDate"
        if self.seconds:
            span = (self.seconds[0], self.seconds[1] + 1)
            if _is_outside(second, attributes.get("StudyTime"), span, 0):
                yield "StudyTime"


@dataclass(slots=True)
class RowTally:
    """The facts about the rows of one query result that are needed to judge and to divide."""

    margin: int = 0
    """Days by which the queried range was longer at both ends."""
    rows: int = 0
    uids: set[str] = field(default_factory=set)
    days: Counter[int] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    undated: set[str] = field(default_factory=set)
    has_empty_date: bool = False
    """Whether some row has an empty StudyDate, not only an invalid one."""
    untimed: set[str] = field(default_factory=set)
    neighbours: set[str] = field(default_factory=set)
    """Studies of other days than the region's."""
    mismatches: Counter[str] = field(default_factory=Counter)
    """Number of rows that do not match a key of the query, by key."""
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Values of the keys that may be used to divide by text."""

    def add(self, region: Region, uid: str, attributes: Mapping[str, str]) -> None:
        """Take one row of the query result for a region."""
        self.rows += 1
        self.uids.add(uid)
        day, second = day_of(attributes), second_of(attributes)
        if day is None:
            self.undated.add(uid)
            self.has_empty_date |= not attributes.get("StudyDate")
        else:
            self.days[day] += 1
            if region.days and not region.days[0] <= day <= region.days[1]:
                self.neighbours.add(uid)
        if second is None:
            self.untimed.add(uid)
        else:
            self.seconds[second] += 1
        for key, values in self.texts.items():
            values.append(attributes.get(key, ""))
        self.mismatches.update(region.mismatched(attributes, day, second, self.margin))

    def ignored(self, region: Region) -> set[str]:
        """Return the keys of the query that the PACS ignores, as the rows show.

        A PACS may match an exact value more loosely than the standard, but not a range or the
        beginning of a text.
        """
        return {
            key
            for key, rows in self.mismatches.items()
            if key not in region.exact_keys or 2 * rows > self.rows
        }


def day_of(attributes: Mapping[str, str]) -> int | None:
    """Return the StudyDate of a row as ordinal; None if it is missing or invalid."""
    text = attributes.get("StudyDate", "").replace(".", "")
    if len(text) != 8 or not text.isdecimal():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal()
    except ValueError:
        return None


def has_odd_date(attributes: Mapping[str, str]) -> bool:
    """Return whether a StudyDate is none that every PACS matches: not YYYYMMDD, or too early."""
    text = attributes.get("StudyDate", "")
    return bool(text) and (not text.isdecimal() or (day_of(attributes) or 0) < _FIRST_IMAGE)


def second_of(attributes: Mapping[str, str]) -> int | None:
    """Return the StudyTime of a row in seconds of the day; None if it is missing or invalid."""
    digits = attributes.get("StudyTime", "").replace(":", "").partition(".")[0]
    if len(digits) not in (2, 4, 6) or not digits.isdecimal():
        return None
    digits = digits.ljust(6, "0")
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])


def _is_outside(value: int | None, text: str | None, span: Span, lowest: int) -> bool:
    """Return whether a row is outside a range; an empty text matches an open beginning."""
    if value is None:
        return text == "" and span[0] > lowest
    return not span[0] <= value <= span[1]


def _to(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _da(day: int) -> str:
    return _iso(day).replace("-", "")


def _tm(second: int) -> str:
    return f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
