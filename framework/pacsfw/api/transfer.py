"""Retrieving instances."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pacsfw.api.context import Closing
from pacsfw.api.query import Level, is_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A retrieve request. Empty or malformed unique keys are rejected.

    An empty StudyInstanceUID makes some PACS send everything they have
    (PS3.4 C.4.2.1.4.1: unique keys shall be present). ``patient_id`` is needed by a PACS that
    supports only the Patient Root model (PS3.4 C.6.1).
    """

    study_uid: str
    series_uid: str | None = None
    sop_uids: tuple[str, ...] = ()
    patient_id: str = ""

    def __post_init__(self) -> None:
        for uid in (self.study_uid, *self.sop_uids):
            if not is_uid(uid):
                raise ValueError(f"{uid!r} is not a UID")
        if self.series_uid is not None and not is_uid(self.series_uid):
            raise ValueError(f"{self.series_uid!r} is not a UID")
        if self.sop_uids and self.series_uid is None:
            raise ValueError("instances can be requested only within one series")

    @property
    def level(self) -> Level:
        """The Query/Retrieve level of the keys."""
        if self.sop_uids:
            return "IMAGE"
        return "SERIES" if self.series_uid is not None else "STUDY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a retrieve request ended, as reported by the peer; its counts are not proof.

    ``status`` is None if no final response arrived (abort, timeout, no association). A
    transfer that is not DIMSE returns the equivalent DIMSE status.
    ``reached`` is False if the peer could not be reached at all.
    ``comment`` is what the peer itself said, as `pacsfw.words.said` returns it: it may name a
    patient, so only terminals show it.
    """

    status: int | None
    status_text: str
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    failed_uids: tuple[str, ...] = ()
    reached: bool = True
    comment: str = ""


class SpoolFile(Protocol):
    """One incoming instance."""

    def write(self, data: bytes | memoryview) -> None:
        """Append data-set bytes exactly as received."""

    def seal(self) -> None:
        """Hand the complete data set to ingest."""

    def discard(self) -> None:
        """Discard an instance that did not arrive completely."""


class Inbox(Protocol):
    """Receives the instances of one request, whatever the transfer."""

    aetitle: str
    """The AE title of the receiver: the move destination for a pushing transfer."""

    def wait(self, seconds: float) -> frozenset[str]:
        """Wait for arrivals and return the SOP Instance UIDs of this request so far."""

    def news(self) -> int:
        """Return a number that grows with each arrival for this request, including repeats.

        While it grows, the peer is working, however old its last response is.
        """

    def create(self, sop_class: str, uid: str, syntax: str) -> SpoolFile:
        """Begin an instance that the transfer itself downloads."""

    def originates(self, message_id: int) -> None:
        """Note the Message ID of a C-MOVE request.

        A sender that names it as Move Originator Message ID acts on that request.
        """


class Transfer(Closing, ABC):
    """Retrieves the instances of a request into an inbox."""

    first_level: Level = "STUDY"
    """The level at which retrieves begin; smaller requests follow where larger ones fail."""

    @abstractmethod
    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Send the request and return after the final response. Judges nothing."""

    def expects(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return the name and options of the query provider that lists what to fetch.

        None: the PACS lists it, and is queried as set by ``find.use``.
        """
        return None

    def cancel(self) -> None:
        """Make a running `fetch` end soon. Called at shutdown, from another thread."""
