"""How long the command line takes to answer, with 0 and with 50 plugins installed.

    python benchmarks/bench_startup.py [--plugins 50] [--runs 15]

Each plugin is a distribution of its own, with metadata and one small module that offers a
layout. Each command is a process of its own; `python -c pass` stands beside it in the same
run, and the ratio to it is printed; so is the ratio of many plugins to none (target: 1.1 x for
`pacsfw --help`). The index of plugins is filled before. Ends with 1 if a command fails, or if
it imports what is slow (pydicom, pynetdicom) or any of the plugins.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measured import machine

CODE = '''\
"""A layout."""

from pacsfw import Component, hookimpl


def layout(header):
    """One folder per study."""
    return [header.StudyInstanceUID, header.SOPInstanceUID]


@hookimpl
def pacsfw_layouts():
    yield Component.of(layout, name="{name}")
'''
SLOW = ("pydicom", "pynetdicom")
ASKED = f"""
import sys
from pacsfw.cli import main
code = main(sys.argv[1:])
plugins = [name for name in sys.modules if name.startswith("bench_plugin_")]
sys.exit(code or bool(plugins) or any(name in sys.modules for name in {SLOW!r}))
"""
NOTHING = ["-c", "pass"]
COMMANDS = {
    "python -c pass": NOTHING,
    "pacsfw --version": ["-m", "pacsfw", "--version"],
    "pacsfw --help": ["-m", "pacsfw", "--help"],
    "pacsfw plugins list": ["-m", "pacsfw", "plugins", "list"],
}


def install(folder: Path, number: int) -> None:
    """Lay down the metadata and the module of a plugin."""
    name = f"bench_plugin_{number}"
    (folder / f"{name}.py").write_text(CODE.format(name=f"layout-{number}"))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pacsfw]\n{name} = {name}\n")


def run(words: list[str], folder: Path) -> float:
    """Return the seconds that a command takes from its start to its end."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PACSFW_CACHE_DIR": str(folder / "cache"),
    }
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True)
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr.decode()}")
    return seconds


def measure(folders: dict[int, Path], runs: int) -> dict[tuple[str, int], list[float]]:
    """Run everything in turns, so that what else the machine does meets all alike."""
    seconds: dict[tuple[str, int], list[float]] = {}
    for attempt in range(runs + 1):
        for name, words in COMMANDS.items():
            for plugins, folder in folders.items():
                took = run(words, folder)
                if attempt:  # the first one compiles the modules
                    seconds.setdefault((name, plugins), []).append(took)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plugins", type=int, default=50)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folders = {0: Path(name) / "none", options.plugins: Path(name) / "some"}
        for folder in folders.values():
            folder.mkdir()
        for number in range(options.plugins):
            install(folders[options.plugins], number)
        for folder in folders.values():
            for words in (["--help"], ["plugins", "list"]):
                run(["-c", ASKED, *words], folder)
        seconds = measure(folders, options.runs)
    print(f"{options.runs} runs each, median (least), and how often `python -c pass` fits in it")
    for name in COMMANDS:
        none = statistics.median(seconds[name, 0])
        for plugins in folders:
            took = seconds[name, plugins]
            base = statistics.median(seconds["python -c pass", plugins])
            median = statistics.median(took)
            print(
                f"{name:20} {plugins:3} plugins {median * 1000:6.0f} ms "
                f"({min(took) * 1000:.0f}) {median / base:5.1f} x {median / none:6.2f} x of none"
            )


if __name__ == "__main__":
    main()
