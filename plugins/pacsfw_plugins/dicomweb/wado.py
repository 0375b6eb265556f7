"""The transfer ``wado``: retrieves from a DICOMweb server by WADO-RS (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer
from pacsfw_plugins._options import LEVEL, options, seconds_option

SCHEMA = options(
    {
        "total_timeout": seconds_option(86400, "Seconds after which a request is abandoned."),
        "max_object_size": {
            "type": "integer",
            "minimum": 1,
            "default": 16 << 30,
            "description": "Limit of one instance in bytes; a larger one is reported as missing.",
        },
        "level": LEVEL,
    }
)


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``wado``."""
    yield Component(
        name="wado",
        factory=lazy("pacsfw_plugins.dicomweb._wado:Wado"),
        schema=SCHEMA,
        summary="WADO-RS, the retrieval of DICOMweb (net.dicomweb)",
        requires=("requests[dicomweb]",),
    )
