"""What a worker process makes of a file: a row, or the reason why there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pacsfw.api import Row
from pacsfw.dicom.faults import UnreadableObject
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.part10 import PREFIX_LENGTH, looks_like_dicom
from pacsfw.tree.archives import Unpackable, Unpacker
from pacsfw.tree.dicomdir import MEDIA_STORAGE_DIRECTORY, references, resolve
from pacsfw.tree.walk import Item

NOT_DICOM = "not DICOM"
DIRECTORY = "DICOMDIR"
HARMLESS = frozenset({NOT_DICOM, DIRECTORY})
"""Kinds of files without a row that are as they should be."""

DAMAGED = "damaged"
UNREADABLE = "unreadable"
INCOMPLETE = "DICOMDIR that names missing files"
NOT_LOOKED_INTO = "folder not looked into"
CRASHED = "ended or stopped its worker"


class Parsed(NamedTuple):
    """A file that has a row."""

    row: Row
    errors: Sequence[Any]
    about: Mapping[str, Any]


class Unparsed(NamedTuple):
    """A file that has none, or a folder that was not looked into."""

    kind: str
    reason: str


ReadRow = Callable[[FileHeader], Parsed]


class FileReader:
    """Reads one file after the other; never raises, whatever is in them.

    Parameters
    ----------
    read_header
        Reads the header of a file.
    read_row
        Makes the row.
    folder
        Where members of archives are unpacked to, one at a time.
    """

    def __init__(
        self, read_header: Callable[[Path], FileHeader], read_row: ReadRow, folder: Path
    ) -> None:
        self._read_header, self._read_row = read_header, read_row
        self._unpacker = Unpacker(folder)

    def __call__(self, item: Item) -> Parsed | Unparsed:
        """Read one file or member."""
        if item.lost:
            return Unparsed(UNREADABLE if item.is_file else NOT_LOOKED_INTO, item.lost)
        try:
            if not item.member:
                return self._read(Path(item.path), item)
            with self._unpacker.unpacked(item.path, item.number) as path:
                return self._read(path, item)
        except Unpackable as err:
            return Unparsed(DAMAGED, str(err))
        except OSError as err:
            return Unparsed(UNREADABLE, f"cannot be read: {err.strerror or type(err).__name__}")

    def close(self) -> None:
        """Close the archive that is open."""
        self._unpacker.close()

    def _read(self, path: Path, item: Item) -> Parsed | Unparsed:
        try:
            header = self._read_header(path)
            if header.get("MediaStorageSOPClassUID") == MEDIA_STORAGE_DIRECTORY:
                return _directory(header, item)
            return self._read_row(header)
        except UnreadableObject as err:
            if looks_like_dicom(_start(path), item.member or item.path):
                return Unparsed(DAMAGED, err.fault)
            return Unparsed(NOT_DICOM, "not DICOM")


def _directory(header: FileHeader, item: Item) -> Unparsed:
    """Say what a DICOMDIR is: no object; that of a folder may name files that are not there."""
    if item.member:
        return Unparsed(DIRECTORY, "a DICOMDIR")
    named = references(header)
    missing = sum(not path for _, path in resolve(os.path.dirname(item.path), named))  # noqa: PTH120
    if missing:
        why = f"a DICOMDIR: of {len(named)} files that it names, {missing} are not there"
        return Unparsed(INCOMPLETE, why)
    return Unparsed(DIRECTORY, f"a DICOMDIR: the {len(named)} files that it names are there")


def _start(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(PREFIX_LENGTH)
    return b""
