"""Judging studies: expected instances, stored instances, and the evidence for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pacsfw.api import Outcome, StudySettled, Verdict
from pacsfw.ledger.evidence import WHOLE_STUDY
from pacsfw.steps.move.expected import Expectation
from pacsfw.steps.move.series import judge_series, with_series
from pacsfw.steps.move.statuses import COUNTS, ending_of
from pacsfw.steps.move.verdict import judge
from pacsfw.steps.ports import MakesDurable, SettledStudies
from pacsfw.steps.run import Run
from pacsfw.words import GOOD


class Judge:
    """Gives the verdicts of a run, and keeps the evidence. May be shared by threads.

    Parameters
    ----------
    run
        Missing instances of a study count as tried once in each run.
    components
        The components involved in the studies, by kind.
    settled
        Receives every study with a new verdict.
    """

    def __init__(
        self,
        run: Run,
        durability: MakesDurable,
        components: Mapping[str, str],
        settled: SettledStudies | None = None,
    ) -> None:
        self._run, self._ledger, self._durability = run, run.ledger, durability
        self._components, self._settled = components, settled

    def conclude(
        self, study_uid: str, expectation: Expectation, outcome: Outcome | None
    ) -> Verdict:
        """Make the stored instances durable, judge the study, and settle it.

        Parameters
        ----------
        outcome
            The outcome of its request; None if nothing was requested.
        """
        self._durability.make_durable(study_uid)
        stored = self._ledger.instances.stored_by_series(study_uid)
        here = frozenset[str]().union(*stored.values())
        vanished = self._vanished(study_uid, expectation, here)
        if expectation.uids is not None:
            whole = expectation.uids | vanished
            expectation = replace(expectation, uids=whole, count=len(whole))
        disputed = self._ledger.instances.disputed(study_uid)
        held = self._ledger.instances.quarantined_uids(study_uid)
        held |= self._ledger.instances.held_uids(study_uid) | disputed
        verdict = judge(expectation, here - disputed, held, outcome)
        listed = {uid: uids - vanished for uid, uids in stored.items()}
        verdict = with_series(verdict, judge_series(expectation, listed))
        self.settle(study_uid, verdict, outcome)
        return verdict

    def settle(self, study_uid: str, verdict: Verdict, outcome: Outcome | None = None) -> None:
        """Record a verdict and its consequences."""
        evidence, now = self._ledger.evidence, self._run.clock.now()
        lacking = () if verdict.state in GOOD else verdict.missing or (WHOLE_STUDY,)
        tried = verdict.state == "over" if outcome is None else ending_of(outcome) in COUNTS
        with self._ledger.transaction():
            if tried:
                evidence.tried(study_uid, lacking, self._run.context.run_id, now)
            self._ledger.studies.settle(study_uid, verdict, now, self._components)
            evidence.judge(study_uid, verdict.series)
            evidence.settle_trials(study_uid, lacking)
        self._run.notify(
            StudySettled(at=now, study_uid=study_uid, verdict=verdict, components=self._components)
        )
        if self._settled is not None:
            self._settled.settled(study_uid)

    def knows_less(self, study_uid: str, expectation: Expectation) -> bool:
        """Return whether a complete study was judged on better evidence than is available now."""
        study = self._ledger.studies.get(study_uid)
        if study is None or study.verdict is None or study.verdict.state not in GOOD:
            return False
        by_uid = study.verdict.source == "image-uids"
        return expectation.strength < (2 if by_uid else 1)

    def all_given_up(self, study_uid: str, verdict: Verdict) -> bool:
        """Return whether pacsfw has given up everything that the study lacks."""
        lacking = set(verdict.missing or (WHOLE_STUDY,))
        return lacking <= self._ledger.evidence.given_up(study_uid)

    def _vanished(
        self, study_uid: str, expectation: Expectation, stored: frozenset[str]
    ) -> frozenset[str]:
        """Flag stored instances that the PACS listed once and no longer lists; return these."""
        evidence = self._ledger.evidence
        flagged = evidence.flagged(study_uid, "vanished")
        if expectation.uids is None:
            return flagged & stored
        gone = stored - expectation.uids if self._was_listed(study_uid) else flagged & stored
        gone -= expectation.uids
        evidence.unflag(study_uid, flagged & expectation.uids, "vanished")
        evidence.flag(study_uid, gone - flagged, "vanished", self._run.clock.now())
        return gone

    def _was_listed(self, study_uid: str) -> bool:
        """Return whether the PACS once listed all stored instances of the study."""
        study = self._ledger.studies.get(study_uid)
        verdict = study.verdict if study else None
        return bool(verdict and verdict.state == "complete" and verdict.source == "image-uids")
