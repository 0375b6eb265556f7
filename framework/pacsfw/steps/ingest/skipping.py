"""The reason for which a component leaves an instance out."""

from __future__ import annotations

import re

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import FileHeader
from pacsfw.errors import Skip
from pacsfw.words import said

IDENTIFYING = ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber")
"""Attributes that no reason may quote."""

QUOTES = "its reason quotes a value of the instance, and is not shown"
"""Replaces such a reason."""

_WORD = re.compile(r"\w\w+")


def reason_of(skip: Skip, header: FileHeader) -> str:
    """Return the text of a `Skip`: its author wrote it for the user, unlike that of an error.

    It becomes one line. It is not shown if a word of it is in one of the attributes in
    `IDENTIFYING` of this instance, or if these cannot be read.
    """
    given = next(iter(skip.args), "")
    text = said(given) if isinstance(given, str) else ""
    try:
        values = " ".join(str(header.get(keyword) or "") for keyword in IDENTIFYING)
    except UnreadableObject:
        return "its reason may quote a value of the instance, and is not shown"
    if _words(text) & _words(values):
        return QUOTES
    return text or "no reason given"


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
