"""The options of the transfers ``cmove`` and ``cget``."""

from __future__ import annotations

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
