"""Killed or asked to end at random moments, and started again: nothing lost, nothing twice."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.collect import GRACE
from faults.peers_of import serving, studies
from faults.room import Room, Truth, kill
from pacsfw.testing import FaultyPACS
from peers.process import free_port

PAIRS = (
    ("orthanc", "cmove"),
    ("orthanc", "cget"),
    ("orthanc", "wado"),
    ("dcmqrscp", "cmove"),
    ("dcmqrscp", "cget"),
)
DEADLINE = 90.0
START_SECONDS = 5.0
"""A run that follows a kill is at work within this time."""


@dataclass
class Tally:
    """What came of the cycles of one archive and transfer."""

    name: str
    cycles: int = 0
    """Times that a run was stopped while it was at work."""
    collections: int = 0
    slowest_start: float = 0.0
    slowest_end: float = 0.0
    wrong: list[str] = field(default_factory=list)


def stop_at_random(
    archive: str, transfer: str, cycles: int, number: signal.Signals, seed: int = 1
) -> Tally:
    """Stop runs at random moments until so many were stopped; every collection ends whole."""
    random, port = Random(seed), free_port()
    tally = Tally(f"{number.name} {archive} {transfer}")
    with serving(archive, port, studies()) as (pacs, truth):
        lasts = 3.0
        while tally.cycles < cycles and not tally.wrong:
            with tempfile.TemporaryDirectory(prefix="pacsfw-kill-") as folder:
                url = getattr(pacs, "dicomweb_url", "") if transfer == "wado" else ""
                room = Room(
                    Path(folder) / "c",
                    pacs_port=pacs.port,
                    receiver_port=port,
                    use=transfer,
                    dicomweb=url,
                )
                while tally.cycles < cycles and _cycle(room, tally, number, random, lasts):
                    pass
                begun = time.monotonic()
                lasts = max(_finish(room, truth, tally) - begun, 1.0)
    return tally


def _cycle(room: Room, tally: Tally, number: signal.Signals, random: Random, lasts: float) -> bool:
    """Start a run and stop it; False if it ended by itself before."""
    begun = time.monotonic()
    process = room.start()
    try:
        while not room.has_begun(process.pid) and process.poll() is None:
            time.sleep(0.005)
        tally.slowest_start = max(tally.slowest_start, time.monotonic() - begun)
        try:
            process.wait(random.uniform(0, lasts))
        except subprocess.TimeoutExpired:
            return _stop(process, tally, number)
        output, _ = process.communicate()
        if process.returncode:
            tally.wrong.append(f"exit code {process.returncode}: {output[-300:]}")
        return False
    finally:
        kill(process)


def _stop(process: subprocess.Popen[str], tally: Tally, number: signal.Signals) -> bool:
    asked = time.monotonic()
    process.send_signal(number)
    try:
        output, _ = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        tally.wrong.append(f"still there {DEADLINE:g} s after {number.name}")
        return False
    tally.cycles += 1
    tally.slowest_end = max(tally.slowest_end, time.monotonic() - asked)
    expected = (-number,) if number == signal.SIGKILL else (130, 0)
    if process.returncode not in expected:
        tally.wrong.append(f"exit code {process.returncode}: {output[-300:]}")
    if number != signal.SIGKILL and tally.slowest_end > GRACE + 5:
        tally.wrong.append(f"ended {tally.slowest_end:.1f} s after {number.name}")
    return True


def _finish(room: Room, truth: Truth, tally: Tally) -> float:
    """Let the collection become whole, and compare it; return when that run began."""
    begun = time.monotonic()
    run = room.run(DEADLINE)
    tally.collections += 1
    if run.code != 0:
        tally.wrong.append(f"at last: exit code {run.code}: {run.output[-300:]}")
    tally.wrong += truth.against(room)
    if tally.slowest_start > START_SECONDS:
        tally.wrong.append(f"a start took {tally.slowest_start:.1f} s")
    return begun + run.seconds


def second_collector(held: Callable[[], list] = studies) -> list[str]:
    """Start a second run on the same state, and one on the same port; say what is wrong."""
    port, wrong = free_port(), []
    with (
        serving("embedded", port, held()) as (pacs, truth),
        tempfile.TemporaryDirectory(prefix="pacsfw-two-") as folder,
    ):
        pacs.set_delay(3600.0)
        patient = {
            "inactivity_timeout: 1.5": "inactivity_timeout: 600",
            "total_timeout: 6": "total_timeout: 600",
        }
        first = Room(Path(folder) / "a", pacs_port=pacs.port, receiver_port=port, changes=patient)
        other = Room(Path(folder) / "b", pacs_port=pacs.port, receiver_port=port)
        process = first.start()
        try:
            while "C-MOVE" not in pacs.counters:
                if process.poll() is not None:
                    return [f"the first one ended: {process.communicate()[0][-300:]}"]
                time.sleep(0.01)
            same_port, same_state = other.run(DEADLINE), first.run(DEADLINE)
            pacs.set_delay(0.0)
            output, _ = process.communicate(timeout=DEADLINE)
        finally:
            kill(process)
        if same_state.code != 2 or "in use by another pacsfw" not in same_state.output:
            wrong.append(f"same state: {same_state.code}: {same_state.output[-300:]}")
        if same_port.code != 2 or str(port) not in same_port.output:
            wrong.append(f"same port: {same_port.code}: {same_port.output[-300:]}")
        if process.returncode:
            wrong.append(f"the first one: {process.returncode}: {output[-300:]}")
        return wrong + truth.against(first)


def blocked_peers() -> list[str]:
    """Stop a run whose PACS neither answers nor cancels, with half a PDU at our own port."""
    port = free_port()
    faults = {"silent": True, "deaf": True}
    with (
        FaultyPACS(
            studies()[:1],
            aetitle="theirtitle",
            destinations={"mytitle": ("127.0.0.1", port)},
            **faults,
        ) as pacs,
        tempfile.TemporaryDirectory(prefix="pacsfw-deaf-") as folder,
        socket.socket() as half,
    ):
        options = {"inactivity_timeout: 1.5": "inactivity_timeout: 60"}
        room = Room(Path(folder), pacs_port=pacs.port, receiver_port=port, changes=options)
        process = room.start()
        try:
            deadline = time.monotonic() + DEADLINE
            while "C-MOVE" not in pacs.counters and time.monotonic() < deadline:
                time.sleep(0.01)
            half.connect(("127.0.0.1", port))
            half.sendall(b"\x01\x00\x00\x00")
            tally = Tally("blocked peers")
            _stop(process, tally, signal.SIGTERM)
            return tally.wrong
        finally:
            kill(process)
