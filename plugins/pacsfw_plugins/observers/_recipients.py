"""Who is written to, by the section ``email``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def recipients(section: Mapping[str, Any]) -> list[str]:
    """Return whom to write to: ``to``, else the account if that is an address."""
    to = section.get("to") or section.get("username") or ""
    return [each for each in ([to] if isinstance(to, str) else to) if "@" in each]
