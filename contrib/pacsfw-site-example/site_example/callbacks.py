"""Callbacks for tags of our scanners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OFFSET = 1_000_000_000
"""Some versions of the scanner software add this to the b-value."""


def b_value(value: Any) -> int:
    """Diffusion b-value in s/mm2, from (0043,"GEMS_PARM_01",39): the first of its numbers."""
    if isinstance(value, bytes):
        value = value.decode("ascii").strip("\0 ").split("\\")
    first = value[0] if isinstance(value, Sequence) and not isinstance(value, str) else value
    number = int(float(str(first)))
    if number < 0:
        raise ValueError("a b-value cannot be negative")
    return number - OFFSET if number >= OFFSET else number
