"""Elements in Explicit VR whose value representation is none, or does not tell the encoding.

Scanners write blanks, NULs and lower-case letters in its place, or leave it out. How long such an
element is can only be seen from the element after it: without that proof it is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pacsfw.dicom.cursor import Cursor
from pacsfw.dicom.vr import LONG, SHORT
from pacsfw.dicom.walk import EXPLICIT, IMPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, Encoding
from pacsfw.dicom.wanted import LONGEST_VALUE

_DELIMITERS = (ITEM_END, SEQUENCE_END)


class OddHead(NamedTuple):
    """The header of an element: its size, and the length of the value, in bytes."""

    size: int
    length: int


def plausible_head(cursor: Cursor, encoding: Encoding, end: int | None) -> OddHead | None:
    """Return how an element without a valid VR is encoded, if the next element proves it.

    Parameters
    ----------
    cursor
        At the element.
    end
        The offset at which the item or sequence around it ends, if that is known.
    """
    head = cursor.fetch(12)
    if len(head) < 8:
        return None
    left = None if end is None else end - cursor.position
    for found in _candidates(head, encoding):
        size = found.size + found.length
        if found.length > LONGEST_VALUE or (left is not None and size > left):
            continue
        data = cursor.fetch(size + 8)
        is_last = size == left if left is not None else len(data) == size
        if is_last or (len(data) > size and _is_next(data[size:], head, encoding)):
            return found
    return None


def encoding_of_items(cursor: Cursor, vr: str, encoding: Encoding) -> Encoding:
    """Return the encoding of items; those of UN are implicit (PS3.5 section 6.2.2, note 2).

    Some writers leave them explicit. A length that spells a VR would be that of an element of
    some 16 kB or more at the beginning of an item.
    """
    if vr != "UN" or encoding.implicit:
        return encoding
    letters = cursor.fetch(16)[12:14]
    return EXPLICIT if letters in SHORT or letters in LONG else IMPLICIT


def _candidates(head: bytes, encoding: Encoding) -> Iterator[OddHead]:
    code, length = encoding.head(head, 0)[2:]
    long = encoding.long(head, 8)[0] if len(head) == 12 else UNDEFINED
    if code.isalpha() and code.isupper():
        # A VR of a later edition has a length of 32 bits (PS3.5 section 6.2).
        yield OddHead(12, long)
        return
    short = OddHead(8, length)
    # Without VR, the length of 32 bits is in its place.
    bare = OddHead(8, encoding.long(head, 4)[0])
    yield from (
        (short, bare)
        if code.strip(b" \0").isalpha() or not code.strip(b" \0")
        else ((bare, short) if code[0] < 0x20 else (short, bare))
    )


def _is_next(behind: bytes, head: bytes, encoding: Encoding) -> bool:
    """Return whether these bytes are the header of an element that may follow."""
    if len(behind) < 8:
        return False
    before, after = (
        group << 16 | element
        for group, element, *_ in (encoding.item(head, 0), encoding.item(behind, 0))
    )
    if after in _DELIMITERS:
        return not any(behind[4:8])
    code = behind[4:6]
    return code in SHORT or code in LONG or (code == head[4:6] and after > before)
