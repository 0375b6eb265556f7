"""Making objects arrive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pacsfw.api.context import Closing
from pacsfw.api.query import Level, is_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A retrieve request. An empty or malformed unique key cannot be expressed.

    An empty StudyInstanceUID makes some archives send everything they hold, so the
    record refuses it (PS3.4 C.4.2.1.4.1: unique keys shall be present).
    """

    study_uid: str
    series_uid: str | None = None
    sop_uids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for uid in (self.study_uid, *self.sop_uids):
            if not is_uid(uid):
                raise ValueError(f"{uid!r} is not a UID")
        if self.series_uid is not None and not is_uid(self.series_uid):
            raise ValueError(f"{self.series_uid!r} is not a UID")
        if self.sop_uids and self.series_uid is None:
            raise ValueError("instances are requested within one series")

    @property
    def level(self) -> Level:
        """The Query/Retrieve level that the keys make."""
        if self.sop_uids:
            return "IMAGE"
        return "SERIES" if self.series_uid is not None else "STUDY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a retrieve request ended, as the peer told it; the counts are claims, not proof.

    ``status`` is None when no final response came (abort, timeout, no association); a
    transfer that is not DIMSE gives the DIMSE status that says the same.
    ``reached`` is False when the peer could not be asked at all.
    """

    status: int | None
    status_text: str
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    failed_uids: tuple[str, ...] = ()
    reached: bool = True


class SpoolFile(Protocol):
    """One object on its way in."""

    def write(self, data: bytes | memoryview) -> None:
        """Append data-set bytes exactly as received."""

    def seal(self) -> None:
        """The data set is whole: hand it to ingest."""

    def discard(self) -> None:
        """The object did not arrive whole: forget it."""


class Inbox(Protocol):
    """Where the objects of one request arrive, whichever way they come."""

    aetitle: str
    """The AE title of the receiver: the move destination for a pushing transfer."""

    def wait(self, seconds: float) -> frozenset[str]:
        """Wait for news and return the SOP Instance UIDs of this request that have arrived."""

    def news(self) -> int:
        """Return a number that grows with whatever comes for this request, repeats included.

        While it grows the peer is at work, however long its last response is ago.
        """

    def create(self, sop_class: str, uid: str, syntax: str) -> SpoolFile:
        """Begin an object that the transfer itself pulls."""


class Transfer(Closing, ABC):
    """Makes the objects of a request arrive in an inbox."""

    @abstractmethod
    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Request, and return at the final response. Judges nothing."""

    def expects(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return the query provider, by name and options, that knows what there is to fetch.

        None: the PACS knows, and is asked as ``find.use`` says.
        """
        return None

    def cancel(self) -> None:
        """Called from another thread at shutdown: end a running `fetch` soon."""
