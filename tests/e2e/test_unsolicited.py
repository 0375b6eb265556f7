"""Objects that nobody asked for, by what the configuration says of them."""

from __future__ import annotations

import uuid

import pytest

from pacsfw.dicom.part10 import read_file_meta
from pacsfw.testing import make_studies, write_studies

CT = (("CT", "CT"),)


@pytest.fixture
def pacs(embedded_pacs):
    return embedded_pacs(make_studies(3, days=30, modalities=CT, instances=2))


@pytest.fixture
def strangers(tmp_path):
    """Objects of a study that the PACS does not have."""
    return write_studies(tmp_path / "s", make_studies(4, days=30, modalities=CT, instances=2))[-1:]


def push(collected, files):
    """Leave objects in the spool, as a receiver does that got them from somebody."""
    spool = collected.state / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    for path in files:
        (spool / f"{uuid.uuid4().hex}__.dcm").write_bytes(path.read_bytes())


def accepting(what):
    return {"    called_node:\n": f"        accept: {{unsolicited: {what}}}\n    called_node:\n"}


@pytest.mark.parametrize("what", ["quarantine", "reject"])
def test_what_is_requested_is_stored_and_what_is_not_is_kept_apart(
    pacs, collection, strangers, what
):
    collected = collection(pacs, changes=accepting(what))
    assert collected.run("find") == 0
    push(collected, strangers)

    collected.run("move")

    assert len(collected.files()) == len(pacs.uids("IMAGE"))
    (kept,) = (collected.state / "quarantine").iterdir()
    assert read_file_meta(kept).sop_uid == read_file_meta(strangers[0]).sop_uid
    assert collected.spooled() == []


def test_if_they_are_accepted_they_are_stored(pacs, collection, strangers):
    collected = collection(pacs, changes=accepting("accept"))
    assert collected.run("find") == 0
    push(collected, strangers)

    collected.run("move")

    assert len(collected.files()) == len(pacs.uids("IMAGE")) + 1


def test_without_a_word_they_are_kept_apart(pacs, collection, strangers):
    collected = collection(pacs)
    assert collected.run("find") == 0
    push(collected, strangers)

    collected.run("move")

    assert len(collected.files()) == len(pacs.uids("IMAGE"))
    assert len(list((collected.state / "quarantine").iterdir())) == 1
