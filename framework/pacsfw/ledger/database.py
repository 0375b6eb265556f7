"""The connection that all parts of the ledger share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
                # A commit that fails leaves the transaction open: all later ones would
                # take it for their own and never be committed.
                self.connection.commit()
            except BaseException:
                self.connection.rollback()
                raise

    def make_durable(self) -> None:
        """Sync what was committed so far; commits alone survive a kill, not a power cut."""
        with self._lock:
            if not self.connection.in_transaction:
                self.connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def sync_commits(self) -> None:
        """From now on let every commit survive a power cut."""
        with self._lock:
            self.connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for a look."""
        with self._lock:
            yield self.connection
