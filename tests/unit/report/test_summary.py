"""The closing table and its exit code."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from pacsfw.report import Summary, render


def plain(summary):
    out = io.StringIO()
    render(summary, Console(file=out, width=80))
    return out.getvalue()


def on_a_terminal(summary, width=80):
    out = io.StringIO()
    render(summary, Console(file=out, width=width, force_terminal=True))
    return out.getvalue()


FULL = Summary(
    found=1204,
    deselected=4,
    verdicts={"complete": 1190, "complete-by-count": 5, "short": 3, "failed": 1, "pending": 1},
    reasons=[
        ("short", "2 of 10 instances missing", 2),
        ("short", "1 quarantined", 1),
        ("failed", "A801: Refused: move destination unknown", 1),
    ],
    instances=123456,
    size=64_700_000_000,
    left_out={"layout 'no-sr' (from site 1.0): no reports": 30},
    quarantined={"unreadable": 7},
    cell_errors={("study_date", "ValueError in str2datetime"): 12},
    archive="/data/dicom",
    quarantine="/data/dicom/.pacsfw/quarantine",
    study_list="/data/resources.csv",
    tables=["/data/resources_meta.csv"],
)


def test_everything_is_in_the_plain_table():
    assert plain(FULL).splitlines() == [
        "studies found      1,204 (4 removed from the study list)",
        "on the list        1,200",
        "complete           1,190",
        "complete by count  5",
        "short              3",
        "  2 x              2 of 10 instances missing",
        "  1 x              1 quarantined",
        "failed             1",
        "  1 x              A801: Refused: move destination unknown",
        "not finished       1",
        "stored             123,456 instances, 64.7 GB",
        "left out           30",
        "  30 x             layout 'no-sr' (from site 1.0): no reports",
        "quarantined        7",
        "  7 x              unreadable",
        "cells left empty   12",
        "  12 x             study_date: ValueError in str2datetime",
        "files              /data/dicom",
        "quarantine         /data/dicom/.pacsfw/quarantine",
        "list               /data/resources.csv",
        "table              /data/resources_meta.csv",
    ]


def test_a_clean_run_says_that_nothing_is_short_or_failed():
    summary = Summary(found=1, verdicts={"complete": 1}, instances=1, size=10)
    assert plain(summary).splitlines() == [
        "studies found  1",
        "complete       1",
        "short          0",
        "failed         0",
        "stored         1 instance, 10 bytes",
    ]


def test_after_find_alone_nothing_is_said_about_verdicts():
    assert "complete" not in plain(Summary(found=3))


def test_the_terminal_shows_the_same_within_its_width():
    text = on_a_terminal(FULL, width=60)
    assert "\x1b[" in text
    assert "A801: Refused: move" in text


def test_a_path_longer_than_the_screen_is_folded_not_cut():
    path = "/data/" + "deep/" * 40
    assert path in on_a_terminal(Summary(archive=path)).replace("\n", "").replace(" ", "")


def test_what_a_peer_said_cannot_control_the_screen():
    summary = Summary(verdicts={"failed": 1}, reasons=[("failed", "x\x1b[2J\n[bold]y", 1)])
    for text in (plain(summary), on_a_terminal(summary)):
        assert "x?[2J?[bold]y" in text


def test_many_reasons_are_cut_short_and_the_rest_counted():
    reasons = [("failed", f"reason {number:02d}", 1) for number in range(25)]
    text = plain(Summary(verdicts={"failed": 25}, reasons=reasons))
    assert "reason 09" in text
    assert "reason 10" not in text
    assert "15 x         other reasons" in text


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ({}, 0),
        ({"complete": 3, "complete-by-count": 1}, 0),
        ({"complete": 3, "short": 0}, 0),
        ({"complete": 3, "short": 1}, 1),
        ({"over": 1}, 1),
        ({"unverifiable": 1}, 1),
        ({"failed": 1}, 1),
        ({"pending": 1}, 1),
    ],
)
def test_the_exit_code_is_zero_only_when_every_study_is_complete(verdicts, code):
    assert Summary(verdicts=verdicts).exit_code == code


def test_a_problem_beside_the_studies_is_not_a_success():
    summary = Summary(verdicts={"complete": 1}, problems=["table.csv: No space left on device"])
    assert summary.exit_code == 1
    assert "problem        table.csv: No space left on device" in plain(summary)


def test_empty_cells_alone_leave_the_run_a_success():
    assert Summary(verdicts={"complete": 1}, cell_errors={("a", "b"): 1}).exit_code == 0


def test_a_note_is_shown_and_changes_nothing_else():
    summary = Summary(verdicts={"complete": 1}, notes=["objects of 2 studies came unasked"])
    assert summary.exit_code == 0
    assert "note           objects of 2 studies came unasked" in plain(summary)


def coverage(**known):
    """The lines of the closing table between the studies found and what is stored."""
    lines = plain(Summary(found=1, **known)).splitlines()
    return [" ".join(line.split()) for line in lines[1:-1]]


@pytest.mark.parametrize(
    ("questions", "asked"),
    [
        ({"STUDY": 1}, "queries 1"),
        ({"STUDY": 3}, "queries 3"),
        ({"STUDY": 1, "SERIES": 1}, "queries 1, and 1 for series"),
        ({"PATIENT": 2, "STUDY": 1200}, "queries 1,202"),
        ({"STUDY": 2, "SERIES": 1500}, "queries 2, and 1,500 for series"),
    ],
)
def test_questions_are_counted_those_for_series_apart(questions, asked):
    assert coverage(questions=questions) == [asked, "coverage proven"]


def test_before_any_search_nothing_is_said_about_coverage():
    assert coverage() == []


@pytest.mark.parametrize(("parts", "words"), [(1, "1 part"), (3, "3 parts")])
def test_what_is_not_proven_is_named_with_its_reason(parts, words):
    unproven = [("StudyDate 2020-01-31", f"A700: reason {part}") for part in range(parts)]
    assert coverage(questions={"STUDY": 9}, unproven=unproven) == [
        "queries 9",
        f"not proven {words}",
        *(f"StudyDate 2020-01-31 A700: reason {part}" for part in range(parts)),
    ]


def test_many_parts_that_are_not_proven_are_cut_short_and_the_rest_counted():
    unproven = [(f"part {number:02d}", "why") for number in range(1212)]
    lines = coverage(questions={"STUDY": 9}, unproven=unproven)
    assert lines[1] == "not proven 1,212 parts"
    assert lines[-2:] == ["part 09 why", "... 1,202 more"]


def test_what_a_peer_said_of_a_part_cannot_control_the_screen():
    summary = Summary(questions={"STUDY": 1}, unproven=[("a\x1b[2J", "x\n[bold]y")])
    for text in (plain(summary), on_a_terminal(summary)):
        assert "a?[2J" in text
        assert "x?[bold]y" in text


@pytest.mark.parametrize("verdicts", [{}, {"complete": 3}])
def test_what_is_not_proven_is_not_a_success(verdicts):
    unproven = [("StudyDate 2020-01-31", "FE00: Cancelled")]
    summary = Summary(questions={"STUDY": 1}, verdicts=verdicts)
    assert summary.exit_code == 0
    assert replace(summary, unproven=unproven).exit_code == 1
