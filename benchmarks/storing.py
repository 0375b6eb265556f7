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
from pacsfw.collection.ingest import build_ingest, ingest_spec
from pacsfw.collection.run_resources import Timing
from pacsfw.config import Config, Storage
from pacsfw.dicom.spool import Sealed
from pacsfw.ledger import open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.steps.ingest.capacity import Room
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.move.arrivals import Arrivals

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


def configured(folder: Path, port: int) -> tuple[Config, Storage]:
    """Write the configuration of a collection into a folder, and load it."""
    path = folder / "conf.yaml"
    path.write_text(_CONFIGURATION.format(aetitle=AETITLE, port=port, layout="STUDY"))
    path.chmod(0o600)
    config = load(path).config
    assert config.storage is not None
    return config, config.storage


class Everything:
    """An archive and a ledger; says when so many objects are in them."""

    def __init__(self, folder: Path, port: int, workers: int, objects: int) -> None:
        config, storage = configured(folder, port)
        self.spool = storage.state / "spool"
        self.spool.mkdir(parents=True)
        storage.directory.mkdir(exist_ok=True)
        self._expected, self._stored = objects, 0
        self._ledger = open_ledger(storage.state)
        clock = Clock()
        self._arrivals = Arrivals(clock)
        self._intake = Intake(
            self._ledger,
            self.spool,
            storage.directory,
            storage.state,
            clock,
            Room((self.spool, storage.directory), storage.reserve, storage.backlog),
            workers=workers,
            build=build_ingest,
            spec=ingest_spec(config, storage, (), Timing().call),
            on_the_way=self._arrivals.on_the_way,
            arrived=self._arrived,
            notify=lambda _: None,
            fatal=_die,
        )
        self.take = self._intake.take

    def __enter__(self) -> Everything:
        self._intake.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.close()
        self._ledger.close()

    def _arrived(self, objects: Sequence[tuple[Sealed, Instance, bool]]) -> None:
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
