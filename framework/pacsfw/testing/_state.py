"""What the parts of an `EmbeddedPACS` share inside its child process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset

from pacsfw.testing._archive import Archive, texts
from pacsfw.testing.embedded import Logged, Settings

_PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1."


class State:
    """The archive, the settings that may change, and the record of what was asked."""

    def __init__(self, settings: Settings, outgoing_handlers: list[Any]) -> None:
        self.archive = Archive(settings.aetitle, fold_names=settings.fold_names)
        self.destinations = dict(settings.destinations)
        self.delay = settings.delay
        self.outgoing_handlers = outgoing_handlers
        self._log: list[Logged] = []
        self._counters: Counter[str] = Counter()
        self._lock = threading.Lock()

    @staticmethod
    def root_of(model: str) -> str:
        """Return the highest level of the information model with this SOP class UID."""
        return "PATIENT" if model.startswith(_PATIENT_ROOT) else "STUDY"

    def begin(self, service: str, identifier: Dataset) -> int:
        """Record a request and return the number by which it can be ended."""
        keys = {
            element.keyword: "\\".join(texts(identifier, element.keyword))
            for element in identifier
            if element.keyword and element.keyword != "QueryRetrieveLevel"
        }
        level = str(identifier.get("QueryRetrieveLevel", ""))
        with self._lock:
            self._counters[service] += 1
            self._log.append(Logged(service, level, keys))
            return len(self._log) - 1

    def end(self, entry: int, status: int | None) -> None:
        """Record the final status of a request; None where none could be sent."""
        with self._lock:
            self._log[entry] = replace(self._log[entry], status=status)

    def count(self, name: str) -> None:
        """Count something that happened."""
        with self._lock:
            self._counters[name] += 1

    def count_sent(self, status: int | None) -> None:
        """Count a C-STORE sub-operation by what its receiver answered."""
        self.count("failed" if status is None or status >> 12 in (0xA, 0xC) else "sent")

    def pause(self) -> None:
        """Wait as long as the test wants between two sub-operations."""
        if self.delay:
            time.sleep(self.delay)

    def log(self) -> list[Logged]:
        """Return the requests so far."""
        with self._lock:
            return list(self._log)

    def counters(self) -> Mapping[str, int]:
        """Return the counters so far."""
        with self._lock:
            return dict(self._counters)
