"""The file of a cohort, CSV or JSONL, as rows of keywords and texts.

No message repeats a cell. A column name is quoted only if it looks like one, because the first
line of a file without a header contains patients.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from pacsfw.config.finding import COHORT_FORMATS
from pacsfw.dicom.levels import LEVEL_OF
from pacsfw.errors import ConfigError
from pacsfw.regular import open_regular
from pacsfw.words import nearest

Cells: TypeAlias = dict[str, str]
Fault: TypeAlias = tuple[int, str]
"""Line number and error."""

_KEYWORDS = {keyword.lower(): keyword for keyword, level in LEVEL_OF.items() if level != "SERIES"}
_IGNORED = ("_", "#")
_DELIMITERS = ",;\t"


def rows(path: Path, faults: list[Fault]) -> Iterator[tuple[int, Cells]]:
    """Yield line number and cells of each row, without empty cells and ignored columns.

    Empty lines are skipped. Errors are added to ``faults``.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not UTF-8.
    """
    text = _text(path)
    if COHORT_FORMATS.get(path.suffix.lower()) == "jsonl":
        return _json_rows(text, faults)
    return _csv_rows(text, faults)


def _text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}") from err
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        # The cause would quote the file in the traceback.
        raise ConfigError(
            f"{path.name}:{line}: is not UTF-8 text; save the file as UTF-8"
        ) from None


def _csv_rows(text: str, faults: list[Fault]) -> Iterator[tuple[int, Cells]]:
    columns: Sequence[str] | None = None
    for line, record in _records(text, faults):
        if columns is None:
            columns, wrong = _columns(tuple(record))
            if not wrong and not any(columns):
                wrong = ["no column name is a DICOM keyword of patients or studies"]
            if wrong:
                faults += [(line, why) for why in wrong]
                return
        elif len(record) != len(columns):
            why = f"has {len(record)} cells where the header names {len(columns)} columns"
            faults.append((line, why))
        else:
            yield line, _filled(columns, record)


def _records(text: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a CSV and the lines on which they begin."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except csv.Error as err:
        faults.append((line, f"is not CSV: {err}"))


def _delimiter(text: str) -> str:
    """Return the delimiter: the character that gives the header the most columns."""
    header = next((line for line in io.StringIO(text) if line.strip()), "")
    return max(_DELIMITERS, key=header.count)


def _json_rows(text: str, faults: list[Fault]) -> Iterator[tuple[int, Cells]]:
    reported: set[str] = set()
    for line, record in enumerate(text.split("\n"), start=1):
        if not record.strip():
            continue
        try:
            # Only objects become tuples; arrays stay lists.
            pairs = json.loads(record, object_pairs_hook=tuple)
        except (ValueError, RecursionError):
            faults.append((line, "is not JSON"))
            continue
        if not isinstance(pairs, tuple):
            faults.append((line, "is not a JSON object"))
            continue
        columns, wrong = _columns(tuple(name for name, _ in pairs))
        faults += [(line, why) for why in wrong if why not in reported]
        reported.update(wrong)
        if not wrong:
            cells = [_json_text(value) for _, value in pairs]
            unread = [col for col, cell in zip(columns, cells, strict=True) if col and cell is None]
            faults += [(line, f"{col} is neither a text nor a whole number") for col in unread]
            if not unread:
                yield line, _filled(columns, [cell or "" for cell in cells])


def _json_text(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)


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
