"""Read a file in a worker process: return a row, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from pydicom.dataset import Dataset

from pacsfw.api import Row, Stored
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader, irregular
from pacsfw.dicom.part10 import PREFIX_LENGTH, looks_like_dicom
from pacsfw.dicom.wanted import SOP_CLASS, SOP_INSTANCE
from pacsfw.parse.tree.archives import DEEPEST, EMPTY, Archives, start_within
from pacsfw.parse.tree.dicomdir import is_directory, named_files, references
from pacsfw.parse.tree.formats import (
    START,
    Format,
    disc_image,
    format_of,
    is_tar,
    without_suffix,
)
from pacsfw.parse.tree.tars import LINK
from pacsfw.parse.tree.unpacking import Unpackable
from pacsfw.parse.tree.walk import SPECIAL, Item

IDENTITY = {SOP_CLASS: "SOPClassUID", SOP_INSTANCE: "SOPInstanceUID"}
"""The UIDs that make a data set an instance; the header must include them."""

NOT_DICOM = "not DICOM"
DIRECTORY = "DICOMDIR"
COPY = "an earlier row has its SOP Instance UID"
HARMLESS = frozenset({NOT_DICOM, DIRECTORY, SPECIAL, EMPTY, LINK, COPY})
"""Expected kinds of files without a row."""

DAMAGED = "damaged"
UNREADABLE = "unreadable"
PACKED = "archive that is not read"
REFUSED_COPY = "duplicate"
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
    sop_uid: bytes = b""
    """The SOP Instance UID as it is encoded, without padding."""


class Unparsed(NamedTuple):
    """A file without a row, or a folder that was not read."""

    kind: str
    reason: str


class Container(NamedTuple):
    """An archive: its members are read instead of it."""


class Listing(NamedTuple):
    """A job: list the files that a DICOMDIR names."""

    path: str


ReadRow = Callable[[FileHeader, Path | None], Parsed]


class FileReader:
    """Reads one file after the other; never raises, whatever their content.

    Parameters
    ----------
    folder
        Folder for unpacked members of archives, one at a time.
    """

    def __init__(
        self,
        headers: HeaderReader,
        read_row: ReadRow,
        folder: Path,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._close = close
        self._headers, self._read_row = headers, read_row
        self._archives = Archives(folder)

    def __call__(self, item: Item | Listing) -> Outcome | list[Item] | None:
        """Do one job: read a file or member, or list the files of a DICOMDIR (None: it is none)."""
        return self._list(item.path) if isinstance(item, Listing) else self.read(item)

    def read(self, item: Item) -> Outcome:
        """Read one file or member."""
        if item.lost in HARMLESS:
            return Unparsed(item.lost, item.lost)
        if item.lost:
            return Unparsed(UNREADABLE if item.is_file else NOT_READ, item.lost)
        try:
            if not item.numbers:
                return self._row_of(Path(item.path), item)
            with self._archives.file(item) as path:
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
        """Close the open archives, and what reads the rows."""
        self._archives.close()
        self._close()

    def _list(self, path: str) -> list[Item] | None:
        try:
            header = self._headers.read(Path(path))
            if not is_directory(header):
                return None
            named = references(header)
        except (UnreadableObject, OSError):
            return None  # it is read as any other file, which reports the error
        return named_files(path, named)

    def _row_of(self, path: Path, item: Item) -> Outcome:
        try:
            header = self._headers.read(path)
            if is_directory(header):
                return _directory(header, item)
            parsed = self._read_row(header, path)
            errors = [*parsed.errors, *_unidentified(header), *irregular(header)]
            odd = tuple(sorted(header.odd))
            return parsed._replace(errors=errors, fault=header.fault, odd=odd)
        except UnreadableObject as err:
            return self._without_header(path, item, err.fault)

    def _without_header(self, path: Path, item: Item, fault: str) -> Outcome:
        """Return the outcome of a file that is not DICOM, or is damaged."""
        name = item.member or item.path
        with path.open("rb") as file:
            start = file.read(START)
        if not _has_prefix(start) and (found := format_of(start, name)) is not None:
            return self._packed(found, path, item)
        if looks_like_dicom(start, name):
            return Unparsed(DAMAGED, fault)
        image = disc_image(path)
        if image is not None:
            return self._packed(image, path, item)
        return Unparsed(NOT_DICOM, "not DICOM")

    def _packed(self, found: Format, path: Path, item: Item) -> Outcome:
        """Return the outcome of an archive or compressed file."""
        if found.kind == "none":
            return Unparsed(DAMAGED, found.words)
        if found.kind == "other":
            return Unparsed(PACKED, f"{found.words}: not read, unpack it")
        start = start_within(path) if found.kind == "compressed" else b""
        if found.kind == "compressed" and not is_tar(start):
            return self._compressed(start, path, item)
        if len(item.numbers) >= DEEPEST:
            return Unparsed(PACKED, f"in {DEEPEST} archives one within another: unpack them")
        return Container()

    def _compressed(self, start: bytes, path: Path, item: Item) -> Outcome:
        """Read the only file within a compressed one, whose first bytes are ``start``."""
        name = without_suffix(item.member or item.path)
        inner = None if _has_prefix(start) else format_of(start, name)
        if inner is not None:
            return Unparsed(PACKED, f"{inner.words} in a compressed file: not read, unpack it")
        if not looks_like_dicom(start, name):
            return Unparsed(NOT_DICOM, "not DICOM")
        with self._archives.decompressed(path) as content:
            return self._row_of(content, item)


Outcome: TypeAlias = Parsed | Unparsed | Container
"""What `FileReader.read` returns."""


def _has_prefix(start: bytes) -> bool:
    return start[128:PREFIX_LENGTH] == b"DICM"


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
