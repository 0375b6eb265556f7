"""What receiver processes and the driver tell each other.

Reports, of which there is one for every object, go through a pipe of bytes as frames.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pacsfw.spool.records import Begun, Discarded, Sealed


class Ready(NamedTuple):
    """The process accepts associations."""


class Note(NamedTuple):
    """Something for the driver's log; ``level`` as in `logging`. Names no patient."""

    level: int
    text: str


Report: TypeAlias = "Begun | Sealed | Discarded | Ready | Note"

_TYPES = (Begun, Sealed, Discarded, Ready, Note)
_NUMBERS = {kind: number for number, kind in enumerate(_TYPES)}


@dataclass(frozen=True, slots=True)
class Stop:
    """From the driver: accept nothing new, and end within ``grace`` seconds."""

    grace: float


def encode(report: Report) -> bytes:
    """Encode a report of a receiver process, for `pacsfw.workers.frames`."""
    return marshal.dumps((_NUMBERS[type(report)], *report))


def decode(message: bytes) -> Report:
    """Return the report that `encode` was given."""
    number, *fields = marshal.loads(message)  # noqa: S302 - of our own process
    return _TYPES[number](*fields)
