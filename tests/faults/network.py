"""A network that cuts, resets, drips and stalls: both ways of a C-MOVE, a C-GET, and WADO."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.peers_of import serving, studies
from faults.proxy import KINDS, Mischief, Proxy
from faults.room import Room, members
from peers.process import free_port

DEADLINE = 120.0
SHARE = 0.3
"""Of the connections, so many meet a fault."""
LONGEST = 10_000
"""Bytes after which at the latest it happens: about what a study of the campaign has."""


@dataclass
class Bad:
    """What came of a campaign."""

    name: str
    faults: Counter[str] = field(default_factory=Counter)
    collections: int = 0
    runs: int = 0
    threads: list[int] = field(default_factory=list)
    """The most threads that any process of each run had."""
    files: list[int] = field(default_factory=list)
    """The most open files."""
    wrong: list[str] = field(default_factory=list)


def bad_network(transfer: str, offsets: int, seed: int = 1) -> Bad:
    """Collect through faults at so many random offsets; every collection ends whole."""
    random, bad = Random(seed), Bad(f"network {transfer}")
    receiver, pacs_side = free_port(), free_port()
    lock = threading.Lock()

    def plan() -> Mischief | None:
        with lock:
            if random.random() > SHARE:
                return None
            kind = random.choice(KINDS)
            offset = round(LONGEST ** random.random())  # as often in the first PDU as in the last
            return Mischief(kind, offset, upwards=random.random() < 0.5)

    by_web = transfer == "wado"
    with (
        Proxy(receiver, plan, pacs_side) as towards_us,
        serving("orthanc" if by_web else "embedded", pacs_side, studies(10)) as (pacs, truth),
        Proxy(pacs.port, plan) as towards_it,
        Proxy(pacs.http_port if by_web else pacs.port, plan) as towards_web,
    ):
        url = f"http://127.0.0.1:{towards_web.port}/dicom-web/" if by_web else ""
        while sum(bad.faults.values()) < offsets and not bad.wrong:
            with tempfile.TemporaryDirectory(prefix="pacsfw-net-") as folder:
                room = Room(
                    Path(folder) / "c",
                    pacs_port=towards_it.port,
                    receiver_port=receiver,
                    use=transfer,
                    attempts=8,
                    dicomweb=url,
                )
                _collect(room, bad)
                bad.wrong += truth.against(room)
                bad.collections += 1
            bad.faults = towards_us.done + towards_it.done + towards_web.done
    for name, most, bound in (("threads", bad.threads, 30), ("files", bad.files, 80)):
        if max(most) > bound:  # faults and runs are many, what they leave behind would add up
            bad.wrong.append(f"{name} grow: {most}")
    return bad


def _collect(room: Room, bad: Bad, most_runs: int = 20) -> None:
    """Run until it is whole: what a network that bad ends may be started again."""
    for _ in range(most_runs):
        process = room.start()
        watch = _Watch(process.pid)
        output, _ = process.communicate(timeout=DEADLINE)
        watch.stop()
        bad.runs += 1
        bad.threads.append(watch.threads)
        bad.files.append(watch.files)
        if process.returncode == 0:
            return
        if process.returncode not in (1, 4):
            break
    bad.wrong.append(f"exit code {process.returncode} at last: {output[-400:]}")


class _Watch:
    """Looks at the threads and open files of the processes of a session while they run."""

    def __init__(self, session: int) -> None:
        self.threads = self.files = 0
        self._session, self._over = session, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.3):
            for pid in members(self._session):
                with suppress(OSError):
                    folder = Path(f"/proc/{pid}")
                    self.threads = max(self.threads, len(list((folder / "task").iterdir())))
                    self.files = max(self.files, len(list((folder / "fd").iterdir())))
