"""Evidence of the queries that find sent to the PACS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pacsfw.api import Query, QueryResult
from pacsfw.ledger.database import Database


class Questions:
    """Rows of the table ``questions``: each query and how its result ended."""

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
        """Record the result of one query of the search ``query`` (a fingerprint)."""
        self._database.execute(
            "INSERT INTO questions"
            " (search, query, level, slice, whole, status, ended, rows, seconds, asked_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            search,
            query,
            asked.level,
            json.dumps(dict(asked.match), sort_keys=True),
            answer.complete,
            answer.status,
            answer.status_text,
            rows,
            seconds,
            at.isoformat(),
        )

    def counts(self, search: int) -> Mapping[str, int]:
        """Return the number of queries of a search, by level."""
        return dict(
            self._database.rows(
                "SELECT level, count(*) FROM questions WHERE search = ? GROUP BY level", search
            )
        )
