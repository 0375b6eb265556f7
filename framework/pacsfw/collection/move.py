"""One move, wired: receiver, intake, transfer threads and sinks around one ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pacsfw.api import Node, SpoolFile
from pacsfw.collection.components import callbacks_of
from pacsfw.collection.ingest import IngestSpec, build_ingest, ingest_spec
from pacsfw.collection.pacs import ask_all, build_transfer, open_provider, pacs_query
from pacsfw.collection.run_resources import RunResources, as_state_error
from pacsfw.config import Move
from pacsfw.dicom.spool import Spool
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.move.arrivals import Arrivals, RequestInbox
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.move.mover import Mover
from pacsfw.steps.move.requests import Levels
from pacsfw.steps.move.study import StudyMover
from pacsfw.steps.receive import Receiver


class Moving:
    """Moves the studies of a study list, as ``settings`` say."""

    def __init__(self, around: RunResources, settings: Move) -> None:
        self._around, self._settings = around, settings
        self._arrivals = Arrivals(around.clock, self._expect)
        self._receiver: Receiver | None = None
        self._levels = Levels()
        self._spool = around.make_spool()
        self._room = around.room(self._spool)
        self._fatal: Exception | None = None
        self._mover: Mover | None = None
        self._intake = Intake(
            around.ledger,
            self._spool,
            around.storage.directory,
            around.storage.state,
            around.clock,
            self._room,
            workers=settings.workers,
            build=build_ingest,
            spec=self._ingest_spec(),
            on_the_way=self._arrivals.on_the_way,
            arrived=self._arrivals.arrived,
            notify=around.notify,
            fatal=self._stop_because,
        )
        self._pulled = Spool(self._spool, lambda record: self._intake.take([record]), digest=True)

    def run(self, uids: Sequence[str], total: int, *, ignore_window: bool) -> None:
        """Take over the spool, and move ``uids``.

        Parameters
        ----------
        uids
            The studies that are not complete; with none and nothing else to do no process
            is started and the PACS is not asked.
        total
            Number of studies on the study list.

        Raises
        ------
        RemoteError
            The PACS could not be reached.
        StateError
            The port is in use, or the archive or ledger cannot be written.
        """
        if not uids and not any(self._spool.iterdir()):
            return
        self._intake.start()
        try:
            if uids and not self._around.stop.is_set():
                self._move(uids, total, ignore_window=ignore_window)
        finally:
            self._intake.close()
        if self._fatal is not None:
            raise self._fatal
        if self._mover is not None:
            self._mover.judge_late()

    def cancel(self) -> None:
        """End the running requests; called when the run is interrupted."""
        if self._mover is not None:
            self._mover.cancel()

    def _move(self, uids: Sequence[str], total: int, *, ignore_window: bool) -> None:
        around = self._around
        with self._listening():
            self._mover = Mover(
                window=None if ignore_window else self._settings.window,
                workers=self._study_mover,
                threads=self._called.max_associations,
                attempts=self._settings.attempts,
                pause=around.timing.pause,
                arrivals=self._arrivals,
                clock=around.clock,
                stop=around.stop,
                notify=around.notify,
                lacking=self._room.lacking,
            )
            self._mover.move(uids, total)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Receive meanwhile, if the transfer lets the PACS send to us."""
        around = self._around
        record = around.registry.select("transfer", self._settings.use.name).component
        if not record.needs_receiver:
            yield
            return
        net = around.config.net
        assert net is not None and net.dest is not None  # noqa: S101, PT018
        receiver = Receiver(
            net.dest, self._spool, self._settings.receivers, self._intake.take, digest=True
        )
        receiver.start()
        receiver.expect(False, linger=0)
        self._receiver = receiver
        try:
            yield
        finally:
            receiver.stop(around.timing.grace)

    def _expect(self, expected: bool) -> None:
        if self._receiver is not None:
            self._receiver.expect(expected)

    @property
    def _called(self) -> Node:
        """The PACS; one without a name where there is only DICOMweb, or only a folder."""
        net = self._around.config.net
        return net.called if net is not None and net.called is not None else Node(aetitle="")

    def _study_mover(self) -> tuple[StudyMover, Callable[[], None]]:
        around = self._around
        config, registry = around.config, around.registry
        transfer = build_transfer(self._settings.use, registry)
        use = pacs_query(config, transfer, registry)
        query = registry.describe("query", use.name)
        provider = open_provider(use, registry, around.context)
        transfer.open(around.context)
        owner = registry.describe("transfer", self._settings.use.name)
        judge = Judge(
            run=around.context.run_id,
            ledger=around.ledger,
            archive=around.storage.directory,
            clock=around.clock,
            components={
                "query": query,
                "transfer": owner,
                "layout": registry.describe("layout", around.storage.sort_by.name),
                **callbacks_of(config.tags, registry),
            },
            settled=self._settled,
            notify=around.notify,
        )
        mover = StudyMover(
            transfer=transfer,
            ask=ask_all(provider, query),
            release=provider.release,
            inbox=self._inbox,
            arrivals=self._arrivals,
            ledger=around.ledger,
            judge=judge,
            clock=around.clock,
            stop=around.stop,
            quiet_seconds=around.timing.quiet,
            owner=owner,
            levels=self._levels,
            notify=around.notify,
        )

        def close() -> None:
            transfer.close()
            provider.close()

        return mover, close

    def _settled(self, study_uid: str) -> None:
        self._around.outgoing.settled(study_uid)

    def _inbox(self, study_uid: str) -> RequestInbox:
        net = self._around.config.net
        source = self._called.aetitle
        aetitle = net.dest.aetitle if net is not None and net.dest is not None else ""

        def create(sop_class: str, uid: str, syntax: str) -> SpoolFile:
            writer = self._pulled.begin(sop_class, uid, syntax, source)
            writer.announce()
            return writer

        return RequestInbox(study_uid, aetitle, self._arrivals, create)

    def _ingest_spec(self) -> IngestSpec:
        around = self._around
        return ingest_spec(
            around.config,
            around.storage,
            around.wanted,
            around.timing.call,
            self._known_studies(),
        )

    def _known_studies(self) -> frozenset[str] | None:
        """Return the studies whose objects are stored; None where unsolicited ones are too."""
        net = self._around.config.net
        if net is None or net.dest is None or net.dest.accept.unsolicited == "accept":
            return None
        return self._around.ledger.studies.known()

    def _stop_because(self, err: Exception) -> None:
        self._fatal = self._fatal or as_state_error(err)
        self._around.stop.set()
        self.cancel()
