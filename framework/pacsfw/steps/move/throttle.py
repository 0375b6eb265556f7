"""The number of studies requested at a time: as many as the PACS can serve."""

from __future__ import annotations

import threading
from collections.abc import Callable

EASE_AFTER = 8
"""After so many studies per slot without strain, one more slot is added."""


class Throttle:
    """Slots for studies: fewer while the PACS is strained, then slowly more.

    A sign of strain halves the slots, but only once for the studies that ran together. After
    a while without strain, one is added (additive increase, multiplicative decrease).

    Parameters
    ----------
    most
        The initial and maximum number of slots.
    """

    def __init__(self, most: int) -> None:
        self._most = self.limit = most
        self._busy = 0
        self._calm = 0
        self._round = 0
        self._free = threading.Condition()

    def enter(self, stopped: Callable[[], bool]) -> int | None:
        """Wait for a slot; return the argument for `leave`, or None once ``stopped``."""
        with self._free:
            while self._busy >= self.limit:
                if stopped():
                    return None
                self._free.wait(0.5)
            self._busy += 1
            return self._round

    def leave(self, entered: int, *, strained: bool) -> bool:
        """Free a slot; return whether the number of slots was reduced."""
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
