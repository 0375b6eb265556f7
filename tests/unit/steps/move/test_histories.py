"""Whatever a PACS does wrong, a study is called complete only if it is."""

from __future__ import annotations

from faults.move_histories import play_all

HISTORIES = 400
"""`make faults` plays 20,000."""


def test_no_history_has_a_false_word_and_none_without_a_fault_lacks_the_right_one():
    assert play_all(HISTORIES) == []
