"""Limits and faults of unpacking: no archive fills the disk or the memory."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

LARGEST = 4 << 30
"""Maximum unpacked bytes of a member."""

ALWAYS = 256 << 20
"""Unpacked bytes that are allowed whatever the ratio: segmentations compress 1000 times."""

RATIO = 100
"""Maximum ratio of unpacked to packed bytes beyond `ALWAYS`."""

LONGEST_HEADER = 16 << 20
"""Maximum bytes that a tar archive may make us read at once."""

PIECE = 1 << 20

TOO_LARGE = f"too large when unpacked: more than {RATIO} times its packed size, or 4 GiB"
_DAMAGED = "the archive is damaged"
_OF_THE_ARCHIVE = (None, errno.EINVAL)
"""The OSErrors caused by the archive: those of bz2, and an invalid seek."""
_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (zipfile.BadZipFile, _DAMAGED),
    (zlib.error, _DAMAGED),
    (lzma.LZMAError, _DAMAGED),
    (gzip.BadGzipFile, _DAMAGED),
    (tarfile.TarError, _DAMAGED),
    (EOFError, _DAMAGED),
    (struct.error, _DAMAGED),
    (NotImplementedError, "its compression method is not supported"),
    (RuntimeError, "it is encrypted"),
    (ValueError, _DAMAGED),
    (LookupError, _DAMAGED),
    (ArithmeticError, _DAMAGED),
)


class Unpackable(Exception):
    """An archive or a member cannot be read; the message gives the reason."""


@contextmanager
def unpacking() -> Iterator[None]:
    """Let libraries read an archive.

    Raises
    ------
    Unpackable
        In place of their exceptions.
    OSError
        The disk fails.
    """
    try:
        yield
    except OSError as err:
        if err.errno not in _OF_THE_ARCHIVE:
            raise
        raise Unpackable(_DAMAGED) from None
    except tuple(kind for kind, _ in _FAULTS) as err:
        words = next(words for kind, words in _FAULTS if isinstance(err, kind))
        raise Unpackable(words) from None


def limit(packed: int) -> int:
    """Return the maximum unpacked bytes of so many packed bytes."""
    return min(LARGEST, max(ALWAYS, RATIO * packed))


def copy(source: IO[bytes], target: IO[bytes], most: int) -> None:
    """Copy at most ``most`` bytes.

    Raises
    ------
    Unpackable
        There are more: a header may understate its size.
    """
    while piece := source.read(PIECE):
        most -= len(piece)
        if most < 0:
            raise Unpackable(TOO_LARGE)
        target.write(piece)


def decompressed(file: BinaryIO) -> IO[bytes]:
    """Return the content of a gzip, bzip2 or xz file."""
    start = os.pread(file.fileno(), 2, 0)
    if start == b"BZ":
        return bz2.BZ2File(file)
    return cast("IO[bytes]", gzip.open(file) if start == b"\x1f\x8b" else lzma.open(file))


class Bounded:
    """A file of which at most ``most`` bytes are read, and never many at once.

    Raises
    ------
    Unpackable
        By its methods: more was asked for.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most = file, most

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        if not 0 <= size <= LONGEST_HEADER:
            raise Unpackable("a header of the archive is too long")
        data = self._file.read(size)
        self._check(self._file.tell())
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset from the beginning."""
        self._check(offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the offset."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check(self, offset: int) -> None:
        if offset > self._most:
            raise Unpackable(TOO_LARGE)
