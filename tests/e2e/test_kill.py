"""Killed in the middle and started again: the same files and rows as undisturbed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pacsfw.testing import EmbeddedPACS, make_studies
from support.documented import Collected
from support.selection import quick

STUDIES = 5
DEADLINE = 30.0


def stored(collected: Collected) -> int:
    """How many objects the ledger knows as stored."""
    path = collected.state / "ledger.sqlite"
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT count(*) FROM instances").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def settled(collected: Collected) -> int:
    connection = sqlite3.connect(f"file:{collected.state / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute(
            "SELECT count(*) FROM studies WHERE state = 'settled'"
        ).fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def complete_and_untouched(collected: Collected) -> tuple[set[str], set[str]]:
    """The complete studies, and those of which nothing has arrived yet."""
    connection = sqlite3.connect(collected.state / "ledger.sqlite")
    try:
        rows = connection.execute(
            "SELECT study_uid, verdict,"
            " (SELECT count(*) FROM instances i WHERE i.study_uid = s.study_uid) FROM studies s"
        ).fetchall()
    finally:
        connection.close()
    done = {uid for uid, verdict, _ in rows if verdict == "complete"}
    return done, {uid for uid, _, count in rows if not count}


def table_lines(collected: Collected) -> int:
    return collected.table.read_bytes().count(b"\n") if collected.table.exists() else 0


KILL_POINTS: dict[str, Callable[[Collected], bool]] = {
    "the study list is written": lambda c: c.resources.exists(),
    "a file is being received": lambda c: any((c.state / "spool").glob("*.part")),
    "the first object is stored": lambda c: stored(c) >= 1,
    "a study is half there": lambda c: stored(c) >= 6,
    "the first study is settled": lambda c: stored(c) > 0 and settled(c) >= 1,
    "rows are delivered": lambda c: table_lines(c) > 1,
    "nearly everything is there": lambda c: stored(c) >= 4 * STUDIES - 2,
}


@pytest.fixture
def start():
    """Starts a run in a session of its own; whatever is left of it ends with the test."""
    with ExitStack() as stack:

        def start(collected: Collected) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-m", "pacsfw", "run", str(collected.conf)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(process.communicate)
            stack.callback(kill_session, process.pid)
            return process

        yield start


def kill_session(session: int) -> None:
    for pid in members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait for an observed state; False when the process ends before it shows."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if condition():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    raise AssertionError("the state to kill in never came")


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=DEADLINE)
    return process.returncode, output.decode()


@pytest.fixture(scope="module")
def studies():
    return make_studies(STUDIES, days=30, modalities=(("CT", "CT"),), instances=2)


@pytest.fixture(scope="module")
def pacs(studies, destinations):
    with EmbeddedPACS(studies, aetitle="theirtitle", destinations=destinations, delay=0.05) as pacs:
        yield pacs


@pytest.fixture(scope="module")
def undisturbed(pacs, receiver_port, tmp_path_factory):
    collected = Collected(tmp_path_factory.mktemp("undisturbed"), receiver_port, pacs.port)
    assert collected.run() == 0
    return collected


def assert_same(collected: Collected, undisturbed: Collected) -> None:
    assert collected.objects() == undisturbed.objects()
    assert collected.files() == undisturbed.files()
    assert collected.rows() == undisturbed.rows()
    assert collected.spooled() == []


@pytest.mark.parametrize(
    "point", quick(KILL_POINTS, "a file is being received", "a study is half there")
)
def test_a_kill_changes_nothing_in_the_end(point, pacs, collection, undisturbed, start):
    collected = collection(pacs)
    process = start(collected)
    assert wait_for(lambda: KILL_POINTS[point](collected), process)

    process.send_signal(signal.SIGKILL)
    finish(process)

    assert collected.run() == 0
    assert_same(collected, undisturbed)


@pytest.mark.full
def test_many_kills_in_a_row_change_nothing_in_the_end(pacs, collection, undisturbed, start):
    collected = collection(pacs)
    for count in (1, 4, 8, 13, 17):
        process = start(collected)
        if wait_for(lambda count=count: stored(collected) >= count, process):
            process.send_signal(signal.SIGKILL)
        finish(process)

    assert collected.run() == 0
    assert_same(collected, undisturbed)


def test_no_process_outlives_a_killed_driver(pacs, collection, start):
    collected = collection(pacs)
    process = start(collected)
    assert wait_for(lambda: stored(collected) >= 1, process)

    process.send_signal(signal.SIGKILL)
    finish(process)  # returns when nobody holds its output any more

    deadline = time.monotonic() + DEADLINE
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert members(process.pid) == []


def members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def test_what_is_complete_is_not_asked_again(pacs, undisturbed):
    asked = len(pacs.log)

    assert undisturbed.run() == 0

    assert pacs.log[asked:] == []


def test_a_partial_study_is_asked_again_and_a_complete_one_is_not(pacs, collection, start):
    collected = collection(pacs)
    process = start(collected)
    assert wait_for(lambda: stored(collected) > 0 and settled(collected) >= 1, process)
    process.send_signal(signal.SIGKILL)
    finish(process)
    done, untouched = complete_and_untouched(collected)
    before = len(pacs.log)

    assert collected.run() == 0

    moved = {
        request.keys["StudyInstanceUID"]
        for request in pacs.log[before:]
        if request.service == "C-MOVE"
    }
    assert done
    assert untouched
    assert not moved & done
    assert untouched <= moved


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_cleanly_and_goes_on_later(
    number, pacs, collection, undisturbed, start
):
    collected = collection(pacs)
    process = start(collected)
    assert wait_for(lambda: stored(collected) >= 2, process)

    os.kill(process.pid, number)
    code, output = finish(process)

    assert code == 130, output
    assert "run the same command again to resume" in output
    assert collected.run() == 0
    assert_same(collected, undisturbed)
