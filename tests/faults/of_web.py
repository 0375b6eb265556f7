"""What DICOMweb servers do differently, and how a collection from them has to end."""

from __future__ import annotations

from typing import Any

from faults.scenarios import Scenario, plain
from odd import web

BY_WEB = {"find:\n": "find:\n    use: qido\n"}


def served(name: str, peer: type[web.Web], *expected: Any, **more: Any) -> Scenario:
    """Return a scenario over DICOMweb: state and code as expected, or good."""
    state, code = expected or ("complete", 0)
    return Scenario(
        name, state=state, code=code, peer=peer, transfers=("wado",), changes=BY_WEB, **more
    )


SCENARIOS = (
    served("web: nothing is wrong", web.Web),
    served("web: only application/json, alone", web.JsonOnly),
    served("web: attributes by tag only", web.TagsOnly),
    served("web: small pages only", web.SmallPages),
    served("web: one row is no list", web.SingleRows),
    served("web: a key is refused and named", web.NoTimes),
    served("web: a warning in every answer", web.WarnsAlways, "complete", 1),
    served("web: 500 now and then", web.FailsNowAndThen),
    served("web: 400 for transfer-syntax=*", web.PickyAccept),
    served("web: 415 for transfer-syntax=*", web.PickyAccept415),
    served("web: 403 for whole studies", web.NoStudies),
    served("web: 404 for whole studies", web.NoStudies404),
    served("web: 406 for whole studies", web.NoStudies406),
    served("web: 504 for whole studies", web.NoStudies504),
    served("web: single instances only", web.InstancesOnly),
    served(
        "web: 403 for every retrieve", web.NothingAllowed, "failed", 4, lost=6, studies=plain(4)
    ),
    served("web: line feeds between parts", web.LineFeeds),
    served("web: no boundary", web.NoBoundary),
    served("web: boundary with dashes", web.BoundaryWithDashes),
    served("web: no closing delimiter", web.NoClosing),
    served("web: half an object, and the answer looks whole", web.HalfAtTheEnd, quarantined=2),
    served("web: no parts at all", web.NoParts, "failed", 1, lost=6),
)
