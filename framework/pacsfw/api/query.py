"""Asking what a PACS holds."""

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
    """Tell whether ``value`` may be sent as a unique key.

    Digits and dots, 64 characters at most (PS3.5 section 9.1). Leading zeros in a
    component are not legal but occur in real archives, so they are let through.
    """
    return len(value) <= 64 and _UID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to a PACS.

    ``match`` maps DICOM keywords to matching values as in PS3.4 C.2.2.2; ``returns`` are
    the keywords wanted in the answer beside the unique keys of the level. After ``max_rows``
    rows (0: never) the provider may end the question; its answer is not whole then.
    """

    level: Level
    match: Mapping[str, str]
    returns: tuple[str, ...] = ()
    max_rows: int = 0


@dataclass(frozen=True, slots=True)
class QueryRow:
    r"""One row of an answer: DICOM keyword to text; several values are joined by ``\``.

    A keyword that the PACS returned without a value is there with the empty text; one that
    it did not return is not there.
    """

    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """How a question ended.

    ``complete`` is True only when the provider was told so (DIMSE final status 0000).
    ``status`` is the final one (of DIMSE, or of HTTP), None where none came: the answer broke
    off. ``status_text`` says in words how it ended, for people. ``evidence`` is kept; where it says
    ``narrower_helps`` False, an answer that is not whole would not be for parts of the
    question either.
    """

    complete: bool
    status_text: str
    status: int | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


class QueryProvider(Closing, ABC):
    """Answers questions about what a PACS holds.

    It answers one question at a time and judges nothing: the planner splits questions and
    proves that the answers are whole.
    """

    @property
    def requires_patient_id(self) -> bool:
        """Whether every question below PATIENT level must name a patient (PatientID).

        So it is with archives that know the Patient Root model alone (PS3.4 C.6.1). May
        connect to find out.
        """
        return False

    @abstractmethod
    def ask(self, query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        """Answer one slice. Rows stream through ``emit`` and count once the answer is in.

        Raises
        ------
        RemoteError
            The PACS could not be asked at all.
        """

    def release(self) -> None:
        """Give back connections while nothing is asked; `ask` may be called again.

        A PACS allows few associations at a time, and the retrieve needs one of them.
        """
