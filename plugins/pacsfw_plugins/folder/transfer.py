"""The transfer ``folder``: imports an existing tree of DICOM files (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "The folder; every folder below it belongs to it. It stays as it is.",
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``folder``."""
    yield Component(
        name="folder",
        factory=lazy("pacsfw_plugins.folder._transfer:FolderImport"),
        schema=SCHEMA,
        summary="imports an existing tree of DICOM files",
    )
