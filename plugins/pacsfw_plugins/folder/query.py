"""The query provider ``folder``: answers from a tree of DICOM files (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacsfw import Component, hookimpl
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


def _make(**options: Any) -> QueryProvider:
    from pacsfw_plugins.folder._query import Folder  # imports pydicom

    return Folder(**options)


@hookimpl
def pacsfw_query_providers() -> Iterable[Component[QueryProvider]]:
    """Offer ``folder``."""
    yield Component(
        name="folder",
        factory=_make,
        schema=SCHEMA,
        summary="an existing tree of DICOM files",
    )
