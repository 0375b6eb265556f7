"""A run collects everything from DICOMweb servers that are odd in a harmless way."""

from __future__ import annotations

import pytest

from faults.of_web import SCENARIOS
from faults.scenarios import Scenario, play

SHORT = (
    "web: small pages only",
    "web: 403 for whole studies",
    "web: line feeds between parts",
    "web: half an object, and the answer looks whole",
)
"""Each takes seconds; all are in `make faults`."""


@pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if each.name in SHORT], ids=lambda each: each.name
)
def test_a_run_ends_as_it_has_to(scenario: Scenario) -> None:
    result = play(scenario, "wado")

    assert result.wrong == [], result.output


def test_the_names_of_the_short_list_are_those_of_scenarios() -> None:
    assert set(SHORT) <= {each.name for each in SCENARIOS}
