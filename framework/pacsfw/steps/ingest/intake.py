"""The driver's side of ingest: from the records of receivers to the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pacsfw.api import InstanceIngested
from pacsfw.errors import StateError
from pacsfw.ledger.instances import Instance
from pacsfw.spool.adoption import adopt
from pacsfw.spool.records import Begun, Discarded, Sealed, SpoolRecord
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.ingest import VERSIONS, Unwritable, Vanished, as_version, keep, quarantine
from pacsfw.steps.ports import Arriving, Supervisor
from pacsfw.steps.run import Run
from pacsfw.workers import Crashed, Spec, WorkerPool

AHEAD = 64
"""Maximum number of instances queued for each worker."""

_Outcome = Instance | Unwritable | Vanished | Crashed


class Intake:
    """Hands sealed instances to the workers and records the outcomes.

    Parameters
    ----------
    spool
        The folder in which the instances arrive.
    workers, spec
        The number of worker processes, and the recipe for an `Ingest` in each of them.
    """

    def __init__(
        self,
        run: Run,
        spool: Path,
        capacity: Capacity,
        arriving: Arriving,
        supervisor: Supervisor,
        *,
        workers: int,
        spec: Spec,
    ) -> None:
        self._run, self._ledger = run, run.ledger
        self._archive, self._state = run.storage.directory, run.storage.state
        self._spool, self._capacity = spool, capacity
        self._arriving, self._supervisor = arriving, supervisor
        self._pool = WorkerPool(workers, spec, self._guarded_done, ahead=AHEAD)

    def start(self) -> None:
        """Start the workers and take over the spool files of an earlier run."""
        self._pool.start()
        self.take(adopt(self._spool))

    def take(self, records: Sequence[SpoolRecord]) -> None:
        """Take reports of a receiver or of a pulling transfer; blocks under back-pressure."""
        self._arriving.on_the_way(records)
        for record in records:
            if isinstance(record, Sealed):
                self._capacity.enter(record.size)
                self._pool.submit(record)
            else:
                assert isinstance(record, Begun | Discarded)  # noqa: S101 - the other two kinds

    def wait(self) -> None:
        """Wait until every queued job is done."""
        self._pool.wait()

    def close(self) -> None:
        """Finish what is queued and end the workers."""
        self._pool.close()

    def _guarded_done(self, answers: Sequence[tuple[Sealed, Any]]) -> None:
        try:
            self._done(answers)
        except Exception as err:  # noqa: BLE001 - a thread of the pool: the run must stop
            self._supervisor.stop_because(err)
        finally:
            self._capacity.leave(sum(job.size for job, _ in answers))

    def _done(self, answers: Sequence[tuple[Sealed, _Outcome]]) -> None:
        """Record all these outcomes in one transaction."""
        now = self._run.clock.now()
        objects: list[tuple[Sealed, Instance, bool]] = []
        with self._ledger.transaction():
            for job, outcome in answers:
                instance = self._kept(job, outcome)
                if instance is not None:
                    objects.append((job, instance, self._record(instance, now)))
        for job, _, _ in objects:
            job.path.unlink(missing_ok=True)  # kept until the ledger knows the instance
        if objects:
            self._arriving.arrived(objects)
        for _, instance, _ in objects:
            self._run.notify(
                InstanceIngested(
                    at=now,
                    study_uid=instance.study_uid,
                    stored=instance.state != "quarantined",
                    size=instance.size,
                )
            )
        for _, outcome in answers:
            if isinstance(outcome, Unwritable):
                raise StateError(f"the dataset folder cannot be written: {outcome.reason}")

    def _kept(self, job: Sealed, outcome: _Outcome) -> Instance | None:
        """Return the kept instance; None if it stays in the spool, or its file is gone."""
        if isinstance(outcome, Unwritable):
            return None
        if isinstance(outcome, Vanished) or not (
            isinstance(outcome, Instance) or job.path.exists()
        ):
            # If it was stored, the ledger does not know it: it is requested again, and found.
            self._arriving.on_the_way([Discarded(job.file, job.sop_uid, "its spool file is gone")])
            return None
        if isinstance(outcome, Crashed):
            outcome = quarantine(job, self._state, f"ingest: {outcome.reason}")
        if outcome.state == "stored" and self._is_version(outcome):
            outcome = self._set_aside(outcome)
        return outcome

    def _record(self, instance: Instance, now: datetime) -> bool:
        if instance.study_uid:
            self._ledger.studies.add(instance.study_uid, {}, "unsolicited")
        for study_uid, sop_uid in instance.rejects:
            self._ledger.evidence.flag(study_uid, [sop_uid], "rejected", now)
        return self._ledger.instances.record(instance, now)

    def _is_version(self, instance: Instance) -> bool:
        """Return whether other content of this instance is stored under another path."""
        twins = self._ledger.instances.twins(instance)
        return any((self._archive / twin.path).is_file() for twin in twins)

    def _set_aside(self, instance: Instance) -> Instance:
        """Take it out of the dataset folder: the table describes the content that came first."""
        path, folder = self._archive / instance.path, self._state / VERSIONS
        kept = folder / f"{instance.digest}.dcm"
        if path.exists() or not kept.exists():
            kept = keep(path, folder, instance.digest)
        return as_version(instance, kept.relative_to(self._state))
