"""The criteria of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pacsfw.api import Profile
from pacsfw.config import Filter
from pacsfw.dicom.levels import LEVEL_OF
from pacsfw.steps.find import cohort, filters
from pacsfw.steps.find.region import Region, Span

STUDY_KEYS = (
    "StudyInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)
"""Returned for every study, in addition to the keys of filters and search fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """The criteria of a search. Both dates are None if only a cohort defines it."""

    start: date | None
    end: date | None
    modality: str
    search_fields: tuple[str, ...]
    filters: tuple[Filter, ...] = ()
    members: Sequence[cohort.Member] = ()
    has_cohort: bool = False
    """Whether there is a cohort, even without rows."""
    undated: bool = False
    max_studies: int = 0

    @property
    def days(self) -> Span | None:
        """The range of days as ordinals."""
        if self.start is None or self.end is None:
            return None
        return self.start.toordinal(), self.end.toordinal()

    @property
    def series_keywords(self) -> tuple[str, ...]:
        """The keywords to return for the series of each study."""
        return tuple(each.keyword for each in filters.series_filters(self.filters))

    @property
    def returns(self) -> tuple[str, ...]:
        """The keywords to return for studies."""
        wanted = (
            *STUDY_KEYS,
            *self.search_fields,
            *(each.keyword for each in filters.study_filters(self.filters)),
            *(key for member in self.members for key in member.keys),
        )
        return tuple(key for key in dict.fromkeys(wanted) if LEVEL_OF.get(key) != "SERIES")


def regions(criteria: Criteria, profile: Profile) -> dict[Region, list[cohort.Member]]:
    """Return the regions to cover, each with its rows of the cohort, if there is one."""
    if not criteria.has_cohort:
        return {
            Region(keys=tuple(sorted(keys.items())), days=criteria.days): []
            for keys in filters.pushed(criteria.filters, profile)
        }
    found: dict[Region, list[cohort.Member]] = {}
    for member in criteria.members:
        keys = cohort.match_keys(member, profile)
        days = criteria.days or days_of(member.keys.get("StudyDate", ""))
        region = Region(keys=tuple(sorted(keys.items())), days=days)
        found.setdefault(region, []).append(member)
    return found


def days_of(key: str) -> Span | None:
    """Return the range of days of a key of StudyDate; None if an end is open."""
    first, _, last = key.partition("-")
    try:
        low = datetime.strptime(first, "%Y%m%d").replace(tzinfo=UTC).date()
        high = datetime.strptime(last or first, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
    return None if key.endswith("-") else (low.toordinal(), high.toordinal())
