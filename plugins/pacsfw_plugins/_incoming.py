"""A DICOM file on its way into the inbox: its preamble and File Meta are replaced by ours."""

from __future__ import annotations

from pacsfw.api import Inbox, SpoolFile
from pacsfw.dicom.part10 import FileMeta, file_meta_of


class NotKept(Exception):
    """An object is not taken, but others may be; the words name no patient."""


class Incoming:
    """Takes the bytes of one file (PS3.10 section 7) as they come.

    Parameters
    ----------
    max_size
        Bytes that the file may have; 0: as many as it likes.
    """

    def __init__(self, inbox: Inbox, max_size: int = 0) -> None:
        self._inbox, self._max_size = inbox, max_size
        self._start = bytearray()
        self._file: SpoolFile | None = None
        self._size = 0
        self.uid = ""
        """SOP Instance UID in the File Meta, once that has been read."""

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises
        ------
        NotKept
            It is no DICOM file, or too large.
        OSError
            The spool takes no more.
        """
        self._size += len(piece)
        if self._max_size and self._size > self._max_size:
            raise NotKept(f"an object has more than {self._max_size} bytes")
        if self._file is not None:
            self._file.write(piece)
            return
        self._start += piece
        if (meta := _meta(self._start)) is not None:
            self._begin(meta)

    def seal(self) -> None:
        """The file is whole; errors are those of `write`."""
        if self._file is None:  # shorter than what tells where the File Meta ends
            meta = _meta(self._start + b"\xff\xff")
            if meta is None or meta.offset_of_dataset >= len(self._start):
                raise NotKept("what came is no whole DICOM file")
            self._begin(meta)
        assert self._file is not None  # noqa: S101 - begun
        self._file.seal()

    def discard(self) -> None:
        """Forget it."""
        if self._file is not None:
            self._file.discard()

    def _begin(self, meta: FileMeta) -> None:
        self.uid = meta.sop_uid
        try:
            self._file = self._inbox.create(meta.sop_class, meta.sop_uid, meta.syntax)
        except ValueError as err:
            raise NotKept(f"what came is no DICOM file: {err}") from None
        self._file.write(bytes(memoryview(self._start)[meta.offset_of_dataset :]))
        self._start = bytearray()


def _meta(start: bytearray) -> FileMeta | None:
    try:
        return file_meta_of(bytes(start))
    except ValueError as err:
        raise NotKept(f"what came is no DICOM file: {err}") from None
