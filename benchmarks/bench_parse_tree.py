"""`pacsfw parse` over a tree of files: one and two workers, and memory for few and many files.

    python benchmarks/bench_parse_tree.py [--files 100000] [--runs 3] [--targets csv,parquet]
                                          [--memory 10000,1000000]

The files are hard links to a few CT slices of 512 KB, 200 in a folder, so that a million of them
cost little space. Starting the program is part of the time. Prints medians, and the ratio of two
workers to one of the same run. Ends with 1 if rows are missing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from measured import machine, watching
from objects import write
from population import temporary_folder
from readers import TAGS

PACSFW = Path(sys.executable).parent / "pacsfw"
DISTINCT = 50
IN_A_FOLDER = 200


def make_tree(folder: Path, count: int) -> None:
    """Fill a folder with hard links to a few CT slices."""
    sources = write(folder.parent / f"{folder.name}.sources", DISTINCT, "ct")
    for begin in range(0, count, IN_A_FOLDER):
        inner = folder / f"{begin // IN_A_FOLDER // 100:04}" / f"{begin // IN_A_FOLDER % 100:02}"
        inner.mkdir(parents=True)
        for number in range(begin, min(begin + IN_A_FOLDER, count)):
            os.link(sources[number % DISTINCT], inner / f"IM{number:07}")


def write_tags(path: Path) -> None:
    path.write_text(
        "tags:\n" + "".join(f"  - {{tag_name: {n}, type: {t}}}\n" for n, t in TAGS.items())
    )
    path.chmod(0o600)


def parse(tree: Path, tags: Path, target: str, workers: int) -> tuple[float, int, int]:
    """Return seconds, the most memory in bytes, and rows."""
    command = [PACSFW, "parse", "-i", tree, "-f", tags, "-o", target, "--force"]
    begun = time.perf_counter()
    with (
        subprocess.Popen(
            [*map(str, command), "--workers", str(workers)], stdout=subprocess.PIPE, text=True
        ) as process,
        watching(process.pid) as peak,
    ):
        out, _ = process.communicate()
    seconds = time.perf_counter() - begun
    [rows] = [line.split()[1] for line in out.splitlines() if line.startswith("rows")]
    return seconds, peak.bytes, int(rows.replace(",", ""))


def compare(base: Path, count: int, runs: int, targets: list[str]) -> bool:
    """Compare one and two workers in turn; tell whether all rows came."""
    tree, tags = base / "tree", base / "tags.yaml"
    make_tree(tree, count)
    write_tags(tags)
    print(f"\n{count:,} files, 10 tags, medians of {runs}")
    print(f"{'target':>8} {'workers':>7} {'files/s':>9} {'seconds':>8} {'memory':>8}")
    good = True
    for kind in targets:
        found: dict[int, list[tuple[float, int, int]]] = {1: [], 2: []}
        for _ in range(runs):
            for workers, results in found.items():
                results.append(parse(tree, tags, str(base / f"table.{kind}"), workers))
        medians = {}
        for workers, results in found.items():
            medians[workers] = statistics.median(seconds for seconds, _, _ in results)
            memory = max(peak for _, peak, _ in results) / 1e6
            good &= all(rows == count for _, _, rows in results)
            rate = count / medians[workers]
            print(
                f"{kind:>8} {workers:>7} {rate:>9,.0f} {medians[workers]:>8.2f} {memory:>6.0f} MB"
            )
        print(f"{kind:>8}   2 : 1 {medians[1] / medians[2]:>9.2f}")
    return good


def memory(base: Path, counts: list[int]) -> Iterator[bool]:
    """Print how much memory each number of files takes; yield whether all rows came."""
    tags = base / "tags.yaml"
    write_tags(tags)
    print("\nmemory, two workers, csv")
    for count in counts:
        make_tree(base / f"tree{count}", count)
        seconds, peak, rows = parse(base / f"tree{count}", tags, str(base / f"{count}.csv"), 2)
        rate = count / seconds
        print(f"{count:>10,} files {seconds:>8.1f} s {rate:>9,.0f} files/s {peak / 1e6:>6.0f} MB")
        yield rows == count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = int(os.environ.get("FILES", "100000"))
    parser.add_argument("--files", type=int, default=default, help="default: $FILES or 100000")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--targets", default="csv,parquet")
    parser.add_argument("--memory", default="", help="numbers of files, such as 10000,1000000")
    options = parser.parse_args()
    print(machine())
    good = True
    if options.runs:
        with temporary_folder() as base:
            good = compare(base, options.files, options.runs, options.targets.split(","))
    if options.memory:
        with temporary_folder() as base:
            good &= all(memory(base, [int(count) for count in options.memory.split(",")]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
