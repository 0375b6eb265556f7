"""Write the batches of one table into a database, within a transaction."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
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

AT_ONCE = 10_000
"""Rows from which a rewrite writes batches together."""
AT_A_TIME = 1000
"""Rows whose values are in memory at the same time."""

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
    if not schema.is_instances:
        statements.delete_batch(key)
        statements.insert(_names(schema), _rows(schema, batch, where, ()))
        return
    above = _Above([batch], where)
    numbers = _Numbers(batch)
    before = statements.before(key, numbers.ids, above.uids)
    if before.has_batch:
        statements.delete_batch(key)
    numbers.settle(statements, key, before.elsewhere)
    statements.upsert(above.tables)
    statements.insert(_names(schema), _rows(schema, batch, where, numbers.ids))
    if before.patients:
        # What is left of earlier versions.
        statements.delete_bare_series(above.uids)
        statements.delete_lone_patients([each for each in before.patients if each is not None])


def rewrite(
    connection: sa.Connection, schema: Schema, batches: Iterable[api.Batch], where: str
) -> None:
    """Replace every row by these batches; the rows of a key may come in several.

    Raises
    ------
    Refused
        A value is not one of its column.
    """
    # The rows first: databases of older versions have a foreign key from them to the series.
    others = [table for table in schema.metadata.sorted_tables if table is not schema.rows]
    for table in (schema.rows, *reversed(others)):
        connection.execute(sa.delete(table))
    statements = Statements(connection, schema)
    for group in _groups(batches):
        if schema.is_instances:
            statements.upsert(_Above(group, where).tables)
        each = (_rows(schema, batch, where, _Numbers(batch).ids) for batch in group)
        statements.insert(_names(schema), chain.from_iterable(each))


def _groups(batches: Iterable[api.Batch]) -> Iterator[list[api.Batch]]:
    """Yield some batches at a time: small ones one by one would take longer."""
    group: list[api.Batch] = []
    rows = 0
    for batch in batches:
        group.append(batch)
        rows += len(batch.rows)
        if rows >= AT_ONCE:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _names(schema: Schema) -> Sequence[str]:
    """Return the columns of `_rows`."""
    names = [*(column.name for column in schema.cells), "batch"]
    return [*names, "file_id", *schema.of_instances] if schema.is_instances else names


class _Above:
    """The patients, studies and series of some batches."""

    def __init__(self, batches: Sequence[api.Batch], where: str) -> None:
        studies: dict[str, dict[str, Any]] = {}
        series: dict[tuple[str, str], dict[str, Any]] = {}
        verdicts: dict[str, api.Verdict | None] = {}
        for batch in batches:
            attributes = batch.attributes or [{}] * len(batch.files)
            # Of several instances, the first that has an attribute counts.
            for stored, found in reversed(list(zip(batch.files, attributes, strict=True))):
                if stored.study_uid:
                    studies.setdefault(stored.study_uid, {}).update(found)
                    series.setdefault((stored.study_uid, stored.series_uid), {}).update(found)
                    verdicts[stored.study_uid] = batch.verdict
            if batch.verdict is not None:
                studies.setdefault(batch.key, {})
                verdicts[batch.key] = batch.verdict
        self.uids = list(map(key_of, studies))
        with_patients = [each for each in studies.values() if each.get("PatientID")]
        found = {each["PatientID"]: each for each in with_patients}
        patients = _described(list(found.values()), PATIENT, where)
        patients["patient_id"] = list(map(key_of, patients["patient_id"]))
        self.tables: Mapping[str, Columns] = {
            "patients": patients,
            "studies": {
                "study_uid": self.uids,
                **_study_columns(list(studies.values()), where),
                **_of_verdicts([verdicts[uid] for uid in studies]),
            },
            "series": {
                "study_uid": [key_of(study) for study, _ in series],
                "series_uid": [key_of(uid) for _, uid in series],
                **_described(list(series.values()), SERIES, where),
            },
        }


def _study_columns(studies: Sequence[Mapping[str, Any]], where: str) -> Columns:
    patients = _described(studies, PATIENT[:1], where)["patient_id"]
    return {
        "patient_id": [key_of(each) or None for each in patients],
        **_described(studies, STUDY, where),
    }


def _of_verdicts(verdicts: Sequence[api.Verdict | None]) -> Columns:
    return {
        "verdict": [each and each.state for each in verdicts],
        "reason": values("text", [(each and each.reason) or None for each in verdicts]),
        "expected": [each and each.expected for each in verdicts],
        "stored": [each and each.stored for each in verdicts],
        "evidence": [(each and each.source) or None for each in verdicts],
    }


def _described(found: Sequence[Mapping[str, Any]], keywords: Sequence[str], where: str) -> Columns:
    columns: Columns = {}
    for keyword in keywords:
        name = column_of(keyword)
        with refusing(where, name):
            cells = [each.get(keyword) for each in found]
            columns[name] = values(KINDS.get(keyword, "text"), cells)
    return columns


def _rows(
    schema: Schema, batch: api.Batch, where: str, ids: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of each row; some rows at a time, while the database stores others."""
    for begin in range(0, len(batch.rows), AT_A_TIME):
        some = slice(begin, begin + AT_A_TIME)
        rows = batch.rows[some]
        columns: list[Sequence[Any]] = []
        for column in schema.cells:
            with refusing(where, column.name):
                cells = [row[column.source] for row in rows]
                columns.append(values(column.type, cells, is_offset=column.is_offset))
        columns.append([key_of(batch.key)] * len(rows))
        if schema.is_instances:
            columns.append(list(ids[some]))
            files: Sequence[api.Stored | None] = batch.files[some] or [None] * len(rows)
            found = batch.attributes[some] or [{}] * len(rows)
            described = _instances(files, found, with_header=schema.with_header, where=where)
            columns += (described[name] for name in schema.of_instances)
        yield from zip(*columns, strict=True)


def _instances(
    files: Sequence[api.Stored | None],
    attributes: Sequence[Mapping[str, Any]],
    *,
    with_header: bool,
    where: str,
) -> Columns:
    """Return the columns of instances that are not columns of the configuration."""
    keys = {
        uid: key_of(uid) or None
        for each in files
        if each
        for uid in (each.study_uid, each.series_uid)
    }
    columns: Columns = {
        # Without a study there is no series either.
        "study_uid": [each and keys[each.study_uid] for each in files],
        "series_uid": [
            keys[each.series_uid] if each and each.study_uid else None for each in files
        ],
        "sop_uid": [key_of(each.sop_uid) if each else None for each in files],
        "sop_class_uid": values("text", [each and each.sop_class for each in files]),
        "syntax_uid": values("text", [each and each.syntax for each in files]),
        "size": [each and each.size for each in files],
        "digest": [each and each.digest for each in files],
        **_described(attributes, INSTANCE, where),
    }
    if with_header:
        with refusing(where, "header"):
            columns["header"] = values("json", [each.get(api.HEADER) for each in attributes])
    return columns


class _Numbers:
    """The ID of each row, made of the path of its file.

    A study may bring a file that another study had: then the row there goes. Without studies, a
    path that is already there is that of another file: two members of one name in an archive.
    """

    def __init__(self, batch: api.Batch) -> None:
        self._moves = batch.verdict is not None
        self._paths = [str(each.path) for each in batch.files]
        self._seen: Counter[str] = Counter()
        self.ids = list(map(_digest, self._paths))
        if not batch.files:
            self.ids = [_digest(f"{batch.key}\n{number}") for number in range(len(batch.rows))]
        elif len(set(self.ids)) < len(self.ids):
            self._number(range(len(self.ids)))

    def settle(self, statements: Statements, key: str | None, taken: frozenset[str]) -> None:
        """See to it that no row of another batch has one of these IDs, which are ``taken``."""
        if self._moves:
            statements.delete_files(taken)
            return
        while taken:
            numbers = [number for number, each in enumerate(self.ids) if each in taken]
            for number in numbers:
                self._seen[self._paths[number]] = max(1, self._seen[self._paths[number]])
            self._number(numbers)
            taken = statements.elsewhere(self.ids, key)

    def _number(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            path = self._paths[number]
            earlier = self._seen[path]
            self.ids[number] = _digest(f"{path}\n{earlier}" if earlier else path)
            self._seen[path] += 1


def _digest(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:32]
