"""Check whether an instance is intact: walk over its elements to the end (PS3.5 section 7).

Readers do not notice that a file was truncated: its pixel data is only shorter. The walk
continues where the header ended. It reads only the headers of elements, items and fragments and
skips their values, so it costs the same for a gigabyte as for a kilobyte.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from pathlib import Path

from pacsfw.dicom.cursor import Damaged, FileBytes, Source
from pacsfw.dicom.elements import Leaf
from pacsfw.dicom.full_walk import FullWalk
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.inflating import Bomb, Inflating
from pacsfw.dicom.reading import DEFLATED, Cut, Extent, TooLarge, skip_to_pixels
from pacsfw.dicom.tagpath import TagPath, parse
from pacsfw.dicom.walk import Unusual

__all__ = ["PATHS", "Damaged", "check"]

_LENGTH_TELLING = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated",
    "PhotometricInterpretation",
)  # fmt: skip
PATHS = tuple(map(parse, _LENGTH_TELLING))
"""The attributes that determine the length of native pixel data."""
_ALL_PATHS = frozenset(PATHS)

_BITS = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: 0}
"""Elements of pixel data, and the bits per sample if they are fixed."""


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
    if header.was_read_whole:
        whole = header.whole()
        if whole.damage:
            raise Damaged(whole.damage)
        native_pixels, odd = whole.native_pixels, Counter[str]()
    else:
        walk = _walked(path, header)
        native_pixels, odd = walk.native_pixels, walk.odd
    for tag, length in native_pixels.items():
        expected = _expected_length(header, _BITS[tag])
        if length < expected:
            raise Damaged(f"its pixel data ends after {length} of {expected} bytes")
    return odd


def _walked(path: Path, header: FileHeader) -> FullWalk:
    """Walk to the end, quickly up to the pixel data if there are no irregularities."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        walk = _walk(FileBytes(descriptor), header)
        walk.run()
    except zlib.error:
        raise Damaged("its deflated data is damaged") from None
    except Bomb:
        raise Damaged("it inflates to more bytes than any instance has") from None
    finally:
        os.close(descriptor)
    return walk


def _walk(file: FileBytes, header: FileHeader) -> FullWalk:
    extent = header.extent
    assert extent is not None  # noqa: S101 - the header of a file has one
    first = 0 if extent.syntax in DEFLATED else extent.start
    source = _source(file, extent)
    try:
        at_pixels = skip_to_pixels(source.fetch, extent)
    except (Cut, TooLarge, Unusual):
        at_pixels = first  # the slow walk finds the fault
    if at_pixels > first:
        return FullWalk(source, at_pixels, extent.encoding, keep=False)
    source = _source(file, extent)
    if not source.fetch(first, 1):
        raise Damaged("it has no data set")
    return FullWalk(source, first, extent.encoding, keep=False)


def _source(file: FileBytes, extent: Extent) -> Source:
    return Inflating(file.fetch, extent.start) if extent.syntax in DEFLATED else file


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
