"""What callbacks cost in `pacsfw parse`: ten tags with none, one and ten of them, side by side.

    python benchmarks/bench_callbacks.py [--files 1500] [--runs 7]

Writes synthetic CT slices into memory, and reads ten tags of each as a worker process does:
without callbacks, with one and ten that return what they get, and with ten that fail. The
variants take turns, file by file; the order of the turns changes. Prints medians of the CPU time
per file, and their ratios. Then the same with whole commands, with one worker process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from measured import machine
from objects import write
from population import temporary_folder
from readers import TAGS

from pacsfw.plugins import PluginPlan, discover
from pacsfw.plugins.registry import Registry
from pacsfw.steps.tags.reading import CellReader, ReadingSpec

PLUGIN = """
def same(value) -> str:
    return str(value)


def failing(value) -> str:
    raise ValueError(value)
"""
VARIANTS = {
    "none": (0, "same"),
    "one": (1, "same"),
    "ten": (10, "same"),
    "ten failing": (10, "failing"),
}
"""How many of the ten tags have a callback, and which."""


def tree_of(number: int, name: str) -> list[dict[str, str]]:
    """Return ten tags, of which the first ones have a callback."""
    return [
        {"tag_name": tag, "type": "text"}
        | ({"callback": f"bench_plugin:{name}"} if position < number else {})
        for position, tag in enumerate(TAGS)
    ]


def reader_of(number: int, name: str, registry: Registry) -> Callable[[Path], object]:
    """Return what reads the row of a file."""
    from pacsfw.config.loading import tags_of_tree

    tags = tags_of_tree(tree_of(number, name), registry)
    cells = CellReader(ReadingSpec(plugins=PluginPlan(), tags=tags), registry)
    headers = cells.headers()
    return lambda path: cells.read(headers.read(path))


def rows(files: Sequence[Path], runs: int, registry: Registry) -> None:
    """Print the CPU time of reading a row."""
    readers = {name: reader_of(*how, registry) for name, how in VARIANTS.items()}
    found: dict[str, list[float]] = {name: [] for name in readers}
    for run in range(runs + 1):
        spent = dict.fromkeys(readers, 0.0)
        names = list(readers)
        for number, path in enumerate(files):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                begun = time.thread_time()
                readers[name](path)
                spent[name] += time.thread_time() - begun
        if run:  # the first one fills the caches
            for name, seconds in spent.items():
                found[name].append(seconds / len(files) * 1e6)
    print("\nreading a row, CPU")
    show({name: statistics.median(each) for name, each in found.items()}, "us a file")


def commands(folder: Path, files: Path, runs: int) -> None:
    """Print the time of whole commands."""
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for run in range(runs):
        names = list(VARIANTS)
        for name in names[run % len(names) :] + names[: run % len(names)]:
            conf = folder / "tags.json"
            conf.write_text(json.dumps({"tags": tree_of(*VARIANTS[name])}))
            conf.chmod(0o600)
            words = ["parse", "-i", files, "-f", conf, "-o", folder / "t.csv"]
            words += ["--workers", "1", "--force"]
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "pacsfw", *map(str, words)],
                env={"PYTHONPATH": str(folder), "PATH": ""},
                stdout=subprocess.DEVNULL,
                check=False,
            )
            found[name].append(time.perf_counter() - begun)
    print("\npacsfw parse, one worker process")
    show({name: statistics.median(each) for name, each in found.items()}, "s")


def show(medians: dict[str, float], unit: str) -> None:
    """Print medians and their ratios to no callback."""
    for name, value in medians.items():
        print(f"  {name:12} {value:9.2f} {unit}   {value / medians['none']:.3f}")


def main() -> int:
    """Run both."""
    parser = argparse.ArgumentParser(description="What callbacks cost.")
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    print(machine())
    with temporary_folder() as folder:
        (folder / "bench_plugin.py").write_text(PLUGIN)
        sys.path.insert(0, str(folder))
        (folder / "ct").mkdir()
        files = write(folder / "ct", given.files, "ct")
        rows(files[: min(1000, len(files))], given.runs, discover(PluginPlan(installed=False)))
        commands(folder, folder / "ct", given.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
