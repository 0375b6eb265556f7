"""The whole header of an object as JSON."""

from __future__ import annotations

from typing import Any

from pacsfw.dicom.decoding_errors import decoding
from pacsfw.dicom.header import FileHeader

BULK_BYTES = 1024
"""Binary values of more bytes are bulk data (PS3.18 F.2.6) and left out."""


def whole_header(header: FileHeader) -> dict[str, Any]:
    """Return the data set in the DICOM JSON model (PS3.18 F), without bulk data.

    Raises
    ------
    UnreadableObject
        A value cannot be decoded.
    """
    with decoding("the whole header", header.warnings):
        model: dict[str, Any] = header.dataset.to_json_dict(
            bulk_data_threshold=BULK_BYTES, bulk_data_element_handler=lambda _: ""
        )
    return model
