"""The columns of typed formats (Parquet, SQL), and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pacsfw import api
from pacsfw_plugins.tables._cells import to_json, to_text, utc_offset

OFFSET = "_offset"
"""The suffix of the column for the UTC offset of a date-time."""
_UNCHANGED = frozenset({"int", "float", "bool", "date", "time"})


@dataclass(frozen=True, slots=True)
class Physical:
    """One stored column: a column of the table, or the UTC offset of a date-time."""

    name: str
    type: api.ColumnType
    source: int
    """The index of its value in a row of the table."""
    is_offset: bool = False

    def cell(self, row: api.Row) -> Any:
        """Return the cell of this column in a row.

        Text and numbers are unchanged, lists and mappings become JSON values. A date-time is
        the local time in the instance. The next column has its UTC offset, such as ``+01:00``,
        if the instance has one.
        """
        value = row[self.source]
        if value is None or self.type in _UNCHANGED:
            return value
        if self.type == "json":
            return to_json(value)
        if isinstance(value, datetime):
            if self.is_offset:
                return utc_offset(value)
            return value.replace(tzinfo=None)
        if self.type == "text":
            return to_text(value)
        if self.type == "texts":
            return [to_text(each) if each is not None else None for each in value]
        return value


def physical(table: api.Table) -> Sequence[Physical]:
    """Return the stored columns of a table, in order."""
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
