"""`pacsfw find` beside DCMTK's findscu, on the same Orthanc, in the same run.

    python benchmarks/bench_find.py [--studies 10000] [--runs 3]

Starts an Orthanc of its own, in memory where the system has a place for that, and asks it
for every study at a tenth of the number and at the whole number of studies. Each program
is a process of its own, timed from its start to its end. Ends with 1 if a program did not
find exactly what was stored.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from counting import counting
from measured import machine
from population import AETITLE, DAYS, OURS, START, orthanc, studies, temporary_folder, upload

END = START.replace(month=12, day=31)
KEYS = ("PatientName", "PatientID", "AccessionNumber", "ModalitiesInStudy")
PACSFW = Path(sys.executable).parent / "pacsfw"
_UID = re.compile(rb"\(0020,000d\) UI \[([0-9.]+)")
_CONFIGURATION = """\
net:
  local_node: {{aetitle: {ours}}}
  called_node: {{aetitle: {theirs}, ip: 127.0.0.1, port: {port}}}
find:
  start_date: "{start:%Y%m%d}"
  end_date: "{end:%Y%m%d}"
  search_fields: [PatientID, AccessionNumber]
storage:
  resources: resources.csv
  directory: dicom
"""


@dataclass
class Program:
    """A program under test; ``run`` asks the port and tells what it found."""

    name: str
    run: Callable[[int, Path], tuple[float, int, list[str]]]
    walls: list[float] = field(default_factory=list)
    peak: int = 0
    wrong: list[str] = field(default_factory=list)
    queries: int = 0
    associations: int = 0

    def measure(self, port: int, folder: Path, stored: frozenset[str]) -> None:
        wall, peak, found = self.run(port, folder)
        self.walls.append(wall)
        self.peak = max(self.peak, peak)
        self.check(found, stored)

    def count(self, port: int, folder: Path, stored: frozenset[str]) -> None:
        """Ask once more, through a relay that counts and that no time is measured with."""
        with counting(port) as counter:
            self.check(self.run(counter.port, folder)[2], stored)
        self.queries, self.associations = counter.queries, counter.associations

    def check(self, found: list[str], stored: frozenset[str]) -> None:
        missing, foreign = len(stored - set(found)), len(set(found) - stored)
        twice = len(found) - len(set(found))
        if missing or foreign or twice:
            self.wrong.append(f"{missing} missing, {foreign} foreign, {twice} twice")


def process(command: list[str | Path], folder: Path) -> tuple[float, int]:
    """Run a process to its end; return wall time in seconds and peak memory in bytes."""
    with (folder / "output").open("wb") as output:
        begun = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        text = (folder / "output").read_text(errors="replace")[-2000:]
        raise SystemExit(f"{command[0]} ended with {child.returncode}:\n{text}")
    scale = 1 if sys.platform == "darwin" else 1024
    return wall, usage.ru_maxrss * scale


def findscu(port: int, folder: Path) -> tuple[float, int, list[str]]:
    command: list[str | Path] = ["findscu", "-S", "-aet", OURS, "-aec", AETITLE]
    dates = f"StudyDate={START:%Y%m%d}-{END:%Y%m%d}"
    for key in ("QueryRetrieveLevel=STUDY", "StudyInstanceUID", dates, *KEYS):
        command += ["-k", key]
    wall, peak = process([*command, "127.0.0.1", str(port)], folder)
    return wall, peak, [uid.decode() for uid in _UID.findall((folder / "output").read_bytes())]


def pacsfw_find(port: int, folder: Path) -> tuple[float, int, list[str]]:
    configuration = folder / "conf.yaml"
    configuration.write_text(
        _CONFIGURATION.format(ours=OURS, theirs=AETITLE, port=port, start=START, end=END)
    )
    configuration.chmod(0o600)
    wall, peak = process([PACSFW, "find", "-f", configuration], folder)
    with (folder / "resources.csv").open(newline="", encoding="utf-8-sig") as lines:
        return wall, peak, [row["StudyInstanceUID"] for row in csv.DictReader(lines)]


def compare(port: int, base: Path, stored: frozenset[str], runs: int) -> list[Program]:
    programs = [Program("findscu", findscu), Program("pacsfw find", pacsfw_find)]
    for number in range(runs):
        for program in programs:  # in turn, so that both see the same machine
            program.measure(port, fresh(base, program, str(number)), stored)
    for program in programs:
        program.count(port, fresh(base, program, "count"), stored)
    return programs


def fresh(base: Path, program: Program, run: str) -> Path:
    """A folder that no earlier run has left anything in."""
    folder = base / f"{program.name.replace(' ', '-')}-{run}"
    folder.mkdir(parents=True)
    return folder


def show(programs: list[Program], count: int) -> None:
    reference = statistics.median(programs[0].walls)
    print(f"\n{count:,} studies, median of {len(programs[0].walls)} runs (fastest, slowest):")
    print(f"{'process':<12} {'wall s':<20} {'studies/s':>9} {'ratio':>6} {'queries':>8}", end="")
    print(f" {'associations':>13} {'peak MB':>8}  found")
    for one in programs:
        wall = statistics.median(one.walls)
        walls = f"{wall:.2f} ({min(one.walls):.2f}, {max(one.walls):.2f})"
        found = "; ".join(sorted(set(one.wrong))) or f"all {count:,}"
        print(
            f"{one.name:<12} {walls:<20} {count / wall:>9,.0f} {reference / wall:>6.2f}"
            f" {one.queries:>8} {one.associations:>13} {one.peak / 1e6:>8.0f}  {found}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="Time pacsfw find beside DCMTK findscu.")
    default = int(os.environ.get("STUDIES", "10000"))
    parser.add_argument("--studies", type=int, default=default, help="default: $STUDIES or 10000")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"machine: {machine('findscu', 'Orthanc')}")
    print(f"ratio: studies/s relative to DCMTK findscu; dates over {DAYS} days")
    wrong = False
    with temporary_folder() as base, orthanc(base / "orthanc") as server:
        stored: frozenset[str] = frozenset()
        for count in sorted({max(options.studies // 10, 1), options.studies}):
            stored |= upload(server, studies(range(len(stored), count)))
            programs = compare(server.port, base / str(count), stored, options.runs)
            show(programs, count)
            wrong |= any(one.wrong for one in programs)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
