"""The expected content of a study, from the best source that the PACS offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pacsfw.api import Query, QueryRow
from pacsfw.plugins.pacs_query import PacsQuery

SERIES_COUNT = "NumberOfSeriesRelatedInstances"
STUDY_COUNT = "NumberOfStudyRelatedInstances"


@dataclass(frozen=True, slots=True)
class SeriesExpectation:
    """The expected instances of a series: their UIDs, or only their number, or nothing."""

    uid: str
    uids: frozenset[str] | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected instances of a study: their UIDs, or only their number, or nothing.

    ``series`` contains all series of the study, or none if the list was incomplete.
    """

    source: str = ""
    uids: frozenset[str] | None = None
    count: int | None = None
    series: tuple[SeriesExpectation, ...] = ()

    @property
    def strength(self) -> int:
        """Strength of the evidence: UIDs 2, a number 1, nothing 0."""
        return 2 if self.uids is not None else int(self.count is not None)


def read_expectation(pacs: PacsQuery, study_uid: str) -> Expectation:
    """Query the UIDs series by series, or the number of instances if that fails.

    Every unique key above the level is sent (PS3.4 C.4.1.2.1): a PACS without relational
    queries refuses anything less.

    Raises
    ------
    RemoteError
        The PACS could not be queried.
    """
    series = _series(pacs, study_uid)
    if series is not None and all(one.uids is not None for one in series):
        uids = frozenset[str]().union(*(one.uids or () for one in series))
        return Expectation("image-uids", uids, len(uids), tuple(series))
    listed = tuple(series or ())
    count = _study_count(pacs, study_uid)
    if count is not None:
        return Expectation("instance-count", None, count, listed)
    counts = [one.count for one in listed if one.count is not None]
    if listed and len(counts) == len(listed):
        return Expectation("series-counts", None, sum(counts), listed)
    return Expectation(series=listed)


def _series(pacs: PacsQuery, study_uid: str) -> Sequence[SeriesExpectation] | None:
    """Return every series with its known content; None if the list is incomplete."""
    study = {"StudyInstanceUID": study_uid}
    returns = ("SeriesInstanceUID", SERIES_COUNT)
    answer, rows = pacs.ask(Query(level="SERIES", match=study, returns=returns))
    listed = {row.attributes.get("SeriesInstanceUID", ""): row for row in rows}
    if not answer.complete or "" in listed:
        return None
    found = []
    ask_all = True
    for uid, row in listed.items():
        uids = _image_uids(pacs, {**study, "SeriesInstanceUID": uid}) if ask_all else None
        ask_all = uids is not None  # a PACS that fails once is not queried for each series
        count = _number(row) if uids is None else len(uids)
        found.append(SeriesExpectation(uid, uids, count))
    return found


def _image_uids(pacs: PacsQuery, match: dict[str, str]) -> frozenset[str] | None:
    answer, images = pacs.ask(Query(level="IMAGE", match=match, returns=("SOPInstanceUID",)))
    uids = frozenset(row.attributes.get("SOPInstanceUID", "") for row in images)
    # A row without its unique key proves that there is an instance, but not which one.
    return uids if answer.complete and "" not in uids else None


def _study_count(pacs: PacsQuery, study_uid: str) -> int | None:
    match = {"StudyInstanceUID": study_uid}
    answer, rows = pacs.ask(Query(level="STUDY", match=match, returns=(STUDY_COUNT,)))
    return _number(rows[0], STUDY_COUNT) if answer.complete and len(rows) == 1 else None


def _number(row: QueryRow, keyword: str = SERIES_COUNT) -> int | None:
    text = row.attributes.get(keyword, "").strip()
    return int(text) if text.isdecimal() else None
