"""Checking an empty query result in another way.

A few queries that stop after some rows show whether the PACS answers queries of this form.
Each of them names a StudyDate or a key: a PACS may block an AE title that asks for everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from pacsfw.steps.find.division import Division
from pacsfw.steps.find.forms import Forms, example, form_of
from pacsfw.steps.find.journal import Journal
from pacsfw.steps.find.questions import Questions
from pacsfw.steps.find.region import LATEST, Region

WIDER = 183
"""Days by which a range is widened in order to see a larger result."""

OLDEST = date(1950, 1, 1).toordinal()
MONTH, WEEK = 31, 7
SHORTER = (WIDER, 92, MONTH, WEEK)
"""Lengths of ranges to try where longer ones find nothing."""
MONTHS = 12
"""Maximum number of months of a range to query."""
DAYS = 366
"""Maximum number of single days of a range to query."""
MOST_PARTS = 4000
"""Maximum number of ranges into which a range is divided because longer ones find nothing."""

EMPTY = "the result is empty"
"""The beginning of both reasons. A resumed search is compared with it: it must not change."""
NO_ROWS = (
    f"{EMPTY}, and no other query returned a study: is the PACS empty, or does it find nothing by "
    "such queries? A search for a day that has studies shows it"
)
NOT_SHOWN = f"{EMPTY}, and no query of this form returned a study: the PACS may not support it"


MARGIN = 1
"""The greatest margin that the query of a range of dates may have had."""


class Emptiness:
    """Checks whether empty results mean that there is nothing.

    Parameters
    ----------
    may_widen
        Whether queries may lack a PatientID.
    """

    def __init__(self, questions: Questions, journal: Journal, *, may_widen: bool) -> None:
        self._questions, self._journal, self._may_widen = questions, journal, may_widen
        self._sought: set[str] = set()

    @property
    def _forms(self) -> Forms:
        return self._questions.forms

    def is_shown(self, region: Region, margin: int) -> bool:
        """Return whether a query like the one for a region, with this margin, returned rows."""
        return self._forms.are_shown(_asked(region, margin))

    def doubt(self, region: Region) -> Division | str:
        """Return why the empty result for a region proves nothing; "" if it does prove.

        Returns
        -------
        Division or str
            A division into ranges short enough for this PACS, or a reason.
        """
        asked = _asked(region, MARGIN)
        if self._forms.are_shown(asked):
            return ""
        self._seek(asked)
        failed = False
        for row in list(self._forms.samples):
            if self._forms.are_shown(asked):
                return ""
            shown = example(asked, row)
            failed |= shown is not None and not self._questions.probe(shown)
        if self._forms.are_shown(asked):
            return ""
        if failed and self._may_widen and (parts := self._shorter(region)):
            return Division("StudyDate", parts, independent=False)
        return NOT_SHOWN if self._forms.samples else NO_ROWS

    def _shorter(self, region: Region) -> tuple[Region, ...]:
        """Divide a range of days into ranges of the greatest length that finds a known study."""
        if region.days is None or form_of(region).dates != "range":
            return ()
        low, high = region.days
        lengths = [length - 2 * MARGIN for length in SHORTER if length <= high - low]
        for length in (*(each for each in lengths if each > 1), 1):
            if high - low >= MOST_PARTS * length:
                return ()
            spans = [(day, min(day + length - 1, high)) for day in range(low, high + 1, length)]
            parts = tuple(replace(region, days=span) for span in spans)
            if self._finds(parts[0]):
                return parts
        return ()

    def _finds(self, region: Region) -> bool:
        """Return whether queries of this form find a known study."""
        if self._forms.are_shown(region):
            return True
        shown = (example(region, row) for row in list(self._forms.samples))
        return any(self._questions.probe(each) for each in shown if each is not None)

    def _seek(self, region: Region) -> None:
        """Look for any study of this PACS, if none is known; each query once per search."""
        if region.level == "PATIENT" or self._forms.samples:
            return
        for wanted in self._elsewhere(region):
            if wanted.text not in self._sought:
                self._sought.add(wanted.text)
                if self._questions.probe(wanted, tuple(dict(region.keys))):
                    return

    def _elsewhere(self, region: Region) -> Iterator[Region]:
        """Yield regions in which there may be studies: few and wide ones first."""
        if not self._may_widen:
            if region.days and "*" not in dict(region.keys).get("PatientID", "*"):
                yield replace(region, days=None, seconds=None)
            return
        tomorrow = self._journal.tomorrow()
        days = region.days or (OLDEST, tomorrow)
        if days[0] >= OLDEST and days[1] < LATEST:
            yield Region(days=(max(days[0] - WIDER, OLDEST), min(days[1] + WIDER, LATEST - 1)))
        yield Region(days=(OLDEST, tomorrow))
        for day in self._journal.known_days():
            yield Region(days=(day, day))
        low, high = max(days[0], OLDEST), min(days[1], tomorrow)
        for first in [tomorrow - MONTH + 1, *range(high - MONTH + 1, low - 1, -MONTH)[:MONTHS]]:
            yield Region(days=(first, first + MONTH - 1))
        recent = range(tomorrow, tomorrow - WEEK, -1)
        within = range(high, low - 1, -1)[:DAYS] if region.days else ()
        for day in [*recent, *within]:
            yield Region(days=(day, day))


def _asked(region: Region, margin: int) -> Region:
    return replace(region, days=region.days and region.asked_days(margin))
