"""The faults of a `pacsfw.testing.FaultyPACS`."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

OTHER_STUDY = ".777"
PRIVATE_SYNTAX = "1.2.840.113619.5.2"
OPTIONAL = "optional"
"""In `Faults.ignore_keys`: all optional keys of STUDY queries."""

WARNINGS = frozenset({0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)})
CAP_STATUSES = (0x0000, 0xFE00, 0xA700)
MODELS = ("study", "patient")
RETRIEVE_LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"})

_NUMBERS = (
    *("cap", "abort_after", "reject_after", "slow", "heals_after", "busy", "lose", "fail"),
    *("truncate", "late", "die_after", "pending_every", "private_syntax", "longest_range"),
)
_NO_REFUSALS = (0x0000, 0xFF00, 0xFF01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults of a PACS; by default none. Each one occurs in real PACS.

    Raises
    ------
    ValueError
        A value is not valid.
    """

    cap: int | None = None
    """Maximum number of rows in a query result."""
    cap_status: int = 0x0000
    """Final status of a result cut by the cap: 0x0000 (silently), 0xFE00 or 0xA700."""
    cap_before_filter: bool = False
    """The cap counts the rows that match the required keys; optional keys, such as
    ModalitiesInStudy, are applied after it."""
    ignore_keys: Set[str] = frozenset()
    """Matching keys (keywords) that do not restrict the rows, or ``"optional"``; they are
    still returned, with pending status FF00."""
    no_optional_keys: bool = False
    """Optional keys are missing in rows at STUDY level, with pending status FF01."""
    no_charset: bool = False
    """Rows contain text that is not ASCII without SpecificCharacterSet (PS3.5 6.1.2)."""
    case_sensitive: bool = False
    """PatientName and its own AE title are compared exactly; otherwise case is ignored."""
    open_ranges: bool = False
    """A study without date or time matches a range without a lower bound, ``-20240102``."""
    slow: float = 0.0
    """Delay in seconds before each row."""
    abort_after: int | None = None
    """Number of rows after which every query result ends with A-ABORT."""
    reject_after: int | None = None
    """Number of associations to accept; later ones are rejected permanently, without a reason."""
    lying_counts: bool = False
    """The NumberOf... attributes are one too high."""
    models: tuple[str, ...] = MODELS
    """The Query/Retrieve models offered: of ``"study"`` and ``"patient"`` (PS3.4 C.6)."""
    no_image_level: bool = False
    """Queries at IMAGE level are refused with A900."""

    # Faults of C-MOVE and C-GET. The last instances of a study are always the same ones.
    heals_after: int | None = None
    """Number of retrieves of each study with the faults below; later ones have none."""
    refuse: int | None = None
    """Every retrieve immediately ends with this status, and nothing is sent."""
    retrieve_levels: tuple[str, ...] = RETRIEVE_LEVELS
    """The levels at which retrieves are served; A900 at other levels."""
    busy: int | None = None
    """Number of retrieves served at a time; more are refused with A701."""
    lose: int = 0
    """Number of instances, from the end of each study, not sent but counted as sent."""
    fail: int = 0
    """Number of instances, from the end of each study, not sent and counted as failed."""
    truncate: int = 0
    """Number of instances, from the end of each study, sent without their last bytes."""
    no_failed_list: bool = False
    """Final responses do not list failed instances."""
    stop_at_failure: bool = False
    """A failed instance ends the retrieve: C000, all counts 0, no further instances."""
    no_counts: bool = False
    """Responses have no counts of sub-operations."""
    no_pending: bool = False
    """There are no pending responses."""
    send_nothing: bool = False
    """Immediate success, with 0 instances."""
    wrong_study: bool = False
    """A study other than the requested one is sent."""
    duplicate: bool = False
    """Every instance is sent twice."""
    change: bool = False
    """The content of an instance changes each time that it is sent again."""
    late: float = 0.0
    """Immediate success; delay in seconds until the instances are sent. C-MOVE only."""
    scatter: bool = False
    """Each instance is sent over a separate association. C-MOVE only."""
    sender: str = ""
    """AE title of the sender, without a Move Originator. C-MOVE only."""
    lower_titles: bool = False
    """Instances are sent from and to AE titles in lower case. C-MOVE only."""
    die_after: int | None = None
    """Number of instances of a retrieve after which all its associations are aborted."""
    silent: bool = False
    """There is no response to a retrieve, and nothing is sent."""
    pending_every: float = 0.0
    """Interval in seconds of endless pending responses, and nothing is sent."""
    deaf: bool = False
    """C-CANCEL is ignored."""
    refuse_levels: tuple[str, ...] = RETRIEVE_LEVELS
    """The levels at which ``refuse`` and ``send_nothing`` apply."""
    stop_status: int = 0xC000
    """The final status of ``stop_at_failure``; 0: A-ABORT instead."""
    extra: bool = False
    """Each retrieve of a complete study also sends an instance that no query lists."""

    # Faults of queries that verdicts rest on.
    cap_levels: tuple[str, ...] = RETRIEVE_LEVELS
    """The levels at which ``cap`` applies."""
    retrieve_aetitle: str = ""
    """Retrieves are accepted only under this AE title, which query results name."""
    hide_series: bool = False
    """Only the first series of a study is listed; counts include all."""
    availability: str = "ONLINE"
    """The InstanceAvailability of everything."""

    # Senders and headers.
    senders: tuple[str, ...] = ()
    """Instances are sent from these in turn: ``AETITLE@address``. C-MOVE only."""
    no_originator: bool = False
    """C-STORE requests name no Move Originator."""
    stranger: str = ""
    """Somebody else, ``AETITLE@address``, sends each instance with other content before the PACS
    does, without a Move Originator. C-MOVE only."""
    other_study: bool = False
    """Headers have another StudyInstanceUID than query results: `OTHER_STUDY` follows it."""
    other_patient: bool = False
    """Headers have another PatientID than query results."""
    part10: bool = False
    """A whole file is sent as the data set, with preamble and File Meta Information."""
    private_syntax: int = 0
    """Number of instances, from the end of each study, offered in `PRIVATE_SYNTAX` only."""

    # Faults of C-FIND.
    last_with_success: bool = False
    """The last row of a query result comes with the final response."""
    longest_range: int | None = None
    """Ranges of more days than this find nothing, and that is a success; 1: all ranges."""
    some_undated: bool = False
    """With ``open_ranges``: only studies whose UID ends with an even digit match this way."""
    warn: int | None = None
    """Final status of every query result instead of success, a warning: 0x0001 or 0xB000."""
    refuse_keys: Set[str] = frozenset()
    """Keys (keywords) that a query must not have, at any level: it ends with A900."""
    unnamed: bool = False
    """This refusal has neither an Offending Element nor an Error Comment."""
    wild_patients: bool = False
    """Queries at PATIENT level without a key end with C001; ``*`` is one."""

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name}: {value} is less than 0")
        if self.refuse is not None and (self.refuse > 0xFFFF or self.refuse in _NO_REFUSALS):
            raise ValueError(f"refuse: {self.refuse:04X} is not a failure status")
        for name in ("retrieve_levels", "refuse_levels", "cap_levels"):
            levels = getattr(self, name)
            if not levels or not set(levels) <= set(RETRIEVE_LEVELS):
                raise ValueError(f"{name}: use one or more of {', '.join(RETRIEVE_LEVELS)}")
        if self.sender and not (self.sender.isascii() and len(self.sender) <= 16):
            raise ValueError(
                f"sender: {self.sender!r} is not an AE title: 1 to 16 ASCII characters"
            )
        self._check_senders()
        if self.cap_status not in CAP_STATUSES:
            raise ValueError(f"cap_status: {self.cap_status:04X} is not 0000, FE00 or A700")
        if self.warn is not None and self.warn not in WARNINGS:
            raise ValueError(f"warn: {self.warn:04X} is not 0001, 0107, 0116 or Bxxx")
        self._check_keywords()
        if self.cap_before_filter and self.cap is None:
            raise ValueError("cap_before_filter: requires cap")
        if not self.models or not set(self.models) <= set(MODELS):
            raise ValueError(f"models: use one or both of {', '.join(MODELS)}")

    def _check_senders(self) -> None:
        for sender in filter(None, (*self.senders, self.stranger)):
            title, at, address = sender.rpartition("@")
            if not (at and title.isascii() and 1 <= len(title) <= 16 and address):
                raise ValueError(f"senders, stranger: {sender!r} is not AETITLE@address")

    def _check_keywords(self) -> None:
        named = self.ignore_keys - {OPTIONAL}
        if not named:
            return
        from pydicom.datadict import tag_for_keyword  # slow to import

        for keyword in sorted(named):
            if tag_for_keyword(keyword) is None:
                raise ValueError(f"ignore_keys: {keyword!r} is not a DICOM keyword")
            if keyword in UNIQUE_KEYS:
                raise ValueError(f"ignore_keys: {keyword} is the unique key of a level")

    def described(self) -> list[str]:
        """Describe the active faults, one line each."""
        ends = f"then it ends with {self.cap_status:04X}"
        ignored = ", ".join(sorted(self.ignore_keys))
        lines = (
            (self.cap is not None, f"at most {self.cap} rows in a query result, {ends}"),
            (self.cap_before_filter, "this limit is applied before the optional keys"),
            (self.ignore_keys, f"ignored matching keys: {ignored}"),
            (self.no_optional_keys, "optional keys are not returned"),
            (self.no_charset, "rows do not name their character set"),
            (self.case_sensitive, "patient names and the AE title are compared exactly"),
            (self.open_ranges, "missing dates and times are earlier than any other"),
            (self.slow, f"{self.slow:g} s before each row"),
            (self.abort_after is not None, f"A-ABORT after {self.abort_after} rows"),
            (self.reject_after is not None, f"only {self.reject_after} associations"),
            (self.lying_counts, "the numbers of series and instances are one too high"),
            (set(self.models) != set(MODELS), f"only the {self.models[0].title()} Root model"),
            (self.no_image_level, "queries at IMAGE level are refused"),
            *self._of_queries(),
            *self._of_retrieves(),
        )
        return [line for there, line in lines if there]

    def _of_queries(self) -> tuple[tuple[object, str], ...]:
        refused = ", ".join(sorted(self.refuse_keys))
        return (
            (self.last_with_success, "the last row comes with the final response"),
            (
                self.longest_range is not None,
                f"ranges of more than {self.longest_range} days find nothing",
            ),
            (self.some_undated, "ranges without a beginning find only some undated studies"),
            (self.warn is not None, f"query results end with {self.warn or 0:04X}"),
            (self.refuse_keys, f"queries with one of these keys are refused: {refused}"),
            (self.unnamed, "refusals do not name the key"),
            (self.wild_patients, "queries for patients need a key, such as *"),
        )

    def _of_retrieves(self) -> tuple[tuple[object, str], ...]:
        levels = ", ".join(self.retrieve_levels)
        return (
            (self.refuse is not None, f"every retrieve is refused with {self.refuse or 0:04X}"),
            (set(self.retrieve_levels) != set(RETRIEVE_LEVELS), f"retrieves only at {levels}"),
            (self.busy is not None, f"at most {self.busy} retrieves at a time"),
            (self.lose, f"the last {self.lose} instances of each study get lost"),
            (self.fail, f"the last {self.fail} instances of each study fail"),
            (self.truncate, f"the last {self.truncate} instances of each study are truncated"),
            (self.no_failed_list, "failed instances are not listed"),
            (
                self.stop_at_failure,
                f"a failed instance ends the retrieve with {self.stop_status:04X}"
                if self.stop_status
                else "a failed instance ends the retrieve with A-ABORT",
            ),
            (self.extra, "an instance that no query lists is sent as well"),
            (self.retrieve_aetitle, f"retrieves only under the AE title {self.retrieve_aetitle}"),
            (self.hide_series, "only the first series of a study is listed"),
            (self.availability != "ONLINE", f"everything is {self.availability}"),
            (
                set(self.refuse_levels) != set(RETRIEVE_LEVELS),
                f"refusals only at {', '.join(self.refuse_levels)}",
            ),
            (
                set(self.cap_levels) != set(RETRIEVE_LEVELS),
                f"the limit of rows applies at {', '.join(self.cap_levels)}",
            ),
            (self.no_counts, "sub-operations are not counted"),
            (self.no_pending, "there are no pending responses"),
            (self.send_nothing, "nothing is sent, but success is reported"),
            (self.wrong_study, "another study is sent"),
            (self.duplicate, "every instance is sent twice"),
            (self.change, "an instance that is sent again has other content"),
            (self.late, f"instances are sent {self.late:g} s after the final response"),
            (self.scatter, "every instance is sent over a separate association"),
            (self.sender, f"instances are sent from {self.sender}"),
            (self.lower_titles, "instances are sent from and to AE titles in lower case"),
            (self.die_after is not None, f"A-ABORT after {self.die_after} instances of a retrieve"),
            (self.silent, "there is no response to retrieves"),
            (
                self.pending_every,
                f"retrieves send pending responses forever, every {self.pending_every:g} s",
            ),
            (self.deaf, "C-CANCEL is ignored"),
            (self.senders, f"instances are sent from {', '.join(self.senders)} in turn"),
            (self.no_originator, "no Move Originator is named"),
            (self.stranger, f"{self.stranger} sends other content first"),
            (self.other_study, "headers have another StudyInstanceUID than query results"),
            (self.other_patient, "headers have another PatientID than query results"),
            (self.part10, "whole files are sent as data sets"),
            (self.private_syntax, f"the last {self.private_syntax} instances only private encoded"),
            (
                self.heals_after is not None,
                f"these retrieve faults end after {self.heals_after} retrieves of a study",
            ),
        )
