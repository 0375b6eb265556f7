"""Proving that a query result is complete, or naming the parts that are not proven.

A PACS applies the same limit of rows to every result. So a result with the final status
Success and fewer rows than the largest one ever seen is complete. The largest one is compared
with the results for its parts. If the limit had cut it, parts that each lack some of its rows
would contain rows that it does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pacsfw.api import QueryResult
from pacsfw.steps.find.division import MODALITIES, TEXT_KEYS, Division, by_text, divide
from pacsfw.steps.find.emptiness import EMPTY, NO_ROWS, OLDEST, WIDER, Emptiness
from pacsfw.steps.find.journal import Journal
from pacsfw.steps.find.questions import Questions, Reply
from pacsfw.steps.find.region import EARLIEST, LATEST, Region, RowTally

IGNORED = "the PACS ignores a key of the question"
"""Reason of a region that only a wider query can cover. An interrupted search is compared
with it, so the text must not change."""

NO_REPLY = Reply(
    QueryResult(complete=True, status_text=""), RowTally(), was_enough=False, ignored=set()
)

SOME_UNDATED = (
    "studies without a StudyDate were found, and nothing shows that there are no others; a cohort "
    "can name them"
)


class Coverage:
    """Covers regions, one query at a time.

    Parameters
    ----------
    may_widen
        Whether queries may have fewer keys than a region.
    """

    def __init__(self, questions: Questions, journal: Journal, *, may_widen: bool) -> None:
        self._questions, self._journal = questions, journal
        self._may_widen = may_widen
        self._emptiness = Emptiness(questions, journal, may_widen=may_widen)

    def cover(self, region: Region, *, named: bool = False) -> set[str] | None:
        """Query a region until it is proven, or its unproven parts are named.

        Parameters
        ----------
        named
            Whether a larger part, which is reported anyway, contains the region.

        Returns
        -------
        set of str or None
            The studies (patients) found; None if an earlier run had queried some of them.

        Raises
        ------
        RemoteError
            The PACS cannot be queried, or refuses every query.
        """
        state, detail = self._journal.state_of(region)
        if state is None:
            return self._settle(region, self._questions.put(region), named=named)
        if state == "divided":
            division = json.loads(detail)
            for part in division["parts"]:
                self.cover(Region.parse(part), named=named)
            self._close(region, division["axis"], division["hole"], None, named=named)
        return None

    def cover_undated(self, region: Region) -> None:
        """Cover the studies without a StudyDate in a region without dates."""
        if self._journal.state_of(region)[0]:
            self.cover(region)  # an interrupted search may not have settled all its parts
            return
        if self._questions.is_unlimited:
            self.cover(region)
            return
        # Some PACS treat an empty date as earlier than any other, but not a missing one.
        early = self._questions.put(replace(region, days=(EARLIEST, EARLIEST + 1)))
        reply = self._questions.put(region)
        if early.tally.has_empty_date and not self._is_smaller(reply):
            # Searching all dates for the others would cost too much.
            self._journal.settle(region, "unproven", reply.warning or SOME_UNDATED)
        elif reply.is_final:
            self._settle(region, reply, named=False)
        else:
            self._questions.learn(cut=True)
            self._close(region, "StudyDate", "studies without a StudyDate", reply, named=False)

    def _is_smaller(self, reply: Reply) -> bool:
        is_below = self._questions.is_unlimited or reply.tally.rows < self._questions.largest
        return reply.is_whole and is_below

    def _settle(self, region: Region, reply: Reply, *, named: bool) -> set[str] | None:
        whole = reply.is_whole
        if self._is_smaller(reply):
            return self._prove(region, reply, named=named)
        if reply.is_final and not whole:
            self._journal.settle(region, "unproven", "" if named else reply.answer.status_text)
            return reply.tally.uids
        self._questions.learn(cut=not whole)
        self._questions.ignored |= reply.ignored
        if region.exact_keys & reply.ignored:
            self._journal.settle(region, "unproven", IGNORED)
            return reply.tally.uids
        division = None
        if not reply.ignored & dict(region.keys).keys():
            division = divide(
                region,
                reply.tally,
                cut=not whole,
                ignored=self._questions.ignored,
                modalities=self._questions.modalities,
            )
        by_days = division is not None and division.axis == "StudyDate" and division.independent
        if whole and not by_days and self._wider_is_larger(region, reply):
            return self._prove(region, reply, named=named)
        if division is None:
            self._give_up(region, reply, named=named)
            return reply.tally.uids
        if not whole:
            return self._conquer(region, division, reply, None, named=named)
        # Without a known limit, the parts are not expected to bring new studies.
        to_compare = not self._questions.cut
        replies = [self._questions.put(part, to_compare=to_compare) for part in division.parts]
        if any(
            division.axis in part.ignored or _is_unsupported(division, part) for part in replies
        ):
            self._questions.ignored.add(division.axis)
            return self._settle(region, self._with_texts(region, reply), named=named)
        if self._adds_up(region, division, reply, replies):
            warnings = filter(None, (each.warning for each in (reply, *replies)))
            if warning := next(warnings, ""):
                self._journal.settle(region, "unproven", "" if named else warning)
            else:
                self._close(region, division.axis, division.gap, reply, named=named)
            return reply.tally.uids
        known = None if to_compare else replies
        return self._conquer(region, division, reply, known, named=named)

    def check_empty(self) -> None:
        """Check the empty results that nothing had shown to be true when they came.

        What other queries returned meanwhile may show it. Otherwise some more are sent.
        """
        checked: set[str] = set()
        while unchecked := [
            region
            for region in self._journal.unproven(EMPTY)
            if region.level == self._questions.level and region.text not in checked
        ]:
            for region in unchecked:
                checked.add(region.text)
                doubt = self._emptiness.doubt(region)
                if isinstance(doubt, Division):
                    self._conquer(region, doubt, NO_REPLY, None, named=False)
                else:
                    self._journal.settle(region, "unproven" if doubt else "proven", doubt)

    def _prove(self, region: Region, reply: Reply, *, named: bool) -> set[str]:
        """Settle a region whose result is smaller than others, or empty."""
        doubt = reply.warning
        needs_check = not (reply.tally.rows or self._questions.is_unlimited)
        if needs_check and not self._emptiness.is_shown(region, reply.tally.margin):
            doubt = doubt or NO_ROWS  # until `check_empty`
        if doubt:
            self._journal.settle(region, "unproven", "" if named else doubt)
        else:
            self._journal.settle(region, "proven")
        return reply.tally.uids

    def _conquer(
        self,
        region: Region,
        division: Division,
        reply: Reply,
        replies: Sequence[Reply] | None,
        *,
        named: bool,
    ) -> set[str] | None:
        """Settle a region part by part."""
        parts = [part.text for part in division.parts]
        detail = json.dumps({"parts": parts, "axis": division.axis, "hole": division.gap})
        self._journal.settle(region, "divided", detail)
        within_named = named or division.axis in (*TEXT_KEYS, MODALITIES)
        found: set[str] | None = set()
        for number, part in enumerate(division.parts):
            if replies is None and self._journal.state_of(part)[0]:
                studies = self.cover(part, named=within_named)
            else:
                answered = replies[number] if replies else self._questions.put(part)
                if division.axis in answered.ignored or _is_unsupported(division, answered):
                    self._questions.ignored.add(division.axis)
                    return self._settle(region, self._with_texts(region, reply), named=named)
                studies = self._settle(part, answered, named=within_named)
            found = None if found is None or studies is None else found | studies
        lost = (
            set() if found is None else reply.tally.uids - found - _unassigned_rows(division, reply)
        )
        if lost:
            reason = f"studies in its result that the results for its parts lack: {len(lost)}"
            self._journal.settle(region, "unproven", "" if named else reason)
        else:
            self._close(region, division.axis, division.gap, reply, named=named)
        return None if found is None else found | reply.tally.uids

    def _adds_up(
        self, region: Region, division: Division, reply: Reply, replies: Sequence[Reply]
    ) -> bool:
        """Return whether the parts prove the whole; if not, settle them one by one."""
        if not all(part.is_whole for part in replies):
            self._questions.learn(cut=True)
            return False
        if _has_all(replies, reply):
            return False
        spare = _unassigned_rows(division, reply)
        if _is_sum(replies, reply, spare):
            return True
        # The PACS may have received studies between the queries: query the whole once more.
        again = self._questions.put(region)
        if again.is_whole and not _has_all(replies, again) and _is_sum(replies, again, spare):
            return True
        self._questions.learn(cut=True)
        return False

    def _wider_is_larger(self, region: Region, reply: Reply) -> bool:
        """Return whether a wider query has more rows; it is stopped as soon as it has."""
        if self._questions.cut or not self._may_widen or region.seconds:
            return False
        for wider in self._wider(region):
            if reply.tally.rows < self._questions.largest:
                return True
            self._may_widen = self._questions.put(wider, max_rows=reply.tally.rows + 1).was_enough
        return reply.tally.rows < self._questions.largest

    def _wider(self, region: Region) -> Iterator[Region]:
        """Yield queries that should return more rows; each has a StudyDate."""
        days = region.days
        everything = Region(days=(OLDEST, self._journal.tomorrow()))
        if region.keys and days:
            yield Region(days=days)
        elif days:
            yield Region(days=(max(days[0] - WIDER, EARLIEST), min(days[1] + WIDER, LATEST)))
        if region.keys or days:
            yield everything

    def _close(
        self, region: Region, axis: str, gap: str, reply: Reply | None, *, named: bool
    ) -> None:
        """Settle a region whose parts are settled, and its studies that are in no part."""
        seen = self._questions
        if axis == "StudyTime" and seen.ranges_take_untimed and axis not in seen.ignored:
            gap = ""
        if not gap:
            self._journal.settle(region, "proven")
            return
        if seen.cut:
            reason = f"the PACS truncates its results, and {gap} may be missing"
            if seen.untimed_seen or not region.days or "StudyDate" in seen.ignored:
                self._look_by_text(region, reply)
        else:
            reason = f"no larger result was ever seen: a limit might hide {gap}"
        self._journal.settle(region, "unproven", "" if named else reason)

    def _look_by_text(self, region: Region, reply: Reply | None) -> None:
        """Find studies that other divisions cannot reach, by the beginnings of texts seen."""
        keys = [key for key in TEXT_KEYS if key not in self._questions.ignored]
        division = by_text(region, self._with_texts(region, reply).tally, keys)
        if division is not None:
            for part in division.parts:
                self.cover(part, named=True)

    def _with_texts(self, region: Region, reply: Reply | None) -> Reply:
        return reply if reply is not None and reply.tally.texts else self._questions.put(region)

    def _give_up(self, region: Region, reply: Reply, *, named: bool) -> None:
        if reply.is_whole and not self._questions.cut:
            # No sign of a limit, but one at exactly this size cannot be ruled out.
            reason = f"no larger result than these {reply.tally.rows} rows was ever seen"
        else:
            reason = f"{reply.answer.status_text}; it cannot be divided further"
        self._journal.settle(region, "unproven", "" if named else reason)


def _has_all(parts: Sequence[Reply], whole: Reply) -> bool:
    """Return whether one part has all rows of the whole: then it is not proven either."""
    return any(part.tally.uids >= whole.tally.uids for part in parts)


def _is_sum(parts: Sequence[Reply], whole: Reply, spare: set[str]) -> bool:
    union = set[str]().union(*(part.tally.uids for part in parts))
    return union <= whole.tally.uids <= union | spare


def _unassigned_rows(division: Division, reply: Reply) -> set[str]:
    """Return the studies of the whole that need not be in any part of a division."""
    if not division.gap:
        return reply.tally.neighbours
    gaps = {"StudyTime": reply.tally.untimed, "StudyDate": reply.tally.undated}
    return gaps.get(division.axis, reply.tally.uids) | reply.tally.neighbours


def _is_unsupported(division: Division, part: Reply) -> bool:
    """Return whether a part was refused for its key, not for its size."""
    return part.is_refused and not part.is_too_much and division.axis != "StudyDate"
