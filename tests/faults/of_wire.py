"""PACS whose bytes are odd, and with which other programs work."""

from __future__ import annotations

from collections.abc import Sequence

from faults.scenarios import ONLY_PUSHED, Scenario, plain
from odd import answers

SCENARIOS: Sequence[Scenario] = (
    *(
        Scenario(f"odd: {peer.__doc__.rstrip('.')}", peer=peer, transfers=ONLY_PUSHED)
        for peer in answers.HARMLESS
    ),
    Scenario("odd: every retrieve fails and says why", state="failed", code=4, lost=6,
             peer=answers.NamesTheCause, transfers=ONLY_PUSHED, studies=plain(5)),
)  # fmt: skip
