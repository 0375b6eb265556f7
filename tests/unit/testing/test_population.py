"""Populations: awkward in every way that is promised, and the same ones each time."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pydicom
import pytest

from pacsfw.testing import population
from pacsfw.testing.population import BUSY_SECOND


def test_the_same_arguments_give_the_same_studies() -> None:
    assert population(200) == population(200)
    assert population(200) != population(200, seed=1)
    assert not {one.uid for one in population(200)} & {one.uid for one in population(200, seed=1)}


@pytest.mark.parametrize("count", [0, 1, 2, 10, 300, 5000])
def test_there_are_as_many_as_were_asked_for(count: int) -> None:
    studies = population(count)
    assert len(studies) == len({study.uid for study in studies}) == count


@pytest.mark.parametrize(("count", "many"), [(300, 6), (5000, 100)])
def test_what_has_no_date_or_time_comes_last(count: int, many: int) -> None:
    studies = population(count)
    assert all(study.study_date and study.study_time for study in studies[: -2 * many])
    assert not any(study.study_time for study in studies[-2 * many : -many])
    assert not any(study.study_date for study in studies[-many:])


def test_one_day_is_busy_and_has_a_busy_second() -> None:
    studies = population(5000)
    [(day, many), (_, fewer)] = Counter(
        study.study_date for study in studies if study.study_date
    ).most_common(2)
    assert many == 400
    assert fewer < 40
    times = Counter(study.study_time for study in studies if study.study_date == day)
    assert times.most_common(1) == [(BUSY_SECOND, 40)]


def test_the_busy_day_and_the_range_can_be_chosen() -> None:
    studies = population(100, start=date(2021, 3, 1), days=3, busy_day=date(2021, 3, 2), busy=0.5)
    dates = Counter(study.study_date for study in studies)
    assert dates["20210302"] == 50
    assert set(dates) == {"20210301", "20210302", "20210303", ""}


def test_names_and_identifiers_are_awkward() -> None:
    studies = population(300)
    starts = {study.patient_name[:1] for study in studies}
    assert {"", "4", "0", "Ä", "Ö", "Y", "鈴", "^", "d", "'"} <= starts
    assert {study.charset for study in studies} == {
        "ISO_IR 100",
        "ISO_IR 192",
        "\\ISO 2022 IR 87",
    }
    patients = Counter(study.patient_id for study in studies)
    assert patients.pop("") > 1
    assert patients.most_common(1)[0][1] > 1


def test_accession_numbers_are_missing_or_given_twice(tmp_path: Path) -> None:
    numbers: Counter[str] = Counter()
    for study in population(100):
        [path, *_] = study.write(tmp_path)
        numbers[pydicom.dcmread(path).AccessionNumber] += 1
    assert numbers.pop("") > 1
    assert set(numbers.values()) == {1, 2}


def test_times_have_every_precision() -> None:
    assert {len(study.study_time) for study in population(300)} == {0, 2, 4, 6, 13}
