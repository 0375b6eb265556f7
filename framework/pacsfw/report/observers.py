"""Pass events to observers. No observer can disturb the run."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from pacsfw.api import Converted, Event, InstanceIngested, Observer, RunContext
from pacsfw.errors import ComponentError
from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.guards import guarded

BACKLOG = 10_000
"""Maximum number of events queued for a slow observer. Beyond it, events of single instances
are dropped and counted; the other events are few, and dropped beyond ten times that number."""

CLOSE_SECONDS = 30.0
"""Time limit for an observer to process its queued events at the end."""

_OF_SINGLE_INSTANCES = (InstanceIngested, Converted)
_DROPPED = "events were dropped because it is too slow"
_log = logging.getLogger("pacsfw.observers")


class Observers:
    """Pass events to every observer in order, each in its own thread."""

    def __init__(self, observers: Sequence[tuple[str, Observer]]) -> None:
        # A program may pass observers that no registry has built.
        self._posts = [
            _Post(name, guarded("observer", observer, Boundary("observer", name)))
            for name, observer in observers
        ]

    def open(self, context: RunContext) -> None:
        """Open every observer; one that fails is disabled with a warning."""
        for post in self._posts:
            post.start(context)

    def notify(self, event: Event) -> None:
        """Queue an event for each observer; never blocks."""
        for post in self._posts:
            post.put(event)

    def close(self) -> None:
        """Pass on the queued events and close every observer, except those that hang."""
        deadline = time.monotonic() + CLOSE_SECONDS
        for post in self._posts:
            post.end()
        for post in self._posts:
            post.join(max(0.0, deadline - time.monotonic()))

    def faults(self) -> Iterator[tuple[str, str, int]]:
        """Yield (observer, fault, count), once all are closed."""
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
        room = BACKLOG if isinstance(event, _OF_SINGLE_INSTANCES) else 10 * BACKLOG
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
            self._fault("hangs: abandoned, with the events still queued for it")
        if dropped := self.faults.get(_DROPPED):
            _log.warning("observer %s: %d %s", self.name, dropped, _DROPPED)

    def _work(self, context: RunContext) -> None:
        try:
            self._observer.open(context)
        except ComponentError as err:
            self._working = False
            self._fault(f"disabled: {err.why}")
            return
        while (event := self._queue.get()) is not None:
            try:
                self._observer.notify(event)
            except ComponentError as err:
                self._fault(f"{type(event).__name__}: {err.fault.reason}")
        try:
            self._observer.close()
        except ComponentError as err:
            self._fault(err.why)

    def _fault(self, reason: str) -> None:
        if not self.faults[reason]:  # one warning per reason
            _log.warning("observer %s: %s", self.name, reason)
        self.faults[reason] += 1
