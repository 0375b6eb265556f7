"""The walk over every element of a data set, whatever its irregularities (PS3.5 section 7).

`pacsfw.dicom.walk` is quicker, but gives up at any deviation from the standard. This walk goes on
where it can prove how, counts what is odd, and names the fault at which it has to stop. Both take
the first element of a tag, so a value does not depend on which of them has read it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pacsfw.dicom.cursor import Cursor, Damaged, Source
from pacsfw.dicom.elements import known_vr
from pacsfw.dicom.odd_vr import encoding_of_items, plausible_head
from pacsfw.dicom.tagpath import Step
from pacsfw.dicom.vr import LONG, SHORT, swapped
from pacsfw.dicom.walk import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
)
from pacsfw.dicom.wanted import LONGEST_VALUE, TOO_LONG, NotRead, QueryRow, vr_of

PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""The elements of pixel data (PS3.3 sections C.7.6.3 and C.7.6.24); they are never kept."""

NOT_READ, ZEROS = "a sequence that cannot be read", "zeros after the last element"

_MOST_HEADS = 50_000_000
"""Maximum number of element headers; no instance has as many, and they take minutes."""
_MOST_KEPT = 2_000_000
"""Maximum number of elements in memory: about 400 MB."""
_MOST_HELD = 1 << 28
"""Maximum bytes of all values in memory."""
_DEEPEST = 100
"""Maximum depth of nested sequences."""
_FRAGMENTED = frozenset({"OB", "OW"})


@dataclass(slots=True)
class _Frame:
    """The position of the walk: among elements, or among the items of a sequence."""

    in_items: bool
    encoding: Encoding
    found: QueryRow
    """The elements of the data set or item; in a sequence, those that it is one of."""
    end: int | None = None
    """The offset at which it ends; None if a delimiter ends it."""
    tag: int = -1
    """The tag of the sequence; among elements, the previous tag."""
    items: list[QueryRow] | None = None


class FullWalk:
    """Walks from the header of any element to the end of the data set.

    Parameters
    ----------
    source
        The bytes, beginning at ``start``.
    keep
        Keep the elements, except for pixel data, in `found`. Without it, sequences of defined
        length are skipped.
    group
        Walk over the elements of this group only.

    Attributes
    ----------
    found
        The elements: the first of each tag. A value that cannot be read is a `NotRead`.
    odd
        Irregularities by kind.
    native_pixels
        The length in bytes of native pixel data by tag.
    has_passed_pixels
        Whether pixel data was reached.
    """

    def __init__(
        self,
        source: Source,
        start: int,
        encoding: Encoding,
        *,
        keep: bool,
        group: int | None = None,
    ) -> None:
        self._bytes = Cursor(source, start)
        self._keep, self._little, self._group = keep, encoding.little, group
        self.found: QueryRow = {}
        self._frames = [_Frame(in_items=False, encoding=encoding, found=self.found)]
        self._heads = self._held = 0
        self.native_pixels: dict[int, int] = {}
        self.has_passed_pixels = False
        self.odd: Counter[str] = Counter()

    @property
    def position(self) -> int:
        """The offset of the next element."""
        return self._bytes.position

    def run(self) -> None:
        """Walk to the end of the data set.

        Raises
        ------
        Damaged
            There is a fault; the elements before it are in `found`.
        zlib.error, Bomb
            As raised by the source.
        """
        try:
            self._run()
        except Damaged as fault:
            for frame in self._frames:
                self._forget(frame, str(fault))
            raise

    def _run(self) -> None:
        while self._has_more():
            self._heads += 1
            if self._heads > (_MOST_KEPT if self._keep else _MOST_HEADS):
                raise Damaged("it has more elements than any instance")
            try:
                if self._frames[-1].in_items:
                    self._item()
                elif not self._element():
                    return
            except _Local as fault:
                self._skip_faulty(str(fault))
        self._bytes.check_end()
        if len(self._frames) > 1:
            raise Damaged("it ends in the middle of a sequence")

    def _has_more(self) -> bool:
        """Leave items and sequences that end here, and return whether more follows."""
        while self._frames[-1].end == self.position:
            self._frames.pop()
        return bool(self._bytes.peek(1))

    def _element(self) -> bool:
        """Pass one element; False if only padding follows."""
        frame, nested = self._frames[-1], len(self._frames) > 1
        head = self._bytes.peek(8)
        group, element = frame.encoding.item(head.ljust(8, b"\xff"), 0)[:2]
        if not nested and self._group not in (None, group):
            return False
        if not nested and not any(head):
            if not self._bytes.are_zeros():
                self._doubt(frame)
                raise Damaged("an element without a tag")
            self.odd[ZEROS] += 1
            return False
        tag = group << 16 | element
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            self._delimiter(frame, tag, nested=nested)
            return True
        vr, length = self._vr_and_length(frame, tag)
        if tag <= frame.tag:
            is_double = tag == frame.tag or tag in frame.found
            self.odd["an element occurs twice" if is_double else "elements out of order"] += 1
        frame.tag = tag
        if length == UNDEFINED:
            self._undefined(frame, tag, vr)
        elif self._keep and (nested or tag not in PIXELS):
            self._kept(frame, tag, vr, length)
        else:
            if not nested and tag in PIXELS:
                self.native_pixels[tag] = length
                self.has_passed_pixels = True
            self._bytes.position += length
        return True

    def _delimiter(self, frame: _Frame, tag: int, *, nested: bool) -> None:
        if not nested:
            if tag == ITEM:
                raise Damaged("an item outside a sequence")
            self._bytes.take(8)
            self.odd["a delimiter that ends nothing"] += 1
        elif tag == ITEM_END:
            self._bytes.take(8)
            if frame.end is None:
                self._frames.pop()
            else:
                self.odd["a delimiter that ends nothing"] += 1
        elif frame.end is None:
            self.odd["an item without its end"] += 1
            self._frames.pop()  # the sequence goes on, or ends, here
        else:
            raise self._local("an item contains a delimiter of its sequence")

    def _undefined(self, frame: _Frame, tag: int, vr: str) -> None:
        if tag in PIXELS or vr in _FRAGMENTED:
            at_root = len(self._frames) == 1
            self.has_passed_pixels |= at_root and tag in PIXELS
            value = self._fragments(keep=self._keep and not (at_root and tag in PIXELS))
            if value:
                frame.found.setdefault(tag, (vr, b"".join(value)))
            return
        self._enter(frame, tag, self._encoding_of_items(frame, vr), None)

    def _kept(self, frame: _Frame, tag: int, vr: str, length: int) -> None:
        """Pass an element of defined length, and keep its value."""
        end = self.position + length
        self._check_within(end)
        step = Step(tag >> 16, tag & 0xFFFF)
        known = vr if vr != "UN" else known_vr(vr, b"", step, frame.found)
        if known == "SQ" and length:
            self._enter(frame, tag, self._encoding_of_items(frame, vr), end)
            return
        value: object = []
        if known != "SQ":
            value = self._value(length)
            if frame.encoding.little != self._little and type(value) is bytes:
                value = swapped(known, value)
        frame.found.setdefault(tag, (known if known == "SQ" else vr, value))
        self._bytes.position = end

    def _value(self, length: int) -> bytes | NotRead:
        if length == 0:
            return b""
        self._held += length
        is_long = length > LONGEST_VALUE or self._held > _MOST_HELD
        skipped = length - 1 if is_long else 0
        value = self._bytes.fetch(length - skipped, skipped)
        if len(value) < length - skipped:
            raise Damaged("an element reaches beyond its end")
        return TOO_LONG if is_long else value

    def _enter(self, frame: _Frame, tag: int, encoding: Encoding, end: int | None) -> None:
        if len(self._frames) > 2 * _DEEPEST:
            raise Damaged("sequences are nested too deeply")
        items: list[QueryRow] = []
        if self._keep:
            frame.found.setdefault(tag, ("SQ", items))
        self._frames.append(_Frame(True, encoding, frame.found, end, tag, items))

    def _encoding_of_items(self, frame: _Frame, vr: str) -> Encoding:
        encoding = encoding_of_items(self._bytes, vr, frame.encoding)
        if vr == "UN" and not encoding.implicit:
            self.odd["UN with items in Explicit VR"] += 1
        return encoding

    def _item(self) -> None:
        frame = self._frames[-1]
        tag, length = self._item_head()
        if tag == SEQUENCE_END and frame.end is None:
            self._frames.pop()
            return
        if tag in (SEQUENCE_END, ITEM_END):
            self.odd["a delimiter that ends nothing"] += 1
            return
        if tag != ITEM:
            raise self._local("a sequence contains an element that is not an item")
        found: QueryRow = {}
        end = None if length == UNDEFINED else self.position + length
        limit = self._end()
        if end is not None and limit is not None and end > limit:
            self.odd["an item that is longer than its sequence"] += 1
            end = limit  # its elements show whether it ends there
        if end is not None and not self._keep:
            self._bytes.position = end
            return
        if frame.items is not None:
            frame.items.append(found)
        self._frames.append(_Frame(False, frame.encoding, found, end))

    def _fragments(self, *, keep: bool) -> list[bytes]:
        """Pass encapsulated pixel data (PS3.5 section A.4); keep those of an icon."""
        kept: list[bytes] = []
        size = 0
        while True:
            head = self._bytes.peek(8)
            tag, length = self._item_head()
            if tag == SEQUENCE_END:
                return kept
            if tag != ITEM or length == UNDEFINED:
                raise self._local("its pixel data contains an element that is not a fragment")
            self._check_within(self.position + length)
            size += length
            if keep and size <= LONGEST_VALUE:
                kept += (head, self._bytes.fetch(length))
            self._bytes.position += length

    def _item_head(self) -> tuple[int, int]:
        group, element, length = self._frames[-1].encoding.item(self._bytes.take(8), 0)
        return group << 16 | element, length

    def _vr_and_length(self, frame: _Frame, tag: int) -> tuple[str, int]:
        encoding, head = frame.encoding, self._bytes.peek(8)
        if len(head) < 8:
            self._bytes.take(8)  # says how it ends
        if encoding.implicit:
            self._bytes.take(8)
            return vr_of(tag), encoding.head(head, 0)[2]
        _, _, code, length = encoding.head(head, 0)
        if code in SHORT:
            self._bytes.take(8)
            return SHORT[code], length
        if code in LONG:
            self._bytes.take(8)
            return LONG[code], encoding.long(self._bytes.take(4), 0)[0]
        found = plausible_head(self._bytes, encoding, self._end())
        if found is None:
            if tag <= frame.tag or not code.isalpha():
                self._doubt(frame)
            raise self._local("unknown value representation")
        self.odd["unknown value representation"] += 1
        self._bytes.take(found.size)
        return "UN", found.length

    def _doubt(self, frame: _Frame) -> None:
        """Discard the element before this place: its length leads to where none begins."""
        if frame.tag in frame.found:
            frame.found[frame.tag] = "UN", NotRead("its length does not lead to an element")

    def _check_within(self, end: int) -> None:
        limit = self._end()
        if limit is not None and end > limit:
            raise self._local("a length reaches beyond the sequence around it")

    def _end(self) -> int | None:
        """Return the nearest known end of an item or sequence around this place."""
        return next((f.end for f in reversed(self._frames) if f.end is not None), None)

    def _local(self, fault: str) -> Exception:
        """Return an error that is confined to a sequence or item of defined length, if any."""
        return Damaged(fault) if self._end() is None else _Local(fault)

    def _skip_faulty(self, fault: str) -> None:
        """Go on behind the nearest item or sequence of defined length, which cannot be read."""
        while (end := (frame := self._frames.pop()).end) is None:
            pass
        self._forget(frame if frame.in_items else self._frames[-1], fault)
        self.odd[f"{NOT_READ}: {fault}"] += 1
        self._bytes.position = end

    def _forget(self, sequence: _Frame, fault: str) -> None:
        """Replace a sequence that was not read to its end by the reason."""
        if sequence.in_items and sequence.found.get(sequence.tag, ("", None))[1] is sequence.items:
            sequence.found[sequence.tag] = "SQ", NotRead(fault)


class _Local(ValueError):
    """A fault in a sequence or item of defined length: the elements after it can be read."""
