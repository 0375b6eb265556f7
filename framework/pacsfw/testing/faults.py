"""What can be wrong with a `pacsfw.testing.FaultyPACS`."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

OPTIONAL = "optional"
"""In `Faults.ignore_keys`: every key that STUDY queries need not support."""

CAP_STATUSES = (0x0000, 0xFE00, 0xA700)
MODELS = ("study", "patient")
UNIQUE_KEYS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What a PACS does wrong; the default is nothing. Each is one that real archives have.

    Raises
    ------
    ValueError
        A value makes no sense.
    """

    cap: int | None = None
    """An answer holds so many rows at most."""
    cap_status: int = 0x0000
    """How an answer ends that the cap cut short: 0x0000 (silently), 0xFE00 or 0xA700."""
    cap_before_filter: bool = False
    """The cap counts the rows that match the required keys; optional keys, ModalitiesInStudy
    for one, are applied to what is left of them."""
    ignore_keys: Set[str] = frozenset()
    """Matching keys (keywords) that do not restrict the rows, or ``"optional"``; they are
    returned all the same, with pending status FF00."""
    no_optional_keys: bool = False
    """Optional keys are absent from answers at STUDY level, with pending status FF01."""
    no_charset: bool = False
    """Answers hold text that is not ASCII without SpecificCharacterSet (PS3.5 6.1.2)."""
    case_sensitive: bool = False
    """PatientName and its own AE title are compared exactly, else without regard to case."""
    open_ranges: bool = False
    """A study without date or time matches a range without a lower bound, ``-20240102``."""
    slow: float = 0.0
    """Seconds before each row of an answer."""
    abort_after: int | None = None
    """Every answer ends by A-ABORT after so many rows."""
    reject_after: int | None = None
    """So many associations are accepted, all later ones rejected for good, for no reason."""
    lying_counts: bool = False
    """The NumberOf... attributes of answers are one too high."""
    models: tuple[str, ...] = MODELS
    """The Query/Retrieve models offered: of ``"study"`` and ``"patient"`` (PS3.4 C.6)."""

    def __post_init__(self) -> None:
        for name in ("cap", "abort_after", "reject_after", "slow"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name}: {value} is less than 0")
        if self.cap_status not in CAP_STATUSES:
            raise ValueError(f"cap_status: {self.cap_status:04X} is not 0000, FE00 or A700")
        self._check_keywords()
        if self.cap_before_filter and self.cap is None:
            raise ValueError("cap_before_filter: there is no cap")
        if not self.models or not set(self.models) <= set(MODELS):
            raise ValueError(f"models: one or both of {', '.join(MODELS)} are possible")

    def _check_keywords(self) -> None:
        named = self.ignore_keys - {OPTIONAL}
        if not named:
            return
        from pydicom.datadict import tag_for_keyword  # slow to import

        for keyword in sorted(named):
            if tag_for_keyword(keyword) is None:
                raise ValueError(f"ignore_keys: {keyword!r} is no DICOM keyword")
            if keyword in UNIQUE_KEYS:
                raise ValueError(f"ignore_keys: {keyword} is the unique key of a level")

    def described(self) -> list[str]:
        """Say what is wrong, a line for each fault that there is."""
        ends = f"it then ends with {self.cap_status:04X}"
        ignored = ", ".join(sorted(self.ignore_keys))
        lines = (
            (self.cap is not None, f"at most {self.cap} rows in an answer, {ends}"),
            (self.cap_before_filter, "that limit is applied before the optional keys"),
            (self.ignore_keys, f"matching keys that are ignored: {ignored}"),
            (self.no_optional_keys, "optional keys are not returned"),
            (self.no_charset, "answers do not name their character set"),
            (self.case_sensitive, "patient names and the AE title are compared exactly"),
            (self.open_ranges, "no date or time at all is before every date and time"),
            (self.slow, f"{self.slow:g} s before each row"),
            (self.abort_after is not None, f"A-ABORT after {self.abort_after} rows"),
            (self.reject_after is not None, f"{self.reject_after} associations and no more"),
            (self.lying_counts, "the numbers of series and instances are one too high"),
            (set(self.models) != set(MODELS), f"the {self.models[0].title()} Root model alone"),
        )
        return [line for there, line in lines if there]
