"""Responses to our association requests, read leniently (PS3.8 sections 9.3.1 and 9.3.3).

Items that are unknown, or hold more than the standard allows, are skipped: the standard requires
that, and all that matters here are the accepted contexts and the maximum length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pacsfw.dicom.vr import PADDING
from pacsfw.dimse.negotiation import (
    ACCEPTANCE,
    FIXED,
    MAXIMUM_LENGTH,
    RESULT,
    TRANSFER_SYNTAX,
    USER_INFORMATION,
    Context,
    items,
)
from pacsfw.dimse.pdu import ProtocolError


@dataclass(frozen=True, slots=True)
class Reply:
    """What an A-ASSOCIATE-AC PDU says.

    Attributes
    ----------
    contexts
        The accepted presentation contexts, by ID.
    max_pdu
        Maximum length of a P-DATA PDU for the peer in bytes; 0: no limit, or not said.
    """

    contexts: Mapping[int, Context]
    max_pdu: int


def read(body: bytes, proposed: Mapping[int, tuple[str, Sequence[str]]]) -> Reply | None:
    """Read the variable field of an A-ASSOCIATE-AC PDU (PS3.8 table 9-17).

    Parameters
    ----------
    proposed
        Presentation context ID to abstract syntax and transfer syntaxes. Other contexts, and
        transfer syntaxes that were not proposed, are not usable.

    Returns
    -------
    Reply or None
        None if it has no presentation context at all: it is no response to our request.
    """
    contexts: dict[int, Context] = {}
    answered = False
    max_pdu = 0
    for kind, value in _items(body[FIXED:]):
        if kind == RESULT and len(value) >= 3:
            answered = True
            context_id, result = value[0], value[2]
            if result == ACCEPTANCE and context_id in proposed and context_id not in contexts:
                abstract, offered = proposed[context_id]
                syntax = _syntax(value[4:], offered)
                if syntax:
                    contexts[context_id] = Context(abstract, syntax)
        elif kind == USER_INFORMATION:
            for sub_kind, item in _items(value):
                if sub_kind == MAXIMUM_LENGTH and len(item) >= 4:
                    max_pdu = int.from_bytes(item[:4], "big")
    return Reply(contexts, max_pdu) if answered else None


def _syntax(data: bytes, offered: Sequence[str]) -> str:
    """Return the accepted transfer syntax; "" if it is not one of those offered."""
    named = [
        value.decode("latin-1").strip(PADDING)
        for kind, value in _items(data)
        if kind == TRANSFER_SYNTAX
    ]
    named = [each for each in named if each]
    if not named and len(offered) == 1:
        return offered[0]
    return named[0] if named and named[0] in offered else ""


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of items; one that is cut ends the list."""
    with suppress(ProtocolError):
        yield from items(data, "A-ASSOCIATE-AC", len(data))
