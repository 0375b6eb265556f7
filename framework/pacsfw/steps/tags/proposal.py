"""A file that lists tags: what a sample object proposes, and how it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from pacsfw.api import ColumnType
from pacsfw.config.columns import natural_type
from pacsfw.dicom.decoding_errors import decoding
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.identifying import Concern, concern
from pacsfw.dicom.tagpath import parse
from pacsfw.dicom.values import is_empty
from pacsfw.dicom.vr import BINARY

LONGEST = 1024
"""Characters or bytes of a value beyond which a tag is no column that anybody wants."""

_MARKS = {"identifies": "identifies a person or place", "links": "date or UID: can be linked"}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BARE = re.compile(r"[A-Za-z][\w.]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""What YAML takes for something else than text."""
_MEANING = "CodeMeaning"


@dataclass(frozen=True, slots=True)
class ProposedTag:
    """One entry of the list.

    Attributes
    ----------
    names
        The tag paths: of several, the first that has a value counts.
    alias, type, default
        As in the configuration; the type is text where it says nothing.
    concern
        What the value gives away.
    optional
        Written as a comment, to be taken in by whoever wants it.
    """

    names: Sequence[str]
    alias: str
    type: ColumnType = "text"
    default: str = ""
    concern: Concern = ""
    optional: bool = False

    def tree(self) -> dict[str, Any]:
        """Return the entry as the configuration has it."""
        names = list(self.names)
        entry: dict[str, Any] = {"tag_name": names if len(names) > 1 else names[0]}
        if self.alias != names[0]:
            entry["tag_alias"] = self.alias
        if self.type != "text":
            entry["type"] = self.type
        if self.default:
            entry["default_val"] = self.default
        return entry


def alias_of(name: str) -> str:
    """Return a name for a column: ``study_instance_uid`` for ``StudyInstanceUID``."""
    words = re.sub(r"\W+", "_", _WORD.sub("_", name))
    return words.strip("_").lower() or name


def proposed(names: Sequence[str], *, default: str = "", optional: bool = False) -> ProposedTag:
    """Return the entry for some tag paths, with what suits the first of them.

    Raises
    ------
    ValueError
        One of them is no tag path.
    """
    first, *_ = [parse(name) for name in names]
    last = re.sub(r"\[.*?\]", "", first.text).rpartition(".")[2]
    return ProposedTag(
        names=names,
        alias=alias_of(first.text),
        type=natural_type(first, ""),
        default=default,
        concern=concern(last, first.vr),
        optional=optional,
    )


def filled(header: FileHeader) -> Iterator[ProposedTag]:
    """Yield an entry for every tag of an object that has a value; no value is looked at.

    Sequences of codes are proposed by their meanings, as options; other sequences, bulk data
    and private elements are not.

    Raises
    ------
    UnreadableObject
        The object cannot be decoded.
    """
    with decoding("the object", header.warnings):
        for element in header.dataset:
            if not element.keyword or is_empty(element.value) or element.VR in BINARY:
                continue
            if element.VR == "SQ":
                item = element.value[0]
                if isinstance(item, Dataset) and not is_empty(item.get(_MEANING)):
                    yield proposed([f"{element.keyword}.{_MEANING}"], optional=True)
            elif len(str(element.value)) <= LONGEST:
                yield proposed([element.keyword])


def _scalar(value: Any) -> str:
    """Return a value in YAML: bare where that means the same, else in JSON, which YAML reads."""
    is_bare = isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS
    return str(value) if is_bare else json.dumps(value, ensure_ascii=False)


def as_json(tags: Iterable[ProposedTag]) -> str:
    """Write the list as JSON, which has no comments: options are left out."""
    tree = {"tags": [tag.tree() for tag in tags if not tag.optional]}
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def as_yaml(tags: Iterable[ProposedTag], head: str) -> str:
    """Write the list as YAML, with a comment at each tag that gives something away."""
    lines = [*(f"# {line}" for line in head.splitlines()), "tags:"]
    for tag in tags:
        sign = "  # " if tag.optional else "  "
        mark = _MARKS.get(tag.concern, "")
        for number, (key, value) in enumerate(tag.tree().items()):
            begin = "- " if number == 0 else "  "
            line = f"{sign}{begin}{key}: {_scalar(value)}"
            lines.append(f"{line}  # {mark}" if mark and number == 0 else line)
    return "\n".join(lines) + "\n"
