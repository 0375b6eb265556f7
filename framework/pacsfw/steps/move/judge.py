"""Judging studies: expected instances, stored instances, and the evidence for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pacsfw.api import StudySettled, Verdict
from pacsfw.ledger.evidence import WHOLE_STUDY
from pacsfw.steps.move.expected import UIDS, Expectation
from pacsfw.steps.move.series import judge_series, with_series
from pacsfw.steps.move.verdict import Held, Retrieved, judge, number_of, with_evidence
from pacsfw.steps.ports import MakesDurable, SettledStudies
from pacsfw.steps.run import Run

_LISTED = ("complete", "complete-count-disagrees")
"""Verdicts of a study of which the PACS listed every stored instance."""


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
        self, study_uid: str, expectation: Expectation, retrieved: Retrieved | None
    ) -> Verdict:
        """Make the stored instances durable, judge the study, and settle it.

        Parameters
        ----------
        retrieved
            What its requests showed; None if nothing was requested.
        """
        self._durability.make_durable(study_uid)
        stored = self._ledger.instances.by_series(study_uid, "stored")
        left_out = self._ledger.left_out.by_series(study_uid)
        here, out = (frozenset[str]().union(*each.values()) for each in (stored, left_out))
        study = self._ledger.studies.get(study_uid)
        earlier = study.verdict if study else None
        expectation = with_evidence(expectation, here | out, retrieved, earlier)
        vanished = self._vanished(study_uid, expectation, here, earlier)
        if expectation.uids is not None:
            expectation = replace(expectation, uids=expectation.uids | vanished)
        held = self._held(study_uid)
        verdict = judge(expectation, here, held, retrieved, out)
        listed = {uid: uids - vanished for uid, uids in stored.items()}
        verdict = with_series(verdict, judge_series(expectation, listed, left_out))
        self.settle(study_uid, verdict, retrieved)
        return verdict

    def settle(self, study_uid: str, verdict: Verdict, retrieved: Retrieved | None = None) -> None:
        """Record a verdict and its consequences."""
        evidence, now = self._ledger.evidence, self._run.clock.now()
        lacking = () if verdict.is_complete else verdict.missing or (WHOLE_STUDY,)
        tried = verdict.state == "over" if retrieved is None else retrieved.tried
        # What is held has arrived, and waits for the configuration.
        vain = set(lacking) - self._ledger.instances.held_uids(study_uid)
        with self._ledger.transaction():
            if tried:
                evidence.tried(study_uid, vain, self._run.context.run_id, now)
            self._ledger.studies.settle(study_uid, verdict, now, self._components)
            evidence.judge(study_uid, verdict.series)
            evidence.settle_trials(study_uid, lacking)
        # Its instances may have been placed and read by other components than those of this run.
        made = self._ledger.provenance.of_study(study_uid)
        components = {**self._components, **{kind: ", ".join(made[kind]) for kind in made}}
        self._run.notify(
            StudySettled(at=now, study_uid=study_uid, verdict=verdict, components=components)
        )
        if self._settled is not None:
            self._settled.settled(study_uid)

    def _held(self, study_uid: str) -> Held:
        instances = self._ledger.instances
        return Held(
            quarantined=instances.quarantined_uids(study_uid),
            waiting=instances.held_uids(study_uid),
            disputed=self._ledger.senders.disputed(study_uid),
        )

    def with_known(self, study_uid: str, expectation: Expectation) -> Expectation:
        """Add what an earlier verdict knew to an expectation."""
        study = self._ledger.studies.get(study_uid)
        here = self._ledger.instances.arrived_uids(study_uid)
        return with_evidence(expectation, here, None, study.verdict if study else None)

    def knows_less(self, study_uid: str, expectation: Expectation) -> bool:
        """Return whether a complete study was judged on better evidence than is available now.

        Not if what the PACS says now goes beyond what is stored: then the study has grown.
        """
        study = self._ledger.studies.get(study_uid)
        if study is None or study.verdict is None or not study.verdict.is_complete:
            return False
        by_uid = study.verdict.source == UIDS
        expectation = self.with_known(study_uid, expectation)
        if expectation.strength >= (2 if by_uid else 1):
            return False
        here = self._ledger.instances.arrived_uids(study_uid)
        known = study.verdict.state == "complete-count-disagrees" or (
            expectation.largest <= max(len(here), number_of(study.verdict) or 0)
        )
        return (expectation.uids or frozenset()) <= here and known

    def all_given_up(self, study_uid: str, verdict: Verdict) -> bool:
        """Return whether pacsfw has given up everything that the study lacks."""
        lacking = set(verdict.missing or (WHOLE_STUDY,))
        return lacking <= self._ledger.evidence.given_up(study_uid)

    def _vanished(
        self,
        study_uid: str,
        expectation: Expectation,
        stored: frozenset[str],
        earlier: Verdict | None,
    ) -> frozenset[str]:
        """Flag stored instances that the PACS listed once and no longer lists; return these."""
        evidence = self._ledger.evidence
        flagged = evidence.flagged(study_uid, "vanished")
        if expectation.uids is None or not expectation.proven:
            return flagged & stored
        was_listed = earlier is not None and earlier.source == UIDS and earlier.state in _LISTED
        gone = stored - expectation.uids if was_listed else flagged & stored
        gone -= expectation.uids
        evidence.unflag(study_uid, flagged & expectation.uids, "vanished")
        evidence.flag(study_uid, gone - flagged, "vanished", self._run.clock.now())
        return gone
