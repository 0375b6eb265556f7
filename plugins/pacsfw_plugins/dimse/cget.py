"""The transfer ``cget``: fetches by C-GET, Study Root (``move.use``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pacsfw import Component, hookimpl
from pacsfw.api import Transfer
from pacsfw_plugins.dimse._retrieve_options import SCHEMA


def _make(**options: Any) -> Transfer:
    from pacsfw_plugins.dimse._cget import CGet  # imports pynetdicom

    return CGet(**options)


@hookimpl
def pacsfw_transfers() -> Iterable[Component[Transfer]]:
    """Offer ``cget``."""
    yield Component(
        name="cget",
        factory=_make,
        schema=SCHEMA,
        summary="C-GET, Study Root: the objects come over the association that we open",
    )
