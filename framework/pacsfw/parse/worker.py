"""Build the file readers of `pacsfw parse` and of the Python functions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pacsfw.api import Row, Stored
from pacsfw.config import Tag
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.tagpath import parse
from pacsfw.dicom.wanted import SOP_INSTANCE
from pacsfw.parse.tree.dicomdir import CLASS
from pacsfw.parse.tree.file_reader import IDENTITY, About, FileReader, Parsed
from pacsfw.plugins import discover
from pacsfw.steps.deliver.targets import wanted_tag
from pacsfw.steps.tags.reading import CellReader, ReadingSpec

_OF_FILES = (CLASS, *IDENTITY.values())
"""What the reader of files must know of each, whatever the columns."""
_IDENTITY = {
    "sop_uid": "SOPInstanceUID",
    "sop_class": "SOPClassUID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "syntax": "TransferSyntaxUID",
}
"""Attribute of `Stored` -> keyword."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSpec:
    """The picklable data from which a worker process builds its `FileReader`.

    Attributes
    ----------
    workdir
        Folder for unpacked members of archives.
    describes
        Whether outcomes describe the instances, for sinks that keep more than rows.
    """

    reading: ReadingSpec
    workdir: Path
    describes: bool = False

    def build(self) -> FileReader:
        """Load the plugins in the worker process, and build the file reader."""
        os.umask(0o077)
        describer = _Describer(self.reading.wanted) if self.describes else None
        reading = replace(self.reading, wanted=describer.wanted if describer else ())
        cells = CellReader(reading, discover(reading.plugins))
        return file_reader(cells, self.workdir, describer, close=cells.close)


def file_reader(
    cells: CellReader,
    workdir: Path,
    describer: _Describer | None = None,
    *,
    close: Callable[[], None] = lambda: None,
) -> FileReader:
    """Return a reader of files that returns rows of these cells; it calls ``close`` at its end."""

    def read_row(header: FileHeader, path: Path | None) -> Parsed:
        row, wanted, errors = cells.read(header)
        about = describer.of(wanted, path) if describer and path else None
        return Parsed(row, errors, about, sop_uid=_uid_of(header))

    headers = cells.headers(map(parse, _OF_FILES))
    return FileReader(headers, read_row, workdir, close)


def _uid_of(header: FileHeader) -> bytes:
    _, value = header.found.get(SOP_INSTANCE, ("", b""))  # quicker than its methods
    return value.strip(b"\0 ") if isinstance(value, bytes) else b""


class _Describer:
    """Describes an instance: its UIDs, and the attributes that sinks ask for.

    Attributes
    ----------
    wanted
        The tags that must be read for it.
    """

    def __init__(self, asked: Sequence[Tag]) -> None:
        self._asked = [tag.names[0] for tag in asked]
        identity = (keyword for keyword in _IDENTITY.values() if keyword not in self._asked)
        self.wanted = (*map(wanted_tag, identity), *asked)
        self._names = [tag.names[0] for tag in self.wanted]

    def of(self, cells: Row, path: Path) -> About:
        """Return the description of the instance with these wanted cells."""
        found = dict(zip(self._names, cells, strict=True))
        uids = {name: found[keyword] or "" for name, keyword in _IDENTITY.items()}
        stored = Stored(path=path, size=path.stat().st_size, digest="", **uids)
        attributes = {name: found[name] for name in self._asked if found[name] is not None}
        return About(stored, attributes)
