"""The type of a column: the type of the tag, else that of its last callback, else text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pacsfw.api import Column, ColumnType, TagCallback
from pacsfw.api.returns import returned_type
from pacsfw.config.model import RowColumns, TagEntry

if TYPE_CHECKING:
    from pacsfw.dicom.tagpath import TagPath

RAW = "_raw"
"""Suffix of the name of a column with raw values."""

_NATURAL: Mapping[str, ColumnType] = {
    **dict.fromkeys(("IS", "SL", "SS", "SV", "UL", "US", "UV", "US or SS"), "int"),
    **dict.fromkeys(("AS", "DS", "FD", "FL"), "float"),
    **dict.fromkeys(("SQ", "UN", "OB", "OD", "OF", "OL", "OV", "OW", "OB or OW"), "json"),
    "DA": "date",
    "DT": "datetime",
    "TM": "time",
}
_LISTS: Mapping[ColumnType, ColumnType] = {"int": "ints", "float": "floats", "json": "json"}


def columns_of(tag: TagEntry) -> tuple[Column, ...]:
    """Return the columns of a row callback, or of a tag: its own, and one for the raw value."""
    if isinstance(tag, RowColumns):
        return tag.columns
    own = Column(tag.alias, tag.type)
    return (own, Column(tag.alias + RAW)) if tag.raw else (own,)


def natural_type(path: TagPath, vr: str) -> ColumnType:
    """Return the column type for a value representation and its multiplicity.

    Parameters
    ----------
    path
        The path of the values.
    vr
        The declared value representation; empty to use that of the dictionary.
    """
    if path.is_group:
        return "json"
    of_one = "text" if path.component else _NATURAL.get(vr or path.vr, "text")
    single = path.is_single or (not path.is_list and path.steps[-1].creator)
    return of_one if single else _LISTS.get(of_one, "texts")


def type_of(callback: TagCallback) -> ColumnType:
    """Return the column type for a callback's return annotation.

    Text where it says nothing that a column may hold.

    Raises
    ------
    ValueError
        The annotation cannot be evaluated.
    """
    return returned_type(callback) or "text"
