"""Tag paths: how a configuration points at one value of a data set.

======================  =====================================================
``PatientName``         by keyword (PS3.6)
``A.B`` ``A[0].B``      ``B`` in the first item of the sequence ``A``
``A[1].B`` ``A[1]B``    ``B`` in the second item: indices count from 0
``ImageType[2]``        the third value of a multi-valued element
``(0008,0060)``         by tag, also ``00080060``
``(0029,"X",10)``       private: element 10 of the block that creator X reserved (PS3.5 7.8.1)
======================  =====================================================
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from pydicom.datadict import dictionary_VR, keyword_dict, repeater_has_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""What `TagPath.get` returns where there is nothing; an element of zero length is not absent."""
Absent: TypeAlias = Literal[_Absent.ABSENT]

_FILE_META_GROUP = 0x0002
_STEP = re.compile(
    r"""
    (?: (?P<number>[0-9A-Fa-f]{8}) (?![0-9A-Za-z_])
      | (?P<keyword>[A-Za-z][0-9A-Za-z_]*)
      | \( (?P<group>[0-9A-Fa-f]{4}) ,\s*
           (?: (?P<element>[0-9A-Fa-f]{4})
             | "(?P<creator>[^"\\]+)" ,\s* (?P<offset>[0-9A-Fa-f]{2})
           )
        \)
    )
    (?: \[ (?P<index>[0-9]{1,9}) \] )?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One element on the way, and which of its items or values is meant.

    For a private element ``creator`` is set and the low byte of ``tag`` is the element
    within the creator's block.
    """

    tag: int
    vr: str = ""
    """Value representation in the dictionary (PS3.6), empty where it has none."""
    creator: str = ""
    index: int | None = None

    def read(self, dataset: Dataset) -> Any:
        """Return the value of the element as pydicom gives it, or `ABSENT`."""
        for tag in self._candidates(dataset):
            if tag in dataset:
                return dataset[tag].value
        return ABSENT

    def _candidates(self, dataset: Dataset) -> Iterator[int]:
        if not self.creator:
            yield self.tag
            return
        group, offset = self.tag & 0xFFFF0000, self.tag & 0xFF
        for block in range(0x10, 0x100):  # one creator may have reserved several blocks
            reserved = group | block
            if reserved in dataset and dataset[reserved].value == self.creator:
                yield group | block << 8 | offset


@dataclass(frozen=True, slots=True)
class TagPath:
    """Where one value is; made by `parse`."""

    text: str
    steps: tuple[Step, ...]

    @property
    def vr(self) -> str:
        """Value representation of the last element, empty where the dictionary has none."""
        return self.steps[-1].vr

    def get(self, dataset: Dataset) -> Any:
        """Follow the path.

        Parameters
        ----------
        dataset
            A pydicom data set; its ``file_meta`` is looked at for group 0002.

        Returns
        -------
        Any
            The value as pydicom gives it, which may be empty, or `ABSENT` when any step is
            missing, a sequence on the way has no items or an index is out of range.
        """
        value: Any = dataset
        if self.steps[0].tag >> 16 == _FILE_META_GROUP:
            value = getattr(dataset, "file_meta", None)
        *parents, last = self.steps
        for step in parents:
            items = step.read(value) if isinstance(value, Dataset) else ABSENT
            value = _pick(items, step.index or 0) if isinstance(items, Sequence) else ABSENT
        if not isinstance(value, Dataset):
            return ABSENT
        value = last.read(value)
        return value if last.index is None or value is ABSENT else _pick(value, last.index)

    def __str__(self) -> str:
        return self.text


def _pick(value: Any, index: int) -> Any:
    values = value if isinstance(value, MultiValue | Sequence) else (value,)
    return values[index] if index < len(values) else ABSENT


@lru_cache(maxsize=1024)
def parse(text: str) -> TagPath:
    """Read a tag path as written in a configuration.

    Parameters
    ----------
    text
        One of the forms in the module's table.

    Raises
    ------
    ValueError
        The text has none of these forms, names no DICOM keyword, or looks for something
        inside an element that is not a sequence.
    """
    steps: list[Step] = []
    position = 0
    while not steps or position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(_syntax_problem(text, position))
        if steps and steps[-1].vr not in ("", "SQ", "UN"):
            raise ValueError(
                f"{text!r}: there is nothing inside an element of VR {steps[-1].vr}, "
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
    return TagPath(text, tuple(steps))


def _step(match: re.Match[str]) -> Step:
    index = None if match["index"] is None else int(match["index"])
    if match["keyword"]:
        tag = tag_of(match["keyword"])
        return Step(tag, _vr(tag), index=index)
    if match["creator"]:
        group = int(match["group"], 16)
        if group % 2 == 0:
            raise ValueError(f"{match[0]!r}: private elements have an odd group number")
        tag = group << 16 | int(match["offset"], 16)
        return Step(tag, creator=match["creator"], index=index)
    tag = int(match["number"] or match["group"] + match["element"], 16)
    return Step(tag, _vr(tag), index=index)


def _vr(tag: int) -> str:
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return ""


def _syntax_problem(text: str, position: int) -> str:
    return (
        f"{text!r} is not a tag path: at character {position + 1} a keyword, (gggg,eeee) or "
        '(gggg,"CREATOR",ee) is expected, each with an index such as [0] if need be'
    )


def tag_of(keyword: str) -> int:
    """Return the tag of a DICOM keyword (PS3.6 section 6) as 0xggggeeee.

    Raises
    ------
    ValueError
        There is no such keyword; the message suggests the nearest one.
    """
    tag = keyword_dict.get(keyword)
    if tag is not None:
        return tag
    if repeater_has_keyword(keyword):
        raise ValueError(
            f"the DICOM keyword {keyword!r} stands for many elements, "
            "give the tag of one of them, such as (6000,0010)"
        )
    close = _nearest(keyword)
    raise ValueError(
        f"unknown DICOM keyword {keyword!r}" + (f" (did you mean {close!r}?)" if close else "")
    )


def _nearest(keyword: str) -> str | None:
    for known in keyword_dict:
        if known.lower() == keyword.lower():
            return known
    return next(iter(difflib.get_close_matches(keyword, keyword_dict, n=1)), None)
