"""Putting the planner's questions, and what their answers show of the PACS."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from pacsfw.api import Query, QueryResult, QueryRow
from pacsfw.dimse.status import (
    CANCELLED,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    SOP_CLASS_NOT_SUPPORTED,
    WRONG_IDENTIFIER,
)
from pacsfw.errors import RemoteError
from pacsfw.steps.find.division import MODALITIES, TEXT_KEYS
from pacsfw.steps.find.journal import Journal
from pacsfw.steps.find.region import Region, RowTally


class Puts(Protocol):
    """Puts queries to a PACS."""

    def put(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Put one; its rows stream through ``emit``, and count once the result is in."""


class TakesRows(Protocol):
    """Takes the rows of query results."""

    def take(self, uid: str, found: QueryRow) -> None:
        """Take one row, with the UID of its study (or the patient's ID)."""


REFUSALS = 40
"""Refusals in a row, without a single row, after which the PACS is taken at its word."""

COMPARED = ("StudyDate", "StudyTime")
"""What tells of a row, beside its UID, whether it answers the question."""

_HOPELESS = frozenset({SOP_CLASS_NOT_SUPPORTED, NOT_AUTHORIZED, WRONG_IDENTIFIER})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and what its rows were."""

    answer: QueryResult
    tally: RowTally
    was_enough: bool
    """We had as many rows as we wanted."""
    ignored: set[str]
    """Keys of the question that the rows show to be ignored."""

    @property
    def is_final(self) -> bool:
        """Whether narrower questions would be answered no better."""
        return self.answer.complete or self.answer.evidence.get("narrower_helps") is False

    @property
    def is_refused(self) -> bool:
        """Whether the PACS did not even begin to answer."""
        return not (self.is_final or self.broke_off or self.tally.rows or self.was_enough)

    @property
    def is_too_much(self) -> bool:
        """Whether it says that there is too much to answer (PS3.4 C.4.1.1.4)."""
        status = self.answer.status or 0
        return status == CANCELLED or status & 0xFF00 == OUT_OF_RESOURCES & 0xFF00

    @property
    def broke_off(self) -> bool:
        """Whether no final status came: aborted, silent, or not to be understood."""
        return self.answer.status is None and not self.answer.complete and not self.was_enough


@dataclass(slots=True)
class Bounds:
    """Whether ranges of dates were seen to include their first and last day.

    Until both are known to, ranges are asked one day longer at both ends, so that neighbours
    overlap: an archive that leaves out a bound would hide the days that no range holds inside.
    """

    first: bool = False
    last: bool = False

    @property
    def margin(self) -> int:
        """Days by which ranges have to be asked longer."""
        return 0 if self.first and self.last else 1

    def watch(self, region: Region, tally: RowTally) -> None:
        """See whether rows are of the first or the last day of the range that was asked."""
        if region.has_several_days:
            first, last = region.asked_days(tally.margin)
            self.first |= first in tally.days
            self.last |= last in tally.days


class Questions:
    """Puts the questions of one level.

    Parameters
    ----------
    pacs
        Is asked.
    found
        Gets every row; the same one may come several times.
    journal
        Keeps the evidence, and knows what an interrupted search has seen.
    returns
        Keywords to ask back.
    level
        Of the regions; what one level shows of limits says nothing about another.
    modalities
        Whether ModalitiesInStudy may be sent as a matching key.
    ignored
        Matching keys that the PACS is known to ignore.
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
    ) -> None:
        self._pacs, self._found, self._journal = pacs, found, journal
        self._returns, self._level = returns, level
        self.modalities = modalities
        # No archive limits its answers to a single row, so one row alone is whole.
        self.largest = 2
        """Studies (patients) in the largest answer: no limit is lower."""
        self.cut = False
        """Whether an answer was seen that lacked rows."""
        if level == "STUDY":
            self.largest, self.cut = max(2, journal.search.largest), journal.search.cut
        self.ignored = set(ignored)
        """Matching keys that are known or were seen to be ignored."""
        self.bounds = Bounds()
        self.untimed_seen = False
        """Whether there are studies without a StudyTime."""
        self.ranges_take_untimed = False
        """Whether these match ranges of time without a lower bound."""
        self._refusals = 0
        self._has_answered = False

    def put(self, region: Region, *, to_compare: bool = False, max_rows: int = 0) -> Reply:
        """Put a question; once more when no final status came.

        Parameters
        ----------
        to_compare
            It only matters which studies come: none is taken, and nothing else is asked back.
        max_rows
            End after so many rows; only their number matters, too.

        Raises
        ------
        RemoteError
            Twice nothing came, or refusal followed refusal.
        """
        returns = COMPARED if to_compare or max_rows else self._returns
        reply = self._put_once(region, returns, max_rows)
        if reply.broke_off:
            again = self._put_once(region, returns, max_rows)
            if again.broke_off and not (reply.tally.rows or again.tally.rows):
                raise RemoteError(
                    f"find: the PACS gave no answer to a question at {region.level} level, twice: "
                    f"{again.answer.status_text}; check that net.called_node is a DICOM archive "
                    "and what its own log says"
                )
            reply = max(again, reply, key=lambda each: (each.answer.complete, each.tally.rows))
        self._watch(region, reply)
        return reply

    def _put_once(self, region: Region, returns: tuple[str, ...], max_rows: int) -> Reply:
        texts = (*TEXT_KEYS, *([MODALITIES] if self.modalities else []))
        by_days = region.has_several_days and "StudyDate" not in self.ignored
        # What is divided by days may be large: its texts are not needed.
        margin = self.bounds.margin
        tally = RowTally(margin=margin, texts={} if by_days else {key: [] for key in texts})
        own_key = "PatientID" if region.level == "PATIENT" else "StudyInstanceUID"

        def emit(found: QueryRow) -> None:
            uid = found.attributes.get(own_key, "")
            tally.add(region, uid, found.attributes)
            if returns is not COMPARED:
                self._found.take(uid, found)

        question = region.as_slice(returns, margin=margin, max_rows=max_rows)
        started = self._journal.clock.monotonic()
        answer = self._pacs.put(question, emit)
        seconds = self._journal.clock.monotonic() - started
        self._journal.question(question, answer, tally.rows, seconds)
        was_enough = bool(max_rows) and tally.rows >= max_rows
        return Reply(answer, tally, was_enough, tally.ignored(region))

    def learn(self, *, cut: bool) -> None:
        """Note, also for a search that goes on with this one, whether an answer lacked rows."""
        self.cut |= cut
        if self._level == "STUDY":
            self._journal.learned(self.largest, cut=self.cut)

    def _watch(self, region: Region, reply: Reply) -> None:
        """Learn from a reply what the PACS is like."""
        tally, answer = reply.tally, reply.answer
        if "StudyDate" not in reply.ignored:
            self.bounds.watch(region, tally)
        self.untimed_seen |= bool(tally.untimed)
        if region.seconds and region.seconds[0] == 0 and tally.untimed:
            self.ranges_take_untimed = True
        # Of rows that come twice, a limit may count either way.
        self.largest = max(self.largest, len(tally.uids))
        self.learn(cut=bool(tally.rows) and not (reply.is_final or reply.was_enough))
        if not reply.is_refused:
            self._refusals, self._has_answered = 0, True
            return
        self._refusals += 1
        hopeless = answer.status in _HOPELESS and not self._has_answered
        if self._refusals >= REFUSALS or hopeless:
            raise RemoteError(
                f"find: the PACS refuses the query: {answer.status_text}; check what its own log "
                "says, and whether our AE title may query"
            )
