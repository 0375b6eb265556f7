"""Building what reads files in worker processes, for `pacsfw parse` and the Python functions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pacsfw.api import Row
from pacsfw.config import Tag
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.tagpath import parse
from pacsfw.parse.tree.file_reader import CLASS_IN_META, About, FileReader, Parsed
from pacsfw.plugins import discover
from pacsfw.steps.deliver.targets import wanted_tag
from pacsfw.steps.tags.reading import CellReader, ReadingSpec

_IDENTITY = (
    "SOPInstanceUID",
    "SOPClassUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "TransferSyntaxUID",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSpec:
    """What a worker process needs to build its `FileReader`; picklable.

    Attributes
    ----------
    workdir
        Where members of archives are unpacked to.
    describes
        Whether the outcomes say what the objects are, for sinks that keep more than rows.
    """

    reading: ReadingSpec
    workdir: Path
    describes: bool = False

    def build(self) -> FileReader:
        """Rebuild the registry in a worker process, and from it what reads its files."""
        os.umask(0o077)
        describer = _Describer(self.reading.wanted) if self.describes else None
        reading = replace(self.reading, wanted=describer.wanted if describer else ())
        return file_reader(CellReader(reading, discover(reading.plugins)), self.workdir, describer)


def file_reader(
    cells: CellReader, workdir: Path, describer: _Describer | None = None
) -> FileReader:
    """Return what reads files into rows of these cells."""

    def read_row(header: FileHeader, path: Path | None) -> Parsed:
        row, wanted, errors = cells.read(header)
        return Parsed(row, errors, describer.of(wanted, path) if describer and path else None)

    return FileReader(cells.headers([parse(CLASS_IN_META)]), read_row, workdir)


class _Describer:
    """Says what an object is: its identity, and what sinks want to know of it.

    Attributes
    ----------
    wanted
        What has to be read for it.
    """

    def __init__(self, asked: Sequence[Tag]) -> None:
        self._asked = [tag.names[0] for tag in asked]
        identity = (keyword for keyword in _IDENTITY if keyword not in self._asked)
        self.wanted = (*map(wanted_tag, identity), *asked)
        self._names = [tag.names[0] for tag in self.wanted]

    def of(self, cells: Row, path: Path) -> About:
        """Return what the object is of which these are the wanted cells."""
        found = dict(zip(self._names, cells, strict=True))
        sop, sop_class, study, series, syntax = (found[uid] or "" for uid in _IDENTITY)
        attributes = {name: found[name] for name in self._asked if found[name] is not None}
        return About(sop, sop_class, study, series, syntax, path.stat().st_size, attributes)
