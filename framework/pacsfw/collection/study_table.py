"""The table of studies: one row per study with its verdict, next to the study list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from pacsfw.api import Batch, Column, Row, Table
from pacsfw.collection.find import FindStep, cohort_rows
from pacsfw.config import Use
from pacsfw.config.tables import STUDIES
from pacsfw.errors import PacsfwError
from pacsfw.ledger.results import StudyResult
from pacsfw.steps.deliver.outbox import Outbox
from pacsfw.steps.deliver.sources import NO_STUDY
from pacsfw.steps.deliver.targets import Target
from pacsfw.steps.find.cohort_rows import written
from pacsfw.steps.find.study_list import DOCUMENTED, STUDY_LIST
from pacsfw.steps.run import Run

_RESULT: Sequence[Column] = (
    *(Column("verdict"), Column("expected", "int"), Column("stored", "int")),
    *(Column("left_out", "int"), Column("missing", "int"), Column("reason")),
    *(Column("attempts", "int"),),
    *(Column("settled_at", "datetime"), Column("evidence")),
)
_UIDS = ("StudyInstanceUID", "PatientID")
"""Attributes that have columns of other names."""

_LONGEST_NAME = 50
"""Characters of a column of the cohort: PostgreSQL has names of 63 bytes at most."""


class StudyRows:
    """One row per study on the study list, and per study that was settled; one key for all."""

    def __init__(self, run: Run) -> None:
        self._ledger = run.ledger
        find = run.config.find
        fields = dict.fromkeys((*DOCUMENTED, *(find.search_fields if find else ())))
        self._fields = [field for field in fields if field not in _UIDS]
        self._cohort = _Cohort(run)
        self.table = Table(
            f"{STUDY_LIST}_{STUDIES}",
            (
                *(Column("study_uid"), Column("patient_id")),
                *map(Column, self._fields),
                *map(Column, self._cohort.columns),
                *_RESULT,
            ),
        )
        self.basis = json.dumps([column.name for column in self.table.columns])

    def due(self, sink: str) -> Sequence[str]:
        """Return the only key, unless the sink already has these rows."""
        had = self._ledger.deliveries.version(sink, NO_STUDY)
        return [] if had == self.version(NO_STUDY) else [NO_STUDY]

    def all_keys(self) -> Sequence[str]:
        """Return the only key."""
        return [NO_STUDY]

    def version(self, key: str) -> int | None:
        """Return a number that identifies the present rows; studies are not keys here."""
        if key != NO_STUDY:
            return None
        digest = hashlib.sha256(self.basis.encode())
        for row in self._rows():
            digest.update(json.dumps(row, default=str).encode())
        return int(digest.hexdigest()[:15], 16)  # fits the ledger's 64 bits

    def batch(self, key: str) -> Batch:
        """Return all rows."""
        return Batch(table=self.table, key=key, rows=list(self._rows()))

    def _rows(self) -> Iterable[Row]:
        members = self._cohort.members()
        for study in self._ledger.results.all():
            yield (
                study.uid,
                study.patient_id or None,
                *(self._attribute(study, field) for field in self._fields),
                *self._cohort.cells(members.get(study.uid, ())),
                study.verdict,
                *(study.expected, study.stored, study.left_out, study.missing),
                study.reason or None,
                *(study.attempts, study.settled_at, study.source or None),
            )

    @staticmethod
    def _attribute(study: StudyResult, field: str) -> str | None:
        # The study list calls ModalitiesInStudy so, too.
        found = study.attributes.get(field) or (
            study.attributes.get("ModalitiesInStudy") if field == "Modality" else None
        )
        return found or None


class _Cohort:
    """The columns of the cohort, with those that the search ignores.

    Attributes
    ----------
    columns
        ``cohort_row``, counted from 1, and the columns of the file with this prefix; empty without
        a cohort.
    """

    def __init__(self, run: Run) -> None:
        self._ledger = run.ledger
        self._query = ""
        self._rows: list[Mapping[str, str]] = []
        find = run.config.find
        if find is not None and find.cohort is not None:
            with suppress(PacsfwError):  # `find` reports it; moving needs no cohort
                self._query = FindStep(run).query()
                self._rows = list(written(cohort_rows(run)))
        names = dict.fromkeys(name for cells in self._rows for name in cells)
        self._names = _column_names(names)
        self.columns = ["cohort_row", *self._names.values()] if self._rows else []

    def members(self) -> Mapping[str, Sequence[int]]:
        """Return the rows that each study matched in the last search for exactly this cohort."""
        last = self._ledger.searches.last(self._query) if self._query else None
        return self._ledger.results.members(last.id) if last else {}

    def cells(self, members: Sequence[int]) -> Iterable[str | None]:
        r"""Return the cells of these rows of the cohort; several are joined by ``\``."""
        if not self.columns:
            return
        yield "\\".join(map(str, members)) or None
        rows = [self._rows[number - 1] for number in members]
        for name in self._names:
            yield "\\".join(dict.fromkeys(row[name] for row in rows if row.get(name))) or None


def _column_names(names: Iterable[str]) -> Mapping[str, str]:
    """Return a unique column name for each name in the file: ``cohort_group`` for ``_group``."""
    taken = {"cohort_row"}
    found = {}
    for name in names:
        column = base = f"cohort_{name.lstrip('_#')}"[:_LONGEST_NAME]
        number = 2
        while column.lower() in taken:
            column, number = f"{base}_{number}", number + 1
        taken.add(column.lower())
        found[name] = column
    return found


def study_outbox(run: Run, targets: frozenset[str] = frozenset()) -> Outbox | None:
    """Return the outbox of the table of studies; None if its sink accepts the study list only."""
    registry, path = run.registry, run.storage.resources
    use = Use(registry.sink_for(path).reference, {"path": path})
    listed = Target(use, registry.build("sink", use.name, use.options))
    target = listed.companion(STUDIES, registry)
    if target is None:
        return None
    component = registry.select("sink", use.name).described
    return Outbox(
        target.name,
        target.sink,
        StudyRows(run),
        run.ledger,
        component=component,
        follows=True,  # it belongs to the study list
        targets=targets | {target.name},
    )
