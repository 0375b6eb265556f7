"""What a study should consist of, from the best source that the PACS offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pacsfw.api import Query, QueryRow
from pacsfw.plugins.pacs_query import PacsQuery

SERIES_COUNT = "NumberOfSeriesRelatedInstances"
STUDY_COUNT = "NumberOfStudyRelatedInstances"


@dataclass(frozen=True, slots=True)
class SeriesExpectation:
    """The objects expected of one series: their UIDs, or at least how many, or nothing."""

    uid: str
    uids: frozenset[str] | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """The objects expected of one study: their UIDs, or at least how many, or nothing.

    ``series`` are all series that the PACS lists; none where it did not list them whole.
    """

    source: str = ""
    uids: frozenset[str] | None = None
    count: int | None = None
    series: tuple[SeriesExpectation, ...] = ()

    @property
    def strength(self) -> int:
        """How much it proves: UIDs more than a number, a number more than nothing."""
        return 2 if self.uids is not None else int(self.count is not None)


def read_expectation(pacs: PacsQuery, study_uid: str) -> Expectation:
    """Ask for the UIDs series by series, else for the number of instances.

    Every unique key above the level is sent (PS3.4 C.4.1.2.1): archives without
    relational queries refuse anything less.

    Raises
    ------
    RemoteError
        The PACS could not be asked.
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
    """Return every series with what is known of it; None where they were not all listed."""
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
        ask_all = uids is not None  # who does not answer once is not asked for each series
        count = _number(row) if uids is None else len(uids)
        found.append(SeriesExpectation(uid, uids, count))
    return found


def _image_uids(pacs: PacsQuery, match: dict[str, str]) -> frozenset[str] | None:
    answer, images = pacs.ask(Query(level="IMAGE", match=match, returns=("SOPInstanceUID",)))
    uids = frozenset(row.attributes.get("SOPInstanceUID", "") for row in images)
    # A row without its unique key says that there is an object, but not which.
    return uids if answer.complete and "" not in uids else None


def _study_count(pacs: PacsQuery, study_uid: str) -> int | None:
    match = {"StudyInstanceUID": study_uid}
    answer, rows = pacs.ask(Query(level="STUDY", match=match, returns=(STUDY_COUNT,)))
    return _number(rows[0], STUDY_COUNT) if answer.complete and len(rows) == 1 else None


def _number(row: QueryRow, keyword: str = SERIES_COUNT) -> int | None:
    text = row.attributes.get(keyword, "").strip()
    return int(text) if text.isdecimal() else None
