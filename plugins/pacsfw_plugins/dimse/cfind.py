"""The query provider ``cfind``: asks a PACS by C-FIND (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import QueryProvider

SCHEMA = {
    "type": "object",
    "properties": {
        "root": {
            "enum": ["auto", "study", "patient"],
            "default": "auto",
            "description": "The information model: Study Root, Patient Root, or Study Root"
            " unless the PACS accepts Patient Root alone.",
        },
        "response_timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 300,
            "description": "Seconds to wait for each answer of the PACS.",
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
    """Offer ``cfind``."""
    yield Component(
        name="cfind",
        factory=lazy("pacsfw_plugins.dimse._cfind:CFind"),
        schema=SCHEMA,
        summary="C-FIND, Study Root or Patient Root Query/Retrieve Information Model",
    )
