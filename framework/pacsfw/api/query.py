"""Queries to a PACS."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pacsfw.api.context import Closing

Level: TypeAlias = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
"""Query/Retrieve levels of PS3.4 C.3."""


_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def is_uid(value: str) -> bool:
    """Return whether ``value`` may be sent as a unique key.

    Digits and dots, at most 64 characters (PS3.5 section 9.1). Leading zeros in a component
    are not legal, but accepted because they occur in practice.
    """
    return len(value) <= 64 and _UID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query to a PACS.

    ``match`` maps DICOM keywords to matching values as in PS3.4 C.2.2.2; ``returns`` are
    the keywords to return, in addition to the unique keys of the level. After ``max_rows``
    rows (0: never), the provider may stop; the query result is then not complete.
    """

    level: Level
    match: Mapping[str, str]
    returns: tuple[str, ...] = ()
    max_rows: int = 0


@dataclass(frozen=True, slots=True)
class QueryRow:
    r"""One row of a query result: DICOM keyword to text; several values are joined by ``\``.

    A keyword that the PACS returned without a value has the empty text; a keyword that it
    did not return is absent.
    """

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """How a query ended.

    ``complete`` is True only if the peer reported it (DIMSE final status 0000). ``status`` is
    the final status of DIMSE or HTTP; None if none arrived because the response was aborted.
    ``status_text`` describes the end in words. ``evidence`` is recorded; ``narrower_helps:
    False`` in it means that the parts of an incomplete query would be incomplete as well, and
    ``warned: True`` that the peer returned what it had, with a warning that is no status.
    ``comment`` is what the peer itself said (Error Comment, ``Warning``, the body of an HTTP
    error), as `pacsfw.words.said` returns it: it may name a patient, so only terminals show it.
    ``refused_keys`` are the keywords that the peer named as the reason of a refusal (Offending
    Element, PS3.7 C.4.1.1.2).
    """

    complete: bool
    status_text: str
    status: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    comment: str = ""
    refused_keys: tuple[str, ...] = ()


class QueryProvider(Closing, ABC):
    """Answers queries.

    It answers one query at a time and judges nothing: the planner splits queries and proves
    that the results are complete.
    """

    @property
    def requires_patient_id(self) -> bool:
        """Whether every query below PATIENT level must name a patient (PatientID).

        True for systems that support only the Patient Root model (PS3.4 C.6.1). May connect
        to find out.
        """
        return False

    @property
    def is_unlimited(self) -> bool:
        """Whether no limit of rows exists: then a complete query result needs no further proof.

        True for sources that are read as a whole, such as a folder; never for a server.
        """
        return False

    @property
    def advice(self) -> str:
        """What to check if queries are refused or not answered, for the end of a message."""
        return "check its log"

    @abstractmethod
    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Answer one query. Rows are passed to ``emit``; they count once the result is complete.

        Raises
        ------
        RemoteError
            The PACS could not be queried at all.
        """

    def release(self) -> None:
        """Release connections while there are no queries; `ask` may be called again.

        A PACS allows few associations at a time, and the retrieve needs one of them.
        """
