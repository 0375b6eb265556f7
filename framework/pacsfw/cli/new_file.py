"""Writing a file that nobody else shall change, and never over somebody's work."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pacsfw.errors import ConfigError


def see_that_it_can_be_written(path: Path, *, force: bool) -> None:
    """Refuse before any work is done.

    Raises
    ------
    ConfigError
        There is such a file, or there can be none.
    """
    from pacsfw.config.files import why_unwritable

    if path.exists() and not force:
        raise ConfigError(f"{path}: exists already and is left as it is; --force replaces it")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{path}: the folder {folder} does not exist")
    if why := why_unwritable(folder):
        raise ConfigError(f"{path}: {why}")


def write(path: Path, text: str) -> None:
    """Write a file as a whole, or leave what was there.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        # mkstemp makes it 0600: it may make us run code, so nobody else shall change it.
        number, beside = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(beside).replace(path)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be written: {err.strerror}") from err
