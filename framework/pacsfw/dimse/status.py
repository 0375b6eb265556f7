"""DIMSE statuses in words (PS3.4 sections B.2.3, C.4.1 to C.4.3; PS3.7 annex C)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pacsfw.api import QueryResult

Service: TypeAlias = Literal["C-ECHO", "C-FIND", "C-GET", "C-MOVE", "C-STORE"]

SUCCESS = 0x0000
CANCELLED = 0xFE00
PENDING = frozenset({0xFF00, 0xFF01})
"""0xFF01: also pending, but optional keys were not matched (PS3.4 table C.4-1)."""

NOT_AUTHORIZED = 0x0124
WRONG_IDENTIFIER = 0xA900
OUT_OF_RESOURCES = 0xA700
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211
AT_LIMIT = 0xB001
"""Of C-FIND: matching reached the response limit."""
CANNOT_STORE = 0xC210
"""Our own, in the range of "cannot understand": the instance could not be written."""

_GENERAL: Mapping[int, str] = {
    SUCCESS: "Success",
    0x0001: "Warning: requested optional attributes are not supported",
    0x0105: "Failure: no such attribute",
    0x0106: "Failure: invalid attribute value",
    0x0107: "Warning: attribute list error",
    0x0110: "Failure: processing failure at the peer",
    0x0111: "Failure: duplicate SOP instance",
    0x0112: "Failure: no such SOP instance",
    0x0113: "Failure: no such event type",
    0x0114: "Failure: no such argument",
    0x0115: "Failure: invalid argument value",
    0x0116: "Warning: attribute value out of range",
    0x0117: "Failure: invalid object instance",
    0x0118: "Failure: no such SOP class",
    0x0119: "Failure: class-instance conflict",
    0x0120: "Failure: missing attribute",
    0x0121: "Failure: missing attribute value",
    SOP_CLASS_NOT_SUPPORTED: "Refused: SOP class not supported",
    0x0123: "Failure: no such action type",
    NOT_AUTHORIZED: "Refused: not authorized",
    0x0210: "Failure: duplicate invocation (message ID in use)",
    UNRECOGNIZED_OPERATION: "Failure: unrecognized operation",
    0x0212: "Failure: mistyped argument",
    0x0213: "Failure: resource limitation",
    CANCELLED: "Cancelled",
    0xFF00: "Pending",
}
_OF_SERVICE: Mapping[Service, Mapping[int, str]] = {
    "C-ECHO": {},
    "C-FIND": {
        OUT_OF_RESOURCES: "Refused: out of resources",
        WRONG_IDENTIFIER: "Failure: the identifier does not match the SOP class",
        AT_LIMIT: "Warning: matching reached the response limit",
        0xFF01: "Pending, optional keys were not matched",
        CANCELLED: "Cancelled: matching ended early (some PACS return this at their limit of rows)",
    },
    "C-GET": {
        0xA701: "Refused: out of resources, unable to count the matches",
        0xA702: "Refused: unable to perform the sub-operations (it sends nothing in the negotiated"
        " classes and transfer syntaxes)",
        WRONG_IDENTIFIER: "Failure: the identifier does not match the SOP class",
        0xB000: "Warning: one or more sub-operations failed",
        0xC000: "Failure: unable to process (some PACS return this if nothing matched)",
    },
    "C-MOVE": {
        0xA701: "Refused: out of resources, unable to count the matches",
        0xA702: "Refused: unable to perform the sub-operations (is the move destination reachable"
        " from the PACS, and does it accept the instances?)",
        0xA801: "Refused: move destination unknown (the PACS does not know our AE title)",
        WRONG_IDENTIFIER: "Failure: the identifier does not match the SOP class",
        0xAA00: "Failure: none of the requested frames was found",
        0xAA01: "Failure: unable to make a new object for this SOP class",
        0xAA02: "Failure: unable to extract frames",
        0xAA03: "Failure: time-based request for an object without times",
        0xAA04: "Failure: invalid request",
        0xB000: "Warning: one or more sub-operations failed",
        0xC000: "Failure: unable to process (some PACS return this for an unknown or unreachable"
        " move destination: check its AE title, address and port there; or nothing matched)",
    },
    "C-STORE": {
        OUT_OF_RESOURCES: "Refused: out of resources",
        0xA900: "Failure: the data set does not match the SOP class",
        0xB000: "Warning: data elements were coerced",
        0xB006: "Warning: elements were discarded",
        0xB007: "Warning: the data set does not match the SOP class",
    },
}
_RANGES: Mapping[Service, Mapping[int, str]] = {
    "C-ECHO": {},
    "C-FIND": {0xA700: "Refused: out of resources", 0xC000: "Failure: unable to process"},
    "C-GET": {0xA700: "Refused: out of resources", 0xC000: "Failure: unable to process"},
    "C-MOVE": {0xA700: "Refused: out of resources", 0xC000: "Failure: unable to process"},
    "C-STORE": {
        0xA700: "Refused: out of resources",
        0xA900: "Failure: the data set does not match the SOP class",
        0xC000: "Failure: cannot understand the object",
    },
}


def describe(status: int | None, service: Service) -> str:
    """Return a status in words after its code: ``A801: Refused: move destination unknown``.

    Parameters
    ----------
    status
        The Status (0000,0900) of a response; None if there was no final response.
    service
        The service: the meaning of codes depends on it.
    """
    if status is None:
        return "no final response"
    text = _OF_SERVICE[service].get(status) or _GENERAL.get(status) or _by_range(status, service)
    return f"{status:04X}: {text}"


def is_warning(status: int | None) -> bool:
    """Return whether a query result ended with a warning: it may be complete (PS3.7 annex C).

    B001 is not one of them: it says that rows are missing.
    """
    if status is None or status == AT_LIMIT:
        return False
    return status in (0x0001, 0x0107, 0x0116) or status & 0xF000 == 0xB000


def is_warned(result: QueryResult) -> bool:
    """Return whether a query result ended with a warning, by its status or its evidence."""
    return is_warning(result.status) or bool(result.evidence.get("warned"))


def _by_range(status: int, service: Service) -> str:
    ranges = _RANGES[service]
    if status & 0xFF00 in ranges:
        return ranges[status & 0xFF00]
    if status & 0xF000 == 0xC000:
        return ranges.get(0xC000, "Failure")
    kinds = {0xA000: "Failure", 0xB000: "Warning"}
    return f"{kinds.get(status & 0xF000, 'Status')} unknown to the standard"
