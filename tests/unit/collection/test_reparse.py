"""Rows of stored objects are read anew: workers that die, interrupts, going on where it was."""

from __future__ import annotations

import threading

import pytest

from pacsfw.api import Clock
from pacsfw.collection.reparse import PROGRESS_FACT, TAGS_FACT, ReparseStep
from pacsfw.ledger.cells import NO_CELLS, encode
from pacsfw.ledger.instances import Instance
from pacsfw.workers import OrderedPool
from support.jobs import Spec
from support.run import make_run
from unit.steps.ingest.jobs import build_crashing, build_marking

OBJECTS = 1200


@pytest.fixture
def told():
    return []


@pytest.fixture
def reparsing(ledger, told):
    """Makes a `ReparseStep` whose workers are built as told."""

    def make(build, spec=None, stop=None):
        pool = OrderedPool(1, Spec(build, spec))
        return ReparseStep(make_run(ledger, stop=stop, events=told), pool)

    return make


def fill(ledger, objects):
    with ledger.transaction():
        for number in range(objects):
            ledger.instances.record(
                Instance(
                    sop_uid=f"1.{number}", digest="d", study_uid="1", series_uid="",
                    sop_class="", syntax="", size=1, path=f"p{number}", state="stored",
                    row=encode(["old"]),
                ),
                Clock().now(),
            )  # fmt: skip


def rows(ledger):
    return {instance.row for instance in ledger.instances.of_study("1")}


def test_every_row_is_read_and_the_tags_are_remembered(ledger, reparsing, told):
    fill(ledger, OBJECTS)

    assert reparsing(build_marking, "new").run("tags")

    assert rows(ledger) == {encode(["new"])}
    assert ledger.get_value(TAGS_FACT) == "tags"
    last = told[-1]
    assert (last.files, last.rows, last.total) == (OBJECTS, OBJECTS, OBJECTS)


def test_a_row_that_kills_its_worker_leaves_no_cells_of_former_tags(ledger, reparsing):
    fill(ledger, 1)

    assert reparsing(build_crashing).run("tags")

    assert rows(ledger) == {NO_CELLS}
    assert ledger.instances.cell_errors() == {("", "ended the worker process (SIGKILL)"): 1}


def test_it_can_be_stopped(ledger, reparsing):
    fill(ledger, 5)
    stop = threading.Event()
    stop.set()

    assert not reparsing(build_marking, "new", stop).run("tags")

    assert rows(ledger) == {encode(["old"])}
    assert ledger.get_value(TAGS_FACT) == ""


class Killed(Exception):
    """Stands for a kill right after a commit."""


def killed_on_the_way(ledger):
    def notify(event):
        raise Killed

    pool = OrderedPool(1, Spec(build_marking, "first"))
    with pytest.raises(Killed):
        ReparseStep(make_run(ledger, events=notify), pool).run("tags")


def test_it_goes_on_behind_the_last_row_that_was_committed(ledger, reparsing):
    fill(ledger, OBJECTS)
    killed_on_the_way(ledger)

    assert reparsing(build_marking, "second").run("tags")

    marks = [instance.row for instance in ledger.instances.of_study("1")]
    assert (marks.count(encode(["first"])), marks.count(encode(["second"]))) == (500, 700)
    assert ledger.get_value(PROGRESS_FACT) == ""


def test_for_other_tags_it_begins_anew(ledger, reparsing):
    fill(ledger, OBJECTS)
    killed_on_the_way(ledger)

    assert reparsing(build_marking, "second").run("other tags")

    assert rows(ledger) == {encode(["second"])}
