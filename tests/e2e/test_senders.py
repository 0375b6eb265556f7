"""Who sends: real archives that send from elsewhere, and somebody who only knows the UIDs."""

from __future__ import annotations

import json

import pytest

from pacsfw.testing import FaultyPACS, make_studies, write_studies

ELSEWHERE = {"        ip: 127.0.0.1\n": "        ip: 127.0.0.2\n"}
"""We call the archive at another address than the one that it sends from."""
CT = (("CT", "CT"),)


@pytest.fixture
def faulty(destinations):
    """Starts a `FaultyPACS` with two studies; its AE title and destinations are the usual."""
    started = []

    def start(**faults):
        studies = make_studies(2, days=30, modalities=CT, instances=2)
        pacs = FaultyPACS(studies, aetitle="theirtitle", destinations=destinations, **faults)
        started.append(pacs.start())
        return pacs

    yield start
    for pacs in started:
        pacs.stop()


def test_a_real_archive_that_sends_from_another_address_is_recognised_by_the_move_originator(
    real_pacs, collection, tmp_path, capfd
):
    studies = make_studies(2, days=30, modalities=CT, instances=2)
    real_pacs.load(write_studies(tmp_path / "source", studies))
    collected = collection(real_pacs, changes=ELSEWHERE)

    assert collected.run() == 0

    assert len(collected.files()) == 8
    assert "held" not in capfd.readouterr().out


def test_what_is_held_is_stored_in_the_next_run_without_fetching_it_again(
    faulty, collection, capfd
):
    pacs = faulty(sender="PACS_B")
    collected = collection(pacs)
    assert collected.run() == 1
    assert collected.files() == []
    said = capfd.readouterr()
    line = "net.local_node.accept.known_senders: [PACS_B@127.0.0.1]"
    assert line in said.out + said.err
    sent = pacs.counters["sent"]

    known = "        accept: {known_senders: [PACS_B@127.0.0.1]}\n    called_node:\n"
    text = collected.conf.read_text().replace("    called_node:\n", known)
    collected.conf.write_text(text)

    assert collected.run("move") == 0
    assert len(collected.files()) == 8
    assert pacs.counters["sent"] == sent


def test_the_manifest_names_who_sent_an_instance_and_the_study_of_its_header(faulty, collection):
    pacs = faulty(other_study=True)
    collected = collection(pacs)
    assert collected.run() == 0

    assert collected.run("verify") == 0

    lines = (collected.archive.parent / "manifest.jsonl").read_text().splitlines()
    for each in map(json.loads, lines):
        assert (each["calling_aetitle"], each["address"]) == ("theirtitle", "127.0.0.1")
        assert each["named_study_instance_uid"] == f"{each['study_instance_uid']}.777"
        assert each["study_instance_uid"] in pacs.uids("STUDY")


def test_a_dispute_is_settled_by_deleting_the_content_that_is_wrong(faulty, collection, capfd):
    pacs = faulty(stranger="STRANGER@127.0.0.1")
    collected = collection(pacs)
    assert collected.run() == 1
    assert "two senders" in capfd.readouterr().out
    assert len(collected.files()) == 8
    assert collected.run("verify") == 1

    for path in (collected.state / "held").iterdir():
        path.unlink()

    assert collected.run("verify") == 1  # it tells what is gone
    assert collected.run("verify") == 0
