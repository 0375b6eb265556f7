"""The query provider ``qido``: asks a DICOMweb server by QIDO-RS (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import QueryProvider

SCHEMA = {
    "type": "object",
    "properties": {
        "page_size": {
            "type": "integer",
            "minimum": 2,
            "maximum": 100_000,
            "default": 200,
            "description": "Rows to ask for in one request; some servers refuse more than 200.",
        },
        "total_timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 3600,
            "description": "Seconds that one question may take in all.",
        },
    },
    "additionalProperties": False,
}


@hookimpl
def pacsfw_query_providers() -> Iterable[Component[QueryProvider]]:
    """Offer ``qido``."""
    yield Component(
        name="qido",
        factory=lazy("pacsfw_plugins.dicomweb._qido:Qido"),
        schema=SCHEMA,
        summary="QIDO-RS, the search of DICOMweb (net.dicomweb)",
        requires=("requests[dicomweb]",),
    )
