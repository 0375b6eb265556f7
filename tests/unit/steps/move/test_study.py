"""One study, from what the PACS says to the verdict: what must not be called complete."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest

from pacsfw.api import Clock, Outcome, QueryResult, QueryRow, Transfer
from pacsfw.dicom.part10 import file_head
from pacsfw.ledger import open_ledger
from pacsfw.ledger.instances import Instance
from pacsfw.steps.ingest.durability import Durability
from pacsfw.steps.move.arrivals import Arrivals, Inboxes
from pacsfw.steps.move.expected import Sizes
from pacsfw.steps.move.judge import Judge
from pacsfw.steps.move.requests import Levels
from pacsfw.steps.move.study import StudyMover
from pacsfw.steps.run import Timing
from support.guards import guard
from support.run import make_run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STUDY = "1.2"
WHOLE = QueryResult(complete=True, status_text="0000: Success", status=0)
BROKEN = QueryResult(complete=False, status_text="the connection to the PACS was lost")


class Pacs(Transfer):
    """Lists the objects it holds, sends those it likes, and may lose its tongue after that."""

    def __init__(
        self,
        room,
        *,
        holds,
        sends,
        mute_afterwards=False,
        levels=("STUDY", "SERIES", "IMAGE"),
        status=0,
        stumbles_at=(),
        fails_at=None,
        where="ONLINE",
    ):
        self.room, self.holds, self.sends = room, holds, sends
        self.mute_afterwards, self.mute = mute_afterwards, False
        self.levels, self.status, self.stumbles_at = levels, status, stumbles_at
        self.fails_at, self.where = fails_at or {}, where
        self.requests = []

    requires_patient_id = is_unlimited = False

    def release(self):
        """It holds no connection."""

    def ask(self, query):
        if self.mute:
            return BROKEN, []
        number = str(len(self.holds))
        if query.level == "SERIES":
            row = {"SeriesInstanceUID": "1.2.9", "NumberOfSeriesRelatedInstances": number}
            return WHOLE, [QueryRow(row)] if self.holds else []
        if query.level == "STUDY":
            row = {"NumberOfStudyRelatedInstances": number, "InstanceAvailability": self.where}
            return WHOLE, [QueryRow(row)]
        return WHOLE, [QueryRow({"SOPInstanceUID": uid}) for uid in self.holds]

    def fetch(self, request, inbox):
        self.requests.append(request)
        if request.level not in self.levels:
            return Outcome(status=0xA900, status_text="A900")
        if request.level in self.fails_at:
            status = self.fails_at[request.level]
            return Outcome(status=status, status_text=f"{status:04X}", completed=0)
        sent = 0
        for uid in self.sends:
            if request.sop_uids and uid not in request.sop_uids:
                continue
            if uid in self.stumbles_at:
                return Outcome(status=0xC000, status_text="C000", completed=0)
            self.room.store(uid)
            sent += 1
        self.mute = self.mute_afterwards
        return Outcome(status=self.status, status_text=f"{self.status:04X}", completed=sent)


class Days(Clock):
    """It is another day for each run."""

    def __init__(self, day: int):
        self.day = day

    def now(self):
        return NOW + timedelta(days=self.day)


class Room:
    """An archive with its ledger."""

    def __init__(self, folder):
        self.archive = folder / "archive"
        self.archive.mkdir()
        self.ledger = open_ledger(folder / "state")
        self.ledger.studies.add(STUDY, {}, "find", selected=True)
        self.runs = itertools.count(1)
        self.levels = Levels()

    def path(self, uid):
        return self.archive / f"{uid}.dcm"

    def store(self, uid):
        self.path(uid).write_bytes(file_head("1", uid, "1.2.840.10008.1.2", "") + b"0123456789")
        self.ledger.instances.record(
            Instance(
                sop_uid=uid, digest="d", study_uid=STUDY, series_uid="1.2.9", sop_class="",
                syntax="",
                size=10, path=self.path(uid).name, state="stored",
            ),
            NOW,
        )  # fmt: skip

    def move(self, pacs, attempt=1, stop=None, day=None):
        arrivals = Arrivals(Clock())
        number = next(self.runs)
        run = make_run(
            self.ledger,
            self.archive,
            run_id=f"run {number}",
            clock=Days(number if day is None else day),
            stop=stop,
            timing=Timing(quiet=0.01),
        )
        inboxes = Inboxes(arrivals, None, aetitle="US", source="")
        mover = StudyMover(
            run,
            guard("transfer", pacs),
            pacs,
            inboxes,
            Judge(run, Durability(run), {}),
            self.levels,
            Sizes(),
        )
        done = mover.move(STUDY, attempt)
        return done.again, self.ledger.studies.get(STUDY).verdict


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


def requested(pacs):
    return [(request.level, request.sop_uids) for request in pacs.requests]


def test_only_what_is_missing_is_asked_for_again(room):
    pacs = Pacs(room, holds=["1.1", "1.2", "1.3"], sends=["1.1", "1.3"])

    room.move(pacs)
    pacs.sends = ["1.2"]
    again, verdict = room.move(pacs, attempt=2)

    assert requested(pacs) == [("STUDY", ()), ("IMAGE", ("1.2",))]
    assert (again, verdict.state) == (False, "complete")


def test_a_level_that_is_not_understood_is_left_at_once_and_for_good(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1"], levels=("STUDY", "SERIES"))
    room.move(pacs)
    pacs.sends = ["1.1", "1.2"]

    _, verdict = room.move(pacs, attempt=2)

    assert [level for level, _ in requested(pacs)] == ["STUDY", "IMAGE", "SERIES"]
    assert verdict.state == "complete"
    assert room.levels.refused == {"IMAGE"}


def test_a_level_at_which_something_came_is_not_left_for_one_odd_answer(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1"])
    room.move(pacs)
    pacs.levels = ("STUDY", "SERIES")
    room.move(pacs, attempt=2)
    assert room.levels.refused == {"IMAGE"}

    room.levels.serves("IMAGE")
    room.levels.refuses("IMAGE")
    pacs.levels, pacs.sends = ("STUDY", "SERIES"), ["1.1", "1.2"]
    _, verdict = room.move(pacs, attempt=2)

    assert [level for level, _ in requested(pacs)][-2:] == ["IMAGE", "SERIES"]
    assert (verdict.state, room.levels.refused) == ("complete", set())


def test_a_pacs_that_only_serves_single_objects_is_asked_for_them(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1", "1.2"], levels=("IMAGE",))

    _, verdict = room.move(pacs)

    assert [level for level, _ in requested(pacs)] == ["STUDY", "SERIES", "IMAGE"]
    assert verdict.state == "complete"


def test_what_three_runs_asked_for_in_vain_is_given_up(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1"])

    for _ in range(3):
        assert room.ledger.studies.unfinished() == [STUDY]
        again, verdict = room.move(pacs)

    assert (again, verdict.state, verdict.missing) == (False, "short", ("1.2",))
    assert room.ledger.studies.unfinished() == []
    assert room.ledger.studies.given_up() == 1
    asked = len(pacs.requests)
    room.move(pacs)
    assert len(pacs.requests) == asked, "what was given up was asked for"

    room.ledger.evidence.try_again()
    pacs.sends = ["1.2"]
    assert room.ledger.studies.unfinished() == [STUDY]
    assert room.move(pacs)[1].state == "complete"


def test_new_objects_of_a_study_that_was_given_up_are_asked_for(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1"])
    for _ in range(3):
        room.move(pacs)

    pacs.holds, pacs.sends = ["1.1", "1.2", "1.3"], ["1.3"]
    _, verdict = room.move(pacs)

    assert requested(pacs)[-1] == ("IMAGE", ("1.3",))
    assert verdict.missing == ("1.2",)


def test_runs_of_one_day_count_once(room):
    """A recall from an offline store takes longer than three runs in a row."""
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1"])
    for day in (1, 1, 1, 2, 2):
        room.move(pacs, day=day)
        assert room.ledger.studies.unfinished() == [STUDY]

    room.move(pacs, day=3)

    assert room.ledger.studies.given_up() == 1


@pytest.mark.parametrize("status", [0xA701, 0x0213])
def test_a_run_in_which_the_pacs_was_too_busy_is_no_trial(room, status):
    pacs = Pacs(room, holds=["1.1"], sends=[], status=status)

    for _ in range(4):
        room.move(pacs)

    assert room.ledger.studies.unfinished() == [STUDY]


def test_objects_over_which_the_pacs_stumbles_do_not_cost_the_others(room):
    """It sends in order and ends at the first object it cannot send."""
    holds = [f"1.{number}" for number in range(1, 8)]
    pacs = Pacs(room, holds=holds, sends=holds, stumbles_at={"1.3"})

    for attempt in (1, 2, 3):
        _, verdict = room.move(pacs, attempt=attempt)

    assert verdict.missing == ("1.3",)


def test_what_vanished_at_the_pacs_is_flagged_and_kept(room):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1", "1.2"])
    room.move(pacs)
    asked = len(pacs.requests)

    pacs.holds = ["1.1"]
    _, verdict = room.move(pacs)
    assert (verdict.state, verdict.expected) == ("complete", 2)
    assert room.ledger.evidence.flagged(STUDY, "vanished") == {"1.2"}

    pacs.holds = []
    room.move(pacs)
    assert room.ledger.evidence.flagged(STUDY, "vanished") == {"1.1", "1.2"}
    assert len(pacs.requests) == asked

    pacs.holds = ["1.1", "1.2"]
    room.move(pacs)
    assert room.ledger.evidence.flagged(STUDY, "vanished") == frozenset()
    assert room.path("1.2").exists()


def test_a_complete_study_is_not_judged_anew_on_less_than_it_was(room):
    pacs = Pacs(room, holds=["1.1"], sends=["1.1"])
    room.move(pacs)

    pacs.mute = True
    again, verdict = room.move(pacs)

    assert (again, verdict.state, verdict.source) == (False, "complete", "image-uids")
    assert len(pacs.requests) == 1


def test_a_complete_study_is_asked_about_again_when_its_time_has_come(room):
    pacs = Pacs(room, holds=["1.1"], sends=["1.1"])
    room.move(pacs)
    assert room.ledger.studies.unfinished() == []

    later = Clock().now() + timedelta(days=1)
    assert room.ledger.studies.unfinished(later) == [STUDY]
    pacs.holds, pacs.sends = ["1.1", "1.2"], ["1.2"]
    _, verdict = room.move(pacs)

    assert requested(pacs)[-1] == ("IMAGE", ("1.2",))
    assert (verdict.state, verdict.expected) == ("complete", 2)


def test_a_request_that_was_cancelled_by_the_end_of_the_run_is_no_failure(room):
    pacs = Pacs(room, holds=["1.1"], sends=[])
    stop = threading.Event()

    def cancelled(request, inbox):
        stop.set()
        return Outcome(status=None, status_text="cancelled before it was requested", reached=False)

    pacs.fetch = cancelled
    again, verdict = room.move(pacs, stop=stop)

    assert (again, verdict) == (False, None)


def test_every_series_has_its_verdict_in_the_ledger(room):
    room.move(Pacs(room, holds=["1.1", "1.2"], sends=["1.1"]))

    (series,) = room.ledger.evidence.series(STUDY)

    assert (series.uid, series.state, series.missing) == ("1.2.9", "short", ("1.2",))
    assert room.ledger.evidence.series_counts() == {"short": 1}


@pytest.mark.parametrize("status", [0xC000, 0x0110, 0xA702, 0xFE00])
def test_a_study_that_fails_as_a_whole_is_asked_for_by_series_at_once(room, status):
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=["1.1", "1.2"], fails_at={"STUDY": status})

    _, verdict = room.move(pacs)

    assert [level for level, _ in requested(pacs)] == ["STUDY", "SERIES"]
    assert verdict.state == "complete"


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0xA801, 0x0213, 0x0122])
def test_smaller_requests_are_no_answer_to_a_pacs_that_is_busy_or_refuses(room, status):
    pacs = Pacs(room, holds=["1.1"], sends=["1.1"], fails_at={"STUDY": status})

    room.move(pacs)

    assert [level for level, _ in requested(pacs)] == ["STUDY"]


def test_what_fails_at_every_level_is_left_after_a_few_requests(room):
    holds = [f"1.{number}" for number in range(1, 400)]
    pacs = Pacs(
        room, holds=holds, sends=holds, fails_at=dict.fromkeys(("STUDY", "SERIES", "IMAGE"), 0xC000)
    )
    for attempt in (1, 2, 3):
        room.move(pacs, attempt=attempt)

    assert len(pacs.requests) < 20


def test_a_destination_out_of_reach_is_not_tried_with_every_series(room):
    pacs = Pacs(
        room, holds=["1.1"], sends=["1.1"], fails_at=dict.fromkeys(("STUDY", "SERIES"), 0xA702)
    )

    room.move(pacs)

    assert [level for level, _ in requested(pacs)] == ["STUDY", "SERIES"]


def test_a_run_may_begin_with_series(room):
    room.levels = Levels("SERIES")
    pacs = Pacs(room, holds=["1.1"], sends=["1.1"])

    _, verdict = room.move(pacs)

    assert [level for level, _ in requested(pacs)] == ["SERIES"]
    assert verdict.state == "complete"


def test_a_study_that_is_being_recalled_says_so_and_does_not_look_like_a_common_cause(room):
    pacs = Pacs(
        room,
        holds=["1.1"],
        sends=[],
        where="NEARLINE",
        fails_at=dict.fromkeys(("STUDY", "SERIES"), 0xA702),
    )

    _, verdict = room.move(pacs)

    assert verdict.reason == "A702; the PACS keeps the study NEARLINE: a recall may take hours"


def test_trials_of_a_run_whose_cause_was_common_do_not_count(room):
    evidence = room.ledger.evidence
    for day in range(2):
        evidence.tried(STUDY, ["1.1"], f"run-{day}", NOW + timedelta(days=day))
    evidence.uncharge("run-1")
    evidence.tried(STUDY, ["1.1"], "run-2", NOW + timedelta(days=2))

    assert evidence.given_up(STUDY) == frozenset()


def test_two_levels_that_both_lead_nowhere_come_to_an_end(room):
    """Series are not understood, and single instances bring nothing."""
    holds = [f"1.{number}" for number in range(1, 30)]
    pacs = Pacs(room, holds=holds, sends=[], levels=("IMAGE",))

    for attempt in (1, 2, 3):
        room.move(pacs, attempt=attempt)

    assert len(pacs.requests) < 60


def leave_out(room, uid, rule="rule"):
    room.ledger.instances.record(
        Instance(
            sop_uid=uid, digest="d", study_uid=STUDY, series_uid="1.2.9", sop_class="", syntax="",
            size=10, path="", state="left-out", rule=rule,
        ),
        NOW,
    )  # fmt: skip


def test_what_was_left_out_is_not_asked_for_again(room):
    leave_out(room, "1.3")
    pacs = Pacs(room, holds=["1.1", "1.2", "1.3"], sends=["1.1", "1.2"])

    again, verdict = room.move(pacs)

    assert requested(pacs) == [("IMAGE", ("1.1", "1.2"))]
    assert (again, verdict.state) == (False, "complete")
    assert (verdict.expected, verdict.left_out) == (2, 1)
    assert room.ledger.evidence.given_up(STUDY) == frozenset()
    [series] = room.ledger.evidence.series(STUDY)
    assert (series.state, series.expected, series.left_out) == ("complete", 2, 1)


def test_a_study_of_which_all_was_left_out_asks_for_nothing(room):
    for uid in ("1.1", "1.2"):
        leave_out(room, uid)
    pacs = Pacs(room, holds=["1.1", "1.2"], sends=[])

    again, verdict = room.move(pacs)

    assert requested(pacs) == []
    assert (again, verdict.state, verdict.left_out) == (False, "complete", 2)
