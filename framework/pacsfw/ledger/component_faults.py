"""The faults of components that the ledger records."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
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
        self,
        run: str,
        kinds: Collection[str],
        found: Iterable[tuple[str, str, str, int]],
        at: datetime,
    ) -> None:
        """Record the faults of components in this run: (kind, component, reason, count).

        They replace those of earlier runs of these kinds. Faults of callbacks, layouts and
        converters are with the instances and conversions that they cost.
        """
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM faults WHERE kind = ?", [(kind,) for kind in sorted(kinds)]
            )
            connection.executemany(
                "INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?)",
                ((run, *each, at.isoformat()) for each in found),
            )

    def recorded(self) -> Sequence[tuple[str, str, str, int]]:
        """Return (kind, component, reason, count) of the faults of `replace`."""
        return [
            (row[0], row[1], row[2], row[3])
            for row in self._database.rows(
                "SELECT kind, component, reason, sum(count) FROM faults"
                " GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3"
            )
        ]

    def emptied_columns(self, columns: Sequence[str]) -> Sequence[tuple[str, str]]:
        """Return (column, component) of each column that has no value, because of a component.

        Parameters
        ----------
        columns
            All columns of a row, in order.
        """
        failed = self._database.rows(
            "SELECT DISTINCT column_name, component FROM tag_errors"
            " WHERE component <> '' AND stage IN ('callback', 'type') ORDER BY 1, 2"
        )
        return [
            (column, component)
            for column, component in failed
            if column in columns and not self._has_value(columns.index(column))
        ]

    def _has_value(self, number: int) -> bool:
        found = self._database.value(
            "SELECT 1 FROM instances WHERE state = 'stored'"
            " AND json_extract(row, ?) IS NOT NULL LIMIT 1",
            f"$[{number}]",
        )
        return found is not None

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
        for component, column, reason, count in cells:
            yield Fault("callback", component, f"column {column}: {reason}", count, _CELLS)
        for component, reason, count in layouts:
            why = reason.removeprefix(f"layout {component}").lstrip(": ")
            yield Fault("layout", component, why, count, _INSTANCES)
        for component, reason, count in conversions:
            yield Fault("converter", component, reason, count, _CONVERSIONS)
        for kind, component, reason, count in self.recorded():
            yield Fault(kind, component, reason, count, _EFFECTS.get(kind, ""))


_CELLS = "these cells are empty; the next run after the callback is fixed reads them again"
_INSTANCES = "these instances are in quarantine, with all their bytes"
_CONVERSIONS = "its output files are missing; the next run retries"
_EFFECTS = {
    "query": "the search, or a study, could not be asked for; the next run repeats it",
    "transfer": "its requests failed; the next run repeats them",
    "sink": "its rows are in the ledger; the next run delivers them",
    "observer": "only its own work is lost",
}
