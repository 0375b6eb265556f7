"""Find the configuration file, check that no other user can modify it, and read it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pacsfw.config import json_text, yaml_text
from pacsfw.config.document import Document
from pacsfw.errors import ConfigError
from pacsfw.regular import NotRegular, open_regular

VARIABLES = ("PACSFW_CONFIG", "PACSANINI_CONFIG")
NAMES = ("pacsfw.yaml", "pacsaninirc.yaml")

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Located:
    """A configuration file and its surroundings.

    ``name`` is the name of the file in messages, ``base`` the folder that relative paths
    start from, ``home`` the meaning of ``~`` (None if there is no home folder).
    """

    path: Path
    name: str
    base: Path
    home: Path | None

    def resolve(self, text: str) -> Path:
        """Return the absolute path for a text of the configuration.

        Raises
        ------
        ValueError
            It begins with ``~``, and that home folder does not exist.
        """
        return _absolute(text, self.base, self.home)


def locate(path: Path | None, env: Mapping[str, str], cwd: Path, home: Path | None) -> Located:
    """Return the configuration file: the given one, or the first in the usual places.

    These are ``$PACSFW_CONFIG``, ``$PACSANINI_CONFIG``, then `NAMES` in the working
    directory and in the home directory. Relative paths start from the folder of the file,
    but from the working directory if it was found in the home directory.

    Raises
    ------
    ConfigError
        None was given, and the usual places have none.
    """
    if path is not None:
        return _given(str(path), cwd, home)
    for variable in VARIABLES:
        if env.get(variable):
            return _given(env[variable], cwd, home)
    folders = [cwd] if home is None else [cwd, home]
    candidates = [folder / name for folder in folders for name in NAMES]
    for candidate in candidates:
        if candidate.exists():
            name = candidate.name if candidate.parent == cwd else str(candidate)
            return Located(candidate, name, cwd, home)
    raise ConfigError(
        "no configuration: name a file, set $PACSFW_CONFIG, or create one of "
        + ", ".join(str(candidate) for candidate in candidates)
        + "; `pacsfw config init` writes a template"
    )


def _given(text: str, cwd: Path, home: Path | None) -> Located:
    try:
        path = _absolute(text, cwd, home)
    except ValueError as err:
        raise ConfigError(f"{text}: {err}") from err
    return Located(path, text, path.parent, home)


def _absolute(text: str, base: Path, home: Path | None) -> Path:
    if text == "~" or text.startswith("~/"):
        if home is None:
            raise ValueError("'~' cannot be resolved: there is no home folder")
        path = home / text[2:]
    else:
        try:
            path = Path(text).expanduser()
        except RuntimeError as err:
            raise ValueError("'~' cannot be used: there is no such user") from err
    return Path(os.path.abspath(base / path))  # links stay as written


def read(located: Located) -> Document:
    """Read and parse the file; ``.json`` as JSON, anything else as YAML.

    A list instead of sections is read as the ``tags`` section.

    Raises
    ------
    ConfigError
        It is missing, not a file, not UTF-8, not YAML or JSON, not a mapping, or other
        users can modify it.
    """
    text = _decoded(_content(located), located.name)
    is_json = located.path.suffix.lower() == ".json"
    document = json_text.read(text, located.name) if is_json else yaml_text.read(text, located.name)
    if isinstance(document.tree, list):
        return document.within("tags")
    if not isinstance(document.tree, dict):
        raise ConfigError(f"{document.where(())}: a configuration must be a mapping of sections")
    return document


def _content(located: Located) -> bytes:
    try:
        with open_regular(located.path) as file:
            if (why := why_unsafe(located.path)) is not None:
                raise ConfigError(f"{located.name}: {why}")
            return file.read()
    except FileNotFoundError as err:
        raise ConfigError(f"{located.name}: no such file") from err
    except IsADirectoryError as err:
        raise ConfigError(f"{located.name}: a folder, not a file") from err
    except NotRegular as err:
        raise ConfigError(f"{located.name}: {err.strerror}") from err
    except OSError as err:
        raise ConfigError(f"{located.name}: cannot be read: {err.strerror}") from err


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        before = content[: err.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8-sig")) + 1
        # The cause is dropped: it contains the entire file.
        raise ConfigError(f"{name}:{line}:{column}: not UTF-8; save the file as UTF-8") from None


def why_unsafe(path: Path) -> str | None:
    """Return why a file or folder that can make pacsfw run code cannot be trusted.

    It and its contents must not be writable by its group or by others, and it must not be
    in a folder where anyone can replace it. Checks only POSIX permissions; elsewhere the
    result is None.

    Returns
    -------
    str or None
        The problem and the command that fixes it; None if there is no problem.
    """
    if os.name != "posix":
        return None
    if path.stat().st_mode & _OTHERS_WRITE:
        return f"other users can modify it; run: chmod go-w {path}"
    for each in sorted(path.rglob("*")):
        if each.exists() and each.stat().st_mode & _OTHERS_WRITE:
            return f"other users can modify {each}; run: chmod -R go-w {path}"
    folder = path.resolve().parent
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return f"anyone can replace it in its folder; run: chmod o-w {folder}"
    return None


def why_unwritable(folder: Path) -> str | None:
    """Return why a folder, which need not exist yet, is not writable.

    Returns
    -------
    str or None
        The obstacle; None if there is none, as far as can be seen without a test file.
    """
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not os.path.isdir(nearest):  # Path.is_dir may raise, this says no
        return f"{nearest} is not a folder"
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"you cannot write to {nearest}"
    return None
