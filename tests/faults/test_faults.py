"""A short campaign; `make faults` is the long one."""

from __future__ import annotations

import signal

import pytest

from faults.campaign import SCENARIOS
from faults.kills import blocked_peers, second_collector, stop_at_random
from faults.network import bad_network
from faults.scenarios import play

SHORT = ("awkward data, dies once", "C000 for studies")
"""Each takes seconds; all are in `make faults`."""


@pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if each.name in SHORT], ids=lambda each: each.name
)
def test_a_scenario_ends_as_it_has_to(scenario):
    result = play(scenario, scenario.transfers[0])

    assert result.wrong == [], result.output


@pytest.mark.full
@pytest.mark.parametrize(
    "scenario", [each for each in SCENARIOS if each.name not in SHORT], ids=lambda each: each.name
)
def test_every_other_scenario_does_so_too(scenario):
    result = play(scenario, scenario.transfers[0])

    assert result.wrong == [], result.output


def test_the_names_of_the_short_campaign_are_those_of_scenarios():
    assert set(SHORT) <= {each.name for each in SCENARIOS}
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS) >= 40


@pytest.mark.full
def test_runs_that_are_killed_lose_nothing():
    tally = stop_at_random("dcmqrscp", "cget", 1, signal.SIGKILL)

    assert tally.wrong == []


@pytest.mark.full
def test_a_bad_network_loses_nothing():
    bad = bad_network("cmove", 2)

    assert bad.wrong == []


@pytest.mark.full
def test_a_second_collector_is_refused_and_the_first_is_unharmed():
    assert second_collector() == []


def test_peers_that_block_cannot_keep_a_run_alive():
    assert blocked_peers() == []
