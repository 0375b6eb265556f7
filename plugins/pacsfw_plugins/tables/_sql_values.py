"""The values of cells as both databases take them, in statements and in COPY."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from operator import index
from typing import Any

from pacsfw import api
from pacsfw_plugins.tables._cells import dump, storable, to_json, to_text, utc_offset

LONGEST_KEY = 800
"""Bytes of a text that is part of a key; in PostgreSQL an entry of an index has at most 2,704."""

_SHOWN = 64
"""Characters of a longer text at the beginning of its key."""


def values(kind: api.ColumnType, cells: list[Any], *, is_offset: bool = False) -> list[Any]:
    """Return the values of one column.

    Raises
    ------
    TypeError, ValueError, ArithmeticError
        A cell is not of this type, or out of its range.
    """
    convert = utc_offset if is_offset else _CONVERTERS[kind]
    if convert is to_text:
        return [
            cell
            if cell is None or (type(cell) is str and cell.isascii() and "\0" not in cell)
            else to_text(cell)
            for cell in cells
        ]
    return [None if cell is None else convert(cell) for cell in cells]


def key_of(text: str | None) -> str | None:
    """Return a text as part of a key: a very long one by its beginning and its digest."""
    if text is None or len(text) <= LONGEST_KEY // 4:
        return text and storable(text)
    whole = storable(text).encode()
    if len(whole) <= LONGEST_KEY:
        return whole.decode()
    return f"{storable(text[:_SHOWN])}... sha256:{hashlib.sha256(whole).hexdigest()}"


def _int(value: Any) -> int:
    number = index(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _bool(value: Any) -> bool:
    if value is not True and value is not False:
        raise TypeError
    return bool(value)


def _time(value: time) -> str:
    return time.isoformat(value.replace(tzinfo=None), "microseconds")


def _local(value: datetime) -> str:
    local = value if value.tzinfo is None else value.replace(tzinfo=None)
    return datetime.isoformat(local, " ", "microseconds")


def _json(value: Any) -> str:
    return dump(to_json(value))


_CONVERTERS: Mapping[api.ColumnType, Callable[[Any], Any]] = {
    "text": to_text,
    "int": _int,
    "float": float,
    "bool": _bool,
    "date": date.isoformat,
    "time": _time,
    "datetime": _local,
    "duration": timedelta.total_seconds,
    **dict.fromkeys(("texts", "ints", "floats", "json"), _json),
}
