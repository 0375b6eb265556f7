"""What a benchmark measures of other processes, and on which machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its descendants, and those that have ended already."""
    fields = [_fields(_PROC / str(each) / "stat") for each in family(pid)]
    return sum(sum(map(int, one[11:15])) for one in fields if one) / _TICKS


def _fields(stat: Path) -> list[str]:
    """The fields of /proc/PID/stat from the third on, since the second may hold blanks."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []


class Peak:
    """The most memory that a process and its descendants had together, in bytes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.bytes = 0

    def look(self) -> None:
        self.bytes = max(self.bytes, sum(map(resident, family(self._pid))))


def resident(pid: int) -> int:
    """Memory of a process; what it shares with others counts in proportion."""
    try:
        found = re.search(r"^Pss:\s+(\d+)", (_PROC / str(pid) / "smaps_rollup").read_text(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


@contextmanager
def watching(pid: int, seconds: float = 0.25) -> Iterator[Peak]:
    """Look at the memory of a process again and again."""
    peak, over = Peak(pid), threading.Event()

    def watch() -> None:
        while not over.wait(seconds):
            peak.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        peak.look()
        over.set()
        watcher.join()


def machine(*programs: str) -> str:
    """Describe the machine, Python and the first line of each program's ``--version``."""
    model = platform.processor() or platform.machine()
    cpuinfo = _PROC / "cpuinfo"
    if cpuinfo.exists():
        names = re.findall(r"model name\s*: (.+)", cpuinfo.read_text())
        model = names[0] if names else model
    parts = [platform.platform(), f"{os.cpu_count()} x {model}"]
    parts.append(f"Python {platform.python_version()}")
    return ", ".join(parts + [_version(program) for program in programs])


def _version(program: str) -> str:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.strip().splitlines()[0].strip("$ ")
