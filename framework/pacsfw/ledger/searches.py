"""Searches: how far a query was asked, what was proven of it, and which studies it found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from pacsfw.ledger.database import Database

RegionState: TypeAlias = Literal["proven", "divided", "unproven"]

PLAN = "plan "
"""What the query of a search begins with that no study list came of."""

STALE = timedelta(hours=24)
"""A search that was interrupted longer ago is begun anew: its first answers are too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One asking of a whole query."""

    id: int
    query: str
    started_at: datetime
    finished_at: datetime | None
    largest: int
    cut: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    seen: Mapping[str, Any]


class Searches:
    """Rows of the tables ``searches``, ``regions`` and ``answers``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, query: str, now: datetime) -> Search:
        """Go on with an unfinished search of this query, or begin one."""
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
        """Return the latest search of a query, or of any that a study list came of."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM searches WHERE query = ?1 OR (?1 IS NULL AND query NOT LIKE ?2)"
                " ORDER BY id DESC LIMIT 1",
                (query, f"{PLAN}%"),
            ).fetchone()
        return row and _search(row)

    def get(self, search: int) -> Search:
        """Return a search as it is now."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM searches WHERE id = ?", (search,)).fetchone()
        return _search(row)

    def learned(self, search: int, *, largest: int, cut: bool) -> None:
        """Keep what the answers have shown of the limits of the PACS."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE searches SET largest = ?, cut = ? WHERE id = ?", (largest, cut, search)
            )

    def saw(self, search: int, seen: Mapping[str, Any]) -> None:
        """Keep counts of what was odd about the answers, for a search that goes on."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE searches SET seen = ? WHERE id = ?", (json.dumps(seen), search)
            )

    def remark(self, search: int, *, problems: Iterable[str], notes: Iterable[str] = ()) -> None:
        """Add what people should know of a search; what is known already stays."""
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

    def finish(self, search: Search, now: datetime) -> None:
        """Close a search and forget earlier ones of the same query."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE searches SET finished_at = ? WHERE id = ?", (now.isoformat(), search.id)
            )
            connection.execute(
                "DELETE FROM searches WHERE query = ? AND id < ?", (search.query, search.id)
            )

    def settle(self, search: int, region: str, state: RegionState, detail: str = "") -> None:
        """Record what became of a region: it is not asked again in this search."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO regions VALUES (?, ?, ?, ?)",
                (search, region, state, detail),
            )

    def unsettle(self, search: int, region: str) -> None:
        """Have a region asked again."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM regions WHERE search = ? AND region = ?", (search, region)
            )

    def settled(self, search: int) -> Mapping[str, tuple[RegionState, str]]:
        """Return state and detail of every region that was settled."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT region, state, detail FROM regions WHERE search = ?", (search,)
            ).fetchall()
        return {row[0]: (row[1], row[2]) for row in rows}

    def unproven(self, search: int) -> Sequence[tuple[str, str]]:
        """Return (region, reason) of what could not be proven, in the order of the regions."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT region, detail FROM regions WHERE search = ? AND state = 'unproven'"
                " AND detail != ''"
                " ORDER BY region",
                (search,),
            ).fetchall()
        return [(row[0], row[1]) for row in rows]

    def answered(self, search: int, answers: Iterable[tuple[int, str]]) -> None:
        """Add (cohort row or 0, study UID) of studies that match."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)",
                ((search, member, uid) for member, uid in answers),
            )

    def found(self, search: int) -> int:
        """Return how many studies a search has found."""
        with self._database.reading() as connection:
            (count,) = connection.execute(
                "SELECT count(DISTINCT study_uid) FROM answers WHERE search = ?", (search,)
            ).fetchone()
        return int(count)

    def uids(self, search: int) -> frozenset[str]:
        """Return the UIDs of the studies that a search has found."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT study_uid FROM answers WHERE search = ?", (search,)
            )
            return frozenset(row[0] for row in rows)

    def matched(self, search: int) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Return (cohort row, attributes) of every study that a row of a cohort matched."""
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
    )
