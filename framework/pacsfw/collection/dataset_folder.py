"""The dataset folder: create it, and check that it has only one layout."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pacsfw.config import Config, Storage
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger

PLACES_FACT = "places"
"""Ledger fact: the dataset folder and the folder of the configuration."""

LAYOUT_FACT = "layout"
"""Ledger fact: the ``sort_by`` of the stored files."""


def make_directory(directory: Path) -> None:
    """Create ``storage.directory`` if it is missing.

    Raises
    ------
    StateError
        It cannot be created.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as err:
        raise StateError(f"storage.directory: {directory}: {err.strerror}") from err


def follow_moves(config: Config, storage: Storage, ledger: Ledger) -> None:
    """Correct the absolute paths in the ledger if the collection was moved.

    They are those of converted files, which may be anywhere. The ones below the former dataset
    folder, or below the former folder of the configuration, are looked for below the present one.
    """
    now = [str(storage.directory), str(config.base)]
    before = json.loads(ledger.get_value(PLACES_FACT) or "null")
    if before == now:
        return
    for old, new in zip(before or (), now, strict=False):
        found = (
            (path, new + path.removeprefix(old))
            for path in ledger.conversions.paths()
            if path.startswith(f"{old}/")
        )
        ledger.conversions.moved([pair for pair in found if os.path.lexists(pair[1])])
    ledger.set_value(PLACES_FACT, json.dumps(now))


def check_layout(config: Config, storage: Storage, ledger: Ledger) -> None:
    """Record the layout of the stored files.

    Raises
    ------
    StateError
        Files are already stored with another ``sort_by``.
    """
    now = storage.sort_by.identity
    before = ledger.get_value(LAYOUT_FACT)
    if before and before != now and ledger.instances.any_stored():
        differ = f"is {_layout_name(now)}"
        if _layout_name(now) == _layout_name(before):
            differ += f" with other options ({', '.join(_changed(now, before))})"
        raise StateError(
            f"{config.path}: storage.sort_by {differ}, but the files in "
            f"{storage.directory} have the layout {_layout_name(before)}: keep it, "
            "or give this collection another storage.directory"
        )
    ledger.set_value(LAYOUT_FACT, now)


def _changed(now: str, before: str) -> list[str]:
    """Return the names of the options that two layouts of the same name do not share."""
    one, other = (json.loads(identity)[1] for identity in (now, before))
    return [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]


def _layout_name(identity: str) -> str:
    """Return the name of a layout for messages: its pattern, or its name."""
    name, options = json.loads(identity)
    return repr(options.get("pattern") or name)
