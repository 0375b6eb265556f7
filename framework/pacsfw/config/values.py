"""Scalar values of the configuration, after the frame schema has checked their form."""

from __future__ import annotations

import math
import re
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from zoneinfo import ZoneInfo, available_timezones

from pacsfw.words import nearest

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of ``date.weekday``."""

_SIZE = re.compile(r"([0-9.]+) ?([KMGT]?i?)B?")
SQLITE = "sqlite:///"
"""Prefix of the URL of a SQLite file; its path follows, relative like all others."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_PASSWORD = re.compile(r"(://[^/@:\s]*):[^@\s]+@|([?&;](?:password|sslpassword)=)[^&;]*")


def clock_time(value: str | int) -> time:
    """Convert ``HH``, ``HH:MM`` or ``HH:MM:SS`` (a bare hour may be a number)."""
    hour, minute, second = [*(int(part) for part in str(value).split(":")), 0, 0][:3]
    return time(hour, minute, second)


def size(value: str | int) -> int:
    """Convert ``500 MB``, ``2 GiB`` or a number to bytes; the form has been checked."""
    number, unit = _SIZE.fullmatch(str(value)).groups()  # type: ignore[union-attr]
    base = 1024 if unit.endswith("i") else 1000
    return int(Decimal(number) * base ** " KMGT".index(unit[:1] or " "))


def span(value: str) -> timedelta:
    """Convert a number of hours, days or weeks: ``12h``, ``7d``, ``2w``."""
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    return int(value[:-1]) * units[value[-1]]


def day(value: str | int) -> date:
    """Convert ``YYYYMMDD`` or ``YYYY-MM-DD``.

    Raises
    ------
    ValueError
        There is no such day.
    """
    digits = str(value).replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as err:
        raise ValueError(f"{value!r} is not a valid day") from err


def zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database.

    Raises
    ------
    ValueError
        There is no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as err:
        near = nearest(name, available_timezones())
        raise ValueError(f"{name!r} is not a time zone such as Europe/Zurich{near}") from err


def is_url(target: str) -> bool:
    """Return whether a target has a scheme; one letter and a colon is a Windows drive."""
    return _URL.match(target) is not None


def without_password(target: str, mask: str = "") -> str:
    """Return a target without the password of its URL, or with ``mask`` in its place."""

    def masked(match: re.Match[str]) -> str:
        before, key = match.groups()
        return f"{key}{mask}" if key else f"{before}:{mask}@" if mask else f"{before}@"

    return _PASSWORD.sub(masked, target) if is_url(target) else target


def split_sqlite(target: str) -> tuple[str, str]:
    """Return the path and the options of ``sqlite:///path?options``; else two empty texts."""
    if not target.startswith(SQLITE):
        return "", ""
    path, mark, options = target.removeprefix(SQLITE).partition("?")
    return path, mark + options


def sibling(path: str, table: str) -> str:
    """Return ``my/resources_meta_errors.csv`` for ``my/resources_meta.csv``."""
    pure = PurePath(path)
    return str(pure.with_name(f"{pure.stem}_{table}{pure.suffix}"))


def number(text: str, *, whole: bool) -> int | float:
    """Convert the text of a YAML or JSON number.

    Raises
    ------
    ValueError
        It is not a number, not finite, or has thousands of digits.
    """
    try:
        if whole:
            return int(text, 0)
        value = math.nan if text.lower().endswith(("inf", "nan")) else float(text)
    except ValueError as err:
        raise ValueError("not a valid number; put it in quotes") from err
    if not math.isfinite(value):
        raise ValueError("not a finite number; put it in quotes if it is text")
    return value
