"""The test peers themselves: every PACS holds, finds and sends what it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacsfw.testing import Study, awkward_studies, make_studies, write_studies
from peers.dcmqrscp import Dcmqrscp
from peers.fixtures import AETITLE
from peers.orthanc import Orthanc
from peers.process import free_port
from peers.readback import by_uid, dataset_bytes, dump, move_by_dcmtk
from peers.scu import find, move

STUDIES = make_studies(3)
UIDS = {uid for study in STUDIES for uid in study.sop_uids}


def test_a_pacs_holds_what_was_loaded_until_it_is_cleared(
    real_pacs: Orthanc | Dcmqrscp, tmp_path: Path
) -> None:
    real_pacs.load(write_studies(tmp_path, STUDIES))
    assert real_pacs.uids() == UIDS
    assert real_pacs.uids("STUDY") == {study.uid for study in STUDIES}
    assert real_pacs.uids("IMAGE", STUDIES[0].uid) == set(STUDIES[0].sop_uids)
    real_pacs.clear()
    assert real_pacs.uids() == frozenset()


def test_a_pacs_is_empty_at_first(real_pacs: Orthanc | Dcmqrscp) -> None:
    assert real_pacs.uids() == frozenset()
    assert find(real_pacs, "STUDY", {"StudyInstanceUID": ""}).statuses == [0x0000]


def test_every_pacs_has_the_documented_ae_title(real_pacs: Orthanc | Dcmqrscp) -> None:
    assert real_pacs.aetitle == AETITLE == "theirtitle"


def test_a_pacs_sends_a_study_to_the_reference_destination(
    real_pacs: Orthanc | Dcmqrscp, tmp_path: Path, reference_port: int
) -> None:
    paths = write_studies(tmp_path / "made", STUDIES)
    real_pacs.load(paths)
    sent = move_by_dcmtk(real_pacs, STUDIES[0].uid, reference_port, tmp_path / "sent")
    made = by_uid(tmp_path / "made")
    assert sent == {uid: made[uid] for uid in STUDIES[0].sop_uids}


def test_a_destination_where_nothing_listens_fails(
    real_pacs: Orthanc | Dcmqrscp, tmp_path: Path
) -> None:
    real_pacs.load(STUDIES[0].write(tmp_path))
    answer = move(real_pacs, "STUDY", {"StudyInstanceUID": STUDIES[0].uid}, "DEAD")
    assert answer.status in (0xC000, 0xA702)


def test_orthanc_takes_the_good_samples(orthanc: Orthanc, good_samples: list[Path]) -> None:
    orthanc.load(good_samples)
    assert len(orthanc.uids()) == len(good_samples)


@pytest.mark.parametrize("name", ["slash", "japanese, iso 2022", "japanese, utf-8"])
def test_dump_shows_what_was_written(tmp_path: Path, name: str) -> None:
    study = awkward_studies()[name]
    shown = dump(study.write(tmp_path)[0])
    assert shown["PatientID"] == study.patient_id
    assert shown["PatientName"] == study.patient_name
    assert shown["StudyDate"] == study.study_date
    assert shown["PixelSpacing"] == "0.5\\0.5"
    assert shown["Rows"] == "16"


def test_dump_tells_an_empty_attribute_from_an_absent_one(tmp_path: Path) -> None:
    study = Study(number=1, patient_id="", patient_name="A^B", extra={"Manufacturer": None})
    shown = dump(study.write(tmp_path)[0])
    assert shown["PatientID"] == ""
    assert "Manufacturer" not in shown


def test_the_data_set_follows_the_file_meta(tmp_path: Path) -> None:
    path = STUDIES[0].write(tmp_path)[0]
    content = dataset_bytes(path)
    assert path.read_bytes().endswith(content)
    assert content.startswith(b"\x08\x00\x05\x00CS")


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
