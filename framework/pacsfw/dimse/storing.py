"""Objects that go by C-STORE, whoever opened the association (PS3.4 annex B, C.4.3)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from pacsfw.api import SpoolFile
from pacsfw.dimse import status
from pacsfw.dimse.command import Command, Element
from pacsfw.dimse.negotiation import Context

# Members of an enumeration are slow to look up, and these are for every object.
_SOP_CLASS, _SOP_INSTANCE = Element.AFFECTED_SOP_CLASS, Element.AFFECTED_SOP_INSTANCE

File = TypeVar("File", bound=SpoolFile)
Create: TypeAlias = Callable[[str, str, str], SpoolFile]
"""Begins an object, given SOP class, SOP Instance UID and transfer syntax."""


@dataclass(slots=True)
class StoreRequest(Generic[File]):
    """A request and the object that follows it; where its file fails the rest is skipped."""

    request: Command
    context_id: int
    status: int = status.UNRECOGNIZED_OPERATION
    comment: str = ""
    """With ``status``, what is answered."""
    file: File | None = None

    def begin(self, context: Context, create: Callable[..., File], *more: object) -> None:
        """Begin to store the data set; ``create`` is a `Create` that may take ``more``."""
        request = self.request
        if not request.has_data_set:
            self.status, self.comment = status.CANNOT_STORE, "no data set"
            return
        self.status = status.SUCCESS
        try:
            self.file = create(
                request.text(_SOP_CLASS) or context.abstract_syntax,
                request.text(_SOP_INSTANCE),
                context.transfer_syntax,
                *more,
            )
        except OSError as error:
            self.fail(error)

    def write(self, fragment: memoryview) -> None:
        """Write the next bytes."""
        if self.file is not None:
            try:
                self.file.write(fragment)
            except OSError as error:
                self.fail(error)

    def end(self) -> bool:
        """Complete the object; tell whether one is stored."""
        if self.file is not None:
            try:
                self.file.seal()
            except OSError as error:
                self.fail(error)
        return self.file is not None

    def discard(self, reason: str) -> None:
        """The association ended before the object did."""
        if self.file is not None:
            self.drop(self.file, reason)

    def fail(self, error: OSError) -> None:
        """Answer that the object is not stored, and skip the rest of its data set."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            self.status, self.comment = status.OUT_OF_RESOURCES, "disk full"
        else:
            self.status, self.comment = status.CANNOT_STORE, "the object was not written"
        file, self.file = self.file, None
        if file is not None:
            self.drop(file, f"it could not be written: {error.strerror}")

    def drop(self, file: File, reason: str) -> None:
        """Give up a file; the reason is for those who can report it."""
        file.discard()


def marking_last(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each piece and whether it is the last one; one that is empty where there is none."""
    before: bytes | None = None
    for piece in pieces:
        if before is not None:
            yield before, False
        before = piece
    yield before or b"", True
