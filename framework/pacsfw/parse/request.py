"""What `pacsfw parse` is asked to read and to write."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pacsfw.config.values import is_url, split_sqlite
from pacsfw.parse.duplicates import OnDuplicate

STATE_SUFFIX = ".state"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseRequest:
    """The files to read, and the table to write.

    Attributes
    ----------
    root
        Absolute path of a folder, file, zip archive or DICOMDIR.
    target
        Absolute path or URL of the table.
    state
        Directory for the resume state; removed at the end.
    workers
        Number of processes.
    limit
        Maximum number of files; 0: no limit.
    overwrite
        Restart from the beginning, and replace existing tables.
    bare
        Also read data sets without preamble.
    append
        Continue a table that an earlier parse has written.
    fmt
        The suffix of the format; empty: that of the target.
    on_duplicate, exclude_path
        As for `pacsfw.parse.loop.LoopOptions`.
    """

    root: Path
    target: str
    state: Path
    workers: int
    limit: int = 0
    overwrite: bool = False
    bare: bool = False
    append: bool = False
    fmt: str = ""
    on_duplicate: OnDuplicate = "keep"
    exclude_path: bool = False


def file_of(target: str) -> str:
    """Return the file or folder of a target; empty for a database on a server."""
    return split_sqlite(target)[0] if is_url(target) else target


def state_beside(target: str) -> Path:
    """Return the default state folder: next to the table, or in the working directory."""
    if not (file := file_of(target)):
        digest = hashlib.sha256(target.encode()).hexdigest()[:8]
        return Path.cwd() / f"pacsfw-parse-{digest}{STATE_SUFFIX}"
    return Path(file + STATE_SUFFIX)
