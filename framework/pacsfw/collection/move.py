"""Connect the parts of a move: receiver, intake, transfer threads and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pacsfw.api import Node
from pacsfw.collection.ingest import (
    as_state_error,
    capacity_of,
    ingest_spec,
    make_spool,
    receiving,
)
from pacsfw.collection.outputs import Outputs
from pacsfw.collection.pacs import ask_pacs, build_transfer, settings_of, sizes_of
from pacsfw.config import Move, Tag
from pacsfw.spool.writer import Spool
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.ingest.senders import Senders
from pacsfw.steps.move.arrivals import Arrivals, Inboxes
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.move.mover import Mover, NothingArrives
from pacsfw.steps.move.requests import Levels
from pacsfw.steps.move.study import StudyMover
from pacsfw.steps.receive import Receiver
from pacsfw.steps.run import Run

WORKED_FACT = "settings_that_worked"
"""In the ledger: the settings with which instances arrived."""
_SETTINGS_FACT = "settings"


def has_new_settings(run: Run) -> bool:
    """Return whether ``net`` has changed since the last move, and remember it."""
    now, before = settings_of(run.config.net), run.ledger.get_value(_SETTINGS_FACT)
    run.ledger.set_value(_SETTINGS_FACT, now)
    return before not in (None, "", now)


class MoveStep:
    """Moves the studies of a study list.

    Parameters
    ----------
    wanted
        Further tags that the sinks ask for.
    levels
        The levels at which the PACS is asked.
    """

    def __init__(
        self,
        run: Run,
        outputs: Outputs,
        wanted: tuple[Tag, ...],
        settings: Move,
        levels: Levels,
    ) -> None:
        self._run, self._outputs, self._settings = run, outputs, settings
        self._receiver: Receiver | None = None
        self._levels, self._sizes = levels, sizes_of(run)
        self._spool = make_spool(run.storage)
        self._capacity = capacity_of(run.storage, self._spool)
        self._fatal: Exception | None = None
        self._mover: Mover | None = None
        arrivals = Arrivals(run.clock, self, self._patient_of)
        self._intake = Intake(
            run,
            self._spool,
            self._capacity,
            arrivals,
            self,
            workers=settings.workers,
            spec=replace(
                ingest_spec(run, wanted),
                known=run.ledger.studies.known(),
                unsolicited=self._keeps_unsolicited(),
            ),
            senders=Senders(run, arrivals.is_running),
        )
        pulled = Spool(self._spool, lambda record: self._intake.take([record]), digest=True)
        net = run.config.net
        self._inboxes = Inboxes(
            arrivals,
            pulled,
            aetitle=net.dest.aetitle if net is not None and net.dest is not None else "",
            source=self._called.aetitle,
        )

    def run(self, uids: Sequence[str], total: int, *, ignore_window: bool) -> None:
        """Ingest the files left in the spool, and move ``uids``.

        Parameters
        ----------
        uids
            The studies that are not complete. If there are none and the spool is empty, no
            process is started and the PACS is not contacted.
        total
            Number of studies on the study list.

        Raises
        ------
        RemoteError
            The PACS could not be reached.
        StateError
            The port is in use, or the dataset folder or ledger cannot be written.
        """
        if not uids and not any(self._spool.iterdir()):
            return
        for uid, missing in self._run.ledger.studies.lacking():
            self._inboxes.arrivals.lacks(uid, missing)
        self._intake.start()
        try:
            if uids and not self._run.stop.is_set():
                self._move(uids, total, ignore_window=ignore_window)
        finally:
            self._intake.close()
        if self._fatal is not None:
            raise self._fatal
        if self._mover is not None:
            self._mover.judge_late()

    @property
    def refusals(self) -> Sequence[str]:
        """What our receiver refused."""
        return self._inboxes.arrivals.refusals()

    def cancel(self) -> None:
        """Cancel the running requests; called when the run is interrupted."""
        if self._mover is not None:
            self._mover.cancel()

    def stop_because(self, err: Exception) -> None:
        """End the run: the ledger or the dataset folder cannot be written."""
        self._fatal = self._fatal or as_state_error(err)
        self._run.stop.set()
        self.cancel()

    def expect(self, expected: bool) -> None:
        """Inform the receiver, if there is one, whether a study is being requested."""
        if self._receiver is not None:
            self._receiver.expect(expected)

    def make_study_mover(self) -> StudyMover:
        """Build the mover of one transfer thread."""
        run, registry = self._run, self._run.registry
        transfer = build_transfer(self._settings.use, registry)
        pacs = ask_pacs(run, transfer)
        transfer.open(run.context)
        component = registry.describe("transfer", self._settings.use.name)
        components = {
            "query": pacs.component,
            "transfer": component,
        }
        judge = Judge(run, Durability(run), components, self._outputs)
        return StudyMover(run, transfer, pacs, self._inboxes, judge, self._levels, self._sizes)

    def _move(self, uids: Sequence[str], total: int, *, ignore_window: bool) -> None:
        settings = settings_of(self._run.config.net)
        with self._listening():
            self._mover = Mover(
                self._run,
                self,
                self._inboxes.arrivals,
                self._capacity,
                window=None if ignore_window else self._settings.window,
                threads=self._called.max_associations,
                attempts=self._settings.attempts,
                worked=self._run.ledger.get_value(WORKED_FACT) == settings,
                advice=self._advice(),
            )
            try:
                self._mover.move(uids, total)
            except NothingArrives:
                self._run.ledger.evidence.uncharge(self._run.context.run_id)
                raise
            finally:
                if self._mover.worked:
                    self._run.ledger.set_value(WORKED_FACT, settings)

    def _advice(self) -> str:
        """Return what to check if nothing arrives."""
        net = self._run.config.net
        if not self._needs_receiver or net is None or net.dest is None:
            return "check the log of the PACS"
        return (
            f"check at the PACS that it knows our AE title {net.dest.aetitle} with the address of "
            f"this machine and port {net.dest.port}, and that no firewall is in between"
        )

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Run a receiver, if the transfer needs one."""
        if not self._needs_receiver:
            yield
            return
        with receiving(
            self._run,
            self._spool,
            self._settings.receivers,
            self._intake,
            refused=self._inboxes.arrivals.refused,
        ) as receiver:
            receiver.expect(False, linger=0)
            self._receiver = receiver
            yield

    @property
    def _needs_receiver(self) -> bool:
        name = self._settings.use.name
        return self._run.registry.select("transfer", name).component.needs_receiver

    @property
    def _called(self) -> Node:
        """The PACS; without an AE title if there is only DICOMweb, or only a folder."""
        net = self._run.config.net
        return net.called if net is not None and net.called is not None else Node(aetitle="")

    def _keeps_unsolicited(self) -> bool:
        """Return whether instances of studies that nobody asked for are stored, too."""
        net = self._run.config.net
        return net is None or net.dest is None or net.dest.accept.unsolicited == "accept"

    def _patient_of(self, study_uid: str) -> str:
        study = self._run.ledger.studies.get(study_uid)
        return study.patient_id if study is not None else ""
