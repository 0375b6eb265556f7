"""The observer ``manifest``: the verdicts and components of each run (``observers``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Observer
from pacsfw_plugins._options import options, path_option

SCHEMA = options(
    {
        "path": path_option(
            "The file to append to, with one JSON object per line.", "manifest.jsonl"
        )
    },
    "path",
)


@hookimpl
def pacsfw_observers() -> Iterable[Component[Observer]]:
    """Offer ``manifest``."""
    yield Component(
        name="manifest",
        factory=lazy("pacsfw_plugins.observers._manifest:Manifest"),
        schema=SCHEMA,
        summary="a file with every verdict, and every component with its version",
    )
