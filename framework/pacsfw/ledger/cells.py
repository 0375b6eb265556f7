"""Convert the typed cells of a row to one JSON text and back, without loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from pacsfw.api import ColumnType

_DECODERS: Mapping[ColumnType, Callable[[Any], Any]] = {
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "datetime": datetime.fromisoformat,
    "duration": lambda microseconds: timedelta(microseconds=microseconds),
}


NO_CELLS = "[]"
"""Cells of an instance that has no row, or whose row could not be read."""


def encode(cells: Iterable[Any]) -> str:
    """Return the JSON text of a row: durations in microseconds, dates in ISO 8601."""
    return json.dumps(list(cells), ensure_ascii=False, default=_plain)


def decode(kinds: Sequence[ColumnType], row: str) -> list[Any]:
    """Return the cells that `encode` wrote, for columns of these types; `NO_CELLS` is all None."""
    kept = json.loads(row) or [None] * len(kinds)
    return [_cell(kind, value) for kind, value in zip(kinds, kept, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    raise TypeError(f"a cell holds a {type(value).__name__}")


def _cell(kind: ColumnType, value: Any) -> Any:
    make = _DECODERS.get(kind)
    return value if value is None or make is None else make(value)
