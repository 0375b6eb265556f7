"""Deflated data sets (PS3.5 section A.5), inflated a piece at a time.

A few kilobytes can inflate to gigabytes: never more is held than was asked for, and there is
an end to what is inflated at all.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

MOST_INFLATED = 1 << 31
"""Bytes that one data set may inflate to; twice the largest image that is sent deflated."""
_PIECE = 1 << 16


class Bomb(ValueError):
    """The data set inflates to more than any image holds."""


class Inflating:
    """The inflated bytes of a file from an offset on.

    Parameters
    ----------
    read
        Gives bytes of the file: offset, how many.
    start
        Where the deflated data set begins in the file.
    """

    def __init__(self, read: Callable[[int, int], bytes], start: int) -> None:
        self._read, self._position = read, start
        self._inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._held, self._base = bytearray(), 0
        self._input = b""

    def fetch(self, offset: int, size: int) -> bytes:
        """Return inflated bytes; what is before ``offset`` cannot be asked for any more.

        Raises
        ------
        zlib.error
            The data are damaged.
        Bomb
            There are more than `MOST_INFLATED`.
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
        """Return how many bytes there are in all, once the end was reached.

        Raises
        ------
        zlib.error
            The file ends before the deflated data do.
        """
        if not self._inflater.eof:
            raise zlib.error("it ends too early")
        return self._base + len(self._held)

    def _inflate(self) -> bool:
        """Inflate some more; False where nothing is left."""
        if self._inflater.eof:
            return False
        if not self._input:
            self._input = self._read(self._position, _PIECE)
            self._position += len(self._input)
        inflated = self._inflater.decompress(self._input, _PIECE)  # some may still be inside
        if not inflated and not self._input:
            return False
        self._held += inflated
        self._input = self._inflater.unconsumed_tail
        if self._base + len(self._held) > MOST_INFLATED:
            raise Bomb
        return True
