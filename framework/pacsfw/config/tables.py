"""The sections about the output: ``storage``, ``sinks`` and ``tags``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pacsfw.api import COLUMNS, ERRORS, ColumnType
from pacsfw.config.building import Selected
from pacsfw.config.columns import columns_of, natural_type
from pacsfw.config.components import ConfigBuilder, places_in, use_at, uses_in
from pacsfw.config.document import KeyPath, spell
from pacsfw.config.files import why_unwritable
from pacsfw.config.model import Storage, Tag, TagEntry, Use
from pacsfw.config.row_callbacks import row_columns
from pacsfw.config.values import is_url, sibling, size
from pacsfw.errors import PluginError
from pacsfw.plugins import facts

STUDIES = "studies"
"""The name of the table of studies, next to ``storage.resources``."""

PATH_COLUMN = "dicom_path"
"""The last column of every table of tags."""


def storage(builder: ConfigBuilder) -> Storage | None:
    """Return the ``storage`` section, with its derived defaults filled in."""
    if not isinstance(builder.document.tree.get("storage"), dict):
        return None
    resources = _target(builder, "resources")
    meta = _target(builder, "resources_meta") or _beside(builder, resources)
    directory = _folder(builder, "directory")
    state = _folder(builder, "state") or _inside(builder, directory)
    sort_by = use_at(builder, "layout", "storage", "sort_by")
    if builder.problems.at("storage") or sort_by is None:
        return None
    return Storage(
        resources=resources,
        resources_meta=meta,
        directory=Path(directory),
        state=Path(state),
        sort_by=sort_by,
        relative_paths=builder.value("storage", "dicom_path") == "relative",
        reserve=size(builder.value("storage", "reserve")),
        backlog=size(builder.value("storage", "backlog")),
    )


def _target(builder: ConfigBuilder, key: str) -> str:
    """Return the target of a table, and check that a sink claims it; empty if absent."""
    place = ("storage", key)
    text: str | None = builder.value(*place)
    if text is None:
        return ""
    target = builder.target(place, text)
    try:
        use = Use(builder.registry.sink_for(target).reference, {"path": target})
    except PluginError as err:
        builder.problems.quote(place, err)
    else:
        builder.selected.append(Selected("sink", use, place, place, lists=key == "resources"))
    return target


def _folder(builder: ConfigBuilder, key: str) -> str:
    text: str | None = builder.value("storage", key)
    return "" if text is None else builder.path(("storage", key), text)


def _beside(builder: ConfigBuilder, resources: str) -> str:
    """Return the default of ``resources_meta``: the same database, or a file next to the list."""
    if is_url(resources):
        target = resources if _holds_many(builder, resources) else ""
        if not target:
            why = "resources_meta is missing: it has no default for this URL of resources"
            builder.problems.add(("storage",), why, key=True)
            return ""
    else:
        target = str(Path(resources).with_name("resources_meta.csv")) if resources else ""
    builder.derive(("storage", "resources_meta"), target, ("storage", "resources"))
    return target


def _holds_many(builder: ConfigBuilder, target: str) -> bool:
    """Tell whether the sink that claims a target can keep several tables in it."""
    try:
        return builder.registry.sink_for(target).component.multi_table
    except PluginError:
        return True  # that is told where the target stands


def _inside(builder: ConfigBuilder, directory: str) -> str:
    state = str(Path(directory) / ".pacsfw")
    builder.derive(("storage", "state"), state, ("storage", "directory"))
    return state


def storage_warnings(builder: ConfigBuilder, stored: Storage | None) -> Iterator[str]:
    """Yield warnings about valid settings of ``storage`` that will not work."""
    if stored is None:
        return
    if _repeats_names(stored.sort_by):
        why = "instances may get the same path: only a file name with {SOPInstanceUID} is unique"
        yield f"{stored.sort_by.where}: {why}"
    folders = {"directory": stored.directory, "state": stored.state}
    for key, target in (
        ("resources", stored.resources),
        ("resources_meta", stored.resources_meta),
    ):
        if not is_url(target):
            folders[key] = Path(target).parent
    reported = set()
    for key, folder in folders.items():
        why_not = why_unwritable(folder)
        if why_not is not None and why_not not in reported:
            reported.add(why_not)
            where = builder.document.where(("storage", key))
            why = f"not writable: {builder.document.scrubbed(why_not)}"
            yield f"{where}: storage.{key}: {why}"


def _repeats_names(sort_by: Use) -> bool:
    """Return whether a template's file name lacks the only unique attribute."""
    pattern = sort_by.options.get("pattern")
    if sort_by.name.rpartition("/")[2] != "template" or not isinstance(pattern, str):
        return False
    file_name = pattern.rpartition("/")[2]
    fields = file_name.replace("{{", "").replace("}}", "")  # doubled braces are plain text
    return "{SOPInstanceUID}" not in fields


def sinks(builder: ConfigBuilder, stored: Storage | None) -> tuple[Use, ...]:
    """Return the ``sinks`` section; the targets of tables must be unique."""
    taken: dict[str, KeyPath] = {}
    if stored is not None:
        if stored.resources != stored.resources_meta or not _holds_many(builder, stored.resources):
            _claim(builder, taken, ("storage", "resources"), stored.resources)
        if not is_url(stored.resources):
            studies = sibling(stored.resources, STUDIES)
            _claim(builder, taken, ("storage", "resources"), studies)
        _claim_tables(builder, taken, ("storage", "resources_meta"), stored.resources_meta)
    uses = []
    for place, use in uses_in(builder, "sink", "sinks"):
        if isinstance(target := use.options.get("path"), str):
            _claim_tables(builder, taken, (*place, "with", "path"), target)
        uses.append(use)
    return tuple(uses)


def _claim_tables(
    builder: ConfigBuilder, taken: dict[str, KeyPath], place: KeyPath, target: str
) -> None:
    """Claim a target, and the files for its errors and columns."""
    _claim(builder, taken, place, target)
    for table in () if is_url(target) else (ERRORS, COLUMNS):
        _claim(builder, taken, place, sibling(target, table.name))


def _claim(builder: ConfigBuilder, taken: dict[str, KeyPath], place: KeyPath, target: str) -> None:
    same = target if is_url(target) else os.path.realpath(target)
    if same in taken:
        builder.problems.add(place, f"is already the target of {spell(taken[same])}")
    taken.setdefault(same, place)


def tags(builder: ConfigBuilder) -> tuple[TagEntry, ...]:
    """Return the ``tags`` section; column names are unique."""
    columns: dict[str, KeyPath] = {PATH_COLUMN: ()}
    found = []
    for place in places_in(builder, "tags"):
        node = builder.document.get(place)
        is_row = isinstance(node, dict) and "row_callback" in node
        tag = row_columns(builder, place) if is_row else _tag(builder, place)
        if tag is None:
            continue
        for column in columns_of(tag):
            if column.name in columns:
                owner = spell(columns[column.name]) or "pacsfw itself"
                keys = ("tag_alias", "row_callback", "tag_name")
                at = (*place, next(key for key in keys if key in node))
                builder.problems.add(at, f"the column {column.name!r} is already used by {owner}")
            columns.setdefault(column.name, place)
        found.append(tag)
    return tuple(found)


def _tag(builder: ConfigBuilder, place: KeyPath) -> Tag | None:
    names = _tag_names(builder, (*place, "tag_name"))
    chain = _callbacks(builder, (*place, "callback"))
    node = builder.value(*place)
    if node is None:
        return None
    required = node.get("required", False)
    if required and node.get("default_val") is not None:
        why = "with default_val the cell is never empty; remove one of the two"
        builder.problems.add((*place, "required"), why)
    declared, vr = node.get("type"), node.get("vr", "")
    if declared == "auto" and not chain:
        from pacsfw.dicom.tagpath import parse

        column_type = natural_type(parse(names[0]), vr)
    else:
        known = None if declared == "auto" else declared
        column_type = _column_type(builder, (*place, "callback"), known, chain)
    return Tag(
        names=names,
        alias=node.get("tag_alias", names[0]),
        default=_default(builder, (*place, "default_val"), column_type),
        callbacks=chain,
        type=column_type,
        where=f"{builder.document.where(place)}: {spell(place)}",
        vr=vr,
        required=required,
        raw=node.get("raw", False),
    )


def _tag_names(builder: ConfigBuilder, place: KeyPath) -> tuple[str, ...]:
    """Return the tag paths at ``place``, after a check."""
    from pacsfw.dicom.tagpath import parse

    node = builder.value(*place)
    at: Mapping[KeyPath, str] = (
        {place: node}
        if isinstance(node, str)
        else {(*place, index): name for index, name in enumerate(node or [])}
    )
    for each, name in at.items():
        try:
            parse(name)
        except ValueError as err:
            builder.problems.quote(each, err)
    return tuple(at.values())


def _callbacks(builder: ConfigBuilder, place: KeyPath) -> tuple[Use, ...]:
    if builder.document.get(place) is None:
        return ()
    chain = places_in(builder, *place) or [place]
    uses = [use_at(builder, "callback", *each) for each in chain]
    return tuple(use for use in uses if use is not None)


def _column_type(
    builder: ConfigBuilder, place: KeyPath, declared: ColumnType | None, callbacks: tuple[Use, ...]
) -> ColumnType:
    """Return the type of a column: the declared one, or what the last callback returns."""
    if declared or not callbacks:
        return declared or "text"
    last = callbacks[-1]
    try:
        return facts.column_type(builder.registry.select("callback", last.name).component)
    except ValueError as err:
        builder.problems.quote(place, err)
        return "text"


def _default(builder: ConfigBuilder, place: KeyPath, column_type: ColumnType) -> Any:
    """Return the default at ``place`` as a cell of the column."""
    value = builder.document.get(place)
    if value is None:
        return None
    from pacsfw.config.cells import cell  # these import pydicom, which is slow
    from pacsfw.dicom.values import is_empty

    try:
        return None if is_empty(value) else cell(value, column_type)
    except (ValueError, TypeError):
        shown = builder.document.shown(place, value)
        why = f"{shown} does not fit the column's type {column_type!r}"
        builder.problems.add(place, f"{why}; change it, or set `type: text` for the tag")
        return None
