"""What converters made of the stored objects, and which files are theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pacsfw.ledger.database import Database

State = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One file that a converter wrote. ``path`` is absolute, ``digest`` SHA-256 of the file."""

    path: str
    media_type: str
    size: int
    digest: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What became of one item: an instance, a series or a study."""

    converter: str
    item: str
    study_uid: str
    fingerprint: str
    state: State
    reason: str
    component: str


class Conversions:
    """Rows of the tables ``conversions``, ``outputs`` and ``converted``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, converter: str, fingerprint: str, *, whole: bool) -> Sequence[str]:
        """Return the settled studies of which this converter may lack something.

        ``whole`` leaves out those of which something is known to be missing.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT s.study_uid FROM studies s LEFT JOIN converted c"
                " ON c.converter = ? AND c.study_uid = s.study_uid AND c.fingerprint = ?"
                " WHERE s.state = 'settled' AND c.version IS NOT s.version"
                " AND NOT (? AND s.verdict IN ('short', 'failed'))"
                " ORDER BY s.settled_at, s.study_uid",
                (converter, fingerprint, whole),
            ).fetchall()
        return [row[0] for row in rows]

    def of_study(self, converter: str, study_uid: str) -> Mapping[str, Conversion]:
        """Return what is known of the items of a study, by item."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT converter, item, study_uid, fingerprint, state, reason, component"
                " FROM conversions WHERE study_uid = ? AND converter = ?",
                (study_uid, converter),
            ).fetchall()
        return {row["item"]: Conversion(**dict(row)) for row in rows}

    def outputs(self, converter: str, item: str | None = None) -> Sequence[tuple[str, str]]:
        """Return (item, path) of the placed files of a converter, or of one item of it."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT item, path FROM outputs WHERE converter = ? AND placed = 1"
                " AND (? IS NULL OR item = ?)",
                (converter, item, item),
            ).fetchall()
        return [(row[0], row[1]) for row in rows]

    def paths(self) -> Sequence[str]:
        """Return all files that converters made."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path FROM outputs WHERE placed = 1").fetchall()
        return [row[0] for row in rows]

    def owner(self, path: str) -> tuple[str, str] | None:
        """Return (converter, item) whose file this is; None if it is nobody's."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT converter, item FROM outputs WHERE path = ?", (path,)
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def announce(self, converter: str, item: str, outputs: Sequence[Output]) -> None:
        """Record, before they are put in place, whose files these are going to be."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                (
                    (
                        output.path,
                        converter,
                        item,
                        output.media_type,
                        output.size,
                        output.digest,
                        json.dumps(output.sources),
                    )
                    for output in outputs
                ),
            )

    def record(self, conversion: Conversion, outputs: Sequence[Output], at: datetime) -> list[str]:
        """Keep what became of an item.

        Returns
        -------
        list of str
            The files of an earlier conversion of this item that are no longer of it.
        """
        where = (conversion.converter, conversion.item)
        keep = {output.path for output in outputs}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO conversions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    conversion.converter,
                    conversion.item,
                    conversion.study_uid,
                    conversion.fingerprint,
                    conversion.state,
                    conversion.reason,
                    conversion.component,
                    at.isoformat(),
                ),
            )
            known = connection.execute(
                "SELECT path FROM outputs WHERE converter = ? AND item = ?", where
            ).fetchall()
            connection.execute(
                "UPDATE outputs SET placed = 1 WHERE converter = ? AND item = ?", where
            )
            gone = [row[0] for row in known if row[0] not in keep]
            connection.executemany("DELETE FROM outputs WHERE path = ?", ((path,) for path in gone))
        return gone

    def forget(self, converter: str, item: str) -> None:
        """Drop what is known of an item, so that it is converted again."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT study_uid FROM conversions WHERE converter = ? AND item = ?",
                (converter, item),
            ).fetchone()
            if row is None:
                return
            connection.execute(
                "DELETE FROM conversions WHERE converter = ? AND item = ?", (converter, item)
            )
            connection.execute(
                "DELETE FROM converted WHERE converter = ? AND study_uid = ?", (converter, row[0])
            )

    def remove(self, converter: str, item: str) -> list[str]:
        """Drop an item whose sources are gone; returns the files that were made of it."""
        with self._database.transaction() as connection:
            paths = connection.execute(
                "SELECT path FROM outputs WHERE converter = ? AND item = ?", (converter, item)
            ).fetchall()
            for table in ("outputs", "conversions"):
                connection.execute(
                    f"DELETE FROM {table} WHERE converter = ? AND item = ?",  # noqa: S608
                    (converter, item),
                )
        return [row[0] for row in paths]

    def finished(self, converter: str, study_uid: str, fingerprint: str, version: int) -> None:
        """Record that nothing of this version of a study is left to convert."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO converted VALUES (?, ?, ?, ?)",
                (converter, study_uid, fingerprint, version),
            )

    def counts(self, converter: str) -> Mapping[str, int]:
        """Return how many items of a converter are in which state, and its ``files``."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT state, count(*) FROM conversions WHERE converter = ? GROUP BY 1",
                (converter,),
            ).fetchall()
            (files,) = connection.execute(
                "SELECT count(*) FROM outputs WHERE converter = ? AND placed = 1", (converter,)
            ).fetchone()
        return {**{row[0]: row[1] for row in rows}, "files": files}

    def reasons(self, converter: str) -> Sequence[tuple[str, str, int]]:
        """Return (state, reason, items) of what was skipped or failed."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT state, reason, count(*) FROM conversions"
                " WHERE converter = ? AND state <> 'done' GROUP BY 1, 2 ORDER BY 1, 3 DESC",
                (converter,),
            ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]
