"""Encoded elements: find them in the data read, and convert them with pydicom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement, convert_raw_data_element, empty_value_for_VR
from pydicom.tag import BaseTag
from pydicom.uid import UID
from pydicom.valuerep import AMBIGUOUS_VR

from pacsfw.api import is_uid
from pacsfw.dicom.charset import decoder, is_plain
from pacsfw.dicom.charset import text as text_in_charset
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.tagpath import ABSENT, Absent, Many, Step, TagPath, follow
from pacsfw.dicom.vr import BINARY, NUMBERS, PADDING, TEXT
from pacsfw.dicom.walk import Encoding
from pacsfw.dicom.wanted import (
    CHARACTER_SET,
    NotRead,
    QueryRow,
    Raw,
    creator_name,
    private_vr,
)

_PLAIN = frozenset({"AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"})
"""Value representations whose single values are plain text in pydicom."""
_NO_TEXT = BINARY | AMBIGUOUS_VR | NUMBERS.keys() | {"AT", "SQ"}
NOT_ASCII = "bytes beyond ASCII, which VR {vr} must not have"
_LONGEST = {"LO": 64, "SH": 16, "UI": 64}
"""Value representations that pydicom validates."""


class NeedsDataset(Exception):
    """The value depends on other elements, or is a sequence: it needs a data set."""


class Leaf(NamedTuple):
    """One encoded element."""

    vr: str
    """As encoded, or from the dictionaries if the encoding has none."""
    value: Any
    charset: bytes
    """The encoded Specific Character Set that applies; empty if none is declared."""
    little: bool


@dataclass(frozen=True, slots=True)
class _Scope:
    """A data set or item, and the character set of its text."""

    found: QueryRow
    charset: bytes

    def within(self, item: QueryRow) -> _Scope:
        return _Scope(item, charset_of(item, self.charset))


def charset_of(found: QueryRow, inherited: bytes = b"") -> bytes:
    """Return the declared character set, encoded; items inherit that of their data set."""
    declared = found.get(CHARACTER_SET)
    return declared[1] if declared is not None else inherited


def find(path: TagPath, found: QueryRow, encoding: Encoding) -> Leaf | Many | Absent:
    """Return the encoded elements at a path.

    Returns
    -------
    Leaf or Many or Absent
        The elements; a `Many` of leaves and `ABSENT` if the path goes through every item of
        a sequence.

    Raises
    ------
    UnreadableObject
        A sequence on the path cannot be read.
    """
    if path.is_group:
        return ABSENT  # available only in a data set
    step = path.steps[0]
    if len(path.steps) == 1 and not step.creator:  # same as `follow` below, for most paths
        raw = found.get(step.tag)
        if raw is None:
            return ABSENT
        return Leaf(known_vr(*raw, step, found), raw[1], charset_of(found), encoding.little)

    def read(step: Step, scope: _Scope, items: bool) -> Any:
        raw = scope.found.get(step.tag) if not step.creator else _private(step, scope.found)
        if raw is None:
            return ABSENT
        vr, value = raw
        if items and isinstance(value, NotRead):
            raise UnreadableObject(path.text, value.reason)
        if items:
            return [scope.within(item) for item in value] if type(value) is list else ABSENT
        return Leaf(known_vr(vr, value, step, scope.found), value, scope.charset, encoding.little)

    return follow(path.steps, _Scope(found, charset_of(found)), read)  # type: ignore[no-any-return]


def is_before_fault(path: TagPath, found: QueryRow) -> bool:
    """Return whether the first element of a path was found, so that it was read to its end."""
    step = path.steps[0]
    raw = _private(step, found) if step.creator else found.get(step.tag)
    return raw is not None


def _private(step: Step, found: QueryRow) -> Raw | None:
    """Return an element from the first block of its creator that contains it."""
    first = step.group << 16
    found_in = (found.get(first | b << 8 | step.element) for b in blocks_of(step, found))
    return next((raw for raw in found_in if raw is not None), None)


def blocks_of(step: Step, found: QueryRow) -> list[int]:
    """Return the numbers of the blocks that a creator has reserved (PS3.5 section 7.8.1)."""
    first = step.group << 16
    return [
        tag & 0xFF
        for tag, raw in found.items()
        if first + 0x10 <= tag <= first + 0xFF and creator_name(raw[1]) == step.creator
    ]


def known_vr(vr: str, value: Any, step: Step, found: QueryRow) -> str:
    """Return the value representation; for UN, that of the dictionaries if they have it."""
    if vr != "UN" or type(value) is not bytes:
        return vr
    if step.creator:
        return private_vr(step.group, step.creator, step.element)
    if step.group % 2:
        creator = found.get(step.group << 16 | step.element >> 8)
        if step.element <= 0xFF or creator is None:
            return "LO" if 0x10 <= step.element <= 0xFF else "UN"
        return private_vr(step.group, creator_name(creator[1]), step.element & 0xFF)
    try:
        return str(dictionary_VR(step.tag))
    except KeyError:
        return vr


def plain(leaf: Leaf) -> str | None:
    """Return a single value that is plain text in pydicom, None for all others."""
    vr, value = leaf.vr, leaf.value
    if vr not in _PLAIN or type(value) is not bytes or b"\\" in value or not value.isascii():
        return None
    text = value.decode("ascii").rstrip(PADDING)
    if vr not in _LONGEST:
        return text
    if len(value) > _LONGEST[vr] or not text.isprintable():
        return None
    if vr != "UI":
        return text
    return UID(text, IGNORE) if is_uid(text) else None


def as_pydicom(leaf: Leaf, path: TagPath, undeclared: str, lost: Callable[[str], None]) -> Any:
    """Return the value as pydicom provides it by default.

    Parameters
    ----------
    path
        The path of the element.
    undeclared
        The character set of instances that declare none.
    lost
        Called with the reason if there are bytes that are not in the character set. If it
        returns, the value has replacement characters for them.

    Raises
    ------
    NeedsDataset
        pydicom needs other elements for it, or it is a sequence.
    UnreadableObject
        It cannot be read.
    Exception
        Whatever pydicom raises on malformed values.
    """
    vr, value, charset, little = leaf
    if isinstance(value, NotRead):
        raise UnreadableObject(path.text, value.reason)
    if vr == "SQ" or vr in AMBIGUOUS_VR:
        raise NeedsDataset
    step = path.steps[-1]
    tag = step.tag if not step.creator else step.group << 16 | 0x1000 | step.element
    readable, reason = in_utf_8(vr, value, charset, undeclared)
    if reason:
        lost(reason)
    return convert_raw_data_element(raw_element(tag, vr, readable, little), encoding="utf8").value


def in_utf_8(vr: str, value: bytes, charset: bytes, undeclared: str) -> tuple[bytes, str]:
    """Return a value whose text is encoded in UTF-8, and why some of it was replaced, if any."""
    if vr in _NO_TEXT or is_plain(value):
        return value, ""
    if vr not in TEXT:
        reason = "" if value.isascii() else NOT_ASCII.format(vr=vr)
        return value.decode("ascii", "replace").encode("ascii", "replace"), reason
    try:
        return decoder(charset, undeclared)(value).encode(), ""
    except ValueError as error:
        declared = charset.decode("latin-1").strip(PADDING)
        return text_in_charset(value, declared, undeclared).encode(), str(error)


def raw_element(tag: int, vr: str, value: bytes, little: bool) -> RawDataElement:
    """Return an element of pydicom that it converts on access."""
    content: Any = value or empty_value_for_VR(vr, raw=True)
    is_open = vr in AMBIGUOUS_VR  # left to pydicom, as in implicit encoding
    return RawDataElement(
        BaseTag(tag), None if is_open else vr, len(value), content, 0, is_open, little
    )
