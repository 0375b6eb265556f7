"""The columns, and their types, that a return annotation stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from pacsfw.api.tables import Column, ColumnType

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


_LISTS: Mapping[Any, ColumnType] = {str: "texts", int: "ints", float: "floats"}


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
    return _type_of(get_args(made)[-1]) if _makes_callable(made) else None


def returned_columns(callback: Callable[..., Any]) -> tuple[Column, ...]:
    """Return the columns that the return annotation of a row callback stands for.

    Returns
    -------
    tuple
        One for each field of a TypedDict, NamedTuple or dataclass; empty for every other type.

    Raises
    ------
    ValueError
        The annotation, or that of a field, cannot be evaluated, or no column holds the type of
        a field.
    """
    return _columns_of(_annotation(callback))


def produced_columns(factory: Callable[..., Any]) -> tuple[Column, ...]:
    """Return the columns that a factory promises of the row callbacks it makes.

    That is by its own annotation (``-> Callable[[Header], Ages]``), or by that of ``__call__``
    where it is a class.

    Raises
    ------
    ValueError
        As `returned_columns`.
    """
    if isinstance(factory, type):
        return returned_columns(factory.__call__)
    made = _annotation(factory)
    return _columns_of(get_args(made)[-1]) if _makes_callable(made) else ()


def _makes_callable(made: Any) -> bool:
    return get_origin(made) is Callable and bool(get_args(made))


def _columns_of(annotation: Any) -> tuple[Column, ...]:
    annotation = _not_none(annotation)
    found: list[Column] = []
    for name, hint in _fields_of(annotation).items():
        kind = _type_of(hint)
        if kind is None:
            raise ValueError(
                f"the field {name!r} of {annotation.__name__} has a type that no column holds: use "
                "str, int, float, bool, date, time, datetime, timedelta, dict, or a list of these"
            )
        found.append(Column(name, kind))
    return tuple(found)


def _fields_of(annotation: Any) -> Mapping[str, Any]:
    """Return the fields of a TypedDict, NamedTuple or dataclass, and their annotations."""
    if is_typeddict(annotation):
        return _hints(annotation)
    if not isinstance(annotation, type):
        return {}
    names: Sequence[str] = getattr(annotation, "_fields", ())
    if is_dataclass(annotation):
        names = [each.name for each in fields(annotation)]
    hints = _hints(annotation) if names else {}
    return {name: hints.get(name) for name in names}


def _not_none(annotation: Any) -> Any:
    """Return ``X`` for ``X | None``, and None for any other union."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else None


def _type_of(annotation: Any) -> ColumnType | None:
    annotation = _not_none(annotation)
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if origin is list and arguments and (kind := _LISTS.get(_not_none(arguments[0]))):
        return kind
    if origin is list or origin is dict:
        return "json"
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


def _hints(record: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(record)
    except Exception as error:  # plugin boundary: annotations are evaluated
        raise ValueError(
            f"the annotations of {record.__name__} cannot be resolved ({error}); "
            "import their names outside `if TYPE_CHECKING`"
        ) from error
