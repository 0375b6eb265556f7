"""Write the batches of one table into a database, within a transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from pacsfw import api
from pacsfw_plugins.tables._cells import refusing
from pacsfw_plugins.tables._sql_statements import Statements
from pacsfw_plugins.tables._sql_tables import (
    INSTANCE,
    KINDS,
    PATIENT,
    SERIES,
    STUDY,
    Schema,
    column_of,
)
from pacsfw_plugins.tables._sql_values import key_of, values

Columns: TypeAlias = dict[str, Sequence[Any]]
"""The values of some rows, by column."""


def replace(connection: sa.Connection, schema: Schema, batch: api.Batch, where: str) -> None:
    """Replace the rows of the key of a batch.

    Raises
    ------
    Refused
        A value is not one of its column.
    """
    statements = Statements(connection, schema)
    key = key_of(batch.key)
    columns = _cells(schema, batch.rows, where) | {"batch": [key] * len(batch.rows)}
    if not schema.is_instances:
        statements.delete_batch(key)
        statements.insert(list(columns), zip(*columns.values(), strict=True))
        return
    above = _Above(batch, where)
    columns |= _instances(schema, batch, where)
    statements.delete_batch(key)
    columns["file_id"] = _file_ids(statements, batch, key)
    above.replace(statements)
    statements.insert(list(columns), zip(*columns.values(), strict=True))
    above.prune(statements)


def clear(connection: sa.Connection, schema: Schema) -> None:
    """Remove every row."""
    for table in reversed(schema.metadata.sorted_tables):
        connection.execute(sa.delete(table))


class _Above:
    """The patients, studies and series of a batch."""

    def __init__(self, batch: api.Batch, where: str) -> None:
        self._batch = batch
        studies: dict[str, dict[str, Any]] = {}
        series: dict[tuple[str, str], dict[str, Any]] = {}
        for stored, attributes in _with_attributes(batch):
            if stored.study_uid:
                study = studies.setdefault(stored.study_uid, {})
                _fill(study, attributes, (*PATIENT, *STUDY))
                of_series = series.setdefault((stored.study_uid, stored.series_uid), {})
                _fill(of_series, attributes, SERIES)
        if batch.verdict is not None:
            studies.setdefault(batch.key, {})
        self._uids = list(map(key_of, studies))
        self._studies = self._study_columns(list(studies.values()), where)
        patients = {each["PatientID"]: each for each in studies.values() if each.get("PatientID")}
        self._patients = _described(list(patients.values()), PATIENT, where)
        self._patients["patient_id"] = list(map(key_of, self._patients["patient_id"]))
        self._series = {
            "study_uid": [key_of(study) for study, _ in series],
            "series_uid": [key_of(uid) for _, uid in series],
            **_described(list(series.values()), SERIES, where),
        }
        self._before: Sequence[str | None] = ()

    def _study_columns(self, studies: Sequence[Mapping[str, Any]], where: str) -> Columns:
        verdict = self._batch.verdict
        of_all = {
            "verdict": verdict and verdict.state,
            "reason": (verdict and verdict.reason) or None,
            "expected": verdict and verdict.expected,
            "stored": verdict and verdict.stored,
            "evidence": (verdict and verdict.source) or None,
        }
        patients = _described(studies, PATIENT[:1], where)["patient_id"]
        return {
            "study_uid": self._uids,
            "patient_id": [key_of(each) or None for each in patients],
            **_described(studies, STUDY, where),
            **{name: [value] * len(studies) for name, value in of_all.items()},
        }

    def replace(self, statements: Statements) -> None:
        """Write them."""
        self._before = statements.patients_of(self._uids)
        statements.upsert("patients", self._patients)
        statements.upsert("studies", self._studies)
        statements.upsert("series", self._series)

    def prune(self, statements: Statements) -> None:
        """Delete what is left of earlier versions: bare series, patients without studies."""
        if self._before:
            statements.delete_bare_series(self._uids)
            statements.delete_lone_patients([each for each in self._before if each is not None])


def _with_attributes(batch: api.Batch) -> Iterator[tuple[api.Stored, Mapping[str, Any]]]:
    attributes = batch.attributes or [{}] * len(batch.files)
    return zip(batch.files, attributes, strict=True)


def _fill(found: dict[str, Any], attributes: Mapping[str, Any], keywords: Sequence[str]) -> None:
    """Add missing attributes; of several instances, the first that has an attribute counts."""
    for keyword in keywords:
        if found.get(keyword) is None and attributes.get(keyword) is not None:
            found[keyword] = attributes[keyword]


def _described(
    found: Sequence[Mapping[str, Any]], keywords: Sequence[str], where: str
) -> Columns:
    columns: Columns = {}
    for keyword in keywords:
        name = column_of(keyword)
        with refusing(where, name):
            cells = [each.get(keyword) for each in found]
            columns[name] = values(KINDS.get(keyword, "text"), cells)
    return columns


def _cells(schema: Schema, rows: Sequence[api.Row], where: str) -> Columns:
    columns: Columns = {}
    for column in schema.cells:
        with refusing(where, column.name):
            cells = [row[column.source] for row in rows]
            columns[column.name] = values(column.type, cells, is_offset=column.is_offset)
    return columns


def _instances(schema: Schema, batch: api.Batch, where: str) -> Columns:
    """Return the columns of instances that are not columns of the configuration."""
    files: Sequence[api.Stored | None] = batch.files or [None] * len(batch.rows)
    attributes = batch.attributes or [{}] * len(batch.rows)
    columns: Columns = {
        # Without a study there is no series either.
        "study_uid": [key_of((each and each.study_uid) or None) for each in files],
        "series_uid": [
            key_of(each.series_uid) if each and each.study_uid else None for each in files
        ],
        "sop_uid": [key_of(each.sop_uid) if each else None for each in files],
        "sop_class_uid": values("text", [each and each.sop_class for each in files]),
        "syntax_uid": values("text", [each and each.syntax for each in files]),
        "size": [each and each.size for each in files],
        "digest": [each and each.digest for each in files],
        **_described(attributes, INSTANCE, where),
    }
    if schema.with_header:
        with refusing(where, "header"):
            columns["header"] = values("json", [each.get(api.HEADER) for each in attributes])
    return columns


def _file_ids(statements: Statements, batch: api.Batch, key: str | None) -> Sequence[str]:
    """Return an ID for each row, made of the path of its file.

    A study may bring a file that another study had: then the row there goes. Without studies, a
    path that is already there is that of another file: two members of one name in an archive.
    """
    if not batch.files:
        return [_digest(f"{batch.key}\n{number}") for number in range(len(batch.rows))]
    paths = [str(each.path) for each in batch.files]
    seen: Counter[str] = Counter()
    ids = list(map(_digest, paths))
    if len(set(ids)) < len(ids):
        for number, path in enumerate(paths):
            ids[number] = _numbered(path, seen[path])
            seen[path] += 1
    elsewhere = statements.elsewhere(ids, key)
    if batch.verdict is not None:
        statements.delete_files(elsewhere)
        return ids
    while elsewhere:
        for number, path in enumerate(paths):
            if ids[number] in elsewhere:
                seen[path] = max(seen[path], 1)
                ids[number] = _numbered(path, seen[path])
                seen[path] += 1
        elsewhere = statements.elsewhere(ids, key)
    return ids


def _numbered(path: str, earlier: int) -> str:
    return _digest(f"{path}\n{earlier}" if earlier else path)


def _digest(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:32]
