"""Moving one study: query its content, request what is missing, wait, and judge it."""

from __future__ import annotations

from dataclasses import dataclass

from pacsfw.api import (
    Level,
    Outcome,
    Request,
    StudyStarted,
    Transfer,
    Verdict,
)
from pacsfw.errors import PacsfwError, RemoteError
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.steps.move.arrivals import Inboxes
from pacsfw.steps.move.expected import Expectation, read_expectation
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.move.requests import Levels, requests_for, series_of
from pacsfw.steps.move.statuses import MAY_HELP, STRAINED, ending_of, worst
from pacsfw.steps.run import Run
from pacsfw.words import GOOD

AFTER_A_BREAK = 3
"""Number of quiet periods to wait after a lost association: the standard does not say whether
the PACS continues to send (PS3.4 C.4.2.3.1)."""

FRUITLESS = 3
"""After so many instance requests in a row without a result, the rest of them are skipped."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt at a study."""

    again: bool
    """The study is incomplete, and a retry may help."""
    strained: bool = False
    """The PACS was overloaded or sent no response."""
    refused: str = ""
    """The status text of a PACS that refuses every request."""


class StudyMover:
    """Moves studies for one thread; owns that thread's connections to the PACS.

    Parameters
    ----------
    transfer, pacs
        Open; `close` closes them.
    component
        Name, distribution and version of the transfer.
    levels
        Shared with the other threads.
    """

    def __init__(
        self,
        run: Run,
        transfer: Transfer,
        component: str,
        pacs: PacsQuery,
        inboxes: Inboxes,
        judge: Judge,
        levels: Levels,
    ) -> None:
        self._run, self._ledger, self._stop = run, run.ledger, run.stop
        self.transfer, self._component, self._pacs = transfer, component, pacs
        self._inboxes, self._arrivals = inboxes, inboxes.arrivals
        self._judge, self._levels = judge, levels

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
            study = self._ledger.studies.get(study_uid)
            if study is None or study.verdict is None or study.verdict.state == "failed":
                self._judge.settle(study_uid, Verdict(state="failed", reason=str(err)))
            raise
        finally:
            self._arrivals.untrack(study_uid)

    def judge_again(self, study_uid: str) -> None:
        """Settle a study again after late instances."""
        study = self._ledger.studies.get(study_uid)
        if study is None or study.verdict is None or not study.selected:
            return
        expectation = read_expectation(self._pacs, study_uid)
        if not self._judge.knows_less(study_uid, expectation):
            self._judge.conclude(study_uid, expectation, None)

    def _move(self, study_uid: str, attempt: int) -> Attempt:
        stored = self._ledger.instances.stored_uids(study_uid)
        self._arrivals.track(study_uid, stored)
        expectation = read_expectation(self._pacs, study_uid)
        self._arrivals.expect(study_uid, expectation.uids)
        if self._judge.knows_less(study_uid, expectation):
            self._ledger.studies.checked(study_uid, self._run.clock.now())
            return Attempt(again=False)
        outcome = self._request(study_uid, expectation, attempt)
        if self._stop.is_set():
            return Attempt(again=False)
        if outcome is not None:
            self._wait_until_settled(study_uid, expectation, outcome)
            if self._stop.is_set():
                return Attempt(again=False)
            # The study may have grown in between: judge it by the new expectation, but not by
            # a weaker one than before.
            now = read_expectation(self._pacs, study_uid)
            expectation = now if now.strength >= expectation.strength else expectation
        verdict = self._judge.conclude(study_uid, expectation, outcome)
        return self._what_next(study_uid, verdict, outcome, attempt)

    def _what_next(
        self, study_uid: str, verdict: Verdict, outcome: Outcome | None, attempt: int
    ) -> Attempt:
        ending = ending_of(outcome) if outcome else "done"
        if verdict.state in GOOD:
            return Attempt(again=False, strained=ending == "busy")
        # Instances in quarantine would arrive in the same state again; they are retried once.
        instances = self._ledger.instances
        held = instances.quarantined_uids(study_uid) | instances.disputed(study_uid)
        held |= instances.held_uids(study_uid)
        all_held = bool(verdict.missing) and set(verdict.missing) <= held and attempt > 1
        worth = verdict.state in ("short", "failed") and ending in MAY_HELP and not all_held
        nothing = ending == "done" and verdict.state == "failed"
        return Attempt(
            again=worth and not self._judge.all_given_up(study_uid, verdict),
            strained=ending in STRAINED or nothing,
            refused=verdict.reason if ending == "refused" and verdict.state == "failed" else "",
        )

    def _request(self, study_uid: str, expectation: Expectation, attempt: int) -> Outcome | None:
        """Request the missing instances; return None if there are none.

        Raises
        ------
        RemoteError
            The PACS was not reached.
        """
        refused: set[Level] = set()
        requests = self._missing(study_uid, expectation, attempt, refused)
        if requests:
            self._ledger.studies.requested(study_uid, self._run.clock.now())
        outcomes: list[Outcome] = []
        fruitless = 0
        while requests and not self._stop.is_set():
            request = requests.pop(0)
            before = self._arrivals.news(study_uid)
            outcome = self._fetch(request)
            if self._stop.is_set():
                break
            if not outcome.reached:
                raise RemoteError(outcome.status_text)
            outcomes.append(outcome)
            ending = ending_of(outcome)
            if ending == "mismatch":
                refused.add(request.level)
                self._levels.refuses(request.level)
                requests = self._missing(study_uid, expectation, attempt, refused)
                if requests and requests[0].level != request.level:
                    outcomes.pop()  # another level may work
                    continue
                break
            came = bool(outcome.completed) or self._arrivals.news(study_uid) > before
            if came:
                self._levels.serves(request.level)
            fruitless = 0 if came else fruitless + 1
            if ending in ("busy", "silent", "refused", "cancelled"):
                break
            if request.level == "IMAGE" and fruitless >= FRUITLESS:
                requests = [each for each in requests if each.level != "IMAGE"]
                requests += series_of([request])  # the PACS may not support the IMAGE level
        return worst(outcomes) if outcomes else None

    def _missing(
        self, study_uid: str, expectation: Expectation, attempt: int, refused: set[Level]
    ) -> list[Request]:
        requests = requests_for(
            study_uid,
            expectation,
            self._ledger.instances.stored_by_series(study_uid),
            given_up=self._ledger.evidence.given_up(study_uid),
            attempt=attempt,
            refused=self._levels.refused | refused,
        )
        return list(requests)

    def _fetch(self, request: Request) -> Outcome:
        self._pacs.release()
        try:
            return self.transfer.fetch(request, self._inboxes.of(request.study_uid))
        except PacsfwError:
            raise
        except Exception as err:  # noqa: BLE001 - plugin boundary: it costs this study only
            return Outcome(
                status=None, status_text=f"transfer {self._component} failed: {type(err).__name__}"
            )

    def _wait_until_settled(
        self, study_uid: str, expectation: Expectation, outcome: Outcome
    ) -> None:
        broken = ending_of(outcome) == "silent"
        quiet = self._run.timing.quiet * (AFTER_A_BREAK if broken else 1)
        self._arrivals.settle(study_uid, expectation.uids, quiet, self._stop)
