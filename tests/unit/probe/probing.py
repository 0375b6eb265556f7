"""Probing a PACS as the command does, and an archive in memory that does what a test wants."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VR

from pacsfw.api import Clock, Net, Query, QueryResult, QueryRow, RunContext
from pacsfw.dicom.matching import matches
from pacsfw.probe import Findings, probe
from pacsfw.testing import Study
from pacsfw_plugins.dimse.cfind import pacsfw_query_providers
from unit.dimse.scripted import net

TODAY = date(2026, 11, 24)
Row = Mapping[str, str]


def nodes(peer: Any) -> Net:
    return net(peer.port, peer.aetitle)


def probed(peer: Any, **options: Any) -> Findings:
    """Probe a PACS by C-FIND."""
    (component,) = pacsfw_query_providers()
    provider = component.factory()
    there = nodes(peer)
    provider.open(
        RunContext(
            run_id="test",
            workdir=Path(),
            net=there,
            sections={},
            clock=Clock(),
            log=logging.getLogger("test"),
        )
    )
    try:
        return probe(there, provider.ask, today=TODAY, release=provider.release, **options)
    finally:
        provider.close()


def why(findings: Findings, topic: str, subject: str = "") -> str:
    """Return the evidence of a finding."""
    (found,) = [each for each in findings if (each.topic, each.subject) == (topic, subject)]
    return found.evidence


def rows_of(studies: Sequence[Study]) -> list[Row]:
    """Return what an archive knows about some studies."""
    return [
        {
            "StudyInstanceUID": study.uid,
            "StudyDate": study.study_date,
            "StudyTime": study.study_time,
            "PatientID": study.patient_id or "",
            "PatientName": study.patient_name,
            "ModalitiesInStudy": "\\".join(sorted(set(study.modalities))),
            "StudyDescription": study.description,
        }
        for study in studies
    ]


def matching(query: Query, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a question at STUDY level is answered with."""
    return [
        row
        for row in rows
        if all(
            matches(dictionary_VR(key), wanted, row.get(key, "").split("\\"), fold=True)
            for key, wanted in query.match.items()
        )
    ]


def answering(
    choose: Callable[[Query], Sequence[Row]],
) -> Callable[[Query, Callable[[QueryRow], None]], QueryResult]:
    """Return a provider's ``ask`` that answers with the chosen rows and Success."""

    def ask(query: Query, emit: Callable[[QueryRow], None]) -> QueryResult:
        for row in choose(query):
            emit(QueryRow(row))
        return QueryResult(complete=True, status_text="0000: Success", status=0)

    return ask
