"""The pauses and the end of trying again."""

from __future__ import annotations

import threading

import pytest

from pacsfw.api import Clock
from pacsfw.errors import Retry
from pacsfw.retries import PAUSES, retrying


class Noting(Clock):
    """Waits for nothing; the event is set in the pause with the number ``sets``."""

    def __init__(self, sets: int = 0) -> None:
        self.pauses: list[float] = []
        self._sets = sets

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.pauses.append(seconds)
        if len(self.pauses) == self._sets:
            event.set()
        return event.is_set()


class Away:
    def __init__(self, error: type[Exception] = Retry) -> None:
        self.calls, self._error = 0, error

    def __call__(self) -> None:
        self.calls += 1
        raise self._error(f"attempt {self.calls}")


def test_pauses_grow_and_the_last_one_repeats() -> None:
    clock, away = Noting(), Away()

    with pytest.raises(Retry, match="attempt 10"):
        retrying(clock, threading.Event(), 10)(away)

    assert clock.pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]


def test_a_stop_ends_the_waiting_without_another_attempt() -> None:
    away = Away()

    with pytest.raises(Retry, match="attempt 2"):
        retrying(Noting(sets=2), threading.Event())(away)

    assert away.calls == 2


def test_other_errors_are_not_tried_again() -> None:
    away = Away(ValueError)

    with pytest.raises(ValueError, match="attempt 1"):
        retrying(Noting(), threading.Event())(away)
