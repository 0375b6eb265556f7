"""The observer ``webhook``: numbers as JSON to an URL (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Observer

SCHEMA = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "pattern": "^https?://[^\\s]+$",
            "writeOnly": True,
            "description": "Where to POST.",
            "examples": ["https://chat.example.org/hooks/pacs"],
        },
        "events": {
            "type": "array",
            "items": {"enum": ["started", "study", "waiting", "paused", "finished"]},
            "default": ["started", "finished"],
            "description": "What is told.",
        },
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {},
            "writeOnly": True,
            "description": "Headers to send, such as one with a token.",
        },
        "attempts": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10,
            "default": 3,
            "description": "How often it is tried, with growing pauses.",
        },
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 10,
            "description": "Seconds to wait for the answer.",
        },
    },
    "required": ["url"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``webhook``."""
    yield Component(
        name="webhook",
        factory=lazy("pacsfw_plugins.observers._webhook:Webhook"),
        schema=SCHEMA,
        summary="the numbers of a run as JSON, sent to an URL",
    )
