"""What a FaultyPACS does wrong when it is asked for objects, seen by a plain client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.presentation import build_context

from pacsfw.testing import FaultyPACS, make_studies
from pacsfw.testing.synthetic import SOP_CLASSES
from peers.scu import MODELS, MOVE, Answer, associate, get, identifier, move

STUDY, OTHER = make_studies(2, modalities=(("CT",),), instances=4)
KEYS = {"StudyInstanceUID": STUDY.uid}
UIDS = list(STUDY.sop_uids)
DEADLINE = 10.0


@dataclass
class Received:
    """What came, in order."""

    uids: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    associations: set[int] = field(default_factory=set)
    titles: set[tuple[str, str]] = field(default_factory=set)
    originators: set[str | None] = field(default_factory=set)

    def store(self, event: evt.Event) -> int:
        request = event.request
        self.uids.append(str(request.AffectedSOPInstanceUID))
        self.contents.append(event.encoded_dataset(include_meta=False))
        self.associations.add(id(event.assoc))
        wanted = event.assoc.requestor.primitive
        self.titles.add((wanted.calling_ae_title, wanted.called_ae_title))
        self.originators.add(request.MoveOriginatorApplicationEntityTitle)
        return 0x0000

    def wait(self, number: int) -> None:
        deadline = time.monotonic() + DEADLINE
        while len(self.uids) < number and time.monotonic() < deadline:
            time.sleep(0.01)


@contextmanager
def receiver(port: int) -> Iterator[Received]:
    received = Received()
    server = AE(ae_title="PACSFW").start_server(
        ("127.0.0.1", port),
        block=False,
        contexts=[build_context(SOP_CLASSES["CT"], ALL_TRANSFER_SYNTAXES)],
        evt_handlers=[(evt.EVT_C_STORE, received.store)],
    )
    try:
        yield received
    finally:
        server.shutdown()


@pytest.fixture(scope="module")
def pacs(destinations: dict[str, tuple[str, int]]) -> Iterator[FaultyPACS]:
    with FaultyPACS([STUDY, OTHER], destinations=destinations) as running:
        yield running


@pytest.fixture
def moved(pacs: FaultyPACS, receiver_port: int) -> Iterator[Callable[..., tuple[Answer, Received]]]:
    with receiver(receiver_port) as received:

        def ask(times: int = 1, **faults: Any) -> tuple[Answer, Received]:
            if faults:
                pacs.set_faults(**faults)
            for _ in range(times):
                answer = move(pacs, "STUDY", KEYS, "PACSFW")
            return answer, received

        yield ask


def counts(answer: Answer) -> tuple[int, ...]:
    kinds = ("Completed", "Failed")
    return tuple(answer.last[f"NumberOf{kind}Suboperations"].value for kind in kinds)


def test_objects_get_lost_and_that_is_a_success(moved) -> None:
    answer, received = moved(lose=2)

    assert (answer.status, counts(answer)) == (0x0000, (4, 0))
    assert received.uids == UIDS[:2]


def test_objects_fail_and_are_named_or_not(moved) -> None:
    answer, received = moved(fail=1)
    assert (answer.status, counts(answer)) == (0xB000, (3, 1))
    assert answer.identifiers[-1].FailedSOPInstanceUIDList == UIDS[-1]
    assert received.uids == UIDS[:3]

    answer, _ = moved(fail=1, no_failed_list=True)
    assert (answer.status, list(filter(None, answer.identifiers))) == (0xB000, [])


def test_a_failure_may_end_it_all(moved) -> None:
    answer, received = moved(fail=2, stop_at_failure=True)

    assert (answer.status, counts(answer)) == (0xC000, (0, 0))
    assert received.uids == UIDS[:2]


def test_faults_end_after_some_retrieves_of_a_study(moved) -> None:
    answer, received = moved(2, send_nothing=True, heals_after=2)
    assert (answer.status, counts(answer), received.uids) == (0x0000, (0, 0), [])

    answer, received = moved()
    assert (counts(answer), received.uids) == ((4, 0), UIDS)


def test_objects_may_come_late_each_by_itself_and_from_elsewhere(moved) -> None:
    answer, received = moved(late=0.2, scatter=True, sender="PACS_B", lower_titles=True)
    assert (counts(answer), received.uids) == ((4, 0), [])

    received.wait(4)

    assert received.uids == UIDS
    assert len(received.associations) == 4
    assert received.titles == {("pacs_b", "pacsfw")}
    assert received.originators == {None}


def test_objects_may_change_be_repeated_or_be_cut_short(moved) -> None:
    _, received = moved(duplicate=True, change=True, truncate=1)

    assert received.uids == [uid for uid in UIDS for _ in range(2)]
    assert len(set(received.contents)) == 8
    assert b"CHANGED" in received.contents[1]
    assert len(received.contents[-2]) < len(received.contents[0])


def test_another_study_may_come(moved) -> None:
    answer, received = moved(wrong_study=True)

    assert (answer.status, received.uids) == (0x0000, list(OTHER.sop_uids))


def test_it_may_die_on_the_way(moved) -> None:
    answer, received = moved(die_after=2, no_pending=True)

    assert "Status" not in answer.last
    assert received.uids == UIDS[:2]


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ({"refuse": 0xA702}, 0xA702),
        ({"retrieve_levels": ("IMAGE",)}, 0xA900),
        ({"busy": 0}, 0xA701),
    ],
)
def test_it_may_refuse(moved, faults, status) -> None:
    answer, received = moved(**faults)

    assert (answer.status, received.uids) == (status, [])


@pytest.mark.parametrize("faults", [{"silent": True}, {"pending_every": 0.05}])
def test_it_may_never_end_but_can_be_cancelled(pacs: FaultyPACS, faults) -> None:
    pacs.set_faults(**faults)
    model = MODELS["STUDY"] + MOVE
    with associate(pacs, [build_context(model)]) as association:
        association.dimse_timeout = 0.5
        answers = association.send_c_move(identifier("STUDY", KEYS), "PACSFW", model, msg_id=7)
        statuses = []
        for status, _ in answers:
            statuses.append(status.get("Status"))
            if len(statuses) == 3:
                association.send_c_cancel(7, query_model=model)

    if "silent" in faults:
        assert statuses == [None]
    else:
        assert (statuses[0], statuses[-1]) == (0xFF00, 0xFE00)


def test_a_get_meets_the_same(pacs: FaultyPACS) -> None:
    pacs.set_faults(lose=1, no_counts=True)

    answer, received = get(pacs, "STUDY", KEYS)

    assert [uid for uid, _ in received] == UIDS[:3]
    assert "NumberOfCompletedSuboperations" not in answer.last


def test_objects_come_and_go(pacs: FaultyPACS) -> None:
    pacs.set_faults()
    [more] = make_studies(1, modalities=(("CT",),), instances=1, seed=9)

    pacs.add([more])
    assert pacs.uids("IMAGE", more.uid) == set(more.sop_uids)
    pacs.remove([*more.sop_uids, UIDS[-1]])

    assert pacs.uids("IMAGE", STUDY.uid) == set(UIDS[:-1])
    assert more.uid not in pacs.uids("STUDY")
    pacs.add([STUDY])
