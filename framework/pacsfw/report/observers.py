"""Telling observers what happens, without letting any of them disturb the run."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from pacsfw.api import Converted, Event, InstanceIngested, Observer, RunContext
from pacsfw.errors import PacsfwError

BACKLOG = 10_000
"""Events that may wait for a slow observer. Beyond that those of single objects are dropped
and counted; the others are few, and dropped beyond ten times as many."""

CLOSE_SECONDS = 30.0
"""How long an observer may take, at the end, over the events that still wait for it."""

_OF_SINGLE_OBJECTS = (InstanceIngested, Converted)
_DROPPED = "events were dropped, it is too slow"
_log = logging.getLogger("pacsfw.observers")


class Observers:
    """Passes events to every observer, each in a thread of its own, in order."""

    def __init__(self, observers: Sequence[tuple[str, Observer]]) -> None:
        self._posts = [_Post(name, observer) for name, observer in observers]

    def open(self, context: RunContext) -> None:
        """Open every observer; one that fails is left out, and said so."""
        for post in self._posts:
            post.start(context)

    def notify(self, event: Event) -> None:
        """Queue an event for each; never blocks."""
        for post in self._posts:
            post.put(event)

    def close(self) -> None:
        """Pass on what is queued and close every observer, but one that hangs."""
        deadline = time.monotonic() + CLOSE_SECONDS
        for post in self._posts:
            post.end()
        for post in self._posts:
            post.join(max(0.0, deadline - time.monotonic()))

    def faults(self) -> Iterator[tuple[str, str, int]]:
        """Yield (observer, what it did wrong, how often), once all are closed."""
        for post in self._posts:
            for reason, count in post.faults.items():
                yield post.name, reason, count


class _Post:
    """One observer, its queue and its thread."""

    def __init__(self, name: str, observer: Observer) -> None:
        self.name = name
        self.faults: Counter[str] = Counter()
        self._observer = observer
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._working = True

    def start(self, context: RunContext) -> None:
        self._thread = threading.Thread(
            target=self._work, args=(context,), name=f"observer {self.name}", daemon=True
        )
        self._thread.start()

    def put(self, event: Event) -> None:
        room = BACKLOG if isinstance(event, _OF_SINGLE_OBJECTS) else 10 * BACKLOG
        if not self._working:
            return
        if self._queue.qsize() < room:
            self._queue.put(event)
        else:
            self.faults[_DROPPED] += 1

    def end(self) -> None:
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        if self._thread is None:
            return
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._fault("hangs: it is left behind, with what waited")
        if dropped := self.faults.get(_DROPPED):
            _log.warning("observer %s: %d %s", self.name, dropped, _DROPPED)

    def _work(self, context: RunContext) -> None:
        try:
            self._observer.open(context)
        except (Exception, SystemExit) as err:  # noqa: BLE001 - observers cannot fail a run
            self._working = False
            self._fault(f"is left out: opening: {_told(err)}")
            return
        while (event := self._queue.get()) is not None:
            try:
                self._observer.notify(event)
            except (Exception, SystemExit) as err:  # noqa: BLE001 - likewise, one by one
                self._fault(f"{type(event).__name__}: {_told(err)}")
        try:
            self._observer.close()
        except (Exception, SystemExit) as err:  # noqa: BLE001 - likewise
            self._fault(f"closing: {_told(err)}")

    def _fault(self, reason: str) -> None:
        if not self.faults[reason]:  # once is enough to know
            _log.warning("observer %s: %s", self.name, reason)
        self.faults[reason] += 1


def _told(err: BaseException) -> str:
    """Name an exception; the text of a foreign one may quote a patient."""
    return str(err) if isinstance(err, PacsfwError) else type(err).__name__
