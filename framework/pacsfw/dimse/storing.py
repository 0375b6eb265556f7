"""Objects that go by C-STORE over an association that we opened (PS3.4 annex B, C.4.3)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from pacsfw.api import SpoolFile
from pacsfw.dimse import command, status
from pacsfw.dimse.command import Command, Element
from pacsfw.dimse.negotiation import Context

Create: TypeAlias = Callable[[str, str, str], SpoolFile]
"""Begins an object, given SOP class, SOP Instance UID and transfer syntax."""


class Storing:
    """Its bytes go to a file as they come; where that fails the rest is skipped."""

    def __init__(self, request: Command, context_id: int, context: Context, create: Create) -> None:
        self.context_id = context_id
        self._request = request
        self._status, self._comment = status.SUCCESS, ""
        self._file: SpoolFile | None = None
        if not request.has_data_set:
            self._status, self._comment = status.CANNOT_STORE, "no data set"
            return
        try:
            self._file = create(
                request.text(Element.AFFECTED_SOP_CLASS) or context.abstract_syntax,
                request.text(Element.AFFECTED_SOP_INSTANCE),
                context.transfer_syntax,
            )
        except OSError as error:
            self._fail(error)

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes."""
        if self._file is not None:
            try:
                self._file.write(fragment)
            except OSError as error:
                self._fail(error)

    def end(self) -> bytes:
        """Complete the object; return the encoded response.

        Raises
        ------
        ValueError
            The request has no message ID.
        """
        if self._file is not None:
            try:
                self._file.seal()
            except OSError as error:
                self._fail(error)
        return command.response(self._request, self._status, self._comment)

    def discard(self) -> None:
        """The association ended before the object did."""
        if self._file is not None:
            self._file.discard()

    def _fail(self, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self._status, self._comment = status.OUT_OF_RESOURCES, "disk full"
        else:
            self._status, self._comment = status.CANNOT_STORE, "the object was not written"
        file, self._file = self._file, None
        if file is not None:
            file.discard()


def marking_last(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each piece and whether it is the last one; one that is empty where there is none."""
    before: bytes | None = None
    for piece in pieces:
        if before is not None:
            yield before, False
        before = piece
    yield before or b"", True
