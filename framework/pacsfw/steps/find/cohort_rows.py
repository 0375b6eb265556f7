"""The rows of a cohort as keywords of DICOM and texts.

No message repeats a cell. A column name is quoted only if it looks like one, because the first
line of a file without a header contains patients.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from pacsfw.api import CohortHeader, CohortProblem, CohortRow
from pacsfw.dicom.levels import LEVEL_OF
from pacsfw.words import nearest

Cells: TypeAlias = dict[str, str]
CohortItem: TypeAlias = CohortRow | CohortHeader | CohortProblem

_KEYWORDS = {keyword.lower(): keyword for keyword, level in LEVEL_OF.items() if level != "SERIES"}
_IGNORED = ("_", "#")
_UNREAD = "is neither a text nor a whole number"


def keyed(items: Iterable[CohortItem], faults: list[str]) -> Iterator[tuple[str, Cells]]:
    """Yield location and cells of each row by keyword, without empty cells and ignored columns.

    Errors are added to ``faults``, each with its location, and a wrong column once. Behind a wrong
    header, no row is read.
    """
    reported: set[str] = set()
    for item in items:
        if isinstance(item, CohortProblem):
            faults.append(f"{item.where}: {item.why}")
            continue
        if isinstance(item, CohortHeader):
            columns, wrong = _columns(tuple(item.columns))
            if not wrong and not any(columns):
                wrong = ["no column name is a DICOM keyword of patients or studies"]
            faults += [f"{item.where}: {why}" for why in wrong]
            if wrong:
                return
            continue
        columns, wrong = _columns(tuple(name for name, _ in item.cells))
        cells = [_text(value) for _, value in item.cells]
        pairs = zip(columns, cells, strict=True)
        unread = [f"{column} {_UNREAD}" for column, cell in pairs if column and cell is None]
        new = [why for why in wrong if why not in reported]
        faults += [f"{item.where}: {why}" for why in (new if wrong else unread)]
        reported.update(wrong)
        if not wrong and not unread:
            yield item.where, _filled(columns, [cell or "" for cell in cells])


def written(items: Iterable[CohortItem]) -> Iterator[Cells]:
    """Yield the cells of each row by its columns as written, with ignored ones and empty ones."""
    for item in items:
        if isinstance(item, CohortRow):
            yield {name.strip(): _shown(value) for name, value in item.cells if name.strip()}


def _text(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, default=str)


def _filled(columns: Sequence[str], cells: Sequence[str]) -> Cells:
    pairs = zip(columns, (cell.strip() for cell in cells), strict=True)
    return {column: cell for column, cell in pairs if column and cell}


@lru_cache(maxsize=64)
def _columns(written: tuple[str, ...]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the keyword of each column ("" for an ignored one), and the errors."""
    columns: list[str] = []
    wrong: list[str] = []
    names = [name.strip() for name in written]
    is_header = any(name.lower() in _KEYWORDS for name in names)
    for number, name in enumerate(names, start=1):
        keyword = "" if name.startswith(_IGNORED) else _KEYWORDS.get(name.lower(), "")
        if keyword in columns and keyword:
            wrong.append(f"the column {keyword!r} occurs twice")
        elif not keyword and not name.startswith(_IGNORED):
            near = nearest(name, _KEYWORDS.values())
            shown = f"{name!r}" if is_header or near else "its name"
            wrong.append(
                f"column {number}: {shown} is not a DICOM keyword of patients or studies{near}; "
                "to ignore a column, let its name begin with _"
            )
        columns.append(keyword)
    return columns, wrong
