"""The observer ``manifest``: what was done by what, line by line (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Observer

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "The file to append to: one JSON object per line.",
            "examples": ["manifest.jsonl"],
        }
    },
    "required": ["path"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``manifest``."""
    yield Component(
        name="manifest",
        factory=lazy("pacsfw_plugins.observers._manifest:Manifest"),
        schema=SCHEMA,
        summary="a file with every verdict, and every component with its version",
    )
