"""A plugin that hangs costs its time limit, and not for ever."""

from __future__ import annotations

import contextlib
import threading

import pytest

from pacsfw.errors import TookTooLong
from pacsfw.workers.limits import PATIENCE, limited


def hang(value):
    while value:
        with contextlib.suppress(Exception):
            threading.Event().wait(60)
    return "done"


def test_what_returns_in_time_is_not_disturbed():
    assert limited(hang, 0.01)(0) == "done"


def test_what_hangs_is_ended_whatever_it_catches_and_given_up_after_some_times():
    call = limited(hang, 0.01)
    for _ in range(PATIENCE):
        with pytest.raises(TookTooLong, match=r"took longer than 0.01 s$"):
            call(1)
    with pytest.raises(TookTooLong, match="before, and is now skipped"):
        call(0)


def test_in_other_threads_there_is_no_limit():
    found = []
    thread = threading.Thread(target=lambda: found.append(limited(hang, 0.01)))
    thread.start()
    thread.join()
    assert found == [hang]
