"""The index of plugins: what each one offers, kept in a file, so that only used ones are imported.

The index contains facts and no code. A file that is missing, damaged, of another version or
of another user counts as empty: the plugins are described again.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import pacsfw
from pacsfw.api import API_VERSION, Component, ConfigSection
from pacsfw.plugins.descriptions import Description
from pacsfw.plugins.discovery import BUNDLED, Candidate
from pacsfw.plugins.loading import HOOKS, NAMELESS

CACHE_VARIABLE = "PACSFW_CACHE_DIR"
"""Names the folder of the index, instead of the user's folder for caches."""
_LARGEST = 64 << 20
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Index:
    """The descriptions of plugins that were described before.

    An entry is valid for the same version and location of a plugin, while its source files have
    the same time and size and the same distributions are installed.
    """

    def __init__(self) -> None:
        self._path = _folder() / f"plugins-{_key()}.json"
        self._entries = _read(self._path)
        self._changes: dict[str, Any] = {}

    def get(self, candidate: Candidate, environment: str) -> Description | None:
        """Return the description of a plugin; None if there is no valid one."""
        entry = self._entries.get(_name(candidate))
        with suppress(AttributeError, KeyError, TypeError, ValueError):  # damaged
            if entry and entry["environment"] == _relevant(candidate, environment):
                found = Description.read(entry["description"])
                if found.is_current:
                    return found
        return None

    def put(self, candidate: Candidate, environment: str, description: Description) -> None:
        """Add a description; `save` writes it."""
        self._changes[_name(candidate)] = {
            "environment": _relevant(candidate, environment),
            "description": description.as_json(),
        }

    def forget(self, candidate: Candidate) -> None:
        """Remove a description that turned out to be wrong, and write the index."""
        self._changes[_name(candidate)] = None
        self.save()

    def save(self) -> None:
        """Write the changes, with what other processes have written meanwhile.

        If the folder cannot be written, this process and its children use a temporary one.
        """
        if not self._changes:
            return
        merged = {**_read(self._path), **self._changes}
        kept = {name: entry for name, entry in merged.items() if entry and _is_there(name)}
        if not _write(self._path, kept):
            with suppress(OSError):  # a full disk: the plugins are described again next time
                self._path = _temporary_folder() / self._path.name
                _write(self._path, kept)
        self._entries, self._changes = kept, {}


def _folder() -> Path:
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    if not os.path.isabs(base):  # a user without a home: nothing can be written there
        base = os.devnull
    return Path(base) / "pacsfw"


def _temporary_folder() -> Path:
    """Return a folder for the index that lives as long as this process; its children find it."""
    import atexit  # deferred: most commands do not need them
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="pacsfw-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[CACHE_VARIABLE] = folder
    return Path(folder)


def _key() -> str:
    """Return a digest of everything that makes descriptions of different meaning."""
    parts = [
        sys.prefix,
        sys.version,
        str(Path(pacsfw.__file__).parent),
        pacsfw.__version__,
        str(API_VERSION),
        *(f"{hook}={kind}" for hook, kind in HOOKS.items()),
        *NAMELESS,
        *(
            each.name
            for record in (Component, ConfigSection, Description)
            for each in fields(record)
        ),
    ]
    return sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _name(candidate: Candidate) -> str:
    return "\n".join([candidate.origin, candidate.key, candidate.version, candidate.value])


def _is_there(name: str) -> bool:
    """Return whether the plugin of an entry still exists: others are not kept."""
    parts = name.split("\n")
    return len(parts) == 4 and os.path.exists(parts[0] or parts[3])


def _relevant(candidate: Candidate, environment: str) -> str:
    """Bundled plugins offer the same, whatever else is installed."""
    return "" if candidate.distribution == BUNDLED else environment


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
                return {}
            entries = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _write(path: Path, entries: Mapping[str, Any]) -> bool:
    """Replace the file at once; return whether that worked."""
    import tempfile

    temporary = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-")
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(entries, file)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        return False
    return True
