"""The statements by which rows are written, for the drivers of SQLite and PostgreSQL.

SQLAlchemy only passes them on: what it does for each row and cell takes far longer than the
database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from pacsfw_plugins.tables._cells import dump
from pacsfw_plugins.tables._sql_tables import Schema


class Before(NamedTuple):
    """What is in the database before a batch is written."""

    has_batch: bool
    """Whether it has rows of its key."""
    elsewhere: frozenset[str]
    """IDs of its files that are those of rows with another key."""
    patients: Sequence[str | None]
    """The PatientIDs of its studies that are there."""


class Statements:
    """The statements for the tables of a schema, in one transaction."""

    def __init__(self, connection: sa.Connection, schema: Schema) -> None:
        self._connection, self._schema = connection, schema
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._cursor = self._driver.cursor()
        self._postgresql = connection.dialect.name == "postgresql"
        self._mark = "%s" if self._postgresql else "?"
        self._rows = self._quoted(schema.rows.name)

    def insert(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows into the table of rows."""
        if self._postgresql:
            self._copy(columns, rows)
        else:
            self._execute_each(f"INSERT INTO {self._rows} {self._fields(columns)}", rows)

    def upsert(self, tables: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Insert rows into these tables, by column, or replace those with the same keys."""
        with self._at_once():
            for table, columns in tables.items():
                keys = [column.name for column in self._schema.metadata.tables[table].primary_key]
                others = ", ".join(
                    f"{name} = excluded.{name}" for name in columns if name not in keys
                )
                if values := list(zip(*columns.values(), strict=True)):
                    self._execute_each(
                        f"INSERT INTO {table} {self._fields(list(columns))}"
                        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {others}",
                        values,
                    )

    def before(
        self, key: str | None, file_ids: Sequence[str], study_uids: Sequence[str | None]
    ) -> Before:
        """Return what is there of a batch."""
        found = self._execute(
            "SELECT 'batch', NULL WHERE EXISTS"  # noqa: S608
            f" (SELECT 1 FROM {self._rows} WHERE batch = {self._mark})"
            f" UNION ALL SELECT 'file', file_id FROM {self._rows}"
            f" WHERE file_id {self._any_id} AND batch != {self._mark}"
            f" UNION ALL SELECT 'study', patient_id FROM studies WHERE study_uid {self._any_of}",
            (key, self._ids(file_ids), key, self._listed(study_uids)),
        )
        return Before(
            has_batch=any(what == "batch" for what, _ in found),
            elsewhere=frozenset(value for what, value in found if what == "file"),
            patients=[value for what, value in found if what == "study"],
        )

    def delete_batch(self, key: str | None) -> None:
        """Delete the rows of a key."""
        self._execute(f"DELETE FROM {self._rows} WHERE batch = {self._mark}", (key,))  # noqa: S608

    def elsewhere(self, file_ids: Collection[str], key: str | None) -> frozenset[str]:
        """Return which of these IDs are those of rows with another key."""
        found = self._execute(
            f"SELECT file_id FROM {self._rows}"  # noqa: S608
            f" WHERE file_id {self._any_id} AND batch != {self._mark}",
            (self._ids(file_ids), key),
        )
        return frozenset(row[0] for row in found)

    def delete_files(self, file_ids: Collection[str]) -> None:
        """Delete the rows with these IDs."""
        if file_ids:
            self._execute(
                f"DELETE FROM {self._rows} WHERE file_id {self._any_id}",  # noqa: S608
                (self._ids(file_ids),),
            )

    def delete_bare_series(self, study_uids: Collection[str | None]) -> None:
        """Delete the series of these studies that have no instances."""
        self._execute(
            f"DELETE FROM series WHERE study_uid {self._any_of}"  # noqa: S608
            f" AND NOT EXISTS (SELECT 1 FROM {self._rows} i"
            " WHERE i.study_uid = series.study_uid AND i.series_uid = series.series_uid)",
            (self._listed(study_uids),),
        )

    def delete_lone_patients(self, patient_ids: Collection[str]) -> None:
        """Delete those of these patients that have no study."""
        self._execute(
            f"DELETE FROM patients WHERE patient_id {self._any_of}"  # noqa: S608
            " AND NOT EXISTS"
            " (SELECT 1 FROM studies s WHERE s.patient_id = patients.patient_id)",
            (self._listed(patient_ids),),
        )

    @property
    def _any_of(self) -> str:
        return "= ANY(%s)" if self._postgresql else "IN (SELECT value FROM json_each(?))"

    @property
    def _any_id(self) -> str:
        return "= ANY(string_to_array(%s, ' '))" if self._postgresql else self._any_of

    def _ids(self, file_ids: Collection[str]) -> str:
        """Return hexadecimal IDs in one text: the driver takes long to write a list of many."""
        return " ".join(file_ids) if self._postgresql else dump(list(file_ids))

    def _listed(self, texts: Collection[str | None]) -> Any:
        return list(texts) if self._postgresql else dump(list(texts))

    def _execute(self, statement: str, values: Any) -> Sequence[Any]:
        with self._wrapping():
            cursor = self._cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else ()

    def _execute_each(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._wrapping():
            self._cursor.executemany(statement, rows)

    def _copy(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        names = ", ".join(map(_name, columns))
        statement = f"COPY {_name(self._schema.rows.name)} ({names}) FROM STDIN"
        with self._wrapping(), self._cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Send statements together, and wait once: a server answers over a network."""
        if not self._postgresql:
            yield
            return
        with self._wrapping(), self._driver.pipeline():
            yield

    @contextmanager
    def _wrapping(self) -> Iterator[None]:
        """Raise errors of the driver as SQLAlchemy does."""
        dialect: Any = self._connection.dialect
        kind: type[Exception] = dialect.loaded_dbapi.Error
        try:
            yield
        except kind as err:
            raise exc.DBAPIError.instance(
                None, None, err, kind, hide_parameters=True, dialect=dialect
            ) from None

    def _fields(self, columns: Sequence[str]) -> str:
        names = ", ".join(map(self._quoted, columns))
        return f"({names}) VALUES ({', '.join([self._mark] * len(columns))})"

    def _quoted(self, name: str) -> str:
        return _name(name).replace("%", "%%") if self._postgresql else _name(name)


def _name(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
