"""The type of a column: the type of the tag, else that of its last callback, else text."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from pacsfw.api import Column, ColumnType, TagCallback
from pacsfw.config.model import Tag

if TYPE_CHECKING:
    from pacsfw.dicom.tagpath import TagPath

_TYPES: Mapping[Any, ColumnType] = {
    str: "text",
    int: "int",
    float: "float",
    bool: "bool",
    date: "date",
    time: "time",
    datetime: "datetime",
    timedelta: "duration",
}


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


def columns_of(tag: Tag) -> tuple[Column, ...]:
    """Return the columns of a tag: its own, and one for the raw value if configured."""
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

    Returns
    -------
    ColumnType
        ``X | None`` counts as ``X``; text for other types and without an annotation.

    Raises
    ------
    ValueError
        The annotation cannot be evaluated, for example because it uses a name that its
        module lacks at run time.
    """
    annotation = _returned(callback)
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        annotation = kinds[0] if len(kinds) == 1 else None
    return _TYPES.get(annotation, "text")


def _returned(callback: TagCallback) -> Any:
    if isinstance(callback, type):
        return callback
    if isinstance(callback, partial):
        return _returned(callback.func)
    try:
        function = callback if inspect.isroutine(callback) else type(callback).__call__
        return get_type_hints(function).get("return")
    except Exception as error:  # plugin boundary: annotations are evaluated
        name = getattr(callback, "__qualname__", type(callback).__name__)
        raise ValueError(
            f"the return annotation of {name} cannot be resolved ({error}); "
            "import its names outside `if TYPE_CHECKING`, or set the `type` of the tag"
        ) from error
