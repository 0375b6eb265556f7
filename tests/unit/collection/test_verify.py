"""VerifyStep a collection: what the files are now, and what the PACS lists of the studies."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacsfw.collection.verify import UNKNOWN_FILES, VerifyStep
from pacsfw.errors import RemoteError, StateError
from pacsfw.ledger import Ledger
from pacsfw.ledger.conversions import Conversion, Output
from pacsfw.report.verified import Verified
from pacsfw.steps.ingest.ingest import QUARANTINE
from pacsfw.testing import FaultyPACS, Study, make_studies
from peers.process import free_port
from support.run import make_run
from support.stored import NOW, complete, configured_run, own_storage, record, store

PACS = """\
net:
  local_node: {{aetitle: PACSFW, port: 11112}}
  called_node: {{aetitle: FAULTYPACS, ip: 127.0.0.1, port: {port}}}
move: {{use: cget}}
"""
Verify = Callable[..., Verified]


@pytest.fixture
def study() -> Study:
    [study] = make_studies(1, modalities=(("CT",),), instances=3)
    return study


@pytest.fixture
def verify(ledger: Ledger, tmp_path: Path) -> Verify:
    """Verifies the collection in ``archive`` without a PACS, or asking the one at a port."""

    def verify(port: int | None = None, target: Path = tmp_path / "manifest.jsonl") -> Verified:
        if port is None:
            run = make_run(ledger, tmp_path, storage=own_storage(tmp_path))
        else:
            run = configured_run(ledger, tmp_path, PACS.format(port=port))
        return VerifyStep(run).run(target, offline=port is None)

    return verify


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\x77")


def test_whole_files_of_a_complete_study_are_good(ledger, tmp_path, study, verify):
    stored = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)

    result = verify()

    assert result.is_good
    assert (result.files, result.verdicts) == (3, {"complete": 1})
    assert result.bytes == sum((tmp_path / "archive" / one.path).stat().st_size for one in stored)
    assert {(line["path"], line["verdict"]) for line in manifest(tmp_path)} == {
        (one.path, "complete") for one in stored
    }


def test_a_damaged_file_is_set_aside_and_its_study_is_short(ledger, tmp_path, study, verify):
    damaged, *whole = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    damage(tmp_path / "archive" / damaged.path)

    result = verify()

    assert (result.conditions, result.is_good) == ({"damaged": 1}, False)
    assert not (tmp_path / "archive" / damaged.path).exists()
    [kept] = (tmp_path / "state" / QUARANTINE).rglob("*.dcm")
    assert kept.read_bytes().endswith(b"\x77")
    assert ledger.instances.quarantine_reasons() == {
        "its file in the dataset folder was damaged": 1
    }
    assert ledger.instances.stored_uids(study.uid) == {one.sop_uid for one in whole}
    verdict = ledger.studies.get(study.uid).verdict
    assert (verdict.state, verdict.missing) == ("short", (damaged.sop_uid,))
    assert verdict.reason == "1 instances missing, 1 of them lost on the disk"


def test_a_file_that_is_gone_is_forgotten_and_named_in_the_manifest(
    ledger, tmp_path, study, verify
):
    gone, *_ = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    (tmp_path / "archive" / gone.path).unlink()

    result = verify()

    assert result.conditions == {"missing": 1}
    assert gone.sop_uid not in ledger.instances.stored_uids(study.uid)
    [line] = [line for line in manifest(tmp_path) if line["state"] == "missing"]
    assert (line["sop_instance_uid"], line["path"], line["verdict"]) == (
        gone.sop_uid, None, "short",
    )  # fmt: skip


def test_a_file_that_cannot_be_read_now_is_counted_and_stays(ledger, tmp_path, study, verify):
    first, *_ = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    path = tmp_path / "archive" / first.path
    path.unlink()
    path.symlink_to(path)

    result = verify()

    assert result.conditions == {"unreadable": 1}
    assert first.sop_uid in ledger.instances.stored_uids(study.uid)
    assert ledger.studies.get(study.uid).verdict.state == "complete"


def test_an_unsettled_study_gets_no_verdict_from_its_files(ledger, tmp_path, study, verify):
    gone, *_ = store(ledger, own_storage(tmp_path), study)
    (tmp_path / "archive" / gone.path).unlink()

    assert verify().verdicts == {"pending": 1}

    assert {line["verdict"] for line in manifest(tmp_path)} == {None}


def test_what_is_kept_beside_the_archive_is_read_too(ledger, tmp_path, study, verify):
    """Other content of an object has to be whole; what is in quarantine need not be."""
    storage = own_storage(tmp_path)
    store(ledger, storage, study)
    complete(ledger, study)
    paths = study.write(storage.state)
    record(ledger, storage.state, paths[0], digest="other", state="version")
    record(ledger, storage.state, paths[1], digest="broken", state="quarantined")
    for path in paths[:2]:
        damage(path)

    result = verify()

    assert (result.files, result.conditions) == (5, {"damaged": 1})
    assert paths[0].exists()
    assert paths[1].exists()
    assert ledger.studies.get(study.uid).verdict.state == "complete"


def test_what_could_not_be_read_when_it_came_is_in_the_manifest(ledger, tmp_path, study, verify):
    storage = own_storage(tmp_path)
    path = study.write(storage.state)[0]
    record(ledger, storage.state, path, state="quarantined", study_uid="", series_uid="")

    verify()

    [line] = manifest(tmp_path)
    assert (line["state"], line["study_instance_uid"], line["verdict"]) == ("quarantined", "", None)


def test_files_that_nobody_knows_are_listed_until_they_are_gone(ledger, tmp_path, study, verify):
    store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    unknown = tmp_path / "archive" / "notes.txt"
    unknown.write_text("mine")
    listed = tmp_path / "state" / UNKNOWN_FILES

    result = verify()
    assert (result.unknown, result.unknown_listed) == (1, str(listed))
    assert listed.read_text() == f"{unknown}\n"

    unknown.unlink()
    assert verify().is_good
    assert not listed.exists()


def test_the_manifest_and_what_converters_made_are_known(ledger, tmp_path, study, verify):
    store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    made = tmp_path / "archive" / "made.nii"
    made.write_bytes(b"volume")
    output = Output(path=str(made), media_type="", size=6, digest="", sources=())
    ledger.conversions.announce("c", "i", [output])
    done = Conversion(
        converter="c", item="i", study_uid=study.uid, fingerprint="f", state="done",
        reason="", component="c",
    )  # fmt: skip
    ledger.conversions.record(done, [output], NOW)
    target = tmp_path / "archive" / "manifest.jsonl"

    assert verify(target=target).unknown == 0
    assert verify(target=target).unknown == 0, "the manifest of the first time"


def test_a_manifest_that_cannot_be_written_is_named(tmp_path, verify):
    (tmp_path / "file").write_text("no folder")
    target = tmp_path / "file" / "manifest.jsonl"

    with pytest.raises(StateError, match=f"{target}: cannot be written"):
        verify(target=target)


def test_the_pacs_is_asked_about_the_studies_on_the_list(ledger, tmp_path, verify):
    listed, pruned = make_studies(2, modalities=(("CT",),), instances=2)
    storage = own_storage(tmp_path)
    for study in (listed, pruned):
        store(ledger, storage, study)
        complete(ledger, study)
    ledger.studies.select([listed.uid])
    with FaultyPACS([listed, pruned]) as pacs:
        result = verify(pacs.port)
        asked = {entry.keys["StudyInstanceUID"] for entry in pacs.log}

    assert asked == {listed.uid}
    assert (result.asked, result.grown, result.unanswered) == (1, 0, 0)
    assert result.is_good


def test_a_study_that_has_grown_at_the_pacs_is_short(ledger, tmp_path, verify):
    [study] = make_studies(1, modalities=(("CT",),), instances=2)
    [grown] = make_studies(1, modalities=(("CT",),), instances=3)
    store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    with FaultyPACS([grown]) as pacs:
        result = verify(pacs.port)

    assert (result.grown, result.verdicts) == (1, {"short": 1})
    [line] = [line for line in manifest(tmp_path) if line["state"] == "missing"]
    assert line["sop_instance_uid"] in set(grown.sop_uids) - set(study.sop_uids)


def test_what_the_disk_lost_is_not_growth(ledger, tmp_path, study, verify):
    gone, *_ = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    (tmp_path / "archive" / gone.path).unlink()
    with FaultyPACS([study]) as pacs:
        result = verify(pacs.port)

    assert (result.grown, result.verdicts) == (0, {"short": 1})


def test_what_the_pacs_does_not_list_any_more_is_flagged(ledger, tmp_path, study, verify):
    store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    vanished = study.sop_uids[0]
    with FaultyPACS([study]) as pacs:
        pacs.remove([vanished])
        result = verify(pacs.port)

    assert (result.flags, result.verdicts) == ({"vanished": 1}, {"complete": 1})
    flags = {line["sop_instance_uid"]: line["flags"] for line in manifest(tmp_path)}
    assert [uid for uid, flags in flags.items() if flags == ["vanished"]] == [vanished]


@pytest.mark.parametrize("lost", [False, True])
def test_a_pacs_that_says_less_than_before_takes_no_verdict_away(
    ledger, tmp_path, study, verify, lost
):
    first, *_ = store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)
    if lost:
        (tmp_path / "archive" / first.path).unlink()
    with FaultyPACS([study], no_image_level=True, no_optional_keys=True) as pacs:
        result = verify(pacs.port)

    assert (result.asked, result.unanswered) == (1, 1)
    verdict = ledger.studies.get(study.uid).verdict
    assert (verdict.state, verdict.missing) == (
        ("short", (first.sop_uid,)) if lost else ("complete", ())
    )


def test_a_pacs_that_is_away_is_an_error_and_no_manifest_is_left(ledger, tmp_path, study, verify):
    store(ledger, own_storage(tmp_path), study)
    complete(ledger, study)

    with pytest.raises(RemoteError):
        verify(free_port())

    assert list(tmp_path.glob("*manifest*")) == []


def test_what_was_left_out_is_neither_missing_nor_unknown(ledger, tmp_path, study, verify):
    first, *_ = store(ledger, own_storage(tmp_path), study)
    changes = {"sop_uid": "1.9", "path": "", "state": "left-out", "reason": "layout 'x': no SR"}
    ledger.instances.record(replace(first, **changes), NOW)
    complete(ledger, study)

    result = verify()

    assert result.is_good
    assert (result.files, result.left_out, result.conditions) == (3, 1, {})
    [line] = [line for line in manifest(tmp_path) if line["state"] == "left-out"]
    assert (line["sop_instance_uid"], line["path"], line["sha256"]) == ("1.9", None, None)
    assert (line["series_instance_uid"], line["verdict"]) == (first.series_uid, "complete")
    assert line["left_out_by"] == "layout 'x': no SR"
