"""The transfer threads: windows, attempts, a PACS that cannot be reached, late arrivals."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pacsfw.api import Clock, MoveStarted, Paused, Waiting
from pacsfw.config import Window
from pacsfw.errors import PacsfwError, RemoteError
from pacsfw.ledger.instances import Instance
from pacsfw.spool.records import Begun, Discarded, Sealed
from pacsfw.steps.move.arrivals import Arrivals
from pacsfw.steps.move.mover import (
    IN_VAIN_LIMIT,
    REFUSED_LIMIT,
    UNREACHED_LIMIT,
    WORKED_LIMIT,
    Mover,
    NothingArrives,
)
from pacsfw.steps.move.study import Attempt
from support.run import make_run

ZURICH = ZoneInfo("Europe/Zurich")


class TestClock(Clock):
    """Waiting takes no time, it only moves the clock."""

    __test__ = False

    def __init__(self, start: datetime) -> None:
        self.time = start
        self.waited: list[float] = []

    def now(self) -> datetime:
        return self.time

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waited.append(seconds)
        self.time += timedelta(seconds=seconds)
        return event.is_set()


class Worker:
    """Moves as told; stands for a StudyMover."""

    def __init__(self, clock, script):
        self.clock, self.script = clock, script
        self.moved, self.attempts, self.judged, self.closed = [], [], [], 0
        self.transfer = self

    def move(self, uid, attempt):
        self.moved.append((uid, self.clock.now()))
        self.attempts.append(attempt)
        answers = self.script.get(uid, [False])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Attempt) else Attempt(again=answer)

    def make_study_mover(self):
        return self

    def judge_again(self, uid):
        self.judged.append(uid)

    def cancel(self):
        self.cancelled = True

    def close(self):
        self.closed += 1


class Space:
    """Has room as long as a function does not say what it lacks."""

    def __init__(self, lacking):
        self.lacking = lacking


def mover(
    worker,
    clock,
    *,
    window=None,
    attempts=3,
    events=None,
    stop=None,
    arrivals=None,
    lacking=lambda: "",
    worked=True,
):
    run = make_run(None, clock=clock, stop=stop, events=events)
    return Mover(
        run,
        worker,
        arrivals or Arrivals(clock),
        Space(lacking),
        window=window,
        threads=1,
        attempts=attempts,
        worked=worked,
        advice="check this",
    )


NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_every_study_is_moved_in_order():
    clock, events = TestClock(NOON), []
    worker = Worker(clock, {})

    mover(worker, clock, events=events).move(["1", "2", "3"], total=5)

    assert [uid for uid, _ in worker.moved] == ["1", "2", "3"]
    assert worker.closed == 1
    assert events[0] == MoveStarted(at=NOON, total=5, done=2)


def test_nothing_is_requested_outside_the_window():
    clock = TestClock(datetime(2026, 6, 1, 12, 0, tzinfo=ZURICH).astimezone(UTC))
    window = Window(time(20), time(8), timezone=ZURICH)
    events: list[object] = []
    worker = Worker(clock, {})

    mover(worker, clock, window=window, events=events).move(["1"], total=1)

    ((_, when),) = worker.moved
    assert when.astimezone(ZURICH) == datetime(2026, 6, 1, 20, 0, tzinfo=ZURICH)
    waiting = [event for event in events if isinstance(event, Waiting)]
    assert [event.until for event in waiting] == [when, None]


def test_nothing_is_requested_while_there_is_no_room():
    clock, events = TestClock(NOON), []
    worker = Worker(clock, {})
    lacking = ["no space", "no space", "", ""]
    moving = mover(worker, clock, events=events, lacking=lambda: lacking.pop(0))

    moving.move(["1", "2"], total=2)

    assert [when for _, when in worker.moved] == [NOON + timedelta(seconds=10)] * 2
    told = [event.reason for event in events if isinstance(event, Paused)]
    assert told == ["no space", ""]


def test_what_does_not_fit_into_the_window_waits_for_the_next():
    clock = TestClock(datetime(2026, 6, 1, 7, 0, tzinfo=ZURICH).astimezone(UTC))
    window = Window(time(20), time(8), timezone=ZURICH)
    worker = Worker(clock, {})
    real = worker.move

    def slow(uid, attempt):
        answer = real(uid, attempt)
        clock.time += timedelta(minutes=50)
        return answer

    worker.move = slow

    mover(worker, clock, window=window).move(["1", "2", "3"], total=3)

    hours = [when.astimezone(ZURICH).hour for _, when in worker.moved]
    assert hours == [7, 7, 20]


def test_an_incomplete_study_is_asked_for_again_a_limited_number_of_times():
    clock = TestClock(NOON)
    worker = Worker(clock, {"1": [True, True, True, True]})

    mover(worker, clock, attempts=3).move(["1", "2"], total=2)

    assert [uid for uid, _ in worker.moved] == ["1", "1", "1", "2"]
    assert worker.attempts == [1, 2, 3, 1]
    assert all(seconds > 0 for seconds in clock.waited)


def test_one_failure_to_reach_the_pacs_does_not_stop_the_rest():
    clock = TestClock(NOON)
    worker = Worker(clock, {"1": [RemoteError("gone"), False]})

    mover(worker, clock).move(["1", "2"], total=2)

    assert [uid for uid, _ in worker.moved] == ["1", "1", "2"]


def test_a_pacs_that_stays_away_ends_the_run():
    clock = TestClock(NOON)
    studies = [str(number) for number in range(10)]
    worker = Worker(clock, {uid: [RemoteError("gone")] for uid in studies})

    with pytest.raises(RemoteError, match="gone"):
        mover(worker, clock, attempts=1).move(studies, total=10)

    assert len(worker.moved) == UNREACHED_LIMIT
    assert worker.closed == 1


def test_a_pacs_that_answered_before_is_waited_for():
    clock = TestClock(NOON)
    away = [RemoteError("restarting")] * 6
    worker = Worker(clock, {"2": [*away, False]})

    mover(worker, clock, attempts=9).move(["1", "2", "3"], total=3)

    assert [uid for uid, _ in worker.moved] == ["1", *["2"] * 7, "3"]
    assert clock.now() - NOON > timedelta(minutes=2)


def test_a_single_study_whose_pacs_is_away_is_an_error_too():
    clock = TestClock(NOON)
    worker = Worker(clock, {"1": [RemoteError("gone")]})

    with pytest.raises(RemoteError, match="gone"):
        mover(worker, clock, attempts=1).move(["1"], total=1)


def test_a_pacs_that_refuses_everything_ends_the_run():
    clock = TestClock(NOON)
    studies = [str(number) for number in range(10)]
    refused = Attempt(again=False, refused="A801: Refused: move destination unknown")
    worker = Worker(clock, {uid: [refused] for uid in studies})

    with pytest.raises(RemoteError, match="the PACS refuses every request: A801"):
        mover(worker, clock).move(studies, total=10)

    assert len(worker.moved) == REFUSED_LIMIT


def test_refusals_between_successes_do_not_end_the_run():
    clock = TestClock(NOON)
    studies = [str(number) for number in range(9)]
    refused = Attempt(again=False, refused="0124: Refused: not authorized")
    worker = Worker(clock, {uid: [refused] for uid in studies if int(uid) % 3})

    mover(worker, clock).move(studies, total=9)

    assert len(worker.moved) == 9


def test_a_stopped_run_requests_nothing_more():
    clock, stop = TestClock(NOON), threading.Event()
    worker = Worker(clock, {})
    real = worker.move

    def move_and_stop(uid, attempt):
        stop.set()
        return real(uid, attempt)

    worker.move = move_and_stop

    mover(worker, clock, stop=stop).move(["1", "2"], total=2)

    assert [uid for uid, _ in worker.moved] == ["1"]


# --- arrivals -------------------------------------------------------------------------------


def sealed(uid):
    return Sealed(f"/spool/{uid}_x_1.dcm", "class", uid, "syntax", "PACS", "", None, 1)


def begun(uid):
    return Begun(f"/spool/{uid}_x_1.part", "class", uid, "PACS", "", None)


def instance(uid, study="1.2", state="stored"):
    return Instance(
        sop_uid=uid, digest="d", study_uid=study, series_uid="", sop_class="", syntax="",
        size=1, path="p", state=state,
    )  # fmt: skip


def arrive(arrivals, uid, study="1.2", news=True):
    arrivals.on_the_way([begun(uid)])
    arrivals.on_the_way([sealed(uid)])
    arrivals.arrived([(sealed(uid), instance(uid, study), news)])


def test_a_study_is_settled_when_everything_expected_is_stored():
    arrivals = Arrivals(Clock())
    arrivals.track("1.2", frozenset({"a"}))
    arrive(arrivals, "b")

    stored = arrivals.settle("1.2", frozenset("ab"), 60, threading.Event())

    assert stored == {"a", "b"}


def test_a_study_is_settled_when_nothing_moves_any_more():
    arrivals = Arrivals(Clock())
    arrivals.track("1.2", frozenset())
    arrive(arrivals, "a")

    assert arrivals.settle("1.2", frozenset("ab"), 0.05, threading.Event()) == {"a"}


def test_an_object_on_its_way_holds_the_verdict_back():
    arrivals, done = Arrivals(Clock()), []
    arrivals.track("1.2", frozenset())
    arrivals.on_the_way([begun("a")])
    thread = threading.Thread(
        target=lambda: done.append(arrivals.settle("1.2", frozenset("a"), 0.01, threading.Event()))
    )
    thread.start()
    thread.join(0.1)
    assert done == []

    arrivals.on_the_way([sealed("a")])
    arrivals.arrived([(sealed("a"), instance("a"), True)])
    thread.join(10)

    assert done == [frozenset("a")]


def test_a_discarded_object_holds_nothing_back():
    arrivals = Arrivals(Clock())
    arrivals.track("1.2", frozenset())
    arrivals.on_the_way([begun("a")])
    arrivals.on_the_way([Discarded(begun("a").file, "a", "cut off")])

    assert arrivals.settle("1.2", None, 0.01, threading.Event()) == frozenset()


def test_what_comes_for_nobody_is_late_unless_it_is_no_news():
    arrivals = Arrivals(Clock())
    arrive(arrivals, "a", "1.1")
    arrive(arrivals, "b", "1.2", news=False)

    assert arrivals.take_late() == {"1.1"}
    assert arrivals.take_late() == frozenset()


def test_late_arrivals_are_judged_again():
    clock = TestClock(NOON)
    arrivals, worker = Arrivals(clock), Worker(clock, {})
    moving = mover(worker, clock, arrivals=arrivals)
    moving.move(["1.2"], total=1)
    arrive(arrivals, "a", "1.2")

    moving.judge_late()

    assert worker.judged == ["1.2"]
    assert worker.closed == 2


@pytest.mark.parametrize("expected", [frozenset("ab"), None])
def test_a_study_is_settled_although_others_arrive_without_a_pause(expected):
    arrivals, done, others = Arrivals(Clock()), threading.Event(), threading.Event()
    arrivals.track("1.2", frozenset("a"))
    arrivals.track("1.9", frozenset())

    def others_arrive():
        number = 0
        arrivals.on_the_way([begun("0")])
        others.set()
        while not done.is_set():  # the next one begins before the last one is stored
            number += 1
            arrivals.on_the_way([begun(str(number))])
            arrivals.on_the_way([sealed(str(number - 1))])
            arrivals.arrived([(sealed(str(number - 1)), instance(str(number - 1), "1.9"), True)])

    def settle():
        arrivals.settle("1.2", expected, 0.2, threading.Event())
        done.set()

    threads = [threading.Thread(target=each, daemon=True) for each in (others_arrive, settle)]
    threads[0].start()
    others.wait()
    threads[1].start()

    settled = done.wait(10)
    done.set()
    for thread in threads:
        thread.join(10)
    assert settled


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_cannot_begin_ends_the_run_and_says_so():
    clock = TestClock(NOON)
    moving = mover(Worker(clock, {}), clock)

    def broken():
        raise TypeError("Müller^Anna")

    moving._workers.make_study_mover = broken

    with pytest.raises(PacsfwError, match=r"^move: TypeError$"):
        moving.move(["1"], total=1)


def test_an_error_of_the_file_system_does_not_quote_the_path():
    clock = TestClock(NOON)
    error = PermissionError(13, "Permission denied", "/archive/Müller^Anna/1.dcm")
    worker = Worker(clock, {"1": [error]})

    with pytest.raises(PacsfwError, match=r"^move: PermissionError: Permission denied$"):
        mover(worker, clock).move(["1"], total=1)

    assert worker.closed == 1


NOTHING = Attempt(again=True, in_vain="C000: it cannot reach us", comment="no route")
UIDS = [str(number) for number in range(1, 31)]


@pytest.mark.parametrize(("worked", "limit"), [(False, IN_VAIN_LIMIT), (True, WORKED_LIMIT)])
def test_a_cause_that_all_studies_share_ends_the_run_after_a_few(worked, limit):
    clock = TestClock(NOON)
    worker = Worker(clock, {uid: [NOTHING] for uid in UIDS})

    with pytest.raises(NothingArrives) as caught:
        mover(worker, clock, worked=worked).move(UIDS, total=30)

    assert str(caught.value) == (
        f"nothing arrived of {limit} studies in a row: C000: it cannot reach us; check this, then "
        "run again"
    )
    assert caught.value.comment == "no route"
    assert len(dict(worker.moved)) == limit


def test_without_any_arrival_others_are_tried_before_a_study_is_tried_again():
    clock = TestClock(NOON)
    arrives = Attempt(again=False, came=True)
    worker = Worker(clock, {"1": [NOTHING, arrives], "2": [NOTHING, arrives], "3": [arrives]})

    mover(worker, clock, worked=False).move(["1", "2", "3"], total=3)

    order = list(zip([uid for uid, _ in worker.moved], worker.attempts, strict=True))
    assert order == [("1", 1), ("2", 1), ("3", 1), ("1", 2), ("2", 2)]


def test_one_arrival_shows_that_the_cause_is_not_common():
    clock = TestClock(NOON)
    script = {uid: [NOTHING] for uid in UIDS} | {"4": [Attempt(again=False, came=True)]}
    worker = Worker(clock, script)

    mover(worker, clock, worked=False, attempts=1).move(UIDS[:8], total=8)

    assert [uid for uid, _ in worker.moved] == UIDS[:8]


def test_different_reasons_are_not_a_common_cause():
    clock = TestClock(NOON)
    script = {uid: [Attempt(again=False, in_vain=f"reason {int(uid) % 2}")] for uid in UIDS}
    worker = Worker(clock, script)

    mover(worker, clock).move(UIDS, total=30)

    assert len(worker.moved) == 30
