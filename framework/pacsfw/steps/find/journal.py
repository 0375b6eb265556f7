"""The evidence of a search in the ledger, and the evidence of an interrupted search."""

from __future__ import annotations

from typing import Protocol

from pacsfw.api import Clock, Query, QueryResult
from pacsfw.ledger import Ledger
from pacsfw.ledger.searches import RegionState, Search
from pacsfw.steps.find.region import Region, day_of


class Flushes(Protocol):
    """Holds studies that are not in the ledger yet."""

    def flush(self) -> None:
        """Write them to the ledger."""


class Journal:
    """Keeps the evidence of one search.

    Parameters
    ----------
    found
        Flushed before a region is recorded as settled: its studies must be in the ledger.
    """

    def __init__(self, ledger: Ledger, search: Search, clock: Clock, found: Flushes) -> None:
        self._ledger, self.search, self.clock, self._found = ledger, search, clock, found
        self._settled = dict(ledger.searches.settled(search.id))
        self._learned = (search.largest, search.cut)

    def question(self, asked: Query, answer: QueryResult, rows: int, seconds: float) -> None:
        """Record one query and how its result ended."""
        self._ledger.questions.record(
            self.search.id,
            self.search.query,
            asked,
            answer,
            rows=rows,
            seconds=seconds,
            at=self.clock.now(),
        )

    def learned(self, largest: int, *, cut: bool) -> None:
        """Record what is known about the limits of the PACS."""
        if self._learned != (largest, cut):
            self._learned = (largest, cut)
            self._ledger.searches.learned(self.search.id, largest=largest, cut=cut)

    def settle(self, region: Region, state: RegionState, detail: str = "") -> None:
        """Record the state of a region, after its studies."""
        self._found.flush()
        self._settled[region.text] = (state, detail)
        self._ledger.searches.settle(self.search.id, region.text, state, detail)

    def state_of(self, region: Region) -> tuple[RegionState | None, str]:
        """Return the state and detail of a region from this or an interrupted search."""
        return self._settled.get(region.text, (None, ""))

    def tomorrow(self) -> int:
        """Return the day after today, in case the clock of the PACS is ahead."""
        return self.clock.now().date().toordinal() + 1

    def known_days(self) -> list[int]:
        """Return some days on which the PACS had studies, from earlier searches."""
        days = (day_of({"StudyDate": text}) for text in self._ledger.studies.dates())
        return [day for day in days if day is not None]

    def unproven(self, beginning: str) -> list[Region]:
        """Return the unproven regions whose reason begins with a text."""
        return [
            Region.parse(text)
            for text, (state, reason) in self._settled.items()
            if state == "unproven" and reason.startswith(beginning)
        ]

    def forget(self, level: str) -> None:
        """Forget all regions of a level, so that they are queried again."""
        for text in [text for text in self._settled if Region.parse(text).level == level]:
            del self._settled[text]
            self._ledger.searches.unsettle(self.search.id, text)
