"""Convert rows to a pandas data frame or an Arrow table with typed columns."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pacsfw.api import Column
from pacsfw.errors import PluginError
from pacsfw.words import encodable

OFFSET = "_offset"
"""Suffix of the Arrow column that holds the offset from UTC of a date-time column."""

_PANDAS = {
    "text": "string",
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "date": "datetime64[s]",
    "datetime": "datetime64[us]",
    "duration": "timedelta64[us]",
}
"""Cells of other types stay Python objects."""


def to_pandas(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Any:
    """Return a data frame; date-times with an offset from UTC stay Python objects.

    Raises
    ------
    PluginError
        pandas is not installed.
    """
    pandas = _import("pandas")
    made = {}
    for number, column in enumerate(columns):
        cells = _cells(rows, number, column.type)
        kind = _PANDAS.get(column.type, "object")
        if column.type == "datetime" and any(cell and cell.tzinfo for cell in cells):
            kind = "object"
        made[column.name] = pandas.Series(cells, dtype=kind)
    return pandas.DataFrame(made)


def to_arrow(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """Return an Arrow table, as the ``parquet`` sink writes it.

    A date-time is local time. Another column holds its offset from UTC, if the instance has
    one. ``json`` is text.

    Parameters
    ----------
    metadata
        For the schema of the table.

    Raises
    ------
    PluginError
        pyarrow is not installed.
    """
    arrow = _import("pyarrow", extra="parquet")
    types = {
        "int": arrow.int64(),
        "float": arrow.float64(),
        "bool": arrow.bool_(),
        "date": arrow.date32(),
        "time": arrow.time64("us"),
        "datetime": arrow.timestamp("us"),
        "duration": arrow.duration("us"),
        "ints": arrow.list_(arrow.int64()),
        "floats": arrow.list_(arrow.float64()),
        "texts": arrow.list_(arrow.string()),
    }
    made = {}
    for number, column in enumerate(columns):
        cells = _cells(rows, number, column.type)
        if column.type == "json":
            cells = [None if cell is None else json.dumps(cell) for cell in cells]
        if column.type == "datetime":
            made[column.name] = arrow.array(map(_wall, cells), types["datetime"])
            made[column.name + OFFSET] = arrow.array(map(_offset, cells), arrow.string())
        else:
            made[column.name] = arrow.array(cells, types.get(column.type, arrow.string()))
    return arrow.table(made).replace_schema_metadata(metadata)


def _cells(rows: Sequence[Sequence[Any]], number: int, column_type: str) -> list[Any]:
    r"""Return the cells of a column, with half of a surrogate pair as text: ``\udcXX``."""
    cells = [row[number] for row in rows]
    if column_type == "text":
        return [None if cell is None else encodable(cell) for cell in cells]
    if column_type == "texts":
        return [
            None if cell is None else [each and encodable(each) for each in cell] for cell in cells
        ]
    return cells


def _wall(value: datetime | None) -> datetime | None:
    return value and value.replace(tzinfo=None)


def _offset(value: datetime | None) -> str | None:
    if value is None or value.tzinfo is None:
        return None
    return value.isoformat()[len(value.replace(tzinfo=None).isoformat()) :]


def _import(module: str, extra: str = "") -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as err:
        what = f"pacsfw[{extra or module}]"
        raise PluginError(f"{module} is not installed: pip install '{what}'") from err
