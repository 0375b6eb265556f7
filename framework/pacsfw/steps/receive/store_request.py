"""A request of a sender and the instance that follows it, until the response is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from pacsfw.dimse.command import Command, Element
from pacsfw.dimse.negotiation import Context
from pacsfw.dimse.storing import StoreRequest
from pacsfw.spool.writer import Spool, SpoolWriter

# Members of an enumeration are slow to look up, and these are needed for every instance.
_ORIGINATOR, _ORIGINATOR_ID = Element.MOVE_ORIGINATOR_AET, Element.MOVE_ORIGINATOR_MESSAGE_ID
_ANNOUNCE_SECONDS = 0.25
"""An instance that takes longer is reported before it is complete."""


@dataclass(slots=True, kw_only=True)
class Message(StoreRequest[SpoolWriter]):
    """A request of any kind; without a file the data set is skipped."""

    note: Callable[[int, str], None]
    size: int = 0
    """Bytes of the data set received so far, if it is stored."""
    _unwritten: list[memoryview] = field(default_factory=list)
    """Fragments that are still in the buffer of the reader."""

    def store(self, spool: Spool, context: Context, calling_ae: str, address: str) -> None:
        """Begin to store the data set."""
        request = self.request
        originator, number = request.text(_ORIGINATOR)[:16], _originator_message_id(request)
        self.begin(context, spool.begin, calling_ae, originator, number, address)

    def take(self, fragment: memoryview) -> None:
        """Take a fragment of the data set; the next `write_out` writes it."""
        if self.file is not None:
            self._unwritten.append(fragment)
            self.size += len(fragment)

    def write_out(self) -> None:
        """Write the fragments taken so far, before the buffer is reused."""
        if self._unwritten and self.file is not None:
            try:
                self.file.write_parts(self._unwritten)
            except OSError as error:
                self.fail(error)
        self._unwritten.clear()

    def announce(self, now: float) -> None:
        """Report the instance if it takes long to arrive; called from another thread."""
        file = self.file
        if file is not None and now - file.begun >= _ANNOUNCE_SECONDS:
            file.announce()

    def fail(self, error: OSError) -> None:
        """Answer that the instance is not stored, and log why."""
        self.note(logging.ERROR, f"an instance could not be written: {error.strerror}")
        StoreRequest.fail(self, error)  # super() does not know a dataclass with slots

    def drop(self, file: SpoolWriter, reason: str) -> None:
        """Discard the file."""
        file.discard(reason)


def _originator_message_id(request: Command) -> int | None:
    """Return the Move Originator Message ID; None if it is missing or malformed."""
    value = request.elements.get(_ORIGINATOR_ID, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None
