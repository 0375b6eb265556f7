"""Values of spreadsheets and databases as values of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal

from pacsfw.api import CohortProblem, CohortRow


def row_of(
    where: str, columns: Sequence[str], values: Sequence[object]
) -> CohortRow | CohortProblem:
    """Return a row of these values, or the first reason why there is none."""
    cells = []
    for name, value in zip(columns, values, strict=False):
        try:
            cells.append((name, plain(value)))
        except ValueError as err:
            return CohortProblem(where, f"{name} {err}")
    return CohortRow(where, cells)


def plain(value: object) -> str | int | None:
    """Return a value as text, whole number or None; dates and times as in DICOM.

    Raises
    ------
    ValueError
        It has no such form; the message names its type only.
    """
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float | Decimal) and value == int(value):
        return int(value)
    if isinstance(value, datetime | date):  # a time of day that is not midnight would be lost
        if isinstance(value, datetime) and value.time() != time():
            raise ValueError("is a date with a time; give only the date")
        return f"{value:%Y%m%d}"
    if isinstance(value, time):
        return f"{value:%H%M%S}"
    raise ValueError(f"is a {type(value).__name__}, neither a text nor a whole number")
