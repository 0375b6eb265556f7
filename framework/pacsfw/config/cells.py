"""The cells of each column type, and the conversion of values to cells.

===========  ====================  ==================================================
type         cell                  also made from
===========  ====================  ==================================================
text         str                   anything but sequences and bytes, as written
int float    int float             DS, IS and text of that form (PS3.5 6.2)
bool         bool                  YES/NO, Y/N, TRUE/FALSE, 1/0
date         datetime.date         DA and DT text, a datetime
time         datetime.time         TM text, a datetime, a timedelta of less than a day
datetime     datetime.datetime     DA and DT text, a date
duration     datetime.timedelta    TM text
texts        list of str           one or several values, as text
ints floats  list of int, float    one or several values, as int and float; no NaN
json         list, dict, scalars   sequences and items by the DICOM JSON model (PS3.18 F),
                                   bytes in base64
===========  ====================  ==================================================

Scalars of numpy, pandas and similar packages, Decimal and Fraction count as the Python values that
they stand for, pandas' NA and NaT as no value, and arrays of one dimension as lists (not in text).
Cells have the limits of the narrowest table format: integers and durations have 64 bits.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.valuerep import PersonName

from pacsfw.api import ColumnType
from pacsfw.config.scalars import is_array, plain
from pacsfw.convert import str2datetime, str2timedelta
from pacsfw.dicom.values import Misfit, bool_of, float_of, int_of, is_empty, text_of

_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_LONGEST = timedelta(microseconds=(1 << 63) - 1)


def cell(value: Any, column_type: ColumnType) -> Any:
    """Convert a value to a cell of a column type.

    Parameters
    ----------
    value
        From pydicom or a callback; None is an empty cell of every type.
    column_type
        A type from the table of this module.

    Raises
    ------
    Misfit
        The value does not fit; the message gives the reason, and never quotes the value.
    ValueError, TypeError
        The value does not fit. Messages may come from pydicom and quote the value.
    """
    value = plain(value)
    return None if value is None else _CELLS[column_type](value)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | time) else text_of(value)


def _date(value: Any) -> date:
    return value if type(value) is date else _datetime(value).date()


def _time(value: Any) -> time:
    if isinstance(value, time):
        return value
    if isinstance(value, datetime):
        return value.time()
    since_midnight = _duration(value)
    if not timedelta(0) <= since_midnight < timedelta(days=1):
        raise ValueError("not a time of day")
    return (datetime.min + since_midnight).time()  # noqa: DTZ901 - DICOM times have no zone


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a date has no zone
    return str2datetime(_only_text(value))


def _duration(value: Any) -> timedelta:
    found = value if isinstance(value, timedelta) else str2timedelta(_only_text(value))
    if abs(found) > _LONGEST:
        raise Misfit("the duration does not fit into 64 bits (microseconds)")
    return found


def _only_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Misfit(f"a value of type {type(value).__name__} is not a date or time")
    return value


def _list_of(make: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def listed(value: Any) -> list[Any]:
        flat = [plain(each) for one in _values(value) for each in _values(one)]
        return [None if is_empty(each) else make(each) for each in flat]

    return listed


def _values(value: Any) -> Any:
    if is_array(value):
        return value.tolist()
    return value if isinstance(value, MultiValue | list | tuple) else [value]


def _json(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, Dataset):
        return _json(_without_group_lengths(value.to_json_dict()))
    if is_array(value):
        value = value.tolist()
    if isinstance(value, Sequence | MultiValue | list | tuple):
        return [_json(single) for single in value]
    if isinstance(value, Mapping):
        return {_key(key): _json(single) for key, single in value.items()}
    return _json_scalar(value)


def _without_group_lengths(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a model as PS3.18 section F.2.2 demands it, also in its sequences."""
    return {
        tag: {**element, "Value": list(map(_without_group_lengths, element["Value"]))}
        if element["vr"] == "SQ" and "Value" in element
        else element
        for tag, element in model.items()
        if not tag.endswith("0000")
    }


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Misfit(f"a key of type {type(key).__name__} cannot be written as JSON")
    return str.__str__(key)


def _json_scalar(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case PersonName():
            groups = zip(_NAME_GROUPS, value.components, strict=False)
            return {group: str(name) for group, name in groups if name}
        case BaseTag():
            return f"{value:08X}"
        case str() | int():
            return str.__str__(value) if isinstance(value, str) else int(value)
        case float() | Decimal() | Fraction():
            if not math.isfinite(number := float_of(value)):
                raise Misfit("JSON has no NaN and no infinity")
            return number
        case date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
    raise Misfit(f"a value of type {type(value).__name__} cannot be written as JSON")


_CELLS: Mapping[ColumnType, Callable[[Any], Any]] = {
    "text": _text,
    "int": int_of,
    "float": float_of,
    "bool": bool_of,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "duration": _duration,
    "texts": _list_of(_text),
    "ints": _list_of(int_of),
    "floats": _list_of(float_of),
    "json": _json,
}
