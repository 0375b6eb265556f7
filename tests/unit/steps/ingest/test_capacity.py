"""When requesting pauses for lack of room, and when it goes on."""

import threading
from pathlib import Path

from pacsfw.steps.ingest.capacity import Capacity

FOLDERS = (Path("/spool"), Path("/archive"))


def test_requesting_pauses_below_the_reserve_and_goes_on_clearly_above_it():
    free = {FOLDERS[0]: 10_000, FOLDERS[1]: 1_000}
    room = Capacity(FOLDERS, 1_000, 0, free.__getitem__)
    assert room.lacking() == ""
    free[FOLDERS[1]] = 999
    assert "storage.reserve" in room.lacking()
    assert "/archive" in room.lacking()
    free[FOLDERS[1]] = 1_249
    assert room.lacking()
    free[FOLDERS[1]] = 1_250
    assert room.lacking() == ""
    free[FOLDERS[1]] = 1_000
    assert room.lacking() == ""


def test_requesting_pauses_beyond_the_backlog_and_goes_on_at_half_of_it():
    room = Capacity(FOLDERS, 0, 100, lambda _: 0)
    room.enter(60)
    room.enter(60)
    assert "storage.backlog" in room.lacking()
    room.leave(60)
    assert room.lacking()
    room.leave(60)
    assert room.lacking() == ""


def test_an_object_waits_while_too_much_is_there_and_a_huge_one_passes():
    room = Capacity(FOLDERS, 0, 100, lambda _: 0)
    room.enter(5_000)
    entered = threading.Event()
    thread = threading.Thread(target=lambda: (room.enter(1), entered.set()))
    thread.start()
    assert not entered.is_set()
    room.leave(5_000)
    assert entered.wait(30)
    thread.join()
