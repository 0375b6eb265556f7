"""The contract of observers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pacsfw.api import (
    Event,
    InstanceIngested,
    MoveStarted,
    Observer,
    Paused,
    ResourcesFound,
    RunFinished,
    RunStarted,
    StudySettled,
    StudyStarted,
    Verdict,
    Waiting,
)
from pacsfw.testing.contracts.component import ComponentContract

AT = datetime(2020, 6, 15, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfLater(Event):
    """An event of a later version of pacsfw."""

    anything: str = "x"


def run_of_events() -> Iterator[Event]:
    """Yield the events of a run of one study, in order, and an unknown event."""
    short = Verdict(state="short", reason="1 missing", expected=2, stored=1, missing=("1.2.3",))
    yield RunStarted(at=AT, command="run")
    yield ResourcesFound(at=AT, total=1)
    yield MoveStarted(at=AT, total=1, done=0)
    yield Waiting(at=AT, until=AT, reason="outside the window")
    yield Waiting(at=AT, until=None, reason="outside the window")
    yield Paused(at=AT, reason="the disk is full")
    yield StudyStarted(at=AT, study_uid="1.2")
    yield InstanceIngested(at=AT, study_uid="1.2", stored=True, size=1000)
    yield InstanceIngested(at=AT, study_uid="1.2", stored=False, size=0)
    yield InstanceIngested(at=AT, study_uid="1.2", stored=False, size=1000, left_out=True)
    yield OfLater(at=AT)
    yield StudySettled(at=AT, study_uid="1.2", verdict=short)
    yield RunFinished(at=AT, counts={"short": 1}, exit_code=1)


class ObserverContract(ComponentContract):
    """An observer accepts every event and disturbs nothing."""

    kind = "observer"

    def test_it_takes_the_events_of_a_run(self, tmp_path: Path) -> None:
        """Including events that it does not know."""
        with self.opened(self.make(), tmp_path) as observer:
            assert isinstance(observer, Observer)
            for event in run_of_events():
                try:
                    observer.notify(event)
                except Exception as err:
                    name = type(event).__name__
                    raise AssertionError(f"{name}: {type(err).__name__}: {err}") from err

    def test_it_can_be_closed_without_an_event(self, tmp_path: Path) -> None:
        """A run may be interrupted before any event."""
        with self.opened(self.make(), tmp_path):
            pass

    def test_it_takes_a_run_that_failed_at_once(self, tmp_path: Path) -> None:
        """Then all counts are empty."""
        with self.opened(self.make(), tmp_path) as observer:
            observer.notify(RunStarted(at=AT, command="run"))
            observer.notify(RunFinished(at=AT, counts={}, exit_code=4))
