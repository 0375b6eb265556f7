"""Calls that do not return are named while they last, once each."""

from __future__ import annotations

import logging
import time

import pytest

from pacsfw.collection.component_watch import HANGS, HANGS_AT_END, HANGS_FETCHING, ComponentWatch
from pacsfw.plugins.boundary import FaultLog

SINK = "sink 'x' (from d 1.0): deliver has not returned for"


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_call_that_hangs_is_named_once_with_its_study(warned):
    faults = FaultLog()
    watch = ComponentWatch(faults, lambda: False)
    begun = time.monotonic()
    with faults.calling("sink", "'x' (from d 1.0)", "deliver", "1.2.3"):
        watch.name_hanging(begun + HANGS - 1)
        assert warned() == []
        for seconds in (HANGS + 1, HANGS + 100):
            watch.name_hanging(begun + seconds)
    assert warned() == [f"{SINK} 61 s (study 1.2.3): it is waited for"]

    watch.name_hanging(begun + 1000)
    assert len(warned()) == 1


def test_a_retrieve_may_take_long_and_nothing_may_once_the_user_stops_the_run(warned):
    faults, ending = FaultLog(), []
    watch = ComponentWatch(faults, lambda: bool(ending))
    begun = time.monotonic()
    with faults.calling("transfer", "'t' (from d 1.0)", "fetch", ""):
        watch.name_hanging(begun + HANGS_FETCHING - 1)
        assert warned() == []
        ending.append(True)
        watch.name_hanging(begun + HANGS_AT_END + 1)
    assert warned() == [
        "transfer 't' (from d 1.0): fetch has not returned for 11 s: it is waited for"
    ]
