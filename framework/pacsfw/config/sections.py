"""Convert the ``move`` section of the tree to `pacsfw.config.model.Move`.

Expects a section that matches the frame schema, adds errors in its values to the problems,
and returns None if the section is not valid.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from pacsfw.config.components import ConfigBuilder, use_at
from pacsfw.config.model import Move, QueryLevel, Use
from pacsfw.config.schemas import AUTO
from pacsfw.config.values import WEEKDAYS, clock_time, span, zone
from pacsfw.config.window import ALL_DAYS, Window


def move(builder: ConfigBuilder) -> Move | None:
    """Return the ``move`` section."""
    if "move" not in builder.document.tree:
        return None
    timezone = _zone(builder)
    use = _use(builder)
    tree = builder.value("move")
    if tree is None or use is None:
        return None
    days = frozenset(WEEKDAYS.index(name) for name in tree["days"]) if "days" in tree else ALL_DAYS
    return Move(
        level=query_level(tree),
        window=Window(
            start=clock_time(tree.get("start_time", 0)),
            end=clock_time(tree.get("end_time", 0)),
            days=days,
            timezone=timezone,
        ),
        use=use,
        workers=int(tree["workers"]),
        receivers=int(tree["receivers"]),
        attempts=int(tree["attempts"]),
        recheck_after=span(tree["recheck_after"]) if "recheck_after" in tree else None,
    )


def _use(builder: ConfigBuilder) -> Use | None:
    if builder.value("move", "use") != AUTO:
        return use_at(builder, "transfer", "move")
    if builder.document.get(("move", "with")):
        builder.problems.add(
            ("move", "with"), "auto has no options: name a transfer to set its options"
        )
        return None
    return Use(AUTO)


def _zone(builder: ConfigBuilder) -> ZoneInfo | None:
    name = builder.value("move", "timezone")
    try:
        return None if name is None else zone(name)
    except ValueError as err:
        builder.problems.quote(("move", "timezone"), err)
        return None


def query_level(tree: dict[str, Any]) -> QueryLevel:
    """Return ``query_level`` of `find` or `move`, and store it in upper case in the tree."""
    tree["query_level"] = tree["query_level"].upper()
    return "PATIENT" if tree["query_level"] == "PATIENT" else "STUDY"
