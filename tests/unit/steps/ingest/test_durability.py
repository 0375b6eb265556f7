"""A study is made durable as it is on the disk, not as the ledger has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacsfw.dicom.part10 import file_head
from pacsfw.durable import sync_folder
from pacsfw.ledger import Ledger, open_ledger
from pacsfw.steps.ingest import durability
from pacsfw.steps.ingest.durability import Durability
from support.run import make_run
from unit.ledger.records import NOW, instance

HEAD = file_head("1.2.840", "1.2.3", "1.2.840.10008.1.2.1", "")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path / "state")
    ledger.studies.add("1.2", {}, "find", selected=True)
    yield ledger
    ledger.close()


def store(ledger: Ledger, folder: Path, uid: str, data: bytes) -> None:
    found = instance(uid, size=10)
    path = folder / found.path
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HEAD + data)
    ledger.instances.record(found, NOW)


def test_an_instance_whose_file_is_gone_or_cut_is_forgotten(ledger: Ledger, tmp_path: Path) -> None:
    for uid in ("1.2.3", "1.2.4", "1.2.5"):
        store(ledger, tmp_path, uid, b"0123456789")
    (tmp_path / "p" / "1.2.4.dcm").unlink()
    (tmp_path / "p" / "1.2.5.dcm").write_bytes(HEAD + b"01234")

    Durability(make_run(ledger, tmp_path)).make_durable("1.2")

    assert ledger.instances.stored_uids("1.2") == {"1.2.3"}


def test_folders_are_synced_from_the_file_up_to_the_top(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(ledger, tmp_path, "1.2.3", b"0123456789")
    synced: list[Path] = []
    monkeypatch.setattr(
        durability, "sync_folder", lambda folder: (synced.append(folder), sync_folder(folder))
    )

    Durability(make_run(ledger, tmp_path)).make_durable("1.2")

    assert synced == [tmp_path / "p", tmp_path]
