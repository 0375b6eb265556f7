"""The statements by which rows are written, for the drivers of SQLite and PostgreSQL.

SQLAlchemy only passes them on: what it does for each row and cell takes far longer than the
database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from pacsfw_plugins.tables._cells import dump
from pacsfw_plugins.tables._sql_tables import Schema


class Statements:
    """The statements for the tables of a schema, in one transaction."""

    def __init__(self, connection: sa.Connection, schema: Schema) -> None:
        self._connection, self._schema = connection, schema
        self._postgresql = connection.dialect.name == "postgresql"
        self._mark = "%s" if self._postgresql else "?"
        self._rows = self._quoted(schema.rows.name)

    def insert(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows into the table of rows."""
        if self._postgresql:
            self._copy(columns, rows)
        elif values := list(rows):
            self._execute(f"INSERT INTO {self._rows} {self._fields(columns)}", values)

    def upsert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Insert rows, or replace those with the same keys."""
        values = list(zip(*columns.values(), strict=True))
        if not values:
            return
        keys = [column.name for column in self._schema.metadata.tables[table].primary_key]
        others = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
        self._execute(
            f"INSERT INTO {table} {self._fields(list(columns))}"
            f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {others}",
            values,
        )

    def delete_batch(self, key: str | None) -> None:
        """Delete the rows of a key."""
        self._execute(f"DELETE FROM {self._rows} WHERE batch = {self._mark}", (key,))  # noqa: S608

    def elsewhere(self, file_ids: Collection[str], key: str | None) -> frozenset[str]:
        """Return which of these IDs are those of rows with another key."""
        if not file_ids:
            return frozenset()
        found = self._execute(
            f"SELECT file_id FROM {self._rows}"  # noqa: S608
            f" WHERE file_id {self._any_of} AND batch != {self._mark}",
            (self._listed(file_ids), key),
        )
        return frozenset(row[0] for row in found)

    def delete_files(self, file_ids: Collection[str]) -> None:
        """Delete the rows with these IDs."""
        if file_ids:
            self._execute(
                f"DELETE FROM {self._rows} WHERE file_id {self._any_of}",  # noqa: S608
                (self._listed(file_ids),),
            )

    def patients_of(self, study_uids: Collection[str | None]) -> Sequence[str | None]:
        """Return the PatientID of each of these studies that is there."""
        found = self._execute(
            f"SELECT patient_id FROM studies WHERE study_uid {self._any_of}",  # noqa: S608
            (self._listed(study_uids),),
        )
        return [row[0] for row in found]

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

    def _listed(self, texts: Collection[str | None]) -> Any:
        return list(texts) if self._postgresql else dump(list(texts))

    def _execute(self, statement: str, values: Any) -> Any:
        return self._connection.exec_driver_sql(statement, values)

    def _copy(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        import psycopg

        names = ", ".join(map(_name, columns))
        connection: Any = self._connection.connection.driver_connection
        try:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY {_name(self._schema.rows.name)} ({names}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as err:
            # As SQLAlchemy raises errors of statements that it passes on.
            raise exc.DBAPIError.instance(
                None,
                None,
                err,
                psycopg.Error,
                hide_parameters=True,
                dialect=self._connection.dialect,
            ) from None

    def _fields(self, columns: Sequence[str]) -> str:
        names = ", ".join(map(self._quoted, columns))
        return f"({names}) VALUES ({', '.join([self._mark] * len(columns))})"

    def _quoted(self, name: str) -> str:
        return _name(name).replace("%", "%%") if self._postgresql else _name(name)


def _name(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
