"""Progress on a terminal and elsewhere."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from pacsfw import api
from pacsfw_plugins.observers._progress import display

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
COMPLETE = api.Verdict(state="complete")
SHORT = api.Verdict(state="short", reason="1 of 2 instances missing")


class HandClock(api.Clock):
    """Moves when it is told to."""

    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock():
    return HandClock()


def context(clock):
    log = logging.getLogger("pacsfw.test")
    return api.RunContext(run_id="r", workdir=Path(), net=None, sections={}, clock=clock, log=log)


class Screen:
    """A display and what it has shown."""

    def __init__(self, clock, **console):
        self.out = io.StringIO()
        self.display = display(Console(file=self.out, width=80, **console))
        self.display.open(context(clock))

    def tell(self, *events):
        for event in events:
            self.display.notify(event)

    @property
    def lines(self):
        return self.out.getvalue().splitlines()


@pytest.fixture
def plain(clock):
    screen = Screen(clock)
    yield screen
    screen.display.close()


@pytest.fixture
def terminal(clock):
    screen = Screen(clock, force_terminal=True)
    yield screen
    screen.display.close()


def found(total):
    return api.ResourcesFound(at=AT, total=total)


def move(total, done=0):
    return api.MoveStarted(at=AT, total=total, done=done)


def ingested(study="1.2", *, stored=True, left_out=False, size=1_000_000):
    return api.InstanceIngested(at=AT, study_uid=study, stored=stored, left_out=left_out, size=size)


def settled(study="1.2", verdict=COMPLETE):
    return api.StudySettled(at=AT, study_uid=study, verdict=verdict)


FINISHED = api.RunFinished(at=AT, counts={}, exit_code=0)


def test_each_phase_begins_with_a_line(plain):
    plain.tell(found(3), found(12), move(12), ingested(), settled(), FINISHED)
    assert plain.lines == [
        "finding: 3 studies so far",
        "moving: 0 of 12 studies, 0 instances, 0 bytes",
        "finished: 1 of 12 studies, 1 instance, 1.0 MB",
    ]


def test_within_a_phase_a_line_comes_after_ten_seconds(plain, clock):
    plain.tell(move(12), ingested())
    clock.seconds = 9.9
    plain.tell(ingested())
    assert len(plain.lines) == 1
    clock.seconds = 10
    plain.tell(ingested())
    assert plain.lines[1:] == ["moving: 0 of 12 studies, 3 instances, 3.0 MB"]


def test_studies_of_earlier_runs_count_as_done(plain):
    plain.tell(move(12, done=5), settled(), FINISHED)
    assert plain.lines[-1].startswith("finished: 6 of 12 studies")


def test_a_study_settled_twice_counts_once(plain):
    plain.tell(move(12), settled(verdict=SHORT), settled(), FINISHED)
    assert plain.lines[-1] == "finished: 1 of 12 studies, 0 instances, 0 bytes"


def test_a_study_that_is_not_complete_is_named_with_its_reason(plain):
    plain.tell(move(2), settled("1.2.3", SHORT), FINISHED)
    assert "short: study 1.2.3: 1 of 2 instances missing" in plain.lines
    assert plain.lines[-1].endswith(", 1 not complete")


def test_after_twenty_names_the_rest_is_only_counted(plain):
    plain.tell(move(30), *(settled(f"1.{number}", SHORT) for number in range(30)), FINISHED)
    assert sum(line.startswith("short: ") for line in plain.lines) == 20
    assert "further studies that are not complete are counted, not named" in plain.lines
    assert plain.lines[-1].endswith(", 30 not complete")


def test_quarantined_instances_are_counted_apart(plain):
    plain.tell(move(1), ingested(stored=False), FINISHED)
    assert plain.lines[-1] == "finished: 0 of 1 study, 0 instances, 0 bytes, 1 quarantined"


def test_instances_that_were_left_out_are_no_faults(plain):
    plain.tell(move(1), ingested(stored=False, left_out=True), FINISHED)
    assert plain.lines[-1] == "finished: 0 of 1 study, 0 instances, 0 bytes, 1 left out"


def test_waiting_tells_in_one_line_until_when_in_local_time_and_how_not_to(plain):
    until = AT + timedelta(hours=8)
    plain.tell(move(2), api.Waiting(at=AT, until=until, reason="outside the allowed hours"))
    local = until.astimezone().strftime("%a %H:%M %Z")
    assert plain.lines[-1] == (
        f"waiting until {local} for the transfer window (or use --ignore-window)"
    )
    assert len(plain.lines[-1]) <= 80
    plain.tell(api.Waiting(at=AT, until=None, reason=""))
    assert plain.lines[-1].startswith("moving: ")


def test_a_run_that_was_interrupted_is_not_called_finished(plain):
    plain.tell(move(2), settled(), api.RunFinished(at=AT, counts={}, exit_code=130))
    assert plain.lines[-1] == "interrupted: 1 of 2 studies, 0 instances, 0 bytes"


def test_a_study_is_named_once_for_the_same_outcome_of_several_attempts(plain):
    plain.tell(move(1), settled(verdict=SHORT), settled(verdict=SHORT))
    assert sum(line.startswith("short: ") for line in plain.lines) == 1
    plain.tell(settled(verdict=api.Verdict(state="failed", reason="refused")))
    assert plain.lines[-1] == "failed: study 1.2: refused"


def test_after_find_alone_the_number_of_studies_is_left_to_the_closing_table(plain):
    plain.tell(found(12), FINISHED)
    assert plain.lines == ["finding: 12 studies so far", "finished"]


def test_what_a_peer_said_cannot_control_the_screen(plain):
    verdict = api.Verdict(state="failed", reason="\x1b]0;x\n[red]no")
    plain.tell(move(1), settled(verdict=verdict))
    assert plain.lines[-1] == "failed: study 1.2: ?]0;x?[red]no"


def test_the_terminal_has_a_bar_within_eighty_columns(terminal):
    terminal.tell(found(12), move(12, done=3), ingested(), settled(verdict=SHORT), FINISHED)
    terminal.display.close()
    shown = terminal.out.getvalue()
    assert "finished: 4 of 12 studies, 1 instance, 1.0 MB, 1 not complete" in shown
    assert "short: study 1.2: 1 of 2 instances missing" in shown
    assert "━" in shown


def test_the_terminal_gets_its_cursor_back_when_a_run_breaks_off(terminal):
    terminal.tell(move(12), ingested())
    terminal.display.close()
    assert terminal.out.getvalue().rindex("\x1b[?25h") > terminal.out.getvalue().rindex("\x1b[?25l")


def test_closing_before_anything_happened_is_harmless(terminal, plain):
    terminal.display.close()
    plain.display.close()
    assert plain.lines == []


def test_an_empty_work_list_is_shown_without_a_division(terminal, plain):
    for screen in (terminal, plain):
        screen.tell(found(0), move(0), FINISHED)
        screen.display.close()
    assert plain.lines == ["finding", "moving", "finished"]
    assert "finished" in terminal.out.getvalue()


def test_a_run_that_failed_is_not_called_finished(plain):
    plain.tell(found(3), api.RunFinished(at=AT, counts={}, exit_code=4))
    assert plain.lines[-1] == "aborted"
