"""Receiving what is sent unasked, wired: receiver, intake and sinks around one ledger."""

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
)
from pacsfw.collection.outputs import Outputs
from pacsfw.collection.pacs import ask_pacs
from pacsfw.config import Tag
from pacsfw.errors import PacsfwError, StateError
from pacsfw.ledger.instances import Instance
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.spool.records import Sealed, SpoolRecord
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.move.expected import Expectation, read_expectation
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.receive import Receiver
from pacsfw.steps.run import Run
from pacsfw.words import GOOD

UNASKED = "it was sent unasked, and nobody says how many objects it has"
HELD = "all that came of it is in quarantine"

TIDY_SECONDS = 600.0
"""A study that grows after it was delivered to a file is brought in so much later at most."""

_log = logging.getLogger("pacsfw.server")


class ServeStep:
    """Stores, judges and delivers what others send, until the run is stopped.

    A study is settled once nothing more of it has come for a while, and again whenever
    something comes later. An object is answered for once it would survive a power cut.

    Parameters
    ----------
    wanted
        What the sinks want to know of each object beside the tags.
    quiet
        Seconds without news after which a study is settled.
    receivers, workers
        Processes that receive, and that check, store and parse.
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
        self._last_news: dict[str, float] = {}
        self._pacs: PacsQuery | None = None
        self._fatal: Exception | None = None
        self._lacking = ""
        self._untidy, self._tidied_at = False, -math.inf
        self._capacity = capacity_of(run.storage, self._spool)
        layout = run.registry.describe("layout", run.storage.sort_by.name)
        self._durability = Durability(run)
        components = {"transfer": "server", "layout": layout}
        self._judge = Judge(run, self._durability, components, outputs)
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
        """Serve until stopped; finish what has arrived, and settle every study.

        Parameters
        ----------
        listening
            Told of the port once objects are received there.

        Raises
        ------
        StateError
            The port is in use, or the archive or ledger cannot be written.
        """
        self._ledger.sync_commits()
        with self._asking():
            self._intake.start()
            try:
                for study_uid in self._ledger.studies.unjudged():
                    self._heard_of(study_uid)
                with self._receiving() as receiver:
                    listening(receiver.port)
                    while not self._clock.wait(self._run.stop, min(1.0, self._quiet / 4)):
                        self._look_after()
            finally:
                self._intake.close()
            self._settle(0)
        if self._fatal is not None:
            raise self._fatal

    def on_the_way(self, records: Sequence[SpoolRecord]) -> None:
        """Nothing waits for objects that nobody requested."""

    def arrived(self, instances: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        """Note which studies have grown."""
        of_study: dict[str, bool] = {}
        for _, instance, news in instances:
            of_study[instance.study_uid] = news or of_study.get(instance.study_uid, False)
        for uid, news in of_study.items():
            study = self._ledger.studies.get(uid)
            if study is not None and (news or study.verdict is None):
                self._heard_of(uid)

    def stop_because(self, err: Exception) -> None:
        """End the run: the ledger or the dataset folder cannot be written."""
        self._fatal = self._fatal or as_state_error(err)
        self._run.stop.set()

    def _look_after(self) -> None:
        try:
            self._settle(self._quiet)
            self._tidy_up()
            self._look_at_the_disk()
        except OSError as err:
            raise StateError(f"the archive cannot be used: {err.strerror}") from err

    @contextmanager
    def _receiving(self) -> Iterator[Receiver]:
        receiver = Receiver(
            self._run.config.need_listener(),
            self._spool,
            self._receivers,
            self._intake,
            durable=True,
            digest=True,
        )
        receiver.start()
        try:
            yield receiver
        finally:
            receiver.stop(self._run.timing.grace)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Have a PACS to ask what a study should have, if one is configured."""
        net = self._run.config.net
        if net is None or (net.called is None and net.dicomweb is None):
            yield
            return
        with ask_pacs(self._run, None) as self._pacs:
            yield

    def _heard_of(self, study_uid: str) -> None:
        with self._lock:
            self._last_news[study_uid] = self._clock.monotonic()

    def _settle(self, quiet: float) -> None:
        """Settle every study of which nothing has come for so many seconds."""
        now = self._clock.monotonic()
        with self._lock:
            due = [uid for uid, last in self._last_news.items() if now - last >= quiet]
            for uid in due:
                del self._last_news[uid]
        for uid in due:
            self._ledger.studies.include(uid)
            self._conclude(uid)
            self._untidy = True

    def _conclude(self, study_uid: str) -> None:
        expectation = self._expectation(study_uid)
        if expectation.uids or expectation.count:
            self._judge.conclude(study_uid, expectation, None)
            return
        self._durability.make_durable(study_uid)
        stored = len(self._ledger.instances.stored_uids(study_uid))
        study = self._ledger.studies.get(study_uid)
        before = study.verdict if study else None
        if before is not None and before.state in GOOD:  # judged on evidence that still holds
            verdict = replace(before, stored=stored)
        elif stored:
            verdict = Verdict(state="unverifiable", reason=UNASKED, stored=stored)
        else:
            verdict = Verdict(state="failed", reason=HELD)
        self._judge.settle(study_uid, verdict)

    def _expectation(self, study_uid: str) -> Expectation:
        """Return what the PACS lists of a study; nothing where it is not asked or silent."""
        if self._pacs is None:
            return Expectation()
        try:
            found = read_expectation(self._pacs, study_uid)
            self._pacs.release()
        except PacsfwError as err:
            _log.warning("what a study should have could not be asked: %s", err)
            return Expectation()
        return found

    def _tidy_up(self) -> None:
        """Bring in what has changed of studies that files have already, now and then.

        For that a file is written anew, and as a whole.
        """
        now = self._clock.monotonic()
        if self._untidy and now - self._tidied_at >= min(TIDY_SECONDS, 10 * self._quiet):
            self._untidy, self._tidied_at = False, now
            for outbox in self._outputs.outboxes:
                outbox.rewrite_now()

    def _look_at_the_disk(self) -> None:
        lacking = self._capacity.lacking()
        if lacking and not self._lacking:
            _log.warning("%s; senders are refused once it is full", lacking)
        self._lacking = lacking
