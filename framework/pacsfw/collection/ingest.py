"""What the workers of a collection need, and what they build from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacsfw.api import HEADER, Layout
from pacsfw.config import Storage, Tag, Use
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader, HeaderReader
from pacsfw.errors import StateError
from pacsfw.ledger.cells import to_json
from pacsfw.ledger.instances import CellError
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.ingest import Ingest
from pacsfw.steps.run import Run
from pacsfw.steps.tags.callbacks import limited_callbacks
from pacsfw.steps.tags.cell_errors import TagError
from pacsfw.steps.tags.row_reader import RowReader
from pacsfw.steps.tags.whole import whole_header
from pacsfw.workers.limits import limited


@dataclass(frozen=True, slots=True)
class IngestSpec:
    """What a worker process needs to build its `Ingest`; picklable."""

    plugins: PluginPlan
    sort_by: Use
    tags: tuple[Tag, ...]
    wanted: tuple[Tag, ...]
    """What sinks want beside the tags; its cells follow those of the tags."""
    archive: Path
    state: Path
    call_seconds: float = 30.0
    """How long a layout or a callback may take over one object."""
    known: frozenset[str] | None = None
    """The studies whose objects are stored; None: of all."""
    charset: str = ""
    """The character set of text that is not ASCII in objects that declare none."""
    durable: bool = False
    """At no moment may a power cut take an object: nobody else has it any more."""


def ingest_spec(
    run: Run, wanted: tuple[Tag, ...], known: frozenset[str] | None = None
) -> IngestSpec:
    """Return what the workers of a collection need."""
    config, storage = run.config, run.storage
    return IngestSpec(
        plugins=config.plugins,
        sort_by=storage.sort_by,
        tags=config.tags,
        wanted=wanted,
        archive=storage.directory,
        state=storage.state,
        call_seconds=run.timing.call,
        known=known,
        charset=config.undeclared_charset,
    )


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


def build_ingest(spec: IngestSpec) -> Ingest:
    """Rebuild the registry in a worker process, and from it the ingest function."""
    os.umask(0o077)  # every folder on the way to a file, not only the last
    registry = discover(spec.plugins)
    layout: Layout = limited(
        registry.build("layout", spec.sort_by.name, spec.sort_by.options), spec.call_seconds
    )
    uses = {use.name: use for tag in spec.tags for use in tag.callbacks}
    owners = {name: registry.describe("callback", use.name) for name, use in uses.items()}
    build = limited_callbacks(registry, spec.call_seconds)
    reader = RowReader(spec.tags, [[build(use) for use in tag.callbacks] for tag in spec.tags])
    attributes = [tag for tag in spec.wanted if tag.names != (HEADER,)]
    more = RowReader(attributes, [[] for _ in attributes])
    whole = len(attributes) < len(spec.wanted)

    def read_row(header: FileHeader) -> tuple[Sequence[Any], Sequence[CellError]]:
        values, errors = reader.read(header)
        others, other_errors = more.read(header)
        cells = [to_json(value) for value in (*values, *others)]
        found = [_cell_error(error, owners) for error in (*errors, *other_errors)]
        if whole:  # the order of `wanted`: HEADER sorts before every keyword
            cells.insert(len(values), _whole(header, found))
        return cells, found

    owner = registry.describe("layout", spec.sort_by.name)
    headers = HeaderReader(reader.paths | more.paths, spec.charset)
    return Ingest(
        spec.archive, spec.state, layout, owner, read_row, headers, spec.known, durable=spec.durable
    )


def _whole(header: FileHeader, errors: list[CellError]) -> Any:
    try:
        return whole_header(header)
    except UnreadableObject as err:
        errors.append(
            CellError(column="*header", tag="", stage="decode", component="", reason=err.fault)
        )
        return None


def _cell_error(error: TagError, owners: Mapping[str, str]) -> CellError:
    return CellError(
        column=error.column,
        tag=error.tag,
        stage=error.stage,
        component=owners.get(error.component, ""),
        reason=error.reason,
    )
