"""Find that is killed, or asks a PACS that is down, refuses, babbles or dies."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from types import SimpleNamespace

import pytest

from pacsfw.testing import FaultyPACS, population, write_studies
from peers.process import free_port
from support.documented import Collected, rows
from support.finding import between, listed, look, questions
from support.selection import quick

YEAR = date(2020, 1, 1), date(2020, 12, 31)
LIMITED = {"cap": 30, "slow": 0.001, "max_associations": 64}
DEADLINE = 60.0


@pytest.fixture(scope="module")
def studies():
    return population(300)


@pytest.fixture(scope="module")
def truth(studies):
    return {study.uid for study in studies if study.study_date}


@pytest.fixture
def start():
    """Starts `pacsfw find` in a process of its own, which ends with the test."""
    with ExitStack() as stack:

        def start(collected):
            words = [sys.executable, "-m", "pacsfw", "find", str(collected.conf)]
            process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield start


def wait_for(condition, process):
    """Wait for an observed state."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the state to act in never came"
        time.sleep(0.002)


def kept(collected):
    """Studies of this search that are in the ledger."""
    uri = f"file:{collected.state / 'ledger.sqlite'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT study_uid FROM answers")}


@pytest.fixture(scope="module")
def undisturbed(studies, tmp_path_factory):
    """A find to the end, and how many questions it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with FaultyPACS(studies, aetitle="theirtitle", cap=30) as pacs:
        collected = Collected(folder, free_port(), pacs.port, between(*YEAR))
        assert collected.run("find") == 0
        return collected, len(questions(pacs))


@pytest.mark.parametrize("after", quick([1, 20], 20))
def test_a_killed_find_goes_on_and_ends_alike(
    after, undisturbed, truth, studies, collection, faulty_pacs, start, capsys
):
    whole, needed = undisturbed
    pacs = faulty_pacs(studies, **LIMITED)
    collected = collection(pacs, changes=between(*YEAR))
    process = start(collected)
    wait_for(lambda: len(questions(pacs)) >= after, process)

    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE)

    assert not collected.resources.exists()
    before = len(questions(pacs))
    come = look(collected, lambda: capsys.readouterr().out)
    assert (come.code, come.proven) == (0, True)
    assert come.listed == listed(whole) == truth
    assert by_uid(collected) == by_uid(whole)
    again = len(questions(pacs)) - before
    # The first answers are only the way down to parts that can be settled.
    assert again <= needed - (after // 2 if after > 1 else 0)


def by_uid(collected):
    return {row["StudyInstanceUID"]: row for row in rows(collected.resources)}


def test_a_pacs_that_is_down(collection, capsys):
    collected = collection(SimpleNamespace(port=free_port()), changes=between(*YEAR))

    assert collected.run("find") == 4

    said = capsys.readouterr().err
    assert "net.called_node" in said
    assert "theirtitle" in said
    assert not collected.resources.exists()


def test_a_pacs_that_has_another_ae_title(orthanc, collection, capsys, tmp_path):
    orthanc.load(write_studies(tmp_path / "files", population(5, days=5, undated=0)))
    wrong = {"aetitle: theirtitle": "aetitle: wrongtitle"}
    collected = collection(orthanc, changes=between(*YEAR) | wrong)

    assert collected.run("find") == 4

    said = capsys.readouterr().err
    assert "wrongtitle" in said
    assert "called" in said
    collected.change("wrongtitle", "theirtitle")
    assert collected.run("find") == 0
    assert listed(collected) == orthanc.uids("STUDY")


def test_a_web_server_in_place_of_a_pacs(orthanc, collection, capsys):
    wrong = SimpleNamespace(port=orthanc.http_port)
    collected = collection(wrong, changes=between(*YEAR))

    assert collected.run("find") == 4

    assert "DICOM" in capsys.readouterr().err


@contextmanager
def babbler(answer):
    """A server that says the same to whoever connects."""

    class Babble(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(10_000)
            self.request.sendall(answer)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Babble) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield SimpleNamespace(port=server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        random.Random(7).randbytes(4000),
        b"\x02\x00" + (500).to_bytes(4, "big") + b"\xff" * 500,
        b"\x02\x00\x00\x00",
        b"",
    ],
    ids=["noise", "broken acceptance", "half a head", "nothing"],
)
def test_a_pacs_that_babbles(answer, collection, capsys):
    with babbler(answer) as pacs:
        collected = collection(pacs, changes=between(*YEAR))

        assert collected.run("find") == 4

    said = capsys.readouterr().err
    assert f"127.0.0.1:{pacs.port}" in said
    assert "check" in said or "is this a DICOM port" in said
    assert "Error" not in said
    assert not collected.resources.exists()


def test_what_was_found_before_a_pacs_died_is_kept(
    studies, truth, collection, faulty_pacs, start, capsys
):
    pacs = faulty_pacs(studies, **LIMITED)
    collected = collection(pacs, changes=between(*YEAR))
    process = start(collected)
    wait_for(lambda: len(questions(pacs)) >= 20, process)

    (child,) = multiprocessing.active_children()
    os.kill(child.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=DEADLINE)

    assert process.returncode == 4, output
    assert "127.0.0.1" in output
    assert "to resume" in output
    found = kept(collected)
    assert found
    assert found < truth
    assert re.search(rf"studies found +{len(found)}", output)

    pacs = faulty_pacs(studies, **LIMITED | {"port": pacs.port})
    come = look(collected, lambda: capsys.readouterr().out)

    assert (come.code, come.proven) == (0, True)
    assert come.listed == truth
    assert len(questions(pacs)) < 30


def test_a_pacs_that_aborts_every_answer_at_once(studies, collection, faulty_pacs, capsys):
    pacs = faulty_pacs(studies, abort_after=0, max_associations=64)
    collected = collection(pacs, changes=between(*YEAR))

    assert collected.run("find") == 4

    assert "aborted" in capsys.readouterr().err
    assert not collected.resources.exists()


def test_a_pacs_that_accepts_no_further_association(
    studies, truth, collection, faulty_pacs, capsys
):
    """The one association that it allows suffices; the next find has none."""
    pacs = faulty_pacs(studies, reject_after=1)
    collected = collection(pacs, changes=between(*YEAR))
    assert collected.run("find") == 0
    assert listed(collected) == truth

    assert collected.run("find") == 4

    assert "reject" in capsys.readouterr().err
    assert listed(collected) == truth
