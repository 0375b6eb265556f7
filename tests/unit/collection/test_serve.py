"""Serving: what others send is stored, judged and delivered, and nothing answered for is lost."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacsfw.api import Clock, Event, StudySettled, Verdict
from pacsfw.collection.outputs import Outputs
from pacsfw.collection.serve import QUARANTINED, UNSOLICITED, ServeStep
from pacsfw.errors import PacsfwError, StateError
from pacsfw.ledger import Ledger
from pacsfw.ledger.instances import Instance
from pacsfw.send.files import Sendable, files, look
from pacsfw.send.send import send
from pacsfw.steps.run import Run
from pacsfw.testing import EmbeddedPACS, Study, make_studies
from peers.process import free_port
from support.stored import NOW, complete, configured_run, own_storage, store
from unit.dimse.scripted import net

NODE = "net: {{local_node: {{aetitle: PACSFW, port: {port}, bind: 127.0.0.1}}{called}}}"
CALLED = ", called_node: {{aetitle: DEMOPACS, ip: 127.0.0.1, port: {port}}}"
LONG = 3600.0


class Served:
    """A `ServeStep` at work in a thread, and what it tells of studies."""

    def __init__(
        self, run_with: Callable[[Callable[[Event], None]], Run], outputs: Outputs, quiet: float
    ) -> None:
        self.port = 0
        self.verdicts: list[Verdict] = []
        self.error: PacsfwError | None = None
        self._news = threading.Condition()
        self._run = run_with(self._notify)
        self.serving = ServeStep(self._run, outputs, (), quiet=quiet, receivers=1, workers=1)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.wait_for(lambda: self.port or self.error)

    def _notify(self, event: Event) -> None:
        if isinstance(event, StudySettled):
            with self._news:
                self.verdicts.append(event.verdict)
                self._news.notify_all()

    def wait_for(self, condition: Callable[[], Any]) -> None:
        with self._news:
            assert self._news.wait_for(condition, 60), f"{self.verdicts} {self.error}"

    def stop(self) -> None:
        """Stop it as an interrupt does, and raise what it ended with."""
        self._run.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        try:
            self.serving.run(self._listens)
        except PacsfwError as err:
            with self._news:
                self.error = err
                self._news.notify_all()

    def _listens(self, port: int) -> None:
        with self._news:
            self.port = port
            self._news.notify_all()


Serve = Callable[..., Served]


@pytest.fixture
def serve(ledger: Ledger, tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def serve(
            *,
            quiet: float = LONG,
            pacs: int | None = None,
            port: int | None = None,
            outputs: Outputs | None = None,
            clock: Clock | None = None,
            **storage: Any,
        ) -> Served:
            called = "" if pacs is None else CALLED.format(port=pacs)
            net = NODE.format(port=port or free_port(), called=called)

            def run_with(notify: Callable[[Event], None]) -> Run:
                where = replace(own_storage(tmp_path), **storage)
                return configured_run(
                    ledger, tmp_path, net, storage=where, events=notify, clock=clock
                )

            served = Served(run_with, outputs or Outputs(), quiet)
            stack.callback(lambda: served.error or served.stop())
            return served

        yield serve


@pytest.fixture
def study() -> Study:
    [study] = make_studies(1, modalities=(("CT",),), instances=3)
    return study


@pytest.fixture
def push(tmp_path: Path, study: Study) -> Callable[..., list[str]]:
    """Sends some objects of the study; returns what was answered."""
    paths = study.write(tmp_path / "theirs")

    def push(served: Served, *numbers: int) -> list[str]:
        some = [paths[number] for number in numbers]
        found = [each for each in look(files(some), some) if isinstance(each, Sendable)]
        told: list[Any] = []
        send(net(served.port, "PACSFW"), found, told.append, threading.Event())
        return [each.state for each in told]

    return push


def test_what_is_answered_for_is_stored_and_settled_at_the_end(serve, push, ledger, study):
    served = serve()

    assert push(served, 0, 1, 2) == ["sent"] * 3
    served.stop()

    assert ledger.instances.stored_uids(study.uid) == set(study.sop_uids)
    found = ledger.studies.get(study.uid)
    assert (found.origin, found.selected) == ("unsolicited", True)
    assert (found.verdict.state, found.verdict.reason) == ("unverifiable", UNSOLICITED)


def test_a_quiet_study_is_settled_while_it_runs_and_again_when_it_grows(serve, push):
    served = serve(quiet=0.05)

    push(served, 0)
    served.wait_for(lambda: served.verdicts)
    push(served, 1, 2)
    served.wait_for(lambda: served.verdicts[-1].stored == 3)

    assert served.verdicts[0].stored == 1


def test_what_comes_a_second_time_is_no_news(serve, push, ledger, study):
    served = serve()
    push(served, 0, 1, 2)
    served.stop()
    version = ledger.studies.get(study.uid).version

    again = serve()
    assert push(again, 0) == ["sent"]
    again.stop()

    assert again.verdicts == []
    assert ledger.studies.get(study.uid).version == version


def test_what_a_killed_server_had_stored_is_settled_by_the_next(serve, ledger, tmp_path, study):
    store(ledger, own_storage(tmp_path), study)

    serve().stop()

    assert ledger.studies.get(study.uid).verdict.state == "unverifiable"


def test_a_study_all_in_quarantine_has_failed(serve, ledger, tmp_path, study):
    store(ledger, own_storage(tmp_path), study, state="quarantined")

    serve().stop()

    verdict = ledger.studies.get(study.uid).verdict
    assert (verdict.state, verdict.reason) == ("failed", QUARANTINED)


def test_a_complete_study_stays_so_where_nobody_can_be_asked(serve, push, ledger, tmp_path, study):
    [fewer] = make_studies(1, modalities=(("CT",),), instances=2)
    store(ledger, own_storage(tmp_path), fewer)
    complete(ledger, fewer)
    served = serve()

    push(served, 0, 1, 2)
    served.stop()

    [verdict] = served.verdicts
    assert (verdict.state, verdict.stored) == ("complete", 3)


def test_the_pacs_is_asked_what_a_study_should_have(serve, push, ledger, study):
    with EmbeddedPACS([study]) as pacs:
        served = serve(pacs=pacs.port)
        push(served, 0, 1)
        served.stop()

    verdict = ledger.studies.get(study.uid).verdict
    assert (verdict.state, verdict.missing) == ("short", (study.sop_uids[2],))


def test_a_pacs_that_is_away_is_a_warning_and_no_judge(serve, push, ledger, study, caplog):
    served = serve(pacs=free_port())

    push(served, 0)
    served.stop()

    assert ledger.studies.get(study.uid).verdict.state == "unverifiable"
    assert "the expected instances of a study could not be queried" in caplog.text


class Outbox:
    """A sink whose files are written anew as a whole."""

    def __init__(self) -> None:
        self.settled_studies: list[str] = []
        self.rewritten = threading.Event()

    def settled(self, study_uid: str) -> None:
        self.settled_studies.append(study_uid)

    def rewrite_now(self) -> None:
        self.rewritten.set()


def test_sinks_are_told_of_a_settled_study_and_to_bring_it_in(serve, push, study):
    outbox = Outbox()
    served = serve(quiet=0.05, outputs=Outputs([outbox]))

    push(served, 0)

    assert outbox.rewritten.wait(60)
    assert outbox.settled_studies == [study.uid]


def test_a_ledger_that_cannot_be_written_ends_it(serve):
    served = serve(quiet=0.05)

    served.serving.stop_because(sqlite3.OperationalError("database or disk is full"))

    with pytest.raises(StateError, match="OperationalError: database or disk is full"):
        served.stop()


def test_an_archive_that_is_gone_ends_it(serve, tmp_path):
    served = serve(quiet=0.05)

    (tmp_path / "archive").rmdir()
    served.wait_for(lambda: served.error)

    with pytest.raises(StateError, match="the dataset folder cannot be used: No such file"):
        served.stop()


class Rounds(Clock):
    """Tells when the server has looked after its studies and disks a third time."""

    def __init__(self) -> None:
        self.left, self.over = 3, threading.Event()

    def __reduce__(self):
        return Clock, ()  # in the workers, which get the context of the run

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.left -= 1
        if self.left < 0:
            self.over.set()
        return super().wait(event, seconds)


def test_too_little_space_is_a_warning_once(serve, caplog):
    clock = Rounds()
    served = serve(quiet=0.004, clock=clock, reserve=1 << 60)

    assert clock.over.wait(60)
    served.stop()

    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert warnings[0].endswith("senders are refused once it is full")


def test_a_port_in_use_is_named(serve):
    first = serve()

    with pytest.raises(StateError, match=str(first.port)):
        serve(port=first.port).stop()


def test_a_study_of_which_all_was_left_out_is_not_in_quarantine(ledger, serve):
    ledger.studies.add("1.2", {}, "unsolicited")
    ledger.instances.record(
        Instance(
            sop_uid="1.2.3", digest="d", study_uid="1.2", series_uid="1.2.1", sop_class="",
            syntax="", size=1, path="", state="left-out", rule="r",
        ),
        NOW,
    )  # fmt: skip
    served = serve()

    served.stop()

    [verdict] = served.verdicts
    assert (verdict.state, verdict.reason) == ("unverifiable", UNSOLICITED)
    assert (verdict.stored, verdict.left_out) == (0, 1)
