"""What observers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pacsfw.api.context import Closing
from pacsfw.api.tables import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of everything an observer is told."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """The components are open and the first step begins."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesFound(Event):
    """A slice was answered; ``total`` rows are known so far."""

    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStarted(Event):
    """The study list is read: ``total`` studies, of which ``done`` are settled already."""

    total: int
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesParsed(Event):
    """So far ``files`` were looked at, and ``rows`` of them have a row of the table.

    ``total`` is the number of files that there are; None while it is not known.
    """

    files: int
    rows: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStarted(Event):
    """A study was requested."""

    study_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceIngested(Event):
    """An object was stored or quarantined."""

    study_uid: str
    stored: bool
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettled(Event):
    """A study has its verdict.

    ``components`` are those that had part in it, by kind: name, distribution and version.
    """

    study_uid: str
    verdict: Verdict
    components: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Event):
    """A converter was done with one instance, series or study.

    ``converter`` is the id of its use, ``component`` its name, distribution and version,
    ``outputs`` the number of files that it wrote.
    """

    study_uid: str
    converter: str
    component: str
    state: Literal["done", "skipped", "failed"]
    reason: str = ""
    outputs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    """Nothing is requested until ``until`` (outside the window), or None when it goes on."""

    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """Nothing more is requested for lack of room, says ``reason``; empty when it goes on."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run is over; what the collection has come to, in numbers.

    ``counts`` are the studies on the study list by verdict state, ``pending`` for none;
    ``converted`` the conversions by ``done``, ``skipped`` and ``failed``; ``unproven`` the
    parts of the query that find could not prove; ``problems`` what else went wrong.
    """

    counts: Mapping[str, int]
    exit_code: int
    found: int = 0
    unproven: int = 0
    instances: int = 0
    size: int = 0
    quarantined: int = 0
    converted: Mapping[str, int] = field(default_factory=dict)
    problems: int = 0


class Observer(Closing):
    """Is told what happens and can change nothing; what it raises is logged and dropped."""

    def notify(self, event: Event) -> None:
        """Look at one event. Called from one thread, in order."""
