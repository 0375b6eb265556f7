"""Observers are told everything in order, and can disturb nothing."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacsfw.api import Clock, InstanceIngested, Observer, ResourcesFound, RunContext
from pacsfw.report import observers as module
from pacsfw.report.observers import Observers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def context():
    return RunContext(
        run_id="r",
        workdir=Path(),
        net=None,
        sections={},
        clock=Clock(),
        log=logging.getLogger("test"),
    )


class Good(Observer):
    def __init__(self):
        self.seen, self.closed = [], False

    def notify(self, event):
        self.seen.append(getattr(event, "total", None))

    def close(self):
        self.closed = True


class Bad(Observer):
    def notify(self, event):
        raise ValueError("Müller^Anna")

    def close(self):
        raise RuntimeError


class Leaving(Observer):
    def notify(self, event):
        raise SystemExit


class Broken(Observer):
    def open(self, context):
        raise OSError


def test_every_observer_is_told_in_order_whatever_another_does(context, caplog):
    good = Good()
    observers = Observers(
        [("broken", Broken()), ("bad", Bad()), ("leaving", Leaving()), ("good", good)]
    )
    observers.open(context)
    for total in range(3):
        observers.notify(ResourcesFound(at=NOW, total=total))
    observers.close()

    assert good.seen == [0, 1, 2]
    assert good.closed
    assert "observer bad: ResourcesFound: ValueError" in caplog.text
    assert "observer broken: disabled: open: OSError at test_observers.py" in caplog.text
    assert "observer leaving: ResourcesFound: tried to exit the program (SystemExit)" in caplog.text
    faults = [(name, why.partition(" at ")[0], count) for name, why, count in observers.faults()]
    assert ("bad", "ResourcesFound: ValueError", 3) in faults
    assert "Müller" not in caplog.text


def test_a_slow_observer_loses_events_and_they_are_counted(context, caplog, monkeypatch):
    monkeypatch.setattr(module, "BACKLOG", 2)
    good = Good()
    observers = Observers([("good", good)])
    for _ in range(5):  # nobody takes them yet
        observers.notify(InstanceIngested(at=NOW, study_uid="1.2", stored=True, size=1))
    observers.notify(ResourcesFound(at=NOW, total=7))
    observers.open(context)
    observers.close()

    assert list(observers.faults()) == [("good", "events were dropped because it is too slow", 3)]
    assert "3 events were dropped" in caplog.text
    assert good.seen == [None, None, 7]


class Hanging(Observer):
    def __init__(self):
        self.go_on, self.closed = threading.Event(), False

    def notify(self, event):
        self.go_on.wait(60)

    def close(self):
        self.closed = True


def test_an_observer_that_hangs_does_not_keep_the_run_from_ending(context, caplog, monkeypatch):
    monkeypatch.setattr(module, "CLOSE_SECONDS", 1)
    hanging, good = Hanging(), Good()
    observers = Observers([("hanging", hanging), ("good", good)])
    observers.open(context)
    for total in range(9):
        observers.notify(ResourcesFound(at=NOW, total=total))

    closing = threading.Thread(target=observers.close, daemon=True)
    closing.start()
    closing.join(10)
    ended = not closing.is_alive()
    hanging.go_on.set()
    closing.join(10)

    assert ended
    assert good.closed
    assert good.seen == list(range(9))
    assert "observer hanging: hangs" in caplog.text
