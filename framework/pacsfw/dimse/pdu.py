"""Protocol data units: their types, parts and encodings (PS3.8 section 9.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import TypeAlias

MAX_PDU = 128 * 1024
"""Maximum bytes of the variable field of a P-DATA PDU (PS3.8 annex D.1)."""
MAX_ASSOCIATE = 1 << 20
"""Maximum bytes of an A-ASSOCIATE PDU."""
MAX_SMALL = 64
"""Maximum bytes of any other PDU; the standard defines 4."""

Value: TypeAlias = "tuple[int, bool, bool, memoryview]"
"""A presentation data value: context ID, whether it is a command, whether it is the last one
of its command or data set, and its fragment."""

HEADER = struct.Struct(">BxL")
"""Of every PDU: type and length."""
_PDV_HEADER = struct.Struct(">LBB")


class PduType(IntEnum):
    """The types of PS3.8 tables 9-11 to 9-26."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class AbortReason(IntEnum):
    """Reasons for an abort by the service provider (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


class PduError(Exception):
    """Reading from the peer cannot continue."""


class ConnectionLost(PduError):
    """The peer closed or reset the connection, or it was shut down on our side."""


class PeerTooSlow(PduError):
    """A timeout: nothing arrived while idle, or a PDU was not completed."""


class PeerSilent(PeerTooSlow):
    """Nothing arrived while idle; reading may be retried."""


class ProtocolError(PduError):
    """The peer violated the protocol; the association must be aborted."""

    def __init__(self, message: str, reason: AbortReason = AbortReason.INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason


def pdvs(body: memoryview) -> Iterator[Value]:
    """Iterate over the presentation data values of a P-DATA PDU (PS3.8 section 9.3.5.1).

    Yields
    ------
    context_id, is_command, is_last, fragment
        The fragment is a view into ``body``.

    Raises
    ------
    ProtocolError
        There is none, or its length is wrong.
    """
    position = 0
    if not body:
        raise ProtocolError("P-DATA PDU without a presentation data value")
    while position < len(body):
        if position + _PDV_HEADER.size > len(body):
            raise ProtocolError("truncated presentation data value")
        length, context_id, control = _PDV_HEADER.unpack_from(body, position)
        end = position + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolError(f"presentation data value of impossible length {length}")
        yield context_id, bool(control & 1), bool(control & 2), body[position + 6 : end]
        position = end


def p_data(
    context_id: int, data: bytes, peer_max_pdu: int, *, is_command: bool = True, is_end: bool = True
) -> bytes:
    """Encode a command set or data set as P-DATA PDUs within the peer's maximum (0: any).

    ``is_end`` is False if more of the data set follows.
    """
    largest = max(len(data), 1)
    if peer_max_pdu:
        largest = min(largest, max(peer_max_pdu - _PDV_HEADER.size, 1))
    parts = []
    for start in range(0, max(len(data), 1), largest):
        fragment = data[start : start + largest]
        is_last = is_end and start + largest >= len(data)
        control = int(is_command) | (2 if is_last else 0)
        parts.append(HEADER.pack(PduType.P_DATA, len(fragment) + _PDV_HEADER.size))
        parts.append(_PDV_HEADER.pack(len(fragment) + 2, context_id, control))
        parts.append(fragment)
    return b"".join(parts)


def release_request() -> bytes:
    """Encode an A-RELEASE-RQ PDU (PS3.8 table 9-24)."""
    return HEADER.pack(PduType.RELEASE_RQ, 4) + bytes(4)


def release_response() -> bytes:
    """Encode an A-RELEASE-RP PDU (PS3.8 table 9-25)."""
    return HEADER.pack(PduType.RELEASE_RP, 4) + bytes(4)


def abort(reason: AbortReason) -> bytes:
    """Encode an A-ABORT PDU of the service provider (PS3.8 table 9-26)."""
    return HEADER.pack(PduType.ABORT, 4) + bytes((0, 0, 2, reason))
