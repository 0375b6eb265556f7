"""The query provider ``folder``: answers from a tree of DICOM files (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import QueryProvider

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "The folder; every folder below it belongs to it.",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_query_providers() -> Iterable[Component[QueryProvider]]:
    """Offer ``folder``."""
    yield Component(
        name="folder",
        factory=lazy("pacsfw_plugins.folder._query:Folder"),
        schema=SCHEMA,
        summary="an existing tree of DICOM files",
        authoritative=False,
    )
