"""Lines for the log, few enough that a flood of connections does not fill a disk with them."""

from __future__ import annotations

import threading
import time

PER_MINUTE = 30
"""Lines that are told in any minute; the others are only counted."""


class Notes:
    """Decides which notes are told; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0.0
        self._told = self._untold = 0

    def __bool__(self) -> bool:
        return self._untold > 0

    def take(self, now: float | None = None) -> bool:
        """Count a note; tell whether it should be told."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if now - self._minute >= 60 and not self._untold:
                self._minute, self._told = now, 0
            self._told += 1
            if self._told <= PER_MINUTE:
                return True
            self._untold += 1
            return False

    def summary(self, now: float) -> str:
        """Return, when the minute is over, a line about those that were not told; or nothing."""
        with self._lock:
            if now - self._minute < 60 or not self._untold:
                return ""
            count, self._untold = self._untold, 0
        return f"{count} more connections or associations went wrong within a minute"
