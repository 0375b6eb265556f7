"""The tables of the sql sink, and how a database is updated to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from pacsfw import api
from pacsfw.errors import StateError
from pacsfw_plugins.tables._physical import physical

INSTANCES = "instances"
RESOURCES = "resources"

PATIENT = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex")
STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription")
SERIES = (
    *("Modality", "SeriesNumber", "SeriesDate", "SeriesTime", "SeriesDescription"),
    *("BodyPartExamined", "Manufacturer", "ManufacturerModelName"),
)
INSTANCE = ("InstanceNumber",)
ATTRIBUTES = (*PATIENT, *STUDY, *SERIES, *INSTANCE)
"""The attributes that the sink needs of each instance, grouped by table."""

KINDS: Mapping[str, api.ColumnType] = {
    **dict.fromkeys(("PatientBirthDate", "StudyDate", "SeriesDate"), "date"),
    **dict.fromkeys(("StudyTime", "SeriesTime"), "time"),
    **dict.fromkeys(("SeriesNumber", "InstanceNumber"), "int"),
}
_JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TYPES: Mapping[api.ColumnType, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "int": sa.BigInteger(),
    "float": sa.Double(),
    "bool": sa.Boolean(),
    "date": sa.Date(),
    "time": sa.Time(),
    "datetime": sa.DateTime(),
    "duration": sa.Double(),
    **dict.fromkeys(("texts", "ints", "floats", "json"), _JSON),
}
_LONGEST_NAME = 63
"""The limit of a name in PostgreSQL in bytes, which truncates longer names."""


@cache
def column_of(keyword: str) -> str:
    """Return ``patient_birth_date`` for ``PatientBirthDate``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", keyword).lower()


class Schema:
    """The database tables for one table of pacsfw.

    ``instances`` has the tables patients, studies and series in addition; other tables have none.

    Parameters
    ----------
    with_header
        Store the complete header of each instance.
    """

    def __init__(self, table: api.Table, *, with_header: bool) -> None:
        self.table = table
        self.with_header = with_header
        self.cells = physical(table)
        """The columns of the configuration."""
        self.of_instances = [
            *("study_uid", "series_uid", "sop_uid", "sop_class_uid", "syntax_uid"),
            *map(column_of, INSTANCE),
            *("size", "digest"),
            *(["header"] if with_header else []),
        ]
        """The columns of instances that follow from their files and attributes."""
        self.metadata = sa.MetaData()
        self.is_instances = table.name == INSTANCES
        if self.is_instances:
            self._add_above()
        self.rows = sa.Table(table.name, self.metadata, *self._own(), *self._cells())
        self._check_names()

    def _add_above(self) -> None:
        self.patients = sa.Table(
            "patients",
            self.metadata,
            sa.Column("patient_id", sa.Text, primary_key=True),
            *_described(PATIENT[1:]),
        )
        self.studies = sa.Table(
            "studies",
            self.metadata,
            sa.Column("study_uid", sa.Text, primary_key=True),
            sa.Column("patient_id", sa.ForeignKey("patients.patient_id"), index=True),
            *_described(STUDY),
            sa.Column("verdict", sa.Text),
            sa.Column("reason", sa.Text),
            sa.Column("expected", sa.BigInteger),
            sa.Column("stored", sa.BigInteger),
            sa.Column("evidence", sa.Text),
        )
        self.series = sa.Table(
            "series",
            self.metadata,
            sa.Column("study_uid", sa.ForeignKey("studies.study_uid"), primary_key=True),
            sa.Column("series_uid", sa.Text, primary_key=True),
            *_described(SERIES),
        )

    def _own(self) -> list[sa.schema.SchemaItem]:
        """Return the columns that are not columns of the configuration."""
        if not self.is_instances:
            return [
                sa.Column("id", _BIG, primary_key=True, autoincrement=True),
                sa.Column("batch", sa.Text, index=True),
            ]
        header = [sa.Column("header", _JSON)] if self.with_header else []
        return [
            sa.Column("file_id", sa.String(32), primary_key=True),
            sa.Column("batch", sa.Text, index=True),
            sa.Column("study_uid", sa.Text),
            sa.Column("series_uid", sa.Text),
            sa.Column("sop_uid", sa.Text, index=True),
            sa.Column("sop_class_uid", sa.Text),
            sa.Column("syntax_uid", sa.Text),
            *_described(INSTANCE),
            sa.Column("size", sa.BigInteger),
            sa.Column("digest", sa.Text),
            *header,
            sa.Index("instances_series", "study_uid", "series_uid"),
        ]

    def _cells(self) -> list[sa.Column[Any]]:
        return [sa.Column(column.name, _TYPES[column.type]) for column in self.cells]

    def _check_names(self) -> None:
        """Refuse names that a database would truncate or confuse."""
        taken: dict[str, str] = {}
        for column in self.rows.columns:
            if len(column.name.encode()) > _LONGEST_NAME:
                raise StateError(
                    f"the column name {column.name!r} is too long for a database "
                    f"(at most {_LONGEST_NAME} bytes): give the tag another tag_alias"
                )
            other = taken.setdefault(column.name.lower(), column.name)
            if other is not column.name:
                raise StateError(
                    f"the column {column.name!r} conflicts with {other!r} in the table "
                    f"{self.table.name!r} of a database: give the tag another tag_alias"
                )

    def create(self, connection: sa.Connection) -> None:
        """Create missing tables and columns.

        Raises
        ------
        StateError
            A table of this name is not one of pacsfw, or a column has another type.
        """
        self.metadata.create_all(connection)
        inspector = sa.inspect(connection)
        for table in self.metadata.sorted_tables:
            found = {each["name"]: each["type"] for each in inspector.get_columns(table.name)}
            if not {column.name for column in table.columns if _marks(column)} <= found.keys():
                raise StateError(
                    f"the table {table.name!r} in the database is not one of pacsfw: choose "
                    "another database, or another schema"
                )
            for column in table.columns:
                if column.name not in found:
                    _add_column(connection, table, column)
                elif _python_type(found[column.name]) != _python_type(column.type):
                    raise StateError(
                        f"the column {column.name!r} of the table {table.name!r} is of type "
                        f"{found[column.name]} in the database, but not in the configuration: give "
                        "the tag another tag_alias, or drop that column"
                    )


def _marks(column: sa.Column[Any]) -> bool:
    """Return whether every version of pacsfw has created this column."""
    return column.primary_key or column.name == "batch"


def _described(keywords: Sequence[str]) -> list[sa.Column[Any]]:
    return [
        sa.Column(column_of(keyword), _TYPES[KINDS.get(keyword, "text")]) for keyword in keywords
    ]


def _add_column(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    preparer = connection.dialect.identifier_preparer
    name, kind = preparer.format_column(column), column.type.compile(connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {preparer.format_table(table)} ADD {name} {kind}")


def _python_type(kind: sa.types.TypeEngine[Any]) -> type | None:
    try:
        return kind.python_type
    except NotImplementedError:
        return None
