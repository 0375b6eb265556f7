"""The driver's side of ingest: from what receivers report to what the ledger knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pacsfw.api import Clock, Event, InstanceIngested
from pacsfw.dicom.adoption import adopt
from pacsfw.dicom.spool import Begun, Discarded, Sealed, SpoolRecord
from pacsfw.errors import StateError
from pacsfw.ingest.ingest import VERSIONS, Unwritable, Vanished, as_version, keep, quarantine
from pacsfw.ingest.room import Room
from pacsfw.ledger import Ledger
from pacsfw.ledger.instances import Instance
from pacsfw.workers import Crashed, WorkerPool


class Intake:
    """Hands sealed objects to the workers and records what came of them.

    Parameters
    ----------
    pool_of
        Makes the worker pool, given what is to be called with each outcome.
    room
        Counts what waits to be stored.
    on_the_way
        Told of each spool record before anything is done with it.
    arrived
        Told of each object once the ledger has it: the spool record it came from, what is
        kept, and whether that is news.
    fatal
        Told of what makes going on pointless: the ledger or the archive cannot be written.
    """

    def __init__(
        self,
        ledger: Ledger,
        spool: Path,
        archive: Path,
        state: Path,
        clock: Clock,
        pool_of: Callable[[Callable[[Any, Any], None]], WorkerPool],
        room: Room,
        *,
        on_the_way: Callable[[SpoolRecord], None],
        arrived: Callable[[Sealed, Instance, bool], None],
        notify: Callable[[Event], None],
        fatal: Callable[[Exception], None],
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self._spool, self._archive, self._state = spool, archive, state
        self._on_the_way, self._arrived, self._notify = on_the_way, arrived, notify
        self._fatal, self._room = fatal, room
        self._pool = pool_of(self._guarded_done)

    def start(self) -> None:
        """Start the workers and take over what an earlier run left in the spool."""
        self._pool.start()
        for sealed in adopt(self._spool):
            self.take(sealed)

    def take(self, record: SpoolRecord) -> None:
        """Take a report of a receiver or of a pulling transfer; blocks under back-pressure."""
        self._on_the_way(record)
        if isinstance(record, Sealed):
            self._room.enter(record.size)
            self._pool.submit(record)
        else:
            assert isinstance(record, Begun | Discarded)  # noqa: S101 - the other two kinds

    def wait(self) -> None:
        """Wait until every queued job is done."""
        self._pool.wait()

    def close(self) -> None:
        """Finish what is queued and end the workers."""
        self._pool.close()

    def _guarded_done(self, job: Sealed, outcome: Any) -> None:
        try:
            self._done(job, outcome)
        except Exception as err:  # noqa: BLE001 - a thread of the pool: the run must hear of it
            self._fatal(err)
        finally:
            if isinstance(job, Sealed):
                self._room.leave(job.size)

    def _done(self, job: Sealed, outcome: Instance | Unwritable | Vanished | Crashed) -> None:
        if isinstance(outcome, Unwritable):
            raise StateError(f"the archive cannot be written: {outcome.reason}")
        if isinstance(outcome, Vanished) or not (
            isinstance(outcome, Instance) or job.path.exists()
        ):
            # If it is in the archive the ledger lacks it: it is asked for again, and found.
            self._on_the_way(Discarded(job.file, job.sop_uid, "its spool file is gone"))
            return
        if isinstance(outcome, Crashed):
            outcome = quarantine(job, self._state, f"ingest: {outcome.reason}")
        if outcome.state == "stored" and self._is_version(outcome):
            outcome = self._set_aside(outcome)
        with self._ledger.together():
            if outcome.study_uid:
                self._ledger.studies.add(outcome.study_uid, {}, "unsolicited")
            news = self._ledger.instances.record(outcome, self._clock.now())
        job.path.unlink(missing_ok=True)  # where it is kept until the ledger knows the object
        for study_uid, sop_uid in outcome.rejects:
            self._ledger.evidence.flag(study_uid, [sop_uid], "rejected", self._clock.now())
        self._arrived(job, outcome, news)
        self._notify(
            InstanceIngested(
                at=self._clock.now(),
                study_uid=outcome.study_uid,
                stored=outcome.state != "quarantined",
                size=outcome.size,
            )
        )

    def _is_version(self, instance: Instance) -> bool:
        """Tell whether other content of this object is stored, where the layout put that."""
        twins = self._ledger.instances.twins(instance)
        return any((self._archive / twin.path).is_file() for twin in twins)

    def _set_aside(self, instance: Instance) -> Instance:
        """Take it out of the archive: what came first is what the table tells of."""
        path, folder = self._archive / instance.path, self._state / VERSIONS
        kept = folder / f"{instance.digest}.dcm"
        if path.exists() or not kept.exists():
            kept = keep(path, folder, instance.digest)
        return as_version(instance, kept.relative_to(self._state))
