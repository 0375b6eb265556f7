"""The receiver as a whole: starting, stopping, crashing, dying with its driver."""

import logging
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from pacsfw.api import Node
from pacsfw.errors import StateError
from pacsfw.steps.receive import Receiver
from pacsfw.steps.receive.load import Load
from support.run import Taker
from unit.dimse.wire import Sender, p_data, pdv, store_request
from unit.steps.receive.listening import Listening

pytestmark = pytest.mark.usefixtures("spawned")  # processes are what it is about

DRIVER = """
import os, sys, threading
from pathlib import Path
from multiprocessing import active_children
from pacsfw.api import Node
from pacsfw.steps.receive import Receiver

class Ignoring:
    def take(self, records):
        pass

if __name__ == "__main__":
    receiver = Receiver(Node(aetitle="PACSFW", bind="127.0.0.1"), Path(sys.argv[1]), 2, Ignoring())
    receiver.start()
    print(receiver.port, *(child.pid for child in active_children()), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    running = Listening(tmp_path / "spool")
    yield running
    running.stop()


@pytest.fixture
def sender(listening: Listening) -> Iterator[Sender]:
    sender = listening.connect()
    with sender.socket:
        yield sender


def begin_an_object(listening: Listening, sender: Sender, sop_uid: str = "1.2.3") -> None:
    sender.associate()
    sender.send(p_data(pdv(1, 3, store_request(sop_uid)), pdv(1, 0, b"half")))
    listening.wait_for(lambda: listening.begun)


def accepts(listening: Listening) -> bool:
    try:
        listening.connect().socket.close()
    except (ConnectionRefusedError, ConnectionResetError):  # the latter in the moment it closes
        return False
    return True


def pid_of_receiver() -> int:
    (pid,) = (child.pid for child in multiprocessing.active_children() if child.name == "receiver")
    assert pid is not None
    return pid


def test_stopping_leaves_no_process_and_frees_the_port(tmp_path: Path) -> None:
    running = Listening(tmp_path, processes=2)
    running.receiver.stop(5)
    assert [child for child in multiprocessing.active_children() if child.name == "receiver"] == []
    with socket.create_server(("127.0.0.1", running.port)):
        pass


def test_stopping_waits_for_an_object_that_still_arrives(
    listening: Listening, sender: Sender
) -> None:
    begin_an_object(listening, sender)
    stopping = threading.Thread(target=listening.receiver.stop, args=(30,))
    stopping.start()
    while accepts(listening):
        pass
    sender.send(p_data(pdv(1, 2, b"whole")))
    assert sender.status() == 0
    sender.release()
    stopping.join()
    assert len(listening.sealed) == 1


def test_stopping_ends_what_does_not_end_by_itself(listening: Listening, sender: Sender) -> None:
    begin_an_object(listening, sender)
    listening.receiver.stop(0.1)
    assert sender.pdu()[0] == 7
    assert len(listening.discarded) == 1
    assert list(listening.spool.iterdir()) == []


def test_a_stopped_receiver_accepts_nothing(listening: Listening) -> None:
    listening.stop()
    with pytest.raises(ConnectionRefusedError):
        listening.connect()


def test_a_stopped_process_does_not_keep_the_driver(listening: Listening) -> None:
    os.kill(pid_of_receiver(), signal.SIGSTOP)
    listening.receiver.stop(0.1)
    assert not listening.receiver._thread.is_alive()


def test_a_crashed_process_is_replaced_and_what_it_held_is_settled(
    listening: Listening, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    begin_an_object(listening, sender)
    os.kill(pid_of_receiver(), signal.SIGKILL)
    listening.wait_for(lambda: listening.discarded)
    assert listening.discarded[0].sop_uid == "1.2.3"
    assert list(listening.spool.iterdir()) == []
    assert not listening.receiver.open_files()
    with listening.connect().socket as after:
        Sender(after).associate()
    assert "exit code -9" in caplog.text


def test_a_port_in_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacsfw.steps.receive.receiver._BIND_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        node = Node(aetitle="PACSFW", bind="127.0.0.1", port=other.getsockname()[1])
        with pytest.raises(StateError, match=f"port {node.port} on 127.0.0.1 is in use"):
            Receiver(node, tmp_path, 1, Taker()).start()


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    node = Node(aetitle="PACSFW", bind="192.0.2.1", port=0)
    with pytest.raises(StateError, match=r"192\.0\.2\.1 cannot be opened"):
        Receiver(node, tmp_path, 1, Taker()).start()


def test_the_port_is_only_there_while_it_listens(tmp_path: Path) -> None:
    receiver = Receiver(Node(aetitle="PACSFW"), tmp_path, 1, Taker())
    with pytest.raises(StateError, match="not listening"):
        _ = receiver.port


def test_a_callback_that_fails_is_logged_and_the_next_object_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = []

    def notify(records: Sequence[object]) -> None:
        told.extend(records)
        raise RuntimeError("Doe^John")

    node = Node(aetitle="PACSFW", bind="127.0.0.1")
    receiver = Receiver(node, tmp_path, 1, Taker(notify))
    receiver.start()
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        sender = Sender(connection)
        sender.associate()
        sender.send(p_data(pdv(1, 3, store_request()), pdv(1, 2, b"whole")))
        assert sender.status() == 0
        sender.release()
    receiver.stop(5)
    assert len(told) == 1
    assert "RuntimeError" in caplog.text
    assert "Doe" not in caplog.text


def test_a_rejected_association_is_logged_by_the_driver(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    subprocess.run(
        ["echoscu", "-aec", "OTHER", "127.0.0.1", str(listening.port)], capture_output=True
    )
    listening.stop()
    assert "called AE title 'OTHER' is not 'PACSFW'" in caplog.text


@pytest.mark.parametrize("end", ["killed", "without stop"])
def test_receivers_end_with_their_driver(tmp_path: Path, end: str) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    with subprocess.Popen(
        [sys.executable, script, tmp_path / "spool"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        _, *pids = map(int, driver.stdout.readline().split())
        assert len(pids) == 2
        handles = [os.pidfd_open(pid) for pid in pids]
        # The terminal's Ctrl-C reaches the receivers too, and is for the driver to handle.
        for pid in pids:
            os.kill(pid, signal.SIGINT)
        if end == "killed":
            driver.kill()
        else:
            driver.stdin.close()
        for handle in handles:
            assert select.select([handle], [], [], 60)[0], "a receiver goes on"
            os.close(handle)
        driver.wait(60)


def test_connections_go_to_the_process_that_has_the_fewest() -> None:
    loads = multiprocessing.RawArray("i", 3)
    first, second, third = (Load(loads, place) for place in range(3))
    assert not first.is_above_others()

    first.is_now(1)
    second.is_now(2)

    assert first.is_above_others()
    assert not third.is_above_others()
    third.is_now(1)
    assert not first.is_above_others()
    assert second.is_above_others()


def test_associations_are_spread_over_the_processes(tmp_path: Path) -> None:
    """How evenly depends on which of them the machine wakes up; none may be left out."""
    listening = Listening(tmp_path / "spool", processes=2)
    taken: Counter[str] = Counter()
    with ExitStack() as stack:
        stack.callback(listening.stop)
        for number in range(60):
            sender = listening.connect()
            stack.enter_context(sender.socket)
            sender.associate()
            sender.send(p_data(pdv(1, 3, store_request(f"1.2.{number}")), pdv(1, 2, b"whole")))
            assert sender.status() == 0
            listening.wait_for(lambda expected=number + 1: len(listening.sealed) == expected)
            taken = Counter(sealed.path.name[:16] for sealed in listening.sealed)
            if len(taken) == 2 and min(taken.values()) >= 4:
                return
    raise AssertionError(f"one process took nearly all: {sorted(taken.values())}")
