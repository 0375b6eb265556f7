"""Writing ``storage.resources``: the study list, which users may prune before `move`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from pacsfw.api import Batch, Column, Level, Sink, Table
from pacsfw.ledger import Ledger
from pacsfw.ledger.studies import Study

DOCUMENTED = ("Modality", "PatientName", "StudyDate")
"""The columns of every study list, before the search fields."""

STUDY_LIST = "resources"
"""The name of the table."""

ROWS_AT_A_TIME = 1000


def write(
    sink: Sink,
    ledger: Ledger,
    search: int,
    level: Level,
    search_fields: Sequence[str],
    *,
    exists: bool,
) -> None:
    """Add the newly found studies (patients) to the list; existing rows stay as they are.

    A study that was listed before and is no longer in the file was pruned: it is not listed
    again. Without a file, all results of the search are listed. The rows are never all in
    memory at once.
    """
    key = "PatientID" if level == "PATIENT" else "StudyInstanceUID"
    present: set[str] = set()
    columns = dict.fromkeys((*DOCUMENTED, key, *search_fields))
    for row in _kept(sink, exists=exists):
        present.add(row.get(key, ""))
        columns.update(dict.fromkeys(row))
    studies = ledger.studies.answering(search, only_new=exists)
    rows = _patient_rows(studies, search_fields) if level == "PATIENT" else _study_rows(studies)
    added = (row for row in rows if row.get(key, "") not in present)
    first = next(added, None)
    table = Table(STUDY_LIST, tuple(Column(name) for name in columns))
    if first is not None or not exists:
        new = () if first is None else chain((first,), added)
        sink.rewrite(table, _batches(table, chain(_kept(sink, exists=exists), new)))
    ledger.studies.mark_listed(search, only_new=exists, only_patients=level == "PATIENT")


def _kept(sink: Sink, *, exists: bool) -> Iterator[Mapping[str, str]]:
    return (row for _, row in sink.read()) if exists else iter(())


def _batches(table: Table, rows: Iterator[Mapping[str, str]]) -> Iterator[Batch]:
    names = [column.name for column in table.columns]
    while some := [
        tuple(row.get(name) or None for name in names) for row in islice(rows, ROWS_AT_A_TIME)
    ]:
        yield Batch(table=table, key="", rows=some)


def _study_rows(studies: Iterable[Study]) -> Iterator[dict[str, str]]:
    for study in studies:
        yield {**study.attributes, "Modality": study.attributes.get("ModalitiesInStudy", "")}


def _patient_rows(studies: Iterable[Study], fields: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield one row per PatientID; different values of its studies are joined by a backslash."""
    names = dict.fromkeys((*DOCUMENTED, "PatientID", *fields))
    # Pairs of name and value: a dictionary for each name would double the memory per patient.
    patients: dict[str, dict[tuple[str, str], None]] = {}
    for row in _study_rows(studies):
        if row.get("PatientID"):  # a study without one is reported, see `Summary.problems`
            values = ((name, row[name]) for name in names if row.get(name))
            patients.setdefault(row["PatientID"], {}).update(dict.fromkeys(values))
    for patient in patients.values():
        yield {name: "\\".join(value for of, value in patient if of == name) for name in names}
