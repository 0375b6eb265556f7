"""What a response says in addition to its status (PS3.7 section C.4, annex E)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from pydicom.datadict import keyword_for_tag

from pacsfw.dimse.command import Command, Element
from pacsfw.words import said

_COMMENT_LETTERS = 64
_TAG = struct.Struct("<HH")


def comment_of(command: Command, sent: Iterable[str] = ()) -> str:
    """Return the Error Comment (0000,0902) for a terminal, without the values sent."""
    return said(command.text(Element.ERROR_COMMENT), sent, longest=_COMMENT_LETTERS)


def offending_keys(command: Command) -> tuple[str, ...]:
    """Return the keywords of the Offending Elements (0000,0901)."""
    value = command.elements.get(Element.OFFENDING_ELEMENT, b"")
    whole = value[: len(value) - len(value) % _TAG.size]
    tags = (group << 16 | element for group, element in _TAG.iter_unpack(whole))
    return tuple(filter(None, map(keyword_for_tag, tags)))
