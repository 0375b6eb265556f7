"""Whether an object is whole: a walk over its elements to the very end (PS3.5 section 7).

Readers do not notice that a file was cut: the pixel data are just shorter. The walk looks
at the heads of elements, items and fragments only and steps over their values, so it costs
the same for a gigabyte as for a kilobyte.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Header
from pacsfw.dicom.part10 import read_file_meta

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"})

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: 0}
"""Elements of pixel data, and the bits of a sample where that does not vary."""
_LONG = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)


class Damaged(ValueError):
    """The object is not whole; the text says how, without any value."""


@dataclass(slots=True)
class _Frame:
    """Where the walk is: among elements, or among the items of a sequence."""

    in_items: bool
    implicit: bool


def check(path: Path, header: Header) -> None:
    """See that a stored object is whole.

    Deflated data sets are not looked into.

    Parameters
    ----------
    header
        The header of the same file; tells how long native pixel data have to be.

    Raises
    ------
    Damaged
        A length reaches beyond the end, a delimiter is missing at the end, or native pixel
        data are shorter than rows, columns, samples and frames say (PS3.5 section 8.2).
    """
    meta = read_file_meta(path)
    if meta.syntax in DEFLATED:
        return
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size == meta.offset_of_dataset:
            raise Damaged("it has no data set")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            walk = _Walk(data, meta.offset_of_dataset, meta.syntax)
            walk.run()
    for tag, length in walk.native_pixels.items():
        expected = _expected_length(header, _PIXELS[tag])
        if length < expected:
            raise Damaged(f"its pixel data end after {length} of {expected} bytes")


class _Walk:
    def __init__(self, data: mmap.mmap, start: int, syntax: str) -> None:
        self._data, self._position = data, start
        order = ">" if syntax == EXPLICIT_BIG else "<"
        self._tag = struct.Struct(f"{order}HH")
        self._short, self._long = struct.Struct(f"{order}H"), struct.Struct(f"{order}L")
        self._frames = [_Frame(in_items=False, implicit=syntax == IMPLICIT_LITTLE)]
        self.native_pixels: dict[int, int] = {}

    def run(self) -> None:
        """Go to the end of the data set."""
        end = len(self._data)
        while self._position < end:
            frame = self._frames[-1]
            if frame.in_items:
                self._item(frame)
            elif not self._element(frame):
                return
        if len(self._frames) > 1:
            raise Damaged("it ends in the middle of a sequence")

    def _element(self, frame: _Frame) -> bool:
        """Step over one element; False where only padding follows."""
        nested = len(self._frames) > 1
        if not nested and not any(self._data[self._position : self._position + 8]):
            return self._padding()
        tag = self._read_tag()
        if nested and tag == _ITEM_END:
            self._read_length()
            self._frames.pop()
            return True
        vr, length = self._vr_and_length(frame)
        if length != _UNDEFINED:
            if not nested and tag in _PIXELS:
                self.native_pixels[tag] = length
            self._skip(length)
        elif tag in _PIXELS:
            self._fragments()
        else:
            # The items of an undefined-length UN are implicit (PS3.5 section 6.2.2, note 2).
            self._frames.append(_Frame(in_items=True, implicit=frame.implicit or vr == b"UN"))
        return True

    def _item(self, frame: _Frame) -> None:
        tag, length = self._read_tag(), self._read_length()
        if tag == _SEQUENCE_END:
            self._frames.pop()
        elif tag != _ITEM:
            raise Damaged("a sequence holds something that is no item")
        elif length == _UNDEFINED:
            self._frames.append(_Frame(in_items=False, implicit=frame.implicit))
        else:
            self._skip(length)

    def _fragments(self) -> None:
        """Step over encapsulated pixel data (PS3.5 section A.4)."""
        while True:
            tag, length = self._read_tag(), self._read_length()
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM:
                raise Damaged("its pixel data hold something that is no fragment")
            self._skip(length)

    def _vr_and_length(self, frame: _Frame) -> tuple[bytes, int]:
        if frame.implicit:
            return b"", self._read_length()
        vr = self._take(2)
        if vr in _LONG:
            self._skip(2)
            return vr, self._read_length()
        return vr, int(self._short.unpack(self._take(2))[0])

    def _read_tag(self) -> int:
        group, element = self._tag.unpack(self._take(4))
        return int(group << 16 | element)

    def _read_length(self) -> int:
        return int(self._long.unpack(self._take(4))[0])

    def _take(self, count: int) -> bytes:
        taken = self._data[self._position : self._position + count]
        if len(taken) < count:
            raise Damaged("it ends in the middle of an element")
        self._position += count
        return taken

    def _skip(self, length: int) -> None:
        self._position += length
        if self._position > len(self._data):
            raise Damaged("an element reaches beyond its end")

    def _padding(self) -> bool:
        """Accept zeros up to the end, as some writers leave them."""
        rest = self._data[self._position :]
        if rest.strip(b"\0"):
            raise Damaged("an element without a tag")
        return False


def _expected_length(header: Header, bits: int) -> int:
    """Return the bytes of native pixel data (PS3.5 section 8.1.1, PS3.3 section C.7.6.3)."""
    try:
        rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
        frames = int(header.get("NumberOfFrames") or 1)
        samples = int(header.get("SamplesPerPixel") or 1)
        bits = bits or int(header.get("BitsAllocated") or 0)
    except (TypeError, ValueError):
        return 0  # what cannot be told cannot be judged
    if header.get("PhotometricInterpretation") in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        samples = 2  # the two colour samples are shared by two pixels
    return (rows * columns * frames * samples * bits + 7) // 8
