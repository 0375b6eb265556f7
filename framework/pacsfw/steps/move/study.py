"""Moving one study: query its content, request what is missing, wait, and judge it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pacsfw.api import (
    Level,
    Outcome,
    Request,
    StudyStarted,
    Transfer,
    Verdict,
)
from pacsfw.errors import ComponentError, RemoteError, StateError
from pacsfw.ledger.studies import Study
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.steps.move.arrivals import Inboxes
from pacsfw.steps.move.expected import Expectation, Expecting, Sizes, found_number
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.move.requests import Levels, requests_for
from pacsfw.steps.move.retrieval import Retrieval
from pacsfw.steps.move.statuses import MAY_HELP, STRAINED, UNKNOWN_DESTINATION, ending_of
from pacsfw.steps.move.verdict import Retrieved
from pacsfw.steps.run import Run

AFTER_A_BREAK = 3
"""Number of quiet periods to wait after a lost association: the standard does not say whether
the PACS continues to send (PS3.4 C.4.2.3.1)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt at a study."""

    again: bool
    """The study is incomplete, and a retry may help."""
    strained: bool = False
    """The PACS was overloaded or sent no response."""
    refused: str = ""
    """The status text of a PACS that refuses every request."""
    in_vain: str = ""
    """Why nothing arrived, if the cause may be common to all studies."""
    came: bool = False
    """Something arrived."""
    comment: str = ""
    """What the PACS itself said."""


class StudyMover:
    """Moves studies for one thread; owns that thread's connections to the PACS.

    Parameters
    ----------
    transfer, pacs
        Open; `close` closes them.
    levels, sizes
        Shared with the other threads.
    """

    def __init__(
        self,
        run: Run,
        transfer: Transfer,
        pacs: PacsQuery,
        inboxes: Inboxes,
        judge: Judge,
        levels: Levels,
        sizes: Sizes,
    ) -> None:
        self._run, self.ledger, self._stop = run, run.ledger, run.stop
        self.transfer, self._pacs = transfer, pacs
        self._inboxes, self.arrivals = inboxes, inboxes.arrivals
        self._judge, self.levels = judge, levels
        self._expecting = Expecting(pacs, sizes)

    def close(self) -> None:
        """Close the connections to the PACS."""
        self.transfer.close()
        self._pacs.close()

    def move(self, study_uid: str, attempt: int = 1) -> Attempt:
        """Move one study and settle it, unless the run is stopped in between.

        Parameters
        ----------
        attempt
            The number of this attempt in this run, from 1.

        Raises
        ------
        RemoteError
            The PACS could not be reached; a study without a verdict is settled as failed.
        """
        self._run.notify(StudyStarted(at=self._run.clock.now(), study_uid=study_uid))
        try:
            return self._move(study_uid, attempt)
        except RemoteError as err:
            study = self.ledger.studies.get(study_uid)
            if study is None or study.verdict is None or study.verdict.state == "failed":
                self._judge.settle(
                    study_uid, Verdict(state="failed", reason=str(err), comment=err.comment)
                )
            raise
        except ComponentError as err:  # of the query provider: it costs this study only
            return self._not_listed(study_uid, err)
        finally:
            self.arrivals.untrack(study_uid)

    def _not_listed(self, study_uid: str, err: ComponentError) -> Attempt:
        """Settle a study about which the query provider could not be asked."""
        study = self.ledger.studies.get(study_uid)
        if study is None or study.verdict is None or not study.verdict.is_complete:
            self._judge.settle(study_uid, Verdict(state="failed", reason=str(err)))
        return Attempt(again=False)

    def judge_again(self, study_uid: str) -> None:
        """Settle a study again after late instances."""
        study = self.ledger.studies.get(study_uid)
        if study is None or study.verdict is None or not study.selected:
            return
        expectation = self._read(study)
        if not self._judge.knows_less(study_uid, expectation):
            self._judge.conclude(study_uid, expectation, None)

    def _read(self, study: Study) -> Expectation:
        return self._expecting.read(study.uid, study.patient_id, found_number(study))

    def _move(self, study_uid: str, attempt: int) -> Attempt:
        study = self.ledger.studies.get(study_uid)
        if study is None:
            raise StateError(f"study {study_uid} is not in the ledger")
        self.arrivals.track(study_uid, self.ledger.instances.arrived_uids(study_uid))
        expectation = self._judge.with_known(study_uid, self._read(study))
        self.arrivals.expect(study_uid, expectation.uids)
        if self._judge.knows_less(study_uid, expectation):
            self.ledger.studies.checked(study_uid, self._run.clock.now())
            return Attempt(again=False)
        begun = self._run.clock.monotonic()
        retrieved = self._retrieve(study, expectation, attempt)
        if self._stop.is_set():
            return Attempt(again=False)
        if retrieved is not None:
            self._wait_until_settled(study_uid, expectation, retrieved)
            if self._stop.is_set():
                return Attempt(again=False)
            # The study may have grown in between: judge it by the new expectation, but not by
            # a weaker one than before.
            now = self._read(study)
            expectation = now if now.strength >= expectation.strength else expectation
            retrieved = replace(
                self._with_availability(study, retrieved),
                refusals=tuple(self.arrivals.refusals(begun)),
                strayed=self.arrivals.strayed(study_uid),
            )
        verdict = self._judge.conclude(study_uid, expectation, retrieved)
        return self._what_next(study_uid, verdict, retrieved, attempt)

    def _what_next(
        self, study_uid: str, verdict: Verdict, retrieved: Retrieved | None, attempt: int
    ) -> Attempt:
        ending = ending_of(retrieved.outcome) if retrieved else "done"
        if verdict.is_complete:
            # Hidden instances may become visible: the PACS is asked once more, not in every run.
            disagrees = verdict.state == "complete-count-disagrees" and retrieved is not None
            came = retrieved is not None and retrieved.came
            again = disagrees and attempt == 1
            return Attempt(again=again, strained=ending == "busy", came=came)
        # Instances in quarantine would arrive in the same state again; they are retried once.
        instances = self.ledger.instances
        held = instances.quarantined_uids(study_uid) | self.ledger.senders.disputed(study_uid)
        held |= instances.held_uids(study_uid)
        missing = set(verdict.missing)
        waits = missing <= instances.held_uids(study_uid)  # for the configuration
        all_held = bool(missing) and missing <= held and (attempt > 1 or waits)
        # A PACS that could not connect to us may say that it does not know us (A801).
        unknown = retrieved is not None and retrieved.outcome.status == UNKNOWN_DESTINATION
        may_help = ending in MAY_HELP or (unknown and attempt == 1)
        worth = verdict.state in ("short", "failed") and may_help and not all_held
        nothing = ending == "done" and verdict.state == "failed"
        refused = ending == "refused" and verdict.state == "failed" and not may_help
        return Attempt(
            again=worth and not self._judge.all_given_up(study_uid, verdict),
            strained=ending in STRAINED or nothing,
            refused=verdict.reason if refused else "",
            in_vain=self._in_vain(verdict, retrieved),
            came=retrieved is not None and retrieved.came,
            comment=verdict.comment,
        )

    def _in_vain(self, verdict: Verdict, retrieved: Retrieved | None) -> str:
        """Return why nothing arrived, if that may have a cause that all studies share."""
        if retrieved is None or retrieved.came or retrieved.availability:
            return ""
        suspicious = ending_of(retrieved.outcome) in ("done", "failed", "unsent")
        return verdict.reason if suspicious and verdict.state == "failed" else ""

    def _retrieve(self, study: Study, expectation: Expectation, attempt: int) -> Retrieved | None:
        """Request what is missing; return None if nothing is.

        Raises
        ------
        RemoteError
            The PACS was not reached.
        """
        requesting = _Requesting(self, study, expectation, attempt)
        in_vain = study.uid in self.levels.in_vain
        if requesting.missing(set()):
            self.ledger.studies.requested(study.uid, self._run.clock.now())
        return Retrieval(
            requesting,
            self.levels,
            self._run.clock,
            self._stop,
            skip={"STUDY"} if in_vain else set(),
            backwards=attempt % 2 == 0,
        ).run()

    def _with_availability(self, study: Study, retrieved: Retrieved) -> Retrieved:
        """Ask where the PACS keeps a study that it could not send."""
        if ending_of(retrieved.outcome) not in ("unsent", "failed"):
            return retrieved
        where = self._expecting.availability(study.uid, study.patient_id)
        return replace(retrieved, availability="" if where == "ONLINE" else where)

    def fetch(self, request: Request) -> Outcome:
        """Send one request; a transfer that raises costs this study only."""
        self._pacs.release()
        try:
            return self.transfer.fetch(request, self._inboxes.of(request.study_uid))
        except ComponentError as err:
            return Outcome(status=None, status_text=str(err))

    def _wait_until_settled(
        self, study_uid: str, expectation: Expectation, retrieved: Retrieved
    ) -> None:
        broken = ending_of(retrieved.outcome) == "silent"
        quiet = self._run.timing.quiet * (AFTER_A_BREAK if broken else 1)
        # A list that may be cut does not say when the last instance has arrived.
        whole = expectation.uids is not None and expectation.owed <= len(expectation.uids)
        expected = expectation.uids if whole else None
        self.arrivals.settle(study_uid, expected, quiet, self._stop, number=expectation.owed)


class _Requesting:
    """The requests for one study, for one attempt."""

    def __init__(
        self, mover: StudyMover, study: Study, expectation: Expectation, attempt: int
    ) -> None:
        self._mover, self._study = mover, study
        self.study_uid = study.uid
        self._expectation, self._attempt = expectation, attempt

    def missing(self, refused: AbstractSet[Level]) -> list[Request]:
        study, mover = self._study, self._mover
        requests = requests_for(
            study.uid,
            self._expectation,
            mover.ledger.instances.by_series(study.uid, "stored", "left-out"),
            given_up=mover.ledger.evidence.given_up(study.uid),
            attempt=self._attempt,
            refused=mover.levels.refused | refused,
        )
        return [replace(each, patient_id=study.patient_id) for each in requests]

    def fetch(self, request: Request) -> Outcome:
        return self._mover.fetch(request)

    def news(self) -> int:
        return self._mover.arrivals.news(self.study_uid)
