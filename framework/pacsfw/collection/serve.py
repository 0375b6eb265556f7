"""Receive unsolicited instances: connect receiver, intake and sinks."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pacsfw.api import Verdict
from pacsfw.collection.ingest import (
    as_state_error,
    capacity_of,
    ingest_spec,
    make_spool,
    receiving,
)
from pacsfw.collection.outputs import Outputs
from pacsfw.collection.pacs import ask_pacs, sizes_of
from pacsfw.config import Tag
from pacsfw.errors import PacsfwError, StateError
from pacsfw.ledger.instances import Instance
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.spool.records import Sealed, SpoolRecord
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.move.expected import Expectation, Expecting
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.run import Run

UNSOLICITED = "it was sent unsolicited, and the number of its instances is unknown"
QUARANTINED = "all of its instances are in quarantine"

REWRITE_SECONDS = 600.0
"""Maximum delay before the later instances of a delivered study are written to a file."""

_log = logging.getLogger("pacsfw.server")


class ServeStep:
    """Stores, judges and delivers unsolicited instances, until the run is stopped.

    A study is settled once no further instance has arrived for a while, and again after later
    instances. An instance is confirmed once it would survive a power cut.

    Parameters
    ----------
    wanted
        Further tags that the sinks ask for.
    quiet
        Seconds without new instances after which a study is settled.
    receivers, workers
        Number of processes that receive, and that check, store and parse.
    """

    def __init__(
        self,
        run: Run,
        outputs: Outputs,
        wanted: tuple[Tag, ...],
        *,
        quiet: float,
        receivers: int,
        workers: int,
    ) -> None:
        self._run, self._ledger, self._clock = run, run.ledger, run.clock
        self._outputs, self._quiet, self._receivers = outputs, quiet, receivers
        self._spool = make_spool(run.storage)
        self._lock = threading.Lock()
        self._last_arrival: dict[str, float] = {}
        self._pacs: PacsQuery | None = None
        self._sizes = sizes_of(run)
        self._fatal: Exception | None = None
        self._lacking = ""
        self._rewrite_due, self._rewritten_at = False, -math.inf
        self._capacity = capacity_of(run.storage, self._spool)
        self._durability = Durability(run)
        self._judge = Judge(run, self._durability, {"transfer": "server"}, outputs)
        self._intake = Intake(
            run,
            self._spool,
            self._capacity,
            self,
            self,
            workers=workers,
            spec=replace(ingest_spec(run, wanted), durable=True),
        )

    def run(self, listening: Callable[[int], None]) -> None:
        """Serve until stopped; finish the instances that have arrived, and settle every study.

        Parameters
        ----------
        listening
            Called with the port once it accepts instances.

        Raises
        ------
        StateError
            The port is in use, or the dataset folder or ledger cannot be written.
        """
        self._ledger.sync_commits()
        with self._open_pacs():
            self._intake.start()
            try:
                for study_uid in self._ledger.studies.unjudged():
                    self._note_arrival(study_uid)
                with receiving(
                    self._run, self._spool, self._receivers, self._intake, durable=True
                ) as receiver:
                    listening(receiver.port)
                    while not self._clock.wait(self._run.stop, min(1.0, self._quiet / 4)):
                        self._check_all()
            finally:
                self._intake.close()
            self._settle(0)
        if self._fatal is not None:
            raise self._fatal

    def on_the_way(self, records: Sequence[SpoolRecord]) -> None:
        """Do nothing: no request waits for unsolicited instances."""

    def listed(self, sop_uid: str) -> tuple[tuple[str, str], ...]:
        """Return nothing: no study is waited for."""
        return ()

    def is_running(self, message_id: int) -> bool:
        """Return False: nothing is requested."""
        return False

    def arrived(self, instances: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        """Note the studies that have new instances."""
        of_study: dict[str, bool] = {}
        for _, instance, news in instances:
            of_study[instance.study_uid] = news or of_study.get(instance.study_uid, False)
        for uid, news in of_study.items():
            study = self._ledger.studies.get(uid)
            if study is not None and (news or study.verdict is None):
                self._note_arrival(uid)

    def stop_because(self, err: Exception) -> None:
        """End the run: the ledger or the dataset folder cannot be written."""
        self._fatal = self._fatal or as_state_error(err)
        self._run.stop.set()

    def _check_all(self) -> None:
        try:
            self._settle(self._quiet)
            self._rewrite_tables()
            self._check_free_space()
        except OSError as err:
            raise StateError(f"the dataset folder cannot be used: {err.strerror}") from err

    @contextmanager
    def _open_pacs(self) -> Iterator[None]:
        """Open a query provider for the expected instances, if a PACS is configured."""
        net = self._run.config.net
        if net is None or (net.called is None and net.dicomweb is None):
            yield
            return
        with ask_pacs(self._run, None) as self._pacs:
            yield

    def _note_arrival(self, study_uid: str) -> None:
        with self._lock:
            self._last_arrival[study_uid] = self._clock.monotonic()

    def _settle(self, quiet: float) -> None:
        """Settle every study without a new instance for ``quiet`` seconds."""
        now = self._clock.monotonic()
        with self._lock:
            due = [uid for uid, last in self._last_arrival.items() if now - last >= quiet]
            for uid in due:
                del self._last_arrival[uid]
        for uid in due:
            self._ledger.studies.include(uid)
            self._conclude(uid)
            self._rewrite_due = True

    def _conclude(self, study_uid: str) -> None:
        expectation = self._expectation(study_uid)
        if expectation.owed:
            self._judge.conclude(study_uid, expectation, None)
            return
        self._durability.make_durable(study_uid)
        stored = len(self._ledger.instances.stored_uids(study_uid))
        left_out = len(self._ledger.left_out.of_study(study_uid))
        study = self._ledger.studies.get(study_uid)
        before = study.verdict if study else None
        if before is not None and before.is_complete:  # the evidence is still valid
            verdict = replace(before, stored=stored)
        elif stored or left_out:
            verdict = Verdict(
                state="unverifiable", reason=UNSOLICITED, stored=stored, left_out=left_out
            )
        else:
            verdict = Verdict(state="failed", reason=QUARANTINED)
        self._judge.settle(study_uid, verdict)

    def _expectation(self, study_uid: str) -> Expectation:
        """Return the instances that the PACS lists; none if it is not configured or fails."""
        if self._pacs is None:
            return Expectation()
        try:
            study = self._ledger.studies.get(study_uid)
            patient_id = study.patient_id if study else ""
            found = Expecting(self._pacs, self._sizes).read(study_uid, patient_id)
            self._pacs.release()
        except PacsfwError as err:
            _log.warning("the expected instances of a study could not be queried: %s", err)
            return Expectation()
        return found

    def _rewrite_tables(self) -> None:
        """Rewrite table files with changed studies, but not too often.

        Each rewrite writes the complete file.
        """
        now = self._clock.monotonic()
        if self._rewrite_due and now - self._rewritten_at >= min(REWRITE_SECONDS, 10 * self._quiet):
            self._rewrite_due, self._rewritten_at = False, now
            for outbox in self._outputs.outboxes:
                outbox.rewrite_now()

    def _check_free_space(self) -> None:
        lacking = self._capacity.lacking()
        if lacking and not self._lacking:
            _log.warning("%s; senders are refused once it is full", lacking)
        self._lacking = lacking
