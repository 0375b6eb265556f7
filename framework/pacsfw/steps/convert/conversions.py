"""The driver's side of the convert step: submit due items, record the results."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Converted
from pacsfw.config import Convert
from pacsfw.errors import PacsfwError
from pacsfw.ledger import Ledger
from pacsfw.ledger.conversions import Conversion, State
from pacsfw.ledger.instances import Instance
from pacsfw.steps.convert.placing import place
from pacsfw.steps.convert.worker import ConversionRefused, Job, Made
from pacsfw.steps.run import Run
from pacsfw.workers import Crashed, Done, WorkerPool

STAGING = "convert"
"""Folder in the state folder for files that are being written."""

DATA_FACT = "data of converter {}"
"""Ledger fact, by the id of a converter: its `pacsfw.api.Closing.fingerprint` in the last run."""

_log = logging.getLogger("pacsfw.convert")


@dataclass(slots=True)
class _Study:
    """A study with items that are being converted."""

    version: int
    left: int
    failed: bool = False
    changed: bool = False
    """It changed meanwhile: check it again after these items."""


class Conversions:
    """Converts the due items of one configured converter, in its own processes.

    Instances are converted as soon as their study has a verdict; series and studies only if no
    instance of the study is known to be missing. The ledger says which items are due, so none
    is lost. The next run retries failed items.

    ``made_by`` is the number of the converter in the ledger's `Provenance`.
    """

    def __init__(
        self,
        run: Run,
        convert: Convert,
        pool_of: Callable[[Done], WorkerPool],
        made_by: int | None = None,
    ) -> None:
        self._made_by = made_by
        self._run, self._ledger, self._stop = run, run.ledger, run.stop
        self._storage = storage = run.storage
        self.convert, self._pool_of = convert, pool_of
        self.problem = ""
        self._root = convert.directory or storage.directory
        self._staging = _staging(storage.state, self._root) / convert.id
        self._fingerprint = fingerprint(self._ledger, convert)
        self._pool: WorkerPool | None = None
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._work, name=f"convert {convert.id}", daemon=True
        )
        self._studies: dict[str, _Study] = {}
        self._lock = threading.RLock()
        """Guards ``_studies``."""

    def open(self) -> None:
        """Queue the studies with due items, including items whose files were removed."""
        shutil.rmtree(self._staging, ignore_errors=True)
        known = self._ledger.conversions.outputs(self.convert.id)
        for item in {item for item, path in known if not os.path.lexists(path)}:
            self._ledger.conversions.forget(self.convert.id, item)
        self.refresh()
        self._thread.start()

    def refresh(self) -> None:
        """Queue every study that is due."""
        for uid in due(self._ledger, self.convert):
            self._queue.put(uid)

    def settled(self, study_uid: str) -> None:
        """Queue this study."""
        self._queue.put(study_uid)

    def close(self) -> None:
        """Convert the queued studies, unless the run is stopped, and end the processes."""
        self._queue.put(None)
        self._thread.join()
        if self._pool is not None:
            self._pool.wait()
            while not self._queue.empty():  # studies that changed during conversion
                self._queue.put(None)
                self._work()
                self._pool.wait()
            self._pool.close()
        with suppress(OSError):
            shutil.rmtree(self._staging)

    def _work(self) -> None:
        while (uid := self._queue.get()) is not None:
            if self._stop.is_set() or self.problem:
                continue  # it stays due in the ledger
            try:
                self._submit(uid)
            except Exception as err:  # noqa: BLE001 - thread boundary: the run reports it
                self._give_up(err)

    def _submit(self, uid: str) -> None:
        """Submit the due items of a study."""
        study = self._ledger.studies.get(uid)
        if study is None or study.verdict is None:
            return
        if self.convert.scope != "instance" and study.verdict.state in ("short", "failed"):
            return
        with self._lock:
            if (running := self._studies.get(uid)) is not None:
                running.changed = True
                return
            jobs = list(self._jobs(uid))
            if not jobs:
                self._finished(uid, study.version)
                return
            self._studies[uid] = _Study(study.version, len(jobs))
        for job in jobs:
            if self._stop.is_set() or self.problem:
                return  # the study stays due
            self._started().submit(job)

    def _jobs(self, uid: str) -> Iterator[Job]:
        known = self._ledger.conversions.of_study(self.convert.id, uid)
        items = self._items(uid)
        for item in known.keys() - items.keys():
            _remove(self._ledger.conversions.remove(self.convert.id, item))
        for item, instances in items.items():
            item_fingerprint = _item_fingerprint(self._fingerprint, instances)
            before = known.get(item)
            if before and before.fingerprint == item_fingerprint and before.state != "failed":
                continue
            files = tuple(each.as_stored(self._storage.directory) for each in instances)
            folder = os.path.commonpath([stored.path.parent for stored in files])
            yield Job(
                item=item,
                study_uid=uid,
                fingerprint=item_fingerprint,
                files=files,
                staging=self._staging / hashlib.sha256(item.encode()).hexdigest()[:32],
                target=self._root / Path(folder).relative_to(self._storage.directory),
                root=self._root,
            )

    def _items(self, uid: str) -> Mapping[str, Sequence[Instance]]:
        """Return the instances of each item, by the name of the item in the ledger."""
        items: dict[str, list[Instance]] = {}
        for each in self._ledger.instances.of_study(uid):
            names = {
                "instance": each.path,
                "series": f"{uid}/{each.series_uid}",
                "study": uid,
            }
            items.setdefault(names[self.convert.scope], []).append(each)
        return items

    def _started(self) -> WorkerPool:
        if self._pool is None:
            pool = self._pool_of(self._guarded_done)
            pool.start()
            self._pool = pool
        return self._pool

    def _guarded_done(
        self, outcomes: Sequence[tuple[Job, Made | ConversionRefused | Crashed]]
    ) -> None:
        try:
            for job, outcome in outcomes:
                self._done(job, outcome)
        except Exception as err:  # noqa: BLE001 - a thread of the pool: the run reports it
            self._give_up(err)

    def _done(self, job: Job, outcome: Made | ConversionRefused | Crashed) -> None:
        outputs = outcome.outputs if isinstance(outcome, Made) else ()
        if isinstance(outcome, Made):
            reason = place(self._ledger, self._storage.state, self.convert.id, job, outcome)
        else:
            reason = outcome.reason or "no reason given"
        state: State = "done"
        if reason:
            outputs = ()
            skipped = isinstance(outcome, ConversionRefused) and outcome.skipped
            state = "skipped" if skipped or self.convert.skip_failed else "failed"
        conversion = Conversion(
            converter=self.convert.id,
            item=job.item,
            study_uid=job.study_uid,
            fingerprint=job.fingerprint,
            state=state,
            reason=reason,
            component=self.convert.component,
            made_by=self._made_by,
        )
        _remove(self._ledger.conversions.record(conversion, outputs, self._run.clock.now()))
        shutil.rmtree(job.staging, ignore_errors=True)
        self._count(job.study_uid, failed=state == "failed")
        self._run.notify(
            Converted(
                at=self._run.clock.now(),
                study_uid=job.study_uid,
                converter=self.convert.id,
                component=self.convert.component,
                state=state,
                reason=reason,
                outputs=len(outputs),
            )
        )

    def _count(self, uid: str, *, failed: bool) -> None:
        with self._lock:
            study = self._studies[uid]
            study.left -= 1
            study.failed |= failed
            if study.left:
                return
            del self._studies[uid]
            if study.changed:
                self._queue.put(uid)
            elif not study.failed:
                self._finished(uid, study.version)

    def _finished(self, uid: str, version: int) -> None:
        self._ledger.conversions.finished(self.convert.id, uid, self._fingerprint, version)

    def _give_up(self, err: Exception) -> None:
        # Messages of pacsfw's own errors are safe; any other text may quote a path.
        why = str(err) if isinstance(err, PacsfwError) else type(err).__name__
        strerror = getattr(err, "strerror", None)
        self.problem = self.problem or (f"{why}: {strerror}" if strerror else why)
        _log.error("converter %s: %s", self.convert.component, self.problem)


def note_data(ledger: Ledger, convert: Convert, data: str) -> None:
    """Record what a converter says of its data: only a run builds it to ask."""
    if data != _data_of(ledger, convert):
        ledger.set_value(DATA_FACT.format(convert.id), data)


def _data_of(ledger: Ledger, convert: Convert) -> str:
    return ledger.get_value(DATA_FACT.format(convert.id)) or ""


def fingerprint(ledger: Ledger, convert: Convert) -> str:
    """Return a digest that changes with the converter, its version, code, data and options.

    It is a digest because options may hold secrets, which must not get into the ledger.
    """
    parts = [
        convert.use.name,
        dict(convert.use.options),
        convert.component,
        str(convert.directory or ""),
    ]
    # Nothing is added if there is neither: what an older pacsfw converted is not done again.
    parts += [each for each in (convert.code, _data_of(ledger, convert)) if each]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def due(ledger: Ledger, convert: Convert) -> Sequence[str]:
    """Return the studies with items that are left to convert."""
    return ledger.conversions.due(
        convert.id, fingerprint(ledger, convert), whole=convert.scope != "instance"
    )


def _item_fingerprint(converter: str, instances: Sequence[Instance]) -> str:
    sources = sorted((each.sop_uid, each.digest, each.path) for each in instances)
    return hashlib.sha256(json.dumps([converter, sources]).encode()).hexdigest()


def _staging(state: Path, root: Path) -> Path:
    """Return a folder on the disk of ``root``, so that moving a file there is atomic."""
    root.mkdir(parents=True, exist_ok=True)
    if state.stat().st_dev == root.stat().st_dev:
        return state / STAGING
    return root / ".pacsfw" / STAGING


def _remove(paths: Sequence[str]) -> None:
    """Remove files that belong to no item any more."""
    for path in paths:
        Path(path).unlink(missing_ok=True)
