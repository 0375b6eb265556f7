"""Read the wanted elements of a file: its first bytes, and no more than necessary.

The first bytes, usually 8 kB, are read in one go and walked over up to the last wanted element.
Only if it is not among them, more is read, starting at the first incomplete element, so that
skipped values are never read. If all wanted elements are found, that is the end. Otherwise the
other elements are walked over, too: an element is absent only if it is nowhere in the data set.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacsfw.dicom.cursor import Damaged, FileBytes, Source
from pacsfw.dicom.full_walk import ZEROS, FullWalk
from pacsfw.dicom.inflating import Bomb, Inflating
from pacsfw.dicom.vr import PADDING
from pacsfw.dicom.walk import (
    EXPLICIT,
    EXPLICIT_BIG,
    IMPLICIT,
    Encoding,
    Short,
    Unusual,
    Walk,
)
from pacsfw.dicom.wanted import LAST_BEFORE_PIXELS, SYNTAX, Plan, QueryRow, Wanted

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"})

_STANDARD = "1.2.840.10008."
"""All transfer syntaxes of the standard begin with it."""
_FIRST = 8192
_MOST = 1 << 27
"""Maximum bytes in memory; a longer sequence is not read."""
_HEAD = 8
_PREFIX_LENGTH = 132

_BEFORE_PIXELS = Wanted({}, last=LAST_BEFORE_PIXELS)

_Fetch = Callable[[int, int], bytes]
"""Returns the requested number of bytes from an offset; fewer at the end of the file."""


class TooLarge(ValueError):
    """A sequence is too large to be read."""


class Cut(ValueError):
    """The file ends within an element."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The encoding of a data set, and the part that was walked over.

    ``start`` is the offset of the data set in the file, ``end`` that of the first element that
    was not read; in a deflated data set, ``end`` counts inflated bytes from 0.
    """

    encoding: Encoding
    syntax: str
    start: int
    end: int


def read(path: Path | str, plan: Plan, found: QueryRow) -> tuple[Extent, str]:
    """Read the wanted elements of a Part 10 file (PS3.10 section 7).

    Parameters
    ----------
    found
        Receives the elements and the transfer syntax.

    Returns
    -------
    tuple
        The extent, and what is wrong with the pixel data, as far as it was looked at.

    Raises
    ------
    Unusual
        The file deviates from PS3.10 and PS3.5; it may still be readable.
    Cut
        The file ends inside an element before the pixel data.
    TooLarge
        A sequence needs more memory than allowed.
    zlib.error
        The deflated data is damaged.
    OSError
        The file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, _FIRST)
        if data[128:_PREFIX_LENGTH] != b"DICM" or plan.dataset.is_behind_pixels:
            raise Unusual
        file = FileBytes(descriptor)
        window = _Window(data, 0, len(data) < _FIRST, file.fetch)
        start = window.walk(_PREFIX_LENGTH, EXPLICIT, plan.meta, found)
        syntax = found[SYNTAX][1].decode("latin-1").rstrip(PADDING) if SYNTAX in found else ""
        if not syntax:
            raise Unusual
        source: Source = file
        if syntax in DEFLATED:
            source = Inflating(file.fetch, start)
            window = _Window(b"", 0, False, source.fetch)
        first = 0 if syntax in DEFLATED else start
        encoding = window.see_first(first, syntax)
        end, damage = window.walk(first, encoding, plan.dataset, found), ""
        if plan.dataset.lacks_any(found):
            end = window.walk(end, encoding, _BEFORE_PIXELS, {})
            if end == first:
                raise Unusual  # there are no elements
            damage = _look_behind(source, end, encoding)
        return Extent(encoding, syntax, start, end), damage
    finally:
        os.close(descriptor)


def _look_behind(source: Source, position: int, encoding: Encoding) -> str:
    """Check that no element of before the pixel data is behind it; return what is damaged."""
    walk = FullWalk(source, position, encoding, keep=False)
    try:
        walk.run()
    except Damaged as error:
        if not walk.has_passed_pixels:
            raise Unusual from None
        return str(error)
    except (zlib.error, Bomb):
        return "its deflated data is damaged"
    finally:
        if walk.odd.keys() - {ZEROS}:
            raise Unusual
    return ""


def encoding_of(syntax: str, first: bytes) -> Encoding:
    """Return the encoding of data sets in a transfer syntax (PS3.5 annex A).

    That of a private one shows in the ``first`` bytes: an element with or without VR.
    """
    if not syntax.startswith(_STANDARD):
        return EXPLICIT if has_vr(first) else IMPLICIT
    kinds = {IMPLICIT_LITTLE: IMPLICIT, EXPLICIT_BIG_ENDIAN: EXPLICIT_BIG}
    return kinds.get(syntax, EXPLICIT)


def has_vr(first: bytes) -> bool:
    """Return whether the header of an element has a value representation."""
    letters = first[4:6]
    return letters.isupper() and letters.isalpha()


def skip_to_pixels(fetch: _Fetch, extent: Extent) -> int:
    """Continue after a header; return the offset of the pixel data, or of the end.

    Raises
    ------
    Unusual, Cut, TooLarge
        As for `read`.
    """
    return _Window(b"", 0, False, fetch).walk(extent.end, extent.encoding, _BEFORE_PIXELS, {})


class _Window:
    """The part of a file in memory; advances with the walk."""

    __slots__ = ("_base", "_data", "_ended", "_fetch")

    def __init__(self, data: bytes, base: int, ended: bool, fetch: _Fetch) -> None:
        self._data, self._base, self._ended, self._fetch = data, base, ended, fetch

    def walk(self, offset: int, encoding: Encoding, wanted: Wanted, found: QueryRow) -> int:
        """Walk from an offset in the file, and return the offset after the walk."""
        previous, size = -1, _FIRST
        while True:
            try:
                walk = Walk(self._data, encoding)
                position = walk.run(offset - self._base, wanted, found, wanted.last, previous)
                return self._base + position
            except Short as short:
                if self._ended:
                    return self._base + self._end(short)
                offset, previous = self._base + short.position, short.previous
                # Without progress, a sequence needs more bytes.
                size = max(_FIRST if short.position else 4 * size, short.need - short.position)
                self._move(offset, size)

    def see_first(self, offset: int, syntax: str) -> Encoding:
        """Return the encoding; the first element must not have a VR where it has none."""
        if offset + _HEAD > self._base + len(self._data) and not self._ended:
            self._move(offset, _FIRST)
        at = offset - self._base
        first = self._data[at : at + _HEAD]
        encoding = encoding_of(syntax, first)
        if encoding.implicit and has_vr(first):
            raise Unusual
        return encoding

    def _move(self, offset: int, size: int) -> None:
        if size > _MOST:
            raise TooLarge
        # The last skipped byte must exist: the file may end before it.
        before = int(offset > self._base + len(self._data))
        data = self._fetch(offset - before, size + before)
        if before and not data:
            raise Cut
        self._base, self._data = offset, data[before:]
        self._ended = len(self._data) < size

    def _end(self, short: Short) -> int:
        """Return the end of the file, unless it is inside an element."""
        if short.need or not 0 <= len(self._data) - short.position < _HEAD:
            raise Cut
        return short.position
