"""Conversion of uncompressed data sets to Implicit VR Little Endian (PS3.5 section A.1).

Only the heads of the elements change: every value keeps its bytes, so that no text is decoded.
The numbers of Explicit VR Big Endian are swapped, as their value representation requires.
Sequences and items get an undefined length and a delimiter (PS3.5 section 7.5), so that values
can be passed on as they are read. Group lengths are left out, because they would be wrong. A
value of odd length is padded (PS3.5 section 7.1.1): nodes abort the association because of it.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from pacsfw.dicom.inflating import Bomb, Inflating
from pacsfw.dicom.vr import LONG, NUMBERS, SHORT
from pacsfw.dicom.walk import (
    EXPLICIT,
    EXPLICIT_BIG,
    IMPLICIT,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
)

CONVERTIBLE = frozenset(
    {ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
)
"""Transfer syntaxes that can be converted: their pixel data is not compressed."""

_DEEPEST = 64
"""Maximum nesting depth of sequences and items."""
_PIECE = 128 * 1024
"""Bytes that are read and passed on at once; a multiple of every width."""
_WINDOW = 8192
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DELIMITERS = 0xFFFE
_WIDTHS = {vr.encode(): struct.calcsize(f"={letter}") for vr, letter in NUMBERS.items()} | {
    b"AT": 2, b"OW": 2, b"OF": 4, b"OL": 4, b"OD": 8, b"OV": 8,
}  # fmt: skip
"""Bytes per number, by value representation; the others have no byte order."""
_BLANK_PADDED = (LONG.keys() | SHORT.keys()) - _WIDTHS.keys() - {b"OB", b"SQ", b"UI", b"UN"}
_LETTERS = {2: "H", 4: "I", 8: "Q"}

Fetch = Callable[[int, int], bytes]
"""Returns the requested number of bytes from an offset; fewer at the end of the file."""


class Unconvertible(ValueError):
    """The data set cannot be converted; the text describes the reason, without any value."""


def check(fetch: Fetch, syntax: str, start: int) -> None:
    """Check that a data set can be converted; values are skipped.

    Parameters
    ----------
    fetch
        Reads from the file.
    syntax
        One of `CONVERTIBLE`.
    start
        Offset of the data set in the file.

    Raises
    ------
    Unconvertible
        The data set is damaged, deviates from PS3.5, or is compressed.
    OSError
        The file cannot be read.
    """
    for _ in _parts(fetch, syntax, start):
        pass


def convert(fetch: Fetch, syntax: str, start: int) -> Iterator[bytes]:
    """Yield a data set in Implicit VR Little Endian, in pieces.

    Parameters
    ----------
    fetch, syntax, start
        As for `check`.

    Raises
    ------
    Unconvertible, OSError
        As for `check`; also in the middle.
    """
    ready = bytearray()
    for part in _parts(fetch, syntax, start):
        if isinstance(part, _Value):
            for piece in part.pieces():
                ready += piece
                if len(ready) >= _PIECE:
                    yield bytes(ready)
                    ready.clear()
        else:
            ready += part
    if ready:
        yield bytes(ready)


def _parts(fetch: Fetch, syntax: str, start: int) -> Iterator[bytes | _Value]:
    if syntax == DeflatedExplicitVRLittleEndian:
        fetch, start = Inflating(fetch, start).fetch, 0
    encoding = EXPLICIT_BIG if syntax == ExplicitVRBigEndian else EXPLICIT
    try:
        yield from _Heads(fetch, start, encoding).run()
    except zlib.error:
        raise Unconvertible("its deflated data is damaged") from None
    except Bomb:
        raise Unconvertible("it inflates to more bytes than any instance has") from None


@dataclass(frozen=True, slots=True)
class _Value:
    """The value of an element in the file: numbers of ``width`` bytes to swap, unless it is 1."""

    fetch: Fetch
    offset: int
    length: int
    width: int

    def pieces(self) -> Iterator[bytes]:
        """Yield the value in little endian."""
        done = 0
        while done < self.length:
            size = min(_PIECE, self.length - done)
            piece = self.fetch(self.offset + done, size)
            if len(piece) < size:
                raise Unconvertible("it ends in the middle of an element")
            done += size
            yield piece if self.width == 1 else _swapped(piece, self.width)


def _swapped(piece: bytes, width: int) -> bytes:
    numbers = array(_LETTERS[width], piece)
    numbers.byteswap()
    return numbers.tobytes()


def _head(tag: int, length: int) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, length)


@dataclass(slots=True)
class _Frame:
    """The position of the walk: among elements, or among the items of a sequence.

    ``end`` is None if a delimiter ends it.
    """

    in_items: bool
    encoding: Encoding
    end: int | None


class _Heads:
    """Walks over the elements of a data set, and yields their new heads, and their values."""

    def __init__(self, fetch: Fetch, start: int, encoding: Encoding) -> None:
        self._fetch, self._position = fetch, start
        self._window, self._base = b"", start
        self._frames = [_Frame(False, encoding, None)]

    def run(self) -> Iterator[bytes | _Value]:
        """Walk to the end of the data set."""
        while True:
            frame = self._frames[-1]
            if frame.end is not None and self._position >= frame.end:
                yield self._close(frame)
            elif not self._peek(1):
                break
            elif frame.in_items:
                yield self._item(frame)
            elif len(self._frames) == 1 and not any(self._peek(8)):
                self._skip_padding()
            else:
                yield from self._element(frame)
        if len(self._frames) > 1:
            raise Unconvertible("it ends in the middle of a sequence")

    def _element(self, frame: _Frame) -> Iterator[bytes | _Value]:
        tag, vr, length = self._element_head(frame)
        if tag >> 16 == _DELIMITERS:
            if tag != ITEM_END or frame.end is not None or len(self._frames) == 1:
                raise Unconvertible("a delimiter without a sequence")
            yield self._close(frame)
        elif length == UNDEFINED:
            yield self._sequence(tag, vr, frame)
        elif vr == b"SQ":
            self._open(True, frame.encoding, self._position + length)
            yield _head(tag, UNDEFINED)
        else:
            width = 1 if frame.encoding.little else _WIDTHS.get(vr, 1)
            if length % width:
                raise Unconvertible("a number is cut")
            value = _Value(self._fetch, self._position, length, width)
            self._position += length
            if tag & 0xFFFF or length != 4:  # otherwise a group length (PS3.5 section 7.2)
                yield _head(tag, length + length % 2)
                yield value
                if length % 2:
                    yield b" " if vr in _BLANK_PADDED else b"\0"

    def _element_head(self, frame: _Frame) -> tuple[int, bytes, int]:
        """Take the head of an element: its tag, VR (empty if implicit) and length."""
        encoding, head = frame.encoding, self._take(8)
        group, element, length = encoding.item(head, 0)
        tag, vr = group << 16 | element, b""
        if not encoding.implicit and group != _DELIMITERS:
            _, _, vr, length = encoding.head(head, 0)
            if vr in LONG:
                (length,) = encoding.long(self._take(4), 0)
            elif vr not in SHORT:
                raise Unconvertible("an element has an unknown value representation")
        return tag, vr, length

    def _sequence(self, tag: int, vr: bytes, frame: _Frame) -> bytes:
        if tag in _PIXELS:
            raise Unconvertible("its pixel data is compressed")
        if vr not in (b"SQ", b"UN", b""):
            raise Unconvertible("a value that is not a sequence has an undefined length")
        # The items of UN are implicit little endian everywhere (PS3.5 section 6.2.2, note 2).
        self._open(True, IMPLICIT if vr == b"UN" else frame.encoding, None)
        return _head(tag, UNDEFINED)

    def _item(self, frame: _Frame) -> bytes:
        group, element, length = frame.encoding.item(self._take(8), 0)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            if frame.end is not None and self._position != frame.end:
                raise Unconvertible("a sequence ends before its length")
            return self._close(frame)
        if tag != ITEM:
            raise Unconvertible("a sequence contains an element that is not an item")
        if frame.encoding.implicit and self._peek(6)[4:] in LONG.keys() | SHORT.keys():
            raise Unconvertible("the items of an unknown sequence are not in Implicit VR")
        end = None if length == UNDEFINED else self._position + length
        self._open(False, frame.encoding, end)
        return _head(ITEM, UNDEFINED)

    def _open(self, in_items: bool, encoding: Encoding, end: int | None) -> None:
        if len(self._frames) > _DEEPEST:
            raise Unconvertible("its sequences are nested too deeply")
        self._frames.append(_Frame(in_items, encoding, end))

    def _close(self, frame: _Frame) -> bytes:
        if frame.end is not None and self._position > frame.end:
            raise Unconvertible("an element reaches beyond its sequence")
        self._frames.pop()
        return _head(SEQUENCE_END if frame.in_items else ITEM_END, 0)

    def _take(self, count: int) -> bytes:
        taken = self._peek(count)
        if len(taken) < count:
            raise Unconvertible("it ends in the middle of an element")
        self._position += count
        return taken

    def _peek(self, count: int) -> bytes:
        at = self._position - self._base
        if at + count > len(self._window):
            # The last skipped byte must exist: the file may end before it.
            before = int(at > len(self._window))
            data = self._fetch(self._position - before, _WINDOW + before)
            if before and not data:
                raise Unconvertible("an element reaches beyond its end")
            self._window, self._base, at = data[before:], self._position, 0
        return self._window[at : at + count]

    def _skip_padding(self) -> None:
        """Skip zeros up to the end, which some writers add and which are no element."""
        while rest := self._fetch(self._position, _PIECE):
            if rest.strip(b"\0"):
                raise Unconvertible("an element without a tag")
            self._position += len(rest)
