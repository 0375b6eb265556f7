"""The rows that the Python functions return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pacsfw.api import Column
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.dicom.cell_errors import CellError
from pacsfw.parse.tree.file_reader import Parsed, Unparsed
from pacsfw.parse.tree.tally import Tally, errors_of
from pacsfw.parse.tree.walk import Item
from pacsfw.steps.tags.frames import to_arrow, to_pandas
from pacsfw.workers import Crashed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class ParsedRow(dict[str, Any]):
    """Column to cell, in the order of the tags; ``errors`` lists the failed cells and reasons."""

    def __init__(self, cells: Iterable[tuple[str, Any]], errors: Sequence[CellError]) -> None:
        super().__init__(cells)
        self.errors = errors


class Failure(NamedTuple):
    """The `CellError` of a cell, file or folder (``stage`` is ``file`` or ``folder``)."""

    file: str
    column: str
    tag: str
    stage: str
    reason: str
    plugin: str


class Rows(Iterator[ParsedRow]):
    """Iterates over the rows of many files; files without a row are in ``failures``.

    Attributes
    ----------
    columns
        Name and type of each column; the last one is `PATH_COLUMN`.
    failures
        The files, folders and cells that have failed so far.
    tally
        The number of files read so far, by outcome:
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
            self.tally.count(item, outcome)
            self.failures += (Failure(item.place, *error) for error in errors_of(item, outcome))
            if isinstance(outcome, Parsed):
                cells = (*outcome.row, item.place or None)
                return ParsedRow(zip(self._names, cells, strict=True), outcome.errors)
        raise StopIteration

    def to_pandas(self) -> pd.DataFrame:
        """Read the remaining rows into a data frame with typed columns.

        Raises
        ------
        PluginError
            pandas is not installed.
        """
        return to_pandas(self.columns, [list(row.values()) for row in self])

    def to_arrow(self) -> pa.Table:
        """Read the remaining rows into an Arrow table with typed columns.

        Raises
        ------
        PluginError
            pyarrow is not installed.
        """
        return to_arrow(self.columns, [list(row.values()) for row in self])
