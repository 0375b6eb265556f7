"""What the workers of a collection need, and what they build from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Layout
from pacsfw.config import Config, Storage, Tag, Use
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.header import FileHeader
from pacsfw.ledger.cells import encode
from pacsfw.plugins import discover
from pacsfw.steps.ingest.ingest import Ingest
from pacsfw.steps.tags.reading import CellReader, ReadingSpec
from pacsfw.workers.limits import limited


@dataclass(frozen=True, slots=True)
class IngestSpec:
    """What a worker process needs to build its `Ingest`; picklable."""

    reading: ReadingSpec
    """The cells of what sinks want follow those of the tags."""
    sort_by: Use
    archive: Path
    state: Path
    known: frozenset[str] | None = None
    """The studies whose objects are stored; None: of all."""
    durable: bool = False
    """At no moment may a power cut take an object: nobody else has it any more."""


def ingest_spec(
    config: Config,
    storage: Storage,
    wanted: tuple[Tag, ...],
    call_seconds: float,
    known: frozenset[str] | None = None,
) -> IngestSpec:
    """Return what the workers of a collection need.

    Parameters
    ----------
    call_seconds
        How long the layout or a callback may take over one object.
    """
    reading = ReadingSpec(
        plugins=config.plugins,
        tags=config.tags,
        wanted=wanted,
        charset=config.undeclared_charset,
        call_seconds=call_seconds,
    )
    return IngestSpec(reading, storage.sort_by, storage.directory, storage.state, known)


def build_ingest(spec: IngestSpec) -> Ingest:
    """Rebuild the registry in a worker process, and from it the ingest function."""
    os.umask(0o077)  # every folder on the way to a file, not only the last
    registry = discover(spec.reading.plugins)
    layout: Layout = limited(
        registry.build("layout", spec.sort_by.name, spec.sort_by.options),
        spec.reading.call_seconds,
    )
    reader = CellReader(spec.reading, registry)

    def read_row(header: FileHeader) -> tuple[str, Sequence[CellError]]:
        row, wanted, errors = reader.read(header)
        return encode((*row, *wanted)), errors

    return Ingest(
        spec.archive,
        spec.state,
        layout,
        registry.describe("layout", spec.sort_by.name),
        read_row,
        reader.headers(),
        spec.known,
        durable=spec.durable,
    )
