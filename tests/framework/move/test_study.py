"""One study, from what the PACS says to the verdict: what must not be called complete."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from pacsfw.api import Answer, Clock, Found, Outcome, Transfer
from pacsfw.dicom.part10 import file_head
from pacsfw.ledger import open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.move.arrivals import Arrivals, RequestInbox
from pacsfw.move.study import StudyMover

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STUDY = "1.2"
WHOLE = Answer(whole=True, ended="0000: Success", status=0)
BROKEN = Answer(whole=False, ended="the connection to the PACS was lost")


class Pacs(Transfer):
    """Lists the objects it holds, sends those it likes, and may lose its tongue after that."""

    def __init__(self, room, *, holds, sends, mute_afterwards=False):
        self.room, self.holds, self.sends = room, holds, sends
        self.mute_afterwards, self.mute = mute_afterwards, False

    def ask(self, slice_):
        if self.mute:
            return BROKEN, []
        if slice_.level == "SERIES":
            return WHOLE, [Found({"SeriesInstanceUID": "1.2.9"})]
        return WHOLE, [Found({"SOPInstanceUID": uid}) for uid in self.holds]

    def fetch(self, request, inbox):
        for uid in self.sends:
            self.room.store(uid)
        self.mute = self.mute_afterwards
        return Outcome(status=0, ended="0000: Success", completed=len(self.sends))


class Room:
    """An archive with its ledger."""

    def __init__(self, folder):
        self.archive = folder / "archive"
        self.archive.mkdir()
        self.ledger = open_ledger(folder / "state")
        self.ledger.studies.add(STUDY, {}, "find", selected=True)

    def path(self, uid):
        return self.archive / f"{uid}.dcm"

    def store(self, uid):
        self.path(uid).write_bytes(file_head("1", uid, "1.2.840.10008.1.2", "") + b"0123456789")
        self.ledger.instances.record(
            Instance(
                sop_uid=uid, digest="d", study_uid=STUDY, series_uid="", sop_class="", syntax="",
                size=10, path=self.path(uid).name, state="stored",
            ),
            NOW,
        )  # fmt: skip

    def move(self, pacs):
        arrivals = Arrivals(Clock())
        mover = StudyMover(
            transfer=pacs,
            ask=pacs.ask,
            rest=lambda: None,
            inbox=lambda uid: RequestInbox(uid, "US", arrivals, lambda *_: None),
            arrivals=arrivals,
            ledger=self.ledger,
            archive=self.archive,
            clock=Clock(),
            stop=threading.Event(),
            quiet_seconds=0.01,
            components={},
            settled=lambda uid: None,
            notify=lambda event: None,
        )
        again = mover.move(STUDY)
        return again, self.ledger.studies.get(STUDY).verdict


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.ledger.close()


def test_everything_that_the_pacs_lists_makes_a_study_complete(room):
    again, verdict = room.move(Pacs(room, holds=["1.1", "1.2"], sends=["1.1", "1.2"]))

    assert (again, verdict.state) == (False, "complete")


def test_what_was_known_before_the_request_counts_when_the_pacs_falls_silent(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1"], mute_afterwards=True)

    again, verdict = room.move(pacs)

    assert (again, verdict.state) == (True, "short")
    assert verdict.missing == ("1.2",)


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_file_that_a_power_cut_cut_short_is_not_stored(room, kept):
    room.store("1.1")
    whole = room.path("1.1").read_bytes()
    room.path("1.1").write_bytes(whole[:kept])
    pacs = Pacs(room, holds=["1.1"], sends=["1.1"])

    again, verdict = room.move(pacs)

    assert again
    assert verdict.state in ("short", "failed")
    assert room.ledger.instances.stored_uids(STUDY) == frozenset()
    assert room.move(pacs)[1].state == "complete"


def test_a_folder_that_became_a_file_costs_its_objects_only(room):
    room.store("1.1")
    room.ledger.instances.record(
        Instance(
            sop_uid="1.2", digest="d", study_uid=STUDY, series_uid="", sop_class="", syntax="",
            size=10, path="1.1.dcm/1.2.dcm", state="stored",
        ),
        NOW,
    )  # fmt: skip

    _, verdict = room.move(Pacs(room, holds=["1.1", "1.2"], sends=[]))

    assert (verdict.state, verdict.missing) == ("short", ("1.2",))
