"""Responses of a Storage SCP to association requests (PS3.8 section 9.3, PS3.7 annex D).

Requests are read strictly within their bounds. pynetdicom rejects unknown item types (PS3.8
section 9.3.1 says to skip them) and AE titles that are empty, padded with NUL or not ASCII,
and quotes them in warnings. It would also quadruple the start time of a receiver process.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pacsfw.api import Accept
from pacsfw.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacsfw.dicom.vr import PADDING
from pacsfw.dimse.known_uids import KnownUids
from pacsfw.dimse.pdu import HEADER, PduType, ProtocolError
from pacsfw.words import said

VERIFICATION = "1.2.840.10008.1.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

FIXED = 68
"""Bytes of an A-ASSOCIATE-RQ or -AC PDU before its items."""
RESULT, TRANSFER_SYNTAX, USER_INFORMATION, MAXIMUM_LENGTH = 0x21, 0x40, 0x50, 0x51
"""Types of items."""
ACCEPTANCE = 0

MAX_CONTEXTS = 128
MAX_SYNTAXES = 256
MAX_USER_ITEMS = 1024

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_ITEM = struct.Struct(">BxH")
_AE_TITLES = slice(4, 36)
_APPLICATION, _CONTEXT, _ABSTRACT_SYNTAX, _CLASS_UID, _VERSION_NAME = 0x10, 0x20, 0x30, 0x52, 0x55

_REFUSED_SYNTAXES = frozenset(
    {
        "1.2.840.10008.1.2.4.94",  # JPIP: the pixel data remain on the server of the sender
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.204",
        "1.2.840.10008.1.2.4.205",
        "1.2.840.10008.1.2.6.1",  # not data sets: MIME, XML, live video, Papyrus files
        "1.2.840.10008.1.2.6.2",
        "1.2.840.10008.1.2.7.1",
        "1.2.840.10008.1.2.7.2",
        "1.2.840.10008.1.2.7.3",
        "1.2.840.10008.1.20",
    }
)
_NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = 3, 4
_ANYBODY = Accept()


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class _Proposed:
    abstract_syntax: str
    transfer_syntaxes: list[str]


@dataclass(slots=True)
class _Request:
    application: str = ""
    contexts: dict[int, _Proposed] = field(default_factory=dict)
    max_pdu: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The association is accepted; ``reply`` is the A-ASSOCIATE-AC PDU.

    ``peer_max_pdu`` is in bytes, 0 for unlimited.
    """

    calling_ae: str
    contexts: Mapping[int, Context]
    peer_max_pdu: int
    reply: bytes
    refused: Sequence[str] = ()
    """What the presentation contexts lack that were not accepted, one text for each reason."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The association is rejected; ``reply`` is the A-ASSOCIATE-RJ PDU."""

    calling_ae: str
    reason: str
    reply: bytes


def negotiate(
    body: bytes,
    aetitle: str,
    max_pdu: int,
    known: KnownUids,
    accept: Accept = _ANYBODY,
    is_known: Callable[[str], bool] = lambda _: True,
) -> Accepted | Rejected:
    """Respond to an association request as a Storage and Verification SCP.

    Accepts every storage SOP class, including those that are not in the dictionary (private or
    newer ones). Accepts one transfer syntax per context: the first acceptable one, but Explicit
    VR Little Endian rather than Implicit or Big Endian.

    Parameters
    ----------
    body
        The variable field of the A-ASSOCIATE-RQ PDU (PS3.8 table 9-11).
    aetitle
        Our AE title; the called one must be equal, except for surrounding spaces and NULs.
    max_pdu
        Maximum bytes of P-DATA that we accept.
    known
        The UIDs of the dictionary.
    accept
        Our additional AE titles, those of the peers, and which transfer syntaxes to accept.
    is_known
        Returns whether the sender with this calling AE title is known; others are rejected.

    Raises
    ------
    ProtocolError
        The PDU is malformed or exceeds a limit.
    """
    if len(body) < FIXED:
        raise ProtocolError("truncated A-ASSOCIATE-RQ PDU")
    (version,) = struct.unpack_from(">H", body)
    called, calling = _text(body[4:20]), _text(body[20:36])
    request = _read(body[FIXED:])
    if not version & 1:
        return _reject(calling, "protocol version not supported", source=2, diagnostic=2)
    if request.application != APPLICATION_CONTEXT:
        return _reject(calling, "application context name not supported", source=1, diagnostic=2)
    if called not in (aetitle, *accept.called_aetitles):
        reason = f"called AE title {called!r} is not {aetitle!r}"
        return _reject(calling, reason, source=1, diagnostic=7)
    if accept.calling_aetitles and calling not in accept.calling_aetitles:
        reason = "its AE title is not in net.local_node.accept.calling_aetitles"
        return _reject(calling, reason, source=1, diagnostic=3)
    if not is_known(calling):
        reason = (
            "its AE title and address are not in net.local_node.accept.known_senders "
            "(accept.senders: strict)"
        )
        return _reject(calling, reason, source=1, diagnostic=3)
    contexts, results, refused = _judge(request.contexts, known, accept)
    reply = _acceptance(body[_AE_TITLES], results, max_pdu)
    return Accepted(calling, contexts, request.max_pdu, reply, refused)


def local_limit_exceeded() -> bytes:
    """Return an A-ASSOCIATE-RJ PDU for a transient rejection (PS3.8 table 9-21)."""
    return _rejection(result=2, source=3, diagnostic=2)


def choose_syntax(
    offered: list[str], known: KnownUids, *, deflated: bool = False, others: Sequence[str] = ()
) -> str | None:
    """Return the transfer syntax to accept, or None if none is acceptable."""
    acceptable = [
        syntax
        for syntax in offered
        # Deflated may be a bomb: it can inflate to a thousand times its size.
        if (
            syntax in known.syntaxes
            and syntax not in _REFUSED_SYNTAXES
            and (deflated or syntax != _DEFLATED)
        )
        or syntax in others
    ]
    if not acceptable:
        return None
    if acceptable[0] in (_IMPLICIT, _BIG_ENDIAN) and _EXPLICIT in acceptable:
        return _EXPLICIT
    return acceptable[0]


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(PADDING)


def items(data: bytes, what: str, limit: int) -> Iterator[tuple[int, bytes]]:
    """Iterate over (type, value) of items (PS3.8 section 9.3), strictly within ``data``.

    Raises
    ------
    ProtocolError
        An item of ``what`` is cut, or there are more than ``limit``.
    """
    position = count = 0
    while position < len(data):
        if position + _ITEM.size > len(data):
            raise ProtocolError(f"truncated item of {what}")
        kind, length = _ITEM.unpack_from(data, position)
        start = position + _ITEM.size
        position = start + length
        count += 1
        if position > len(data):
            raise ProtocolError(f"item 0x{kind:02X} of {what} reaches beyond its end")
        if count > limit:
            raise ProtocolError(f"more than {limit} items in {what}")
        yield kind, data[start:position]


def _read(data: bytes) -> _Request:
    request = _Request()
    for kind, value in items(data, "A-ASSOCIATE-RQ", MAX_CONTEXTS + 16):
        if kind == _APPLICATION:
            request.application = _text(value)
        elif kind == _CONTEXT:
            _read_context(value, request.contexts)
        elif kind == USER_INFORMATION:
            for user_kind, item in items(value, "the user information", MAX_USER_ITEMS):
                if user_kind == MAXIMUM_LENGTH and len(item) == 4:
                    request.max_pdu = int.from_bytes(item, "big")
    if not request.contexts:
        raise ProtocolError("A-ASSOCIATE-RQ without a presentation context")
    return request


def _read_context(value: bytes, contexts: dict[int, _Proposed]) -> None:
    if len(value) < 4:
        raise ProtocolError("truncated presentation context item")
    context_id = value[0]
    if context_id % 2 == 0 or context_id in contexts:
        raise ProtocolError(f"presentation context ID {context_id} is even or occurs twice")
    found = list(items(value[4:], "a presentation context", MAX_SYNTAXES))
    abstract = [_text(item) for kind, item in found if kind == _ABSTRACT_SYNTAX]
    transfer = [_text(item) for kind, item in found if kind == TRANSFER_SYNTAX]
    if len(abstract) != 1 or not transfer:
        raise ProtocolError(
            f"presentation context {context_id} is not one abstract syntax with transfer syntaxes"
        )
    contexts[context_id] = _Proposed(abstract[0], transfer)


def _judge(
    proposals: Mapping[int, _Proposed], known: KnownUids, accept: Accept
) -> tuple[dict[int, Context], list[bytes], list[str]]:
    accepted: dict[int, Context] = {}
    results: list[bytes] = []
    refused: dict[str, None] = {}
    for context_id, proposed in proposals.items():
        chosen = choose_syntax(
            proposed.transfer_syntaxes,
            known,
            deflated=accept.deflated,
            others=accept.transfer_syntaxes,
        )
        abstract = proposed.abstract_syntax
        if abstract != VERIFICATION and abstract in known.not_storage:
            result = _NO_ABSTRACT_SYNTAX
            refused[f"SOP class {said(abstract, longest=64)}, which is not for storage"] = None
        elif chosen is None:
            result = _NO_TRANSFER_SYNTAX
            refused |= dict.fromkeys(map(_unacceptable, proposed.transfer_syntaxes))
        else:
            result = ACCEPTANCE
            accepted[context_id] = Context(abstract, chosen)
        # The syntax of a rejected context has no meaning, but the field is required.
        syntax = chosen if result == ACCEPTANCE and chosen else _IMPLICIT
        results.append(_context_result(context_id, result, syntax))
    return accepted, results, list(refused)


def _unacceptable(syntax: str) -> str:
    key = "deflated" if syntax == _DEFLATED else "transfer_syntaxes"
    return f"transfer syntax {said(syntax, longest=64)} (net.local_node.accept.{key})"


def _context_result(context_id: int, result: int, syntax: str) -> bytes:
    head = bytes((context_id, 0, result, 0))
    return _item(RESULT, head + _item(TRANSFER_SYNTAX, syntax.encode("ascii")))


def _acceptance(ae_titles: bytes, results: list[bytes], max_pdu: int) -> bytes:
    """Encode an A-ASSOCIATE-AC PDU (PS3.8 table 9-17); the AE titles are returned unchanged."""
    about_us = (
        _item(MAXIMUM_LENGTH, max_pdu.to_bytes(4, "big"))
        + _item(_CLASS_UID, IMPLEMENTATION_CLASS_UID.encode("ascii"))
        + _item(_VERSION_NAME, IMPLEMENTATION_VERSION_NAME.encode("ascii"))
    )
    parts = [
        _item(_APPLICATION, APPLICATION_CONTEXT.encode("ascii")),
        *results,
        _item(USER_INFORMATION, about_us),
    ]
    body = bytes((0, 1, 0, 0)) + ae_titles + bytes(32) + b"".join(parts)
    return HEADER.pack(PduType.ASSOCIATE_AC, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _reject(calling: str, reason: str, source: int, diagnostic: int) -> Rejected:
    """Reject permanently (PS3.8 table 9-21)."""
    return Rejected(calling, reason, _rejection(result=1, source=source, diagnostic=diagnostic))


def _rejection(result: int, source: int, diagnostic: int) -> bytes:
    return HEADER.pack(PduType.ASSOCIATE_RJ, 4) + bytes((0, result, source, diagnostic))
