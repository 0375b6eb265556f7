"""The objects of a collection: stored in the archive or quarantined, with their table rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pacsfw.api import Stored
from pacsfw.ledger.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class CellError:
    """A cell that stayed empty because something failed; the raw value is never kept."""

    column: str
    tag: str
    stage: str
    component: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One object that arrived.

    ``path`` is relative: to the archive where it is stored, to the state folder where it
    is quarantined or a version (other content of an object that is stored). ``row`` holds
    JSON values, one per configured tag. ``rejects`` are (study UID, SOP Instance UID) of what
    it takes back, being a rejection note; the ledger keeps them as flags.
    """

    sop_uid: str
    digest: str
    study_uid: str
    series_uid: str
    sop_class: str
    syntax: str
    size: int
    path: str
    state: Literal["stored", "quarantined", "version"]
    reason: str = ""
    calling_ae: str = ""
    row: Sequence[Any] = ()
    errors: Sequence[CellError] = ()
    rejects: Sequence[tuple[str, str]] = ()

    def as_stored(self, archive: Path) -> Stored:
        """Return what plugins are told of an object that is in the archive."""
        return Stored(
            path=archive / self.path,
            sop_uid=self.sop_uid,
            sop_class=self.sop_class,
            study_uid=self.study_uid,
            series_uid=self.series_uid,
            syntax=self.syntax,
            size=self.size,
            digest=self.digest,
        )


class Instances:
    """Rows of the tables ``instances`` and ``tag_errors``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, instance: Instance, at: datetime) -> bool:
        """Keep one object; True when it is new or its row differs from the one kept."""
        row = json.dumps(list(instance.row), ensure_ascii=False)
        with self._database.transaction() as connection:
            known = connection.execute(
                "SELECT id, row, path, state FROM instances WHERE sop_uid = ? AND digest = ?",
                (instance.sop_uid, instance.digest),
            ).fetchone()
            if known and (known["row"], known["path"], known["state"]) == (
                row,
                instance.path,
                instance.state,
            ):
                return False
            if known:
                connection.execute("DELETE FROM instances WHERE id = ?", (known["id"],))
            if instance.state == "stored":
                # One path holds one object: whatever was there is not there any more.
                connection.execute(
                    "DELETE FROM instances WHERE sop_uid = ? AND path = ? AND state = 'stored'",
                    (instance.sop_uid, instance.path),
                )
            cursor = connection.execute(
                "INSERT INTO instances (sop_uid, digest, study_uid, series_uid, sop_class, syntax,"
                " size, path, state, reason, calling_ae, received_at, row)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    instance.sop_uid,
                    instance.digest,
                    instance.study_uid,
                    instance.series_uid,
                    instance.sop_class,
                    instance.syntax,
                    instance.size,
                    instance.path,
                    instance.state,
                    instance.reason,
                    instance.calling_ae,
                    at.isoformat(),
                    row,
                ),
            )
            connection.executemany(
                "INSERT INTO tag_errors VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (cursor.lastrowid, e.column, e.tag, e.stage, e.component, e.reason)
                    for e in instance.errors
                ),
            )
            connection.execute(
                "UPDATE studies SET version = version + 1 WHERE study_uid = ?",
                (instance.study_uid,),
            )
        return True

    def forget(self, instance: Instance) -> None:
        """Drop an object whose file is gone."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM instances WHERE sop_uid = ? AND digest = ?",
                (instance.sop_uid, instance.digest),
            )
            connection.execute(
                "UPDATE studies SET version = version + 1 WHERE study_uid = ?",
                (instance.study_uid,),
            )

    def twins(self, instance: Instance) -> Sequence[Instance]:
        """Return what is stored of the same object elsewhere, with other content."""
        with self._database.reading() as connection:
            rows = connection.execute(
                # By the UID of the object (`+`): of a large study there are many.
                "SELECT * FROM instances WHERE sop_uid = ? AND +study_uid = ? AND series_uid = ?"
                " AND +state = 'stored' AND digest != ? AND path != ?",
                (
                    instance.sop_uid,
                    instance.study_uid,
                    instance.series_uid,
                    instance.digest,
                    instance.path,
                ),
            ).fetchall()
        return [_instance(row) for row in rows]

    def stored_uids(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study that are in the archive."""
        return self._uids(study_uid, "stored")

    def stored_by_series(self, study_uid: str) -> Mapping[str, frozenset[str]]:
        """Return SeriesInstanceUID to the SOP Instance UIDs that are in the archive."""
        found: dict[str, set[str]] = {}
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT series_uid, sop_uid FROM instances"
                " WHERE study_uid = ? AND state = 'stored'",
                (study_uid,),
            )
            for row in rows:
                found.setdefault(row[0], set()).add(row[1])
        return {uid: frozenset(uids) for uid, uids in found.items()}

    def quarantined_uids(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study that only reached quarantine."""
        return self._uids(study_uid, "quarantined") - self.stored_uids(study_uid)

    def of_study(self, study_uid: str) -> Sequence[Instance]:
        """Return the stored objects of a study in the order of their paths, without errors."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM instances WHERE study_uid = ? AND state = 'stored' ORDER BY path",
                (study_uid,),
            ).fetchall()
        return [_instance(row) for row in rows]

    def faults(self, study_uid: str) -> Sequence[tuple[Instance, CellError | None]]:
        """Return what failed in a study: each empty cell, and None for an object without a row.

        That is one in quarantine, or other content of one that is stored.
        In the order of the paths; "" is the study of the objects of which none could be read.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT instances.*, column_name, tag, stage, component, e.reason AS why"
                " FROM instances LEFT JOIN tag_errors e ON instance_id = id"
                " WHERE study_uid = ? AND (state != 'stored' OR instance_id IS NOT NULL)"
                " ORDER BY state != 'stored', path, e.rowid",
                (study_uid,),
            ).fetchall()
        return [(_instance(row), _cell_error(row)) for row in rows]

    def any_fault(self) -> bool:
        """Tell whether `faults` has anything for any study."""
        with self._database.reading() as connection:
            (found,) = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM tag_errors)"
                " OR EXISTS (SELECT 1 FROM instances WHERE state != 'stored')"
            ).fetchone()
        return bool(found)

    def last_without_study(self) -> int:
        """Return a number that grows with each object of which no study could be read."""
        with self._database.reading() as connection:
            (last,) = connection.execute(
                "SELECT coalesce(max(id), 0) FROM instances WHERE study_uid = ''"
            ).fetchone()
        return int(last)

    def last_number(self) -> int:
        """Return the highest number of an object; what is recorded from now on gets a higher one.

        Also what is recorded anew because its row has changed.
        """
        with self._database.reading() as connection:
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM instances").fetchone()
        return int(last)

    def stored(self, last: int, end: int) -> Iterator[tuple[int, Instance]]:
        """Yield every stored object with its number: after ``last``, ``end`` at most.

        The ledger may be written meanwhile.
        """
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(
                    "SELECT * FROM instances WHERE state = 'stored' AND id > ? AND id <= ?"
                    " ORDER BY id LIMIT 500",
                    (last, end),
                ).fetchall()
            if not rows:
                return
            last = rows[-1]["id"]
            yield from ((row["id"], _instance(row)) for row in rows)

    def kept_of_study(self, study_uid: str) -> Sequence[Instance]:
        """Return all that is kept of a study, quarantined objects and versions included."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM instances WHERE study_uid = ? ORDER BY state, path", (study_uid,)
            ).fetchall()
        return [_instance(row) for row in rows]

    def any_stored(self) -> bool:
        """Tell whether the archive holds anything."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT 1 FROM instances WHERE state = 'stored' LIMIT 1"
            ).fetchone()
        return row is not None

    def totals(self) -> tuple[int, int]:
        """Return (objects stored, their bytes)."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT count(*), coalesce(sum(size), 0) FROM instances WHERE state = 'stored'"
            ).fetchone()
        return int(row[0]), int(row[1])

    def by_modality(self) -> Mapping[str, tuple[int, int]]:
        """Return (objects stored, their bytes) by the ModalitiesInStudy of their studies."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT coalesce(json_extract(attributes, '$.ModalitiesInStudy'), ''), count(*),"
                " sum(size) FROM instances JOIN studies USING (study_uid)"
                " WHERE instances.state = 'stored' GROUP BY 1"
            ).fetchall()
        return {row[0]: (int(row[1]), int(row[2])) for row in rows}

    def versions(self) -> int:
        """Return how many objects are other content of stored ones."""
        with self._database.reading() as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM instances WHERE state = 'version'"
            ).fetchone()
        return int(count)

    def quarantine_reasons(self) -> Mapping[str, int]:
        """Return how many objects are in quarantine, by reason."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT reason, count(*) FROM instances WHERE state = 'quarantined'"
                " GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
        return {row[0]: row[1] for row in rows}

    def cell_errors(self) -> Mapping[tuple[str, str], int]:
        """Return how many cells stayed empty, by (column, reason)."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT column_name, reason, count(*) FROM tag_errors GROUP BY 1, 2 ORDER BY 3 DESC"
            ).fetchall()
        return {(row[0], row[1]): row[2] for row in rows}

    def _uids(self, study_uid: str, state: str) -> frozenset[str]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT sop_uid FROM instances WHERE study_uid = ? AND state = ?",
                (study_uid, state),
            ).fetchall()
        return frozenset(row[0] for row in rows)


def _cell_error(row: Mapping[str, Any]) -> CellError | None:
    if row["column_name"] is None:
        return None
    return CellError(
        column=row["column_name"],
        tag=row["tag"],
        stage=row["stage"],
        component=row["component"],
        reason=row["why"],
    )


def _instance(row: Mapping[str, Any]) -> Instance:
    return Instance(
        sop_uid=row["sop_uid"],
        digest=row["digest"],
        study_uid=row["study_uid"],
        series_uid=row["series_uid"],
        sop_class=row["sop_class"],
        syntax=row["syntax"],
        size=row["size"],
        path=row["path"],
        state=row["state"],
        reason=row["reason"],
        calling_ae=row["calling_ae"],
        row=json.loads(row["row"]),
    )
