"""Columns as typed formats (Parquet, SQL) hold them, and the cells in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pacsfw import api
from pacsfw_plugins.tables._cells import to_json, to_text

OFFSET = "_offset"
"""Ends the name of the column beside a date-time that holds its offset from UTC."""
_AS_THEY_ARE = frozenset({"int", "float", "bool", "date", "time"})


@dataclass(frozen=True, slots=True)
class Physical:
    """One column as it is stored: a column of the table, or the offset beside a date-time."""

    name: str
    type: api.ColumnType
    source: int
    """Where its value is in a row of the table."""
    is_offset: bool = False

    def cell(self, row: api.Row) -> Any:
        """Return its cell of a row.

        Text and numbers as they are, lists and mappings as JSON values. A date-time is what
        the clock on the wall showed, as written in the object; ``+01:00`` in the column beside
        says whose wall, where the object says it.
        """
        value = row[self.source]
        if value is None or self.type in _AS_THEY_ARE:
            return value
        if self.type == "json":
            return to_json(value)
        if isinstance(value, datetime):
            if self.is_offset:
                return value.isoformat()[len(value.replace(tzinfo=None).isoformat()) :] or None
            return value.replace(tzinfo=None)
        if self.type == "text":
            return value if isinstance(value, str) else to_text(value)
        return value


def physical(table: api.Table) -> Sequence[Physical]:
    """Return what is stored of a table, in order."""
    taken = {column.name for column in table.columns}
    columns = []
    for place, column in enumerate(table.columns):
        columns.append(Physical(column.name, column.type, place))
        if column.type == "datetime":
            name = f"{column.name}{OFFSET}"
            while name in taken:
                name += "_"
            taken.add(name)
            columns.append(Physical(name, "text", place, is_offset=True))
    return columns


def encodable(value: Any) -> Any:
    r"""Return a text, or list of texts, that UTF-8 can hold.

    A lone surrogate becomes ``\udcXX``, as in CSV.
    """
    if isinstance(value, list):
        return [encodable(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
