"""Synthetic studies: valid files, the same ones for the same seed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest

from pacsfw.testing.synthetic import (
    IMPLICIT_LE,
    Study,
    awkward_studies,
    make_studies,
    write_studies,
)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_studies(tmp_path / "first", make_studies(3))
    second = write_studies(tmp_path / "second", make_studies(3))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_another_seed_gives_other_uids_and_other_patients() -> None:
    one, two = make_studies(1, seed=1)[0], make_studies(1, seed=2)[0]
    assert set(one.sop_uids).isdisjoint(two.sop_uids)
    assert one.patient_id != two.patient_id


def test_every_uid_is_unique_and_legal() -> None:
    uids = [uid for study in make_studies(50) for uid in (study.uid, *study.sop_uids)]
    assert len(uids) == len(set(uids))
    assert all(pydicom.uid.UID(uid).is_valid for uid in uids)


def test_a_study_has_its_series_and_instances(tmp_path: Path) -> None:
    study = make_studies(1, modalities=[("CT", "SR")], instances=3)[0]
    written = [pydicom.dcmread(path) for path in study.write(tmp_path)]
    assert [dataset.Modality for dataset in written] == ["CT"] * 3 + ["SR"] * 3
    assert {dataset.StudyInstanceUID for dataset in written} == {study.uid}
    assert [dataset.SOPInstanceUID for dataset in written] == list(study.sop_uids)


def test_patients_can_have_several_studies() -> None:
    assert len({study.patient_id for study in make_studies(10, patients=3)}) == 3


def test_extra_attributes_win_and_none_leaves_one_out(tmp_path: Path) -> None:
    study = Study(
        number=1,
        patient_id="P1",
        patient_name="A^B",
        instances=1,
        extra={"Laterality": "L", "SliceThickness": None},
    )
    dataset = pydicom.dcmread(study.write(tmp_path)[0])
    assert dataset.Laterality == "L"
    assert "SliceThickness" not in dataset


def test_an_unknown_extra_keyword_is_refused(tmp_path: Path) -> None:
    study = Study(number=1, patient_id="P1", patient_name="A^B", extra={"NoSuchKeyword": "x"})
    with pytest.raises(ValueError, match="NoSuchKeyword"):
        study.write(tmp_path)


def test_implicit_vr_can_be_written(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(make_studies(1, syntax=IMPLICIT_LE)[0].write(tmp_path)[0])
    assert dataset.original_encoding == (True, True)


@pytest.mark.filterwarnings("ignore:.*maximum length.*:UserWarning")
def test_awkward_values_survive_the_way_through_a_file(tmp_path: Path) -> None:
    for name, study in awkward_studies().items():
        dataset = pydicom.dcmread(study.write(tmp_path)[0])
        assert dataset.get("PatientID") == study.patient_id, name
        assert str(dataset.PatientName) == study.patient_name, name
        assert study.study_date == dataset.StudyDate, name


@pytest.mark.skipif(shutil.which("dcmftest") is None, reason="DCMTK is not installed")
def test_dcmtk_reads_every_file(tmp_path: Path) -> None:
    paths = write_studies(tmp_path, [*make_studies(3), *awkward_studies().values()])
    answer = subprocess.run(["dcmftest", *paths], capture_output=True, text=True, check=True)
    assert answer.stdout.count("yes:") == len(paths)
