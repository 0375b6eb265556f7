"""Writing ``storage.resources``: the list that people prune before `move` reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pacsfw.api import Batch, Column, Level, Sink, Table
from pacsfw.ledger import Ledger
from pacsfw.ledger.studies import Study

DOCUMENTED = ("Modality", "PatientName", "StudyDate")
"""The columns that are always there, before the search fields."""


def write(
    sink: Sink, ledger: Ledger, level: Level, search_fields: Sequence[str], *, exists: bool
) -> int:
    """Add what was found since the last time; rows that people kept stay as they are.

    A study that was listed before and is no longer in the file was pruned: it is not
    listed again. Without any file everything found is listed.

    Returns
    -------
    int
        The number of rows added.
    """
    key = "PatientID" if level == "PATIENT" else "StudyInstanceUID"
    kept = [dict(row) for _, row in sink.read()] if exists else []
    fresh = ledger.studies.unlisted() if exists else ledger.studies.found()
    present = {row.get(key, "") for row in kept}
    rows = _patient_rows(fresh, search_fields) if level == "PATIENT" else _study_rows(fresh)
    added = [row for row in rows if row.get(key, "") not in present]
    columns = list(dict.fromkeys((*DOCUMENTED, key, *search_fields)))
    extra = dict.fromkeys(name for row in kept for name in row if name not in columns)
    table = Table("resources", tuple(Column(name) for name in (*columns, *extra)))
    if added or not exists:
        sink.rewrite(table, [_batch(table, (*kept, *added))])
    listed = [study for study in fresh if level == "STUDY" or study.patient_id]
    ledger.studies.mark_listed(study.uid for study in listed)
    return len(added)


def _batch(table: Table, rows: Iterable[Mapping[str, str]]) -> Batch:
    names = [column.name for column in table.columns]
    return Batch(
        table=table,
        key="",
        rows=[tuple(row.get(name) or None for name in names) for row in rows],
    )


def _study_rows(studies: Iterable[Study]) -> Iterable[dict[str, str]]:
    for study in studies:
        yield {
            **study.attributes,
            "Modality": study.attributes.get("ModalitiesInStudy", ""),
        }


def _patient_rows(studies: Iterable[Study], fields: Sequence[str]) -> Iterable[dict[str, str]]:
    """One row per PatientID; where its studies differ, every value, joined by a backslash."""
    patients: dict[str, list[Mapping[str, str]]] = {}
    for row in _study_rows(studies):
        if row.get("PatientID"):  # a study without one is reported, see `Summary.problems`
            patients.setdefault(row["PatientID"], []).append(row)
    names = dict.fromkeys((*DOCUMENTED, "PatientID", *fields))
    for rows in patients.values():
        yield {
            name: "\\".join(dict.fromkeys(row[name] for row in rows if row.get(name)))
            for name in names
        }
