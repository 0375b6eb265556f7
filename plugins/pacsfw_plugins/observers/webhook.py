"""The observer ``webhook``: the numbers of a run, posted as JSON (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Observer
from pacsfw_plugins._options import options, seconds_option

SCHEMA = options(
    {
        "url": {
            "type": "string",
            "pattern": "^https?://[^\\s]+$",
            "writeOnly": True,
            "description": "The URL to POST to.",
            "examples": ["https://chat.example.org/hooks/pacs"],
        },
        "events": {
            "type": "array",
            "items": {"enum": ["started", "study", "waiting", "paused", "finished"]},
            "default": ["started", "finished"],
            "description": "The events to report.",
        },
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "default": {},
            "writeOnly": True,
            "description": "Headers to send, such as a token.",
        },
        "attempts": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10,
            "default": 3,
            "description": "Attempts for each event, with increasing pauses.",
        },
        "timeout": seconds_option(10, "Seconds to wait for the response."),
    },
    "url",
)


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``webhook``."""
    yield Component(
        name="webhook",
        factory=lazy("pacsfw_plugins.observers._webhook:Webhook"),
        schema=SCHEMA,
        summary="posts the numbers of a run to a URL, as JSON",
    )
