"""The transfer ``wado``: fetches from a DICOMweb server by WADO-RS (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer

SCHEMA = {
    "type": "object",
    "properties": {
        "total_timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 86400,
            "description": "Seconds that one request may take in all.",
        },
        "max_object_size": {
            "type": "integer",
            "minimum": 1,
            "default": 16 << 30,
            "description": "Bytes of one object; a larger one is not kept, and said to be missing.",
        },
    },
    "additionalProperties": False,
}


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``wado``."""
    yield Component(
        name="wado",
        factory=lazy("pacsfw_plugins.dicomweb._wado:Wado"),
        schema=SCHEMA,
        summary="WADO-RS, the retrieval of DICOMweb (net.dicomweb)",
        requires=("requests[dicomweb]",),
    )
