"""`pacsfw server`: what is pushed ends in the same archive and table, judged and durable."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from e2e.test_transfers import verdicts
from pacsfw.send.files import Sendable, files, look
from pacsfw.send.send import Sent, send
from pacsfw.spool.writer import Spool
from pacsfw.testing import make_studies, write_studies
from peers.process import NO_DELAY, free_port, require
from peers.readback import by_uid
from support.documented import Collected
from unit.dimse.scripted import net
from unit.dimse.wire import CT, Sender, p_data, pdv, store_request

STUDIES = make_studies(3, instances=2)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_studies(tmp_path / "source", STUDIES)
    return tmp_path / "source"


@pytest.fixture
def collected(tmp_path: Path) -> Collected:
    made = Collected(tmp_path / "server", free_port(), free_port())
    text = made.conf.read_text()
    start = text.index("    called_node")
    made.conf.write_text(text[:start] + text[text.index("find:") :])  # nobody to ask
    made.port = int(text.split("port: ")[1].split()[0])  # type: ignore[attr-defined]
    return made


@contextmanager
def serving(collected: Any, quiet: float = 0.5) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pacsfw", "server", "-f", str(collected.conf)]
    process = subprocess.Popen(
        [*command, "--settle-after", str(quiet)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        while "listens on port" not in line:
            assert line, "it ended"
            line = process.stdout.readline()
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def stopped(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def push(collected: Any, *paths: Path) -> list[Sent]:
    told: list[Sent] = []
    found = [each for each in look(files(paths), paths) if isinstance(each, Sendable)]
    send(net(collected.port, "mytitle"), found, told.append, threading.Event())
    return told


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def in_table(collected: Any) -> set[str]:
    return (
        {row["SOPInstanceUID"] for row in collected.rows()} if collected.table.exists() else set()
    )


def test_what_is_pushed_is_stored_and_delivered_while_it_runs(collected: Any, source: Path):
    require("dcmsend")
    everything = {uid for study in STUDIES for uid in study.sop_uids}
    with serving(collected) as process:
        dcmsend = ["dcmsend", "-aec", "mytitle", "127.0.0.1", str(collected.port), "+sd", "+r"]
        subprocess.run([*dcmsend, source], env=NO_DELAY, check=True, capture_output=True)
        until(lambda: in_table(collected) == everything)
        code, output = stopped(process)
    assert code == 0
    assert "cannot be verified" in output
    assert collected.objects() == by_uid(source)
    assert {row[2] for row in verdicts(collected)} == {"unverifiable"}
    assert not collected.spooled()


def test_a_study_that_grows_is_settled_again_and_nothing_comes_twice(collected: Any, source: Path):
    folder = source / "study1-00000"
    first, *rest = sorted(folder.iterdir())
    with serving(collected) as process:
        push(collected, first)
        until(lambda: len(in_table(collected)) == 1)
        assert {each.state for each in push(collected, first, *rest)} == {"sent"}
        until(lambda: len(in_table(collected)) == 4)
        code, _ = stopped(process, signal.SIGINT)
    assert code == 0
    assert len(collected.rows()) == len(collected.files()) == 4


def test_sigterm_lets_running_associations_finish(collected: Any, source: Path):
    """With an object half sent: it is finished, answered, stored and delivered."""
    with serving(collected, quiet=3600) as process:
        push(collected, source / "study1-00000")
        sender = Sender(socket.create_connection(("127.0.0.1", collected.port)))
        sender.associate(called=b"mytitle".ljust(16))
        path = sorted((source / "study1-00001").iterdir())[0]
        (late,) = [each for each in look([path], [path]) if isinstance(each, Sendable)]
        data = path.read_bytes()[late.offset :]
        sender.send(p_data(pdv(1, 3, store_request(late.sop_uid)), pdv(1, 0, data[:100])))
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        sender.send(p_data(pdv(1, 2, data[100:])))
        assert sender.status() == 0
        sender.release()
        sender.socket.close()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert late.sop_class == CT
    assert in_table(collected) == {*STUDIES[0].sop_uids, late.sop_uid}


def test_what_was_answered_survives_a_kill(collected: Any, source: Path):
    with serving(collected, quiet=3600) as process:
        answered = {each.file.sop_uid for each in push(collected, source) if each.state == "sent"}
        process.kill()
        process.wait()
    with serving(collected) as process:
        until(lambda: in_table(collected) == answered)
        assert stopped(process)[0] == 0
    assert set(collected.objects()) == answered == {u for s in STUDIES for u in s.sop_uids}
    assert not collected.spooled()


def test_an_object_is_answered_for_once_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        calls.append(Path(name).suffix or "folder")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    for durable, expected in ((False, ["report"]), (True, [".part", "folder", "report"])):
        calls.clear()
        spool = Spool(tmp_path, lambda _: calls.append("report"), durable=durable)
        writer = spool.begin(CT, "1.2.3", "1.2.840.10008.1.2", "US")
        writer.write(b"data")
        writer.seal()
        assert calls == expected


def test_the_pacs_is_asked_what_a_study_should_have(
    embedded_pacs: Any, collection: Any, tmp_path: Path, receiver_port: int, source: Path
):
    pacs = embedded_pacs(STUDIES)
    collected = collection(pacs)
    collected.port = receiver_port
    whole, half = source / "study1-00000", sorted((source / "study1-00001").iterdir())[:1]
    with serving(collected) as process:
        push(collected, whole, *half)
        until(lambda: len(in_table(collected)) == 5)
        code, output = stopped(process)
    found = {row[0]: (row[2], row[4]) for row in verdicts(collected)}
    assert found == {STUDIES[0].uid: ("complete", 4), STUDIES[1].uid: ("short", 4)}
    assert code == 1
    assert "3 of 4 instances missing" in output
