"""The expected content of a study, from everything that the PACS says about it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pacsfw.api import Level, Query, QueryResult, QueryRow
from pacsfw.dicom.matching import is_nameable
from pacsfw.dimse.status import is_warned
from pacsfw.ledger.studies import Study
from pacsfw.plugins.pacs_query import PacsQuery

SERIES_COUNT = "NumberOfSeriesRelatedInstances"
STUDY_COUNT = "NumberOfStudyRelatedInstances"
STUDY_SERIES = "NumberOfStudyRelatedSeries"
AVAILABILITY = "InstanceAvailability"

UIDS = "image-uids"
COUNTED = "instance-count"
SUMMED = "series-counts"
SENT = "sub-operations"
AT_LEAST = "at-least"


@dataclass(frozen=True, slots=True)
class SeriesExpectation:
    """The instances of a series.

    Attributes
    ----------
    uids
        The UIDs that the PACS lists; None without a list.
    count
        The number that the PACS gives; None if it gives none.
    proven
        Whether the list is whole.
    rows
        The size of the query result, with rows of other series if the PACS ignores a key.
    """

    uid: str
    uids: frozenset[str] | None = None
    count: int | None = None
    proven: bool = False
    rows: int = 0

    @property
    def owed(self) -> int | None:
        """The number of instances that must be stored; None if it is not known."""
        if self.uids is None or self.proven:
            return self.count if self.uids is None else len(self.uids)
        return max(len(self.uids), self.count or 0)


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected instances of a study.

    Attributes
    ----------
    uids
        The UIDs that the PACS lists; None without a list.
    proven
        Whether the list is whole. Otherwise a limit of rows may have cut it, and the largest
        number counts.
    counts
        Every number of instances that is known, by its source.
    at_least
        A number that the study has or exceeds: the list of its series may be cut.
    series
        All series of the study, or none if their list was incomplete.
    rows
        The size of the result that listed the series.
    """

    uids: frozenset[str] | None = None
    proven: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    at_least: int = 0
    series: tuple[SeriesExpectation, ...] = ()
    rows: int = 0

    @property
    def strength(self) -> int:
        """Strength of the evidence: a whole list 2, a number or a doubtful list 1, nothing 0."""
        if self.uids is not None and self.proven:
            return 2
        return 1 if self.uids is not None or self.counts or self.at_least else 0

    @property
    def largest(self) -> int:
        """The largest number that the PACS gave; 0 if it gave none."""
        return max(self.counts.values(), default=0)

    @property
    def source(self) -> str:
        """The source of the largest number; empty if there is none."""
        return max(self.counts, key=self.counts.__getitem__, default="")

    @property
    def owed(self) -> int:
        """The number of instances that must be stored; 0 if it is not known."""
        listed = 0 if self.uids is None else len(self.uids)
        return listed if self.proven else max(listed, self.largest, self.at_least)


class Sizes:
    """The largest query results of a run, by level: no limit of rows is lower. For all threads.

    Parameters
    ----------
    limit
        The limit of rows that the profile of the PACS names, or None.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        # As in a search: no PACS limits its results to a single row.
        self._largest: dict[str, int] = {"SERIES": 2, "IMAGE": 2}
        self._lock = threading.Lock()

    def seen(self, level: Level, rows: int) -> None:
        """Note the size of a result that ended with success."""
        with self._lock:
            self._largest[level] = max(self._largest.get(level, 2), rows)

    def is_whole(self, level: Level, rows: int) -> bool:
        """Return whether a result of this size, which ended with success, cannot be cut."""
        with self._lock:
            below_limit = self._limit is None or rows < self._limit
            return below_limit and 0 < rows < self._largest.get(level, 2)


class Expecting:
    """Reads expectations for one thread.

    Parameters
    ----------
    sizes
        Shared by the threads of a run.
    """

    def __init__(self, pacs: PacsQuery, sizes: Sizes) -> None:
        self._pacs, self._sizes = pacs, sizes

    def read(self, study_uid: str, patient_id: str = "", found: int | None = None) -> Expectation:
        """Query the UIDs series by series, and prove that they are all.

        Every unique key above the level is sent (PS3.4 C.4.1.2.1): a PACS without relational
        queries refuses anything less. A list is whole if it is smaller than the largest result
        of this run, or if an independent number agrees: that of the series, or of the study.

        Parameters
        ----------
        patient_id
            Sent to a PACS that supports only the Patient Root model.
        found
            The number of instances that the search found for the study, if any.

        Raises
        ------
        RemoteError
            The PACS could not be queried.
        """
        keys = self._keys(study_uid, patient_id)
        if not keys:
            return Expectation()
        expectation = self._listed(keys)
        if found is not None:
            expectation = replace(expectation, counts={**expectation.counts, COUNTED: found})
        expectation = self._sized(expectation)
        if self._sizes.is_whole("SERIES", expectation.rows):
            expectation = _summed(expectation)
        whole = self._pacs.is_unlimited or self._agrees(expectation)
        if expectation.uids is not None and whole:
            return expectation_proven(expectation)
        return self._with_study(expectation, keys)

    def availability(self, study_uid: str, patient_id: str = "") -> str:
        """Return where the PACS keeps the study: ``ONLINE``, ``NEARLINE``, ``OFFLINE`` or ""."""
        keys = self._keys(study_uid, patient_id)
        if not keys:
            return ""
        _, rows = self._pacs.ask(Query(level="STUDY", match=keys, returns=(AVAILABILITY,)))
        return rows[0].attributes.get(AVAILABILITY, "").strip() if rows else ""

    def _keys(self, study_uid: str, patient_id: str) -> dict[str, str]:
        """Return the unique keys of a study; none if the PACS requires a PatientID to name."""
        keys = {"StudyInstanceUID": study_uid}
        if not self._pacs.requires_patient_id:
            return keys
        return {**keys, "PatientID": patient_id} if is_nameable(patient_id) else {}

    def _listed(self, keys: Mapping[str, str]) -> Expectation:
        """Return what the lists of series and instances say."""
        query = Query(level="SERIES", match=keys, returns=("SeriesInstanceUID", SERIES_COUNT))
        answer, rows = self._ask(query)
        own = _of(rows, "StudyInstanceUID", keys["StudyInstanceUID"])
        listed = {row.attributes.get("SeriesInstanceUID", ""): row for row in own}
        if not _is_usable(answer) or "" in listed:
            return Expectation()
        return replace(_of_series(self._series(keys, listed)), rows=_size(answer, rows))

    def _series(
        self, keys: Mapping[str, str], rows: Mapping[str, QueryRow]
    ) -> list[SeriesExpectation]:
        found = []
        ask_all = True
        for uid, row in rows.items():
            count = _number(row, SERIES_COUNT)
            one = SeriesExpectation(uid, None, count)
            if ask_all:
                one = self._images({**keys, "SeriesInstanceUID": uid}, one)
                ask_all = one.uids is not None  # a PACS that fails is not queried for each series
            found.append(one)
        return found

    def _images(self, keys: Mapping[str, str], one: SeriesExpectation) -> SeriesExpectation:
        answer, rows = self._ask(Query(level="IMAGE", match=keys, returns=("SOPInstanceUID",)))
        own = _of(rows, "StudyInstanceUID", keys["StudyInstanceUID"])
        own = _of(own, "SeriesInstanceUID", one.uid)
        uids = frozenset(row.attributes.get("SOPInstanceUID", "") for row in own)
        # A row without its unique key proves that there is an instance, but not which one.
        if not _is_usable(answer) or "" in uids:
            return one
        proven = len(uids) == one.count
        return replace(one, uids=uids, proven=proven, rows=_size(answer, rows))

    def _ask(self, query: Query) -> tuple[QueryResult, list[QueryRow]]:
        """Query, once more if there was no final status, and note the size of the result."""
        answer, rows = self._pacs.ask(query)
        if not answer.complete and answer.status is None:
            answer, rows = self._pacs.ask(query)
        if answer.complete:
            self._sizes.seen(query.level, len(rows))
        return answer, rows

    def _sized(self, expectation: Expectation) -> Expectation:
        """Mark the lists of series that are smaller than the largest one so far."""
        series = tuple(
            replace(one, proven=one.proven or self._sizes.is_whole("IMAGE", one.rows))
            for one in expectation.series
        )
        return replace(expectation, series=series)

    def _agrees(self, expectation: Expectation) -> bool:
        """Return whether what is known already proves the list, without a contradiction."""
        listed = len(expectation.uids or ())
        if max(expectation.largest, expectation.at_least) > listed:
            return False
        lists = all(one.proven for one in expectation.series)
        whole = lists and self._sizes.is_whole("SERIES", expectation.rows)
        return whole or expectation.counts.get(COUNTED) == listed

    def _with_study(self, expectation: Expectation, keys: Mapping[str, str]) -> Expectation:
        """Query the numbers of the study, and use them as evidence."""
        returns = (STUDY_COUNT, STUDY_SERIES)
        answer, rows = self._ask(Query(level="STUDY", match=keys, returns=returns))
        counts = dict(expectation.counts)
        series, number = len(expectation.series), None
        if _is_usable(answer) and len(rows) == 1:
            counts.pop(COUNTED, None)  # the search may be older
            count, number = _number(rows[0], STUDY_COUNT), _number(rows[0], STUDY_SERIES)
            counts |= {} if count is None else {COUNTED: count}
            beyond = max(0, (number or 0) - series)  # each with at least one instance
            known = sum(one.owed or 0 for one in expectation.series)
            at_least = max(expectation.at_least, known + beyond)
            expectation = replace(expectation, counts=counts, at_least=at_least)
            expectation = _summed(expectation) if number == series else expectation
        all_series = number == series or self._sizes.is_whole("SERIES", expectation.rows)
        lists = all_series and all(one.proven for one in expectation.series)
        if expectation.uids is not None and (lists or self._agrees(expectation)):
            return expectation_proven(expectation)
        return expectation


def found_number(study: Study) -> int | None:
    """Return the number of instances that the search found for a study; None without one."""
    return _number(QueryRow(study.attributes), STUDY_COUNT)


def expectation_proven(expectation: Expectation) -> Expectation:
    """Return the expectation with a list that is known to be whole."""
    series = tuple(replace(one, proven=one.uids is not None) for one in expectation.series)
    return replace(expectation, proven=True, series=series)


def _of_series(series: Sequence[SeriesExpectation]) -> Expectation:
    """Return what the series say about the study; there may be more of them."""
    uids = None
    if all(one.uids is not None for one in series):
        uids = frozenset[str]().union(*(one.uids or () for one in series))
    at_least = sum(one.owed or 0 for one in series)
    return Expectation(uids, at_least=at_least, series=tuple(series))


def _summed(expectation: Expectation) -> Expectation:
    """Add the sum of the numbers of all series, if each has one."""
    numbers = [one.count for one in expectation.series if one.count is not None]
    if not numbers or len(numbers) < len(expectation.series):
        return expectation
    return replace(expectation, counts={**expectation.counts, SUMMED: sum(numbers)})


def _is_usable(answer: QueryResult) -> bool:
    """Return whether the rows are an answer, if only with a warning."""
    return answer.complete or is_warned(answer)


def _size(answer: QueryResult, rows: Sequence[QueryRow]) -> int:
    """Return the size of a result; 0 after a warning: then its size proves nothing."""
    return len(rows) if answer.complete else 0


def _of(rows: Sequence[QueryRow], key: str, uid: str) -> Sequence[QueryRow]:
    """Return the rows that a PACS which ignores the key returned for this UID.

    If no row names it, the PACS gives all of them another UID than it lists itself.
    """
    own = [row for row in rows if row.attributes.get(key, uid) == uid]
    return own or rows


def _number(row: QueryRow, keyword: str) -> int | None:
    text = row.attributes.get(keyword, "").strip()
    text = text.partition(".")[0] if text.endswith(".0") else text
    return int(text) if text.isdecimal() else None
