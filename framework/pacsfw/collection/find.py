"""The find step, wired: from the configuration to a search, a study list or a survey."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Clock, Event, Profile, RunContext
from pacsfw.collection.pacs import guarded_ask, open_provider
from pacsfw.collection.study_list import open_study_list
from pacsfw.config import Config, Find, Storage
from pacsfw.config.finding import outcomes_path
from pacsfw.config.values import is_url
from pacsfw.config.window import Window
from pacsfw.ledger import Ledger
from pacsfw.ledger.searches import PLAN, Search
from pacsfw.ledger.studies import GOOD
from pacsfw.plugins.registry import Registry
from pacsfw.report.plan import Survey
from pacsfw.steps.find import cohort
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.region import Region
from pacsfw.steps.find.search import answered_at, fingerprint, search, write
from pacsfw.steps.find.study_list import STUDY_LIST


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the find step works with."""

    config: Config
    settings: Find
    storage: Storage
    registry: Registry
    ledger: Ledger
    context: RunContext
    clock: Clock
    notify: Callable[[Event], None]

    def find(self, *, again: bool) -> str | None:
        """Ask the PACS and write the study list.

        Parameters
        ----------
        again
            Ask also where this very query was proven before and its list exists.

        Returns
        -------
        str or None
            When the query had been answered before, if it was not asked again.
        """
        criteria = self._criteria()
        query = self._fingerprint(criteria)
        target = self.storage.resources
        with open_study_list(target, self.registry, self.context) as sink:
            list_exists = exists(target) and sink.has(STUDY_LIST)
            answered = answered_at(query, self.ledger)
            if answered and list_exists and not again:
                return answered
            found = self._search(criteria, query)
            write(
                found,
                criteria,
                self.settings.level,
                ledger=self.ledger,
                sink=sink,
                list_exists=list_exists,
                outcomes=self._outcomes() if criteria.has_cohort else None,
                clock=self.clock,
            )
        return None

    def survey(self) -> Survey:
        """Ask the PACS what there is to collect; no list is written, nothing is moved."""
        criteria = self._criteria()
        found = self._search(criteria, PLAN + self._fingerprint(criteria))
        self.ledger.searches.finish(found, self.clock.now())
        move = self.config.move
        last = self.ledger.searches.get(found.id)
        unproven = coverage(self.ledger, last)
        return Survey(
            studies=(
                {**study.attributes, "StudyInstanceUID": study.uid}
                for study in self.ledger.studies.answering(found.id, only_new=False)
            ),
            complete=self.ledger.studies.in_verdicts(GOOD),
            stored=self.ledger.instances.by_modality(),
            rate=self.ledger.studies.rate(),
            unproven=[*unproven, *(("", problem) for problem in last.problems)],
            notes=last.notes,
            questions=self.ledger.questions.counts(found.id),
            window=move.window if move else Window(),
            directory=self.storage.directory,
            free=shutil.disk_usage(self.storage.directory).free,
        )

    def _search(self, criteria: Criteria, query: str) -> Search:
        use = self.settings.use
        net = self.config.net
        with closing(open_provider(use, self.registry, self.context)) as provider:
            return search(
                criteria,
                query,
                put=guarded_ask(provider, use.name),
                requires_patient_id=lambda: provider.requires_patient_id,
                profile=net.called.profile if net and net.called else Profile(),
                ledger=self.ledger,
                clock=self.clock,
                notify=self.notify,
            )

    def _criteria(self) -> Criteria:
        settings = self.settings
        return Criteria(
            start=settings.start,
            end=settings.end,
            modality=settings.modality,
            search_fields=settings.search_fields,
            filters=settings.filters,
            members=cohort.read(settings.cohort) if settings.cohort else (),
            has_cohort=settings.cohort is not None,
            undated=settings.undated,
            max_studies=settings.max_studies,
        )

    def _fingerprint(self, criteria: Criteria) -> str:
        # With its options: another folder, say, is another place to ask.
        use = self.settings.use.identity
        return fingerprint(criteria, self.settings.level, self.config.net, use)

    def _outcomes(self) -> Path:
        """Return where the outcomes of the cohort go: beside the study list, if that is a file."""
        target = self.storage.resources
        is_file = not is_url(target)
        return outcomes_path(Path(target) if is_file else self.storage.state / "resources")


def coverage(ledger: Ledger, found: Search) -> list[tuple[str, str]]:
    """Return what a search has not proven: the region in words, and why."""
    unfinished = [("the whole query", "the search has not ended")]
    return [
        *(unfinished if found.finished_at is None else []),
        *(
            (Region.parse(region).in_words, reason)
            for region, reason in ledger.searches.unproven(found.id)
        ),
    ]


def exists(target: str) -> bool:
    """Tell whether a target is there; of a database that is the sink's business."""
    return is_url(target) or Path(target).exists()
