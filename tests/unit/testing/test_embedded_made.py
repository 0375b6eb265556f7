"""Synthetic studies in an EmbeddedPACS: many of them, and no file before it is needed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pacsfw.testing import EmbeddedPACS, FaultyPACS, make_studies, population
from pacsfw.testing.population import BUSY_SECOND
from peers.process import require
from peers.readback import by_uid, move_by_dcmtk
from peers.scu import find, get

Start = Callable[..., EmbeddedPACS]
UID = {"StudyInstanceUID": ""}


@pytest.mark.usefixtures("spawned")
def test_five_thousand_studies_are_searched_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    studies = population(5000)
    busy = next(one.study_date for one in studies if one.study_time == BUSY_SECOND)
    with FaultyPACS(studies) as pacs:
        assert pacs.uids("STUDY") == {study.uid for study in studies}
        found = find(pacs, "STUDY", UID | {"StudyDate": busy})
        assert found.values("StudyInstanceUID") == sorted(
            study.uid for study in studies if study.study_date == busy
        )
        one = studies[-1]
        keys = {"StudyInstanceUID": one.uid, "SeriesInstanceUID": one.series_uid(1)}
        images = find(pacs, "IMAGE", {**keys, "SOPInstanceUID": ""})
        assert images.values("SOPInstanceUID") == [one.sop_uid(1, 1)]
        assert list(tmp_path.glob("pacsfw-embedded-*"))
        assert not list(tmp_path.rglob("*.dcm"))


def test_a_made_study_is_sent_as_it_would_be_written(
    embedded_pacs: Start, tmp_path: Path, reference_port: int
) -> None:
    studies = population(60, instances=2)
    study = next(one for one in studies if "2022" in one.charset)
    study.write(tmp_path / "held")
    sent = move_by_dcmtk(embedded_pacs(studies), study.uid, reference_port, tmp_path / "sent")
    assert sent == by_uid(tmp_path / "held")


def test_a_made_study_takes_in_what_is_stored_to_it(embedded_pacs: Start, tmp_path: Path) -> None:
    require("storescu")
    [study] = make_studies(1, modalities=[("CT",)], instances=2)
    pacs = embedded_pacs([study])
    paths = replace(study, instances=3).write(tmp_path)
    command = ["storescu", "-aec", pacs.aetitle, pacs.host, str(pacs.port), *map(str, paths[1:])]
    subprocess.run(command, check=True, capture_output=True)
    [found] = find(pacs, "STUDY", UID | {"NumberOfStudyRelatedInstances": ""}).identifiers
    assert found.NumberOfStudyRelatedInstances == 3
    assert pacs.uids() == {study.sop_uid(1, number) for number in (1, 2, 3)}


def test_extra_attributes_are_searched_as_well(embedded_pacs: Start) -> None:
    one, two = make_studies(2, modalities=[("CT",)])
    pacs = embedded_pacs([one, replace(two, extra={"Modality": "XA", "StudyID": None})])
    [found] = find(pacs, "STUDY", UID | {"ModalitiesInStudy": "XA", "StudyID": ""}).identifiers
    assert (found.StudyInstanceUID, found.StudyID) == (two.uid, "")
    keys = {"StudyInstanceUID": two.uid, "SeriesInstanceUID": "", "Modality": ""}
    assert find(pacs, "SERIES", keys).values("Modality") == ["XA"]


def test_objects_of_a_private_class_are_told_of_and_sent(embedded_pacs: Start) -> None:
    private = "1.3.46.670589.11.0.0.12.1"
    [study] = make_studies(1, modalities=[("CT",)], instances=2)
    pacs = embedded_pacs([replace(study, extra={"SOPClassUID": private})])
    [found] = find(pacs, "STUDY", UID | {"SOPClassesInStudy": ""}).identifiers
    assert found.SOPClassesInStudy == private
    answer, received = get(pacs, "STUDY", {"StudyInstanceUID": study.uid}, more=[private])
    assert (answer.status, len(received)) == (0x0000, 2)
