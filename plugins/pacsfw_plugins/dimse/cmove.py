"""The transfer ``cmove``: lets a PACS send to us by C-MOVE, Study Root (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer

SCHEMA = {
    "type": "object",
    "properties": {
        "inactivity_timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 900,
            "description": "Seconds without a response and without an arrival after which a"
            " request is cancelled.",
        },
        "total_timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 86400,
            "description": "Seconds that one request may take in all.",
        },
        "cancel_grace": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 15,
            "description": "Seconds the PACS has to end a cancelled request before the"
            " association is aborted.",
        },
    },
    "additionalProperties": False,
}
"""The options of C-MOVE, and of C-GET."""


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``cmove``."""
    yield Component(
        name="cmove",
        factory=lazy("pacsfw_plugins.dimse._retrieve:CMove"),
        schema=SCHEMA,
        summary="C-MOVE, Study Root: the PACS sends to our own Storage SCP",
        needs_receiver=True,
    )
