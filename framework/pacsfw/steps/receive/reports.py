"""Messages between receiver processes and the driver.

Reports, one or more for every instance, go through a pipe of bytes as frames.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pacsfw.spool.records import Begun, Discarded, Sealed


class Ready(NamedTuple):
    """The process accepts associations."""


class Note(NamedTuple):
    """A line for the driver's log; ``level`` as in `logging`. It names no patient."""

    level: int
    text: str


class Refused(NamedTuple):
    """What a sender was refused, for verdicts: ``we refused ...``. It names no patient."""

    text: str


Report: TypeAlias = "Begun | Sealed | Discarded | Ready | Note | Refused"

_TYPES = (Begun, Sealed, Discarded, Ready, Note, Refused)
_NUMBERS = {kind: number for number, kind in enumerate(_TYPES)}


@dataclass(frozen=True, slots=True)
class Stop:
    """An order of the driver: accept nothing new, and end within ``grace`` seconds."""

    grace: float


def encode(report: Report) -> bytes:
    """Encode a report of a receiver process, for `pacsfw.workers.frames`."""
    return marshal.dumps((_NUMBERS[type(report)], *report))


def decode(message: bytes) -> Report:
    """Return the report from its encoded form."""
    number, *fields = marshal.loads(message)  # noqa: S302 - of our own process
    return _TYPES[number](*fields)
