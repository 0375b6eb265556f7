"""Receiver, spool and ingest workers of a collection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Layout
from pacsfw.config import Storage, Tag, Use
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.header import FileHeader
from pacsfw.errors import StateError
from pacsfw.ledger.cells import encode
from pacsfw.plugins import discover
from pacsfw.plugins.opening import open_callable
from pacsfw.plugins.origin import Identity
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.ingest import Ingest
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.ingest.senders import configured
from pacsfw.steps.receive import Receiver
from pacsfw.steps.run import Run
from pacsfw.steps.tags.reading import CellReader, ReadingSpec
from pacsfw.workers.limits import limited


@dataclass(frozen=True, slots=True)
class IngestSpec:
    """The picklable data from which a worker process builds its `Ingest`."""

    reading: ReadingSpec
    """The cells that sinks ask for follow those of the tags."""
    sort_by: Use
    directory: Path
    state: Path
    rule: str = ""
    """The digest of the layout."""
    placed_by: int | None = None
    read_by: int | None = None
    """The numbers of the layout and of the callbacks in the ledger's `Provenance`."""
    known: frozenset[str] = frozenset()
    """The studies that the collection found or listed."""
    unsolicited: bool = True
    """Whether instances of other studies are stored, too."""
    durable: bool = False
    """A power cut must never lose an instance, because the sender may have deleted it."""

    def build(self) -> Ingest:
        """Load the plugins in the worker process, and build the ingest function."""
        os.umask(0o077)  # for all parent folders of a file, not only the last
        registry, sort_by = discover(self.reading.plugins), self.sort_by
        named = registry.describe("layout", sort_by.name)
        layout: Layout = registry.build("layout", sort_by.name, sort_by.options)
        with ExitStack() as stack:
            open_callable(stack, "layout", named, layout, self.reading.context)
            reader = CellReader(self.reading, registry)
            stack.callback(reader.close)
            opened = stack.pop_all()

        def read_row(header: FileHeader) -> tuple[str, Sequence[CellError]]:
            row, wanted, errors = reader.read(header)
            return encode((*row, *wanted)), errors

        return Ingest(
            self.directory,
            self.state,
            limited(layout, self.reading.call_seconds, f"layout {named}"),
            named,
            read_row,
            reader.headers(),
            self.known,
            rule=self.rule,
            placed_by=self.placed_by,
            read_by=self.read_by,
            unsolicited=self.unsolicited,
            durable=self.durable,
            close=opened.close,
        )


def ingest_spec(run: Run, wanted: tuple[Tag, ...]) -> IngestSpec:
    """Return the spec of the ingest workers of a collection."""
    storage = run.storage
    reading = ReadingSpec(
        plugins=run.config.plugins,
        tags=run.config.tags,
        wanted=wanted,
        charset=run.config.undeclared_charset,
        call_seconds=run.timing.call,
        context=run.context,
    )
    layout, provenance = layout_of(run), run.ledger.provenance
    callbacks = [
        run.registry.identify(kind, use.name, use.options).record
        for tag in run.config.tags
        for kind, use in tag.uses
    ]
    return IngestSpec(
        reading,
        storage.sort_by,
        storage.directory,
        storage.state,
        rule=layout.digest,
        placed_by=provenance.id_of([layout.record]),
        read_by=provenance.id_of(callbacks),
    )


def layout_of(run: Run) -> Identity:
    """Return the identity of the layout; by its digest the ledger knows what it left out."""
    use = run.storage.sort_by
    return run.registry.identify("layout", use.name, use.options)


def make_spool(storage: Storage) -> Path:
    """Create the spool folder and return it."""
    spool = storage.state / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    return spool


def capacity_of(storage: Storage, spool: Path) -> Capacity:
    """Return the monitor of free space and of the instances that wait to be stored."""
    return Capacity((spool, storage.directory), storage.reserve, storage.backlog)


@contextmanager
def receiving(
    run: Run,
    spool: Path,
    receivers: int,
    intake: Intake,
    *,
    durable: bool = False,
    refused: Callable[[str], None] = lambda _: None,
) -> Iterator[Receiver]:
    """Run a receiver that reports to ``intake``; stop it at the end.

    With ``durable``, it confirms an instance only once the instance survives a power cut.
    ``refused`` takes what senders are refused.
    """
    node = run.config.need_listener()
    receiver = Receiver(
        node,
        spool,
        receivers,
        intake,
        durable=durable,
        digest=True,
        senders=configured(run.config.net, run.ledger) if node.accept.senders == "strict" else None,
        refused=refused,
    )
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop(run.timing.grace)


def as_state_error(err: Exception) -> StateError:
    """Return the error that ends a run: the ledger or the dataset folder cannot be written."""
    if isinstance(err, StateError):
        return err
    return StateError(f"ledger: {type(err).__name__}: {err}")
