"""One collection of a campaign: its configuration, its runs, and what came of them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pacsfw.testing.pacs_faults import OTHER_STUDY
from pacsfw.words import GOOD
from support.documented import Collected

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TESTS)}

MOVE = """\
    query_level: STUDY
    attempts: {attempts}
    use: {use}
    with: {{{options}}}
net:"""
CLOCKS = {
    "cmove": "inactivity_timeout: 1.5, total_timeout: 6, cancel_grace: 1",
    "cget": "inactivity_timeout: 1.5, total_timeout: 6, cancel_grace: 1",
    "wado": "",
}


@dataclass
class Run:
    """How a run ended."""

    code: int | None
    """None: it was still running at its deadline, and was killed."""
    seconds: float
    output: str


class Room:
    """A collection in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        pacs_port: int,
        receiver_port: int,
        use: str = "cmove",
        attempts: int = 4,
        changes: Mapping[str, str] = {},
        dicomweb: str = "",
    ) -> None:
        move = MOVE.format(use=use, attempts=attempts, options=CLOCKS[use])
        usual = {"    query_level: STUDY\nnet:": move}
        if dicomweb:
            usual["    called_node:\n"] = (
                f"    dicomweb: {{url: {dicomweb!r}, timeout: 1.5}}\n    called_node:\n"
            )
        self.collected = Collected(folder, receiver_port, pacs_port, {**usual, **changes})
        self._process: subprocess.Popen[str] | None = None

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command (``run`` without one) in a session of its own."""
        words = [*(command or ("run",)), "-f", str(self.collected.conf)]
        return subprocess.Popen(
            [sys.executable, "-m", "faults.collect", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )

    def run(self, deadline: float, *command: str) -> Run:
        """Run a command to its end, or to the deadline."""
        begun = time.monotonic()
        process = self.start(*command)
        try:
            output, _ = process.communicate(timeout=deadline)
            code: int | None = process.returncode
        except subprocess.TimeoutExpired:
            kill(process)
            output, code = process.communicate()[0], None
        return Run(code, time.monotonic() - begun, output)

    def has_begun(self, pid: int) -> bool:
        """Tell whether the process holds the ledger: then it is at work."""
        with suppress(OSError):
            return (self.collected.state / "lock").read_text() == str(pid)
        return False

    def on_disk(self) -> dict[str, set[str]]:
        """StudyInstanceUID to the SOP Instance UIDs of the files in the archive."""
        found: dict[str, set[str]] = {}
        for path in self.collected.files():
            # PATIENT layout: PatientID/Study/Series/SOP.dcm
            _, study, _, name = path.split("/")
            found.setdefault(study.removesuffix(OTHER_STUDY), set()).add(name.removesuffix(".dcm"))
        return found

    def verdicts(self) -> dict[str, str]:
        """StudyInstanceUID to verdict, of the studies on the list."""
        return dict(self._ledger("SELECT study_uid, verdict FROM studies WHERE selected = 1"))

    def reasons(self) -> Counter[str]:
        return Counter(row[0] for row in self._ledger("SELECT reason FROM studies"))

    def count(self, state: str) -> int:
        """How many objects are in this state."""
        [(number,)] = self._ledger(f"SELECT count(*) FROM instances WHERE state = '{state}'")
        return number

    def leftovers(self) -> list[str]:
        """What must not be there after a run: drafts and files that are no object."""
        spool = self.collected.state / "spool"
        drafts = [path.name for path in spool.iterdir()] if spool.exists() else []
        partial = [
            path
            for path in self.collected.files()
            if not path.endswith(".dcm") or not (self.collected.archive / path).stat().st_size
        ]
        return drafts + partial

    def double_rows(self) -> int:
        """How many rows of the table are there more than once."""
        if not self.collected.table.exists():
            return 0
        rows = Counter(row["dicom_path"] for row in self.collected.rows())
        return sum(number - 1 for number in rows.values())

    def _ledger(self, query: str) -> list[tuple]:
        path = self.collected.state / "ledger.sqlite"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@dataclass
class Truth:
    """What a PACS has: StudyInstanceUID to SOP Instance UIDs."""

    studies: Mapping[str, frozenset[str]]
    lost: frozenset[str] = field(default_factory=frozenset)
    """What of it cannot be retrieved at all."""

    @classmethod
    def of(cls, pacs, studies: Iterable[str] = ()) -> Truth:
        uids = studies or pacs.uids("STUDY")
        return cls({uid: frozenset(pacs.uids("IMAGE", uid)) for uid in uids})

    def against(self, room: Room, beyond: int = 0) -> list[str]:
        """Say what is wrong with a collection: false verdicts, objects that are not there."""
        here, wrong = room.on_disk(), []
        for uid, verdict in room.verdicts().items():
            missing = self.studies.get(uid, frozenset()) - here.get(uid, set())
            if verdict in GOOD and missing:
                wrong.append(f"FALSELY {verdict}: {len(missing)} objects missing")
            if missing - self.lost:
                wrong.append(f"not retrieved: {len(missing - self.lost)} objects ({verdict})")
        for uid in self.studies:
            if uid not in room.verdicts():
                wrong.append("a study is not on the list")
        extra = sum(len(here[uid] - self.studies.get(uid, set())) for uid in here)
        if extra != beyond:
            wrong.append(f"objects that the PACS does not have: {extra}")
        if left := room.leftovers():
            wrong.append(f"left over: {len(left)} files")
        if double := room.double_rows():
            wrong.append(f"duplicate rows: {double}")
        return wrong


def kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found
