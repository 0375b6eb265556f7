"""The SQLite connection that all parts of the ledger share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class Database:
    """One SQLite connection for all threads of the driver."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection; commit at the end, roll back on an exception. Re-entrant."""
        with self._lock:
            if self.connection.in_transaction:
                yield self.connection
                return
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                # A failed commit leaves the transaction open. Later transactions would join
                # it and never be committed.
                self.connection.commit()
            except BaseException:
                self.connection.rollback()
                raise

    def execute(self, sql: str, *values: Any) -> None:
        """Execute one statement in a transaction."""
        with self.transaction() as connection:
            connection.execute(sql, values)

    def execute_each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement once per row, all in one transaction."""
        with self.transaction() as connection:
            connection.executemany(sql, rows)

    def make_durable(self) -> None:
        """Sync all commits so far; without it they survive a kill, but not a power cut."""
        with self._lock:
            if not self.connection.in_transaction:
                self.connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def sync_commits(self) -> None:
        """Make every commit durable from now on (data that cannot be fetched again)."""
        with self._lock:
            self.connection.execute("PRAGMA synchronous = FULL")

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Return all rows of a query."""
        with self._lock:
            return self.connection.execute(sql, values).fetchall()

    def tuples(self, sql: str, *values: Any) -> list[Any]:
        """Return all rows of a query as plain tuples, which compare equal to others."""
        return list(map(tuple, self.rows(sql, *values)))

    def one(self, sql: str, *values: Any) -> Any:
        """Return the first row of a query, None if there is no row."""
        with self._lock:
            return self.connection.execute(sql, values).fetchone()

    def value(self, sql: str, *values: Any) -> Any:
        """Return the first cell of the first row, None if there is no row."""
        row = self.one(sql, *values)
        return None if row is None else row[0]

    def number(self, sql: str, *values: Any) -> int:
        """Return the only cell of the only row, a number."""
        return int(self.value(sql, *values))

    def column(self, sql: str, *values: Any) -> list[Any]:
        """Return the first cell of every row."""
        return [row[0] for row in self.rows(sql, *values)]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection while rows are read from it one by one."""
        with self._lock:
            yield self.connection
