"""The transfer ``cget``: fetches by C-GET, Study Root (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacsfw import Component, hookimpl
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


def _make(**options: Any) -> Transfer:
    from pacsfw_plugins._cget import CGet  # imports pynetdicom

    return CGet(**options)


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``cget``."""
    yield Component(
        name="cget",
        factory=_make,
        schema=SCHEMA,
        summary="C-GET, Study Root: the objects come over the association that we open",
    )
