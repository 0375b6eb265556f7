"""Convert the ``find`` section of the tree to `pacsfw.config.model.Find`.

Expects a section that matches the frame schema, adds errors in its values to the problems,
and returns None if the section is not valid.
"""

from __future__ import annotations

import os
import stat
from datetime import date
from pathlib import Path
from typing import Any

from pacsfw.config.building import Selected
from pacsfw.config.components import ConfigBuilder, use_at
from pacsfw.config.conditions import filters
from pacsfw.config.document import KeyPath
from pacsfw.config.model import Find, Use
from pacsfw.config.sections import query_level
from pacsfw.config.values import day, is_url
from pacsfw.errors import PluginError
from pacsfw.words import nearest


def outcomes_path(resources: Path) -> Path:
    """Return the file that lists the outcome of each row of a cohort."""
    return resources.with_name(f"{resources.stem}_cohort.csv")


def find(builder: ConfigBuilder) -> Find | None:
    """Return the ``find`` section."""
    if "find" not in builder.document.tree:
        return None
    _check_search_fields(builder)
    start = _day(builder, "start_date")
    end = _day(builder, "end_date") or start
    if start and end and end < start:
        builder.problems.add(("find", "end_date"), f"{end} is before start_date, {start}")
    use = use_at(builder, "query", "find")
    chosen = filters(builder)
    cohort = _cohort(builder)
    _check_undated(builder)
    tree = builder.value("find")
    if tree is None or use is None:
        return None
    return Find(
        level=query_level(tree),
        search_fields=tuple(tree["search_fields"]),
        start=start,
        end=end,
        modality=tree.get("modality", "").strip(" "),
        use=use,
        filters=chosen,
        cohort=cohort,
        undated=tree["undated"],
        max_studies=int(tree.get("max_studies", 0)),
    )


def _cohort(builder: ConfigBuilder) -> Use | None:
    """Return the source of the cohort: named, or the one that claims the suffix of a file."""
    place: KeyPath = ("find", "cohort")
    value = builder.value(*place)
    if value is None:
        return None
    use: Use | None
    if isinstance(value, str):
        path = builder.path(place, value)
        try:
            offer = builder.registry.claiming("cohort", path.lower())
        except PluginError as err:
            builder.problems.quote(place, err)
            return None
        use = Use(offer.reference, {"path": path})
        builder.selected.append(Selected("cohort", use, place, place))
    else:
        use, place = use_at(builder, "cohort", *place), (*place, "with", "path")
    file = use.options.get("path") if use else None
    resources = builder.document.get(("storage", "resources"))
    if isinstance(file, str) and (why := _why_no_cohort(Path(file), resources)):
        builder.problems.add(place, f"{file}: {why}")
    return use


def _why_no_cohort(path: Path, resources: Any) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "not a file"
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError):
        return "you cannot read this file"
    if not os.access(path, os.R_OK):
        return "you cannot read this file"
    if isinstance(resources, str) and not is_url(resources):
        written = Path(resources)
        if path.resolve() in {written.resolve(), outcomes_path(written).resolve()}:
            return "find writes this file; use another name for the cohort"
    return ""


def _check_undated(builder: ConfigBuilder) -> None:
    tree = builder.document.get(("find",))
    if isinstance(tree, dict) and tree.get("undated") is True and "start_date" not in tree:
        why = "requires start_date: without dates, undated studies are found as well"
        builder.problems.add(("find", "undated"), why)


def _day(builder: ConfigBuilder, key: str) -> date | None:
    value = builder.value("find", key)
    try:
        return None if value is None else day(value)
    except ValueError as err:
        builder.problems.quote(("find", key), err)
        return None


def _check_search_fields(builder: ConfigBuilder) -> None:
    from pydicom.datadict import dictionary_VR, keyword_dict

    fields = builder.value("find", "search_fields") or []
    for index, keyword in enumerate(fields):
        place = ("find", "search_fields", index)
        if keyword not in keyword_dict:
            near = nearest(keyword, keyword_dict)
            builder.problems.add(place, f"{keyword!r} is not a DICOM keyword{near}")
        elif dictionary_VR(keyword) == "SQ":
            builder.problems.add(place, f"{keyword!r} is a sequence, which cannot be a column")
        elif keyword in fields[:index]:
            builder.problems.add(place, f"{keyword!r} is in the list twice")
