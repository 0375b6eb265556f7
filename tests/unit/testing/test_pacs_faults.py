"""The record of faults: what makes no sense is refused, what is there is said."""

from __future__ import annotations

from typing import Any

import pytest

from pacsfw.testing import Faults, FaultyPACS


@pytest.mark.parametrize(
    ("faults", "problem"),
    [
        ({"cap": -1}, "cap: -1"),
        ({"slow": -0.5}, "slow: -0.5"),
        ({"cap": 5, "cap_status": 0xB000}, "cap_status: B000"),
        ({"cap_before_filter": True}, "cap_before_filter: requires cap"),
        ({"lose": -2}, "lose: -2"),
        ({"refuse": 0}, "refuse: 0000"),
        ({"retrieve_levels": ("FRAME",)}, "retrieve_levels: use one or more of"),
        ({"sender": "SEVENTEENLETTERSX"}, "sender: 'SEVENTEENLETTERSX'"),
        ({"models": ()}, "models: use one or both"),
        ({"models": ("worklist",)}, "models: use one or both"),
        ({"ignore_keys": frozenset({"NoSuchKeyword"})}, "ignore_keys: 'NoSuchKeyword'"),
        ({"ignore_keys": frozenset({"StudyInstanceUID"})}, "ignore_keys: StudyInstanceUID"),
    ],
)
def test_what_makes_no_sense_is_refused(faults: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Faults(**faults)
    with pytest.raises(ValueError, match=problem):
        FaultyPACS(**faults)


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="no_such_fault"):
        FaultyPACS(no_such_fault=True)


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        ({"cap": 0}, "at most 0 rows in a query result, then it ends with 0000"),
        (
            {"cap": 5, "cap_status": 0xFE00},
            "at most 5 rows in a query result, then it ends with FE00",
        ),
        (
            {"ignore_keys": frozenset({"StudyDate", "PatientSex"})},
            "ignored matching keys: PatientSex, StudyDate",
        ),
        ({"slow": 0.5}, "0.5 s before each row"),
        ({"abort_after": 0}, "A-ABORT after 0 rows"),
        ({"models": ("patient",)}, "only the Patient Root model"),
        ({"lose": 3}, "the last 3 instances of each study get lost"),
        ({"refuse": 0xA801}, "every retrieve is refused with A801"),
        ({"heals_after": 0}, "these retrieve faults end after 0 retrieves of a study"),
    ],
)
def test_every_fault_is_said(faults: dict[str, Any], line: str) -> None:
    assert Faults(**faults).described() == [line]


def test_without_faults_there_is_nothing_to_say() -> None:
    assert Faults().described() == []
