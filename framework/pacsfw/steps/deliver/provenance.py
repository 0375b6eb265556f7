"""Describe the origin of the columns of a table, in rows of `pacsfw.api.COLUMNS`."""

from __future__ import annotations

from collections.abc import Sequence

from pacsfw.api import Row
from pacsfw.config import RowColumns, Tag, TagEntry, Use
from pacsfw.config.columns import columns_of
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.dicom.tagpath import parse
from pacsfw.plugins.registry import Registry

BETWEEN = "; "
"""Separator of alternative tags (the first with a value is used) and of chained callbacks."""
RAW_VALUE = "(raw)"
"""Stands for the callback of a column of raw values."""


def column_rows(tags: Sequence[TagEntry], registry: Registry) -> list[Row]:
    """Return one row per column: its type, tags, VRs, callbacks and their distributions.

    Which tags a row callback reads is not known: those cells are empty.
    """
    rows: list[Row] = [
        (column.name, column.type, *_source(tag), *_callbacks(tag, column.name, registry))
        for tag in tags
        for column in columns_of(tag)
    ]
    return [*rows, (PATH_COLUMN, "text", None, None, None, None)]


def _source(tag: TagEntry) -> tuple[str | None, str | None]:
    if isinstance(tag, RowColumns):
        return None, None
    vrs = BETWEEN.join(tag.vr or parse(name).vr or "?" for name in tag.names)
    return BETWEEN.join(tag.names), vrs


def _callbacks(tag: TagEntry, column: str, registry: Registry) -> tuple[str | None, str | None]:
    if isinstance(tag, Tag) and column != tag.alias:
        return RAW_VALUE, None
    names = BETWEEN.join(use.name for _, use in tag.uses)
    owners = BETWEEN.join(owner(kind, use, registry) for kind, use in tag.uses)
    return names or None, owners or None


def owner(kind: str, callback: Use, registry: Registry) -> str:
    """Return the distribution of a callback and its version.

    A callback without a version, in a file of the user, has the digest of its source instead.
    """
    info = registry.identify(kind, callback.name, callback.options).info
    if info.version:
        return f"{info.distribution} {info.version}"
    return f"{info.distribution} sha256:{info.code[:12]}"
