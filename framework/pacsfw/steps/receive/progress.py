"""The progress of associations: which are too slow, and which yield when none is free."""

from __future__ import annotations

from typing import Protocol

from pacsfw.api import Limits

YIELD_SECONDS = 10.0
"""After this time without progress, an association yields to a waiting connection ..."""
YIELD_NEW_SECONDS = 2.0
"""... and after this time if it has not delivered any instance yet."""


class Watched(Protocol):
    """The state of an association, read by another thread than the one that serves it."""

    @property
    def received(self) -> int:
        """Bytes received so far."""

    @property
    def objects(self) -> int:
        """Complete instances received so far."""

    @property
    def in_message(self) -> bool:
        """Whether a message is incomplete."""

    @property
    def waiting(self) -> bool:
        """Whether we wait for bytes of the peer."""


class Progress:
    """The progress of one association, checked at intervals.

    Time in which the peer had to wait for us does not count against it.
    """

    def __init__(self, association: Watched, now: float) -> None:
        self._association = association
        self._begun = self._looked = self._progressed = self._since = now
        self._bytes = self._bytes_then = self._objects = 0

    def look(self, now: float, limits: Limits) -> str:
        """Return why the association must end, or nothing."""
        association = self._association
        received, objects, in_message = (
            association.received,
            association.objects,
            association.in_message,
        )
        excused = not association.waiting or objects != self._objects
        fast = received - self._bytes >= limits.minimum_rate * (now - self._looked)
        if excused or (in_message and fast):
            self._progressed = now
        self._bytes, self._objects, self._looked = received, objects, now
        if now - self._begun >= limits.association_timeout:
            return f"it lasted longer than {limits.association_timeout:g} s"
        enough = received - self._bytes_then >= limits.minimum_rate * limits.pdu_timeout
        if excused or enough or not in_message:
            self._bytes_then, self._since = received, now
        elif now - self._since >= limits.pdu_timeout:
            return f"a message arrived at less than {limits.minimum_rate} bytes per second"
        return ""

    def could_yield(self, now: float) -> float:
        """Return for how many seconds it could have yielded; negative if it makes progress."""
        patience = YIELD_SECONDS if self._objects else YIELD_NEW_SECONDS
        return now - self._progressed - patience
