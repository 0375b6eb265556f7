"""The shared state of an `EmbeddedPACS` in its child process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pacsfw.testing._archive import Archive
from pacsfw.testing._copies import Copies
from pacsfw.testing._request import Request
from pacsfw.testing._settings import Logged, Settings
from pacsfw.testing.pacs_faults import Faults

HEALTHY = Faults()


class State:
    """The studies, the variable settings, and the log of requests."""

    def __init__(self, settings: Settings, outgoing_handlers: list[Any], copies: Path) -> None:
        self.archive = Archive()
        self.copies = Copies(copies)
        self.aetitle = settings.aetitle
        self.faults = settings.faults
        self.fold_names = settings.fold_names
        self.fold_titles = settings.fold_titles
        self.destinations = dict(settings.destinations)
        self.delay = settings.delay
        self.outgoing_handlers = outgoing_handlers
        self._admitted = 0
        self._retrieving = 0
        self._retrieved: Counter[str] = Counter()
        self._log: list[Logged] = []
        self._counters: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._delay_changed = threading.Condition()

    def admit(self) -> bool:
        """Return whether another association may be accepted."""
        with self._lock:
            if self._admitted == self.faults.reject_after:
                return False
            self._admitted += 1
            return True

    def set_faults(self, faults: Faults) -> None:
        """Replace the faults; `Faults.heals_after` counts from zero again."""
        with self._lock:
            self.faults = faults
            self._retrieved.clear()

    def faults_of(self, study_uid: str) -> Faults:
        """Return the faults for the next retrieve of a study."""
        with self._lock:
            self._retrieved[study_uid] += 1
            after = self.faults.heals_after
            return (
                HEALTHY
                if after is not None and self._retrieved[study_uid] > after
                else (self.faults)
            )

    @contextmanager
    def retrieving(self) -> Iterator[int]:
        """Count a retrieve while it runs; yields the number of others."""
        with self._lock:
            self._retrieving += 1
            others = self._retrieving - 1
        try:
            yield others
        finally:
            with self._lock:
                self._retrieving -= 1

    def begin(self, service: str, request: Request) -> int:
        """Record a request and return its number for `end`."""
        with self._lock:
            self._counters[service] += 1
            self._log.append(Logged(service, request.level, request.keys))
            return len(self._log) - 1

    def end(self, entry: int, status: int | None) -> None:
        """Record the final status of a request; None if none could be sent."""
        with self._lock:
            self._log[entry] = replace(self._log[entry], status=status)

    def count(self, name: str) -> None:
        """Count an event."""
        with self._lock:
            self._counters[name] += 1

    def count_sent(self, status: int | None) -> None:
        """Count a C-STORE sub-operation by the status of its receiver."""
        self.count("failed" if status is None or status >> 12 in (0xA, 0xC) else "sent")

    def pause(self) -> None:
        """Wait between two sub-operations, for the configured delay."""
        begun = time.monotonic()
        with self._delay_changed:
            while (left := begun + self.delay - time.monotonic()) > 0:
                self._delay_changed.wait(left)

    def set_delay(self, seconds: float) -> None:
        """Change the delay, also of a running wait."""
        with self._delay_changed:
            self.delay = seconds
            self._delay_changed.notify_all()

    def log(self) -> list[Logged]:
        """Return the requests so far."""
        with self._lock:
            return list(self._log)

    def counters(self) -> Mapping[str, int]:
        """Return the counters so far."""
        with self._lock:
            return dict(self._counters)
