"""Read one tag path, and convert its value to a cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any

from pydicom.uid import UID
from pydicom.valuerep import AMBIGUOUS_VR, IS, DSfloat

from pacsfw.api import ColumnType
from pacsfw.config.cells import cell
from pacsfw.dicom import names
from pacsfw.dicom.cell_errors import Stage
from pacsfw.dicom.charset import ESCAPE, decoder
from pacsfw.dicom.decoding_errors import UnreadableObject, decoding
from pacsfw.dicom.elements import Leaf, plain
from pacsfw.dicom.header import FileHeader
from pacsfw.dicom.natural import Undecodable, is_nothing, natural
from pacsfw.dicom.tagpath import ABSENT, EVERY, Many, TagPath
from pacsfw.dicom.values import Misfit, is_empty
from pacsfw.dicom.vr import NUMBERS, TEXT
from pacsfw.dicom.wanted import NotRead
from pacsfw.steps.tags.json_cells import json_cell
from pacsfw.steps.tags.typed import typed

_ONLY_DATASET = AMBIGUOUS_VR | {"SQ"}
_SINGLE_TEXT = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UI"})
_LISTS = frozenset({"texts", "ints", "floats"})
_FORMATTED = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"})
"""Text of a certain form: of these VRs also if the instance has it in a VR of free text."""
DECODED = frozenset(
    {str, int, float, bool, type(None), date, time, datetime, timedelta, UID, IS, DSfloat}
)
"""Types of values that pydicom does not decode on use any more, so that it cannot fail."""
_CACHED = 1024
"""Number of cells cached per column: values repeat within a series."""


class CellFailed(Exception):
    """A cell has no value; becomes a `pacsfw.dicom.cell_errors.CellError`."""

    def __init__(self, stage: Stage, reason: str, plugin: str = "") -> None:
        super().__init__(stage, reason, plugin)
        self.stage: Stage = stage
        self.reason, self.plugin = reason, plugin


class ValueSource:
    """Reads one tag path into cells of one type.

    Parameters
    ----------
    vr
        The VR of a value of VR UN that is in no dictionary.
    """

    def __init__(self, path: TagPath, column_type: ColumnType, vr: str = "") -> None:
        self.path = path
        self._type, self._vr = column_type, vr
        self._form = path.vr if path.vr in _FORMATTED else ""
        step = path.steps[0]
        plain = len(path.steps) == 1 and step.index is None and not path.component
        self._tag = step.tag if plain and not step.creator and column_type != "json" else None
        self._makers: dict[str, Callable[[bytes], Any]] = {}
        self._values: dict[tuple[str, bytes, bool], Any] = {}
        """Numbers as pydicom provides them, by their encoding."""

    def cell(self, header: FileHeader) -> Any:
        """Return the cell, None if there is no value.

        Raises
        ------
        CellFailed
            The value cannot be decoded, or does not fit the type.
        """
        raw = None if self._tag is None else header.found.get(self._tag)
        if raw is None:
            if self._tag is not None and not header.fault:
                return None
            return self._any(header)
        vr, value = raw
        if type(value) is not bytes or vr == "UN" or not header.encoding.little:
            return self._any(header)
        # As `is_plain`, without the call: this runs for every cell.
        if not (value.isascii() and ESCAPE not in value) and vr not in NUMBERS:
            return self._any(header)
        if self._form and vr in TEXT:
            vr = self._form
        make = self._makers.get(vr)
        if make is None:
            if vr in _ONLY_DATASET:
                return self._any(header)
            make = self._makers[vr] = self._maker(vr)
        try:
            return make(value)
        except ValueError as error:
            raise _failed(error) from None

    def value(self, header: FileHeader) -> Any:
        """Return the value as pydicom represents it, None if it is missing or empty.

        Raises
        ------
        CellFailed
            It cannot be decoded.
        """
        raw = None if self._tag is None else header.found.get(self._tag)
        if raw is None or type(raw[1]) is not bytes:
            return self._decoded(header)
        if (text := _plain_value(*raw)) is not None:
            return text or None
        key = (*raw, header.encoding.little)
        value = self._values.get(key)
        if value is None:
            warned = header.warnings.total()
            value = self._decoded(header)
            unchangeable = type(value) in DECODED and header.warnings.total() == warned
            # The text of a number is ASCII, or it would have been an error.
            if unchangeable and type(value) is not str and len(self._values) < _CACHED:
                self._values[key] = value
        return value

    def _decoded(self, header: FileHeader) -> Any:
        try:
            value = header.value(self.path, self._vr, strict=True)
        except UnreadableObject as error:
            raise CellFailed("decode", error.fault) from None
        return None if value is ABSENT or is_empty(value) else value

    def leaves(self, header: FileHeader) -> list[Leaf | None]:
        """Return the encoded elements, None for each item that lacks the element.

        Raises
        ------
        CellFailed
            They cannot be read.
        """
        try:
            found = header.raw(self.path)
        except UnreadableObject as error:
            raise CellFailed("decode", error.fault) from None
        if found is ABSENT:
            return []
        many = found if isinstance(found, Many) else [found]
        return [None if leaf is ABSENT else self._declared(leaf) for leaf in many]

    def _declared(self, leaf: Leaf) -> Leaf:
        if self._vr and leaf.vr == "UN":
            return leaf._replace(vr=self._vr)
        return leaf._replace(vr=self._form) if self._form and leaf.vr in TEXT else leaf

    def _maker(self, vr: str) -> Callable[[bytes], Any]:
        """Return a function that converts values to cells; it expects text in ASCII."""
        make = partial(self._make, vr)
        if self._type == "text" and vr in _SINGLE_TEXT:
            return partial(_plain_text, make)
        cached = lru_cache(_CACHED)(make)
        return partial(_copied_list, cached) if self._type in _LISTS else cached

    def _make(self, vr: str, value: bytes) -> Any:
        values = natural(vr, value, True, _ascii)
        return None if is_nothing(values) else typed(values, self._type, vr)

    def _any(self, header: FileHeader) -> Any:
        """Return the cell of any kind of value."""
        if self._type == "json":
            return self._json(header)
        leaves = self.leaves(header)
        if not leaves and not self.path.is_group:
            return None
        kinds = {leaf.vr for leaf in leaves if leaf is not None}
        if self.path.is_group or kinds & _ONLY_DATASET:
            return self._from_dataset(header)
        try:
            values = [each for leaf in leaves for each in self._natural(leaf, header.charset)]
            if is_nothing(values):
                return None
            return typed(values, self._type, next(iter(kinds)))
        except ValueError as error:
            raise _failed(error) from None

    def _natural(self, leaf: Leaf | None, undeclared: str) -> list[Any]:
        if leaf is None:
            return [None]
        if isinstance(leaf.value, NotRead):
            raise Undecodable(leaf.value.reason)
        decode = decoder(leaf.charset, undeclared)
        values = natural(leaf.vr, leaf.value, leaf.little, decode)
        index = self.path.steps[-1].index
        if index is not None and index != EVERY:
            values = values[index : index + 1] or [None]
        if self.path.component is not None:
            values = [names.part(each or "", self.path.component) for each in values]
        return values

    def _from_dataset(self, header: FileHeader) -> Any:
        value = self.value(header)
        return None if value is None else fit(value, self._type, self.path, header)

    def _json(self, header: FileHeader) -> Any:
        try:
            return json_cell(self.path, header, self._declared)
        except UnreadableObject as error:
            raise CellFailed("decode", error.fault) from None
        except ValueError as error:
            raise _failed(error) from None


@lru_cache(_CACHED * 16)
def _plain_value(vr: str, value: bytes) -> str | None:
    """Return a plain text as pydicom provides it; cached, as it cannot be changed."""
    return plain(Leaf(vr, value, b"", little=True))


def fit(value: Any, column_type: ColumnType, path: TagPath, header: FileHeader) -> Any:
    """Convert a value from pydicom or a callback to a cell.

    Raises
    ------
    CellFailed
        The value does not fit the type.
    """
    if type(value) in DECODED:
        try:
            return cell(value, column_type)
        except Misfit as misfit:
            raise CellFailed("type", str(misfit)) from None
    try:
        with decoding(path.text, header.warnings):
            try:
                return cell(value, column_type)
            except Misfit as misfit:
                raise CellFailed("type", str(misfit)) from None
    except UnreadableObject:
        reason = f"{type(value).__name__} does not fit the column's type {column_type}"
        raise CellFailed("type", reason) from None


def _plain_text(make: Callable[[bytes], Any], value: bytes) -> str | None:
    """Return a single text as it is; leave all other values to ``make``."""
    text = value.decode("ascii").strip(" \0")
    return make(value) if "\\" in text or "\0" in text else text or None


def _copied_list(make: Callable[[bytes], list[Any] | None], value: bytes) -> list[Any] | None:
    """Return a copy of the cached list."""
    made = make(value)
    return None if made is None else made.copy()


def _ascii(value: bytes) -> str:
    return value.decode("ascii")


def _failed(error: ValueError) -> CellFailed:
    return CellFailed("decode" if isinstance(error, Undecodable) else "type", str(error))
