"""Check whether an instance is intact: walk over its elements to the end (PS3.5 section 7).

Readers do not notice that a file was truncated: its pixel data is only shorter. The walk
continues where the header ended. It reads only the headers of elements, items and fragments and
skips their values, so it costs the same for a gigabyte as for a kilobyte.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pacsfw.dicom.elements import Leaf
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.inflating import Bomb, Inflating
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.dicom.reading import DEFLATED, Cut, TooLarge, encoding_of, skip_to_pixels
from pacsfw.dicom.tagpath import TagPath, parse
from pacsfw.dicom.vr import LONG, SHORT
from pacsfw.dicom.walk import (
    IMPLICIT,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Unusual,
)

_LENGTH_TELLING = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated",
    "PhotometricInterpretation",
)  # fmt: skip
PATHS = tuple(map(parse, _LENGTH_TELLING))
"""The attributes that determine the length of native pixel data."""
_ALL_PATHS = frozenset(PATHS)

_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: 0}
"""Elements of pixel data, and the bits per sample if they are fixed."""
_WINDOW = 4096
_MOST_HEADS = 50_000_000
"""Maximum number of element headers; no instance has as many, and they take minutes."""


class Damaged(ValueError):
    """The instance is not intact; the text describes the fault, without any value."""


class _Source(Protocol):
    def fetch(self, offset: int, size: int) -> bytes: ...

    def size(self) -> int: ...


def check(path: Path, header: FileHeader) -> Counter[str]:
    """Check that a stored instance is intact.

    Parameters
    ----------
    header
        The header of the same file; determines the length of native pixel data.

    Returns
    -------
    Counter
        Irregularities of an intact instance, by kind.

    Raises
    ------
    Damaged
        A length reaches beyond the end, a delimiter is missing at the end, native pixel data
        is shorter than rows, columns, samples and frames require (PS3.5 section 8.2), or
        deflated data is damaged or inflates to more bytes than any instance has.
    OSError
        The file cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        walk = _walk(file, path, header)
    except zlib.error:
        raise Damaged("its deflated data is damaged") from None
    except Bomb:
        raise Damaged("it inflates to more bytes than any instance has") from None
    finally:
        os.close(file)
    for tag, length in walk.native_pixels.items():
        expected = _expected_length(header, _PIXELS[tag])
        if length < expected:
            raise Damaged(f"its pixel data ends after {length} of {expected} bytes")
    return walk.odd


def _walk(descriptor: int, path: Path, header: FileHeader) -> _Walk:
    """Walk to the end, quickly up to the pixel data if there are no irregularities."""
    extent = header.extent
    if extent is not None:
        first = 0 if extent.syntax in DEFLATED else extent.start
        source = _source(descriptor, extent.syntax, extent.start)
        try:
            at_pixels = skip_to_pixels(source.fetch, extent)
        except (Cut, TooLarge, Unusual):
            pass  # the slow walk finds the fault
        else:
            if at_pixels > first:
                walk = _Walk(source, at_pixels, extent.encoding)
                walk.run()
                return walk
    syntax, offset = (extent.syntax, extent.start) if extent else _data_set(path)
    start = 0 if syntax in DEFLATED else offset
    source = _source(descriptor, syntax, offset)
    begin = source.fetch(start, 8)
    if not begin:
        raise Damaged("it has no data set")
    walk = _Walk(source, start, encoding_of(syntax, begin))
    walk.run()
    return walk


def _data_set(path: Path) -> tuple[str, int]:
    """Return the transfer syntax, and the offset of the data set."""
    try:
        meta = read_file_meta(path)
    except ValueError as error:
        raise Damaged(str(error)) from error
    return meta.syntax, meta.offset_of_dataset


def _source(descriptor: int, syntax: str, start: int) -> _Source:
    file = _File(descriptor)
    return Inflating(file.fetch, start) if syntax in DEFLATED else file


@dataclass(frozen=True, slots=True)
class _File:
    descriptor: int

    def fetch(self, offset: int, size: int) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self.descriptor).st_size


@dataclass(slots=True)
class _Frame:
    """The position of the walk: among elements, or among the items of a sequence."""

    in_items: bool
    encoding: Encoding
    previous: int = -1


class _Walk:
    def __init__(self, source: _Source, start: int, encoding: Encoding) -> None:
        self._source, self._position = source, start
        self._window, self._base = b"", start
        self._frames = [_Frame(in_items=False, encoding=encoding)]
        self._heads = 0
        self.native_pixels: dict[int, int] = {}
        self.odd: Counter[str] = Counter()

    def run(self) -> None:
        """Walk to the end of the data set."""
        while self._peek(1):
            self._heads += 1
            if self._heads > _MOST_HEADS:
                raise Damaged("it has more elements than any instance")
            frame = self._frames[-1]
            if frame.in_items:
                self._item(frame)
            elif not self._element(frame):
                return
        if self._position > self._source.size():
            raise Damaged("an element reaches beyond its end")
        if len(self._frames) > 1:
            raise Damaged("it ends in the middle of a sequence")

    def _element(self, frame: _Frame) -> bool:
        """Skip one element; False if only padding follows."""
        nested = len(self._frames) > 1
        if not nested and not any(self._peek(8)):
            return self._padding()
        group, element = frame.encoding.item(self._peek(8).ljust(8, b"\xff"), 0)[:2]
        tag = group << 16 | element
        if nested and tag == ITEM_END:
            self._take(8)
            self._frames.pop()
            return True
        vr, length = self._vr_and_length(frame)
        if tag <= frame.previous:
            self.odd["elements out of order"] += 1
        frame.previous = tag
        if length != UNDEFINED:
            if not nested and tag in _PIXELS:
                self.native_pixels[tag] = length
            self._position += length
        elif tag in _PIXELS:
            self._fragments()
        else:
            # The items of an undefined-length UN are implicit (PS3.5 section 6.2.2, note 2).
            inner = IMPLICIT if vr == b"UN" and frame.encoding.little else frame.encoding
            self._frames.append(_Frame(in_items=True, encoding=inner))
        return True

    def _item(self, frame: _Frame) -> None:
        tag, length = self._item_head()
        if tag == SEQUENCE_END:
            self._frames.pop()
        elif tag != ITEM:
            raise Damaged("a sequence contains an element that is not an item")
        elif length == UNDEFINED:
            self._frames.append(_Frame(in_items=False, encoding=frame.encoding))
        else:
            self._position += length

    def _fragments(self) -> None:
        """Skip encapsulated pixel data (PS3.5 section A.4)."""
        while True:
            tag, length = self._item_head()
            if tag == SEQUENCE_END:
                return
            if tag != ITEM:
                raise Damaged("its pixel data contains an element that is not a fragment")
            self._position += length

    def _item_head(self) -> tuple[int, int]:
        group, element, length = self._frames[-1].encoding.item(self._take(8), 0)
        return group << 16 | element, length

    def _vr_and_length(self, frame: _Frame) -> tuple[bytes, int]:
        encoding, head = frame.encoding, self._take(8)
        if encoding.implicit:
            return b"", encoding.head(head, 0)[2]
        _, _, vr, length = encoding.head(head, 0)
        if vr in LONG:
            return vr, encoding.long(self._take(4), 0)[0]
        if vr not in SHORT:
            self.odd["unknown value representation"] += 1
        return vr, length

    def _take(self, count: int) -> bytes:
        taken = self._peek(count)
        if len(taken) < count:
            within = self._position <= self._source.size()
            raise Damaged(
                "it ends in the middle of an element"
                if within
                else "an element reaches beyond its end"
            )
        self._position += count
        return taken

    def _peek(self, count: int) -> bytes:
        at = self._position - self._base
        if at + count > len(self._window):
            self._base, at = self._position, 0
            self._window = self._source.fetch(self._position, _WINDOW)
        return self._window[at : at + count]

    def _padding(self) -> bool:
        """Accept zeros up to the end, which some writers add."""
        while rest := self._source.fetch(self._position, 1 << 16):
            if rest.strip(b"\0"):
                raise Damaged("an element without a tag")
            self._position += len(rest)
        self.odd["zeros after the last element"] += 1
        return False


def _expected_length(header: FileHeader, bits: int) -> int:
    """Return the bytes of native pixel data (PS3.5 section 8.1.1, PS3.3 section C.7.6.3)."""
    header.cover(_ALL_PATHS)
    try:
        rows, columns, frames, samples, allocated = (_number(header, path) for path in PATHS[:5])
    except ValueError:
        return 0  # unknown, so nothing to check
    photometric = _bytes(header, PATHS[5]).strip(b" \0")
    samples = samples or 1
    if photometric in (b"YBR_FULL_422", b"YBR_PARTIAL_422"):
        samples = 2  # two pixels share the two colour samples
    return (rows * columns * (frames or 1) * samples * (bits or allocated) + 7) // 8


def _number(header: FileHeader, path: TagPath) -> int:
    """Return an integer of VR US or IS, 0 if there is none."""
    value = _bytes(header, path)
    if path.vr == "IS":
        return int(value.strip(b" \0") or 0)
    return int.from_bytes(value[:2], "little" if header.encoding.little else "big")


def _bytes(header: FileHeader, path: TagPath) -> bytes:
    leaf = header.raw(path)
    return leaf.value if isinstance(leaf, Leaf) and type(leaf.value) is bytes else b""
