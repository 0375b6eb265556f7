"""Rows of the metadata table: one per object, one cell per tag of the configuration."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import Any, Literal

from pydicom.dataset import Dataset

from pacsfw.api import Column, Row, TagCallback
from pacsfw.config import Tag
from pacsfw.config.cells import cell
from pacsfw.dicom.faults import UnreadableObject, decoding
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.tagpath import ABSENT, TagPath, parse
from pacsfw.dicom.values import is_empty
from pacsfw.errors import TookTooLong


@dataclass(frozen=True, slots=True)
class TagError:
    """Why a cell is empty although the object has the tag; holds no value."""

    column: str
    tag: str
    """The tag path that was read."""
    stage: Literal["decode", "callback", "type"]
    component: str
    """The callback that failed, empty in the other stages."""
    reason: str


class RowReader:
    """Reads the rows of one table. Compile it once per worker, then `read` each header.

    Parameters
    ----------
    tags
        The tags in the order of the columns.
    callbacks
        For each tag, its chain of callbacks as the registry built them.

    Raises
    ------
    ValueError
        A tag path makes no sense; the message begins with the place in the configuration.
    """

    def __init__(self, tags: Sequence[Tag], callbacks: Sequence[Sequence[TagCallback]]) -> None:
        self._cells = [_Cell(tag, chain) for tag, chain in zip(tags, callbacks, strict=True)]
        self.columns = tuple(each.column for each in self._cells)
        self.paths = frozenset(path for each in self._cells for path in each.paths)

    def read(self, header: FileHeader) -> tuple[Row, tuple[TagError, ...]]:
        """Read one row.

        Returns
        -------
        tuple
            The values in the order of `columns`, and one error for each cell that is
            empty because its value could not be decoded, converted or fitted to its type.
        """
        values: list[Any] = []
        errors: list[TagError] = []
        for each in self._cells:
            try:
                values.append(each.read(header))
            except _CellError as failed:
                values.append(None)
                errors.append(failed.error)
        return tuple(values), tuple(errors)


class _CellError(Exception):
    def __init__(self, error: TagError) -> None:
        super().__init__(error)
        self.error = error


class _Cell:
    """How one column is read."""

    def __init__(self, tag: Tag, callbacks: Sequence[TagCallback]) -> None:
        uses = [use.name for use in tag.callbacks]
        self._chain = list(zip(uses, callbacks, strict=True))
        try:
            self.paths = [parse(name) for name in tag.names]
        except ValueError as error:
            raise ValueError(f"{tag.where}: {error}") from error
        self.column = Column(tag.alias, tag.type)
        self._default = tag.default

    def read(self, header: FileHeader) -> Any:
        found = self._find(header)
        if found is None:
            return self._default
        path, value = found
        if self._chain:
            value = self._call_back(path, value, header)
        elif self.column.type == "json" and not isinstance(value, Dataset | MutableSequence):
            value = [value]  # as in the DICOM JSON model: a list, also of one value
        return self._fit(path, value, header)

    def _find(self, header: FileHeader) -> tuple[TagPath, Any] | None:
        for path in self.paths:
            try:
                value = header.value(path)
                if value is not ABSENT and not is_empty(value):
                    return path, value
            except UnreadableObject as error:
                raise self._failed(path, "decode", error.fault) from None
        return None

    def _call_back(self, path: TagPath, value: Any, header: FileHeader) -> Any:
        with decoding(path.text, header.warnings):  # for values that decode on use
            for name, callback in self._chain:
                if value is None:
                    break
                try:
                    value = callback(value)
                except Exception as error:  # noqa: BLE001 - a plugin's code, its fault is data
                    raise self._failed(path, "callback", _place(error), name) from None
        return value

    def _fit(self, path: TagPath, value: Any, header: FileHeader) -> Any:
        try:
            with decoding(path.text, header.warnings):
                return cell(value, self.column.type)
        except UnreadableObject:
            reason = f"{type(value).__name__} does not fit the column's type {self.column.type}"
            raise self._failed(path, "type", reason) from None

    def _failed(
        self,
        path: TagPath,
        stage: Literal["decode", "callback", "type"],
        reason: str,
        component: str = "",
    ) -> _CellError:
        return _CellError(TagError(self.column.name, path.text, stage, component, reason))


def _place(error: Exception) -> str:
    """Say what was raised where, but not its text, which may quote the value."""
    if isinstance(error, TookTooLong):
        return str(error)
    *_, (frame, line) = walk_tb(error.__traceback__)
    file = Path(frame.f_code.co_filename)
    name = type(error).__name__
    return name if file == Path(__file__) else f"{name} at {file.name}:{line}"
