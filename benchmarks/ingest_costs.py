"""What an object costs once it is received: CPU time of each step, in one process."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from storing import configured, run_of
from wire_objects import SHAPES, part10

from pacsfw.api import Clock
from pacsfw.collection.ingest import ingest_spec
from pacsfw.dicom import integrity
from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.ledger import open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.spool.records import Sealed
from pacsfw.spool.writer import Spool

T = TypeVar("T")
_TOGETHER = 16
"""Objects of one transaction."""
_WARM_UP = 50


def costs(folder: Path, shape: str, objects: int) -> dict[str, float]:
    """Return microseconds of CPU per object, by step; the receiver takes the digest."""
    loaded = configured(folder, 11112)
    storage = loaded.config.need_storage()
    spool = storage.state / "spool"
    spool.mkdir(parents=True)
    storage.directory.mkdir(exist_ok=True)
    sealed = _spooled(spool, shape, objects + _WARM_UP)
    ledger, now = open_ledger(storage.state), Clock().now()
    ingest = ingest_spec(run_of(loaded, ledger), ()).build()
    for one in sealed[:_WARM_UP]:
        ingest(one)
    sealed = sealed[_WARM_UP:]
    bytes_of_one, reader = sealed[0].path.read_bytes(), HeaderReader()
    found = {
        "SHA-256 of its bytes, in memory": _each(
            sealed, lambda _: hashlib.sha256(bytes_of_one).digest()
        ),
        "walk over its elements to the end": _each(
            sealed, lambda one: integrity.check(one.path, reader.read(one.path))
        ),
    }
    instances: list[Instance] = []
    found["the whole ingest: the walk, layout, row, place"] = _each(
        sealed, lambda one: instances.append(_stored(ingest(one)))
    )
    batches = [instances[at : at + _TOGETHER] for at in range(0, objects, _TOGETHER)]

    def record(batch: Sequence[Instance]) -> None:
        with ledger.transaction():
            for instance in batch:
                ledger.studies.add(instance.study_uid, {}, "unsolicited")
                ledger.instances.record(instance, now)

    per_batch = _each(batches, record)
    found[f"record it in the ledger, {_TOGETHER} at a time"] = per_batch * len(batches) / objects
    ledger.close()
    return found


def _spooled(folder: Path, shape: str, objects: int) -> list[Sealed]:
    """Write objects to a spool, as a receiver does."""
    told: list[Sealed] = []
    spool = Spool(folder, lambda record: told.append(record), digest=True)  # type: ignore[arg-type]
    for number in range(objects):
        path = folder / "source"
        path.write_bytes(part10(SHAPES[shape], 0, number))
        meta, data = read_file_meta(path), path.read_bytes()
        path.unlink()
        writer = spool.begin(meta.sop_class, meta.sop_uid, meta.syntax, "BENCH")
        writer.write(data[meta.offset_of_dataset :])
        writer.seal()
    return told


def _stored(outcome: object) -> Instance:
    if not isinstance(outcome, Instance) or outcome.state != "stored":
        raise SystemExit(f"an object was not stored: {outcome}")
    return outcome


def _each(items: Sequence[T], work: Callable[[T], object]) -> float:
    begun = time.process_time()
    for item in items:
        work(item)
    return 1e6 * (time.process_time() - begun) / len(items)
