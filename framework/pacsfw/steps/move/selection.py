"""Reading ``storage.resources``: the study list, as edited by the user, is requested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pacsfw.api import Level, Query, Sink, is_uid
from pacsfw.errors import ConfigError, RemoteError
from pacsfw.ledger import Ledger
from pacsfw.ledger.studies import Study
from pacsfw.plugins.pacs_query import PacsQuery

PATIENT_STUDY_KEYS = ("StudyInstanceUID", "PatientID", "StudyDate", "ModalitiesInStudy")


@dataclass(slots=True)
class Selection:
    """The studies to move, in the order of the study list, with notes and problems."""

    uids: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def select(sink: Sink, level: Level, ledger: Ledger, pacs: PacsQuery) -> Selection:
    """Read the study list, make the ledger agree with it, and return what to move.

    Parameters
    ----------
    level
        ``move.query_level``. STUDY moves the listed studies (for a list of patients: the
        studies that find found); PATIENT moves every study of the listed patients.

    Raises
    ------
    ConfigError
        A row cannot be read or does not name a study (a patient).
    RemoteError
        The query for the studies of a patient failed.
    """
    rows = list(sink.read())
    selection = Selection()
    if level == "PATIENT":
        _select_patients(rows, ledger, pacs, selection)
    elif rows and "StudyInstanceUID" in rows[0][1] and "\\" not in rows[0][1]["StudyInstanceUID"]:
        _select_studies(rows, ledger, selection)
    else:
        _select_found_of_patients(rows, ledger, selection)
    selection.uids = list(dict.fromkeys(selection.uids))
    ledger.studies.select(selection.uids)
    return selection


def _select_studies(
    rows: Sequence[tuple[str, Mapping[str, str]]], ledger: Ledger, selection: Selection
) -> None:
    wrong = [
        f"{where}: StudyInstanceUID: not a UID (digits and dots, 64 characters at most)"
        for where, row in rows
        if not is_uid(row["StudyInstanceUID"].strip())
    ]
    if wrong:
        raise ConfigError(*wrong)
    with ledger.transaction():
        for _, row in rows:
            uid = row["StudyInstanceUID"].strip()
            if ledger.studies.get(uid) is None:
                ledger.studies.add(uid, row, "list")
            selection.uids.append(uid)


def _patient_ids(rows: Sequence[tuple[str, Mapping[str, str]]]) -> list[str]:
    wrong = [
        f"{where}: PatientID: is empty or missing"
        for where, row in rows
        if not row.get("PatientID", "").strip()
    ]
    if wrong:
        raise ConfigError(*wrong)
    return list(dict.fromkeys(row["PatientID"].strip() for _, row in rows))


def _select_found_of_patients(
    rows: Sequence[tuple[str, Mapping[str, str]]], ledger: Ledger, selection: Selection
) -> None:
    for number, patient_id in enumerate(_patient_ids(rows), start=1):
        found = [s.uid for s in ledger.studies.of_patient(patient_id) if s.origin == "find"]
        if not found:
            selection.problems.append(
                f"patient {number} of the study list: find has found no study of this patient; "
                "set move.query_level to PATIENT to query the PACS for them"
            )
        selection.uids.extend(found)


def _select_patients(
    rows: Sequence[tuple[str, Mapping[str, str]]],
    ledger: Ledger,
    pacs: PacsQuery,
    selection: Selection,
) -> None:
    outside: list[str] = []
    for number, patient_id in enumerate(_patient_ids(rows), start=1):
        studies = _expand(patient_id, ledger, pacs)
        if not studies:
            selection.problems.append(
                f"patient {number} of the study list: the PACS holds no study of this patient"
            )
        outside += [study.uid for study in studies if study.origin != "find"]
        selection.uids.extend(study.uid for study in studies)
    if outside:
        selection.notes.append(
            "studies of the listed patients outside the find criteria, also moved: "
            f"{len(outside)} ({', '.join(outside)})"
        )


def _expand(patient_id: str, ledger: Ledger, pacs: PacsQuery) -> list[Study]:
    """Query all studies of one patient; matches of another PatientID are dropped."""
    answer, rows = pacs.ask(
        Query(level="STUDY", match={"PatientID": patient_id}, returns=PATIENT_STUDY_KEYS)
    )
    if not answer.complete:
        raise RemoteError(
            f"move: the query for the studies of a patient failed: {answer.status_text}"
        )
    studies = []
    for row in rows:
        if row.attributes.get("PatientID", "").strip() != patient_id:
            continue
        uid = row.attributes.get("StudyInstanceUID", "")
        if not is_uid(uid):
            raise RemoteError("move: the PACS returned an invalid StudyInstanceUID")
        if ledger.studies.get(uid) is None:
            ledger.studies.add(uid, row.attributes, "patient")
        study = ledger.studies.get(uid)
        assert study is not None  # noqa: S101 - just added
        studies.append(study)
    return studies
