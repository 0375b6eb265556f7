"""Encoded elements: find them in the data read, and convert them with pydicom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement, convert_raw_data_element, empty_value_for_VR
from pydicom.tag import BaseTag
from pydicom.uid import UID
from pydicom.valuerep import AMBIGUOUS_VR

from pacsfw.api import is_uid
from pacsfw.dicom.tagpath import ABSENT, Absent, Many, Step, TagPath, follow
from pacsfw.dicom.vr import PADDING
from pacsfw.dicom.walk import Encoding
from pacsfw.dicom.wanted import (
    CHARACTER_SET,
    TOO_LONG,
    QueryRow,
    Raw,
    creator_name,
    private_vr,
)

_LONGEST_UN = 0xFFFF
"""From this length on, a value of VR UN stays UN (PS3.5 section 6.2.2, note 2)."""
_PLAIN = frozenset({"AS", "CS", "DA", "DT", "LO", "SH", "TM", "UI"})
"""Value representations whose single values are plain text in pydicom."""
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
        if items:
            return [scope.within(item) for item in value] if type(value) is list else ABSENT
        return Leaf(known_vr(vr, value, step, scope.found), value, scope.charset, encoding.little)

    return follow(path.steps, _Scope(found, charset_of(found)), read)  # type: ignore[no-any-return]


def _private(step: Step, found: QueryRow) -> Raw | None:
    """Return an element from the first block of its creator that contains it."""
    first = step.group << 16
    blocks = [
        tag & 0xFF
        for tag, raw in found.items()
        if first + 0x10 <= tag <= first + 0xFF and creator_name(raw[1]) == step.creator
    ]
    found_in = (found.get(first | block << 8 | step.element) for block in blocks)
    return next((raw for raw in found_in if raw is not None), None)


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
        return str(dictionary_VR(step.tag)) if len(value) < _LONGEST_UN else vr
    except KeyError:
        return vr


def plain(leaf: Leaf) -> str | None:
    """Return a single value that is plain text in pydicom, None for all others."""
    vr, value = leaf.vr, leaf.value
    if vr not in _PLAIN or type(value) is not bytes or b"\\" in value:
        return None
    text = value.decode("latin-1").rstrip(PADDING)
    if vr not in _LONGEST:
        return text
    if len(value) > _LONGEST[vr] or not (text.isascii() and text.isprintable()):
        return None
    if vr != "UI":
        return text
    return UID(text, IGNORE) if is_uid(text) else None


def as_pydicom(leaf: Leaf, step: Step) -> Any:
    """Return the value as pydicom provides it by default.

    Raises
    ------
    NeedsDataset
        pydicom needs other elements for it, or it is a sequence.
    Exception
        Whatever pydicom raises on malformed values.
    """
    vr, value, charset, little = leaf
    if vr == "SQ" or vr in AMBIGUOUS_VR:
        raise NeedsDataset
    if value is TOO_LONG:
        raise MemoryError
    tag = BaseTag(step.tag if not step.creator else step.group << 16 | 0x1000 | step.element)
    encodings: Any = default_encoding if tag == CHARACTER_SET else pydicom_encodings(charset)
    content: Any = value or empty_value_for_VR(vr, raw=True)
    raw = RawDataElement(tag, vr, len(value), content, 0, False, little)
    return convert_raw_data_element(raw, encoding=encodings).value


def pydicom_encodings(charset: bytes) -> Any:
    """Return pydicom's encodings of a Specific Character Set; it warns of what it is not."""
    names = charset.decode("latin-1").rstrip(PADDING).split("\\")
    if all(name.strip() in python_encoding for name in names):
        return _encodings(tuple(names))
    return convert_encodings(names if len(names) > 1 else names[0])


@lru_cache(maxsize=64)
def _encodings(names: tuple[str, ...]) -> list[str]:
    return list(convert_encodings(list(names) if len(names) > 1 else names[0]))
