"""The events that observers receive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pacsfw.api.context import Closing
from pacsfw.api.tables import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """All components are open, and the first step begins."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesFound(Event):
    """A query is complete; ``total`` rows are known so far."""

    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStarted(Event):
    """The study list is read: ``total`` studies, of which ``done`` are already settled."""

    total: int
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesParsed(Event):
    """``files`` were read so far, and ``rows`` of them have a row in the table.

    ``total`` is the number of all files; None while it is unknown.
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
    """An instance was stored, left out on purpose, or, if it is neither, quarantined or held."""

    study_uid: str
    stored: bool
    size: int
    left_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettled(Event):
    """A study has its verdict.

    ``components`` are those that took part, by kind: name, distribution and version.
    """

    study_uid: str
    verdict: Verdict
    components: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted(Event):
    """A converter finished one instance, series or study.

    ``converter`` is the id of its use, ``component`` its name, distribution and version,
    ``outputs`` the number of files written.
    """

    study_uid: str
    converter: str
    component: str
    state: Literal["done", "skipped", "failed"]
    reason: str = ""
    outputs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    """No requests until ``until`` (outside the window); None: requests resume."""

    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """No requests because of ``reason`` (a lack of space); empty: requests resume."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The run is over; the state of the collection in numbers.

    ``counts`` are the studies on the study list by verdict state, ``pending`` for none;
    ``converted`` the conversions by ``done``, ``skipped`` and ``failed``; ``unproven`` the
    parts of the search that are not proven; ``problems`` all other problems. ``left_out`` are the
    instances that a layout left out on purpose.

    ``verdicts`` has the state of each study on the list, by StudyInstanceUID; ``directory`` is
    the dataset folder, ``study_list`` and ``tables`` are the files, or the URLs without passwords,
    that exist. They are empty after ``pacsfw parse`` of other files, which has no collection.
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
    left_out: int = 0
    verdicts: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    study_list: str = ""
    tables: Sequence[str] = ()


class Observer(Closing):
    """Receives events and cannot change the run; its exceptions are logged and dropped."""

    def notify(self, event: Event) -> None:
        """Handle one event. Called in order, from a single thread."""
