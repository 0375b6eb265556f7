"""The identifier of a request to an `EmbeddedPACS`, as text: child process only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from pydicom.datadict import keyword_for_tag
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.dsutils import decode
from pynetdicom.presentation import PresentationContext

from pacsfw.testing._records import as_texts

_PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1."


@dataclass(frozen=True, slots=True)
class Request:
    """The content of a C-FIND, C-MOVE or C-GET request."""

    root: str
    """The highest level of its information model."""
    level: str
    """Query/Retrieve level; empty if the identifier has none or is unreadable."""
    keys: Mapping[str, str]
    """Keyword to text; elements without a keyword are listed by tag."""


def read(primitive: C_FIND | C_GET | C_MOVE, context: PresentationContext) -> Request:
    """Read a request; a malformed identifier is an empty one."""
    root = "PATIENT" if str(context.abstract_syntax).startswith(_PATIENT_ROOT) else "STUDY"
    syntax = context.transfer_syntax[0]
    data = primitive.Identifier or BytesIO()
    try:
        dataset = decode(data, syntax.is_implicit_VR, syntax.is_little_endian)
        keys = {
            keyword_for_tag(element.tag) or f"{element.tag:08X}": "\\".join(as_texts(element.value))
            for element in dataset
        }
    except Exception:  # noqa: BLE001 - pydicom raises what it likes, and quotes values
        return Request(root, "", {})
    return Request(root, keys.pop("QueryRetrieveLevel", ""), keys)
