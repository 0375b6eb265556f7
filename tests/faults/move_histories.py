"""Random histories of moving one study: a PACS with random faults, and the word about it.

The fault model. What a PACS of these histories may do:

* cut every result at SERIES level, at IMAGE level, or both, at a fixed number of rows (2 or
  more), and report success;
* refuse IMAGE queries; return no counts, those of series only, or counts that are too high (of
  hidden instances, for example), but never too low;
* let the study grow between two attempts;
* end a retrieve at any instance, with any failure status or an abort, for some attempts or for
  ever; serve only some levels;
* lose instances without a word, but not without counting them as sent; give no counts of
  sub-operations; report success and send nothing;
* send instances that it does not list, and count them as sent.

What it does not do: leave out instances in lists, counts and retrieves alike.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pacsfw.api import Clock, Outcome, QueryResult, QueryRow, Transfer
from pacsfw.dicom.part10 import file_head
from pacsfw.ledger import open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.move.arrivals import Arrivals, Inboxes
from pacsfw.steps.move.expected import Sizes
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.move.requests import Levels
from pacsfw.steps.move.study import StudyMover
from pacsfw.steps.run import Timing
from pacsfw.words import GOOD
from support.run import make_run

STUDY = "1.2"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = QueryResult(complete=True, status_text="0000: Success", status=0)
REFUSED = QueryResult(complete=False, status_text="A900", status=0xA900)
FAILURES = (0xA700, 0xA702, 0xB000, 0xC000, 0xFE00, 0x0110, None)


@dataclass
class Faults:
    """The faults of one history; the defaults are a PACS without any."""

    caps: dict[str, int] = field(default_factory=dict)
    counts: str = "all"
    """``all``, ``series`` or ``none``."""
    too_high: int = 0
    no_image_level: bool = False
    levels: tuple[str, ...] = ("STUDY", "SERIES", "IMAGE")
    no_sub_operations: bool = False
    lost: frozenset[str] = frozenset()
    unlisted: int = 0
    stop_at: int = -1
    """The number of the instance at which a retrieve ends."""
    stop_status: int | None = 0xC000
    stops: int = 0
    """The number of retrieves that end so."""
    nothing: int = 0
    """The number of retrieves that report success and send nothing."""
    grows: int = 0

    @property
    def is_none(self) -> bool:
        return self == Faults()


def random_faults(dice: random.Random, uids: list[str]) -> Faults:
    """Return some faults, or none in one history of five."""
    faults = Faults()
    if dice.random() < 0.2:
        return faults
    if dice.random() < 0.5:
        levels = dice.choice([("SERIES",), ("IMAGE",), ("SERIES", "IMAGE")])
        faults.caps = {level: dice.randint(2, 5) for level in levels}
    faults.counts = dice.choice(["all", "all", "series", "none"])
    faults.too_high = dice.choice([0, 0, 0, 1, 3])
    faults.no_image_level = dice.random() < 0.15
    if dice.random() < 0.2:
        faults.levels = dice.choice([("STUDY",), ("SERIES",), ("IMAGE",), ("SERIES", "IMAGE")])
    faults.no_sub_operations = dice.random() < 0.3
    if dice.random() < 0.3:
        faults.lost = frozenset(dice.sample(uids, dice.randint(1, min(3, len(uids)))))
    faults.unlisted = dice.choice([0, 0, 0, 0, 1])
    if dice.random() < 0.5:
        faults.stop_at = dice.randrange(len(uids))
        faults.stop_status = dice.choice(FAILURES)
        faults.stops = dice.choice([1, 2, 100])
    faults.nothing = dice.choice([0, 0, 0, 1])
    faults.grows = dice.choice([0, 0, 0, 1])
    return faults


class ModelPacs(Transfer):
    """A PACS with one study, as query provider and transfer."""

    requires_patient_id = is_unlimited = False

    def __init__(self, series: dict[str, list[str]], faults: Faults, store) -> None:
        self.series, self.faults, self._store = series, faults, store
        self._stops, self._nothing = faults.stops, faults.nothing

    @property
    def uids(self) -> list[str]:
        return [uid for uids in self.series.values() for uid in uids]

    def grow(self) -> None:
        for _ in range(self.faults.grows):
            name = next(iter(self.series))
            self.series[name].append(f"{name}.{len(self.series[name]) + 500}")

    def release(self) -> None:
        """It holds no connection."""

    def close(self) -> None:
        """It holds no connection."""

    def ask(self, query):
        faults = self.faults
        if query.level == "STUDY":
            number = {"NumberOfStudyRelatedInstances": str(len(self.uids) + faults.too_high)}
            rows = [{**(number if faults.counts == "all" else {})}]
        elif query.level == "SERIES":
            rows = [
                {
                    "SeriesInstanceUID": uid,
                    **(
                        {"NumberOfSeriesRelatedInstances": str(len(uids) + faults.too_high)}
                        if faults.counts != "none"
                        else {}
                    ),
                }
                for uid, uids in self.series.items()
            ]
        elif faults.no_image_level:
            return REFUSED, []
        else:
            of = self.series[query.match["SeriesInstanceUID"]]
            rows = [{"SOPInstanceUID": uid} for uid in of]
        return WHOLE, [QueryRow(row) for row in rows[: faults.caps.get(query.level)]]

    def fetch(self, request, inbox):
        faults = self.faults
        if request.level not in faults.levels:
            return Outcome(status=0xA900, status_text="A900")
        if self._nothing:
            self._nothing -= 1
            return Outcome(status=0, status_text="0000", completed=0)
        wanted = self.series.get(request.series_uid or "", self.uids)
        wanted = [uid for uid in wanted if not request.sop_uids or uid in request.sop_uids]
        stumbles = self.uids[faults.stop_at] if faults.stop_at >= 0 and self._stops else ""
        completed = 0
        for uid in wanted:
            if uid == stumbles:
                self._stops -= 1
                done = None if faults.no_sub_operations else completed
                return Outcome(status=faults.stop_status, status_text="failed", completed=done)
            if uid not in faults.lost:
                self._store(uid)
            completed += 1
        for number in range(faults.unlisted if request.level == "STUDY" else 0):
            self._store(f"1.2.99.{number}")
            completed += 1
        done = None if faults.no_sub_operations else completed
        return Outcome(status=0, status_text="0000", completed=done)


class _Day(Clock):
    def __init__(self, number: int) -> None:
        self._number = number

    def now(self) -> datetime:
        return NOW + timedelta(days=self._number)


def history(seed: int, folder: Path) -> str:
    """Play one history; return what is wrong with its words, or nothing."""
    dice = random.Random(seed)
    series = {
        f"1.2.{n}": [f"1.2.{n}.{i}" for i in range(1, dice.randint(1, 7) + 1)]
        for n in range(1, dice.randint(1, 5) + 1)
    }
    faults = random_faults(dice, [uid for uids in series.values() for uid in uids])
    archive = folder / f"history-{seed}"
    archive.mkdir()
    ledger = open_ledger(archive / "state")
    try:
        ledger.studies.add(STUDY, {}, "find", selected=True)

        def store(uid: str) -> None:
            path = archive / f"{uid}.dcm"
            path.write_bytes(file_head("1", uid, "1.2.840.10008.1.2", "") + b"0123456789")
            ledger.instances.record(
                Instance(
                    sop_uid=uid, digest="d", study_uid=STUDY,
                    series_uid=uid.rpartition(".")[0], sop_class="", syntax="", size=10,
                    path=path.name, state="stored",
                ),
                NOW,
            )  # fmt: skip

        pacs = ModelPacs(series, faults, store)
        return _play(dice, pacs, ledger, archive)
    finally:
        ledger.close()
        shutil.rmtree(archive)


def play_all(count: int, seed: int = 1) -> list[str]:
    """Play so many histories; return what is wrong."""
    # Thousands of small files: in memory, if there is such a folder.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="pacsfw-histories-", dir=memory) as folder:
        texts = ((each, history(each, Path(folder))) for each in range(seed, seed + count))
        return [f"history {each}: {text}" for each, text in texts if text]


def _play(dice: random.Random, pacs: ModelPacs, ledger, archive: Path) -> str:
    sizes, levels, asked = Sizes(), Levels(), dice.choice([1, 3])
    verdict = None
    for number in range(1, asked + 1):
        arrivals = Arrivals(Clock())
        run = make_run(
            ledger, archive, run_id=f"run {number}", clock=_Day(number),
            stop=threading.Event(), timing=Timing(quiet=0.0),
        )  # fmt: skip
        inboxes = Inboxes(arrivals, None, aetitle="US", source="")
        judge = Judge(run, Durability(run), {})
        mover = StudyMover(run, pacs, pacs, inboxes, judge, levels, sizes)
        mover.move(STUDY, number)
        verdict = ledger.studies.get(STUDY).verdict
        wrong = _wrong(verdict, pacs, ledger)
        if wrong:
            return f"attempt {number}: {wrong} ({pacs.faults}, {pacs.series})"
        if verdict.state not in GOOD:
            pacs.grow()
    if pacs.faults.is_none and verdict.state != "complete":
        return f"{verdict.state}: {verdict.reason}, although there is no fault ({pacs.series})"
    return ""


def _wrong(verdict, pacs: ModelPacs, ledger) -> str:
    stored = ledger.instances.stored_uids(STUDY)
    missing = set(pacs.uids) - stored
    if verdict.state in GOOD and missing:
        return f"FALSELY {verdict.state}: {len(missing)} instances missing"
    if verdict.state == "short" and verdict.reason.startswith("0 "):
        return f"short of nothing: {verdict.reason}"
    return ""
