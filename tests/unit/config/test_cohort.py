"""``find.cohort``, ``undated`` and ``max_studies``: what is understood, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from pacsfw.config import Use
from pacsfw.config.finding import outcomes_path

if TYPE_CHECKING:
    from conftest import Desk
    from pacsfw.config.model import Find

STORAGE = "storage: {resources: list.csv, directory: d}\n"


def find(desk: Desk, text: str) -> Find:
    found = desk.load(f"find: {{{text}}}\n").config.find
    assert found is not None
    return found


def refused(desk: Desk, text: str) -> list[str]:
    return desk.refusal(f"find: {{{text}}}\n")


def test_without_any_of_it_dates_say_everything(desk: Desk) -> None:
    found = find(desk, "start_date: 20200101")
    assert (found.filters, found.cohort) == ((), None)
    assert (found.undated, found.max_studies) == (False, 0)


def test_a_cohort_needs_no_dates(desk: Desk) -> None:
    desk.write("PatientID\n1\n", "cohort.csv")
    found = find(desk, "cohort: cohort.csv")
    assert found.cohort == Use("house/text", {"path": str(desk.folder / "cohort.csv")})
    assert (found.start, found.end) == (None, None)


def test_a_cohort_may_have_dates_too(desk: Desk) -> None:
    desk.write("", "cohort.JSONL")
    found = find(desk, "cohort: ./cohort.JSONL, start_date: 20200101, undated: true")
    assert (found.start, found.end) == (date(2020, 1, 1), date(2020, 1, 1))
    assert found.undated


def test_the_path_starts_where_other_paths_do(desk: Desk) -> None:
    desk.write("", "home/cohort.tsv")
    config = desk.load("find: {cohort: ~/cohort.tsv}\n").config
    assert config.find is not None
    assert config.find.cohort == Use("house/text", {"path": str(desk.folder / "home/cohort.tsv")})
    assert config.raw["find"]["cohort"] == str(desk.folder / "home/cohort.tsv")


def test_neither_dates_nor_a_cohort_is_an_error(desk: Desk) -> None:
    assert refused(desk, "modality: CT") == ["conf.yaml:1:1: find: start_date is missing"]


@pytest.mark.parametrize("more", ["", "cohort: c.csv, "])
def test_an_end_needs_a_start(desk: Desk, more: str) -> None:
    desk.write("", "c.csv")
    lines = refused(desk, f"{more}end_date: 20200101")
    at = 8 + len(more)
    assert f"conf.yaml:1:{at}: find.end_date: requires start_date as well" in lines
    assert len(lines) == (1 if more else 2)


def test_without_dates_undated_means_nothing(desk: Desk) -> None:
    desk.write("", "c.csv")
    assert refused(desk, "cohort: c.csv, undated: true") == [
        (
            "conf.yaml:1:32: find.undated: requires start_date: without dates, undated "
            "studies are found as well"
        )
    ]
    assert not find(desk, "cohort: c.csv, undated: false").undated


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("missing.csv", "{folder}/missing.csv: no such file"),
        ("home.csv", "{folder}/home.csv: not a file"),
        ("conf.yaml/x.csv", "{folder}/conf.yaml/x.csv: you cannot read this file"),
        (
            "cohort.xlsx",
            (
                "no cohort reads '{folder}/cohort.xlsx'; "
                "known suffixes and schemes: .csv, .jsonl, .ndjson, .tsv"
            ),
        ),
        ("list.csv", "{folder}/list.csv: find writes this file; use another name for the cohort"),
        (
            "x/../list_cohort.csv",
            "{folder}/list_cohort.csv: find writes this file; use another name for the cohort",
        ),
        ("''", "is empty"),
        ("[a]", "a list is not text or a mapping"),
    ],
)
def test_a_cohort_that_cannot_be_one_is_refused(desk: Desk, text: str, why: str) -> None:
    (desk.folder / "home.csv").mkdir()
    for name in ("cohort.xlsx", "list.csv", "list_cohort.csv"):
        desk.write("", name)
    lines = desk.refusal(f"find: {{cohort: {text}}}\n{STORAGE}")
    assert lines == [f"conf.yaml:1:16: find.cohort: {why.format(folder=desk.folder)}"]


def test_the_outcomes_stand_beside_the_work_list(desk: Desk) -> None:
    assert outcomes_path(desk.folder / "my.list.csv") == desk.folder / "my.list_cohort.csv"


def test_a_limit_is_a_whole_number(desk: Desk) -> None:
    assert find(desk, "start_date: 20200101, max_studies: 1").max_studies == 1
    assert find(desk, "start_date: 20200101, max_studies: 1000000").max_studies == 1_000_000
    for wrong in ("0", "-1", "1.5", "many", "true"):
        assert refused(desk, f"start_date: 20200101, max_studies: {wrong}")[0].endswith(
            "is not a number of studies (1 or more)"
        )


def test_undated_is_yes_or_no(desk: Desk) -> None:
    assert find(desk, "start_date: 20200101, undated: true").undated
    assert refused(desk, "start_date: 20200101, undated: 1") == [
        "conf.yaml:1:39: find.undated: 1 is not true or false"
    ]
