"""Zip archives: list their members, and unpack one at a time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from typing import IO, BinaryIO

from pacsfw.parse.tree.unpacking import TOO_LARGE, Unpackable, copy, limit, unpacking

LONGEST_LISTING = 64 << 20
"""Maximum bytes of a zip archive's central directory: about half a million members."""

_END = b"PK\x05\x06"
_END_64_LOCATOR = b"PK\x06\x07"
_END_BYTES = 22
_LONGEST_COMMENT = 0xFFFF
_EMPTY_BYTES = _END_BYTES + 76
"""Maximum bytes of an archive without members, those of Zip64 included."""
_DAMAGED = "not a zip archive, or damaged"


class ZipArchive:
    """An open zip archive.

    Raises
    ------
    Unpackable
        It is not a zip archive, is damaged, or has too many members.
    OSError
        It cannot be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        if _listing_bytes(file.fileno()) > LONGEST_LISTING:
            raise Unpackable("the archive has too many members: unpack it")
        try:
            with unpacking():
                self._archive = zipfile.ZipFile(file)
        except Unpackable:
            raise Unpackable(_DAMAGED) from None
        size = os.fstat(file.fileno()).st_size
        if not self._archive.infolist() and size > _EMPTY_BYTES + len(self._archive.comment):
            raise Unpackable(_DAMAGED)  # its listing was lost
        self._file = file

    def members(self) -> Iterator[tuple[int, str, str]]:
        """Yield number and name of every file, and no fault, in the order of the listing."""
        for number, info in enumerate(self._archive.infolist()):
            if not info.filename.endswith("/"):
                yield number, info.filename, ""

    def unpack(self, number: int, target: IO[bytes]) -> None:
        """Write the content of a member.

        Raises
        ------
        Unpackable
            It is damaged, encrypted or too large.
        OSError
            It cannot be read or written.
        """
        infos = self._archive.infolist()
        if number >= len(infos):
            raise Unpackable("the archive has changed since it was listed")
        most = limit(infos[number].compress_size)
        if infos[number].file_size > most:
            raise Unpackable(TOO_LARGE)
        with unpacking(), self._archive.open(infos[number]) as member:
            copy(member, target, most)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
        self._file.close()


def _listing_bytes(descriptor: int) -> int:
    """Return the size of the central directory, 0 if it is unknown (APPNOTE 4.3.16).

    `zipfile` needs about ten times as much memory.
    """
    size = os.fstat(descriptor).st_size
    start = max(0, size - _END_BYTES - _LONGEST_COMMENT)
    tail = os.pread(descriptor, _END_BYTES + _LONGEST_COMMENT, start)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        return 0
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    if length == 0xFFFFFFFF and tail[at - 20 : at - 16] == _END_64_LOCATOR:
        offset = int.from_bytes(tail[at - 12 : at - 4], "little")
        length = int.from_bytes(os.pread(descriptor, 56, min(offset, size))[40:48], "little")
    return min(length, size)
