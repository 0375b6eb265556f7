"""The find step: query the PACS, record in the ledger, write the study list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import groupby
from pathlib import Path

from pacsfw.api import (
    Level,
    Net,
    Profile,
    Query,
    QueryResult,
    QueryRow,
    ResourcesFound,
    Sink,
)
from pacsfw.ledger import Ledger
from pacsfw.ledger.searches import Search
from pacsfw.plugins.pacs_query import PacsQuery
from pacsfw.steps.find import cohort, study_list
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.journal import Journal
from pacsfw.steps.find.matches import Matches, Seen
from pacsfw.steps.find.planner import Planner
from pacsfw.steps.find.validity import valid_until, what_is_new
from pacsfw.steps.run import Run
from pacsfw.words import count


def fingerprint(criteria: Criteria, level: Level, net: Net | None, use: str) -> str:
    """Return a text that identifies the search: equal for equal criteria and the same PACS."""
    called, web = (net.called, net.dicomweb) if net else (None, None)
    identity = [
        level,
        use,
        criteria.days,
        criteria.modality,
        sorted(criteria.returns),
        [[each.keyword, each.wanted, each.unwanted, each.fold] for each in criteria.filters],
        [sorted(member.keys.items()) for member in criteria.members],
        criteria.has_cohort,
        criteria.undated,
        [called.aetitle, called.ip, called.port] if called else [],
        web.url if web else "",
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


def search(
    run: Run,
    criteria: Criteria,
    query: str,
    pacs: PacsQuery,
    profile: Profile,
    *,
    only_new: bool = False,
) -> Search:
    """Search the PACS for all studies that match the criteria; they go to the ledger.

    A search that was interrupted less than a day ago resumes.

    Parameters
    ----------
    query
        The `fingerprint`, under which the evidence is kept.
    only_new
        Do not repeat what the last search has proven for good.

    Returns
    -------
    Search
        Not finished yet: `write` finishes it when its studies are listed.

    Raises
    ------
    RemoteError
        The PACS could not be queried.
    TooMany
        More studies match than ``find.max_studies``.
    """
    ledger, clock = run.ledger, run.clock
    before = ledger.searches.finished(query)
    begun = ledger.searches.begin(query, clock.now())
    until = valid_until(criteria, begun.started_at)
    if only_new and before and ledger.searches.is_proven(before):
        new = what_is_new(criteria, before)
        if new is not None:
            ledger.searches.adopt(begun, before)
            criteria = new
    matches = Matches(criteria, ledger, begun.id)
    journal = Journal(ledger, begun, clock, matches)

    counted = _Counted(pacs, run, matches)
    counted.report()  # a resumed search has found some already
    matches.check_limit()
    Planner(
        criteria,
        counted,
        pacs.requires_patient_id,
        profile,
        matches,
        journal,
        is_unlimited=pacs.is_unlimited,
        advice=pacs.advice,
    ).run()
    notes = [*_notes(matches.seen), *_news(ledger, begun, before, until)]
    ledger.searches.remark(begun.id, problems=_problems(matches.seen), notes=notes)
    return begun


class _Counted:
    """Queries the PACS, and reports after each query how many studies were found."""

    def __init__(self, pacs: PacsQuery, run: Run, found: Matches) -> None:
        self._pacs, self._run, self._found = pacs, run, found

    def put(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        result = self._pacs.put(query, emit)
        if query.level == "STUDY":
            self.report()
        return result

    def report(self) -> None:
        self._run.notify(ResourcesFound(at=self._run.clock.now(), total=self._found.total))


def write(
    run: Run,
    begun: Search,
    criteria: Criteria,
    level: Level,
    *,
    sink: Sink,
    list_exists: bool,
    outcomes: Path | None,
) -> None:
    """List the results of a search in ``storage.resources``, and finish the search.

    Parameters
    ----------
    level
        STUDY or PATIENT: one row per study or per patient. Studies are queried either way,
        because the patient level has no keys for dates and modality (PS3.4 C.6.1.1).
    list_exists
        Whether there is a study list already.
    outcomes
        The file for the outcome of every row of the cohort; None without a cohort.
    """
    ledger = run.ledger
    study_list.write(sink, ledger, begun.id, level, criteria.search_fields, exists=list_exists)
    if outcomes is not None:
        problems = _write_outcomes(outcomes, criteria, begun, ledger)
        ledger.searches.remark(begun.id, problems=problems)
    # Last, so that the next run resumes a search that was killed before.
    ledger.searches.finish(begun, run.clock.now(), valid_until(criteria, begun.started_at))


def answered_at(query: str, ledger: Ledger) -> str | None:
    """Return when this search was last finished and proven for good, or None."""
    last = ledger.searches.last(query)
    if last is None or last.finished_at is None or last.valid_until is not None:
        return None
    return last.finished_at.isoformat() if ledger.searches.is_proven(last) else None


def _write_outcomes(path: Path, criteria: Criteria, begun: Search, ledger: Ledger) -> list[str]:
    """Write the outcome of every row of the cohort; return the problems."""
    matched: dict[int, list[Mapping[str, str]]] = {
        number: [attributes for _, attributes in rows]
        for number, rows in groupby(ledger.searches.matched(begun.id), key=lambda each: each[0])
    }
    outcomes = [cohort.judge(each, matched.get(each.number, [])) for each in criteria.members]
    cohort.write_outcomes(path, outcomes)
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.fate] = counts.get(outcome.fate, 0) + 1
    return [
        f"find.cohort: {state} rows: {counts[state]:,}; see {path}"
        for state in ("missing", "ambiguous")
        if counts.get(state)
    ]


def _problems(seen: Seen) -> Iterator[str]:
    if seen.not_uids:
        yield (
            f"studies with an invalid StudyInstanceUID, which cannot be requested: "
            f"{seen.not_uids:,}"
        )
    for lack, answers in seen.without.items():
        if answers and answers == seen.examined[lack]:
            yield f"{lack}, so nothing can match it"
    if seen.unknown_series:
        yield (
            "studies kept although their modality or series could not be read completely: "
            f"{seen.unknown_series:,}"
        )


def _notes(seen: Seen) -> Iterator[str]:
    for keyword, studies in seen.capitals.items():
        yield (
            f"find.filters.{keyword}: studies that only case or accents decide: "
            f"{studies:,}; `ignore_case: true` ignores both"
        )
    if seen.undated:
        yield f"studies without a StudyDate that were seen: {seen.undated:,}"
    if seen.odd_dates:
        yield (
            "studies whose StudyDate is no date of the form YYYYMMDD: "
            f"{seen.odd_dates:,}; no query is certain to find all such studies"
        )
    if seen.outside:
        yield f"studies of other dates that the PACS returned, skipped: {seen.outside:,}"


def _news(
    ledger: Ledger, begun: Search, before: Search | None, until: date | None
) -> Iterator[str]:
    if before is not None and before.finished_at is not None:
        new = len(ledger.searches.uids(begun.id) - ledger.searches.uids(before.id))
        if new:
            yield f"new since the search of {before.finished_at:%Y-%m-%d}: {count(new, 'study')}"
    if until is not None:
        yield f"studies after {until} may still arrive: the next `pacsfw run` searches them again"
