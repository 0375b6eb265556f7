"""The documented configuration, run against Orthanc and dcmqrscp."""

from __future__ import annotations

from datetime import date, datetime

from pydicom import dcmread

from pacsfw.testing import awkward_studies, make_studies, write_studies
from peers.readback import dataset_bytes, dump, move_by_dcmtk

RANGE = ("20200101", "20201212")


def expected_of(studies):
    """The CT studies in the documented range."""
    return [s for s in studies if "CT" in s.modalities and RANGE[0] <= s.study_date <= RANGE[1]]


def test_every_ct_study_in_range_is_on_disk_and_in_the_table(
    real_pacs, collection, tmp_path, reference_port
):
    studies = make_studies(9, days=56, instances=3, start=date(2020, 11, 1))
    real_pacs.load(write_studies(tmp_path / "source", studies))
    wanted = expected_of(studies)
    assert 0 < len(wanted) < len(studies)
    collected = collection(real_pacs)

    assert collected.run() == 0

    assert {row["StudyInstanceUID"] for row in collected.listed()} == {s.uid for s in wanted}
    assert collected.files() == sorted(
        f"{s.patient_id}/{s.uid}/{s.series_uid(series)}/{s.sop_uid(series, number)}.dcm"
        for s in wanted
        for series in range(1, len(s.modalities) + 1)
        for number in range(1, s.instances + 1)
    )
    sent = {}
    for study in wanted:
        sent |= move_by_dcmtk(real_pacs, study.uid, reference_port, tmp_path / "sent" / study.uid)
    assert collected.objects() == sent
    check_table(collected)


def check_table(collected):
    """One row per file, with the values that dcmdump shows."""
    rows = collected.rows()
    assert [row["dicom_path"] for row in rows] == collected.files()
    for row in rows:
        shown = dump(collected.archive / row["dicom_path"])
        assert list(row) == [
            "PatientName", "study_date", "Laterality", "StudyInstanceUID", "SOPInstanceUID",
            "dicom_path",
        ]  # fmt: skip
        assert row["PatientName"] == shown["PatientName"]
        assert row["study_date"] == datetime.strptime(shown["StudyDate"], "%Y%m%d").isoformat()
        assert row["Laterality"] == shown.get("Laterality", "U")
        assert row["StudyInstanceUID"] == shown["StudyInstanceUID"]
        assert row["SOPInstanceUID"] == shown["SOPInstanceUID"]


def test_find_then_move_under_the_old_name_is_the_same_as_run(real_pacs, collection, tmp_path):
    real_pacs.load(write_studies(tmp_path / "source", make_studies(6)))
    at_once, in_steps = collection(real_pacs), collection(real_pacs)

    assert at_once.run() == 0
    assert in_steps.run("find") == 0
    assert in_steps.run("move") == 0

    assert in_steps.objects() == at_once.objects()
    assert in_steps.listed() == at_once.listed()
    assert in_steps.rows() == at_once.rows()


def test_awkward_identifiers_are_stored_safely_and_apart(real_pacs, collection, tmp_path):
    # Orthanc takes no PatientID of 300 characters; test_bad_data.py has those.
    studies = [s for s in awkward_studies().values() if len(s.patient_id or "") < 300]
    # All are of one second: only a larger answer excludes a limit.
    others = make_studies(40, start=date(2021, 1, 1), days=100, seed=3)
    real_pacs.load(write_studies(tmp_path / "source", [*studies, *others]))
    dated = [study for study in studies if study.study_date]
    collected = collection(real_pacs)

    assert collected.run() == 0

    assert set(collected.objects()) == {uid for study in dated for uid in study.sop_uids}
    folders = {}
    for path in collected.files():
        folder, study, *_ = path.split("/")
        folders.setdefault(folder, set()).add(study)
    missing = {study.uid for study in dated if not study.patient_id}
    assert folders.pop("%missing") == missing
    assert all(len(studies) == 1 for studies in folders.values())
    assert sorted(path.name for path in collected.folder.iterdir()) == ["conf.yaml", "my"]


def test_the_good_sample_files_arrive_byte_for_byte(
    orthanc, collection, good_samples, tmp_path, reference_port
):
    # Orthanc 1.10 does not know the deflated image frame syntax and cannot send it; of an
    # object with UIDs of VR UN it announces the hexadecimal dump, which DCMTK refuses.
    samples = [p for p in good_samples if "deflate" not in p.name and "VR-UN" not in p.name]
    orthanc.load(samples)
    everything = {
        '"20200101"': '"19000101"', '"20201212"': '"20991231"', "    modality: CT\n": "",
    }  # fmt: skip
    collected = collection(orthanc, changes=everything)

    assert collected.run() == 0

    arrived = collected.objects()
    sources = {uid_of(path): dataset_bytes(path) for path in samples}
    # Orthanc encodes some objects anew before it sends them; DCMTK tells which bytes it sent.
    changed = {uid: data for uid, data in arrived.items() if data != sources[uid]}
    sent = {}
    for study in {
        row["StudyInstanceUID"] for row in collected.rows() if row["SOPInstanceUID"] in changed
    }:
        sent |= move_by_dcmtk(
            orthanc, study, reference_port, tmp_path / "sent" / study, whole=False
        )
    assert changed == {uid: sent[uid] for uid in changed}
    listed = {row["StudyInstanceUID"] for row in collected.listed()}
    assert set(arrived) == {uid for study in listed for uid in orthanc.uids("IMAGE", study)}
    dated = {uid_of(path) for path in samples if has_study_date(path)}
    assert dated
    assert dated <= set(arrived)


def uid_of(path):
    return str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def has_study_date(path):
    """Tell whether a query for a range of dates finds the study of a file."""
    return bool(dcmread(path, specific_tags=["StudyDate"]).get("StudyDate"))
