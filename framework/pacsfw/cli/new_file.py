"""Writing a new file that no other user can modify, without overwriting by accident."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pacsfw.errors import ConfigError


def see_that_it_can_be_written(path: Path, *, force: bool) -> None:
    """Check before any work is done.

    Raises
    ------
    ConfigError
        The file already exists, or cannot be created.
    """
    from pacsfw.config.files import why_unwritable

    if path.exists() and not force:
        raise ConfigError(f"{path}: already exists and was not changed; use --force to replace it")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{path}: the folder {folder} does not exist")
    if why := why_unwritable(folder):
        raise ConfigError(f"{path}: {why}")


def write(path: Path, text: str) -> None:
    """Write a file completely, or leave the existing one unchanged.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        # mkstemp makes it 0600: it can make us run code, so no other user may change it.
        number, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be written: {err.strerror}") from err
