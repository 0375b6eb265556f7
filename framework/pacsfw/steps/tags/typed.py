"""Convert natural values to the type of a column.

The text forms are those of PS3.5 section 6.2, and unambiguous ones that scanners write
instead: dates with ``-``, ``/`` or ``.``, times with colons or with more than six fractional
digits, ages without leading zeros.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from pacsfw.api import ColumnType
from pacsfw.convert import agestr2years, str2datetime, str2timedelta
from pacsfw.dicom.values import bool_of, float_of, int_of

_DATE = re.compile(r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})")
_FRACTION = re.compile(r"(.*\.[0-9]{6})[0-9]+")
_AGE = re.compile(r"([0-9]{1,3})([DWMY])")
_LAST_MOMENT = time(23, 59, 59, 999999)


def typed(values: list[Any], column_type: ColumnType, vr: str) -> Any:
    """Convert natural values to a cell.

    Raises
    ------
    ValueError
        They do not fit the type. The message does not quote them.
    """
    if not values:
        return None
    make = _LISTS.get(column_type)
    if make is not None:
        return [None if each in ("", None) else make(each, vr) for each in values]
    if column_type == "text":
        return "\\".join("" if each is None else str(each) for each in values)
    if len(values) > 1:
        raise ValueError(f"{len(values)} values: choose one with an index, or a list type")
    return _SCALARS[column_type](values[0], vr)


def _int(value: Any, vr: str) -> int:
    if vr == "AS":
        value = _years(value)
    if isinstance(value, str) and "." in value:
        value = float_of(value)  # such as 12.0
    return int_of(value)


def _float(value: Any, vr: str) -> float:
    return _years(value) if vr == "AS" else float_of(value)


def _years(value: str) -> float:
    age = _AGE.fullmatch(value.upper())
    return agestr2years(f"{int(age[1]):03}{age[2]}" if age else value)


def _date(value: Any, vr: str) -> date:
    return _datetime(value, vr).date()


def _day(found: re.Match[str]) -> date:
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        raise ValueError("no such day: year, month or day is out of range") from None


def _datetime(value: Any, vr: str) -> datetime:
    found = _DATE.fullmatch(_text(value))
    if found:
        return datetime.combine(_day(found), time())
    if vr == "DA":
        raise ValueError("not a DICOM date (DA)")
    return str2datetime(_six_digits(value))


def _duration(value: Any, vr: str) -> timedelta:
    return str2timedelta(_six_digits(_text(value)))


def _time(value: Any, vr: str) -> time:
    if vr == "DT":
        return _datetime(value, vr).time()
    since_midnight = _duration(value, vr)
    if since_midnight == timedelta(days=1):
        return _LAST_MOMENT  # a leap second, 235960, which a Python time cannot hold
    return (datetime.min + since_midnight).time()  # noqa: DTZ901 - DICOM times have no zone


def _six_digits(text: str) -> str:
    """Return a time with at most six fractional digits and without a trailing point."""
    longer = _FRACTION.fullmatch(text)
    return longer[1] if longer else text.removesuffix(".")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a number is not a date or time")  # noqa: TRY004 - it does not fit
    return value


_SCALARS: Mapping[ColumnType, Callable[[Any, str], Any]] = {
    "int": _int,
    "float": _float,
    "bool": lambda value, _vr: bool_of(value),
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "duration": _duration,
}
_LISTS: Mapping[ColumnType, Callable[[Any, str], Any]] = {
    "texts": lambda value, _vr: str(value),
    "ints": _int,
    "floats": _float,
}
