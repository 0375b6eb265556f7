"""The folder of the DICOM files: it is there, and laid out in one way."""

from __future__ import annotations

import json
from pathlib import Path

from pacsfw.config import Config, Storage
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger

LAYOUT_FACT = "layout"
"""Ledger fact: the ``sort_by`` under which the stored files were laid out."""


def make_archive(directory: Path) -> None:
    """Create ``storage.directory`` where it is missing.

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
    """Remember how the files are laid out.

    Raises
    ------
    StateError
        Files are stored already, by another ``sort_by``.
    """
    now = storage.sort_by.identity
    before = ledger.get_value(LAYOUT_FACT)
    if before and before != now and ledger.instances.any_stored():
        raise StateError(
            f"{config.path}: storage.sort_by is {_layout_name(now)}, but the files in "
            f"{storage.directory} were laid out by {_layout_name(before)}: keep that, "
            "or give this collection another storage.directory"
        )
    ledger.set_value(LAYOUT_FACT, now)


def _layout_name(identity: str) -> str:
    """Return what people call a layout: its pattern, or its name."""
    name, options = json.loads(identity)
    return repr(options.get("pattern") or name)
