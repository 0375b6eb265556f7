"""Find the source file of a plugin's code."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any


def source_of(callback: Any) -> bytes:
    """Return the content of the source file of a callback, empty if it has none."""
    module = inspect.getmodule(callback)
    path = getattr(module, "__file__", None)
    return Path(path).read_bytes() if path and path.endswith(".py") else b""
