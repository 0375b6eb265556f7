"""Write the batches of one table into a database, within a transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from pacsfw import api
from pacsfw_plugins.tables._physical import encodable
from pacsfw_plugins.tables._sql_tables import (
    INSTANCE,
    PATIENT,
    SERIES,
    STUDY,
    Schema,
    column_of,
)

Values = dict[str, Any]
"""One row of a database table by column key."""


def replace(connection: sa.Connection, schema: Schema, batch: api.Batch) -> None:
    """Replace the rows of the key of a batch."""
    rows = schema.rows
    connection.execute(sa.delete(rows).where(rows.c.batch == batch.key))
    values = [_cells(schema, row) | {"batch": batch.key} for row in batch.rows]
    if not schema.is_instances:
        if values:
            connection.execute(sa.insert(rows), values)
        return
    for number, each in enumerate(values):
        each |= _instance(schema, batch, number)
    _Above(connection, schema, batch).replace()
    _upsert(connection, schema, rows.name, values)


def clear(connection: sa.Connection, schema: Schema) -> None:
    """Remove every row."""
    for table in reversed(schema.metadata.sorted_tables):
        connection.execute(sa.delete(table))


class _Above:
    """The patients, studies and series of a batch."""

    def __init__(self, connection: sa.Connection, schema: Schema, batch: api.Batch) -> None:
        self._connection, self._schema, self._batch = connection, schema, batch
        self._studies: dict[str, Values] = {}
        self._series: dict[tuple[str, str], Values] = {}
        for stored, attributes in _with_attributes(batch):
            if stored.study_uid:
                study = self._studies.setdefault(stored.study_uid, {})
                _fill(study, attributes, (*PATIENT, *STUDY))
                series = self._series.setdefault((stored.study_uid, stored.series_uid), {})
                _fill(series, attributes, SERIES)
        if batch.verdict is not None:
            self._studies.setdefault(batch.key, {})

    def replace(self) -> None:
        """Write them, and delete series without instances and patients without studies."""
        patients, studies, series = self._schema.patients, self._schema.studies, self._schema.series
        uids = list(self._studies)
        before = self._connection.scalars(
            sa.select(studies.c.patient_id).where(studies.c.study_uid.in_(uids)).distinct()
        ).all()
        _upsert(self._connection, self._schema, "patients", self._patient_rows())
        _upsert(self._connection, self._schema, "studies", self._study_rows())
        self._connection.execute(
            sa.delete(series).where(series.c.study_uid.in_(uids), self._bare())
        )
        _upsert(
            self._connection,
            self._schema,
            "series",
            [
                {"study_uid": study, "series_uid": uid, **_columns(values, SERIES)}
                for (study, uid), values in self._series.items()
            ],
        )
        alone = ~sa.exists().where(studies.c.patient_id == patients.c.patient_id)
        self._connection.execute(
            sa.delete(patients).where(patients.c.patient_id.in_(before), alone)
        )

    def _bare(self) -> sa.ColumnElement[bool]:
        """Return the condition for series without instances."""
        rows, series = self._schema.rows, self._schema.series
        return ~sa.exists().where(
            rows.c.study_uid == series.c.study_uid, rows.c.series_uid == series.c.series_uid
        )

    def _patient_rows(self) -> list[Values]:
        patients = {
            values["PatientID"]: _columns(values, PATIENT)
            for values in self._studies.values()
            if values.get("PatientID")
        }
        return list(patients.values())

    def _study_rows(self) -> list[Values]:
        verdict = self._batch.verdict
        return [
            {
                "study_uid": uid,
                "patient_id": values.get("PatientID"),
                **_columns(values, STUDY),
                "verdict": verdict and verdict.state,
                "reason": (verdict and verdict.reason) or None,
                "expected": verdict and verdict.expected,
                "stored": verdict and verdict.stored,
                "evidence": (verdict and verdict.source) or None,
            }
            for uid, values in self._studies.items()
        ]


def _with_attributes(batch: api.Batch) -> Iterator[tuple[api.Stored, Mapping[str, Any]]]:
    attributes = batch.attributes or [{}] * len(batch.files)
    return zip(batch.files, attributes, strict=True)


def _fill(values: Values, attributes: Mapping[str, Any], keywords: Sequence[str]) -> None:
    """Add missing attributes; of several instances, the first that has an attribute counts."""
    for keyword in keywords:
        if values.get(keyword) is None and attributes.get(keyword) is not None:
            values[keyword] = attributes[keyword]


def _columns(values: Values, keywords: Sequence[str]) -> Values:
    return {column_of(keyword): _plain(values.get(keyword)) for keyword in keywords}


def _instance(schema: Schema, batch: api.Batch, number: int) -> Values:
    """Return the columns of an instance that are not columns of the configuration."""
    stored = batch.files[number] if batch.files else None
    attributes = batch.attributes[number] if batch.attributes else {}
    what = str(stored.path) if stored else f"{batch.key}\n{number}"
    values = {
        "file_id": hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:32],
        # Without a study there is no series either.
        "study_uid": (stored and stored.study_uid) or None,
        "series_uid": stored.series_uid if stored and stored.study_uid else None,
        "sop_uid": stored and stored.sop_uid,
        "sop_class_uid": stored and stored.sop_class,
        "syntax_uid": stored and stored.syntax,
        "size": stored and stored.size,
        "digest": stored and stored.digest,
        **_columns(dict(attributes), INSTANCE),
    }
    if schema.with_header:
        values["header"] = _plain(attributes.get(api.HEADER))
    return values


def _cells(schema: Schema, row: api.Row) -> Values:
    return {key: _plain(column.cell(row)) for key, column in schema.cells}


_PLAIN = frozenset({type(None), int, float, bool, date, time, datetime})


def _plain(value: Any) -> Any:
    r"""Return a value for the database: a NUL becomes ``\x00``, a duration its seconds."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else _text(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _text(text: str) -> str:
    return str(encodable(text)).replace("\0", "\\x00")


def _upsert(connection: sa.Connection, schema: Schema, name: str, values: list[Values]) -> None:
    if values:
        connection.execute(schema.upsert(name, connection.dialect.name), values)
