"""What can be wrong with a `pacsfw.testing.FaultyPACS`."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

OPTIONAL = "optional"
"""In `Faults.ignore_keys`: every key that STUDY queries need not support."""

CAP_STATUSES = (0x0000, 0xFE00, 0xA700)
MODELS = ("study", "patient")
RETRIEVE_LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"})

_NUMBERS = (
    *("cap", "abort_after", "reject_after", "slow", "heals_after", "busy", "lose", "fail"),
    *("truncate", "late", "die_after", "pending_every"),
)
_NO_REFUSALS = (0x0000, 0xFF00, 0xFF01)


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
    no_image_level: bool = False
    """Queries at IMAGE level are refused with A900."""

    # Of retrieves, C-MOVE and C-GET. "Its last objects" are always the same ones of a study.
    heals_after: int | None = None
    """So many retrieves about each study meet the faults below, all later ones none."""
    refuse: int | None = None
    """Every retrieve is answered with this status at once, and nothing is sent."""
    retrieve_levels: tuple[str, ...] = RETRIEVE_LEVELS
    """The levels at which retrieves are served; A900 at others."""
    busy: int | None = None
    """So many retrieves are served at a time; a further one is refused with A701."""
    lose: int = 0
    """The last objects of each study, so many, are not sent and counted as sent."""
    fail: int = 0
    """The last objects of each study, so many, cannot be sent and are counted as failed."""
    truncate: int = 0
    """The last objects of each study, so many, are sent without their last bytes."""
    no_failed_list: bool = False
    """Final responses name no object that failed."""
    stop_at_failure: bool = False
    """A failed object ends the retrieve: C000, all counts 0, nothing more is sent."""
    no_counts: bool = False
    """Responses have no counts of sub-operations."""
    no_pending: bool = False
    """There are no pending responses."""
    send_nothing: bool = False
    """Success at once, with 0 objects."""
    wrong_study: bool = False
    """Another study than the wanted one is sent."""
    duplicate: bool = False
    """Every object is sent twice."""
    change: bool = False
    """Each time that an object is sent again it has other content."""
    late: float = 0.0
    """Success at once; the objects are sent so many seconds later. C-MOVE only."""
    scatter: bool = False
    """Each object comes over an association of its own. C-MOVE only."""
    sender: str = ""
    """The AE title from which objects come, without a Move Originator. C-MOVE only."""
    lower_titles: bool = False
    """Objects come from and to AE titles in lower case. C-MOVE only."""
    die_after: int | None = None
    """After so many objects of a retrieve all its associations are aborted."""
    silent: bool = False
    """A retrieve is never answered, and nothing is sent."""
    pending_every: float = 0.0
    """A pending response every so many seconds for ever, and nothing is sent."""
    deaf: bool = False
    """C-CANCEL changes nothing."""

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name}: {value} is less than 0")
        if self.refuse is not None and (self.refuse > 0xFFFF or self.refuse in _NO_REFUSALS):
            raise ValueError(f"refuse: {self.refuse:04X} is no status that a failure ends with")
        if not self.retrieve_levels or not set(self.retrieve_levels) <= set(RETRIEVE_LEVELS):
            raise ValueError(f"retrieve_levels: some of {', '.join(RETRIEVE_LEVELS)} are possible")
        if self.sender and not (self.sender.isascii() and len(self.sender) <= 16):
            raise ValueError(f"sender: {self.sender!r} is not 1 to 16 characters of ASCII")
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
            (self.no_image_level, "queries at IMAGE level are refused"),
            *self._of_retrieves(),
        )
        return [line for there, line in lines if there]

    def _of_retrieves(self) -> tuple[tuple[object, str], ...]:
        levels = ", ".join(self.retrieve_levels)
        return (
            (self.refuse is not None, f"every retrieve is refused with {self.refuse or 0:04X}"),
            (set(self.retrieve_levels) != set(RETRIEVE_LEVELS), f"retrieves at {levels} only"),
            (self.busy is not None, f"at most {self.busy} retrieves at a time"),
            (self.lose, f"the last {self.lose} objects of each study get lost"),
            (self.fail, f"the last {self.fail} objects of each study fail"),
            (self.truncate, f"the last {self.truncate} objects of each study are cut short"),
            (self.no_failed_list, "failed objects are not named"),
            (self.stop_at_failure, "a failed object ends the retrieve with C000"),
            (self.no_counts, "sub-operations are not counted"),
            (self.no_pending, "there are no pending responses"),
            (self.send_nothing, "nothing is sent, and that is a success"),
            (self.wrong_study, "another study is sent"),
            (self.duplicate, "every object is sent twice"),
            (self.change, "an object that is sent again has other content"),
            (self.late, f"objects come {self.late:g} s after the final response"),
            (self.scatter, "every object comes over an association of its own"),
            (self.sender, f"objects come from {self.sender}"),
            (self.lower_titles, "objects come from and to AE titles in lower case"),
            (self.die_after is not None, f"A-ABORT after {self.die_after} objects of a retrieve"),
            (self.silent, "retrieves are not answered"),
            (self.pending_every, f"retrieves are pending for ever, {self.pending_every:g} s each"),
            (self.deaf, "C-CANCEL changes nothing"),
            (
                self.heals_after is not None,
                f"all this is over after {self.heals_after} retrieves of a study",
            ),
        )
