"""Open the ledger: for one driver at a time, on a local or a network file system."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pacsfw.errors import StateError
from pacsfw.ledger.component_faults import Faults
from pacsfw.ledger.conversions import Conversions
from pacsfw.ledger.database import Database
from pacsfw.ledger.deliveries import Deliveries
from pacsfw.ledger.evidence import Evidence
from pacsfw.ledger.instances import Instances
from pacsfw.ledger.left_out import LeftOut
from pacsfw.ledger.provenance import Provenance
from pacsfw.ledger.questions import Questions
from pacsfw.ledger.results import Results
from pacsfw.ledger.schema import migrate
from pacsfw.ledger.searches import Searches
from pacsfw.ledger.senders import Senders
from pacsfw.ledger.studies import Studies
from pacsfw.ledger.traits import Traits

FILE_NAME = "ledger.sqlite"
_NETWORK_TYPES = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "afs", "lustre", "ceph")

_log = logging.getLogger("pacsfw.ledger")


class Ledger:
    """The record of every query, study, instance and delivery of one state folder."""

    def __init__(self, database: Database, lock: int | None) -> None:
        self._database = database
        self._lock = lock
        self.questions = Questions(database)
        self.searches = Searches(database)
        self.studies = Studies(database)
        self.evidence = Evidence(database)
        self.instances = Instances(database)
        self.left_out = LeftOut(database)
        self.deliveries = Deliveries(database)
        self.conversions = Conversions(database)
        self.provenance = Provenance(database)
        self.faults = Faults(database)
        self.results = Results(database)
        self.senders = Senders(database)
        self.traits = Traits(database)

    def sync_commits(self) -> None:
        """Make every commit durable from now on (data that cannot be fetched again)."""
        self._database.sync_commits()

    def get_value(self, key: str) -> str | None:
        """Return a recorded fact, such as the layout of the dataset folder."""
        value: str | None = self._database.value("SELECT value FROM facts WHERE key = ?", key)
        return value

    def set_value(self, key: str, value: str) -> None:
        """Record a fact for later runs."""
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", key, value)

    def components(self, study_uid: str) -> Mapping[str, Sequence[str]]:
        """Return the components that found, moved, delivered and converted a study, by kind.

        `Provenance.of_instance` has those that placed and read an instance; the ledger of an
        older pacsfw has them here.
        """
        known = self._database.value(
            "SELECT components FROM studies WHERE study_uid = ?", study_uid
        )
        found: dict[str, Sequence[str]] = {
            kind: [component] for kind, component in json.loads(known or "{}").items()
        }
        sinks = self._database.column(
            "SELECT DISTINCT component FROM deliveries"
            " WHERE study_uid = ? AND component <> '' ORDER BY 1",
            study_uid,
        )
        converters = self.provenance.converters(study_uid)
        return found | {k: v for k, v in (("sink", sinks), ("converter", converters)) if v}

    def transaction(self) -> AbstractContextManager[object]:
        """Combine several changes into one transaction."""
        return self._database.transaction()

    def close(self) -> None:
        """Close the file and release the lock."""
        self._database.connection.close()
        if self._lock is not None:
            os.close(self._lock)


def open_ledger(state: Path) -> Ledger:
    """Open (or create) the ledger of a state folder for writing.

    Raises
    ------
    StateError
        Another driver uses it, it cannot be written, it is damaged, or a newer pacsfw wrote it.
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
            # With NORMAL, a power cut may lose the last commits, but keeps their order. A
            # complete study may be requested again; no study becomes complete by mistake.
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
    """Return whether a state folder has a ledger."""
    return (state / FILE_NAME).exists()


def open_existing(state: Path) -> Ledger | None:
    """Open the ledger for reading, even while a driver runs; None if there is no ledger."""
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
    """Return whether a folder is on a network file system, where WAL fails (Linux only).

    WAL needs shared memory.
    """
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
