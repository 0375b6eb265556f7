"""Dividing a region into smaller ones.

Division by day is exact: only studies with a date match a range of dates. Division by second
misses studies without a StudyTime. Division by the beginning of a text misses beginnings that
were not seen yet. The missed studies are the *gap* of a division.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pacsfw.dicom.matching import is_nameable
from pacsfw.steps.find.region import EARLIEST, LAST_SECOND, LATEST, Region, RowTally, Span

TEXT_KEYS = ("PatientID", "AccessionNumber")
"""Keys that every PACS must match (PS3.4 C.6) and whose beginnings divide well."""

LONGEST = 32
"""Maximum number of characters by which texts are divided; only crafted values need more."""

MODALITIES = "ModalitiesInStudy"

USUAL = (date(1950, 1, 1).toordinal(), date(2099, 12, 31).toordinal())
"""Days on which studies are usually made: saves halving two thousand years without studies."""


@dataclass(frozen=True, slots=True)
class Division:
    """The parts of a region, and its gap.

    ``independent`` means that every part should lack some row of the whole.
    """

    axis: str
    parts: tuple[Region, ...]
    independent: bool
    gap: str = ""


def divide(
    region: Region, tally: RowTally, *, cut: bool, ignored: Collection[str], modalities: bool
) -> Division | None:
    """Divide a region by the first possible axis: days, seconds, modalities, texts.

    Parameters
    ----------
    tally
        The rows of its result.
    cut
        Whether the result is known to be incomplete.
    ignored
        Keys that the PACS was seen to ignore.
    modalities
        Whether ModalitiesInStudy may be sent as a matching key.

    Returns
    -------
    Division or None
        None if it cannot be divided.
    """
    found = None
    if "StudyDate" not in ignored:
        found = by_day(region, tally, cut=cut)
    if found is None and "StudyTime" not in ignored:
        found = by_second(region, tally, cut=cut)
    if found is None and modalities:
        found = _by_value(region, tally)
    return found or by_text(region, tally, [key for key in TEXT_KEYS if key not in ignored])


def by_day(region: Region, tally: RowTally, *, cut: bool) -> Division | None:
    """Divide a range of days; a region without dates is first divided at the `USUAL` days."""
    gap = ""
    if region.level != "STUDY" or region.seconds:
        return None
    if region.days is None:
        low, high = USUAL
        spans, independent = [(EARLIEST, low - 1), USUAL, (high + 1, LATEST)], False
        gap = "studies without a StudyDate"
    elif not region.has_several_days:
        return None
    else:
        spans, independent = _spans(tally.days, region.days, cut=cut)
    parts = tuple(replace(region, days=span) for span in spans)
    return Division("StudyDate", parts, independent, gap)


def by_second(region: Region, tally: RowTally, *, cut: bool) -> Division | None:
    """Divide a day, or a part of it, down to a single second."""
    limits = region.seconds or (0, LAST_SECOND)
    if limits[0] == limits[1] or region.level != "STUDY":
        return None
    spans, independent = _spans(tally.seconds, limits, cut=cut)
    gap = "" if region.seconds else "studies without a StudyTime"
    parts = tuple(replace(region, seconds=span) for span in spans)
    return Division("StudyTime", parts, independent, gap)


def by_text(region: Region, tally: RowTally, keys: Sequence[str]) -> Division | None:
    """Divide by the beginnings of the texts of one of these keys, as seen in the rows.

    If a digit occurs, every digit is queried; other characters only if they were seen.
    """
    for key in keys:
        pattern = dict(region.keys).get(key, "*")
        if not pattern.endswith("*") or len(pattern) > LONGEST:
            continue
        values = [
            value
            for value in tally.texts.get(key, ())
            if value.startswith(pattern[:-1]) and is_nameable(value)
        ]
        if values:
            return _by_beginning(region, key, pattern[:-1], values)
    return None


def _by_beginning(region: Region, key: str, begin: str, values: list[str]) -> Division:
    following = {value[len(begin)] for value in values if len(value) > len(begin)}
    independent = len(following) + (begin in values) > 1
    if any(char.isdecimal() for char in following):
        following |= set("0123456789")
    patterns = [f"{begin}{char}*" for char in sorted(following)]
    if begin in values:
        patterns.append(begin)
    parts = tuple(_with_key(region, key, pattern) for pattern in patterns)
    return Division(key, parts, independent, f"studies whose {key} is empty or begins otherwise")


def _by_value(region: Region, tally: RowTally) -> Division | None:
    rows = tally.texts.get(MODALITIES, ())
    seen = {part for value in rows for part in value.split("\\") if part}
    if MODALITIES in dict(region.keys) or not seen:
        return None
    parts = tuple(_with_key(region, MODALITIES, value) for value in sorted(seen))
    return Division(MODALITIES, parts, len(seen) > 1, "studies of another modality")


def _with_key(region: Region, key: str, value: str) -> Region:
    return replace(region, keys=tuple(sorted({**dict(region.keys), key: value}.items())))


def _spans(found: Counter[int], limits: Span, *, cut: bool) -> tuple[list[Span], bool]:
    """Divide a range in two so that each half contains some of the values found.

    A single value becomes a part of its own instead. An incomplete result that fills less than
    half the range is probably one end of it: then the range is halved at its middle.
    """
    low, high = limits
    values = sorted(value for value in found if low <= value <= high)
    if not values or (cut and (values[-1] - values[0]) * 2 < high - low):
        middle = (low + high) // 2
        return [(low, middle), (middle + 1, high)], False
    if values[0] == values[-1]:
        lone = values[0]
        spans = [(low, lone - 1), (lone, lone), (lone + 1, high)]
        return [span for span in spans if span[0] <= span[1]], False
    middle = min(_median(found, values), values[-2])
    return [(low, middle), (middle + 1, high)], True


def _median(found: Counter[int], values: list[int]) -> int:
    half, passed = sum(found[value] for value in values) / 2, 0
    for value in values:
        passed += found[value]
        if passed >= half:
            return value
    return values[-1]
