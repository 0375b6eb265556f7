"""Read the facts in a component's record without building the component.

`disagreement` finds a fact that differs between a record and the built object. Otherwise a fact
that is set only on the object would be ignored silently.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args

from pacsfw.api import Column, ColumnType, Component, Scope
from pacsfw.api.components import AsItStands, Lazy
from pacsfw.api.returns import (
    produced_columns,
    produced_type,
    returned_columns,
    returned_type,
)

PLAIN_CALLABLES = frozenset({"layout", "callback", "row-callback"})
"""Kinds whose ``module:attribute`` is the function itself, not a factory."""

FACTS = {
    "query": "authoritative",
    "transfer": "needs_receiver",
    "converter": "scope",
    "sink": "multi_table",
}
"""Kind -> the fact that must be in the record of a component, and may be in its class."""

_ABSENT = object()


def facts_of(record: Any) -> dict[str, Any]:
    """Return everything that a record says, but not its factory, as JSON-compatible data.

    Raises
    ------
    TypeError, ValueError, RecursionError
        It cannot be written as JSON.
    """
    said = {each.name: getattr(record, each.name) for each in fields(record)}
    said.pop("factory", None)
    found: dict[str, Any] = json.loads(json.dumps(said, default=_plain))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return sorted(value, key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return facts_of(value)
    return f"<{type(value).__name__}>"


def column_type(component: Component[Any]) -> ColumnType:
    """Return the type of the column of a callback.

    Raises
    ------
    ValueError
        It is a plain function with an annotation that cannot be evaluated.
    """
    if component.returns is not None:
        return component.returns
    if isinstance(component.factory, AsItStands):
        return returned_type(component.factory.function) or "text"
    return produced_type(component.factory) or "text"


def row_columns(component: Component[Any]) -> tuple[Column, ...]:
    """Return the columns of a row callback; empty if it does not say which it has.

    The column of a callback that returns one value has no name.

    Raises
    ------
    ValueError
        An annotation cannot be evaluated, or no column holds the type of a field.
    """
    if component.columns:
        return component.columns
    if component.returns is not None and not isinstance(component.factory, AsItStands):
        return (Column("", component.returns),)
    factory = component.factory
    if isinstance(factory, AsItStands):
        return _said_columns(factory.function)
    if columns := produced_columns(factory):
        return columns
    return _one(produced_type(factory))


def scope_of(component: Component[Any], options: Mapping[str, Any]) -> Scope:
    """Return the scope of a converter with these options."""
    properties = component.schema.get("properties")
    option = properties.get("scope") if isinstance(properties, Mapping) else None
    if option is None:
        return component.scope
    default = option.get("default") if isinstance(option, Mapping) else None
    scope: Scope = options.get("scope", default or component.scope)
    return scope


def record_of(kind: str, name: str, found: Callable[..., Any]) -> Component[Any]:
    """Return a record for a ``module:attribute``, which no plugin offers.

    Its facts come from the attributes of that class or function.
    """
    if kind in PLAIN_CALLABLES:
        return Component.of(found, name=name)
    record: Component[Any] = Component(name=name, factory=found, schema={})
    fact = FACTS.get(kind)
    if fact is None or not hasattr(found, fact):
        return record
    return replace(record, **{fact: getattr(found, fact)})


def fault(component: Component[Any]) -> str:
    """Return the description of an invalid fact in a record, empty if there is none."""
    for name in ("needs_receiver", "authoritative", "multi_table"):
        if not isinstance(getattr(component, name), bool):
            return f"{name} is neither True nor False"
    if component.scope not in get_args(Scope):
        return f"scope is not one of {', '.join(get_args(Scope))}"
    if component.returns not in (None, *get_args(ColumnType)):
        return f"returns is not one of {', '.join(get_args(ColumnType))}"
    return _columns_fault(component.columns)


def _columns_fault(columns: Any) -> str:
    if not isinstance(columns, tuple) or not all(isinstance(each, Column) for each in columns):
        return "columns is not a tuple of Column"
    for each in columns:
        if not isinstance(each.name, str) or not each.name:
            return "a column has no name"
        if each.type not in get_args(ColumnType):
            return (
                f"the type of column {each.name!r} is not one of {', '.join(get_args(ColumnType))}"
            )
    if len({each.name for each in columns}) < len(columns):
        return "two columns have the same name"
    return ""


def factory_fault(component: Component[Any], *, deep: bool = False) -> str:
    """Describe the first mismatch between the schema and the parameters of the factory.

    ``deep``: import what is behind a `pacsfw.lazy`, and compare defaults, too.
    """
    factory = component.factory
    try:
        if deep and isinstance(factory, Lazy):
            factory = factory.load()
        parameters = inspect.signature(factory).parameters
    except ImportError as err:
        return str(err)
    except (TypeError, ValueError):
        return ""
    options = component.schema.get("properties", {})
    required = component.schema.get("required", ())
    if not isinstance(options, Mapping) or not isinstance(required, list | tuple):
        return ""  # the schema is broken, which is another fault
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    named = {
        name: each
        for name, each in parameters.items()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }
    if not takes_any and (unknown := sorted(set(options) - set(named))):
        return f"its schema has the option {unknown[0]!r}, which its factory does not accept"
    for name, each in named.items():
        if each.default is each.empty and name not in required:
            return f"its factory requires {name!r}, but its schema does not"
        shown = options.get(name)
        if (
            deep
            and isinstance(shown, Mapping)
            and "default" in shown
            and each.default is not each.empty
            and _as_list(shown["default"]) != _as_list(each.default)
        ):
            return f"the default of {name!r} differs between its schema and its factory"
    return ""


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def disagreement(
    kind: str, component: Component[Any], options: Mapping[str, Any], built: Any
) -> str:
    """Return how a built object contradicts its record, empty if it does not."""
    if kind == "callback":
        return _other_type(component, built)
    if kind == "row-callback":
        return _other_columns(component, built)
    fact = FACTS.get(kind, "")
    said = getattr(built, fact, _ABSENT) if fact else _ABSENT
    recorded = scope_of(component, options) if fact == "scope" else getattr(component, fact, None)
    if said is _ABSENT or said == recorded:
        return ""
    return f"{type(built).__name__} has {fact} = {said!r}, its record has {recorded!r}: " + _remedy(
        component, f"{fact}={said!r}"
    )


def _other_type(component: Component[Any], built: Any) -> str:
    try:
        said, recorded = returned_type(built), column_type(component)
    except ValueError:  # unknown type: reported only if a column needs it
        return ""
    if said in (None, recorded):
        return ""
    return f"its annotation returns {said}, its record {recorded}: " + _remedy(
        component, f"returns={said!r}"
    )


def _other_columns(component: Component[Any], built: Any) -> str:
    try:
        said, recorded = _said_columns(built), row_columns(component)
    except ValueError:  # reported where its columns are needed
        return ""
    if said in ((), recorded):
        return ""
    shown = [", ".join(f"{each.name} {each.type}" for each in some) for some in (said, recorded)]
    argument = "columns=..." if said[0].name else f"returns={said[0].type!r}"
    return (
        f"its annotation returns {shown[0].strip()}, its record {shown[1].strip() or 'nothing'}: "
        + _remedy(component, argument)
    )


def _said_columns(function: Callable[..., Any]) -> tuple[Column, ...]:
    if columns := returned_columns(function):
        return columns
    return _one(returned_type(function))


def _one(kind: ColumnType | None) -> tuple[Column, ...]:
    """Return the column of a single value; a ``dict`` may be one, but also hold several."""
    return (Column("", kind),) if kind not in (None, "json") else ()


def _remedy(component: Component[Any], argument: str) -> str:
    if ":" in component.name:
        return f"name the class itself, or offer it in a plugin as Component(..., {argument})"
    return f"offer it as Component(..., {argument})"
