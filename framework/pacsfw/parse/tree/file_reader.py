"""Read a file in a worker process: return a row, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset

from pacsfw.api import Row, Stored
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.dicom.part10 import PREFIX_LENGTH, looks_like_dicom
from pacsfw.dicom.wanted import SOP_CLASS, SOP_INSTANCE
from pacsfw.parse.tree.dicomdir import MEDIA_STORAGE_DIRECTORY, named_files, references
from pacsfw.parse.tree.walk import Item
from pacsfw.parse.tree.zips import Unpackable, Unpacker

CLASS_IN_META = "MediaStorageSOPClassUID"
"""The element of the File Meta that identifies a DICOMDIR; the header must include it."""

IDENTITY = {SOP_CLASS: "SOPClassUID", SOP_INSTANCE: "SOPInstanceUID"}
"""The UIDs that make a data set an instance; the header must include them."""

NOT_DICOM = "not DICOM"
DIRECTORY = "DICOMDIR"
HARMLESS = frozenset({NOT_DICOM, DIRECTORY})
"""Expected kinds of files without a row."""

DAMAGED = "damaged"
UNREADABLE = "unreadable"
INCOMPLETE = "DICOMDIR that names missing files"
NOT_READ = "folder not read"
CRASHED = "ended or stopped its worker"


class About(NamedTuple):
    """Describes an instance, for sinks that keep more than rows."""

    stored: Stored
    """Its path may be temporary: that of an unpacked member."""
    attributes: Mapping[str, Any]


class Parsed(NamedTuple):
    """A file that has a row."""

    row: Row
    errors: Sequence[CellError]
    about: About | None = None
    fault: str = ""
    """Why its header could not be read to its end."""
    odd: Sequence[str] = ()
    """The kinds of its irregularities."""


class Unparsed(NamedTuple):
    """A file without a row, or a folder that was not read."""

    kind: str
    reason: str


class Listing(NamedTuple):
    """A job: list the files that a DICOMDIR names."""

    path: str


ReadRow = Callable[[FileHeader, Path | None], Parsed]


class FileReader:
    """Reads one file after the other; never raises, whatever their content.

    Parameters
    ----------
    folder
        Folder for unpacked members of zip archives, one at a time.
    """

    def __init__(self, headers: HeaderReader, read_row: ReadRow, folder: Path) -> None:
        self._headers, self._read_row = headers, read_row
        self._unpacker = Unpacker(folder)

    def __call__(self, item: Item | Listing) -> Parsed | Unparsed | list[Item] | None:
        """Do one job: read a file or member, or list the files of a DICOMDIR (None: it is none)."""
        return self._list(item.path) if isinstance(item, Listing) else self.read(item)

    def read(self, item: Item) -> Parsed | Unparsed:
        """Read one file or member."""
        if item.lost:
            return Unparsed(UNREADABLE if item.is_file else NOT_READ, item.lost)
        try:
            if not item.member:
                return self._row_of(Path(item.path), item)
            with self._unpacker.unpacked(item.path, item.number) as path:
                return self._row_of(path, item)
        except Unpackable as err:
            return Unparsed(DAMAGED, str(err))
        except OSError as err:
            return Unparsed(UNREADABLE, f"cannot be read: {err.strerror or type(err).__name__}")

    def of(self, dataset: Dataset) -> Parsed | Unparsed:
        """Read a pydicom data set."""
        try:
            return self._read_row(self._headers.of(dataset), None)
        except UnreadableObject as err:
            return Unparsed(DAMAGED, err.fault)

    def close(self) -> None:
        """Close the open zip archive."""
        self._unpacker.close()

    def _list(self, path: str) -> list[Item] | None:
        try:
            header = self._headers.read(Path(path))
            if not _is_directory(header):
                return None
            named = references(header)
        except (UnreadableObject, OSError):
            return None  # it is read as any other file, which reports the error
        return named_files(path, named)

    def _row_of(self, path: Path, item: Item) -> Parsed | Unparsed:
        try:
            header = self._headers.read(path)
            if _is_directory(header):
                return _directory(header, item)
            parsed = self._read_row(header, path)
            errors = [*parsed.errors, *_unidentified(header)]
            odd = tuple(sorted(header.warnings))
            return parsed._replace(errors=errors, fault=header.fault, odd=odd)
        except UnreadableObject as err:
            if looks_like_dicom(_start(path), item.member or item.path):
                return Unparsed(DAMAGED, err.fault)
            return Unparsed(NOT_DICOM, "not DICOM")


def _is_directory(header: FileHeader) -> bool:
    return bool(header.get(CLASS_IN_META) == MEDIA_STORAGE_DIRECTORY)


def _unidentified(header: FileHeader) -> list[CellError]:
    """Return an error for each UID without which nothing is an instance."""
    return [
        CellError("", keyword, "required", "the instance has no value for it", "")
        for tag, keyword in IDENTITY.items()
        if not header.found.get(tag, ("", b""))[1]
    ]


def _directory(header: FileHeader, item: Item) -> Unparsed:
    """Return the outcome of a DICOMDIR: it has no row, but it may name missing files."""
    if item.member:
        return Unparsed(DIRECTORY, "a DICOMDIR")
    named = references(header)
    missing = sum(bool(each.lost) for each in named_files(item.path, named))
    if missing:
        why = f"a DICOMDIR: {missing} of the {len(named)} files that it names are missing"
        return Unparsed(INCOMPLETE, why)
    return Unparsed(DIRECTORY, f"a DICOMDIR: the {len(named)} files that it names exist")


def _start(path: Path) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(PREFIX_LENGTH)
    return b""
