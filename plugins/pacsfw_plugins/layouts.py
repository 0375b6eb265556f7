"""Storage layouts, also called sorters (``storage.sort_by``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pacsfw import Component, hookimpl
from pacsfw.api import Header, Layout
from pacsfw_plugins._options import options

if TYPE_CHECKING:
    from pacsfw.dicom.tagpath import TagPath

BUNDLED = {
    "PATIENT": "{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "STUDY": "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "SERIES": "{SeriesInstanceUID}/{SOPInstanceUID}.dcm",
    "IMAGE": "{SOPInstanceUID}.dcm",
}
"""The named layouts, as patterns of `Template`."""

_PATTERN = {
    "type": "string",
    "minLength": 1,
    "description": "Names separated by /, with DICOM keywords or tag paths in braces.",
}
_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<field>[^{}]*)\}|(?P<slash>/)|(?P<text>[^{}/]+)")


@hookimpl
def pacsfw_layouts() -> Iterable[Component[Layout]]:
    """Offer the four layouts of the documented format, and one with a pattern of the user."""
    for name, pattern in BUNDLED.items():
        yield Component(name=name, factory=partial(Template, pattern), summary=pattern)
    yield Component(
        name="template",
        factory=Template,
        schema=options({"pattern": _PATTERN}, "pattern"),
        summary="names with DICOM keywords in braces, such as {PatientID}/{SOPInstanceUID}.dcm",
    )


class Template:
    """A layout written as a pattern: ``{PatientID}/{StudyDate}/{SOPInstanceUID}.dcm``.

    The pattern is split at its slashes before the fields are filled, so that a value cannot
    create a folder. A field is a DICOM keyword or a tag path; format specifications are not
    supported. The text of an absent or empty attribute is empty. ``{{`` and ``}}`` stand for
    the braces themselves.

    Parameters
    ----------
    pattern
        One name per folder, and the last one for the file.

    Raises
    ------
    ValueError
        The pattern is malformed, a name is empty, or a field is a sequence or not a tag path.
    """

    def __init__(self, pattern: str) -> None:
        self._names = _compile(pattern)

    def __call__(self, header: Header) -> Sequence[str]:
        """Return the names of the folders and of the file of one instance."""
        return ["".join(_fill(piece, header) for piece in name) for name in self._names]


def _compile(pattern: str) -> list[list[str | TagPath]]:
    names: list[list[str | TagPath]] = [[]]
    position = 0
    while position < len(pattern):
        match = _PIECE.match(pattern, position)
        if match is None:
            raise ValueError(
                f"pattern {pattern!r}: unmatched brace at character {position + 1}; "
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
                f"pattern {pattern!r}: name {number} is {''.join(map(str, name))!r}; each part "
                "between slashes must be a name"
            )
    return names


def _field(pattern: str, text: str) -> TagPath:
    from pacsfw.dicom.tagpath import parse  # imports pydicom, which is slow

    try:
        path = parse(text)
    except ValueError as error:
        raise ValueError(f"pattern {pattern!r}: {error}") from None
    if path.vr == "SQ":
        raise ValueError(f"pattern {pattern!r}: {text!r} is a sequence, which has no text")
    return path


def _fill(piece: str | TagPath, header: Header) -> str:
    from pacsfw.dicom.values import is_empty, text_of

    if isinstance(piece, str):
        return piece
    value = header.get(piece.text)
    return "" if is_empty(value) else text_of(value)
