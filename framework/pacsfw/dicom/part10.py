"""The head of a DICOM file: preamble, prefix and File Meta Information (PS3.10 section 7.1).

Written for every stored instance, before the data set bytes, which are stored as received.
Text is encoded and decoded as Latin-1, so the bytes of a peer are preserved.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pacsfw.dicom.vr import LONG, PADDING

IMPLEMENTATION_CLASS_UID = "2.25.145131433375657496648581292996595865875"
IMPLEMENTATION_VERSION_NAME = "PACSFW_0_1"

PREFIX_LENGTH = 132
MAX_FILE_META = 1 << 20
"""Maximum bytes of preamble and File Meta."""

_FIRST_READ = 4096
_VRS = LONG.keys() | {b"UL", b"UI", b"SH", b"AE"}


_SUFFIXES = (".dcm", ".dicom", ".ima")
_BARE = re.compile(
    rb"\x02\0[\0\x01]\0(UL|OB)"
    rb"|\x08\0[\0\x01\x05\x08\x16\x18]\0(UL|CS|UI)"
    rb"|\x08\0[\x01\x05\x08\x16\x18]\0[^\0]\0\0\0"
    rb"|\x08\0\0\0\x04\0\0\0....\x08\0",
    re.DOTALL,
)
"""First bytes of data sets without preamble and prefix (little endian, like nearly all)."""


@dataclass(frozen=True, slots=True)
class FileMeta:
    """The content of the File Meta Information.

    ``offset_of_dataset`` is the offset in bytes of the first data element after it;
    ``source_aet`` is empty if the file does not name its sender.
    """

    sop_class: str
    sop_uid: str
    syntax: str
    source_aet: str
    offset_of_dataset: int


class _NeedMore(Exception):
    """The bytes read so far end inside the File Meta."""


def file_head(sop_class: str, sop_uid: str, syntax: str, source_aet: str) -> bytes:
    """Build preamble, prefix and File Meta Information for a data set.

    Parameters
    ----------
    sop_class, sop_uid, syntax
        Media Storage SOP Class UID, SOP Instance UID and Transfer Syntax UID.
    source_aet
        Source Application Entity Title: the sender of the instance. Omitted if empty.

    Returns
    -------
    bytes
        A preamble of 128 zero bytes, ``DICM``, and group 0002 in Explicit VR Little Endian
        with every value padded to even length (PS3.10 section 7.1).

    Raises
    ------
    ValueError
        A value has characters beyond Latin-1 or is longer than 65534 bytes.
    """
    uid = _element(0x0003, b"UI", sop_uid)
    before, after = _around(sop_class, len(uid), syntax, source_aet)
    return before + uid + after


@lru_cache(maxsize=64)
def _around(sop_class: str, uid_size: int, syntax: str, source_aet: str) -> tuple[bytes, bytes]:
    """Return the bytes before and after the SOP Instance UID: the same for many instances."""
    elements = [
        _element(0x0010, b"UI", syntax),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    ]
    if source_aet:
        elements.append(_element(0x0016, b"AE", source_aet))
    version = struct.pack("<HH2sHL2s", 2, 0x0001, b"OB", 0, 2, b"\0\1")
    before, after = version + _element(0x0002, b"UI", sop_class), b"".join(elements)
    size = len(before) + uid_size + len(after)
    group_length = struct.pack("<HH2sHL", 2, 0x0000, b"UL", 4, size)
    return b"\0" * 128 + b"DICM" + group_length + before, after


def _element(element: int, vr: bytes, text: str) -> bytes:
    try:
        value = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ValueError(f"File Meta (0002,{element:04X}) has characters beyond Latin-1") from error
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    if len(value) > 0xFFFE:
        raise ValueError(f"File Meta (0002,{element:04X}) is longer than 65534 bytes")
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def read_file_meta(source: Path | int) -> FileMeta:
    """Read preamble, prefix and File Meta Information of a DICOM file.

    Parameters
    ----------
    source
        Path of the file, or a descriptor open for reading (its position does not change).

    Returns
    -------
    FileMeta
        The identifying values and the offset of the data set.

    Raises
    ------
    ValueError
        This is not a DICOM file, or its File Meta is damaged, too long (more than
        `MAX_FILE_META` bytes), lacks the transfer syntax, or declares a wrong length.
    OSError
        The file cannot be read.
    """
    if isinstance(source, int):
        return _read(source)
    descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def file_meta_of(start: bytes) -> FileMeta | None:
    """Read the File Meta Information from the first bytes of a DICOM file.

    Returns
    -------
    FileMeta or None
        None if more bytes are needed: two after the File Meta Information.

    Raises
    ------
    ValueError
        As for `read_file_meta`.
    """
    if len(start) < PREFIX_LENGTH:
        return None
    try:
        return _parse(start, whole_file=False)
    except _NeedMore:
        if len(start) >= MAX_FILE_META:
            raise ValueError(
                f"the File Meta Information is longer than {MAX_FILE_META} bytes"
            ) from None
        return None


def _read(descriptor: int) -> FileMeta:
    for limit in (_FIRST_READ, MAX_FILE_META):
        data = os.pread(descriptor, limit, 0)
        whole_file = len(data) < limit
        try:
            return _parse(data, whole_file=whole_file)
        except _NeedMore:
            if whole_file:
                raise ValueError("the file ends inside its File Meta Information") from None
    raise ValueError(f"the File Meta Information is longer than {MAX_FILE_META} bytes")


def _parse(data: bytes, *, whole_file: bool) -> FileMeta:
    if data[128:PREFIX_LENGTH] != b"DICM":
        raise ValueError("not a DICOM file: no DICM prefix after the preamble")
    values: dict[int, bytes] = {}
    position = PREFIX_LENGTH
    # It ends where its group length says: the data of a sender may continue with more of
    # group 0002, which must not be mistaken for ours.
    while position != _end(values) and data[position : position + 2] == b"\2\0":
        element, value, position = _next_element(data, position)
        if element in values:
            raise ValueError(f"File Meta (0002,{element:04X}) occurs twice")
        values[element] = value
    if not whole_file and position + 2 > len(data):
        raise _NeedMore
    if 0x0000 in values and position != _end(values):
        raise ValueError(
            "the File Meta Information differs in length from its group length (0002,0000)"
        )
    texts = {element: _text(values.get(element, b"")) for element in (0x02, 0x03, 0x10, 0x16)}
    if not texts[0x10]:
        raise ValueError("the File Meta Information names no transfer syntax (0002,0010)")
    return FileMeta(texts[0x02], texts[0x03], texts[0x10], texts[0x16], position)


def _next_element(data: bytes, position: int) -> tuple[int, bytes, int]:
    if position + 8 > len(data):
        raise _NeedMore
    element, vr, length = struct.unpack_from("<H2sH", data, position + 2)
    start = position + 8
    if vr not in _VRS:
        raise ValueError(f"File Meta (0002,{element:04X}) has an impossible VR")
    if vr in LONG:
        if position + 12 > len(data):
            raise _NeedMore
        (length,) = struct.unpack_from("<L", data, position + 8)
        start = position + 12
    if start + length > MAX_FILE_META:
        raise ValueError(f"File Meta (0002,{element:04X}) is too long: {length} bytes")
    if start + length > len(data):
        raise _NeedMore
    return element, data[start : start + length], start + length


def _end(values: Mapping[int, bytes]) -> int | None:
    """Return the end of the File Meta by its group length; None without a valid one."""
    stated = values.get(0x0000, b"")
    if len(stated) != 4:
        return None
    return PREFIX_LENGTH + 12 + int.from_bytes(stated, "little")


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(PADDING)


def looks_like_dicom(start: bytes, name: str) -> bool:
    """Return whether an unreadable file is still DICOM, from its first bytes."""
    return (
        start[128:PREFIX_LENGTH] == b"DICM"
        or _BARE.match(start) is not None
        or name.lower().endswith(_SUFFIXES)
    )
