"""A disk that is full: a small tmpfs, filled before or in the middle of a move."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from faults.peers_of import serving, studies
from faults.room import Room, Truth, kill
from peers.process import free_port

SIZE = 8_000_000
"""Bytes of the disk; what is collected needs about a tenth of it."""
RESERVE = 1_000_000
RESUME_SECONDS = 60.0
"""A run that waits for space goes on within this time after there is some."""
DEADLINE = 60.0


@dataclass
class Full:
    """What came of it."""

    cycles: int = 0
    waited: int = 0
    """Runs that waited for space and went on by themselves."""
    ended: int = 0
    """Runs that ended because there was none, and were given again."""
    slowest_resume: float = 0.0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a tmpfs.

    Raises
    ------
    PermissionError
        That takes the rights of root here.
    """
    with tempfile.TemporaryDirectory(prefix="pacsfw-disk-") as name:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", name]
        if (
            shutil.which("mount") is None
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
            raise PermissionError("a tmpfs cannot be mounted: that takes root")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def fill_up(cycles: int, seed: int = 1) -> Full:
    """Collect onto disks that fill up; every collection ends whole once there is space.

    In turn: less space than the reserve is left, so that nothing is requested; and hardly
    any space at all without a reserve, so that writing fails.
    """
    random, port, full = Random(seed), free_port(), Full()
    with serving("embedded", port, studies(12)) as (pacs, truth):
        while full.cycles < cycles and not full.wrong:
            reserved = full.cycles % 2 == 0
            with small_disk() as disk:
                changes = {
                    "    directory: my/dicom/dir\n": f"    directory: {disk}/dicom\n"
                    f"    reserve: {RESERVE if reserved else 0} B\n"
                }
                folder = disk / "c"
                room = Room(folder, pacs_port=pacs.port, receiver_port=port, changes=changes)
                room.collected.archive = disk / "dicom"
                room.collected.state = disk / "dicom" / ".pacsfw"
                if (run := room.run(DEADLINE, "find")).code != 0:
                    full.wrong.append(f"find: {run.code}: {run.output[-300:]}")
                    break
                left = RESERVE // 2 if reserved else random.randrange(4096, 250_000)
                _one(room, truth, full, disk / "filler", left)
                full.cycles += 1
    return full


def _one(room: Room, truth: Truth, full: Full, filler: Path, left: int) -> None:
    free = os.statvfs(filler.parent)
    filler.write_bytes(b"\0" * max(0, free.f_bavail * free.f_frsize - left))
    process = room.start("move")
    try:
        waiting = _is_running(process, 4.0)
        filler.unlink()
        freed = time.monotonic()
        output, _ = process.communicate(timeout=RESUME_SECONDS)
    except subprocess.TimeoutExpired:
        full.wrong.append(f"did not go on within {RESUME_SECONDS:g} s after there was space")
        return
    finally:
        kill(process)
    if waiting:
        full.waited += 1
        full.slowest_resume = max(full.slowest_resume, time.monotonic() - freed)
    if process.returncode not in (0, 1, 2):
        full.wrong.append(f"exit code {process.returncode}: {output[-300:]}")
    if process.returncode:
        full.ended += 1
        full.wrong += [each for each in truth.against(room) if "FALSELY" in each]
        again = room.run(DEADLINE, "move")
        if again.code != 0:
            full.wrong.append(f"given again: {again.code}: {again.output[-300:]}")
    full.wrong += truth.against(room)


def _is_running(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False
