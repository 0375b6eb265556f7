"""Describe the origin of the columns of a table, in rows of `pacsfw.api.COLUMNS`."""

from __future__ import annotations

from collections.abc import Sequence

from pacsfw.api import Row
from pacsfw.config import Tag, Use
from pacsfw.config.columns import columns_of
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.dicom.tagpath import parse
from pacsfw.plugins.registry import Registry

BETWEEN = "; "
"""Separator of alternative tags (the first with a value is used) and of chained callbacks."""
RAW_VALUE = "(raw)"
"""Stands for the callback of a column of raw values."""


def column_rows(tags: Sequence[Tag], registry: Registry) -> list[Row]:
    """Return one row per column: its type, tags, VRs, callbacks and their distributions."""
    rows: list[Row] = [
        (
            column.name,
            column.type,
            BETWEEN.join(tag.names),
            BETWEEN.join(tag.vr or parse(name).vr or "?" for name in tag.names),
            *(_callbacks(tag, registry) if column.name == tag.alias else (RAW_VALUE, None)),
        )
        for tag in tags
        for column in columns_of(tag)
    ]
    return [*rows, (PATH_COLUMN, "text", None, None, None, None)]


def _callbacks(tag: Tag, registry: Registry) -> tuple[str | None, str | None]:
    names = BETWEEN.join(use.name for use in tag.callbacks)
    owners = BETWEEN.join(owner(use, registry) for use in tag.callbacks)
    return names or None, owners or None


def owner(callback: Use, registry: Registry) -> str:
    """Return the distribution of a callback and its version.

    A callback without a version, in a file of the user, has the digest of its source instead.
    """
    info = registry.identify("callback", callback.name, callback.options).info
    if info.version:
        return f"{info.distribution} {info.version}"
    return f"{info.distribution} sha256:{info.code[:12]}"
