"""The query provider ``cfind``: queries a PACS by C-FIND (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import QueryProvider
from pacsfw_plugins._options import ROOT, options, seconds_option

SCHEMA = options(
    {
        "root": ROOT,
        "response_timeout": seconds_option(300, "Seconds to wait for each response of the PACS."),
        "total_timeout": seconds_option(3600, "Seconds after which a query is abandoned."),
    }
)


@hookimpl
def pacsfw_query_providers() -> Iterable[Component[QueryProvider]]:
    """Offer ``cfind``."""
    yield Component(
        name="cfind",
        factory=lazy("pacsfw_plugins.dimse._cfind:CFind"),
        schema=SCHEMA,
        summary="C-FIND, Study Root or Patient Root Query/Retrieve Information Model",
    )
