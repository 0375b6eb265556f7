"""Recognize archives and compressed files by their first bytes, or by their names."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

START = tarfile.BLOCKSIZE
"""Number of first bytes that identify a format."""

Kind: TypeAlias = Literal["zip", "tar", "compressed", "other", "none"]


class Format(NamedTuple):
    """A format of archives; kind ``other`` is not read, ``none`` is a file with a wrong name."""

    kind: Kind
    words: str


_ZIP = Format("zip", "a zip archive")
_TAR = Format("tar", "a tar archive")
_MAGIC: dict[bytes, Format] = {
    b"PK\x03\x04": _ZIP,
    b"PK\x05\x06": _ZIP,
    b"PK\x07\x08": _ZIP,
    b"\x1f\x8b\x08": Format("compressed", "a gzip file"),
    b"BZh": Format("compressed", "a bzip2 file"),
    b"\xfd7zXZ\0": Format("compressed", "an xz file"),
    b"7z\xbc\xaf\x27\x1c": Format("other", "a 7z archive"),
    b"Rar!\x1a\x07": Format("other", "a RAR archive"),
    b"\x28\xb5\x2f\xfd": Format("other", "a zstd file"),
    b"\x04\x22\x4d\x18": Format("other", "an lz4 file"),
    b"\x1f\x9d": Format("other", "a compress (.Z) file"),
    b"LZIP\x01": Format("other", "an lzip file"),
    b"MSCF\0\0\0\0": Format("other", "a cabinet archive"),
}
_BZIP2_BLOCK = (b"1AY&SY", b"\x17rE8P\x90")
"""Begins behind the four bytes of its magic; the second one is that of an empty file."""

_MISNAMED = Format("none", "named like an archive, but is none, or is damaged")
_SUFFIXES: dict[str, Format] = {
    ".zip": _ZIP,  # other data may precede a zip archive
    **dict.fromkeys((".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst"), _MISNAMED),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar", ".iso"), _MISNAMED),
}
_ISO_AT, _ISO_MARK = 32769, b"CD001"
_ISO = Format("other", "a disc image (ISO 9660)")


def format_of(start: bytes, name: str) -> Format | None:
    """Return the format of a file that is not DICOM; None if it is not an archive.

    Parameters
    ----------
    start
        Its first `START` bytes.
    name
        Its name, which counts only if the bytes are of no known format.
    """
    for magic, found in _MAGIC.items():
        if start.startswith(magic) and (magic != b"BZh" or start[4:10] in _BZIP2_BLOCK):
            return found
    return _TAR if is_tar(start) else _SUFFIXES.get(suffix_of(name))


def is_tar(start: bytes) -> bool:
    """Return whether the bytes begin with the header of a tar archive, by its checksum."""
    try:
        tarfile.TarInfo.frombuf(start[:START], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def disc_image(path: Path) -> Format | None:
    """Return the format of a disc image, whose mark is further behind; None if it is not one."""
    with path.open("rb") as file:
        file.seek(_ISO_AT)
        return _ISO if file.read(len(_ISO_MARK)) == _ISO_MARK else None


def suffix_of(name: str) -> str:
    """Return the last suffix of a name in lower case, with its dot; empty if there is none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def without_suffix(name: str) -> str:
    """Return the name of the file within a compressed file."""
    return name.rpartition(".")[0] if suffix_of(name) in _SUFFIXES else name
