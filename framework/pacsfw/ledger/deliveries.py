"""What the sinks have been given: the outbox is what the studies have and the sinks lack."""

from __future__ import annotations

from collections.abc import Sequence

from pacsfw.ledger.database import Database


class Deliveries:
    """Rows of the tables ``sinks`` and ``deliveries``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_begun(self, sink: str) -> bool:
        """Tell whether this collection has written to the sink before."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT 1 FROM sinks WHERE sink = ?", (sink,)).fetchone()
        return row is not None

    def position(self, sink: str) -> int | None:
        """Return the committed position of a begun sink; None when it must be written anew."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT position, dirty FROM sinks WHERE sink = ?", (sink,)
            ).fetchone()
        return None if row is None or row["dirty"] else int(row["position"])

    def due(self, sink: str) -> Sequence[str]:
        """Return the settled studies whose present version this sink lacks."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT s.study_uid FROM studies s LEFT JOIN deliveries d"
                " ON d.sink = ? AND d.study_uid = s.study_uid"
                " WHERE s.state = 'settled' AND d.version IS NOT s.version"
                " ORDER BY s.settled_at, s.study_uid",
                (sink,),
            ).fetchall()
        return [row[0] for row in rows]

    def settled(self) -> Sequence[str]:
        """Return every study that was ever settled, in the order of their verdicts.

        Also those that are being asked for again: a sink has their rows already.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT study_uid FROM studies WHERE settled_at IS NOT NULL"
                " ORDER BY settled_at, study_uid"
            ).fetchall()
        return [row[0] for row in rows]

    def version(self, sink: str, study_uid: str) -> int | None:
        """Return the version of a study that a sink has; None when it has none."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT version FROM deliveries WHERE sink = ? AND study_uid = ?",
                (sink, study_uid),
            ).fetchone()
        return None if row is None else int(row["version"])

    def forget(self, sink: str) -> None:
        """Record that a sink has nothing any more: every study is due again."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM deliveries WHERE sink = ?", (sink,))

    def begin(self, sink: str, position: int) -> None:
        """Record that a sink's file is begun: from now on what it holds is ours."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO sinks VALUES (?, ?, 0)", (sink, position))

    def commit(
        self, sink: str, study_uid: str, version: int, position: int, component: str = ""
    ) -> None:
        """Record that a sink, which is this component, durably has this version of a study."""
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
        """Record, before it is touched, that the sink's file must be written anew."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO sinks VALUES (?, 0, 1) ON CONFLICT (sink) DO UPDATE SET dirty = 1",
                (sink,),
            )
        # A power cut must not lose this: the position would be taken for that of the new file.
        self._database.make_durable()

    def rewritten(
        self,
        sink: str,
        versions: Sequence[tuple[str, int]],
        position: int,
        component: str = "",
    ) -> None:
        """Record that the sink's file now holds exactly these versions of these studies."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO sinks VALUES (?, ?, 0)", (sink, position))
            connection.execute("DELETE FROM deliveries WHERE sink = ?", (sink,))
            connection.executemany(
                "INSERT INTO deliveries VALUES (?, ?, ?, ?)",
                ((sink, uid, version, component) for uid, version in versions),
            )
