"""Evidence of the questions that find put to the PACS."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from pacsfw.api import Answer, Slice

if TYPE_CHECKING:
    from pacsfw.ledger.ledger import Database


class Questions:
    """Slices asked, and how each was answered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, query: str, asked: Slice, answer: Answer, *, rows: int, seconds: float, at: datetime
    ) -> None:
        """Keep how one slice of ``query`` (a fingerprint) was answered."""
        text = json.dumps({"level": asked.level, "match": dict(asked.match)}, sort_keys=True)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO questions"
                " (query, slice, whole, status, ended, rows, seconds, asked_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    query,
                    text,
                    answer.whole,
                    answer.status,
                    answer.ended,
                    rows,
                    seconds,
                    at.isoformat(),
                ),
            )

    def count(self) -> int:
        """Return how many questions were asked in all."""
        with self._database.reading() as connection:
            (count,) = connection.execute("SELECT count(*) FROM questions").fetchone()
        return int(count)
