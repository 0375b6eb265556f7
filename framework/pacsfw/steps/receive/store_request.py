"""A request of a sender and the object that follows it, until it is answered."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from pacsfw.dicom.spool import Spool, SpoolWriter
from pacsfw.dimse import status
from pacsfw.dimse.command import Command, Element
from pacsfw.dimse.negotiation import Context

# Members of an enumeration are slow to look up, and these are for every object.
_SOP_CLASS, _SOP_INSTANCE = Element.AFFECTED_SOP_CLASS, Element.AFFECTED_SOP_INSTANCE
_ORIGINATOR, _ORIGINATOR_ID = Element.MOVE_ORIGINATOR_AET, Element.MOVE_ORIGINATOR_MESSAGE_ID
_ANNOUNCE_SECONDS = 0.25
"""An object that takes longer is reported before it is whole."""


@dataclass(slots=True)
class Message:
    """What is known of it; without a writer the data set is skipped."""

    request: Command
    context_id: int
    note: Callable[[int, str], None]
    status: int = status.UNRECOGNIZED_OPERATION
    comment: str = ""
    size: int = 0
    """Bytes of the data set that have come, of those that are stored."""
    writer: SpoolWriter | None = None
    _unwritten: list[memoryview] = field(default_factory=list)
    """Fragments that are still in the buffer of the reader."""

    def store(self, spool: Spool, context: Context, calling_ae: str) -> None:
        """Begin to store the data set."""
        request = self.request
        self.status = status.SUCCESS
        try:
            self.writer = spool.begin(
                request.text(_SOP_CLASS) or context.abstract_syntax,
                request.text(_SOP_INSTANCE),
                context.transfer_syntax,
                calling_ae,
                request.text(_ORIGINATOR)[:16],
                _originator_message_id(request),
            )
        except OSError as error:
            self._failed(error)

    def take(self, fragment: memoryview) -> None:
        """Take a part of the data set; it is written at the next `write_out`."""
        if self.writer is not None:
            self._unwritten.append(fragment)
            self.size += len(fragment)

    def write_out(self) -> None:
        """Write what was taken, before the buffer is used again."""
        if self._unwritten and self.writer is not None:
            try:
                self.writer.write_parts(self._unwritten)
            except OSError as error:
                self._failed(error)
        self._unwritten.clear()

    def end(self) -> bool:
        """Complete the object; tell whether one is stored."""
        self.write_out()
        if self.writer is not None:
            try:
                self.writer.seal()
            except OSError as error:
                self._failed(error)
        return self.writer is not None

    def discard(self, reason: str) -> None:
        """Give the object up."""
        if self.writer is not None:
            self.writer.discard(reason)

    def announce(self, now: float) -> None:
        """Report the object if it has been arriving for long; called from another thread."""
        writer = self.writer
        if writer is not None and now - writer.begun >= _ANNOUNCE_SECONDS:
            writer.announce()

    def _failed(self, error: OSError) -> None:
        """Remember why the object is not stored; the rest of its data set is skipped."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self.status, self.comment = status.OUT_OF_RESOURCES, "disk full"
        else:
            self.status, self.comment = status.CANNOT_STORE, "the object was not written"
        self.note(logging.ERROR, f"an object could not be written: {error.strerror}")
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.discard(f"it could not be written: {error.strerror}")


def _originator_message_id(request: Command) -> int | None:
    """Return the Move Originator Message ID; a malformed one is as good as none."""
    value = request.elements.get(_ORIGINATOR_ID, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None
