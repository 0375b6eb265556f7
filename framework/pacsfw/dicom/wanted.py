"""The wanted elements of a data set: tag paths, compiled for the walk.

Compiled once; the walk then needs one dictionary lookup per element. The results are plain
tuples of value representation and encoded value, so that only accessed values are decoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from pacsfw.dicom.charset import is_plain
from pacsfw.dicom.tagpath import FILE_META_GROUP, Step, TagPath
from pacsfw.dicom.vr import PADDING

CHARACTER_SET = 0x00080005
SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
SYNTAX = 0x00020010
FILE_META_END = 0x0002FFFF
_SYNTAX = (Step(0x0002, 0x0010, "UI"),)
_CHARACTER_SET = (Step(0x0008, 0x0005, "CS"),)
LAST_BEFORE_PIXELS = 0x7FE00007
"""The greatest tag before pixel data, including float and double pixel data."""
_LAST_OF_PIXELS = 0x7FE00010
_ONLY_CHARACTER_SET = {CHARACTER_SET}

Raw: TypeAlias = tuple[str, Any]
"""Value representation and value.

The value is bytes; for a sequence that is read, a list of `QueryRow`; for another sequence,
None; a `NotRead` for a value that cannot be read.
"""
QueryRow: TypeAlias = dict[int, Raw]
"""The wanted elements of a data set or item by tag, in their order."""


class NotRead(NamedTuple):
    """In place of a value: why it cannot be read."""

    reason: str


TOO_LONG = NotRead("a value that is too long")
LONGEST_VALUE = 1 << 26
"""Maximum bytes of one value."""


@dataclass(slots=True)
class Want:
    """A wanted element.

    ``vr`` is that of the dictionary, for encodings without one. ``items`` is what is wanted of
    the items of a sequence; without it, the value itself is wanted. ``reserves`` is the group
    in which the element may reserve a block (PS3.5 section 7.8.1), else 0.
    """

    vr: str
    items: Wanted | None = None
    reserves: int = 0


@dataclass(slots=True)
class Wanted:
    """The wanted elements of a data set or of items; ``last`` is the greatest tag."""

    elements: dict[int, Want]
    private: dict[tuple[int, str], dict[int, Want]] = field(default_factory=dict)
    """By group and creator: the wanted elements of its blocks, by their low byte."""
    last: int = 0
    is_behind_pixels: bool = False
    """Whether an element after the pixel data is wanted."""

    def add(self, steps: tuple[Step, ...]) -> None:
        """Add the element of a path."""
        step, *rest = steps
        want = self._private(step) if step.creator else self._public(step)
        if rest:
            want.items = want.items or Wanted({})
            want.items.add(tuple(rest))
            want.items.add(_CHARACTER_SET)

    def lacks_any(self, found: QueryRow) -> bool:
        """Return whether something wanted was not found, so that it may still follow.

        A character set matters only to text that is not ASCII.
        """
        if self.private:
            return True
        if found.keys() >= self.elements.keys():
            return False
        if self.elements.keys() - found.keys() != _ONLY_CHARACTER_SET:
            return True
        return not all(type(each) is bytes and is_plain(each) for _, each in found.values())

    def known_from(self, found: QueryRow) -> dict[int, Want]:
        """Return the wanted elements, given the creators found so far."""
        elements = self.elements.copy()
        for tag, (_, value) in found.items():
            want = self.elements.get(tag)
            if want is not None and want.reserves:
                self.reserve(elements, tag, value)
        return elements

    def reserve(self, elements: dict[int, Want], tag: int, creator: Any) -> None:
        """Add the wanted elements of a block that a creator has reserved."""
        group, block = tag >> 16, tag & 0xFF
        for number, want in self.private.get((group, creator_name(creator)), {}).items():
            own = elements.setdefault(group << 16 | block << 8 | number, want)
            if own is not want:  # also wanted by its tag
                elements[group << 16 | block << 8 | number] = Want(want.vr, want.items or own.items)

    def _public(self, step: Step) -> Want:
        if step.group % 2 and step.element > 0xFF:
            self.add((Step(step.group, step.element >> 8),))  # its creator determines its meaning
        self._reach(step.tag)
        return self.elements.setdefault(step.tag, Want(vr_of(step.tag)))

    def _private(self, step: Step) -> Want:
        for creator in range(step.group << 16 | 0x10, (step.group << 16) + 0x100):
            self.elements.setdefault(creator, Want("LO")).reserves = step.group
        self._reach(step.group << 16 | 0xFFFF)
        block = self.private.setdefault((step.group, step.creator), {})
        vr = private_vr(step.group, step.creator, step.element)
        return block.setdefault(step.element, Want(vr))

    def _reach(self, tag: int) -> None:
        self.last = max(self.last, min(tag, LAST_BEFORE_PIXELS))
        self.is_behind_pixels |= tag > _LAST_OF_PIXELS


@dataclass(frozen=True, slots=True)
class Plan:
    """The elements to read from every file: of the File Meta and of the data set."""

    meta: Wanted
    dataset: Wanted
    paths: frozenset[TagPath]


def compiled(paths: Iterable[TagPath]) -> Plan:
    """Return the plan for reading the values at the paths."""
    meta, dataset = Wanted({}, last=FILE_META_END), Wanted({})
    meta.add(_SYNTAX)
    dataset.add(_CHARACTER_SET)
    paths = frozenset(paths)
    for path in paths:
        if not path.is_group:
            in_meta = path.steps[0].group == FILE_META_GROUP
            (meta if in_meta else dataset).add(path.steps)
    return Plan(meta, dataset, paths)


def vr_of(tag: int) -> str:
    """Return the value representation of an element whose encoding has none."""
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        group, element = tag >> 16, tag & 0xFFFF
        if group % 2 and 0x10 <= element <= 0xFF:
            return "LO"
        return "UL" if element == 0 and group % 2 == 0 else "UN"


def private_vr(group: int, creator: str, element: int) -> str:
    """Return the value representation of a private element; UN if unknown."""
    try:
        return str(private_dictionary_VR(group << 16 | 0x1000 | element, creator))
    except KeyError:
        return "UN"


def creator_name(value: Any) -> str:
    """Return the name of a private creator as its element has it."""
    return value.decode("latin-1").rstrip(PADDING) if type(value) is bytes else ""
