"""The results of converters, and which files belong to which converter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
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
    """The result of one item: an instance, a series or a study."""

    converter: str
    item: str
    study_uid: str
    fingerprint: str
    state: State
    reason: str
    component: str
    made_by: int | None = None


class Conversions:
    """Rows of the tables ``conversions``, ``outputs`` and ``converted``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, converter: str, fingerprint: str, *, whole: bool) -> Sequence[str]:
        """Return the settled studies that this converter may have to convert.

        ``whole`` leaves out studies with missing instances.
        """
        return self._database.column(
            "SELECT s.study_uid FROM studies s LEFT JOIN converted c"
            " ON c.converter = ? AND c.study_uid = s.study_uid AND c.fingerprint = ?"
            " WHERE s.state = 'settled' AND c.version IS NOT s.version"
            " AND NOT (? AND s.verdict IN ('short', 'failed'))"
            " ORDER BY s.settled_at, s.study_uid",
            converter,
            fingerprint,
            whole,
        )

    def of_study(self, converter: str, study_uid: str) -> Mapping[str, Conversion]:
        """Return the last result of each item of a study, by item."""
        return {
            row["item"]: Conversion(**dict(row))
            for row in self._database.rows(
                "SELECT converter, item, study_uid, fingerprint, state, reason, component, made_by"
                " FROM conversions WHERE study_uid = ? AND converter = ?",
                study_uid,
                converter,
            )
        }

    def outputs(self, converter: str) -> Sequence[tuple[str, str]]:
        """Return (item, path) of the placed files of a converter."""
        return self._database.tuples(
            "SELECT item, path FROM outputs WHERE converter = ? AND placed = 1", converter
        )

    def paths(self) -> Sequence[str]:
        """Return the paths of all files that converters wrote."""
        return self._database.column("SELECT path FROM outputs WHERE placed = 1")

    def moved(self, paths: Iterable[tuple[str, str]]) -> None:
        """Record the new paths of files that were moved, as (old, new)."""
        self._database.execute_each(
            "UPDATE OR REPLACE outputs SET path = ?2 WHERE path = ?1", paths
        )

    def owner(self, path: str) -> tuple[str, str] | None:
        """Return the (converter, item) that a file belongs to; None if it belongs to none."""
        row = self._database.one("SELECT converter, item FROM outputs WHERE path = ?", path)
        return None if row is None else (row[0], row[1])

    def announce(self, converter: str, item: str, outputs: Sequence[Output]) -> None:
        """Record the item that files belong to, before they are moved to their places."""
        self._database.execute_each(
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
        """Record the result of an item.

        Returns
        -------
        list of str
            Files of an earlier conversion of this item that no longer belong to it.
        """
        where = (conversion.converter, conversion.item)
        keep = {output.path for output in outputs}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO conversions (converter, item, study_uid, fingerprint,"
                " state, reason, component, made_by, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*astuple(conversion), at.isoformat()),
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
        """Delete the result of an item, so that it is converted again."""
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
        """Delete an item whose sources are gone; return the files that were made from it."""
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
        """Record that no item of this version of a study is left to convert."""
        self._database.execute(
            "INSERT OR REPLACE INTO converted VALUES (?, ?, ?, ?)",
            converter,
            study_uid,
            fingerprint,
            version,
        )

    def counts(self, converter: str) -> Mapping[str, int]:
        """Return the number of items of a converter in each state, and of its ``files``."""
        rows = self._database.rows(
            "SELECT state, count(*) FROM conversions WHERE converter = ? GROUP BY 1", converter
        )
        files = self._database.number(
            "SELECT count(*) FROM outputs WHERE converter = ? AND placed = 1", converter
        )
        return {**dict(rows), "files": files}

    def reasons(self, converter: str) -> Sequence[tuple[str, str, int]]:
        """Return (state, reason, items) of the items that were skipped or failed."""
        return self._database.tuples(
            "SELECT state, reason, count(*) FROM conversions"
            " WHERE converter = ? AND state <> 'done' GROUP BY 1, 2 ORDER BY 1, 3 DESC",
            converter,
        )
