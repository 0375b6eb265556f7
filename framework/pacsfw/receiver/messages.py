"""What receiver processes and the driver tell each other.

Reports go through a pipe of bytes, each behind its length, since several may be read at
once: there is one for every object, and waking up for each of them costs more than all else.
"""

from __future__ import annotations

import marshal
import struct
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from pacsfw.dicom.spool import Begun, Discarded, Sealed


class Ready(NamedTuple):
    """The process accepts associations."""


class Note(NamedTuple):
    """Something for the driver's log; ``level`` as in `logging`. Names no patient."""

    level: int
    text: str


Report: TypeAlias = "Begun | Sealed | Discarded | Ready | Note"

_TYPES = (Begun, Sealed, Discarded, Ready, Note)
_NUMBERS = {kind: number for number, kind in enumerate(_TYPES)}
_LENGTH = struct.Struct("=L")


@dataclass(frozen=True, slots=True)
class Stop:
    """From the driver: accept nothing new, and end within ``grace`` seconds."""

    grace: float


def encode(report: Report) -> bytes:
    """Encode a report of a receiver process."""
    data = marshal.dumps((_NUMBERS[type(report)], *report))
    return _LENGTH.pack(len(data)) + data


class Decoder:
    """Finds the reports in the bytes of one pipe."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Report]:
        """Return the reports that are whole now."""
        data = self._rest + data
        reports: list[Report] = []
        position = 0
        while position + _LENGTH.size <= len(data):
            begin = position + _LENGTH.size
            end = begin + _LENGTH.unpack_from(data, position)[0]
            if end > len(data):
                break
            number, *fields = marshal.loads(data[begin:end])  # noqa: S302 - of our own process
            reports.append(_TYPES[number](*fields))
            position = end
        self._rest = data[position:]
        return reports
