"""The hours during which instances may be requested from a PACS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

ALL_DAYS = frozenset(range(7))

_HORIZON = 15
"""Days to look ahead: one weekday per week, whose window may fall into a skipped hour."""

_MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True)
class Window:
    """A daily window in the local time of the site.

    In nights with a clock change, it is therefore an hour shorter or longer: skipped hours
    are not made up for, and repeated hours count twice.

    Parameters
    ----------
    start, end
        Local times; the end is exclusive, and the window may cross midnight. Equal times
        mean the entire day.
    days
        The weekdays on which the window opens (Monday is 0); a window that opens on Friday
        evening closes on Saturday.
    timezone
        The zone of the site; None is the zone of this system (``$TZ``, else the setting of
        the operating system), including its clock changes.
    """

    start: time = _MIDNIGHT
    end: time = _MIDNIGHT
    days: frozenset[int] = ALL_DAYS
    timezone: tzinfo | None = None

    @property
    def is_always_open(self) -> bool:
        """True if neither hours nor days restrict anything."""
        return self.start == self.end and self.days == ALL_DAYS

    def is_open(self, now: datetime) -> bool:
        """Return whether requests may begin at ``now``, which must be aware."""
        wall = self._wall(now)
        at = wall.time()
        today = wall.weekday() in self.days
        if self.start == self.end:
            return today
        if self.start < self.end:
            return today and self.start <= at < self.end
        yesterday = (wall.weekday() - 1) % 7 in self.days
        return (at >= self.start and today) or (at < self.end and yesterday)

    def next_change(self, now: datetime) -> datetime | None:
        """Return the first instant after ``now`` at which the window opens or closes.

        Returns
        -------
        datetime or None
            In UTC; None if nothing changes.
        """
        is_open = self.is_open(now)
        for instant in sorted(self._candidates(now)):
            if instant > now and self.is_open(instant) != is_open:
                return instant
        return None

    def _candidates(self, now: datetime) -> Iterator[datetime]:
        """Yield every instant at which the state may change.

        These are the times of the window (both, if the clock repeats them), and the instants
        of clock changes: always at a quarter of an hour.
        """
        if self.is_always_open:
            return
        bounds = (_MIDNIGHT,) if self.start == self.end else (self.start, self.end)
        today = self._wall(now).date()
        for ahead in range(-1, _HORIZON):
            for bound in bounds:
                wall = datetime.combine(today + timedelta(days=ahead), bound, self.timezone)
                yield wall.astimezone(UTC)
                yield wall.replace(fold=1).astimezone(UTC)
        quarter = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for step in range(_HORIZON * 96):
            yield quarter + timedelta(minutes=15 * step)

    def _wall(self, now: datetime) -> datetime:
        if now.tzinfo is None:
            raise ValueError("the datetime has no time zone; use an aware one")
        return now.astimezone(self.timezone)
