"""Components that end their process: instances are stored, cells listed, the culprit named."""

from __future__ import annotations

import csv
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from pacsfw.testing import make_studies
from support import crashing

PLUGIN = Path(crashing.__file__)
FROM = f"(from {PLUGIN})"
STUDIES = {"days": 14, "modalities": (("CT",),), "instances": 2}


@pytest.fixture
def crashes(embedded_pacs, collection):
    """Makes a collection of two studies with such a callback, or another change."""

    def make(*changes: tuple[str, str]):
        made = collection(
            embedded_pacs(make_studies(2, **STUDIES)),
            changes={"move:\n": f"plugins:\n    load: ['{PLUGIN}']\nmove:\n    workers: 1\n"},
        )
        for old, new in changes:
            made.change(old, new)
        return made

    return make


def tag(how: str, alias: str, only: str = "") -> tuple[str, str]:
    options = f"how: {how}" + (f", only: '{only}'" if only else "")
    use = f"{{use: crashing, with: {{{options}}}}}"
    return (
        "tags:\n",
        f"tags:\n    - {{tag_name: SOPInstanceUID, tag_alias: {alias}, callback: {use}}}\n",
    )


def verdicts(said: str) -> dict[str, int]:
    found = re.findall(r"^(complete|short) +(\d+)$", said, re.MULTILINE)
    return {state: int(number) for state, number in found}


def errors_of(made) -> list[dict[str, str]]:
    with (made.folder / "my" / "resources_meta_errors.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("abort", "ended the worker process (SIGABRT)"),
        ("segfault", "ended the worker process (SIGSEGV)"),
        ("exit", "ended the worker process (exit code 7)"),
        ("panic", "Panic at crashing.py:"),
    ],
)
def test_a_callback_that_ends_its_process_costs_its_cell(crashes, capfd, how, reason):
    one = make_studies(2, **STUDIES)[0].sop_uid(1, 1)
    made = crashes(tag(how, "crashed", only=one))

    code = made.run()

    said = "".join(capfd.readouterr())
    assert code == (0 if how == "panic" else 1)
    assert verdicts(said)["complete"] == 2
    assert "quarantined" not in said
    assert crashing.SECRET not in said
    assert len(made.objects()) == 4
    cells = {row["SOPInstanceUID"]: row["crashed"] for row in made.rows()}
    assert cells == {uid: "" if uid == one else uid for uid in cells}
    [error] = errors_of(made)
    assert (error["column"], error["stage"]) == ("crashed", "callback")
    assert error["plugin"] == f"'crashing' {FROM}"
    assert error["reason"].startswith(reason)
    if how != "panic":
        assert f"callback 'crashing' {FROM}: worker processes that it has ended: 1" in said


def test_after_three_crashes_a_callback_is_off_and_the_cells_are_listed(crashes, capfd):
    made = crashes(tag("abort", "crashed"))

    assert made.run() == 1

    said = "".join(capfd.readouterr())
    assert "worker processes that it has ended: 3; it was not called any more" in said
    assert verdicts(said)["complete"] == 2
    reasons = sorted(error["reason"] for error in errors_of(made))
    assert len(made.rows()) == len(reasons) == 4
    assert reasons[:3] == ["ended the worker process (SIGABRT)"] * 3
    assert reasons[3] == "off for this run: it has ended 3 worker processes"


def test_a_layout_that_ends_its_process_costs_that_instance(crashes, capfd):
    one = make_studies(2, **STUDIES)[0].sop_uid(1, 1)
    layout = f"{{use: crashing-layout, with: {{how: abort, only: '{one}'}}}}"
    made = crashes(("sort_by: PATIENT", f"sort_by: {layout}"))

    assert made.run() == 1

    said = "".join(capfd.readouterr())
    assert verdicts(said)["complete"] == 1
    assert verdicts(said)["short"] == 1
    assert "sent nothing" not in said
    assert f"layout 'crashing-layout' {FROM} failed: ended the worker process (SIGABRT)" in said
    assert len(made.files()) == 3


def test_a_changed_callback_that_ends_its_process_costs_its_cells_of_a_reparse(crashes, capfd):
    made = crashes()
    assert made.run() == 0
    one = make_studies(2, **STUDIES)[0].sop_uid(1, 1)
    made.change(*tag("abort", "crashed", only=one))

    assert made.run("parse") == 1

    assert sum(not row["crashed"] for row in made.rows()) == 1
    assert f"callback 'crashing' {FROM}: worker processes that" in "".join(capfd.readouterr())


def test_workers_killed_from_outside_lose_nothing_and_blame_nobody(crashes, capfd, tmp_path):
    """Once each worker stands in the callback, it is killed, as the system does for memory."""
    made = crashes(tag(f"wait-{tmp_path}", "crashed"))
    killed = []

    def kill():
        waiting = tmp_path / "waiting"
        while not waiting.exists():
            threading.Event().wait(0.05)
        killed.append(int(waiting.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    assert made.run() == 0
    thread.join(10)

    said = "".join(capfd.readouterr())
    assert killed
    assert verdicts(said)["complete"] == 2
    assert all(row["crashed"] for row in made.rows())
    assert "worker processes" not in said
