"""Opening the ledger: one driver at a time, on whatever file system the state lies."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacsfw.errors import StateError
from pacsfw.ledger.component_faults import Faults
from pacsfw.ledger.conversions import Conversions
from pacsfw.ledger.database import Database
from pacsfw.ledger.deliveries import Deliveries
from pacsfw.ledger.evidence import Evidence
from pacsfw.ledger.instances import Instances
from pacsfw.ledger.provenance import Provenance
from pacsfw.ledger.questions import Questions
from pacsfw.ledger.schema import migrate
from pacsfw.ledger.searches import Searches
from pacsfw.ledger.studies import Studies

FILE_NAME = "ledger.sqlite"
_NETWORK_TYPES = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "lustre", "ceph")

_log = logging.getLogger("pacsfw.ledger")


class Ledger:
    """What happened to every question, study, object and delivery of one state folder."""

    def __init__(self, database: Database, lock: int | None) -> None:
        self._database = database
        self._lock = lock
        self.questions = Questions(database)
        self.searches = Searches(database)
        self.studies = Studies(database)
        self.evidence = Evidence(database)
        self.instances = Instances(database)
        self.deliveries = Deliveries(database)
        self.conversions = Conversions(database)
        self.faults = Faults(database)
        self.provenance = Provenance(database)

    def sync_commits(self) -> None:
        """From now on let every commit survive a power cut: for what nobody else has."""
        self._database.sync_commits()

    def get_value(self, key: str) -> str | None:
        """Return a remembered fact, such as the layout of the archive."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_value(self, key: str, value: str) -> None:
        """Keep a fact for later runs."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes one transaction."""
        with self._database.transaction():
            yield

    def close(self) -> None:
        """Close the file and let the next driver in."""
        self._database.connection.close()
        if self._lock is not None:
            os.close(self._lock)


def open_ledger(state: Path) -> Ledger:
    """Open (or create) the ledger of a state folder for writing.

    Raises
    ------
    StateError
        Another driver uses it, it cannot be written, it is damaged, or it is newer.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(state / "lock")
    except OSError as err:
        raise StateError(f"{state}: cannot be used as state folder: {err.strerror}") from err
    path = state / FILE_NAME
    try:
        connection = _connect(path)
        try:
            journal = "DELETE" if _on_network(state) else "WAL"
            connection.execute(f"PRAGMA journal_mode = {journal}")
            # NORMAL may lose the last commits at a power cut, never the order: a study that
            # was called complete may be asked again, none is called complete for nothing.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, str(path))
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as err:
        os.close(lock)
        raise StateError(f"{path}: not a usable ledger: {err}") from err
    except BaseException:
        os.close(lock)
        raise
    if journal == "DELETE":
        _log.warning("%s is on a network file system: the ledger is slower there", state)
    return Ledger(Database(connection), lock)


def has_ledger(state: Path) -> bool:
    """Tell whether a state folder has a ledger."""
    return (state / FILE_NAME).exists()


def open_existing(state: Path) -> Ledger | None:
    """Open the ledger for reading, also beside a running driver; None where there is none."""
    path = state / FILE_NAME
    if not has_ledger(state):
        return None
    try:
        connection = _connect(path)
        migrate(connection, str(path))
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as err:
        raise StateError(f"{path}: not a usable ledger: {err}") from err
    return Ledger(Database(connection), None)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    path.chmod(0o600)
    connection.row_factory = sqlite3.Row
    return connection


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StateError(
            f"{path.parent}: in use by another pacsfw (process {owner}); "
            "wait for it to end, or give this collection another storage.state"
        ) from err
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
    return descriptor


def _on_network(folder: Path) -> bool:
    """Tell whether WAL, which needs shared memory, would break here (Linux only)."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    real = str(folder.resolve())
    best, kind = "", ""
    for line in mounts:
        _, point, this_kind, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, this_kind
    return kind.startswith(_NETWORK_TYPES)
