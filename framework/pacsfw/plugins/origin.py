"""Where code of a plugin is written."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any


def source_of(callback: Any) -> bytes:
    """Return the file that a callback is written in; nothing for one that has none."""
    module = inspect.getmodule(callback)
    path = getattr(module, "__file__", None)
    return Path(path).read_bytes() if path and path.endswith(".py") else b""
