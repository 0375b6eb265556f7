"""From the sections of the tree to the records of `pacsfw.config.model`.

Every function expects a section whose form the frame has checked, adds what is wrong with
its values to the problems, and returns None if the section cannot be used.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from pacsfw import api
from pacsfw.config.components import Draft, use_at
from pacsfw.config.document import Place
from pacsfw.config.model import Find, Move, QueryLevel
from pacsfw.config.values import WEEKDAYS, clock_time, closest, day, zone
from pacsfw.config.window import ALL_DAYS, Window

_LOOPBACK = ("localhost", "127.", "::1")


def net(draft: Draft) -> api.Net | None:
    """Return the ``net`` section; ``dest`` is the local node where none was given."""
    place = ("net", "called_node", "charset")
    if (charset := draft.value(*place)) is not None:
        _check_charset(draft, place, charset)
    tree = draft.value("net")
    if tree is None:
        return None
    local = _node(tree["local_node"])
    return api.Net(
        local=local,
        called=_node(tree["called_node"]) if "called_node" in tree else None,
        dest=_node(tree["dest_node"]) if "dest_node" in tree else local,
    )


def _node(tree: dict[str, Any]) -> api.Node:
    # A schema takes 104.0 for an integer, a socket does not.
    whole = {key: int(value) if isinstance(value, float) else value for key, value in tree.items()}
    # Blanks around an AE title are not part of it (PS3.5 section 6.2, AE).
    return api.Node(**{**whole, "aetitle": tree["aetitle"].strip(" ")})


def _check_charset(draft: Draft, place: Place, charset: str) -> None:
    from pydicom.charset import python_encoding

    known = sorted(name for name in python_encoding if name)
    for part in charset.split("\\"):
        if part and part not in known:
            shown = draft.document.shown(place, part)
            near = closest(part, known)
            draft.problems.add(place, f"{shown} is not a Specific Character Set of DICOM{near}")


def net_warnings(draft: Draft, found: api.Net | None) -> list[str]:
    """Return what is legal in ``net`` and yet will hardly work."""
    if found is None or found.called is None or found.dest is None:
        return []
    called, dest = found.called, found.dest
    here = called.ip.startswith(_LOOPBACK) or called.ip in {dest.ip, dest.bind}
    if not here or called.port != dest.port:
        return []
    key = "dest_node" if "dest_node" in draft.document.tree["net"] else "local_node"
    place = ("net", key, "port")
    where = f"{draft.document.where(place)}: {'.'.join(place)}"
    taken = f"{called.ip}:{called.port} is the address of called_node"
    return [f"{where}: {taken}; we cannot listen there too, so nothing will arrive"]


def find(draft: Draft) -> Find | None:
    """Return the ``find`` section."""
    if "find" not in draft.document.tree:
        return None
    _check_search_fields(draft)
    start = _day(draft, "start_date")
    end = _day(draft, "end_date") or start
    if start and end and end < start:
        draft.problems.add(("find", "end_date"), f"{end} is before start_date, {start}")
    use = use_at(draft, "query", "find")
    tree = draft.value("find")
    if tree is None or use is None or start is None or end is None:
        return None
    return Find(
        level=_level(tree),
        search_fields=tuple(tree["search_fields"]),
        start=start,
        end=end,
        modality=tree.get("modality", "").strip(" "),
        use=use,
    )


def _level(tree: dict[str, Any]) -> QueryLevel:
    tree["query_level"] = tree["query_level"].upper()
    return "PATIENT" if tree["query_level"] == "PATIENT" else "STUDY"


def _day(draft: Draft, key: str) -> date | None:
    value = draft.value("find", key)
    try:
        return None if value is None else day(value)
    except ValueError as err:
        draft.problems.quote(("find", key), err)
        return None


def _check_search_fields(draft: Draft) -> None:
    from pydicom.datadict import dictionary_VR, keyword_dict

    fields = draft.value("find", "search_fields") or []
    for index, keyword in enumerate(fields):
        place = ("find", "search_fields", index)
        if keyword not in keyword_dict:
            near = closest(keyword, keyword_dict)
            draft.problems.add(place, f"{keyword!r} is not a DICOM keyword{near}")
        elif dictionary_VR(keyword) == "SQ":
            draft.problems.add(place, f"{keyword!r} is a sequence, which is no column of a table")
        elif keyword in fields[:index]:
            draft.problems.add(place, f"{keyword!r} is in the list twice")


def move(draft: Draft) -> Move | None:
    """Return the ``move`` section."""
    if "move" not in draft.document.tree:
        return None
    timezone = _zone(draft)
    use = use_at(draft, "transfer", "move")
    tree = draft.value("move")
    if tree is None or use is None:
        return None
    days = frozenset(WEEKDAYS.index(name) for name in tree["days"]) if "days" in tree else ALL_DAYS
    return Move(
        level=_level(tree),
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
    )


def _zone(draft: Draft) -> ZoneInfo | None:
    name = draft.value("move", "timezone")
    try:
        return None if name is None else zone(name)
    except ValueError as err:
        draft.problems.quote(("move", "timezone"), err)
        return None
