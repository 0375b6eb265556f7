"""The walk over the elements of a data set in memory (PS3.5 section 7).

It takes the wanted elements and skips the rest by length; only sequences of undefined length
must be walked through. It does not guess: any deviation from the standard is `Unusual`, and is
left to `pacsfw.dicom.full_walk`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from pacsfw.dicom.vr import LONG, SHORT
from pacsfw.dicom.wanted import FILE_META_END, LONGEST_VALUE, TOO_LONG, QueryRow, Want, Wanted

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

_DEEPEST = 32
_UNTIL_ITEM_END = ITEM_END - 1
_BEFORE_OTHERS = frozenset({_UNTIL_ITEM_END, FILE_META_END})
"""Tags after which no element of the same encoding follows."""
_NOTHING = Wanted({})
_SEQUENCES = frozenset({"SQ", "UN"})
_FRAGMENTED = frozenset({"OB", "OW"})


class Unusual(Exception):
    """The encoding deviates from the standard, so this walk must not judge it."""


class Short(Exception):
    """The available bytes end inside an element, or before one that is needed.

    ``position`` is the (expected) offset of the element; ``need`` its end, if known.
    """

    def __init__(self, position: int, previous: int, need: int = 0) -> None:
        super().__init__(position)
        self.position, self.previous, self.need = position, previous, need


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of the elements of a data set; unpacks their headers."""

    implicit: bool
    little: bool
    head: Any
    """Group, element, VR and short length; group, element and length if implicit."""
    long: Any
    item: Any

    @classmethod
    def of(cls, *, implicit: bool, little: bool) -> Encoding:
        """Return the encoding of this kind."""
        order = "<" if little else ">"
        kinds = ("HHL" if implicit else "HH2sH", "L", "HHL")
        return cls(implicit, little, *(struct.Struct(order + kind).unpack_from for kind in kinds))


EXPLICIT = Encoding.of(implicit=False, little=True)
IMPLICIT = Encoding.of(implicit=True, little=True)
EXPLICIT_BIG = Encoding.of(implicit=False, little=False)


class Walk:
    """Walks over bytes that begin at the header of any element of a data set.

    Parameters
    ----------
    data
        The available bytes.
    encoding
        The encoding of the elements.
    depth
        The nesting depth in sequences.
    """

    __slots__ = ("_data", "_depth", "_encoding")

    def __init__(self, data: bytes, encoding: Encoding, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise Unusual
        self._data, self._encoding, self._depth = data, encoding, depth

    def run(self, position: int, wanted: Wanted, found: QueryRow, last: int, previous: int) -> int:
        """Take the wanted elements, and stop before the first one after ``last``.

        Parameters
        ----------
        position
            The offset of an element.
        found
            Receives the wanted elements.
        previous
            The tag of the previous element, -1 if there is none.

        Returns
        -------
        int
            The offset of the first element with a tag greater than ``last``.

        Raises
        ------
        Short
            The bytes end before that.
        Unusual
            Unknown value representation, elements out of order, broken sequence.
        """
        step = self._implicit if self._encoding.implicit else self._explicit
        return step(position, wanted, found, last, previous)

    def _explicit(  # noqa: C901 - it runs once per element of every file
        self, position: int, wanted: Wanted, found: QueryRow, last: int, previous: int
    ) -> int:
        data, size = self._data, len(self._data)
        head, long = self._encoding.head, self._encoding.long
        elements = wanted.known_from(found) if wanted.private else wanted.elements
        try:
            while True:
                group, element, code, length = head(data, position)
                tag = group << 16 | element
                if not previous < tag <= last:
                    if tag > last and (code in SHORT or code in LONG or last in _BEFORE_OTHERS):
                        return position
                    raise Unusual
                if code in SHORT:
                    end = position + 8 + length
                    if tag in elements:
                        if end > size:
                            raise Short(position, previous, end)
                        found[tag] = SHORT[code], data[position + 8 : end]
                        if elements[tag].reserves:
                            wanted.reserve(elements, tag, data[position + 8 : end])
                elif code in LONG:
                    (length,) = long(data, position + 8)
                    end = position + 12 + length
                    if length == UNDEFINED or tag in elements:
                        want = elements.get(tag)
                        end = self._long(position + 12, length, LONG[code], tag, want, found)
                        if want is not None and want.reserves:
                            wanted.reserve(elements, tag, found[tag][1])
                else:
                    raise Unusual
                previous = tag
                position = end
        except struct.error:
            raise Short(position, previous) from None
        except Short as short:
            raise Short(position, previous, short.need) from None

    def _implicit(
        self, position: int, wanted: Wanted, found: QueryRow, last: int, previous: int
    ) -> int:
        data = self._data
        head = self._encoding.head
        elements = wanted.known_from(found) if wanted.private else wanted.elements
        try:
            while True:
                group, element, length = head(data, position)
                tag = group << 16 | element
                if tag > last:
                    return position
                if tag <= previous:
                    raise Unusual
                start = position + 8
                want = elements.get(tag)
                if length == UNDEFINED or want is not None:
                    end = self._long(start, length, want.vr if want else "SQ", tag, want, found)
                    if want is not None and want.reserves:
                        wanted.reserve(elements, tag, found[tag][1])
                else:
                    end = start + length
                previous = tag
                position = end
        except struct.error:
            raise Short(position, previous) from None
        except Short as short:
            raise Short(position, previous, short.need) from None

    def _long(
        self, start: int, length: int, vr: str, tag: int, want: Want | None, found: QueryRow
    ) -> int:
        """Take an element whose length may be undefined, and return its end."""
        if want is None or length == UNDEFINED or vr == "SQ" or want.items:
            if self._encoding.implicit:
                vr = "SQ"  # only sequences can have undefined length here
            return self._sequence(start, length, vr, tag, want, found)
        end = start + length
        if length > LONGEST_VALUE:
            found[tag] = vr, TOO_LONG
        elif end > len(self._data):
            raise Short(0, 0, end)
        else:
            found[tag] = vr, self._data[start:end]
        return end

    def _sequence(
        self, start: int, length: int, vr: str, tag: int, want: Want | None, found: QueryRow
    ) -> int:
        """Walk through a sequence, or a value of undefined length, and return its end."""
        if vr in _FRAGMENTED:
            if want is not None:
                raise Unusual
            return self._fragments(start)
        if vr not in _SEQUENCES:
            raise Unusual
        encoding = self._encoding
        if vr == "UN" and not encoding.implicit:
            if not encoding.little:
                raise Unusual
            encoding = IMPLICIT  # PS3.5 section 6.2.2, note 2
        if want is None or want.items is None:
            if want is not None:
                found[tag] = "SQ", None
            return start + length if length != UNDEFINED else self._skip_items(start, encoding)
        items: list[QueryRow] = []
        found[tag] = "SQ", items
        if length == UNDEFINED:
            return self._items(start, None, encoding, want.items, items)
        if start + length > len(self._data):
            raise Short(0, 0, start + length)
        return self._items(start, start + length, encoding, want.items, items)

    def _items(
        self, start: int, end: int | None, encoding: Encoding, wanted: Wanted, items: list[QueryRow]
    ) -> int:
        position, data = start, self._data
        while end is None or position < end:
            tag, length, position = self._item(position)
            if tag == SEQUENCE_END:
                if end is not None and position != end:
                    raise Unusual
                return position
            found: QueryRow = {}
            items.append(found)
            if length == UNDEFINED:
                position = self._undefined_item(position, encoding, wanted, found)
                continue
            stop = position + length
            if end is not None and stop > end:
                raise Unusual
            if stop > len(data):
                raise Short(0, 0, stop)
            if length:
                _walk_item(data[position:stop], encoding, wanted, found, self._depth + 1)
            position = stop
        if position != end:
            raise Unusual
        return position

    def _undefined_item(
        self, position: int, encoding: Encoding, wanted: Wanted, found: QueryRow
    ) -> int:
        inner = Walk(self._data, encoding, self._depth + 1)
        position = inner.run(position, wanted, found, _UNTIL_ITEM_END, -1)
        group, element, _ = encoding.item(self._data, position)
        if group << 16 | element != ITEM_END:
            raise Unusual
        return position + 8

    def _skip_items(self, position: int, encoding: Encoding) -> int:
        while True:
            tag, length, position = self._item(position)
            if tag == SEQUENCE_END:
                return position
            if length == UNDEFINED:
                position = self._undefined_item(position, encoding, _NOTHING, {})
            else:
                position += length

    def _fragments(self, position: int) -> int:
        """Skip encapsulated pixel data, such as those of an icon (PS3.5 section A.4)."""
        while True:
            tag, length, position = self._item(position)
            if tag == SEQUENCE_END:
                return position
            if length == UNDEFINED:
                raise Unusual
            position += length

    def _item(self, position: int) -> tuple[int, int, int]:
        group, element, length = self._encoding.item(self._data, position)
        tag = group << 16 | element
        if tag not in (ITEM, SEQUENCE_END):
            raise Unusual
        return tag, length, position + 8


def _walk_item(
    data: bytes, encoding: Encoding, wanted: Wanted, found: QueryRow, depth: int
) -> None:
    """Walk over an item of defined length, which ends with its bytes."""
    if not encoding.implicit and data[4:6] not in SHORT and data[4:6] not in LONG:
        raise Unusual
    try:
        Walk(data, encoding, depth).run(0, wanted, found, _UNTIL_ITEM_END, -1)
    except Short as short:
        if short.position == len(data):
            return
    raise Unusual
