"""Fewer studies at a time when the PACS is strained, slowly more again."""

from __future__ import annotations

import threading

from pacsfw.steps.move.throttle import EASE_AFTER, Throttle


def calm(throttle, times):
    for _ in range(times):
        throttle.leave(throttle.enter(lambda: False), strained=False)


def test_strain_halves_the_slots_and_calm_brings_them_back_one_by_one():
    throttle = Throttle(8)

    assert throttle.leave(throttle.enter(lambda: False), strained=True)
    assert throttle.limit == 4
    calm(throttle, EASE_AFTER * 4)
    assert throttle.limit == 5
    calm(throttle, EASE_AFTER * (5 + 6 + 7))
    assert throttle.limit == 8
    calm(throttle, EASE_AFTER * 100)
    assert throttle.limit == 8


def test_what_was_under_way_together_counts_once():
    throttle = Throttle(8)
    entered = [throttle.enter(lambda: False) for _ in range(8)]

    fewer = [throttle.leave(each, strained=True) for each in entered]

    assert fewer == [True, *[False] * 7]
    assert throttle.limit == 4


def test_one_slot_always_remains():
    throttle = Throttle(2)
    for _ in range(5):
        throttle.leave(throttle.enter(lambda: False), strained=True)

    assert throttle.limit == 1


def test_a_slot_is_waited_for_unless_the_run_is_stopped():
    throttle, stop = Throttle(1), threading.Event()
    first = throttle.enter(lambda: False)
    entered = []
    thread = threading.Thread(target=lambda: entered.append(throttle.enter(stop.is_set)))
    thread.start()

    throttle.leave(first, strained=False)
    thread.join(10)
    assert entered == [0]

    stop.set()
    assert throttle.enter(stop.is_set) is None
