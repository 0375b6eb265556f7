"""Read every element of a file, also of one that deviates from the standard.

A file is read like this if `pacsfw.dicom.reading` must not judge it, or if all of it is wanted.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pacsfw.dicom.cursor import Damaged, FileBytes, Source
from pacsfw.dicom.full_walk import FullWalk
from pacsfw.dicom.inflating import Bomb, Inflating
from pacsfw.dicom.reading import DEFLATED, Extent, encoding_of, has_vr
from pacsfw.dicom.vr import PADDING
from pacsfw.dicom.walk import EXPLICIT, EXPLICIT_BIG, IMPLICIT, Encoding
from pacsfw.dicom.wanted import SYNTAX, QueryRow

_PREFIX_LENGTH = 132
_META = 0x0002
_SMALL = 0x0100
"""Data sets begin with a group below it; in the other byte order it is not below it."""


class NotPart10(ValueError):
    """The file does not have the prefix of DICOM Part 10."""


@dataclass(slots=True)
class Whole:
    """The elements of a file.

    Attributes
    ----------
    found
        All elements, also of group 0002: the first of each tag.
    extent
        The encoding and the place of the data set.
    damage
        The fault at which reading had to stop; empty if the end was reached.
    has_passed_pixels
        Whether pixel data was reached, so that `found` has every element before it.
    odd
        Irregularities by kind.
    native_pixels
        The length in bytes of native pixel data by tag.
    """

    found: QueryRow
    extent: Extent
    damage: str = ""
    has_passed_pixels: bool = False
    odd: Counter[str] = field(default_factory=Counter)
    native_pixels: dict[int, int] = field(default_factory=dict)

    @property
    def fault(self) -> str:
        """Why nothing can be said of elements that were not found; empty if they are absent."""
        return "" if self.has_passed_pixels else self.damage


def read_whole(path: Path, *, bare: bool = False) -> Whole:
    """Read every element of a file, except for pixel data.

    Parameters
    ----------
    bare
        Also read a data set without preamble and prefix (PS3.10 section 7.1).

    Raises
    ------
    NotPart10
        It has no prefix, and ``bare`` is false.
    OSError
        The file cannot be opened or read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        file = FileBytes(descriptor)
        start = _PREFIX_LENGTH
        if file.fetch(0, start)[128:] != b"DICM":
            if not bare:
                raise NotPart10("not a DICOM Part 10 file")
            start = 0
        meta = FullWalk(file, start, _encoding_of_meta(file, start), keep=True, group=_META)
        fault = _run(meta)
        if fault:
            extent = Extent(EXPLICIT, "", meta.position, meta.position)
            why = f"its File Meta Information cannot be read: {fault}"
            return Whole(meta.found, extent, why, odd=meta.odd)
        return _read_dataset(file, meta)
    finally:
        os.close(descriptor)


def _read_dataset(file: FileBytes, meta: FullWalk) -> Whole:
    syntax, start = _syntax(meta.found), meta.position
    source: Source = Inflating(file.fetch, start) if syntax in DEFLATED else file
    begin = 0 if syntax in DEFLATED else start
    extent = Extent(EXPLICIT, syntax, start, begin)
    try:
        first = source.fetch(begin, 8)
    except (zlib.error, Bomb):
        return Whole(meta.found, extent, "its deflated data is damaged")
    if not first:
        return Whole(meta.found, extent, "it has no data set")
    encoding = likely_encoding(syntax, first)
    walk = FullWalk(source, begin, encoding, keep=True)
    damage = _run(walk)
    if not damage and not walk.found and not walk.has_passed_pixels:
        damage = "it has no data set"
    if syntax and encoding is not encoding_of(syntax, first):
        walk.odd["encoding differs from the transfer syntax"] += 1
    return Whole(
        found=walk.found | meta.found,
        extent=Extent(encoding, syntax, start, walk.position),
        damage=damage,
        has_passed_pixels=walk.has_passed_pixels,
        odd=meta.odd + walk.odd,
        native_pixels=walk.native_pixels,
    )


def _run(walk: FullWalk) -> str:
    """Walk to the end; return the fault, if any."""
    try:
        walk.run()
    except Damaged as error:
        return str(error)
    except zlib.error:
        return "its deflated data is damaged"
    except Bomb:
        return "it inflates to more bytes than any instance has"
    return ""


def _encoding_of_meta(file: FileBytes, start: int) -> Encoding:
    """Return the encoding of the File Meta: some writers leave out the VRs."""
    first = file.fetch(start, 8)
    return EXPLICIT if has_vr(first) or first[:2] != b"\2\0" else IMPLICIT


def _syntax(meta: QueryRow) -> str:
    _, value = meta.get(SYNTAX, ("UI", b""))
    return value.decode("latin-1").strip(PADDING) if type(value) is bytes else ""


def likely_encoding(syntax: str, first: bytes) -> Encoding:
    """Return the encoding that the first element shows, otherwise that of the transfer syntax.

    Parameters
    ----------
    syntax
        The transfer syntax UID; may be empty.
    first
        The first 8 bytes of the data set.
    """
    declared = encoding_of(syntax, first)
    if syntax in DEFLATED:
        return declared
    little, big = (int.from_bytes(first[:2], order) for order in ("little", "big"))
    if 0 < big < _SMALL <= little and has_vr(first):
        return EXPLICIT_BIG
    if declared.little or 0 < little < _SMALL <= big:
        # Without VR there is a length, of at most 255 bytes; a garbled VR has no NUL.
        is_length = first[4:5] != b"\0" and first[5:8] == b"\0\0\0"
        return IMPLICIT if not has_vr(first) and (declared.implicit or is_length) else EXPLICIT
    return declared
