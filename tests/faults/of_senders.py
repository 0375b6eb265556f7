"""Who sends what: AE titles and addresses, headers that disagree, and what we refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faults.scenarios import ONLY_PUSHED, PACS_B_IS_KNOWN, Scenario, once

FOUR = ("theirtitle@127.0.0.1", "PACS_B@127.0.0.1", "PACS_C@127.0.0.2", "PACS_D@127.0.0.3")
FOUR_SENDERS = {"senders": FOUR}
STRANGER = {"stranger": "STRANGER@127.0.0.1"}
OTHER_STUDY = {"other_study": True}


def accepting(what: str) -> Mapping[str, str]:
    return {"    called_node:\n": f"        accept: {{{what}}}\n    called_node:\n"}


def pushed(name, faults, state="complete", code=0, lost=0, **more) -> Scenario:
    return Scenario(name, faults, state, code, lost, transfers=ONLY_PUSHED, **more)


SCENARIOS: Sequence[Scenario] = (
    pushed("four AE titles on three addresses", FOUR_SENDERS),
    pushed("four senders, each object by itself", {**FOUR_SENDERS, "scatter": True}),
    pushed("four senders, and some are lost once", {**FOUR_SENDERS, **once(lose=2)}),
    pushed(
        "four senders that do not say for whom they act",
        {**FOUR_SENDERS, "no_originator": True}, "short", 1, 6,
    ),
    pushed(
        "four senders that do not say so, and are configured",
        {**FOUR_SENDERS, "no_originator": True},
        changes=accepting(
            "known_senders: [PACS_B@127.0.0.1, PACS_C@127.0.0.0/8, PACS_D@127.0.0.3]"
        ),
    ),
    pushed("another AE title, and it is configured", {"sender": "PACS_B"}, changes=PACS_B_IS_KNOWN),
    pushed(
        "another AE title, and others are rejected",
        {"sender": "PACS_B"}, "failed", 1, 6, changes=accepting("senders: strict"),
    ),
    pushed("the PACS itself, and others are rejected", {}, changes=accepting("senders: strict")),
    pushed("a stranger sends other content", STRANGER, "short", 1, 6),
    pushed(
        "a stranger sends it under the title of the PACS",
        {"stranger": "theirtitle@127.0.0.9"}, "short", 1, 6,
    ),
    pushed(
        "a stranger sends it, and others are rejected",
        STRANGER, changes=accepting("senders: strict"),
    ),
    Scenario("headers of another study", OTHER_STUDY),
    Scenario("headers of another study, for good, and some are lost", {**OTHER_STUDY, "lose": 2},
             "short", 1, 2),
    Scenario("headers of another study, every object twice", {**OTHER_STUDY, "duplicate": True}),
    Scenario(
        "headers of another study, twice, with other content",
        {**OTHER_STUDY, "duplicate": True, "change": True}, versions=12,
    ),
    Scenario(
        "headers of another study and another patient",
        {**OTHER_STUDY, "other_patient": True}, "short", 1, 6, quarantined=12,
    ),
    Scenario("headers of another patient", {"other_patient": True}),
    Scenario(
        "headers of another study, and no UIDs to recognise objects by",
        {**OTHER_STUDY, "no_image_level": True}, "failed", 1, 6, quarantined=12,
    ),
    Scenario("whole files as data sets", {"part10": True}, "short", 1, 6, quarantined=12),
    Scenario(
        "one in a transfer syntax that we refuse", {"private_syntax": 1}, "short", 1, 1,
        transfers=ONLY_PUSHED,
    ),
    pushed(
        "one in a private transfer syntax that we accept", {"private_syntax": 1},
        changes=accepting("transfer_syntaxes: [1.2.840.113619.5.2]"),
    ),
)  # fmt: skip
