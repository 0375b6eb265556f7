"""The layout ``by-project``."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from pacsfw.api import Header, Layout
from pacsfw.errors import Skip

SCHEMA = {
    "type": "object",
    "properties": {
        "project": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "key": {"type": "string", "minLength": 16, "writeOnly": True},
    },
    "required": ["project", "key"],
    "additionalProperties": False,
}


def by_project(project: str, key: str) -> Layout:
    """Make the layout: project / pseudonym / study / series / image.

    Parameters
    ----------
    project
        The first folder.
    key
        Secret of which, together with the patient ID, the pseudonym is made.
    """

    def layout(header: Header) -> Sequence[str]:
        patient_id = str(header.get("PatientID") or "").strip()
        if not patient_id:
            raise Skip("it has no PatientID, so there is no pseudonym")
        return [
            project,
            pseudonym(patient_id, key),
            header.StudyInstanceUID,
            header.SeriesInstanceUID,
            f"{header.SOPInstanceUID}.dcm",
        ]

    return layout


def pseudonym(patient_id: str, key: str) -> str:
    """Return 16 hexadecimal digits that stand for a patient."""
    text = patient_id.encode("utf-8", "surrogatepass")
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()[:16]
