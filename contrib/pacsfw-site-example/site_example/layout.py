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
    """Return the layout: project / pseudonym / study / series / instance.

    Parameters
    ----------
    project
        The first folder.
    key
        The secret from which the pseudonym is derived, with the patient ID.
    """

    def layout(header: Header) -> Sequence[str]:
        patient_id = str(header.get("PatientID") or "").strip()
        if not patient_id:
            raise Skip("the instance has no PatientID, so there is no pseudonym")
        return [
            project,
            pseudonym(patient_id, key),
            header.StudyInstanceUID,
            header.SeriesInstanceUID,
            f"{header.SOPInstanceUID}.dcm",
        ]

    return layout


def pseudonym(patient_id: str, key: str) -> str:
    """Return the pseudonym of a patient: 16 hexadecimal digits."""
    text = patient_id.encode("utf-8", "surrogatepass")
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()[:16]
