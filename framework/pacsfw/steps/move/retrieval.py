"""The requests of one attempt at a study: smaller ones where larger ones fail."""

from __future__ import annotations

import threading
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from pacsfw.api import Clock, Level, Outcome, Request
from pacsfw.errors import RemoteError
from pacsfw.steps.move.requests import Levels, images_of, series_of
from pacsfw.steps.move.statuses import COUNTS, SUCCESS, Ending, ending_of, worst
from pacsfw.steps.move.verdict import Retrieved

FRUITLESS = 3
"""After so many instance requests in a row without a result, the complete series is requested."""

FAILURES = {"SERIES": 3, "IMAGE": 10}
"""An attempt ends after so many requests for the study that failed with the same status."""

SILENT_SECONDS = 60.0
"""A PACS that sent nothing for so long, and no final response, is not asked for the rest."""


class Requesting(Protocol):
    """Requests for one study, on its way through one attempt."""

    @property
    def study_uid(self) -> str:
        """The study."""

    def missing(self, refused: AbstractSet[Level]) -> list[Request]:
        """Return requests for what is missing, without these levels."""

    def fetch(self, request: Request) -> Outcome:
        """Send a request, and wait until it has ended."""

    def news(self) -> int:
        """Return a number that grows with everything that arrives for the study."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A request that has ended."""

    request: Request
    outcome: Outcome
    came: bool
    seconds: float

    @property
    def ending(self) -> Ending:
        return ending_of(self.outcome)

    @property
    def is_tried(self) -> bool:
        """Whether missing instances of the request count as tried."""
        alone = len(self.request.sop_uids) == 1
        return self.ending in COUNTS or (self.ending == "busy" and (self.came or alone))


class Retrieval:
    """Sends the requests of one attempt.

    Parameters
    ----------
    levels
        What is known about the levels that the PACS serves; shared by all threads.
    skip
        Levels not to begin with.
    backwards
        Whether to begin with the last request: a PACS that always fails at the same place then
        serves what is behind it.
    """

    def __init__(
        self,
        requesting: Requesting,
        levels: Levels,
        clock: Clock,
        stop: threading.Event,
        *,
        skip: AbstractSet[Level] = frozenset(),
        backwards: bool = False,
    ) -> None:
        self._requesting, self._levels, self._clock, self._stop = requesting, levels, clock, stop
        self._refused = set(skip)
        self._backwards = backwards
        self._ended: list[_Ended] = []
        self._failures = levels.failures_of(requesting.study_uid)
        self._fruitless = 0

    def run(self) -> Retrieved | None:
        """Request what is missing; return what this showed, or None if nothing is missing.

        Raises
        ------
        RemoteError
            The PACS was not reached.
        """
        waiting = self._planned()
        while waiting and not self._stop.is_set():
            request = waiting.pop(0)
            one = self._send(request)
            if self._stop.is_set():
                break
            if not one.outcome.reached:
                raise RemoteError(one.outcome.status_text, comment=one.outcome.comment)
            if one.ending == "mismatch":
                was_refused = request.level in self._refused
                self._refused.add(request.level)
                self._levels.refuses(request.level)
                waiting = self._planned()
                if waiting and waiting[0].level != request.level and not was_refused:
                    continue  # another level may work
                self._ended.append(one)
                break
            self._ended.append(one)
            self._learn(one)
            if self._must_end(one):
                break
            waiting = self._after(one, waiting)
        return self._retrieved() if self._ended else None

    def _planned(self) -> list[Request]:
        requests = self._requesting.missing(self._refused)
        return requests[::-1] if self._backwards else requests

    def _send(self, request: Request) -> _Ended:
        before, begun = self._requesting.news(), self._clock.monotonic()
        outcome = self._requesting.fetch(request)
        came = bool(outcome.completed) or self._requesting.news() > before
        return _Ended(request, outcome, came, self._clock.monotonic() - begun)

    def _learn(self, one: _Ended) -> None:
        level, study_uid = one.request.level, one.request.study_uid
        if one.came:
            self._levels.serves(level)
            if level != "STUDY" and study_uid in self._levels.in_vain:
                self._levels.helps(study_uid)
            self._fruitless = 0
            return
        self._fruitless += 1
        if one.ending != "done":
            self._failures[level, one.outcome.status] += 1
        if level == "STUDY" and one.ending not in ("busy", "refused"):
            self._levels.in_vain.add(study_uid)

    def _must_end(self, one: _Ended) -> bool:
        """Return whether the rest of the attempt would fail as well."""
        if one.ending == "refused":
            return True
        if one.came or one.ending == "done":
            return False
        if one.ending == "busy" or (one.ending == "silent" and one.seconds > SILENT_SECONDS):
            return True
        level = one.request.level
        if level == "STUDY":
            return False
        # The destination is out of reach, or it refuses: once is enough to see that.
        most = 1 if one.ending == "unsent" else FAILURES[level]
        return self._failures[level, one.outcome.status] >= most

    def _after(self, one: _Ended, waiting: list[Request]) -> list[Request]:
        """Return the requests that are left, or smaller ones in place of one that failed."""
        request = one.request
        if request.level == "IMAGE" and self._fruitless >= FRUITLESS:
            if self._levels.has_served("IMAGE") or "SERIES" in self._refused:
                return waiting
            # The PACS may not support the IMAGE level.
            return [each for each in waiting if each.level != "IMAGE"] + list(series_of([request]))
        if one.came or one.ending in ("done", "partly"):
            return waiting  # more may arrive yet: the next attempt begins with smaller requests
        if request.level == "STUDY" and one.ending != "silent" and self._levels.spend():
            self._refused.add("STUDY")
            return [each for each in self._planned() if each.level != "STUDY"]
        images_failed = any(level == "IMAGE" for level, _ in self._failures)
        if request.level == "SERIES" and not images_failed and self._levels.spend():
            return [*images_of(request, self._requesting.missing({"STUDY", "SERIES"})), *waiting]
        return waiting

    def _retrieved(self) -> Retrieved:
        outcome = worst([each.outcome for each in self._ended])
        only = self._ended[0] if len(self._ended) == 1 else None
        of_study = only is not None and only.request.level == "STUDY"
        total = None
        if of_study and outcome.completed is not None:
            total = outcome.completed + (outcome.failed or 0) + (outcome.warning or 0)
        return Retrieved(
            outcome,
            whole=of_study and outcome.status == SUCCESS,
            total=total,
            tried=any(each.is_tried for each in self._ended),
            came=any(each.came for each in self._ended),
        )
