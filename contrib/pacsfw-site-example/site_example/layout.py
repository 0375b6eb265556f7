"""The layout ``by-project``."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from pacsfw.api import Header, RunContext
from pacsfw.errors import ConfigError, Skip

SCHEMA = {
    "type": "object",
    "properties": {
        "key": {"type": "string", "minLength": 16, "writeOnly": True},
    },
    "required": ["key"],
    "additionalProperties": False,
}


class ByProject:
    """The layout: project / pseudonym / study / series / instance.

    Parameters
    ----------
    key
        The secret from which the pseudonym is derived, with the patient ID.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._project = ""

    def open(self, context: RunContext) -> None:
        """Take the project, the first folder, from the ``site`` section.

        Raises
        ------
        ConfigError
            The section is missing.
        """
        site = context.sections.get("site")
        if site is None:
            raise ConfigError("the layout 'by-project' needs the section 'site'")
        self._project = site["project"]

    def __call__(self, header: Header) -> Sequence[str]:
        """Return the names of the folders and of the file."""
        patient_id = str(header.get("PatientID") or "").strip()
        if not patient_id:
            raise Skip("the instance has no PatientID, so there is no pseudonym")
        return [
            self._project,
            pseudonym(patient_id, self._key),
            header.StudyInstanceUID,
            header.SeriesInstanceUID,
            f"{header.SOPInstanceUID}.dcm",
        ]


def pseudonym(patient_id: str, key: str) -> str:
    """Return the pseudonym of a patient: 16 hexadecimal digits."""
    text = patient_id.encode("utf-8", "surrogatepass")
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()[:16]
