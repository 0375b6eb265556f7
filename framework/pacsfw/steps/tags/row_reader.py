"""Read the rows of the metadata table: one per instance, with the cells of each tag."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pacsfw.api import Row, TagCallback
from pacsfw.config import Tag
from pacsfw.config.columns import columns_of
from pacsfw.dicom.cell_errors import CellError
from pacsfw.dicom.decoding_errors import decoding
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.tagpath import parse
from pacsfw.dicom.wanted import Plan
from pacsfw.plugins.boundary import is_own_signal, reason_of, write_traceback
from pacsfw.steps.tags.raw import raw_text
from pacsfw.steps.tags.source import DECODED, CellFailed, ValueSource, fit

_TYPE_OF_CALLBACK = {"str": "text", "int": "int", "float": "float", "bool": "bool"}
"""Callbacks that convert exactly as the type of the column does."""


class RowReader:
    """Reads the rows of one table. Build it once per worker, then `read` each header.

    Parameters
    ----------
    tags
        The tags in the order of the columns.
    callbacks
        For each tag, its chain of callbacks, as built by the registry.
    owners
        The descriptions of callbacks for errors, by name; the default is the name.

    Attributes
    ----------
    columns
        The columns of a row.
    paths
        The tag paths that a `pacsfw.dicom.header.HeaderReader` must read.

    Raises
    ------
    ValueError
        A tag path is invalid; the message begins with the place in the configuration.
    """

    def __init__(
        self,
        tags: Sequence[Tag],
        callbacks: Sequence[Sequence[TagCallback]],
        owners: Mapping[str, str] | None = None,
    ) -> None:
        chains = zip(tags, callbacks, strict=True)
        self._tags = [_TagReader(tag, chain, owners or {}) for tag, chain in chains]
        self.columns = tuple(column for tag in tags for column in columns_of(tag))
        self.paths = frozenset(source.path for tag in self._tags for source in tag.sources)
        self._covered: Plan | None = None
        self._calls_back = any(tag.calls_back for tag in self._tags)

    def read(self, header: FileHeader) -> tuple[Row, tuple[CellError, ...]]:
        """Read one row.

        Returns
        -------
        tuple
            The values in the order of `columns`, and one error for each cell that is
            empty because its value could not be decoded or converted to its type, or because
            a required value is missing.

        Raises
        ------
        UnreadableObject, OSError
            The header was not read for these tags, and reading it now failed.
        """
        if header.plan is not self._covered:
            self._covered = header.cover(self.paths)
        cells: list[Any] = []
        errors: list[CellError] = []
        if not self._calls_back:
            self._read_all(header, cells, errors)
        else:
            with warnings.catch_warnings():  # of callbacks: they may quote a value
                warnings.simplefilter("ignore")
                self._read_all(header, cells, errors)
        return tuple(cells), tuple(errors)

    def _read_all(self, header: FileHeader, cells: list[Any], errors: list[CellError]) -> None:
        for tag in self._tags:
            tag.read(header, cells, errors)


class _TagReader:
    """Reads the columns of one tag."""

    def __init__(
        self, tag: Tag, callbacks: Sequence[TagCallback], owners: Mapping[str, str]
    ) -> None:
        uses = [use.name for use in tag.callbacks]
        only = uses[0] if len(uses) == 1 else ""
        named = [owners.get(name, name) for name in uses]
        self._chain = list(zip(named, callbacks, strict=True))
        if _TYPE_OF_CALLBACK.get(only) == tag.type:
            self._chain = []
        try:
            self.sources = [ValueSource(parse(name), tag.type, tag.vr) for name in tag.names]
        except ValueError as error:
            raise ValueError(f"{tag.where}: {error}") from error
        self._tag = tag

    @property
    def calls_back(self) -> bool:
        """Whether it has a callback that is not merely the type of its column."""
        return bool(self._chain)

    def read(self, header: FileHeader, cells: list[Any], errors: list[CellError]) -> None:
        """Append the cells of one instance, and their errors."""
        for source in self.sources:
            try:
                found, value = self._read(source, header)
            except CellFailed as failed:
                errors.append(self._error(source, failed))
                found, value = True, None
            if found:
                cells.append(value)
                if self._tag.raw:
                    cells.append(_raw(source, header))
                return
        if self._tag.required:
            missing = CellFailed("required", "the instance has no value for it")
            errors.append(self._error(self.sources[0], missing))
        cells.append(self._tag.default)
        if self._tag.raw:
            cells.append(None)

    def _read(self, source: ValueSource, header: FileHeader) -> tuple[bool, Any]:
        """Return whether there is a value, and its cell."""
        if not self._chain:
            value = source.cell(header)
            return value is not None, value
        value = source.value(header)
        if value is None:
            return False, None
        value = self._call_back(source, value, header)
        try:
            return True, fit(value, self._tag.type, source.path, header)
        except CellFailed as failed:  # what does not fit was made by the last callback
            raise CellFailed(failed.stage, failed.reason, self._chain[-1][0]) from None

    def _call_back(self, source: ValueSource, value: Any, header: FileHeader) -> Any:
        if type(value) in DECODED:
            return self._chained(value)
        with decoding(source.path.text, header.warnings):  # for values that decode on use
            return self._chained(value)

    def _chained(self, value: Any) -> Any:
        for name, callback in self._chain:
            if value is None:
                break
            try:
                value = callback(value)
            except BaseException as error:  # plugin boundary: its fault is data
                if is_own_signal(error):
                    raise
                write_traceback("callback", name, "call", error)
                raise CellFailed("callback", reason_of(error), name) from None
        return value

    def _error(self, source: ValueSource, failed: CellFailed) -> CellError:
        return CellError(
            self._tag.alias, source.path.text, failed.stage, failed.reason, failed.plugin
        )


def _raw(source: ValueSource, header: FileHeader) -> str | None:
    """Return the encoded value as text, None if it cannot be read, which its cell says."""
    try:
        return raw_text(source.leaves(header), header.charset)
    except CellFailed:
        return None
