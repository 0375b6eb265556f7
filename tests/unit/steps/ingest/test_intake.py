"""The driver's side of ingest: what it makes of workers that die and files that vanish."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from pacsfw.api import Accept, KnownSender, Net, Node
from pacsfw.ledger import open_ledger
from pacsfw.spool.records import Discarded, Sealed
from pacsfw.steps.ingest.capacity import Capacity
from pacsfw.steps.ingest.intake import Intake
from pacsfw.steps.ingest.senders import Senders
from support.jobs import Spec
from support.run import make_run
from unit.steps.ingest.jobs import (
    build_crashing,
    build_holding,
    build_leaving_out,
    build_recognising,
    build_storing,
    build_vanishing,
    left_out,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path / "state")
    yield ledger
    ledger.close()


class Told:
    """What the intake tells others."""

    def __init__(self):
        self.records, self.instances, self.fatal = [], [], []
        self.lacking, self.running = {}, set()

    def on_the_way(self, records):
        self.records += records

    def arrived(self, instances):
        self.instances += instances

    def listed(self, sop_uid):
        return self.lacking.get(sop_uid, ())

    def is_running(self, message_id):
        return message_id in self.running

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

    def intake_of(build, accept=None):
        run = make_run(ledger, tmp_path)
        senders = None
        if accept is not None:
            local = Node(aetitle="US", accept=accept)
            net = Net(local=local, dest=local, called=Node(aetitle="PACS", ip="192.0.2.1"))
            run = replace(run, config=replace(run.config, net=net))
            senders = Senders(run, told.is_running)
        capacity = Capacity([spool], 0, 1 << 30)
        intake = Intake(
            run, spool, capacity, told, told,
            workers=1, spec=Spec(build, tmp_path), senders=senders,
        )  # fmt: skip
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


def test_an_instance_on_which_a_worker_died_is_booked_on_the_study_that_lists_it(
    ledger, intake_of, told, tmp_path
):
    told.lacking = {"1.1": (("1", "P"),)}
    intake = intake_of(build_crashing)
    spooled = tmp_path / "state" / "spool" / "it.dcm"
    spooled.write_bytes(b"1")

    intake.take([sealed(spooled)])
    intake.wait()

    assert ledger.instances.quarantined_uids("1") == {"1.1"}


def sent_by(tmp_path, name, calling, address, message_id=None, sop_uid="1.1"):
    spooled = tmp_path / "state" / "spool" / f"{name}.dcm"
    spooled.write_text(name)
    return sealed(spooled)._replace(
        sop_uid=sop_uid,
        calling_ae=calling,
        address=address,
        digest=name,
        originator_ae="US" if message_id is not None else "",
        originator_message_id=message_id,
    )


def test_what_the_pacs_sends_is_not_held(ledger, intake_of, tmp_path):
    intake = intake_of(build_holding, Accept())

    intake.take([sent_by(tmp_path, "it", "PACS", "192.0.2.1")])
    intake.wait()

    assert ledger.instances.stored_uids("1") == {"1.1"}


@pytest.mark.parametrize(
    ("calling", "address", "message_id"),
    [
        ("PACS", "192.0.2.66", None),
        ("OTHER", "192.0.2.1", None),
        ("OTHER", "192.0.2.66", 8),
    ],
    ids=["another address", "another title", "a request that is not running"],
)
def test_what_a_sender_sends_that_is_not_known_is_held(
    ledger, intake_of, told, tmp_path, caplog, calling, address, message_id
):
    told.running = {7}
    intake = intake_of(build_holding, Accept())

    with caplog.at_level(logging.WARNING):
        for number in range(2):
            sop_uid = f"1.{number}"
            intake.take([sent_by(tmp_path, sop_uid, calling, address, message_id, sop_uid)])
        intake.wait()

    assert ledger.instances.held_uids("1") == {"1.0", "1.1"}
    assert ledger.instances.stored_uids("1") == frozenset()
    assert (tmp_path / "state" / "held" / "1.0.dcm").read_text() == "1.0"
    (line,) = [each.getMessage() for each in caplog.records if "known_senders" in each.getMessage()]
    assert f"net.local_node.accept.known_senders: [{calling}@{address}]" in line


@pytest.mark.parametrize(
    "accept",
    [
        Accept(known_senders=(KnownSender("OTHER", ip_network("192.0.2.64/28")),)),
        Accept(addresses=(ip_network("192.0.2.64/28"),)),
    ],
    ids=["known_senders", "addresses"],
)
def test_what_a_sender_of_the_configuration_sends_is_not_held(ledger, intake_of, tmp_path, accept):
    intake = intake_of(build_holding, accept)

    intake.take([sent_by(tmp_path, "it", "OTHER", "192.0.2.66")])
    intake.wait()

    assert ledger.instances.stored_uids("1") == {"1.1"}


def test_once_a_sender_acts_on_our_request_what_is_held_of_it_is_stored_too(
    ledger, intake_of, told, tmp_path
):
    told.running = {7}
    intake = intake_of(build_holding, Accept())
    intake.take([sent_by(tmp_path, "first", "OTHER", "192.0.2.66", sop_uid="1.1")])
    intake.take([sent_by(tmp_path, "stranger", "STRANGER", "192.0.2.67", sop_uid="1.3")])
    intake.wait()

    intake.take([sent_by(tmp_path, "second", "OTHER", "192.0.2.66", 7, sop_uid="1.2")])
    intake.close()

    assert ledger.instances.stored_uids("1") == {"1.1", "1.2"}
    assert ledger.instances.held_uids("1") == {"1.3"}
    assert ledger.senders.learnt() == {("OTHER", "192.0.2.66")}
    assert [path.name for path in (tmp_path / "state" / "held").iterdir()] == ["stranger.dcm"]


def test_the_next_run_stores_what_was_held_of_a_sender_that_is_configured_now(
    ledger, intake_of, tmp_path
):
    before = intake_of(build_holding, Accept())
    before.take([sent_by(tmp_path, "it", "OTHER", "192.0.2.66")])
    before.close()

    intake_of(
        build_holding, Accept(known_senders=(KnownSender("OTHER", ip_network("192.0.2.66")),))
    )

    assert ledger.instances.stored_uids("1") == {"1.1"}
    assert ledger.instances.held() == []
    (stored,) = ledger.instances.of_study("1")
    assert (stored.calling_ae, stored.address) == ("OTHER", "192.0.2.66")


def test_a_copy_from_somebody_else_does_not_replace_what_is_stored(ledger, intake_of, tmp_path):
    intake = intake_of(build_holding, Accept())
    for calling in ("PACS", "OTHER"):
        intake.take([sent_by(tmp_path, "it", calling, "192.0.2.1")])
        intake.wait()

    assert ledger.instances.stored_uids("1") == {"1.1"}
    assert ledger.instances.held() == []
    assert list((tmp_path / "state" / "held").iterdir()) == []


def test_two_contents_of_two_senders_are_disputed_whoever_came_first(ledger, intake_of, tmp_path):
    intake = intake_of(build_holding, Accept())
    for name, calling, sop_uid in (
        ("a", "OTHER", "1.1"), ("b", "PACS", "1.1"), ("c", "PACS", "1.2"), ("d", "OTHER", "1.2"),
        ("e", "PACS", "1.3"), ("f", "PACS", "1.3"),
    ):  # fmt: skip
        intake.take([sent_by(tmp_path, name, calling, "192.0.2.1", sop_uid=sop_uid)])
        intake.wait()

    assert ledger.senders.disputed("1") == {"1.1", "1.2"}
    assert ledger.senders.disputes() == 2


def test_an_instance_whose_request_named_another_uid_is_recognised_by_its_data_set(
    ledger, intake_of, told, tmp_path
):
    told.lacking = {"1.1": (("1", "P"),)}
    intake = intake_of(build_recognising, Accept())

    intake.take([sent_by(tmp_path, "it", "PACS", "192.0.2.1", sop_uid="1.1.99")])
    intake.wait()
    intake.close()

    assert ledger.instances.stored_uids("1") == {"1.1"}
    assert ledger.studies.get("7") is None
    assert list((tmp_path / "state" / "quarantine").iterdir()) == []


def test_what_is_left_out_leaves_no_file(ledger, intake_of, told, tmp_path):
    quarantined = tmp_path / "state" / "quarantine" / "it.dcm"
    quarantined.parent.mkdir()
    quarantined.write_text("it failed before")
    spooled = tmp_path / "state" / "spool" / "it.dcm"
    intake = intake_of(build_leaving_out)

    for _ in range(2):
        spooled.write_text("it")
        intake.take([sealed(spooled)])
        intake.wait()

    assert not spooled.exists()
    assert not quarantined.exists()
    assert [(each.state, news) for _, each, news in told.instances] == [
        ("left-out", True), ("left-out", False),
    ]  # fmt: skip
    assert ledger.left_out.reasons() == {"no SR": 1}
    assert ledger.studies.unjudged() == ["1"]


def test_what_is_stored_stays_although_it_would_be_left_out_now(ledger, intake_of, told, tmp_path):
    stored = tmp_path / "it.dcm"
    stored.write_text("it")
    ledger.instances.record(left_out(state="stored", path="it.dcm"), NOW)
    spooled = tmp_path / "state" / "spool" / "it.dcm"
    spooled.write_text("it")
    intake = intake_of(build_leaving_out)

    intake.take([sealed(spooled)])
    intake.wait()

    assert stored.exists()
    assert not spooled.exists()
    assert ledger.instances.stored_uids("1") == {"1.1"}
    assert told.instances == []
    assert told.records[-1].reason == "it is stored already"
