"""For plugin authors and for tests: synthetic studies, test PACS, contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pacsfw.testing._settings import Logged
from pacsfw.testing.embedded import EmbeddedPACS
from pacsfw.testing.faulty import FaultyPACS
from pacsfw.testing.pacs_faults import Faults
from pacsfw.testing.population import population
from pacsfw.testing.synthetic import Study, awkward_studies, make_studies, write_studies

if TYPE_CHECKING:
    from pacsfw.testing.contracts import (
        CohortContract,
        ConverterContract,
        LayoutContract,
        ObserverContract,
        QueryProviderContract,
        RowCallbackContract,
        SinkContract,
        TagCallbackContract,
        TransferContract,
    )

__all__ = [
    "CohortContract",
    "ConverterContract",
    "EmbeddedPACS",
    "Faults",
    "FaultyPACS",
    "LayoutContract",
    "Logged",
    "ObserverContract",
    "QueryProviderContract",
    "RowCallbackContract",
    "SinkContract",
    "Study",
    "TagCallbackContract",
    "TransferContract",
    "awkward_studies",
    "make_studies",
    "population",
    "write_studies",
]


def __getattr__(name: str) -> Any:
    if name.endswith("Contract") and name in __all__:
        from pacsfw.testing import contracts  # the suites have imports that a PACS does not need

        return getattr(contracts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
