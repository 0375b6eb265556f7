"""What every status that a retrieve may end with means for asking again."""

from __future__ import annotations

import pytest

from pacsfw.api import Outcome
from pacsfw.steps.move.statuses import COUNTS, MAY_HELP, STRAINED, ending_of, worst

# PS3.4 tables C.4-2 (C-MOVE) and C.4-3 (C-GET), PS3.7 annex C, and the ranges of both.
ENDINGS = {
    0x0000: "done", 0xA701: "busy", 0xA702: "unsent", 0xA801: "refused", 0xA900: "mismatch",
    0xAA00: "mismatch", 0xAA01: "mismatch", 0xAA02: "failed", 0xAA03: "mismatch",
    0xAA04: "mismatch", 0xB000: "partly", 0xC000: "failed", 0xC001: "failed", 0xCFFF: "failed",
    0xFE00: "cancelled", 0xA700: "busy", 0xA7FF: "busy", 0xA9FF: "mismatch",
    0x0001: "done", 0x0105: "mismatch", 0x0106: "mismatch", 0x0107: "done", 0x0110: "failed",
    0x0111: "failed", 0x0112: "failed", 0x0113: "failed", 0x0114: "mismatch", 0x0115: "mismatch",
    0x0116: "done", 0x0117: "mismatch", 0x0118: "refused", 0x0119: "refused",
    0x0120: "mismatch", 0x0121: "mismatch", 0x0122: "refused", 0x0123: "refused",
    0x0124: "refused", 0x0210: "busy", 0x0211: "refused", 0x0212: "mismatch", 0x0213: "busy",
    0xB007: "partly", 0x1234: "failed",
}  # fmt: skip


@pytest.mark.parametrize(("status", "ending"), ENDINGS.items(), ids=lambda value: f"{value}")
def test_every_status_has_its_ending(status, ending):
    assert ending_of(Outcome(status=status, status_text="")) == ending


def test_without_a_final_response_it_is_silent_and_without_contact_unreached():
    assert ending_of(Outcome(status=None, status_text="aborted")) == "silent"
    assert ending_of(Outcome(status=None, status_text="refused", reached=False)) == "unreached"


def test_what_people_have_to_mend_is_not_asked_again_and_is_no_trial():
    assert "refused" not in MAY_HELP | COUNTS | STRAINED


def test_a_pacs_that_was_too_busy_has_tried_nothing():
    assert "busy" in MAY_HELP & STRAINED
    assert not {"busy", "unreached"} & COUNTS


def test_a_pacs_that_gives_up_at_an_instance_has_tried():
    """Nobody cancelled: some PACS end with FE00 at the first instance that fails."""
    assert "cancelled" in MAY_HELP & COUNTS


def test_several_requests_end_as_the_worst_of_them_and_their_counts_are_no_evidence():
    done = Outcome(status=0, status_text="0000", completed=3, failed=0)
    partly = Outcome(status=0xB000, status_text="B000", completed=1, failed=1, failed_uids=("1.2",))

    both = worst([partly, done])

    assert (both.status, both.status_text, both.completed, both.failed) == (
        0xB000,
        "B000",
        None,
        None,
    )
    assert both.failed_uids == ("1.2",)
    assert worst([done]) is done
