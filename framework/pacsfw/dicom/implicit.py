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
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from pacsfw.dicom.cursor import Cursor, Damaged, Source
from pacsfw.dicom.full_walk import PIXELS
from pacsfw.dicom.inflating import Bomb, Inflating
from pacsfw.dicom.vr import LONG, SHORT, WIDTHS, swapped
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
_DELIMITERS = 0xFFFE
_VRS = {**LONG, **SHORT}
_BLANK_PADDED = frozenset(_VRS.values()) - WIDTHS.keys() - {"OB", "SQ", "UI", "UN"}


class Unconvertible(ValueError):
    """The data set cannot be converted; the text describes the reason, without any value."""


def check(source: Source, syntax: str, start: int) -> None:
    """Check that a data set can be converted; values are skipped.

    Parameters
    ----------
    source
        The bytes of the file.
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
    for _ in _parts(source, syntax, start):
        pass


def convert(source: Source, syntax: str, start: int) -> Iterator[bytes]:
    """Yield a data set in Implicit VR Little Endian, in pieces.

    Parameters
    ----------
    source, syntax, start
        As for `check`.

    Raises
    ------
    Unconvertible, OSError
        As for `check`; also in the middle.
    """
    ready = bytearray()
    for part in _parts(source, syntax, start):
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


def _parts(source: Source, syntax: str, start: int) -> Iterator[bytes | _Value]:
    if syntax == DeflatedExplicitVRLittleEndian:
        source, start = Inflating(source.fetch, start), 0
    encoding = EXPLICIT_BIG if syntax == ExplicitVRBigEndian else EXPLICIT
    try:
        yield from _Heads(source, start, encoding).run()
    except Damaged as err:
        raise Unconvertible(str(err)) from None
    except zlib.error:
        raise Unconvertible("its deflated data is damaged") from None
    except Bomb:
        raise Unconvertible("it inflates to more bytes than any instance has") from None


@dataclass(frozen=True, slots=True)
class _Value:
    """The value of an element in the file."""

    source: Source
    offset: int
    length: int
    big: str
    """The VR of a value in big endian, empty for one in little endian."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the value in little endian."""
        done = 0
        while done < self.length:
            size = min(_PIECE, self.length - done)
            piece = self.source.fetch(self.offset + done, size)
            if len(piece) < size:
                raise Unconvertible("it ends in the middle of an element")
            done += size
            yield swapped(self.big, piece) if self.big else piece


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

    def __init__(self, source: Source, start: int, encoding: Encoding) -> None:
        self._source, self._bytes = source, Cursor(source, start)
        self._frames = [_Frame(False, encoding, None)]

    def run(self) -> Iterator[bytes | _Value]:
        """Walk to the end of the data set."""
        while True:
            frame = self._frames[-1]
            if frame.end is not None and self._bytes.position >= frame.end:
                yield self._close(frame)
            elif not self._bytes.peek(1):
                break
            elif frame.in_items:
                yield self._item(frame)
            elif len(self._frames) == 1 and not any(self._bytes.peek(8)):
                if not self._bytes.are_zeros():
                    raise Unconvertible("an element without a tag")
            else:
                yield from self._element(frame)
        self._bytes.check_end()
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
        elif vr == "SQ":
            self._open(True, frame.encoding, self._bytes.position + length)
            yield _head(tag, UNDEFINED)
        else:
            big = "" if frame.encoding.little else vr
            if length % WIDTHS.get(big, 1):
                raise Unconvertible("a number is cut")
            value = _Value(self._source, self._bytes.position, length, big)
            self._bytes.position += length
            if tag & 0xFFFF or length != 4:  # otherwise a group length (PS3.5 section 7.2)
                yield _head(tag, length + length % 2)
                yield value
                if length % 2:
                    yield b" " if vr in _BLANK_PADDED else b"\0"

    def _element_head(self, frame: _Frame) -> tuple[int, str, int]:
        """Take the head of an element: its tag, VR (empty if implicit) and length."""
        encoding, head = frame.encoding, self._bytes.take(8)
        group, element, length = encoding.item(head, 0)
        tag, vr = group << 16 | element, ""
        if not encoding.implicit and group != _DELIMITERS:
            _, _, encoded, length = encoding.head(head, 0)
            vr = _VRS.get(encoded, "")
            if encoded in LONG:
                (length,) = encoding.long(self._bytes.take(4), 0)
            elif not vr:
                raise Unconvertible("an element has an unknown value representation")
        return tag, vr, length

    def _sequence(self, tag: int, vr: str, frame: _Frame) -> bytes:
        if tag in PIXELS:
            raise Unconvertible("its pixel data is compressed")
        if vr not in ("SQ", "UN", ""):
            raise Unconvertible("a value that is not a sequence has an undefined length")
        # The items of UN are implicit little endian everywhere (PS3.5 section 6.2.2, note 2).
        self._open(True, IMPLICIT if vr == "UN" else frame.encoding, None)
        return _head(tag, UNDEFINED)

    def _item(self, frame: _Frame) -> bytes:
        group, element, length = frame.encoding.item(self._bytes.take(8), 0)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            if frame.end is not None and self._bytes.position != frame.end:
                raise Unconvertible("a sequence ends before its length")
            return self._close(frame)
        if tag != ITEM:
            raise Unconvertible("a sequence contains an element that is not an item")
        if frame.encoding.implicit and self._bytes.peek(6)[4:] in _VRS:
            raise Unconvertible("the items of an unknown sequence are not in Implicit VR")
        end = None if length == UNDEFINED else self._bytes.position + length
        self._open(False, frame.encoding, end)
        return _head(ITEM, UNDEFINED)

    def _open(self, in_items: bool, encoding: Encoding, end: int | None) -> None:
        if len(self._frames) > _DEEPEST:
            raise Unconvertible("its sequences are nested too deeply")
        self._frames.append(_Frame(in_items, encoding, end))

    def _close(self, frame: _Frame) -> bytes:
        if frame.end is not None and self._bytes.position > frame.end:
            raise Unconvertible("an element reaches beyond its sequence")
        self._frames.pop()
        return _head(SEQUENCE_END if frame.in_items else ITEM_END, 0)
