import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.presentation import build_context

from pacsfw.api import Clock, Net, Node, Outcome, Profile, Request, RunContext, SpoolFile, Transfer
from pacsfw.errors import RemoteError
from pacsfw.spool.records import Sealed
from pacsfw.steps.receive import Receiver
from pacsfw.testing import Study, make_studies, write_studies
from pacsfw_plugins.dimse.cmove import pacsfw_transfers
from peers.process import free_port
from peers.readback import dataset_bytes
from unit.dimse.scripted import net, scripted
from unit.steps.receive.listening import Listening

REQUEST = Request(study_uid="1.2.3")


class Inbox:
    """Counts what a receiver seals, as the core's inbox does."""

    def __init__(self, aetitle: str = "PACSFW") -> None:
        self.aetitle = aetitle
        self.sealed: dict[str, Sealed] = {}
        self.message_ids: list[int] = []
        self._news = threading.Condition()

    def take(self, records: Sequence[object]) -> None:
        with self._news:
            for record in records:
                if isinstance(record, Sealed):
                    self.sealed[record.sop_uid] = record
            self._news.notify_all()

    def wait(self, seconds: float) -> frozenset[str]:
        with self._news:
            self._news.wait(seconds)
            return frozenset(self.sealed)

    def news(self) -> int:
        return len(self.sealed)

    def create(self, sop_class: str, uid: str, syntax: str) -> SpoolFile:
        raise NotImplementedError

    def originates(self, message_id: int) -> None:
        self.message_ids.append(message_id)

    def wait_for(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.sealed) >= count, 30)


@contextmanager
def transfer(nodes: Net, clock: Clock | None = None, **options: Any) -> Iterator[Transfer]:
    (component,) = pacsfw_transfers()
    made = component.factory(**options)
    assert component.needs_receiver
    made.open(
        RunContext(
            run_id="test",
            workdir=Path(),
            net=nodes,
            sections={},
            clock=clock or Clock(),
            log=logging.getLogger("test"),
        )
    )
    try:
        yield made
    finally:
        made.close()


@contextmanager
def receiving(port: int, spool: Path) -> Iterator[Inbox]:
    inbox = Inbox()
    receiver = Receiver(Node(aetitle="PACSFW", port=port), spool, 1, inbox)
    receiver.start()
    try:
        yield inbox
    finally:
        receiver.stop(5)


# --- real archives ----------------------------------------------------------------------


@pytest.fixture
def study(real_pacs, tmp_path: Path) -> Study:
    (made,) = make_studies(1, instances=3)
    real_pacs.load(write_studies(tmp_path / "sent", [made, *make_studies(2, seed=5)]))
    return made


def test_a_real_archive_sends_the_study_asked_for(real_pacs, study, receiver_port, tmp_path):
    nodes = net(real_pacs.port, real_pacs.aetitle)
    with receiving(receiver_port, tmp_path / "spool") as inbox, transfer(nodes) as fetching:
        outcome = fetching.fetch(Request(study_uid=study.uid), inbox)
        inbox.wait_for(6)
    assert (outcome.status, outcome.status_text, outcome.reached) == (0, "0000: Success", True)
    assert (outcome.completed, outcome.failed) == (6, 0)
    assert inbox.sealed.keys() == set(study.sop_uids)
    assert {record.originator_ae for record in inbox.sealed.values()} == {"PACSFW"}


def test_a_series_or_single_objects_may_be_asked_for(real_pacs, study, receiver_port, tmp_path):
    nodes = net(real_pacs.port, real_pacs.aetitle)
    chosen = (study.sop_uid(2, 1), study.sop_uid(2, 2))
    series = Request(study_uid=study.uid, series_uid=study.series_uid(1))
    objects = Request(study_uid=study.uid, series_uid=study.series_uid(2), sop_uids=chosen)
    with receiving(receiver_port, tmp_path / "spool") as inbox, transfer(nodes) as fetching:
        assert fetching.fetch(series, inbox).completed == 3
        inbox.wait_for(3)
        assert fetching.fetch(objects, inbox).completed == 2
        inbox.wait_for(5)
    assert set(chosen) < inbox.sealed.keys()


def test_a_move_destination_the_archive_does_not_know_is_told(real_pacs, study):
    with transfer(net(real_pacs.port, real_pacs.aetitle)) as fetching:
        outcome = fetching.fetch(Request(study_uid=study.uid), Inbox("NOBODY"))
    assert outcome.reached
    assert outcome.status in (0xA801, 0xC000)
    assert "move destination" in outcome.status_text


def test_a_move_destination_that_is_down_is_told(real_pacs, study):
    with transfer(net(real_pacs.port, real_pacs.aetitle)) as fetching:
        outcome = fetching.fetch(Request(study_uid=study.uid), Inbox("DEAD"))
    assert outcome.status in (0xA702, 0xC000)
    assert "destination" in outcome.status_text


def test_dcmqrscp_names_what_it_could_not_send(dcmqrscp, tmp_path):
    (study,) = make_studies(1, instances=2)
    dcmqrscp.load(write_studies(tmp_path, [study]))
    with transfer(net(dcmqrscp.port, dcmqrscp.aetitle)) as fetching:
        outcome = fetching.fetch(Request(study_uid=study.uid), Inbox("DEAD"))
    assert set(outcome.failed_uids) == set(study.sop_uids)
    assert outcome.failed == 4


# --- a PACS that does what it wants -------------------------------------------------------


def moving(handler: Any) -> tuple[Any, Any]:
    return evt.EVT_C_MOVE, handler


def fetched(handler: Any, inbox: Inbox | None = None, **options: Any) -> Outcome:
    with scripted(moving(handler)) as nodes, transfer(nodes, **options) as fetching:
        return fetching.fetch(REQUEST, inbox or Inbox())


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[Listening]:
    running = Listening(tmp_path / "destination")
    yield running
    running.stop()


def test_final_counts_are_kept_and_one_failed_uid_is_still_a_list(destination: Listening) -> None:
    dataset = next(make_studies(1)[0].datasets())

    def move(event: evt.Event) -> Iterator[Any]:
        contexts = [build_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)]
        yield "127.0.0.1", destination.port, {"contexts": contexts}
        yield 3
        failed = Dataset()
        failed.FailedSOPInstanceUIDList = "1.2.9"
        yield 0xFF00, dataset
        yield 0xA702, failed

    outcome = fetched(move)
    assert outcome.status == 0xA702
    assert outcome.failed_uids == ("1.2.9",)
    assert outcome.completed == 1


def test_an_abort_is_told() -> None:
    def move(event: evt.Event) -> Iterator[Any]:
        event.assoc.abort()
        yield None, None

    outcome = fetched(move)
    assert (outcome.status, outcome.status_text) == (None, "the PACS aborted the association")
    assert outcome.reached


def test_a_pacs_that_cannot_be_reached_is_told() -> None:
    with transfer(net(free_port())) as fetching:
        outcome = fetching.fetch(REQUEST, Inbox())
    assert (outcome.status, outcome.reached) == (None, False)
    assert "nothing listens there" in outcome.status_text


def test_a_profile_without_c_move_refuses_it_before_anything_is_asked() -> None:
    profile = Profile(probed_at="2026-01-01T00:00:00Z", models=frozenset({"study-find"}))
    nodes = net(free_port(), profile=profile)
    with pytest.raises(RemoteError, match=r"does not accept C-MOVE .* of 2026-01-01T00:00:00Z"):
        transfer(nodes).__enter__()


@pytest.mark.parametrize("models", [frozenset(), frozenset({"study-move", "study-find"})])
def test_a_profile_that_has_c_move_or_does_not_know_refuses_nothing(models: frozenset[str]) -> None:
    with transfer(net(free_port(), profile=Profile(models=models))) as fetching:
        outcome = fetching.fetch(REQUEST, Inbox())
    assert "no connection" in outcome.status_text


def test_a_pacs_that_rejects_us_is_told() -> None:
    with scripted(called="OTHER") as nodes, transfer(nodes) as fetching:
        outcome = fetching.fetch(REQUEST, Inbox())
    assert not outcome.reached
    assert "called AE title not recognized" in outcome.status_text


class Hanging:
    """A C-MOVE that sends nothing; it ends when cancelled, or only when told to."""

    def __init__(self, heeds_cancel: bool) -> None:
        self.begun = threading.Event()
        self.over = threading.Event()
        self._heeds_cancel = heeds_cancel

    def __call__(self, event: evt.Event) -> Iterator[Any]:
        self.begun.set()
        while not self.over.wait(0.01):
            if self._heeds_cancel and event.is_cancelled:
                break
        # pynetdicom itself answers a request for an unknown destination with A801.
        yield None, None


def test_inactivity_cancels_the_request() -> None:
    outcome = fetched(Hanging(heeds_cancel=True), inactivity_timeout=0.2)
    assert outcome.status == 0xA801
    assert outcome.status_text.startswith("no response and no arrival for 0.2 s; A801")


def test_the_total_clock_cancels_the_request() -> None:
    outcome = fetched(Hanging(heeds_cancel=True), total_timeout=0.2)
    assert outcome.status_text.startswith("not done after 0.2 s; A801")


def test_what_does_not_heed_a_cancel_is_aborted() -> None:
    hanging = Hanging(heeds_cancel=False)
    with scripted(moving(hanging)) as nodes:
        with transfer(nodes, inactivity_timeout=0.2, cancel_grace=0.2) as fetching:
            outcome = fetching.fetch(REQUEST, Inbox())
        hanging.over.set()
    assert outcome.status is None
    assert outcome.status_text.endswith("the PACS did not react to C-CANCEL")


def test_cancel_from_another_thread_ends_a_request_and_refuses_the_next() -> None:
    hanging = Hanging(heeds_cancel=True)
    outcomes: list[Outcome] = []
    with scripted(moving(hanging)) as nodes, transfer(nodes, cancel_grace=30) as fetching:
        thread = threading.Thread(target=lambda: outcomes.append(fetching.fetch(REQUEST, Inbox())))
        thread.start()
        assert hanging.begun.wait(30)
        fetching.cancel()
        thread.join()
        outcomes.append(fetching.fetch(REQUEST, Inbox()))
    assert outcomes[0].status_text.startswith("cancelled; A801")
    assert (outcomes[1].reached, outcomes[1].status) == (False, None)


class Stepping(Clock):
    """Goes on only when told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time


class Trickle(Inbox):
    """At every look four seconds have passed and one more object has arrived, six in all."""

    def __init__(self, clock: Stepping, over: threading.Event) -> None:
        super().__init__()
        self._clock, self._over = clock, over

    def news(self) -> int:
        self._clock.time += 4
        if len(self.sealed) == 6:
            self._over.set()
        else:
            uid = str(len(self.sealed))
            self.sealed[uid] = Sealed("", "", uid, "", "", "", None, 0)
        return len(self.sealed)


def test_arrivals_keep_a_silent_request_alive() -> None:
    hanging, clock = Hanging(heeds_cancel=True), Stepping()
    options = {"inactivity_timeout": 10, "cancel_grace": 0.4}
    with scripted(moving(hanging)) as nodes, transfer(nodes, clock, **options) as fetching:
        outcome = fetching.fetch(REQUEST, Trickle(clock, hanging.over))
    assert clock.time > 20
    assert outcome.status_text.startswith("A801")


def test_a_real_archive_is_cancelled(embedded_pacs, receiver_port, tmp_path) -> None:
    pacs = embedded_pacs(make_studies(1, instances=30), delay=0.1)
    study = next(iter(pacs.uids("STUDY")))
    nodes = net(pacs.port, pacs.aetitle)
    outcomes: list[Outcome] = []
    with receiving(receiver_port, tmp_path / "spool") as inbox, transfer(nodes) as fetching:
        thread = threading.Thread(
            target=lambda: outcomes.append(fetching.fetch(Request(study_uid=study), inbox))
        )
        thread.start()
        inbox.wait_for(2)
        fetching.cancel()
        thread.join()
    assert outcomes[0].status == 0xFE00
    assert outcomes[0].status_text == "cancelled; FE00: Cancelled"
    assert 2 <= len(inbox.sealed) < 60


def test_what_arrives_is_what_was_loaded(embedded_pacs, receiver_port, tmp_path) -> None:
    studies = make_studies(1)
    files = write_studies(tmp_path / "sent", studies)
    pacs = embedded_pacs(tmp_path / "sent")
    nodes = net(pacs.port, pacs.aetitle)
    with receiving(receiver_port, tmp_path / "spool") as inbox, transfer(nodes) as fetching:
        fetching.fetch(Request(study_uid=studies[0].uid), inbox)
        inbox.wait_for(len(files))
        arrived = {dataset_bytes(record.path) for record in inbox.sealed.values()}
    assert arrived == {dataset_bytes(path) for path in files}
