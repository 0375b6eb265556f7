"""The query provider ``folder``: answers queries from a tree of DICOM files (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import QueryProvider
from pacsfw_plugins._options import options, path_option

SCHEMA = options(
    {"path": path_option("The folder. It is read with all its subfolders, and never changed.")},
    "path",
)
"""The options of the query provider and of the transfer."""


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
