"""Searches: their progress, the parts that are proven, and the studies that they found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypeAlias

from pacsfw.ledger.database import Database

RegionState: TypeAlias = Literal["proven", "divided", "unproven"]

PLAN = "plan "
"""Prefix of the query of a search that writes no study list."""

STALE = timedelta(hours=24)
"""A search that began earlier than this is not resumed: its first results are too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; ``query`` is its fingerprint."""

    id: int
    query: str
    started_at: datetime
    finished_at: datetime | None
    largest: int
    cut: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    seen: Mapping[str, Any]
    valid_until: date | None = None
    """Later studies are not part of the proof; None: there can be none."""


class Searches:
    """Rows of the tables ``searches``, ``regions`` and ``answers``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, query: str, now: datetime) -> Search:
        """Resume an unfinished search of this query, or begin a search."""
        last = self.last(query)
        if last is not None and last.finished_at is None and now - last.started_at < STALE:
            return last
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO searches (query, started_at) VALUES (?, ?)", (query, now.isoformat())
            )
        begun = self.last(query)
        assert begun is not None  # noqa: S101 - just begun
        return begun

    def last(self, query: str | None = None) -> Search | None:
        """Return the latest search of a query, by default of any that writes a study list."""
        row = self._database.one(
            "SELECT * FROM searches WHERE query = ?1 OR (?1 IS NULL AND query NOT LIKE ?2)"
            " ORDER BY id DESC LIMIT 1",
            query,
            f"{PLAN}%",
        )
        return row and _search(row)

    def finished(self, query: str) -> Search | None:
        """Return the latest search of a query that ended."""
        row = self._database.one(
            "SELECT * FROM searches WHERE query = ? AND finished_at IS NOT NULL"
            " ORDER BY id DESC LIMIT 1",
            query,
        )
        return row and _search(row)

    def is_proven(self, search: Search) -> bool:
        """Return whether a finished search has neither problems nor unproven regions."""
        return not (search.finished_at is None or search.problems or self.unproven(search.id))

    def adopt(self, search: Search, earlier: Search) -> None:
        """Add the studies that an earlier search found to those of a search."""
        self._database.execute(
            "INSERT OR IGNORE INTO answers"
            " SELECT ?, member, study_uid FROM answers WHERE search = ?",
            search.id,
            earlier.id,
        )

    def get(self, search: int) -> Search:
        """Return the current state of a search."""
        row = self._database.one("SELECT * FROM searches WHERE id = ?", search)
        return _search(row)

    def learned(self, search: int, *, largest: int, cut: bool) -> None:
        """Record what the query results show about the limits of the PACS."""
        self._database.execute(
            "UPDATE searches SET largest = ?, cut = ? WHERE id = ?", largest, cut, search
        )

    def saw(self, search: int, seen: Mapping[str, Any]) -> None:
        """Record counts of oddities of the query results, for a search that is resumed."""
        self._database.execute(
            "UPDATE searches SET seen = ? WHERE id = ?", json.dumps(seen), search
        )

    def remark(self, search: int, *, problems: Iterable[str], notes: Iterable[str] = ()) -> None:
        """Add problems and notes to those of a search, each only once."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT problems, notes FROM searches WHERE id = ?", (search,)
            ).fetchone()
            known = (json.loads(row["problems"]), json.loads(row["notes"]))
            both = (
                json.dumps(list(dict.fromkeys([*before, *new])))
                for before, new in zip(known, (problems, notes), strict=True)
            )
            connection.execute(
                "UPDATE searches SET problems = ?, notes = ? WHERE id = ?", (*both, search)
            )

    def finish(self, search: Search, now: datetime, valid_until: date | None = None) -> None:
        """Close a search and delete earlier searches of the same query."""
        until = valid_until and valid_until.isoformat()
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE searches SET finished_at = ?, valid_until = ? WHERE id = ?",
                (now.isoformat(), until, search.id),
            )
            connection.execute(
                "DELETE FROM searches WHERE query = ? AND id < ?", (search.query, search.id)
            )

    def settle(self, search: int, region: str, state: RegionState, detail: str = "") -> None:
        """Record the outcome of a region, which this search does not query again."""
        self._database.execute(
            "INSERT OR REPLACE INTO regions VALUES (?, ?, ?, ?)", search, region, state, detail
        )

    def unsettle(self, search: int, region: str) -> None:
        """Delete the outcome of a region, so that it is queried again."""
        self._database.execute(
            "DELETE FROM regions WHERE search = ? AND region = ?", search, region
        )

    def settled(self, search: int) -> Mapping[str, tuple[RegionState, str]]:
        """Return (state, detail) of every settled region."""
        return {
            row[0]: (row[1], row[2])
            for row in self._database.rows(
                "SELECT region, state, detail FROM regions WHERE search = ?", search
            )
        }

    def unproven(self, search: int) -> Sequence[tuple[str, str]]:
        """Return (region, reason) of every unproven region, ordered by region."""
        return self._database.tuples(
            "SELECT region, detail FROM regions WHERE search = ? AND state = 'unproven'"
            " AND detail != '' ORDER BY region",
            search,
        )

    def answered(self, search: int, answers: Iterable[tuple[int, str]]) -> None:
        """Add (cohort row or 0, study UID) of studies that match."""
        self._database.execute_each(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)",
            ((search, member, uid) for member, uid in answers),
        )

    def found(self, search: int) -> int:
        """Return the number of studies that a search found."""
        return self._database.number(
            "SELECT count(DISTINCT study_uid) FROM answers WHERE search = ?", search
        )

    def uids(self, search: int) -> frozenset[str]:
        """Return the UIDs of the studies that a search found."""
        return frozenset(
            self._database.column("SELECT DISTINCT study_uid FROM answers WHERE search = ?", search)
        )

    def matched(self, search: int) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Yield (cohort row, attributes) of every study that matches a cohort row."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT member, attributes FROM answers JOIN studies USING (study_uid)"
                " WHERE search = ? ORDER BY member, study_uid",
                (search,),
            )
            for row in rows:
                yield row[0], json.loads(row[1])


def _search(row: sqlite3.Row) -> Search:
    finished = row["finished_at"]
    return Search(
        id=row["id"],
        query=row["query"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(finished) if finished else None,
        largest=row["largest"],
        cut=bool(row["cut"]),
        problems=tuple(json.loads(row["problems"])),
        notes=tuple(json.loads(row["notes"])),
        seen=json.loads(row["seen"]),
        valid_until=date.fromisoformat(row["valid_until"]) if row["valid_until"] else None,
    )
