"""The rows that the sinks have received. The outbox is the rows that a sink still lacks."""

from __future__ import annotations

from collections.abc import Sequence

from pacsfw.ledger.database import Database


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
        self, sink: str, study_uid: str, version: int, position: int, component: str = ""
    ) -> None:
        """Record that a sink, written by this component, durably has this version of a study."""
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
    ) -> None:
        """Record that the sink's file now contains exactly these versions of these studies."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO sinks VALUES (?, ?, 0)", (sink, position))
            connection.execute("DELETE FROM deliveries WHERE sink = ?", (sink,))
            connection.executemany(
                "INSERT INTO deliveries VALUES (?, ?, ?, ?)",
                ((sink, uid, version, component) for uid, version in versions),
            )
