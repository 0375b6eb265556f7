"""The transfer ``cget``: retrieves by C-GET (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer
from pacsfw_plugins.dimse.cmove import SCHEMA


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``cget``."""
    yield Component(
        name="cget",
        factory=lazy("pacsfw_plugins.dimse._cget:CGet"),
        schema=SCHEMA,
        summary="C-GET: the PACS sends over the association that pacsfw opens",
    )
