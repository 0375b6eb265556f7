"""Write a DICOM file into the inbox; its preamble and File Meta are replaced by our own."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw.api import Inbox, SpoolFile
from pacsfw.dicom.part10 import FileMeta, file_meta_of

PARTLY = 0xB000
"""DIMSE status: one or more sub-operations failed (PS3.4 table C.4-2)."""
NO_SUCH_INSTANCE = 0x0112
"""DIMSE status: no such SOP instance (PS3.7 annex C)."""


class NotKept(Exception):
    """An instance was not stored, but others may be. The text names no patient."""

    uid = ""
    """SOP Instance UID in the File Meta; empty if that was not read."""


def keep(pieces: Iterable[bytes | memoryview], inbox: Inbox, max_size: int = 0) -> None:
    """Write the pieces of one file (PS3.10 section 7) into the inbox.

    Parameters
    ----------
    max_size
        Limit of the file in bytes; 0 for none.

    Raises
    ------
    NotKept
        It is not a DICOM file, is too large, or the source of the pieces raises this.
    OSError
        The spool cannot be written.
    """
    incoming = _Incoming(inbox, max_size)
    try:
        for piece in pieces:
            incoming.write(piece)
        incoming.seal()
    except BaseException as err:
        if incoming.file is not None:
            incoming.file.discard()
        if isinstance(err, NotKept):
            err.uid = incoming.uid
        raise


class _Incoming:
    def __init__(self, inbox: Inbox, max_size: int) -> None:
        self._inbox, self._max_size = inbox, max_size
        self._start = bytearray()
        self._size = 0
        self.file: SpoolFile | None = None
        self.uid = ""

    def write(self, piece: bytes | memoryview) -> None:
        self._size += len(piece)
        if self._max_size and self._size > self._max_size:
            raise NotKept(f"an instance has more than {self._max_size} bytes")
        if self.file is not None:
            self.file.write(piece)
            return
        self._start += piece
        if (meta := _meta(self._start)) is not None:
            self._begin(meta)

    def seal(self) -> None:
        if self.file is None:  # the file ends before the tag that follows the File Meta
            meta = _meta(self._start + b"\xff\xff")
            if meta is None or meta.offset_of_dataset >= len(self._start):
                raise NotKept("the data received is not a complete DICOM file")
            self._begin(meta)
        assert self.file is not None  # noqa: S101 - begun
        self.file.seal()

    def _begin(self, meta: FileMeta) -> None:
        self.uid = meta.sop_uid
        try:
            self.file = self._inbox.create(meta.sop_class, meta.sop_uid, meta.syntax)
        except ValueError as err:
            raise _not_dicom(err) from None
        self.file.write(bytes(memoryview(self._start)[meta.offset_of_dataset :]))
        self._start = bytearray()


def _meta(start: bytearray) -> FileMeta | None:
    try:
        return file_meta_of(bytes(start))
    except ValueError as err:
        raise _not_dicom(err) from None


def _not_dicom(err: ValueError) -> NotKept:
    return NotKept(f"the data received is not a DICOM file: {err}")
