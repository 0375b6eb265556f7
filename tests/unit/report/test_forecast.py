"""When the rest will be here: through the hours of the window, at the rate measured."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from pacsfw.config import Window
from pacsfw.report.estimate import Figure, Load
from pacsfw.report.forecast import forecast, lines

ZURICH = ZoneInfo("Europe/Zurich")
NIGHT = Window(time(20), time(8), timezone=ZURICH)
HOUR = 3600


def look(hours, now, window=NIGHT):
    """A forecast of what takes so many hours at 1 byte a second."""
    left = Load(Figure(3, "list"), Figure(9, "x"), Figure(hours * HOUR, "measured"))
    return forecast(left, (Figure(1, "measured"), Figure(2, "measured")), window, now)


def at(*parts):
    return datetime(*parts, tzinfo=ZURICH)


@pytest.mark.parametrize(
    ("hours", "now", "windows", "done_at"),
    [
        (2, at(2026, 6, 1, 21), 1, at(2026, 6, 1, 23)),
        (2, at(2026, 6, 1, 12), 1, at(2026, 6, 1, 22)),
        (12, at(2026, 6, 1, 7), 2, at(2026, 6, 2, 7)),
        # the night in which the clocks go forward has 11 hours, the other one 13
        (12, at(2026, 3, 28, 20), 2, at(2026, 3, 29, 21)),
        (13, at(2026, 10, 24, 20), 1, at(2026, 10, 25, 8)),
        (0, at(2026, 6, 1, 12), 1, at(2026, 6, 1, 20)),
    ],
)
def test_the_hours_of_the_window_are_gone_through(hours, now, windows, done_at):
    found = look(hours, now)

    assert (found.windows, found.done_at) == (windows, done_at)


def test_without_a_window_it_is_the_time_it_takes():
    found = look(5, at(2026, 6, 1, 12), Window())

    assert (found.windows, found.done_at) == (None, at(2026, 6, 1, 17))


def test_what_takes_too_long_is_not_forecast():
    found = look(10**6, at(2026, 6, 1, 12), Window(time(1), time(2), timezone=ZURICH))

    assert (found.windows, found.done_at) == (None, None)
    assert dict(lines(found, ZURICH))["done"] == "not within the transfer windows of the next years"


def test_nothing_left_needs_no_forecast():
    nothing = Load(Figure(0, ""), Figure(0, ""), Figure(0, ""))

    assert forecast(nothing, (Figure(1, ""), Figure(None, "")), NIGHT, datetime.now(UTC)) is None


def test_it_is_said_as_the_clock_of_the_site_has_it():
    said = dict(lines(look(2, at(2026, 6, 1, 12).astimezone(UTC)), ZURICH))

    assert said["left"].startswith("3 studies, about 7.2 kB")
    assert said["done"] == "about 2026-06-01 22:00, if a run is active, in 1 transfer window"
