"""The driver's side of ingest: what it makes of workers that die and files that vanish."""

from __future__ import annotations

import pytest

from pacsfw.ledger import open_ledger
from pacsfw.spool.records import Discarded, Sealed
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.intake import Intake
from support.jobs import Spec
from support.run import make_run
from unit.steps.ingest.jobs import build_crashing, build_storing, build_vanishing


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path / "state")
    yield ledger
    ledger.close()


class Told:
    """What the intake tells others."""

    def __init__(self):
        self.records, self.instances, self.fatal = [], [], []

    def on_the_way(self, records):
        self.records += records

    def arrived(self, instances):
        self.instances += instances

    def stop_because(self, err):
        self.fatal.append(err)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def intake_of(ledger, told, tmp_path):
    """Makes a started intake whose workers are built as told."""
    spool = tmp_path / "state" / "spool"
    spool.mkdir()
    made = []

    def intake_of(build):
        run = make_run(ledger, tmp_path)
        capacity = Capacity([spool], 0, 1 << 30)
        intake = Intake(run, spool, capacity, told, told, workers=1, spec=Spec(build, tmp_path))
        intake.start()
        made.append(intake)
        return intake

    yield intake_of
    for intake in made:
        intake.close()


def sealed(path):
    return Sealed(str(path), "class", "1.1", "syntax", "PACS", "", None, 1)


@pytest.mark.parametrize("build", [build_crashing, build_vanishing])
def test_a_spool_file_that_is_gone_does_not_end_the_run(intake_of, told, tmp_path, build):
    intake = intake_of(build)
    gone = sealed(tmp_path / "state" / "spool" / "gone.dcm")

    intake.take([gone])
    intake.wait()

    assert told.fatal == []
    assert told.instances == []
    assert told.records == [gone, Discarded(gone.file, "1.1", "its spool file is gone")]


def test_other_content_that_the_layout_put_elsewhere_is_set_aside(ledger, intake_of, tmp_path):
    intake = intake_of(build_storing)
    for name in ("first", "second", "first", "second"):
        spooled = tmp_path / "state" / "spool" / f"{name}.dcm"
        spooled.write_text(name)
        intake.take([sealed(spooled)])
        intake.wait()

    (stored,) = ledger.instances.of_study("1")
    assert (stored.digest, ledger.instances.versions()) == ("first", 1)
    assert (tmp_path / "first.dcm").read_text() == "first"
    assert not (tmp_path / "second.dcm").exists()
    assert (tmp_path / "state" / "versions" / "second.dcm").read_text() == "second"
    assert ledger.evidence.flagged("1", "rejected") == {"1.9"}
