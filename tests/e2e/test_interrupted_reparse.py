"""Rows are read anew for other tags: what a kill or Ctrl-C in the middle of that leaves."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid

import pytest

from pacsfw.api import Observer, RunFinished
from pacsfw.cli.common import load
from pacsfw.collection.collection import Collection
from pacsfw.testing import make_studies

SLOW = """\
import time

from pacsfw import Component, hookimpl


def slow(value):
    time.sleep(0.2)
    return "other"


@hookimpl
def pacsfw_tag_callbacks():
    yield Component.of(slow)
"""

TAG = "    - tag_name: StudyInstanceUID\n    - tag_name: SOPInstanceUID"
OTHER = TAG.replace("StudyInstanceUID\n", "StudyInstanceUID\n      callback: slow\n")


def reread(collected):
    connection = sqlite3.connect(f"file:{collected.state / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        query = "SELECT count(*) FROM instances WHERE row LIKE '%other%'"
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


def start_and_wait(collected):
    """Start a run for other tags and wait until some of the rows are theirs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pacsfw", "run", str(collected.conf)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 30
    while not reread(collected) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


@pytest.fixture
def collected(embedded_pacs, collection):
    pacs = embedded_pacs(make_studies(10, days=30, modalities=(("CT", "CT"),), instances=2))
    collected = collection(pacs)
    plugin = f"slow_{uuid.uuid4().hex}.py"  # one process loads the plugin of every test
    (collected.folder / plugin).write_text(SLOW)
    with collected.conf.open("a") as conf:
        conf.write(f"plugins:\n    load: [./{plugin}]\n")
    assert collected.run() == 0
    return collected


@pytest.mark.full
def test_killed_and_back_to_the_former_tags_the_rows_are_theirs(collected):
    before = collected.rows()
    collected.change(TAG, OTHER)
    process = start_and_wait(collected)
    process.kill()
    process.communicate()
    assert 0 < reread(collected) < len(before)
    collected.change(OTHER, TAG)

    assert collected.run() == 0

    assert collected.rows() == before
    assert reread(collected) == 0


def test_an_interrupt_ends_it_soon_and_the_next_run_does_the_rest(collected):
    total = len(collected.rows())
    collected.change(TAG, OTHER)
    process = start_and_wait(collected)

    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130, output.decode()
    assert collected.run() == 0
    assert {row["StudyInstanceUID"] for row in collected.rows()} == {"other"}
    assert len(collected.rows()) == total


class Ends(Observer):
    """Remembers how runs ended."""

    def __init__(self):
        self.codes = []

    def notify(self, event):
        if isinstance(event, RunFinished):
            self.codes.append(event.exit_code)


def test_observers_hear_that_a_run_was_interrupted(collected):
    ends, loaded = Ends(), load(collected.conf)

    with Collection(loaded, "run", observers=[("ends", ends)]) as collection:
        collection.interrupt()
    with pytest.raises(KeyboardInterrupt):
        break_off(Collection(loaded, "run", observers=[("ends", ends)]))

    assert ends.codes == [130, 130]


def break_off(collection):
    with collection:
        raise KeyboardInterrupt
