"""The transfer ``cmove``: lets a PACS send to us by C-MOVE, Study Root (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacsfw import Component, hookimpl
from pacsfw.api import Transfer
from pacsfw_plugins.dimse._retrieve_options import SCHEMA


def _make(**options: Any) -> Transfer:
    from pacsfw_plugins.dimse._cmove import CMove  # imports pynetdicom

    return CMove(**options)


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``cmove``."""
    yield Component(
        name="cmove",
        factory=_make,
        schema=SCHEMA,
        summary="C-MOVE, Study Root: the PACS sends to our own Storage SCP",
    )
