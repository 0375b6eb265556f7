"""`pacsfw move` by C-MOVE, C-GET and WADO-RS beside other programs, on the same Orthanc.

    python benchmarks/bench_move.py [--studies 60] [--runs 3]

Starts an Orthanc of its own, in memory where the system has a place for that, with studies of
50 CT slices of 512 KB. pacsfw does everything that it does (processes started, expected UIDs
asked for, every object checked, digested, laid out and parsed, table written, verdicts), from
its start to its end; the others write files. Slow programs get fewer studies, and the rates
are compared. Ends with 1 if a program did not bring exactly what was asked for.

PACSANINI_PYTHON and DICOMWEB_CLIENT_PYTHON name interpreters that have these packages; without
them they are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from measured import machine
from objects import PER_SERIES, ROOT, write
from population import temporary_folder

from peers.orthanc import Orthanc
from peers.process import NO_DELAY, Server, free_port

PACSFW = Path(sys.executable).parent / "pacsfw"
AETITLE, OURS, BIT_PRESERVING = "ORTHANC", "PACSFW", "STORESCP"

_CONFIGURATION = """\
net:
  local_node: {{aetitle: {ours}, port: {ours_port}}}
  called_node: {{aetitle: {theirs}, ip: 127.0.0.1, port: {port}, max_associations: {parallel}}}
  dicomweb: {{url: "{web}"}}
move: {{use: {use}, workers: {workers}}}
storage: {{resources: resources.csv, directory: dicom, sort_by: PATIENT}}
tags:
  - {{tag_name: PatientID}}
  - {{tag_name: StudyDate, callback: str2datetime}}
  - {{tag_name: SliceThickness, callback: float}}
  - {{tag_name: SOPInstanceUID}}
"""
_PACSANINI = """\
import sys
from loguru import logger; logger.remove()
from pacsanini.net import move_studies
uids, ours, theirs, port, folder = sys.argv[1].split(","), *sys.argv[2:]
for _ in move_studies(
    {"aetitle": "PACSFW", "port": int(ours)},
    {"aetitle": theirs, "ip": "127.0.0.1", "port": int(port)},
    study_uids=uids, directory=folder,
): pass
"""
_DICOMWEB_CLIENT = """\
import sys
from dicomweb_client.api import DICOMwebClient
client = DICOMwebClient(sys.argv[2].rstrip("/"))
for uid in sys.argv[1].split(","):
    for number, dataset in enumerate(client.iter_study(uid)):
        dataset.save_as(f"{sys.argv[3]}/{uid}.{number}.dcm")
"""


@dataclass
class World:
    """The archive, where it sends, and what there is."""

    server: Orthanc
    ours_port: int
    storescp_port: int
    studies: int

    def uids(self, count: int) -> list[str]:
        return [f"{ROOT}.{number}" for number in range(min(count, self.studies))]


@dataclass
class Program:
    """A program under test: ``run`` brings so many studies into a folder and takes seconds."""

    name: str
    run: Callable[[World, int, Path], float]
    most: int
    """Studies that it gets at most."""
    rates: list[float] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)
    objects: int = 0

    def measure(self, world: World, folder: Path) -> None:
        folder.mkdir(parents=True)
        count = min(self.most, world.studies)
        wall = self.run(world, count, folder)
        files = [path for path in folder.rglob("*") if ".pacsfw" not in path.parts]
        came = sum(path.is_file() and path.stat().st_size > 500_000 for path in files)
        self.objects = count * PER_SERIES
        self.rates.append(self.objects / wall)
        if came != self.objects:
            self.wrong.add(f"{came} of {self.objects} came")
        shutil.rmtree(folder)


def timed(*commands: list[str | Path], folder: Path, **environment: str) -> float:
    """Run processes one after the other; return the seconds that takes."""
    begun = time.perf_counter()
    for command in commands:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - begun


def pacsfw(use: str, parallel: int) -> Callable[[World, int, Path], float]:
    def run(world: World, count: int, folder: Path) -> float:
        conf = folder / "conf.yaml"
        conf.write_text(
            _CONFIGURATION.format(
                ours=OURS,
                ours_port=world.ours_port,
                theirs=AETITLE,
                port=world.server.port,
                web=world.server.dicomweb_url,
                use=use,
                parallel=parallel,
                workers=2,
            )
        )
        conf.chmod(0o600)
        with (folder / "resources.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["StudyInstanceUID"], *([u] for u in world.uids(count))])
        wall = timed([PACSFW, "move", "-f", conf], folder=folder)
        with (folder / "resources_meta.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == count * PER_SERIES
        return wall

    return run


def keys(uid: str) -> list[str]:
    return ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}"]


def node(world: World) -> list[str]:
    return ["127.0.0.1", str(world.server.port)]


def getscu(*more: str) -> Callable[[World, int, Path], float]:
    def run(world: World, count: int, folder: Path) -> float:
        head = ["getscu", "-q", "-S", *more, "-aet", OURS, "-aec", AETITLE, "-od", str(folder)]
        commands = [[*head, *keys(uid), *node(world)] for uid in world.uids(count)]
        return timed(*commands, folder=folder, TCP_NODELAY="1")

    return run


def movescu_storescp(world: World, count: int, folder: Path) -> float:
    receiving = ["storescp", "-q", "--bit-preserving", "--fork", "-pdu", "131072"]
    command = [*receiving, "-od", str(folder), str(world.storescp_port)]
    receiver = Server(command, world.storescp_port, folder / "log")
    receiver.start()
    try:
        head = ["movescu", "-q", "-S", "-aet", OURS, "-aec", AETITLE, "-aem", BIT_PRESERVING]
        commands = [[*head, *keys(uid), *node(world)] for uid in world.uids(count)]
        return timed(*commands, folder=folder, TCP_NODELAY="1")
    finally:
        receiver.stop()


def pynetdicom(app: str, *more: str) -> Callable[[World, int, Path], float]:
    def run(world: World, count: int, folder: Path) -> float:
        own = [word.format(port=world.ours_port) for word in more]
        head = [sys.executable, "-m", "pynetdicom", app, *node(world), "-q", "-S", "-aet", OURS]
        head += ["-aec", AETITLE, *own, "-od", str(folder)]
        return timed(*([*head, *keys(uid)] for uid in world.uids(count)), folder=folder)

    return run


def pacsanini(python: str) -> Callable[[World, int, Path], float]:
    def run(world: World, count: int, folder: Path) -> float:
        uids = ",".join(world.uids(count))
        arguments = [uids, str(world.ours_port), AETITLE, str(world.server.port), str(folder)]
        return timed([python, "-c", _PACSANINI, *arguments], folder=folder)

    return run


def dicomweb_client(python: str) -> Callable[[World, int, Path], float]:
    def run(world: World, count: int, folder: Path) -> float:
        uids, url = ",".join(world.uids(count)), world.server.dicomweb_url
        return timed([python, "-c", _DICOMWEB_CLIENT, uids, url, str(folder)], folder=folder)

    return run


def programs() -> Iterator[Program]:
    everything = 10**6
    yield Program("pacsfw cmove, 4 requests", pacsfw("cmove", 4), everything)
    yield Program("pacsfw cmove, 1 request", pacsfw("cmove", 1), everything)
    yield Program("pacsfw cget, 4 requests", pacsfw("cget", 4), everything)
    yield Program("pacsfw cget, 1 request", pacsfw("cget", 1), everything)
    yield Program("pacsfw wado, 4 requests", pacsfw("wado", 4), everything)
    yield Program("pacsfw wado, 1 request", pacsfw("wado", 1), everything)
    if python := os.environ.get("PACSANINI_PYTHON"):
        yield Program("pacsanini move", pacsanini(python), 2)
    yield Program(
        "pynetdicom movescu --store",
        pynetdicom("movescu", "-aem", OURS, "--store", "--store-port", "{port}"),
        2,
    )
    yield Program("pynetdicom getscu", pynetdicom("getscu"), 3)
    if python := os.environ.get("DICOMWEB_CLIENT_PYTHON"):
        yield Program("dicomweb-client", dicomweb_client(python), 6)
    yield Program("DCMTK getscu", getscu(), everything)
    yield Program("DCMTK getscu +B", getscu("--bit-preserving", "-pdu", "131072"), everything)
    yield Program("DCMTK movescu, storescp +B", movescu_storescp, everything)


@contextmanager
def archive(folder: Path, studies: int) -> Iterator[World]:
    ours, storescp = free_port(), free_port()
    destinations = {OURS: ("127.0.0.1", ours), BIT_PRESERVING: ("127.0.0.1", storescp)}
    server = Orthanc(folder, AETITLE, destinations)
    server.start()
    try:
        paths = write(folder / "source", studies * PER_SERIES, "ct")
        server.load(paths)
        shutil.rmtree(folder / "source")
        yield World(server, ours, storescp, studies)
    finally:
        server.stop()


REFERENCES = ("pacsanini move", "pynetdicom getscu", "dicomweb-client", "DCMTK getscu")


def show(measured: list[Program], as_json: Path | None) -> None:
    median = {one.name: statistics.median(one.rates) for one in measured}
    against = [name for name in REFERENCES if name in median]
    print(f"\n{'objects/s':<28} {'median (slowest, fastest)':<28} {'objects':>7}", end="")
    print("".join(f"  x {name:<18}" for name in against))
    for one in measured:
        rate = median[one.name]
        spread = f"{rate:,.0f} ({min(one.rates):,.0f}, {max(one.rates):,.0f})"
        print(f"{one.name:<28} {spread:<28} {one.objects:>7,}", end="")
        print("".join(f"  {rate / median[name]:<20.2f}" for name in against), end="")
        print("  " + "; ".join(sorted(one.wrong)))
    if as_json:
        as_json.write_text(json.dumps({one.name: one.rates for one in measured}, indent=1))


def main() -> int:
    parser = argparse.ArgumentParser(description="Time pacsfw move beside other programs.")
    default = int(os.environ.get("STUDIES", "60"))
    parser.add_argument("--studies", type=int, default=default, help="default: $STUDIES or 60")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="programs whose name has this in it")
    parser.add_argument("--json", type=Path, help="write the rates here too")
    options = parser.parse_args()
    assert NO_DELAY["TCP_NODELAY"] == "1"  # Orthanc does not wait 40 ms for each object
    print(f"machine: {machine('getscu', 'Orthanc')}")
    chosen = [one for one in programs() if options.only in one.name]
    with temporary_folder() as base, archive(base / "orthanc", options.studies) as world:
        for number in range(options.runs):
            for place, program in enumerate(chosen):  # in turn: all see the same machine
                program.measure(world, base / f"run-{number}-{place}")
        show(chosen, options.json)
    return int(any(one.wrong for one in chosen))


if __name__ == "__main__":
    sys.exit(main())
