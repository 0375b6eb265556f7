"""Moving one study: ask what it has, request it, wait until it is settled, judge it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pacsfw.api import (
    Clock,
    Event,
    Inbox,
    Outcome,
    Request,
    StudySettled,
    StudyStarted,
    Transfer,
    Verdict,
)
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.errors import PacsfwError, RemoteError
from pacsfw.ledger import Ledger
from pacsfw.move.arrivals import Arrivals
from pacsfw.move.expected import Ask, Expectation, read_expectation
from pacsfw.move.verdict import is_permanent, judge


class StudyMover:
    """Works for one thread; owns that thread's transfer and its way of asking."""

    def __init__(
        self,
        *,
        transfer: Transfer,
        ask: Ask,
        rest: Callable[[], None],
        inbox: Callable[[str], Inbox],
        arrivals: Arrivals,
        ledger: Ledger,
        archive: Path,
        clock: Clock,
        stop: threading.Event,
        quiet_seconds: float,
        components: Mapping[str, str],
        settled: Callable[[str], None],
        notify: Callable[[Event], None],
    ) -> None:
        self.transfer = transfer
        self._ask, self._rest, self._inbox = ask, rest, inbox
        self._arrivals, self._ledger, self._archive = arrivals, ledger, archive
        self._clock, self._stop, self._quiet_seconds = clock, stop, quiet_seconds
        self._components, self._settled, self._notify = components, settled, notify

    def move(self, study_uid: str) -> bool:
        """Bring one study over and settle it, unless the run is stopped meanwhile.

        Returns
        -------
        bool
            True when the study is not complete and asking again may help.

        Raises
        ------
        RemoteError
            The PACS could not be reached; the study is settled as failed.
        """
        self._notify(StudyStarted(at=self._clock.now(), study_uid=study_uid))
        self._arrivals.track(study_uid, self._ledger.instances.stored_uids(study_uid))
        try:
            return self._move(study_uid)
        except RemoteError as err:
            self._settle(study_uid, Verdict(state="failed", reason=str(err)))
            raise
        finally:
            self._arrivals.untrack(study_uid)

    def judge_again(self, study_uid: str) -> None:
        """Settle a study anew for which objects came late."""
        study = self._ledger.studies.get(study_uid)
        if study is None or study.verdict is None or not study.selected:
            return
        expectation = read_expectation(self._ask, study_uid)
        self._conclude(study_uid, expectation, None)

    def _move(self, study_uid: str) -> bool:
        expectation = read_expectation(self._ask, study_uid)
        stored = self._ledger.instances.stored_uids(study_uid)
        outcome: Outcome | None = None
        if not expectation.uids or not expectation.uids <= stored:
            self._ledger.studies.requested(study_uid, self._clock.now())
            outcome = self._fetch(Request(study_uid=study_uid))
            if self._stop.is_set():
                return False
            if not outcome.reached:
                raise RemoteError(outcome.ended)
            self._arrivals.settle(study_uid, expectation.uids, self._quiet_seconds, self._stop)
            if self._stop.is_set():
                return False
            # The study may have grown meanwhile: the verdict is taken against what is true
            # now, but not against less than what was known before.
            now = read_expectation(self._ask, study_uid)
            expectation = now if now.strength >= expectation.strength else expectation
        verdict = self._conclude(study_uid, expectation, outcome)
        return self._may_improve(study_uid, verdict) and not is_permanent(outcome)

    def _may_improve(self, study_uid: str, verdict: Verdict) -> bool:
        """Tell whether asking again may help: what is in quarantine came, and would again."""
        held = self._ledger.instances.quarantined_uids(study_uid)
        all_held = bool(verdict.missing) and set(verdict.missing) <= held
        return verdict.state in ("short", "failed") and not all_held

    def _fetch(self, request: Request) -> Outcome:
        self._rest()
        try:
            return self.transfer.fetch(request, self._inbox(request.study_uid))
        except PacsfwError:
            raise
        except Exception as err:  # noqa: BLE001 - plugin boundary: it costs this study only
            who = self._components.get("transfer", "")
            return Outcome(status=None, ended=f"transfer {who} failed: {type(err).__name__}")

    def _conclude(
        self, study_uid: str, expectation: Expectation, outcome: Outcome | None
    ) -> Verdict:
        self._make_durable(study_uid)
        verdict = judge(
            expectation,
            self._ledger.instances.stored_uids(study_uid),
            self._ledger.instances.quarantined_uids(study_uid),
            outcome,
        )
        self._settle(study_uid, verdict)
        return verdict

    def _settle(self, study_uid: str, verdict: Verdict) -> None:
        self._ledger.studies.settle(study_uid, verdict, self._clock.now(), self._components)
        self._notify(StudySettled(at=self._clock.now(), study_uid=study_uid, verdict=verdict))
        self._settled(study_uid)

    def _make_durable(self, study_uid: str) -> None:
        """Files first, then their folders, before the ledger calls anything complete."""
        folders: dict[Path, None] = {}
        for instance in self._ledger.instances.of_study(study_uid):
            path = self._archive / instance.path
            if not _sync(path, instance.size):
                # Somebody removed it, or a power cut took its end: what is not there is
                # not stored, and is asked again.
                self._ledger.instances.forget(instance)
                continue
            folder = path.parent
            while folder not in folders and folder.is_relative_to(self._archive):
                folders[folder] = None
                folder = folder.parent
        for folder in folders:
            _sync(folder)


def _sync(path: Path, size: int | None = None) -> bool:
    """Sync a file or folder; False if it is gone, or no file with a data set of ``size``."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        if size is not None:
            offset = read_file_meta(descriptor).offset_of_dataset
            if os.fstat(descriptor).st_size != offset + size:
                return False
        os.fsync(descriptor)
    except ValueError:
        return False
    finally:
        os.close(descriptor)
    return True
