"""A position in the bytes of a data set, which only moves forward."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NoReturn, Protocol

_WINDOW = 4096
_ZEROS_READ = 1 << 16


class Damaged(ValueError):
    """The instance is not intact; the text describes the fault, without any value."""


class Source(Protocol):
    """The bytes of a file, or of an inflated data set."""

    def fetch(self, offset: int, size: int) -> bytes:
        """Return bytes, fewer at the end; offsets only increase from call to call."""

    def size(self) -> int:
        """Return the total number of bytes, once the end was reached."""


@dataclass(slots=True)
class FileBytes:
    """The bytes of an open file."""

    descriptor: int

    def fetch(self, offset: int, size: int) -> bytes:
        """Return the requested bytes; fewer at the end of the file."""
        return os.pread(self.descriptor, size, offset)

    def size(self) -> int:
        """Return the size of the file."""
        return os.fstat(self.descriptor).st_size


class Cursor:
    """Reads at a position, and moves it.

    Attributes
    ----------
    position
        The offset of the next byte; may be moved forward, also beyond the end.
    """

    __slots__ = ("_base", "_source", "_window", "position")

    def __init__(self, source: Source, position: int) -> None:
        self._source, self.position = source, position
        self._window, self._base = b"", position

    def peek(self, count: int) -> bytes:
        """Return the next few bytes; fewer at the end."""
        at = self.position - self._base
        if at + count > len(self._window):
            self._base, at = self.position, 0
            self._window = self._source.fetch(self.position, _WINDOW)
        return self._window[at : at + count]

    def take(self, count: int) -> bytes:
        """Return the next few bytes, and move behind them.

        Raises
        ------
        Damaged
            There are fewer.
        """
        taken = self.peek(count)
        if len(taken) < count:
            self._raise_short()
        self.position += count
        return taken

    def fetch(self, size: int, skip: int = 0) -> bytes:
        """Return any number of bytes from here on, or from further ahead; fewer at the end."""
        return self._source.fetch(self.position + skip, size)

    def are_zeros(self) -> bool:
        """Move to the end, and return whether only zeros follow."""
        while rest := self._source.fetch(self.position, _ZEROS_READ):
            if rest.strip(b"\0"):
                return False
            self.position += len(rest)
        return True

    def check_end(self) -> None:
        """Check that the position is not beyond the end.

        Raises
        ------
        Damaged
            It is beyond it.
        """
        if self.position > self._source.size():
            raise Damaged("an element reaches beyond its end")

    def _raise_short(self) -> NoReturn:
        self.check_end()
        raise Damaged("it ends in the middle of an element")
