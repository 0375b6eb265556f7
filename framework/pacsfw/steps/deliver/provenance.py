"""Where the columns of a table come from: the rows of `pacsfw.api.COLUMNS`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pacsfw.api import Row
from pacsfw.config import Tag, Use
from pacsfw.config.columns import columns_of
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.dicom.tagpath import parse
from pacsfw.plugins.origin import source_of
from pacsfw.plugins.registry import Registry

BETWEEN = "; "
"""Stands between several tags (the first that has a value counts) and callbacks (a chain)."""
RAW_VALUE = "(raw)"
"""Stands for the callback of a column that holds values as they are in the object."""


def column_rows(tags: Sequence[Tag], registry: Registry) -> list[Row]:
    """Return one row per column: its type, tags, their VRs, callbacks and whose these are."""
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

    What has no version, a file of the user's, has the digest of its source instead.
    """
    offer = registry.select("callback", callback.name)
    if offer.version:
        return offer.owner
    function = registry.build("callback", callback.name, callback.options)
    digest = hashlib.sha256(source_of(function)).hexdigest()[:12]
    return f"{offer.distribution} sha256:{digest}"
