"""The faults of components that the ledger records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pacsfw.ledger.database import Database


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason for which one component failed, and how often."""

    kind: str
    component: str
    reason: str
    count: int
    effect: str
    """The consequence, as shown to the user."""


class Faults:
    """Rows of the table ``faults``, and failures that are in other tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self, run: str, kind: str, found: Iterable[tuple[str, str, int]], at: datetime
    ) -> None:
        """Record the faults of all components of a kind in this run: (component, reason, count).

        They replace those of earlier runs. Use it only for faults that belong to no instance
        and no study: faults of sinks, observers and complete converters.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM faults WHERE kind = ?", (kind,))
            connection.executemany(
                "INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?)",
                ((run, kind, *each, at.isoformat()) for each in found),
            )

    def by_component(self) -> Iterator[Fault]:
        """Yield the current faults, and those of sinks and observers of the last run."""
        cells = self._database.rows(
            "SELECT component, column_name, reason, count(*) FROM tag_errors"
            " WHERE component <> '' GROUP BY 1, 2, 3 ORDER BY 4 DESC"
        )
        layouts = self._database.rows(
            "SELECT component, reason, count(*) FROM instances"
            " WHERE state = 'quarantined' AND component <> '' GROUP BY 1, 2 ORDER BY 3 DESC"
        )
        conversions = self._database.rows(
            "SELECT component, reason, count(*) FROM conversions WHERE state = 'failed'"
            " GROUP BY 1, 2 ORDER BY 3 DESC"
        )
        others = self._database.rows(
            "SELECT kind, component, reason, sum(count) FROM faults"
            " GROUP BY 1, 2, 3 ORDER BY 4 DESC"
        )
        for component, column, reason, count in cells:
            yield Fault("callback", component, f"column {column}: {reason}", count, _CELLS)
        for component, reason, count in layouts:
            why = reason.removeprefix(f"layout {component}").lstrip(": ")
            yield Fault("layout", component, why, count, _INSTANCES)
        for component, reason, count in conversions:
            yield Fault("converter", component, reason, count, _CONVERSIONS)
        for kind, component, reason, count in others:
            yield Fault(kind, component, reason, count, _EFFECTS.get(kind, ""))


_CELLS = "these cells are empty; the next run after the callback is fixed reads them again"
_INSTANCES = "these instances are in quarantine, with all their bytes"
_CONVERSIONS = "its output files are missing; the next run retries"
_EFFECTS = {
    "sink": "its rows are in the ledger; the next run delivers them",
    "observer": "only its own work is lost",
}
