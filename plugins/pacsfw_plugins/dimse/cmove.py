"""The transfer ``cmove``: retrieves by C-MOVE (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable

from pacsfw import Component, hookimpl, lazy
from pacsfw.api import Transfer
from pacsfw_plugins._options import LEVEL, ROOT, options, seconds_option

SCHEMA = options(
    {
        "inactivity_timeout": seconds_option(
            900, "Seconds without a response and an arrival after which a request is cancelled."
        ),
        "total_timeout": seconds_option(86400, "Seconds after which a request is cancelled."),
        "cancel_grace": seconds_option(
            15, "Seconds between the cancellation of a request and the abort of its association."
        ),
        "root": ROOT,
        "level": LEVEL,
    }
)
"""The options of C-MOVE and C-GET."""


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``cmove``."""
    yield Component(
        name="cmove",
        factory=lazy("pacsfw_plugins.dimse._retrieve:CMove"),
        schema=SCHEMA,
        summary="C-MOVE: the PACS sends to the Storage SCP of pacsfw",
        needs_receiver=True,
    )
