"""Selecting and keeping the studies that match the criteria.

Every criterion is applied here, whatever keys were sent: a PACS may ignore a key, or match it
differently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pacsfw.api import Query, QueryResult, QueryRow, is_uid
from pacsfw.dicom.matching import matches
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger
from pacsfw.steps.find import cohort, filters
from pacsfw.steps.find.criteria import Criteria
from pacsfw.steps.find.region import day_of, has_odd_date

FLUSH_AT = 1000
"""Number of studies collected before they are written to the ledger."""


class TooMany(StateError):
    """More studies match than ``find.max_studies`` allows."""


@dataclass(slots=True)
class Seen:
    """Counts for the notes and problems of a search."""

    undated: int = 0
    odd_dates: int = 0
    outside: int = 0
    not_uids: int = 0
    examined: Counter[str] = field(default_factory=Counter)
    """Rows checked for a keyword that a criterion needs, by criterion."""
    without: Counter[str] = field(default_factory=Counter)
    """The number of these rows without the keyword, by criterion."""
    capitals: Counter[str] = field(default_factory=Counter)
    """Studies that only case or accents decide, by keyword of the filter."""
    unknown_series: int = 0
    """Studies whose series were needed to decide, but not read completely."""

    def counts(self) -> dict[str, Any]:
        """Return the counts in the form in which the ledger keeps them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def parse(cls, counts: Mapping[str, Any]) -> Seen:
        """Return the counts of an interrupted search."""
        seen = cls(**counts)
        for name in ("examined", "without", "capitals"):
            setattr(seen, name, Counter(getattr(seen, name)))
        return seen


class Matches:
    """Takes rows of STUDY queries, each study once.

    Studies that need a query for their series wait until `waiting` is called.
    """

    def __init__(self, criteria: Criteria, ledger: Ledger, search: int) -> None:
        self._criteria, self._ledger, self._search = criteria, ledger, search
        self._study_filters = filters.study_filters(criteria.filters)
        self._series_filters = filters.series_filters(criteria.filters)
        named_by_rows = sorted({key for member in criteria.members for key in member.keys})
        self._needed = [
            *((f"find.filters.{each.keyword}", each.keyword) for each in self._study_filters),
            *(("find.cohort", key) for key in named_by_rows),
        ]
        self._days = criteria.days
        # The ledger already has the studies of an interrupted search.
        self._decided = dict.fromkeys(ledger.searches.uids(search), True)
        self._refused: set[str] = set()
        """Studies whose series do not match."""
        self._waiting: dict[str, dict[str, str]] = {}
        self._studies: list[tuple[str, Mapping[str, str]]] = []
        self._answers: list[tuple[int, str]] = []
        self.dates_asked = True
        """Whether the current query names dates."""
        self.members: Sequence[cohort.Member] = ()
        """The rows of the cohort for which the current query was sent."""
        self.total = len(self._decided)
        self.seen = Seen.parse(ledger.searches.get(search).seen)
        """Studies that an interrupted search skipped may be counted twice."""

    def take(self, uid: str, found: QueryRow) -> None:
        """Take one row; the same study may come several times.

        Raises
        ------
        TooMany
            More studies match than the configuration allows.
        """
        if not self._decided.get(uid) and uid not in self._refused:
            # Another row of the study, or another row of the cohort, may match.
            first = uid not in self._decided
            self._decided[uid] = self._decide(uid, found.attributes, first=first)
        if self._decided[uid] and self.members:
            attributes = self._waiting.get(uid, found.attributes)
            self._answers += [
                (member.number, uid)
                for member in self.members
                if cohort.accepts(member, attributes)
            ]

    def waiting(self) -> dict[str, dict[str, str]]:
        """Return the attributes of the studies that wait for their series, by UID."""
        return dict(self._waiting)

    def series(
        self, uid: str, attributes: dict[str, str], answer: QueryResult, rows: Sequence[QueryRow]
    ) -> None:
        """Decide about a waiting study by its series."""
        del self._waiting[uid]
        known = [row.attributes for row in rows]
        for each in self._series_filters:
            self._examine(f"find.filters.{each.keyword}", each.keyword, known)
        if not attributes.get("ModalitiesInStudy"):
            modalities = {row.get("Modality", "") for row in known} - {""}
            attributes["ModalitiesInStudy"] = "\\".join(sorted(modalities))
        fits = self._has_modality(attributes) and filters.accepts_series(
            self._series_filters, known
        )
        if not answer.complete and not fits:
            # A missing series may match: keep the study, and report it.
            self.seen.unknown_series += 1
            fits = True
        if fits:
            self._accept(uid, attributes)
        else:
            self._decided[uid] = False
            self._refused.add(uid)

    def flush(self) -> None:
        """Write the accepted studies to the ledger."""
        with self._ledger.transaction():
            for uid, attributes in self._studies:
                self._ledger.studies.add(uid, attributes, "find")
            settled = [each for each in self._answers if each[1] not in self._waiting]
            accepted = [each for each in settled if self._decided[each[1]]]
            self._ledger.searches.answered(self._search, accepted)
            self._ledger.searches.saw(self._search, self.seen.counts())
        self._studies.clear()
        self._answers = [each for each in self._answers if each[1] in self._waiting]

    def _decide(self, uid: str, attributes: Mapping[str, str], *, first: bool) -> bool:
        """Decide by one row; only the ``first`` row of a study is counted."""
        if not is_uid(uid):
            self.seen.not_uids += first
            return False
        if not self._is_in_time(attributes, first=first):
            return False
        for criterion, keyword in self._needed if first else ():
            self._examine(criterion, keyword, [attributes])
        if first and (keyword := filters.capitals_decide(self._study_filters, attributes)):
            self.seen.capitals[keyword] += 1
        if not filters.accepts(self._study_filters, attributes):
            return False
        if self.members and not any(cohort.accepts(each, attributes) for each in self.members):
            return False
        if self._series_filters or not attributes.get("ModalitiesInStudy"):
            self._waiting[uid] = dict(attributes)
            return True
        if not self._has_modality(attributes):
            return False
        self._accept(uid, attributes)
        return True

    def _examine(self, criterion: str, keyword: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Note whether the PACS returns what a criterion needs."""
        lack = f"{criterion}: the PACS returns no {keyword}"
        self.seen.examined[lack] += len(rows)
        self.seen.without[lack] += sum(keyword not in row for row in rows)

    def _is_in_time(self, attributes: Mapping[str, str], *, first: bool) -> bool:
        day = day_of(attributes)
        self.seen.odd_dates += first and has_odd_date(attributes)
        if day is None:
            self.seen.undated += first
            return self._days is None or self._criteria.undated
        if self._days is None or self._days[0] <= day <= self._days[1]:
            return True
        beyond = day < self._days[0] - 1 or day > self._days[1] + 1  # queried ranges are longer
        self.seen.outside += first and beyond and self.dates_asked
        return False

    def _has_modality(self, attributes: Mapping[str, str]) -> bool:
        wanted = self._criteria.modality
        return not wanted or matches("CS", wanted, attributes["ModalitiesInStudy"].split("\\"))

    def _accept(self, uid: str, attributes: Mapping[str, str]) -> None:
        self._decided[uid] = True
        self._studies.append((uid, attributes))
        if not self._criteria.has_cohort:
            self._answers.append((0, uid))
        self.total += 1
        self.check_limit()
        if len(self._studies) >= FLUSH_AT:
            self.flush()

    def check_limit(self) -> None:
        """Stop a search that has found more than the configuration allows.

        Raises
        ------
        TooMany
            It has.
        """
        limit = self._criteria.max_studies
        if limit and self.total > limit:
            raise TooMany(
                f"find.max_studies: more than {limit:,} studies match, so the search was stopped "
                f"and nothing was listed{self._why()}; narrow the criteria, or raise the limit"
            )

    def _why(self) -> str:
        if self.seen.outside:
            return f" (the PACS also returned {self.seen.outside:,} studies of other dates)"
        return ""


def series_query(uid: str, attributes: Mapping[str, str], keywords: Sequence[str]) -> Query:
    """Return the query for the series of a study, with all keys above them."""
    match = {"StudyInstanceUID": uid}
    if patient_id := attributes.get("PatientID"):
        match["PatientID"] = patient_id
    returns = tuple(dict.fromkeys(("SeriesInstanceUID", "Modality", *keywords)))
    return Query(level="SERIES", match=match, returns=returns)
