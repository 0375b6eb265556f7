"""What `move` does with what arrives, for the benchmarks: without asking anybody for it."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from receiving import AETITLE

from pacsfw.api import Clock
from pacsfw.cli.common import load
from pacsfw.collection.ingest import capacity_of, ingest_spec
from pacsfw.config import Loaded
from pacsfw.ledger import Ledger, open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.report.observers import Observers
from pacsfw.spool.records import Sealed, SpoolRecord
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.ingest.senders import Senders
from pacsfw.steps.move.arrivals import Arrivals
from pacsfw.steps.run import Run

_CONFIGURATION = """\
net:
  local_node: {{aetitle: {aetitle}, ip: 127.0.0.1, port: {port}}}
  called_node: {{aetitle: BENCH, ip: 127.0.0.1, port: 11112}}
find:
  search_fields: [PatientID]
  start_date: "20200101"
move:
  start_time: "20:00"
  end_time: "08:00"
storage:
  resources: resources.csv
  directory: archive
  sort_by: {layout}
tags:
  - {{tag_name: PatientName, callback: str}}
  - {{tag_name: PatientID}}
  - {{tag_name: StudyDate, tag_alias: study_date, callback: pacsfw.convert:str2datetime}}
  - {{tag_name: StudyInstanceUID}}
  - {{tag_name: SeriesInstanceUID}}
  - {{tag_name: SOPInstanceUID}}
  - {{tag_name: Modality}}
  - {{tag_name: InstanceNumber}}
  - {{tag_name: SliceThickness}}
  - {{tag_name: Laterality, default_val: U, callback: str}}
"""


def configured(folder: Path, port: int) -> Loaded:
    """Write the configuration of a collection into a folder, and load it."""
    path = folder / "conf.yaml"
    path.write_text(_CONFIGURATION.format(aetitle=AETITLE, port=port, layout="STUDY"))
    path.chmod(0o600)
    return load(path)


def run_of(loaded: Loaded, ledger: Ledger) -> Run:
    """Return a run whose events nobody hears."""
    workdir = loaded.config.need_storage().state
    return Run(
        config=loaded.config,
        registry=loaded.registry,
        ledger=ledger,
        context=loaded.config.run_context(workdir, Clock()),
        observers=Observers(()),
    )


class Everything:
    """An archive and a ledger; says when so many objects are in them."""

    def __init__(self, folder: Path, port: int, workers: int, objects: int) -> None:
        loaded = configured(folder, port)
        storage = loaded.config.need_storage()
        self.spool = storage.state / "spool"
        self.spool.mkdir(parents=True)
        storage.directory.mkdir(exist_ok=True)
        self._expected, self._stored = objects, 0
        self._ledger = open_ledger(storage.state)
        run = run_of(loaded, self._ledger)
        self._arrivals = Arrivals(run.clock)
        self.intake = Intake(
            run,
            self.spool,
            capacity_of(storage, self.spool),
            self,
            self,
            workers=workers,
            spec=ingest_spec(run, ()),
            senders=Senders(run, self.is_running),
        )

    def __enter__(self) -> Everything:
        self.intake.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.intake.close()
        self._ledger.close()

    def on_the_way(self, records: Sequence[SpoolRecord]) -> None:
        self._arrivals.on_the_way(records)

    def listed(self, sop_uid: str) -> tuple[tuple[str, str], ...]:
        return self._arrivals.listed(sop_uid)

    def is_running(self, message_id: int) -> bool:
        return self._arrivals.is_running(message_id)

    def stop_because(self, err: Exception) -> None:
        _die(err)

    def arrived(self, objects: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        self._arrivals.arrived(objects)
        for _, instance, _ in objects:
            if instance.state != "stored":
                _die(RuntimeError(instance.reason))
        before, self._stored = self._stored, self._stored + len(objects)
        if before < self._expected <= self._stored:
            print(json.dumps({"all": time.monotonic()}), flush=True)


def _die(error: Exception) -> None:
    print(f"failed: {error}", file=sys.stderr, flush=True)
    signal.raise_signal(signal.SIGKILL)
