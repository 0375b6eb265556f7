"""The requests for the missing instances of a study, and no others."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from pacsfw.api import Level, Request, is_uid
from pacsfw.ledger.evidence import WHOLE_STUDY
from pacsfw.steps.move.expected import Expectation

BATCHES = (200, 20, 1)
"""Instances per request, by attempt. An instance that a PACS fails to send makes the others
in its request fail too."""

Refused: TypeAlias = "AbstractSet[Level]"
Failures: TypeAlias = "Counter[tuple[Level, int | None]]"


SMALLER_REQUESTS = 1000
"""Maximum number of failed requests in a run that are replaced by smaller ones."""

HELPED = 3
"""After so many studies of which only smaller requests brought anything, a run begins with
these."""


class Levels:
    """The retrieve levels that a PACS does not support, as a run finds out; for all threads.

    A level at which instances arrived is supported, even if requests for some studies fail.

    Parameters
    ----------
    first
        The level to begin with.
    """

    def __init__(self, first: Level = "STUDY") -> None:
        above: tuple[Level, ...] = ("STUDY", "SERIES")
        self._skipped = frozenset(above[: ("STUDY", "SERIES", "IMAGE").index(first)])
        self.refused: set[Level] = set(self._skipped)
        self.in_vain: set[str] = set()
        """The studies of which a request for the complete study brought nothing."""
        self._failures: dict[str, Failures] = {}
        self.replaced = 0
        """Number of failed requests that smaller ones replaced."""
        self._served: set[Level] = set()
        self._helped: set[str] = set()
        self._lock = threading.Lock()

    def serves(self, level: Level) -> None:
        """Note that instances arrived."""
        self._served.add(level)
        if level not in self._skipped:
            self.refused.discard(level)

    def failures_of(self, study_uid: str) -> Failures:
        """Return the failed requests for a study in this run, by level and status."""
        return self._failures.setdefault(study_uid, Counter())

    def has_served(self, level: Level) -> bool:
        """Return whether instances arrived at this level."""
        return level in self._served

    def refuses(self, level: Level) -> None:
        """Note that a request was not understood."""
        if level not in self._served:
            self.refused.add(level)

    def helps(self, study_uid: str) -> None:
        """Note that a smaller request brought what one for the complete study did not."""
        with self._lock:
            self._helped.add(study_uid)
            if len(self._helped) >= HELPED and "STUDY" not in self._served:
                self.refused.add("STUDY")

    def spend(self) -> bool:
        """Take one smaller request from the budget of the run; return whether one was left."""
        with self._lock:
            left = self.replaced < SMALLER_REQUESTS
            self.replaced += left
            return left


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
    divided = (bool(here) or "STUDY" in refused) and "SERIES" not in refused
    if expectation.uids is None:
        if here and expectation.counts and expectation.owed <= len(here):
            return []
        return (_by_count(study_uid, expectation, stored, here) if divided else []) or [whole]
    missing = expectation.uids - here - given_up
    if not missing and not _may_lack(expectation, here, given_up):
        return [] if here or expectation.uids else [whole]
    if missing == expectation.uids and "STUDY" not in refused:
        return [whole]
    if not expectation.proven:
        if expectation.owed > len(expectation.uids):
            # The list is cut: its series may hold more than it says.
            cut = _by_count(study_uid, expectation, stored, here) if divided else []
            return cut or [whole]
        if attempt == 1 and "STUDY" not in refused and not expectation.counts:
            return [whole]  # only a complete retrieve shows that the list is whole
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


def _may_lack(expectation: Expectation, here: AbstractSet[str], given_up: AbstractSet[str]) -> bool:
    """Return whether instances may be missing that no list names."""
    listed = expectation.uids or frozenset()
    if expectation.proven or WHOLE_STUDY in given_up or not listed <= here:
        return False
    return expectation.owed > len(here) or not expectation.counts


def images_of(request: Request, requests: Sequence[Request]) -> Sequence[Request]:
    """Return those of these requests that are for instances of the series of a request."""
    return [each for each in requests if each.sop_uids and each.series_uid == request.series_uid]


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
        listed = series.uids or frozenset()
        number = len(stored.get(series.uid, frozenset()) | (listed & here))
        if number < (series.owed or 0) or not listed <= here:
            lacking.append(series.uid)
    if not all(map(is_uid, lacking)):
        return []
    return [Request(study_uid=study_uid, series_uid=uid) for uid in lacking]
