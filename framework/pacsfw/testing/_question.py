"""A C-FIND query, as handled by a PACS with faults: child process only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from itertools import islice

from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacsfw.dicom.levels import LEVEL_OF, LEVELS, REQUIRED_STUDY_KEYS
from pacsfw.dicom.matching import RANGE_VRS, matches
from pacsfw.testing._archive import BadIdentifier
from pacsfw.testing._records import COUNTED_AT, UNIQUE_KEYS, Entity, Texts
from pacsfw.testing.pacs_faults import OPTIONAL, Faults

NO_KEYS = frozenset(
    {
        "QueryRetrieveLevel",
        "SpecificCharacterSet",
        "TimezoneOffsetFromUTC",
        "RetrieveAETitle",
        "InstanceAvailability",
    }
)
Test = Callable[[Entity], bool]


class Question:
    """The parsed keys of one C-FIND.

    Parameters
    ----------
    level
        Query/Retrieve level.
    keys
        The identifier: keyword to text.
    faults
        The faults to apply.
    fold_names
        Ignore the case of patient names.

    Raises
    ------
    BadIdentifier
        A matching key is malformed.
    """

    def __init__(
        self, level: str, keys: Mapping[str, str], faults: Faults, *, fold_names: bool
    ) -> None:
        self.level = level
        self._faults = faults
        asked = [keyword for keyword in keys if keyword not in NO_KEYS]
        supported = [keyword for keyword in asked if is_key(keyword, level)]
        self.returned = [keyword for keyword in supported if self._is_returned(keyword)]
        self.all_supported = self.returned == asked
        self.truncated = False
        """Whether the limit of rows cut the result; known after all rows were taken."""
        self.has_keys = any(keys[keyword].strip("\0 ") for keyword in supported)
        self._required: list[Test] = []
        self._optional: list[Test] = []
        for keyword in supported:
            if keys[keyword].strip("\0 ") and not self._is_ignored(keyword):
                tests = self._optional if self._is_optional(keyword) else self._required
                tests.append(self._test(keyword, keys[keyword], fold_names=fold_names))

    def rows(self, entities: Iterable[Entity]) -> Iterator[Entity]:
        """Return the matches, up to the limit of rows."""
        if self._faults.hide_series and self.level in ("SERIES", "IMAGE"):
            entities = (each for each in entities if each.texts("SeriesNumber") == ("1",))
        if self._faults.cap_before_filter:
            found = self._capped(_filtered(entities, self._required))
            return _filtered(found, self._optional)
        return self._capped(_filtered(entities, [*self._required, *self._optional]))

    def _capped(self, entities: Iterator[Entity]) -> Iterator[Entity]:
        cap = self._faults.cap if self.level in self._faults.cap_levels else None
        yield from islice(entities, cap)
        self.truncated = next(entities, None) is not None

    def _is_optional(self, keyword: str) -> bool:
        if self.level != "STUDY":
            return False
        return keyword not in REQUIRED_STUDY_KEYS and keyword != UNIQUE_KEYS[self.level]

    def _is_ignored(self, keyword: str) -> bool:
        ignored = self._faults.ignore_keys
        return keyword in ignored or (OPTIONAL in ignored and self._is_optional(keyword))

    def _is_returned(self, keyword: str) -> bool:
        return not (self._faults.no_optional_keys and self._is_optional(keyword))

    def _test(self, keyword: str, pattern: str, *, fold_names: bool) -> Test:
        vr = vr_of(keyword)
        folds = fold_names and vr == "PN"
        fits = partial(matches, vr, pattern.upper() if folds else pattern)
        try:
            fits(())  # fails for a malformed key, even without a value
        except ValueError as error:
            raise BadIdentifier(f"{keyword} at {self.level} level: {error}") from error
        at_start = vr in RANGE_VRS and pattern.startswith("-") and self._faults.open_ranges
        too_long = keyword == "StudyDate" and is_longer(pattern, self._faults.longest_range)

        @cache
        def fit(values: Texts) -> bool:
            texts = [value.upper() for value in values] if folds else values
            return not too_long and (fits(texts) or (at_start and not values))

        if at_start and self._faults.some_undated:
            return lambda entity: (
                fit(entity.texts(keyword))
                and (bool(entity.texts(keyword)) or _ends_evenly(entity.texts("StudyInstanceUID")))
            )
        return lambda entity: fit(entity.texts(keyword))


def _ends_evenly(uid: Texts) -> bool:
    return uid[0][-1:] in "02468"


def is_longer(dates: str, longest: int | None) -> bool:
    """Return whether this is a range of more days; one without a bound has no end."""
    first, hyphen, last = dates.partition("-")
    if longest is None or not hyphen:
        return False
    if not (first and last):
        return True
    begin, end = (datetime.strptime(day, "%Y%m%d") for day in (first, last))  # noqa: DTZ007
    return (end - begin).days + 1 > longest


def _filtered(entities: Iterable[Entity], tests: list[Test]) -> Iterator[Entity]:
    return (entity for entity in entities if all(test(entity) for test in tests))


def is_key(keyword: str, level: str) -> bool:
    """Return whether an attribute is a key of this level or of one above it."""
    if keyword in COUNTED_AT:
        return COUNTED_AT[keyword] == level
    if tag_for_keyword(keyword) is None or vr_of(keyword) == "SQ":
        return False
    return LEVELS.index(LEVEL_OF.get(keyword, "IMAGE")) <= LEVELS.index(level)


def vr_of(keyword: str) -> str:
    """Return the value representation of an attribute."""
    return dictionary_VR(keyword).split(" ")[0]
