"""What components did wrong, as far as it is remembered."""

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
    """What it cost, in words."""


class Faults:
    """Rows of the table ``faults``, and the failures that other tables hold."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self, run: str, kind: str, found: Iterable[tuple[str, str, int]], at: datetime
    ) -> None:
        """Keep what the components of a kind did wrong in this run: (component, reason, count).

        What earlier runs saw of them is forgotten. Only for faults that belong to no object
        and no study: of sinks, of observers, of converters as a whole.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM faults WHERE kind = ?", (kind,))
            connection.executemany(
                "INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?)",
                ((run, kind, *each, at.isoformat()) for each in found),
            )

    def by_component(self) -> Iterator[Fault]:
        """Yield what the present state holds, and what sinks and observers did in the last run."""
        with self._database.reading() as connection:
            cells = connection.execute(
                "SELECT component, column_name, reason, count(*) FROM tag_errors"
                " WHERE component <> '' GROUP BY 1, 2, 3 ORDER BY 4 DESC"
            ).fetchall()
            layouts = connection.execute(
                "SELECT reason, count(*) FROM instances"
                " WHERE state = 'quarantined' AND reason LIKE 'layout %' GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
            conversions = connection.execute(
                "SELECT component, reason, count(*) FROM conversions WHERE state = 'failed'"
                " GROUP BY 1, 2 ORDER BY 3 DESC"
            ).fetchall()
            others = connection.execute(
                "SELECT kind, component, reason, sum(count) FROM faults"
                " GROUP BY 1, 2, 3 ORDER BY 4 DESC"
            ).fetchall()
        for component, column, reason, count in cells:
            yield Fault("callback", component, f"column {column}: {reason}", count, _CELLS)
        for reason, count in layouts:
            component, found, why = reason.removeprefix("layout ").partition(") ")
            component = f"{component})" if found else component
            yield Fault("layout", component, why or "failed", count, _OBJECTS)
        for component, reason, count in conversions:
            yield Fault("converter", component, reason, count, _CONVERSIONS)
        for kind, component, reason, count in others:
            yield Fault(kind, component, reason, count, _EFFECTS.get(kind, ""))


_CELLS = "these cells are empty; when the callback is mended, the next run reads them again"
_OBJECTS = "these objects are in quarantine, with all their bytes"
_CONVERSIONS = "what it should have written is missing; the next run tries again"
_EFFECTS = {
    "sink": "its rows are in the ledger; the next run delivers them",
    "observer": "nothing but its own work is lost",
}
