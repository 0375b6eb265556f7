"""Evidence of the questions that find put to the PACS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pacsfw.api import Query, QueryResult
from pacsfw.ledger.database import Database


class Questions:
    """Slices asked, and how each was answered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        search: int,
        query: str,
        asked: Query,
        answer: QueryResult,
        *,
        rows: int,
        seconds: float,
        at: datetime,
    ) -> None:
        """Keep how one slice of ``query`` (a fingerprint) was answered."""
        text = json.dumps(dict(asked.match), sort_keys=True)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO questions"
                " (search, query, level, slice, whole, status, ended, rows, seconds, asked_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    search,
                    query,
                    asked.level,
                    text,
                    answer.complete,
                    answer.status,
                    answer.status_text,
                    rows,
                    seconds,
                    at.isoformat(),
                ),
            )

    def counts(self, search: int) -> Mapping[str, int]:
        """Return how many questions a search has put, by level."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT level, count(*) FROM questions WHERE search = ? GROUP BY level", (search,)
            ).fetchall()
        return {row[0]: row[1] for row in rows}
