"""The driver's side of ingest: from the records of receivers to the ledger."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pacsfw.api import InstanceIngested
from pacsfw.errors import StateError
from pacsfw.ledger.instances import Instance
from pacsfw.spool.adoption import adopt
from pacsfw.spool.records import Begun, Discarded, Sealed, SpoolRecord
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.ingest import (
    HELD,
    QUARANTINE,
    UNSOLICITED,
    VERSIONS,
    Unwritable,
    Vanished,
    as_version,
    keep,
    quarantine,
)
from pacsfw.steps.ingest.senders import Sender, Senders
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
    senders
        Instances of others are held until their senders are known. None: nothing is held.
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
        senders: Senders | None = None,
    ) -> None:
        self._run, self._ledger = run, run.ledger
        self._archive, self._state = run.storage.directory, run.storage.state
        self._spool, self._capacity = spool, capacity
        self._arriving, self._supervisor = arriving, supervisor
        self._pool = WorkerPool(workers, spec, self._guarded_done, ahead=AHEAD, blame=run.blame)
        self._senders = senders
        self._held: set[tuple[str, str]] = set()
        """SOP Instance UID and digest of the held instances."""
        self._again: queue.SimpleQueue[Sender | Sealed | None] = queue.SimpleQueue()
        """Senders that became known, and instances to be taken once more."""
        self._releaser = threading.Thread(target=self._take_again, daemon=True)

    def start(self) -> None:
        """Start the workers; take over the spool files of an earlier run, and what was held.

        Returns once the held instances of senders that are known now are stored.
        """
        self._pool.start()
        held = self._ledger.instances.held()
        self._held = {(each.sop_uid, each.digest) for each in held}
        self.take(adopt(self._spool))
        if self._senders is None:
            return
        released = [each for each in held if self._senders.knows(_sender(each))]
        if released:
            self._release(released)
            self.wait()
        self._releaser.start()

    def take(self, records: Sequence[SpoolRecord]) -> None:
        """Take reports of a receiver or of a pulling transfer; blocks under back-pressure."""
        self._arriving.on_the_way(records)
        for record in records:
            if isinstance(record, Sealed):
                self._capacity.enter(record.size)
                self._pool.submit(self._prepared(record))
            else:
                assert isinstance(record, Begun | Discarded)  # noqa: S101 - the other two kinds

    def wait(self) -> None:
        """Wait until every queued job is done."""
        self._pool.wait()

    def close(self) -> None:
        """Finish what is queued and end the workers."""
        if self._releaser.is_alive():
            self._pool.wait()  # what is queued may have to be taken again
            self._again.put(None)
            self._releaser.join()
        self._pool.close()

    def _prepared(self, record: Sealed) -> Sealed:
        """Add what the worker cannot know: the studies that list it, and whether to hold it."""
        listed, hold = self._arriving.listed(record.sop_uid), False
        if self._senders is not None and record.address:
            sender = (record.calling_ae, record.address)
            if not self._senders.knows(sender):
                hold = not self._senders.learns(record)
                if not hold:
                    self._again.put(sender)
        return record._replace(listed=listed, hold=hold) if listed or hold else record

    def _take_again(self) -> None:
        """Take instances once more; the body of a thread.

        The threads of the pool must not wait for the queue that they empty.
        """
        while (what := self._again.get()) is not None:
            if isinstance(what, Sealed):
                self.take([what])
            else:
                held = self._ledger.instances.held()
                self._release(each for each in held if _sender(each) == what)

    def _release(self, held: Iterable[Instance]) -> None:
        """Take held instances as if they had just arrived."""
        for each in held:
            path = self._state / each.path
            if path.exists():
                self.take([_as_sealed(each, path)])
            else:
                self._ledger.instances.forget(each)

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
                    self._note_held(instance)
        for job, instance, _ in objects:
            job.path.unlink(missing_ok=True)  # kept until the ledger knows the instance
            if instance.state == "left-out":  # a fixed layout may leave out what failed before
                (self._state / QUARANTINE / f"{instance.digest}.dcm").unlink(missing_ok=True)
        if objects:
            self._arriving.arrived(objects)
        for _, instance, _ in objects:
            self._run.notify(
                InstanceIngested(
                    at=now,
                    study_uid=instance.study_uid,
                    stored=instance.state in ("stored", "version"),
                    size=instance.size,
                    left_out=instance.state == "left-out",
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
            outcome = quarantine(job, self._state, f"ingest: {outcome}")
        if self._is_recognised(job, outcome):
            self._again.put(_as_sealed(outcome, self._state / outcome.path))
            why = "it is taken again under the UID of its data set"
            self._arriving.on_the_way([Discarded(job.file, job.sop_uid, why)])
            return None
        if outcome.state not in ("stored", "version") and self._ledger.instances.has_stored(
            outcome.sop_uid, outcome.digest
        ):
            # The same bytes are stored: this copy came late, or from somebody else.
            copy = self._state / outcome.path if outcome.path else job.path
            copy.unlink(missing_ok=True)
            self._arriving.on_the_way([Discarded(job.file, job.sop_uid, "it is stored already")])
            return None
        if outcome.state == "stored" and self._is_version(outcome):
            outcome = self._set_aside(outcome)
        return outcome

    def _is_recognised(self, job: Sealed, outcome: Instance) -> bool:
        """Return whether a study lists an instance that its C-STORE request named otherwise."""
        return (
            outcome.reason == UNSOLICITED
            and outcome.sop_uid != job.sop_uid
            and self._releaser.is_alive()
            and bool(self._arriving.listed(outcome.sop_uid))
        )

    def _note_held(self, instance: Instance) -> None:
        """Remember an instance that is held, or remove the held copy of one that is not."""
        key = (instance.sop_uid, instance.digest)
        if instance.state == "held":
            self._held.add(key)
            if self._senders is not None:
                self._senders.report(_sender(instance))
                if self._senders.knows(_sender(instance)):  # learnt in the meantime
                    self._again.put(_sender(instance))
        elif key in self._held:
            self._held.discard(key)
            (self._state / HELD / f"{instance.digest}.dcm").unlink(missing_ok=True)

    def _record(self, instance: Instance, now: datetime) -> bool:
        if instance.study_uid:
            self._ledger.studies.add(instance.study_uid, {}, "unsolicited")
        for study_uid, sop_uid in instance.rejects:
            if study_uid == instance.named_study:
                study_uid = instance.study_uid
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


def _sender(instance: Instance) -> Sender:
    return instance.calling_ae, instance.address


def _as_sealed(held: Instance, path: Path) -> Sealed:
    return Sealed(
        str(path),
        held.sop_class,
        held.sop_uid,
        held.syntax,
        held.calling_ae,
        "",
        None,
        held.size,
        held.digest,
        held.address,
    )
