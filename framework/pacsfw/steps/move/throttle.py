"""How many studies are requested at a time: as many as the PACS bears."""

from __future__ import annotations

import threading
from collections.abc import Callable

EASE_AFTER = 8
"""So many studies per slot without strain, and one more is tried at a time."""


class Throttle:
    """Slots for studies: fewer at once when the PACS is strained, slowly more again.

    Half of them go at a sign of strain, but only once for what was under way together;
    one comes back after a while without any (additive increase, multiplicative decrease).

    Parameters
    ----------
    most
        The number of slots at first, and never more.
    """

    def __init__(self, most: int) -> None:
        self._most = self.limit = most
        self._busy = 0
        self._calm = 0
        self._round = 0
        self._free = threading.Condition()

    def enter(self, stopped: Callable[[], bool]) -> int | None:
        """Wait for a slot; return what `leave` wants, or None once ``stopped``."""
        with self._free:
            while self._busy >= self.limit:
                if stopped():
                    return None
                self._free.wait(0.5)
            self._busy += 1
            return self._round

    def leave(self, entered: int, *, strained: bool) -> bool:
        """Give a slot back; True if there are fewer slots now."""
        with self._free:
            self._busy -= 1
            fewer = strained and entered == self._round and self.limit > 1
            if fewer:
                self.limit = max(1, self.limit // 2)
                self._round += 1
            self._calm = 0 if strained else self._calm + 1
            if self._calm >= EASE_AFTER * self.limit and self.limit < self._most:
                self.limit += 1
                self._calm = 0
            self._free.notify_all()
            return fewer
