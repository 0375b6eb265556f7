"""PACS that serve one information model, or retrieves under another AE title."""

from __future__ import annotations

from collections.abc import Sequence

from faults.scenarios import Scenario, once

PATIENT = {"models": ("patient",)}
ELSEWHERE = {"    called_node:\n": "    retrieve_node: {aetitle: RETRIEVE}\n    called_node:\n"}
# Their code is 1 because of find: so few patients prove no limit of patients.
SCENARIOS: Sequence[Scenario] = (
    Scenario("only the Patient Root model", PATIENT, code=1),
    Scenario("only the Patient Root model, dies once", {**PATIENT, **once(die_after=2)}, code=1),
    Scenario("only the Patient Root model, one gets lost", {**PATIENT, "lose": 1}, "short", 1, 1),
    Scenario("only the Patient Root model, series only",
             {**PATIENT, "retrieve_levels": ("SERIES",)}, code=1),
    Scenario("only the Study Root model", {"models": ("study",)}),
    Scenario("retrieves under another AE title", {"retrieve_aetitle": "RETRIEVE"},
             changes=ELSEWHERE),
    Scenario("retrieves under another AE title, not configured",
             {"retrieve_aetitle": "RETRIEVE"}, "failed", 4, 6),
)  # fmt: skip
