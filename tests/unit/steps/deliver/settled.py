"""Studies in the ledger that are settled, for the tests of delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pacsfw.api import Column, Table, Verdict
from pacsfw.ledger import Ledger
from pacsfw.ledger.cells import encode
from pacsfw.ledger.instances import Instance
from pacsfw.steps.deliver.sources import PATH_COLUMN

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = Table("instances", (Column("uid"), Column("count", "int"), Column(PATH_COLUMN)))


def settle(ledger: Ledger, study: str, counts: Mapping[str, int], folder: str = "") -> None:
    """Settle a study with these instances, and the second cell of the row of each."""
    ledger.studies.add(study, {}, "find")
    for uid, count in counts.items():
        ledger.instances.record(
            Instance(
                sop_uid=uid,
                digest=f"d{uid}",
                study_uid=study,
                series_uid="s",
                sop_class="c",
                syntax="t",
                size=1,
                path=f"{folder}{uid}.dcm",
                state="stored",
                row=encode([uid, count]),
            ),
            NOW,
        )
    ledger.studies.settle(study, Verdict(state="complete"), NOW, {})
