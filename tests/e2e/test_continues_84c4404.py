"""What commit 84c4404 left half finished is continued, and its ledger keeps every fact."""

from __future__ import annotations

import csv
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacsfw.cli import main
from pacsfw.ledger import open_existing, open_ledger
from pacsfw.testing import EmbeddedPACS
from support.from_84c4404 import COMPLETE, DATA, LATE, SHORT, STUDIES, unpack

SOP_UIDS = sorted(uid for study in STUDIES for uid in study.sop_uids)


@dataclass(frozen=True)
class Left:
    """The collection as it was left, and a PACS with all of its studies."""

    conf: Path
    pacs: EmbeddedPACS

    @property
    def my(self) -> Path:
        return self.conf.parent / "my"

    @property
    def archive(self) -> Path:
        return self.my / "dicom"

    @property
    def ledger(self) -> Path:
        return self.archive / ".pacsfw" / "ledger.sqlite"

    @property
    def spooled(self) -> list[str]:
        return sorted(path.suffix for path in (self.archive / ".pacsfw" / "spool").iterdir())

    def run(self, *command: str) -> int:
        return main([*command, "-f", str(self.conf)])

    def moved(self, since: int = 0) -> set[str]:
        """The studies that were requested."""
        return {
            request.keys["StudyInstanceUID"]
            for request in self.pacs.log[since:]
            if request.service == "C-MOVE"
        }


@pytest.fixture(scope="module")
def pacs(destinations) -> Iterator[EmbeddedPACS]:
    with EmbeddedPACS(STUDIES, aetitle="THEIRTITLE", destinations=destinations) as pacs:
        yield pacs


@pytest.fixture(scope="module")
def continued(pacs, receiver_port, tmp_path_factory) -> Left:
    """The collection after one run."""
    folder = tmp_path_factory.mktemp("continued") / "moved here"
    left = Left(unpack(folder, receiver_port, pacs.port), pacs)
    assert left.run("status") == 1
    assert left.run("run") == 0
    return left


def read(database: Path, question: str) -> list[tuple]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(question).fetchall()


def test_it_was_left_in_the_middle(pacs, receiver_port, tmp_path):
    left = Left(unpack(tmp_path / "left", receiver_port, pacs.port), pacs)
    verdicts = dict(read(left.ledger, "SELECT study_uid, verdict FROM studies"))
    stored = dict(
        read(
            left.ledger,
            "SELECT study_uid, count(*) FROM instances WHERE state = 'stored' GROUP BY 1",
        )
    )
    due = read(
        left.ledger,
        "SELECT study_uid FROM studies WHERE verdict = 'complete' AND study_uid NOT IN"
        " (SELECT study_uid FROM converted WHERE converter = 'counts')",
    )
    assert verdicts == {
        **{study.uid: "complete" for study in (*COMPLETE, LATE[0])},
        SHORT.uid: "short",
        **{study.uid: None for study in LATE[1:]},
    }
    assert 0 < stored[LATE[1].uid] < len(LATE[1].sop_uids)
    assert not {study.uid for study in LATE[2:]} & set(stored)
    assert due == [(LATE[0].uid,)]
    assert left.spooled == [".dcm", ".part"]
    assert len(list((left.archive / ".pacsfw" / "quarantine").iterdir())) == 1


def test_only_what_is_not_complete_is_requested(continued):
    assert continued.moved() == {study.uid for study in (SHORT, *LATE[1:])}


def test_every_study_becomes_complete(continued):
    files = continued.archive.glob("*/*/*/*.dcm")
    assert sorted(path.stem for path in files) == SOP_UIDS
    assert continued.spooled == []
    assert continued.run("status") == 0
    assert continued.run("verify") == 0


def test_a_further_run_requests_nothing(continued):
    since = len(continued.pacs.log)

    assert continued.run("run") == 0

    assert continued.moved(since) == set()


def test_its_tables_have_every_row_once(continued):
    my, files = continued.my, continued.archive.glob("*/*/*/*.dcm")
    with (my / "resources_meta.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert sorted(row["SOPInstanceUID"] for row in rows) == SOP_UIDS
    assert {row["dicom_path"] for row in rows} == set(map(str, files))
    with (my / "table.jsonl").open(encoding="utf-8") as lines:
        assert sorted(json.loads(line)["SOPInstanceUID"] for line in lines) == SOP_UIDS
    found = read(my / "tables.db", 'SELECT "SOPInstanceUID" FROM instances')
    assert sorted(uid for (uid,) in found) == SOP_UIDS
    with (my / "resources.csv").open(newline="", encoding="utf-8") as lines:
        listed = sorted(row["StudyInstanceUID"] for row in csv.DictReader(lines))
    assert listed == sorted(study.uid for study in STUDIES)


def test_what_was_left_to_convert_is_converted(continued):
    dicom = {path.with_suffix("") for path in continued.archive.glob("*/*/*/*.dcm")}
    made = {path.with_suffix("") for path in continued.archive.glob("*/*/*/*.json")}
    assert made == dicom
    counts = {path.parent.name: path.read_text() for path in continued.archive.rglob("count.txt")}
    assert counts == {
        study.series_uid(number): f"{study.instances}\n"
        for study in STUDIES
        for number in range(1, len(study.modalities) + 1)
    }


@pytest.fixture
def old(tmp_path) -> Path:
    """The state folder with the ledger of 84c4404; it has rows in every table."""
    state = tmp_path / "old"
    with tarfile.open(DATA / "ledger.tar.gz") as archive:
        archive.extractall(state, filter="data")
    return state / "ledger.sqlite"


def tables_of(database: Path) -> Iterator[tuple[str, list[tuple]]]:
    """Yield each table with its columns: name, type, NOT NULL, default and key."""
    for (table,) in read(database, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        yield table, [column[1:] for column in read(database, f"PRAGMA table_info({table})")]


def test_an_old_ledger_gets_the_tables_of_a_new_one(old, tmp_path):
    """A change of the schema that is no step of its own is missing here."""
    open_ledger(old.parent).close()
    open_ledger(tmp_path / "new").close()
    new = tmp_path / "new" / "ledger.sqlite"

    assert dict(tables_of(old)) == dict(tables_of(new))
    version = "PRAGMA user_version"
    assert read(old, version) == read(new, version)
    assert read(old, version) >= [(4,)]


def test_an_old_ledger_keeps_every_fact(old):
    """A step that moves facts elsewhere says here where they are now."""
    before = {
        table: read(old, f"SELECT {', '.join(name for name, *_ in columns)} FROM {table}")
        for table, columns in tables_of(old)
    }
    names = {table: [name for name, *_ in columns] for table, columns in tables_of(old)}
    assert all(before.values())

    open_ledger(old.parent).close()

    for table, rows in before.items():
        assert read(old, f"SELECT {', '.join(names[table])} FROM {table}") == rows, table


def test_an_old_ledger_can_be_read_without_holding_it(old):
    ledger = open_existing(old.parent)

    assert ledger is not None
    ledger.close()
    assert read(old, "SELECT count(*) FROM studies") == [(14,)]
