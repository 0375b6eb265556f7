"""The planner's queries, and what their results show about the PACS."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from pacsfw.api import Query, QueryResult, QueryRow
from pacsfw.dimse.status import (
    CANCELLED,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    WRONG_IDENTIFIER,
    is_warned,
)
from pacsfw.errors import RemoteError
from pacsfw.steps.find.division import MODALITIES, TEXT_KEYS
from pacsfw.steps.find.forms import SAMPLES, Forms
from pacsfw.steps.find.journal import Journal
from pacsfw.steps.find.region import Region, RowTally


class Puts(Protocol):
    """Sends queries to a PACS."""

    def put(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Send a query; its rows stream through ``emit``, and count once the result is in."""


class TakesRows(Protocol):
    """Takes the rows of query results."""

    def take(self, uid: str, found: QueryRow) -> None:
        """Take one row, with the UID of its study (or the patient's ID)."""


REFUSALS = 40
"""Maximum number of refusals in a row, without a single row, before the search fails."""

PROBE_ROWS = 5
"""Rows after which a query that only shows how the PACS behaves is stopped."""

COMPARED = ("StudyDate", "StudyTime")
"""The attributes that show, in addition to the UID, whether a row matches the query."""

_HOPELESS = frozenset({SOP_CLASS_NOT_SUPPORTED, NOT_AUTHORIZED, WRONG_IDENTIFIER})


@dataclass(frozen=True, slots=True)
class Reply:
    """A query result and its rows."""

    answer: QueryResult
    tally: RowTally
    was_enough: bool
    """The query was stopped at its maximum of rows."""
    ignored: set[str]
    """Keys of the query that the PACS ignores, as the rows show."""

    @property
    def warning(self) -> str:
        """What the PACS warned of at the end, although it answered; "" without a warning."""
        answer = self.answer
        if answer.complete or not is_warned(answer):
            return ""
        return f"{answer.status_text}{f' ({answer.comment})' if answer.comment else ''}"

    @property
    def is_whole(self) -> bool:
        """Whether the PACS says that these are all rows, if only with a warning."""
        return self.answer.complete or bool(self.warning)

    @property
    def is_final(self) -> bool:
        """Whether narrower queries would have no better results."""
        return self.is_whole or self.answer.evidence.get("narrower_helps") is False

    @property
    def is_refused(self) -> bool:
        """Whether the PACS refused the query without sending a row."""
        return not (self.is_final or self.broke_off or self.tally.rows or self.was_enough)

    @property
    def is_too_much(self) -> bool:
        """Whether the PACS reports too many matches (PS3.4 C.4.1.1.4)."""
        status = self.answer.status or 0
        return status == CANCELLED or status & 0xFF00 == OUT_OF_RESOURCES & 0xFF00

    @property
    def broke_off(self) -> bool:
        """Whether there was no final status: aborted, timeout, or not understood."""
        return self.answer.status is None and not self.answer.complete and not self.was_enough


@dataclass(slots=True)
class Bounds:
    """Whether ranges of dates were seen to include their first and last day.

    Until both are confirmed, queried ranges are one day longer at both ends, so that
    neighbouring ranges overlap. Otherwise, a PACS that excludes a bound would hide these days.
    """

    first: bool = False
    last: bool = False

    @property
    def margin(self) -> int:
        """Days to add to both ends of a queried range."""
        return 0 if self.first and self.last else 1

    def watch(self, region: Region, tally: RowTally) -> None:
        """Note whether rows have the first or the last day of the queried range."""
        if region.has_several_days:
            first, last = region.asked_days(tally.margin)
            self.first |= first in tally.days
            self.last |= last in tally.days


class Questions:
    """Sends the queries of one level.

    Parameters
    ----------
    found
        Receives every row, some several times.
    returns
        Keywords to return.
    level
        Level of the regions; each level has its own limits.
    modalities
        Whether ModalitiesInStudy may be sent as a matching key.
    ignored
        Matching keys that the PACS is known to ignore.
    is_unlimited
        Whether complete results need no proof, because there is no limit of rows.
    advice
        What to check if the PACS refuses queries.
    """

    def __init__(
        self,
        pacs: Puts,
        found: TakesRows,
        journal: Journal,
        returns: tuple[str, ...],
        *,
        level: str = "STUDY",
        modalities: bool = False,
        ignored: Collection[str] = (),
        is_unlimited: bool = False,
        advice: str = "",
    ) -> None:
        self._pacs, self._found, self._journal = pacs, found, journal
        self._returns, self.level = returns, level
        self.modalities = modalities
        self.is_unlimited, self._advice = is_unlimited, advice
        # No PACS limits its results to a single row, so a result of one row is complete.
        self.largest = 2
        """Studies (patients) in the largest result: no limit is lower."""
        self.cut = False
        """Whether an incomplete result was seen."""
        if level == "STUDY":
            self.largest, self.cut = max(2, journal.search.largest), journal.search.cut
        self.ignored = set(ignored)
        """Matching keys that the PACS ignores, as known before or seen."""
        self.bounds = Bounds()
        self.forms = Forms()
        self.untimed_seen = False
        """Whether there are studies without a StudyTime."""
        self.ranges_take_untimed = False
        """Whether these studies match ranges of time without a lower bound."""
        self._refusals = 0
        self._has_answered = False

    def put(self, region: Region, *, to_compare: bool = False, max_rows: int = 0) -> Reply:
        """Send a query; retry it once if there was no final status.

        Parameters
        ----------
        to_compare
            Return only UID, date and time, and record no study.
        max_rows
            Stop after so many rows, as for ``to_compare``.

        Raises
        ------
        RemoteError
            There was no response twice, or too many refusals in a row.
        """
        returns = COMPARED if to_compare or max_rows else self._returns
        reply = self._put_once(region, returns, max_rows)
        if reply.broke_off:
            again = self._put_once(region, returns, max_rows)
            if again.broke_off and not (reply.tally.rows or again.tally.rows):
                raise RemoteError(
                    f"find: the PACS did not answer a query at {region.level} level, twice: "
                    f"{again.answer.status_text}; {self._advice}",
                    comment=again.answer.comment,
                )
            reply = max(again, reply, key=lambda each: (each.answer.complete, each.tally.rows))
        self._watch(region, reply)
        return reply

    def probe(self, region: Region, keys: tuple[str, ...] = ()) -> bool:
        """Return whether a query for a region returns any row; a refusal counts for nothing."""
        returns = tuple(dict.fromkeys((*COMPARED, *TEXT_KEYS, *dict(region.keys), *keys)))
        return bool(self._put_once(region, returns, PROBE_ROWS).tally.rows)

    def _put_once(self, region: Region, returns: tuple[str, ...], max_rows: int) -> Reply:
        texts = (*TEXT_KEYS, *([MODALITIES] if self.modalities else []))
        by_days = region.has_several_days and "StudyDate" not in self.ignored
        # A result that is divided by days may be large, and its texts are not needed.
        margin = self.bounds.margin
        tally = RowTally(margin=margin, texts={} if by_days else {key: [] for key in texts})
        first: list[Mapping[str, str]] = []
        own_key = "PatientID" if region.level == "PATIENT" else "StudyInstanceUID"

        def emit(found: QueryRow) -> None:
            uid = found.attributes.get(own_key, "")
            tally.add(region, uid, found.attributes)
            if len(first) < SAMPLES:
                first.append({**found.attributes, own_key: uid})
            if returns is self._returns:
                self._found.take(uid, found)

        query = region.as_query(returns, margin=margin, max_rows=max_rows)
        started = self._journal.clock.monotonic()
        answer = self._pacs.put(query, emit)
        seconds = self._journal.clock.monotonic() - started
        self._journal.question(query, answer, tally.rows, seconds)
        was_enough = bool(max_rows) and tally.rows >= max_rows
        reply = Reply(answer, tally, was_enough, tally.ignored(region))
        if first and not reply.ignored:
            self.forms.learn(region, margin, first)
        return reply

    def learn(self, *, cut: bool) -> None:
        """Note an incomplete result, also for a search that resumes this one."""
        self.cut |= cut
        if self.level == "STUDY":
            self._journal.learned(self.largest, cut=self.cut)

    def _watch(self, region: Region, reply: Reply) -> None:
        """Learn from a reply how the PACS behaves."""
        tally, answer = reply.tally, reply.answer
        if "StudyDate" not in reply.ignored:
            self.bounds.watch(region, tally)
        self.untimed_seen |= bool(tally.untimed)
        if region.seconds and region.seconds[0] == 0 and tally.untimed:
            self.ranges_take_untimed = True
        # A limit may or may not count repeated rows.
        self.largest = max(self.largest, len(tally.uids))
        self.learn(cut=bool(tally.rows) and not (reply.is_final or reply.was_enough))
        if not reply.is_refused:
            self._refusals, self._has_answered = 0, True
            return
        self._refusals += 1
        hopeless = answer.status in _HOPELESS and not self._has_answered
        if self._refusals >= REFUSALS or hopeless:
            raise RemoteError(
                f"find: the PACS refuses the query: {answer.status_text}; {self._advice}",
                comment=answer.comment,
            )
