"""C-MOVE end to end: pacsfw beside DCMTK, pynetdicom and pacsanini, from the same archives.

    python benchmarks/bench_retrieve.py [--servers orthanc,dcmqrscp] [--studies 3] [--runs 5]

Fills an Orthanc and a dcmqrscp, started with their default socket settings (Nagle's algorithm
on), with studies of 100 CT images of 512 KB, and retrieves all of them with each program in
turn. The time is that of the programs that ask, from start to end; receivers that are programs
of their own run before. `pacsfw move` also stores, checks and parses what comes. Slow programs
get fewer studies. Prints medians. Ends with 1 where a target of docs/performance.md was not met.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from measured import machine
from population import temporary_folder
from storage_peers import AETITLE, DCMTK, OURS, PACSANINI, Receiver, kinds
from wire_objects import PER_STUDY, SHAPES, part10, study_uid

from peers import process
from peers.dcmqrscp import Dcmqrscp
from peers.orthanc import Orthanc

PACSFW = Path(sys.executable).parent / "pacsfw"
LIKE_FOR_LIKE = "movescu to pacsfw"
SENDER, ASKER = "ARCHIVE", "ASKER"
_CONFIGURATION = """\
net:
  local_node: {{aetitle: COLLECT, bind: 127.0.0.1, port: {port}}}
  called_node: {{aetitle: {sender}, ip: 127.0.0.1, port: {server}, max_associations: {moves}}}
find:
  search_fields: [PatientID]
  start_date: "20200101"
  end_date: "20201231"
storage:
  resources: {resources}
  resources_meta: meta.csv
  directory: archive
move: {{receivers: 2, workers: 2}}
tags: [{{tag_name: PatientID}}, {{tag_name: StudyInstanceUID}}, {{tag_name: SOPInstanceUID}}]
"""
_PACSANINI = """\
import sys
from loguru import logger
logger.remove()
from pacsanini.net import move_studies
port, called, server, folder, *uids = sys.argv[1:]
ours = {"aetitle": "COLLECT", "port": int(port)}
theirs = {"aetitle": called, "ip": "127.0.0.1", "port": int(server)}
for _ in move_studies(ours, theirs, study_uids=uids, directory=folder):
    pass
"""


@dataclass
class Way:
    """A way to retrieve ``studies`` studies into a folder."""

    name: str
    run: Callable[[Path, list[str]], None]
    studies: int
    rates: list[float] = field(default_factory=list)

    def measure(self, folder: Path) -> None:
        folder.mkdir()
        begun = time.monotonic()
        self.run(folder, [study_uid(0, number * PER_STUDY) for number in range(self.studies)])
        wall = time.monotonic() - begun
        self.rates.append(self.studies * PER_STUDY / wall)


@dataclass
class Ports:
    """Where the receivers listen that the archive knows."""

    storescp: int = field(default_factory=process.free_port)
    ours: int = field(default_factory=process.free_port)
    collect: int = field(default_factory=process.free_port)

    def destinations(self) -> dict[str, tuple[str, int]]:
        ports = {"RX": self.storescp, AETITLE: self.ours, "COLLECT": self.collect}
        return {title: ("127.0.0.1", port) for title, port in {**ports, ASKER: 1}.items()}


def run(*command: str | Path, fine: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in fine:
        said = f"{done.stdout[-1500:]}{done.stderr[-1500:]}"
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{said}")


def movescu(server: int, destination: str, uids: list[str]) -> None:
    for uid in uids:
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
        titles = ("-aet", ASKER, "-aec", SENDER, "-aem", destination)
        run("movescu", "-q", "-S", *titles, *keys, "127.0.0.1", str(server))


def at_once(server: int, destination: str, uids: list[str]) -> None:
    with ThreadPoolExecutor(len(uids)) as pool:
        list(pool.map(lambda uid: movescu(server, destination, [uid]), uids))


def pynetdicom(server: int, port: int, folder: Path, uids: list[str]) -> None:
    for uid in uids:
        run(
            *(sys.executable, "-m", "pynetdicom", "movescu", "127.0.0.1", str(server), "-q", "-S"),
            *("-aet", "COLLECT", "-aec", SENDER, "-aem", "COLLECT", "--store"),
            *("--store-port", str(port), "--store-aet", "COLLECT", "-od", folder),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}"),
        )


def configured(folder: Path, resources: Path, server: int, port: int, moves: int) -> Path:
    path = folder / "conf.yaml"
    path.write_text(
        _CONFIGURATION.format(
            port=port, sender=SENDER, server=server, resources=resources, moves=moves
        )
    )
    path.chmod(0o600)
    return path


def _asked(
    how: Callable[[int, str, list[str]], None],
    server: int,
    destination: str,
    _folder: Path,
    uids: list[str],
) -> None:
    how(server, destination, uids)


def ways(server: int, ports: Ports, base: Path, studies: int) -> list[Way]:
    resources = base / "resources.csv"

    def pacsfw(moves: int) -> Callable[[Path, list[str]], None]:
        def move(folder: Path, _: list[str]) -> None:
            path = configured(folder, resources, server, ports.collect, moves)
            run(PACSFW, "move", "-f", path, "--ignore-window")
            found = sum(1 for _ in (folder / "archive").rglob("*.dcm"))
            if found != studies * PER_STUDY:
                raise SystemExit(f"pacsfw move: {found} files of {studies * PER_STUDY}")

        return move

    found = [
        *(
            Way(f"movescu to {name}{words}", partial(_asked, how, server, title), studies)
            for words, how in (("", movescu), (", all at once", at_once))
            for name, title in (("storescp", "RX"), ("pacsfw", AETITLE))
        ),
        Way("pacsfw move, 2 at once", pacsfw(2), studies),
        Way("pacsfw move, 4 at once", pacsfw(4), studies),
        Way(
            "pynetdicom movescu",
            lambda folder, uids: pynetdicom(server, ports.collect, folder, uids),
            1,
        ),
    ]
    if PACSANINI:
        arguments = (str(ports.collect), SENDER, str(server))
        command = (PACSANINI, "-c", _PACSANINI, *arguments)
        found.append(Way("pacsanini", lambda folder, uids: run(*command, folder, *uids), 1))
    return found


@contextmanager
def archive(name: str, folder: Path, ports: Ports, studies: int) -> Iterator[int]:
    """An archive with its default socket settings, full of studies; gives its port."""
    made = {"orthanc": Orthanc, "dcmqrscp": Dcmqrscp}[name]
    process.NO_DELAY = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    server = made(folder / name, SENDER, ports.destinations())
    source = folder / "source"
    source.mkdir()
    paths = [source / f"{number:05d}.dcm" for number in range(studies * PER_STUDY)]
    for number, path in enumerate(paths):
        path.write_bytes(part10(SHAPES["ct"], 0, number))
    server.start()
    try:
        server.load(paths)
        shutil.rmtree(source)
        yield server.port
    finally:
        server.stop()


def compare(name: str, base: Path, options: argparse.Namespace) -> list[str]:
    ports = Ports()
    receivers = [
        Receiver(kinds()[DCMTK], ports.storescp, base / "storescp"),
        Receiver(kinds()[OURS], ports.ours, base / "pacsfw"),
    ]
    with archive(name, base, ports, options.studies) as server:
        for receiver in receivers:
            receiver.start()
        try:
            path = configured(base, base / "resources.csv", server, ports.collect, 1)
            run(PACSFW, "find", "-f", path, fine=(0, 1))  # so few studies prove nothing
            found = ways(server, ports, base, options.studies)
            for number in range(options.runs):
                for position, way in enumerate(found):
                    way.measure(base / f"{number}-{position}")
                    shutil.rmtree(base / f"{number}-{position}")
                    for receiver in receivers:
                        receiver.clear()
        finally:
            for receiver in receivers:
                receiver.stop()
    return show(name, found)


def show(name: str, found: list[Way]) -> list[str]:
    """Print the table; return the targets that were missed."""
    medians = {way.name: statistics.median(way.rates) for way in found}
    ours = medians[LIKE_FOR_LIKE]
    print(f"\nC-MOVE from {name}, 512 KB, Nagle on; median of {len(found[0].rates)} runs\n")
    print("| way | objects/s (slowest, fastest) | movescu to pacsfw is |\n|---|---|---|")
    for way in found:
        rate = medians[way.name]
        spread = f"({min(way.rates):,.0f}, {max(way.rates):,.0f})"
        print(f"| {way.name} | {rate:,.0f} {spread} | {ours / rate:.2f}x |", flush=True)
    wanted = {"movescu to storescp": 1.5, "pynetdicom movescu": 10, "pacsanini": 20}
    return [
        f"C-MOVE from {name}: {ours / medians[other]:.2f} of {other}, not {ratio}"
        for other, ratio in wanted.items()
        if other in medians and ours < ratio * medians[other]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Time C-MOVE end to end.")
    parser.add_argument("--servers", default="orthanc,dcmqrscp")
    parser.add_argument("--studies", type=int, default=4, help="of 100 objects each")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"machine: {machine('movescu', 'Orthanc')}")
    missed: list[str] = []
    for name in options.servers.split(","):
        with temporary_folder() as base:
            missed += compare(name, base, options)
    for one in missed:
        print(f"target missed: {one}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
