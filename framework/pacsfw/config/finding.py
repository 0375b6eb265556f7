"""From the ``find`` section of the tree to `pacsfw.config.model.Find`.

Expects a section whose form the frame has checked, adds what is wrong with its values to
the problems, and returns None if the section cannot be used.
"""

from __future__ import annotations

import os
import stat
from datetime import date
from pathlib import Path
from typing import Any

from pacsfw.config.components import Draft, use_at
from pacsfw.config.conditions import filters
from pacsfw.config.model import Find
from pacsfw.config.sections import query_level
from pacsfw.config.values import closest, day, is_url

COHORT_FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""How a cohort is read, by the ending of its name."""


def outcomes_path(resources: Path) -> Path:
    """Return the file that tells what became of each row of a cohort."""
    return resources.with_name(f"{resources.stem}_cohort.csv")


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
    chosen = filters(draft)
    cohort = _cohort(draft)
    _check_undated(draft)
    tree = draft.value("find")
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


def _cohort(draft: Draft) -> Path | None:
    """Return the path of the cohort, if that is a file which can be read."""
    place = ("find", "cohort")
    text = draft.value(*place)
    if text is None:
        return None
    path = Path(draft.path(place, text))
    if why := _why_no_cohort(path, draft.document.get(("storage", "resources"))):
        draft.problems.add(place, f"{path}: {why}")
    return path


def _why_no_cohort(path: Path, resources: Any) -> str:
    if path.suffix.lower() not in COHORT_FORMATS:
        return f"the name of a cohort ends in one of {', '.join(COHORT_FORMATS)}"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "is not a file"
    except FileNotFoundError:
        return "there is no such file"
    except (OSError, ValueError):
        return "is not a file that you can read"
    if not os.access(path, os.R_OK):
        return "is not a file that you can read"
    if isinstance(resources, str) and not is_url(resources):
        written = Path(resources)
        if path.resolve() in {written.resolve(), outcomes_path(written).resolve()}:
            return "find writes that file; give the cohort another name"
    return ""


def _check_undated(draft: Draft) -> None:
    tree = draft.document.get(("find",))
    if isinstance(tree, dict) and tree.get("undated") is True and "start_date" not in tree:
        why = "needs start_date beside it: without dates, undated studies are found as well"
        draft.problems.add(("find", "undated"), why)


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
