"""Reading ten tags of many files: pacsfw beside other readers, and beside the limit.

    python benchmarks/bench_parse.py [--files 3000] [--runs 5] [--kinds ct,small,enhanced] [--cold]

Writes synthetic objects into memory where the system has a place for that (on disk with
--cold), and lets each program read them in a process of its own, in turn, so that all see
the same machine. Prints medians. Ends with 1 if rows are missing or wrong.

Programs that are not installed are left out: dicomsdl, fastdicom and fw-file-rs (`pip install
--group bench`), dcmdump and dcm2json (DCMTK), and pacsanini, whose Python is named by
$PACSANINI_PYTHON.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from measured import machine
from objects import write
from population import temporary_folder
from readers import TAGS, is_here, pacsfw

READERS = Path(__file__).with_name("readers.py")
PACSFW = Path(sys.executable).parent / "pacsfw"
COUNTS = {"ct": 1.0, "small": 2.0, "enhanced": 0.02}
"""Kinds of objects, and how many there are of each for one of --files."""
METHODS = {
    "ct": ("pacsfw", "pacsfw_absent", "pydicom", "pydicom_specific", "dicomsdl", "fastdicom",
           "fw_file_rs", "dcmdump", "dcm2json", "open_and_read"),
    "small": ("pacsfw", "pydicom", "dicomsdl", "fastdicom", "fw_file_rs", "dcmdump",
              "open_and_read"),
    "enhanced": ("pacsfw", "pydicom", "dcmdump", "pacsfw_frames", "pydicom_frames"),
}  # fmt: skip
_LIMIT = """\
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **words) {
    char path[4096], bytes[8192];
    long files = 0;
    struct timespec begun, ended;
    FILE *list = fopen(words[count - 1], "r");
    clock_gettime(CLOCK_MONOTONIC, &begun);
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\\n")] = 0;
        int file = open(path, O_RDONLY);
        files += read(file, bytes, sizeof bytes) > 0;
        close(file);
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = ended.tv_sec - begun.tv_sec + (ended.tv_nsec - begun.tv_nsec) / 1e9;
    printf("0 %f %ld\\n", seconds, files);
}
"""
_PACSANINI = """\
import sys, time
from pacsanini.io import parse_dir2csv
from pacsanini.parse import DicomTagGroup
folder, out, threads, tags = sys.argv[1:]
group = DicomTagGroup(tags=[{"tag_name": tag} for tag in tags.split(",")])
begun = time.perf_counter()
parse_dir2csv(folder, group, out, nb_threads=int(threads))
print(0, time.perf_counter() - begun, sum(1 for _ in open(out)) - 1)
"""


@dataclass
class Program:
    """A program under test, and what was measured of it."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    rows: int = 0
    peak: int = 0

    def measure(self, folder: Path) -> None:
        output = folder / "output"
        with output.open("wb") as file:
            child = subprocess.Popen(self.command, stdout=file, stderr=subprocess.STDOUT)
            child.wait()
        text = output.read_text(errors="replace")
        if child.returncode:
            raise SystemExit(f"{self.name} ended with {child.returncode}:\n{text[-2000:]}")
        *_, peak, seconds, rows = text.split()
        self.seconds.append(float(seconds))
        self.rows = int(rows)
        self.peak = max(self.peak, int(peak))

    @property
    def rate(self) -> float:
        return self.rows / statistics.median(self.seconds)


def programs(kind: str, folder: Path, listing: Path, base: Path) -> Iterator[Program]:
    for method in METHODS[kind]:
        program = method if method.startswith("dcm") else ""
        if is_here(method) and (not program or shutil.which(program)):
            yield Program(method, [sys.executable, str(READERS), method, str(listing)])
    if compiler := shutil.which("cc"):
        source, limit = base / "limit.c", base / "limit"
        source.write_text(_LIMIT)
        subprocess.run([compiler, "-O2", "-o", limit, source], check=True)
        yield Program("limit in C", [str(limit), str(listing)])
    if (python := os.environ.get("PACSANINI_PYTHON")) and kind != "enhanced":
        for threads in ("1", "2", "4"):
            words = [str(folder), str(base / "pacsanini.csv"), threads, ",".join(TAGS)]
            yield Program(f"pacsanini, {threads}", [python, "-c", _PACSANINI, *words])


def is_right(files: list[Path]) -> bool:
    """Compare some rows with what pydicom reads."""
    from pydicom import dcmread

    some = [str(path) for path in files[:: max(len(files) // 20, 1)]]
    for path, row in zip(some, pacsfw(some), strict=True):
        dataset = dcmread(path, stop_before_pixels=True)
        date = row[5].strftime("%Y%m%d")
        expected = [dataset.get(tag) for tag in TAGS]
        if [*row[:5], date, *row[6:9]] != [*map(str, expected[:6]), *expected[6:9]]:
            return False
        if row[9] != list(expected[9]):
            return False
    return True


def compare(kind: str, count: int, runs: int, base: Path, *, cold: bool) -> bool:
    folder = base / kind
    files = write(folder, count, kind)
    listing = base / f"{kind}.txt"
    listing.write_text("".join(f"{path}\n" for path in files))
    found = list(programs(kind, folder, listing, base))
    for run in range(runs + 1):
        for program in found:
            if cold:
                forget()
            program.measure(base)
            if run == 0:
                program.seconds.clear()  # the first one warms the caches
    size = sum(path.stat().st_size for path in files) // len(files)
    show(f"{count:,} {kind}, {size:,} bytes each, {'cold' if cold else 'warm'}", found)
    right = is_right(files) and all(
        program.rows == count for program in found if program.name != "dcm2json"
    )
    shutil.rmtree(folder)
    return right


def forget() -> None:
    """Drop the caches of the system."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def show(title: str, found: list[Program]) -> None:
    ours = found[0].rate
    print(f"\n{title}; median of {len(found[0].seconds)} (slowest, fastest)")
    print(f"{'program':<18} {'files/s':>9} {'':<20} {'pacsfw is':>10} {'peak MB':>8}")
    for one in found:
        slowest, fastest = one.rows / max(one.seconds), one.rows / min(one.seconds)
        spread = f"({slowest:,.0f}, {fastest:,.0f})"
        times = f"{ours / one.rate:.2f}x"
        memory = f"{one.peak / 1e6:.0f}" if one.peak else ""
        print(f"{one.name:<18} {one.rate:>9,.1f} {spread:<20} {times:>10} {memory:>8}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = int(os.environ.get("FILES", "3000"))
    parser.add_argument("--files", type=int, default=default, help="default: $FILES or 3000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kinds", default="ct,small,enhanced")
    parser.add_argument("--cold", action="store_true", help="empty the caches first; needs root")
    options = parser.parse_args()
    print(f"machine: {machine()}")
    right = True
    with TemporaryDirectory() as disk, temporary_folder() as memory:
        base = Path(disk) if options.cold else memory  # what is in memory is never cold
        for kind in options.kinds.split(","):
            count = max(int(options.files * COUNTS[kind]), 1)
            right &= compare(kind, count, options.runs, base, cold=options.cold)
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
