"""The query provider ``qido``: queries a DICOMweb server by QIDO-RS (``find.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import QueryProvider
from pacsfw_plugins._options import options, seconds_option

SCHEMA = options(
    {
        "page_size": {
            "type": "integer",
            "minimum": 2,
            "maximum": 100_000,
            "default": 200,
            "description": "Rows to request per page; some servers refuse more than 200.",
        },
        "total_timeout": seconds_option(3600, "Seconds after which a query is abandoned."),
    }
)


@hookimpl
def pacsfw_query_providers() -> Iterable[Component[QueryProvider]]:
    """Offer ``qido``."""
    yield Component(
        name="qido",
        factory=lazy("pacsfw_plugins.dicomweb._qido:Qido"),
        schema=SCHEMA,
        summary="QIDO-RS, the search of DICOMweb (net.dicomweb)",
        requires=("requests[dicomweb]",),
    )
