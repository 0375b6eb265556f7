"""How much a peer may take from the receiver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, measured on the monotonic clock.

    ``associations`` counts those open at once over all processes; further ones wait in the
    backlog of the listening socket. ``associate_timeout`` bounds the wait for the whole
    association request, ``idle_timeout`` the silence between two PDUs and ``pdu_timeout``
    the time one PDU may take.
    """

    associations: int = 64
    associate_timeout: float = 15.0
    idle_timeout: float = 900.0
    pdu_timeout: float = 60.0
