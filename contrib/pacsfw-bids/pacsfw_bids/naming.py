"""The BIDS name of a series, and the folder of its instances."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pacsfw.api import Header
from pacsfw.errors import Skip

USUAL: Sequence[Mapping[str, str]] = (
    {"match": "*mprage*", "datatype": "anat", "suffix": "T1w"},
    {"match": "*flair*", "datatype": "anat", "suffix": "FLAIR"},
    {"match": "*t1*", "datatype": "anat", "suffix": "T1w"},
    {"match": "*t2*", "datatype": "anat", "suffix": "T2w"},
    {"match": "*dwi*", "datatype": "dwi", "suffix": "dwi"},
    {"match": "*dti*", "datatype": "dwi", "suffix": "dwi"},
    {"match": "*diff*", "datatype": "dwi", "suffix": "dwi"},
    {"match": "*bold*", "datatype": "func", "suffix": "bold", "task": "rest"},
    {"match": "*fmri*", "datatype": "func", "suffix": "bold", "task": "rest"},
    {"match": "*rest*", "datatype": "func", "suffix": "bold", "task": "rest"},
)
_LABEL = {"type": "string", "pattern": "^[A-Za-z0-9]+$"}
SCHEMA = {
    "type": "object",
    "properties": {
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "match": {"type": "string", "minLength": 1},
                    "datatype": _LABEL,
                    "suffix": _LABEL,
                    "task": _LABEL,
                },
                "required": ["match", "datatype", "suffix"],
                "additionalProperties": False,
            },
            "description": "Rules for SeriesDescription; the first that matches applies.",
        },
        "subject": {"type": "string", "default": "PatientID", "minLength": 1},
        "session": {"type": "string", "default": "StudyDate"},
    },
    "additionalProperties": False,
}


class Naming:
    """The layout ``bids``.

    Parameters
    ----------
    rules
        Each with ``match``, ``datatype``, ``suffix`` and optionally ``task``.
    subject, session
        The DICOM keywords of their names; empty for no session.
    """

    def __init__(
        self,
        rules: Sequence[Mapping[str, str]] | None = None,
        subject: str = "PatientID",
        session: str = "StudyDate",
    ) -> None:
        self._rules = USUAL if rules is None else rules
        self._subject, self._session = subject, session

    def __call__(self, header: Header) -> Sequence[str]:
        """Return the names of the folders and of the file of one instance.

        Raises
        ------
        Skip
            The instance has no subject.
        """
        who = self._who(header)
        folder = "_".join([*who, *self._series(header)])
        return [*who, self._rule(header)["datatype"], folder, f"{header.SOPInstanceUID}.dcm"]

    def name(self, header: Header) -> str:
        """Return the name, without a suffix, of files made from the series of an instance.

        Raises
        ------
        Skip
            The instance has no subject.
        """
        return "_".join([*self._who(header), *self._series(header)])

    def task(self, header: Header) -> str:
        """Return the task of a functional series, an empty text for others."""
        return self._rule(header).get("task", "")

    def _who(self, header: Header) -> list[str]:
        subject = label(_text(header, self._subject))
        if not subject:
            raise Skip(f"the instance has no {self._subject}")
        session = label(_text(header, self._session)) if self._session else ""
        return [f"sub-{subject}", *([f"ses-{session}"] if session else [])]

    def _series(self, header: Header) -> list[str]:
        rule = self._rule(header)
        task = [f"task-{rule['task']}"] if "task" in rule else []
        return [*task, f"run-{self._run(header)}", rule["suffix"]]

    def _run(self, header: Header) -> str:
        """Return the number of the series, or a unique label if it has none."""
        number = _text(header, "SeriesNumber")
        return number if number.isdecimal() else label(_text(header, "SeriesInstanceUID"))

    def _rule(self, header: Header) -> Mapping[str, str]:
        description = _text(header, "SeriesDescription").casefold()
        for rule in self._rules:
            if fnmatchcase(description, rule["match"].casefold()):
                return rule
        modality = label(_text(header, "Modality").lower()) or "unknown"
        return {"datatype": modality, "suffix": modality}


def label(text: str) -> str:
    """Return a BIDS label of letters and digits, unique for each text."""
    kept = "".join(char for char in text if char.isascii() and char.isalnum())
    if kept == text:
        return kept
    return kept[:40] + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _text(header: Any, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()
