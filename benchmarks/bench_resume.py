"""A finished collection is resumed: how long it takes to see that nothing is left to do.

    python benchmarks/bench_resume.py [--studies 10000] [--runs 5]

Collects so many studies of one object once, from a folder, and then runs `pacsfw move` by
C-MOVE again and again on the same state. The PACS of that configuration is a socket that
counts who connects. Prints the seconds from start to end. Ends with 1 if the median is 5 s or
more, if anybody connected, or if anything came out differently.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from measured import machine
from population import temporary_folder

from pacsfw.testing import make_studies, write_studies
from peers.process import free_port

PACSFW = Path(sys.executable).parent / "pacsfw"
LONGEST = 5.0
"""Seconds; what it may take."""
_STORAGE = """\
storage: {resources: resources.csv, directory: archive}
tags:
  - {tag_name: PatientID}
  - {tag_name: StudyDate, callback: str2datetime}
  - {tag_name: SOPInstanceUID}
"""
_FROM_FOLDER = """\
find:
  use: folder
  with: {{path: {folder}}}
  search_fields: [PatientID]
  start_date: "20000101"
  end_date: "20991231"
move: {{use: folder, with: {{path: {folder}}}}}
"""
_FROM_PACS = """\
net:
  local_node: {{aetitle: PACSFW, bind: 127.0.0.1, port: {ours}}}
  called_node: {{aetitle: NOBODY, ip: 127.0.0.1, port: {theirs}}}
move: {{use: cmove}}
"""


def collect(folder: Path, studies: int) -> None:
    """Bring the collection into being."""
    source = folder / "source"
    write_studies(source, make_studies(studies, instances=1, modalities=[("CT",)]))
    conf = folder / "conf.yaml"
    conf.write_text(_FROM_FOLDER.format(folder=source) + _STORAGE)
    conf.chmod(0o600)
    run("run", conf)
    shutil.rmtree(source)


def run(command: str, conf: Path) -> float:
    """Run a command of pacsfw; return the seconds that it took."""
    begun = time.perf_counter()
    done = subprocess.run([PACSFW, command, "-f", conf], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pacsfw {command} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - begun


def rows(folder: Path) -> int:
    with (folder / "resources_meta.csv").open(newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the resuming of a finished collection.")
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"machine: {machine()}")
    with temporary_folder() as folder, socket.create_server(("127.0.0.1", 0)) as nobody:
        collect(folder, options.studies)
        conf = folder / "conf.yaml"
        theirs = nobody.getsockname()[1]
        conf.write_text(_FROM_PACS.format(ours=free_port(), theirs=theirs) + _STORAGE)
        took = [run("move", conf) for _ in range(options.runs)]
        nobody.setblocking(False)
        try:
            nobody.accept()
        except BlockingIOError:
            asked = False
        else:
            asked = True
        median, found = statistics.median(took), rows(folder)
    print(f"\n{options.studies:,} finished studies, `pacsfw move`, median of {len(took)} runs\n")
    print("| seconds (fastest, slowest) | the PACS was asked | rows in the table |\n|---|---|---|")
    print(f"| {median:.2f} ({min(took):.2f}, {max(took):.2f}) | {asked} | {found:,} |")
    return int(median >= LONGEST or asked or found != options.studies)


if __name__ == "__main__":
    sys.exit(main())
