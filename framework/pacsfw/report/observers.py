"""Telling observers what happens, without letting any of them disturb the run."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress

from pacsfw.api import Event, Observer, RunContext

BACKLOG = 10_000
"""Events that may wait for slow observers; beyond that they are dropped and counted."""

CLOSE_SECONDS = 30.0
"""How long observers may take, at the end, over the events that still wait for them."""

_log = logging.getLogger("pacsfw.observers")


class Observers:
    """Passes events to every observer, in one thread, in order."""

    def __init__(self, observers: Sequence[tuple[str, Observer]]) -> None:
        self._observers = list(observers)
        self._queue: queue.Queue[Event | None] = queue.Queue(BACKLOG)
        self._thread = threading.Thread(target=self._work, name="observers", daemon=True)
        self.dropped = 0
        self._busy = ""

    def open(self, context: RunContext) -> None:
        """Open every observer; one that fails is left out, and said so."""
        for name, observer in list(self._observers):
            try:
                observer.open(context)
            except Exception as err:  # noqa: BLE001 - plugin boundary: observers cannot fail a run
                _log.warning("observer %s is left out: %s", name, type(err).__name__)
                self._observers.remove((name, observer))
        self._thread.start()

    def notify(self, event: Event) -> None:
        """Queue an event; never blocks."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Pass on what is queued and close every observer, but one that hangs."""
        with suppress(queue.Full):  # then somebody hangs, as joining will show
            self._queue.put(None, timeout=CLOSE_SECONDS)
        self._thread.join(CLOSE_SECONDS)
        hanging = self._busy if self._thread.is_alive() else ""
        for name, observer in self._observers:
            if name == hanging:
                _log.warning("observer %s hangs: it is left behind, with what waited", name)
                continue
            try:
                observer.close()
            except Exception as err:  # noqa: BLE001 - plugin boundary
                _log.warning("observer %s: closing: %s", name, type(err).__name__)
        if self.dropped:
            _log.warning("%d events were dropped: an observer is too slow", self.dropped)

    def _work(self) -> None:
        while (event := self._queue.get()) is not None:
            for name, observer in self._observers:
                self._busy = name
                try:
                    observer.notify(event)
                except Exception as err:  # noqa: BLE001 - plugin boundary, one by one
                    _log.warning(
                        "observer %s: %s: %s", name, type(event).__name__, type(err).__name__
                    )
