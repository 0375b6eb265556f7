"""A collection as a run has left it: files in the archive, and a ledger that knows them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pacsfw.api import Verdict
from pacsfw.config import Storage, load
from pacsfw.dicom.header import read_header
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.ledger import Ledger
from pacsfw.ledger.instances import Instance
from pacsfw.plugins import discover
from pacsfw.steps.run import Run
from pacsfw.testing import Study
from support.run import make_run, storage_in

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIGURATION = """\
storage: {{resources: list.csv, directory: archive}}
{sections}
"""


def own_storage(folder: Path) -> Storage:
    """The archive in a folder of its own, the state where the fixture `ledger` has it."""
    archive = folder / "archive"
    archive.mkdir(exist_ok=True)
    return replace(storage_in(folder), directory=archive)


def configured_run(ledger: Ledger, folder: Path, sections: str = "", **changes: Any) -> Run:
    """A run of a configuration with these sections, with the plugins that are installed."""
    path = folder / "conf.yaml"
    path.write_text(CONFIGURATION.format(sections=sections), encoding="utf-8")
    path.chmod(0o600)
    loaded = load(path, discover)
    config = replace(loaded.config, storage=changes.pop("storage", own_storage(folder)))
    run = make_run(ledger, folder, **changes)
    context = replace(run.context, net=config.net)
    return replace(run, config=config, registry=loaded.registry, context=context)


def store(ledger: Ledger, storage: Storage, study: Study, **changes: Any) -> list[Instance]:
    """Write the files of a study into the archive, and the objects into the ledger."""
    attributes = {"PatientID": study.patient_id, "StudyInstanceUID": study.uid}
    ledger.studies.add(study.uid, attributes, "find", selected=True)
    paths = study.write(storage.directory)
    return [record(ledger, storage.directory, path, **changes) for path in paths]


def record(ledger: Ledger, folder: Path, path: Path, **changes: Any) -> Instance:
    """Have the ledger know a file, as stored if nothing else is said."""
    meta, header = read_file_meta(path), read_header(path)
    dataset = path.read_bytes()[meta.offset_of_dataset :]
    values = {
        "sop_uid": meta.sop_uid,
        "digest": hashlib.sha256(dataset).hexdigest(),
        "study_uid": header.get("StudyInstanceUID"),
        "series_uid": header.get("SeriesInstanceUID"),
        "sop_class": meta.sop_class,
        "syntax": meta.syntax,
        "size": len(dataset),
        "path": path.relative_to(folder).as_posix(),
        "state": "stored",
    }
    instance = Instance(**(values | changes))
    ledger.instances.record(instance, NOW)
    return instance


def complete(ledger: Ledger, study: Study) -> None:
    """Settle a study as complete, on the UIDs that the PACS listed."""
    verdict = Verdict(state="complete", expected=len(study.sop_uids), source="image-uids")
    ledger.studies.settle(study.uid, verdict, NOW, {})
