"""Deflated data sets (PS3.5 section A.5), inflated piece by piece.

A few kilobytes can inflate to gigabytes: only the requested bytes are kept in memory, and the
total size is limited.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

MOST_INFLATED = 1 << 31
"""Maximum inflated bytes of one data set; twice the largest image that is sent deflated."""
_PIECE = 1 << 16


class Bomb(ValueError):
    """The data set inflates to more bytes than any image has."""


class Inflating:
    """The inflated bytes of a file, starting at an offset.

    Parameters
    ----------
    read
        Returns bytes of the file, by offset and size.
    start
        Offset of the deflated data set in the file.
    """

    def __init__(self, read: Callable[[int, int], bytes], start: int) -> None:
        self._read, self._position = read, start
        self._inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._held, self._base = bytearray(), 0
        self._input = b""

    def fetch(self, offset: int, size: int) -> bytes:
        """Return inflated bytes; bytes before ``offset`` are no longer available then.

        Raises
        ------
        zlib.error
            The data is damaged.
        Bomb
            There are more than `MOST_INFLATED` bytes.
        """
        while True:
            drop = min(offset - self._base, len(self._held))
            del self._held[:drop]
            self._base += drop
            if self._base == offset and len(self._held) >= size:
                return bytes(self._held[:size])
            if not self._inflate():
                return bytes(self._held[:size]) if self._base == offset else b""

    def size(self) -> int:
        """Return the total number of bytes, once the end was reached.

        Raises
        ------
        zlib.error
            The file ends before the deflated data.
        """
        if not self._inflater.eof:
            raise zlib.error("it ends too early")
        return self._base + len(self._held)

    def _inflate(self) -> bool:
        """Inflate more; False if nothing is left."""
        if self._inflater.eof:
            return False
        if not self._input:
            self._input = self._read(self._position, _PIECE)
            self._position += len(self._input)
        inflated = self._inflater.decompress(
            self._input, _PIECE
        )  # the inflater may still hold some
        if not inflated and not self._input:
            return False
        self._held += inflated
        self._input = self._inflater.unconsumed_tail
        if self._base + len(self._held) > MOST_INFLATED:
            raise Bomb
        return True
