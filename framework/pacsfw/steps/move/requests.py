"""The requests for the missing instances of a study, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from pacsfw.api import Level, Request, is_uid
from pacsfw.steps.move.expected import Expectation

BATCHES = (200, 20, 1)
"""Instances per request, by attempt. An instance that a PACS fails to send makes the others
in its request fail too."""

Refused: TypeAlias = "AbstractSet[Level]"


class Levels:
    """The retrieve levels that a PACS does not support, as a run finds out; for all threads.

    A level at which instances arrived is supported, even if requests for some studies fail.
    """

    def __init__(self) -> None:
        self.refused: set[Level] = set()
        self._served: set[Level] = set()

    def serves(self, level: Level) -> None:
        """Note that instances arrived."""
        self._served.add(level)
        self.refused.discard(level)

    def refuses(self, level: Level) -> None:
        """Note that a request was not understood."""
        if level not in self._served:
            self.refused.add(level)


def requests_for(
    study_uid: str,
    expectation: Expectation,
    stored: Mapping[str, AbstractSet[str]],
    *,
    given_up: AbstractSet[str] = frozenset(),
    attempt: int = 1,
    refused: Refused = frozenset(),
) -> Sequence[Request]:
    """Return what to request: the study, some of its series, or single instances.

    Parameters
    ----------
    stored
        SeriesInstanceUID, as in the instances, to the SOP Instance UIDs that are stored.
    given_up
        SOP Instance UIDs that are not requested any more.
    attempt
        The number of this attempt in this run, from 1.
    refused
        Levels that this PACS does not support.
    """
    whole = Request(study_uid=study_uid)
    here = frozenset[str]().union(*stored.values())
    if expectation.uids is None:
        by_series = bool(here) and "SERIES" not in refused
        return (_by_count(study_uid, expectation, stored, here) if by_series else []) or [whole]
    missing = expectation.uids - here - given_up
    if not missing:
        return [] if here or expectation.uids else [whole]
    if missing == expectation.uids and "STUDY" not in refused:
        return [whole]
    found: list[Request] = []
    for series in expectation.series:
        wanted = sorted((series.uids or frozenset()) & missing)
        if wanted:
            entirely = len(wanted) == len(series.uids or ())
            these = _of_series(study_uid, series.uid, wanted, attempt, refused, entirely=entirely)
            if not these:
                return [whole]
            found += these
    return found or [whole]


def series_of(requests: Sequence[Request]) -> Sequence[Request]:
    """Return requests for the complete series of these requests."""
    pairs = dict.fromkeys((each.study_uid, each.series_uid) for each in requests)
    return [Request(study_uid=study, series_uid=series) for study, series in pairs]


def _of_series(
    study_uid: str,
    series_uid: str,
    wanted: Sequence[str],
    attempt: int,
    refused: Refused,
    *,
    entirely: bool,
) -> Sequence[Request]:
    """Return requests for a series or its instances; none if neither is possible."""
    if not is_uid(series_uid):
        return []
    objects = "IMAGE" not in refused and all(map(is_uid, wanted))
    if "SERIES" not in refused and (entirely or not objects):
        return [Request(study_uid=study_uid, series_uid=series_uid)]
    return _objects(study_uid, series_uid, wanted, attempt) if objects else []


def _objects(
    study_uid: str, series_uid: str, wanted: Sequence[str], attempt: int
) -> Sequence[Request]:
    size = BATCHES[min(attempt, len(BATCHES)) - 1]
    return [
        Request(study_uid=study_uid, series_uid=series_uid, sop_uids=tuple(wanted[at : at + size]))
        for at in range(0, len(wanted), size)
    ]


def _by_count(
    study_uid: str,
    expectation: Expectation,
    stored: Mapping[str, AbstractSet[str]],
    here: AbstractSet[str],
) -> Sequence[Request]:
    """Return requests for the incomplete series; none if these are not known."""
    lacking = []
    for series in expectation.series:
        if series.uids is None and series.count is None:
            return []
        number = len(stored.get(series.uid, ()))
        lacks = number < (series.count or 0) if series.uids is None else not series.uids <= here
        if lacks:
            lacking.append(series.uid)
    if not all(map(is_uid, lacking)):
        return []
    return [Request(study_uid=study_uid, series_uid=uid) for uid in lacking]
