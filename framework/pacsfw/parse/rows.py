"""The rows that the Python functions return."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

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

Outcomes: TypeAlias = Iterator[tuple[Item, Parsed | Unparsed | Crashed]]


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


class Failures(list[Failure]):
    """The failures of one pass; pandas copies them deeply with each operation on a frame."""

    def __deepcopy__(self, _memo: object) -> Self:
        return self


class ParseWarning(UserWarning):
    """Files have no row, folders were not read, or cells are empty because of a failure."""


class Rows(Iterable[ParsedRow]):
    """The rows of many files. Each loop and each conversion reads all files from the beginning.

    At the end of the files, a `ParseWarning` gives the numbers of failures, if there are any.

    Attributes
    ----------
    columns
        Name and type of each column; the last one is `PATH_COLUMN`.
    failures
        The files, folders and cells that have failed, in the latest loop or conversion.
    tally
        The number of files that this loop or conversion has read so far, by outcome:
        ``files == rows + sum(harmless.values()) + sum(failed.values())``.
    """

    def __init__(
        self, columns: Sequence[Column], begin: Callable[[], Outcomes], *, once: bool = False
    ) -> None:
        self.columns = (*columns, Column(PATH_COLUMN))
        self.failures = Failures()
        self.tally = Tally()
        self._names = [column.name for column in self.columns]
        self._begin, self._once, self._begun = begin, once, False

    def __iter__(self) -> Iterator[ParsedRow]:
        """Read all files from the beginning.

        Raises
        ------
        RuntimeError
            The instances came from an iterator, and were read before.
        """
        return self._read(*self._anew(), warns=True)

    def to_pandas(self) -> pd.DataFrame:
        """Read all rows into a data frame with typed columns.

        ``attrs`` of the frame has the ``tally`` and the ``failures``.

        Raises
        ------
        PluginError
            pandas is not installed.
        RuntimeError
            As for a loop.
        """
        cells = self._cells()
        frame = to_pandas(self.columns, cells)
        frame.attrs |= {"tally": self.tally.as_json(), "failures": self.failures}
        _warn(self.tally, level=3)
        return frame

    def to_arrow(self) -> pa.Table:
        """Read all rows into an Arrow table with typed columns.

        The entry ``pacsfw`` of the schema's metadata has the ``tally`` and the ``failures``, as
        JSON.

        Raises
        ------
        PluginError
            pyarrow is not installed.
        RuntimeError
            As for a loop.
        """
        cells = self._cells()
        failures = [failure._asdict() for failure in self.failures]
        about = {"tally": self.tally.as_json(), "failures": failures}
        table = to_arrow(self.columns, cells, {"pacsfw": json.dumps(about)})
        _warn(self.tally, level=3)
        return table

    def _cells(self) -> list[list[Any]]:
        return [list(row.values()) for row in self._read(*self._anew(), warns=False)]

    def _anew(self) -> tuple[Tally, Failures]:
        if self._once and self._begun:
            raise RuntimeError(
                "the instances came from an iterator, which is used up: give a list of them, "
                "and their rows can be read several times"
            )
        self._begun = True
        self.tally, self.failures = Tally(), Failures()
        return self.tally, self.failures

    def _read(self, tally: Tally, failures: Failures, *, warns: bool) -> Iterator[ParsedRow]:
        for item, outcome in self._begin():
            tally.count(item, outcome)
            failures += (Failure(item.place, *error) for error in errors_of(item, outcome))
            if isinstance(outcome, Parsed):
                cells = (*outcome.row, item.place or None)
                yield ParsedRow(zip(self._names, cells, strict=True), outcome.errors)
        if warns:
            _warn(tally, level=3)


def _warn(tally: Tally, level: int) -> None:
    """Warn of failures; ``level`` is that of the caller's frame, as for `warnings.warn`."""
    counts = (
        ("failed", tally.failed),
        ("folders not read", tally.folders),
        ("rows of damaged files", tally.faulty),
        ("cells left empty", tally.cells),
    )
    found = [f"{words} {kinds.total():,}" for words, kinds in counts if kinds]
    if found:
        text = f"files {tally.files:,}, rows {tally.rows:,}, {', '.join(found)}: see `failures`"
        warnings.warn(text, ParseWarning, stacklevel=level)
