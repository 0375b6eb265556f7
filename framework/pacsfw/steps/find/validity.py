"""How long the proof of a search is valid: new studies of its last days may still come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta

from pacsfw.ledger.searches import Search
from pacsfw.steps.find.cohort import Member
from pacsfw.steps.find.criteria import Criteria, days_of

SETTLED_AFTER = timedelta(hours=24)
"""Time after the end of a day, in UTC, from which no new studies of that day are expected.

The day of the PACS may end 12 hours later, and studies may arrive late.
"""

_ONCE = ("StudyInstanceUID", "AccessionNumber")
"""Keys that no later study has, once one was found."""


def valid_until(criteria: Criteria, asked_at: datetime) -> date | None:
    """Return the last day for which a search proves anything; None: it is valid for good.

    Parameters
    ----------
    asked_at
        The begin of the search, in UTC.
    """
    settled = (asked_at - SETTLED_AFTER).date() - timedelta(days=1)
    last = _last_day(criteria)
    return None if last is None or last <= settled else settled


def what_is_new(criteria: Criteria, before: Search | None) -> Criteria | None:
    """Return the criteria for the studies that an earlier, proven search could not have found.

    Returns
    -------
    Criteria or None
        None if everything has to be searched again.
    """
    if before is None or before.valid_until is None or criteria.start is None:
        return None
    begin = before.valid_until + timedelta(days=1)
    return replace(criteria, start=max(criteria.start, begin))


def _last_day(criteria: Criteria) -> date | None:
    """Return the last day of the studies that are searched; None if later ones do not matter."""
    open_members = [each for each in criteria.members if not each.keys.keys() & set(_ONCE)]
    if criteria.has_cohort and not open_members:
        return None
    return criteria.end or max(_last_days(open_members), default=date.max)


def _last_days(members: Iterable[Member]) -> Iterable[date]:
    for member in members:
        days = days_of(member.keys.get("StudyDate", ""))
        yield date.fromordinal(days[1]) if days else date.max
