"""Whichever transfer brings the objects, what comes of the collection is the same."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing

import pytest

from pacsfw.testing import awkward_studies, make_studies, write_studies
from peers.orthanc import Orthanc
from peers.readback import dataset_bytes
from support.documented import Collected


def by(use: str, pacs: Orthanc | None = None, **more: str) -> dict[str, str]:
    """The changes that make a transfer bring the objects."""
    lines = f"    use: {use}\n" + "".join(f"    {key}: {value}\n" for key, value in more.items())
    changes = {"    query_level: STUDY\nnet:": f"    query_level: STUDY\n{lines}net:"}
    if pacs is not None:
        changes["find:\n"] = f"    dicomweb: {{url: '{pacs.dicomweb_url}'}}\nfind:\n"
    return changes


def without_port(collected) -> None:
    """Take away the port to receive on."""
    text = collected.conf.read_text()
    start = text.index("        port: ")
    collected.conf.write_text(text[:start] + text[text.index("\n", start) + 1 :])


@pytest.fixture(scope="module")
def loaded(orthanc_server, tmp_path_factory):
    orthanc_server.clear()
    studies = [
        *make_studies(12, instances=3, modalities=(("CT", "SR"), ("CT", "MR"), ("CT",))),
        *(study for study in awkward_studies().values() if len(study.patient_id or "") < 300),
        *make_studies(40, seed=3, instances=1),
    ]
    paths = write_studies(tmp_path_factory.mktemp("source"), studies)
    orthanc_server.load(paths)
    yield orthanc_server, {uid for s in studies for uid in s.sop_uids}, paths[0].parents[1]
    orthanc_server.clear()


@pytest.fixture(scope="module")
def by_cmove(loaded, tmp_path_factory, receiver_port):
    collected = Collected(tmp_path_factory.mktemp("cmove"), receiver_port, loaded[0].port)
    assert collected.run() == 0
    return collected


def verdicts(collected) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(collected.state / "ledger.sqlite")) as ledger:
        columns = "study_uid, state, verdict, reason, expected, source, missing"
        return list(ledger.execute(f"SELECT {columns} FROM studies ORDER BY study_uid"))


@pytest.mark.parametrize("use", ["wado", "cget"])
def test_the_archive_the_table_and_the_verdicts_are_the_same(use, loaded, by_cmove, collection):
    collected = collection(loaded[0], changes=by(use, loaded[0]))
    without_port(collected)

    assert collected.run() == 0

    assert collected.files() == by_cmove.files()
    assert collected.objects() == by_cmove.objects()
    assert collected.rows() == by_cmove.rows()
    assert verdicts(collected) == verdicts(by_cmove)
    assert not collected.spooled()


def test_a_folder_is_imported_and_left_as_it_is(loaded, collection, capsys):
    pacs, _, folder = loaded
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.dcm")}
    changes = by("folder", **{"with": f"{{path: '{folder}'}}"})
    changes["    modality: CT\n"] = f"    use: folder\n    with: {{path: '{folder}'}}\n"
    collected = collection(pacs, changes=changes)
    text = collected.conf.read_text()
    collected.conf.write_text(text[: text.index("net:")] + text[text.index("find:") :])

    assert collected.run() == 0

    assert "complete" in capsys.readouterr().out
    stored = collected.objects()
    assert set(stored.values()) <= {dataset_bytes(path) for path in before}
    assert {row["SOPInstanceUID"] for row in collected.rows()} == set(stored)
    assert len(stored) > 100
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.dcm")}
    assert after == before


def test_auto_says_what_it_takes_and_why(loaded, by_cmove, collection, receiver_port, capsys):
    collected = collection(loaded[0], changes=by("auto", loaded[0]))
    with socket.create_server(("", receiver_port)):  # wado does not listen there
        assert collected.run() == 0
    assert "transfer wado: net.dicomweb is configured" in capsys.readouterr().out
    assert collected.objects() == by_cmove.objects()
