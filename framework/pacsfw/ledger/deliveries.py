"""The rows that the sinks have received. The outbox is the rows that a sink still lacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pacsfw.ledger.database import Database


class RefusedRow(NamedTuple):
    """A row that a sink cannot store."""

    file: str
    """What the row is about: the path of an instance."""
    reason: str
    """Contains no value of the row."""


class Deliveries:
    """Rows of the tables ``sinks`` and ``deliveries``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_begun(self, sink: str) -> bool:
        """Return whether this collection has written to the sink before."""
        return self._database.one("SELECT 1 FROM sinks WHERE sink = ?", sink) is not None

    def position(self, sink: str) -> int | None:
        """Return the committed position of a begun sink; None if it must be rewritten."""
        row = self._database.one("SELECT position, dirty FROM sinks WHERE sink = ?", sink)
        return None if row is None or row["dirty"] else int(row["position"])

    def due(self, sink: str) -> Sequence[str]:
        """Return the settled studies whose current version this sink lacks."""
        return self._database.column(
            "SELECT s.study_uid FROM studies s LEFT JOIN deliveries d"
            " ON d.sink = ? AND d.study_uid = s.study_uid"
            " WHERE s.state = 'settled' AND d.version IS NOT s.version"
            " ORDER BY s.settled_at, s.study_uid",
            sink,
        )

    def settled(self) -> Sequence[str]:
        """Return every study that was ever settled, in the order of their verdicts.

        This includes studies that are being requested again: a sink already has their rows.
        """
        return self._database.column(
            "SELECT study_uid FROM studies WHERE settled_at IS NOT NULL"
            " ORDER BY settled_at, study_uid"
        )

    def version(self, sink: str, study_uid: str) -> int | None:
        """Return the version of a study that a sink has; None if it has none."""
        version: int | None = self._database.value(
            "SELECT version FROM deliveries WHERE sink = ? AND study_uid = ?", sink, study_uid
        )
        return version

    def forget(self, sink: str) -> None:
        """Record that a sink is empty now: every study is due again."""
        self._database.execute("DELETE FROM deliveries WHERE sink = ?", sink)

    def begin(self, sink: str, position: int) -> None:
        """Record that the sink's file is begun: its content belongs to this collection now."""
        self._database.execute("INSERT OR IGNORE INTO sinks VALUES (?, ?, 0)", sink, position)

    def commit(
        self,
        sink: str,
        study_uid: str,
        version: int,
        position: int,
        component: str = "",
        refused: Collection[RefusedRow] = (),
    ) -> bool:
        """Record that a sink, written by this component, durably has this version of a study.

        Parameters
        ----------
        refused
            The rows that it does not have, because it refuses them.

        Returns
        -------
        bool
            Whether ``refused`` differs from the version before.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sinks VALUES (?, ?, 0)"
                " ON CONFLICT (sink) DO UPDATE SET position = excluded.position",
                (sink, position),
            )
            connection.execute(
                "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?)",
                (sink, study_uid, version, component),
            )
            before = _refused_by(connection, sink, study_uid)
            return _record(connection, sink, component, before, {study_uid: refused})

    def refused_in(self, study_uid: str) -> Sequence[tuple[str, RefusedRow, str]]:
        """Return (sink, row, component) of each refused row of a study, ordered by file."""
        return [
            (row["sink"], RefusedRow(row["file"], row["reason"]), row["component"])
            for row in self._database.rows(
                "SELECT * FROM refusals WHERE study_uid = ? ORDER BY file, sink", study_uid
            )
        ]

    def refusals(self) -> Sequence[tuple[str, str, int]]:
        """Return (sink, reason, number of rows) of the refused rows, most frequent first."""
        return [
            (row[0], row[1], row[2])
            for row in self._database.rows(
                "SELECT sink, reason, count(*) FROM refusals GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
            )
        ]

    def forget_refusals_except(self, sinks: Collection[str]) -> None:
        """Forget what sinks refused that this collection has no longer."""
        for sink in self._database.column("SELECT DISTINCT sink FROM refusals"):
            if sink not in sinks:
                with self._database.transaction() as connection:
                    _record(connection, sink, "", _refused_by(connection, sink), {})

    def errors_due(self, sink: str) -> Sequence[str]:
        """Return the settled studies whose present errors this sink lacks; see `errors_version`."""
        return self._database.column(
            "SELECT s.study_uid FROM studies s LEFT JOIN deliveries d"
            " ON d.sink = ? AND d.study_uid = s.study_uid"
            " WHERE s.state = 'settled' AND d.version IS NOT s.version + s.refusals"
            " ORDER BY s.settled_at, s.study_uid",
            sink,
        )

    def errors_version(self, study_uid: str) -> int | None:
        """Return a number that grows with the version of a study and with its refused rows."""
        version: int | None = self._database.value(
            "SELECT version + refusals FROM studies WHERE study_uid = ?", study_uid
        )
        return version

    def mark_dirty(self, sink: str) -> None:
        """Record, before the sink's file is touched, that it must be rewritten."""
        self._database.execute(
            "INSERT INTO sinks VALUES (?, 0, 1) ON CONFLICT (sink) DO UPDATE SET dirty = 1", sink
        )
        # If a power cut lost this, the old position would be applied to the new file.
        self._database.make_durable()

    def rewritten(
        self,
        sink: str,
        versions: Sequence[tuple[str, int]],
        position: int,
        component: str = "",
        refused: Mapping[str, Collection[RefusedRow]] | None = None,
    ) -> bool:
        """Record that the sink's file now contains exactly these versions of these studies.

        Parameters
        ----------
        refused
            The rows of each study that it does not have, because it refuses them.

        Returns
        -------
        bool
            Whether ``refused`` differs from what it was before.
        """
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO sinks VALUES (?, ?, 0)", (sink, position))
            connection.execute("DELETE FROM deliveries WHERE sink = ?", (sink,))
            connection.executemany(
                "INSERT INTO deliveries VALUES (?, ?, ?, ?)",
                ((sink, uid, version, component) for uid, version in versions),
            )
            return _record(
                connection, sink, component, _refused_by(connection, sink), refused or {}
            )


def _refused_by(
    connection: sqlite3.Connection, sink: str, study_uid: str | None = None
) -> Mapping[str, set[RefusedRow]]:
    """Return the rows that a sink refused, of one study or of all."""
    found: dict[str, set[RefusedRow]] = {}
    for study, file, reason in connection.execute(
        "SELECT study_uid, file, reason FROM refusals"
        " WHERE sink = ? AND study_uid = ifnull(?, study_uid)",
        (sink, study_uid),
    ):
        found.setdefault(study, set()).add(RefusedRow(file, reason))
    return found


def _record(
    connection: sqlite3.Connection,
    sink: str,
    component: str,
    before: Mapping[str, Collection[RefusedRow]],
    now: Mapping[str, Collection[RefusedRow]],
) -> bool:
    """Replace refused rows; the errors of the studies for which they changed are due again."""
    changed = [
        study for study in {*before, *now} if set(before.get(study, ())) != set(now.get(study, ()))
    ]
    for study in changed:
        connection.execute("DELETE FROM refusals WHERE sink = ? AND study_uid = ?", (sink, study))
        connection.executemany(
            "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?)",
            ((sink, study, *row, component) for row in now.get(study, ())),
        )
        connection.execute(
            "UPDATE studies SET refusals = refusals + 1 WHERE study_uid = ?", (study,)
        )
    return bool(changed)
