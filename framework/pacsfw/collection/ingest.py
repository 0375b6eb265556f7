"""What the workers of a collection need, and what they build from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Layout
from pacsfw.config import Storage, Tag, Use
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.header import FileHeader
from pacsfw.errors import StateError
from pacsfw.ledger.cells import encode
from pacsfw.plugins import discover
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.ingest import Ingest
from pacsfw.steps.run import Run
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

    def build(self) -> Ingest:
        """Rebuild the registry in a worker process, and from it the ingest function."""
        os.umask(0o077)  # every folder on the way to a file, not only the last
        registry = discover(self.reading.plugins)
        layout: Layout = limited(
            registry.build("layout", self.sort_by.name, self.sort_by.options),
            self.reading.call_seconds,
        )
        reader = CellReader(self.reading, registry)

        def read_row(header: FileHeader) -> tuple[str, Sequence[CellError]]:
            row, wanted, errors = reader.read(header)
            return encode((*row, *wanted)), errors

        return Ingest(
            self.archive,
            self.state,
            layout,
            registry.describe("layout", self.sort_by.name),
            read_row,
            reader.headers(),
            self.known,
            durable=self.durable,
        )


def ingest_spec(
    run: Run, wanted: tuple[Tag, ...], known: frozenset[str] | None = None
) -> IngestSpec:
    """Return what the workers of a collection need."""
    storage = run.storage
    reading = ReadingSpec(
        plugins=run.config.plugins,
        tags=run.config.tags,
        wanted=wanted,
        charset=run.config.undeclared_charset,
        call_seconds=run.timing.call,
    )
    return IngestSpec(reading, storage.sort_by, storage.directory, storage.state, known)


def make_spool(storage: Storage) -> Path:
    """Return the folder for what arrives."""
    spool = storage.state / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    return spool


def capacity_of(storage: Storage, spool: Path) -> Capacity:
    """Return what watches the disks and what waits to be stored."""
    return Capacity((spool, storage.directory), storage.reserve, storage.backlog)


def as_state_error(err: Exception) -> StateError:
    """Return what ends a run because the ledger or the dataset folder cannot be written."""
    if isinstance(err, StateError):
        return err
    return StateError(f"ledger: {type(err).__name__}: {err}")
