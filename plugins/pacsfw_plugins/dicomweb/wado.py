"""The transfer ``wado``: fetches from a DICOMweb server by WADO-RS (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacsfw import Component, hookimpl
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


def _make(**options: Any) -> Transfer:
    from pacsfw_plugins.dicomweb._wado import Wado  # imports requests

    return Wado(**options)


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``wado``."""
    yield Component(
        name="wado",
        factory=_make,
        schema=SCHEMA,
        summary="WADO-RS, the retrieval of DICOMweb (net.dicomweb)",
        requires=("requests[dicomweb]",),
    )
