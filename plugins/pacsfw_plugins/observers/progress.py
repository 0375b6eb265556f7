"""The observer ``progress``: the progress of a run on the screen (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Observer
from pacsfw_plugins._options import options

SCHEMA = options(
    {
        "style": {
            "enum": ["auto", "bars", "lines", "off"],
            "default": "auto",
            "description": "auto: bars on a terminal, otherwise lines. off: no output.",
        },
        "stream": {
            "enum": ["stdout", "stderr"],
            "default": "stdout",
            "description": "The stream to write to.",
        },
        "seconds": {
            "type": "number",
            "minimum": 0,
            "default": 10,
            "description": "Seconds between two lines of the same phase, at least.",
        },
    }
)


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``progress``."""
    yield Component(
        name="progress",
        factory=lazy("pacsfw_plugins.observers._progress:progress"),
        schema=SCHEMA,
        summary="progress on the screen; active by default",
    )
