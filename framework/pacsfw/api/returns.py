"""The type of column that a return annotation stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pacsfw.api.tables import ColumnType

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


def returned_type(callback: Callable[..., Any]) -> ColumnType | None:
    """Return the column type that a callback's return annotation stands for.

    Returns
    -------
    ColumnType or None
        ``X | None`` counts as ``X``; None for every other type and without an annotation.

    Raises
    ------
    ValueError
        The annotation cannot be evaluated, such as when it names something that its module
        does not hold when it runs.
    """
    return _type_of(_annotation(callback))


def produced_type(factory: Callable[..., Any]) -> ColumnType | None:
    """Return the column type that a factory promises of the callbacks it makes.

    That is by its own annotation (``-> Callable[[Any], float]``), or by that of ``__call__``
    where it is a class. None where it says nothing, or nothing that can be evaluated.
    """
    try:
        if isinstance(factory, type):
            return returned_type(factory.__call__)
        made = _annotation(factory)
    except ValueError:
        return None
    return _type_of(get_args(made)[-1]) if get_origin(made) is Callable and get_args(made) else None


def _type_of(annotation: Any) -> ColumnType | None:
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        annotation = kinds[0] if len(kinds) == 1 else None
    try:
        return _TYPES.get(annotation)
    except TypeError:  # unhashable, so none of these
        return None


def _annotation(callback: Callable[..., Any]) -> Any:
    if isinstance(callback, type):
        return callback
    if isinstance(callback, partial):
        return _annotation(callback.func)
    try:
        function = callback if inspect.isroutine(callback) else type(callback).__call__
        return get_type_hints(function).get("return")
    except Exception as error:  # plugin boundary: annotations are evaluated
        name = getattr(callback, "__qualname__", type(callback).__name__)
        raise ValueError(
            f"the return annotation of {name} cannot be resolved ({error}); "
            "import its names outside `if TYPE_CHECKING`, or set the `type` of the tag"
        ) from error
