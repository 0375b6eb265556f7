"""The rows to deliver for each table, by key, as recorded in the ledger."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pacsfw.api import COLUMNS, ERRORS, Batch, Column, ColumnType, Row, Table
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.dicom.cell_errors import CellError
from pacsfw.ledger import Ledger
from pacsfw.ledger.cells import decode
from pacsfw.ledger.instances import Instance
from pacsfw.steps.deliver.refusals import refusal_row

NO_STUDY = ""
"""The key of rows that belong to no study."""


class RowSource(Protocol):
    """A table with rows grouped by key; each key has a version that changes with its rows.

    ``basis`` is what all rows rest on, such as the folders in their paths: if it changes, the
    table is rewritten.
    """

    table: Table
    basis: str

    def due(self, sink: str) -> Sequence[str]:
        """Return the keys whose current version this sink lacks."""

    def all_keys(self) -> Iterable[str]:
        """Return every key that belongs in the table."""

    def version(self, key: str) -> int | None:
        """Return the current version of a key; None if the key is unknown."""

    def batch(self, key: str) -> Batch:
        """Return the rows of a key."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A header attribute that a sink asks for in addition to the columns (`Sink.attributes`)."""

    keyword: str
    type: ColumnType


class InstanceRows:
    """One row per stored instance, by study.

    Parameters
    ----------
    table
        The table; its last column is `PATH_COLUMN`.
    directory
        ``storage.directory``.
    wanted
        The attributes in the ledger's cells after those of the columns.
    relative
        Whether paths are relative to ``directory``.
    """

    def __init__(
        self,
        table: Table,
        ledger: Ledger,
        directory: Path,
        wanted: Sequence[Wanted] = (),
        *,
        relative: bool = False,
    ) -> None:
        self.table, self.basis = table, "" if relative else str(directory)
        self._relative = relative
        self._ledger, self._directory, self._wanted = ledger, directory, wanted
        self._width = len(table.columns) - 1  # the path is not in the ledger
        self._kinds = [*(each.type for each in table.columns[:-1]), *(each.type for each in wanted)]

    def due(self, sink: str) -> Sequence[str]:
        """Return the settled studies whose current version this sink lacks."""
        return self._ledger.deliveries.due(sink)

    def all_keys(self) -> Iterable[str]:
        """Return every study that was ever settled."""
        return self._ledger.deliveries.settled()

    def version(self, key: str) -> int | None:
        """Return the version of a study."""
        study = self._ledger.studies.get(key)
        return None if study is None else study.version

    def batch(self, key: str) -> Batch:
        """Return the rows of a study."""
        study = self._ledger.studies.get(key)
        instances = self._ledger.instances.of_study(key)
        decoded = [decode(self._kinds, instance.row) for instance in instances]
        verdict = study.verdict if study else None
        return Batch(
            table=self.table,
            key=key,
            rows=list(map(self._row, instances, decoded)),
            files=[instance.as_stored(self._directory) for instance in instances],
            verdict=verdict and replace(verdict, stored=len(instances)),
            attributes=list(map(self._attributes, decoded)),
        )

    def _row(self, instance: Instance, cells: Sequence[Any]) -> Row:
        path = instance.path if self._relative else str(self._directory / instance.path)
        return (*cells[: self._width], path)

    def _attributes(self, cells: Sequence[Any]) -> Mapping[str, Any]:
        found = zip(self._wanted, cells[self._width :], strict=True)
        return {each.keyword: cell for each, cell in found if cell is not None}


class ErrorRows:
    """One row per failure, by study; `NO_STUDY` has the instances whose study is unknown.

    Parameters
    ----------
    directory, state
        The folders of stored and quarantined instances.
    relative
        Whether paths are relative to ``directory``, unless the file is elsewhere.
    """

    table = ERRORS

    def __init__(
        self, ledger: Ledger, directory: Path, state: Path, *, relative: bool = False
    ) -> None:
        self._ledger = ledger
        self._directory, self._state = directory, state
        if relative:
            self._directory = Path()
            self._state = state.relative_to(directory) if state.is_relative_to(directory) else state
        self.basis = json.dumps([str(self._directory), str(self._state)])

    def due(self, sink: str) -> Sequence[str]:
        """Return the keys whose current version this sink lacks."""
        deliveries, last = self._ledger.deliveries, self.version(NO_STUDY)
        loose = last and deliveries.version(sink, NO_STUDY) != last
        return [*([NO_STUDY] if loose else []), *deliveries.errors_due(sink)]

    def all_keys(self) -> Iterator[str]:
        """Yield `NO_STUDY` and every study that was ever settled."""
        yield NO_STUDY
        yield from self._ledger.deliveries.settled()

    def version(self, key: str) -> int | None:
        """Return the version of a study, or of the instances without a study."""
        deliveries = self._ledger.deliveries
        if key == NO_STUDY:
            last = self._ledger.instances.last_without_study()
            return last + len(deliveries.refused_in(NO_STUDY))
        return deliveries.errors_version(key)

    def batch(self, key: str) -> Batch:
        """Return the failures in a study, then the rows that a table does not have."""
        rows = [self._row(*fault) for fault in self._ledger.instances.faults(key)]
        rows += (refusal_row(*each) for each in self._ledger.deliveries.refused_in(key))
        return Batch(table=ERRORS, key=key, rows=rows)

    def _row(self, instance: Instance, error: CellError | None) -> Row:
        if error is None:  # an instance without a row
            whole = CellError.of_row("file", instance.reason, instance.component)
            return error_row(str(self._state / instance.path), whole)
        return error_row(str(self._directory / instance.path), error)


class ColumnRows:
    """One row per column of the instance table; see `pacsfw.steps.deliver.provenance`."""

    table = COLUMNS
    basis = ""

    def __init__(self, ledger: Ledger, rows: Sequence[Row]) -> None:
        self._ledger, self._rows = ledger, rows
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        self._version = int(digest[:15], 16)  # fits the ledger's 64 bits

    def due(self, sink: str) -> Sequence[str]:
        """Return the only key, unless the sink already has these rows."""
        had = self._ledger.deliveries.version(sink, NO_STUDY)
        return [] if had == self._version else [NO_STUDY]

    def all_keys(self) -> Sequence[str]:
        """Return the only key."""
        return [NO_STUDY]

    def version(self, key: str) -> int | None:
        """Return a number that identifies the rows; studies are not keys of this table."""
        return self._version if key == NO_STUDY else None

    def batch(self, key: str) -> Batch:
        """Return all rows."""
        return Batch(table=COLUMNS, key=key, rows=self._rows)


def error_row(file: str, error: CellError) -> Row:
    """Return a row of `ERRORS`; an empty text becomes an empty cell."""
    return tuple(text or None for text in (file, *error))


def instance_table(columns: Iterable[Column]) -> Table:
    """Return the instance table: the columns of the tags, then the path of the file."""
    return Table("instances", (*columns, Column(PATH_COLUMN)))
