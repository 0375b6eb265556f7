"""Typed cells as JSON and back, without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from pacsfw.api import ColumnType

_DECODERS: Mapping[ColumnType, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "datetime": datetime.fromisoformat,
    "duration": lambda microseconds: timedelta(microseconds=microseconds),
}


def to_json(value: Any) -> Any:
    """Return what the ledger keeps of a cell: a duration as microseconds, dates as ISO 8601."""
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    return value


def from_json(kind: ColumnType, value: Any) -> Any:
    """Return the cell that `to_json` kept, for a column of this type."""
    decode = _DECODERS.get(kind)
    return value if value is None or decode is None else decode(value)
