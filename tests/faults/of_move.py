"""Faults of what a verdict rests on, and of retrieves that smaller requests get around."""

from __future__ import annotations

from collections.abc import Sequence

from faults.scenarios import ONLY_PUSHED, Scenario, once, plain
from pacsfw.testing import Study, make_studies

IMAGES_CUT = {"cap": 2, "cap_levels": ("IMAGE",)}
SERIES_CUT = {"cap": 2, "cap_levels": ("SERIES",)}
OF_STUDIES = {"refuse_levels": ("STUDY",)}
LARGE = {"refuse_levels": ("STUDY", "SERIES")}


def three_series(count: int = 2) -> list[Study]:
    return make_studies(count, days=30, modalities=(("CT", "CT", "CT"),), instances=3)


SCENARIOS: Sequence[Scenario] = (
    Scenario("a limit of images", IMAGES_CUT, "complete-by-count"),
    Scenario("a limit of images, dies once", {**IMAGES_CUT, **once(die_after=2)},
             "complete-by-count"),
    Scenario("a limit of images, one fails for good", {**IMAGES_CUT, "fail": 1}, "short", 1, 1),
    Scenario("a limit of images, one gets lost", {**IMAGES_CUT, "lose": 1}, "short", 1, 1),
    Scenario("a limit of series", SERIES_CUT, "complete-by-count", studies=three_series()),
    Scenario("a limit of series, dies once", {**SERIES_CUT, **once(die_after=4)},
             "complete-by-count", studies=three_series()),
    Scenario("a limit of series, a series gets lost", {**SERIES_CUT, "lose": 3}, "short", 1, 3,
             studies=three_series()),
    Scenario("a limit of images and numbers that lie", {**IMAGES_CUT, "lying_counts": True},
             "short", 1),
    Scenario("C000 for studies", {"refuse": 0xC000, **OF_STUDIES}),
    Scenario("processing failure for studies", {"refuse": 0x0110, **OF_STUDIES}),
    Scenario("A702 for studies", {"refuse": 0xA702, **OF_STUDIES}),
    Scenario("success with nothing for studies", {"send_nothing": True, **OF_STUDIES}),
    Scenario("FE00 for studies", {"refuse": 0xFE00, **OF_STUDIES}),
    Scenario("C000 for studies and series", {"refuse": 0xC000, **LARGE}),
    Scenario("one stumbles, FE00", {"fail": 1, "stop_at_failure": True, "stop_status": 0xFE00},
             "short", 1, 1),
    Scenario("one stumbles, A700", {"fail": 1, "stop_at_failure": True, "stop_status": 0xA700},
             "short", 1, 1),
    Scenario("one stumbles, A-ABORT", {"fail": 1, "stop_at_failure": True, "stop_status": 0},
             "short", 1, 1, deadline=90),
    Scenario("a series is sent and not listed", {"hide_series": True}, "complete-and-more"),
    Scenario("an instance made at each retrieve", {"extra": True}, "complete-and-more", extra=2),
    Scenario("being recalled", {"refuse": 0xA702, "availability": "NEARLINE"}, "failed", 1, 6),
    Scenario("destination unknown at first", once(refuse=0xA801), transfers=ONLY_PUSHED),
    Scenario("nothing can arrive", {"refuse": 0xC000}, "failed", 4, 6, studies=plain(5)),
    Scenario("nothing arrives though all is well", {"send_nothing": True}, "failed", 4, 6,
             studies=plain(5), deadline=90),
)  # fmt: skip
