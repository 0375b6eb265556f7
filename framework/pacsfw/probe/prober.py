"""Queries to the PACS; a failed query does not make the probe fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pacsfw.api import Level, Query, QueryResult, QueryRow
from pacsfw.errors import PacsfwError

Ask: TypeAlias = Callable[[Query, Callable[[QueryRow], None]], QueryResult]
"""`pacsfw.api.QueryProvider.ask`."""

Row: TypeAlias = Mapping[str, str]

UID = "StudyInstanceUID"
PATIENCE = 5
"""Maximum number of consecutive queries without a final response."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The rows of a query result and how the query ended."""

    rows: Sequence[Row]
    status: int | None
    complete: bool
    stopped: bool
    """Whether we stopped the query, because there were enough rows."""
    status_text: str

    @property
    def is_clear(self) -> bool:
        """Whether the result is conclusive: the PACS had no reason to stop early."""
        return self.complete or self.stopped

    def has(self, uid: str) -> bool:
        """Return whether the rows contain a study."""
        return any(row.get(UID) == uid for row in self.rows)


class Prober:
    """Sends queries at STUDY level.

    Parameters
    ----------
    requires_patient_id
        The PACS requires a PatientID in each query (Patient Root only, PS3.4 C.6.1).
    """

    def __init__(self, ask: Ask, *, requires_patient_id: bool = False) -> None:
        self._ask = ask
        self.requires_patient_id = requires_patient_id
        self._silences = 0

    def put(
        self,
        match: Mapping[str, str],
        returns: Sequence[str] = (),
        *,
        max_rows: int = 0,
        level: Level = "STUDY",
    ) -> Reply:
        """Send one query. A failure is also a result: without a status, not complete."""
        if self._silences >= PATIENCE:
            return _failure(f"not queried: {PATIENCE} queries in a row got no response")
        rows: list[Row] = []
        query = Query(level=level, match=match, returns=tuple(returns), max_rows=max_rows)
        try:
            answer = self._ask(query, lambda found: rows.append(found.attributes))
        except PacsfwError as err:
            self._silences += 1
            return _failure(str(err))
        stopped = 0 < max_rows <= len(rows)
        self._silences = 0 if stopped or answer.status is not None else self._silences + 1
        return Reply(
            rows,
            answer.status,
            answer.complete,
            stopped and not answer.complete,
            answer.status_text,
        )

    def about(self, row: Row) -> dict[str, str]:
        """Return the keys that identify the study of a row."""
        return {**self._patient(row), UID: row[UID]}

    def on_its_day(self, row: Row) -> dict[str, str]:
        """Return the keys for the studies of the same day; empty if the day is unknown."""
        day = row.get("StudyDate", "")
        return {**self._patient(row), "StudyDate": day} if day else {}

    def _patient(self, row: Row) -> dict[str, str]:
        return {"PatientID": row.get("PatientID", "")} if self.requires_patient_id else {}


def _failure(why: str) -> Reply:
    return Reply((), None, complete=False, stopped=False, status_text=why)
