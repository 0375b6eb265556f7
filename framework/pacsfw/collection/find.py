"""Connect the find step: from the configuration to a search, a study list or a survey."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pacsfw.api import Cohort, Profile
from pacsfw.collection.pacs import open_query
from pacsfw.collection.study_list import open_study_list
from pacsfw.config.finding import outcomes_path
from pacsfw.config.values import is_url
from pacsfw.config.window import Window
from pacsfw.ledger import Ledger
from pacsfw.ledger.searches import PLAN, Search
from pacsfw.report.plan import Survey
from pacsfw.steps.find import cohort
from pacsfw.steps.find.cohort_rows import CohortItem
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.region import Region
from pacsfw.steps.find.search import answered_at, fingerprint, search, write
from pacsfw.steps.find.study_list import STUDY_LIST
from pacsfw.steps.run import Run
from pacsfw.words import GOOD


class FindStep:
    """The find step of one run."""

    def __init__(self, run: Run) -> None:
        self._run, self._ledger = run, run.ledger
        self._settings = run.config.need_find()

    def find(self, *, again: bool) -> str | None:
        """Search the PACS and write the study list, as `Collection.find`."""
        criteria = self._criteria()
        query = self._fingerprint(criteria)
        with open_study_list(self._run) as sink:
            list_exists = exists(self._run.storage.resources) and sink.has(STUDY_LIST)
            answered = answered_at(query, self._ledger)
            if answered and list_exists and not again:
                return answered
            found = self._search(criteria, query, only_new=not again)
            write(
                self._run,
                found,
                criteria,
                self._settings.level,
                sink=sink,
                list_exists=list_exists,
                outcomes=self._outcomes() if criteria.has_cohort else None,
            )
        return None

    def survey(self) -> Survey:
        """Search the PACS and return the result, without writing a list or moving anything."""
        criteria = self._criteria()
        found = self._search(criteria, PLAN + self._fingerprint(criteria))
        self._ledger.searches.finish(found, self._run.clock.now())
        move = self._run.config.move
        last = self._ledger.searches.get(found.id)
        unproven = coverage(self._ledger, last)
        return Survey(
            studies=(
                {**study.attributes, "StudyInstanceUID": study.uid}
                for study in self._ledger.studies.answering(found.id, only_new=False)
            ),
            complete=self._ledger.studies.in_verdicts(GOOD),
            stored=self._ledger.results.by_modality(),
            rate=self._ledger.studies.rate(),
            unproven=[*unproven, *(("", problem) for problem in last.problems)],
            notes=last.notes,
            questions=self._ledger.questions.counts(found.id),
            window=move.window if move else Window(),
            directory=self._run.storage.directory,
            free=shutil.disk_usage(self._run.storage.directory).free,
        )

    def _search(self, criteria: Criteria, query: str, *, only_new: bool = False) -> Search:
        net = self._run.config.net
        profile = net.called.profile if net and net.called else Profile()
        with open_query(self._run, self._settings.use) as pacs:
            return search(self._run, criteria, query, pacs, profile, only_new=only_new)

    def query(self) -> str:
        """Return the fingerprint of the search that the configuration describes.

        Raises
        ------
        ConfigError
            The cohort cannot be read.
        """
        return self._fingerprint(self._criteria())

    def _criteria(self) -> Criteria:
        settings = self._settings
        return Criteria(
            start=settings.start,
            end=settings.end,
            modality=settings.modality,
            search_fields=settings.search_fields,
            filters=settings.filters,
            members=cohort.read(cohort_rows(self._run)) if settings.cohort else (),
            has_cohort=settings.cohort is not None,
            undated=settings.undated,
            max_studies=settings.max_studies,
        )

    def _fingerprint(self, criteria: Criteria) -> str:
        # The options are included: the provider `folder` with another folder is another search.
        use = self._settings.use.identity
        return fingerprint(criteria, self._settings.level, self._run.config.net, use)

    def _outcomes(self) -> Path:
        """Return the file of the cohort outcomes, next to the study list if that is a file."""
        target = self._run.storage.resources
        is_file = not is_url(target)
        return outcomes_path(Path(target) if is_file else self._run.storage.state / "resources")


def cohort_rows(run: Run) -> Iterator[CohortItem]:
    """Yield the rows of the cohort, from its source."""
    use = run.config.need_find().cohort
    if use is None:
        return
    source: Cohort = run.registry.build("cohort", use.name, use.options)
    try:
        source.open(run.context)
        yield from source.rows()
    finally:
        source.close()


def coverage(ledger: Ledger, found: Search) -> list[tuple[str, str]]:
    """Return the unproven parts of a search: (region in words, reason)."""
    unfinished = [] if found.finished_at else [("the complete search", "it has not ended")]
    regions = ledger.searches.unproven(found.id)
    return [*unfinished, *((Region.parse(region).in_words, why) for region, why in regions)]


def exists(target: str) -> bool:
    """Return whether a target exists; a database is left to the sink."""
    return is_url(target) or Path(target).exists()
