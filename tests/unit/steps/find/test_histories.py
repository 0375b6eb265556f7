"""Random PACS: the word "proven" is never false, and always said where nothing is wrong."""

from __future__ import annotations

from faults.histories import play_all

HISTORIES = 300


def test_the_word_proven_is_true_whatever_the_pacs_does_and_said_where_it_does_nothing_wrong():
    figures, wrong = play_all(HISTORIES)

    assert wrong == []
    assert 0 < figures["without a fault"] == figures["without a fault and proven"]
    assert figures["proven"] < HISTORIES
