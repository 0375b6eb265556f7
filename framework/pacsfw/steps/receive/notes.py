"""A limit on log lines, so that a flood of connections does not fill the disk."""

from __future__ import annotations

import threading
import time

PER_MINUTE = 30
"""Lines logged in any minute; the others are only counted."""


class Notes:
    """Decides which notes are logged; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0.0
        self._logged = self._skipped = 0

    def __bool__(self) -> bool:
        return self._skipped > 0

    def take(self, now: float | None = None) -> bool:
        """Count a note; return whether to log it."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if now - self._minute >= 60 and not self._skipped:
                self._minute, self._logged = now, 0
            self._logged += 1
            if self._logged <= PER_MINUTE:
                return True
            self._skipped += 1
            return False

    def summary(self, now: float) -> str:
        """Return a line about the notes skipped in the past minute, or nothing."""
        with self._lock:
            if now - self._minute < 60 or not self._skipped:
                return ""
            count, self._skipped = self._skipped, 0
        return f"{count} more connections or associations failed within a minute"
