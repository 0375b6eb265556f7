"""Make the cells of row callbacks, which get the whole header of an instance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from pacsfw.api import Column, Row, RowCallback
from pacsfw.config import RowColumns, TagEntry, Use
from pacsfw.config.cells import cell
from pacsfw.config.columns import columns_of
from pacsfw.dicom.cell_errors import CellError, Stage
from pacsfw.dicom.decoding_errors import UnreadableObject, decoding
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.values import Misfit
from pacsfw.errors import ComponentError
from pacsfw.plugins.boundary import Boundary

KIND = "row-callback"


class RowCallbacks:
    """Adds the cells of row callbacks to the rows of the tags. Build it once per worker.

    What a callback reads of a header that was not read for it is read once more, and in advance
    for the files that follow.

    Parameters
    ----------
    entries
        The entries of ``tags``, in order.
    built
        Returns the callback of an entry.
    owner
        Returns its description for errors.
    """

    def __init__(
        self,
        entries: Sequence[TagEntry],
        built: Callable[[Use], RowCallback],
        owner: Callable[[Use], str],
    ) -> None:
        self._parts = [
            _Columns(entry, built(entry.use), owner(entry.use))
            if isinstance(entry, RowColumns)
            else len(columns_of(entry))
            for entry in entries
        ]
        self.is_empty = not any(isinstance(part, _Columns) for part in self._parts)

    def complete(self, row: Row, header: FileHeader) -> tuple[Row, list[CellError]]:
        """Return the row with the cells of the row callbacks between those of the tags."""
        cells: list[Any] = []
        errors: list[CellError] = []
        used = 0
        for part in self._parts:
            if isinstance(part, int):
                cells += row[used : used + part]
                used += part
            else:
                cells += part.read(header, errors)
        return tuple(cells), errors


class _Columns:
    """Reads the cells of one row callback."""

    def __init__(self, entry: RowColumns, callback: RowCallback, owner: str) -> None:
        self._columns = list(zip(entry.keys, entry.columns, strict=True))
        self._keys = frozenset(entry.keys)
        self._callback, self._owner = callback, owner
        self._boundary = Boundary(KIND, owner, (UnreadableObject,))

    def read(self, header: FileHeader, errors: list[CellError]) -> list[Any]:
        """Return the cells of one instance; its faults empty them all, or the one at fault."""
        try:
            with decoding("the header", header.warnings):  # for values that decode on use
                result = self._boundary.call("call", self._callback, header)
            values = self._values(result)
        except UnreadableObject as err:
            errors += self._failed("decode", err.fault, err.what)
        except ComponentError as err:
            errors += self._failed("callback", err.fault.reason)
        else:
            return [
                self._cell(values.get(key), each, header, errors) for key, each in self._columns
            ]
        return [None] * len(self._columns)

    def _failed(self, stage: Stage, reason: str, tag: str = "") -> list[CellError]:
        """Return an error for each column; one of the instance is not the callback's."""
        owner = self._owner if stage == "callback" else ""
        return [CellError(each.name, tag, stage, reason, owner) for _, each in self._columns]

    def _values(self, result: Any) -> Mapping[str, Any]:
        try:
            return values_of(result, self._keys)
        except ValueError as err:
            raise self._boundary.fault("call", str(err)) from None

    def _cell(self, value: Any, column: Column, header: FileHeader, errors: list[CellError]) -> Any:
        try:
            with decoding(column.name, header.warnings):
                return cell(value, column.type)
        except Misfit as misfit:
            reason = str(misfit)
        except UnreadableObject:
            reason = f"{type(value).__name__} does not fit the column's type {column.type}"
        errors.append(CellError(column.name, "", "type", reason, self._owner))
        return None


def values_of(result: Any, keys: Collection[str]) -> Mapping[str, Any]:
    """Return what a row callback returned by the keys of its columns.

    Parameters
    ----------
    keys
        Those of the columns; the empty one stands for the result itself.

    Raises
    ------
    ValueError
        The result is no mapping, or has other keys. The message quotes no value.
    """
    if "" in keys:
        return {"": result}
    if result is None:
        return {}
    if is_dataclass(result) and not isinstance(result, type):
        result = {each.name: getattr(result, each.name) for each in fields(result)}
    elif isinstance(result, tuple) and hasattr(result, "_asdict"):
        result = result._asdict()
    if not isinstance(result, Mapping):
        raise ValueError(f"returned {type(result).__name__}, not a mapping")  # noqa: TRY004
    if unknown := sum(key not in keys for key in result):
        # Not which: a key may be a value of the instance.
        raise ValueError(f"returned keys that are no columns: {unknown}")
    return result
