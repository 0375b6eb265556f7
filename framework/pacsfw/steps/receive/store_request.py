"""A request of a sender and the object that follows it, until it is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from pacsfw.dimse.command import Command, Element
from pacsfw.dimse.negotiation import Context
from pacsfw.dimse.storing import StoreRequest
from pacsfw.spool.writer import Spool, SpoolWriter

# Members of an enumeration are slow to look up, and these are for every object.
_ORIGINATOR, _ORIGINATOR_ID = Element.MOVE_ORIGINATOR_AET, Element.MOVE_ORIGINATOR_MESSAGE_ID
_ANNOUNCE_SECONDS = 0.25
"""An object that takes longer is reported before it is whole."""


@dataclass(slots=True, kw_only=True)
class Message(StoreRequest[SpoolWriter]):
    """Of any kind; without a file the data set is skipped."""

    note: Callable[[int, str], None]
    size: int = 0
    """Bytes of the data set that have come, of those that are stored."""
    _unwritten: list[memoryview] = field(default_factory=list)
    """Fragments that are still in the buffer of the reader."""

    def store(self, spool: Spool, context: Context, calling_ae: str) -> None:
        """Begin to store the data set."""
        request = self.request
        originator, number = request.text(_ORIGINATOR)[:16], _originator_message_id(request)
        self.begin(context, spool.begin, calling_ae, originator, number)

    def take(self, fragment: memoryview) -> None:
        """Take a part of the data set; it is written at the next `write_out`."""
        if self.file is not None:
            self._unwritten.append(fragment)
            self.size += len(fragment)

    def write_out(self) -> None:
        """Write what was taken, before the buffer is used again."""
        if self._unwritten and self.file is not None:
            try:
                self.file.write_parts(self._unwritten)
            except OSError as error:
                self.fail(error)
        self._unwritten.clear()

    def announce(self, now: float) -> None:
        """Report the object if it has been arriving for long; called from another thread."""
        file = self.file
        if file is not None and now - file.begun >= _ANNOUNCE_SECONDS:
            file.announce()

    def fail(self, error: OSError) -> None:
        """Answer that the object is not stored, and note why."""
        self.note(logging.ERROR, f"an object could not be written: {error.strerror}")
        StoreRequest.fail(self, error)  # super() does not know a dataclass with slots

    def drop(self, file: SpoolWriter, reason: str) -> None:
        """Give up a file."""
        file.discard(reason)


def _originator_message_id(request: Command) -> int | None:
    """Return the Move Originator Message ID; a malformed one is as good as none."""
    value = request.elements.get(_ORIGINATOR_ID, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None
