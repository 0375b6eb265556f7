"""The instances of a collection, in the dataset folder or not, with their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pacsfw.api import Stored
from pacsfw.dicom.cell_errors import CellError
from pacsfw.ledger.cells import NO_CELLS
from pacsfw.ledger.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance that arrived.

    ``path`` is relative: to the dataset folder for a stored instance, to the state folder for a
    quarantined one, a version (other content of a stored instance), or one held until its sender
    is known. It is empty for one that was left out on purpose, by the rule with the fingerprint
    ``rule``. ``component`` is the one that left it out, or whose failure put it in quarantine.

    ``row`` holds the cells, as `pacsfw.ledger.cells.encode` returns them. ``rejects`` are the
    (study UID, SOP Instance UID) that it names if it is a rejection note; the ledger records them
    as flags. ``address`` is that of the sender, empty if we fetched it ourselves. ``study_uid`` is
    the study in which the PACS lists the instance; if its data set names another, that is
    ``named_study``.
    """

    sop_uid: str
    digest: str
    study_uid: str
    series_uid: str
    sop_class: str
    syntax: str
    size: int
    path: str
    state: Literal["stored", "quarantined", "version", "held", "left-out"]
    reason: str = ""
    component: str = ""
    rule: str = ""
    calling_ae: str = ""
    address: str = ""
    named_study: str = ""
    row: str = NO_CELLS
    placed_by: int | None = None
    read_by: int | None = None
    errors: Sequence[CellError] = ()
    rejects: Sequence[tuple[str, str]] = ()

    def as_stored(self, folder: Path) -> Stored:
        """Return the description of a stored instance that plugins get."""
        return Stored(
            path=folder / self.path,
            sop_uid=self.sop_uid,
            sop_class=self.sop_class,
            study_uid=self.study_uid,
            series_uid=self.series_uid,
            syntax=self.syntax,
            size=self.size,
            digest=self.digest,
        )


_COLUMNS = (
    "sop_uid", "digest", "study_uid", "series_uid", "sop_class", "syntax", "size",
    "path", "state", "reason", "component", "rule", "calling_ae", "address", "named_study", "row",
    "placed_by", "read_by",
)  # fmt: skip
"""Columns of ``instances`` that are attributes of an `Instance`."""
_CHANGING = ("row", "path", "state", "rule", "study_uid")
_INSERT = (
    f"INSERT INTO instances ({', '.join(_COLUMNS)}, received_at)"  # noqa: S608 - constants
    f" VALUES ({'?, ' * len(_COLUMNS)}?)"
)


class Instances:
    """Rows of the tables ``instances`` and ``tag_errors``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, instance: Instance, at: datetime) -> bool:
        """Record one instance; return whether it is new or something of it changed.

        A copy that arrived when the study list of the PACS was not at hand (late, or left in
        the spool) stays in the study in which the PACS was seen to list the instance.
        """
        with self._database.transaction() as connection:
            known = connection.execute(
                "SELECT * FROM instances WHERE sop_uid = ? AND digest = ?",
                (instance.sop_uid, instance.digest),
            ).fetchone()
            if known and known["named_study"] == instance.study_uid:
                study, named = known["study_uid"], known["named_study"]
                instance = replace(instance, study_uid=study, named_study=named)
            if known and known["path"] == instance.path:
                instance = replace(instance, placed_by=known["placed_by"])
            if known and all(known[name] == getattr(instance, name) for name in _CHANGING):
                connection.execute(
                    "UPDATE instances SET read_by = ? WHERE id = ?", (instance.read_by, known["id"])
                )
                return False
            if known:
                connection.execute("DELETE FROM instances WHERE id = ?", (known["id"],))
            if instance.state == "stored":
                # A path holds one instance: the one recorded there before has been replaced.
                connection.execute(
                    "DELETE FROM instances WHERE sop_uid = ? AND path = ? AND state = 'stored'",
                    (instance.sop_uid, instance.path),
                )
            cursor = connection.execute(
                _INSERT, (*(getattr(instance, name) for name in _COLUMNS), at.isoformat())
            )
            connection.executemany(
                "INSERT INTO tag_errors VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (cursor.lastrowid, e.column, e.tag, e.stage, e.plugin, e.reason)
                    for e in instance.errors
                ),
            )
            connection.execute(
                "UPDATE studies SET version = version + 1 WHERE study_uid IN (?, ?)",
                (instance.study_uid, known["study_uid"] if known else instance.study_uid),
            )
        return True

    def forget(self, instance: Instance) -> None:
        """Delete an instance whose file is gone."""
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
        """Return the stored copies of an instance at other paths, with other content."""
        return self._read(
            # `+` keeps SQLite from using the study's index: a large study has many rows.
            "SELECT * FROM instances WHERE sop_uid = ? AND +study_uid = ? AND series_uid = ?"
            " AND +state = 'stored' AND digest != ? AND path != ?",
            instance.sop_uid,
            instance.study_uid,
            instance.series_uid,
            instance.digest,
            instance.path,
        )

    def stored_uids(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of the stored instances of a study."""
        return self._uids(study_uid, "stored")

    def arrived_uids(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study that are stored or were left out on purpose."""
        return self._uids(study_uid, "stored", "left-out")

    def by_series(self, study_uid: str, *states: str) -> Mapping[str, frozenset[str]]:
        """Return the SOP Instance UIDs in one of these states, by SeriesInstanceUID."""
        found: dict[str, set[str]] = {}
        for series_uid, sop_uid in self._database.rows(
            "SELECT series_uid, sop_uid FROM instances WHERE study_uid = ?"  # noqa: S608 - marks
            f" AND state IN ({_marks(states)})",
            study_uid,
            *states,
        ):
            found.setdefault(series_uid, set()).add(sop_uid)
        return {uid: frozenset(uids) for uid, uids in found.items()}

    def quarantined_uids(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study that are in quarantine only."""
        return self._only(study_uid, "quarantined")

    def held_uids(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study that are held only: their sender is not known."""
        return self._only(study_uid, "held")

    def held(self) -> Sequence[Instance]:
        """Return the instances that are held until their senders are known."""
        return self._read("SELECT * FROM instances WHERE state = 'held' ORDER BY id")

    def has_stored(self, sop_uid: str, digest: str) -> bool:
        """Return whether this content of an instance is stored."""
        return self._database.value(
            "SELECT state FROM instances WHERE sop_uid = ? AND digest = ?", sop_uid, digest
        ) in ("stored", "version")

    def misnamed(self) -> int:
        """Return the number of stored instances whose data sets name another study."""
        return self._database.number(
            "SELECT count(*) FROM instances WHERE named_study != '' AND state = 'stored'"
        )

    def of_study(self, study_uid: str) -> Sequence[Instance]:
        """Return the stored instances of a study, ordered by path, without ``errors``."""
        return self._read(
            "SELECT * FROM instances WHERE study_uid = ? AND state = 'stored' ORDER BY path",
            study_uid,
        )

    def faults(self, study_uid: str) -> Sequence[tuple[Instance, CellError | None]]:
        """Return the failures in a study, ordered by path: each failed cell of an instance.

        The error is None for an instance without a row: one in quarantine, or a version.
        "" is the study of the instances whose study could not be read.
        """
        return [
            (instance_of(row), _cell_error(row))
            for row in self._database.rows(
                "SELECT instances.*, column_name, tag, stage, e.reason AS why,"
                " e.component AS plugin FROM instances LEFT JOIN tag_errors e ON instance_id = id"
                " WHERE study_uid = ?"
                " AND (state NOT IN ('stored', 'left-out') OR instance_id IS NOT NULL)"
                " ORDER BY state != 'stored', path, e.rowid",
                study_uid,
            )
        ]

    def any_fault(self) -> bool:
        """Return whether any study has `faults`."""
        return bool(
            self._database.number(
                "SELECT EXISTS (SELECT 1 FROM tag_errors)"
                " OR EXISTS (SELECT 1 FROM instances WHERE state NOT IN ('stored', 'left-out'))"
            )
        )

    def last_without_study(self) -> int:
        """Return a number that grows with each instance whose study could not be read."""
        return self._database.number(
            "SELECT coalesce(max(id), 0) FROM instances WHERE study_uid = ''"
        )

    def last_number(self) -> int:
        """Return the highest number of an instance.

        Instances that are recorded later, or again with a changed row, get higher numbers.
        """
        return self._database.number("SELECT coalesce(max(id), 0) FROM instances")

    def stored(self, last: int, end: int) -> Iterator[tuple[int, Instance]]:
        """Yield every stored instance with its number, greater than ``last``, at most ``end``.

        The caller may write to the ledger between two instances.
        """
        while True:
            rows = self._database.rows(
                "SELECT * FROM instances WHERE state = 'stored' AND id > ? AND id <= ?"
                " ORDER BY id LIMIT 500",
                last,
                end,
            )
            if not rows:
                return
            last = rows[-1]["id"]
            yield from ((row["id"], instance_of(row)) for row in rows)

    def kept_of_study(self, study_uid: str) -> Sequence[Instance]:
        """Return all instances of a study that have a file, quarantined ones and versions too."""
        return self._read(
            "SELECT * FROM instances WHERE study_uid = ? AND state != 'left-out'"
            " ORDER BY state, path",
            study_uid,
        )

    def any_stored(self) -> bool:
        """Return whether any instance is stored."""
        return (
            self._database.one("SELECT 1 FROM instances WHERE state = 'stored' LIMIT 1") is not None
        )

    def totals(self) -> tuple[int, int]:
        """Return (stored instances, their bytes)."""
        row = self._database.one(
            "SELECT count(*), coalesce(sum(size), 0) FROM instances WHERE state = 'stored'"
        )
        return int(row[0]), int(row[1])

    def versions(self) -> int:
        """Return the number of versions: other content of stored instances."""
        return self._database.number("SELECT count(*) FROM instances WHERE state = 'version'")

    def quarantine_reasons(self) -> Mapping[str, int]:
        """Return the number of instances in quarantine, by reason."""
        return dict(
            self._database.rows(
                "SELECT reason, count(*) FROM instances WHERE state = 'quarantined'"
                " GROUP BY 1 ORDER BY 2 DESC"
            )
        )

    def cell_errors(self) -> Mapping[tuple[str, str], int]:
        """Return the number of cells that failed, by (column, reason)."""
        return {
            (row[0], row[1]): row[2]
            for row in self._database.rows(
                "SELECT column_name, reason, count(*) FROM tag_errors WHERE stage != 'irregular'"
                " GROUP BY 1, 2 ORDER BY 3 DESC"
            )
        }

    def _read(self, sql: str, *values: Any) -> list[Instance]:
        return [instance_of(row) for row in self._database.rows(sql, *values)]

    def _only(self, study_uid: str, state: str) -> frozenset[str]:
        """Return those in this state that are neither stored nor left out."""
        found = self._uids(study_uid, state)
        return found - self.arrived_uids(study_uid) if found else found

    def _uids(self, study_uid: str, *states: str) -> frozenset[str]:
        return frozenset(
            self._database.column(
                "SELECT sop_uid FROM instances WHERE study_uid = ?"  # noqa: S608 - only marks
                f" AND state IN ({_marks(states)})",
                study_uid,
                *states,
            )
        )


def _marks(states: Sequence[str]) -> str:
    return ", ".join("?" * len(states))


def _cell_error(row: Mapping[str, Any]) -> CellError | None:
    if row["column_name"] is None:
        return None
    return CellError(
        column=row["column_name"],
        tag=row["tag"],
        stage=row["stage"],
        reason=row["why"],
        plugin=row["plugin"],
    )


def instance_of(row: Mapping[str, Any]) -> Instance:
    """Return the instance in a row of the table ``instances``."""
    return Instance(**{name: row[name] for name in _COLUMNS})
