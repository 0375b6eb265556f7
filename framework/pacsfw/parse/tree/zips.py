"""Zip archives: list their members, and read one member at a time."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SUFFIX = ".zip"

LONGEST_LISTING = 64 << 20
"""Maximum bytes of a zip archive's central directory: about half a million members."""

LARGEST_MEMBER = 4 << 30
"""Maximum unpacked bytes of a member."""

_PIECE = 1 << 20
_END = b"PK\x05\x06"
_END_64_LOCATOR = b"PK\x06\x07"
_END_BYTES = 22
_LONGEST_COMMENT = 0xFFFF

_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (zipfile.BadZipFile, "the archive is damaged"),
    (zlib.error, "the archive is damaged"),
    (EOFError, "the archive is damaged"),
    (NotImplementedError, "its compression method is not supported"),
    (RuntimeError, "it is encrypted"),
)


class Unlisted(Exception):
    """The members of a zip archive cannot be listed; the message gives the reason."""


class Unpackable(Exception):
    """A member cannot be read; the message gives the reason."""


def is_archive(path: str) -> bool:
    """Return whether the name of a file is that of a zip archive."""
    return path[-len(SUFFIX) :].lower() == SUFFIX


def members(path: str) -> Iterator[tuple[int, str]]:
    """Yield number and name of every file in a zip archive, in the order of its listing.

    Raises
    ------
    Unlisted
        It is not a zip archive, is damaged, cannot be opened, or has too many members.
    """
    try:
        with open(path, "rb") as file:
            if _listing_bytes(file.fileno()) > LONGEST_LISTING:
                raise Unlisted("the archive has too many members: unpack it")
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as err:
        raise Unlisted("not a zip archive, or damaged") from err
    except OSError as err:
        raise Unlisted(f"cannot be read: {err.strerror or 'damaged'}") from err
    for number, info in enumerate(infos):
        if not info.is_dir():
            yield number, info.filename


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


class Unpacker:
    """Unpacks members one by one into one file; keeps the last zip archive open.

    Parameters
    ----------
    folder
        Folder for that file, which exists only while a member is read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = ""
        self._archive: zipfile.ZipFile | None = None
        self._file = folder / f"member-{os.getpid()}"

    @contextmanager
    def unpacked(self, path: str, number: int) -> Iterator[Path]:
        """Provide the path of a temporary file with the member.

        Raises
        ------
        Unpackable
            The member cannot be unpacked.
        OSError
            The archive cannot be read, or the temporary file cannot be written.
        """
        try:
            archive = self._opened(path)
            info = archive.infolist()[number]
            with archive.open(info) as member, self._file.open("wb") as file:
                _copy(member, file)
        except tuple(kind for kind, _ in _FAULTS) as err:
            words = next(words for kind, words in _FAULTS if isinstance(err, kind))
            raise Unpackable(words) from None
        except IndexError:
            raise Unpackable("the archive has changed since it was listed") from None
        try:
            yield self._file
        finally:
            self._file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the zip archive."""
        if self._archive is not None:
            self._archive.close()
        self._path, self._archive = "", None

    def _opened(self, path: str) -> zipfile.ZipFile:
        if self._archive is None or path != self._path:
            self.close()
            self._archive = zipfile.ZipFile(path)
            self._path = path
        return self._archive


def _copy(member: IO[bytes], file: IO[bytes]) -> None:
    """Copy a member, at most `LARGEST_MEMBER` bytes: its header may understate its size."""
    left = LARGEST_MEMBER
    while piece := member.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise Unpackable("it is too large when unpacked")
        file.write(piece)
