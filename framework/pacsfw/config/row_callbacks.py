"""Entries of ``tags`` with a row callback: its columns and their types."""

from __future__ import annotations

import re
from typing import Any

from pacsfw.api import Column, Component
from pacsfw.config.components import ConfigBuilder, use_at
from pacsfw.config.document import KeyPath, spell
from pacsfw.config.model import RowColumns, Use
from pacsfw.plugins import facts

_UNKNOWN = (
    "its columns are not known: annotate what it returns (a TypedDict, a NamedTuple, a dataclass "
    "or one value), or list them under `columns`"
)


def row_columns(builder: ConfigBuilder, place: KeyPath) -> RowColumns | None:
    """Return the columns of the row callback at ``place``; None if there is a problem."""
    at = (*place, "row_callback")
    name = builder.value(*at)
    own = builder.row_callbacks.get(name) if isinstance(name, str) else None
    use = Use(name) if own else use_at(builder, "row-callback", *at)
    node = builder.value(*place)
    if node is None or use is None:
        return None
    component = own or builder.registry.select("row-callback", use.name).component
    keyed = _known(builder, place, node, component)
    if not keyed:
        return None
    alias = node.get("tag_alias", "")
    short = re.split("[/:.]" if own else "[/:]", use.name)[-1]  # a function is named a.b.c
    return RowColumns(
        use=use,
        columns=tuple(Column(_name(each.name, alias, short), each.type) for each in keyed),
        keys=tuple(each.name for each in keyed),
        where=f"{builder.document.where(place)}: {spell(place)}",
    )


def _name(key: str, alias: str, short: str) -> str:
    """Return the name of the column for a key of what the callback returns."""
    if not key:
        return alias or short
    return f"{alias}_{key}" if alias else key


def _known(
    builder: ConfigBuilder, place: KeyPath, node: dict[str, Any], component: Component[Any]
) -> tuple[Column, ...]:
    """Return the columns that the configuration or the callback names, after a check."""
    declared, listed = node.get("type"), node.get("columns")
    if declared and listed:
        builder.problems.add((*place, "type"), "columns has the types; remove one of the two")
        return ()
    if declared:
        return (Column("", declared),)
    try:
        offered = facts.row_columns(component)
    except ValueError as err:
        if not listed:
            builder.problems.quote((*place, "row_callback"), err)
            return ()
        offered = ()
    if not listed:
        if not offered:
            builder.problems.add((*place, "row_callback"), _UNKNOWN)
        return offered
    if offered:
        known = ", ".join(each.name or f"one of type {each.type}" for each in offered)
        why = f"the callback itself says its columns: {known}; remove the key"
        builder.problems.add((*place, "columns"), why)
        return ()
    return tuple(Column(key, kind) for key, kind in listed.items())
