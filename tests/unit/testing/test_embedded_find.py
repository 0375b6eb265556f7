"""Queries to an EmbeddedPACS: alone, and side by side with Orthanc."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pacsfw.testing import EmbeddedPACS, Study, awkward_studies, make_studies, write_studies
from peers.orthanc import Orthanc
from peers.scu import Answer, find

STUDIES = [
    *make_studies(12, patients=5),
    replace(awkward_studies()["undated"], number=500),
    *(
        Study(
            number=600 + number,
            patient_id=f"N{number}",
            patient_name=name,
            study_date="20240102",
            study_time=f"1{number}0000",
            modalities=("CT",),
            instances=1,
        )
        for number, name in enumerate(["Doe^John", "DOE^JANE", "doe^jim"])
    ),
]
JAPANESE = awkward_studies()["japanese, iso 2022"]


@pytest.fixture(scope="module")
def pacs() -> Iterator[EmbeddedPACS]:
    with EmbeddedPACS([*STUDIES, JAPANESE]) as running:
        yield running


def studies(answer: Answer) -> list[str]:
    assert answer.status == 0x0000
    return answer.values("StudyInstanceUID")


def test_a_study_has_its_modalities_and_counts(pacs: EmbeddedPACS) -> None:
    keys = {"ModalitiesInStudy": "SR", "NumberOfStudyRelatedInstances": ""}
    keys |= {"NumberOfStudyRelatedSeries": "", "StudyInstanceUID": STUDIES[1].uid}
    [found] = find(pacs, "STUDY", keys).identifiers
    assert list(found.ModalitiesInStudy) == ["CT", "SR"]
    assert found.NumberOfStudyRelatedInstances == 4
    assert found.NumberOfStudyRelatedSeries == 2
    assert found.RetrieveAETitle == pacs.aetitle


def test_series_and_instances_are_found_below_their_study(pacs: EmbeddedPACS) -> None:
    study = STUDIES[0]
    keys = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": "", "SeriesNumber": "2"}
    assert find(pacs, "SERIES", keys).values("SeriesInstanceUID") == [study.series_uid(2)]
    keys = {"StudyInstanceUID": study.uid, "SeriesInstanceUID": study.series_uid(2)}
    found = find(pacs, "IMAGE", {**keys, "SOPInstanceUID": ""})
    assert found.values("SOPInstanceUID") == sorted(study.sop_uid(2, n) for n in (1, 2))


def test_patients_are_found_in_the_patient_root_model(pacs: EmbeddedPACS) -> None:
    keys = {"PatientID": "SYN1-*", "NumberOfPatientRelatedStudies": ""}
    found = find(pacs, "PATIENT", keys, root="PATIENT")
    assert found.values("PatientID") == [f"SYN1-{number:05d}" for number in range(5)]
    assert sum(one.NumberOfPatientRelatedStudies for one in found.identifiers) == 12


def test_a_japanese_name_is_found_and_comes_back(pacs: EmbeddedPACS) -> None:
    found = find(pacs, "STUDY", {"PatientName": "山田*", "PatientID": ""}, charset="ISO_IR 192")
    assert found.values("PatientName") == [JAPANESE.patient_name]
    assert found.values("PatientID") == [JAPANESE.patient_id]


def test_a_key_of_a_lower_level_is_said_to_be_unsupported(pacs: EmbeddedPACS) -> None:
    answer = find(pacs, "STUDY", {"StudyInstanceUID": STUDIES[0].uid, "Modality": "MR"})
    assert answer.statuses == [0xFF01, 0x0000]
    assert "Modality" not in answer.identifiers[0]


@pytest.mark.parametrize(
    ("level", "root", "keys"),
    [
        ("PATIENT", "STUDY", {"PatientID": ""}),
        ("SERIES", "STUDY", {"SeriesInstanceUID": ""}),
        ("SERIES", "STUDY", {"StudyInstanceUID": "", "SeriesInstanceUID": ""}),
        ("IMAGE", "STUDY", {"StudyInstanceUID": STUDIES[0].uid, "SOPInstanceUID": ""}),
        ("STUDY", "PATIENT", {"StudyInstanceUID": ""}),
        ("NONSENSE", "STUDY", {"StudyInstanceUID": ""}),
    ],
)
def test_an_identifier_that_does_not_fit_the_model_is_refused(
    pacs: EmbeddedPACS, level: str, root: str, keys: dict[str, str]
) -> None:
    assert find(pacs, level, keys, root=root).statuses == [0xA900]


@pytest.mark.filterwarnings("ignore:Invalid value for VR DA:UserWarning")
def test_a_malformed_date_range_is_refused(pacs: EmbeddedPACS) -> None:
    assert find(pacs, "STUDY", {"StudyDate": "2024"}).statuses == [0xA900]


def test_names_can_be_matched_without_regard_to_case() -> None:
    with EmbeddedPACS(STUDIES, fold_names=True) as folding:
        assert len(studies(find(folding, "STUDY", {"PatientName": "doe*"} | UID))) == 3


UID = {"StudyInstanceUID": ""}
SAME = {
    "everything": {},
    "one uid": {"StudyInstanceUID": STUDIES[3].uid},
    "list of uids": {"StudyInstanceUID": f"{STUDIES[3].uid}\\{STUDIES[5].uid}\\1.2.3"},
    "one patient": {"PatientID": "SYN1-00002"},
    "no such patient": {"PatientID": "SYN1-99999"},
    "patient id in the wrong case": {"PatientID": "syn1-00002"},
    "patient id by asterisk": {"PatientID": "SYN1-*"},
    "patient id by question marks": {"PatientID": "SYN1-0000?"},
    "accession number in the middle": {"AccessionNumber": "*C1-?"},
    "name with an umlaut": {"PatientName": "Eriks*"},
    "one day": {"StudyDate": "20200108"},
    "date range": {"StudyDate": "20200101-20200131"},
    "open date range": {"StudyDate": "20200215-"},
    "date and modality": {"StudyDate": "20200101-20200331", "ModalitiesInStudy": "MR"},
    "modality": {"ModalitiesInStudy": "SR"},
    "time range": {"StudyTime": "090000-110000"},
    "description": {"StudyDescription": "SYNTHETIC*"},
    "several keys": {"PatientID": "SYN1-*", "StudyDate": "20200101-20200201", "StudyID": "1"},
}
"""Queries that Orthanc and we must answer alike."""


@pytest.fixture(scope="module")
def orthanc_with_studies(
    orthanc_server: Orthanc, tmp_path_factory: pytest.TempPathFactory
) -> Orthanc:
    orthanc_server.clear()
    paths: list[Path] = write_studies(tmp_path_factory.mktemp("studies"), STUDIES)
    orthanc_server.load(paths)
    return orthanc_server


@pytest.fixture(scope="module")
def same_pacs() -> Iterator[EmbeddedPACS]:
    with EmbeddedPACS(STUDIES) as running:
        yield running


@pytest.mark.parametrize("query", SAME)
def test_orthanc_answers_alike(
    query: str, same_pacs: EmbeddedPACS, orthanc_with_studies: Orthanc
) -> None:
    keys = UID | SAME[query]
    ours = studies(find(same_pacs, "STUDY", keys))
    assert ours == studies(find(orthanc_with_studies, "STUDY", keys))
    assert (len(ours) > 0) is (query not in ("no such patient", "patient id in the wrong case"))


def test_orthanc_alone_ignores_the_case_of_names(
    same_pacs: EmbeddedPACS, orthanc_with_studies: Orthanc
) -> None:
    keys = {"PatientName": "doe*"} | UID
    assert len(studies(find(same_pacs, "STUDY", keys))) == 1
    assert len(studies(find(orthanc_with_studies, "STUDY", keys))) == 3


def test_orthanc_alone_finds_an_undated_study_before_a_date(
    same_pacs: EmbeddedPACS, orthanc_with_studies: Orthanc
) -> None:
    keys = {"StudyDate": "-20241231"} | UID
    undated = STUDIES[12].uid
    assert undated not in studies(find(same_pacs, "STUDY", keys))
    assert undated in studies(find(orthanc_with_studies, "STUDY", keys))
