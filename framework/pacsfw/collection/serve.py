"""Receiving what is sent unasked, wired: receiver, intake and sinks around one ledger."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pacsfw.api import QueryProvider, Verdict
from pacsfw.collection.ingest import IngestSpec, build_ingest, ingest_spec
from pacsfw.collection.pacs import ask_all, open_provider, pacs_query
from pacsfw.collection.run_resources import RunResources, as_state_error
from pacsfw.dicom.spool import Sealed
from pacsfw.errors import PacsfwError, StateError
from pacsfw.ledger.instances import Instance
from pacsfw.ledger.studies import GOOD
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.move.expected import Expectation, read_expectation
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.receive import Receiver

UNASKED = "it was sent unasked, and nobody says how many objects it has"
HELD = "all that came of it is in quarantine"

TIDY_SECONDS = 600.0
"""A study that grows after it was delivered to a file is brought in so much later at most."""

_log = logging.getLogger("pacsfw.server")


class Serving:
    """Stores, judges and delivers what others send, until ``around.stop`` is set.

    A study is settled once nothing more of it has come for a while, and again whenever
    something comes later. An object is answered for once it would survive a power cut.

    Parameters
    ----------
    quiet
        Seconds without news after which a study is settled.
    receivers, workers
        Processes that receive, and that check, store and parse.
    """

    def __init__(self, around: RunResources, quiet: float, receivers: int, workers: int) -> None:
        self._around, self._quiet = around, quiet
        self._receivers = receivers
        self._spool = around.make_spool()
        self._lock = threading.Lock()
        self._last_news: dict[str, float] = {}
        self._provider: QueryProvider | None = None
        self._fatal: Exception | None = None
        self._lacking = ""
        self._untidy, self._tidied_at = False, -math.inf
        self._room = around.room(self._spool)
        self._judge = Judge(
            run=around.context.run_id,
            ledger=around.ledger,
            archive=around.storage.directory,
            clock=around.clock,
            components={
                "transfer": "server",
                "layout": around.registry.describe("layout", around.storage.sort_by.name),
            },
            settled=around.outgoing.settled,
            notify=around.notify,
        )
        self._intake = Intake(
            around.ledger,
            self._spool,
            around.storage.directory,
            around.storage.state,
            around.clock,
            self._room,
            workers=workers,
            build=build_ingest,
            spec=self._ingest_spec(),
            on_the_way=lambda _: None,
            arrived=self._arrived,
            notify=around.notify,
            fatal=self._stop_because,
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
        around = self._around
        around.ledger.sync_commits()
        with self._asking():
            self._intake.start()
            try:
                for study_uid in around.ledger.studies.unjudged():
                    self._heard_of(study_uid)
                with self._receiving() as receiver:
                    listening(receiver.port)
                    while not around.clock.wait(around.stop, min(1.0, self._quiet / 4)):
                        self._look_after()
            finally:
                self._intake.close()
            self._settle(0)
        if self._fatal is not None:
            raise self._fatal

    def _look_after(self) -> None:
        try:
            self._settle(self._quiet)
            self._tidy_up()
            self._look_at_the_disk()
        except OSError as err:
            raise StateError(f"the archive cannot be used: {err.strerror}") from err

    @contextmanager
    def _receiving(self) -> Iterator[Receiver]:
        net = self._around.config.net
        assert net is not None and net.dest is not None  # noqa: S101, PT018 - required before
        receiver = Receiver(
            net.dest, self._spool, self._receivers, self._intake.take, durable=True, digest=True
        )
        receiver.start()
        try:
            yield receiver
        finally:
            receiver.stop(self._around.timing.grace)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Have a PACS to ask what a study should have, if one is configured."""
        around = self._around
        net = around.config.net
        if net is None or (net.called is None and net.dicomweb is None):
            yield
            return
        use = pacs_query(around.config, None, around.registry)
        self._provider = open_provider(use, around.registry, around.context)
        try:
            yield
        finally:
            self._provider.close()

    def _arrived(self, objects: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        of_study: dict[str, bool] = {}
        for _, instance, news in objects:
            of_study[instance.study_uid] = news or of_study.get(instance.study_uid, False)
        for uid, news in of_study.items():
            study = self._around.ledger.studies.get(uid)
            if study is not None and (news or study.verdict is None):
                self._heard_of(uid)

    def _heard_of(self, study_uid: str) -> None:
        with self._lock:
            self._last_news[study_uid] = self._around.clock.monotonic()

    def _settle(self, quiet: float) -> None:
        """Settle every study of which nothing has come for so many seconds."""
        now = self._around.clock.monotonic()
        with self._lock:
            due = [uid for uid, last in self._last_news.items() if now - last >= quiet]
            for uid in due:
                del self._last_news[uid]
        for uid in due:
            self._around.ledger.studies.include(uid)
            self._conclude(uid)
            self._untidy = True

    def _conclude(self, study_uid: str) -> None:
        expectation = self._expectation(study_uid)
        if expectation.uids or expectation.count:
            self._judge.conclude(study_uid, expectation, None)
            return
        self._judge.make_durable(study_uid)
        stored = len(self._around.ledger.instances.stored_uids(study_uid))
        study = self._around.ledger.studies.get(study_uid)
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
        if self._provider is None:
            return Expectation()
        try:
            found = read_expectation(ask_all(self._provider, "of the server"), study_uid)
            self._provider.release()
        except PacsfwError as err:
            _log.warning("what a study should have could not be asked: %s", err)
            return Expectation()
        return found

    def _tidy_up(self) -> None:
        """Bring in what has changed of studies that files have already, now and then.

        For that a file is written anew, and as a whole.
        """
        now = self._around.clock.monotonic()
        if self._untidy and now - self._tidied_at >= min(TIDY_SECONDS, 10 * self._quiet):
            self._untidy, self._tidied_at = False, now
            for outbox in self._around.outgoing.outboxes:
                outbox.rewrite_now()

    def _look_at_the_disk(self) -> None:
        lacking = self._room.lacking()
        if lacking and not self._lacking:
            _log.warning("%s; senders are refused once it is full", lacking)
        self._lacking = lacking

    def _ingest_spec(self) -> IngestSpec:
        around = self._around
        spec = ingest_spec(around.config, around.storage, around.wanted, around.timing.call)
        return replace(spec, durable=True)

    def _stop_because(self, err: Exception) -> None:
        self._fatal = self._fatal or as_state_error(err)
        self._around.stop.set()
