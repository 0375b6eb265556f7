"""Read the rows of a sheet. No message repeats a cell."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from pacsfw.api import Cohort, CohortHeader, CohortProblem, CohortRow
from pacsfw.errors import ConfigError
from pacsfw.regular import open_regular
from pacsfw_plugins.cohorts._values import row_of


class ExcelCohort(Cohort):
    """The rows of one sheet; its first row that is not empty names the columns.

    Numbers have no leading zeros in a spreadsheet: an identifier that has some must be formatted
    as text there. Of a formula, the value that was saved last counts.
    """

    def __init__(self, path: str, sheet: str = "") -> None:
        self._path, self._sheet = Path(path), sheet

    def rows(self) -> Iterator[CohortRow | CohortHeader | CohortProblem]:
        """Yield the rows that are not empty.

        Raises
        ------
        ConfigError
            The workbook cannot be read.
        """
        columns: list[str] | None = None
        for number, cells in enumerate(self._cells(), start=1):
            if all(cell is None or cell == "" for cell in cells):
                continue
            where = f"{self._path.name}:{number}"
            if columns is None:
                columns = [str(cell or "_") for cell in cells]
                yield CohortHeader(where, columns)
            else:
                yield row_of(where, columns, cells)

    def _cells(self) -> Iterator[tuple[Any, ...]]:
        try:
            with open_regular(self._path) as file, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what pacsfw does not read, such as styles
                book = load_workbook(file, read_only=True, data_only=True)
                try:
                    yield from self._chosen(book).iter_rows(values_only=True)
                finally:
                    book.close()
        except OSError as err:
            raise ConfigError(f"{self._path}: cannot be read: {err.strerror}") from err
        except (BadZipFile, InvalidFileException, KeyError, ValueError) as err:
            why = type(err).__name__
            raise ConfigError(f"{self._path}: is not a readable workbook: {why}") from None

    def _chosen(self, book: Any) -> Any:
        if not self._sheet:
            return book.worksheets[0]
        if self._sheet not in book.sheetnames:
            known = ", ".join(map(repr, book.sheetnames))
            raise ConfigError(f"{self._path}: has no sheet {self._sheet!r}; it has {known}")
        return book[self._sheet]
