"""Tag paths, with which a configuration selects values of a data set.

==============================  =================================================================
``PatientName``                 by keyword (PS3.6)
``A.B`` ``A[0].B``              ``B`` in the first item of the sequence ``A``
``A[1].B`` ``A[1]B``            ``B`` in the second item: indices count from 0
``A[*].B``                      ``B`` in every item, as a list
``ImageType[2]``                the third value of a multi-valued element
``ImageType[*]``                all its values as a list, even a single one
``PatientName.FamilyName``      a component of a name, see `pacsfw.dicom.names`
``(0008,0060)``                 by tag, also ``00080060``
``(0029,"X",10)``               private: element 10 of the block that X reserved (PS3.5 7.8.1)
``(0018,*)`` ``(0029,"X",*)``   every element of a group, of a private block
==============================  =================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from pacsfw.dicom import names
from pacsfw.dicom.dictionary import tag_of, vm_in_dictionary, vr_in_dictionary


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""Returned by `TagPath.get` for a missing element; an element of zero length is not absent."""
Absent: TypeAlias = Literal[_Absent.ABSENT]

EVERY: Final = -1
"""The index ``[*]``."""
ANY_ELEMENT: Final = 0x10000
"""Stands for the element number in ``(0018,*)``."""

FILE_META_GROUP = 0x0002
_STEP = re.compile(
    r"""
    (?: (?P<number>[0-9A-Fa-f]{8}) (?![0-9A-Za-z_])
      | (?P<keyword>[A-Za-z][0-9A-Za-z_]*)
      | \( (?P<group>[0-9A-Fa-f]{4}) ,\s*
           (?: (?P<element>[0-9A-Fa-f]{4}|\*)
             | "(?P<creator>[^"\\]+)" ,\s* (?P<offset>[0-9A-Fa-f]{2}|\*)
           )
        \)
    )
    (?: \[ (?P<index>[0-9]{1,9}|\*) \] )?
    """,
    re.VERBOSE,
)


class Many(list[Any]):
    """The values of all items (``[*]``), None if an item has none."""


@dataclass(frozen=True, slots=True)
class Step:
    """One element on a path, and the selected item or value.

    For a private element ``creator`` is set and ``element`` is the element within the
    creator's block; `ANY_ELEMENT` stands for all of them.
    """

    group: int
    element: int
    vr: str = ""
    """Value representation in the dictionary (PS3.6); empty if it has none."""
    creator: str = ""
    index: int | None = None

    @property
    def tag(self) -> int:
        """The tag as 0xggggeeee; for a private element, only the low byte is meaningful."""
        return self.group << 16 | self.element

    def read(self, dataset: Dataset) -> Any:
        """Return the value of the element as pydicom provides it, or `ABSENT`."""
        if self.element == ANY_ELEMENT:
            found = self._all_of(dataset)
            return found if found else ABSENT
        for tag in self._candidates(dataset):
            if tag in dataset:
                return dataset[tag].value
        return ABSENT

    def _candidates(self, dataset: Dataset) -> Iterator[int]:
        if not self.creator:
            yield self.tag
            return
        for block in self._blocks(dataset):  # a creator may reserve several
            yield self.group << 16 | block << 8 | self.element

    def _blocks(self, dataset: Dataset) -> Iterator[int]:
        for block in range(0x10, 0x100):
            reserved = self.group << 16 | block
            if reserved in dataset and dataset[reserved].value == self.creator:
                yield block

    def _all_of(self, dataset: Dataset) -> Dataset:
        first, last = self.group << 16, self.group << 16 | 0xFFFF
        if not self.creator:
            return dataset[first : last + 1]
        found = Dataset()
        for block in self._blocks(dataset):
            found.update(dataset[first | block << 8 : (first | block << 8) + 0x100])
        return found


@dataclass(frozen=True, slots=True)
class TagPath:
    """The path of values; created by `parse`."""

    text: str
    steps: tuple[Step, ...]
    component: names.Component | None = None
    """The selected part of a person's name."""

    def __hash__(self) -> int:
        return hash(self.text)  # identifies the path, and is looked up for every value

    @property
    def vr(self) -> str:
        """Value representation of the last element; empty if the dictionary has none."""
        return self.steps[-1].vr

    @property
    def is_group(self) -> bool:
        """Whether the path selects an entire group, so that the value is a data set."""
        return self.steps[-1].element == ANY_ELEMENT

    @property
    def is_list(self) -> bool:
        """Whether the value is always a list: the path contains a ``[*]``."""
        return any(step.index == EVERY for step in self.steps)

    @property
    def is_single(self) -> bool:
        """Whether there is at most one value, by the dictionary or by an index."""
        if self.is_list or self.is_group:
            return False
        step = self.steps[-1]
        return (
            step.index is not None or vm_in_dictionary(step.tag if not step.creator else 0) == "1"
        )

    def get(self, dataset: Dataset) -> Any:
        """Follow the path.

        Parameters
        ----------
        dataset
            A pydicom data set; its ``file_meta`` is used for group 0002.

        Returns
        -------
        Any
            The value as pydicom provides it, which may be empty; a `Many` of such values if
            the path goes through every item; `ABSENT` if a step is missing, a sequence on
            the path has no items or an index is out of range.
        """
        start: Any = dataset
        if self.steps[0].group == FILE_META_GROUP:
            start = getattr(dataset, "file_meta", None)
        found = follow(self.steps, start, _read_items)
        if isinstance(found, Many):
            return Many(None if each is ABSENT else self.select(each) for each in found)
        return found if found is ABSENT else self.select(found)

    def select(self, value: Any) -> Any:
        """Apply the last step's index and the component to an element's value."""
        index = self.steps[-1].index
        if index == EVERY:
            value = list(value) if isinstance(value, MultiValue | Sequence) else [value]
        elif index is not None:
            value = _pick(value, index)
        if self.component is None or value is ABSENT:
            return value
        return names.select(value, self.component)

    def __str__(self) -> str:
        return self.text


def follow(steps: tuple[Step, ...], start: Any, read: Callable[[Step, Any, bool], Any]) -> Any:
    """Follow a path through the items of sequences to its last element.

    Parameters
    ----------
    start
        The data set for the first step.
    read
        Returns the element of a step in a data set or item, or `ABSENT`; with True (not the
        last step), a list of items.

    Returns
    -------
    Any
        The last element, `ABSENT`, or a `Many` of them if a step selects every item.
    """
    step, *rest = steps
    if start is None:
        return ABSENT
    found = read(step, start, bool(rest))
    if not rest or found is ABSENT:
        return found
    following = tuple(rest)
    if step.index != EVERY:
        index = step.index or 0
        return follow(following, found[index], read) if index < len(found) else ABSENT
    many = Many()
    for item in found:
        inner = follow(following, item, read)
        many.extend(inner if isinstance(inner, Many) else [inner])
    return many


def _read_items(step: Step, dataset: Dataset, items: bool) -> Any:
    value = step.read(dataset)
    return ABSENT if items and not isinstance(value, Sequence) else value


def _pick(value: Any, index: int) -> Any:
    values = value if isinstance(value, MultiValue | Sequence) else (value,)
    return values[index] if index < len(values) else ABSENT


@lru_cache(maxsize=1024)
def parse(text: str) -> TagPath:
    """Parse a tag path from a configuration.

    Parameters
    ----------
    text
        One of the forms in the table of this module.

    Raises
    ------
    ValueError
        The text has none of these forms, names an unknown DICOM keyword, or has a step
        inside an element that is not a sequence.
    """
    whole, component = text, None
    if "." in text:
        text, component = names.split(text)
    steps = _steps(text)
    if component is not None and steps[-1].vr not in ("", "PN", "UN"):
        raise ValueError(f"{whole!r}: an element of VR {steps[-1].vr} has no name components")
    return TagPath(whole, tuple(steps), component)


def _steps(text: str) -> list[Step]:
    steps: list[Step] = []
    position = 0
    while not steps or position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(_syntax_problem(text, position))
        if steps and (steps[-1].vr not in ("", "SQ", "UN") or steps[-1].element == ANY_ELEMENT):
            raise ValueError(
                f"{text!r}: an element of VR {steps[-1].vr} contains no other elements; "
                "only sequences have items"
            )
        steps.append(_step(match))
        position = match.end()
        if text.startswith(".", position):
            position += 1
            if position == len(text):
                raise ValueError(_syntax_problem(text, position))
        elif position < len(text) and match["index"] is None:
            raise ValueError(_syntax_problem(text, position))
    return steps


def _step(match: re.Match[str]) -> Step:
    index = None
    if match["index"]:
        index = EVERY if match["index"] == "*" else int(match["index"])
    if match["element"] == "*" or match["offset"] == "*":
        if index is not None:
            raise ValueError(f"{match[0]!r}: an entire group has no index")
        return Step(_group(match), ANY_ELEMENT, creator=match["creator"] or "")
    if match["creator"]:
        return Step(_group(match), int(match["offset"], 16), creator=match["creator"], index=index)
    if match["keyword"]:
        tag = tag_of(match["keyword"])
    else:
        tag = int(match["number"] or match["group"] + match["element"], 16)
    return Step(tag >> 16, tag & 0xFFFF, vr_in_dictionary(tag), index=index)


def _group(match: re.Match[str]) -> int:
    group = int(match["group"], 16)
    if match["creator"] and group % 2 == 0:
        raise ValueError(f"{match[0]!r}: private elements must have an odd group number")
    return group


def _syntax_problem(text: str, position: int) -> str:
    return (
        f"{text!r} is not a tag path: expected at character {position + 1}: a keyword, "
        '(gggg,eeee) or (gggg,"CREATOR",ee), each with an optional index such as [0] or [*]'
    )
