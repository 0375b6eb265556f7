"""Convert the values of a table to JSON values and to text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any

from pacsfw.errors import Refused
from pacsfw.words import encodable


def storable(text: str) -> str:
    r"""Return a text that every format can hold.

    Half of a surrogate pair, which UTF-8 cannot represent, becomes the six characters ``\udcXX``,
    and a NUL, at which many programs end a text, the four characters ``\x00``.
    """
    text = encodable(text)
    return text.replace("\0", "\\x00") if "\0" in text else text


def to_json(value: Any) -> Any:
    """Return the value of a cell as a value for strict JSON; texts are `storable`.

    Dates, times and date-times become ISO 8601 text, durations ``HH:MM:SS[.ffffff]``
    (hours may exceed 23, a minus sign may precede). NaN and the infinities, which are not
    numbers in JSON, become the text ``NaN``, ``Infinity`` and ``-Infinity``.

    Raises
    ------
    TypeError
        A column cannot have a value of this type.
    """
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [to_json(item) for item in value]
    raise TypeError(f"a {type(value).__name__} cannot be written into a table")


def to_text(value: Any) -> str:
    """Return the value of a cell as text; None is an empty cell.

    Booleans become ``true`` and ``false``, lists and mappings compact JSON, and other values
    what `to_json` returns. Text is `storable`.

    Raises
    ------
    TypeError
        A column cannot have a value of this type.
    """
    if isinstance(value, str):
        return storable(value)
    if value is None:
        return ""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    plain = to_json(value)
    return plain if isinstance(plain, str) else dump(plain)


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dump(value: Any) -> str:
    """Return compact JSON without escapes for characters beyond ASCII."""
    return _encoder.encode(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def utc_offset(value: datetime) -> str | None:
    """Return the offset of a date-time from UTC, such as ``+01:00``; None if it has none."""
    if value.tzinfo is None:
        return None
    return value.isoformat()[len(value.replace(tzinfo=None).isoformat()) :] or None


def _duration(value: timedelta) -> str:
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    minutes, seconds = divmod(value.days * 86400 + value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06d}" if value.microseconds else ""
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


@contextmanager
def refusing(where: object, column: str = "") -> Iterator[None]:
    """Say by `Refused` that a value cannot be stored, and in which column.

    Raises
    ------
    Refused
        There was an error of conversion. Its text, which may quote the value, is left out.
    """
    try:
        yield
    except Refused:
        raise
    except (ValueError, TypeError, ArithmeticError, RecursionError) as err:
        kind = type(err).__name__
        why = f"column {column!r}: {kind}" if column else kind
        raise Refused(why, str(where)) from None
