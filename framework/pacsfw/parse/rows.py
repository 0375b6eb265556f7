"""Rows of files, as Python functions give them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pacsfw.api import Column
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.parse.tree.file_reader import CellFault, Parsed, Unparsed
from pacsfw.parse.tree.tally import Tally, kind_and_reason
from pacsfw.parse.tree.walk import Item
from pacsfw.steps.tags.frames import to_arrow, to_pandas
from pacsfw.workers import Crashed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class ParsedRow(dict[str, Any]):
    """Column to cell, in the order of the tags; ``errors`` says which cells failed, and why."""

    def __init__(self, cells: Iterable[tuple[str, Any]], errors: Sequence[CellFault]) -> None:
        super().__init__(cells)
        self.errors = errors


class Failure(NamedTuple):
    """What failed: a cell, or a whole file (``stage`` is ``file``, or ``folder``)."""

    file: str
    column: str
    tag: str
    stage: str
    reason: str
    plugin: str


class Rows(Iterator[ParsedRow]):
    """The rows of many files, one by one; files that have none are in ``failures``.

    Attributes
    ----------
    columns
        Name and type of each column, the last of which is `PATH_COLUMN`.
    failures
        What has failed so far, also cells.
    tally
        How many files were looked at and what came of them:
        ``files == rows + sum(harmless.values()) + sum(failed.values())``.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        outcomes: Iterator[tuple[Item, Parsed | Unparsed | Crashed]],
    ) -> None:
        self.columns = (*columns, Column(PATH_COLUMN))
        self.failures: list[Failure] = []
        self.tally = Tally()
        self._names = [column.name for column in self.columns]
        self._outcomes = outcomes

    def __next__(self) -> ParsedRow:
        """Return the next row."""
        for item, outcome in self._outcomes:
            self.tally.see(item, outcome)
            if isinstance(outcome, Parsed):
                self.failures += (Failure(item.place, *fault) for fault in outcome.errors)
                cells = (*outcome.row, item.place or None)
                return ParsedRow(zip(self._names, cells, strict=True), outcome.errors)
            stage = "file" if item.is_file else "folder"
            self.failures.append(
                Failure(item.place, "", "", stage, kind_and_reason(outcome)[1], "")
            )
        raise StopIteration

    def to_pandas(self) -> pd.DataFrame:
        """Read all rows that are left into a data frame, its columns typed.

        Raises
        ------
        PluginError
            pandas is not installed.
        """
        return to_pandas(self.columns, [list(row.values()) for row in self])

    def to_arrow(self) -> pa.Table:
        """Read all rows that are left into an Arrow table, its columns typed.

        Raises
        ------
        PluginError
            pyarrow is not installed.
        """
        return to_arrow(self.columns, [list(row.values()) for row in self])
