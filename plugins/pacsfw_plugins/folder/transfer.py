"""The transfer ``folder``: imports an existing tree of DICOM files (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer
from pacsfw_plugins.folder.query import SCHEMA


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``folder``."""
    yield Component(
        name="folder",
        factory=lazy("pacsfw_plugins.folder._transfer:FolderImport"),
        schema=SCHEMA,
        summary="imports an existing tree of DICOM files",
    )
