"""The forms of queries, and which of them a PACS was seen to answer with rows.

Some PACS answer queries of a form that they do not support with no rows and success: ranges of
dates, long ranges, wildcards. So an empty result proves something only if a query of the same
form returned rows before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from pacsfw.steps.find.region import (
    EARLIEST,
    LAST_SECOND,
    LATEST,
    Region,
    Span,
    day_of,
    second_of,
)

ENDLESS = LATEST
"""The length of a range without a bound."""

SAMPLES = 5
"""Maximum number of rows to keep, and to build queries from."""

Row: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a query: the kinds of its keys, without their values."""

    level: str
    keys: tuple[tuple[str, Literal["exact", "wild", "none"]], ...]
    dates: Literal["", "day", "range", "until", "since"]
    times: bool


class Forms:
    """Remembers the forms of the queries that returned rows, with some of these rows."""

    def __init__(self) -> None:
        self._longest: dict[Form, int] = {}
        self.samples: list[Row] = []

    def learn(self, region: Region, margin: int, rows: Sequence[Row]) -> None:
        """Note rows of a query, which all match it."""
        form, length = form_of(region), length_of(region, margin)
        self._longest[form] = max(length, self._longest.get(form, 0))
        dated = [row for row in rows if region.level == "PATIENT" or _has_plain_date(row)]
        # Rows with more attributes are examples of more forms.
        self.samples = sorted([*dated, *self.samples], key=len, reverse=True)[:SAMPLES]

    def are_shown(self, region: Region) -> bool:
        """Return whether a query of this form, with a range as long, returned rows."""
        return self._longest.get(form_of(region), 0) >= length_of(region, 0)


def form_of(region: Region) -> Form:
    """Return the form of the query for a region."""
    keys = tuple((key, _kind(value)) for key, value in region.keys)
    return Form(region.level, keys, _dates(region.days), region.seconds is not None)


def length_of(region: Region, margin: int) -> int:
    """Return the number of days in the range that is queried with this margin; at least 1."""
    if region.days is None:
        return 1
    low, high = region.asked_days(margin)
    return ENDLESS if low == EARLIEST or high == LATEST else high - low + 1


def example(region: Region, row: Row) -> Region | None:
    """Return a region of the same form that contains the study of a row.

    Returns
    -------
    Region or None
        None if the row lacks a value for it.
    """
    keys = tuple((key, _pattern(value, row.get(key, ""))) for key, value in region.keys)
    day, second = day_of(row), second_of(row)
    lacks_key = any(not own for (_, own), (_, sent) in zip(keys, region.keys, strict=True) if sent)
    if lacks_key or (region.days and day is None) or (region.seconds and second is None):
        return None
    found = replace(region, keys=keys)
    if region.days and day is not None:
        found = replace(found, days=_around_day(region.days, day))
    if region.seconds and second is not None:
        found = replace(found, seconds=_around(region.seconds, second, (0, LAST_SECOND)))
    return found


def _around_day(days: Span, day: int) -> Span:
    if days[0] == EARLIEST:
        return (EARLIEST, LATEST if days[1] == LATEST else day)
    if days[1] == LATEST:
        return (day, LATEST)
    return _around(days, day, (EARLIEST + 1, LATEST - 1))


def _around(span: Span, value: int, limits: Span) -> Span:
    """Return a span of the same length with a value near its middle."""
    length = span[1] - span[0]
    low = max(limits[0], min(value - length // 2, limits[1] - length))
    return low, low + length


def _dates(days: Span | None) -> Literal["", "day", "range", "until", "since"]:
    if days is None:
        return ""
    if days[0] == EARLIEST:
        return "until"
    if days[1] == LATEST:
        return "since"
    return "day" if days[0] == days[1] else "range"


def _kind(value: str) -> Literal["exact", "wild", "none"]:
    return "none" if not value else "wild" if "*" in value else "exact"


def _pattern(sent: str, own: str) -> str:
    """Return a value of the same kind that matches an attribute; "" if there is none."""
    own = own.split("\\")[0]
    if not sent or not own or set(own) & set("*?"):
        return ""
    if "*" not in sent:
        return own
    return f"{own[:1]}*" if not sent.startswith("*") else f"*{own[1:]}*"


def _has_plain_date(row: Row) -> bool:
    text = row.get("StudyDate", "")
    return text.isdecimal() and day_of(row) is not None
