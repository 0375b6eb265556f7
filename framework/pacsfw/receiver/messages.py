"""What receiver processes and the driver tell each other, beside the records of the spool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ready:
    """The process accepts associations."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the driver's log; ``level`` as in `logging`. Names no patient."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """From the driver: accept nothing new, and end within ``grace`` seconds."""

    grace: float
