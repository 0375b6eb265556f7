"""BIDS-like layout ``bids`` and converter ``bids-sidecar``."""

from __future__ import annotations

from collections.abc import Iterator

from pacsfw import Component, hookimpl
from pacsfw.api import Converter, Layout
from pacsfw_bids.naming import SCHEMA, Naming
from pacsfw_bids.sidecar import Sidecar


@hookimpl
def pacsfw_layouts() -> Iterator[Component[Layout]]:
    """Offer ``bids``."""
    yield Component(
        name="bids",
        factory=Naming,
        schema=SCHEMA,
        summary="BIDS-like folders: sub-*/ses-*/anat/..., a folder for each series",
    )


@hookimpl
def pacsfw_converters() -> Iterator[Component[Converter]]:
    """Offer ``bids-sidecar``."""
    yield Component(
        name="bids-sidecar",
        factory=Sidecar,
        schema=SCHEMA,
        summary="a JSON sidecar with the names and units of BIDS for each series",
        scope="series",
    )
