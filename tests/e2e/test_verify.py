"""Verify finds what is damaged, gone, unknown, grown or vanished; move mends what can be."""

from __future__ import annotations

import hashlib
import json

import pytest

from pacsfw.testing import make_studies

STUDIES = make_studies(2, days=30, modalities=(("CT",),), instances=3)


@pytest.fixture
def pacs(faulty_pacs):
    return faulty_pacs(STUDIES)


@pytest.fixture
def collected(pacs, collection):
    collected = collection(pacs)
    assert collected.run() == 0
    return collected


def manifest(collected):
    lines = (collected.archive.parent / "manifest.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_manifest_proves_what_there_is(collected, pacs):
    asked = len(pacs.log)

    assert collected.run("verify") == 0

    lines = manifest(collected)
    assert {line["sop_instance_uid"] for line in lines} == pacs.uids("IMAGE")
    for line in lines:
        content = (collected.archive / line["path"]).read_bytes()
        assert (line["bytes"], line["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
        assert (line["state"], line["verdict"], line["source"]) == (
            "stored", "complete", "image-uids",
        )  # fmt: skip
    assert {entry.service for entry in pacs.log[asked:]} == {"C-FIND"}


def test_what_happened_to_the_disk_is_found_without_the_pacs_and_mended_by_move(
    collected, pacs, capsys
):
    before, (damaged, gone, *_) = collected.objects(), collected.files()
    path = collected.archive / damaged
    path.write_bytes(path.read_bytes()[:-1] + b"\x77")
    (collected.archive / gone).unlink()
    (collected.archive / "notes.txt").write_text("mine")
    asked = len(pacs.log)
    capsys.readouterr()

    assert collected.run("verify", "--offline", "--json") == 1

    found = json.loads(capsys.readouterr().out)
    assert (found["conditions"], found["unknown"]) == ({"damaged": 1, "missing": 1}, 1)
    assert pacs.log[asked:] == []
    assert [line["path"] for line in manifest(collected) if line["state"] == "missing"] == [
        None
    ] * 2
    assert (collected.state / "unknown_files.txt").read_text().endswith("notes.txt\n")

    assert collected.run("move") == 0
    (collected.archive / "notes.txt").unlink()
    assert collected.objects() == before
    assert collected.run("verify") == 0


def test_what_changed_at_the_pacs_is_found_flagged_and_fetched(collected, pacs, capsys):
    grown = make_studies(1, days=30, modalities=(("CT",),), instances=4)
    vanished = STUDIES[1].sop_uids[0]
    pacs.add(grown)
    pacs.remove([vanished])
    capsys.readouterr()

    assert collected.run("verify", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["grown"], found["flags"]) == (1, {"vanished": 1})
    assert found["verdicts"] == {"complete": 1, "short": 1}

    assert collected.run("move") == 0
    assert set(collected.objects()) == pacs.uids("IMAGE") | {vanished}
    assert collected.run("verify") == 0
    flagged = [line["sop_instance_uid"] for line in manifest(collected) if line["flags"]]
    assert flagged == [vanished]
    assert "instances that the PACS no longer lists: 1; kept" in status(collected, capsys)


def status(collected, capsys):
    capsys.readouterr()
    collected.run("status")
    return capsys.readouterr().out
