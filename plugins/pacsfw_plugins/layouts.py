"""Storage layouts, also called sorters (``storage.sort_by``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pacsfw import Component, hookimpl
from pacsfw.api import Header, Layout

if TYPE_CHECKING:
    from pacsfw.dicom.tagpath import TagPath

BUNDLED = {
    "PATIENT": "{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "STUDY": "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "SERIES": "{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "IMAGE": "{SOPInstanceUID}.dcm",
}
"""The layouts with a name of their own, as patterns of `Template`."""

_PATTERN_SCHEMA = {
    "type": "object",
    "properties": {
        "pattern": {
            "type": "string",
            "minLength": 1,
            "description": "Names separated by /, with DICOM keywords or tag paths in braces",
        }
    },
    "required": ["pattern"],
    "additionalProperties": False,
}
_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<field>[^{}]*)\}|(?P<slash>/)|(?P<text>[^{}/]+)")


@hookimpl
def pacsfw_layouts() -> Iterable[Component[Layout]]:
    """Offer the four layouts of the documented format, and one to write oneself."""
    for name, pattern in BUNDLED.items():
        yield Component(name=name, factory=partial(Template, pattern), summary=pattern)
    yield Component(
        name="template",
        factory=Template,
        schema=_PATTERN_SCHEMA,
        summary="names with DICOM keywords in braces, such as {PatientID}/{SOPInstanceUID}.dcm",
    )


class Template:
    """A layout written as a pattern: ``{PatientID}/{StudyDate}/{SOPInstanceUID}.dcm``.

    The pattern is split at its slashes before the fields are filled, so that a value
    cannot make a folder. A field is a DICOM keyword or a tag path and nothing else of
    Python's format language; an absent or empty one is filled with nothing. ``{{`` and
    ``}}`` stand for the braces themselves.

    Parameters
    ----------
    pattern
        One name per folder and the last one for the file.

    Raises
    ------
    ValueError
        The pattern is malformed, a name is empty, or a field is no tag path or a sequence.
    """

    def __init__(self, pattern: str) -> None:
        self._names = _compile(pattern)

    def __call__(self, header: Header) -> Sequence[str]:
        """Return the names of the folders and of the file of one object."""
        return ["".join(_fill(piece, header) for piece in name) for name in self._names]


def _compile(pattern: str) -> list[list[str | TagPath]]:
    names: list[list[str | TagPath]] = [[]]
    position = 0
    while position < len(pattern):
        match = _PIECE.match(pattern, position)
        if match is None:
            raise ValueError(
                f"pattern {pattern!r}: the brace at character {position + 1} has no partner; "
                "write {{ or }} for the character itself"
            )
        if match["slash"]:
            names.append([])
        elif match["field"] is not None:
            names[-1].append(_field(pattern, match["field"]))
        else:
            names[-1].append(match["text"] or match["brace"][0])
        position = match.end()
    for number, name in enumerate(names, start=1):
        if name in ([], ["."], [".."]):
            raise ValueError(
                f"pattern {pattern!r}: {number}. name is {''.join(map(str, name))!r}, "
                "between two slashes there must be a name"
            )
    return names


def _field(pattern: str, text: str) -> TagPath:
    from pacsfw.dicom.tagpath import parse  # it imports pydicom, which takes long

    try:
        path = parse(text)
    except ValueError as error:
        raise ValueError(f"pattern {pattern!r}: {error}") from None
    if path.vr == "SQ":
        raise ValueError(f"pattern {pattern!r}: {text!r} is a sequence and has no text")
    return path


def _fill(piece: str | TagPath, header: Header) -> str:
    from pacsfw.dicom.values import is_empty, text_of

    if isinstance(piece, str):
        return piece
    value = header.get(piece.text)
    return "" if is_empty(value) else text_of(value)
