"""What is found out about real archives, and about one whose faults are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Clock, Profile
from pacsfw.probe import Findings, limits, overview, yaml_file
from pacsfw.testing import EmbeddedPACS, FaultyPACS, Study, make_studies, write_studies
from peers.fixtures import AETITLE
from peers.orthanc import Orthanc
from unit.probe.probing import nodes, probed, why

STUDIES = make_studies(40)
SIX = {f"{root}-{service}" for root in ("study", "patient") for service in ("find", "move", "get")}
REQUIRED = {"StudyDate", "StudyTime", "PatientID", "PatientName", "AccessionNumber", "StudyID"}
OPTIONAL = {"StudyDescription", "PatientSex", "PatientBirthDate"}


def profile(findings: Findings, peer: Any) -> Profile:
    return findings.profile(nodes(peer), Clock().now())


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, destinations: Any) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("limited")
    server = Orthanc(folder, AETITLE, destinations, LimitFindResults=10)
    server.start()
    server.load(write_studies(folder / "files", STUDIES))
    yield server
    server.stop()


# --- real archives ----------------------------------------------------------------------


def test_orthanc(orthanc: Orthanc, tmp_path: Path) -> None:
    orthanc.load(write_studies(tmp_path, STUDIES))
    found = profile(probed(orthanc), orthanc)
    assert found.models == SIX
    assert found.not_returned == set()
    assert found.returned >= {"ModalitiesInStudy", "NumberOfStudyRelatedInstances"}
    assert found.honoured == REQUIRED | OPTIONAL | {"ModalitiesInStudy"}
    assert found.ignored == set()
    assert found.folds_case is True
    assert (found.limit, found.rows_seen) == (None, 40)
    assert found.charset == "ISO_IR 100"


def test_dcmqrscp(dcmqrscp: Any, tmp_path: Path) -> None:
    dcmqrscp.load(write_studies(tmp_path, STUDIES[:12]))
    found = profile(probed(dcmqrscp), dcmqrscp)
    assert found.models == SIX
    assert found.not_returned >= {"ModalitiesInStudy", "NumberOfStudyRelatedInstances"}
    assert found.honoured == REQUIRED | OPTIONAL
    assert found.ignored == {"ModalitiesInStudy"}
    assert found.wildcards >= {"PatientID", "StudyDescription"}
    assert found.ranges == {"StudyDate", "StudyTime"}
    assert found.folds_case is False
    assert (found.limit, found.rows_seen) == (None, 12)


def test_the_limit_of_orthanc_and_that_modalities_are_not_safe_under_it(limited: Orthanc) -> None:
    findings = probed(limited)
    found = profile(findings, limited)
    assert (found.limit, found.rows_seen) == (10, 10)
    assert "FE00" in why(findings, "limit")
    # It counts series: 7 of 27 studies, and Success.
    assert "ModalitiesInStudy" in found.honoured
    assert "ModalitiesInStudy" not in found.before_limit
    assert "0000: Success for a value that more studies have" in why(
        findings, "before_limit", "ModalitiesInStudy"
    )


# --- an archive whose faults are known ------------------------------------------------------


@pytest.mark.parametrize("ending", [0x0000, 0xFE00, 0xA700])
def test_a_limit_is_found_however_it_ends(ending: int) -> None:
    with FaultyPACS(STUDIES, cap=15, cap_status=ending) as pacs:
        findings = probed(pacs)
        found = profile(findings, pacs)
    assert (found.limit, found.rows_seen) == (15, 15)
    assert f"{ending:04X}" in why(findings, "limit")
    assert "ModalitiesInStudy" in found.before_limit


@pytest.mark.parametrize("ending", [0x0000, 0xFE00])
def test_a_key_that_is_applied_after_the_limit_is_not_before_it(ending: int) -> None:
    with FaultyPACS(STUDIES, cap=15, cap_status=ending, cap_before_filter=True) as pacs:
        found = profile(probed(pacs), pacs)
    assert found.limit == 15
    assert "ModalitiesInStudy" in found.honoured
    assert found.before_limit == set()


def test_optional_keys_that_are_neither_returned_nor_matched() -> None:
    with FaultyPACS(
        STUDIES, ignore_keys=frozenset({"optional"}), no_optional_keys=True, case_sensitive=True
    ) as pacs:
        found = profile(probed(pacs), pacs)
    assert found.not_returned >= OPTIONAL | {"ModalitiesInStudy", "NumberOfStudyRelatedInstances"}
    assert found.honoured == REQUIRED
    assert found.ignored == OPTIONAL | {"ModalitiesInStudy", "ReferringPhysicianName"}
    assert found.folds_case is False


def test_required_keys_can_be_ignored_too() -> None:
    ignored = frozenset({"StudyDate", "PatientID"})
    with FaultyPACS(STUDIES, ignore_keys=ignored, no_charset=True) as pacs:
        findings = probed(pacs)
        found = profile(findings, pacs)
    assert found.ignored == ignored
    assert found.wildcards == {"PatientName", "AccessionNumber", "StudyDescription"}
    assert found.ranges == {"StudyTime"}
    assert found.folds_case is True
    assert found.charset == ""
    assert why(findings, "charset") == "40 of 40 rows: none (ASCII)"


def test_an_archive_that_wants_a_patient_in_every_question() -> None:
    with FaultyPACS(STUDIES, models=("patient",)) as pacs:
        findings = probed(pacs)
        found = profile(findings, pacs)
        asked = [each for each in pacs.log if each.service == "C-FIND"]
    assert found.models == {"patient-find", "patient-move", "patient-get"}
    assert found.honoured == REQUIRED | OPTIONAL | {"ModalitiesInStudy"}
    assert (found.limit, found.rows_seen) == (None, 0)
    assert why(findings, "limit").startswith("40 patients")
    assert {each.status for each in asked if each.level != "PATIENT"} == {0}


def test_an_archive_that_breaks_off_is_probed_as_far_as_it_goes() -> None:
    with FaultyPACS(STUDIES, abort_after=5) as pacs:
        findings = probed(pacs)
        found = profile(findings, pacs)
    assert (found.limit, found.rows_seen) == (None, 5)
    assert "the PACS aborted the association" in why(findings, "limit")
    assert found.honoured >= REQUIRED
    assert found.associations == 8


def test_associations_are_opened_until_one_is_rejected() -> None:
    with FaultyPACS(STUDIES[:3], max_associations=3) as pacs:
        findings = probed(pacs)
        counters = pacs.counters
    assert findings.result("associations") == counters["C-ECHO"] == 3
    assert "local limit exceeded" in why(findings, "associations")


def test_an_archive_that_gives_many_rows_is_asked_for_no_more(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "ENOUGH", 25)
    with EmbeddedPACS(STUDIES) as pacs:
        findings = probed(pacs)
    assert findings.result("limit") is None
    assert "or more for all dates" in why(findings, "limit")
    assert findings.result("rows_seen") >= 25


def test_an_empty_archive_leaves_everything_unknown() -> None:
    with EmbeddedPACS() as pacs:
        findings = probed(pacs)
        found = profile(findings, pacs)
    assert found.models == SIX
    assert not found.returned | found.not_returned | found.honoured | found.ignored
    assert (found.limit, found.rows_seen, found.folds_case) == (None, 0, None)
    assert why(findings, "match", "PatientID") == "there is no study to query"


def test_keys_without_a_usable_value_stay_unknown() -> None:
    nameless = [replace(study, patient_name="", study_time="") for study in STUDIES[:5]]
    with EmbeddedPACS(nameless) as pacs:
        findings = probed(pacs)
    assert findings.result("match", "PatientName") is None
    assert "none of 5 studies has a value" in why(findings, "match", "PatientName")
    assert findings.result("case", "PatientName") is None
    assert findings.result("range", "StudyTime") is None
    assert findings.result("match", "PatientID") is True


def test_the_dates_of_the_configuration_are_looked_at_first() -> None:
    day = Study(number=1, patient_id="A", patient_name="B^C", study_date="20200301")
    with EmbeddedPACS([day]) as pacs:
        probed(pacs, dates=(date(2020, 1, 1), date(2020, 12, 31)))
        first = next(each for each in pacs.log if each.service == "C-FIND")
    assert first.keys["StudyDate"] == "20200101-20201231"


# --- what the probe must not do ---------------------------------------------------------


def test_nothing_is_moved_and_no_patient_is_in_the_profile() -> None:
    with EmbeddedPACS(STUDIES) as pacs:
        findings = probed(pacs)
        services = {each.service for each in pacs.log}
        asked = {value for each in pacs.log for value in each.keys.values()}
    text = yaml_file(findings, nodes(pacs), Clock().now()) + repr(overview(findings, nodes(pacs)))
    assert services == {"C-FIND", "C-ECHO"}
    assert any(study.patient_name in asked for study in STUDIES)
    for study in STUDIES:
        for secret in (study.patient_id, study.patient_name, study.uid, study.study_date):
            assert secret
            assert secret not in text
