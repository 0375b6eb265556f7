"""The type of a column: what the tag says, else what its last callback promises, else text."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pacsfw.api import ColumnType, TagCallback

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


def type_of(callback: TagCallback) -> ColumnType:
    """Return the column type that a callback's return annotation stands for.

    Returns
    -------
    ColumnType
        ``X | None`` counts as ``X``; text for every other type and without an annotation.

    Raises
    ------
    ValueError
        The annotation cannot be evaluated, such as when it names something that its module
        does not hold when it runs.
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
            "import what it names outside of `if TYPE_CHECKING`, or give the tag a `type`"
        ) from error
