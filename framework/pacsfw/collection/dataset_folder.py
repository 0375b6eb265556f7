"""The dataset folder: create it, and check that it has only one layout."""

from __future__ import annotations

import json
from pathlib import Path

from pacsfw.config import Config, Storage
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger

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
        raise StateError(
            f"{config.path}: storage.sort_by is {_layout_name(now)}, but the files in "
            f"{storage.directory} have the layout {_layout_name(before)}: keep it, "
            "or give this collection another storage.directory"
        )
    ledger.set_value(LAYOUT_FACT, now)


def _layout_name(identity: str) -> str:
    """Return the name of a layout for messages: its pattern, or its name."""
    name, options = json.loads(identity)
    return repr(options.get("pattern") or name)
