"""Propose tags from a sample instance, and write them as a YAML or JSON file."""

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
"""Maximum length of a value in characters or bytes; tags with longer values are left out."""

_MARKS = {"identifies": "identifies a person or place", "links": "date or UID: can be linked"}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BARE = re.compile(r"[A-Za-z][\w.]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Words that YAML does not read as text."""
_MEANING = "CodeMeaning"


@dataclass(frozen=True, slots=True)
class ProposedTag:
    """One entry of the list.

    Attributes
    ----------
    names
        The tag paths; the first one with a value is used.
    alias, type, default
        As in the configuration; the default type is text.
    concern
        Whether the value identifies a person or can be linked.
    optional
        Written as a comment, which the user can uncomment.
    """

    names: Sequence[str]
    alias: str
    type: ColumnType = "text"
    default: str = ""
    concern: Concern = ""
    optional: bool = False

    def tree(self) -> dict[str, Any]:
        """Return the entry in the form of the configuration."""
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
    """Return a column name: ``study_instance_uid`` for ``StudyInstanceUID``."""
    words = re.sub(r"\W+", "_", _WORD.sub("_", name))
    return words.strip("_").lower() or name


def proposed(names: Sequence[str], *, default: str = "", optional: bool = False) -> ProposedTag:
    """Return the entry for some tag paths, with the properties of the first one.

    Raises
    ------
    ValueError
        One of them is not a tag path.
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
    """Yield an entry for every tag of an instance that has a value, without using the value.

    For a sequence of codes, the entry is the code meaning, as optional. Other sequences, bulk
    data and private elements are left out.

    Raises
    ------
    UnreadableObject
        The instance cannot be decoded.
    """
    with decoding("the instance", header.warnings):
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
    """Return a value in YAML: unquoted if YAML reads it as the same text, otherwise as JSON."""
    is_bare = isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS
    return str(value) if is_bare else json.dumps(value, ensure_ascii=False)


def as_json(tags: Iterable[ProposedTag]) -> str:
    """Return the list as JSON, without optional tags, because JSON has no comments."""
    tree = {"tags": [tag.tree() for tag in tags if not tag.optional]}
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def as_yaml(tags: Iterable[ProposedTag], head: str) -> str:
    """Return the list as YAML, with a comment at each tag that has a `concern`."""
    lines = [*(f"# {line}" for line in head.splitlines()), "tags:"]
    for tag in tags:
        sign = "  # " if tag.optional else "  "
        mark = _MARKS.get(tag.concern, "")
        for number, (key, value) in enumerate(tag.tree().items()):
            begin = "- " if number == 0 else "  "
            line = f"{sign}{begin}{key}: {_scalar(value)}"
            lines.append(f"{line}  # {mark}" if mark and number == 0 else line)
    return "\n".join(lines) + "\n"
