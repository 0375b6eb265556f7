"""Convert DICOM text to Python values and back, in tag callbacks and in your own code.

Text is as defined in PS3.5 section 6.2, table 6.2-1; trailing spaces and NULs (the padding of
PS3.5) are ignored. Messages never quote the value, which may identify a patient.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacsfw.dicom.vr import PADDING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_HOUR = "(?P<hour>[01][0-9]|2[0-3])"
_MINUTE = "(?P<minute>[0-5][0-9])"
_SECOND = r"(?P<second>[0-5][0-9]|60)(?:\.(?P<fraction>[0-9]{1,6}))?"
_TIME = re.compile(f"{_HOUR}(?:{_MINUTE}(?:{_SECOND})?)?")
_OLD_TIME = re.compile(f"{_HOUR}:{_MINUTE}(?::{_SECOND})?")
_OLD_DATE = re.compile(r"(?P<year>[0-9]{4})\.(?P<month>[0-9]{2})\.(?P<day>[0-9]{2})")
_DATETIME = re.compile(
    "(?P<year>[0-9]{4})(?:(?P<month>[0-9]{2})(?:(?P<day>[0-9]{2})"
    f"(?:{_TIME.pattern})?)?)?"
    "(?P<offset>[+-][0-9]{4})?"
)
_AGE = re.compile(r"(?P<count>[0-9]{3})(?P<unit>[DWMY])")
_DAYS_PER_YEAR = 365.25
_AGE_UNITS = {"D": 1 / _DAYS_PER_YEAR, "W": 7 / _DAYS_PER_YEAR, "M": 1 / 12, "Y": 1.0}
_WEST, _EAST = timedelta(hours=-12), timedelta(hours=14)
_PIXEL_DATA = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def str2datetime(dcm_date: str) -> datetime:
    """Read a date (DA) or a date with time (DT).

    Parameters
    ----------
    dcm_date
        ``YYYYMMDD``, the retired ``YYYY.MM.DD``, or ``YYYYMMDDHHMMSS.FFFFFF&ZZXX`` truncated
        after any component from the year on, with or without the offset ``&ZZXX``.

    Returns
    -------
    datetime
        Missing components get their lowest value; aware if there is an offset. Second 60 (a
        leap second) becomes the first second of the next minute.

    Raises
    ------
    ValueError
        The text has none of these forms, or the day does not exist.
    """
    text = dcm_date.rstrip(PADDING)
    match = _OLD_DATE.fullmatch(text) or _DATETIME.fullmatch(text)
    if match is None:
        raise ValueError("neither a DICOM date (DA) nor a DICOM date and time (DT)")
    parts = match.groupdict()
    zone = _zone(parts.get("offset"))
    try:
        midnight = datetime(
            int(parts["year"]), int(parts["month"] or 1), int(parts["day"] or 1), tzinfo=zone
        )
        return midnight + _clock(parts)
    except (ValueError, OverflowError):
        raise ValueError("no such day: year, month or day is out of range") from None


def str2timedelta(dcm_time: str) -> timedelta:
    """Read a time of day (TM).

    Parameters
    ----------
    dcm_time
        ``HH``, ``HHMM``, ``HHMMSS`` or ``HHMMSS.F`` with 1 to 6 digits after the point, or
        the retired ``HH:MM`` and ``HH:MM:SS.F``.

    Returns
    -------
    timedelta
        The time since midnight; the leap second ``235960`` gives 24 hours.

    Raises
    ------
    ValueError
        The text has none of these forms, or is out of range.
    """
    text = dcm_time.rstrip(PADDING)
    match = _TIME.fullmatch(text) or _OLD_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a DICOM time (TM), or a component is out of range")
    return _clock(match.groupdict())


def datetime2str(date_time: datetime, use_time: bool = False) -> str:
    """Write a datetime as DA, or as DT if it has a time of day or an offset.

    Parameters
    ----------
    date_time
        The datetime; an aware one keeps its offset.
    use_time
        Also write midnight.

    Returns
    -------
    str
        ``YYYYMMDD``, ``YYYYMMDDHHMMSS.FFFFFF``, or one of these with ``&ZZXX``;
        `str2datetime` returns the same datetime.

    Raises
    ------
    ValueError
        The offset is not allowed in DICOM: not whole minutes from -12:00 to +14:00.
    """
    text = f"{date_time.year:04}{date_time.month:02}{date_time.day:02}"
    since_midnight = timedelta(
        hours=date_time.hour,
        minutes=date_time.minute,
        seconds=date_time.second,
        microseconds=date_time.microsecond,
    )
    if use_time or since_midnight:
        text += timedelta2str(since_midnight)
    offset = date_time.utcoffset()
    return text if offset is None else text + _offset2str(offset)


def timedelta2str(time_delta: timedelta) -> str:
    """Write a time since midnight as TM, ``HHMMSS.FFFFFF``.

    Raises
    ------
    ValueError
        It is not a time of day: negative, or 24 hours or more.
    """
    if not timedelta(0) <= time_delta < timedelta(days=1):
        raise ValueError("a DICOM time must be at least 0 and less than 24 hours")
    minutes, seconds = divmod(time_delta.seconds, 60)
    return f"{minutes // 60:02}{minutes % 60:02}{seconds:02}.{time_delta.microseconds:06}"


def agestr2years(age: str) -> float:
    """Read an age (AS) as years.

    Parameters
    ----------
    age
        ``nnnD``, ``nnnW``, ``nnnM`` or ``nnnY``: days, weeks, months or years.

    Returns
    -------
    float
        Years of 365.25 days, or of 12 months.

    Raises
    ------
    ValueError
        The text does not have this form.
    """
    match = _AGE.fullmatch(age.rstrip(PADDING))
    if match is None:
        raise ValueError("not a DICOM age (AS): three digits and one of D, W, M, Y")
    return int(match["count"]) * _AGE_UNITS[match["unit"]]


def dcm2dict(dcm: Dataset | str | Path, include_pixels: bool = False) -> dict[str, dict[str, Any]]:
    """Convert a data set to plain, JSON-compatible dictionaries.

    Parameters
    ----------
    dcm
        A data set, which is not changed, or the path of a DICOM file.
    include_pixels
        Whether to include pixel data: (7FE0,0008), (7FE0,0009) or (7FE0,0010).

    Returns
    -------
    dict
        The DICOM JSON model (PS3.18 annex F). Each element, also in sequences, has a
        ``Name``: its keyword, otherwise its name in pydicom.

    Raises
    ------
    pydicom.errors.InvalidDicomError
        The file is not DICOM.
    UnreadableObject
        A value cannot be decoded; the message names the tag, and not the value.
    """
    from pydicom import dcmread

    if isinstance(dcm, str | Path):
        dcm = dcmread(dcm, stop_before_pixels=not include_pixels)
    return _named(dcm, include_pixels)


def dict2dcm(dcm_dict: Mapping[str, Mapping[str, Any]]) -> Dataset:
    """Convert the dictionaries of `dcm2dict`, or of the DICOM JSON model, to a data set.

    Parameters
    ----------
    dcm_dict
        Elements by tag; not changed.
    """
    from pydicom.dataset import Dataset

    return Dataset.from_json(dict(dcm_dict))  # ignores the names


def _clock(parts: Mapping[str, str | None]) -> timedelta:
    return timedelta(
        hours=int(parts.get("hour") or 0),
        minutes=int(parts.get("minute") or 0),
        seconds=int(parts.get("second") or 0),
        microseconds=int((parts.get("fraction") or "0").ljust(6, "0")),
    )


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    if offset == "-0000":
        raise ValueError("the offset -0000 is not allowed in DICOM (PS3.5 table 6.2-1, DT)")
    hours, minutes = int(offset[1:3]), int(offset[3:])
    delta = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    if minutes > 59 or not _WEST <= delta <= _EAST:
        raise ValueError("the offset from UTC is not within -1200 to +1400")
    return timezone(delta)


def _offset2str(offset: timedelta) -> str:
    minutes, rest = divmod(abs(offset), timedelta(minutes=1))
    if rest or not _WEST <= offset <= _EAST:
        raise ValueError("a DICOM offset from UTC must be whole minutes from -12:00 to +14:00")
    return f"{'-' if offset < timedelta(0) else '+'}{minutes // 60:02}{minutes % 60:02}"


def _named(dataset: Dataset, include_pixels: bool) -> dict[str, dict[str, Any]]:
    from pydicom.datadict import keyword_for_tag

    from pacsfw.dicom.decoding_errors import decoding  # imports pydicom

    named: dict[str, dict[str, Any]] = {}
    for tag in sorted(dataset.keys()):
        if tag.element == 0:
            continue  # a group length, see PS3.18 section F.2.2
        with decoding(str(tag), Counter()):
            element = dataset[tag]
        if element.tag in _PIXEL_DATA and not include_pixels:
            continue
        if element.VR == "SQ":
            content = {
                "vr": "SQ",
                "Value": [_named(item, include_pixels) for item in element.value],
            }
        else:
            with decoding(str(tag), Counter()):
                content = element.to_json_dict(
                    bulk_data_element_handler=None, bulk_data_threshold=0
                )
        content["Name"] = keyword_for_tag(element.tag) or element.name.strip("[]")
        named[f"{element.tag:08X}"] = content
    return named
