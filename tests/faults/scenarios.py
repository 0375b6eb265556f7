"""What a PACS does wrong, and how a collection from it has to end.

Each scenario names the traps it stands for. Studies have two series of three objects.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.room import Room, Run, Truth
from pacsfw.testing import FaultyPACS, Study, awkward_studies, make_studies
from pacsfw.words import GOOD
from peers.process import free_port

PULLS_TOO = ("cmove", "cget")
ONLY_PUSHED = ("cmove",)
IN_ALL_DATES = {"    modality: CT\n": "    undated: true\n"}
PACS_B_IS_KNOWN = {
    "    called_node:\n": "        accept: {known_senders: [PACS_B@127.0.0.1]}\n    called_node:\n"
}
MORE_AT_A_TIME = {"    called_node:\n": "    called_node:\n        max_associations: 4\n"}


def plain(count: int = 2) -> list[Study]:
    return make_studies(count, days=30, modalities=(("CT", "CT"),), instances=3)


def awkward() -> list[Study]:
    """Names in every script, undated, a private SOP class, a UID that two studies share."""
    studies = [
        study
        for name, study in awkward_studies().items()
        if name in ("japanese, iso 2022", "japanese, utf-8", "undated", "slash", "implicit")
    ]
    usual = {"patient_id": "PRIVATE", "patient_name": "Private^Class", "study_date": "20200301"}
    private = "1.3.46.670589.11.0.0.12.1"
    studies.append(Study(number=90, extra={"SOPClassUID": private}, **usual))
    shared = {"SOPInstanceUID": studies[0].sop_uid(1, 1)}
    twin = {**usual, "patient_id": "TWIN"}
    studies.append(Study(number=91, instances=1, extra=shared, **twin))
    return studies


@dataclass(frozen=True)
class Scenario:
    """A fault and the state that it has to end in."""

    name: str
    faults: Mapping[str, Any] = field(default_factory=dict)
    state: str = "complete"
    """The verdict of every study."""
    code: int = 0
    lost: int = 0
    """The last objects of each study, so many, cannot be retrieved."""
    quarantined: int = 0
    versions: int = 0
    transfers: Sequence[str] = PULLS_TOO
    changes: Mapping[str, str] = field(default_factory=dict)
    studies: Sequence[Study] = field(default_factory=plain)
    extra: int = 0
    """Objects that arrive although the PACS does not list them."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the PACS."""
    runs: int = 1
    deadline: float = 40.0
    """Seconds for each run."""
    peer: Callable[..., Any] = FaultyPACS
    """What makes the PACS; one with a ``url`` is a DICOMweb server."""


def once(**faults: Any) -> dict[str, Any]:
    """Faults that only the first retrieve of each study meets."""
    return {"heals_after": 1, **faults}


AWKWARD: Mapping[str, Any] = {"changes": IN_ALL_DATES, "studies": awkward()}
NO_UIDS = {"no_image_level": True}
SCENARIOS = (
    Scenario("nothing is wrong"),
    Scenario("objects get lost, and that is a success", once(lose=2)),
    Scenario("a whole series gets lost", once(lose=3)),
    Scenario("objects get lost for good", {"lose": 2}, "short", 1, lost=2),
    Scenario("one fails and is named", once(fail=1)),
    Scenario("one fails and is not named", once(fail=1, no_failed_list=True)),
    Scenario("one fails for good", {"fail": 1}, "short", 1, lost=1),
    Scenario("all fail once", once(fail=6)),
    Scenario("all fail for good", {"fail": 6}, "failed", 1, lost=6),
    Scenario("the first failure ends it all, once", once(fail=3, stop_at_failure=True)),
    Scenario("the failure of one ends it all", {"fail": 1, "stop_at_failure": True}, "short", 1, 1),
    Scenario("success with nothing, once", once(send_nothing=True)),
    Scenario("success with nothing", {"send_nothing": True}, "failed", 1, lost=6),
    Scenario("objects after the final response", {"late": 0.3}, transfers=ONLY_PUSHED),
    Scenario(
        "late, each by itself, from elsewhere",
        {"late": 0.2, "scatter": True, "sender": "PACS_B"},
        transfers=ONLY_PUSHED,
        changes=PACS_B_IS_KNOWN,
    ),
    Scenario("each over an association of its own", {"scatter": True}, transfers=ONLY_PUSHED),
    # Nothing tells it from a stranger who knows the UIDs.
    Scenario(
        "from another AE title", {"sender": "PACS_B"}, "short", 1, lost=6, transfers=ONLY_PUSHED
    ),
    Scenario("AE titles in lower case", {"lower_titles": True}, transfers=ONLY_PUSHED),
    Scenario("no answer, once", once(silent=True)),
    Scenario("never an answer", {"silent": True}, "failed", 1, lost=6, deadline=90),
    Scenario(
        "never, and no cancelling", {"silent": True, "deaf": True}, "failed", 1, 6, deadline=120
    ),
    Scenario("pending for ever, once", once(pending_every=0.2)),
    Scenario("pending for ever, deaf, once", once(pending_every=0.2, deaf=True)),
    Scenario("dies before the first object, once", once(die_after=0)),
    Scenario("dies after two objects, once", once(die_after=2)),
    Scenario("dies after two objects each time", {"die_after": 2}),
    Scenario("every object twice", {"duplicate": True}),
    Scenario("twice, with other content", {"duplicate": True, "change": True}, versions=12),
    Scenario("another study, once", once(wrong_study=True)),
    Scenario("objects cut short, once", once(truncate=1), quarantined=2),
    Scenario("objects cut short for good", {"truncate": 1}, "short", 1, 1, quarantined=2),
    Scenario("no UIDs, but numbers", NO_UIDS, "complete-by-count"),
    Scenario("no UIDs, and some are lost once", {**NO_UIDS, **once(lose=2)}, "complete-by-count"),
    Scenario(
        "no UIDs, no numbers of studies",
        {**NO_UIDS, "no_optional_keys": True},
        "complete-by-count",
    ),
    Scenario("numbers that lie, but UIDs", {"lying_counts": True}, "short", 1),
    Scenario("numbers that lie, and no UIDs", {**NO_UIDS, "lying_counts": True}, "short", 1),
    Scenario("no counts of sub-operations", once(no_counts=True, lose=1)),
    Scenario("no pending responses", {"no_pending": True}),
    Scenario("destination unknown", {"refuse": 0xA801}, "failed", 1, lost=6),
    Scenario("too busy at first", {"refuse": 0xA701, "heals_after": 2}),
    Scenario("C000 at first", once(refuse=0xC000)),
    Scenario("processing failure at first", once(refuse=0x0110)),
    Scenario(
        "two at a time, and we ask for four", {"busy": 2}, changes=MORE_AT_A_TIME, studies=plain(4)
    ),
    Scenario("one association, and we want two", options={"max_associations": 1}),
    Scenario(
        "no retrieves of single objects",
        {"retrieve_levels": ("STUDY", "SERIES"), **once(lose=1)},
    ),
    Scenario("retrieves of series only", {"retrieve_levels": ("SERIES",)}),
    Scenario("retrieves of single objects only", {"retrieve_levels": ("IMAGE",)}),
    # Their code is 1 because of find: no limit is excluded for studies without a date.
    Scenario("awkward data, lost once", once(lose=1), code=1, **AWKWARD),
    Scenario("awkward data, dies once", once(die_after=1), code=1, **AWKWARD),
)  # fmt: skip


@dataclass
class Result:
    """What came of a scenario; ``wrong`` is empty where it is as it has to be."""

    scenario: Scenario
    transfer: str
    seconds: float
    wrong: list[str]
    output: str = ""


def play(scenario: Scenario, transfer: str = "cmove") -> Result:
    """Play one scenario in a folder of its own."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="pacsfw-faults-") as folder,
        scenario.peer(
            scenario.studies,
            aetitle="theirtitle",
            destinations={"mytitle": ("127.0.0.1", port)},
            **scenario.options,
            **scenario.faults,
        ) as pacs,
    ):
        room = Room(
            Path(folder),
            pacs_port=pacs.port,
            receiver_port=port,
            use=transfer,
            changes=scenario.changes,
            dicomweb=getattr(pacs, "url", ""),
        )
        runs = [room.run(scenario.deadline) for _ in range(scenario.runs)]
        truth = Truth.of(pacs)
        wrong = _judge(scenario, runs[-1], scenario.code, room, truth)
        if not wrong:
            verified, code = room.run(scenario.deadline, "verify"), int(scenario.state not in GOOD)
            wrong = _judge(scenario, verified, code, room, truth)
            wrong = [f"verify: {text}" for text in wrong]
        seconds = sum(run.seconds for run in runs)
        return Result(scenario, transfer, seconds, wrong, runs[-1].output)


def _judge(scenario: Scenario, run: Run, code: int, room: Room, truth: Truth) -> list[str]:
    if run.code is None:
        return [f"did not end within {scenario.deadline:g} s"]
    wrong = []
    if run.code != code:
        wrong.append(f"exit code {run.code} instead of {code}")
    states = set(room.verdicts().values())
    if states != {scenario.state}:
        wrong.append(f"verdicts {', '.join(map(str, states)) or 'none'}, not {scenario.state}")
    for state, number in (("quarantined", scenario.quarantined), ("version", scenario.versions)):
        if room.count(state) != number:
            wrong.append(f"{state}: {room.count(state)} objects instead of {number}")
    lost = [study.sop_uids[-scenario.lost :] for study in scenario.studies if scenario.lost]
    truth.lost = frozenset(uid for uids in lost for uid in uids)
    return wrong + truth.against(room, scenario.extra)
