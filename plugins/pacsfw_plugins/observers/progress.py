"""The observer ``progress``: what is going on, on the screen (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Observer

SCHEMA = {
    "type": "object",
    "properties": {
        "style": {
            "enum": ["auto", "bars", "lines", "off"],
            "default": "auto",
            "description": "bars on a terminal, lines elsewhere; or one of the two; or nothing.",
        },
        "stream": {
            "enum": ["stdout", "stderr"],
            "default": "stdout",
            "description": "Where it is shown.",
        },
        "seconds": {
            "type": "number",
            "minimum": 0,
            "default": 10,
            "description": "The least time between two lines of the same kind.",
        },
    },
    "additionalProperties": False,
}


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``progress``."""
    yield Component(
        name="progress",
        factory=lazy("pacsfw_plugins.observers._progress:progress"),
        schema=SCHEMA,
        summary="progress on the screen; there without being asked for",
    )
