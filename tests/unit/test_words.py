"""The words of a peer, fit for a terminal."""

from __future__ import annotations

from pacsfw.api import Verdict
from pacsfw.words import GOOD, VERDICTS, said


def test_values_that_were_sent_are_not_repeated():
    text = said("no patient DOE^Jane or jane, ID 4711", ["Doe^Jane", "4711", "C"])
    assert text == "no patient *** or ***, ID ***"


def test_the_words_stay_on_one_line_and_are_cut_to_size():
    assert said("one\n\x1b[31mtwo\r\nthree", longest=60) == "one ?[31mtwo three"
    assert said("x" * 300) == "x" * 197 + "..."


def test_the_good_verdicts_are_those_that_call_themselves_complete():
    states = [state for state in VERDICTS if state != "pending"]
    assert [state for state in states if Verdict(state=state).is_complete] == list(GOOD)
