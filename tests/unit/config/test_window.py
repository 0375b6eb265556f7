"""The window: by the clock on the wall, through the nights in which it is changed."""

from __future__ import annotations

import pickle
import time as os_time
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacsfw.config import Window

ZURICH = ZoneInfo("Europe/Zurich")
NIGHT = Window(time(20), time(8), timezone=ZURICH)


def at(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=ZURICH, fold=fold)  # type: ignore[arg-type, misc]


def hours_from(opening: datetime, window: Window = NIGHT) -> float:
    assert window.is_open(opening)
    change = window.next_change(opening)
    assert change is not None
    return (change - opening).total_seconds() / 3600


@pytest.mark.parametrize(
    ("opening", "hours"),
    [(at(2026, 3, 28, 20), 11), (at(2026, 10, 24, 20), 13), (at(2026, 11, 20, 20), 12)],
)
def test_the_night_is_as_long_as_the_clock_makes_it(opening: datetime, hours: float) -> None:
    assert hours_from(opening) == hours


def test_the_start_belongs_to_the_window_and_the_end_does_not() -> None:
    assert not NIGHT.is_open(at(2026, 1, 1, 19, 59, 59))
    assert NIGHT.is_open(at(2026, 1, 1, 20))
    assert NIGHT.is_open(at(2026, 1, 2, 7, 59, 59))
    assert not NIGHT.is_open(at(2026, 1, 2, 8))


def test_seconds_count() -> None:
    window = Window(time(20, 0, 15), time(20, 0, 45), timezone=ZURICH)
    assert window.next_change(at(2026, 1, 1, 20)) == at(2026, 1, 1, 20, 0, 15)
    assert window.next_change(at(2026, 1, 1, 20, 0, 15)) == at(2026, 1, 1, 20, 0, 45)


def test_hours_that_the_clock_skips_do_not_open_the_window() -> None:
    window = Window(time(2, 15), time(2, 45), timezone=ZURICH)
    assert window.next_change(at(2026, 3, 29, 0)) == at(2026, 3, 30, 2, 15)


def test_a_window_that_begins_in_a_skipped_hour_opens_when_the_clock_jumps_into_it() -> None:
    window = Window(time(2, 30), time(8), timezone=ZURICH)
    assert window.next_change(at(2026, 3, 29, 0)) == at(2026, 3, 29, 3)


def test_hours_that_the_clock_repeats_open_the_window_twice() -> None:
    window = Window(time(2, 15), time(2, 45), timezone=ZURICH)
    changes = [at(2026, 10, 25, 0)]
    for _ in range(4):
        change = window.next_change(changes[-1])
        assert change is not None
        changes.append(change)
    assert changes[1:] == [
        datetime(2026, 10, 25, hour, minute, tzinfo=UTC)
        for hour, minute in [(0, 15), (0, 45), (1, 15), (1, 45)]
    ]


def test_a_day_is_the_day_on_which_the_window_opens() -> None:
    window = Window(time(20), time(8), frozenset({4}), ZURICH)
    friday = at(2026, 11, 20, 20)
    assert window.is_open(friday)
    assert window.is_open(at(2026, 11, 21, 7))
    assert not window.is_open(at(2026, 11, 20, 7))
    assert not window.is_open(at(2026, 11, 21, 20))
    assert window.next_change(friday) == at(2026, 11, 21, 8)
    assert window.next_change(at(2026, 11, 21, 8)) == at(2026, 11, 27, 20)


def test_equal_times_mean_the_whole_day() -> None:
    always = Window(time(8), time(8), timezone=ZURICH)
    assert always.is_always_open
    assert always.is_open(at(2026, 1, 1, 8))
    assert always.next_change(at(2026, 1, 1, 8)) is None


def test_days_restrict_a_window_without_hours() -> None:
    weekend = Window(days=frozenset({5, 6}), timezone=ZURICH)
    assert not weekend.is_always_open
    assert weekend.next_change(at(2026, 11, 20, 12)) == at(2026, 11, 21, 0)
    assert weekend.next_change(at(2026, 11, 21, 12)) == at(2026, 11, 23, 0)


def test_the_instant_may_be_given_in_any_zone() -> None:
    assert NIGHT.is_open(datetime(2026, 1, 1, 19, tzinfo=UTC))
    assert not NIGHT.is_open(datetime(2026, 7, 1, 17, 59, tzinfo=UTC))


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        NIGHT.is_open(datetime(2026, 1, 1))


def test_a_window_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(NIGHT)) == NIGHT


@pytest.fixture
def system_in_zurich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(os_time, "tzset"):
        pytest.skip("this system has no TZ")
    monkeypatch.setenv("TZ", "Europe/Zurich")
    os_time.tzset()
    yield
    monkeypatch.undo()
    os_time.tzset()


@pytest.mark.usefixtures("system_in_zurich")
@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 28), 11), ((2026, 10, 24), 13)])
def test_without_a_zone_that_of_the_system_counts(day: tuple[int, int, int], hours: int) -> None:
    assert hours_from(at(*day, 20), Window(time(20), time(8))) == hours


zones = st.sampled_from(
    ["Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
)
clock_times = st.builds(time, st.integers(0, 23), st.integers(0, 59), st.sampled_from([0, 1, 59]))
windows = st.builds(
    Window,
    clock_times,
    clock_times,
    st.frozensets(st.integers(0, 6), min_size=1),
    zones.map(ZoneInfo),
)
instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@given(windows, instants)
def test_the_state_flips_at_the_next_change_and_not_before(window: Window, now: datetime) -> None:
    change = window.next_change(now)
    state = window.is_open(now)
    if change is None:
        assert window.is_always_open
        return
    assert window.is_open(change) != state
    assert window.is_open(change - timedelta(seconds=1)) == state
    step = max((change - now) / 500, timedelta(seconds=1))
    instant = now
    while instant < change:
        assert window.is_open(instant) == state
        instant += step


@given(windows, instants)
def test_the_clock_on_the_wall_alone_decides(window: Window, now: datetime) -> None:
    wall = now.astimezone(window.timezone)
    minutes = {time(hour, minute) for hour in range(24) for minute in (0, 30)}
    inside = {
        each
        for each in minutes
        if (
            window.start == window.end
            or (window.start <= each < window.end)
            or (window.end < window.start and (each >= window.start or each < window.end))
        )
    }
    every_day = Window(window.start, window.end, timezone=window.timezone)
    for each in minutes:
        instant = datetime.combine(wall.date(), each, window.timezone).astimezone(UTC)
        if instant.astimezone(window.timezone).time() == each:
            assert every_day.is_open(instant) == (each in inside)
