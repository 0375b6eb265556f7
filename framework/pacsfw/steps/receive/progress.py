"""How associations get on: which are too slow, and which give way when there is no room."""

from __future__ import annotations

from typing import Protocol

from pacsfw.api import Limits

YIELD_SECONDS = 10.0
"""So long without progress an association gives way to one that waits ..."""
YIELD_NEW_SECONDS = 2.0
"""... and so long if it has not brought any object yet."""


class Watched(Protocol):
    """What is looked at of an association, from another thread than the one that serves it."""

    @property
    def received(self) -> int:
        """Bytes that have come so far."""

    @property
    def objects(self) -> int:
        """Objects that have come whole."""

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not ended."""

    @property
    def waiting(self) -> bool:
        """Whether it is the peer's turn: we wait for bytes."""


class Progress:
    """How one association has got on, looked at from time to time.

    Time in which the peer had to wait for us does not count against it.
    """

    def __init__(self, association: Watched, now: float) -> None:
        self._association = association
        self._begun = self._looked = self._progressed = self._since = now
        self._bytes = self._bytes_then = self._objects = 0

    def look(self, now: float, limits: Limits) -> str:
        """Return why the association has to end, or nothing."""
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
            return f"a message came with less than {limits.minimum_rate} bytes per second"
        return ""

    def could_yield(self, now: float) -> float:
        """Return for how many seconds it could have given way; below 0 it gets on."""
        patience = YIELD_SECONDS if self._objects else YIELD_NEW_SECONDS
        return now - self._progressed - patience
