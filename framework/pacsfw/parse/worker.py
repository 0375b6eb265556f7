"""Building what reads files in worker processes, for `pacsfw parse` and the Python functions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacsfw.api import HEADER, TagCallback
from pacsfw.config import Tag
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.dicom.tagpath import parse
from pacsfw.parse.tree.file_reader import CLASS_IN_META, About, CellFault, FileReader, Parsed
from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.registry import Registry
from pacsfw.steps.tags.callbacks import limited_callbacks
from pacsfw.steps.tags.row_reader import RowReader
from pacsfw.steps.tags.whole import whole_header

CALL_SECONDS = 30.0
"""How long a callback may take over one object."""

_IDENTITY = (
    "SOPInstanceUID",
    "SOPClassUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "TransferSyntaxUID",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSpec:
    """What a worker process needs to build its `FileReader`; picklable.

    Attributes
    ----------
    plugins, tags
        As the configuration has them.
    workdir
        Where members of archives are unpacked to.
    describes
        Whether the outcomes say what the objects are, for sinks that keep more than rows.
    wanted
        Attributes that sinks want beside the tags.
    charset
        The character set of text that is not ASCII in objects that declare none.
    functions
        Callbacks that no plugin offers, by the name that the tags have for them.
    """

    plugins: PluginPlan
    tags: tuple[Tag, ...]
    workdir: Path
    describes: bool = False
    wanted: tuple[Tag, ...] = ()
    functions: Mapping[str, TagCallback] = field(default_factory=dict)
    call_seconds: float = CALL_SECONDS
    charset: str = ""


def build_file_reader(spec: ReadSpec) -> FileReader:
    """Rebuild the registry in a worker process, and from it what reads its files."""
    os.umask(0o077)
    return file_reader(spec, discover(spec.plugins))


def file_reader(spec: ReadSpec, registry: Registry) -> FileReader:
    """Return what reads files with these tags."""
    rows = row_reader(spec, registry)
    named = [use for tag in spec.tags for use in tag.callbacks if use.name not in spec.functions]
    owners = {use.name: registry.describe("callback", use.name) for use in named}
    describer = _Describer(spec.wanted) if spec.describes else None
    more = describer.paths if describer else ()
    headers = HeaderReader({*rows.paths, *more, parse(CLASS_IN_META)}, spec.charset)

    def read_row(header: FileHeader, path: Path | None) -> Parsed:
        values, errors = rows.read(header)
        faults = [
            CellFault(
                column=error.column,
                tag=error.tag,
                stage=error.stage,
                reason=error.reason,
                plugin=owners.get(error.component, error.component),
            )
            for error in errors
        ]
        return Parsed(values, faults, describer.of(header, path) if describer and path else None)

    return FileReader(headers, read_row, spec.workdir)


def row_reader(spec: ReadSpec, registry: Registry) -> RowReader:
    """Return what makes the rows, with the callbacks of plugins and those of ``functions``."""
    limited = limited_callbacks(registry, spec.call_seconds, spec.functions)
    return RowReader(spec.tags, [[limited(use) for use in tag.callbacks] for tag in spec.tags])


class _Describer:
    """Says what an object is; what cannot be decoded of it is left out."""

    def __init__(self, wanted: Sequence[Tag]) -> None:
        identity = [_plain(keyword) for keyword in _IDENTITY]
        self._attributes = [tag for tag in wanted if tag.names != (HEADER,)]
        self._whole = len(self._attributes) < len(wanted)
        tags = [*identity, *self._attributes]
        self._reader = RowReader(tags, [[] for _ in tags])
        self.paths = self._reader.paths

    def of(self, header: FileHeader, path: Path) -> About:
        """Return what the object with this header is."""
        cells, _ = self._reader.read(header)
        uids, others = cells[: len(_IDENTITY)], cells[len(_IDENTITY) :]
        found: dict[str, Any] = {
            tag.names[0]: cell
            for tag, cell in zip(self._attributes, others, strict=True)
            if cell is not None
        }
        if self._whole:
            with suppress(UnreadableObject):
                found[HEADER] = whole_header(header)
        sop, sop_class, study, series, syntax = (uid or "" for uid in uids)
        return About(sop, sop_class, study, series, syntax, path.stat().st_size, found)


def _plain(keyword: str) -> Tag:
    return Tag(
        names=(keyword,), alias=keyword, default=None, callbacks=(), type="text", where=keyword
    )
